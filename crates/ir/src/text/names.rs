//! Names in the text: plain where they can be, quoted where they hold something else.

use std::fmt::{self, Write};

use crate::graph::is_name;

/// Writes the name of a graph, node or operator.
pub(super) fn write_name(out: &mut dyn Write, name: &str) -> fmt::Result {
    if is_name(name) { out.write_str(name) } else { write_quoted(out, name) }
}

/// Writes the name of a dimension, which must not be taken for a number.
pub(super) fn write_symbol(out: &mut dyn Write, name: &str) -> fmt::Result {
    if is_symbol(name) { out.write_str(name) } else { write_quoted(out, name) }
}

/// True if a dimension's name needs no quotes. `_` does: elsewhere it stands for a dimension
/// without a name.
pub(super) fn is_symbol(name: &str) -> bool {
    is_name(name) && name != "_" && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Writes anything in quotes.
pub(super) fn write_quoted(out: &mut dyn Write, name: &str) -> fmt::Result {
    out.write_char('"')?;
    for c in name.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            c if c.is_control() => write!(out, "\\u{{{:x}}}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

/// The text between quotes with its escapes replaced. None if one of them means nothing.
pub(super) fn unquote(inner: &str) -> Option<String> {
    let mut name = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            name.push(c);
            continue;
        }
        match chars.next()? {
            c @ ('"' | '\\') => name.push(c),
            'u' => {
                let digits = chars.as_str().strip_prefix('{')?;
                let (digits, rest) = digits.split_once('}')?;
                name.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
                chars = rest.chars();
            }
            _ => return None,
        }
    }
    Some(name)
}
