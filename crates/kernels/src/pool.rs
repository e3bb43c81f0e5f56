//! The largest and the mean element of windows that slide over images `[N, H, W, C]`, and what
//! their gradients need.

use crate::dispatch::{rows_chunk, vectorized};
use crate::element::Real;
use crate::lanes::Float;
use crate::launch::{Cost, Kernel};
use crate::sliding::Sliding;

/// Windows over images: sizes that are known to fit together. Padding is no part of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Images in the batch, N.
    pub images: usize,
    /// The window sliding over the images' rows.
    pub rows: Sliding,
    /// The window sliding over the images' columns.
    pub columns: Sliding,
    /// Channels, C.
    pub channels: usize,
}

/// An operation on windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// From images: the largest elements of windows, NaN where there is one.
    Max,
    /// From images and a result's cotangent: the images' cotangent, to which each window adds its
    /// element where the first of its largest is.
    ScatterMax,
    /// From images and others of their shape: the others' elements where each window's first
    /// largest element is.
    GatherMax,
    /// From images: the means of windows.
    Mean,
    /// From a result's cotangent: the images' cotangent, to which each window adds an even share of
    /// its element.
    SpreadMean,
}

impl Pool {
    /// Loops for one of the operations.
    pub fn kernel<T: Float>(self, operation: Operation) -> Kernel {
        T::pool(self, operation)
    }

    /// Elements of one row of the images.
    fn input_width(&self) -> usize {
        self.columns.input * self.channels
    }

    /// Elements of one row of the result.
    fn output_width(&self) -> usize {
        self.columns.output * self.channels
    }

    /// Elements of the images.
    fn input_len(&self) -> usize {
        self.images * self.rows.input * self.input_width()
    }

    /// Elements of the result.
    fn output_len(&self) -> usize {
        self.images * self.rows.output * self.output_width()
    }

    /// Comparisons or additions of all windows.
    fn operations(&self) -> f64 {
        let taps = self.rows.window as f64 * self.columns.window as f64;
        self.output_len() as f64 * taps.min(self.rows.input as f64 * self.columns.input as f64)
    }

    /// The number of elements of the result that one part fills: whole rows.
    fn output_chunk(&self, size: usize) -> usize {
        let bytes = (self.rows.stride.min(self.rows.input) * self.input_width()
            + self.output_width())
            * size;
        rows_chunk(self.images * self.rows.output, self.output_width(), bytes)
    }

    /// The number of elements of the images' gradient that one part fills: whole rows, and whole
    /// images where these are small, since windows over the border between two parts are looked at
    /// twice.
    fn input_chunk(&self, size: usize) -> usize {
        let width = self.input_width();
        let chunk = rows_chunk(self.images * self.rows.input, width, 2 * width * size);
        let image = (self.rows.input * width).max(1);
        if chunk < image { chunk } else { chunk / image * image }
    }

    /// The row of the images and the first tap's place in it that a row of the result begins with.
    #[inline(always)]
    fn split(row: usize, rows: usize) -> (usize, usize) {
        (row / rows, row % rows)
    }

    /// The largest elements of windows, NaN where there is one: `out` is whole rows of the result
    /// from element `start` on.
    fn max<T: Real>(&self, x: &[T], out: &mut [T], start: usize) {
        self.combine(
            x,
            out,
            start,
            T::LOWEST,
            #[inline(always)]
            |a, b| a.greatest(b),
            #[inline(always)]
            |_, _| {},
        );
    }

    /// The means of windows: `out` is whole rows of the result from element `start` on.
    fn mean<T: Real>(&self, x: &[T], out: &mut [T], start: usize) {
        if self.rows.window.saturating_mul(self.columns.window) > 64 {
            return self.wide_mean(x, out, start);
        }
        self.combine(
            x,
            out,
            start,
            T::ZERO,
            #[inline(always)]
            |a, b| a + b,
            #[inline(always)]
            |out, count| {
                let count = T::from_i64(count as i64);
                for o in out {
                    *o = *o / count;
                }
            },
        );
    }

    /// [`Pool::mean`] of large windows, with sums in `f64`.
    fn wide_mean<T: Real>(&self, x: &[T], out: &mut [T], start: usize) {
        /// Channels side by side.
        const SIDE: usize = 64;
        let (rows, columns, channels) = (self.rows, self.columns, self.channels);
        let (from, width) = (self.input_width(), self.output_width());
        vectorized(
            #[inline(always)]
            || {
                for (i, out) in out.chunks_exact_mut(width).enumerate() {
                    let (image, top) = Self::split(start / width + i, rows.output);
                    let down = rows.taps(top);
                    for (place, out) in out.chunks_exact_mut(channels).enumerate() {
                        let across = columns.taps(place);
                        let count = (down.len() * across.len()) as f64;
                        for (block, out) in out.chunks_mut(SIDE).enumerate() {
                            let mut sums = [0.0f64; SIDE];
                            let sums = &mut sums[..out.len()];
                            for (p, q) in
                                down.clone().flat_map(|p| across.clone().map(move |q| (p, q)))
                            {
                                let row = (image * rows.input + rows.element(top, p)) * from;
                                let pixel = row + columns.element(place, q) * channels;
                                for (sum, &v) in sums.iter_mut().zip(&x[pixel + block * SIDE..]) {
                                    *sum += v.to_f64();
                                }
                            }
                            for (o, &sum) in out.iter_mut().zip(&*sums) {
                                *o = T::from_f64(sum / count);
                            }
                        }
                    }
                }
            },
        );
    }

    /// Combines the elements of each window in row-major order, then finishes the row of a pixel
    /// from the number of them.
    #[inline(always)]
    fn combine<T: Real>(
        &self,
        x: &[T],
        out: &mut [T],
        start: usize,
        first: T,
        combine: impl Fn(T, T) -> T,
        finish: impl Fn(&mut [T], usize),
    ) {
        let (rows, columns, channels) = (self.rows, self.columns, self.channels);
        let (from, width) = (self.input_width(), self.output_width());
        vectorized(
            #[inline(always)]
            || {
                out.fill(first);
                for (i, out) in out.chunks_exact_mut(width).enumerate() {
                    let (image, place) = Self::split(start / width + i, rows.output);
                    let down = rows.taps(place);
                    for p in down.clone() {
                        let x = &x[(image * rows.input + rows.element(place, p)) * from..][..from];
                        for (place, out) in out.chunks_exact_mut(channels).enumerate() {
                            let taps = columns.taps(place);
                            if taps.is_empty() {
                                continue;
                            }
                            let first = columns.element(place, taps.start) * channels;
                            for x in x[first..].chunks_exact(channels).take(taps.len()) {
                                for (o, &x) in out.iter_mut().zip(x) {
                                    *o = combine(*o, x);
                                }
                            }
                        }
                    }
                    for (place, out) in out.chunks_exact_mut(channels).enumerate() {
                        finish(out, down.len() * columns.taps(place).len());
                    }
                }
            },
        );
    }

    /// Calls back with the place of each window's first largest element in the images and the
    /// window's place in the result, for the windows of these rows of an image's result. A NaN is
    /// larger than anything else.
    #[inline(always)]
    fn each_largest<T: Real>(
        &self,
        x: &[T],
        image: usize,
        places: std::ops::Range<usize>,
        mut call: impl FnMut(usize, usize),
    ) {
        let (rows, columns, channels) = (self.rows, self.columns, self.channels);
        for i in places {
            let down = rows.taps(i);
            if down.is_empty() {
                continue;
            }
            let top = image * rows.input + rows.element(i, down.start);
            for j in 0..columns.output {
                let across = columns.taps(j);
                if across.is_empty() {
                    continue;
                }
                let left = columns.element(j, across.start);
                let corner = (top * columns.input + left) * channels;
                let to = ((image * rows.output + i) * columns.output + j) * channels;
                for c in 0..channels {
                    let mut at = corner + c;
                    let mut largest = x[at];
                    for p in 0..down.len() {
                        let row = corner + c + p * columns.input * channels;
                        for q in 0..across.len() {
                            let next = row + q * channels;
                            let value = x[next];
                            if value > largest || (value.is_nan() && !largest.is_nan()) {
                                (at, largest) = (next, value);
                            }
                        }
                    }
                    call(at, to + c);
                }
            }
        }
    }

    /// Zeros to which each window's element of `y` is added where the window's first largest
    /// element of `x` is, in the windows' order: `out` is whole rows of the images' gradient from
    /// element `start` on.
    fn scatter_max<T: Real>(&self, x: &[T], y: &[T], out: &mut [T], start: usize) {
        let (width, end) = (self.input_width(), start + out.len());
        out.fill(T::ZERO);
        let image = self.rows.input * width;
        for n in start / image..end.div_ceil(image) {
            // The rows of this image that are filled here, and the windows that reach over them.
            let first = start.saturating_sub(n * image) / width;
            let last = (end - n * image).min(image) / width - 1;
            let places = self.rows.reaching(first).start..self.rows.reaching(last).end;
            self.each_largest(x, n, places, |at, from| {
                if let Some(o) = at.checked_sub(start).and_then(|at| out.get_mut(at)) {
                    *o = *o + y[from];
                }
            });
        }
    }

    /// The elements of `y`, in the images' shape, where each window's first largest element of `x`
    /// is: `out` is whole rows of the result from element `start` on.
    fn gather_max<T: Real>(&self, x: &[T], y: &[T], out: &mut [T], start: usize) {
        let width = self.output_width();
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            let row = start / width + i;
            let (image, place) = Self::split(row, self.rows.output);
            self.each_largest(x, image, place..place + 1, |at, to| {
                out[to - row * width] = y[at];
            });
        }
    }

    /// Each window's element of `y`, divided evenly among the window's elements and added up: `out`
    /// is whole rows of the images' gradient from element `start` on.
    fn spread_mean<T: Real>(&self, y: &[T], out: &mut [T], start: usize) {
        let (rows, columns, channels) = (self.rows, self.columns, self.channels);
        let (width, from) = (self.input_width(), self.output_width());
        vectorized(
            #[inline(always)]
            || {
                out.fill(T::ZERO);
                for (i, out) in out.chunks_exact_mut(width).enumerate() {
                    let (image, element) = Self::split(start / width + i, rows.input);
                    for place in rows.reaching(element) {
                        let y = &y[(image * rows.output + place) * from..][..from];
                        let down = rows.taps(place).len();
                        for (place, y) in y.chunks_exact(channels).enumerate() {
                            let across = columns.taps(place);
                            if across.is_empty() {
                                continue;
                            }
                            let count = T::from_i64((down * across.len()) as i64);
                            let first = columns.element(place, across.start) * channels;
                            let out = out[first..].chunks_exact_mut(channels);
                            for out in out.take(across.len()) {
                                for (o, &y) in out.iter_mut().zip(y) {
                                    *o = *o + y / count;
                                }
                            }
                        }
                    }
                }
            },
        );
    }
}

/// Loops for one of the operations: see [`Pool::kernel`].
pub(crate) fn kernel<T: Float>(pool: Pool, operation: Operation) -> Kernel {
    let size = size_of::<T>();
    let (chunk, inputs) = match operation {
        Operation::Max | Operation::Mean => (pool.output_chunk(size), 1),
        Operation::GatherMax => (pool.output_chunk(size), 2),
        Operation::ScatterMax => (pool.input_chunk(size), 2),
        Operation::SpreadMean => (pool.input_chunk(size), 1),
    };
    let elements = inputs as f64 * pool.input_len() as f64 + pool.output_len() as f64;
    let cost = Cost { flops: pool.operations(), bytes: elements * size as f64 };
    Kernel::single(inputs, chunk * size, cost, move |call| {
        let (first, start) = (call.input::<T>(0), call.start::<T>());
        match operation {
            Operation::Max => pool.max(first, call.output(), start),
            Operation::Mean => pool.mean(first, call.output(), start),
            Operation::SpreadMean => pool.spread_mean(first, call.output(), start),
            Operation::ScatterMax => {
                let y = call.input::<T>(1);
                pool.scatter_max(first, y, call.output(), start);
            }
            Operation::GatherMax => {
                let y = call.input::<T>(1);
                pool.gather_max(first, y, call.output(), start);
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
