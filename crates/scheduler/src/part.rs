//! Parts of tasks, and what becomes of one that fails or panics.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use abeyance_launch::Failure;

use crate::error::RunError;
use crate::ids::TaskId;

/// A part of a task. The order is that in which one thread would run them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub task: u32,
    pub part: u32,
}

/// Runs `parts`, which notes where it is, and names the part at which it failed or panicked.
pub(crate) fn catch(
    parts: impl FnOnce(&Cell<Part>) -> Result<(), Failure>,
) -> Result<(), (Part, RunError)> {
    let at = Cell::new(Part { task: 0, part: 0 });
    // A panic leaves nothing broken behind: parts write buffers, whose contents are void after an
    // error.
    let result = catch_unwind(AssertUnwindSafe(|| parts(&at)));
    let part = at.get();
    let task = TaskId(part.task);
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err((part, RunError::Failed { task, failure })),
        Err(payload) => Err((part, RunError::Panicked { task, message: message(payload) })),
    }
}

/// The message of a panic.
fn message(payload: Box<dyn Any + Send>) -> String {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a message".to_owned(),
    };
    // Dropping a foreign payload may panic in its turn, with another payload.
    let mut payload = payload;
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return message,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
    message
}
