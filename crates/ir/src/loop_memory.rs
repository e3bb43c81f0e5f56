//! Memory for the values that a loop carries from one iteration to the next, kept from run to run.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use abeyance_launch::Failure;
use parking_lot::Mutex;

/// Bytes aligned for any element type, whose number only grows.
#[derive(Debug, Default)]
pub struct GrowableBuffer(Vec<u64>);

impl GrowableBuffer {
    /// Grows to at least `bytes` bytes. Those that are there stay, new ones are 0.
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

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// Two buffers for the values that a loop carries, of which an iteration reads one and fills the
/// other.
#[derive(Debug, Default)]
pub struct DoubleBuffer {
    /// The values that the iteration reads.
    pub current: GrowableBuffer,
    /// The values that the iteration gives.
    pub next: GrowableBuffer,
}

impl DoubleBuffer {
    /// Grows both buffers to at least `bytes` bytes.
    ///
    /// # Errors
    /// There is not so much memory.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        self.current.grow(bytes)?;
        self.next.grow(bytes)
    }

    /// Exchanges the two, so that the next iteration reads the values that this one gave.
    pub fn swap(&mut self) {
        std::mem::swap(&mut self.current, &mut self.next);
    }
}

/// The memory of one run of a loop. No kind of loop uses all of it.
#[derive(Debug, Default)]
pub struct LoopMemory {
    /// The carried values.
    pub carried: DoubleBuffer,
    /// The carried values that each iteration read, for a gradient.
    pub history: GrowableBuffer,
    /// The cotangents of the carried values, in a gradient.
    pub cotangents: DoubleBuffer,
}

impl LoopMemory {
    /// The memory that it takes, in bytes.
    fn size(&self) -> usize {
        let Self { carried, history, cotangents } = self;
        let buffers =
            [&carried.current, &carried.next, history, &cotangents.current, &cotangents.next];
        buffers.iter().map(|buffer| buffer.0.capacity() * size_of::<u64>()).sum()
    }
}

/// The memories that runs of a loop leave to later ones, whatever the sizes. There are as many as
/// there were runs at a time.
#[derive(Debug)]
pub struct LoopMemoryPool {
    idle: Mutex<Vec<LoopMemory>>,
    bytes: AtomicUsize,
}

impl Default for LoopMemoryPool {
    fn default() -> Self {
        Self { idle: Mutex::new(Vec::with_capacity(4)), bytes: AtomicUsize::new(0) }
    }
}

impl LoopMemoryPool {
    /// Calls `run` with memory that no other run uses meanwhile.
    pub fn lend<R>(&self, run: impl FnOnce(&mut LoopMemory) -> R) -> R {
        let lock = || self.idle.lock();
        let idle = lock().pop();
        let mut memory = idle.unwrap_or_default();
        // Taken out meanwhile, so that what a panic loses does not count.
        self.bytes.fetch_sub(memory.size(), Relaxed);
        let result = run(&mut memory);
        self.bytes.fetch_add(memory.size(), Relaxed);
        lock().push(memory);
        result
    }

    /// The size of the memories that no run uses now, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_lasts_and_counts() {
        let memories = LoopMemoryPool::default();
        for bytes in [100, 1000, 10, 1000] {
            memories.lend(|memory| memory.carried.grow(bytes)).unwrap();
        }
        assert!((2000..4200).contains(&memories.bytes()), "{}", memories.bytes());
        let panics = || memories.lend(|_| panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(memories.bytes(), 0);
    }
}
