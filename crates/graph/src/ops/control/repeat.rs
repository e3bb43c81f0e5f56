//! What kernels of loops share: memory that lasts from run to run, and the keys of random streams.

use std::sync::{Mutex, PoisonError};

use abeyance_kernels::launch::Failure;

/// Memory of runs that are over, for runs to come.
pub(super) struct Pool<T>(Mutex<Vec<T>>);

impl<T: Default> Pool<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::with_capacity(4)))
    }

    /// Lends memory that nobody else uses.
    pub(super) fn lend<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = lock().pop();
        let mut memory = idle.unwrap_or_default();
        let result = work(&mut memory);
        lock().push(memory);
        result
    }
}

/// Bytes aligned for any element type.
#[derive(Default)]
pub(super) struct Room(Vec<u64>);

impl Room {
    /// At least so many bytes; what was there stays.
    ///
    /// # Errors
    /// There is not so much memory.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
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

    pub(super) fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// Two places for what a loop carries: what an iteration starts from, and what it gives.
#[derive(Default)]
pub(super) struct Carried {
    pub(super) current: Room,
    pub(super) next: Room,
}

impl Carried {
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        self.current.grow(bytes)?;
        self.next.grow(bytes)
    }

    /// What was given is what the next iteration starts from.
    pub(super) fn step(&mut self) {
        std::mem::swap(&mut self.current, &mut self.next);
    }
}

/// The number that keys random streams in one iteration: the run's and the iteration's, by the finaliser of SplitMix64.
pub(super) fn draw(run: u64, iteration: usize) -> u64 {
    let mut z = (iteration as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = run.wrapping_add(z ^ (z >> 27));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A failure, with the iteration it happened in.
pub(super) fn within(iteration: usize, result: Result<(), Failure>) -> Result<(), Failure> {
    result.map_err(|Failure(message)| Failure(format!("in iteration {iteration}, {message}")))
}
