//! The words and marks of a line.

use std::borrow::Cow;

use super::names::unquote;
use crate::{Diagnostic, Location};

/// A mistake in a line, its place still to be filled in. Boxed, since it is rare and large.
pub(super) type Read<T> = Result<T, Box<Diagnostic>>;

/// A mistake.
pub(super) fn mistake(message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(message, Location::Unknown))
}

/// A mistake and how to mend it.
pub(super) fn advise(message: impl Into<String>, help: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(message, Location::Unknown).help(help))
}

/// The rest of a line that is read from left to right.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    rest: &'t str,
    /// True if it ends at a colon, not with the line.
    has_more: bool,
}

impl<'t> Cursor<'t> {
    /// All of a line.
    pub(super) fn new(line: &'t str) -> Self {
        Self { rest: line, has_more: false }
    }

    /// Splits a line, without its comment, at its first colon if it has one.
    pub(super) fn split(line: &'t str) -> (Self, Option<Self>) {
        let (mut is_quoted, mut is_escaped, mut colon) = (false, false, None);
        let mut end = line.len();
        for (at, byte) in line.bytes().enumerate() {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = is_quoted,
                b'"' => is_quoted = !is_quoted,
                b'#' if !is_quoted => {
                    end = at;
                    break;
                }
                b':' if !is_quoted && colon.is_none() => colon = Some(at),
                _ => {}
            }
        }
        let part = |from, to| Cursor::new(line.get(from..to).unwrap_or_default());
        match colon {
            Some(colon) => {
                let mut head = part(0, colon);
                head.has_more = true;
                (head, Some(part(colon + 1, end)))
            }
            None => (part(0, end), None),
        }
    }

    /// The next byte that is not a space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
        self.rest.bytes().next()
    }

    /// True if nothing is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Goes past a mark, if it is next.
    pub(super) fn eat(&mut self, mark: u8) -> bool {
        let is_next = self.peek() == Some(mark);
        if is_next {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        is_next
    }

    /// Goes past a mark, which has to be next; `after` says what it should follow.
    pub(super) fn expect(&mut self, mark: u8, after: &str) -> Read<()> {
        if self.eat(mark) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{}` after {after}", char::from(mark))))
        }
    }

    /// A word of letters, digits and `_ . / + -`, if it is next.
    pub(super) fn word(&mut self) -> Option<&'t str> {
        self.peek();
        let is_part = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'+' | b'-')
        };
        let len = self.rest.bytes().take_while(|&byte| is_part(byte)).count();
        let (word, rest) = self.rest.split_at_checked(len)?;
        if word.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    /// A name, plain or in quotes, which has to be next.
    pub(super) fn name(&mut self, what: &str) -> Read<Cow<'t, str>> {
        if self.peek() == Some(b'"') {
            return self.quoted().map(Cow::Owned);
        }
        match self.word() {
            Some(word) => Ok(Cow::Borrowed(word)),
            None => Err(self.expected(what)),
        }
    }

    /// A text in quotes, which has to be next.
    pub(super) fn text(&mut self) -> Read<String> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            _ => Err(self.expected("a text in quotes")),
        }
    }

    fn quoted(&mut self) -> Read<String> {
        let inner = self.rest.get(1..).unwrap_or_default();
        let mut is_escaped = false;
        for (at, byte) in inner.bytes().enumerate() {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => {
                    self.rest = inner.get(at + 1..).unwrap_or_default();
                    let name = inner.get(..at).and_then(unquote);
                    return name.ok_or_else(|| {
                        advise(
                            "an escape in quotes that means nothing",
                            "there are `\\\"`, `\\\\` and `\\u{1f600}`",
                        )
                    });
                }
                _ => {}
            }
        }
        Err(mistake("the quotes opened here are not closed in this line"))
    }

    /// Goes over `open item, item, ... close`, the opening mark included.
    pub(super) fn list(
        &mut self,
        [open, close]: [u8; 2],
        after: &str,
        mut item: impl FnMut(&mut Self) -> Read<()>,
    ) -> Read<()> {
        self.expect(open, after)?;
        if self.eat(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.eat(close) {
                return Ok(());
            }
            if !self.eat(b',') {
                let close = char::from(close);
                return Err(self.expected(&format!("`,` or `{close}`")));
            }
        }
    }

    /// The mistake that `what` should be next.
    pub(super) fn expected(&mut self, what: &str) -> Box<Diagnostic> {
        let found = self.found();
        mistake(format!("expected {what}, found {found}"))
    }

    /// The word or mark that is next, for a message.
    fn found(&mut self) -> String {
        if self.is_at_end() {
            return if self.has_more { "`:`" } else { "the end of the line" }.to_owned();
        }
        let mut ahead = *self;
        match ahead.word() {
            Some(word) => format!("`{}`", crate::shorten::word(word)),
            None => match self.rest.chars().next() {
                Some(c @ ('`' | '\'')) => format!("{c:?}"),
                Some(c) => format!("`{}`", c.escape_debug()),
                None => String::new(),
            },
        }
    }

    /// Checks that nothing is left of the line.
    pub(super) fn finish(&mut self) -> Read<()> {
        if self.is_at_end() && !self.has_more {
            Ok(())
        } else {
            Err(self.expected("the end of the line"))
        }
    }
}
