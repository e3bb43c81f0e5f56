//! The convolution, and its gradient with respect to the images.
//!
//! Both make each pixel of a target image from a window of a source image. A tile is some pixels times some channels of the
//! target, a register for each; their sums run over the taps that all these pixels see within the source, so nothing is ever multiplied with
//! zeros beyond the borders. Pixels that see the same taps are made together: those inside next to each other, those at the left and
//! right border below each other.

use std::ops::Range;

use pulp::Simd;
use smallvec::smallvec;

use super::super::Convolution;
use super::super::axis::{Axis, Direction};
use super::LANES;
use super::tile::{Second, Strip, WIDTHS, Walk};
use crate::lanes::{Float, Lane, Work, dispatch};
use crate::launch::{Cost, Kernel, Source, Step, Target};

/// Targets along one dimension, a period apart, which see sources through the same taps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// The first target, and how many there are.
    pub first: usize,
    pub count: usize,
    /// The taps' class: where the first target is within the first period.
    pub class: usize,
    /// How many of the class's taps are left out before those that are within the source, and how many these are.
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
                let (skip, taps, source) = match inside.is_empty() {
                    true => (0, 0, 0),
                    false => (inside.start - seen.start, inside.len(), inside.start - within.start),
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

    /// Those of its targets that are in a range: the first of them counted from the run's first, and how many.
    pub fn within(&self, range: &Range<usize>, period: usize) -> Range<usize> {
        let at = |target: usize| target.saturating_sub(self.first).div_ceil(period).min(self.count);
        at(range.start)..at(range.end)
    }
}

/// How target images are made.
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
    /// Taps of each pair of row and column classes, and of the pairs before.
    classes: Vec<(usize, usize)>,
}

impl Plan {
    fn new(conv: Convolution, direction: Direction) -> Self {
        let axis = |sliding| Axis { sliding, direction };
        let (rows, columns) = (axis(conv.rows), axis(conv.columns));
        let (from, to) = match direction {
            Direction::Forward => (conv.channels, conv.filters),
            Direction::Backward => (conv.filters, conv.channels),
        };
        let mut before = 0;
        let mut classes = Vec::new();
        for row in 0..rows.period() {
            for column in 0..columns.period() {
                let taps = rows.taps(row).len() * columns.taps(column).len();
                classes.push((taps, before));
                before += taps;
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
            classes,
        }
    }

    /// The channels of the target in groups that are made at once: where each begins and its length.
    fn groups(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let to = self.to;
        let mut at = 0;
        std::iter::from_fn(move || {
            let size = *WIDTHS.iter().find(|&&size| size <= to - at)?;
            at += size;
            Some((at - size, size))
        })
    }

    /// Where the filter of a pair of classes begins for a group of target channels.
    fn filter_of(&self, (channel, size): (usize, usize), row: usize, column: usize) -> usize {
        let (_, before) = self.classes[row * self.columns.period() + column];
        let taps = self.conv.rows.window * self.conv.columns.window;
        (channel * taps + before * size) * self.from
    }

    /// Fill `out` with the filters, `[group, row class, column class, row tap, column tap, source channel, target channel]`.
    fn pack<T: Float>(&self, w: &[T], out: &mut [T]) {
        let Convolution { columns, channels, filters, .. } = self.conv;
        for (channel, size) in self.groups() {
            for row in 0..self.rows.period() {
                for column in 0..self.columns.period() {
                    let at = self.filter_of((channel, size), row, column);
                    let mut out = out[at..].chunks_exact_mut(size);
                    for p in self.rows.taps(row) {
                        for q in self.columns.taps(column) {
                            let tap = (p * columns.window + q) * channels * filters;
                            for c in 0..self.from {
                                let Some(out) = out.next() else { return };
                                match self.rows.direction {
                                    Direction::Forward => {
                                        let at = tap + c * filters + channel;
                                        out.copy_from_slice(&w[at..at + size]);
                                    }
                                    Direction::Backward => {
                                        for (i, out) in out.iter_mut().enumerate() {
                                            *out = w[tap + (channel + i) * filters + c];
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
}

pub(super) fn kernel<T: Float>(conv: Convolution, direction: Direction) -> Kernel {
    let plan = Plan::new(conv, direction);
    let size = size_of::<T>();
    let (filter, source) = match direction {
        Direction::Forward => (Source::Operand(1), Source::Operand(0)),
        Direction::Backward => (Source::Operand(0), Source::Operand(1)),
    };
    let width = plan.columns.target() * plan.to * LANES;
    let rows = plan.rows.target();
    let blocks = conv.images.div_ceil(LANES);
    let each = conv.multiplications() / (conv.images * rows).max(1) as f64 * LANES as f64;
    let part = super::rows_in_part(blocks, rows, each);
    let filter_bytes = conv.filter_len() * size;
    let packing = plan.clone();
    let pack = Step {
        reads: smallvec![filter],
        writes: Target::Scratch(0),
        chunk: filter_bytes.max(1),
        cost: Cost { flops: 0.0, bytes: 2.0 * filter_bytes as f64 },
        workspace: 0,
        run: Box::new(move |call| {
            packing.pack(call.input::<T>(0), call.output::<T>());
            Ok(())
        }),
    };
    let main = Step {
        reads: smallvec![source, Source::Scratch(0)],
        writes: Target::Output,
        chunk: (part * width * size).max(1),
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
        let width = plan.columns.target() * plan.to * LANES;
        let block_len = plan.rows.source() * plan.columns.source() * plan.from * LANES;
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
        let period = (plan.rows.period(), plan.columns.period());
        for row_run in &plan.row_runs {
            let rows = row_run.within(&self.rows, period.0);
            // Pixels next to each other where there are many.
            for i in rows.clone() {
                for group in plan.groups() {
                    for run in plan.column_runs.iter().filter(|run| run.count >= rows.len()) {
                        self.line(simd, group, (row_run, i..i + 1), (run, 0..run.count));
                    }
                }
            }
            // And below each other.
            for run in plan.column_runs.iter().filter(|run| run.count < rows.len()) {
                for group in plan.groups() {
                    for j in 0..run.count {
                        self.line(simd, group, (row_run, rows.clone()), (run, j..j + 1));
                    }
                }
            }
        }
    }

    /// Make the pixels of some of the rows of a run and of some of the columns of another; one of the two are a single one.
    #[inline(always)]
    fn line<S: Simd>(
        &mut self,
        simd: S,
        group: (usize, usize),
        (down, rows): (&Run, Range<usize>),
        (across, columns): (&Run, Range<usize>),
    ) where
        T: Lane<S>,
    {
        let plan = self.plan;
        let taps = plan.columns.taps(across.class).len();
        let from = plan.from * LANES;
        let pitch = plan.columns.source() * from;
        let to = plan.to * LANES;
        let target_pitch = plan.columns.target() * to;
        let (row_step, column_step) = (plan.rows.step() * pitch, plan.columns.step() * from);
        let row = down.first + rows.start * plan.rows.period() - self.rows.start;
        let column = across.first + columns.start * plan.columns.period();
        let mut source = down.source * pitch
            + across.source * from
            + rows.start * row_step
            + columns.start * column_step;
        let target = row * target_pitch + column * to + group.0 * LANES;
        let (mut source_step, target_step) = match rows.len() {
            1 => (column_step, plan.columns.period() * to),
            _ => (row_step, plan.rows.period() * target_pitch),
        };
        let (_, size) = group;
        let tap = plan.from * size;
        let mut filter = plan.filter_of(group, down.class, across.class)
            + (down.skip * taps + across.skip) * tap;
        if down.taps * across.taps == 0 {
            // Nothing is seen, which has no place.
            (source, source_step, filter) = (0, 0, 0);
        }
        let strip = Strip {
            x: &self.x[source..],
            y: &self.filters[filter..],
            out: &mut self.out[target..],
            count: rows.len() * columns.len(),
            width: size,
            x_step: source_step,
            out_step: target_step,
            walk: Walk {
                rows: down.taps,
                run: across.taps * plan.from,
                x: (pitch, LANES),
                y: (taps * tap, size),
            },
        };
        strip.run(simd, Second::Numbers);
    }
}
