//! The convolution, and its gradient with respect to the images.
//!
//! Both make each pixel of a target image from a window of a source image. A tile is some pixels
//! times some channels of the target, a register for each; their sums run over the taps that all
//! these pixels see within the source, so nothing is ever multiplied with zeros beyond the borders.
//! Pixels that see the same taps are made together: those inside next to each other, those at the
//! left and right border below each other.

use std::ops::Range;

use pulp::Simd;
use smallvec::smallvec;

use super::BLOCK;
use super::tile::{Second, Start, Strip, widths};
use crate::conv::Convolution;
use crate::conv::axis::{Axis, Direction};
use crate::lanes::{Float, Lane, Work, dispatch};
use crate::launch::{Cost, Kernel, Source, Step, Target};

/// Channels of the target in the widest bundle.
const WIDEST: usize = 12;

/// Targets along one dimension, a period apart, which see sources through the same taps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// The first target, and the number of targets.
    pub first: usize,
    pub count: usize,
    /// The taps' class: where the first target is within the first period.
    pub class: usize,
    /// The number of the class's taps that are left out before those that are within the source,
    /// and the number of these.
    pub skip: usize,
    pub taps: usize,
    /// The source that the first target sees through the first of the taps.
    pub source: usize,
}

impl Run {
    /// All runs along a dimension.
    pub fn all(axis: &Axis) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for class in 0..axis.period() {
            let start = runs.len();
            for target in (class..axis.target()).step_by(axis.period()) {
                let seen = axis.seen(target);
                let within = axis.before()..axis.before() + axis.source();
                let inside = seen.start.max(within.start)..seen.end.min(within.end);
                let (skip, taps, source) = if inside.is_empty() {
                    (0, 0, 0)
                } else {
                    (inside.start - seen.start, inside.len(), inside.start - within.start)
                };
                let same = |run: &&mut Run| (run.skip, run.taps) == (skip, taps);
                match runs[start..].last_mut().filter(same) {
                    Some(run) => run.count += 1,
                    None => runs.push(Run { first: target, count: 1, class, skip, taps, source }),
                }
            }
        }
        runs
    }

    /// The targets of the run that are in a range: the first of them, counted from the run's first,
    /// and their number.
    pub fn within(&self, range: &Range<usize>, period: usize) -> Range<usize> {
        let at = |target: usize| target.saturating_sub(self.first).div_ceil(period).min(self.count);
        at(range.start)..at(range.end)
    }
}

/// The plan by which target images are made.
#[derive(Clone, Debug)]
struct Plan {
    conv: Convolution,
    rows: Axis,
    columns: Axis,
    row_runs: Vec<Run>,
    column_runs: Vec<Run>,
    /// Channels of a source and of a target pixel.
    from: usize,
    to: usize,
    /// Taps of the pairs of a row and a column class before each.
    before: Vec<usize>,
}

/// Channels of the target that are made at once.
#[derive(Clone, Copy, Debug)]
struct Bundle {
    first: usize,
    width: usize,
}

impl Plan {
    fn new(conv: Convolution, direction: Direction) -> Self {
        let axis = |sliding| Axis { sliding, direction };
        let (rows, columns) = (axis(conv.rows), axis(conv.columns));
        let (from, to) = match direction {
            Direction::Forward => (conv.channels, conv.filters),
            Direction::Backward => (conv.filters, conv.channels),
        };
        let mut taps = 0;
        let mut before = Vec::new();
        for row in 0..rows.period() {
            for column in 0..columns.period() {
                before.push(taps);
                taps += rows.taps(row).len() * columns.taps(column).len();
            }
        }
        Self {
            conv,
            rows,
            columns,
            row_runs: Run::all(&rows),
            column_runs: Run::all(&columns),
            from,
            to,
            before,
        }
    }

    /// Rows of the target, counted through all blocks, that one part makes: enough for some
    /// microseconds of arithmetic, and as even a share of a block as can be.
    fn rows_in_part(&self) -> usize {
        /// Multiplications that take about five microseconds with 512 bits in a register.
        const WORTH: f64 = (1 << 19) as f64;
        let rows = self.rows.target();
        let blocks = self.conv.images.div_ceil(BLOCK);
        let each = self.conv.multiplications() / (self.conv.images * rows) as f64 * BLOCK as f64;
        let least = (WORTH / each).ceil() as usize;
        if least <= rows / 2 {
            rows.div_ceil(rows / least.max(1))
        } else {
            least.next_multiple_of(rows).min(blocks * rows)
        }
    }

    /// All bundles from a channel on that begins one.
    fn bundles(&self, mut first: usize) -> impl Iterator<Item = Bundle> + use<> {
        let to = self.to;
        std::iter::from_fn(move || {
            let width = widths(WIDEST).find(|&width| width <= to - first)?;
            first += width;
            Some(Bundle { first: first - width, width })
        })
    }

    /// Numbers of the filters of a channel of the target.
    fn channel_len(&self) -> usize {
        self.conv.rows.window * self.conv.columns.window * self.from
    }

    /// The index at which the filters of a bundle begin for a pair of classes.
    fn filters(&self, bundle: Bundle, row: usize, column: usize) -> usize {
        let before = self.before[row * self.columns.period() + column];
        bundle.first * self.channel_len() + before * self.from * bundle.width
    }

    /// Fills `out` with the filters from a bundle on,
    /// `[bundle, row class, column class, row tap, column tap, source channel, target channel]`.
    fn pack<T: Float>(&self, w: &[T], mut out: &mut [T], first: usize) {
        let Convolution { columns, channels, filters, .. } = self.conv;
        let classes = (0..self.rows.period())
            .flat_map(|row| (0..self.columns.period()).map(move |column| (row, column)));
        for Bundle { first, width } in self.bundles(first) {
            if out.is_empty() {
                return;
            }
            let (bundle, rest) = out.split_at_mut(width * self.channel_len());
            out = rest;
            let mut to = bundle.chunks_exact_mut(width);
            for (row, column) in classes.clone() {
                for p in self.rows.taps(row) {
                    for q in self.columns.taps(column) {
                        let tap = (p * columns.window + q) * channels * filters;
                        match self.rows.direction {
                            Direction::Forward => {
                                let from = w[tap..].chunks_exact(filters).take(channels);
                                for (from, to) in from.zip(&mut to) {
                                    to.copy_from_slice(&from[first..first + width]);
                                }
                            }
                            Direction::Backward => {
                                for (f, to) in (0..filters).zip(&mut to) {
                                    let from = w[tap + first * filters + f..].iter();
                                    for (to, &w) in to.iter_mut().zip(from.step_by(filters)) {
                                        *to = w;
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A kernel of two steps: the filters are packed, then the target is made from the source.
pub(super) fn kernel<T: Float>(conv: Convolution, direction: Direction) -> Kernel {
    /// Bytes of packed filters that a part fills at least.
    const PACKED: usize = 64 * 1024;
    let plan = Plan::new(conv, direction);
    let size = size_of::<T>();
    let (filter, source) = match direction {
        Direction::Forward => (Source::Operand(1), Source::Operand(0)),
        Direction::Backward => (Source::Operand(0), Source::Operand(1)),
    };
    let width = plan.columns.target() * plan.to * BLOCK;
    let part = plan.rows_in_part();
    let filter_bytes = conv.filter_len() * size;
    // Whole bundles of the widest, of which all but the last few are.
    let bundle = WIDEST * plan.channel_len();
    let bundles = PACKED.div_ceil(bundle * size);
    let packing = plan.clone();
    let pack = Step {
        reads: smallvec![filter],
        writes: Target::Scratch(0),
        chunk: bundles * bundle * size,
        cost: Cost { flops: 0.0, bytes: 2.0 * filter_bytes as f64 },
        workspace: 0,
        run: Box::new(move |call| {
            let first = call.start::<T>() / packing.channel_len();
            packing.pack(call.input::<T>(0), call.output::<T>(), first);
            Ok(())
        }),
    };
    let main = Step {
        reads: smallvec![source, Source::Scratch(0)],
        writes: Target::Output,
        chunk: part * width * size,
        cost: conv.cost::<T>(),
        workspace: 0,
        run: Box::new(move |call| {
            let (x, filters) = (call.input::<T>(0), call.input::<T>(1));
            let first = call.start::<T>() / width;
            let out = call.output::<T>();
            dispatch::<T>(Rows { plan: &plan, x, filters, out, first });
            Ok(())
        }),
    };
    Kernel { steps: [pack, main].into_iter().collect(), scratch: smallvec![filter_bytes] }
}

/// Target rows to make, counted through all blocks of images.
struct Rows<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    filters: &'a [T],
    out: &'a mut [T],
    first: usize,
}

impl<T: Float> Work<T> for Rows<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>,
    {
        let Self { plan, x, filters, out, first } = self;
        let rows = plan.rows.target();
        let width = plan.columns.target() * plan.to * BLOCK;
        let block_len = plan.rows.source() * plan.columns.source() * plan.from * BLOCK;
        assert_eq!(filters.len(), plan.conv.filter_len());
        let mut done = 0;
        while done * width < out.len() {
            let (block, row) = ((first + done) / rows, (first + done) % rows);
            let count = (rows - row).min(out.len() / width - done);
            let out = &mut out[done * width..][..count * width];
            let x = &x[block * block_len..][..block_len];
            Block { plan, x, filters, out, rows: row..row + count }.fill(simd);
            done += count;
        }
    }
}

/// Target rows of one block of images.
struct Block<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    filters: &'a [T],
    out: &'a mut [T],
    rows: Range<usize>,
}

impl<T: Float> Block<'_, T> {
    #[inline(always)]
    fn fill<S: Simd>(mut self, simd: S)
    where
        T: Lane<S>,
    {
        let plan = self.plan;
        for down in &plan.row_runs {
            let rows = down.within(&self.rows, plan.rows.period());
            // Pixels next to each other where these are more.
            for i in rows.clone() {
                for bundle in plan.bundles(0) {
                    for across in plan.column_runs.iter().filter(|run| run.count >= rows.len()) {
                        self.line(simd, bundle, (down, i..i + 1), (across, 0..across.count));
                    }
                }
            }
            // And below each other.
            for across in plan.column_runs.iter().filter(|run| run.count < rows.len()) {
                for bundle in plan.bundles(0) {
                    for j in 0..across.count {
                        self.line(simd, bundle, (down, rows.clone()), (across, j..j + 1));
                    }
                }
            }
        }
    }

    /// Makes the pixels of some rows of a run and of some columns of another; either the rows or
    /// the columns are a single one.
    #[inline(always)]
    fn line<S: Simd>(
        &mut self,
        simd: S,
        bundle: Bundle,
        (down, rows): (&Run, Range<usize>),
        (across, columns): (&Run, Range<usize>),
    ) where
        T: Lane<S>,
    {
        let plan = self.plan;
        let (from, to) = (plan.from * BLOCK, plan.to * BLOCK);
        let (from_pitch, to_pitch) = (plan.columns.source() * from, plan.columns.target() * to);
        let row = down.first + rows.start * plan.rows.period() - self.rows.start;
        let column = across.first + columns.start * plan.columns.period();
        let out = &mut self.out[row * to_pitch + column * to + bundle.first * BLOCK..];
        let out_step = match rows.len() {
            1 => plan.columns.period() * to,
            _ => plan.rows.period() * to_pitch,
        };
        let (mut x, mut x_step, mut y) = (&self.x[..0], 0, &self.filters[..0]);
        let taps = plan.columns.taps(across.class).len();
        let tap = plan.from * bundle.width;
        if down.taps * across.taps > 0 {
            let row = down.source + rows.start * plan.rows.step();
            let column = across.source + columns.start * plan.columns.step();
            x = &self.x[row * from_pitch + column * from..];
            x_step = match rows.len() {
                1 => plan.columns.step() * from,
                _ => plan.rows.step() * from_pitch,
            };
            let filters = plan.filters(bundle, down.class, across.class);
            y = &self.filters[filters + (down.skip * taps + across.skip) * tap..];
        }
        let strip = Strip {
            x,
            y,
            out,
            count: rows.len() * columns.len(),
            width: bundle.width,
            x_step,
            out_step,
            rows: down.taps,
            x_walk: (from_pitch, BLOCK),
            y_walk: (taps * tap, bundle.width),
            starts: &[Start { x: 0, y: 0, out: 0, run: across.taps * plan.from }],
        };
        strip.run(simd, Second::Numbers);
    }
}
