//! Steps along the gradient, and then towards 0: weights that do not help become exactly 0.

use abeyance_graph::{Float, Tensor};

use crate::limits::{Limit, check};
use crate::{Hyperparameter, Optimizer, Update, Updates};

/// Gradient descent on a loss with `l1 * Σ|var| + l2/2 * Σ var²` added: TensorFlow's
/// `ProximalGradientDescentOptimizer`, after Duchi and Singer, *Efficient Online and Batch Learning
/// using Forward Backward Splitting* (2009).
///
/// ```text
/// x   = var - rate * g
/// var = sign(x) * max(|x| - rate * l1, 0) / (1 + rate * l2)
/// ```
///
/// It is a mistake if the rate, l1 or l2 is a number that is negative or not finite.
#[derive(Clone, Copy, Debug)]
pub struct ProximalGradientDescent<'g> {
    rate: Hyperparameter<'g>,
    l1: Hyperparameter<'g>,
    l2: Hyperparameter<'g>,
}

impl<'g> ProximalGradientDescent<'g> {
    /// Steps of `rate` times the gradient, without regularization.
    pub fn new(rate: impl Into<Hyperparameter<'g>>) -> Self {
        Self { rate: rate.into(), l1: 0.0.into(), l2: 0.0.into() }
    }

    /// The weight of `Σ|var|`. The default is 0.
    pub fn l1(mut self, l1: impl Into<Hyperparameter<'g>>) -> Self {
        self.l1 = l1.into();
        self
    }

    /// The weight of `Σ var² / 2`. The default is 0.
    pub fn l2(mut self, l2: impl Into<Hyperparameter<'g>>) -> Self {
        self.l2 = l2.into();
        self
    }
}

impl<'g> Optimizer<'g> for ProximalGradientDescent<'g> {
    fn name(&self) -> &'static str {
        "ProximalGradientDescent"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        check(
            updates,
            [
                ("the learning rate", self.rate, Limit::NotNegative),
                ("l1", self.l1, Limit::NotNegative),
                ("l2", self.l2, Limit::NotNegative),
            ],
        );
        self.rate
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let rate = cx.rate().tensor();
        let new = proximal(cx, rate, self.l1, self.l2);
        cx.variable().assign(new)
    }
}

/// Adagrad on a loss with `l1 * Σ|var| + l2/2 * Σ var²` added: TensorFlow's
/// `ProximalAdagradOptimizer`, after Duchi and Singer (see [`ProximalGradientDescent`]).
///
/// ```text
/// accum += g²
/// r      = rate / √accum
/// x      = var - r * g
/// var    = sign(x) * max(|x| - r * l1, 0) / (1 + r * l2)
/// ```
///
/// The slot `w/ProximalAdagrad`, accum, starts at 0.1.
///
/// It is a mistake if the rate, l1 or l2 is a number that is negative or not finite, or the first
/// value of the slot is not positive.
#[derive(Clone, Copy, Debug)]
pub struct ProximalAdagrad<'g> {
    rate: Hyperparameter<'g>,
    initial: f64,
    l1: Hyperparameter<'g>,
    l2: Hyperparameter<'g>,
}

impl<'g> ProximalAdagrad<'g> {
    /// Steps of `rate` times the gradient over the root of the sum of its squares, without
    /// regularization.
    pub fn new(rate: impl Into<Hyperparameter<'g>>) -> Self {
        Self { rate: rate.into(), initial: 0.1, l1: 0.0.into(), l2: 0.0.into() }
    }

    /// Sets the first value of the accumulator. The default is 0.1. It has to be positive.
    pub fn initial_accumulator(mut self, initial: f64) -> Self {
        self.initial = initial;
        self
    }

    /// The weight of `Σ|var|`. The default is 0.
    pub fn l1(mut self, l1: impl Into<Hyperparameter<'g>>) -> Self {
        self.l1 = l1.into();
        self
    }

    /// The weight of `Σ var² / 2`. The default is 0.
    pub fn l2(mut self, l2: impl Into<Hyperparameter<'g>>) -> Self {
        self.l2 = l2.into();
        self
    }
}

impl<'g> Optimizer<'g> for ProximalAdagrad<'g> {
    fn name(&self) -> &'static str {
        "ProximalAdagrad"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        check(
            updates,
            [
                ("the learning rate", self.rate, Limit::NotNegative),
                ("the first accumulator", self.initial.into(), Limit::Positive),
                ("l1", self.l1, Limit::NotNegative),
                ("l2", self.l2, Limit::NotNegative),
            ],
        );
        self.rate
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let g = cx.gradient();
        let accum = cx.slot(self.initial).assign_add(g.square());
        let rate = cx.rate().tensor() / accum.sqrt();
        let new = proximal(cx, rate, self.l1, self.l2);
        cx.variable().assign(new)
    }
}

/// The new value of a variable, by a rate for all of it or for each element.
fn proximal<'g, T: Float>(
    cx: &mut Update<'_, 'g, T>,
    rate: Tensor<'g, T>,
    l1: Hyperparameter<'g>,
    l2: Hyperparameter<'g>,
) -> Tensor<'g, T> {
    let l1 = cx.scalar("l1", l1);
    let l2 = cx.scalar("l2", l2);
    let one = cx.scalar("one", 1.0);
    let stepped = cx.variable() - cx.gradient() * rate;
    // sign(x) * max(|x| - t, 0) is what is left of x without its part in [-t, t].
    let threshold = rate * l1;
    let rest = stepped - stepped.clip_by_value(-threshold, threshold);
    rest / (rate * l2 + one)
}
