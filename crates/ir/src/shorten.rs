//! Names and words in messages: a message has many of them, and a file any.

use std::borrow::Cow;

/// A node's name as far as it fits into a message.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    to(name, 100)
}

/// A word of a text or a file, which may be anything, as far as it fits into a message.
pub(crate) fn word(word: &str) -> Cow<'_, str> {
    to(word, 40)
}

fn to(text: &str, letters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(letters) {
        None => text.into(),
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()).into(),
    }
}
