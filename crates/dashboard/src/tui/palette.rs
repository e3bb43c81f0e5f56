//! Colours, or none.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;

/// The colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Palette {
    pub(super) has_colours: bool,
}

/// The side of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Train,
    Test,
}

impl Palette {
    /// Reads `NO_COLOR`: <https://no-color.org>.
    pub(super) fn of_environment() -> Self {
        Self { has_colours: std::env::var_os("NO_COLOR").is_none_or(|text| text.is_empty()) }
    }

    fn style(self, colour: Color) -> Style {
        if self.has_colours { Style::new().fg(colour) } else { Style::new() }
    }

    pub(super) fn side(self, side: Side) -> Style {
        self.style(match side {
            Side::Train => Color::LightBlue,
            Side::Test => Color::LightRed,
        })
    }

    /// The marker that curves are drawn with. Without colours those of the test are dots.
    pub(super) fn marker(self, side: Side) -> Marker {
        match side {
            Side::Test if !self.has_colours => Marker::Dot,
            _ => Marker::Braille,
        }
    }

    pub(super) fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn bar(self) -> Style {
        self.style(Color::LightBlue)
    }

    /// A digit, on white where it was recognised and on red where it was not.
    pub(super) fn digit(self, is_right: bool) -> Style {
        match (self.has_colours, is_right) {
            (true, true) => Style::new().fg(Color::Indexed(232)).bg(Color::Indexed(255)),
            (true, false) => Style::new()
                .fg(Color::Indexed(231))
                .bg(Color::Indexed(160))
                .add_modifier(Modifier::BOLD),
            (false, true) => Style::new(),
            (false, false) => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
        }
    }

    /// A pixel of a digit by how much ink it has, on the ground of a digit that was recognised or
    /// not.
    pub(super) fn pixel(self, ink: u8, is_right: bool) -> Color {
        let light = 255 - u16::from(ink);
        if is_right {
            // Of the 24 greys from nearly black to nearly white.
            Color::Indexed(232 + (light * 23 / 255) as u8)
        } else {
            // Of the six reds of the colour cube, the last of which is the ground.
            Color::Indexed(16 + 36 * (light * 5 / 255) as u8)
        }
    }
}
