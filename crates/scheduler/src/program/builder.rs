//! From buffers and tasks to a program that is safe to run.
//!
//! Safety holds by construction. Every temporary and output has one writer; its readers come after
//! it in the list and depend on it. Temporaries are placed here, and whoever is placed over an
//! earlier buffer is made to depend on that buffer's last users. So two tasks that touch a byte,
//! one of them writing, are always ordered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use abeyance_launch::{ALIGNMENT, Cost, Function};

use super::ancestry::Ancestry;
use super::arena::{Arena, DISTANCE, LARGE, Occupants, Wait, rounded};
use super::lists::{Lists, Pool};
use super::pack::{Lifetime, pack};
use super::units::Units;
use super::{Memory, Program, TaskId, TaskRecord, estimate};
use crate::buffers::{Buffer, BufferId, BufferKind, Write};
use abeyance_launch::AlignedBytes;

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

/// Why a list of buffers and tasks is not a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// More buffers or tasks, or more reads or writes of all tasks together, than 32 bits count.
    #[error("a program holds fewer than 2^32 buffers, tasks, reads and writes")]
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
    /// A task that fills nothing.
    #[error("{0} fills no buffer")]
    NoWrite(TaskId),
    /// A task that names a buffer twice among those it fills.
    #[error("{task} names {buffer} twice among the buffers it fills")]
    NamedTwice {
        /// The task.
        task: TaskId,
        /// The buffer.
        buffer: BufferId,
    },
    /// A task whose buffers are not cut into the same number of pieces.
    #[error("{task} fills {buffer} in {parts} parts, but {other} in {others}")]
    Parts {
        /// The task.
        task: TaskId,
        /// The first buffer it fills.
        buffer: BufferId,
        /// Its pieces.
        parts: u32,
        /// Another one.
        other: BufferId,
        /// The pieces of that.
        others: u32,
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

/// More large buffers than this are not placed with all of them in view, which takes time in the
/// square of their number.
const MOST_PACKED: usize = 4096;

/// A buffer that more tasks use never gives its memory back, since whoever took it would wait for
/// each of them.
const USERS: usize = 256;

/// Gathers buffers and tasks, and makes a [`Program`] of them.
///
/// Its methods never fail: the first mistake is remembered and returned by
/// [`ProgramBuilder::build`].
#[derive(Default)]
pub struct ProgramBuilder {
    buffers: Vec<Buffer>,
    /// Who writes each buffer.
    writers: Vec<u32>,
    tasks: Vec<TaskRecord>,
    costs: Vec<Cost>,
    /// What tasks read and fill.
    reads: Pool<BufferId>,
    writes: Pool<Write>,
    /// Pairs of a task and one that it follows.
    after: Vec<(u32, TaskId)>,
    mistake: Option<BuildError>,
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
            None => self.blame(BuildError::NoSuchBuffer(buffer)),
        }
    }

    /// Appends a task; the tasks that write what it reads come before it.
    pub fn task(&mut self, task: Task<'_>) -> TaskId {
        let id = TaskId(u32::try_from(self.tasks.len()).unwrap_or(NONE));
        match self.check(id, &task) {
            Ok(parts) => {
                let lists = (self.reads.push(task.reads), self.writes.push(task.writes));
                let (Some(reads), Some(writes)) = lists else {
                    self.blame(BuildError::TooMany);
                    return id;
                };
                self.after.extend(task.after.iter().map(|&after| (id.0, after)));
                self.costs.push(task.cost);
                let Task { run, workspace, .. } = task;
                self.tasks.push(TaskRecord { run, reads, writes, workspace, parts });
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

    /// Places every temporary and gathers what each task must wait for.
    fn lay_out(&mut self) -> Result<(Lists<TaskId>, Memory), BuildError> {
        let readers = Lists::from_pairs(
            self.buffers.len(),
            self.tasks.iter().enumerate().flat_map(|(task, record)| {
                let reads = self.reads.get(record.reads).iter();
                reads.map(move |buffer| (buffer.index(), task as u32))
            }),
        );
        let after = self.after.iter().map(|&(task, after)| (task as usize, after));
        let after = Lists::from_pairs(self.tasks.len(), after);
        // The last users of a buffer: its readers, which come after the writer anyway, or else the
        // writer.
        let writers = std::mem::take(&mut self.writers);
        let users = |buffer: u32| match readers.get(buffer as usize) {
            [] => std::slice::from_ref(&writers[buffer as usize]),
            readers => readers,
        };

        let last_use = |buffer: u32| match users(buffer) {
            [.., last] if users(buffer).len() <= USERS => *last,
            _ => u32::MAX,
        };
        let (packed, packed_end) = self.pack(&writers, last_use)?;
        let mut occupants = Occupants::default();
        let mut arena = Arena::default();
        let mut ancestry = Ancestry::default();
        let mut dependencies = Lists::new();
        let (mut live, mut lower_bound, mut total) = (0usize, 0usize, 0usize);
        let mut released = vec![false; self.buffers.len()];
        // Scratch of the loop.
        let mut waits: Vec<u32> = Vec::new();
        let mut previous: Vec<u32> = Vec::new();
        for (task, record) in self.tasks.iter().enumerate() {
            let (reads, writes) = (self.reads.get(record.reads), self.writes.get(record.writes));
            waits.clear();
            waits.extend(reads.iter().map(|buffer| writers[buffer.index()]));
            waits.retain(|&writer| writer != NONE);
            waits.extend(after.get(task).iter().map(|after| after.0));
            settle(&mut waits, &ancestry);
            let mut clock = ancestry.clock(&waits);

            for &Write { buffer: id, .. } in writes {
                let info = &mut self.buffers[id.index()].info;
                if info.kind != BufferKind::Temporary || info.length == 0 {
                    continue;
                }
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
                let offset = match packed.get(&id.0) {
                    Some(&offset) => {
                        occupants.occupy(offset, offset + info.length, id.0, &mut previous);
                        Some(offset)
                    }
                    None => {
                        let offset = arena.place(id.0, info.length, wait, &mut previous);
                        offset.and_then(|offset| offset.checked_add(packed_end))
                    }
                };
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

            let written = writes.iter().map(|write| write.buffer);
            for buffer in reads.iter().copied().chain(written) {
                let info = &self.buffers[buffer.index()].info;
                let users = users(buffer.0);
                let over = users.last() == Some(&(task as u32)) && users.len() <= USERS;
                if let (true, false, Some(offset)) = (over, info.keep, info.offset)
                    && !std::mem::replace(&mut released[buffer.index()], true)
                {
                    if !packed.contains_key(&buffer.0) {
                        arena.release(offset - packed_end, info.length);
                    }
                    live = live.saturating_sub(info.length);
                }
            }
        }
        let size = arena.size().checked_add(packed_end);
        let last = BufferId(self.buffers.len().saturating_sub(1) as u32);
        let size = size.ok_or(BuildError::TooLarge(last))?;
        let memory = Memory { arena: size, total, lower_bound };
        Ok((dependencies, memory))
    }

    /// The places of large temporaries, by buffer, and where they end; none if they are too many.
    fn pack(
        &self,
        writers: &[u32],
        last_use: impl Fn(u32) -> u32,
    ) -> Result<(HashMap<u32, usize>, usize), BuildError> {
        let large = self.buffers.iter().enumerate().filter(|(index, buffer)| {
            let info = buffer.info;
            info.kind == BufferKind::Temporary && info.length >= LARGE && writers[*index] != NONE
        });
        let ids: Vec<u32> = large.map(|(index, _)| index as u32).take(MOST_PACKED + 1).collect();
        if ids.len() > MOST_PACKED {
            return Ok((HashMap::new(), 0));
        }
        let mut lifetimes = Vec::with_capacity(ids.len());
        for &id in &ids {
            let info = self.buffers[id as usize].info;
            let last = if info.keep { u32::MAX } else { last_use(id) };
            let size = rounded(info.length).ok_or(BuildError::TooLarge(BufferId(id)))?;
            lifetimes.push(Lifetime { first: writers[id as usize], last, size });
        }
        let last = BufferId(ids.last().copied().unwrap_or_default());
        let (offsets, end) = pack(&lifetimes).ok_or(BuildError::TooLarge(last))?;
        Ok((ids.into_iter().zip(offsets).collect(), end))
    }
}

/// Sorts, and drops what comes twice or is implied.
fn settle(waits: &mut Vec<u32>, ancestry: &Ancestry) {
    waits.sort_unstable();
    waits.dedup();
    ancestry.reduce(waits);
}
