//! The counters of the parallel run of one frame: a queue without locks, which `worker` goes
//! through.
//!
//! Units that are ready are pushed to `slots`, in which each unit has room once a run, so nothing
//! ever wraps around. `head` points to the unit being handed out. A unit of one claim is taken by
//! moving `head` past it, several cheap ones at once; a unit of many claims stays at the head while
//! its `next` counts them out. Whoever finishes a unit counts down those that wait for it, keeps
//! one that became ready for itself and pushes the others.
//!
//! After a failure every part behind it is passed over while those before it still run, so the
//! failure reported in the end is the one that a single thread would have met first.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};

use abeyance_launch::OutOfMemory;
use crossbeam_utils::CachePadded;

use crate::error::RunError;
use crate::memory::reserve;
use crate::part::Part;
use crate::program::Program;

/// A slot that is reserved but not yet filled.
pub(crate) const EMPTY: u32 = u32::MAX;
/// The counters of a unit during a run.
#[derive(Default)]
pub(crate) struct Progress {
    /// The units it still waits for.
    pub waits: AtomicU32,
    /// The claims handed out.
    pub next: AtomicU32,
    /// The claims finished.
    pub done: AtomicU32,
}

/// The counters of one frame, for the largest program so far whose runs are parallel.
#[derive(Default)]
pub(crate) struct Queue {
    pub units: Vec<Progress>,
    pub slots: Vec<AtomicU32>,
    pub head: CachePadded<AtomicUsize>,
    pub tail: CachePadded<AtomicUsize>,
    /// Units that have not finished.
    pub remaining: CachePadded<AtomicUsize>,
    /// The first part, in program order, known to have failed; `u64::MAX` for none.
    failed_at: AtomicU64,
    failure: Mutex<Option<(Part, RunError)>>,
}

impl Queue {
    /// Makes room for a program.
    pub fn fit(&mut self, program: &Program) -> Result<(), OutOfMemory> {
        let units = program.units.units.len();
        if units > self.units.len() {
            reserve(&mut self.units, units)?;
            reserve(&mut self.slots, units)?;
            self.units.resize_with(units, Progress::default);
            self.slots.resize_with(units, || AtomicU32::new(EMPTY));
        }
        Ok(())
    }

    /// The bytes it has.
    pub fn bytes(&self) -> usize {
        self.units.capacity() * size_of::<Progress>()
            + self.slots.capacity() * size_of::<AtomicU32>()
    }

    /// Makes the counters ready for a run of `program`, which is not under way.
    pub fn reset(&self, program: &Program) {
        let units = &program.units;
        for (progress, unit) in self.units.iter().zip(&units.units) {
            progress.waits.store(unit.waits, Relaxed);
            progress.next.store(0, Relaxed);
            progress.done.store(0, Relaxed);
        }
        let (roots, rest) = self.slots[..units.units.len()].split_at(units.roots.len());
        for (slot, &root) in roots.iter().zip(&units.roots) {
            slot.store(root, Relaxed);
        }
        for slot in rest {
            slot.store(EMPTY, Relaxed);
        }
        self.head.store(0, Relaxed);
        self.tail.store(roots.len(), Relaxed);
        self.failed_at.store(u64::MAX, Relaxed);
        self.lock_failure().take();
        // Everything above happens before whatever a thread does that sees the run under way.
        self.remaining.store(units.units.len(), SeqCst);
    }

    /// True if every unit has finished.
    pub fn is_done(&self) -> bool {
        self.remaining.load(SeqCst) == 0
    }

    /// True if there is something to claim.
    pub fn has_ready(&self) -> bool {
        self.head.load(SeqCst) < self.tail.load(SeqCst)
    }

    /// The failure of the run that is done, if any.
    pub fn take_failure(&self) -> Option<RunError> {
        self.lock_failure().take().map(|(_, error)| error)
    }

    fn lock_failure(&self) -> MutexGuard<'_, Option<(Part, RunError)>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a part has failed.
    pub fn fail(&self, part: Part, error: RunError) {
        self.failed_at.fetch_min(order(part), Relaxed);
        let mut failure = self.lock_failure();
        if failure.as_ref().is_none_or(|(first, _)| part < *first) {
            *failure = Some((part, error));
        }
    }

    /// True if a part comes behind a failure. Whoever depends on a part that was passed over sees
    /// this too: the failure was seen before the part was counted as finished, and `failed_at` only
    /// falls.
    pub fn passes_over(&self, part: Part) -> bool {
        order(part) > self.failed_at.load(Relaxed)
    }
}

/// The place of a part in program order.
fn order(part: Part) -> u64 {
    u64::from(part.task) << 32 | u64::from(part.part)
}
