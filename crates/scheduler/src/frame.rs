//! The memory of one run, and the one place where a part of a task runs.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use abeyance_kernels::launch::{Call, Failure, RawBuffer};

use crate::aligned::{AlignedBytes, OutOfMemory};
use crate::buffers::{BufferId, BufferKind};
use crate::program::{Program, TaskId};
use crate::queue::Queue;
use crate::state::RunError;

/// What one run at a time needs, made once for a program.
pub(crate) struct Frame {
    /// Where each buffer is. Rows of inputs and outputs are empty until bound.
    pub table: Box<[RawBuffer]>,
    pub draw: u64,
    /// The counters of a parallel run.
    pub queue: Queue,
    /// Owns what the rows of temporaries point to.
    _arena: AlignedBytes,
}

impl Frame {
    pub fn new(program: &Program) -> Result<Self, OutOfMemory> {
        let arena = AlignedBytes::zeroed(program.memory.arena)?;
        let rows = program.buffers.iter().map(|buffer| {
            let pointer: *const u8 = match (buffer.info.kind, buffer.info.offset) {
                // SAFETY: the builder placed the buffer inside an arena of this size.
                (BufferKind::Temporary, Some(offset)) => unsafe { arena.pointer().add(offset) },
                (BufferKind::Constant, _) => buffer.constant.as_ptr(),
                _ => return RawBuffer::EMPTY,
            };
            RawBuffer { pointer, length: buffer.info.length }
        });
        Ok(Self { table: rows.collect(), draw: 0, queue: Queue::new(program), _arena: arena })
    }
}

/// A part of a task. The order is that in which one thread would run them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub task: u32,
    pub part: u32,
}

/// A program and the frame in which it runs.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    program: &'a Program,
    frame: &'a Frame,
}

impl<'a> Job<'a> {
    /// # Safety
    /// `frame` must be one of `program`, its rows of inputs and outputs must point to as many bytes as the
    /// program asks for, initialised, and until the job and every copy of it is gone those of inputs must not
    /// be written by anyone, those of outputs not touched by anyone else, and no other job may have the frame.
    pub unsafe fn new(program: &'a Program, frame: &'a Frame) -> Self {
        Self { program, frame }
    }

    pub fn program(&self) -> &'a Program {
        self.program
    }

    pub fn queue(&self) -> &'a Queue {
        &self.frame.queue
    }

    /// Runs the whole program on this thread.
    ///
    /// # Safety
    /// No part of this job may be running.
    pub unsafe fn run_inline(&self) -> Result<(), RunError> {
        let tasks = 0..self.program.tasks.len() as u32;
        let result = catch(|at| {
            for task in tasks {
                for part in 0..self.program.tasks[task as usize].parts {
                    at.set(Part { task, part });
                    // SAFETY: tasks run in their order, one part at a time, so every dependency is met.
                    unsafe { self.run_part(at.get()) }?;
                }
            }
            Ok(())
        });
        result.map_err(|(_, error)| error)
    }

    /// Runs one part. Whatever is to be known about how long tasks take is to be measured here.
    ///
    /// # Safety
    /// The part must exist, it must run once at a time, and whatever its task depends on must have finished,
    /// visibly to this thread.
    #[inline]
    pub unsafe fn run_part(&self, Part { task, part }: Part) -> Result<(), Failure> {
        let program = self.program;
        let record = &program.tasks[task as usize];
        let row = self.frame.table[record.writes.index()];
        // A part that exists starts inside the buffer, so this does not overflow.
        let start = part as usize * record.chunk;
        let length = record.chunk.min(row.length - start);
        // SAFETY: the row points to `row.length` initialised bytes: zeros of the arena or a slice bound as
        // `&mut [u8]`, from whose mutable pointer the row was made. This part alone touches the piece: other
        // parts have other pieces, and every other task that touches the buffer, or one that shares its memory,
        // is ordered by the builder before this one (and has finished) or after it (and has not started).
        let output =
            unsafe { std::slice::from_raw_parts_mut(row.pointer.cast_mut().add(start), length) };
        let reads = BufferId::rows(program.reads.get(task as usize));
        // SAFETY: every row read points to initialised bytes: constants and bound inputs, which nobody writes
        // during the run, or buffers whose writer this task depends on and whose memory is taken by others only
        // after it. The builder refuses a task that reads what it writes.
        let mut call = unsafe {
            Call::new(&self.frame.table, reads, output, start, part as usize, self.frame.draw)
        };
        (record.run)(&mut call)
    }
}

/// Runs `parts`, which notes where it is, and names the part at which it failed or panicked.
pub(crate) fn catch(
    parts: impl FnOnce(&Cell<Part>) -> Result<(), Failure>,
) -> Result<(), (Part, RunError)> {
    let at = Cell::new(Part { task: 0, part: 0 });
    // A panic leaves nothing broken behind: parts write buffers, whose contents are void after an error.
    let result = catch_unwind(AssertUnwindSafe(|| parts(&at)));
    let part = at.get();
    let task = TaskId(part.task);
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err((part, RunError::Failed { task, failure })),
        Err(payload) => Err((part, RunError::Panicked { task, message: message(payload) })),
    }
}

/// What a panic said.
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
