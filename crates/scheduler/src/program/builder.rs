//! From buffers and tasks to a program that is safe to run.
//!
//! Safety holds by construction. Every temporary and output has one writer; its readers come after
//! it in the list and depend on it. Temporaries are placed by `layout`, and whoever is placed over
//! an earlier buffer is made to depend on that buffer's last users. So two tasks that touch a byte,
//! one of them writing, are always ordered.

use std::sync::atomic::{AtomicU64, Ordering};

use abeyance_launch::{ALIGNMENT, AlignedBytes, Chunking, Cost, Function};

use super::layout::{NONE, Unordered, lay_out};
use super::lists::ListPool;
use super::units::Units;
use super::{Program, TaskRecord, estimate};
use crate::buffers::{Buffer, BufferKind, Write};
use crate::error::BuildError;
use crate::ids::{BufferId, TaskId};

/// One task, as it is given to [`ProgramBuilder::task`].
pub struct Task<'a> {
    /// The buffers it reads, in the order in which [`Call::input`](abeyance_launch::Call::input)
    /// counts them. A buffer may be named twice.
    pub reads: &'a [BufferId],
    /// The buffers it fills, one at least, in the order in which the kernel counts its outputs.
    /// Part `p` fills piece `p` of each, so all must come to the same number of pieces.
    pub writes: &'a [Write],
    /// The work of all parts together.
    pub cost: Cost,
    /// The bytes of memory that a thread works in while it runs a part:
    /// [`Call::workspace`](abeyance_launch::Call::workspace).
    pub workspace: usize,
    /// The loop that fills a part.
    pub run: Function,
    /// Tasks that must have finished before this one, besides those that write what it reads.
    pub after: &'a [TaskId],
}

/// Gathers buffers and tasks, and makes a [`Program`] of them.
///
/// Its methods never fail: the first error is remembered and returned by
/// [`ProgramBuilder::build`].
#[derive(Default)]
pub struct ProgramBuilder {
    buffers: Vec<Buffer>,
    /// The task that writes each buffer.
    writers: Vec<u32>,
    tasks: Vec<TaskRecord>,
    costs: Vec<Cost>,
    /// The buffers that tasks read and fill.
    reads: ListPool<BufferId>,
    writes: ListPool<Chunking>,
    /// Pairs of a task and one that it follows.
    after: Vec<(u32, TaskId)>,
    error: Option<BuildError>,
}

impl Program {
    /// A builder with nothing in it.
    pub fn builder() -> ProgramBuilder {
        ProgramBuilder::default()
    }
}

impl ProgramBuilder {
    /// A buffer of the program's own, never written.
    pub fn constant(&mut self, bytes: AlignedBytes) -> BufferId {
        self.buffer(Buffer::constant(bytes))
    }

    /// A buffer of `length` bytes to be bound, read only, at each run. `alignment` is what the
    /// address bound must be a multiple of: the size of an element, or [`ALIGNMENT`] where the
    /// session owns the memory.
    pub fn input(&mut self, length: usize, alignment: usize) -> BufferId {
        self.buffer(Buffer::new(BufferKind::Input, length, alignment))
    }

    /// A buffer of `length` bytes to be bound, writable, at each run, for one task to fill. Tasks
    /// after that one may read it.
    pub fn output(&mut self, length: usize, alignment: usize) -> BufferId {
        self.buffer(Buffer::new(BufferKind::Output, length, alignment))
    }

    /// A buffer of `length` bytes in the arena, alive from the task that fills it to the last that
    /// reads it.
    pub fn temporary(&mut self, length: usize) -> BufferId {
        self.buffer(Buffer::new(BufferKind::Temporary, length, ALIGNMENT))
    }

    /// The length in bytes of a buffer of this program.
    pub fn length(&self, buffer: BufferId) -> Option<usize> {
        self.buffers.get(buffer.index()).map(|buffer| buffer.info.length)
    }

    /// Makes a temporary live to the end of a run, to be read then.
    pub fn keep(&mut self, buffer: BufferId) {
        match self.buffers.get_mut(buffer.index()) {
            Some(buffer) => buffer.info.keep = true,
            None => self.note_error(BuildError::NoSuchBuffer(buffer)),
        }
    }

    /// Appends a task; the tasks that write what it reads come before it.
    pub fn task(&mut self, task: Task<'_>) -> TaskId {
        let id = TaskId(u32::try_from(self.tasks.len()).unwrap_or(NONE));
        match self.check(id, &task) {
            Ok(parts) => {
                let reads = self.reads.push(task.reads.iter().copied());
                let writes = self.writes.push(task.writes.iter().map(|&write| write.into()));
                let (Some(reads), Some(writes)) = (reads, writes) else {
                    self.note_error(BuildError::TooMany);
                    return id;
                };
                self.after.extend(task.after.iter().map(|&after| (id.0, after)));
                self.costs.push(task.cost);
                let Task { run, workspace, .. } = task;
                self.tasks.push(TaskRecord { run, reads, writes, workspace, parts });
            }
            Err(error) => self.note_error(error),
        }
        id
    }

    /// Lays out the memory, derives the order and returns the program.
    ///
    /// # Errors
    /// The first error in the order in which the builder was told.
    pub fn build(mut self) -> Result<Program, BuildError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        for (index, buffer) in self.buffers.iter().enumerate() {
            let asked_for = buffer.info.keep
                && matches!(buffer.info.kind, BufferKind::Output | BufferKind::Temporary);
            if asked_for && self.writers[index] == NONE {
                return Err(BuildError::NeverWritten(BufferId(index as u32)));
            }
        }
        let (dependencies, memory) = lay_out(Unordered {
            buffers: &mut self.buffers,
            writers: &self.writers,
            tasks: &self.tasks,
            reads: &self.reads,
            writes: &self.writes,
            after: &self.after,
        })?;
        // These are not needed any more, and what follows allocates.
        drop((std::mem::take(&mut self.writers), std::mem::take(&mut self.after)));
        let tasks: Vec<(f64, u32)> = (self.tasks.iter().zip(&self.costs))
            .map(|(task, &cost)| (estimate::task_ns(cost), task.parts))
            .collect();
        let units = Units::new(&tasks, &dependencies);

        let bound = (0..self.buffers.len() as u32).map(BufferId).filter(|id| {
            matches!(self.buffers[id.index()].info.kind, BufferKind::Input | BufferKind::Output)
        });
        let bound: Vec<BufferId> = bound.collect();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let workspace = self.tasks.iter().map(|task| task.workspace).max().unwrap_or(0);
        // A program is kept for long, and nothing is added to it any more.
        self.buffers.shrink_to_fit();
        self.tasks.shrink_to_fit();
        self.costs.shrink_to_fit();
        Ok(Program {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            workspace,
            bound,
            buffers: self.buffers,
            tasks: self.tasks,
            costs: self.costs,
            reads: self.reads,
            writes: self.writes,
            dependencies,
            units,
            memory,
        })
    }

    fn buffer(&mut self, buffer: Buffer) -> BufferId {
        let Some(id) =
            u32::try_from(self.buffers.len()).ok().filter(|&id| id != NONE).map(BufferId)
        else {
            self.note_error(BuildError::TooMany);
            return BufferId(NONE);
        };
        let alignment = buffer.info.alignment;
        if !alignment.is_power_of_two() || alignment > ALIGNMENT {
            self.note_error(BuildError::Alignment { buffer: id, alignment });
        }
        self.buffers.push(buffer);
        self.writers.push(NONE);
        id
    }

    fn note_error(&mut self, error: BuildError) {
        self.error.get_or_insert(error);
    }

    /// The number of parts of a task, which from now on is the writer of what it fills, or what is
    /// wrong with it.
    fn check(&mut self, id: TaskId, task: &Task<'_>) -> Result<u32, BuildError> {
        if id.0 == NONE {
            return Err(BuildError::TooMany);
        }
        for &buffer in task.reads {
            let known = self.buffers.get(buffer.index()).ok_or(BuildError::NoSuchBuffer(buffer))?;
            let written = matches!(known.info.kind, BufferKind::Constant | BufferKind::Input);
            if !written && self.writers[buffer.index()] == NONE {
                return Err(BuildError::ReadBeforeWritten { task: id, buffer });
            }
        }
        if let Some(&after) = task.after.iter().find(|after| after.0 >= id.0) {
            return Err(BuildError::AfterLater { task: id, after });
        }
        let (first, rest) = task.writes.split_first().ok_or(BuildError::NoWrite(id))?;
        let (buffer, parts) = (first.buffer, self.check_write(id, *first)?);
        for write in rest {
            let (other, others) = (write.buffer, self.check_write(id, *write)?);
            if others != parts {
                return Err(BuildError::Parts { task: id, buffer, parts, other, others });
            }
        }
        Ok(parts)
    }

    /// The number of pieces of a buffer that a task fills, or what is wrong with it.
    fn check_write(&mut self, task: TaskId, write: Write) -> Result<u32, BuildError> {
        let Write { buffer, chunk } = write;
        let output = self.buffers.get(buffer.index()).ok_or(BuildError::NoSuchBuffer(buffer))?;
        if matches!(output.info.kind, BufferKind::Constant | BufferKind::Input) {
            return Err(BuildError::ReadOnly { task, buffer });
        }
        match std::mem::replace(&mut self.writers[buffer.index()], task.0) {
            NONE => {}
            writer if writer == task.0 => return Err(BuildError::NamedTwice { task, buffer }),
            _ => return Err(BuildError::WrittenTwice { task, buffer }),
        }
        if output.info.length == 0 {
            return Ok(0);
        }
        if chunk == 0 {
            return Err(BuildError::Chunk { task, chunk });
        }
        u32::try_from(output.info.length.div_ceil(chunk))
            .map_err(|_| BuildError::Chunk { task, chunk })
    }
}
