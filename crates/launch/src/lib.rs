//! The calling convention: how a kernel is described to whoever runs it, and memory aligned for it
//! ([`AlignedBytes`]).
//!
//! This crate stands between the loops, the graph and the scheduler, none of which has to know the
//! others.
//!
//! A lowered operator is a [`Kernel`]: a list of [`Step`]s run one after the other. A step fills
//! exactly one buffer and is cut into parts, each of which writes its own contiguous piece of that
//! buffer, so parts may run at the same time without sharing a byte. The cut depends on shapes
//! only, never on the number of threads: that is what makes results independent of it.
//!
//! Below the operators, where kernels are fused, a task may fill several buffers: all are cut into
//! the same number of parts, and part p fills piece p of each.

#![allow(unsafe_code)] // one of the few crates that may; every block says why it is sound

mod aligned;
mod layout;

use std::fmt;
use std::marker::PhantomData;

use bytemuck::Pod;
use smallvec::SmallVec;

pub use aligned::{AlignedBytes, OutOfMemory};
pub use layout::Layout;

/// The alignment in bytes of every buffer a kernel sees: a cache line, and enough for any SIMD
/// register.
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

// SAFETY: a `RawBuffer` is an address and a length; reading through it is the unsafe act, and
// `Call::new` states who answers for it.
unsafe impl Send for RawBuffer {}
// SAFETY: as above.
unsafe impl Sync for RawBuffer {}

/// A buffer cut into pieces, to be filled: part p fills the bytes from `p * chunk` on, `chunk` of
/// them or, at the buffer's end, fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Cut {
    /// The buffer's row of the table.
    pub row: u32,
    /// The bytes of a piece.
    pub chunk: usize,
}

impl Cut {
    /// All of a row as one piece.
    pub fn all(row: u32) -> Self {
        Self { row, chunk: usize::MAX }
    }
}

/// What one part of one step sees while it runs: its inputs, the pieces of the outputs it has to
/// fill, memory to work in, and which part it is.
pub struct Call<'a> {
    table: &'a [RawBuffer],
    reads: &'a [u32],
    writes: &'a [Cut],
    workspace: &'a mut [u8],
    part: usize,
    /// Where the one row that is filled starts in the whole output, in bytes, where it is a window
    /// of it.
    window: Option<usize>,
    draw: u64,
}

impl<'a> Call<'a> {
    /// A call whose inputs are the rows `reads` of `table` and that fills piece `part` of each of
    /// the buffers `writes`.
    ///
    /// # Safety
    /// Every row of `table` named in `reads` must point to that many initialised bytes, valid for
    /// reading during `'a`, and no byte of them may be written during `'a`. Piece `part` of every
    /// one of `writes` must start inside its row, which points to that many initialised bytes, from
    /// a mutable pointer; during `'a` the piece must be touched through this call only, so it
    /// overlaps no other piece, no row read and no workspace.
    #[inline]
    pub unsafe fn new(
        table: &'a [RawBuffer],
        reads: &'a [u32],
        writes: &'a [Cut],
        workspace: &'a mut [u8],
        part: usize,
        draw: u64,
    ) -> Self {
        Self { table, reads, writes, workspace, part, window: None, draw }
    }

    /// A call that fills the rows `writes` from their start to their end, as the pieces of larger
    /// outputs that start `start` bytes into them.
    ///
    /// # Safety
    /// As [`Call::new`], where the pieces are the rows.
    #[inline]
    pub unsafe fn window(
        table: &'a [RawBuffer],
        reads: &'a [u32],
        writes: &'a [Cut],
        workspace: &'a mut [u8],
        part: usize,
        start: usize,
        draw: u64,
    ) -> Self {
        Self { table, reads, writes, workspace, part, window: Some(start), draw }
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

    /// The number of outputs: 1 for every step of a [`Kernel`].
    pub fn outputs(&self) -> usize {
        self.writes.len()
    }

    /// The piece of the first output that this part has to fill, every element of it.
    pub fn output<T: Pod>(&mut self) -> &mut [T] {
        let (_, outputs, _) = self.split();
        outputs.first().cast()
    }

    /// The inputs and the piece of the first output at once.
    pub fn inputs_and_output<T: Pod>(&mut self) -> (Inputs<'a>, &mut [T]) {
        let (inputs, outputs, _) = self.split();
        (inputs, outputs.first().cast())
    }

    /// Where the piece of the first output starts in the whole, in elements of `T`.
    pub fn start<T: Pod>(&self) -> usize {
        self.window.unwrap_or_else(|| self.part * self.writes[0].chunk) / size_of::<T>()
    }

    /// Memory of [`Step::workspace`] bytes, aligned to [`ALIGNMENT`], which no other thread touches
    /// while this part runs. What is in it is arbitrary: whatever an earlier part left there.
    pub fn workspace(&mut self) -> &mut [u8] {
        self.workspace
    }

    /// Everything at once: the inputs, the pieces of all outputs and the workspace, for a loop that
    /// reads several arrays and fills several.
    ///
    /// ```
    /// use abeyance_launch::{Call, Failure};
    /// /// The sum and the difference of two arrays.
    /// fn run(call: &mut Call<'_>) -> Result<(), Failure> {
    ///     let (inputs, outputs, _workspace) = call.split();
    ///     let mut pieces = outputs.into_iter();
    ///     let (Some(sum), Some(difference)) = (pieces.next(), pieces.next()) else {
    ///         return Err(Failure("two outputs are needed".into()));
    ///     };
    ///     let start = sum.start::<f32>();
    ///     let (x, y) = (&inputs.get::<f32>(0)[start..], &inputs.get::<f32>(1)[start..]);
    ///     let (sum, difference) = (sum.cast::<f32>(), difference.cast::<f32>());
    ///     for (((s, d), x), y) in sum.iter_mut().zip(difference).zip(x).zip(y) {
    ///         (*s, *d) = (x + y, x - y);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[inline]
    pub fn split(&mut self) -> (Inputs<'a>, Outputs<'_>, &mut [u8]) {
        let inputs = Inputs { table: self.table, reads: self.reads };
        let Self { table, writes, part, window, .. } = *self;
        (inputs, Outputs { table, writes, part, window, pieces: PhantomData }, self.workspace)
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

/// The pieces that a [`Call`] has to fill, of every output one.
pub struct Outputs<'a> {
    /// Piece `part` of each of `writes` is writable during `'a`, and nobody else touches it: only a
    /// [`Call`] makes these, one at a time.
    table: &'a [RawBuffer],
    writes: &'a [Cut],
    part: usize,
    window: Option<usize>,
    pieces: PhantomData<&'a mut [u8]>,
}

impl<'a> Outputs<'a> {
    /// The number of outputs.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The piece of output `index`, for as long as no other is asked for.
    #[inline]
    pub fn get(&mut self, index: usize) -> Piece<'_> {
        // SAFETY: the piece is borrowed with all the others.
        unsafe { piece(self.table, self.writes[index], self.part, self.window) }
    }

    /// The piece of the first output, where there is no other.
    #[inline]
    pub fn first(self) -> Piece<'a> {
        // SAFETY: nobody has another piece, as `self` is gone.
        unsafe { piece(self.table, self.writes[0], self.part, self.window) }
    }
}

impl<'a> IntoIterator for Outputs<'a> {
    type Item = Piece<'a>;
    type IntoIter = Pieces<'a>;

    /// The pieces, to be held all at once.
    fn into_iter(self) -> Pieces<'a> {
        Pieces(self)
    }
}

/// Pieces not handed out yet.
pub struct Pieces<'a>(Outputs<'a>);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    #[inline]
    fn next(&mut self) -> Option<Piece<'a>> {
        let (&first, rest) = self.0.writes.split_first()?;
        self.0.writes = rest;
        // SAFETY: every piece is handed out once, and pieces do not overlap.
        Some(unsafe { piece(self.0.table, first, self.0.part, self.0.window) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for Pieces<'_> {}

/// What a part has to fill of one output, every byte of it.
#[derive(Debug)]
pub struct Piece<'a> {
    /// Its bytes.
    pub bytes: &'a mut [u8],
    /// Where it starts in the whole output, in bytes.
    pub offset: usize,
}

impl<'a> Piece<'a> {
    /// The bytes as elements of `T`.
    pub fn cast<T: Pod>(self) -> &'a mut [T] {
        bytemuck::cast_slice_mut(self.bytes)
    }

    /// Where it starts, in elements of `T`.
    pub fn start<T: Pod>(&self) -> usize {
        self.offset / size_of::<T>()
    }
}

/// # Safety
/// As [`Call::new`] for this piece, and nothing else may refer to it during `'a`.
#[inline]
unsafe fn piece<'a>(
    table: &'a [RawBuffer],
    Cut { row, chunk }: Cut,
    part: usize,
    window: Option<usize>,
) -> Piece<'a> {
    let row = table[row as usize];
    let (offset, skipped) = match window {
        Some(start) => (start, 0),
        None => (part * chunk, part * chunk),
    };
    let length = chunk.min(row.length - skipped);
    // SAFETY: the piece starts inside the row and is cut off at its end; the row points to
    // initialised bytes that may be written through its pointer, and the caller has the piece to
    // itself.
    let bytes =
        unsafe { std::slice::from_raw_parts_mut(row.pointer.cast_mut().add(skipped), length) };
    Piece { bytes, offset }
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

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.reads.is_empty()
    }

    /// The row of input `index`.
    pub fn row(&self, index: usize) -> RawBuffer {
        self.table[self.reads[index] as usize]
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
    /// Run in this order.
    pub steps: SmallVec<[Step; 1]>,
    /// The length in bytes of each scratch buffer.
    pub scratch: SmallVec<[usize; 1]>,
}

impl Kernel {
    /// A kernel of one step that reads `operands` operands in their order and fills the output in
    /// pieces of at most `chunk` bytes.
    pub fn single(
        operands: usize,
        chunk: usize,
        cost: Cost,
        run: impl Fn(&mut Call<'_>) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self::of_function(operands, chunk, cost, Box::new(run))
    }

    /// As [`Kernel::single`], and compiled once for all loops.
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

    /// The same kernel with memory of `bytes` bytes for each thread to work in, in every step.
    pub fn with_workspace(mut self, bytes: usize) -> Self {
        for step in &mut self.steps {
            step.workspace = bytes;
        }
        self
    }
}
