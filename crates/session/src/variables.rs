//! The values of variables, before and during runs that write.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use abeyance_scheduler::AlignedBytes;
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};

use crate::Error;
use crate::plan::VariableIndex;

/// The values of variables, in two places for each: the value that runs read, and the one that a
/// run is writing. A run that succeeds swaps them.
pub(crate) struct Variables {
    current: RwLock<Vec<AlignedBytes>>,
    /// Empty for variables that no run has written yet. The lock is held through a run that writes,
    /// so such runs take turns.
    next: Mutex<Vec<AlignedBytes>>,
    /// The bytes of both, which can be read while a run has the locks.
    bytes: AtomicUsize,
}

impl Variables {
    pub(crate) fn new(values: Vec<AlignedBytes>) -> Self {
        let next = values.iter().map(|_| AlignedBytes::default()).collect();
        let bytes = values.iter().map(|value| value.len()).sum();
        Self {
            current: RwLock::new(values),
            next: Mutex::new(next),
            bytes: AtomicUsize::new(bytes),
        }
    }

    /// The bytes of both places.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// The values, for reading.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Vec<AlignedBytes>> {
        self.current.read()
    }

    /// Makes room for new values of these variables. Until the guard is dropped no other run
    /// writes.
    pub(crate) fn begin(
        &self,
        written: impl Iterator<Item = VariableIndex>,
    ) -> Result<MutexGuard<'_, Vec<AlignedBytes>>, Error> {
        let mut next = self.next.lock();
        let current = self.read();
        for VariableIndex(index) in written {
            if next[index].len() != current[index].len() {
                next[index] = AlignedBytes::zeroed(current[index].len())?;
                self.bytes.fetch_add(current[index].len(), Relaxed);
            }
        }
        Ok(next)
    }

    /// Makes the new values of these variables the ones that are read from now on, all at once, and
    /// calls `then` before anybody reads them.
    pub(crate) fn commit(
        &self,
        mut next: MutexGuard<'_, Vec<AlignedBytes>>,
        written: impl Iterator<Item = VariableIndex>,
        then: impl FnOnce(),
    ) {
        let mut current = self.current.write();
        for VariableIndex(index) in written {
            std::mem::swap(&mut current[index], &mut next[index]);
        }
        then();
    }
}
