//! Derivatives of what is built from several operators, against central differences. Those of the
//! operators themselves are in `tests/operators`.

use abeyance::prelude::*;
use abeyance::session::Feed;
use ndarray::ArrayD;

const STEP: f64 = 1e-5;

/// Checks first and second derivatives of `build`, for operands of these shapes and values.
pub fn check<const N: usize>(
    operands: [(&[usize], &[f64]); N],
    build: impl for<'g> Fn([Tensor<'g, f64>; N]) -> Tensor<'g, f64>,
) {
    let g = Graph::new();
    let names: Vec<String> = (0..N).map(|place| format!("x{place}")).collect();
    let xs: [Tensor<'_, f64>; N] = std::array::from_fn(|place| {
        g.placeholder::<f64>(&names[place], operands[place].0.to_vec())
    });
    let y = weighed(build(xs), 0.7);
    let slopes = gradients_or_zeros(y, xs);
    let slope = slopes
        .iter()
        .enumerate()
        .map(|(place, slope)| weighed(*slope, 0.3 + place as f64))
        .reduce(|a, b| a + b)
        .unwrap();
    let curvatures = gradients_or_zeros(slope, xs);
    let session = Session::new(&g).unwrap();
    let mut values: Vec<ArrayD<f64>> = operands
        .iter()
        .map(|(dims, values)| ArrayD::from_shape_vec(dims.to_vec(), values.to_vec()).unwrap())
        .collect();
    let run = |values: &[ArrayD<f64>]| {
        let feeds: Vec<Feed<'_>> = xs.iter().zip(values).map(|(x, v)| Feed::new(*x, v)).collect();
        session.run((y, slope, slopes, curvatures), feeds).unwrap()
    };
    let (_, _, first, second) = run(&values);
    for place in 0..N {
        for at in 0..values[place].len() {
            let mut moved = |by: f64| {
                values[place].as_slice_mut().unwrap()[at] += by;
                let (y, slope, ..) = run(&values);
                values[place].as_slice_mut().unwrap()[at] -= by;
                (y, slope)
            };
            let (above, below) = (moved(STEP), moved(-STEP));
            for (order, rule, above, below) in [
                ("first", &first[place], above.0, below.0),
                ("second", &second[place], above.1, below.1),
            ] {
                let (rule, numeric) =
                    (rule.as_slice().unwrap()[at], (above - below) / (2.0 * STEP));
                assert!(
                    (rule - numeric).abs() <= 1e-7 * numeric.abs().max(1.0),
                    "{order} derivative by x{place}[{at}]: {rule} by the rule, {numeric} by differences"
                );
            }
        }
    }
}

/// One number that depends on every element in another way.
fn weighed<'g>(x: Tensor<'g, f64>, first: f64) -> Scalar<'g, f64> {
    let dims: Vec<usize> = x.shape().iter().map(|dim| dim.known().unwrap()).collect();
    let count: usize = dims.iter().product();
    let weights = (0..count).map(|i| (first + i as f64).sin()).collect();
    let weights = ArrayD::from_shape_vec(dims, weights).unwrap();
    (x * x.graph().constant_array(&weights)).reduce_sum(..)
}
