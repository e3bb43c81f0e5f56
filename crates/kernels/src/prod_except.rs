//! Products of all elements of a row but one: the gradient of a product, right where elements are
//! zero.

use crate::element::Number;

/// For each row of `n` elements: `out[i] = ∏ x[k]` over all k ≠ i, by the products of what stands
/// before and behind.
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
}
