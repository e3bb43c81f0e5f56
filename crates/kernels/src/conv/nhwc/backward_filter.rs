//! The gradient with respect to the filter, without groups and dilation: sums in registers over all
//! places.
//!
//! For a tap's row p the images' numbers that the taps `(q, c)` of a place see are one run, `w · C`
//! of them. Registers are laid along that run, the strips; at each place one is multiplied with
//! each of the result's channels there. Sums of a block of rows are kept `[strip, F, lane]` and put
//! in the filter's order, `[h, w, C, F]`, when the blocks' sums are added.
//!
//! As measured for [`correlation`](super::correlation): 145 (4x4x4x8), 156 (4x4x8x12), 145
//! (5x5x6x12) and 146 GFLOP/s (4x4x12x24).

use std::ops::Range;

use pulp::Simd;
use smallvec::smallvec;

use crate::conv::Convolution;
use crate::conv::padded::{Copy, Padded, finite};
use crate::conv::partials::Partials;
use crate::dispatch::vectorized;
use crate::element::Real;
use crate::lanes::{Float, Lane, Work, dispatch, lanes};
use crate::launch::{Cost, Kernel, Source, Step, Target};
use crate::matmul::pack;

/// Numbers in the largest register of any processor.
pub(super) const MOST_LANES: usize = 16;

/// How the sums are made.
#[derive(Clone, Copy, Debug)]
struct Plan {
    conv: Convolution,
    partials: Partials,
    padded: Padded,
    lanes: usize,
    /// Numbers that the taps of one row see at a place.
    run: usize,
    /// Strips of a row of taps.
    strips: usize,
}

impl Plan {
    fn new(conv: Convolution, lanes: usize) -> Self {
        let (rows, columns) = (conv.rows, conv.columns);
        let run = columns.window * conv.channels;
        Self {
            conv,
            partials: Partials::new(&conv),
            padded: Padded {
                rows: rows.input,
                columns: columns.input,
                channels: conv.channels,
                top: rows.before,
                left: columns.before,
                width: (columns.output - 1) * columns.stride + columns.window,
            },
            lanes,
            run,
            strips: run.div_ceil(lanes),
        }
    }

    /// Sums of a row of taps.
    fn row_len(&self) -> usize {
        self.strips * self.conv.filters * self.lanes
    }

    /// Sums of a block.
    fn block_len(&self) -> usize {
        self.conv.rows.window * self.row_len()
    }

    /// The padded rows that rows of the result see.
    fn needed(&self, rows: Range<usize>) -> Range<usize> {
        let sliding = self.conv.rows;
        rows.start * sliding.stride..(rows.end - 1) * sliding.stride + sliding.window
    }

    /// Elements of the padded copy of an image, and of the register that reaches beyond.
    fn copy_len(&self) -> usize {
        let rows = self.partials.most().min(self.conv.rows.output);
        self.needed(0..rows).len() * self.padded.pitch() + self.lanes
    }

    /// Add the blocks' sums for the rows of taps from `first` on, and put them in the filter's
    /// order.
    fn combine<T: Real>(&self, sums: &[T], out: &mut [T], first: usize) {
        let filters = self.conv.filters;
        let row = self.run * filters;
        for (p, out) in out.chunks_exact_mut(row).enumerate() {
            let at = (first / row + p) * self.row_len();
            for strip in 0..self.strips {
                let run = strip * self.lanes..self.run.min((strip + 1) * self.lanes);
                for f in 0..filters {
                    let at = at + (strip * filters + f) * self.lanes;
                    let mut sum = [T::ZERO; MOST_LANES];
                    for block in sums.chunks_exact(self.block_len()) {
                        for (sum, &x) in sum.iter_mut().zip(&block[at..at + self.lanes]) {
                            *sum = *sum + x;
                        }
                    }
                    for (j, sum) in run.clone().zip(sum) {
                        out[j * filters + f] = sum;
                    }
                }
            }
        }
    }

    /// Add the products of rows of one image, by one loop over all of them that leaves out what is
    /// beyond the borders.
    fn add_exactly<T: Real>(&self, x: &[T], y: &[T], rows: Range<usize>, out: &mut [T]) {
        let conv = &self.conv;
        let (channels, filters) = (conv.channels, conv.filters);
        let from = rows.start;
        for i in rows {
            for p in conv.rows.taps(i) {
                let row = conv.rows.element(i, p) * conv.columns.input;
                for j in 0..conv.columns.output {
                    let y = &y[((i - from) * conv.columns.output + j) * filters..][..filters];
                    for q in conv.columns.taps(j) {
                        let x = &x[(row + conv.columns.element(j, q)) * channels..][..channels];
                        for (c, &x) in x.iter().enumerate() {
                            let run = q * channels + c;
                            let strip = p * self.strips + run / self.lanes;
                            for (f, &y) in y.iter().enumerate() {
                                let at = (strip * filters + f) * self.lanes + run % self.lanes;
                                out[at] = out[at] + x * y;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A kernel of two steps: sums of blocks, then their sum.
pub(super) fn gradient<T: Float>(conv: Convolution) -> Kernel {
    let plan = Plan::new(conv, lanes::<T>());
    let (size, block) = (size_of::<T>(), plan.block_len());
    let sums = plan.partials.blocks * block * size;
    let first = Step {
        reads: smallvec![Source::Operand(0), Source::Operand(1)],
        writes: Target::Scratch(0),
        chunk: block * size,
        cost: conv.cost::<T>(),
        workspace: pack::workspace::<T>(plan.copy_len(), 0),
        run: Box::new(move |call| {
            let rows = plan.partials.rows(call.part());
            let (inputs, outputs, workspace) = call.split();
            let (x, y, out) = (inputs.get::<T>(0), inputs.get::<T>(1), outputs.first().cast::<T>());
            // Borrowed out here, since only what is inlined into `run` is compiled for the
            // instruction set.
            let (copy, _) = pack::blocks::<T>(workspace, plan.copy_len(), 0);
            dispatch::<T>(Block { plan: &plan, x, y, rows, out, copy });
            Ok(())
        }),
    };
    let second = Step {
        reads: smallvec![Source::Scratch(0)],
        writes: Target::Output,
        chunk: plan.run * conv.filters * size,
        cost: Cost { flops: (sums / size) as f64, bytes: (sums + conv.filter_len() * size) as f64 },
        workspace: 0,
        run: Box::new(move |call| {
            let (sums, start) = (call.input::<T>(0), call.start::<T>());
            let out = call.output::<T>();
            vectorized(
                #[inline(always)]
                || plan.combine(sums, out, start),
            );
            Ok(())
        }),
    };
    Kernel { steps: [first, second].into_iter().collect(), scratch: smallvec![sums] }
}

/// The sums of a block of the result's rows.
struct Block<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    y: &'a [T],
    rows: Range<usize>,
    out: &'a mut [T],
    copy: &'a mut [T],
}

impl<T: Float> Work<T> for Block<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>,
    {
        let Self { plan, x, y, rows: all, out, copy } = self;
        assert_eq!(size_of::<T::Vector>(), plan.lanes * size_of::<T>());
        let (conv, padded) = (&plan.conv, &plan.padded);
        let (image_len, rows) = (padded.rows * padded.columns * padded.channels, conv.rows.output);
        let width = conv.columns.output * conv.filters;
        out.fill(T::ZERO);
        let mut copy = Copy::new(copy);
        let mut done = all.start;
        while done < all.end {
            let (image, row) = (done / rows, done % rows);
            let count = (rows - row).min(all.end - done);
            let x = &x[image * image_len..][..image_len];
            let y = &y[done * width..][..count * width];
            if finite(y) {
                // Whether x is finite does not matter: what lies beyond the copy is multiplied, and
                // left out in the end.
                let needed = plan.needed(row..row + count);
                let len = needed.len() * padded.pitch() + plan.lanes;
                copy.fill(simd, padded, x, needed);
                let rows = Rows { plan, x: &copy.elements()[..len], y, count };
                rows.add(simd, out);
            } else {
                plan.add_exactly(x, y, row..row + count, out);
            }
            done += count;
        }
    }
}

/// Rows of the result of one image, and the padded rows of the image that they see.
struct Rows<'a, T> {
    plan: &'a Plan,
    x: &'a [T],
    y: &'a [T],
    count: usize,
}

impl<T: Float> Rows<'_, T> {
    /// Add all products to the block's sums.
    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, out: &mut [T])
    where
        T: Lane<S>,
    {
        let filters = self.plan.conv.filters;
        let mut f = 0;
        while f < filters {
            // As many sums as hide that one is ready after some cycles only, and as registers hold.
            macro_rules! filters {
                ($($count:literal $wide:literal $narrow:literal;)*) => {
                    match filters - f {
                        $(rest if rest >= $count => {
                            if const { S::REGISTER_COUNT >= 32 } {
                                self.strips::<S, $count, $wide>(simd, f, out);
                            } else {
                                self.strips::<S, $count, $narrow>(simd, f, out);
                            }
                            f += $count;
                        })*
                        _ => unreachable!("there is a filter left"),
                    }
                };
            }
            filters! {
                12 2 1;
                8 3 1;
                6 4 2;
                4 4 2;
                2 4 4;
                1 8 4;
            }
        }
    }

    /// Add the products with `F` filters from `first` on, `V` strips at a time as long as there are
    /// so many.
    #[inline(always)]
    fn strips<S: Simd, const F: usize, const V: usize>(&self, simd: S, first: usize, out: &mut [T])
    where
        T: Lane<S>,
    {
        let all = self.plan.conv.rows.window * self.plan.strips;
        let mut strip = 0;
        while strip + V <= all {
            self.tile::<S, F, V>(simd, first, strip, out);
            strip += V;
        }
        for strip in strip..all {
            self.tile::<S, F, 1>(simd, first, strip, out);
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const F: usize, const V: usize>(
        &self,
        simd: S,
        filter: usize,
        strip: usize,
        out: &mut [T],
    ) where
        T: Lane<S>,
    {
        let plan = self.plan;
        let conv = &plan.conv;
        let pitch = plan.padded.pitch();
        let x_row = conv.rows.stride * pitch;
        let x_step = conv.columns.stride * conv.channels;
        let columns = conv.columns.output;
        let furthest = (self.count - 1) * x_row + (columns - 1) * x_step + plan.lanes;
        let x: [*const T; V] = std::array::from_fn(|v| {
            let (p, chunk) = ((strip + v) / plan.strips, (strip + v) % plan.strips);
            let x = &self.x[p * pitch + chunk * plan.lanes..];
            assert!(x.len() >= furthest, "the images are in bounds");
            x.as_ptr()
        });
        let y = &self.y[filter..];
        let pixels = self.count * columns;
        assert!(y.len() >= (pixels - 1) * conv.filters + F, "the result is in bounds");
        // SAFETY: the two assertions are what it asks for.
        let sums = unsafe {
            let y = (y.as_ptr(), conv.filters);
            products::<S, T, F, V>(simd, x, (x_row, x_step), y, (self.count, columns))
        };
        for (i, sums) in sums.iter().enumerate() {
            for (v, &sum) in sums.iter().enumerate() {
                let at = ((strip + v) * conv.filters + filter + i) * plan.lanes;
                let out = &mut out[at..at + plan.lanes];
                // SAFETY: the slice is as long as a register, and is read and written without
                // regard to alignment.
                unsafe {
                    let out = out.as_mut_ptr().cast::<T::Vector>();
                    out.write_unaligned(T::plus(simd, out.read_unaligned(), sum));
                }
            }
        }
    }
}

/// `Σ x[v][i · row + j · step] · y[(i · columns + j) · filters + f]`, a register for each f below F
/// and each v, over i and j below `rows` and `columns`.
///
/// # Safety
/// Every x must be readable at all these places for a register, and y at all of its.
#[inline(always)]
unsafe fn products<S: Simd, T: Lane<S>, const F: usize, const V: usize>(
    simd: S,
    x: [*const T; V],
    (row, step): (usize, usize),
    (y, filters): (*const T, usize),
    (rows, columns): (usize, usize),
) -> [[T::Vector; V]; F] {
    let mut sums = [[T::splat(simd, T::ZERO); V]; F];
    let mut y = y;
    for i in 0..rows {
        let mut x = x.map(|x| x.wrapping_add(i * row));
        for _ in 0..columns {
            // SAFETY: x is readable here; it is read without regard to alignment.
            let seen = x.map(|x| unsafe { x.cast::<T::Vector>().read_unaligned() });
            for (f, sums) in sums.iter_mut().enumerate() {
                // SAFETY: y is readable here.
                let y = T::splat(simd, unsafe { *y.add(f) });
                for (sum, &x) in sums.iter_mut().zip(&seen) {
                    *sum = T::multiply_add(simd, x, y, *sum);
                }
            }
            // Beyond the last place these may point outside, where nothing is read.
            x = x.map(|x| x.wrapping_add(step));
            y = y.wrapping_add(filters);
        }
    }
    sums
}
