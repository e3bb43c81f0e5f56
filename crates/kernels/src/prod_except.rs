//! Products of all elements of a row but one: the gradient of a product, right where elements are zero.

use crate::element::Number;

/// For each row of `n` elements: `out[i] = ∏ x[k]` over all k ≠ i, by the products of what stands before and behind.
///
/// `out` is the piece of the result from element `start` on; both are whole rows.
pub fn prod_except<T: Number>(x: &[T], n: usize, out: &mut [T], start: usize) {
    if n == 0 || out.is_empty() {
        return;
    }
    assert_eq!(start % n, 0, "a piece begins with a row");
    for (x, out) in x[start..start + out.len()].chunks(n).zip(out.chunks_mut(n)) {
        let mut before = T::ONE;
        for (o, &v) in out.iter_mut().zip(x) {
            *o = before;
            before = before.wrapping_mul(v);
        }
        let mut behind = T::ONE;
        for (o, &v) in out.iter_mut().zip(x).rev() {
            *o = o.wrapping_mul(behind);
            behind = behind.wrapping_mul(v);
        }
    }
}

/// A product and its derivative along a direction.
#[derive(Clone, Copy)]
struct Dual<T> {
    value: T,
    slope: T,
}

impl<T: Number> Dual<T> {
    const ONE: Self = Self { value: T::ONE, slope: T::ZERO };

    /// `self · (x + ε·c)`.
    fn times(self, x: T, c: T) -> Self {
        Self {
            value: self.value.wrapping_mul(x),
            slope: self.slope.wrapping_mul(x).wrapping_add(self.value.wrapping_mul(c)),
        }
    }
}

/// The derivative of [`prod_except`] at `x` along `c`: for each row, `out[j] = d/dε ∏ (x[k] + ε·c[k])` over all k ≠ j, at ε = 0.
///
/// `out` is the piece of the result from element `start` on; all are whole rows of `n`.
pub fn prod_except_slope<T: Number>(x: &[T], c: &[T], n: usize, out: &mut [T], start: usize) {
    /// Elements whose products of what stands before are kept at once. For each such block these are computed anew from the row's
    /// beginning, which for usual rows is the only block.
    const BLOCK: usize = 256;
    if n == 0 || out.is_empty() {
        return;
    }
    assert_eq!(start % n, 0, "a piece begins with a row");
    let range = start..start + out.len();
    let rows = x[range.clone()].chunks(n).zip(c[range].chunks(n)).zip(out.chunks_mut(n));
    let mut kept = [Dual::<T>::ONE; BLOCK];
    for ((x, c), out) in rows {
        let mut behind = Dual::ONE;
        for block in (0..n.div_ceil(BLOCK)).rev() {
            let (first, last) = (block * BLOCK, ((block + 1) * BLOCK).min(n));
            let mut before = Dual::ONE;
            for k in 0..first {
                before = before.times(x[k], c[k]);
            }
            for k in first..last {
                kept[k - first] = before;
                before = before.times(x[k], c[k]);
            }
            for k in (first..last).rev() {
                let before = kept[k - first];
                let left = before.slope.wrapping_mul(behind.value);
                out[k] = left.wrapping_add(before.value.wrapping_mul(behind.slope));
                behind = behind.times(x[k], c[k]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_no_trouble() {
        let x = [2.0, 3.0, 4.0, 0.0, 5.0, 6.0, 0.0, 0.0, 7.0];
        let mut out = [0.0; 9];
        prod_except(&x, 3, &mut out, 0);
        assert_eq!(out, [12.0, 8.0, 6.0, 30.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let mut piece = [0.0; 3];
        prod_except(&x, 3, &mut piece, 3);
        assert_eq!(piece, out[3..6]);
        prod_except::<f32>(&[], 0, &mut [], 0);
        prod_except(&[5.0], 1, &mut piece[..1], 0);
        assert_eq!(piece[0], 1.0);
    }

    #[test]
    fn the_slope_is_that_of_the_definition() {
        for n in [1, 2, 5, 255, 256, 257, 700] {
            // Few elements differ from one, so that integers do not overflow.
            let x: Vec<i64> =
                (0..n).map(|i| if i % 97 == 3 { 2 } else { 1 - i64::from(i == 150) }).collect();
            let c: Vec<i64> = (0..n).map(|i| (i * 31 % 7) - 3).collect();
            let n = n as usize;
            let mut out = vec![0; n];
            prod_except_slope(&x, &c, n, &mut out, 0);
            for (j, &got) in out.iter().enumerate() {
                let all = (0..n).filter(|&k| k != j).fold(Dual::ONE, |d, k| d.times(x[k], c[k]));
                assert_eq!(got, all.slope, "{j} of {n}");
            }
        }
        let mut out = [0.0; 3];
        prod_except_slope(&[2.0, 3.0, 4.0], &[1.0, 0.0, 0.0], 3, &mut out, 0);
        assert_eq!(out, [0.0, 4.0, 3.0]);
    }
}
