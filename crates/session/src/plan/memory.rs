//! The memory of runs, which all plans of a session share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use abeyance_ir::{Body, LoopMemoryPool};
use abeyance_scheduler::States;

/// Where runs of a session keep what they compute. It grows to what the largest plan takes, once
/// for each run at a time.
pub(crate) struct RunMemory {
    /// Of plans that are run by the session.
    pub(crate) runs: States,
    /// Of bodies, by the body's address. Each body has its own, so that which thread meets which
    /// body first decides nothing about who needs more memory; and it is that of plans of all
    /// sizes.
    bodies: Mutex<HashMap<usize, Arc<BodyMemory>>>,
}

/// The memory of one branch or loop.
pub(crate) struct BodyMemory {
    pub(crate) runs: States,
    pub(crate) loops: LoopMemoryPool,
}

impl RunMemory {
    /// None yet, for runs on up to `threads` threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self { runs: States::new(threads), bodies: Mutex::default() }
    }

    /// That of a body of the session's graph.
    pub(crate) fn of_body(&self, body: &Arc<Body>) -> Arc<BodyMemory> {
        // What is at an address that was another body's before would serve just as well.
        let address = Arc::as_ptr(body).addr();
        let new =
            || Arc::new(BodyMemory { runs: States::new(1), loops: LoopMemoryPool::default() });
        self.lock().entry(address).or_insert_with(new).clone()
    }

    /// The bytes of all of it.
    pub(crate) fn bytes(&self) -> usize {
        let of_body = |body: &Arc<BodyMemory>| body.runs.bytes() + body.loops.bytes();
        self.runs.bytes() + self.lock().values().map(of_body).sum::<usize>()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Arc<BodyMemory>>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
