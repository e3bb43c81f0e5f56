//! What a loop keeps from one iteration to the next, in memory that lasts from run to run.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use abeyance_launch::Failure;

/// Bytes aligned for any element type, of which there are never fewer again.
#[derive(Debug, Default)]
pub struct Room(Vec<u64>);

impl Room {
    /// At least so many bytes; what was there stays.
    ///
    /// # Errors
    /// There is not so much memory.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        let words = bytes.div_ceil(8);
        if let Some(more) = words.checked_sub(self.0.len()) {
            self.0.try_reserve(more).map_err(|_| {
                Failure(format!(
                    "would need {bytes} bytes of memory, which the system does not have"
                ))
            })?;
            self.0.resize(words, 0);
        }
        Ok(())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// Two places for what a loop carries: what an iteration starts from, and what it gives.
#[derive(Debug, Default)]
pub struct Carried {
    /// What the iteration starts from.
    pub current: Room,
    /// What it gives.
    pub next: Room,
}

impl Carried {
    /// At least so many bytes in both places.
    ///
    /// # Errors
    /// As [`Room::grow`].
    pub fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        self.current.grow(bytes)?;
        self.next.grow(bytes)
    }

    /// What was given is what the next iteration starts from.
    pub fn step(&mut self) {
        std::mem::swap(&mut self.current, &mut self.next);
    }
}

/// The memory of one run of a loop, of which each kind of loop uses what it needs.
#[derive(Debug, Default)]
pub struct LoopMemory {
    /// What it carries.
    pub carried: Carried,
    /// What each iteration started from, for a gradient.
    pub history: Room,
    /// The cotangents of what it carries, in a gradient.
    pub cotangents: Carried,
}

impl LoopMemory {
    /// The bytes that it takes.
    fn size(&self) -> usize {
        let Self { carried, history, cotangents } = self;
        let rooms =
            [&carried.current, &carried.next, history, &cotangents.current, &cotangents.next];
        rooms.iter().map(|room| room.0.capacity() * size_of::<u64>()).sum()
    }
}

/// The memories of runs of a loop that are over, for runs to come, whatever the sizes. There are as
/// many as runs went on at a time.
#[derive(Debug)]
pub struct LoopMemories {
    idle: Mutex<Vec<LoopMemory>>,
    bytes: AtomicUsize,
}

impl Default for LoopMemories {
    fn default() -> Self {
        Self { idle: Mutex::new(Vec::with_capacity(4)), bytes: AtomicUsize::new(0) }
    }
}

impl LoopMemories {
    /// Calls `run` with memory that nobody else uses.
    pub fn lend<R>(&self, run: impl FnOnce(&mut LoopMemory) -> R) -> R {
        let lock = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = lock().pop();
        let mut memory = idle.unwrap_or_default();
        // Taken out meanwhile, so that what a panic loses does not count.
        self.bytes.fetch_sub(memory.size(), Relaxed);
        let result = run(&mut memory);
        self.bytes.fetch_add(memory.size(), Relaxed);
        lock().push(memory);
        result
    }

    /// The bytes of those that no run uses now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_lasts_and_counts() {
        let memories = LoopMemories::default();
        for bytes in [100, 1000, 10, 1000] {
            memories.lend(|memory| memory.carried.grow(bytes)).unwrap();
        }
        assert!((2000..4200).contains(&memories.bytes()), "{}", memories.bytes());
        let panics = || memories.lend(|_| panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(memories.bytes(), 0);
    }
}
