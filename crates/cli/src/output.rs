//! Writing to the standard output and the standard error: lines, JSON, notes, tables.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use clap::Args;
use parking_lot::Mutex;
use serde::Serialize;

use crate::error::Error;

/// The option that makes the output JSON, for programs.
#[derive(Args)]
pub struct Json {
    /// Print JSON, one object on a line
    #[arg(long)]
    pub json: bool,
}

/// Messages that wait until the terminal is free; `None` while it is free.
static WAITING: Mutex<Option<Vec<Message>>> = Mutex::new(None);

enum Message {
    Line(String),
    Note(String),
}

/// Keeps messages back until [`resume`], while something else draws in the terminal.
pub fn pause() {
    WAITING.lock().get_or_insert_default();
}

/// Writes the messages that have waited, and from now on each at once.
pub fn resume() {
    let messages = WAITING.lock().take();
    for message in messages.into_iter().flatten() {
        match message {
            // An error is that nobody reads the output any more.
            Message::Line(text) => drop(line(text)),
            Message::Note(text) => note(text),
        }
    }
}

/// Writes a line.
pub fn line(text: impl Display) -> Result<(), Error> {
    if let Some(waiting) = &mut *WAITING.lock() {
        waiting.push(Message::Line(text.to_string()));
        return Ok(());
    }
    checked(writeln!(io::stdout().lock(), "{text}"))
}

/// Writes a value as JSON on a line.
pub fn json(value: &impl Serialize) -> Result<(), Error> {
    line(serde_json::to_string(value).map_err(Error::failed)?)
}

/// Writes bytes as they are.
pub fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    checked(out.write_all(bytes).and_then(|()| out.flush()))
}

fn checked(result: io::Result<()>) -> Result<(), Error> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Error::Closed,
        _ => Error::Failed(format!("cannot write the output: {error}")),
    })
}

/// Writes a note to the standard error.
pub fn note(text: impl Display) {
    if let Some(waiting) = &mut *WAITING.lock() {
        waiting.push(Message::Note(text.to_string()));
        return;
    }
    eprintln!("note: {text}");
}

/// Lays out rows as lines with columns as wide as their widest entry, the first `left` of them
/// aligned to the left and the others to the right.
pub fn table(left: usize, rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let entries = rows.iter().filter_map(|row| row.get(column));
        entries.map(|entry| entry.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut lines = Vec::new();
    for row in rows {
        let mut line = String::new();
        for (column, entry) in row.iter().enumerate() {
            let width = widths.get(column).copied().unwrap_or(0);
            let gap = if column == 0 { "" } else { "  " };
            if column < left {
                line.push_str(&format!("{gap}{entry:width$}"))
            } else {
                line.push_str(&format!("{gap}{entry:>width$}"))
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_widest() {
        let row = |entries: [&str; 2]| entries.map(str::to_owned).to_vec();
        assert_eq!(table(1, &[row(["a", "1"]), row(["bcd", "200"])]), "a      1\nbcd  200");
    }
}
