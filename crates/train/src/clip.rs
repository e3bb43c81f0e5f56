//! Bounds for values and for the length of gradients.

use abeyance_graph::Expr;
use abeyance_graph::raw::{AnyTensorExt, GraphExt, TensorExt};
use abeyance_graph::{AnyTensor, Float, Graph, Number, Operand, Scalar, Tensor};
use abeyance_ir::{DType, Diagnostic, Role};

use crate::hyperparameter::number;
use crate::naming::name;
use crate::trainable::here;
use crate::{Gradients, Hyperparameter};

/// Each element brought between `low` and `high`, which broadcast: [`Tensor::clip_by_value`] as a
/// function.
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
/// x where ‖x‖ <= limit, else x / ‖x‖ * limit
/// ```
///
/// A tensor that is not scaled stays as it is, bit by bit, so a limit of infinity changes nothing;
/// a limit of 0 gives zeros. The norm and the quotients are computed in f64, so that squares
/// neither overflow nor vanish: in f32 `[3e20, 4e20]` becomes `[3, 4]` by a limit of 5. Where an
/// element is NaN all become NaN. Where one is infinite it becomes NaN and finite ones 0, unless
/// the limit is infinite too. Both are as in TensorFlow. A limit has to be 0 or more.
#[track_caller]
pub fn clip_by_norm<'g, T: Float>(
    x: impl Into<Tensor<'g, T>>,
    limit: impl Operand<'g, T>,
) -> Tensor<'g, T> {
    let x = x.into().beside(limit);
    let graph = x.graph();
    let _call = graph.call("clip_by_norm");
    graph.within("clip_by_norm", || {
        let limit = wide(graph.any(limit.node(graph)).assume::<T>());
        let norm = norm(x.erase());
        let shortened = wide(x) / norm * limit;
        let shortened = match T::DTYPE {
            DType::F64 => shortened.erase().assume(),
            _ => shortened.cast::<T>(),
        };
        // False where the norm is NaN.
        norm.less_equal(limit).select(x, shortened)
    })
}

/// In f64.
#[track_caller]
fn wide<'g, T: Float>(x: Tensor<'g, T>) -> Tensor<'g, f64> {
    match T::DTYPE {
        DType::F64 => x.erase().assume(),
        _ => x.cast(),
    }
}

/// The Euclidean norm of a tensor of floats, in f64, which holds that of any of f32.
#[track_caller]
fn norm<'g>(x: AnyTensor<'g>) -> Tensor<'g, f64> {
    let graph = x.graph();
    graph.any(graph.build(|ir| Expr::with(ir, x.id(), |x| x.wide_euclidean_norm().id()))).assume()
}

/// The Euclidean norm of all gradients together: TensorFlow's `global_norm`. 0 if there are none.
///
/// ```text
/// √(Σ ‖gradient‖²)
/// ```
///
/// All in f64, in which the squares of f32 neither overflow nor vanish; of f64 they do not either.
#[track_caller]
pub fn global_norm<'g>(gradients: &Gradients<'g>) -> Scalar<'g, f64> {
    let graph = gradients.graph();
    let _call = graph.call("global_norm");
    let _role = graph.role(Role::Update);
    graph
        .within("global_norm", || {
            let floats = gradients.iter().map(|(_, gradient)| gradient);
            let floats = floats.filter(|gradient| gradient.dtype().is_some_and(DType::is_float));
            let norms: Vec<Tensor<'g, f64>> = floats.map(norm).collect();
            match norms[..] {
                [] => graph.constant(0.0).into(),
                [only] => only,
                _ => norm(graph.stack(norms, 0).erase()),
            }
        })
        .into()
}

/// All gradients, scaled down together where their [`global_norm`] is above `limit`: TensorFlow's
/// `clip_by_global_norm`. Their directions stay.
///
/// ```text
/// gradient * scale, scale = 1 where norm <= limit, else limit / norm
/// ```
///
/// A limit of infinity changes nothing, one of 0 gives zeros. If the norm is infinite or NaN, since
/// an element is, all gradients become NaN, as in TensorFlow: a scale of 0 would hide what went
/// wrong. It is a mistake if the limit is a number that is negative or NaN. Pascanu, Mikolov and
/// Bengio, *On the difficulty of training Recurrent Neural Networks* (2013).
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
    let limit = limit.into();
    if let Hyperparameter::Number(number) = limit
        && (number.is_nan() || number < 0.0)
    {
        let diagnostic = Diagnostic::new(
            format!("clip_by_global_norm: no norm is at most {number}"),
            here(graph),
        )
        .help("the limit has to be 0 or more");
        graph.build(|ir| ir.report(diagnostic));
        return Gradients::rejected(graph);
    }
    let _role = graph.role(Role::Update);
    let norm = global_norm(&gradients);
    let _scope = graph.scope("clip_by_global_norm");
    let limit = number(graph, "limit", limit);
    let shortened = limit / norm;
    let one = constant(graph, "one", 1.0);
    let scaled = norm.less_equal(limit).select(one, shortened);
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
