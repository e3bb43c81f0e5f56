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

use smallvec::SmallVec;

use crate::broadcast::Broadcast;
use crate::element::Element;
use crate::launch::{ALIGNMENT, Call, Chunking, Failure, Function, OutputChunk, RawBuffer};
use crate::layout;

/// What the values that are alive in a tile take together: most of a first-level cache.
const TILES: usize = 32 * 1024;
/// The longest tile, in elements.
const LONGEST: usize = 2048;
/// The shortest one: below, calling the loops takes longer than running them.
const SHORTEST: usize = 128;

/// What an operation reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// An input of the call, as a whole.
    Whole(u32),
    /// The elements of an input that are in the tile's place; each has so many bytes.
    Row(u32, u32),
    /// The result of an earlier operation: its elements in the tile's place.
    Made(u32),
}

/// Which elements a call of an operation makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Those of a whole part, before the tiles begin: the first operation only. It needs so many
    /// bytes to work in.
    Part {
        /// Its [`Step::workspace`](crate::launch::Step::workspace).
        workspace: usize,
    },
    /// Those of a tile, told where it starts.
    Piece {
        /// After so many elements the result repeats itself.
        period: Option<usize>,
    },
    /// Those of a tile, as of any row.
    Row,
}

/// One of the loops.
pub struct Operation {
    /// The loop.
    pub run: Function,
    /// What it reads, in the order in which it counts its inputs.
    pub reads: SmallVec<[Read; 3]>,
    /// The bytes of an element of its result.
    pub size: usize,
    /// Which elements a call makes.
    pub span: Span,
    /// Which output of the call its result is, if it is one.
    pub output: Option<u32>,
}

impl Operation {
    /// An input of elements of `size` bytes and of sizes `from`, repeated along dimensions of size
    /// 1 to fill `dims`.
    ///
    /// # Panics
    /// If `from` does not broadcast to `dims`.
    pub fn broadcast(input: u32, size: usize, from: &[usize], dims: &[usize]) -> Self {
        let plan = Broadcast::new(dims, [from]);
        let lead = dims.len() - from.len();
        let first = from.iter().position(|&dim| dim != 1).unwrap_or(from.len());
        let run: Function = match size {
            1 => Box::new(move |call| spread::<u8>(&plan, call)),
            4 => Box::new(move |call| spread::<i32>(&plan, call)),
            _ => Box::new(move |call| spread::<i64>(&plan, call)),
        };
        Self {
            run,
            reads: SmallVec::from_slice(&[Read::Whole(input)]),
            size,
            span: Span::Piece { period: Some(dims[lead + first..].iter().product()) },
            output: None,
        }
    }
}

fn spread<T: Element>(plan: &Broadcast<1>, call: &mut Call<'_>) -> Result<(), Failure> {
    let (x, start) = (call.input::<T>(0), call.start::<T>());
    layout::broadcast_to(plan, x, call.output(), start);
    Ok(())
}

/// Where the result of an operation is made.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the workspace from this byte on, the elements of the tile.
    Tile(usize),
    /// In the workspace from this byte on, the elements of the part.
    Part(usize),
    /// In its output.
    Output(usize),
}

struct Planned {
    run: Function,
    /// Rows of the table of a tile.
    reads: SmallVec<[u32; 4]>,
    size: usize,
    span: Span,
    place: Place,
}

/// Operations that run together.
pub struct Fused {
    operations: Vec<Planned>,
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
        let made = |read: &Read| match *read {
            Read::Made(index) => Some(index as usize),
            _ => None,
        };
        let mut outputs: SmallVec<[u32; 6]> =
            operations.iter().filter_map(|operation| operation.output).collect();
        outputs.sort_unstable();
        if outputs.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        let mut rows: Vec<(u32, usize)> = Vec::new();
        let mut last_use: Vec<usize> = (0..operations.len()).collect();
        for (index, operation) in operations.iter().enumerate() {
            let valid = |read: &Read| match *read {
                Read::Whole(input) | Read::Row(input, _) => (input as usize) < inputs,
                Read::Made(earlier) => (earlier as usize) < index,
            };
            let misplaced = match operation.span {
                Span::Part { .. } => index > 0,
                Span::Piece { period } => period == Some(0),
                Span::Row => false,
            };
            if !operation.reads.iter().all(valid) || operation.size == 0 || misplaced {
                return None;
            }
            for read in &operation.reads {
                if let Read::Row(input, size) = *read
                    && !rows.contains(&(input, size as usize))
                {
                    rows.push((input, size as usize));
                }
            }
            for earlier in operation.reads.iter().filter_map(made) {
                last_use[earlier] = index;
            }
        }
        // Slots of the workspace, by the bytes of an element; a free one is taken again.
        let mut slots: Vec<usize> = Vec::new();
        let mut free: Vec<usize> = Vec::new();
        let mut slot_of: Vec<Option<usize>> = vec![None; operations.len()];
        for (index, operation) in operations.iter().enumerate() {
            if operation.output.is_none() && !matches!(operation.span, Span::Part { .. }) {
                let repeats = matches!(operation.span, Span::Piece { period: Some(_) });
                // What repeats itself is made once for many tiles, in a slot that is its own.
                let found = free.iter().position(|&slot| slots[slot] == operation.size && !repeats);
                slot_of[index] = Some(match found {
                    Some(found) => free.swap_remove(found),
                    None => {
                        slots.push(operation.size);
                        slots.len() - 1
                    }
                });
            }
            let mut over: SmallVec<[usize; 4]> = operation.reads.iter().filter_map(made).collect();
            over.sort_unstable();
            over.dedup();
            for earlier in over {
                let repeats = matches!(operations[earlier].span, Span::Piece { period: Some(_) });
                if last_use[earlier] == index && !repeats {
                    free.extend(slot_of[earlier]);
                }
            }
        }
        let outputs = operations.iter().filter(|operation| operation.output.is_some());
        let bytes = slots.iter().sum::<usize>()
            + rows.iter().map(|(_, size)| size).sum::<usize>()
            + outputs.map(|operation| operation.size).sum::<usize>();
        let tile = tile(bytes, part, &operations);

        let aligned = |bytes: usize| bytes.next_multiple_of(ALIGNMENT);
        let mut workspace = 0;
        let places: Vec<usize> = slots
            .iter()
            .map(|size| {
                let place = workspace;
                workspace += aligned(tile * size);
                place
            })
            .collect();
        let table = inputs + rows.len();
        let mut planned = Vec::with_capacity(operations.len());
        for (index, operation) in operations.into_iter().enumerate() {
            let place = match (operation.output, slot_of[index]) {
                (Some(output), _) => Place::Output(output as usize),
                (None, Some(slot)) => Place::Tile(places[slot]),
                (None, None) => {
                    let place = workspace;
                    workspace += aligned(part * operation.size);
                    Place::Part(place)
                }
            };
            let reads = operation.reads.iter().map(|read| match *read {
                Read::Whole(input) => input,
                Read::Row(input, size) => {
                    let row = rows.iter().position(|row| *row == (input, size as usize));
                    (inputs + row.unwrap_or(0)) as u32
                }
                Read::Made(earlier) => table as u32 + earlier,
            });
            planned.push(Planned {
                reads: reads.collect(),
                run: operation.run,
                size: operation.size,
                span: operation.span,
                place,
            });
        }
        // The host's own room comes last.
        if let Some(Span::Part { workspace: own }) =
            planned.first().map(|operation: &Planned| operation.span)
        {
            workspace += aligned(own);
        }
        Some(Self { operations: planned, inputs, rows, part, tile, workspace })
    }

    /// The bytes that a call needs to work in.
    pub fn workspace(&self) -> usize {
        self.workspace
    }

    /// The bytes that it holds beyond itself: its loops, as far as they are known.
    pub fn held_bytes(&self) -> usize {
        let loops = self.operations.iter().map(|operation| size_of_val(&*operation.run));
        self.operations.capacity() * size_of::<Planned>()
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
    /// What the host says; a call whose outputs or workspace are not those that the loop was made
    /// for.
    pub fn run(&self, call: &mut Call<'_>) -> Result<(), Failure> {
        let (part, draw) = (call.part(), call.run_counter());
        let (inputs, outputs, workspace) = call.split();
        let pieces: SmallVec<[Output; 6]> = outputs.into_iter().map(Output::new).collect();
        let mut filled = self.operations.iter().filter_map(|operation| match operation.place {
            Place::Output(output) => Some((pieces.get(output).copied(), operation.size)),
            _ => None,
        });
        // Elements of the part and where they start: the same for every output.
        let span = |(piece, size): (Option<Output>, usize)| {
            let piece = piece.filter(|piece| piece.length.is_multiple_of(size))?;
            Some((piece.offset / size, piece.length / size))
        };
        let first = filled.next().and_then(span);
        let fits = |&(_, len): &(usize, usize)| {
            len <= self.part && inputs.len() == self.inputs && workspace.len() >= self.workspace
        };
        let Some((start, len)) =
            first.filter(fits).filter(|_| filled.all(|output| span(output) == first))
        else {
            return Err(Failure("internal: a fused loop is called for what it is not".to_owned()));
        };
        let workspace = workspace.as_mut_ptr();
        // Whole inputs, inputs of the tile, results.
        let made = self.inputs + self.rows.len();
        let mut table: SmallVec<[RawBuffer; 48]> =
            (0..self.inputs).map(|input| inputs.row(input)).collect();
        table.resize(made + self.operations.len(), RawBuffer::EMPTY);
        // By operation that repeats itself: where in its period what it has made begins, and how
        // long that is.
        let mut repeated: SmallVec<[(usize, usize); 24]> =
            SmallVec::from_elem((0, 0), self.operations.len());
        let mut at = 0;
        while at < len {
            let elements = self.tile.min(len - at);
            for (row, &(input, size)) in self.rows.iter().enumerate() {
                let bytes = inputs.get::<u8>(input as usize);
                let first = (start + at) * size;
                let bytes = &bytes[first..first + elements * size];
                table[self.inputs + row] =
                    RawBuffer { pointer: bytes.as_ptr(), length: bytes.len() };
            }
            for (index, operation) in self.operations.iter().enumerate() {
                let row = made + index;
                let size = operation.size;
                // SAFETY: a tile and a part lie inside the workspace, which was laid out for them
                // and is large enough; every piece of an output has `len` elements: both were
                // checked above.
                let (whole, pointer) = unsafe {
                    match operation.place {
                        Place::Tile(place) => (workspace, workspace.add(place)),
                        Place::Part(place) => {
                            (workspace.add(place), workspace.add(place + at * size))
                        }
                        Place::Output(output) => {
                            let piece = &pieces[output];
                            (piece.pointer, piece.pointer.add(at * size))
                        }
                    }
                };
                let tile = RawBuffer { pointer, length: elements * size };
                let (first, room) = match operation.span {
                    Span::Part { .. } if at > 0 => {
                        table[row] = tile;
                        continue;
                    }
                    Span::Part { workspace: own } => {
                        table[row] = RawBuffer { pointer: whole, length: len * size };
                        (start * size, own)
                    }
                    Span::Piece { period: Some(period) } => {
                        table[row] = tile;
                        let phase = (start + at) % period;
                        let (before, length) = repeated[index];
                        if matches!(operation.place, Place::Tile(_))
                            && before == phase
                            && length >= elements
                        {
                            continue;
                        }
                        repeated[index] = (phase, elements);
                        ((start + at) * size, 0)
                    }
                    Span::Piece { period: None } => {
                        table[row] = tile;
                        ((start + at) * size, 0)
                    }
                    Span::Row => {
                        table[row] = tile;
                        (0, 0)
                    }
                };
                let own = match operation.span {
                    // SAFETY: the host's room lies at the end of the workspace.
                    Span::Part { .. } => unsafe {
                        workspace.add(self.workspace - room.next_multiple_of(ALIGNMENT))
                    },
                    _ => workspace,
                };
                // SAFETY: rows of inputs are readable, as those of the call; rows of results point
                // into the workspace or into pieces of outputs, which are this part's alone, and
                // were filled by earlier operations. The row that is filled is none of those read:
                // a result's slot is taken while those of its operands are. The host's room
                // overlaps neither.
                unsafe {
                    let room = std::slice::from_raw_parts_mut(own, room);
                    let writes = [Chunking::whole(row as u32)];
                    let mut call =
                        Call::window(&table, &operation.reads, &writes, room, part, first, draw);
                    (operation.run)(&mut call)?;
                }
                table[row] = tile;
            }
            at += elements;
        }
        Ok(())
    }
}

/// A piece of an output, without its lifetime.
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

/// The elements of a tile: as many as the cache holds, and a multiple of what repeats itself, so
/// that it is made once.
fn tile(bytes: usize, part: usize, operations: &[Operation]) -> usize {
    let most = (TILES / bytes.max(1)).clamp(SHORTEST, LONGEST).min(part.max(1));
    let mut step = 16;
    for operation in operations {
        if let Span::Piece { period: Some(period) } = operation.span {
            let (a, b) = (step.max(1), period.max(1));
            let common = a / gcd(a, b) * b;
            if common <= most {
                step = common;
            }
        }
    }
    if most < step { most } else { most / step * step }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
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

    fn operation(run: Function, reads: &[Read], span: Span, output: Option<u32>) -> Operation {
        Operation { run, reads: reads.into(), size: 4, span, output }
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
                operation(twice(), &[Read::Whole(0)], Span::Part { workspace: 100 }, None),
                Operation::broadcast(1, 4, &[period], &[rows, period]),
                operation(sum(0.0), &[Read::Made(0), Read::Made(1)], Span::Row, Some(1)),
                operation(sum(1.0), &[Read::Made(2), Read::Row(2, 4)], Span::Row, None),
                operation(sum(2.0), &[Read::Made(3), Read::Made(0)], Span::Row, Some(0)),
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
        let later = operation(sum(0.0), &[Read::Made(0)], Span::Row, Some(0));
        assert!(Fused::new(vec![later], 1, 10).is_none());
        let absent = operation(sum(0.0), &[Read::Row(1, 4)], Span::Row, Some(0));
        assert!(Fused::new(vec![absent], 1, 10).is_none());
        let twice = || operation(sum(0.0), &[Read::Row(0, 4), Read::Row(0, 4)], Span::Row, Some(0));
        assert!(Fused::new(vec![twice(), twice()], 1, 10).is_none());
    }

    #[test]
    fn a_call_with_other_outputs_is_an_error() {
        let both = [Read::Row(0, 4), Read::Row(0, 4)];
        let operations = (0..2).map(|out| operation(sum(0.0), &both, Span::Row, Some(out)));
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
