//! Messages in snapshots: a place in a test's file stands as its line of source, with `>>` before
//! the column, so that an edit above it changes nothing.

use std::fmt::Display;

/// The message with lines of the source of `file` in place of their numbers.
pub fn readable(message: &impl Display, file: &str, source: &str) -> String {
    let source: Vec<&str> = source.lines().collect();
    let message = message.to_string();
    let place = format!("{file}:");
    let mut pieces = message.split(&place);
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
        let (line, rest) = piece.split_at(digits(piece));
        let (column, rest) = rest[1..].split_at(digits(&rest[1..]));
        let line = source[line.parse::<usize>().unwrap() - 1];
        let (before, after) = line.split_at(column.parse::<usize>().unwrap() - 1);
        text += &format!("`{}>>{}`{rest}", before.trim_start(), after.trim_end());
    }
    text
}
