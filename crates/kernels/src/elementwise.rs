//! One function applied to every element: of one array, of arrays of one shape, or of arrays that
//! broadcast.
//!
//! The functions given to these loops are compiled for each instruction set only when they are
//! inlined, so write them as `#[inline(always)] |x| ...` in the argument, or name a function that
//! is `#[inline(always)]` itself.

use crate::broadcast::Broadcast;
use crate::dispatch::vectorized_for;
use crate::element::{Element, Number};
use crate::launch::Failure;

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

/// `out[i] = f(x[start + i], y[start + i])`.
#[inline]
pub fn zip<T: Element, S: Element, U: Element>(
    x: &[T],
    y: &[S],
    out: &mut [U],
    start: usize,
    f: impl Fn(T, S) -> U,
) {
    let x = &x[start..start + out.len()];
    let y = &y[start..start + out.len()];
    vectorized_for::<T, _>(
        #[inline(always)]
        || {
            for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *o = f(x, y);
            }
        },
    );
}

/// `out[i] = f(x[start + i], y[start + i], z[start + i])`.
#[inline]
pub fn zip3<T: Element, S: Element, R: Element, U: Element>(
    x: &[T],
    y: &[S],
    z: &[R],
    out: &mut [U],
    start: usize,
    f: impl Fn(T, S, R) -> U,
) {
    let x = &x[start..start + out.len()];
    let y = &y[start..start + out.len()];
    let z = &z[start..start + out.len()];
    vectorized_for::<T, _>(
        #[inline(always)]
        || {
            for (((o, &x), &y), &z) in out.iter_mut().zip(x).zip(y).zip(z) {
                *o = f(x, y, z);
            }
        },
    );
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

/// A function of two operands that broadcast: `out` is the piece of the result from element `start`
/// on.
#[inline]
pub fn binary<T: Element, S: Element, U: Element>(
    plan: &Broadcast<2>,
    x: &[T],
    y: &[S],
    out: &mut [U],
    start: usize,
    f: impl Fn(T, S) -> U,
) {
    let [sx, sy] = plan.inner_strides();
    vectorized_for::<T, _>(
        #[inline(always)]
        || match (sx, sy) {
            (1, 1) => plan.for_each_run(
                start,
                out.len(),
                #[inline(always)]
                |at, len, [i, j]| {
                    let (x, y) = (&x[i..i + len], &y[j..j + len]);
                    for ((o, &x), &y) in out[at..at + len].iter_mut().zip(x).zip(y) {
                        *o = f(x, y);
                    }
                },
            ),
            (1, _) => plan.for_each_run(
                start,
                out.len(),
                #[inline(always)]
                |at, len, [i, j]| {
                    let (x, y) = (&x[i..i + len], y[j]);
                    for (o, &x) in out[at..at + len].iter_mut().zip(x) {
                        *o = f(x, y);
                    }
                },
            ),
            (_, 1) => plan.for_each_run(
                start,
                out.len(),
                #[inline(always)]
                |at, len, [i, j]| {
                    let (x, y) = (x[i], &y[j..j + len]);
                    for (o, &y) in out[at..at + len].iter_mut().zip(y) {
                        *o = f(x, y);
                    }
                },
            ),
            _ => plan.for_each_run(
                start,
                out.len(),
                #[inline(always)]
                |at, len, [i, j]| out[at..at + len].fill(f(x[i], y[j])),
            ),
        },
    );
}

/// A function of three operands that broadcast, as [`binary`].
#[inline]
pub fn ternary<T: Element, S: Element, R: Element, U: Element>(
    plan: &Broadcast<3>,
    x: &[T],
    y: &[S],
    z: &[R],
    out: &mut [U],
    start: usize,
    f: impl Fn(T, S, R) -> U,
) {
    let strides = plan.inner_strides();
    vectorized_for::<U, _>(
        #[inline(always)]
        || match strides {
            [1, 1, 1] => plan.for_each_run(
                start,
                out.len(),
                #[inline(always)]
                |at, len, [i, j, k]| {
                    let (x, y, z) = (&x[i..i + len], &y[j..j + len], &z[k..k + len]);
                    for (((o, &x), &y), &z) in out[at..at + len].iter_mut().zip(x).zip(y).zip(z) {
                        *o = f(x, y, z);
                    }
                },
            ),
            [1, 1, _] => plan.for_each_run(
                start,
                out.len(),
                #[inline(always)]
                |at, len, [i, j, k]| {
                    let (x, y, z) = (&x[i..i + len], &y[j..j + len], z[k]);
                    for ((o, &x), &y) in out[at..at + len].iter_mut().zip(x).zip(y) {
                        *o = f(x, y, z);
                    }
                },
            ),
            [1, _, 1] => plan.for_each_run(
                start,
                out.len(),
                #[inline(always)]
                |at, len, [i, j, k]| {
                    let (x, y, z) = (&x[i..i + len], y[j], &z[k..k + len]);
                    for ((o, &x), &z) in out[at..at + len].iter_mut().zip(x).zip(z) {
                        *o = f(x, y, z);
                    }
                },
            ),
            [a, b, c] => plan.for_each_run(
                start,
                out.len(),
                #[inline(always)]
                |at, len, [i, j, k]| {
                    for (n, o) in out[at..at + len].iter_mut().enumerate() {
                        *o = f(x[i + n * a], y[j + n * b], z[k + n * c]);
                    }
                },
            ),
        },
    );
}

/// `condition ? x : y`, each broadcast; the operands of the plan are in this order.
pub fn select<T: Element>(
    plan: &Broadcast<3>,
    condition: &[u8],
    x: &[T],
    y: &[T],
    out: &mut [T],
    start: usize,
) {
    ternary(
        plan,
        condition,
        x,
        y,
        out,
        start,
        #[inline(always)]
        |c: u8, x: T, y: T| if c != 0 { x } else { y },
    );
}

/// A function of two operands that broadcast, as [`binary`], which may have no result.
///
/// # Errors
/// The index in the result of the first element of the piece that has none.
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

/// `x / y`. Integers truncate and wrap; an integer divided by zero is a failure.
pub fn divide<T: Number>(
    plan: &Broadcast<2>,
    x: &[T],
    y: &[T],
    out: &mut [T],
    start: usize,
) -> Result<(), Failure> {
    if T::IS_FLOAT {
        binary(
            plan,
            x,
            y,
            out,
            start,
            #[inline(always)]
            |x: T, y: T| x.quotient(y).unwrap_or(T::ZERO),
        );
        return Ok(());
    }
    try_binary(plan, x, y, out, start, T::quotient).map_err(|at| {
        Failure(format!("division of an integer by zero, at element {at} of the result"))
    })
}

/// `x / y` rounded down. Integers wrap; an integer divided by zero is a failure.
pub fn floor_divide<T: Number>(
    plan: &Broadcast<2>,
    x: &[T],
    y: &[T],
    out: &mut [T],
    start: usize,
) -> Result<(), Failure> {
    try_binary(plan, x, y, out, start, T::floor_quotient).map_err(|at| {
        Failure(format!("division of an integer by zero, at element {at} of the result"))
    })
}

/// `x mod y` with the sign of `y`; an integer modulo zero is a failure.
pub fn modulo<T: Number>(
    plan: &Broadcast<2>,
    x: &[T],
    y: &[T],
    out: &mut [T],
    start: usize,
) -> Result<(), Failure> {
    try_binary(plan, x, y, out, start, T::modulo)
        .map_err(|at| Failure(format!("an integer modulo zero, at element {at} of the result")))
}

/// `x` to the power of `y`. Integers wrap; a negative exponent of an integer other than 1 and -1 is
/// a failure.
pub fn power<T: Number>(
    plan: &Broadcast<2>,
    x: &[T],
    y: &[T],
    out: &mut [T],
    start: usize,
) -> Result<(), Failure> {
    try_binary(plan, x, y, out, start, T::power).map_err(|at| {
        Failure(format!(
            "an integer to the power of a negative exponent, at element {at} of the result"
        ))
    })
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
        zip(&x, &x, &mut out, 10, |a: f32, b: f32| a * b);
        assert_eq!(out[3], 169.0);
        zip3(&x, &x, &x, &mut out, 10, |a: f32, b, c| a * b - c);
        assert_eq!(out[3], 156.0);
    }

    #[test]
    fn any_cut_gives_the_same_as_the_whole() {
        let dims = [4, 3, 5];
        let shapes: [&[usize]; 7] =
            [&[4, 3, 5], &[5], &[], &[4, 1, 1], &[3, 1], &[4, 3, 1], &[1, 1, 5]];
        for a in shapes {
            for b in shapes {
                let x: Vec<i32> = (0..a.iter().product::<usize>() as i32).collect();
                let y: Vec<i32> =
                    (0..b.iter().product::<usize>() as i32).map(|v| v * 1000).collect();
                let plan = Broadcast::new(&dims, [a, b]);
                let mut whole = vec![0; 60];
                binary(&plan, &x, &y, &mut whole, 0, |x: i32, y: i32| x + y);
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
                        binary(&plan, &x, &y, out, p * piece, |x: i32, y: i32| x + y);
                    }
                    assert_eq!(cut, whole);
                }
            }
        }
    }

    #[test]
    fn select_takes_each_side_with_any_broadcast() {
        let plan = Broadcast::new(&[2, 3], [&[2, 1], &[3], &[]]);
        let mut out = [0; 6];
        select(&plan, &[1, 0], &[1, 2, 3], &[9], &mut out, 0);
        assert_eq!(out, [1, 2, 3, 9, 9, 9]);
        let plan = Broadcast::new(&[2, 3], [&[2, 3], &[2, 3], &[]]);
        select(&plan, &[1, 0, 1, 0, 1, 0], &[1, 2, 3, 4, 5, 6], &[9], &mut out, 0);
        assert_eq!(out, [1, 9, 3, 9, 5, 9]);
    }

    #[test]
    fn integer_division_by_zero_names_the_element() {
        let plan = Broadcast::new(&[2, 2], [&[2, 2], &[2]]);
        let mut out = [0; 2];
        let failure = divide(&plan, &[1, 2, 3, 4], &[1, 0], &mut out, 2).unwrap_err();
        assert_eq!(failure.0, "division of an integer by zero, at element 3 of the result");
        assert!(divide(&plan, &[1, 2, 3, i32::MIN], &[1, -1], &mut out, 2).is_ok());
        assert_eq!(out, [3, i32::MIN]);
        assert!(modulo(&plan, &[1, 2, 3, 4], &[1, 0], &mut out, 0).is_err());
        assert!(power(&plan, &[1, 2, 3, 4], &[-1, 0], &mut out, 0).is_ok());
        assert!(power(&plan, &[1, 2, 3, 4], &[0, -1], &mut out, 0).is_err());
    }

    #[test]
    fn float_division_by_zero_is_ieee() {
        let plan = Broadcast::new(&[3], [&[3], &[]]);
        let mut out = [0.0f64; 3];
        divide(&plan, &[1.0, -1.0, 0.0], &[0.0], &mut out, 0).unwrap();
        assert_eq!(out[..2], [f64::INFINITY, f64::NEG_INFINITY]);
        assert!(out[2].is_nan());
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
