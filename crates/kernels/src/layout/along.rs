//! Elements picked within rows by their places in them.

use super::index::check;
use crate::element::{Element, Number};
use crate::launch::Failure;

/// `out[r, j] = x[r, ids[r, j]]` for rows of `n` elements of x and of `k` places: `out` is the
/// piece of the result from element `start` on.
///
/// # Errors
/// If a place is negative or not below `n`.
pub fn take_along<T: Element, I: Element>(
    x: &[T],
    n: usize,
    ids: &[I],
    k: usize,
    out: &mut [T],
    start: usize,
) -> Result<(), Failure> {
    for (position, o) in (start..).zip(out) {
        let at = check(ids[position], position, n)?;
        *o = x[position / k * n + at];
    }
    Ok(())
}

/// The gradient of [`take_along`]: `out[r, i] = ∑ g[r, j]` over all j with `ids[r, j] = i`, added
/// in the order of j. `out` is the piece of the result from element `start` on, in whole rows of
/// `n`.
///
/// # Errors
/// If a place is negative or not below `n`.
pub fn add_along<T: Number, I: Element>(
    g: &[T],
    ids: &[I],
    k: usize,
    n: usize,
    out: &mut [T],
    start: usize,
) -> Result<(), Failure> {
    out.fill(T::ZERO);
    if n == 0 {
        return Ok(());
    }
    for (row, out) in (start / n..).zip(out.chunks_mut(n)) {
        for position in row * k..(row + 1) * k {
            let o = &mut out[check(ids[position], position, n)?];
            *o = o.wrapping_add(g[position]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_own_places() {
        let x = [10, 11, 12, 20, 21, 22];
        let ids = [2i32, 0, 1, 1];
        let mut out = [0; 4];
        take_along(&x, 3, &ids, 2, &mut out[..3], 0).unwrap();
        take_along(&x, 3, &ids, 2, &mut out[3..], 3).unwrap();
        assert_eq!(out, [12, 10, 21, 21]);
        let mut back = [9; 6];
        add_along(&out, &ids, 2, 3, &mut back[..3], 0).unwrap();
        add_along(&out, &ids, 2, 3, &mut back[3..], 3).unwrap();
        assert_eq!(back, [10, 0, 12, 0, 42, 0]);
    }

    #[test]
    fn a_place_beyond_the_row_is_named() {
        let failure = take_along(&[1, 2], 2, &[0i64, 2], 2, &mut [0; 2], 0).unwrap_err();
        assert_eq!(failure.0, "index 2 at position 1 is not below 2");
        assert!(add_along(&[1], &[-1i64], 1, 2, &mut [0; 2], 0).is_err());
        add_along::<i32, i64>(&[], &[], 0, 0, &mut [], 0).unwrap();
    }
}
