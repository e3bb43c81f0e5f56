//! Sums over images and pixels, for each channel.

use std::ops::Range;

use smallvec::smallvec;

use super::lines::add_lines;
use super::{BLOCK, Places, add_rows, forget, pays, places_of};
use crate::dispatch::vectorized;
use crate::element::Real;
use crate::lanes::Float;
use crate::launch::{Cost, Kernel, Layout, Source, Step, Target};
use crate::matmul::pack::{self, blocks};

/// The sum of images `[N, P, C]` over N and P, such as the gradient with respect to a bias `[C]`.
///
/// Each of sixteen images and of some neighbouring pixels has a sum of its own, over all groups of
/// sixteen images and over every so many pixels; these are added in the end. It is the same in
/// every layout, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelSum {
    /// Images, N.
    pub images: usize,
    /// Pixels of an image, P.
    pub pixels: usize,
    /// Channels, C.
    pub channels: usize,
}

pub(crate) fn kernel<T: Float>(sum: ChannelSum, layout: Layout) -> Kernel {
    match layout {
        Layout::RowMajor => sum.steps::<T, false>(),
        Layout::Nhwc16n => sum.steps::<T, true>(),
    }
}

impl ChannelSum {
    /// True if there are images enough to fill most of their blocks, and anything to add.
    pub fn prefers_blocks(&self) -> bool {
        pays(self.images) && self.pixels * self.channels > 0
    }

    /// Makes the kernel from images in a layout to the sums `[C]`.
    pub fn kernel<T: Float>(self, layout: Layout) -> Kernel {
        T::channel_sum(self, layout)
    }

    /// Blocks of images.
    fn blocks(&self) -> usize {
        self.images.div_ceil(BLOCK)
    }

    /// Neighbouring pixels that have sums of their own, so that loops over their channels are not
    /// short.
    fn period(&self) -> usize {
        64usize.div_ceil(self.channels.max(1))
    }

    /// Pixels, counted through all blocks, that a part adds up.
    fn each(&self) -> usize {
        (2048 / self.channels.max(1)).max(1)
    }

    /// A kernel of two steps: sums of parts of the images, then their sum.
    fn steps<T: Float, const BLOCKED: bool>(self) -> Kernel {
        let (channels, size) = (self.channels, size_of::<T>());
        let all = self.blocks() * self.pixels;
        let groups = all.div_ceil(self.each()).max(1);
        let sums = self.period() * channels * BLOCK;
        let elements = self.images as f64 * self.pixels as f64 * channels as f64;
        let first = Step {
            reads: smallvec![Source::Operand(0)],
            writes: Target::Scratch(0),
            chunk: (channels * size).max(1),
            cost: Cost { flops: elements, bytes: elements * size as f64 },
            workspace: pack::workspace::<T>(sums, channels * BLOCK),
            run: Box::new(move |call| {
                let group = call.part();
                let (inputs, outputs, workspace) = call.split();
                let (x, out) = (inputs.get::<T>(0), outputs.first().cast::<T>());
                let range = group * self.each()..((group + 1) * self.each()).min(all);
                let (sums, lines) = blocks::<T>(workspace, sums, channels * BLOCK);
                vectorized(
                    #[inline(always)]
                    || self.add_up::<T, BLOCKED>(x, range, sums, lines),
                );
                add_lines(lines, out);
                Ok(())
            }),
        };
        let sums = groups * channels;
        let second = Step {
            reads: smallvec![Source::Scratch(0)],
            writes: Target::Output,
            chunk: (channels * size).max(1),
            cost: Cost { flops: sums as f64, bytes: ((sums + channels) * size) as f64 },
            workspace: 0,
            run: Box::new(move |call| {
                add_rows(call.input::<T>(0), call.output::<T>(), channels, 0);
                Ok(())
            }),
        };
        let scratch = smallvec![sums * size];
        Kernel { steps: [first, second].into_iter().collect(), scratch }
    }

    /// The sums over some pixels, counted through all blocks.
    #[inline(always)]
    fn add_up<T: Float, const BLOCKED: bool>(
        &self,
        x: &[T],
        range: Range<usize>,
        sums: &mut [T],
        lines: &mut [T],
    ) {
        let (pixels, channels) = (self.pixels, self.channels);
        let numbers = self.period() * channels;
        sums.fill(T::ZERO);
        for Places { block, range, images } in places_of(range, pixels, self.images) {
            if BLOCKED {
                let block = &x[block * pixels * channels * BLOCK..];
                self.add(block, range, channels * BLOCK, sums);
                forget(images, sums);
            } else {
                for lane in 0..images {
                    let image = &x[(block * BLOCK + lane) * pixels * channels..];
                    self.add(image, range.clone(), channels, &mut sums[lane * numbers..]);
                }
            }
        }
        // A line for each channel, the first of each place in the period.
        let (to_lane, to_number) = if BLOCKED { (1, BLOCK) } else { (numbers, 1) };
        for (c, line) in lines.chunks_exact_mut(BLOCK).enumerate() {
            line.fill(T::ZERO);
            for number in (c..numbers).step_by(channels) {
                for (lane, sum) in line.iter_mut().enumerate() {
                    *sum = *sum + sums[lane * to_lane + number * to_number];
                }
            }
        }
    }

    /// Adds pixels of `width` numbers each to the sums of the pixel's place in the period.
    #[inline(always)]
    fn add<T: Real>(&self, x: &[T], range: Range<usize>, width: usize, sums: &mut [T]) {
        let mut pixel = range.start;
        while pixel < range.end {
            let place = pixel % self.period();
            let count = (self.period() - place).min(range.end - pixel);
            let x = &x[pixel * width..][..count * width];
            for (sum, &x) in sums[place * width..][..count * width].iter_mut().zip(x) {
                *sum = *sum + x;
            }
            pixel += count;
        }
    }
}
