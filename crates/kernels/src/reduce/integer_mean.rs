//! The mean of integers, from sums that do not wrap.

use super::{Reduction, offset};
use crate::element::Number;
use crate::launch::Failure;

impl Reduction {
    /// The mean of the reduced elements, rounded towards 0. `out` is the piece of the result from
    /// element `start` on.
    ///
    /// # Errors
    /// For the mean of nothing.
    pub(super) fn integer_mean<T: Number>(
        &self,
        x: &[T],
        out: &mut [T],
        start: usize,
    ) -> Result<(), Failure> {
        if self.count == 0 && !out.is_empty() {
            return Err(Failure("the mean of no integers".into()));
        }
        for (i, o) in (start..).zip(out) {
            let total = if self.inner_is_reduced {
                let base = offset(&self.kept, i);
                let runs = self.count / self.inner;
                (0..runs).map(|r| run(&x[base + offset(&self.reduced, r)..][..self.inner])).sum()
            } else {
                let base = offset(&self.kept, i / self.inner) + i % self.inner;
                let at = |r| x[base + offset(&self.reduced, r)];
                (0..self.count).map(|r| i128::from(at(r).cast::<i64>())).sum::<i128>()
            };
            // The mean lies between the smallest and the largest element.
            *o = T::from_i64((total / self.count as i128) as i64);
        }
        Ok(())
    }
}

/// The sum of elements that follow each other.
fn run<T: Number>(x: &[T]) -> i128 {
    if size_of::<T>() == size_of::<i64>() {
        return x.iter().map(|v| i128::from(v.cast::<i64>())).sum();
    }
    // So many smaller integers cannot overflow an i64.
    x.chunks(1 << 30).map(|x| i128::from(x.iter().map(|v| v.cast::<i64>()).sum::<i64>())).sum()
}
