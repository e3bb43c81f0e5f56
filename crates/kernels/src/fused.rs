//! Several loops as one: a tile of each value after the other, while it is in the first-level
//! cache.
//!
//! The loops are kernels as operators lower to, lowered for a row of elements: a [`Fused`] calls
//! each of them for one tile, with tiles of other values for its operands, and goes on to the next
//! tile. A value that only the loops behind need lives in a tile of the thread's workspace; one
//! that is an output is made in its place. So a chain of elementwise operators reads and writes
//! memory once, and has the bits that its operators have one by one.
//!
//! The first operation may be a *host*, which fills all of a part before the tiles begin: a matmul
//! or a convolution, whose result is still in the cache when bias and activation follow.

mod operation;
mod workspace;

pub use operation::{Operation, Range, Read};

use smallvec::SmallVec;

use crate::launch::{Call, Chunking, Failure, Function, Inputs, OutputChunk, RawBuffer};
use workspace::{Slot, TileSlots, aligned, allocate, tile};

/// An operation whose result has a place.
struct Placed {
    run: Function,
    /// Rows of the table of a tile.
    reads: SmallVec<[u32; 4]>,
    size: usize,
    range: Range,
    slot: Slot,
}

/// Operations that run together.
pub struct Fused {
    operations: Vec<Placed>,
    inputs: usize,
    /// Inputs of which a tile's elements are read, and the bytes of an element. Their rows come
    /// after those of inputs, and before those of results.
    rows: Vec<(u32, usize)>,
    /// The most elements of a part.
    part: usize,
    /// Elements of a tile.
    tile: usize,
    workspace: usize,
}

impl Fused {
    /// A loop of these operations, each after those whose results it reads, in a call of `inputs`
    /// inputs whose parts make at most `part` elements. `None` if an operation reads what is not
    /// there, or two fill one output.
    pub fn new(operations: Vec<Operation>, inputs: usize, part: usize) -> Option<Self> {
        let mut valid = operations.iter().enumerate();
        if !valid.all(|(index, operation)| operation.is_valid_at(index, inputs))
            || !outputs_differ(&operations)
        {
            return None;
        }
        let rows = rows_read(&operations);
        let tile_slots = TileSlots::new(&operations);
        let outputs = operations.iter().filter(|operation| operation.output.is_some());
        let bytes = tile_slots.bytes()
            + rows.iter().map(|(_, size)| size).sum::<usize>()
            + outputs.map(|operation| operation.size).sum::<usize>();
        let tile = tile(bytes, part, &operations);
        let (slots, mut workspace) = allocate(&operations, &tile_slots, tile, part);
        // The host's own workspace comes last.
        if let Some(Range::Part { workspace: own }) = operations.first().map(|first| first.range) {
            workspace += aligned(own);
        }
        let mut placed = Vec::with_capacity(operations.len());
        placed.extend(operations.into_iter().zip(slots).map(|(operation, slot)| Placed {
            reads: operation.reads.iter().map(|&read| table_row(read, inputs, &rows)).collect(),
            run: operation.run,
            size: operation.size,
            range: operation.range,
            slot,
        }));
        Some(Self { operations: placed, inputs, rows, part, tile, workspace })
    }

    /// The bytes that a call needs to work in.
    pub fn workspace(&self) -> usize {
        self.workspace
    }

    /// The bytes that it holds beyond itself: its loops, as far as they are known.
    pub fn held_bytes(&self) -> usize {
        let loops = self.operations.iter().map(|operation| size_of_val(&*operation.run));
        self.operations.capacity() * size_of::<Placed>()
            + self.rows.capacity() * size_of::<(u32, usize)>()
            + loops.sum::<usize>()
    }

    /// The elements of a tile.
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// Fills a part of every output.
    ///
    /// # Errors
    /// A failure of the host; a call whose outputs or workspace are not those that the loop was
    /// made for.
    pub fn run(&self, call: &mut Call<'_>) -> Result<(), Failure> {
        let (part, draw) = (call.part(), call.run_counter());
        let (inputs, outputs, workspace) = call.split();
        let outputs: SmallVec<[Output; 6]> = outputs.into_iter().map(Output::new).collect();
        let fits = |&(_, len): &(usize, usize)| {
            len <= self.part && inputs.len() == self.inputs && workspace.len() >= self.workspace
        };
        let Some((start, len)) = self.extent(&outputs).filter(fits) else {
            return Err(Failure("internal: a fused loop is called for what it is not".to_owned()));
        };
        // Whole inputs, inputs of the tile, results.
        let mut table: SmallVec<[RawBuffer; 48]> =
            (0..self.inputs).map(|input| inputs.row(input)).collect();
        let results = self.inputs + self.rows.len();
        table.resize(results + self.operations.len(), RawBuffer::EMPTY);
        let mut tiles = Tiles {
            fused: self,
            outputs,
            workspace: workspace.as_mut_ptr(),
            table,
            repeated: SmallVec::from_elem((0, 0), self.operations.len()),
            start,
            len,
            part,
            draw,
            at: 0,
            elements: 0,
        };
        while tiles.at < len {
            tiles.elements = self.tile.min(len - tiles.at);
            tiles.point_to_rows(&inputs);
            for (index, operation) in self.operations.iter().enumerate() {
                tiles.run_operation(index, operation)?;
            }
            tiles.at += tiles.elements;
        }
        Ok(())
    }

    /// The element at which the part of every output starts, and the elements that it has. `None`
    /// if there is no output, or one differs from the others.
    fn extent(&self, outputs: &[Output]) -> Option<(usize, usize)> {
        let filled = self.operations.iter().filter_map(|operation| match operation.slot {
            Slot::Output(output) => Some((outputs.get(output), operation.size)),
            _ => None,
        });
        let mut extents = filled.map(|(output, size)| {
            let output = output.filter(|output| output.length.is_multiple_of(size))?;
            Some((output.offset / size, output.length / size))
        });
        let first = extents.next()??;
        extents.all(|extent| extent == Some(first)).then_some(first)
    }
}

/// True if no two operations fill one output.
fn outputs_differ(operations: &[Operation]) -> bool {
    let mut outputs: SmallVec<[u32; 6]> =
        operations.iter().filter_map(|operation| operation.output).collect();
    outputs.sort_unstable();
    outputs.windows(2).all(|pair| pair[0] != pair[1])
}

/// The inputs of which a tile's elements are read, each once, and the bytes of an element.
fn rows_read(operations: &[Operation]) -> Vec<(u32, usize)> {
    let mut rows = Vec::new();
    for read in operations.iter().flat_map(|operation| &operation.reads) {
        if let Read::Row(input, size) = *read
            && !rows.contains(&(input, size as usize))
        {
            rows.push((input, size as usize));
        }
    }
    rows
}

/// The row of the table of a tile in which an operand is found: inputs come first, then `rows`,
/// then results.
fn table_row(read: Read, inputs: usize, rows: &[(u32, usize)]) -> u32 {
    match read {
        Read::Whole(input) => input,
        Read::Row(input, size) => {
            let row = rows.iter().position(|row| *row == (input, size as usize));
            (inputs + row.unwrap_or(0)) as u32
        }
        Read::Value(earlier) => (inputs + rows.len()) as u32 + earlier,
    }
}

/// A part of an output, without its lifetime.
#[derive(Clone, Copy)]
struct Output {
    pointer: *mut u8,
    length: usize,
    offset: usize,
}

impl Output {
    fn new(piece: OutputChunk<'_>) -> Self {
        let (length, offset) = (piece.bytes.len(), piece.offset);
        Self { pointer: piece.bytes.as_mut_ptr(), length, offset }
    }
}

/// The tiles of one part, one after the other.
///
/// The outputs are this part's alone and have `len` elements each; `workspace` points to at least
/// as many bytes as `fused` asks for, which are this part's too; the rows of inputs in `table` are
/// those of the call; `at + elements` is at most `len`.
struct Tiles<'a> {
    fused: &'a Fused,
    outputs: SmallVec<[Output; 6]>,
    workspace: *mut u8,
    table: SmallVec<[RawBuffer; 48]>,
    /// By operation that repeats itself: the place in its period at which the elements that it has
    /// made begin, and the number of them.
    repeated: SmallVec<[(usize, usize); 24]>,
    /// The element of the whole outputs at which the part starts.
    start: usize,
    /// Elements of the part.
    len: usize,
    part: usize,
    draw: u64,
    /// The element of the part at which the tile starts.
    at: usize,
    /// Elements of the tile.
    elements: usize,
}

impl Tiles<'_> {
    /// Points rows of the table to the tile's elements of inputs.
    #[inline(always)]
    fn point_to_rows(&mut self, inputs: &Inputs<'_>) {
        for (row, &(input, size)) in self.fused.rows.iter().enumerate() {
            let bytes = inputs.get::<u8>(input as usize);
            let first = (self.start + self.at) * size;
            let bytes = &bytes[first..first + self.elements * size];
            self.table[self.fused.inputs + row] =
                RawBuffer { pointer: bytes.as_ptr(), length: bytes.len() };
        }
    }

    /// Makes the tile's elements of an operation's result, the host's those of the whole part, if
    /// they are not there already, and points the result's row of the table to the tile's.
    #[inline(always)]
    fn run_operation(&mut self, index: usize, operation: &Placed) -> Result<(), Failure> {
        let row = self.fused.inputs + self.fused.rows.len() + index;
        let size = operation.size;
        let (whole, pointer) = self.addresses(operation);
        let tile = RawBuffer { pointer, length: self.elements * size };
        let tile_start = (self.start + self.at) * size;
        // The row to be filled, where it starts in the whole result, and the bytes to work in.
        let (filled, first, room) = match operation.range {
            Range::Part { .. } if self.at > 0 => {
                self.table[row] = tile;
                return Ok(());
            }
            Range::Part { workspace } => {
                let part = RawBuffer { pointer: whole, length: self.len * size };
                (part, self.start * size, workspace)
            }
            Range::Tile { period: Some(period) } => {
                if self.is_repeated(index, operation, period) {
                    self.table[row] = tile;
                    return Ok(());
                }
                (tile, tile_start, 0)
            }
            Range::Tile { period: None } => (tile, tile_start, 0),
            Range::Row => (tile, 0, 0),
        };
        self.table[row] = filled;
        let own = match operation.range {
            // SAFETY: the host's workspace lies at the end of the workspace.
            Range::Part { .. } => unsafe {
                self.workspace.add(self.fused.workspace - aligned(room))
            },
            _ => self.workspace,
        };
        // SAFETY: rows of inputs are readable, as those of the call; rows of results point into the
        // workspace or into parts of outputs, which are this part's alone, and were filled by
        // earlier operations. The row that is filled is none of those read: a result's slot is
        // taken while those of its operands are. The host's workspace overlaps neither.
        unsafe {
            let room = std::slice::from_raw_parts_mut(own, room);
            let writes = [Chunking::whole(row as u32)];
            let (table, reads) = (&self.table, &operation.reads);
            let mut call = Call::window(table, reads, &writes, room, self.part, first, self.draw);
            (operation.run)(&mut call)?;
        }
        self.table[row] = tile;
        Ok(())
    }

    /// The addresses of an operation's result, of the whole part where it is kept whole, and of the
    /// tile.
    #[inline(always)]
    fn addresses(&self, operation: &Placed) -> (*mut u8, *mut u8) {
        let before = self.at * operation.size;
        // SAFETY: a tile and a part lie inside the workspace, which was laid out for them and is
        // large enough; every part of an output has `len` elements, and the tile is within.
        unsafe {
            match operation.slot {
                Slot::Tile(offset) => (self.workspace, self.workspace.add(offset)),
                Slot::Part(offset) => {
                    (self.workspace.add(offset), self.workspace.add(offset + before))
                }
                Slot::Output(output) => {
                    let pointer = self.outputs[output].pointer;
                    (pointer, pointer.add(before))
                }
            }
        }
    }

    /// True if an operation that repeats itself has made the tile's elements already, in a slot of
    /// its own. Otherwise notes that it makes them now.
    #[inline(always)]
    fn is_repeated(&mut self, index: usize, operation: &Placed, period: usize) -> bool {
        let phase = (self.start + self.at) % period;
        let (before, length) = self.repeated[index];
        if matches!(operation.slot, Slot::Tile(_)) && before == phase && length >= self.elements {
            return true;
        }
        self.repeated[index] = (phase, self.elements);
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A loop over rows: the sum of two, plus `more`.
    fn sum(more: f32) -> Function {
        Box::new(move |call| {
            let (x, y) = (call.input::<f32>(0), call.input::<f32>(1));
            for ((out, x), y) in call.output::<f32>().iter_mut().zip(x).zip(y) {
                *out = x + y + more;
            }
            Ok(())
        })
    }

    /// A host: twice the input, its part's number, and a workspace that it uses.
    fn twice() -> Function {
        Box::new(|call| {
            let (x, start, part) = (call.input::<f32>(0), call.start::<f32>(), call.part());
            call.workspace().fill(0xff);
            for (out, x) in call.output::<f32>().iter_mut().zip(&x[start..]) {
                *out = 2.0 * x + part as f32;
            }
            Ok(())
        })
    }

    fn operation(run: Function, reads: &[Read], range: Range, output: Option<u32>) -> Operation {
        Operation { run, reads: reads.into(), size: 4, range, output }
    }

    fn run(
        fused: &Fused,
        inputs: &[&[f32]],
        outputs: usize,
        len: usize,
        part: usize,
    ) -> Vec<Vec<f32>> {
        let mut filled = vec![vec![f32::NAN; len]; outputs];
        let mut workspace = crate::serial::Workspace::new(fused.workspace());
        let rows = inputs.iter().map(|input| RawBuffer {
            pointer: input.as_ptr().cast(),
            length: size_of_val::<[f32]>(*input),
        });
        let mut table: Vec<RawBuffer> = rows.collect();
        let reads: Vec<u32> = (0..inputs.len() as u32).collect();
        let mut writes = Vec::new();
        for output in &mut filled {
            writes.push(Chunking { row: table.len() as u32, chunk: 4 * part });
            table.push(RawBuffer { pointer: output.as_mut_ptr().cast::<u8>(), length: 4 * len });
        }
        for number in 0..len.div_ceil(part) {
            // SAFETY: rows are of slices that live, outputs of vectors that nothing else touches
            // meanwhile.
            let mut call =
                unsafe { Call::new(&table, &reads, &writes, workspace.bytes(), number, 0) };
            fused.run(&mut call).unwrap();
        }
        filled
    }

    proptest! {
        /// A host, a bias with a period, a value that is output and read on, and one that is
        /// neither, against plain loops.
        #[test]
        fn tiles_give_what_plain_loops_do(
            period in 1usize..300, rows in 1usize..60, part in 1usize..6000, split in any::<bool>()
        ) {
            let len = period * rows;
            let part = if split { part.min(len) } else { len };
            let x: Vec<f32> = (0..len).map(|i| (i % 251) as f32).collect();
            let z: Vec<f32> = (0..len).map(|i| (i % 83) as f32 * 0.5).collect();
            let bias: Vec<f32> = (0..period).map(|i| i as f32 * 0.25).collect();
            let operations = vec![
                operation(twice(), &[Read::Whole(0)], Range::Part { workspace: 100 }, None),
                Operation::broadcast(1, 4, &[period], &[rows, period]),
                operation(sum(0.0), &[Read::Value(0), Read::Value(1)], Range::Row, Some(1)),
                operation(sum(1.0), &[Read::Value(2), Read::Row(2, 4)], Range::Row, None),
                operation(sum(2.0), &[Read::Value(3), Read::Value(0)], Range::Row, Some(0)),
            ];
            let fused = Fused::new(operations, 3, part).unwrap();
            let found = run(&fused, &[&x, &bias, &z], 2, len, part);
            for i in 0..len {
                let host = 2.0 * x[i] + (i / part) as f32;
                let with_bias = host + bias[i % period] + 0.0;
                prop_assert_eq!(found[1][i], with_bias);
                prop_assert_eq!(found[0][i], with_bias + z[i] + 1.0 + host + 2.0);
            }
        }
    }

    #[test]
    fn what_reads_what_is_not_there_is_refused() {
        let later = operation(sum(0.0), &[Read::Value(0)], Range::Row, Some(0));
        assert!(Fused::new(vec![later], 1, 10).is_none());
        let absent = operation(sum(0.0), &[Read::Row(1, 4)], Range::Row, Some(0));
        assert!(Fused::new(vec![absent], 1, 10).is_none());
        let twice =
            || operation(sum(0.0), &[Read::Row(0, 4), Read::Row(0, 4)], Range::Row, Some(0));
        assert!(Fused::new(vec![twice(), twice()], 1, 10).is_none());
    }

    #[test]
    fn a_call_with_other_outputs_is_an_error() {
        let both = [Read::Row(0, 4), Read::Row(0, 4)];
        let operations = (0..2).map(|out| operation(sum(0.0), &both, Range::Row, Some(out)));
        let fused = Fused::new(operations.collect(), 1, 8).unwrap();
        let x = [1.0f32; 8];
        let mut room = crate::serial::Workspace::new(fused.workspace());
        let mut attempt = |lengths: [usize; 2]| {
            let mut filled = lengths.map(|len| vec![0.0f32; len]);
            let row = |pointer, length| RawBuffer { pointer, length };
            let mut table = vec![row(x.as_ptr().cast(), 32)];
            table.extend(filled.iter_mut().map(|out| row(out.as_mut_ptr().cast(), 4 * out.len())));
            let writes = [Chunking { row: 1, chunk: 32 }, Chunking { row: 2, chunk: 32 }];
            // SAFETY: rows are of slices that live, outputs of vectors that nothing else touches
            // meanwhile.
            let mut call = unsafe { Call::new(&table, &[0], &writes, room.bytes(), 0, 0) };
            fused.run(&mut call)
        };
        assert!(attempt([8, 8]).is_ok());
        assert!(attempt([8, 5]).is_err());
    }
}
