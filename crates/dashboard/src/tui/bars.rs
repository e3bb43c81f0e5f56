//! Bars that show the percentiles of weights and biases.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::curves::number;
use super::palette::Palette;
use super::scene::Bar;

/// Rows of a bar: its name with its numbers, and the bar.
pub(super) const ROWS: u16 = 2;
/// Shades between percentiles, from the least number to the greatest: the darker, the nearer to the
/// median.
const SHADES: [&str; 8] = ["·", "░", "▒", "▓", "▓", "▒", "░", "·"];
/// The sign of the median.
const MEDIAN: &str = "┃";

/// Draws as many as there is room for.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, bars: &[Bar], palette: Palette) {
    if area.height <= ROWS || area.width < 20 || bars.is_empty() {
        return;
    }
    let seen = (area.height - 1) / ROWS;
    let left = bars.len().saturating_sub(usize::from(seen));
    let title = Line::from(vec![
        Span::styled("spread", palette.title()),
        Span::styled("  ·0 ░7 ▒16 ▓31 ┃50 %", palette.quiet()),
        Span::styled(
            if left > 0 { format!("  {left} more") } else { String::new() },
            palette.quiet(),
        ),
    ]);
    frame.render_widget(title, Rect { height: 1, ..area });
    for (bar, place) in bars.iter().zip(0..seen) {
        let row = Rect { y: area.y + 1 + place * ROWS, height: 1, ..area };
        let [low, .., high] = bar.band;
        let [.., median, _, _, _, _] = bar.band;
        let numbers =
            format!("{} … {} … {}", number(low.into()), number(median.into()), number(high.into()));
        let room = usize::from(area.width).saturating_sub(numbers.chars().count() + 1);
        let name: String =
            bar.tag.chars().filter(|letter| !letter.is_control()).take(room).collect();
        frame.render_widget(Line::from(name), row);
        frame.render_widget(Line::styled(numbers, palette.quiet()).right_aligned(), row);
        let line = Line::styled(drawn(bar, area.width), palette.bar());
        frame.render_widget(line, Rect { y: row.y + 1, ..row });
    }
}

/// The bar, on a scale from the least number there ever was to the greatest.
fn drawn(bar: &Bar, width: u16) -> String {
    let [low, high] = bar.range.map(f64::from);
    let width = usize::from(width);
    let span = if high > low { high - low } else { 1.0 };
    let column = |value: f32| {
        let at = (f64::from(value) - low) / span * width as f64;
        (at.max(0.0) as usize).min(width.saturating_sub(1))
    };
    let mut letters = vec![" "; width];
    // From outside to inside, so that a narrow middle is not hidden.
    for part in [0, 7, 1, 6, 2, 5, 3, 4] {
        if let [Some(from), Some(to)] = [bar.band.get(part), bar.band.get(part + 1)] {
            let columns = column(*from)..=column(*to);
            letters.get_mut(columns).into_iter().flatten().for_each(|letter| {
                *letter = SHADES.get(part).copied().unwrap_or(" ");
            });
        }
    }
    if let Some(letter) = bar.band.get(4).and_then(|&median| letters.get_mut(column(median))) {
        *letter = MEDIAN;
    }
    letters.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_darkest_at_the_median() {
        let bar = Bar {
            tag: String::new(),
            band: [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0],
            range: [-8.0, 8.0],
        };
        assert_eq!(drawn(&bar, 32), "        ··░░▒▒▓▓┃▓▓▒▒░░··       ");
    }

    #[test]
    fn a_bar_of_one_number_is_drawn() {
        let bar = Bar { tag: String::new(), band: [0.5; 9], range: [0.5; 2] };
        assert_eq!(drawn(&bar, 3), "┃  ");
    }
}
