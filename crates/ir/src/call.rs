//! What a user called, where a node is one of several that a call appended.

use std::sync::atomic::{AtomicU32, Ordering};

/// One call of a function that appends several nodes on a user's behalf, or one under another name than its own: messages
/// about them speak of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    name: &'static str,
    /// Tells calls of one function apart.
    number: u32,
}

impl Call {
    /// A call of the function of that name, unlike any before.
    pub fn new(name: &'static str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { name, number: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// The function's name, as the user wrote it.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// What is said of the call: the message behind the function's name, unless it begins with that.
    pub fn say(self, message: String) -> String {
        let rest = message.strip_prefix(self.name);
        match rest.is_some_and(|rest| rest.starts_with([':', ' '])) {
            true => message,
            false => format!("{}: {message}", self.name),
        }
    }
}
