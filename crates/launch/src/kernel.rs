//! A lowered operator: steps, the buffers that they read and fill, and their cost.

use std::fmt;

use smallvec::SmallVec;

use crate::Call;

/// The reason why a kernel could not finish: a division of integers by zero, an index out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// The code of a step, called once for each part.
pub type Function = Box<dyn Fn(&mut Call<'_>) -> Result<(), Failure> + Send + Sync>;

/// A buffer that a step reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An operand of the operator.
    Operand(usize),
    /// The scratch buffer that an earlier step of the same kernel filled.
    Scratch(usize),
}

/// The buffer that a step fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The operator's result.
    Output,
    /// A scratch buffer of [`Kernel::scratch`].
    Scratch(usize),
}

/// An estimate of a step's work, by which the scheduler decides what is worth a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Arithmetic operations; a transcendental function counts as about 20.
    pub flops: f64,
    /// Bytes read and written.
    pub bytes: f64,
}

/// One loop over one output buffer.
pub struct Step {
    /// Inputs, in the order in which [`Call::input`] counts them.
    pub reads: SmallVec<[Source; 3]>,
    /// The buffer that is filled.
    pub writes: Target,
    /// The most bytes of the output that a part fills; the last part may fill fewer. A step whose
    /// output is empty has no parts and is not run.
    pub chunk: usize,
    /// The work of all parts together.
    pub cost: Cost,
    /// The bytes of memory a thread works in while it runs a part: [`Call::workspace`]. Unlike a
    /// scratch buffer it carries nothing from one part or step to another.
    pub workspace: usize,
    /// The loop.
    pub run: Function,
}

/// A lowered operator.
#[derive(Default)]
pub struct Kernel {
    /// The steps, in the order in which they run.
    pub steps: SmallVec<[Step; 1]>,
    /// The length in bytes of each scratch buffer.
    pub scratch: SmallVec<[usize; 1]>,
}

impl Kernel {
    /// A kernel of one step that reads `operands` operands in their order and fills the output in
    /// chunks of at most `chunk` bytes.
    pub fn single(
        operands: usize,
        chunk: usize,
        cost: Cost,
        run: impl Fn(&mut Call<'_>) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self::of_function(operands, chunk, cost, Box::new(run))
    }

    /// As [`Kernel::single`], compiled once for all loops.
    fn of_function(operands: usize, chunk: usize, cost: Cost, run: Function) -> Self {
        let step = Step {
            reads: (0..operands).map(Source::Operand).collect(),
            writes: Target::Output,
            chunk: chunk.max(1),
            cost,
            workspace: 0,
            run,
        };
        Self { steps: SmallVec::from_buf([step]), scratch: SmallVec::new() }
    }

    /// Sets the memory that each thread works in, in bytes, in every step. The default is 0.
    pub fn with_workspace(mut self, bytes: usize) -> Self {
        for step in &mut self.steps {
            step.workspace = bytes;
        }
        self
    }
}
