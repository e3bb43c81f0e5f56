//! One function applied to every element of a row, or of several rows of one length.
//!
//! These loops take rows and scalars. An operand that broadcasts otherwise is stretched by a loop
//! before them, tile by tile ([`crate::fused`]). Loops over integers that may fail ([`try_binary`])
//! broadcast by themselves, since their error names the element.
//!
//! The functions given to these loops are compiled for each instruction set only when they are
//! inlined, so write them as `#[inline(always)] |x| ...` in the argument, or name a function that
//! is `#[inline(always)]` itself.

use crate::broadcast::Broadcast;
use crate::dispatch::{vectorized, vectorized_for};
use crate::element::Element;

/// `out[i] = value`.
pub fn fill<T: Element>(out: &mut [T], value: T) {
    out.fill(value);
}

/// `out[i] = x[start + i]`.
pub fn copy<T: Element>(x: &[T], out: &mut [T], start: usize) {
    out.copy_from_slice(&x[start..start + out.len()]);
}

/// `out[i] = f(x[start + i])`.
#[inline]
pub fn map<T: Element, U: Element>(x: &[T], out: &mut [U], start: usize, f: impl Fn(T) -> U) {
    let x = &x[start..start + out.len()];
    vectorized_for::<U, _>(
        #[inline(always)]
        || {
            for (o, &x) in out.iter_mut().zip(x) {
                *o = f(x);
            }
        },
    );
}

/// `out[i] = f(x[start + i], y[start + i])`, where an operand that `scalars` names is one element
/// for all.
#[inline]
pub fn zip<T: Element, S: Element, U: Element>(
    x: &[T],
    y: &[S],
    out: &mut [U],
    start: usize,
    scalars: [bool; 2],
    f: impl Fn(T, S) -> U,
) {
    vectorized_for::<T, _>(
        #[inline(always)]
        || zip_once(x, y, out, start, scalars, f),
    );
}

/// As [`zip`], compiled once and not for each instruction set: for functions whose loops have no
/// vectors.
#[inline(always)]
pub fn zip_once<T: Element, S: Element, U: Element>(
    x: &[T],
    y: &[S],
    out: &mut [U],
    start: usize,
    scalars: [bool; 2],
    f: impl Fn(T, S) -> U,
) {
    let end = start + out.len();
    match scalars {
        [false, false] => {
            for ((o, &x), &y) in out.iter_mut().zip(&x[start..end]).zip(&y[start..end]) {
                *o = f(x, y);
            }
        }
        [false, true] => {
            let y = y[0];
            for (o, &x) in out.iter_mut().zip(&x[start..end]) {
                *o = f(x, y);
            }
        }
        [true, false] => {
            let x = x[0];
            for (o, &y) in out.iter_mut().zip(&y[start..end]) {
                *o = f(x, y);
            }
        }
        [true, true] => out.fill(f(x[0], y[0])),
    }
}

/// `out[i]` = `x[start + i]` converted, by the rules of [`Element`].
pub fn cast<T: Element, U: Element>(x: &[T], out: &mut [U], start: usize) {
    map(
        x,
        out,
        start,
        #[inline(always)]
        |x: T| x.cast::<U>(),
    );
}

/// `out[i]` = 1 unless `x[start + i]` is zero; NaN gives 1.
pub fn cast_to_bool<T: Element>(x: &[T], out: &mut [u8], start: usize) {
    map(
        x,
        out,
        start,
        #[inline(always)]
        |x: T| x.to_bool(),
    );
}

/// `condition[start + i] ? x[start + i] : y[start + i]`, where an operand that `scalars` names, in
/// this order, is one element for all.
pub fn select<T: Element>(
    condition: &[u8],
    x: &[T],
    y: &[T],
    out: &mut [T],
    start: usize,
    scalars: [bool; 3],
) {
    let end = start + out.len();
    let [one_condition, one_x, one_y] = scalars;
    if one_condition {
        let (taken, is_one) = if condition[0] != 0 { (x, one_x) } else { (y, one_y) };
        if is_one {
            out.fill(taken[0])
        } else {
            copy(taken, out, start)
        }
        return;
    }
    let condition = &condition[start..end];
    vectorized(
        #[inline(always)]
        || match (one_x, one_y) {
            (false, false) => {
                let operands = condition.iter().zip(&x[start..end]).zip(&y[start..end]);
                for (o, ((&c, &x), &y)) in out.iter_mut().zip(operands) {
                    *o = if c != 0 { x } else { y };
                }
            }
            (false, true) => {
                let y = y[0];
                for ((o, &c), &x) in out.iter_mut().zip(condition).zip(&x[start..end]) {
                    *o = if c != 0 { x } else { y };
                }
            }
            (true, false) => {
                let x = x[0];
                for ((o, &c), &y) in out.iter_mut().zip(condition).zip(&y[start..end]) {
                    *o = if c != 0 { x } else { y };
                }
            }
            (true, true) => {
                let (x, y) = (x[0], y[0]);
                for (o, &c) in out.iter_mut().zip(condition) {
                    *o = if c != 0 { x } else { y };
                }
            }
        },
    );
}

/// A function of two operands that broadcast, and that may have no result: `out` is the piece of the
/// result from element `start` on.
///
/// # Errors
/// The index of the first element of the piece that has no result.
pub fn try_binary<T: Element>(
    plan: &Broadcast<2>,
    x: &[T],
    y: &[T],
    out: &mut [T],
    start: usize,
    f: impl Fn(T, T) -> Option<T>,
) -> Result<(), usize> {
    let [sx, sy] = plan.inner_strides();
    let mut failed = None;
    plan.for_each_run(start, out.len(), |at, len, [i, j]| {
        for (n, o) in out[at..at + len].iter_mut().enumerate() {
            match f(x[i + n * sx], y[j + n * sy]) {
                Some(value) => *o = value,
                None => {
                    failed.get_or_insert(start + at + n);
                }
            }
        }
    });
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Real;

    #[test]
    fn map_and_zip_fill_a_piece() {
        let x: Vec<f32> = (0..100).map(|i| i as f32).collect();
        let mut out = vec![0.0; 30];
        map(&x, &mut out, 50, |x: f32| x + 1.0);
        assert_eq!(out[0], 51.0);
        zip(&x, &x, &mut out, 10, [false; 2], |a: f32, b: f32| a * b);
        assert_eq!(out[3], 169.0);
    }

    #[test]
    fn an_operand_may_be_one_element_for_all() {
        let (x, y) = ([1, 2, 3, 4, 5], [10, 20, 30, 40, 50]);
        for [one_x, one_y] in [[false, false], [false, true], [true, false], [true, true]] {
            let expected = |i: usize| {
                let (x, y) = (if one_x { x[0] } else { x[i] }, if one_y { y[0] } else { y[i] });
                x - y
            };
            for start in [0, 2] {
                let mut out = [0; 3];
                zip(&x, &y, &mut out, start, [one_x, one_y], |x: i32, y: i32| x - y);
                assert_eq!(out, [expected(start), expected(start + 1), expected(start + 2)]);
            }
        }
    }

    #[test]
    fn select_takes_each_side_with_any_operand_one_for_all() {
        let (condition, x, y) = ([1, 0, 0, 1], [1, 2, 3, 4], [5, 6, 7, 8]);
        for scalars in 0..8 {
            let scalars = [scalars & 1 != 0, scalars & 2 != 0, scalars & 4 != 0];
            let mut out = [0; 3];
            select(&condition, &x, &y, &mut out, 1, scalars);
            let at = |operand: usize, i: usize| if scalars[operand] { 0 } else { i };
            let expected = |i: usize| {
                if condition[at(0, i)] != 0 { x[at(1, i)] } else { y[at(2, i)] }
            };
            assert_eq!(out, [expected(1), expected(2), expected(3)], "{scalars:?}");
        }
    }

    #[test]
    fn a_function_without_a_result_names_the_element_in_any_cut() {
        let dims = [4, 3, 5];
        let shapes: [&[usize]; 7] =
            [&[4, 3, 5], &[5], &[], &[4, 1, 1], &[3, 1], &[4, 3, 1], &[1, 1, 5]];
        for a in shapes {
            for b in shapes {
                let x: Vec<i32> = (0..a.iter().product::<usize>() as i32).collect();
                let y: Vec<i32> =
                    (0..b.iter().product::<usize>() as i32).map(|v| v * 1000).collect();
                let plan = Broadcast::new(&dims, [a, b]);
                let add = |x: i32, y: i32| Some(x + y);
                let mut whole = vec![0; 60];
                try_binary(&plan, &x, &y, &mut whole, 0, add).unwrap();
                for (flat, &got) in whole.iter().enumerate() {
                    let index = [flat / 15, flat / 5 % 3, flat % 5];
                    let at = |shape: &[usize]| {
                        let skip = 3 - shape.len();
                        shape.iter().enumerate().fold(0, |acc, (d, &n)| {
                            acc * n + if n == 1 { 0 } else { index[d + skip] }
                        })
                    };
                    assert_eq!(got, x[at(a)] + y[at(b)], "{a:?} {b:?} at {flat}");
                }
                for piece in [1, 7, 16] {
                    let mut cut = vec![0; 60];
                    for (p, out) in cut.chunks_mut(piece).enumerate() {
                        try_binary(&plan, &x, &y, out, p * piece, add).unwrap();
                    }
                    assert_eq!(cut, whole);
                }
            }
        }
        let plan = Broadcast::new(&[2, 2], [&[2, 2], &[2]]);
        let mut out = [0; 2];
        let divide = |x: i32, y: i32| (y != 0).then(|| x.wrapping_div(y));
        assert_eq!(try_binary(&plan, &[1, 2, 3, 4], &[1, 0], &mut out, 2, divide), Err(3));
        try_binary(&plan, &[1, 2, 3, i32::MIN], &[1, -1], &mut out, 2, divide).unwrap();
        assert_eq!(out, [3, i32::MIN]);
    }

    #[test]
    fn a_vectorised_loop_gives_the_bits_of_the_scalar_function() {
        let x: Vec<f32> = (-1000..1000).map(|i| i as f32 * 0.037).collect();
        let mut out = vec![0.0; x.len()];
        map(&x, &mut out, 0, Real::tanh);
        for (&x, &o) in x.iter().zip(&out) {
            assert_eq!(o.to_bits(), std::hint::black_box(crate::functions::tanh)(x).to_bits());
        }
    }
}
