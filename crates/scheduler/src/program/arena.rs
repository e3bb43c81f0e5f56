//! The places of temporaries: one arena, reused as buffers die.
//!
//! Buffers of [`LARGE`] or more are placed with all of them in view, the largest first, each as low
//! as those that are alive with it leave room ([`pack`]): their tasks are cut into parts, so there
//! is work for every thread inside one task, and memory matters more than the freedom to run tasks
//! in any order.
//!
//! Small ones come above, one after the other in the order of their tasks: best fit over free
//! blocks, with one question more: who used the memory last. A buffer laid over another must be
//! written after the other's last use, and that ordering is free only where the program has it
//! anyway. Among the smallest blocks that fit the first is taken whose previous users
//! 1. already come before the new writer, or else
//! 2. lie at least [`DISTANCE`] tasks back, so that they have most likely run, once small buffers
//!    have outgrown [`ROOM`].
//!
//! A small buffer that finds none takes fresh memory, of which rule 2 leaves no more than
//! `ROOM + DISTANCE * LARGE` bytes unused at a time. Where large buffers are too many to have them
//! in view they are placed like this, too, but over any previous users.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use abeyance_launch::ALIGNMENT;

/// The number of tasks after which reuse is not expected to make anyone wait.
pub(crate) const DISTANCE: u32 = 64;
/// The length in bytes from which memory is worth more than the freedom to run tasks in any order.
pub(crate) const LARGE: usize = 64 * 1024;
/// The bytes that small buffers may spread over without waiting for anyone: they stay in a core's
/// cache.
const ROOM: usize = 1 << 20;
/// The free blocks that are looked at for one buffer.
const CANDIDATES: usize = 8;
/// A block with more previous occupants than this is taken to make someone wait.
const OCCUPANTS: usize = 16;

/// The cost of taking the memory of an earlier buffer; the worst is greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    /// Nothing: its users come before anyway.
    None,
    /// Its users are far back.
    Unlikely,
    /// Its users may be running.
    Likely,
}

/// The memory of buffers that are placed one after the other, while it is laid out.
#[derive(Default)]
pub(crate) struct Arena {
    /// Free blocks as (size, offset).
    by_size: BTreeSet<(usize, usize)>,
    /// Free blocks, offset to size; no two touch.
    by_offset: BTreeMap<usize, usize>,
    occupants: Occupants,
    end: usize,
}

/// The buffer that had each byte last.
#[derive(Default)]
pub(crate) struct Occupants {
    /// Start to (end, buffer). Never two over one byte.
    ranges: BTreeMap<usize, (usize, u32)>,
}

/// The length a buffer takes in the arena, or `None` where that overflows.
pub(crate) fn rounded(length: usize) -> Option<usize> {
    length.checked_next_multiple_of(ALIGNMENT)
}

impl Arena {
    /// The bytes needed.
    pub fn size(&self) -> usize {
        self.end
    }

    /// Places `buffer` of `length` bytes, above zero, and appends to `previous` the buffers that it
    /// lies over. `wait` tells what it costs to lie over a buffer. `None` where the arena would
    /// outgrow the address space.
    pub fn place(
        &mut self,
        buffer: u32,
        length: usize,
        wait: impl Fn(u32) -> Wait,
        previous: &mut Vec<u32>,
    ) -> Option<usize> {
        let size = rounded(length)?;
        let worst_allowed = match size {
            LARGE.. => Wait::Likely,
            _ if self.end < ROOM => Wait::None,
            _ => Wait::Unlikely,
        };
        let mut best: Option<(Wait, usize)> = None;
        for &(free, offset) in self.by_size.range((size, 0)..).take(CANDIDATES) {
            let cost = self.cost(offset, size.min(free), &wait);
            if cost <= worst_allowed && best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, offset));
                if cost == Wait::None {
                    break;
                }
            }
        }
        let offset = match best {
            Some((_, offset)) => offset,
            None => self.grow(size, worst_allowed, &wait)?,
        };
        self.take(offset, size);
        self.occupants.occupy(offset, offset + size, buffer, previous);
        Some(offset)
    }

    /// Gives back the place of a buffer that [`Arena::place`] placed.
    pub fn release(&mut self, offset: usize, length: usize) {
        if let Some(size) = rounded(length) {
            self.free(offset, size);
        }
    }

    /// Makes a free block of at least `size` at the end of the arena, on top of the free block that
    /// ends there if it may be used, and returns its offset.
    fn grow(
        &mut self,
        size: usize,
        worst_allowed: Wait,
        wait: &impl Fn(u32) -> Wait,
    ) -> Option<usize> {
        let last = self.by_offset.last_key_value().map(|(&offset, &free)| (offset, free));
        if let Some((offset, free)) = last
            && offset + free == self.end
            && free < size
            && self.cost(offset, free, wait) <= worst_allowed
        {
            self.free_to(offset.checked_add(size)?);
            return Some(offset);
        }
        let offset = self.end;
        self.free_to(offset.checked_add(size)?);
        Some(offset)
    }

    fn free_to(&mut self, end: usize) {
        let start = std::mem::replace(&mut self.end, end);
        self.free(start, end - start);
    }

    fn cost(&self, offset: usize, size: usize, wait: &impl Fn(u32) -> Wait) -> Wait {
        let mut worst = Wait::None;
        for (seen, buffer) in self.occupants.overlapping(offset, offset + size).enumerate() {
            worst = if seen < OCCUPANTS { worst.max(wait(buffer)) } else { Wait::Likely };
            if worst == Wait::Likely {
                break;
            }
        }
        worst
    }

    /// Takes `size` bytes at `offset` out of the free block that starts or lies there.
    fn take(&mut self, offset: usize, size: usize) {
        if let Some((&start, &free)) = self.by_offset.range(..=offset).next_back() {
            self.by_offset.remove(&start);
            self.by_size.remove(&(free, start));
            let (left, right) = (offset - start, start + free - (offset + size));
            if left > 0 {
                self.by_offset.insert(start, left);
                self.by_size.insert((left, start));
            }
            if right > 0 {
                self.by_offset.insert(offset + size, right);
                self.by_size.insert((right, offset + size));
            }
        }
    }

    fn free(&mut self, mut offset: usize, mut size: usize) {
        if let Some((&next, &more)) =
            self.by_offset.range((Bound::Excluded(offset), Bound::Unbounded)).next()
            && next == offset + size
        {
            self.by_offset.remove(&next);
            self.by_size.remove(&(more, next));
            size += more;
        }
        if let Some((&before, &more)) = self.by_offset.range(..offset).next_back()
            && before + more == offset
        {
            self.by_offset.remove(&before);
            self.by_size.remove(&(more, before));
            offset = before;
            size += more;
        }
        self.by_offset.insert(offset, size);
        self.by_size.insert((size, offset));
    }
}

impl Occupants {
    /// The last occupants of the bytes from `start` to `end`, from the end backwards.
    fn overlapping(&self, start: usize, end: usize) -> impl Iterator<Item = u32> {
        let before_end = self.ranges.range(..end).rev();
        before_end.take_while(move |(_, (last, _))| *last > start).map(|(_, &(_, buffer))| buffer)
    }

    /// Makes `buffer` the last occupant of the bytes from `start` to `end`, and appends those it
    /// displaces.
    pub fn occupy(&mut self, start: usize, end: usize, buffer: u32, previous: &mut Vec<u32>) {
        while let Some((&from, &(to, other))) = self.ranges.range(..end).next_back()
            && to > start
        {
            previous.push(other);
            self.ranges.remove(&from);
            if to > end {
                self.ranges.insert(end, (to, other));
            }
            if from < start {
                self.ranges.insert(from, (start, other));
            }
        }
        self.ranges.insert(start, (end, buffer));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_large_buffer_takes_the_place_of_a_dead_one() {
        let mut arena = Arena::default();
        let mut previous = vec![];
        let first = arena.place(0, 100_000, |_| Wait::Likely, &mut previous);
        arena.release(0, 100_000);
        assert_eq!(arena.place(1, 90_000, |_| Wait::Likely, &mut previous), first);
        assert_eq!(previous, [0]);
    }

    #[test]
    fn a_small_buffer_takes_fresh_memory_rather_than_wait() {
        let mut arena = Arena::default();
        let mut previous = vec![];
        arena.place(0, 10, |_| Wait::Likely, &mut previous);
        arena.release(0, 10);
        assert_eq!(arena.place(1, 10, |_| Wait::Likely, &mut previous), Some(64));
        assert_eq!(arena.place(2, 10, |_| Wait::Unlikely, &mut previous), Some(128));
        assert!(previous.is_empty());
        assert_eq!(arena.place(3, 10, |_| Wait::None, &mut previous), Some(0));
        assert_eq!(previous, [0]);

        arena.place(4, ROOM, |_| Wait::None, &mut previous).unwrap();
        arena.release(128, 10);
        assert_eq!(arena.place(5, 10, |_| Wait::Unlikely, &mut previous), Some(128));
    }

    #[test]
    fn the_last_block_grows_rather_than_a_new_one_being_made() {
        let mut arena = Arena::default();
        arena.place(0, 100_000, |_| Wait::Likely, &mut vec![]);
        arena.release(0, 100_000);
        assert_eq!(arena.place(1, 200_000, |_| Wait::Likely, &mut vec![]), Some(0));
        assert_eq!(arena.size(), 200_000);
    }

    #[test]
    fn an_arena_beyond_the_address_space_is_refused() {
        let mut arena = Arena::default();
        assert_eq!(arena.place(0, usize::MAX, |_| Wait::None, &mut vec![]), None);
        arena.place(0, usize::MAX / 2, |_| Wait::None, &mut vec![]).unwrap();
        assert_eq!(arena.place(1, usize::MAX / 2 + 2, |_| Wait::None, &mut vec![]), None);
    }

    proptest! {
        /// Against a model with an owner for each 64 bytes: live buffers never overlap, everyone
        /// displaced is named, and free blocks are whole.
        #[test]
        fn live_buffers_never_overlap(steps in prop::collection::vec((1usize..2000, any::<u8>(), any::<bool>()), 1..200)) {
            let mut arena = Arena::default();
            let mut owner: Vec<Option<u32>> = vec![];
            let mut live: Vec<(u32, usize, usize)> = vec![];
            for (buffer, &(length, pick, release)) in steps.iter().enumerate() {
                let buffer = buffer as u32;
                if release && !live.is_empty() {
                    let (_, offset, length) = live.remove(usize::from(pick) % live.len());
                    arena.release(offset, length);
                }
                let mut previous = vec![];
                let wait = |other: u32| [Wait::None, Wait::Unlikely, Wait::Likely][(other % 3) as usize];
                let offset = arena.place(buffer, length, wait, &mut previous).unwrap();
                prop_assert_eq!(offset % 64, 0);
                prop_assert!(offset + length <= arena.size());
                for &(_, start, other) in &live {
                    prop_assert!(offset + length <= start || start + other <= offset);
                }
                live.push((buffer, offset, length));
                owner.resize(arena.size() / 64, None);
                let mut displaced: Vec<u32> = vec![];
                for row in &mut owner[offset / 64..(offset + length).div_ceil(64)] {
                    displaced.extend(row.replace(buffer));
                }
                displaced.sort_unstable();
                displaced.dedup();
                previous.sort_unstable();
                previous.dedup();
                prop_assert_eq!(displaced, previous);
            }
            let free: usize = arena.by_offset.values().sum();
            let used: usize = live.iter().map(|(_, _, length)| length.next_multiple_of(64)).sum();
            prop_assert_eq!(free + used, arena.size());
        }
    }
}
