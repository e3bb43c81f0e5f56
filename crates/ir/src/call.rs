//! Calls of a user's program that append several nodes, for messages about these nodes.

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

/// A call of a function that appends several nodes on a user's behalf, or one whose operator has
/// another name. Messages about the nodes are about the call. It is small, since every node has
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The number of the name in [`NAMES`], counted from 1.
    name: NonZeroU16,
    /// Tells calls of one function apart.
    number: u32,
}

/// The names of functions that were called so far: they stand in programs, so there are few.
static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

impl Call {
    /// A call of the function of that name, unlike any before.
    pub fn new(name: &'static str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut names = NAMES.lock();
        let place = match names.iter().position(|known| *known == name) {
            Some(place) => place,
            None if names.len() < usize::from(u16::MAX) => {
                names.push(name);
                names.len() - 1
            }
            // Nobody has as many functions; another's name is then as good as any.
            None => 0,
        };
        let name = NonZeroU16::MIN.saturating_add(place as u16);
        Self { name, number: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// The function's name, as the user wrote it.
    pub fn name(self) -> &'static str {
        let names = NAMES.lock();
        names.get(usize::from(self.name.get()) - 1).copied().unwrap_or("call")
    }

    /// The message about the call, behind the function's name unless it begins with that.
    pub fn message(self, message: String) -> String {
        let name = self.name();
        let rest = message.strip_prefix(name);
        if rest.is_some_and(|rest| rest.starts_with([':', ' '])) {
            message
        } else {
            format!("{name}: {message}")
        }
    }
}
