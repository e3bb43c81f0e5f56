//! The examples' picture: accuracy and cross entropy over the steps of a training, as an SVG.

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use plotters::prelude::*;

/// Collects the points of the curves; draws them if asked to.
#[derive(Parser)]
#[command(about = "Trains a network on MNIST")]
pub struct Plot {
    /// Draw accuracy and cross entropy into this folder, as an SVG
    #[arg(long = "plot", value_name = "FOLDER", value_parser = make_folder)]
    folder: Option<PathBuf>,
    #[arg(skip)]
    train: Curve,
    #[arg(skip)]
    test: Curve,
}

/// Steps, each with accuracy and cross entropy per 100 images.
#[derive(Clone, Default)]
struct Curve(Vec<(usize, f32, f32)>);

impl Plot {
    /// True if there will be a picture.
    #[allow(dead_code)] // of interest where more points take more time
    pub fn is_wanted(&self) -> bool {
        self.folder.is_some()
    }

    /// Accuracy and cross entropy per 100 images of a training batch.
    pub fn train(&mut self, step: usize, (accuracy, loss): (f32, f32)) {
        self.train.0.push((step, accuracy, loss));
    }

    /// Accuracy and cross entropy per 100 images of the test digits.
    pub fn test(&mut self, step: usize, (accuracy, loss): (f32, f32)) {
        self.test.0.push((step, accuracy, loss));
    }

    /// Draws the picture `FOLDER/name.svg`, if there is to be one.
    pub fn save(&self, name: &str) -> Result<(), Box<dyn Error>> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let path = folder.join(format!("{name}.svg"));
        {
            let area = SVGBackend::new(&path, (1120, 480)).into_drawing_area();
            area.fill(&WHITE)?;
            let (top, bottom) = area.split_vertically(44);
            legend(&top)?;
            let (left, right) = bottom.split_horizontally(560);
            self.panel(&left, "accuracy", self.accuracies(), |point| point.1)?;
            let label = "cross entropy per 100 images";
            self.panel(&right, label, self.losses(), |point| point.2)?;
            area.present()?;
        }
        println!("drew {}", path.display());
        Ok(())
    }

    /// Where the second half of the training takes place: above 0.9, say.
    fn accuracies(&self) -> (f64, f64) {
        let worst = self.later(0.5, |point| point.1).fold(1.0, f64::min);
        let bounds = [0.98, 0.95, 0.9, 0.8, 0.5];
        let low = bounds.into_iter().find(|bound| *bound < worst);
        (low.unwrap_or(0.0), 1.0)
    }

    /// From 0 to what the curves come down to soon.
    fn losses(&self) -> (f64, f64) {
        let worst = self.later(0.05, |point| point.2).fold(0.0, f64::max);
        let bounds = [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
        let high = bounds.into_iter().find(|bound| *bound > worst);
        (0.0, high.unwrap_or(1000.0))
    }

    /// The values of both curves from this part of the steps on.
    fn later(&self, part: f64, value: fn(&(usize, f32, f32)) -> f32) -> impl Iterator<Item = f64> {
        let from = part * self.last_step();
        let points = self.train.0.iter().chain(&self.test.0);
        let later = points.filter(move |point| point.0 as f64 >= from);
        later.map(move |point| f64::from(value(point)))
    }

    fn last_step(&self) -> f64 {
        let points = self.train.0.iter().chain(&self.test.0);
        points.map(|point| point.0 as f64).fold(1.0, f64::max)
    }

    fn panel(
        &self,
        area: &Area<'_>,
        label: &str,
        (low, high): (f64, f64),
        value: fn(&(usize, f32, f32)) -> f32,
    ) -> Result<(), Box<dyn Error>> {
        let mut chart = ChartBuilder::on(area)
            .margin(16)
            .margin_right(28)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..self.last_step(), low..high)?;
        let digits = if high - low < 0.09 { 3 } else { 2 };
        chart
            .configure_mesh()
            .x_desc("steps")
            .y_desc(label)
            .x_labels(6)
            .y_labels(11)
            .x_label_formatter(&|step| format!("{step:.0}"))
            .y_label_formatter(&|y| {
                if high > 1.0 { format!("{y:.0}") } else { format!("{y:.digits$}") }
            })
            .light_line_style(WHITE)
            .bold_line_style(BLACK.mix(0.12))
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 16))
            .draw()?;
        // The test above, since it is what counts.
        for (curve, style) in [(&self.train, train_style()), (&self.test, test_style())] {
            let height = |point| f64::from(value(point));
            let points = curve.0.iter().map(|point| (point.0 as f64, height(point)));
            let points: Vec<(f64, f64)> = points.collect();
            for piece in clip(&points, low, high) {
                chart.draw_series(LineSeries::new(piece, style))?;
            }
        }
        Ok(())
    }
}

/// Made before the training, so that a wrong path is known before it too.
fn make_folder(path: &str) -> Result<PathBuf, String> {
    std::fs::create_dir_all(path).map_err(|error| error.to_string())?;
    Ok(path.into())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn train_style() -> ShapeStyle {
    RGBColor(31, 87, 180).mix(0.8).stroke_width(1)
}

fn test_style() -> ShapeStyle {
    RGBColor(204, 36, 29).stroke_width(2)
}

/// The meaning of the colours, for both panels.
fn legend(area: &Area<'_>) -> Result<(), Box<dyn Error>> {
    let entries = [("training batch", train_style(), 80), ("test digits", test_style(), 230)];
    for (name, style, x) in entries {
        area.draw(&PathElement::new([(x, 25), (x + 24, 25)], style))?;
        area.draw(&Text::new(name, (x + 32, 18), ("sans-serif", 15)))?;
    }
    Ok(())
}

/// The pieces of a curve that are between two heights, cut where it crosses them.
fn clip(points: &[(f64, f64)], low: f64, high: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in points.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        if !(y0.is_finite() && y1.is_finite()) || y0.max(y1) < low || y0.min(y1) > high {
            continue;
        }
        let cut = |x: f64, y: f64| match y.clamp(low, high) {
            inside if inside == y => (x, y),
            border => (x0 + (x1 - x0) * (border - y0) / (y1 - y0), border),
        };
        let (start, end) = (cut(x0, y0), cut(x1, y1));
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&start) => piece.push(end),
            _ => pieces.push(vec![start, end]),
        }
    }
    pieces
}
