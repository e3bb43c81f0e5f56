//! Steps that shrink as gradients add up.

use abeyance_graph::{Float, Tensor};

use crate::limits::{Limit, check};
use crate::{Hyperparameter, Optimizer, Update, Updates};

/// Adagrad: TensorFlow's `AdagradOptimizer`, after Duchi, Hazan and Singer, *Adaptive Subgradient
/// Methods for Online Learning and Stochastic Optimization* (2011).
///
/// ```text
/// accum += g²
/// var   -= rate * g / √accum
/// ```
///
/// The slot `w/Adagrad`, accum, starts at 0.1. There is no epsilon: that first value keeps the root
/// from 0.
#[derive(Clone, Copy, Debug)]
pub struct Adagrad<'g> {
    rate: Hyperparameter<'g>,
    initial: f64,
}

impl<'g> Adagrad<'g> {
    /// Steps of `rate` times the gradient over the root of the sum of its squares.
    pub fn new(rate: impl Into<Hyperparameter<'g>>) -> Self {
        Self { rate: rate.into(), initial: 0.1 }
    }

    /// Sets the first value of the accumulator. The default is 0.1. It has to be positive, as in
    /// TensorFlow: of 0, a gradient of 0 would make NaN.
    pub fn initial_accumulator(mut self, initial: f64) -> Self {
        self.initial = initial;
        self
    }
}

impl<'g> Optimizer<'g> for Adagrad<'g> {
    fn name(&self) -> &'static str {
        "Adagrad"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        check(
            updates,
            [
                ("the learning rate", self.rate, Limit::Finite),
                ("the first accumulator", self.initial.into(), Limit::Positive),
            ],
        );
        self.rate
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let (g, rate) = (cx.gradient(), cx.rate());
        let accum = cx.slot(self.initial).assign_add(g.square());
        cx.variable().assign_sub(g * rate / accum.sqrt())
    }
}
