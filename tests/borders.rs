//! Derivatives where formulas break: at 0, at ties, at both infinities, at the largest and the
//! smallest numbers, and of NaN. Right values are worked out here in `f64`, by formulas that do not
//! cancel, or by hand.

use abeyance::prelude::*;
use ndarray::{arr1, arr2};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

type F32 = for<'g> fn(Tensor<'g, f32>) -> Tensor<'g, f32>;
type F64 = for<'g> fn(Tensor<'g, f64>) -> Tensor<'g, f64>;

/// The derivative of each element of `f(x)` by that element of x.
fn slopes_f32(f: F32, x: &[f32]) -> Vec<f32> {
    let g = Graph::new();
    let x = g.constant_array(&arr1(x));
    let [slope] = gradients_or_zeros(f(x).reduce_sum(..), [x]);
    Session::new(&g).unwrap().run(slope, []).unwrap().into_raw_vec_and_offset().0
}

/// The derivative of order `order` at these points.
fn slopes(f: F64, x: &[f64], order: usize) -> Vec<f64> {
    let g = Graph::new();
    let x = g.constant_array(&arr1(x));
    let mut y = f(x);
    for _ in 0..order {
        [y] = gradients_or_zeros(y.reduce_sum(..), [x]);
    }
    Session::new(&g).unwrap().run(y, []).unwrap().into_raw_vec_and_offset().0
}

/// Points on both sides of 0: the borders of `f32`, and what lies between.
const POINTS: [f32; 27] = [
    0.0,
    -0.0,
    1e-38,
    -1e-38,
    1e-20,
    -1e-20,
    1e-8,
    -1e-8,
    1e-3,
    -1e-3,
    0.5,
    -0.5,
    1.0,
    -1.0,
    3.0,
    -3.0,
    10.0,
    -10.0,
    20.0,
    -20.0,
    50.0,
    -50.0,
    1e20,
    -1e20,
    f32::MAX,
    f32::INFINITY,
    f32::NEG_INFINITY,
];

/// The spacing of `f32` numbers next to one.
fn ulp(x: f32) -> f64 {
    let size = x.abs().clamp(f32::MIN_POSITIVE, f32::MAX);
    f64::from(size) - f64::from(f32::from_bits(size.to_bits() - 1))
}

fn sigmoid_slope(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    e / ((1.0 + e) * (1.0 + e))
}

#[test]
fn slopes_of_functions_are_right_over_the_whole_range() {
    const BELL: f64 = std::f64::consts::FRAC_2_SQRT_PI;
    const SELU: (f64, f64) = (1.050_700_987_355_480_5, 1.758_099_340_847_376_6);
    let positive = |x: f64| x > 0.0;
    let step = |x: f64| f64::from(u8::from(x > 0.0));
    let all = |_: f64| true;
    type Case<'a> = (&'a str, (F32, F64), &'a dyn Fn(f64) -> f64, &'a dyn Fn(f64) -> bool);
    macro_rules! both {
        ($f:expr) => {
            ($f, $f)
        };
    }
    #[rustfmt::skip]
    let cases: [Case<'_>; 22] = [
        ("neg", both!(|x| -x), &|_| -1.0, &all),
        ("abs", both!(|x| x.abs()), &|x| if x == 0.0 { 0.0 } else { x.signum() }, &all),
        ("exp", both!(|x| x.exp()), &f64::exp, &all),
        ("expm1", both!(|x| x.expm1()), &f64::exp, &all),
        ("log", both!(|x| x.log()), &|x| 1.0 / x, &all),
        ("log1p", both!(|x| x.log1p()), &|x| 1.0 / (1.0 + x), &|x| x > -1.0),
        ("sqrt", both!(|x| x.sqrt()), &|x| 0.5 / x.sqrt(), &|x| x >= 0.0),
        ("rsqrt", both!(|x| x.rsqrt()), &|x| -0.5 / x / x.sqrt(), &positive),
        ("reciprocal", both!(|x| x.reciprocal()), &|x| -1.0 / x / x, &all),
        ("square", both!(|x| x.square()), &|x| 2.0 * x, &all),
        ("tanh", both!(|x| x.tanh()), &|x| 4.0 * sigmoid_slope(2.0 * x), &all),
        ("sigmoid", both!(|x| x.sigmoid()), &sigmoid_slope, &all),
        ("softplus", both!(|x| x.softplus()), &|x| 1.0 / (1.0 + (-x).exp()), &all),
        ("relu", both!(|x| x.relu()), &step, &all),
        ("leaky_relu", both!(|x| x.leaky_relu(0.25)), &|x| if x > 0.0 { 1.0 } else { 0.25 }, &all),
        ("elu", both!(|x| x.elu()), &|x| x.min(0.0).exp(), &all),
        ("selu", both!(|x| x.selu()), &|x| if x >= 0.0 { SELU.0 } else { SELU.1 * x.exp() }, &all),
        ("erf", both!(|x| x.erf()), &|x| BELL * (-x * x).exp(), &all),
        ("erfc", both!(|x| x.erfc()), &|x| -BELL * (-x * x).exp(), &all),
        ("sin", both!(|x| x.sin()), &f64::cos, &f64::is_finite),
        ("cos", both!(|x| x.cos()), &|x| -x.sin(), &f64::is_finite),
        ("silu", both!(|x| x.silu()), &|x| 1.0 / (1.0 + (-x).exp()) + x * sigmoid_slope(x), &|x| {
            // Below, the function turns: its slope is a difference of two others. At infinity it is
            // a product with 0.
            x.abs() < 1.0 || positive(x) && x.is_finite()
        }),
    ];
    for (name, f, slope, defined) in cases {
        let found = slopes_f32(f.0, &POINTS);
        for (&x, &found) in POINTS.iter().zip(&found) {
            if !defined(f64::from(x)) {
                continue;
            }
            let want = slope(f64::from(x));
            let near = (f64::from(found) - want).abs() <= 4.0 * ulp(want as f32);
            assert!(near || found == want as f32, "{name}'({x:e}) = {found:e}, not {want:e}");
        }
        let far = [1e-300, 1e-160, 1e160, 1e300, f64::MAX, f64::MIN_POSITIVE];
        let points = POINTS.into_iter().map(f64::from).chain(far).chain(far.map(|x| -x));
        let points: Vec<f64> = points.collect();
        for (&x, found) in points.iter().zip(slopes(f.1, &points, 1)) {
            let want = slope(x);
            let near = (found - want).abs() <= 1e-13 * want.abs() + 1e-320;
            let same = near || found == want || !defined(x);
            assert!(same, "{name}'({x:e}) = {found:e}, not {want:e}");
        }
    }
}

#[test]
fn approximate_gelu_is_flat_or_the_identity_far_out() {
    for approximate in [true, false] {
        let f: F32 = if approximate { |x| x.gelu(true) } else { |x| x.gelu(false) };
        let far = [1e4f32, 1e20, f32::MAX, -1e4, -1e20, f32::MIN];
        assert_eq!(slopes_f32(f, &far), [1.0, 1.0, 1.0, 0.0, 0.0, 0.0], "{approximate}");
        assert_eq!(slopes_f32(f, &[0.0]), [0.5]);
    }
}

#[test]
fn small_slopes_are_not_lost_beside_one() {
    let close = |found: f32, want: f64| {
        assert!(
            (f64::from(found) - want).abs() <= 4.0 * ulp(want as f32),
            "{found:e}, not {want:e}"
        );
    };
    close(slopes_f32(|x| x.sigmoid(), &[20.0])[0], 2.061_153_613_941_849e-9);
    close(slopes_f32(|x| x.tanh(), &[10.0])[0], 8.244_614_455_767_397e-9);
    // Of a cross-entropy at a label it is sure of: sigmoid(20) - 1.
    let of_label = |label: f32| {
        let g = Graph::new();
        let x = *g.constant(20.0f32);
        let [slope] = gradients(x.sigmoid_cross_entropy(label), [x]);
        Session::new(&g).unwrap().run(slope.scalar(), []).unwrap()
    };
    close(of_label(1.0), -2.061_153_613_941_849e-9);
    close(of_label(0.0), 0.999_999_997_938_846_4);
    // Second derivatives: -s tanh(x / 2) and -2 s tanh x.
    let bend = slopes(|x| x.sigmoid(), &[20.0, -20.0, 0.0], 2);
    let want = -2.061_153_605_445_14e-9;
    assert!(
        (bend[0] / want - 1.0).abs() < 1e-14 && bend[1] == -bend[0] && bend[2] == 0.0,
        "{bend:?}"
    );
    let bend = slopes(|x| x.tanh(), &[10.0, INF], 2);
    assert!(
        (bend[0] / -1.648_922_884_356_112_4e-8 - 1.0).abs() < 1e-14 && bend[1] == 0.0,
        "{bend:?}"
    );
}

#[test]
fn powers_have_their_derivatives_at_0() {
    assert_eq!(slopes(|x| x.pow(0.0), &[0.0, 2.0, INF], 1), [0.0; 3]);
    assert_eq!(slopes(|x| x.pow(1.0), &[0.0, -3.0], 1), [1.0, 1.0]);
    assert_eq!(slopes(|x| x.pow(1.0), &[0.0, -3.0], 2), [0.0, 0.0]);
    assert_eq!(slopes(|x| x.pow(2.0), &[0.0, 3.0], 2), [2.0, 2.0]);
    assert_eq!(slopes(|x| x.pow(2.0), &[0.0, 3.0], 3), [0.0, 0.0]);
    assert_eq!(slopes(|x| x.pow(3.0), &[0.0, 3.0], 3), [6.0, 6.0]);
    assert_eq!(slopes(|x| x.pow(3.0), &[0.0, 3.0], 4), [0.0, 0.0]);
    assert_eq!(slopes(|x| x.pow(0.5), &[0.0, 4.0, INF], 1), [INF, 0.25, 0.0]);
    assert_eq!(slopes(|x| x.pow(-1.0), &[0.0, 2.0, INF], 1), [-INF, -0.25, 0.0]);

    let g = Graph::new();
    let x = *g.constant(0.0f64);
    let y = x.pow(g.constant_array(&arr1(&[1.0, 2.0, 3.0, 4.0]))).reduce_sum(..);
    let [first] = gradients(y, [x]);
    let [second] = gradients(first, [x]);
    let both = Session::new(&g).unwrap().run((first.scalar(), second.scalar()), []).unwrap();
    assert_eq!(both, (1.0, 2.0));
}

#[test]
fn descent_on_powers_leaves_0() {
    let g = Graph::new();
    let t = g.variable("t", 0.0f64);
    let loss = (t.pow(g.constant_array(&arr1(&[0.0, 1.0, 2.0]))).reduce_sum(..) - 3.0).square();
    let step = GradientDescent::new(0.1).minimize(loss);
    let session = Session::new(&g).unwrap();
    session.run(step, []).unwrap();
    assert!((session.run(t.scalar(), []).unwrap() - 0.4).abs() < 1e-15);
}

#[test]
fn powers_by_their_exponent_at_the_borders() {
    let by_exponent = |x: f64, y: f64| {
        let g = Graph::new();
        let y = *g.constant(y);
        let [slope] = gradients(g.constant(x).pow(y), [y]);
        Session::new(&g).unwrap().run(slope.scalar(), []).unwrap()
    };
    assert_eq!(by_exponent(0.0, 0.0), 0.0);
    assert_eq!(by_exponent(0.0, 2.0), 0.0);
    assert_eq!(by_exponent(INF, -2.0), 0.0);
    assert_eq!(by_exponent(-2.0, 2.0), 0.0);
    assert!((by_exponent(2.0, 3.0) - 8.0 * 2f64.ln()).abs() < 1e-14);
}

#[test]
fn quotients_and_angles_of_huge_and_tiny_numbers() {
    let pair =
        |f: for<'g> fn(Tensor<'g, f32>, Tensor<'g, f32>) -> Tensor<'g, f32>, x: f32, y: f32| {
            let g = Graph::new();
            let (x, y) = (*g.constant(x), *g.constant(y));
            let [dx, dy] = gradients(f(x, y), [x, y]);
            let (dx, dy) = Session::new(&g).unwrap().run((dx.scalar(), dy.scalar()), []).unwrap();
            [dx, dy]
        };
    let close = |found: [f32; 2], want: [f64; 2]| {
        for (found, want) in found.into_iter().zip(want) {
            let near = (f64::from(found) - want).abs() <= 4.0 * ulp(want as f32);
            assert!(near, "{found:e}, not {want:e}");
        }
    };
    close(pair(|x, y| x / y, 1e20, 1e20), [1e-20, -1e-20]);
    close(pair(|x, y| x / y, 1e-20, 1e-20), [1e20, -1e20]);
    close(pair(|x, y| x / y, 3.0, f32::INFINITY), [0.0, 0.0]);
    let angle = |y, x| pair(|y, x| y.atan2(x), y, x);
    close(angle(1e20, 1e20), [5e-21, -5e-21]);
    close(angle(-1e-25, 1e-25), [5e24, 5e24]);
    close(angle(3e30, -4e30), [-1.6e-31, -1.2e-31]);
    close(angle(1.0, f32::INFINITY), [0.0, 0.0]);
    close(angle(f32::NEG_INFINITY, 1.0), [0.0, 0.0]);
    close(angle(2.0, 0.0), [0.0, -0.5]);
}

#[test]
fn a_quotient_is_differentiated_at_its_operands_whatever_is_fed_in_its_place() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![]);
    let h = 6.0 / x;
    let [slope] = gradients(h.square(), [x]);
    let session = Session::new(&g).unwrap();
    let slope = slope.scalar();
    assert_eq!(session.run(slope, feeds![x => 2.0]).unwrap(), -9.0);
    // As TensorFlow: 2 h · (-6 / x²).
    assert_eq!(session.run(slope, feeds![x => 2.0, h => 0.5]).unwrap(), -1.5);
}

#[test]
fn a_slope_that_the_value_cannot_tell_is_taken_at_the_operand() {
    let under_a_square = |f: F64, x: f64, fed: f64| {
        let g = Graph::new();
        let input = g.placeholder::<f64>("x", dims![]);
        let h = f(input);
        let [slope] = gradients(h.square(), [input]);
        let feeds = feeds![input => x, h => fed];
        Session::new(&g).unwrap().run(slope.scalar(), feeds).unwrap()
    };
    let close = |found: f64, want: f64| assert!((found / want - 1.0).abs() < 1e-14, "{found}");
    close(under_a_square(|x| x.elu(), -1.0, -0.25), -0.5 * (-1f64).exp());
    close(under_a_square(|x| x.tanh(), 0.3, 0.5), 1.0 - 0.3f64.tanh().powi(2));
    close(under_a_square(|x| x.sigmoid(), 0.3, 0.5), sigmoid_slope(0.3));
    // From the value, as in TensorFlow.
    assert_eq!(under_a_square(|x| x.exp(), 0.3, 0.5), 0.5);
    assert_eq!(under_a_square(|x| x.sqrt(), 4.0, 0.5), 1.0);
}

#[test]
fn nan_reaches_gradients() {
    // mean(relu(x v)²).
    let through = |f: for<'g> fn(Tensor<'g, f64>) -> Tensor<'g, f64>| {
        let g = Graph::new();
        let x = g.constant_array(&arr2(&[[1.0, NAN], [1.0, 2.0]]));
        let v = g.constant_array(&arr1(&[1.0, 1.0]));
        let loss = f(x * v).square().reduce_mean(..);
        let [slope] = gradients(loss, [v]);
        let (loss, slope) = Session::new(&g).unwrap().run((loss, slope), []).unwrap();
        assert!(loss.is_nan());
        assert_eq!(slope[0], 1.0);
        slope[1]
    };
    let functions: [for<'g> fn(Tensor<'g, f64>) -> Tensor<'g, f64>; 7] = [
        |x| x.relu(),
        |x| x.clip_by_value(0.0, 9.0),
        |x| x.minimum(9.0),
        |x| x.maximum(0.0),
        |x| x.leaky_relu(0.1),
        |x| x.elu(),
        |x| x.abs(),
    ];
    for (index, f) in functions.into_iter().enumerate() {
        assert!(through(f).is_nan(), "{index}");
    }
}

#[test]
fn the_largest_of_nan_has_the_slope_nan() {
    let rows = |f: F64| {
        let g = Graph::new();
        let x = [[1.0, NAN, 3.0], [2.0, 2.0, 1.0], [-INF, INF, 0.0]];
        let x = g.constant_array(&arr2(&x));
        let [slope] = gradients(f(x).reduce_sum(..), [x]);
        let slope = Session::new(&g).unwrap().run(slope, []).unwrap();
        slope.into_raw_vec_and_offset().0
    };
    let slope = rows(|x| x.reduce_max(-1));
    assert!(slope[..3].iter().all(|slope| slope.is_nan()), "{slope:?}");
    assert_eq!(slope[3..], [0.5, 0.5, 0.0, 0.0, 1.0, 0.0]);
    let slope = rows(|x| x.reduce_min(-1));
    assert!(slope[..3].iter().all(|slope| slope.is_nan()), "{slope:?}");
    assert_eq!(slope[3..], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn the_largest_of_a_window_with_nan_is_that_nan() {
    let g = Graph::new();
    let x =
        g.constant_array(&arr1(&[1.0, NAN, 3.0, 2.0]).into_shape_with_order((1, 2, 2, 1)).unwrap());
    let y = x.max_pool(PoolOptions::valid(2));
    let [slope] = gradients(y.square().reduce_sum(..), [x]);
    let slope = Session::new(&g).unwrap().run(slope, []).unwrap().into_raw_vec_and_offset().0;
    assert!(slope[1].is_nan() && [slope[0], slope[2], slope[3]] == [0.0; 3], "{slope:?}");
}

#[test]
fn nan_goes_on_with_the_slope_of_going_on() {
    assert_eq!(slopes(|x| x.relu(), &[NAN], 1), [1.0]);
    assert_eq!(
        slopes(|x| x.clip_by_value(-1.0, 1.0), &[NAN, -2.0, 0.0, 2.0], 1),
        [1.0, 0.0, 1.0, 0.0]
    );
}

#[test]
fn select_keeps_nan_out_of_gradients() {
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[-1.0f64, 4.0]));
    let safe = x.greater(0.0).select(x.sqrt(), 0.0);
    let [slope] = gradients(safe.reduce_sum(..), [x]);
    assert_eq!(Session::new(&g).unwrap().run(slope, []).unwrap(), arr1(&[0.0, 0.25]).into_dyn());
}

fn along<'g>(x: Tensor<'g, f64>, direction: [f64; 3]) -> Scalar<'g, f64> {
    (x * x.graph().constant_array(&arr1(&direction))).reduce_sum(..)
}

#[test]
fn a_product_has_derivatives_of_any_order() {
    // x·y·z: every mixed third derivative is 1; with a 0 among them too.
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[2.0f64, 0.0, 5.0]));
    let [first] = gradients(x.reduce_prod(..), [x]);
    let [second] = gradients(along(first, [1.0, 0.0, 0.0]), [x]);
    let [third] = gradients(along(second, [0.0, 1.0, 0.0]), [x]);
    let (first, second, third) = Session::new(&g).unwrap().run((first, second, third), []).unwrap();
    assert_eq!(first, arr1(&[0.0, 10.0, 0.0]).into_dyn());
    assert_eq!(second, arr1(&[0.0, 5.0, 0.0]).into_dyn());
    assert_eq!(third, arr1(&[0.0, 0.0, 1.0]).into_dyn());
}
