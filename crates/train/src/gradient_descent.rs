//! Steps along the gradient.

use abeyance_graph::{Float, Tensor};

use crate::{Hyperparameter, Optimizer, Update, Updates};

/// Gradient descent: TensorFlow's `GradientDescentOptimizer`.
///
/// ```text
/// var -= rate * g
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GradientDescent<'g> {
    rate: Hyperparameter<'g>,
}

impl<'g> GradientDescent<'g> {
    /// Steps of `rate` times the gradient.
    pub fn new(rate: impl Into<Hyperparameter<'g>>) -> Self {
        Self { rate: rate.into() }
    }
}

impl<'g> Optimizer<'g> for GradientDescent<'g> {
    fn name(&self) -> &'static str {
        "GradientDescent"
    }

    fn rate(&self, _: &mut Updates<'g>) -> Hyperparameter<'g> {
        self.rate
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        cx.variable().assign_sub(cx.gradient() * cx.rate())
    }
}
