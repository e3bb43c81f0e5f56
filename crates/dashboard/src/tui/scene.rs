//! The content of the screen: read from a run, ready to be drawn.

use abeyance_record::sprite::Sprite;
use abeyance_record::{ALL, Overview, Run};

use super::palette::Side;

/// Points of a curve: more than the widest terminal has dots.
const POINTS: usize = 1_000;
/// Points by which the range of a bar is found.
const RANGE_POINTS: usize = 100;

/// The content of the screen for a run.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) overview: Option<Overview>,
    pub(super) panels: Vec<Panel>,
    pub(super) bars: Vec<Bar>,
    pub(super) batch: Option<Batch>,
}

/// Curves in one frame.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) is_percent: bool,
    pub(super) lines: Vec<Line>,
}

/// A curve.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) side: Side,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) last: Option<f64>,
}

/// The percentiles of a variable's numbers.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) tag: String,
    /// The percentiles 0, 7, 16, 31, 50, 69, 84, 93, 100 now.
    pub(super) band: [f32; 9],
    /// The least and the greatest number there was at any time.
    pub(super) range: [f32; 2],
}

/// A training batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) step: i64,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Pixels, image after image.
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<u16>,
    pub(super) predictions: Vec<u16>,
}

impl Batch {
    pub(super) fn right(&self) -> usize {
        self.labels.iter().zip(&self.predictions).filter(|(label, found)| label == found).count()
    }

    /// The pixels of an image, row after row.
    pub(super) fn image(&self, index: usize) -> Option<&[u8]> {
        let size = self.width.checked_mul(self.height).filter(|&size| size > 0)?;
        self.pixels.chunks_exact(size).nth(index)
    }
}

impl Scene {
    /// Reads what is new.
    pub(super) fn read(&mut self, run: &Run) {
        let overview = run.overview();
        self.panels = panels(run, &overview.scalars);
        self.bars = bars(run);
        let newest = if overview.batch { run.batches().last().copied() } else { None };
        if newest.is_none() || self.batch.as_ref().map(|batch| batch.step) != newest {
            self.batch = newest.and_then(|step| batch(run, step));
        }
        self.overview = Some(overview);
    }
}

/// The tags of training and test of what is measured under a name, as Abeyance or others call them.
fn pair<'a>(scalars: &'a [String], name: &str) -> Vec<(Side, &'a str)> {
    let sides = [
        (Side::Train, "train"),
        (Side::Test, "test"),
        (Side::Test, "validation"),
        (Side::Test, "val"),
    ];
    let mut found: Vec<(Side, &str)> = Vec::new();
    for (side, word) in sides {
        let wanted = [format!("{word}/{name}"), format!("{name}/{word}"), format!("{word}_{name}")];
        let tag =
            scalars.iter().find(|tag| wanted.iter().any(|wanted| tag.eq_ignore_ascii_case(wanted)));
        if let Some(tag) = tag
            && found.iter().all(|(known, _)| *known != side)
        {
            found.push((side, tag));
        }
    }
    if found.is_empty() {
        let tag = scalars.iter().find(|tag| tag.to_ascii_lowercase().contains(name));
        found.extend(tag.map(|tag| (Side::Train, tag.as_str())));
    }
    found
}

fn panels(run: &Run, scalars: &[String]) -> Vec<Panel> {
    let loss = pair(scalars, "loss");
    let mut accuracy = pair(scalars, "accuracy");
    if accuracy.is_empty() {
        accuracy = pair(scalars, "acc");
    }
    let mut wanted = vec![(loss, false), (accuracy, true)];
    wanted.retain(|(tags, _)| !tags.is_empty());
    if wanted.is_empty() {
        // Whatever there is.
        wanted.extend(scalars.iter().take(2).map(|tag| (vec![(Side::Train, tag.as_str())], false)));
    }
    let panels = wanted.into_iter().map(|(tags, is_percent)| panel(run, &tags, is_percent));
    panels.collect()
}

fn panel(run: &Run, tags: &[(Side, &str)], is_percent: bool) -> Panel {
    let names: Vec<String> = tags.iter().map(|(_, tag)| (*tag).to_owned()).collect();
    let mut curves = run.curves(&names, ALL, POINTS).tags;
    let factor = if is_percent { 100.0 } else { 1.0 };
    let line = |&(side, tag): &(Side, &str)| {
        let curve = curves.remove(tag).unwrap_or_default();
        let points = curve.step.iter().zip(&curve.value);
        let points = points.map(|(&step, &value)| (step as f64, f64::from(value) * factor));
        let points: Vec<_> = points.filter(|(_, value)| value.is_finite()).collect();
        let last = curve.value.last().map(|&value| f64::from(value) * factor);
        Line { side, points, last }
    };
    let lines = tags.iter().map(line).collect();
    let is_ours = names.iter().any(|name| name == "train/loss" || name == "test/loss");
    let title = match (is_percent, is_ours, names.first()) {
        (true, ..) => "accuracy, %".to_owned(),
        (_, true, _) => "loss".to_owned(),
        (.., name) => name.cloned().unwrap_or_default(),
    };
    Panel { title, is_percent, lines }
}

fn bars(run: &Run) -> Vec<Bar> {
    let bands = run.bands(ALL, RANGE_POINTS);
    let bars = bands.tags.into_iter().filter_map(|(tag, bands)| {
        let mut band = [0.0; 9];
        for (place, list) in band.iter_mut().zip(&bands.bands) {
            *place = *list.last().filter(|value| value.is_finite())?;
        }
        let [lows, .., highs] = &bands.bands;
        let finite =
            |list: &[f32]| list.iter().copied().filter(|v| v.is_finite()).collect::<Vec<_>>();
        let low = finite(lows).into_iter().fold(f32::INFINITY, f32::min);
        let high = finite(highs).into_iter().fold(f32::NEG_INFINITY, f32::max);
        Some(Bar { tag, band, range: [low, high] })
    });
    let mut bars: Vec<Bar> = bars.collect();
    // All together first, then a variable each.
    bars.sort_by_key(|bar| match bar.tag.as_str() {
        "weights" => 0,
        "biases" => 1,
        _ => 2,
    });
    bars
}

fn batch(run: &Run, step: i64) -> Option<Batch> {
    let batch = run.batch(step)?;
    let sprite = Sprite {
        width: batch.width,
        height: batch.height,
        columns: batch.columns,
        count: batch.count,
        png: batch.png,
    };
    // A picture that cannot be read leaves the digits as text.
    let pixels = sprite.pixels().unwrap_or_default();
    Some(Batch {
        step: batch.step,
        width: batch.width,
        height: batch.height,
        pixels,
        labels: batch.labels,
        predictions: batch.predictions,
    })
}
