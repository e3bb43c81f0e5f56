//! The memory of runs, which all plans of a session share.

use std::collections::HashMap;
use std::sync::Arc;

use abeyance_ir::{Body, LoopMemoryPool};
use abeyance_scheduler::States;
use parking_lot::Mutex;

/// The memory in which runs of a session keep what they compute. It grows to what the largest plan
/// takes, once for each run at a time.
pub(crate) struct RunMemory {
    /// The states of plans that are run by the session.
    pub(crate) runs: States,
    /// The memory of bodies, by the body's address. Each body has its own, for plans of all sizes,
    /// so that the memory needed does not depend on which thread meets which body first.
    bodies: Mutex<HashMap<usize, Arc<BodyMemory>>>,
}

/// The memory of one branch or loop.
pub(crate) struct BodyMemory {
    pub(crate) runs: States,
    pub(crate) loops: LoopMemoryPool,
}

impl RunMemory {
    /// Makes memory for runs on up to `threads` threads, none of it allocated yet.
    pub(crate) fn new(threads: usize) -> Self {
        Self { runs: States::new(threads), bodies: Mutex::default() }
    }

    /// The memory of a body of the session's graph.
    pub(crate) fn of_body(&self, body: &Arc<Body>) -> Arc<BodyMemory> {
        // What is at an address that was another body's before would serve just as well.
        let address = Arc::as_ptr(body).addr();
        let new =
            || Arc::new(BodyMemory { runs: States::new(1), loops: LoopMemoryPool::default() });
        self.bodies.lock().entry(address).or_insert_with(new).clone()
    }

    /// The bytes of all runs and bodies.
    pub(crate) fn bytes(&self) -> usize {
        let of_body = |body: &Arc<BodyMemory>| body.runs.bytes() + body.loops.bytes();
        self.runs.bytes() + self.bodies.lock().values().map(of_body).sum::<usize>()
    }
}
