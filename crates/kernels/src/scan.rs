//! Sums and products of all elements up to each, and linear recurrences.
//!
//! An array is seen as blocks `[len, inner]`, scanned along `len`. Each element comes from the one
//! before in one step, so results do not depend on how blocks are dealt out.

use crate::element::{Element as _, Number, Real};

/// A scan of the blocks of an array.
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    len: usize,
    inner: usize,
    reverse: bool,
}

impl Scan {
    /// A scan along `axis` of an array of shape `dims`, from its end if `reverse`.
    pub fn new(dims: &[usize], axis: usize, reverse: bool) -> Self {
        Self { len: dims[axis], inner: dims[axis + 1..].iter().product(), reverse }
    }

    /// Elements of a block: a part fills whole ones.
    pub fn block(&self) -> usize {
        self.len * self.inner
    }

    /// The sums of all elements up to each, without itself if `exclusive`. `out` is the piece of
    /// the result from element `start` on.
    pub fn sum<T: Number>(&self, x: &[T], exclusive: bool, out: &mut [T], start: usize) {
        if T::IS_FLOAT {
            return self.float_sum(x, exclusive, out, start);
        }
        self.run(x, exclusive, out, start, T::ZERO, T::wrapping_add);
    }

    /// [`Scan::sum`] of floats, with the running sums in `f64`: those of `f32` are rounded once
    /// each.
    fn float_sum<T: Number>(&self, x: &[T], exclusive: bool, out: &mut [T], start: usize) {
        /// Columns side by side.
        const SIDE: usize = 64;
        self.each_block(out, start, |at, out| {
            let x = &x[at..at + out.len()];
            for first in (0..self.inner).step_by(SIDE) {
                let mut sums = [0.0f64; SIDE];
                let sums = &mut sums[..SIDE.min(self.inner - first)];
                for t in 0..self.len {
                    let row = self.row(t) + first;
                    let row = row..row + sums.len();
                    for ((sum, &v), o) in sums.iter_mut().zip(&x[row.clone()]).zip(&mut out[row]) {
                        let next = *sum + v.cast::<f64>();
                        *o = if exclusive { *sum } else { next }.cast();
                        *sum = next;
                    }
                }
            }
        });
    }

    /// The products of all elements up to each, as [`Scan::sum`].
    pub fn product<T: Number>(&self, x: &[T], exclusive: bool, out: &mut [T], start: usize) {
        self.run(x, exclusive, out, start, T::ONE, T::wrapping_mul);
    }

    #[inline(always)]
    fn run<T: Number>(
        &self,
        x: &[T],
        exclusive: bool,
        out: &mut [T],
        start: usize,
        identity: T,
        combine: impl Fn(T, T) -> T,
    ) {
        self.each_block(out, start, |at, out| {
            let x = &x[at..at + out.len()];
            for t in 0..self.len {
                let (own, before) = (self.row(t), t.checked_sub(1).map(|t| self.row(t)));
                for i in 0..self.inner {
                    out[own + i] = match (before, exclusive) {
                        (None, true) => identity,
                        (None, false) => x[own + i],
                        (Some(before), true) => combine(out[before + i], x[before + i]),
                        (Some(before), false) => combine(out[before + i], x[own + i]),
                    };
                }
            }
        });
    }

    /// `z[0] = 0`, `z[t] = a[t-1]·z[t-1] + b[t-1]`, where a z that is 0 makes the product 0
    /// whatever a is.
    pub fn linear<T: Real>(&self, a: &[T], b: &[T], out: &mut [T], start: usize) {
        self.each_block(out, start, |at, out| {
            for t in 0..self.len {
                let own = self.row(t);
                let Some(before) = t.checked_sub(1).map(|t| self.row(t)) else {
                    out[own..own + self.inner].fill(T::ZERO);
                    continue;
                };
                for i in 0..self.inner {
                    let z = out[before + i];
                    let product = if z == T::ZERO { z } else { a[at + before + i] * z };
                    out[own + i] = product + b[at + before + i];
                }
            }
        });
    }

    /// The place in its block at which the row of number `t` in the direction of the scan begins.
    #[inline(always)]
    fn row(&self, t: usize) -> usize {
        if self.reverse { (self.len - 1 - t) * self.inner } else { t * self.inner }
    }

    #[inline(always)]
    fn each_block<T>(&self, out: &mut [T], start: usize, mut each: impl FnMut(usize, &mut [T])) {
        let block = self.block();
        if block == 0 {
            return;
        }
        assert!(
            start.is_multiple_of(block) && out.len().is_multiple_of(block),
            "a piece is whole blocks"
        );
        for (index, out) in out.chunks_exact_mut(block).enumerate() {
            each(start + index * block, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_with_and_without_itself() {
        let x = [1, 2, 3, 4, 5, 6];
        let run = |axis, reverse, exclusive| {
            let mut out = [0; 6];
            let scan = Scan::new(&[2, 3], axis, reverse);
            let half = scan.block();
            scan.sum(&x, exclusive, &mut out[..half], 0);
            scan.sum(&x, exclusive, &mut out[half..], half);
            out
        };
        assert_eq!(run(1, false, false), [1, 3, 6, 4, 9, 15]);
        assert_eq!(run(1, false, true), [0, 1, 3, 0, 4, 9]);
        assert_eq!(run(1, true, false), [6, 5, 3, 15, 11, 6]);
        assert_eq!(run(1, true, true), [5, 3, 0, 11, 6, 0]);
        assert_eq!(run(0, false, false), [1, 2, 3, 5, 7, 9]);
        assert_eq!(run(0, true, true), [4, 5, 6, 0, 0, 0]);
        let mut out = [0; 3];
        Scan::new(&[3], 0, false).product(&[2, 3, 4], true, &mut out, 0);
        assert_eq!(out, [1, 2, 6]);
        Scan::new(&[0, 3], 0, false).sum::<i32>(&[], false, &mut [], 0);
    }

    #[test]
    fn a_recurrence_keeps_its_zeros() {
        let (a, b) = ([2.0, f64::INFINITY, 3.0, 5.0], [1.0, 4.0, -1.0, 9.0]);
        let mut out = [7.0; 4];
        Scan::new(&[4], 0, false).linear(&a, &b, &mut out, 0);
        assert_eq!(out, [0.0, 1.0, f64::INFINITY, f64::INFINITY]);
        Scan::new(&[4], 0, true).linear(&a, &[1.0, 4.0, 0.0, 0.0], &mut out, 0);
        assert_eq!(out, [4.0, 0.0, 0.0, 0.0]);
    }
}
