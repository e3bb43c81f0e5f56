//! Running bodies: the view of a plan that an operator with bodies gets.

use std::sync::Arc;

use abeyance_launch::{Cost, Failure};

use crate::{Body, Concrete, Fault, LoopMemoryPool};

/// A body that is compiled for certain sizes. It runs on the thread that calls; several threads may
/// run it at once.
pub trait RunBody: Send + Sync {
    /// Runs once. `input` gives the bytes of the input of an index, and may be called again and
    /// again; `output` gets the index and bytes of every output. `run_counter` keys random streams.
    ///
    /// # Errors
    /// A node could not be computed.
    fn run<'a>(
        &self,
        input: &dyn Fn(usize) -> &'a [u8],
        output: &mut dyn FnMut(usize, &[u8]),
        run_counter: u64,
    ) -> Result<(), Failure>;

    /// The work of one run.
    fn cost(&self) -> Cost;

    /// Memory for a loop that runs it again and again. Bodies that were compiled for other sizes
    /// have the same.
    fn memory(&self) -> &LoopMemoryPool;
}

/// Compiles bodies: the service that a plan offers to operators that have some.
pub trait BodyCompiler {
    /// Compiles a body for inputs of these sizes.
    ///
    /// # Errors
    /// Sizes that do not go together, a node that cannot be computed at them, too little memory.
    fn compile(&self, body: &Arc<Body>, inputs: &[Concrete<'_>])
    -> Result<Box<dyn RunBody>, Fault>;
}
