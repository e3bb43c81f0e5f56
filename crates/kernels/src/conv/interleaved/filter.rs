//! The gradient with respect to the filter.
//!
//! A tile is some channels of the images times some of the result's, a register for each pair, swept over all pixels that a tap sees. Where
//! images have one channel it is the taps of some rows instead. Sums are kept a line for each of the filter's numbers, and added over the line when all
//! images are done.

use std::ops::Range;

use pulp::Simd;
use smallvec::smallvec;

use super::super::Convolution;
use super::super::axis::{Axis, Direction};
use super::correlation::Run;
use super::tile::{Second, Strip, WIDTHS, Walk};
use super::{LANES, Piece, add_line, add_rows, forget, pieces};
use crate::dispatch::vectorized;
use crate::lanes::{Float, Lane, Work, dispatch};
use crate::launch::{Cost, Kernel, Source, Step, Target};
use crate::matmul::pack::{self, blocks};

/// How the sums are made.
#[derive(Clone, Debug)]
struct Plan {
    conv: Convolution,
    row_runs: Vec<Run>,
    /// Blocks of images.
    blocks: usize,
    /// Groups of rows of the result, counted through all blocks, that are summed by themselves, and the rows of each but the last.
    groups: usize,
    each: usize,
    /// Taps that a part sums: all, those of a row, or one.
    taps: usize,
    /// Rows that are swept at once.
    sweep: usize,
}

impl Plan {
    fn new<T>(conv: Convolution) -> Self {
        /// Multiplications that are worth a part.
        const WORTH: f64 = (1 << 20) as f64;
        /// Pixels of a group at least: adding over lines in the end takes as long as ten or twenty pixels.
        const PIXELS: usize = 400;
        /// Bytes of the images' and the result's rows that are swept again and again.
        const CACHED: usize = 32 * 1024;
        let rows = Axis { sliding: conv.rows, direction: Direction::Forward };
        let blocks = conv.images.div_ceil(LANES);
        let all = blocks * conv.rows.output;
        let wanted = (conv.multiplications() / WORTH).clamp(1.0, 16.0) as usize;
        let groups = (all * conv.columns.output / PIXELS).clamp(1, wanted).min(all.max(1));
        let each = all.div_ceil(groups).max(1);
        let groups = all.div_ceil(each).max(1);
        let (height, width) = (conv.rows.window, conv.columns.window);
        let enough = wanted.min(8);
        let taps = match () {
            () if groups >= enough => height * width,
            () if groups * height >= enough => width,
            () => 1,
        };
        let row = conv.columns.input * conv.channels + conv.columns.output * conv.filters;
        let sweep = (CACHED / (row * LANES * size_of::<T>()).max(1)).max(1);
        Self { conv, row_runs: Run::all(&rows), blocks, groups, each, taps, sweep }
    }

    /// Sums of a tap.
    fn tap_len(&self) -> usize {
        self.conv.channels * self.conv.filters
    }
}

pub(super) fn kernel<T: Float>(conv: Convolution) -> Kernel {
    let plan = Plan::new::<T>(conv);
    let (len, size) = (conv.filter_len(), size_of::<T>());
    let (groups, part) = (plan.groups, plan.taps * plan.tap_len());
    let first = Step {
        reads: smallvec![Source::Operand(0), Source::Operand(1)],
        writes: if groups == 1 { Target::Output } else { Target::Scratch(0) },
        chunk: (part * size).max(1),
        cost: conv.cost::<T>(),
        workspace: pack::workspace::<T>(part * LANES, 0),
        run: Box::new(move |call| {
            let (inputs, outputs, workspace) = call.split();
            let (x, y, piece) = (inputs.get::<T>(0), inputs.get::<T>(1), outputs.first());
            let start = piece.start::<T>();
            let out = piece.cast::<T>();
            let (group, tap) = (start / len, start % len / plan.tap_len());
            let (sums, _) = blocks::<T>(workspace, out.len() * LANES, 0);
            dispatch::<T>(Part { plan: &plan, x, y, group, tap, sums, out });
            Ok(())
        }),
    };
    if groups == 1 {
        return Kernel { steps: smallvec![first], scratch: smallvec![] };
    }
    let sums = groups * len;
    let second = Step {
        reads: smallvec![Source::Scratch(0)],
        writes: Target::Output,
        chunk: crate::elementwise_chunk(len, (groups + 1) * size) * size,
        cost: Cost { flops: sums as f64, bytes: ((sums + len) * size) as f64 },
        workspace: 0,
        run: Box::new(move |call| {
            let (sums, start) = (call.input::<T>(0), call.start::<T>());
            let out = call.output::<T>();
            vectorized(
                #[inline(always)]
                || add_rows(sums, out, len, start),
            );
            Ok(())
        }),
    };
    Kernel { steps: [first, second].into_iter().collect(), scratch: smallvec![sums * size] }
}

/// The sums of some taps from `tap` on over a group of rows.
struct Part<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    y: &'a [T],
    group: usize,
    tap: usize,
    /// A line for each element of `out`.
    sums: &'a mut [T],
    out: &'a mut [T],
}

/// Where rows of a block of images are swept.
struct Sweep<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    y: &'a [T],
    taps: Range<usize>,
    sums: &'a mut [T],
}

impl<T: Float> Work<T> for Part<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>,
    {
        let Self { plan, x, y, group, tap, sums, out } = self;
        let conv = &plan.conv;
        let height = conv.rows.output;
        let x_len = conv.rows.input * conv.columns.input * conv.channels * LANES;
        let y_len = height * conv.columns.output * conv.filters * LANES;
        let count = out.len() / plan.tap_len();
        sums.fill(T::ZERO);
        let rows = group * plan.each..((group + 1) * plan.each).min(plan.blocks * height);
        for Piece { block, range, images } in pieces(rows, height, conv.images) {
            let (x, y) = (&x[block * x_len..][..x_len], &y[block * y_len..][..y_len]);
            Sweep { plan, x, y, taps: tap..tap + count, sums: &mut *sums }.rows(simd, range);
            forget(images, sums);
        }
        for (out, sums) in out.iter_mut().zip(sums.chunks_exact(LANES)) {
            let mut line = [T::ZERO; LANES];
            line.copy_from_slice(sums);
            *out = add_line(line);
        }
    }
}

impl<T: Float> Sweep<'_, T> {
    #[inline(always)]
    fn rows<S: Simd>(&mut self, simd: S, rows: Range<usize>)
    where
        T: Lane<S>,
    {
        for run in &self.plan.row_runs {
            let within = run.within(&rows, 1);
            for i in within.clone().step_by(self.plan.sweep) {
                self.run(simd, run, i..within.end.min(i + self.plan.sweep));
            }
        }
    }

    /// Sweep over some of the rows of a run.
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S, run: &Run, rows: Range<usize>)
    where
        T: Lane<S>,
    {
        let plan = self.plan;
        let conv = &plan.conv;
        let width = conv.columns.window;
        // The rows of taps of this part that see something.
        let first = run.skip.max(self.taps.start / width);
        let end = (run.skip + run.taps).min(self.taps.end.div_ceil(width));
        if end <= first {
            return;
        }
        let x_pitch = conv.columns.input * conv.channels * LANES;
        let y_pitch = conv.columns.output * conv.filters * LANES;
        let source = |p: usize| run.source + rows.start * conv.rows.stride + p - run.skip;
        let row = run.first + rows.start;
        // Of one channel several rows of taps are taken at once, of many several channels.
        let single = conv.channels == 1;
        let mut p = first;
        while p < end {
            let deep = if single { end - p } else { 1 };
            let from = self.taps.start.max(p * width) - p * width;
            let to = self.taps.end.min((p + 1) * width) - p * width;
            let mut filter = 0;
            while filter < conv.filters {
                let left = conv.filters - filter;
                let Some(&size) = WIDTHS[1..].iter().find(|&&size| size <= left) else { break };
                for q in from..to {
                    let places = conv.columns.places(q);
                    if places.is_empty() {
                        continue;
                    }
                    let column = conv.columns.element(places.start, q);
                    let tap = p * width + q - self.taps.start;
                    let x = source(p) * x_pitch + column * conv.channels * LANES;
                    let y = row * y_pitch + (places.start * conv.filters + filter) * LANES;
                    let sums = (tap * plan.tap_len() + filter) * LANES;
                    let strip = Strip {
                        x: &self.x[x..],
                        y: &self.y[y..],
                        out: &mut self.sums[sums..],
                        count: if single { deep } else { conv.channels },
                        width: size,
                        x_step: if single { x_pitch } else { LANES },
                        out_step: if single { width } else { 1 } * conv.filters * LANES,
                        walk: Walk {
                            rows: rows.len(),
                            run: places.len(),
                            x: (
                                conv.rows.stride * x_pitch,
                                conv.columns.stride * conv.channels * LANES,
                            ),
                            y: (y_pitch, conv.filters * LANES),
                        },
                    };
                    strip.run(simd, Second::Lines);
                }
                filter += size;
            }
            p += deep;
        }
    }
}
