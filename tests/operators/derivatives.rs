//! Gradients against central differences.

use abeyance::graph::ops;
use abeyance::graph::raw::GraphExt;
use abeyance::ir::{Differentiability, Domain, Operator, Type};
use abeyance::prelude::*;
use abeyance::session::Feed;
use ndarray::ArrayD;

use crate::samples::{Case, Operand, f64s, numbers};

const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-7;

fn differentiable() -> Vec<&'static dyn Operator> {
    ops::table()
        .into_iter()
        .filter(|operator| {
            let signature = operator.signature();
            !matches!(
                signature.differentiability,
                Differentiability::None(_) | Differentiability::Missing
            ) && signature
                .operands
                .iter()
                .any(|operand| operand.dtypes.contains(abeyance::ir::DType::F64))
        })
        .collect()
}

fn gives_f64(case: &Case) -> bool {
    let graph = case.graph.ir();
    matches!(&graph.node(case.y().id()).ty, Type::Tensor(tensor) if tensor.dtype == abeyance::ir::DType::F64)
}

fn close(analytic: f64, numeric: f64) -> bool {
    (analytic - numeric).abs() <= TOLERANCE * numeric.abs().max(1.0)
}

/// Every element of an operand moved up and down by a step, and `f` of it.
fn differences(
    case: &mut Case,
    operand: usize,
    mut f: impl FnMut(&Case) -> ArrayD<f64>,
) -> Vec<ArrayD<f64>> {
    let Operand::F64(x) = case.values[operand].clone() else { unreachable!() };
    (0..x.len())
        .map(|index| {
            let mut moved = |by: f64| {
                let mut x = x.clone();
                x.as_slice_mut().unwrap()[index] += by;
                case.values[operand] = Operand::F64(x);
                f(case)
            };
            let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            case.values[operand] = Operand::F64(x.clone());
            slope
        })
        .collect()
}

#[test]
fn every_gradient_is_the_whole_jacobian_found_by_differences() {
    let mut entries = 0;
    for operator in differentiable() {
        let samples = operator.samples();
        for sample in &samples {
            let mut case = Case::new(operator, sample);
            if !gives_f64(&case) || case.floats().is_empty() {
                continue;
            }
            let (y_dims, operands) = {
                let y = case.y().typed::<f64>().unwrap();
                let dims: Vec<usize> = y.shape().iter().map(|dim| dim.known().unwrap()).collect();
                let seed = case.graph.placeholder::<f64>("seed", dims.clone());
                let loss = (y * seed).reduce_sum(..);
                let floats = case.floats();
                for (index, x) in &floats {
                    let [gradient] = gradients(loss, [*x]);
                    gradient.identity().named(&format!("d{index}"));
                }
                (dims, floats.iter().map(|(index, _)| *index).collect::<Vec<_>>())
            };
            let session = case.session(1);
            let outputs: usize = y_dims.iter().product();
            for operand in operands {
                // Column by column from differences, row by row from the gradient.
                let numeric = differences(&mut case, operand, |case| {
                    f64s(case.run(&session, case.y(), vec![]))
                });
                for output in 0..outputs {
                    let mut seed = ArrayD::zeros(y_dims.clone());
                    seed.as_slice_mut().unwrap()[output] = 1.0;
                    let feed = Feed::new(case.graph.tensor::<f64>("seed").unwrap(), &seed);
                    let name = format!("d{operand}");
                    let gradient = case.graph.tensor::<f64>(&name).unwrap().erase();
                    let row = f64s(case.run(&session, gradient, vec![feed]));
                    assert_eq!(row.len(), numeric.len(), "{}", case.what);
                    for (input, (&analytic, column)) in row.iter().zip(&numeric).enumerate() {
                        let numeric = column.as_slice().unwrap()[output];
                        entries += 1;
                        assert!(
                            close(analytic, numeric),
                            "{}\nd y[{output}] / d x{operand}[{input}]: {analytic} by the rule, {numeric} by differences",
                            case.what
                        );
                    }
                }
            }
        }
    }
    assert!(entries > 5_000, "only {entries} entries were compared");
}

#[test]
fn every_smooth_operator_has_second_derivatives() {
    let mut entries = 0;
    for operator in differentiable() {
        if operator.signature().differentiability != Differentiability::Smooth {
            continue;
        }
        for sample in &operator.samples() {
            let mut case = Case::new(operator, sample);
            if !gives_f64(&case) || case.floats().is_empty() {
                continue;
            }
            let operands: Vec<usize> = {
                // s = weights · y; t = directions · ds/dx. By differences of t, by its gradient.
                let floats = case.floats();
                let weigh = |x: Tensor<'_, f64>, seed: u64| {
                    let dims: Vec<usize> =
                        x.shape().iter().map(|dim| dim.known().unwrap()).collect();
                    let weights = numbers(dims.iter().product(), &Domain::Between(-1.0, 1.0), seed);
                    let weights = ArrayD::from_shape_vec(dims, weights).unwrap();
                    let weights = case.graph.constant_array(&weights);
                    case.graph.any((x * weights).reduce_sum(..).id()).typed::<f64>().unwrap().id()
                };
                let scalar = |id| case.graph.any(id).typed::<f64>().unwrap().scalar();
                let s = scalar(weigh(case.y().typed::<f64>().unwrap(), 77));
                let t = floats
                    .iter()
                    .map(|(index, x)| {
                        let [first] = gradients_or_zeros(s, [*x]);
                        scalar(weigh(first, 100 + *index as u64))
                    })
                    .reduce(|a, b| a + b)
                    .unwrap();
                t.named("t");
                for (index, x) in &floats {
                    let [second] = gradients_or_zeros(t, [*x]);
                    second.identity().named(&format!("d{index}"));
                }
                floats.iter().map(|(index, _)| *index).collect()
            };
            let session = case.session(1);
            for operand in operands {
                let numeric = differences(&mut case, operand, |case| {
                    let t = case.graph.tensor::<f64>("t").unwrap().erase();
                    f64s(case.run(&session, t, vec![]))
                });
                let name = format!("d{operand}");
                let gradient = case.graph.tensor::<f64>(&name).unwrap().erase();
                let row = f64s(case.run(&session, gradient, vec![]));
                for (input, (&analytic, numeric)) in row.iter().zip(&numeric).enumerate() {
                    let numeric = numeric.sum();
                    entries += 1;
                    assert!(
                        close(analytic, numeric),
                        "{}\nsecond derivative by x{operand}[{input}]: {analytic} by the rule, {numeric} by differences",
                        case.what
                    );
                }
            }
        }
    }
    assert!(entries > 1_000, "only {entries} entries were compared");
}

#[test]
fn every_smooth_operator_has_a_third_derivative() {
    for operator in differentiable() {
        if operator.signature().differentiability != Differentiability::Smooth {
            continue;
        }
        for sample in &operator.samples() {
            let case = Case::new(operator, sample);
            if !gives_f64(&case) || case.floats().is_empty() {
                continue;
            }
            let y = case.y().typed::<f64>().unwrap();
            let mut loss = (y * y).reduce_sum(..);
            for _ in 0..3 {
                let slopes = case.floats().into_iter().map(|(_, x)| {
                    let [slope] = gradients_or_zeros(loss, [x]);
                    slope.square().reduce_sum(..)
                });
                loss = slopes.reduce(|a, b| a + b).unwrap();
            }
            case.graph.check().unwrap_or_else(|mistakes| panic!("{}\n{mistakes}", case.what));
        }
    }
}
