//! Steps along the gradient.

use abeyance_graph::{Float, Tensor};

use crate::limits::{Limit, check};
use crate::{Hyperparameter, Optimizer, Update, Updates};

/// Gradient descent: TensorFlow's `GradientDescentOptimizer`.
///
/// ```text
/// var -= rate * g
/// ```
///
/// It is a mistake if the rate is a number that is not finite.
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

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        check(updates, [("the learning rate", self.rate, Limit::Finite)]);
        self.rate
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        cx.variable().assign_sub(cx.gradient() * cx.rate())
    }
}
