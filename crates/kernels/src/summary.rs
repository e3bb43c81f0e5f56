//! Summaries of an array in a few numbers.

use crate::dispatch::vectorized;
use crate::element::{Number, Real};

/// The numbers of elements that are not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotFinite {
    /// NaN.
    pub nan: usize,
    /// ∞ and -∞.
    pub infinite: usize,
}

/// Copies `out[i] = x[start + i]`. Returns true if all of these are finite.
#[must_use]
pub fn copy_if_finite<T: Real>(x: &[T], out: &mut [T], start: usize) -> bool {
    let x = &x[start..start + out.len()];
    vectorized(
        #[inline(always)]
        || {
            let mut failed = false;
            for (o, &x) in out.iter_mut().zip(x) {
                *o = x;
                failed |= !x.is_finite();
            }
            !failed
        },
    )
}

/// Counts the elements that are not finite.
pub fn not_finite<T: Real>(x: &[T]) -> NotFinite {
    let mut found = NotFinite::default();
    for x in x.iter().filter(|x| !x.is_finite()) {
        if x.is_nan() { found.nan += 1 } else { found.infinite += 1 }
    }
    found
}

/// Bounds and mean of the elements that are not NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary<T> {
    /// The smallest.
    pub min: T,
    /// The largest.
    pub max: T,
    /// The mean.
    pub mean: f64,
    /// The number of them.
    pub count: usize,
}

/// Bounds and mean of the elements that are not NaN.
pub fn summary<T: Number>(x: &[T]) -> Summary<T> {
    let (mut min, mut max) = (T::HIGHEST, T::LOWEST);
    let (mut sum, mut count) = (0.0, 0);
    for &x in x {
        // NaN alone is not itself.
        #[allow(clippy::eq_op)]
        if x == x {
            min = min.least(x);
            max = max.greatest(x);
            sum += x.cast::<f64>();
            count += 1;
        }
    }
    Summary { min, max, mean: sum / count as f64, count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_found_in_any_piece() {
        let mut x = vec![1.0f32; 100];
        let mut out = vec![0.0; 50];
        assert!(copy_if_finite(&x, &mut out, 50));
        assert_eq!(out, x[50..]);
        x[70] = f32::NAN;
        x[99] = f32::NEG_INFINITY;
        assert!(!copy_if_finite(&x, &mut out, 50));
        assert!(copy_if_finite(&x, &mut out, 0));
        let found = NotFinite { nan: 1, infinite: 1 };
        assert_eq!(not_finite(&x), found);
        assert!(copy_if_finite::<f64>(&[], &mut [], 0));
    }

    #[test]
    fn nan_is_left_out_of_a_summary() {
        let found = summary(&[1.0f32, f32::NAN, -4.0]);
        let expected = Summary { min: -4.0, max: 1.0, mean: -1.5, count: 2 };
        assert_eq!(found, expected);
        assert_eq!(summary(&[i64::MAX, 1, 2]).max, i64::MAX);
        assert_eq!(summary::<f64>(&[]).count, 0);
    }
}
