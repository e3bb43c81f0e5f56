//! Activations of networks.

use abeyance_graph::AnyTensor;
use abeyance_graph::ops::{activation, binary, comparison, select, unary};

use super::super::call::{Call, unsupported, with_float};
use super::super::table::Row;
use super::arithmetic::broadcast_pair;
use super::pointwise::each;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("Relu", "`relu`", |call| each(call, |x| Ok(call.unary(unary::relu, x)))),
    Row::new("Sigmoid", "`sigmoid`", |call| each(call, |x| Ok(call.unary(unary::sigmoid, x)))),
    Row::new("Softplus", "`softplus`", |call| {
        each(call, |x| Ok(call.unary(activation::softplus, x)))
    }),
    Row::new("LeakyRelu", "`leaky_relu`", |call| {
        let alpha = call.float_or("alpha", 0.01)?;
        each(call, |x| Ok(call.emit(|graph| activation::leaky_relu(graph, x.id(), alpha))))
    }),
    Row::new("PRelu", "`x` where it is positive, else `slope` times `x`", |call| {
        broadcast_pair(call, |x, slope| {
            let positive = call.with_number(comparison::greater, x, 0.0);
            let other = call.binary(binary::mul, slope, x);
            Ok(call.emit(|graph| select::select(graph, positive.id(), x.id(), other.id())))
        })
    }),
    Row::new("ThresholdedRelu", "`x` above `alpha`, else 0", |call| {
        let alpha = call.float_or("alpha", 1.0)?;
        each(call, |x| {
            let above = call.with_number(comparison::greater, x, alpha);
            let zero = call.number(0.0, x);
            Ok(call.emit(|graph| select::select(graph, above.id(), x.id(), zero.id())))
        })
    }),
    Row::new("Elu", "`elu`, scaled where it is negative", |call| {
        let alpha = call.float_or("alpha", 1.0)?;
        each(call, |x| {
            let elu = call.unary(activation::elu, x);
            match alpha == 1.0 {
                true => Ok(elu),
                false => Ok(scaled_below(call, x, elu, alpha)),
            }
        })
    }),
    Row::new("Celu", "`x` where it is positive, else `alpha expm1(x / alpha)`", |call| {
        let alpha = call.float_or("alpha", 1.0)?;
        each(call, |x| {
            // What is not taken is kept from overflowing.
            let below = call.with_number(binary::minimum, x, 0.0);
            let inner = call.with_number(binary::div, below, alpha);
            let below = call.times(call.unary(unary::expm1, inner), alpha);
            let positive = call.with_number(comparison::greater, x, 0.0);
            Ok(call.emit(|graph| select::select(graph, positive.id(), x.id(), below.id())))
        })
    }),
    Row::new("Selu", "`elu`, scaled", |call| {
        let alpha = call.float_or("alpha", 1.673_263_2)?;
        let gamma = call.float_or("gamma", 1.050_701)?;
        each(call, |x| {
            let elu = call.unary(activation::elu, x);
            Ok(call.times(scaled_below(call, x, elu, alpha), gamma))
        })
    }),
    Row::new("Gelu", "the nodes of `gelu`; of the approximation `x sigmoid(..)`", |call| {
        let approximate = match call.string_or("approximate", "none")?.as_str() {
            "none" => false,
            "tanh" => true,
            other => return unsupported(format!("an approximation called {other:?}")),
        };
        each(call, |x| {
            let dtype = call.float_type(x)?;
            if !approximate {
                return Ok(with_float!(dtype, T => x.assume::<T>().gelu(false).erase()));
            }
            // (1 + tanh(y)) / 2 is 1 / (1 + exp(-2y)), which has its digits where it is small.
            let cube = call.binary(binary::mul, x, call.unary(unary::square, x));
            let inner = call.binary(binary::add, x, call.times(cube, 0.044_715));
            let twice = (8.0 / std::f64::consts::PI).sqrt();
            let share = call.unary(unary::sigmoid, call.times(inner, twice));
            Ok(call.binary(binary::mul, x, share))
        })
    }),
    Row::new("HardSigmoid", "`clip(alpha x + beta, 0, 1)`", |call| {
        let (alpha, beta) = (call.float_or("alpha", 0.2)?, call.float_or("beta", 0.5)?);
        each(call, |x| Ok(hard_sigmoid(call, x, alpha, beta)))
    }),
    Row::new("HardSwish", "`x clip(x / 6 + 1 / 2, 0, 1)`", |call| {
        each(call, |x| Ok(call.binary(binary::mul, x, hard_sigmoid(call, x, 1.0 / 6.0, 0.5))))
    }),
    Row::new("Swish", "`x sigmoid(alpha x)`", |call| {
        let alpha = call.float_or("alpha", 1.0)?;
        each(call, |x| {
            let inner = if alpha == 1.0 { x } else { call.times(x, alpha) };
            Ok(call.binary(binary::mul, x, call.unary(unary::sigmoid, inner)))
        })
    }),
    Row::new("Mish", "`x tanh(softplus(x))`", |call| {
        each(call, |x| {
            let tanh = call.unary(unary::tanh, call.unary(activation::softplus, x));
            Ok(call.binary(binary::mul, x, tanh))
        })
    }),
    Row::new("Softsign", "`x / (1 + |x|)`", |call| {
        each(call, |x| Ok(call.binary(binary::div, x, call.plus(call.unary(unary::abs, x), 1.0))))
    }),
];

/// `y` where `x` is positive, else `alpha` times `y`.
fn scaled_below<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    y: AnyTensor<'g>,
    alpha: f64,
) -> AnyTensor<'g> {
    let positive = call.with_number(comparison::greater, x, 0.0);
    let scaled = call.times(y, alpha);
    call.emit(|graph| select::select(graph, positive.id(), y.id(), scaled.id()))
}

/// `clip(alpha x + beta, 0, 1)`
pub(crate) fn hard_sigmoid<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    alpha: f64,
    beta: f64,
) -> AnyTensor<'g> {
    let line = call.plus(call.times(x, alpha), beta);
    let above = call.with_number(binary::maximum, line, 0.0);
    call.with_number(binary::minimum, above, 1.0)
}
