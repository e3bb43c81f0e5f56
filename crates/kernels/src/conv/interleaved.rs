//! Convolutions of images that lie next to each other number by number: sixteen images at once in
//! registers.
//!
//! An array `[N, R]` of N images with R numbers each, interleaved, is `[⌈N / 16⌉, R, 16]`: the
//! first number of sixteen images, then their second one, and so on. A line of sixteen is a
//! register or several on every processor, full whatever the images' channels are. The last block's
//! lanes beyond N hold anything.

mod chain;
pub(crate) mod channel_sum;
mod correlation;
mod filter;
mod layout;
mod lines;
mod square;
mod tile;

use std::ops::Range;

pub use chain::Chain;
pub use channel_sum::ChannelSum;

use super::axis::Direction;
use super::{Convolution, Form, Layout};
use crate::element::Real;
use crate::lanes::Float;
use crate::launch::Kernel;

/// Images that lie next to each other.
pub const LANES: usize = 16;

/// True if so many images fill lanes enough, two thirds of them: with fewer, the kernels for images
/// one after the other are faster.
fn pays(images: usize) -> bool {
    images > 0 && 3 * images >= 2 * images.next_multiple_of(LANES)
}

/// An array `[N, R]`, interleaved or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interleaved {
    /// Images, N.
    pub images: usize,
    /// Numbers of each, R.
    pub row: usize,
}

impl Interleaved {
    /// Blocks of sixteen images, the last of which may have fewer.
    pub fn blocks(&self) -> usize {
        self.images.div_ceil(LANES)
    }

    /// Elements when interleaved, those that lanes beyond N hold included.
    #[allow(clippy::len_without_is_empty)] // what it describes is not a collection
    pub fn len(&self) -> usize {
        self.blocks() * self.row * LANES
    }
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
    let partial = blocks.end * LANES > images && !blocks.is_empty();
    let first = usize::from(partial);
    (0..blocks.len()).map(move |i| {
        let block = if i < first { blocks.end - 1 } else { blocks.start + i - first };
        let from = block * each;
        Places {
            block,
            range: range.start.max(from) - from..range.end.min(from + each) - from,
            images: (images - block * LANES).min(LANES),
        }
    })
}

/// Set the lanes of sums beyond so many images to zero.
#[inline(always)]
fn forget<T: Real>(images: usize, sums: &mut [T]) {
    if images < LANES {
        for line in sums.chunks_exact_mut(LANES) {
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
    /// True if [`forward`](Self::forward) and the gradients go by way of interleaved images. Then
    /// the kernels for these give the same numbers, bit for bit, and there are kernels for them.
    pub fn prefers_interleaved(&self) -> bool {
        pays(self.images) && self.is_plain()
    }

    /// The images' layout.
    pub fn input_layout(&self) -> Interleaved {
        let row = self.rows.input * self.columns.input * self.channels;
        Interleaved { images: self.images, row }
    }

    /// The result's layout.
    pub fn output_layout(&self) -> Interleaved {
        let row = self.rows.output * self.columns.output * self.filters;
        Interleaved { images: self.images, row }
    }

    /// A kernel as [`forward`](Self::forward), [`input_gradient`](Self::input_gradient) and
    /// [`filter_gradient`](Self::filter_gradient) give, whose images and result are interleaved,
    /// operands as well as what it fills; the filter is as ever.
    ///
    /// # Panics
    /// For a convolution with groups or dilation or of no elements, never where
    /// [`prefers_interleaved`](Self::prefers_interleaved) says yes.
    pub fn interleaved<T: Float>(self, form: Form) -> Kernel {
        T::convolution(self, form, Layout::Interleaved)
    }
}

pub(super) fn kernel<T: Float>(conv: Convolution, form: Form) -> Kernel {
    match form {
        Form::Forward => correlation::kernel::<T>(conv, Direction::Forward),
        Form::InputGradient => correlation::kernel::<T>(conv, Direction::Backward),
        Form::FilterGradient => filter::kernel::<T>(conv),
    }
}
