//! The place of the largest or smallest element along an axis.

use crate::element::Number;
use crate::launch::Failure;

/// Argmax and argmin along one axis of an array of fixed shape.
#[derive(Clone, Debug)]
pub struct ArgReduction {
    len: usize,
    inner: usize,
}

impl ArgReduction {
    /// Along `axis` of an array of shape `dims`. The result has the other dimensions, in their
    /// order.
    pub fn new(dims: &[usize], axis: usize) -> Self {
        Self { len: dims[axis], inner: dims[axis + 1..].iter().product() }
    }

    /// The place of the largest element, counted along the axis; the first of several, and the
    /// first NaN if there is one.
    ///
    /// # Errors
    /// If the axis has no elements.
    pub fn argmax<T: Number>(&self, x: &[T], out: &mut [i64], start: usize) -> Result<(), Failure> {
        self.run("argmax", x, out, start, |new, best| new > best)
    }

    /// The place of the smallest element, as [`ArgReduction::argmax`].
    ///
    /// # Errors
    /// If the axis has no elements.
    pub fn argmin<T: Number>(&self, x: &[T], out: &mut [i64], start: usize) -> Result<(), Failure> {
        self.run("argmin", x, out, start, |new, best| new < best)
    }

    #[inline(always)]
    fn run<T: Number>(
        &self,
        name: &str,
        x: &[T],
        out: &mut [i64],
        start: usize,
        beats: impl Fn(T, T) -> bool,
    ) -> Result<(), Failure> {
        if out.is_empty() {
            return Ok(());
        }
        if self.len == 0 {
            return Err(Failure(format!("{name} of no elements")));
        }
        // Only NaN differs from itself.
        let is_nan = |v: T| v.partial_cmp(&v).is_none();
        for (i, o) in out.iter_mut().enumerate() {
            let flat = start + i;
            let base = flat / self.inner * self.len * self.inner + flat % self.inner;
            let (mut best, mut place) = (x[base], 0);
            if !is_nan(best) {
                for n in 1..self.len {
                    let v = x[base + n * self.inner];
                    if beats(v, best) || is_nan(v) {
                        (best, place) = (v, n);
                        if is_nan(v) {
                            break;
                        }
                    }
                }
            }
            *o = place as i64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_wins_and_nan_before_all() {
        let plan = ArgReduction::new(&[3, 4], 1);
        let x =
            [1.0, 3.0, 3.0, 2.0, f32::NEG_INFINITY, 5.0, f32::NAN, f32::NAN, 0.0, 0.0, -0.0, 0.0];
        let mut out = [9; 3];
        plan.argmax(&x, &mut out, 0).unwrap();
        assert_eq!(out, [1, 2, 0]);
        plan.argmin(&x, &mut out, 0).unwrap();
        assert_eq!(out, [0, 2, 0]);
    }

    #[test]
    fn along_the_first_axis_in_pieces() {
        let plan = ArgReduction::new(&[2, 3], 0);
        let mut out = [9; 2];
        plan.argmax(&[1, 5, 3, 4, 2, 6], &mut out, 1).unwrap();
        assert_eq!(out, [0, 1]);
    }

    #[test]
    fn of_nothing_is_a_failure() {
        assert!(ArgReduction::new(&[2, 0], 1).argmax::<i32>(&[], &mut [0; 2], 0).is_err());
        assert!(ArgReduction::new(&[0, 2], 1).argmax::<i32>(&[], &mut [], 0).is_ok());
    }
}
