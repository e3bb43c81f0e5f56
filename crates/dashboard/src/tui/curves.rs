//! Curves over steps.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

use super::palette::{Palette, Side};
use super::scene::Panel;

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    panel: &Panel,
    is_zoomed: bool,
    palette: Palette,
) {
    let [head, body] = split(area);
    frame.render_widget(title(panel, palette), head);
    let Some((x, y)) = ranges(panel, is_zoomed) else { return };
    let datasets = panel.lines.iter().map(|line| {
        Dataset::default()
            .data(&line.points)
            .graph_type(GraphType::Line)
            .marker(palette.marker(line.side))
            .style(palette.side(line.side))
    });
    let middle = (y[0] + y[1]) / 2.0;
    let labels = |places: &[f64]| -> Vec<Line<'static>> {
        places.iter().map(|&place| label(place, y, panel.is_percent).into()).collect()
    };
    let y_labels = if body.height >= 7 { labels(&[y[0], middle, y[1]]) } else { labels(&y) };
    let x_labels = x.map(|step| format!("{step:.0}"));
    let chart = Chart::new(datasets.collect())
        .legend_position(None)
        .x_axis(Axis::default().bounds(x).labels(x_labels).style(palette.quiet()))
        .y_axis(Axis::default().bounds(y).labels(y_labels).style(palette.quiet()));
    frame.render_widget(chart, body);
}

fn split(area: Rect) -> [Rect; 2] {
    let head = Rect { height: area.height.min(1), ..area };
    let body = Rect { y: area.y + head.height, height: area.height - head.height, ..area };
    [head, body]
}

/// The title of a panel: the measure, and the newest values.
fn title(panel: &Panel, palette: Palette) -> Line<'static> {
    let mut spans = vec![Span::styled(panel.title.clone(), palette.title())];
    let is_alone = panel.lines.len() == 1;
    for line in &panel.lines {
        let name = match line.side {
            _ if is_alone && !panel.is_percent && panel.title != "loss" => "",
            Side::Train => "train ",
            Side::Test => "test ",
        };
        let mark = match (palette.has_colours, line.side) {
            (true, _) => "",
            (false, Side::Train) => "⠒ ",
            (false, Side::Test) => "• ",
        };
        let value = match line.last {
            Some(value) if !value.is_finite() => "not finite".to_owned(),
            Some(value) if panel.is_percent => format!("{value:.2}"),
            Some(value) => number(value),
            None => continue,
        };
        spans.push(Span::raw("  "));
        spans.push(Span::styled(format!("{mark}{name}{value}"), palette.side(line.side)));
    }
    Line::from(spans)
}

/// About four digits of a number.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-4..1e6).contains(&size) => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// A number at an axis of a range, with as many digits as tell its ends apart.
fn label(value: f64, [low, high]: [f64; 2], is_percent: bool) -> String {
    let size = low.abs().max(high.abs());
    if size > 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.1e}");
    }
    let digits = match high - low {
        span if is_percent => usize::from(span < 10.0),
        span => (1.0 - span.log10().floor()).clamp(0.0, 6.0) as usize,
    };
    format!("{value:.digits$}")
}

/// The ranges of the axes: steps and values. `None` where there are no points.
fn ranges(panel: &Panel, is_zoomed: bool) -> Option<([f64; 2], [f64; 2])> {
    let points = || panel.lines.iter().flat_map(|line| line.points.iter().copied());
    let x = range(points().map(|(step, _)| step))?;
    let y = match (is_zoomed, panel.is_percent) {
        (false, true) => [0.0, 100.0],
        (false, false) => range(points().map(|(_, value)| value))?,
        (true, true) => last_percent(panel)?,
        (true, false) => late(panel, (x[0] + x[1]) / 2.0)?,
    };
    let widened =
        |[low, high]: [f64; 2]| if low < high { [low, high] } else { [low - 0.5, high + 0.5] };
    Some((widened(x), widened(y)))
}

fn range(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    values.fold(None, |range, value| match range {
        Some([low, high]) => Some([value.min(low), value.max(high)]),
        None => Some([value, value]),
    })
}

/// The range of values where the best of the test set is decided: the last three percent once it is
/// there, else around the best.
fn last_percent(panel: &Panel) -> Option<[f64; 2]> {
    let has_test =
        panel.lines.iter().any(|line| line.side == Side::Test && !line.points.is_empty());
    let lines = panel.lines.iter().filter(|line| !has_test || line.side == Side::Test);
    let [_, best] = range(lines.flat_map(|line| line.points.iter().map(|(_, value)| *value)))?;
    Some(if best >= 97.0 {
        [97.0, 100.0]
    } else {
        [(best.floor() - 3.0).max(0.0), (best.ceil() + 1.0).min(100.0)]
    })
}

/// The spread of the later half, without its wildest twentieth.
fn late(panel: &Panel, middle: f64) -> Option<[f64; 2]> {
    let points = panel.lines.iter().flat_map(|line| line.points.iter());
    let mut values: Vec<f64> =
        points.filter(|(step, _)| *step >= middle).map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    let high = *values.get(values.len().saturating_sub(1) * 19 / 20)?;
    let low = *values.first()?;
    let margin = (high - low) * 0.1;
    Some([if low >= 0.0 { (low - margin).max(0.0) } else { low - margin }, high + margin])
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    fn accuracy(values: &[f64]) -> Panel {
        let points = values.iter().enumerate().map(|(step, value)| (step as f64, *value)).collect();
        let line = scene::Line { side: Side::Test, points, last: values.last().copied() };
        Panel { title: String::new(), is_percent: true, lines: vec![line] }
    }

    #[test]
    fn the_last_percent_is_where_the_best_is() {
        let zoomed = |values: &[f64]| ranges(&accuracy(values), true).unwrap().1;
        assert_eq!(zoomed(&[10.0, 98.5, 98.0]), [97.0, 100.0]);
        assert_eq!(zoomed(&[10.0, 91.5]), [88.0, 93.0]);
        assert_eq!(zoomed(&[0.5]), [0.0, 2.0]);
        assert_eq!(ranges(&accuracy(&[10.0]), false).unwrap().1, [0.0, 100.0]);
    }

    #[test]
    fn no_points_are_no_picture() {
        assert!(ranges(&accuracy(&[]), false).is_none());
        assert!(ranges(&accuracy(&[]), true).is_none());
    }

    #[test]
    fn labels_tell_the_ends_apart() {
        let ends = |low: f64, high: f64| [low, high].map(|value| label(value, [low, high], false));
        assert_eq!(ends(15.0, 230.0), ["15", "230"]);
        assert_eq!(ends(0.02, 1.0), ["0.02", "1.00"]);
        assert_eq!(ends(0.501, 0.503), ["0.5010", "0.5030"]);
        assert_eq!(ends(6e-5, 1.4e-4), ["6.0e-5", "1.4e-4"]);
        assert_eq!(label(98.5, [97.0, 100.0], true), "98.5");
    }

    #[test]
    fn numbers_have_about_four_digits() {
        let shown = [0.0, 0.12345, 2.34567, 234.567, 1e9, 1e-7].map(number);
        assert_eq!(shown, ["0", "0.1235", "2.346", "234.6", "1.00e9", "1.00e-7"]);
    }
}
