//! Sums over all places, cut into blocks that are summed at the same time.

use super::Convolution;

/// How the rows of the result, counted through all images, are cut into blocks, for each of which
/// the filter's gradient is summed by itself. Depends on the shape only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partials {
    /// Rows of a block; the last may have fewer.
    each: usize,
    all: usize,
    pub blocks: usize,
}

impl Partials {
    pub fn new(conv: &Convolution) -> Self {
        let all = conv.images * conv.rows.output;
        let each = conv.multiplications() / all.max(1) as f64;
        // Adding the blocks' sums is to cost little: a block does many times as many
        // multiplications as it has sums.
        let part = conv.rows_in_part(conv.rows.output, each);
        let enough = (32.0 * conv.filter_len() as f64 / each.max(1.0)).ceil() as usize;
        // So many products are added one after the other, and rounding errors grow with them.
        let accurate = (8192 / conv.columns.output.max(1)).max(enough).max(1);
        let each = part.max(enough.min(all)).max(all.div_ceil(64)).min(accurate).max(1);
        Self { each, all, blocks: all.div_ceil(each).max(1) }
    }

    /// The most rows of a block.
    pub fn most(&self) -> usize {
        self.each
    }

    /// The rows of a block.
    pub fn rows(&self, block: usize) -> std::ops::Range<usize> {
        let end = (block + 1) * self.each;
        (block * self.each).min(self.all)..end.min(self.all)
    }
}
