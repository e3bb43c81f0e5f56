//! Convolutions of images in blocks of sixteen ([`Layout::Nhwc16n`]): sixteen images at once in
//! registers.

mod backward_filter;
pub(crate) mod channel_sum;
mod correlation;
mod lines;
mod tile;

use std::ops::Range;

pub use channel_sum::ChannelSum;

use super::axis::Direction;
use super::{Convolution, Propagation};
use crate::element::Real;
use crate::lanes::Float;
use crate::launch::{Kernel, Layout};
use crate::layout::Reorder;

/// Images of a block.
const BLOCK: usize = Layout::BLOCK;

/// True if so many images fill two thirds of their blocks: with fewer, the kernels for row-major
/// images are faster.
fn pays(images: usize) -> bool {
    images > 0 && 3 * images >= 2 * images.next_multiple_of(BLOCK)
}

/// Places of a block of images that are added up.
struct Places {
    block: usize,
    /// The places, counted from the block's first.
    range: Range<usize>,
    /// Images of the block.
    images: usize,
}

/// The places of a range counted through all blocks, `each` of them in a block, block by block. A
/// block that is not full comes first: what its lanes beyond the images add up to has to be
/// forgotten before the others are added.
fn places_of(range: Range<usize>, each: usize, images: usize) -> impl Iterator<Item = Places> {
    let blocks = range.start / each.max(1)..range.end.div_ceil(each.max(1));
    let partial = blocks.end * BLOCK > images && !blocks.is_empty();
    let first = usize::from(partial);
    (0..blocks.len()).map(move |i| {
        let block = if i < first { blocks.end - 1 } else { blocks.start + i - first };
        let from = block * each;
        Places {
            block,
            range: range.start.max(from) - from..range.end.min(from + each) - from,
            images: (images - block * BLOCK).min(BLOCK),
        }
    })
}

/// Set the lanes of sums beyond so many images to zero.
#[inline(always)]
fn forget<T: Real>(images: usize, sums: &mut [T]) {
    if images < BLOCK {
        for line in sums.chunks_exact_mut(BLOCK) {
            line[images..].fill(T::ZERO);
        }
    }
}

/// The sums of the rows of an array `[rows, width]`, those from column `start` on.
#[inline(always)]
fn add_rows<T: Real>(x: &[T], out: &mut [T], width: usize, start: usize) {
    out.fill(T::ZERO);
    for row in x.chunks_exact(width) {
        for (o, &x) in out.iter_mut().zip(&row[start..]) {
            *o = *o + x;
        }
    }
}

impl Convolution {
    /// True if the kernels compute in [`Layout::Nhwc16n`] whatever the images' layout is: there are
    /// images enough and the convolution is one of those that have such loops. Then row-major
    /// images are reordered before and the result after, and both layouts give the same numbers,
    /// bit for bit.
    pub fn prefers_blocks(&self) -> bool {
        pays(self.images) && self.is_plain()
    }

    /// The reorder of the images.
    pub fn input_reorder(&self) -> Reorder {
        let row = self.rows.input * self.columns.input * self.channels;
        Reorder { images: self.images, row }
    }

    /// The reorder of the result.
    pub fn output_reorder(&self) -> Reorder {
        let row = self.rows.output * self.columns.output * self.filters;
        Reorder { images: self.images, row }
    }
}

pub(super) fn kernel<T: Float>(conv: Convolution, propagation: Propagation) -> Kernel {
    match propagation {
        Propagation::Forward => correlation::kernel::<T>(conv, Direction::Forward),
        Propagation::BackwardInput => correlation::kernel::<T>(conv, Direction::Backward),
        Propagation::BackwardFilter => backward_filter::kernel::<T>(conv),
    }
}
