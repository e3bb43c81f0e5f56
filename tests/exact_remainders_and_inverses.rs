//! Remainders of the division towards 0, powers by integers, hyperbolic functions and inverses, at
//! the borders of their range. Their derivatives where they are smooth are checked by the table in
//! `tests/operators`.

use abeyance::prelude::*;
use ndarray::{Array1, arr1};

type Function<T> = for<'g> fn(Tensor<'g, T>) -> Tensor<'g, T>;

/// The values and slopes of a function at numbers of f32.
fn of_f32(function: Function<f32>, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let g = Graph::new();
    let input = g.variable("x", arr1(x));
    let y = function(input);
    let [slope] = gradients(y.reduce_sum(..), [input]);
    let session = Session::new(&g).unwrap();
    let (y, slope) = session.run((y, slope), []).unwrap();
    (y.into_iter().collect(), slope.into_iter().collect())
}

#[track_caller]
fn assert_near(found: &[f32], right: &[f32]) {
    assert_eq!(found.len(), right.len());
    for (x, y) in found.iter().zip(right) {
        let near = (x - y).abs() <= 4.0 * (y.abs().next_up() - y.abs());
        assert!(near || x == y || x.is_nan() && y.is_nan(), "{found:?} and not {right:?}");
    }
}

#[test]
fn truncated_remainders_are_exact() {
    let g = Graph::new();
    let x = g.variable("x", arr1(&[1e10f32, -1e10, 5.0, -5.0, 5.3, -5.3, f32::INFINITY, 7.0]));
    let y = g.variable("y", arr1(&[3.0f32, 3.0, f32::INFINITY, 2.0, -2.1, 2.1, 2.0, 0.0]));
    let rest = x.truncate_mod(y);
    let [dx, dy] = gradients(rest.reduce_sum(..), [x, y]);
    let session = Session::new(&g).unwrap();
    let (rest, dx, dy) = session.run((rest, dx, dy), []).unwrap();
    let of = |x: f32, y: f32| x % y;
    assert_near(
        rest.as_slice().unwrap(),
        &[1.0, -1.0, 5.0, -1.0, of(5.3, -2.1), of(-5.3, 2.1), f32::NAN, f32::NAN],
    );
    assert_eq!(dx.as_slice().unwrap()[..6], [1.0; 6]);
    assert_near(&dy.as_slice().unwrap()[..6], &[-3.333_333_3e9, 3.333_333_3e9, 0.0, 2.0, 2.0, 2.0]);

    let g = Graph::new();
    let x = g.constant_array(&arr1(&[7i32, -7, 7, -7, i32::MIN]));
    let y = g.constant_array(&arr1(&[3i32, 3, -3, -3, -1]));
    let (truncated, floored) = (x.truncate_mod(y), x.modulo(y));
    let zero = x.truncate_mod(0);
    let session = Session::new(&g).unwrap();
    let (truncated, floored) = session.run((truncated, floored), []).unwrap();
    assert_eq!(truncated.as_slice().unwrap(), [1, -1, 1, -1, 0]);
    assert_eq!(floored.as_slice().unwrap(), [1, 2, -2, -1, 0]);
    let error = session.run(zero, []).unwrap_err().to_string();
    assert!(error.contains("an integer divided by zero, at element 0"), "{error}");
}

#[test]
fn every_bit_of_an_integer_exponent_counts() {
    let g = Graph::new();
    let x = g.variable("x", arr1(&[-1.0f32, -1.0, 2.0, 0.0, -0.0, 0.0, f32::NAN, -3.0]));
    let n = g.constant_array(&arr1(&[16_777_217i64, (1 << 53) + 1, 127, 1, 3, 0, 0, 2]));
    let y = x.powi(n);
    let [dx] = gradients(y.reduce_sum(..), [x]);
    let [ddx] = gradients(dx.reduce_sum(..), [x]);
    let session = Session::new(&g).unwrap();
    let (y, dx, ddx) = session.run((y, dx, ddx), []).unwrap();
    assert_eq!(y.as_slice().unwrap(), [-1.0, -1.0, 2f32.powi(127), 0.0, 0.0, 1.0, 1.0, 9.0]);
    assert!(y[[4]].is_sign_negative());
    // At 0 too, and of the constant 1 whatever x is.
    let slopes = dx.as_slice().unwrap();
    assert_eq!(slopes[..2], [16_777_216.0, 9_007_199_254_740_992.0]);
    assert_eq!(slopes[3..], [1.0, 0.0, 0.0, 0.0, -6.0]);
    assert_eq!(ddx.as_slice().unwrap()[3..], [0.0, 0.0, 0.0, 0.0, 2.0]);
    let error = Session::new(&{
        let g = Graph::new();
        g.constant_array(&arr1(&[1.0f32, 2.0])).powi(g.constant_array(&Array1::from_elem(3, 1i32)));
        g
    });
    assert!(error.unwrap_err().to_string().contains("powi"));
}

#[test]
fn hyperbolic_functions_neither_cancel_nor_overflow_before_their_time() {
    const INF: f32 = f32::INFINITY;
    let (y, slope) = of_f32(|x| x.sinh(), &[1e-8, -1e-8, 89.0, -INF]);
    assert_near(&y, &[1e-8, -1e-8, 2.244_806_4e38, -INF]);
    assert_near(&slope, &[1.0, 1.0, 2.244_806_4e38, INF]);
    let (y, slope) = of_f32(|x| x.cosh(), &[1e-8, 89.0, -INF]);
    assert_near(&y, &[1.0, 2.244_806_4e38, INF]);
    assert_near(&slope, &[1e-8, 2.244_806_4e38, -INF]);
    let (y, slope) = of_f32(|x| x.asinh(), &[1e-8, -1e20, 3e38, INF]);
    assert_near(&y, &[1e-8, -46.744_85, 89.289_99, INF]);
    assert_near(&slope, &[1.0, 1e-20, 3.333_333e-39, 0.0]);
    let (y, slope) = of_f32(|x| x.acosh(), &[1.0, 1.000_000_1, 1e20, 0.5, INF]);
    assert_near(&y, &[0.0, 4.882_812_5e-4, 46.744_85, f32::NAN, INF]);
    assert_near(&slope, &[INF, 2048.0, 1e-20, f32::NAN, 0.0]);
    let (y, slope) = of_f32(|x| x.atanh(), &[1e-8, -1.0, 0.999_999_94, 2.0]);
    assert_near(&y, &[1e-8, -INF, 8.664_34, f32::NAN]);
    assert_near(&slope[..3], &[1.0, INF, 8_388_608.0]);
}

#[test]
fn angles_have_their_digits_at_their_borders() {
    use std::f32::consts::{FRAC_PI_2, PI};
    let (y, slope) = of_f32(|x| x.asin(), &[1e-8, 1.0, -1.0, 0.999_999_94, 1.5]);
    assert_near(&y, &[1e-8, FRAC_PI_2, -FRAC_PI_2, 1.570_451, f32::NAN]);
    assert_near(&slope[..4], &[1.0, f32::INFINITY, f32::INFINITY, 2_896.309_3]);
    let (y, slope) = of_f32(|x| x.acos(), &[0.0, 1.0, -1.0, 0.999_999_94]);
    assert_near(&y, &[FRAC_PI_2, 0.0, PI, 3.452_669_8e-4]);
    assert_near(&slope[..1], &[-1.0]);
    let (y, slope) = of_f32(|x| x.atan(), &[1e-8, -1e20, f32::INFINITY]);
    assert_near(&y, &[1e-8, -FRAC_PI_2, FRAC_PI_2]);
    assert_near(&slope, &[1.0, 1e-40, 0.0]);
}
