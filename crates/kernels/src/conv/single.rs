//! The gradient with respect to the filter for images of one channel, where the filter moves by one pixel: the first layer of a network.
//!
//! A row of taps sees so few numbers, `w` of them, that strips as in [`filter`](super::filter) would leave most of a register empty. Here
//! registers are laid along the result's row instead, `[pixel, F]`, and the images are copied with every number F times, so that the registers of
//! a tap lie along theirs. The sums of a tap are `[pixel of a register, F]`, and are added over the pixels in the end.
//!
//! As measured for [`correlation`](super::correlation): 81 GFLOP/s for 5x5x1x4 and 71 for 6x6x1x6, where strips gave 49 and 62.

use std::ops::Range;

use pulp::Simd;
use smallvec::smallvec;

use super::Convolution;
use super::filter::MOST_LANES;
use super::padded::{Copy, Padded, finite};
use super::partials::Partials;
use crate::element::Real;
use crate::lanes::{Float, Lane, Work, dispatch, lanes};
use crate::launch::{Cost, Kernel, Source, Step, Target};
use crate::matmul::pack;

/// How the sums are made.
#[derive(Clone, Copy, Debug)]
struct Plan {
    conv: Convolution,
    partials: Partials,
    padded: Padded,
    lanes: usize,
    /// Pixels of the result in a register.
    pixels: usize,
    /// Registers of a row of the result.
    registers: usize,
}

impl Plan {
    fn new(conv: Convolution, lanes: usize) -> Self {
        let pixels = lanes / conv.filters;
        let registers = conv.columns.output.div_ceil(pixels);
        Self {
            conv,
            partials: Partials::new(&conv),
            padded: Padded {
                rows: conv.rows.input,
                columns: conv.columns.input,
                channels: 1,
                top: conv.rows.before,
                left: conv.columns.before,
                width: registers * pixels + conv.columns.window,
            },
            lanes,
            pixels,
            registers,
        }
    }

    /// Sums of a block.
    fn block_len(&self) -> usize {
        self.conv.rows.window * self.conv.columns.window * self.lanes
    }

    /// Rows of images that so many rows of the result see.
    fn needed(&self, rows: usize) -> usize {
        rows + self.conv.rows.window - 1
    }

    /// Elements from one row to the next of the copy with every number F times, and of the register that may reach beyond.
    fn pitch(&self) -> usize {
        self.padded.width * self.conv.filters + self.lanes
    }

    /// Elements from one register of a row of the result to the next. Lanes beyond are of the next register's pixels; their sums are of no use.
    fn step(&self) -> usize {
        self.pixels * self.conv.filters
    }

    /// Elements from one row to the next of the result's copy.
    fn result_pitch(&self) -> usize {
        (self.registers - 1) * self.step() + self.lanes
    }

    /// Rows of zeros above and below the result's copy.
    fn margin(&self) -> usize {
        self.conv.rows.window - 1
    }

    /// Elements of the result's copy, and of the images' with the numbers once and F times.
    fn copies(&self, rows: usize) -> (usize, [usize; 2]) {
        let needed = self.needed(rows);
        (
            (rows + 2 * self.margin()) * self.result_pitch(),
            [needed * self.padded.pitch(), needed * self.pitch()],
        )
    }

    /// The most rows that are added at once: of one image in a block, and with copies that stay in a first-level cache.
    fn most<T>(&self) -> usize {
        /// Bytes of the copies that are read again and again.
        const CACHED: usize = 28 * 1024;
        let row = (self.pitch() + self.result_pitch()) * size_of::<T>();
        let fit = (CACHED / row).saturating_sub(self.margin()).max(8);
        let rows = self.partials.most().min(self.conv.rows.output);
        rows.div_ceil(rows.div_ceil(fit))
    }

    /// Add the blocks' sums, then those of a register's pixels.
    fn combine<T: Real>(&self, sums: &[T], out: &mut [T]) {
        let filters = self.conv.filters;
        for (tap, out) in out.chunks_exact_mut(filters).enumerate() {
            out.fill(T::ZERO);
            for pixel in 0..self.pixels {
                for (f, out) in out.iter_mut().enumerate() {
                    let mut sum = T::ZERO;
                    for block in sums.chunks_exact(self.block_len()) {
                        sum = sum + block[tap * self.lanes + pixel * filters + f];
                    }
                    *out = *out + sum;
                }
            }
        }
    }

    /// Add the products of rows of one image, by one loop over all of them that leaves out what is beyond the borders.
    fn add_exactly<T: Real>(&self, x: &[T], y: &[T], rows: Range<usize>, out: &mut [T]) {
        let (down, across, filters) = (self.conv.rows, self.conv.columns, self.conv.filters);
        let from = rows.start;
        for i in rows {
            for p in down.taps(i) {
                let row = down.element(i, p) * across.input;
                for j in 0..across.output {
                    let y = &y[((i - from) * across.output + j) * filters..][..filters];
                    for q in across.taps(j) {
                        let x = x[row + across.element(j, q)];
                        let sums = &mut out[(p * across.window + q) * self.lanes..];
                        for (sum, &y) in sums.iter_mut().zip(y) {
                            *sum = *sum + x * y;
                        }
                    }
                }
            }
        }
    }
}

/// Whether this way takes fewer multiplications than strips.
pub(super) fn is_better<T: Float>(conv: &Convolution) -> bool {
    let (strides, lanes) = ((conv.rows.stride, conv.columns.stride), lanes::<T>());
    conv.channels == 1 && strides == (1, 1) && conv.filters <= lanes && {
        let window = conv.columns.window;
        window < lanes / conv.filters * conv.filters * window.div_ceil(lanes)
    }
}

/// A kernel of two steps: sums of blocks, then their sum.
pub(super) fn gradient<T: Float>(conv: Convolution) -> Kernel {
    let plan = Plan::new(conv, lanes::<T>());
    let (size, block) = (size_of::<T>(), plan.block_len());
    let sums = plan.partials.blocks * block * size;
    let (result, images) = plan.copies(plan.most::<T>());
    let images = images.iter().sum();
    let first = Step {
        reads: smallvec![Source::Operand(0), Source::Operand(1)],
        writes: Target::Scratch(0),
        chunk: block * size,
        cost: conv.cost::<T>(),
        workspace: pack::workspace::<T>(result, images),
        run: Box::new(move |call| {
            let rows = plan.partials.rows(call.part());
            let (inputs, outputs, workspace) = call.split();
            let (x, y, out) = (inputs.get::<T>(0), inputs.get::<T>(1), outputs.first().cast::<T>());
            // Borrowed out here, since only what is inlined into `run` is compiled for the instruction set.
            let (result, images) = pack::blocks::<T>(workspace, result, images);
            dispatch::<T>(Block { plan: &plan, x, y, rows, out, result, images });
            Ok(())
        }),
    };
    let second = Step {
        reads: smallvec![Source::Scratch(0)],
        writes: Target::Output,
        chunk: conv.filter_len() * size,
        cost: Cost { flops: (sums / size) as f64, bytes: (sums + conv.filter_len() * size) as f64 },
        workspace: 0,
        run: Box::new(move |call| {
            plan.combine(call.input::<T>(0), call.output::<T>());
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
    result: &'a mut [T],
    images: &'a mut [T],
}

impl<T: Float> Work<T> for Block<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>,
    {
        let Self { plan, x, y, rows: all, out, result, images } = self;
        assert_eq!(size_of::<T::Vector>(), plan.lanes * size_of::<T>());
        let (conv, padded) = (&plan.conv, &plan.padded);
        let (image_len, rows) = (padded.rows * padded.columns, conv.rows.output);
        let width = conv.columns.output * conv.filters;
        let most = plan.most::<T>();
        out.fill(T::ZERO);
        let (once, times) = images.split_at_mut(plan.copies(most).1[0]);
        let mut once = Copy::new(once);
        let mut done = all.start;
        while done < all.end {
            let (image, row) = (done / rows, done % rows);
            let count = (rows - row).min(all.end - done).min(most);
            let x = &x[image * image_len..][..image_len];
            let y = &y[done * width..][..count * width];
            let needed = row..row + plan.needed(count);
            if once.fill(simd, padded, x, needed) && finite(y) {
                let (len, [all, times_len]) = plan.copies(count);
                let (result, times) = (&mut result[..len], &mut times[..times_len]);
                plan.copy_result(y, result);
                plan.repeat(&once.elements()[..all], times);
                let rows = Rows { plan, x: times, y: result, count };
                rows.add(simd, out);
            } else {
                plan.add_exactly(x, y, row..row + count, out);
            }
            done += count;
        }
    }
}

impl Plan {
    /// Copy rows of the result with zeros after each, and rows of zeros above and below.
    #[inline(always)]
    fn copy_result<T: Real>(&self, y: &[T], out: &mut [T]) {
        let (width, pitch) = (self.conv.columns.output * self.conv.filters, self.result_pitch());
        let (above, rest) = out.split_at_mut(self.margin() * pitch);
        let (rows, below) = rest.split_at_mut(y.len() / width * pitch);
        above.fill(T::ZERO);
        below.fill(T::ZERO);
        for (y, out) in y.chunks_exact(width).zip(rows.chunks_exact_mut(pitch)) {
            let (pixels, zeros) = out.split_at_mut(width);
            pixels.copy_from_slice(y);
            zeros.fill(T::ZERO);
        }
    }

    /// Copy padded rows with every number F times.
    #[inline(always)]
    fn repeat<T: Real>(&self, x: &[T], out: &mut [T]) {
        match self.conv.filters {
            0..=4 => self.repeat_in_runs::<T, 4>(x, out),
            5..=8 => self.repeat_in_runs::<T, 8>(x, out),
            _ => self.repeat_in_runs::<T, MOST_LANES>(x, out),
        }
    }

    /// Each number is written N times, which is at least F; the next one overwrites what is too many.
    #[inline(always)]
    fn repeat_in_runs<T: Real, const N: usize>(&self, x: &[T], out: &mut [T]) {
        let filters = self.conv.filters;
        let rows = x.chunks_exact(self.padded.width);
        for (x, out) in rows.zip(out.chunks_exact_mut(self.pitch())) {
            let (repeated, beyond) = out.split_at_mut(x.len() * filters);
            // What a register may see beyond.
            beyond.fill(T::ZERO);
            let safe = repeated.len().saturating_sub(N) / filters;
            let (first, last) = x.split_at(safe.min(x.len()));
            let mut to = repeated.as_mut_ptr();
            for &x in first {
                // SAFETY: N elements from `i · F` on are within the slice for every i below `safe`.
                unsafe { to.cast::<[T; N]>().write_unaligned([x; N]) };
                to = to.wrapping_add(filters);
            }
            let rest = repeated[first.len() * filters..].chunks_exact_mut(filters);
            for (to, &x) in rest.zip(last) {
                to.fill(x);
            }
        }
    }
}

/// Copies of rows of the result of one image, and of the rows of the image that they see.
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
        let (rows, columns) = (self.plan.conv.rows.window, self.plan.conv.columns.window);
        let wide = S::REGISTER_COUNT >= 32;
        let mut p = 0;
        while p < rows {
            let mut q = 0;
            // As many taps as the registers hold the sums of.
            macro_rules! columns {
                ($rows:literal: $($columns:literal)*) => {
                    while q < columns {
                        match columns - q {
                            $(rest if rest >= $columns => {
                                self.tile::<S, $rows, $columns>(simd, p, q, out);
                                q += $columns;
                            })*
                            _ => unreachable!("there is a column left"),
                        }
                    }
                };
            }
            match (rows - p, wide) {
                (3.., true) => {
                    columns!(3: 6 5 3 1);
                    p += 3;
                }
                (2.., _) => {
                    columns!(2: 5 3 1);
                    p += 2;
                }
                _ => {
                    columns!(1: 6 3 1);
                    p += 1;
                }
            }
        }
    }

    /// Add the products of the taps in P rows from `p` and Q columns from `q` on.
    #[inline(always)]
    fn tile<S: Simd, const P: usize, const Q: usize>(
        &self,
        simd: S,
        p: usize,
        q: usize,
        out: &mut [T],
    ) where
        T: Lane<S>,
    {
        let plan = self.plan;
        let (pitch, result_pitch, lanes) = (plan.pitch(), plan.result_pitch(), plan.lanes);
        let (filters, step) = (plan.conv.filters, plan.step());
        // Row r of the images is seen through tap p by row r - p of the result, or by zeros above and below.
        let rows = p..self.count + p + P - 1;
        let furthest =
            (rows.end - 1) * pitch + (plan.registers - 1) * step + (q + Q - 1) * filters + lanes;
        assert!(self.x.len() >= furthest, "the images are in bounds");
        let above = plan.margin();
        assert!(
            above + 1 >= P && self.y.len() >= (rows.end + above - p) * result_pitch,
            "the result is in bounds"
        );
        let mut sums = [[T::splat(simd, T::ZERO); Q]; P];
        for row in rows {
            let mut x = self.x.as_ptr().wrapping_add(row * pitch + q * filters);
            let y = row + above - p;
            let mut y: [*const T; P] =
                std::array::from_fn(|i| self.y.as_ptr().wrapping_add((y - i) * result_pitch));
            for _ in 0..plan.registers {
                // SAFETY: the first assertion is about the furthest that is read here, without regard to alignment.
                let seen: [T::Vector; Q] = std::array::from_fn(|k| unsafe {
                    x.add(k * filters).cast::<T::Vector>().read_unaligned()
                });
                x = x.wrapping_add(step);
                for (sums, y) in sums.iter_mut().zip(&mut y) {
                    // SAFETY: the second assertion is about the last row, and the first is not above the copy.
                    let result = unsafe { y.cast::<T::Vector>().read_unaligned() };
                    *y = y.wrapping_add(step);
                    for (sum, &x) in sums.iter_mut().zip(&seen) {
                        *sum = T::multiply_add(simd, x, result, *sum);
                    }
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (k, &sum) in sums.iter().enumerate() {
                let at = ((p + i) * plan.conv.columns.window + q + k) * lanes;
                let out = &mut out[at..at + lanes];
                // SAFETY: the slice is as long as a register, and is read and written without regard to alignment.
                unsafe {
                    let out = out.as_mut_ptr().cast::<T::Vector>();
                    out.write_unaligned(T::plus(simd, out.read_unaligned(), sum));
                }
            }
        }
    }
}
