//! The memory of one run, and the one place where a part of a task runs.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use abeyance_kernels::launch::{ALIGNMENT, Call, Failure, RawBuffer};

use crate::aligned::{AlignedBytes, OutOfMemory};
use crate::buffers::{BufferId, BufferKind, Write};
use crate::program::{Program, TaskId};
use crate::queue::Queue;
use crate::recording::Recording;
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
    workspaces: Workspaces,
    /// The threads that a run may have.
    pub threads: usize,
    /// Whether there are counters and workspaces for more than the caller.
    pub parallel: bool,
}

/// What each thread works in while it runs a part.
struct Workspaces {
    bytes: AlignedBytes,
    /// Bytes from one thread's to the next.
    each: usize,
}

impl Workspaces {
    /// Workspaces for the largest task on each of `threads` threads.
    fn new(program: &Program, threads: usize) -> Result<Self, OutOfMemory> {
        let largest = program.tasks.iter().map(|task| task.workspace).max().unwrap_or(0);
        // Lines are fetched in pairs, and threads should not take them from each other.
        let each = largest.checked_next_multiple_of(2 * ALIGNMENT);
        let bytes = each.and_then(|each| each.checked_mul(threads)).unwrap_or(usize::MAX);
        Ok(Self { bytes: AlignedBytes::zeroed(bytes)?, each: each.unwrap_or(0) })
    }
}

impl Frame {
    pub fn new(program: &Program, threads: usize) -> Result<Self, OutOfMemory> {
        let parallel = !program.runs_inline(threads);
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
        Ok(Self {
            table: rows.collect(),
            draw: 0,
            queue: if parallel { Queue::new(program) } else { Queue::default() },
            workspaces: Workspaces::new(program, if parallel { threads } else { 1 })?,
            _arena: arena,
            threads,
            parallel,
        })
    }
}

/// A part of a task. The order is that in which one thread would run them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub task: u32,
    pub part: u32,
}

/// A program, the frame in which it runs and where its times are noted.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    program: &'a Program,
    frame: &'a Frame,
    recording: Option<&'a Recording>,
}

impl<'a> Job<'a> {
    /// # Safety
    /// `frame` must be one of `program`, its rows of inputs and outputs must point to as many bytes as the
    /// program asks for, initialised, and until the job and every copy of it is gone those of inputs must not
    /// be written by anyone, those of outputs not touched by anyone else, and no other job may have the frame.
    pub unsafe fn new(
        program: &'a Program,
        frame: &'a Frame,
        recording: Option<&'a Recording>,
    ) -> Self {
        Self { program, frame, recording }
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
        // Two loops, since asking at every part whether times are noted takes a twentieth of a chain of tiny tasks.
        match self.recording {
            // SAFETY: `in_order` meets every dependency, and this thread is the only one.
            None => self.in_order(|part| unsafe { self.call(part, 0) }),
            // SAFETY: as above.
            Some(_) => self.in_order(|part| unsafe { self.run_part(part, 0) }),
        }
    }

    /// Runs all tasks in their order, one part at a time, up to the first failure.
    #[inline(always)]
    fn in_order(&self, run: impl Fn(Part) -> Result<(), Failure>) -> Result<(), RunError> {
        let tasks = 0..self.program.tasks.len() as u32;
        let result = catch(|at| {
            for task in tasks {
                for part in 0..self.program.tasks[task as usize].parts {
                    at.set(Part { task, part });
                    run(at.get())?;
                }
            }
            Ok(())
        });
        result.map_err(|(_, error)| error)
    }

    /// Runs one part on the thread that has number `thread` in this run, 0 for the caller, and for each helper one of
    /// its own, and notes its times if the run is recorded.
    ///
    /// # Safety
    /// As [`Job::call`].
    #[inline(always)]
    pub unsafe fn run_part(&self, part: Part, thread: usize) -> Result<(), Failure> {
        let start = self.recording.map(Recording::now);
        // SAFETY: passed on.
        let result = unsafe { self.call(part, thread) };
        if let (Some(recording), Some(start)) = (self.recording, start) {
            recording.note(part, thread, start);
        }
        result
    }

    /// Calls the kernel of a part.
    ///
    /// # Safety
    /// The part must exist, it must run once at a time, and whatever its task depends on must have finished,
    /// visibly to this thread. Where the frame is parallel the number must be below its threads, else it is 0; no
    /// other thread may run parts under it.
    #[inline(always)]
    unsafe fn call(&self, Part { task, part }: Part, thread: usize) -> Result<(), Failure> {
        let Frame { table, workspaces, draw, .. } = self.frame;
        let record = &self.program.tasks[task as usize];
        let reads = BufferId::rows(self.program.reads.get(record.reads));
        let writes = Write::cuts(self.program.writes.get(record.writes));
        // SAFETY: each thread that may run parts has `each` initialised bytes, which is what the task with the
        // largest workspace asks for; only this thread has the number, and it runs one part at a time.
        let workspace = unsafe {
            let start = workspaces.bytes.pointer().add(thread * workspaces.each);
            std::slice::from_raw_parts_mut(start, record.workspace)
        };
        // SAFETY: every row read points to initialised bytes: constants and bound inputs, which nobody writes
        // during the run, or buffers whose writer this task depends on and whose memory is taken by others only
        // after it. Every row written points to initialised bytes, zeros of the arena or a slice bound as
        // `&mut [u8]`, from a mutable pointer, and is as long as the builder counted when it found that a part that
        // exists starts inside each. This part alone touches its pieces: other parts have other pieces, and every
        // other task that touches the buffers, or others that share their memory, is ordered by the builder before
        // this one (and has finished) or after it (and has not started). The builder refuses a task that reads what
        // it writes.
        let mut call = unsafe { Call::new(table, reads, writes, workspace, part as usize, *draw) };
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
