//! The memory of one run, and the one place where a part of a task runs.

use abeyance_launch::{ALIGNMENT, AlignedBytes, Call, Failure, OutOfMemory, RawBuffer};
use bytemuck::TransparentWrapper;

use crate::buffers::BufferKind;
use crate::error::RunError;
use crate::ids::BufferId;
use crate::memory::{grow, reserve};
use crate::part::{Part, catch};
use crate::program::Program;
use crate::queue::Queue;
use crate::recording::Recording;

/// The memory of one run at a time, of one program after the other. It grows and never shrinks.
#[derive(Default)]
pub(crate) struct Frame {
    /// The place of each buffer. Rows of inputs and outputs are empty until bound.
    pub table: Vec<RawBuffer>,
    pub run_counter: u64,
    /// The counters of a parallel run.
    pub queue: Queue,
    /// Owns what the rows of temporaries point to.
    arena: AlignedBytes,
    workspaces: Workspaces,
    /// The threads that a run may have.
    pub threads: usize,
    /// True if there are counters and workspaces for more than the caller.
    pub parallel: bool,
}

/// The memory that each thread works in while it runs a part.
#[derive(Default)]
struct Workspaces {
    bytes: AlignedBytes,
    /// Bytes from one thread's to the next.
    each: usize,
}

impl Workspaces {
    /// The bytes of a thread's workspace for a program, and those of `threads` threads together; as
    /// many as an address counts where that outgrows it.
    fn size(program: &Program, threads: usize) -> (usize, usize) {
        // Lines are fetched in pairs, and threads should not take them from each other.
        let each = program.workspace.checked_next_multiple_of(2 * ALIGNMENT);
        let all = each.and_then(|each| each.checked_mul(threads)).unwrap_or(usize::MAX);
        (each.unwrap_or(0), all)
    }

    /// Makes room for the largest task of a program on each of `threads` threads.
    fn fit(&mut self, program: &Program, threads: usize) -> Result<(), OutOfMemory> {
        let (each, all) = Self::size(program, threads);
        grow(&mut self.bytes, all)?;
        self.each = each;
        Ok(())
    }
}

impl Frame {
    pub fn new(threads: usize) -> Self {
        Self { threads, ..Self::default() }
    }

    /// Makes it ready for runs of a program. After an error it is ready for none.
    pub fn fit(&mut self, program: &Program) -> Result<(), OutOfMemory> {
        self.parallel = !program.runs_inline(self.threads);
        self.table.clear();
        grow(&mut self.arena, program.memory.arena)?;
        self.workspaces.fit(program, if self.parallel { self.threads } else { 1 })?;
        if self.parallel {
            self.queue.fit(program)?;
        }
        reserve(&mut self.table, program.buffers.len())?;
        let arena = self.arena.pointer();
        self.table.extend(program.buffers.iter().map(|buffer| {
            let pointer: *const u8 = match (buffer.info.kind, buffer.info.offset) {
                // SAFETY: the builder placed the buffer inside an arena of a size for which there
                // is room.
                (BufferKind::Temporary, Some(offset)) => unsafe { arena.add(offset) },
                (BufferKind::Constant, _) => buffer.constant.as_ptr(),
                _ => return RawBuffer::EMPTY,
            };
            RawBuffer { pointer, length: buffer.info.length }
        }));
        Ok(())
    }

    /// True if there is room for a program already.
    pub fn has_room(&self, program: &Program) -> bool {
        let parallel = !program.runs_inline(self.threads);
        let (_, workspaces) = Workspaces::size(program, if parallel { self.threads } else { 1 });
        self.arena.len() >= program.memory.arena && self.workspaces.bytes.len() >= workspaces
    }

    /// The bytes it has.
    pub fn bytes(&self) -> usize {
        self.arena.len()
            + self.workspaces.bytes.len()
            + self.table.capacity() * size_of::<RawBuffer>()
            + self.queue.bytes()
    }
}

/// A program, the frame in which it runs and where its times are noted.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    program: &'a Program,
    frame: &'a Frame,
    recording: Option<&'a Recording>,
}

impl<'a> Job<'a> {
    /// A job of running `program` in `frame`.
    ///
    /// # Safety
    /// `frame` must have been made to fit `program` last, its rows of inputs and outputs must point
    /// to as many bytes as the program asks for, initialised, and until the job and every copy of
    /// it is gone those of inputs must not be written by anyone, those of outputs not touched by
    /// anyone else, and no other job may have the frame.
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
        // Two loops, since asking at every part whether times are noted takes a twentieth of a
        // chain of tiny tasks.
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

    /// Runs one part on the thread that has number `thread` in this run, 0 for the caller, and for
    /// each helper one of its own, and notes its times if the run is recorded.
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
    /// The part must exist, it must run once at a time, and whatever its task depends on must have
    /// finished, visibly to this thread. Where the frame is parallel the number must be below its
    /// threads, else it is 0; no other thread may run parts under it.
    #[inline(always)]
    unsafe fn call(&self, Part { task, part }: Part, thread: usize) -> Result<(), Failure> {
        let Frame { table, workspaces, run_counter, .. } = self.frame;
        let record = &self.program.tasks[task as usize];
        let reads = BufferId::peel_slice(self.program.reads.get(record.reads));
        let writes = self.program.writes.get(record.writes);
        // SAFETY: the frame fits the program, so each thread that may run parts has `each`
        // initialised bytes, which is what the task with the largest workspace asks for; only this
        // thread has the number, and it runs one part at a time.
        let workspace = unsafe {
            let start = workspaces.bytes.pointer().add(thread * workspaces.each);
            std::slice::from_raw_parts_mut(start, record.workspace)
        };
        // SAFETY: every row read points to initialised bytes: constants and bound inputs, which
        // nobody writes during the run, or buffers whose writer this task depends on and whose
        // memory is taken by others only after it. Every row written points to initialised bytes,
        // of the arena (zeros, or what another run left) or of a slice bound as `&mut [u8]`, from a
        // mutable pointer, and is as long as the builder counted when it found that a part that
        // exists starts inside each. This part alone touches its pieces: other parts have other
        // pieces, and every other task that touches the buffers, or others that share their memory,
        // is ordered by the builder before this one (and has finished) or after it (and has not
        // started). The builder refuses a task that reads what it writes.
        let mut call =
            unsafe { Call::new(table, reads, writes, workspace, part as usize, *run_counter) };
        (record.run)(&mut call)
    }
}
