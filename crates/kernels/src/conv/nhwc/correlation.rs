//! Convolutions without groups and dilation, and their gradients with respect to the images:
//! filters in registers.
//!
//! Both make each pixel of a target image from a window of a source image. The pixels of a target's
//! row are one run of numbers, `columns · channels` of them, and registers are laid along that run,
//! over several pixels where a pixel has few channels. For the numbers of a register, the strip,
//! the sums run over all columns of the source that any of its pixels sees; where another pixel of
//! the strip does not see a column its filter is 0 there. So a register is full even with 4
//! channels, at the price of multiplications with zeros: for the first layers of small networks
//! half of all, while a register of one pixel's channels would be a quarter full.
//!
//! Zeros times NaN or infinity are not 0: where there are such among the elements, the general
//! loops are used, which know what a pixel does not see.

use std::ops::Range;

use pulp::Simd;
use smallvec::smallvec;

use crate::conv::axis::{Axis, Direction};
use crate::conv::padded::{Copy, Padded, finite};
use crate::conv::{Convolution, reference};
use crate::lanes::{Float, Lane, Work, dispatch, lanes};
use crate::launch::{Cost, Kernel, Source, Step, Target};
use crate::matmul::pack;

/// Registers of sums that are computed at once: enough to hide that a sum is ready after some
/// cycles only, few enough for as many pointers into the source.
const ROWS: usize = 10;

/// A register's worth of a group of target pixels.
#[derive(Clone, Debug)]
struct Strip {
    /// Where it begins among the numbers of the group.
    lane: usize,
    /// The source columns its sums run over, counted from the group's first.
    columns: Range<usize>,
    /// Where its filter begins among the packed ones, by class of target rows.
    filters: Vec<usize>,
}

/// How a target image is made.
#[derive(Clone, Debug)]
struct Correlation {
    conv: Convolution,
    rows: Axis,
    columns: Axis,
    padded: Padded,
    /// Channels of a target pixel.
    channels: usize,
    /// Numbers in a register.
    lanes: usize,
    /// Target pixels of a group, each group with the same filters.
    pixels: usize,
    /// Source columns from one group to the next.
    step: usize,
    strips: Vec<Strip>,
    /// Elements of all packed filters.
    packed: usize,
}

impl Correlation {
    fn new(conv: Convolution, direction: Direction, lanes: usize) -> Self {
        let axis = |sliding| Axis { sliding, direction };
        let (rows, columns) = (axis(conv.rows), axis(conv.columns));
        let (from, channels) = match direction {
            Direction::Forward => (conv.channels, conv.filters),
            Direction::Backward => (conv.filters, conv.channels),
        };
        let mut plan = Self {
            conv,
            rows,
            columns,
            padded: Padded {
                rows: rows.source(),
                columns: columns.source(),
                channels: from,
                top: rows.before(),
                left: columns.before(),
                width: 0,
            },
            channels,
            lanes,
            pixels: 1,
            step: 0,
            strips: Vec::new(),
            packed: 0,
        };
        plan.group();
        plan.step = plan.pixels / columns.period() * columns.step();
        let reach = (0..plan.pixels).map(|pixel| columns.seen(pixel).end).max();
        let groups = columns.target().div_ceil(plan.pixels);
        plan.padded.width = groups.saturating_sub(1) * plan.step + reach.unwrap_or(0);
        plan.lay_out();
        plan
    }

    /// The strips of groups of so many pixels, without their filters.
    fn strips(&self, pixels: usize) -> impl Iterator<Item = Strip> {
        let all = pixels * self.channels;
        (0..all).step_by(self.lanes).map(move |lane| {
            let last = (lane + self.lanes).min(all) - 1;
            let seen = (lane / self.channels..=last / self.channels)
                .map(|pixel| self.columns.seen(pixel))
                .filter(|seen| !seen.is_empty());
            let columns = seen.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
            Strip { lane, columns: columns.unwrap_or(0..0), filters: Vec::new() }
        })
    }

    /// Choose the pixels of a group so that as few multiplications as possible are with zeros or
    /// left to empty lanes.
    fn group(&mut self) {
        /// Numbers of a group's filters at most, or as many as the least group has.
        const MOST: usize = 32 * 1024;
        let period = self.columns.period();
        let size = |pixels: usize| -> usize {
            let columns: usize = self.strips(pixels).map(|strip| strip.columns.len()).sum();
            columns * self.lanes * self.padded.channels * self.rows.sliding.window
        };
        let most = size(period).max(MOST);
        let candidates = (1..)
            .map(|i| i * period)
            .take_while(|&pixels| pixels == period || pixels <= 16.min(self.columns.target()))
            .filter(|&pixels| pixels == period || size(pixels) <= most);
        let cost = |pixels: usize| {
            let columns: usize = self.strips(pixels).map(|strip| strip.columns.len()).sum();
            columns * self.columns.target().div_ceil(pixels)
        };
        self.pixels = candidates.min_by_key(|&pixels| cost(pixels)).unwrap_or(period);
    }

    /// Give every strip its place among the packed filters.
    fn lay_out(&mut self) {
        let mut strips: Vec<Strip> = self.strips(self.pixels).collect();
        for strip in &mut strips {
            for class in 0..self.rows.period() {
                strip.filters.push(self.packed);
                let taps = self.rows.taps(class).len();
                self.packed += taps * strip.columns.len() * self.padded.channels * self.lanes;
            }
        }
        self.strips = strips;
    }

    /// The row class of a target row: which row of the first period sees through the same taps.
    fn class(&self, row: usize) -> usize {
        row % self.rows.period()
    }

    /// Elements of the filter turned for [`reference`], which are packed too where it needs them.
    fn turned(&self) -> usize {
        match self.rows.direction {
            Direction::Forward => 0,
            Direction::Backward => self.conv.filter_len(),
        }
    }

    /// Fill `out` with the packed filters, the filter turned where that is needed, and a number
    /// that is 1 if all of it is finite.
    fn pack<T: Float>(&self, w: &[T], out: &mut [T]) {
        let (packed, rest) = out.split_at_mut(self.packed);
        let (turned, flag) = rest.split_at_mut(self.turned());
        flag.fill(if finite(w) { T::ONE } else { T::ZERO });
        let w = match self.rows.direction {
            Direction::Forward => w,
            Direction::Backward => {
                reference::turn_filter(&self.conv, w, turned);
                turned
            }
        };
        packed.fill(T::ZERO);
        let (from, to) = (self.padded.channels, self.channels);
        for strip in &self.strips {
            for (class, &at) in strip.filters.iter().enumerate() {
                for (i, p) in self.rows.taps(class).enumerate() {
                    let end = (strip.lane + self.lanes).min(self.pixels * to);
                    for pixel in strip.lane / to..end.div_ceil(to) {
                        // The channels of this pixel that lie in the strip, and their lanes.
                        let first = strip.lane.max(pixel * to);
                        let count = end.min((pixel + 1) * to) - first;
                        let (channel, lane) = (first - pixel * to, first - strip.lane);
                        let columns = self.columns.seen(pixel).zip(self.columns.taps(pixel));
                        for (column, q) in columns {
                            let row = i * strip.columns.len() + column - strip.columns.start;
                            let tap = p * self.conv.columns.window + q;
                            for c in 0..from {
                                let to_ = at + (row * from + c) * self.lanes + lane;
                                let from_ = (tap * from + c) * to + channel;
                                packed[to_..to_ + count].copy_from_slice(&w[from_..from_ + count]);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The padded rows that target rows of one image need.
    fn needed(&self, rows: Range<usize>) -> Range<usize> {
        let seen = rows.map(|row| self.rows.seen(row));
        seen.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
    }

    /// The most padded rows that so many target rows of one image need.
    fn most_needed(&self, rows: usize) -> usize {
        let periods = rows.min(self.rows.target()).div_ceil(self.rows.period());
        (periods + 1) * self.rows.step() + self.rows.sliding.window
    }
}

pub(super) fn forward<T: Float>(conv: Convolution) -> Kernel {
    kernel::<T>(conv, Direction::Forward)
}

pub(super) fn input_gradient<T: Float>(conv: Convolution) -> Kernel {
    kernel::<T>(conv, Direction::Backward)
}

/// A kernel of two steps: the filters are packed, then the target is made from the source.
fn kernel<T: Float>(conv: Convolution, direction: Direction) -> Kernel {
    let plan = Correlation::new(conv, direction, lanes::<T>());
    let size = size_of::<T>();
    let (filter, source) = match direction {
        Direction::Forward => (Source::Operand(1), Source::Operand(0)),
        Direction::Backward => (Source::Operand(0), Source::Operand(1)),
    };
    let (rows, width) = (plan.rows.target(), plan.columns.target() * plan.channels);
    let each = conv.multiplications() / (conv.images * rows).max(1) as f64;
    let part = conv.rows_in_part(rows, each);
    let scratch = (plan.packed + plan.turned() + 1) * size;
    let copy = plan.most_needed(part) * plan.padded.pitch();
    let packing = plan.clone();
    let pack = Step {
        reads: smallvec![filter],
        writes: Target::Scratch(0),
        chunk: scratch,
        cost: Cost { flops: 0.0, bytes: (scratch + conv.filter_len() * size) as f64 },
        workspace: 0,
        run: Box::new(move |call| {
            packing.pack(call.input::<T>(0), call.output::<T>());
            Ok(())
        }),
    };
    let main = Step {
        reads: smallvec![source, Source::Scratch(0), filter],
        writes: Target::Output,
        chunk: (part * width * size).max(1),
        cost: conv.cost::<T>(),
        workspace: pack::workspace::<T>(copy, 0),
        run: Box::new(move |call| {
            let first = call.start::<T>() / width;
            let (inputs, outputs, workspace) = call.split();
            let [x, filters, w] = [0, 1, 2].map(|input| inputs.get::<T>(input));
            let out = outputs.first().cast::<T>();
            // Borrowed out here, since only what is inlined into `run` is compiled for the
            // instruction set.
            let (copy, _) = pack::blocks::<T>(workspace, copy, 0);
            dispatch::<T>(Rows { plan: &plan, x, filters, w, out, first, copy });
            Ok(())
        }),
    };
    Kernel { steps: [pack, main].into_iter().collect(), scratch: smallvec![scratch] }
}

/// Target rows to make, counted through all images.
struct Rows<'a, T> {
    plan: &'a Correlation,
    x: &'a [T],
    filters: &'a [T],
    w: &'a [T],
    out: &'a mut [T],
    first: usize,
    copy: &'a mut [T],
}

impl<T: Float> Work<T> for Rows<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>,
    {
        let Self { plan, x, filters, w, out, first, copy } = self;
        assert_eq!(size_of::<T::Vector>(), plan.lanes * size_of::<T>());
        let (rows, padded) = (plan.rows.target(), &plan.padded);
        let width = plan.columns.target() * plan.channels;
        let image_len = padded.rows * padded.columns * padded.channels;
        let (packed, rest) = filters.split_at(plan.packed);
        let (turned, flag) = rest.split_at(plan.turned());
        let mut copy = Copy::new(copy);
        let mut done = 0;
        while done * width < out.len() {
            let (image, row) = ((first + done) / rows, (first + done) % rows);
            let count = (rows - row).min(out.len() / width - done);
            let out = &mut out[done * width..][..count * width];
            let source = &x[image * image_len..][..image_len];
            let needed = plan.needed(row..row + count);
            let first_needed = needed.start;
            if copy.fill(simd, padded, source, needed) && flag[0] == T::ONE {
                let image =
                    Image { plan, packed, copy: copy.elements(), needed: first_needed, row };
                image.fill(simd, out);
            } else {
                match plan.rows.direction {
                    Direction::Forward => {
                        reference::forward_rows(&plan.conv, x, w, out, first + done)
                    }
                    Direction::Backward => {
                        reference::input_gradient_rows(&plan.conv, turned, x, out, first + done);
                    }
                }
            }
            done += count;
        }
    }
}

/// Target rows of one image, and the padded source rows they are made from.
struct Image<'a, T> {
    plan: &'a Correlation,
    packed: &'a [T],
    copy: &'a [T],
    /// The first of the padded rows.
    needed: usize,
    /// The first of the target rows.
    row: usize,
}

/// A group of target pixels to be made.
#[derive(Clone, Copy)]
struct Group {
    /// Where it begins in the padded source.
    source: usize,
    /// Where it begins in the target.
    target: usize,
    /// Its numbers: fewer at the end of a row.
    count: usize,
    /// Numbers that may be written from its beginning on: what is not its own is written later.
    room: usize,
}

impl<T: Float> Image<'_, T> {
    #[inline(always)]
    fn fill<S: Simd>(&self, simd: S, out: &mut [T])
    where
        T: Lane<S>,
    {
        let plan = self.plan;
        let period = plan.rows.period();
        let width = plan.columns.target() * plan.channels;
        let rows = out.len() / width;
        for class in 0..period {
            // The first of these rows that is of the class.
            let first = (class + period - plan.class(self.row)) % period;
            let taps = plan.rows.taps(class).len();
            let mut tile = [Group { source: 0, target: 0, count: 0, room: 0 }; ROWS];
            let mut len = 0;
            for row in (first..rows).step_by(period) {
                let source = (plan.rows.first(self.row + row) - self.needed) * plan.padded.pitch();
                let step = plan.step * plan.padded.channels;
                let group = plan.pixels * plan.channels;
                for (i, column) in (0..width).step_by(group).enumerate() {
                    tile[len] = Group {
                        source: source + i * step,
                        target: row * width + column,
                        count: group.min(width - column),
                        // Rows of other classes may have been written before.
                        room: match period {
                            1 => out.len() - row * width - column,
                            _ => width - column,
                        },
                    };
                    len += 1;
                    if len == ROWS {
                        self.tile(simd, &tile, class, taps, out);
                        len = 0;
                    }
                }
            }
            if len > 0 {
                // The last group is made again instead of what is missing.
                let last = tile[len - 1];
                tile[len..].fill(last);
                self.tile(simd, &tile, class, taps, out);
            }
        }
    }

    /// Make some groups of rows of a class.
    #[inline(always)]
    fn tile<S: Simd>(&self, simd: S, tile: &[Group; ROWS], class: usize, taps: usize, out: &mut [T])
    where
        T: Lane<S>,
    {
        let plan = self.plan;
        let (pitch, from) = (plan.padded.pitch(), plan.padded.channels);
        let source = tile.iter().map(|group| group.source).max().unwrap_or(0);
        let target = tile.iter().map(|group| group.target).max().unwrap_or(0);
        let room = tile.iter().map(|group| group.room).min().unwrap_or(0);
        // From the last to the first: what the last one writes beyond its group is overwritten.
        for strip in plan.strips.iter().rev() {
            let run = strip.columns.len() * from;
            let filter = &self.packed[strip.filters[class]..];
            assert!(filter.len() >= taps * run * plan.lanes, "the filter is in bounds");
            let first = strip.columns.start * from;
            let furthest = source + first + (taps.max(1) - 1) * pitch + run;
            assert!(self.copy.len() >= furthest, "the source is in bounds");
            let mut rows = [self.copy.as_ptr(); ROWS];
            for (row, group) in rows.iter_mut().zip(tile) {
                *row = row.wrapping_add(group.source + first);
            }
            // SAFETY: the two assertions are what it asks for.
            let sums = unsafe { correlate::<S, T>(simd, &rows, pitch, filter.as_ptr(), taps, run) };
            let end = strip.lane + plan.lanes;
            if room >= end {
                assert!(out.len() >= target + end, "the target is in bounds");
                for (group, sum) in tile.iter().zip(sums) {
                    // SAFETY: the assertion is about the furthest; a register is written without
                    // regard to alignment.
                    unsafe {
                        let out = out.as_mut_ptr().add(group.target + strip.lane);
                        out.cast::<T::Vector>().write_unaligned(sum);
                    }
                }
                continue;
            }
            for (group, sum) in tile.iter().zip(sums) {
                let end = end.min(if group.room >= end { end } else { group.count });
                let out = &mut out[group.target..][strip.lane.min(end)..end];
                store::<S, T>(sum, out);
            }
        }
    }
}

/// As many elements of a register as `out` has.
#[inline(always)]
fn store<S: Simd, T: Lane<S>>(sum: T::Vector, out: &mut [T]) {
    /// Elements that are moved at once. A masked store of `pulp` is a call through a pointer, which
    /// costs more than the sums of a small filter.
    const RUN: usize = 4;
    if size_of_val(out) == size_of::<T::Vector>() {
        // SAFETY: the slice is as long as the register, and is written without regard to alignment.
        unsafe { out.as_mut_ptr().cast::<T::Vector>().write_unaligned(sum) };
        return;
    }
    let sum = [sum];
    let sum: &[T] = bytemuck::cast_slice(&sum);
    let sum = &sum[..out.len()];
    let (runs, rest) = out.as_chunks_mut::<RUN>();
    let (sums, last) = sum.as_chunks::<RUN>();
    for (o, s) in runs.iter_mut().zip(sums) {
        *o = *s;
    }
    for (o, &s) in rest.iter_mut().zip(last) {
        *o = s;
    }
}

/// `Σ rows[i][p · pitch + k] · filter[p · run + k]`, a register for each i, over p below `taps` and
/// k below `run`.
///
/// # Safety
/// Every row must be readable at all `p · pitch + k`, and `filter` for `taps · run` vectors.
#[inline(always)]
unsafe fn correlate<S: Simd, T: Lane<S>>(
    simd: S,
    rows: &[*const T; ROWS],
    pitch: usize,
    filter: *const T,
    taps: usize,
    run: usize,
) -> [T::Vector; ROWS] {
    let mut sums = [T::splat(simd, T::ZERO); ROWS];
    let mut filter = filter.cast::<T::Vector>();
    let mut rows = *rows;
    for _ in 0..taps {
        for k in 0..run {
            // SAFETY: the filter is readable here; it is read without regard to alignment.
            let weights = unsafe { filter.read_unaligned() };
            filter = filter.wrapping_add(1);
            for (sum, row) in sums.iter_mut().zip(&rows) {
                // SAFETY: the row is readable here.
                let x = T::splat(simd, unsafe { *row.add(k) });
                *sum = T::multiply_add(simd, x, weights, *sum);
            }
        }
        // Beyond the last tap these may point outside, where nothing is read.
        for row in &mut rows {
            *row = row.wrapping_add(pitch);
        }
    }
    sums
}
