//! The training batch: each image, or what it was taken for.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::palette::Palette;
use super::scene::Batch;

/// Images in a row.
const COLUMNS: u16 = 10;
/// Images that are shown.
const MOST: usize = 100;
/// Pixels of an image's side, its margin of one included: below, nothing is recognised.
const LEAST_SIDE: u16 = 8;
/// Ink from which on a pixel is black where there are no colours.
const INK: u8 = 96;

fn count(batch: &Batch) -> u16 {
    batch.labels.len().min(batch.predictions.len()).min(MOST) as u16
}

pub(super) fn columns(batch: &Batch) -> u16 {
    count(batch).clamp(1, COLUMNS)
}

pub(super) fn rows(batch: &Batch) -> u16 {
    count(batch).div_ceil(COLUMNS).max(1)
}

/// Columns of a digit that is written.
fn text_cell(batch: &Batch) -> u16 {
    let greatest = batch.predictions.iter().max().copied().unwrap_or(0);
    greatest.to_string().len() as u16 + 2
}

pub(super) fn text_width(batch: &Batch) -> u16 {
    (columns(batch) * text_cell(batch)).max(20)
}

/// The width and height in pixels that an image can have in so many columns and rows, of which each
/// is two pixels high.
pub(super) fn side(batch: &Batch, [width, height]: [u16; 2]) -> Option<u16> {
    batch.image(0)?;
    let side = (width / columns(batch)).min(2 * (height / rows(batch)));
    let most = batch.width.max(batch.height).min(64) as u16 + 1;
    // Even, so that each image begins at the top of a row.
    Some(side.min(most) & !1).filter(|&side| side >= LEAST_SIDE)
}

/// Draws the batch under a title: as images of a side of so many pixels, or as digits.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    batch: &Batch,
    side: Option<u16>,
    palette: Palette,
) {
    let count = count(batch);
    if area.height == 0 || count == 0 {
        return;
    }
    let title = Line::from(vec![
        Span::styled("batch", palette.title()),
        Span::raw(format!("  {} of {} right", batch.right(), batch.labels.len())),
    ]);
    frame.render_widget(title, Rect { height: 1, ..area });
    let (width, height) = match side {
        Some(side) => (side, side / 2),
        None => (text_cell(batch), 1),
    };
    let pairs = batch.labels.iter().zip(&batch.predictions).take(MOST);
    for (index, (label, prediction)) in pairs.enumerate() {
        let place = index as u16;
        let tile = Rect {
            x: area.x + place % COLUMNS * width,
            y: area.y + 1 + place / COLUMNS * height,
            width,
            height,
        };
        if tile.intersection(area) != tile {
            continue;
        }
        let is_right = label == prediction;
        let buffer = frame.buffer_mut();
        let style = palette.digit(is_right);
        match side.and_then(|side| Some((side, batch.image(index)?))) {
            Some((side, image)) => {
                let image = Image { pixels: image, width: batch.width, height: batch.height };
                picture(buffer, tile, &image, side, is_right, palette);
                buffer.set_string(tile.x, tile.y, prediction.to_string(), style);
            }
            None => {
                let text = format!("{prediction:^width$}", width = usize::from(width));
                buffer.set_string(tile.x, tile.y, text, style);
            }
        }
    }
}

struct Image<'a> {
    pixels: &'a [u8],
    width: usize,
    height: usize,
}

impl Image<'_> {
    /// The ink in a part of the image that is one of `side` by `side`.
    fn ink(&self, x: u16, y: u16, side: u16) -> u8 {
        let part = |at: u16, size: usize| {
            let (at, side) = (usize::from(at), usize::from(side));
            let begin = at * size / side;
            begin..((at + 1) * size).div_ceil(side).max(begin + 1).min(size)
        };
        let (mut sum, mut count) = (0u64, 0u64);
        for row in part(y, self.height) {
            for column in part(x, self.width) {
                sum += u64::from(self.pixels.get(row * self.width + column).copied().unwrap_or(0));
                count += 1;
            }
        }
        (sum / count.max(1)) as u8
    }
}

/// Two pixels in a letter: the upper one is the colour of the half block, the lower one its ground.
fn picture(
    buffer: &mut Buffer,
    tile: Rect,
    image: &Image<'_>,
    side: u16,
    is_right: bool,
    palette: Palette,
) {
    // The last column and the last half row are the margin.
    let inner = side - 1;
    for row in 0..tile.height {
        for column in 0..inner {
            let upper = image.ink(column, 2 * row, inner);
            let lower = (2 * row + 1 < inner).then(|| image.ink(column, 2 * row + 1, inner));
            let Some(cell) = buffer.cell_mut((tile.x + column, tile.y + row)) else { continue };
            if palette.has_colours {
                cell.set_symbol("▀").set_fg(palette.pixel(upper, is_right));
                if let Some(lower) = lower {
                    cell.set_bg(palette.pixel(lower, is_right));
                }
                continue;
            }
            // Ink as the terminal writes; of an image that was missed the ground is.
            let is_set = |ink: u8| (ink >= INK) == is_right;
            let symbol = match (is_set(upper), lower.is_some_and(is_set)) {
                (true, true) => "█",
                (true, false) => "▀",
                (false, true) => "▄",
                (false, false) => " ",
            };
            cell.set_symbol(symbol).set_style(Style::reset());
        }
    }
}
