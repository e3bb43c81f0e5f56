//! The memory and the order of a program: places every temporary, and gathers the tasks that each
//! task must wait for.

use std::collections::HashMap;

use abeyance_launch::Chunking;

use super::ancestry::{Ancestry, Clock};
use super::arena::{Arena, DISTANCE, LARGE, Occupants, Wait, rounded};
use super::lists::{ListPool, Lists};
use super::pack::{Lifetime, pack};
use super::{Memory, TaskRecord};
use crate::buffers::{Buffer, BufferKind};
use crate::error::BuildError;
use crate::ids::{BufferId, TaskId};

/// No task: the writer of a buffer that none writes.
pub(crate) const NONE: u32 = u32::MAX;

/// More large buffers than this are not placed with all of them in view, which takes time in the
/// square of their number.
const MOST_PACKED: usize = 4096;

/// A buffer that more tasks use never gives its memory back, since whoever took it would wait for
/// each of them.
const USERS: usize = 256;

/// The checked tasks and buffers of a program, in the order in which the builder was told of them.
pub(crate) struct Unordered<'a> {
    pub buffers: &'a mut [Buffer],
    /// The task that writes each buffer, or [`NONE`].
    pub writers: &'a [u32],
    pub tasks: &'a [TaskRecord],
    pub reads: &'a ListPool<BufferId>,
    pub writes: &'a ListPool<Chunking>,
    /// Pairs of a task and one that it follows.
    pub after: &'a [(u32, TaskId)],
}

/// Places every temporary and gathers the tasks that each task must wait for.
///
/// # Errors
/// [`BuildError::TooLarge`] where the temporaries outgrow the address space.
pub(crate) fn lay_out(program: Unordered<'_>) -> Result<(Lists<TaskId>, Memory), BuildError> {
    let Unordered { buffers, writers, tasks, reads, writes, after } = program;
    let readers = Lists::from_pairs(
        buffers.len(),
        tasks.iter().enumerate().flat_map(|(task, record)| {
            reads.get(record.reads).iter().map(move |buffer| (buffer.index(), task as u32))
        }),
    );
    let after = after.iter().map(|&(task, after)| (task as usize, after));
    let after = Lists::from_pairs(tasks.len(), after);
    let mut placer = Placer::new(buffers, Users { writers, readers })?;
    let mut dependencies = Lists::new();
    let mut waits: Vec<u32> = Vec::new();
    for (task, record) in tasks.iter().enumerate() {
        let (reads, writes) = (reads.get(record.reads), writes.get(record.writes));
        waits.clear();
        waits.extend(reads.iter().map(|buffer| writers[buffer.index()]));
        waits.retain(|&writer| writer != NONE);
        waits.extend(after.get(task).iter().map(|after| after.0));
        reduce(&mut waits, &placer.ancestry);
        let mut clock = placer.ancestry.clock(&waits);
        for write in writes {
            placer.place(BufferId(write.row), task as u32, &mut waits, &mut clock)?;
        }
        placer.ancestry.push(clock);
        dependencies.push(waits.iter().map(|&task| TaskId(task)));
        let written = writes.iter().map(|write| BufferId(write.row));
        for buffer in reads.iter().copied().chain(written) {
            placer.release_after(buffer, task as u32);
        }
    }
    Ok((dependencies, placer.memory()?))
}

/// Sorts tasks to wait for, and drops those that come twice or are implied.
fn reduce(waits: &mut Vec<u32>, ancestry: &Ancestry) {
    waits.sort_unstable();
    waits.dedup();
    ancestry.reduce(waits);
}

/// The tasks that use each buffer.
struct Users<'a> {
    writers: &'a [u32],
    readers: Lists<u32>,
}

impl Users<'_> {
    /// The last users of a buffer: its readers, which come after the writer anyway, or else the
    /// writer.
    fn of(&self, buffer: u32) -> &[u32] {
        match self.readers.get(buffer as usize) {
            [] => std::slice::from_ref(&self.writers[buffer as usize]),
            readers => readers,
        }
    }

    /// The task after which a buffer gives its memory back; `u32::MAX` for one that never does.
    fn last(&self, buffer: u32) -> u32 {
        match self.of(buffer) {
            users @ [.., last] if users.len() <= USERS => *last,
            _ => u32::MAX,
        }
    }
}

/// The memory of a program while its tasks are gone through in their order.
struct Placer<'a> {
    buffers: &'a mut [Buffer],
    users: Users<'a>,
    /// The offsets of large temporaries, and where they end. Small ones come behind.
    packed: HashMap<u32, usize>,
    packed_end: usize,
    /// The last occupants of the bytes up to `packed_end`.
    occupants: Occupants,
    arena: Arena,
    /// The tasks up to now.
    ancestry: Ancestry,
    released: Vec<bool>,
    /// The bytes of the temporaries that are alive, the most that were, and those of all together.
    live: usize,
    lower_bound: usize,
    total: usize,
    /// Scratch of [`Placer::place`].
    previous: Vec<u32>,
}

impl<'a> Placer<'a> {
    fn new(buffers: &'a mut [Buffer], users: Users<'a>) -> Result<Self, BuildError> {
        let (packed, packed_end) = pack_large(buffers, &users)?;
        Ok(Self {
            released: vec![false; buffers.len()],
            buffers,
            users,
            packed,
            packed_end,
            occupants: Occupants::default(),
            arena: Arena::default(),
            ancestry: Ancestry::default(),
            live: 0,
            lower_bound: 0,
            total: 0,
            previous: Vec::new(),
        })
    }

    /// Places a buffer that a task writes, if it is a temporary, and adds the last users of its
    /// memory to the tasks that the writer waits for, of which `clock` is the clock.
    fn place(
        &mut self,
        id: BufferId,
        task: u32,
        waits: &mut Vec<u32>,
        clock: &mut Clock,
    ) -> Result<(), BuildError> {
        let Self { buffers, users, ancestry, previous, .. } = self;
        let info = &mut buffers[id.index()].info;
        if info.kind != BufferKind::Temporary || info.length == 0 {
            return Ok(());
        }
        previous.clear();
        let offset = if let Some(&offset) = self.packed.get(&id.0) {
            self.occupants.occupy(offset, offset + info.length, id.0, previous);
            Some(offset)
        } else {
            let wait = |other: u32| {
                let mut others = users.of(other).iter().rev().filter(|&user| {
                    !ancestry.precedes(*user, clock) && waits.binary_search(user).is_err()
                });
                match others.next() {
                    Some(&latest) if task - latest < DISTANCE => Wait::Likely,
                    Some(_) => Wait::Unlikely,
                    None => Wait::None,
                }
            };
            let offset = self.arena.place(id.0, info.length, wait, previous);
            offset.and_then(|offset| offset.checked_add(self.packed_end))
        };
        info.offset = Some(offset.ok_or(BuildError::TooLarge(id))?);
        self.total = self.total.saturating_add(info.length);
        self.live = self.live.saturating_add(info.length);
        self.lower_bound = self.lower_bound.max(self.live);

        let before = waits.len();
        for &other in previous.iter() {
            waits.extend(users.of(other).iter().filter(|&&user| !ancestry.precedes(user, clock)));
        }
        if waits.len() > before {
            reduce(waits, ancestry);
            *clock = ancestry.clock(waits);
        }
        Ok(())
    }

    /// Gives back the memory of a temporary of which `task` is the last user.
    fn release_after(&mut self, buffer: BufferId, task: u32) {
        let info = &self.buffers[buffer.index()].info;
        let is_over = self.users.last(buffer.0) == task;
        if let (true, false, Some(offset)) = (is_over, info.keep, info.offset)
            && !std::mem::replace(&mut self.released[buffer.index()], true)
        {
            if !self.packed.contains_key(&buffer.0) {
                self.arena.release(offset - self.packed_end, info.length);
            }
            self.live = self.live.saturating_sub(info.length);
        }
    }

    /// The memory that was laid out.
    fn memory(&self) -> Result<Memory, BuildError> {
        let last = BufferId(self.buffers.len().saturating_sub(1) as u32);
        let arena = self.arena.size().checked_add(self.packed_end);
        Ok(Memory {
            arena: arena.ok_or(BuildError::TooLarge(last))?,
            total: self.total,
            lower_bound: self.lower_bound,
        })
    }
}

/// The offsets of large temporaries, by buffer, and where they end; none if they are too many.
fn pack_large(
    buffers: &[Buffer],
    users: &Users<'_>,
) -> Result<(HashMap<u32, usize>, usize), BuildError> {
    let large = buffers.iter().enumerate().filter(|(index, buffer)| {
        let info = buffer.info;
        let is_written = users.writers[*index] != NONE;
        info.kind == BufferKind::Temporary && info.length >= LARGE && is_written
    });
    let ids: Vec<u32> = large.map(|(index, _)| index as u32).take(MOST_PACKED + 1).collect();
    if ids.len() > MOST_PACKED {
        return Ok((HashMap::new(), 0));
    }
    let mut lifetimes = Vec::with_capacity(ids.len());
    for &id in &ids {
        let info = buffers[id as usize].info;
        let last = if info.keep { u32::MAX } else { users.last(id) };
        let size = rounded(info.length).ok_or(BuildError::TooLarge(BufferId(id)))?;
        lifetimes.push(Lifetime { first: users.writers[id as usize], last, size });
    }
    let last = BufferId(ids.last().copied().unwrap_or_default());
    let (offsets, end) = pack(&lifetimes).ok_or(BuildError::TooLarge(last))?;
    Ok((ids.into_iter().zip(offsets).collect(), end))
}
