//! Activations of networks.

use abeyance_graph::Expr;

use super::super::call::{unsupported, with_float};
use super::super::entry::OpEntry;
use super::arithmetic::broadcast_pair;
use super::pointwise::each;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("Relu", "`relu`", |call| each(call, |x| x.relu())),
    OpEntry::new("Sigmoid", "`sigmoid`", |call| each(call, |x| x.sigmoid())),
    OpEntry::new("Softplus", "`softplus`", |call| each(call, |x| x.softplus())),
    OpEntry::new("LeakyRelu", "`leaky_relu`", |call| {
        let alpha = call.float_or("alpha", 0.01)?;
        each(call, |x| x.leaky_relu(alpha))
    }),
    OpEntry::new("PRelu", "`x` where it is positive, else `slope` times `x`", |call| {
        broadcast_pair(call, |x, slope| x.greater(0.0).select(x, slope * x))
    }),
    OpEntry::new("ThresholdedRelu", "`x` above `alpha`, else 0", |call| {
        let alpha = call.float_or("alpha", 1.0)?;
        each(call, |x| x.greater(alpha).select(x, 0.0))
    }),
    OpEntry::new("Elu", "`elu`, scaled where it is negative", |call| {
        let alpha = call.float_or("alpha", 1.0)?;
        each(call, |x| if alpha == 1.0 { x.elu() } else { scaled_below(x, x.elu(), alpha) })
    }),
    OpEntry::new("Celu", "`x` where it is positive, else `alpha expm1(x / alpha)`", |call| {
        let alpha = call.float_or("alpha", 1.0)?;
        each(call, |x| {
            // What is not taken is kept from overflowing.
            let below = (x.minimum(0.0) / alpha).expm1() * alpha;
            x.greater(0.0).select(x, below)
        })
    }),
    OpEntry::new("Selu", "`elu`, scaled", |call| {
        let alpha = call.float_or("alpha", 1.673_263_2)?;
        let gamma = call.float_or("gamma", 1.050_701)?;
        each(call, |x| scaled_below(x, x.elu(), alpha) * gamma)
    }),
    OpEntry::new("Gelu", "the nodes of `gelu`; of the approximation `x sigmoid(..)`", |call| {
        let approximate = match call.string_or("approximate", "none")?.as_str() {
            "none" => false,
            "tanh" => true,
            other => return unsupported(format!("an approximation called {other:?}")),
        };
        let dtype = call.float_type(call.value(0)?.any(call.graph))?;
        each(call, |x| {
            if !approximate {
                return with_float!(dtype, T => call.typed::<T>(x).gelu(false).erase().expr());
            }
            // (1 + tanh(y)) / 2 is 1 / (1 + exp(-2y)), which has its digits where it is small.
            let twice = (8.0 / std::f64::consts::PI).sqrt();
            x * ((x + x * x.square() * 0.044_715) * twice).sigmoid()
        })
    }),
    OpEntry::new("HardSigmoid", "`clip(alpha x + beta, 0, 1)`", |call| {
        let (alpha, beta) = (call.float_or("alpha", 0.2)?, call.float_or("beta", 0.5)?);
        each(call, |x| hard_sigmoid(x, alpha, beta))
    }),
    OpEntry::new("HardSwish", "`x clip(x / 6 + 1 / 2, 0, 1)`", |call| {
        each(call, |x| x * hard_sigmoid(x, 1.0 / 6.0, 0.5))
    }),
    OpEntry::new("Swish", "`x sigmoid(alpha x)`", |call| {
        let alpha = call.float_or("alpha", 1.0)?;
        each(call, |x| if alpha == 1.0 { x * x.sigmoid() } else { x * (x * alpha).sigmoid() })
    }),
    OpEntry::new("Mish", "`x tanh(softplus(x))`", |call| each(call, |x| x * x.softplus().tanh())),
    OpEntry::new("Softsign", "`x / (1 + |x|)`", |call| each(call, |x| x / (x.abs() + 1.0))),
];

/// `y` where `x` is positive, else `alpha` times `y`.
fn scaled_below<'g>(x: Expr<'g>, y: Expr<'g>, alpha: f64) -> Expr<'g> {
    x.greater(0.0).select(y, y * alpha)
}

/// `clip(alpha x + beta, 0, 1)`
fn hard_sigmoid(x: Expr<'_>, alpha: f64, beta: f64) -> Expr<'_> {
    (x * alpha + beta).maximum(0.0).minimum(1.0)
}
