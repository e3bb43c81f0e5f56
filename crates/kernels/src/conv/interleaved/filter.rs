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
use super::lines::add_lines;
use super::tile::{Second, Start, Strip, widths};
use super::{LANES, Piece, add_rows, forget, pieces};
use crate::dispatch::vectorized;
use crate::lanes::{Float, Lane, Work, dispatch};
use crate::launch::{Cost, Kernel, Source, Step, Target};
use crate::matmul::pack::{self, blocks};

/// Channels of the result in the widest strip.
const WIDEST: usize = 8;

/// How the sums are made.
#[derive(Clone, Debug)]
struct Plan {
    conv: Convolution,
    row_runs: Vec<Run>,
    /// The first pixels that each tap of a row sees.
    starts: Vec<Start>,
    /// Rows of the result, counted through all blocks of images, and those of a group, which are summed by themselves. The last group may have fewer.
    rows: usize,
    each: usize,
    /// Rows of taps that a part sums: all or one.
    taps: usize,
    /// Rows that are swept at once.
    sweep: usize,
    /// Whether the result's channels of a strip are copied to lie next to each other.
    pack: bool,
}

impl Plan {
    fn new<T>(conv: Convolution) -> Self {
        /// Multiplications that are worth a group.
        const WORTH: f64 = (1 << 19) as f64;
        /// Pixels of a group at least: setting sums to zero and adding over lines in the end takes as long as some.
        const PIXELS: usize = 150;
        /// Groups that are enough to keep threads busy.
        const ENOUGH: usize = 8;
        /// Bytes of sums that stay in a second-level cache.
        const SUMS: usize = 512 * 1024;
        /// Bytes of images and result that are swept again and again, in a first-level cache.
        const SWEPT: usize = 40 * 1024;
        /// Bytes from a pixel to the next from which on the pixels' lines are in too few places of a first-level cache.
        const APART: usize = 2048;
        let (rows, columns) = (conv.rows, conv.columns);
        let (channels, filters) = (conv.channels, conv.filters);
        let line = LANES * size_of::<T>();
        let all = conv.images.div_ceil(LANES) * rows.output;
        let wanted = (conv.multiplications() / WORTH).clamp(1.0, 16.0) as usize;
        let groups = (all * columns.output / PIXELS).clamp(1, wanted);
        let swept = columns.input * channels.min(3) + columns.output * filters.min(WIDEST);
        let few = conv.filter_len() * line <= SUMS;
        let starts = (0..columns.window).map(|q| {
            let places = columns.places(q);
            let first = if places.is_empty() { 0 } else { columns.element(places.start, q) };
            Start {
                x: first * channels * LANES,
                y: places.start,
                out: q * channels * filters * LANES,
                run: places.len(),
            }
        });
        Self {
            conv,
            row_runs: Run::all(&Axis { sliding: rows, direction: Direction::Forward }),
            starts: starts.collect(),
            rows: all,
            each: all.div_ceil(groups).max(1),
            taps: if channels == 1 || (groups >= ENOUGH && few) { rows.window } else { 1 },
            sweep: (SWEPT / (swept * line).max(1)).clamp(1, rows.output.max(1)),
            pack: filters > WIDEST && filters * line >= APART,
        }
    }

    /// Sums of a row of taps.
    fn row_len(&self) -> usize {
        self.conv.columns.window * self.conv.channels * self.conv.filters
    }

    /// Elements of the copy of the result's channels of a strip.
    fn packed(&self) -> usize {
        if self.pack { self.sweep * self.conv.columns.output * WIDEST * LANES } else { 0 }
    }
}

/// A kernel of two steps: the sums of groups, then their sum.
pub(super) fn kernel<T: Float>(conv: Convolution) -> Kernel {
    let plan = Plan::new::<T>(conv);
    let (len, size) = (conv.filter_len(), size_of::<T>());
    let groups = plan.rows.div_ceil(plan.each).max(1);
    let first = Step {
        reads: smallvec![Source::Operand(0), Source::Operand(1)],
        writes: Target::Scratch(0),
        chunk: (plan.taps * plan.row_len() * size).max(1),
        cost: conv.cost::<T>(),
        workspace: pack::workspace::<T>(plan.taps * plan.row_len() * LANES, plan.packed()),
        run: Box::new(move |call| {
            let (inputs, outputs, workspace) = call.split();
            let (x, y, piece) = (inputs.get::<T>(0), inputs.get::<T>(1), outputs.first());
            let start = piece.start::<T>();
            let out = piece.cast::<T>();
            let (group, tap) = (start / len, start % len / plan.row_len());
            let (sums, packed) = blocks::<T>(workspace, out.len() * LANES, plan.packed());
            let taps = tap..tap + out.len() / plan.row_len();
            dispatch::<T>(Part { plan: &plan, x, y, group, taps, sums, packed });
            add_lines(sums, out);
            Ok(())
        }),
    };
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

/// The sums of some rows of taps over a group of rows of the result.
struct Part<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    y: &'a [T],
    group: usize,
    taps: Range<usize>,
    /// A line for each.
    sums: &'a mut [T],
    packed: &'a mut [T],
}

impl<T: Float> Work<T> for Part<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>,
    {
        let Self { plan, x, y, group, taps, sums, packed } = self;
        let conv = &plan.conv;
        let height = conv.rows.output;
        let x_len = conv.rows.input * conv.columns.input * conv.channels * LANES;
        let y_len = height * conv.columns.output * conv.filters * LANES;
        let rows = group * plan.each..((group + 1) * plan.each).min(plan.rows);
        sums.fill(T::ZERO);
        for Piece { block, range, images } in pieces(rows, height, conv.images) {
            let (x, y) = (&x[block * x_len..][..x_len], &y[block * y_len..][..y_len]);
            for run in &plan.row_runs {
                let within = run.within(&range, 1);
                for i in within.clone().step_by(plan.sweep) {
                    let rows = i..within.end.min(i + plan.sweep);
                    let (sums, packed) = (&mut *sums, &mut *packed);
                    let taps = taps.clone();
                    Sweep { plan, x, y, taps, run, rows, sums, packed }.run(simd);
                }
            }
            forget(images, sums);
        }
    }
}

/// Rows of the result of one block, some of those of a run, and the rows of taps whose sums they are added to.
struct Sweep<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    y: &'a [T],
    taps: Range<usize>,
    run: &'a Run,
    rows: Range<usize>,
    sums: &'a mut [T],
    packed: &'a mut [T],
}

impl<T: Float> Sweep<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>,
    {
        let Self { plan, run, rows, .. } = self;
        let Convolution { columns, channels, filters, .. } = plan.conv;
        let stride = plan.conv.rows.stride;
        // The rows of taps that see something.
        let first = run.skip.max(self.taps.start);
        let end = (run.skip + run.taps).min(self.taps.end);
        if end <= first {
            return;
        }
        let pitch = columns.input * channels * LANES;
        let x = &self.x[(run.source + rows.start * stride) * pitch..];
        let y = &self.y[(run.first + rows.start) * columns.output * filters * LANES..];
        // Of one channel several rows of taps are taken at once, of many several channels.
        let (taps, count, x_step, out_step) = match channels {
            1 => (end - first, end - first, pitch, plan.row_len() * LANES),
            _ => (1, channels, LANES, filters * LANES),
        };
        let mut filter = 0;
        while let Some(width) = widths(WIDEST).find(|&width| width <= filters - filter) {
            let y = &y[filter * LANES..];
            let (y, step) = match plan.pack && width < filters {
                false => (y, filters * LANES),
                true => {
                    let pixels = self.packed.chunks_exact_mut(width * LANES);
                    let count = rows.len() * columns.output;
                    for (to, from) in pixels.take(count).zip(y.chunks(filters * LANES)) {
                        to.copy_from_slice(&from[..width * LANES]);
                    }
                    (&*self.packed, width * LANES)
                }
            };
            for p in (first..end).step_by(taps) {
                let sums = (p - self.taps.start) * plan.row_len() + filter;
                let strip = Strip {
                    x: &x[(p - run.skip) * pitch..],
                    y,
                    out: &mut self.sums[sums * LANES..],
                    count,
                    width,
                    x_step,
                    out_step,
                    rows: rows.len(),
                    x_walk: (stride * pitch, columns.stride * channels * LANES),
                    y_walk: (columns.output * step, step),
                    starts: &plan.starts,
                };
                strip.run(simd, Second::Lines);
            }
            filter += width;
        }
    }
}
