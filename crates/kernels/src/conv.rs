//! Convolutions of images `[N, H, W, C]` with filters `[h, w, C / groups, F]`, and their gradients.
//!
//! A module for each layout of the images, and in it a file for each direction; the forward
//! convolution and the gradient with respect to the images are one correlation.
//!
//! | module | images | which convolutions |
//! |---|---|---|
//! | `nhwc16n` | in blocks of sixteen | many images, one group, no dilation |
//! | `nhwc` | row-major | few images, one group, no dilation |
//! | `reference` | row-major | all others |
//!
//! The three directions are one bilinear form, `Σ x · w · y` over all places and taps, with one of
//! the three factors left out: the forward convolution computes the factor y, the gradients x and
//! w.

mod axis;
mod nhwc;
mod nhwc16n;
mod padded;
mod partials;
mod reference;

use crate::chain::Chain;
use crate::lanes::Float;
use crate::launch::{Cost, Kernel, Layout, Source, Target};
use crate::layout::Reorder;
use crate::sliding::Sliding;

pub use nhwc16n::ChannelSum;
pub(crate) use nhwc16n::channel_sum;

/// The factor that a kernel computes of a convolution
/// `y[n, i, j, f] = Σ x[n, i · stride + p · dilation - before, .., c] · w[p, q, c, f]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The result y, from x and w.
    Forward,
    /// The gradient with respect to the images x, from w and the gradient with respect to y.
    BackwardInput,
    /// The gradient with respect to the filter w, from x and the gradient with respect to y.
    BackwardFilter,
}

/// The sizes of a convolution, which are known to fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Images in the batch, N.
    pub images: usize,
    /// The filter's rows sliding over the images' rows.
    pub rows: Sliding,
    /// The filter's columns sliding over the images' columns.
    pub columns: Sliding,
    /// Channels of the images, C.
    pub channels: usize,
    /// Channels of the result, F.
    pub filters: usize,
    /// Groups into which both are divided evenly: filters see the channels of their own group.
    pub groups: usize,
}

impl Convolution {
    /// True if there is one group, no dilation, a stride that is not out of all proportion to the
    /// sizes, and anything to compute.
    fn is_plain(&self) -> bool {
        /// The ways back lay out a filter for each of as many pixels.
        const STRIDE: usize = 16;
        let (rows, columns) = (self.rows, self.columns);
        let sizes = [rows.input, rows.output, columns.input, columns.output];
        self.groups == 1
            && (rows.dilation, columns.dilation) == (1, 1)
            && rows.stride.max(columns.stride) <= STRIDE
            && self.images * self.channels * self.filters > 0
            && !sizes.contains(&0)
    }

    /// The number of multiplications, with those by SAME padding's zeros. It is a float, since the
    /// product of sizes that fit a `usize` may not.
    fn multiplications(&self) -> f64 {
        let places = [self.images, self.rows.output, self.columns.output];
        let taps = [self.rows.window, self.columns.window];
        let channels = [self.channels / self.groups.max(1), self.filters];
        [&places[..], &taps, &channels].concat().into_iter().map(|size| size as f64).product()
    }

    /// The cost of a kernel that reads and writes all three arrays once.
    fn cost<T>(&self) -> Cost {
        let elements = (self.input_len() + self.filter_len() + self.output_len()) as f64;
        Cost { flops: 2.0 * self.multiplications(), bytes: elements * size_of::<T>() as f64 }
    }

    /// Channels that a filter sees.
    fn group_channels(&self) -> usize {
        self.channels / self.groups
    }

    /// Filters of one group.
    fn group_filters(&self) -> usize {
        self.filters / self.groups
    }

    /// Elements of the images.
    pub fn input_len(&self) -> usize {
        self.images * self.rows.input * self.columns.input * self.channels
    }

    /// Elements of the filter.
    pub fn filter_len(&self) -> usize {
        self.rows.window * self.columns.window * self.group_channels() * self.filters
    }

    /// Elements of the result.
    pub fn output_len(&self) -> usize {
        self.images * self.rows.output * self.columns.output * self.filters
    }

    /// Makes the kernel whose images, operands as well as results, are in a layout. The filter is
    /// row-major.
    ///
    /// # Panics
    /// The layout is [`Layout::Nhwc16n`] and there are groups, a dilation or no elements: never
    /// where [`prefers_blocks`](Self::prefers_blocks) is true.
    pub fn kernel<T: Float>(self, propagation: Propagation, layout: Layout) -> Kernel {
        T::convolution(self, propagation, layout)
    }

    /// The whole rows of an image that one part fills: enough for some ten microseconds of
    /// arithmetic, and whole images where several are as much. `rows` is the number of rows of an
    /// image, `each` the number of multiplications of one.
    fn rows_in_part(&self, rows: usize, each: f64) -> usize {
        /// Multiplications that take about ten microseconds.
        const WORTH: f64 = (1 << 19) as f64;
        let all = (self.images * rows).max(1);
        let least = ((WORTH / each.max(1.0)).ceil() as usize).clamp(1, all);
        if least > rows / 2 {
            least.next_multiple_of(rows.max(1)).min(all)
        } else {
            rows.div_ceil(rows / least)
        }
    }
}

pub(crate) fn kernel<T: Float>(
    conv: Convolution,
    propagation: Propagation,
    layout: Layout,
) -> Kernel {
    match layout {
        Layout::Nhwc16n => {
            assert!(conv.is_plain(), "{conv:?} has no kernel for images in blocks");
            nhwc16n::kernel::<T>(conv, propagation)
        }
        Layout::RowMajor if conv.prefers_blocks() => reordered::<T>(conv, propagation),
        Layout::RowMajor if conv.is_plain() => nhwc::kernel::<T>(conv, propagation),
        Layout::RowMajor => reference::kernel::<T>(conv, propagation),
    }
}

/// The kernel for images in blocks, between reorders of what it reads and of what it gives.
fn reordered<T: Float>(conv: Convolution, propagation: Propagation) -> Kernel {
    let size = size_of::<T>();
    let (x, y) = (conv.input_reorder(), conv.output_reorder());
    let mut chain = Chain::new();
    let reorder = |chain: &mut Chain, images: Reorder, operand: usize| {
        let blocks = chain.scratch(images.len() * size);
        let from = [Source::Operand(operand)];
        chain.append(images.to(Layout::Nhwc16n, size), &from, Target::Scratch(blocks));
        Source::Scratch(blocks)
    };
    let (operands, result) = match propagation {
        Propagation::Forward => ([reorder(&mut chain, x, 0), Source::Operand(1)], Some(y)),
        Propagation::BackwardInput => ([Source::Operand(0), reorder(&mut chain, y, 1)], Some(x)),
        Propagation::BackwardFilter => {
            ([reorder(&mut chain, x, 0), reorder(&mut chain, y, 1)], None)
        }
    };
    let kernel = nhwc16n::kernel::<T>(conv, propagation);
    match result {
        None => chain.append(kernel, &operands, Target::Output),
        Some(images) => {
            let blocks = chain.scratch(images.len() * size);
            chain.append(kernel, &operands, Target::Scratch(blocks));
            let from = [Source::Scratch(blocks)];
            chain.append(images.to(Layout::RowMajor, size), &from, Target::Output);
        }
    }
    chain.finish()
}

#[cfg(test)]
mod tests;
