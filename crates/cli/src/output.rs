//! What goes to the standard output.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use clap::Args;
use serde::Serialize;

use crate::failure::Failure;

/// Whether a program reads the output.
#[derive(Args)]
pub struct Json {
    /// Print JSON, one object on a line
    #[arg(long)]
    pub json: bool,
}

/// Lines and notes that wait until the terminal is free; `None` while it is free.
static HELD: Mutex<Option<Vec<Said>>> = Mutex::new(None);

enum Said {
    Line(String),
    Note(String),
}

/// Something else draws in the terminal: what is said from now on waits until [`release`].
pub fn hold() {
    held().get_or_insert_default();
}

/// Says what has waited.
pub fn release() {
    for said in held().take().into_iter().flatten() {
        match said {
            // Who would read it has gone.
            Said::Line(text) => drop(line(text)),
            Said::Note(text) => note(text),
        }
    }
}

fn held() -> MutexGuard<'static, Option<Vec<Said>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a line.
pub fn line(text: impl Display) -> Result<(), Failure> {
    if let Some(held) = &mut *held() {
        held.push(Said::Line(text.to_string()));
        return Ok(());
    }
    written(writeln!(io::stdout().lock(), "{text}"))
}

/// Writes an object on a line.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(value).map_err(Failure::failed)?)
}

/// Writes bytes as they are.
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Failed(format!("cannot write the output: {error}")),
    })
}

/// Says something that is not the result.
pub fn note(text: impl Display) {
    if let Some(held) = &mut *held() {
        held.push(Said::Note(text.to_string()));
        return;
    }
    eprintln!("note: {text}");
}

/// `12,345,678`
pub fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `7.9 MB`: powers of a thousand.
pub fn bytes_of(bytes: f64) -> String {
    scaled(bytes, "B", &["kB", "MB", "GB", "TB"])
}

/// `5.6 GFLOP`
pub fn flops_of(flops: f64) -> String {
    scaled(flops, "FLOP", &["kFLOP", "MFLOP", "GFLOP", "TFLOP"])
}

fn scaled(mut value: f64, unit: &str, larger: &[&str]) -> String {
    let mut named = unit;
    for next in larger {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        named = next;
    }
    match named == unit {
        true => format!("{value:.0} {named}"),
        false if value < 99.5 => format!("{value:.1} {named}"),
        false => format!("{value:.0} {named}"),
    }
}

/// Lines with columns as wide as their widest entry, the first `left` of them aligned to the left
/// and the others to the right.
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
    use super::{bytes_of, grouped, table};

    #[test]
    fn numbers_are_for_reading() {
        assert_eq!(grouped(0u8), "0");
        assert_eq!(grouped(999u32), "999");
        assert_eq!(grouped(1_234_567u32), "1,234,567");
        assert_eq!(bytes_of(0.0), "0 B");
        assert_eq!(bytes_of(999.6), "1.0 kB");
        assert_eq!(bytes_of(3_136_000.0), "3.1 MB");
        assert_eq!(bytes_of(313_600.0), "314 kB");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest() {
        let row = |entries: [&str; 2]| entries.map(str::to_owned).to_vec();
        assert_eq!(table(1, &[row(["a", "1"]), row(["bcd", "200"])]), "a      1\nbcd  200");
    }
}
