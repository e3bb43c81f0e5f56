//! Functions of elements: values, corners, mistakes. Their derivatives are checked by the table in
//! `tests/operators`.

use abeyance::prelude::*;
use ndarray::{ArrayD, arr1};

mod differences;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// The bits that count: NaN equals NaN, and zeros have signs.
fn same(a: f64, b: f64) -> bool {
    a.is_nan() && b.is_nan() || a.to_bits() == b.to_bits()
}

type Function = for<'g> fn(Tensor<'g, f64>) -> Tensor<'g, f64>;

fn run(f: Function, x: &[f64]) -> Vec<f64> {
    let g = Graph::new();
    let y = f(g.constant_array(&arr1(x)));
    let session = Session::new(&g).unwrap();
    session.run(y, []).unwrap().into_raw_vec_and_offset().0
}

fn run_f32(f: for<'g> fn(Tensor<'g, f32>) -> Tensor<'g, f32>, x: &[f32]) -> Vec<f32> {
    let g = Graph::new();
    let y = f(g.constant_array(&arr1(x)));
    let session = Session::new(&g).unwrap();
    session.run(y, []).unwrap().into_raw_vec_and_offset().0
}

#[track_caller]
fn assert_exact(f: Function, pairs: &[(f64, f64)]) {
    let x: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
    for (found, &(x, y)) in run(f, &x).iter().zip(pairs) {
        assert!(same(*found, y), "f({x}) = {found}, not {y}");
    }
}

#[track_caller]
fn assert_close(f: Function, pairs: &[(f64, f64)]) {
    let x: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
    for (found, &(x, y)) in run(f, &x).iter().zip(pairs) {
        let close = (found - y).abs() <= 1e-15 * y.abs();
        assert!(close || same(*found, y), "f({x}) = {found}, not {y}");
    }
}

#[test]
fn exponentials_and_logarithms_keep_their_digits_near_0() {
    assert_close(
        |x| x.expm1(),
        &[
            (1e-10, 1.00000000005e-10),
            (-1e-300, -1e-300),
            (-50.0, -1.0),
            (INF, INF),
            (-INF, -1.0),
            (NAN, NAN),
        ],
    );
    assert_close(
        |x| x.log1p(),
        &[(1e-10, 9.9999999995e-11), (-1.0, -INF), (-2.0, NAN), (INF, INF), (NAN, NAN)],
    );
    let y = run_f32(|x| x.expm1(), &[1e-6, -1e-6, 100.0, -100.0, 0.5]);
    assert_eq!(y, [1.0000005e-6, -9.999995e-7, f32::INFINITY, -1.0, 0.6487213]);
}

#[test]
fn the_slope_of_expm1_far_below_0_is_not_0() {
    let g = Graph::new();
    let x = g.variable("x", -50.0f64);
    let [slope] = gradients(x.expm1(), [x]);
    let slope = Session::new(&g).unwrap().run(slope.scalar(), []).unwrap();
    assert!((slope / (-50.0f64).exp() - 1.0).abs() < 1e-14);
}

#[test]
fn roots_and_reciprocals_follow_ieee() {
    assert_exact(
        |x| x.rsqrt(),
        &[(4.0, 0.5), (0.0, INF), (-0.0, -INF), (-1.0, NAN), (INF, 0.0), (NAN, NAN)],
    );
    assert_exact(
        |x| x.reciprocal(),
        &[(4.0, 0.25), (0.0, INF), (-0.0, -INF), (-INF, -0.0), (NAN, NAN)],
    );
}

#[test]
fn angles_may_be_huge() {
    // sin(10²²), the classic test of an argument's reduction (Kahan).
    assert_close(
        |x| x.sin(),
        &[(1e22, -0.8522008497671888), (0.5, 0.5f64.sin()), (INF, NAN), (-0.0, -0.0)],
    );
    assert_close(|x| x.cos(), &[(1e22, 0.5232147853951389), (0.0, 1.0), (-INF, NAN)]);
    assert_close(|x| x.tan(), &[(std::f64::consts::FRAC_PI_4, 1.0), (INF, NAN), (-0.0, -0.0)]);
    let y = run_f32(|x| x.sin(), &[1e22]);
    assert!((f64::from(y[0]) - f64::from(1e22f32).sin()).abs() < 1e-7);
}

#[test]
fn atan2_knows_all_quadrants_and_the_signs_of_zeros() {
    let g = Graph::new();
    let y = g.constant_array(&arr1(&[1.0f64, 1.0, -1.0, -1.0, 0.0, -0.0, 0.0, INF, NAN]));
    let x = g.constant_array(&arr1(&[1.0f64, -1.0, -1.0, 1.0, -1.0, -1.0, 0.0, INF, 1.0]));
    let angle = y.atan2(x);
    let found = Session::new(&g).unwrap().run(angle, []).unwrap();
    let quarter = std::f64::consts::FRAC_PI_4;
    let expected = [
        quarter,
        3.0 * quarter,
        -3.0 * quarter,
        -quarter,
        4.0 * quarter,
        -4.0 * quarter,
        0.0,
        quarter,
        NAN,
    ];
    for (a, b) in found.iter().zip(expected) {
        assert!(same(*a, b), "{a} is not {b}");
    }
}

#[test]
fn the_error_function_is_exact_to_the_last_digits() {
    assert_close(
        |x| x.erf(),
        &[
            (0.5, 0.5204998778130465),
            (-1.0, -0.8427007929497149),
            (3.0, 0.9999779095030014),
            (30.0, 1.0),
            (-INF, -1.0),
            (NAN, NAN),
            (-0.0, -0.0),
        ],
    );
    assert_close(
        |x| x.erfc(),
        &[
            (0.5, 0.4795001221869535),
            (5.0, 1.5374597944280347e-12),
            (-INF, 2.0),
            (INF, 0.0),
            (1e300, 0.0),
            (NAN, NAN),
        ],
    );
}

#[test]
fn rounding_takes_halves_to_the_even_one() {
    assert_exact(
        |x| x.round(),
        &[
            (0.5, 0.0),
            (1.5, 2.0),
            (2.5, 2.0),
            (-0.5, -0.0),
            (-1.5, -2.0),
            (1e300, 1e300),
            (INF, INF),
            (NAN, NAN),
        ],
    );
    assert_exact(
        |x| x.floor(),
        &[(1.7, 1.0), (-1.2, -2.0), (-0.0, -0.0), (-INF, -INF), (NAN, NAN)],
    );
    assert_exact(|x| x.ceil(), &[(1.2, 2.0), (-1.7, -1.0), (-0.5, -0.0), (INF, INF), (NAN, NAN)]);
}

#[test]
fn activations_have_their_values_and_limits() {
    assert_close(
        |x| x.leaky_relu(0.1),
        &[(2.0, 2.0), (-2.0, -0.2), (-INF, -INF), (0.0, 0.0), (NAN, NAN)],
    );
    assert_close(
        |x| x.elu(),
        &[(2.0, 2.0), (-1.0, -0.6321205588285577), (-INF, -1.0), (INF, INF), (NAN, NAN)],
    );
    assert_close(
        |x| x.selu(),
        &[
            (1.0, 1.0507009873554805),
            (-1.0, -1.1113307378125625),
            (-INF, -1.7580993408473766),
            (INF, INF),
            (NAN, NAN),
        ],
    );
    assert_close(
        |x| x.softplus(),
        &[
            (0.0, std::f64::consts::LN_2),
            (1e4, 1e4),
            (-1e4, 0.0),
            (-40.0, 4.248354255291589e-18),
            (INF, INF),
            (NAN, NAN),
        ],
    );
    assert_close(|x| x.silu(), &[(0.0, 0.0), (1.0, 0.7310585786300049), (-1e4, -0.0), (1e4, 1e4)]);
    assert_close(
        |x| x.gelu(false),
        &[
            (0.0, 0.0),
            (1.0, 0.8413447460685429),
            (-1.0, -0.15865525393145707),
            (-6.0, -5.919525870226163e-9),
            (1e4, 1e4),
        ],
    );
    assert_close(
        |x| x.gelu(true),
        &[(0.0, 0.0), (1.0, 0.8411919906082768), (-1.0, -0.15880800939172324), (1e4, 1e4)],
    );
}

#[test]
fn f32_agrees_with_f64_to_its_last_digits() {
    /// A function of both types.
    macro_rules! both {
        ($($f:expr, $tolerance:expr;)*) => {{
            $({
                let x: Vec<f32> = (-400..400).map(|i| i as f32 * 0.0237).collect();
                let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
                let (narrow, wide) = (run_f32($f, &x), run($f, &wide));
                for ((x, a), b) in x.iter().zip(narrow).zip(wide) {
                    let close = (f64::from(a) - b).abs() <= $tolerance * b.abs().max(1e-30);
                    assert!(close || same(f64::from(a), b), "{}({x}) = {a}, not {b}", stringify!($f));
                }
            })*
        }};
    }
    both! {
        |x| x.expm1(), 1e-6;
        |x| x.log1p(), 1e-6;
        |x| x.exp().rsqrt(), 1e-6;
        |x| x.reciprocal(), 1e-6;
        |x| x.sin(), 1e-6;
        |x| x.erf(), 1e-6;
        |x| x.erfc(), 1e-6;
        |x| x.elu(), 1e-6;
        |x| x.selu(), 1e-6;
        |x| x.softplus(), 1e-6;
        |x| x.silu(), 1e-6;
        // In its far tail the rounding of x / √2 shows.
        |x| x.gelu(false), 1e-5;
    }
}

#[test]
fn derivatives_of_composed_functions() {
    let x: (&[usize], &[f64]) = (&[2, 3], &[-1.7, -0.4, 0.0, 0.3, 1.2, 2.5]);
    differences::check([x], |[x]| x.silu());
    differences::check([x], |[x]| x.gelu(false));
    differences::check([x], |[x]| x.gelu(true));
    differences::check([x, (&[3], &[0.5, -1.0, 2.0])], |[x, y]| x.squared_difference(y));
    differences::check([x], |[x]| x.square().clip_by_value(0.1, 2.0));
}

#[test]
fn derivatives_at_the_kinks() {
    let g = Graph::new();
    let x = g.variable("x", 0.0f64);
    let slopes =
        [x.leaky_relu(0.1), x.elu(), x.selu(), x.floor(), x.round(), x.clip_by_value(0.0, 1.0)]
            .map(|y| gradients(y, [x])[0]);
    let slopes = Session::new(&g).unwrap().run(slopes, []).unwrap();
    let slopes: Vec<f64> = slopes.iter().map(|slope| slope.first().copied().unwrap()).collect();
    // TensorFlow's, where the side of 0 counts: selu's from above, leaky_relu's from below.
    assert_eq!(slopes, [0.1, 1.0, 1.0507009873554805, 0.0, 0.0, 1.0]);
}

#[test]
fn kinds_of_numbers_are_told_apart() {
    let g = Graph::new();
    let x =
        g.constant_array(&arr1(&[0.0f32, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX]));
    let kinds = (x.is_nan(), x.is_inf(), x.is_finite());
    let (nan, inf, finite) = Session::new(&g).unwrap().run(kinds, []).unwrap();
    assert_eq!(nan, arr1(&[false, true, false, false, false]).into_dyn());
    assert_eq!(inf, arr1(&[false, false, true, true, false]).into_dyn());
    assert_eq!(finite, arr1(&[true, false, false, false, true]).into_dyn());
}

#[test]
fn division_rounds_down_and_the_rest_has_the_divisors_sign() {
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[7i32, -7, 7, -7, i32::MIN, 6]));
    let y = g.constant_array(&arr1(&[3i32, 3, -3, -3, -1, -3]));
    let results = (x.floor_div(y), x.modulo(y), x / y);
    let (floor, rest, toward_0) = Session::new(&g).unwrap().run(results, []).unwrap();
    assert_eq!(floor, arr1(&[2, -3, -3, 2, i32::MIN, -2]).into_dyn());
    assert_eq!(rest, arr1(&[1, 2, -2, -1, 0, 0]).into_dyn());
    assert_eq!(toward_0, arr1(&[2, -2, -2, 2, i32::MIN, -2]).into_dyn());
    assert_exact(|x| x.floor_div(2.0), &[(5.0, 2.0), (-5.0, -3.0), (INF, NAN), (NAN, NAN)]);
    assert_exact(|x| x.floor_div(0.0), &[(5.0, INF), (-5.0, -INF), (0.0, NAN)]);
    assert_exact(|x| x.modulo(2.5), &[(6.0, 1.0), (-6.0, 1.5), (INF, NAN), (NAN, NAN)]);
    assert_exact(|x| x.modulo(0.0), &[(6.0, NAN)]);
    assert_exact(|x| x.modulo(-INF), &[(6.0, -INF), (-6.0, -6.0)]);
}

#[test]
fn the_quotient_rounded_down_goes_with_the_rest() {
    let g = Graph::new();
    let (a, b) = (g.constant(55.0f64), g.constant(0.1));
    let (quotient, rest) = (a.floor_div(b), a.modulo(b));
    let whole = quotient * b + rest;
    let session = Session::new(&g).unwrap();
    let values = session.run((quotient.scalar(), rest.scalar(), whole.scalar()), []).unwrap();
    // As Python has them: 55.0 // 0.1 and 55.0 % 0.1.
    assert_eq!(values, (549.0, 0.099_999_999_999_996_95, 55.0));
}

#[test]
fn an_integer_divided_by_zero_is_named() {
    let g = Graph::new();
    let x = g.placeholder::<i64>("x", dims![_]);
    let (floor, rest) = (x.floor_div(0).named("floor"), x.modulo(x).named("rest"));
    let session = Session::new(&g).unwrap();
    let message = session.run(floor, feeds![x => &[1i64, 2]]).unwrap_err().to_string();
    assert!(
        message.contains("floor_div: division of an integer by zero, at element 0 of the result"),
        "{message}"
    );
    let message = session.run(rest, feeds![x => &[1i64, 0]]).unwrap_err().to_string();
    assert!(
        message.contains("modulo: an integer modulo zero, at element 1 of the result"),
        "{message}"
    );
    assert_eq!(session.run(floor, feeds![x => &[0i64; 0]]).unwrap().len(), 0);
}

#[test]
fn squared_differences_of_integers_wrap() {
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[3i32, i32::MIN, 1 << 20]));
    let y = x.squared_difference(5);
    assert_eq!(y.name(), "squared_difference");
    let found = Session::new(&g).unwrap().run(y, []).unwrap();
    let wrapped = i32::MIN.wrapping_sub(5);
    let large = (1i32 << 20) - 5;
    assert_eq!(
        found,
        arr1(&[4, wrapped.wrapping_mul(wrapped), large.wrapping_mul(large)]).into_dyn()
    );
}

#[test]
fn values_are_clipped_between_tensors() {
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[-3.0f32, 0.5, 2.0, f32::NAN]));
    let clipped = x.clip_by_value(-1.0, 1.5);
    assert_eq!(clipped.name(), "clip_by_value");
    let found = Session::new(&g).unwrap().run(clipped, []).unwrap();
    assert_eq!(found.as_slice().unwrap()[..3], [-1.0, 0.5, 1.5]);
    assert!(found[3].is_nan());
}

#[test]
fn shapes_of_unknown_size_and_without_elements() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let y = x.gelu(true) + x.elu().log1p().floor_div(2.0).atan2(x).leaky_relu(0.2);
    assert_eq!(y.to_string(), "add : f32[N, 3]");
    let session = Session::new(&g).unwrap();
    let none = ArrayD::<f32>::zeros(vec![0, 3]);
    assert_eq!(session.run(y, feeds![x => &none]).unwrap().shape(), [0, 3]);
    let some = ArrayD::<f32>::ones(vec![2, 3]);
    assert_eq!(session.run(y, feeds![x => &some]).unwrap().shape(), [2, 3]);
}

#[test]
fn shapes_that_do_not_broadcast_are_mistakes() {
    let g = Graph::new();
    let (x, y) = (g.zeros::<f32>(dims![2, 3]), g.zeros::<f32>(dims![2]));
    x.floor_div(y);
    x.atan2(y);
    x.squared_difference(y);
    let message = g.check().unwrap_err().to_string();
    for part in [
        "floor_div: the shapes [2, 3] and [2] do not broadcast",
        "atan2: the shapes [2, 3] and [2] do not broadcast",
        "squared_difference: the shapes [2, 3] and [2] do not broadcast",
        "tests/elementwise.rs",
    ] {
        assert!(message.contains(part), "{message}");
    }
}
