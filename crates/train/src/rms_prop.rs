//! Steps over the recent size of the gradient.

use abeyance_graph::{Float, Tensor};

use crate::limits::{Limit, check};
use crate::{Hyperparameter, Optimizer, Update, Updates};

/// RMSProp: TensorFlow's `RMSPropOptimizer`, after Tieleman and Hinton's lecture 6.5 (2012).
///
/// ```text
/// ms  += (g² - ms) * (1 - decay)
/// mg  += (g - mg) * (1 - decay)                               (centered only)
/// mom  = momentum * mom + rate * g / √(ms + epsilon)          (plain)
/// mom  = momentum * mom + rate * g / √(max(ms - mg², 0) + epsilon)    (centered)
/// var -= mom
/// ```
///
/// Epsilon, 1e-10, is inside the root. The slots are, in this order, `w/RMSProp`: ms, which starts
/// at **1**; if centered, `w/RMSProp_1`: mg, at 0; and, if there is momentum, the next one: mom, at
/// 0. TensorFlow keeps the last slot without momentum too, where it is nothing but a copy of the
/// step.
///
/// The centered variant is that of Graves, *Generating Sequences With Recurrent Neural Networks*
/// (2013). Of a gradient that stays the same, ms - mg² comes to 0, which rounding may take for
/// less: TensorFlow's root of that is NaN, here it counts as 0.
///
/// It is a mistake if the rate is a number that is not finite, decay or momentum are not in [0, 1],
/// or epsilon is negative. With an epsilon of 0 what is divided by 0 is a step of 0, not
/// TensorFlow's NaN.
#[derive(Clone, Copy, Debug)]
pub struct RmsProp<'g> {
    rate: Hyperparameter<'g>,
    decay: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
}

impl<'g> RmsProp<'g> {
    /// Steps of `rate` times the gradient over the root of the moving mean of its square.
    pub fn new(rate: impl Into<Hyperparameter<'g>>) -> Self {
        Self { rate: rate.into(), decay: 0.9, momentum: 0.0, epsilon: 1e-10, centered: false }
    }

    /// How much of the moving means stays from step to step. The default is 0.9.
    pub fn decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }

    /// How much of the last step is taken again. The default is 0.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets the number that keeps the root from 0. The default is 1e-10.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// True if to divide by the root of the variance instead of the mean square; not unless asked
    /// for.
    pub fn centered(mut self, centered: bool) -> Self {
        self.centered = centered;
        self
    }
}

impl<'g> Optimizer<'g> for RmsProp<'g> {
    fn name(&self) -> &'static str {
        "RMSProp"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        check(
            updates,
            [
                ("the learning rate", self.rate, Limit::Finite),
                ("the decay", self.decay.into(), Limit::Fraction),
                ("the momentum", self.momentum.into(), Limit::Fraction),
                ("epsilon", self.epsilon.into(), Limit::NotNegative),
            ],
        );
        self.rate
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let (g, rate) = (cx.gradient(), cx.rate());
        let rest = cx.one_minus("one_minus_decay", self.decay);
        let epsilon = cx.scalar("epsilon", self.epsilon);
        let slot = cx.slot(1.0);
        let ms = slot.assign_add((g.square() - slot) * rest);
        let spread = if self.centered {
            let slot = cx.slot(0.0);
            let mg = slot.assign_add((g - slot) * rest);
            // A variance, which rounding would leave below 0 where the gradient stays the same.
            (ms - mg.square()).maximum(cx.scalar("zero", 0.0))
        } else {
            ms
        };
        let step = if T::from_f64(self.epsilon) == T::from_f64(0.0) {
            cx.quotient_or_0(g * rate, spread.sqrt())
        } else {
            g * rate / (spread + epsilon).sqrt()
        };
        let change = match self.momentum {
            0.0 => step,
            momentum => {
                let momentum = cx.scalar("momentum", momentum);
                let slot = cx.slot(0.0);
                slot.assign(slot * momentum + step)
            }
        };
        cx.variable().assign_sub(change)
    }
}
