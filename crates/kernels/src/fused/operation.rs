//! The operations of a fused loop: loops, what they read and which elements they make.

use smallvec::SmallVec;

use crate::broadcast::Broadcast;
use crate::element::Element;
use crate::launch::{Call, Failure, Function};
use crate::layout;

/// An operand of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// An input of the call, as a whole.
    Whole(u32),
    /// The elements of an input that are in the tile's range; each has so many bytes.
    Row(u32, u32),
    /// The value that an earlier operation makes: its elements in the tile's range.
    Value(u32),
}

/// The elements that a call of an operation makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Those of a whole part, before the tiles begin: the first operation only. It needs so many
    /// bytes to work in.
    Part {
        /// Its [`Step::workspace`](crate::launch::Step::workspace).
        workspace: usize,
    },
    /// Those of a tile, told where it starts.
    Tile {
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
    /// Its operands, in the order in which it counts its inputs.
    pub reads: SmallVec<[Read; 3]>,
    /// The bytes of an element of its result.
    pub size: usize,
    /// The elements that a call makes.
    pub range: Range,
    /// The output of the call that its result is, if it is one.
    pub output: Option<u32>,
}

impl Operation {
    /// The operations whose results it reads.
    pub(super) fn values(&self) -> impl Iterator<Item = usize> {
        self.reads.iter().filter_map(|read| match *read {
            Read::Value(index) => Some(index as usize),
            _ => None,
        })
    }

    /// True if its result repeats itself, so that it is made once for many tiles.
    pub(super) fn repeats(&self) -> bool {
        matches!(self.range, Range::Tile { period: Some(_) })
    }

    /// True if it can be number `index` of the operations of a call of `inputs` inputs.
    pub(super) fn is_valid_at(&self, index: usize, inputs: usize) -> bool {
        let is_there = |read: &Read| match *read {
            Read::Whole(input) | Read::Row(input, _) => (input as usize) < inputs,
            Read::Value(earlier) => (earlier as usize) < index,
        };
        let is_misplaced = match self.range {
            Range::Part { .. } => index > 0,
            Range::Tile { period } => period == Some(0),
            Range::Row => false,
        };
        self.reads.iter().all(is_there) && self.size > 0 && !is_misplaced
    }

    /// A loop that repeats an input along its dimensions of size 1, to fill `dims`. The input has
    /// the sizes `from` and elements of `size` bytes.
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
            range: Range::Tile { period: Some(dims[lead + first..].iter().product()) },
            output: None,
        }
    }
}

fn spread<T: Element>(plan: &Broadcast<1>, call: &mut Call<'_>) -> Result<(), Failure> {
    let (x, start) = (call.input::<T>(0), call.start::<T>());
    layout::broadcast_to(plan, x, call.output(), start);
    Ok(())
}
