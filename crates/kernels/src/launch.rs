//! The calling convention: how a kernel is described to whoever runs it.
//!
//! A lowered operator is a [`Kernel`]: a list of [`Step`]s run one after the other. A step fills exactly one
//! buffer and is cut into parts, each of which writes its own contiguous piece of that buffer, so parts may run
//! at the same time without sharing a byte. The cut depends on shapes only, never on the number of threads:
//! that is what makes results independent of it.

use std::fmt;

use bytemuck::Pod;
use smallvec::SmallVec;

/// The alignment in bytes of every buffer a kernel sees: a cache line, and enough for any SIMD register.
pub const ALIGNMENT: usize = 64;

/// A borrowed run of bytes without its lifetime, as a row of the buffer table of a running program.
#[derive(Clone, Copy, Debug)]
pub struct RawBuffer {
    /// First byte, aligned to the element type it holds.
    pub pointer: *const u8,
    /// Length in bytes.
    pub length: usize,
}

impl RawBuffer {
    /// A buffer of no bytes.
    pub const EMPTY: RawBuffer =
        RawBuffer { pointer: std::ptr::without_provenance(ALIGNMENT), length: 0 };
}

// SAFETY: a `RawBuffer` is an address and a length; reading through it is the unsafe act, and `Call::new`
// states who answers for it.
unsafe impl Send for RawBuffer {}
// SAFETY: as above.
unsafe impl Sync for RawBuffer {}

/// What one part of one step sees while it runs: its inputs, the piece of the output it has to fill, and which
/// part it is.
pub struct Call<'a> {
    table: &'a [RawBuffer],
    reads: &'a [u32],
    output: &'a mut [u8],
    offset: usize,
    part: usize,
    draw: u64,
}

impl<'a> Call<'a> {
    /// A call whose inputs are the rows `reads` of `table`, that fills `output`, which starts `offset` bytes
    /// into the whole output buffer.
    ///
    /// # Safety
    /// Every row of `table` named in `reads` must point to that many initialised bytes, valid for reading
    /// during `'a`, and no byte of them may be written during `'a` (so none may overlap `output`).
    pub unsafe fn new(
        table: &'a [RawBuffer],
        reads: &'a [u32],
        output: &'a mut [u8],
        offset: usize,
        part: usize,
        draw: u64,
    ) -> Self {
        Self { table, reads, output, offset, part, draw }
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.reads.len()
    }

    /// The whole of input `index`, as elements of `T` (booleans are `u8` 0 or 1).
    pub fn input<T: Pod>(&self, index: usize) -> &'a [T] {
        let inputs = Inputs { table: self.table, reads: self.reads };
        inputs.get(index)
    }

    /// The piece of the output that this part has to fill, every element of it.
    pub fn output<T: Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self.output)
    }

    /// The inputs and the piece of the output at once, for a kernel with any number of inputs.
    pub fn inputs_and_output<T: Pod>(&mut self) -> (Inputs<'a>, &mut [T]) {
        let inputs = Inputs { table: self.table, reads: self.reads };
        (inputs, bytemuck::cast_slice_mut(self.output))
    }

    /// Where the piece starts in the whole output, in elements of `T`.
    pub fn start<T: Pod>(&self) -> usize {
        self.offset / size_of::<T>()
    }

    /// Which part this is, counted from 0.
    pub fn part(&self) -> usize {
        self.part
    }

    /// The number that keys random streams in this run: the session's step, or its count of draws.
    pub fn draw(&self) -> u64 {
        self.draw
    }
}

/// The inputs of a [`Call`].
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Rows that `reads` names are readable and unwritten during `'a`: only a [`Call`] makes these.
    table: &'a [RawBuffer],
    reads: &'a [u32],
}

impl<'a> Inputs<'a> {
    /// The number of inputs.
    pub fn len(&self) -> usize {
        self.reads.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.reads.is_empty()
    }

    /// The whole of input `index`, as elements of `T`.
    pub fn get<T: Pod>(&self, index: usize) -> &'a [T] {
        let row = self.table[self.reads[index] as usize];
        // SAFETY: `Call::new`'s caller promised that the row is readable and unwritten during `'a`.
        let bytes = unsafe { std::slice::from_raw_parts(row.pointer, row.length) };
        bytemuck::cast_slice(bytes)
    }
}

/// Why a kernel could not finish: a division of integers by zero, an index out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// The code of a step.
pub type Function = Box<dyn Fn(&mut Call<'_>) -> Result<(), Failure> + Send + Sync>;

/// What a part of a step may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An operand of the operator.
    Operand(usize),
    /// The scratch buffer that an earlier step of the same kernel filled.
    Scratch(usize),
}

/// What a step fills.
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
    /// The most bytes of the output that a part fills; the last part may fill fewer. A step whose output is
    /// empty has no parts and is not run.
    pub chunk: usize,
    /// The work of all parts together.
    pub cost: Cost,
    /// The loop.
    pub run: Function,
}

/// A lowered operator.
#[derive(Default)]
pub struct Kernel {
    /// Run in this order.
    pub steps: SmallVec<[Step; 1]>,
    /// The length in bytes of each scratch buffer.
    pub scratch: SmallVec<[usize; 1]>,
}

impl Kernel {
    /// A kernel of one step that reads `operands` operands in their order and fills the output in pieces of at
    /// most `chunk` bytes.
    pub fn single(
        operands: usize,
        chunk: usize,
        cost: Cost,
        run: impl Fn(&mut Call<'_>) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        let step = Step {
            reads: (0..operands).map(Source::Operand).collect(),
            writes: Target::Output,
            chunk: chunk.max(1),
            cost,
            run: Box::new(run),
        };
        Self { steps: SmallVec::from_buf([step]), scratch: SmallVec::new() }
    }
}
