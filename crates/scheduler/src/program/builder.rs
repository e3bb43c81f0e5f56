//! From buffers and tasks to a program that is safe to run.
//!
//! Safety holds by construction. Every temporary and output has one writer; its readers come after it in the
//! list and depend on it. Temporaries are placed here, and whoever is placed over an earlier buffer is made to
//! depend on that buffer's last users. So two tasks that touch a byte, one of them writing, are always ordered.

use std::sync::atomic::{AtomicU64, Ordering};

use abeyance_kernels::launch::{ALIGNMENT, Cost, Function};

use super::ancestry::Ancestry;
use super::arena::{Arena, DISTANCE, Wait};
use super::lists::Lists;
use super::units::Units;
use super::{Memory, Program, TaskId, TaskRecord, estimate};
use crate::aligned::AlignedBytes;
use crate::buffers::{Buffer, BufferId, BufferKind};

/// One task, as it is given to [`ProgramBuilder::task`].
pub struct Task<'a> {
    /// The buffers it reads, in the order in which [`Call::input`](abeyance_kernels::launch::Call::input)
    /// counts them. A buffer may be named twice.
    pub reads: &'a [BufferId],
    /// The temporary or output that it fills, which no other task fills.
    pub writes: BufferId,
    /// The bytes of it that a part fills: part `p` fills `[p * chunk, (p + 1) * chunk)`, the last one fewer.
    /// Above zero unless the buffer has no bytes.
    pub chunk: usize,
    /// The work of all parts together.
    pub cost: Cost,
    /// The loop that fills a part.
    pub run: Function,
    /// Tasks that must have finished before this one, besides those that write what it reads.
    pub after: &'a [TaskId],
}

/// Why a list of buffers and tasks is not a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// More buffers or tasks than 32 bits count.
    #[error("a program holds fewer than 2^32 buffers and tasks")]
    TooMany,
    /// An alignment that is not a power of two, or above [`ALIGNMENT`].
    #[error(
        "{buffer} asks for an alignment of {alignment}, which is not a power of two up to {ALIGNMENT}"
    )]
    Alignment {
        /// The buffer.
        buffer: BufferId,
        /// What it asks for.
        alignment: usize,
    },
    /// A buffer that the builder was never told of.
    #[error("{0} is not a buffer of this program")]
    NoSuchBuffer(BufferId),
    /// A task after one that does not come before it.
    #[error("{task} is told to run after {after}, which does not come before it")]
    AfterLater {
        /// The task.
        task: TaskId,
        /// What it was told to follow.
        after: TaskId,
    },
    /// A task that writes a constant or an input.
    #[error("{task} writes {buffer}, which is only to be read")]
    ReadOnly {
        /// The task.
        task: TaskId,
        /// What it writes.
        buffer: BufferId,
    },
    /// A second task that writes a buffer.
    #[error("{task} writes {buffer}, which an earlier task writes already")]
    WrittenTwice {
        /// The second task.
        task: TaskId,
        /// What it writes.
        buffer: BufferId,
    },
    /// A task that reads what no task before it has written, which includes what it writes itself.
    #[error("{task} reads {buffer}, which no earlier task writes")]
    ReadBeforeWritten {
        /// The task.
        task: TaskId,
        /// What it reads.
        buffer: BufferId,
    },
    /// An output or a kept temporary that no task writes.
    #[error("{0} is asked for, but no task writes it")]
    NeverWritten(BufferId),
    /// A chunk of no bytes, or one so small that 32 bits do not count the parts.
    #[error("{task} cannot be cut into parts of {chunk} bytes")]
    Chunk {
        /// The task.
        task: TaskId,
        /// Its chunk, in bytes.
        chunk: usize,
    },
    /// Temporaries that together outgrow the address space.
    #[error("the temporaries up to {0} do not fit in the address space")]
    TooLarge(BufferId),
}

/// No task: what `writers` holds for a buffer that none writes.
const NONE: u32 = u32::MAX;

/// A buffer that more tasks use never gives its memory back, since whoever took it would wait for each of them.
const USERS: usize = 256;

/// Gathers buffers and tasks, and makes a [`Program`] of them.
///
/// Its methods never fail: the first mistake is remembered and returned by [`ProgramBuilder::build`].
#[derive(Default)]
pub struct ProgramBuilder {
    buffers: Vec<Buffer>,
    /// Who writes each buffer.
    writers: Vec<u32>,
    tasks: Vec<TaskRecord>,
    reads: Vec<BufferId>,
    /// Where each task's reads end in `reads`, and its `after` in `after`.
    ends: Vec<(usize, usize)>,
    after: Vec<TaskId>,
    mistake: Option<BuildError>,
}

impl ProgramBuilder {
    /// A buffer of the program's own, never written.
    pub fn constant(&mut self, bytes: AlignedBytes) -> BufferId {
        self.buffer(Buffer::constant(bytes))
    }

    /// A buffer of `length` bytes to be bound, read only, at each run. `alignment` is what the address bound
    /// must be a multiple of: the size of an element, or [`ALIGNMENT`] where the session owns the memory.
    pub fn input(&mut self, length: usize, alignment: usize) -> BufferId {
        self.buffer(Buffer::new(BufferKind::Input, length, alignment))
    }

    /// A buffer of `length` bytes to be bound, writable, at each run, for one task to fill. Tasks after that
    /// one may read it.
    pub fn output(&mut self, length: usize, alignment: usize) -> BufferId {
        self.buffer(Buffer::new(BufferKind::Output, length, alignment))
    }

    /// A buffer of `length` bytes in the arena, alive from the task that fills it to the last that reads it.
    pub fn temporary(&mut self, length: usize) -> BufferId {
        self.buffer(Buffer::new(BufferKind::Temporary, length, ALIGNMENT))
    }

    /// Makes a temporary live to the end of a run, to be read then.
    pub fn keep(&mut self, buffer: BufferId) {
        match self.buffers.get_mut(buffer.index()) {
            Some(buffer) => buffer.info.keep = true,
            None => self.blame(BuildError::NoSuchBuffer(buffer)),
        }
    }

    /// Appends a task; the tasks that write what it reads come before it.
    pub fn task(&mut self, task: Task<'_>) -> TaskId {
        let id = TaskId(u32::try_from(self.tasks.len()).unwrap_or(NONE));
        match self.check(id, &task) {
            Ok(parts) => {
                self.writers[task.writes.index()] = id.0;
                self.reads.extend(task.reads);
                self.after.extend(task.after);
                self.ends.push((self.reads.len(), self.after.len()));
                self.tasks.push(TaskRecord {
                    run: task.run,
                    writes: task.writes,
                    parts,
                    chunk: task.chunk,
                    cost: task.cost,
                });
            }
            Err(mistake) => self.blame(mistake),
        }
        id
    }

    /// Lays out the memory, derives the order and returns the program.
    ///
    /// # Errors
    /// The first mistake in the order in which the builder was told.
    pub fn build(mut self) -> Result<Program, BuildError> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        for (index, buffer) in self.buffers.iter().enumerate() {
            let asked_for = buffer.info.keep
                && matches!(buffer.info.kind, BufferKind::Output | BufferKind::Temporary);
            if asked_for && self.writers[index] == NONE {
                return Err(BuildError::NeverWritten(BufferId(index as u32)));
            }
        }
        let (dependencies, memory) = self.lay_out()?;
        let costs: Vec<(f64, u32)> =
            self.tasks.iter().map(|task| (estimate::task_ns(task.cost), task.parts)).collect();
        let units = Units::new(&costs, &dependencies);

        let mut reads = Lists::new();
        for task in 0..self.tasks.len() {
            reads.push(self.reads_of(task).iter().copied());
        }
        let bound = (0..self.buffers.len() as u32).map(BufferId).filter(|id| {
            matches!(self.buffers[id.index()].info.kind, BufferKind::Input | BufferKind::Output)
        });
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Ok(Program {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            bound: bound.collect(),
            buffers: self.buffers,
            tasks: self.tasks,
            reads,
            dependencies,
            units,
            memory,
        })
    }

    fn buffer(&mut self, buffer: Buffer) -> BufferId {
        let Some(id) =
            u32::try_from(self.buffers.len()).ok().filter(|&id| id != NONE).map(BufferId)
        else {
            self.blame(BuildError::TooMany);
            return BufferId(NONE);
        };
        let alignment = buffer.info.alignment;
        if !alignment.is_power_of_two() || alignment > ALIGNMENT {
            self.blame(BuildError::Alignment { buffer: id, alignment });
        }
        self.buffers.push(buffer);
        self.writers.push(NONE);
        id
    }

    fn blame(&mut self, mistake: BuildError) {
        self.mistake.get_or_insert(mistake);
    }

    /// The number of parts of a task, or what is wrong with it.
    fn check(&self, id: TaskId, task: &Task<'_>) -> Result<u32, BuildError> {
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
        let buffer = task.writes;
        let output = self.buffers.get(buffer.index()).ok_or(BuildError::NoSuchBuffer(buffer))?;
        if matches!(output.info.kind, BufferKind::Constant | BufferKind::Input) {
            return Err(BuildError::ReadOnly { task: id, buffer });
        }
        if self.writers[buffer.index()] != NONE {
            return Err(BuildError::WrittenTwice { task: id, buffer });
        }
        let chunk = task.chunk;
        if output.info.length == 0 {
            return Ok(0);
        }
        if chunk == 0 {
            return Err(BuildError::Chunk { task: id, chunk });
        }
        u32::try_from(output.info.length.div_ceil(chunk))
            .map_err(|_| BuildError::Chunk { task: id, chunk })
    }

    fn reads_of(&self, task: usize) -> &[BufferId] {
        let start = if task == 0 { 0 } else { self.ends[task - 1].0 };
        &self.reads[start..self.ends[task].0]
    }

    fn after_of(&self, task: usize) -> &[TaskId] {
        let start = if task == 0 { 0 } else { self.ends[task - 1].1 };
        &self.after[start..self.ends[task].1]
    }

    /// Places every temporary and gathers what each task must wait for.
    fn lay_out(&mut self) -> Result<(Lists<TaskId>, Memory), BuildError> {
        let readers = Lists::from_pairs(
            self.buffers.len(),
            (0..self.tasks.len()).flat_map(|task| {
                self.reads_of(task).iter().map(move |buffer| (buffer.index(), task as u32))
            }),
        );
        // The last users of a buffer: its readers, which come after the writer anyway, or else the writer.
        let writers = std::mem::take(&mut self.writers);
        let users = |buffer: u32| match readers.get(buffer as usize) {
            [] => std::slice::from_ref(&writers[buffer as usize]),
            readers => readers,
        };

        let mut arena = Arena::default();
        let mut ancestry = Ancestry::default();
        let mut dependencies = Lists::new();
        let (mut live, mut lower_bound, mut total) = (0usize, 0usize, 0usize);
        let mut released = vec![false; self.buffers.len()];
        // Scratch of the loop.
        let mut waits: Vec<u32> = Vec::new();
        let mut previous: Vec<u32> = Vec::new();
        for task in 0..self.tasks.len() {
            waits.clear();
            waits.extend(self.reads_of(task).iter().map(|buffer| writers[buffer.index()]));
            waits.retain(|&writer| writer != NONE);
            waits.extend(self.after_of(task).iter().map(|after| after.0));
            settle(&mut waits, &ancestry);
            let mut clock = ancestry.clock(&waits);

            let id = self.tasks[task].writes;
            let info = &mut self.buffers[id.index()].info;
            if info.kind == BufferKind::Temporary && info.length > 0 {
                let wait = |other: u32| {
                    let mut others = users(other).iter().rev().filter(|&user| {
                        !ancestry.precedes(*user, &clock) && waits.binary_search(user).is_err()
                    });
                    match others.next() {
                        Some(&latest) if task as u32 - latest < DISTANCE => Wait::Likely,
                        Some(_) => Wait::Unlikely,
                        None => Wait::None,
                    }
                };
                previous.clear();
                let offset = arena.place(id.0, info.length, wait, &mut previous);
                info.offset = Some(offset.ok_or(BuildError::TooLarge(id))?);
                total = total.saturating_add(info.length);
                live = live.saturating_add(info.length);
                lower_bound = lower_bound.max(live);

                let before = waits.len();
                for &other in &previous {
                    waits.extend(
                        users(other).iter().filter(|&&user| !ancestry.precedes(user, &clock)),
                    );
                }
                if waits.len() > before {
                    settle(&mut waits, &ancestry);
                    clock = ancestry.clock(&waits);
                }
            }
            ancestry.push(clock);
            dependencies.push(waits.iter().map(|&task| TaskId(task)));

            for &buffer in self.reads_of(task).iter().chain([&id]) {
                let info = &self.buffers[buffer.index()].info;
                let users = users(buffer.0);
                let over = users.last() == Some(&(task as u32)) && users.len() <= USERS;
                if let (true, false, Some(offset)) = (over, info.keep, info.offset)
                    && !std::mem::replace(&mut released[buffer.index()], true)
                {
                    arena.release(offset, info.length);
                    live = live.saturating_sub(info.length);
                }
            }
        }
        let memory = Memory { arena: arena.size(), total, lower_bound };
        Ok((dependencies, memory))
    }
}

/// Sorts, and drops what comes twice or is implied.
fn settle(waits: &mut Vec<u32>, ancestry: &Ancestry) {
    waits.sort_unstable();
    waits.dedup();
    ancestry.reduce(waits);
}
