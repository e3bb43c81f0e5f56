//! Steps whose size follows from those before.

use abeyance_graph::{Float, Tensor};

use crate::limits::{Limit, check};
use crate::{Hyperparameter, Optimizer, Update, Updates};

/// Adadelta: TensorFlow's `AdadeltaOptimizer`, after Zeiler, *ADADELTA: An Adaptive Learning Rate
/// Method* (2012).
///
/// ```text
/// accum        = rho * accum + (1 - rho) * g²
/// change       = √(accum_update + epsilon) / √(accum + epsilon) * g
/// var         -= rate * change
/// accum_update = rho * accum_update + (1 - rho) * change²
/// ```
///
/// Epsilon, 1e-8, is inside both roots; that of the numerator is what gets the first step going.
/// The slots are `w/Adadelta`: accum, and `w/Adadelta_1`: accum_update; both start at 0. The paper
/// has no rate: 1 gives its rule, and TensorFlow's default of 0.001 much smaller steps.
#[derive(Clone, Copy, Debug)]
pub struct Adadelta<'g> {
    rate: Hyperparameter<'g>,
    rho: f64,
    epsilon: f64,
}

impl<'g> Adadelta<'g> {
    /// Steps of `rate` times the gradient, brought to the size of earlier steps.
    pub fn new(rate: impl Into<Hyperparameter<'g>>) -> Self {
        Self { rate: rate.into(), rho: 0.95, epsilon: 1e-8 }
    }

    /// How much of the moving means stays from step to step. The default is 0.95. It has to be in
    /// [0, 1].
    pub fn rho(mut self, rho: f64) -> Self {
        self.rho = rho;
        self
    }

    /// Sets the number that keeps the roots from 0. The default is 1e-8. It has to be positive: of
    /// 0 there would be no first step.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }
}

impl<'g> Optimizer<'g> for Adadelta<'g> {
    fn name(&self) -> &'static str {
        "Adadelta"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        check(
            updates,
            [
                ("the learning rate", self.rate, Limit::Finite),
                ("rho", self.rho.into(), Limit::Fraction),
                ("epsilon", self.epsilon.into(), Limit::Positive),
            ],
        );
        self.rate
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let (g, rate) = (cx.gradient(), cx.rate());
        let rest = cx.one_minus("one_minus_rho", self.rho);
        let epsilon = cx.scalar("epsilon", self.epsilon);
        let (accum, accum_update) = (cx.slot(0.0), cx.slot(0.0));
        let accum = accum.assign_add((g.square() - accum) * rest);
        let change = (accum_update + epsilon).sqrt() / (accum + epsilon).sqrt() * g;
        accum_update.assign_add((change.square() - accum_update) * rest);
        cx.variable().assign_sub(change * rate)
    }
}
