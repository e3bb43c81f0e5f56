//! The gradient with respect to the filter.
//!
//! A tile is some channels of the images times some of the result's, a register for each pair,
//! swept over all pixels that a tap sees. Where images have one channel it is the taps of some rows
//! instead. Sums are kept a line for each of the filter's numbers, and added over the line when all
//! images are done.

use std::ops::Range;

use pulp::Simd;
use smallvec::smallvec;

use super::correlation::Run;
use super::lines::add_lines;
use super::tile::{Second, Start, Strip, widths};
use super::{BLOCK, Places, add_rows, forget, places_of};
use crate::conv::Convolution;
use crate::conv::axis::{Axis, Direction};
use crate::dispatch::vectorized;
use crate::lanes::{Float, Lane, Work, dispatch};
use crate::launch::{Cost, Kernel, Source, Step, Target};
use crate::matmul::pack::{self, blocks};

/// Channels of the result in the widest strip.
const WIDEST: usize = 8;

/// The plan of the sums: groups of rows, pieces of the filter, strips.
#[derive(Clone, Debug)]
struct Plan {
    conv: Convolution,
    row_runs: Vec<Run>,
    /// The first pixels that each tap of a row sees.
    starts: Vec<Start>,
    /// Rows of the result, counted through all blocks of images, and those of a group, which are
    /// summed by themselves. The last group may have fewer.
    rows: usize,
    each: usize,
    /// The piece of the filter that a part sums.
    taps: Taps,
    /// Rows that are swept at once.
    sweep: usize,
    /// True if the result's channels of a strip are copied to lie next to each other.
    pack: bool,
}

/// A piece of the filter.
#[derive(Clone, Copy, Debug)]
enum Taps {
    All,
    /// The taps of a row.
    Row,
    /// This many of a tap's channels.
    Channels(usize),
}

impl Plan {
    fn new<T>(conv: Convolution) -> Self {
        /// Multiplications that are worth a part.
        const WORTH: f64 = (1 << 19) as f64;
        /// Parts that keep threads busy, and those that are enough.
        const PARTS: usize = 16;
        const ENOUGH: usize = 8;
        /// Pixels of a group at least: setting sums to zero and adding over lines in the end takes
        /// as long as some.
        const PIXELS: usize = 150;
        /// Pixels of a group at most: so many products are added one after the other, and rounding
        /// errors grow with them.
        const MOST_PIXELS: usize = 8192;
        /// Bytes of a part's sums, which stay in a second-level cache.
        const SUMS: usize = 512 * 1024;
        /// Bytes of images and result that are swept again and again, in a first-level cache.
        const SWEPT: usize = 40 * 1024;
        /// Bytes from a pixel to the next from which on the pixels' lines are in too few places of
        /// a first-level cache.
        const APART: usize = 2048;
        let (rows, columns) = (conv.rows, conv.columns);
        let (channels, filters) = (conv.channels, conv.filters);
        let line = BLOCK * size_of::<T>();
        let all = conv.images.div_ceil(BLOCK) * rows.output;
        let wanted = (conv.multiplications() / WORTH).clamp(1.0, PARTS as f64) as usize;
        let groups = (all * columns.output / PIXELS).clamp(1, wanted);
        let tap_len = channels * filters;
        let taps = match columns.window * tap_len * line {
            // Rows of taps are taken together where there is one channel.
            _ if channels == 1 => Taps::All,
            row if row * rows.window <= SUMS && groups >= ENOUGH => Taps::All,
            row if row <= 2 * SUMS => Taps::Row,
            _ => {
                let most = (SUMS / (filters * line)).clamp(1, channels);
                // A divisor, so that all pieces are as long.
                Taps::Channels((1..=most).rev().find(|n| channels % n == 0).unwrap_or(1))
            }
        };
        let pieces = match taps {
            Taps::All => 1,
            Taps::Row => rows.window,
            Taps::Channels(count) => rows.window * columns.window * (channels / count),
        };
        let accurate = (all * columns.output).div_ceil(MOST_PIXELS).min(all);
        let groups = groups.min(PARTS.div_ceil(pieces)).max(accurate);
        let swept = columns.input * channels.min(3) + columns.output * filters.min(WIDEST);
        let starts = (0..columns.window).map(|q| {
            let places = columns.places(q);
            // A tap that sees nothing is nowhere.
            let (x, y) = if places.is_empty() {
                (0, 0)
            } else {
                (columns.element(places.start, q), places.start)
            };
            Start {
                x: x * channels * BLOCK,
                y,
                // Within a part.
                out: if let Taps::Channels(_) = taps { 0 } else { q * tap_len * BLOCK },
                run: places.len(),
            }
        });
        Self {
            conv,
            row_runs: Run::all(&Axis { sliding: rows, direction: Direction::Forward }),
            starts: starts.collect(),
            rows: all,
            each: all.div_ceil(groups).max(1),
            taps,
            sweep: (SWEPT / (swept * line).max(1)).clamp(1, rows.output.max(1)),
            pack: filters > WIDEST && filters * line >= APART,
        }
    }

    /// Sums of a row of taps.
    fn row_len(&self) -> usize {
        self.conv.columns.window * self.conv.channels * self.conv.filters
    }

    /// Sums of a part.
    fn part_len(&self) -> usize {
        match self.taps {
            Taps::All => self.conv.filter_len(),
            Taps::Row => self.row_len(),
            Taps::Channels(count) => count * self.conv.filters,
        }
    }

    /// The rows of taps, the taps of a row and the channels that a part sums, `start` being its
    /// first in the filter.
    fn piece(&self, start: usize) -> Piece {
        let Convolution { rows, columns, channels, filters, .. } = self.conv;
        let row = start / self.row_len();
        let (taps, all) = (0..columns.window, 0..channels);
        match self.taps {
            Taps::All => Piece { rows: 0..rows.window, taps, channels: all },
            Taps::Row => Piece { rows: row..row + 1, taps, channels: all },
            Taps::Channels(count) => {
                let (tap, first) = (start / filters / channels, start / filters % channels);
                let tap = tap % columns.window;
                Piece { rows: row..row + 1, taps: tap..tap + 1, channels: first..first + count }
            }
        }
    }

    /// Elements of the copy of the result's channels of a strip.
    fn packed(&self) -> usize {
        if self.pack { self.sweep * self.conv.columns.output * WIDEST * BLOCK } else { 0 }
    }
}

/// The part of the filter that a part of the work is for.
#[derive(Clone, Debug)]
struct Piece {
    rows: Range<usize>,
    taps: Range<usize>,
    channels: Range<usize>,
}

/// A kernel of two steps: the sums of groups, then their sum.
pub(super) fn kernel<T: Float>(conv: Convolution) -> Kernel {
    let plan = Plan::new::<T>(conv);
    let (len, size) = (conv.filter_len(), size_of::<T>());
    let groups = plan.rows.div_ceil(plan.each).max(1);
    let part = plan.part_len();
    let first = Step {
        reads: smallvec![Source::Operand(0), Source::Operand(1)],
        writes: if groups == 1 { Target::Output } else { Target::Scratch(0) },
        chunk: part * size,
        cost: conv.cost::<T>(),
        workspace: pack::workspace::<T>(part * BLOCK, plan.packed()),
        run: Box::new(move |call| {
            let (inputs, outputs, workspace) = call.split();
            let (x, y, out) = (inputs.get::<T>(0), inputs.get::<T>(1), outputs.first());
            let (group, piece) = (out.start::<T>() / len, plan.piece(out.start::<T>() % len));
            let (sums, packed) = blocks::<T>(workspace, part * BLOCK, plan.packed());
            dispatch::<T>(Part { plan: &plan, x, y, group, piece, sums, packed });
            add_lines(sums, out.cast::<T>());
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

/// The sums of a piece of the filter over a group of rows of the result.
struct Part<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    y: &'a [T],
    group: usize,
    piece: Piece,
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
        let Self { plan, x, y, group, piece, sums, packed } = self;
        let conv = &plan.conv;
        let height = conv.rows.output;
        let x_len = conv.rows.input * conv.columns.input * conv.channels * BLOCK;
        let y_len = height * conv.columns.output * conv.filters * BLOCK;
        let rows = group * plan.each..((group + 1) * plan.each).min(plan.rows);
        sums.fill(T::ZERO);
        for Places { block, range, images } in places_of(rows, height, conv.images) {
            let (x, y) = (&x[block * x_len..][..x_len], &y[block * y_len..][..y_len]);
            for run in &plan.row_runs {
                let within = run.within(&range, 1);
                for i in within.clone().step_by(plan.sweep) {
                    let rows = i..within.end.min(i + plan.sweep);
                    let (sums, packed) = (&mut *sums, &mut *packed);
                    Sweep { plan, x, y, piece: &piece, run, rows, sums, packed }.run(simd);
                }
            }
            forget(images, sums);
        }
    }
}

/// Rows of the result of one block, some of those of a run, and the piece of the filter to whose
/// sums they are added.
struct Sweep<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    y: &'a [T],
    piece: &'a Piece,
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
        let Self { plan, piece, run, rows, .. } = self;
        let Convolution { columns, channels, filters, .. } = plan.conv;
        let stride = plan.conv.rows.stride;
        // The rows of taps that see something.
        let first = run.skip.max(piece.rows.start);
        let end = (run.skip + run.taps).min(piece.rows.end);
        if end <= first {
            return;
        }
        let pitch = columns.input * channels * BLOCK;
        let x = (run.source + rows.start * stride) * pitch + piece.channels.start * BLOCK;
        let x = &self.x[x..];
        let y = &self.y[(run.first + rows.start) * columns.output * filters * BLOCK..];
        // Of one channel several rows of taps are taken at once, of many several channels.
        let (taps, count, x_step, out_step) = match channels {
            1 => (end - first, end - first, pitch, plan.row_len() * BLOCK),
            _ => (1, piece.channels.len(), BLOCK, filters * BLOCK),
        };
        let mut filter = 0;
        while let Some(width) = widths(WIDEST).find(|&width| width <= filters - filter) {
            let y = &y[filter * BLOCK..];
            let (y, step) = match plan.pack && width < filters {
                false => (y, filters * BLOCK),
                true => {
                    let pixels = self.packed.chunks_exact_mut(width * BLOCK);
                    let count = rows.len() * columns.output;
                    for (to, from) in pixels.take(count).zip(y.chunks(filters * BLOCK)) {
                        to.copy_from_slice(&from[..width * BLOCK]);
                    }
                    (&*self.packed, width * BLOCK)
                }
            };
            for p in (first..end).step_by(taps) {
                let sums = (p - piece.rows.start) * plan.row_len() + filter;
                let strip = Strip {
                    x: &x[(p - run.skip) * pitch..],
                    y,
                    out: &mut self.sums[sums * BLOCK..],
                    count,
                    width,
                    x_step,
                    out_step,
                    rows: rows.len(),
                    x_walk: (stride * pitch, columns.stride * channels * BLOCK),
                    y_walk: (columns.output * step, step),
                    starts: &plan.starts[piece.taps.clone()],
                };
                strip.run(simd, Second::Lines);
            }
            filter += width;
        }
    }
}
