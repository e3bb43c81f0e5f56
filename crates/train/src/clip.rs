//! Bounds for values and for the length of gradients.

use abeyance_graph::{Float, Graph, Number, Operand, Scalar, Tensor};
use abeyance_ir::{DType, Role};

use crate::hyperparameter::number;
use crate::naming::name;
use crate::{Gradients, Hyperparameter};

/// Each element brought between `low` and `high`, which broadcast: [`Tensor::clip_by_value`] as a function.
#[track_caller]
pub fn clip_by_value<'g, T: Number>(
    x: impl Into<Tensor<'g, T>>,
    low: impl Operand<'g, T>,
    high: impl Operand<'g, T>,
) -> Tensor<'g, T> {
    x.into().clip_by_value(low, high)
}

/// The tensor, scaled down where its Euclidean norm is above `limit`: TensorFlow's `clip_by_norm`.
///
/// ```text
/// x * limit / max(‖x‖, limit)
/// ```
#[track_caller]
pub fn clip_by_norm<'g, T: Float>(
    x: impl Into<Tensor<'g, T>>,
    limit: impl Operand<'g, T>,
) -> Tensor<'g, T> {
    let x = x.into();
    let _call = x.graph().call("clip_by_norm");
    x.graph().within("clip_by_norm", || {
        let limit: Tensor<'g, T> = x.graph().any(limit.node(x.graph())).assume();
        let norm = x.square().reduce_sum(..).sqrt();
        x * limit / norm.maximum(limit)
    })
}

/// The Euclidean norm of all gradients together: TensorFlow's `global_norm`. 0 if there are none.
///
/// ```text
/// √(Σ ‖gradient‖²)
/// ```
///
/// Squares are added up in each gradient's own type, and the sums in f64.
#[track_caller]
pub fn global_norm<'g>(gradients: &Gradients<'g>) -> Scalar<'g, f64> {
    let graph = gradients.graph();
    let _call = graph.call("global_norm");
    let _role = graph.role(Role::Update);
    graph
        .within("global_norm", || {
            let sums = gradients.iter().filter_map(|(_, gradient)| match gradient.dtype()? {
                DType::F32 => Some(squares(gradient.assume::<f32>()).cast()),
                DType::F64 => Some(squares(gradient.assume::<f64>())),
                _ => None,
            });
            let total: Option<Tensor<'g, f64>> = sums.reduce(|total, sum| total + sum);
            total.unwrap_or_else(|| graph.constant(0.0).into()).sqrt()
        })
        .into()
}

fn squares<'g, T: Float>(gradient: Tensor<'g, T>) -> Tensor<'g, T> {
    gradient.square().reduce_sum(..).into()
}

/// All gradients, scaled down together where their [`global_norm`] is above `limit`: TensorFlow's `clip_by_global_norm`.
/// Their directions stay.
///
/// ```text
/// gradient * (limit / max(norm, limit))
/// ```
///
/// If the norm is infinite or NaN all gradients become NaN, as in TensorFlow: a scale of 0 would hide what went wrong.
/// Pascanu, Mikolov and Bengio, *On the difficulty of training Recurrent Neural Networks* (2013).
#[track_caller]
pub fn clip_by_global_norm<'g>(
    gradients: Gradients<'g>,
    limit: impl Into<Hyperparameter<'g>>,
) -> Gradients<'g> {
    let graph = gradients.graph();
    let _call = graph.call("clip_by_global_norm");
    if gradients.is_rejected() {
        return gradients;
    }
    let _role = graph.role(Role::Update);
    let norm = global_norm(&gradients);
    let _scope = graph.scope("clip_by_global_norm");
    let limit = number(graph, "limit", limit.into());
    let scaled = limit / norm.maximum(limit);
    let infinity = constant(graph, "infinity", f64::INFINITY);
    let nan = constant(graph, "nan", f64::NAN);
    let scale = norm.less(infinity).select(scaled, nan);
    name(scale.erase(), "scale");
    let mut narrow = None;
    gradients.map(|variable, gradient| {
        let clipped = match gradient.dtype() {
            Some(DType::F64) => (gradient.assume() * scale).erase(),
            Some(DType::F32) => {
                let scale = *narrow.get_or_insert_with(|| scale.cast::<f32>());
                (gradient.assume() * scale).erase()
            }
            _ => return gradient,
        };
        name(clipped, &variable.name());
        clipped
    })
}

#[track_caller]
fn constant<'g>(graph: &'g Graph, base: &str, value: f64) -> Tensor<'g, f64> {
    let constant = graph.constant(value);
    name(constant.erase(), base);
    constant.into()
}
