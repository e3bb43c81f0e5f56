//! Convolutions of images `[N, H, W, C]` with filters `[h, w, C / groups, F]`, and their gradients.
//!
//! The three are one bilinear form, `Σ x · w · y` over all places and taps, with one of the three
//! factors left out: the forward convolution gives what stands for y, the gradients what stands for
//! x and for w.

mod axis;
mod correlation;
mod filter;
mod general;
pub mod interleaved;
mod padded;
mod partials;

use crate::lanes::Float;
use crate::launch::{Cost, Kernel, Source, Target};
use crate::sliding::Sliding;
use interleaved::{Chain, Interleaved};

/// Which of the form's factors a kernel gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// y, from x and w.
    Forward,
    /// x, from w and y.
    InputGradient,
    /// w, from x and y.
    FilterGradient,
}

/// How images lie in the arrays of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One after the other.
    Apart,
    /// As [`interleaved`] describes.
    Interleaved,
}

/// A convolution: sizes that are known to fit together.
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
    /// True if there is one group, no dilation, a stride that is not out of all proportion, and
    /// something to do.
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

    /// Multiplications with SAME padding counted, as a float since the product of sizes that fit
    /// need not.
    fn multiplications(&self) -> f64 {
        let places = [self.images, self.rows.output, self.columns.output];
        let taps = [self.rows.window, self.columns.window];
        let channels = [self.channels / self.groups.max(1), self.filters];
        [&places[..], &taps, &channels].concat().into_iter().map(|size| size as f64).product()
    }

    /// The work, for kernels that read and write all three arrays once.
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

    /// From `x` and `w`:
    /// `y[n, i, j, f] = Σ x[n, i · stride + p · dilation - before, .., c] · w[p, q, c, f]`.
    pub fn forward<T: Float>(self) -> Kernel {
        T::convolution(self, Form::Forward, Layout::Apart)
    }

    /// From `w` and `y`: what stands for x in the form, the gradient with respect to the images if
    /// y is the result's.
    pub fn input_gradient<T: Float>(self) -> Kernel {
        T::convolution(self, Form::InputGradient, Layout::Apart)
    }

    /// From `x` and `y`: what stands for w in the form, the gradient with respect to the filter if
    /// y is the result's.
    pub fn filter_gradient<T: Float>(self) -> Kernel {
        T::convolution(self, Form::FilterGradient, Layout::Apart)
    }

    /// Whole rows of an image that one part fills: enough for some ten microseconds of arithmetic,
    /// and whole images where several are as much. `rows` is how many rows an image has, `each` the
    /// multiplications of one.
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

pub(crate) fn kernel<T: Float>(conv: Convolution, form: Form, layout: Layout) -> Kernel {
    if layout == Layout::Interleaved {
        assert!(conv.is_plain(), "{conv:?} has no kernel for interleaved images");
        return interleaved::kernel::<T>(conv, form);
    }
    if conv.prefers_interleaved() {
        return between_layouts::<T>(conv, form);
    }
    match (form, conv.is_plain()) {
        (Form::Forward, true) => correlation::forward::<T>(conv),
        (Form::Forward, false) => general::forward::<T>(conv),
        (Form::InputGradient, true) => correlation::input_gradient::<T>(conv),
        (Form::InputGradient, false) => general::input_gradient::<T>(conv),
        (Form::FilterGradient, true) => filter::gradient::<T>(conv),
        (Form::FilterGradient, false) => general::filter_gradient::<T>(conv),
    }
}

/// The kernel for interleaved images between kernels that interleave what it reads and put one
/// after the other what it gives.
fn between_layouts<T: Float>(conv: Convolution, form: Form) -> Kernel {
    let (x, y) = (conv.input_layout(), conv.output_layout());
    let mut chain = Chain::new();
    let interleave = |chain: &mut Chain, images: Interleaved, operand: usize| {
        let lines = chain.scratch(images.len() * size_of::<T>());
        let from = [Source::Operand(operand)];
        chain.append(images.interleave::<T>(), &from, Target::Scratch(lines));
        Source::Scratch(lines)
    };
    let (operands, result) = match form {
        Form::Forward => ([interleave(&mut chain, x, 0), Source::Operand(1)], Some(y)),
        Form::InputGradient => ([Source::Operand(0), interleave(&mut chain, y, 1)], Some(x)),
        Form::FilterGradient => {
            ([interleave(&mut chain, x, 0), interleave(&mut chain, y, 1)], None)
        }
    };
    let kernel = interleaved::kernel::<T>(conv, form);
    match result {
        None => chain.append(kernel, &operands, Target::Output),
        Some(images) => {
            let lines = chain.scratch(images.len() * size_of::<T>());
            chain.append(kernel, &operands, Target::Scratch(lines));
            let from = [Source::Scratch(lines)];
            chain.append(images.deinterleave::<T>(), &from, Target::Output);
        }
    }
    chain.finish()
}

#[cfg(test)]
mod tests;
