//! Numbers that steer a training.

use abeyance_graph::Expr;
use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{AnyTensor, Element, Graph, Scalar, Tensor};
use abeyance_ir::DType;

use crate::naming::name;

/// A learning rate, a momentum, a threshold: a number settled when the graph is built, or a scalar
/// that the graph computes at each step, of any float type.
///
/// ```
/// use abeyance_graph::Graph;
/// use abeyance_train::{exponential_decay, global_step, GradientDescent, Optimizer};
/// let g = Graph::new();
/// let loss = g.variable("w", 1.0f32).square();
/// let step = global_step(&g);
/// let rate = exponential_decay(0.1, step, 100, 0.96, true);
/// let train_step = GradientDescent::new(rate).minimize_counting(loss, step);
/// # let _ = train_step;
/// # g.check().unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Hyperparameter<'g> {
    /// One number for every step.
    Number(f64),
    /// Computed or fed. It is a mistake if it has dimensions.
    Tensor(AnyTensor<'g>),
}

impl From<f64> for Hyperparameter<'_> {
    fn from(number: f64) -> Self {
        Hyperparameter::Number(number)
    }
}

impl From<f32> for Hyperparameter<'_> {
    fn from(number: f32) -> Self {
        Hyperparameter::Number(number.into())
    }
}

impl<'g> From<AnyTensor<'g>> for Hyperparameter<'g> {
    fn from(tensor: AnyTensor<'g>) -> Self {
        Hyperparameter::Tensor(tensor)
    }
}

impl<'g, T: Element> From<Tensor<'g, T>> for Hyperparameter<'g> {
    fn from(tensor: Tensor<'g, T>) -> Self {
        Hyperparameter::Tensor(tensor.erase())
    }
}

impl<'g, T: Element> From<Scalar<'g, T>> for Hyperparameter<'g> {
    fn from(scalar: Scalar<'g, T>) -> Self {
        Hyperparameter::Tensor(scalar.erase())
    }
}

/// It as a node of f64: a constant called `base`, or the tensor.
#[track_caller]
pub(crate) fn number<'g>(
    graph: &'g Graph,
    base: &str,
    value: Hyperparameter<'g>,
) -> Tensor<'g, f64> {
    match value {
        Hyperparameter::Number(number) => {
            let constant = graph.constant(number);
            name(constant.erase(), base);
            constant.into()
        }
        Hyperparameter::Tensor(tensor) => {
            let id = graph.import(tensor);
            let number: AnyTensor<'g> = match tensor.dtype() {
                Some(DType::F64) | None => graph.any(id),
                Some(_) => {
                    graph.any(graph.build(|ir| Expr::with(ir, id, |x| x.cast(DType::F64).id())))
                }
            };
            number.assume::<f64>().scalar().into()
        }
    }
}
