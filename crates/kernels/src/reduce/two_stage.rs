//! Large reductions to few elements, in two steps so that the first can be cut into parts.

use super::{Operation, Reduction, finish, kept_in_front};
use crate::element::Number;
use crate::launch::Failure;

/// A reduction cut into blocks along its outermost reduced dimension: the first stage reduces each
/// block into a row of a scratch buffer `[entries, blocks, outputs]`, the second the rows of each
/// entry. Entries are what kept dimensions in front tell apart, the images of a batch for instance;
/// how many blocks there are follows from the shape of one, so that it is reduced alike alone and
/// with others.
#[derive(Clone, Debug)]
pub struct TwoStage {
    blocks: usize,
    /// Elements of the result of one entry.
    outputs: usize,
    /// Input elements from one entry to the next.
    entry: usize,
    /// Input elements from one block to the next.
    stride: usize,
    block: Reduction,
    last: Reduction,
    combine: Reduction,
    count: usize,
}

impl TwoStage {
    /// The two stages of the reduction of `dims` over `axes`, or `None` where one stage does as
    /// well: of one entry there are too few elements, or its result is large enough to be cut
    /// itself. Not for the mean of integers, whose partial sums need not fit their type.
    pub fn new(dims: &[usize], axes: &[usize]) -> Option<Self> {
        /// Input elements that a block reads, at least.
        const BLOCK: usize = 64 * 1024;
        let (front, rest_axes) = kept_in_front(dims, axes);
        let (front, dims) = dims.split_at(front);
        let axes = &rest_axes[..];
        let entries: usize = front.iter().product();
        // All leading dimensions that are reduced count as one.
        let kept = (0..dims.len()).find(|axis| dims[*axis] != 1 && !axes.contains(axis));
        let lead = kept.unwrap_or(dims.len());
        let rows: usize = dims[..lead].iter().product();
        let width: usize = dims[lead..].iter().product();
        let whole = Reduction::new(dims, axes);
        if entries == 0
            || rows <= 1
            || width == 0
            || rows * width < 4 * BLOCK
            || whole.outputs() > BLOCK / 8
        {
            return None;
        }
        let each = BLOCK.div_ceil(width).min(rows);
        let blocks = rows.div_ceil(each);
        if blocks < 2 {
            return None;
        }
        let rest_axes = axes.iter().filter(|&&axis| axis >= lead).map(|axis| axis - lead + 1);
        let rest_axes: Vec<usize> = std::iter::once(0).chain(rest_axes).collect();
        let shape = |rows| {
            let shape: Vec<usize> =
                std::iter::once(rows).chain(dims[lead..].iter().copied()).collect();
            Reduction::new(&shape, &rest_axes)
        };
        Some(Self {
            blocks,
            outputs: whole.outputs(),
            entry: rows * width,
            stride: each * width,
            block: shape(each),
            last: shape(rows - (blocks - 1) * each),
            combine: Reduction::new(&[entries, blocks, whole.outputs()], &[1]),
            count: whole.count(),
        })
    }

    /// The number of elements of the scratch buffer, `entries · blocks · outputs`.
    pub fn scratch(&self) -> usize {
        self.blocks * self.combine.outputs()
    }

    /// A fitting number of elements of the scratch buffer for one part: those of one block.
    pub fn chunk(&self) -> usize {
        self.outputs
    }

    /// The first stage: fill `out`, the piece of the scratch buffer from element `start` on.
    ///
    /// # Errors
    /// None; the signature is that of [`Reduction::run`].
    pub fn partials<T: Number>(
        &self,
        operation: Operation,
        x: &[T],
        out: &mut [T],
        start: usize,
    ) -> Result<(), Failure> {
        let outputs = self.outputs;
        let mut done = 0;
        while done < out.len() {
            let (row, column) = ((start + done) / outputs, (start + done) % outputs);
            let (entry, block) = (row / self.blocks, row % self.blocks);
            let count = (outputs - column).min(out.len() - done);
            let plan = if block + 1 == self.blocks { &self.last } else { &self.block };
            let x = &x[entry * self.entry + block * self.stride..];
            plan.accumulate(operation, x, &mut out[done..done + count], column)?;
            done += count;
        }
        Ok(())
    }

    /// The second stage: reduce the scratch buffer into `out`, the piece of the result from element
    /// `start` on.
    ///
    /// # Errors
    /// None; the signature is that of [`Reduction::run`].
    pub fn combine<T: Number>(
        &self,
        operation: Operation,
        scratch: &[T],
        out: &mut [T],
        start: usize,
    ) -> Result<(), Failure> {
        self.combine.accumulate(operation, scratch, out, start)?;
        finish(operation, out, self.count);
        Ok(())
    }
}
