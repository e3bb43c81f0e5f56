//! Rows in order.
//!
//! Elements become keys whose order as unsigned numbers is theirs, paired with their places: no two
//! pairs are equal, so a sort that is not stable gives the order of one that is, without an
//! allocation, and is compiled once for all element types.

use crate::element::Element;

/// An element's key and its place in the row.
pub type Keyed = [u64; 2];

/// A number whose order among others is that of the elements: a NaN is larger than all others and
/// equal to itself, and so are both zeros.
#[inline(always)]
fn key<T: Element>(value: T) -> u64 {
    const SIGN: u64 = 1 << 63;
    if !T::IS_FLOAT {
        return value.cast::<i64>() as u64 ^ SIGN;
    }
    let value = value.cast::<f64>() + 0.0; // -0 + 0 = 0
    let bits = value.to_bits();
    match (value.is_nan(), bits & SIGN) {
        (true, _) => u64::MAX,
        (_, 0) => bits ^ SIGN,
        _ => !bits,
    }
}

/// The elements of each row of `n` with their places, the `k` smallest (largest if `descending`)
/// first and in order; of equal ones, the one with the lower place comes first. What stands behind
/// them is in no particular order. `out` is the piece from element `start` on, in whole rows.
pub fn order_rows<T: Element>(
    x: &[T],
    n: usize,
    k: usize,
    descending: bool,
    out: &mut [Keyed],
    start: usize,
) {
    if n == 0 {
        return;
    }
    let x = &x[start..start + out.len()];
    for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
        for (place, (o, &value)) in out.iter_mut().zip(x).enumerate() {
            let key = key(value);
            *o = [if descending { !key } else { key }, place as u64];
        }
        sort_first(out, k);
    }
}

fn sort_first(pairs: &mut [Keyed], k: usize) {
    if k == 0 {
        return;
    }
    if k < pairs.len() {
        pairs.select_nth_unstable(k - 1);
    }
    pairs[..k].sort_unstable();
}

/// The places of the first `k` of each row of `n` pairs: `out` is the piece from element `start`
/// on.
pub fn places<I: Element>(pairs: &[Keyed], n: usize, k: usize, out: &mut [I], start: usize) {
    for (position, o) in (start..).zip(out) {
        let [_, place] = pairs[position / k * n + position % k];
        *o = I::from_i64(place as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argsort<T: Element>(x: &[T], k: usize, descending: bool) -> Vec<i32> {
        let mut pairs = vec![[0; 2]; x.len()];
        order_rows(x, x.len(), k, descending, &mut pairs, 0);
        let mut out = vec![-1; k];
        places(&pairs, x.len(), k, &mut out, 0);
        out
    }

    #[test]
    fn floats_with_nan_zeros_and_infinities() {
        let x = [0.0, f32::NAN, -0.0, f32::INFINITY, -1.5, f32::NEG_INFINITY, -f32::NAN];
        assert_eq!(argsort(&x, 7, false), [5, 4, 0, 2, 3, 1, 6]);
        assert_eq!(argsort(&x, 7, true), [1, 6, 3, 0, 2, 4, 5]);
        assert_eq!(argsort(&x, 3, true), [1, 6, 3]);
    }

    #[test]
    fn integers_and_ties() {
        assert_eq!(argsort(&[i64::MAX, -1, i64::MIN, 0], 4, false), [2, 1, 3, 0]);
        assert_eq!(argsort(&[3u8, 255, 3, 0, 3], 4, true), [1, 0, 2, 4]);
        assert_eq!(argsort::<i32>(&[], 0, true), []);
    }

    #[test]
    fn the_first_k_are_those_of_the_whole_order() {
        let x: Vec<f64> = (0..500).map(|i| f64::from(i * 7919 % 101)).collect();
        let all = argsort(&x, 500, true);
        for k in [0, 1, 5, 250, 499] {
            assert_eq!(argsort(&x, k, true), all[..k]);
        }
    }
}
