//! Steps that keep going.

use abeyance_graph::{Float, Tensor};

use crate::limits::{Limit, check};
use crate::{Hyperparameter, Optimizer, Update, Updates};

/// Gradient descent with momentum: TensorFlow's `MomentumOptimizer`.
///
/// ```text
/// accum = momentum * accum + g
/// var  -= rate * accum                          (plain)
/// var  -= rate * g + rate * momentum * accum    (Nesterov)
/// ```
///
/// The slot `w/Momentum`, accum, starts at 0. As in TensorFlow the rate is outside of the
/// accumulator, so that a change of the rate acts on the whole step. Nesterov's variant is that of
/// Sutskever, Martens, Dahl and Hinton, *On the importance of initialization and momentum in deep
/// learning* (2013).
///
/// It is a mistake if the rate is a number that is not finite, or the momentum one that is not in
/// [0, 1]: more grows beyond all bounds.
#[derive(Clone, Copy, Debug)]
pub struct Momentum<'g> {
    rate: Hyperparameter<'g>,
    momentum: Hyperparameter<'g>,
    nesterov: bool,
}

impl<'g> Momentum<'g> {
    /// Steps of `rate` times the accumulated gradient, which decays by `momentum`, usually 0.9.
    pub fn new(
        rate: impl Into<Hyperparameter<'g>>,
        momentum: impl Into<Hyperparameter<'g>>,
    ) -> Self {
        Self { rate: rate.into(), momentum: momentum.into(), nesterov: false }
    }

    /// True if to use Nesterov's variant; not unless asked for.
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }
}

impl<'g> Optimizer<'g> for Momentum<'g> {
    fn name(&self) -> &'static str {
        "Momentum"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        check(
            updates,
            [
                ("the learning rate", self.rate, Limit::Finite),
                ("the momentum", self.momentum, Limit::Fraction),
            ],
        );
        self.rate
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let (g, rate) = (cx.gradient(), cx.rate());
        let momentum = cx.scalar("momentum", self.momentum);
        let slot = cx.slot(0.0);
        let accum = slot.assign(slot * momentum + g);
        let change = if self.nesterov { g * rate + accum * momentum * rate } else { accum * rate };
        cx.variable().assign_sub(change)
    }
}
