//! The layout of the terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::palette::Palette;
use super::scene::Scene;
use super::{bars, curves, digits};

/// Columns and rows below which there is nothing to see.
const LEAST: [u16; 2] = [30, 8];
/// Rows of curves that are worth drawing.
const LEAST_CURVES: u16 = 7;

const HELP: [&str; 7] = [
    "q, Ctrl-C   stop the training; leave, if it does not train here",
    "space       pause, go on",
    "s           save now",
    "z           zoom to the last percent, and back",
    "Tab         next run",
    "?           this help",
    "train is blue, test is red; digits on red were missed",
];

/// The user's choices, and the message to them.
#[derive(Clone, Debug, Default)]
pub(super) struct ViewOptions {
    pub(super) is_zoomed: bool,
    pub(super) is_help: bool,
    /// The last line. `None` shows the keys.
    pub(super) message: Option<String>,
    /// The number of the run and how many there are.
    pub(super) place: [usize; 2],
    /// True if training goes on in this process.
    pub(super) has_controls: bool,
}

pub(super) fn draw(frame: &mut Frame<'_>, scene: &Scene, options: &ViewOptions, palette: Palette) {
    let area = frame.area();
    if area.width < LEAST[0] || area.height < LEAST[1] {
        frame.render_widget(Paragraph::new("make this larger"), area);
        return;
    }
    let rows = [Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)];
    let [head, body, foot] = Layout::vertical(rows).areas(area);
    frame.render_widget(header(scene, options, palette, head.width), head);
    frame.render_widget(footer(options, palette), foot);
    panels(frame, body, scene, options, palette);
    if options.is_help {
        help(frame, body, palette);
    }
}

fn panels(
    frame: &mut Frame<'_>,
    body: Rect,
    scene: &Scene,
    options: &ViewOptions,
    palette: Palette,
) {
    let batch = scene.batch.as_ref();
    // Images beside the curves where there is room for them.
    let room = [body.width / 2, body.height.saturating_sub(1)];
    if let Some(batch) = batch
        && let Some(side) = digits::side(batch, room)
    {
        let columns = [Constraint::Min(0), Constraint::Length(digits::columns(batch) * side)];
        let [left, right] = Layout::horizontal(columns).spacing(2).areas(body);
        digits::draw(frame, right, batch, Some(side), palette);
        let bars = (scene.bars.len() as u16 * bars::ROWS + 1).min(left.height / 3);
        let rows = [Constraint::Min(0), Constraint::Length(bars)];
        let [top, bottom] = Layout::vertical(rows).areas(left);
        curves_in(frame, top, scene, options, palette);
        bars::draw(frame, bottom, &scene.bars, palette);
        return;
    }
    let wanted = match (batch, scene.bars.len()) {
        (Some(batch), _) => digits::rows(batch) + 1,
        (None, 0) => 0,
        (None, count) => (count as u16 * bars::ROWS + 1).min(body.height / 2),
    };
    let below = if body.height >= wanted + LEAST_CURVES { wanted } else { 0 };
    let rows = [Constraint::Min(0), Constraint::Length(below)];
    let [top, bottom] = Layout::vertical(rows).areas(body);
    curves_in(frame, top, scene, options, palette);
    match batch {
        Some(batch) => {
            let width = digits::text_width(batch).min(bottom.width);
            let columns = [Constraint::Length(width), Constraint::Min(0)];
            let [left, right] = Layout::horizontal(columns).spacing(2).areas(bottom);
            digits::draw(frame, left, batch, None, palette);
            bars::draw(frame, right, &scene.bars, palette);
        }
        None => bars::draw(frame, bottom, &scene.bars, palette),
    }
}

fn curves_in(
    frame: &mut Frame<'_>,
    area: Rect,
    scene: &Scene,
    options: &ViewOptions,
    palette: Palette,
) {
    if scene.panels.is_empty() {
        frame.render_widget(Paragraph::new("no numbers yet").style(palette.quiet()), area);
        return;
    }
    // Over each other where they are not narrower than high so.
    let layout = if area.width >= 60 && area.height < 30 {
        Layout::horizontal(scene.panels.iter().map(|_| Constraint::Fill(1))).spacing(1)
    } else {
        Layout::vertical(scene.panels.iter().map(|_| Constraint::Fill(1)))
    };
    for (panel, &area) in scene.panels.iter().zip(layout.split(area).iter()) {
        curves::draw(frame, area, panel, options.is_zoomed, palette);
    }
}

fn header(scene: &Scene, options: &ViewOptions, palette: Palette, width: u16) -> Line<'static> {
    let mut parts = Vec::new();
    let Some(run) = &scene.overview else { return Line::from("") };
    let text = |name: &str| run.settings.get(name).and_then(|value| value.as_str());
    let name = match run.id.as_str() {
        "." => text("graph").or_else(|| text("network")).unwrap_or("training").to_owned(),
        id => id.to_owned(),
    };
    let [place, count] = options.place;
    parts.push(if count > 1 { format!("{name} ({place} of {count})") } else { name });
    let step = grouped(run.step);
    parts.push(match run.steps.filter(|&steps| steps > 0) {
        Some(steps) => {
            let share = 100 * i128::from(run.step) / i128::from(steps);
            format!("step {step} of {} ({share} %)", grouped(steps))
        }
        None => format!("step {step}"),
    });
    parts.extend(
        run.speed
            .filter(|speed| speed.is_finite())
            .map(|speed| format!("{} images/s", grouped(speed as i64))),
    );
    parts.extend(run.started.map(|started| span(run.updated - started)));
    let state = run
        .state
        .clone()
        .filter(|_| options.has_controls || run.state.as_deref() != Some("running"));
    // One line, whatever stands in a log; what does not fit is left out from the back, and the
    // state never.
    let state = plain(state.as_deref().unwrap_or("recorded"));
    let mut room = usize::from(width).saturating_sub(state.chars().count() + 3);
    let mut spans = Vec::new();
    for (index, part) in parts.iter().map(|part| plain(part)).enumerate() {
        let between = if index == 0 { "" } else { " · " };
        let Some(rest) = room.checked_sub(part.chars().count() + between.chars().count()) else {
            break;
        };
        room = rest;
        spans.push(Span::raw(between));
        spans.push(if index == 0 { Span::styled(part, palette.title()) } else { Span::raw(part) });
    }
    spans.push(Span::raw(if spans.is_empty() { "" } else { " · " }));
    spans.push(Span::styled(state, palette.title()));
    Line::from(spans)
}

fn footer(options: &ViewOptions, palette: Palette) -> Line<'static> {
    if let Some(message) = &options.message {
        return Line::styled(plain(message), palette.title());
    }
    let mut keys = if options.has_controls {
        vec!["q stop", "space pause", "s save"]
    } else {
        vec!["q leave"]
    };
    keys.push(if options.is_zoomed { "z show all" } else { "z last percent" });
    if options.place[1] > 1 {
        keys.push("Tab next run");
    }
    keys.push("? help");
    Line::styled(keys.join(" · "), palette.quiet())
}

fn help(frame: &mut Frame<'_>, body: Rect, palette: Palette) {
    let width = HELP.iter().map(|line| line.chars().count()).max().unwrap_or(0) as u16 + 4;
    let area = body.centered(Constraint::Length(width), Constraint::Length(HELP.len() as u16 + 2));
    frame.render_widget(Clear, area);
    let lines: Vec<Line<'_>> = HELP.iter().map(|line| Line::from(format!(" {line}"))).collect();
    let block = Block::bordered().title(" keys ").border_style(palette.quiet());
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// A text without what would move the cursor.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// `12,345`
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1:02:03`
fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}
