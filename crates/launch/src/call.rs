//! The view that a kernel's code has while it runs.

#![allow(unsafe_code)] // every block says why it is sound

use std::marker::PhantomData;

use bytemuck::Pod;

use crate::ALIGNMENT;

/// Borrowed bytes without their lifetime: a row of the buffer table of a running program.
#[derive(Clone, Copy, Debug)]
pub struct RawBuffer {
    /// First byte, aligned to the type of the elements.
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

/// A buffer that is filled in chunks: part p fills the bytes from `p * chunk` on, `chunk` of them
/// or, at the buffer's end, fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Chunking {
    /// Row of the table.
    pub row: u32,
    /// Length of a chunk in bytes.
    pub chunk: usize,
}

impl Chunking {
    /// A whole row as one chunk.
    pub fn whole(row: u32) -> Self {
        Self { row, chunk: usize::MAX }
    }
}

/// The view that one part of a step has while it runs: its inputs, the chunks of the outputs that
/// it has to fill, memory to work in, and the number of the part.
pub struct Call<'a> {
    table: &'a [RawBuffer],
    reads: &'a [u32],
    writes: &'a [Chunking],
    workspace: &'a mut [u8],
    part: usize,
    /// The offset of the rows that are filled in the whole outputs, in bytes, where they are chunks
    /// of larger ones.
    window: Option<usize>,
    run_counter: u64,
}

impl<'a> Call<'a> {
    /// The call of part `part`: it reads the rows `reads` of `table` and fills chunk `part` of each
    /// of the buffers `writes`. `run_counter` keys random streams.
    ///
    /// # Safety
    /// Every row of `table` named in `reads` must point to that many initialised bytes, valid for
    /// reading during `'a`, and no byte of them may be written during `'a`. Chunk `part` of every
    /// one of `writes` must start inside its row, which points to that many initialised bytes, from
    /// a mutable pointer; during `'a` the chunk must be touched through this call only, so it
    /// overlaps no other chunk, no row read and no workspace.
    #[inline]
    pub unsafe fn new(
        table: &'a [RawBuffer],
        reads: &'a [u32],
        writes: &'a [Chunking],
        workspace: &'a mut [u8],
        part: usize,
        run_counter: u64,
    ) -> Self {
        Self { table, reads, writes, workspace, part, window: None, run_counter }
    }

    /// The call that fills the rows `writes` from their start to their end, as the chunks of larger
    /// outputs that start `start` bytes into them.
    ///
    /// # Safety
    /// As for [`Call::new`], where the chunks are the rows.
    #[inline]
    pub unsafe fn window(
        table: &'a [RawBuffer],
        reads: &'a [u32],
        writes: &'a [Chunking],
        workspace: &'a mut [u8],
        part: usize,
        start: usize,
        run_counter: u64,
    ) -> Self {
        Self { table, reads, writes, workspace, part, window: Some(start), run_counter }
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.reads.len()
    }

    /// All elements of an input, as `T`. Booleans are `u8` 0 or 1.
    pub fn input<T: Pod>(&self, index: usize) -> &'a [T] {
        let inputs = Inputs { table: self.table, reads: self.reads };
        inputs.get(index)
    }

    /// The number of outputs: 1 for every step of a [`Kernel`](crate::Kernel).
    pub fn outputs(&self) -> usize {
        self.writes.len()
    }

    /// The elements of the first output that this part has to fill, all of them.
    pub fn output<T: Pod>(&mut self) -> &mut [T] {
        let (_, outputs, _) = self.split();
        outputs.first().cast()
    }

    /// The inputs, and the elements of the first output that this part has to fill.
    pub fn inputs_and_output<T: Pod>(&mut self) -> (Inputs<'a>, &mut [T]) {
        let (inputs, outputs, _) = self.split();
        (inputs, outputs.first().cast())
    }

    /// The index of the first element that this part has to fill in the whole first output.
    pub fn start<T: Pod>(&self) -> usize {
        self.window.unwrap_or_else(|| self.part * self.writes[0].chunk) / size_of::<T>()
    }

    /// Memory of [`Step::workspace`](crate::Step::workspace) bytes, aligned to [`ALIGNMENT`], which
    /// no other thread touches while this part runs. What is in it is arbitrary: whatever an
    /// earlier part left there.
    pub fn workspace(&mut self) -> &mut [u8] {
        self.workspace
    }

    /// The inputs, the chunks of all outputs and the workspace, for a loop that reads several
    /// arrays and fills several.
    ///
    /// ```
    /// use abeyance_launch::{Call, Failure};
    /// /// The sum and the difference of two arrays.
    /// fn run(call: &mut Call<'_>) -> Result<(), Failure> {
    ///     let (inputs, outputs, _workspace) = call.split();
    ///     let mut chunks = outputs.into_iter();
    ///     let (Some(sum), Some(difference)) = (chunks.next(), chunks.next()) else {
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
        (inputs, Outputs { table, writes, part, window, chunks: PhantomData }, self.workspace)
    }

    /// The number of this part, counted from 0.
    pub fn part(&self) -> usize {
        self.part
    }

    /// The number of the run, which keys its random streams: the session's step, or its number of
    /// runs without one.
    pub fn run_counter(&self) -> u64 {
        self.run_counter
    }
}

/// The chunks that a [`Call`] has to fill, one of each output.
pub struct Outputs<'a> {
    /// Chunk `part` of each of `writes` is writable during `'a`, and nobody else touches it: only a
    /// [`Call`] makes these, one at a time.
    table: &'a [RawBuffer],
    writes: &'a [Chunking],
    part: usize,
    window: Option<usize>,
    chunks: PhantomData<&'a mut [u8]>,
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

    /// The chunk of output `index`, for as long as no other is asked for.
    #[inline]
    pub fn get(&mut self, index: usize) -> OutputChunk<'_> {
        // SAFETY: the chunk is borrowed with all the others.
        unsafe { output_chunk(self.table, self.writes[index], self.part, self.window) }
    }

    /// The chunk of the first output, where there is no other.
    #[inline]
    pub fn first(self) -> OutputChunk<'a> {
        // SAFETY: nobody has another chunk, as `self` is gone.
        unsafe { output_chunk(self.table, self.writes[0], self.part, self.window) }
    }
}

impl<'a> IntoIterator for Outputs<'a> {
    type Item = OutputChunk<'a>;
    type IntoIter = OutputChunks<'a>;

    /// The chunks, to be held all at once.
    fn into_iter(self) -> OutputChunks<'a> {
        OutputChunks(self)
    }
}

/// The chunks that are not handed out yet.
pub struct OutputChunks<'a>(Outputs<'a>);

impl<'a> Iterator for OutputChunks<'a> {
    type Item = OutputChunk<'a>;

    #[inline]
    fn next(&mut self) -> Option<OutputChunk<'a>> {
        let (&first, rest) = self.0.writes.split_first()?;
        self.0.writes = rest;
        // SAFETY: every chunk is handed out once, and chunks do not overlap.
        Some(unsafe { output_chunk(self.0.table, first, self.0.part, self.0.window) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for OutputChunks<'_> {}

/// The chunk of one output that a part has to fill, every byte of it.
#[derive(Debug)]
pub struct OutputChunk<'a> {
    /// The bytes, which hold anything until they are filled.
    pub bytes: &'a mut [u8],
    /// The offset in the whole output, in bytes.
    pub offset: usize,
}

impl<'a> OutputChunk<'a> {
    /// The bytes as elements of `T`.
    pub fn cast<T: Pod>(self) -> &'a mut [T] {
        bytemuck::cast_slice_mut(self.bytes)
    }

    /// The offset in the whole output, in elements of `T`.
    pub fn start<T: Pod>(&self) -> usize {
        self.offset / size_of::<T>()
    }
}

/// Chunk `part` of a row, or all of a row that is a window.
///
/// # Safety
/// As for [`Call::new`], of this chunk; and nothing else may refer to it during `'a`.
#[inline]
unsafe fn output_chunk<'a>(
    table: &'a [RawBuffer],
    Chunking { row, chunk }: Chunking,
    part: usize,
    window: Option<usize>,
) -> OutputChunk<'a> {
    let row = table[row as usize];
    let (offset, skipped) = match window {
        Some(start) => (start, 0),
        None => (part * chunk, part * chunk),
    };
    let length = chunk.min(row.length - skipped);
    // SAFETY: the chunk starts inside the row and is cut off at its end; the row points to
    // initialised bytes that may be written through its pointer, and the caller has the chunk to
    // itself.
    let bytes =
        unsafe { std::slice::from_raw_parts_mut(row.pointer.cast_mut().add(skipped), length) };
    OutputChunk { bytes, offset }
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

    /// All elements of an input, as `T`.
    pub fn get<T: Pod>(&self, index: usize) -> &'a [T] {
        let row = self.table[self.reads[index] as usize];
        // SAFETY: `Call::new`'s caller promised that the row is readable and unwritten during `'a`.
        let bytes = unsafe { std::slice::from_raw_parts(row.pointer, row.length) };
        bytemuck::cast_slice(bytes)
    }
}
