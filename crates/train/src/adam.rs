//! Steps of the mean gradient over its recent size.

use abeyance_graph::{Float, Tensor};
use abeyance_ir::DType;

use crate::limits::{Limit, check};
use crate::{Hyperparameter, Optimizer, Update, Updates};

/// Adam: TensorFlow's `AdamOptimizer`, after Kingma and Ba, *Adam: A Method for Stochastic
/// Optimization* (2014).
///
/// ```text
/// rate_t = rate * √(1 - beta2^t) / (1 - beta1^t)
/// m     += (g - m) * (1 - beta1)
/// v     += (g² - v) * (1 - beta2)
/// var   -= rate_t * m / (√v + epsilon)
/// ```
///
/// Epsilon, 1e-8, is outside the root and is not corrected for the start: the "epsilon hat" of the
/// paper's section 2. The slots are `w/Adam`: m, and `w/Adam_1`: v; both start at 0. The powers of
/// beta are variables, `beta1_power` and `beta2_power`, that start at beta itself and are
/// multiplied by it at the end of each step, so t is 1 in the first.
///
/// It is a mistake if the rate is a number that is not finite, a beta is not in [0, 1), also once
/// it is rounded to f32 for variables of that type, or epsilon is negative. With an epsilon of 0
/// what is divided by 0 is a step of 0, not TensorFlow's NaN.
#[derive(Clone, Copy, Debug)]
pub struct Adam<'g> {
    rate: Hyperparameter<'g>,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
}

impl<'g> Adam<'g> {
    /// Steps of about `rate`, usually 0.001, with the paper's decays of 0.9 and 0.999.
    pub fn new(rate: impl Into<Hyperparameter<'g>>) -> Self {
        Self { rate: rate.into(), beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }

    /// How much of the mean gradient stays from step to step. The default is 0.9.
    pub fn beta1(mut self, beta1: f64) -> Self {
        self.beta1 = beta1;
        self
    }

    /// How much of the mean squared gradient stays from step to step. The default is 0.999.
    pub fn beta2(mut self, beta2: f64) -> Self {
        self.beta2 = beta2;
        self
    }

    /// Sets the number that keeps the divisor from 0. The default is 1e-8.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Tells the graph of settings by which the rule would not stay finite.
    fn check(&self, updates: &Updates<'g>) {
        check(
            updates,
            [
                ("the learning rate", self.rate, Limit::Finite),
                ("beta1", self.beta1.into(), Limit::BelowOne),
                ("beta2", self.beta2.into(), Limit::BelowOne),
                ("epsilon", self.epsilon.into(), Limit::NotNegative),
            ],
        );
    }

    /// The rate corrected for means that start at 0.
    fn corrected_rate<T: Float>(&self, updates: &mut Updates<'g>) -> Tensor<'g, T> {
        let rate = updates.scalar::<T>("learning_rate", self.rate);
        let one = updates.scalar::<T>("one", 1.0.into());
        let beta1 = updates.scalar::<T>("beta1", self.beta1.into());
        let beta2 = updates.scalar::<T>("beta2", self.beta2.into());
        let power1 = updates.state::<T>("beta1_power", self.beta1);
        let power2 = updates.state::<T>("beta2_power", self.beta2);
        let corrected =
            updates.named("corrected_rate", || rate * (one - power2).sqrt() / (one - power1));
        updates.assign(power1, |power| power * beta1);
        updates.assign(power2, |power| power * beta2);
        corrected
    }

    /// The change that is subtracted from a variable.
    fn change<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let g = cx.gradient();
        let rest1 = cx.one_minus("one_minus_beta1", self.beta1);
        let rest2 = cx.one_minus("one_minus_beta2", self.beta2);
        let epsilon = cx.scalar("epsilon", self.epsilon);
        let (m, v) = (cx.slot(0.0), cx.slot(0.0));
        let m = m.assign_add((g - m) * rest1);
        let v = v.assign_add((g.square() - v) * rest2);
        let (step, root) = (m * cx.rate(), v.sqrt());
        if T::from_f64(self.epsilon) == T::from_f64(0.0) {
            cx.quotient_or_0(step, root)
        } else {
            step / (root + epsilon)
        }
    }
}

impl<'g> Optimizer<'g> for Adam<'g> {
    fn name(&self) -> &'static str {
        "Adam"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        self.check(updates);
        match updates.dtype() {
            DType::F64 => self.corrected_rate::<f64>(updates).into(),
            _ => self.corrected_rate::<f32>(updates).into(),
        }
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let change = self.change(cx);
        cx.variable().assign_sub(change)
    }
}

/// Adam with decoupled weight decay: TensorFlow's `tf.contrib.opt.AdamWOptimizer`, after Loshchilov
/// and Hutter, *Decoupled Weight Decay Regularization* (2017).
///
/// ```text
/// var -= decay * var
/// var -= rate_t * m / (√v + epsilon)        (see Adam)
/// ```
///
/// All variables decay, biases too; use [`compute_gradients_of`](Optimizer::compute_gradients_of)
/// and two optimizers to spare some. The decay is not multiplied by the rate, as in the paper and
/// in TensorFlow (PyTorch multiplies): where the rate follows a schedule, give the decay one as
/// well. The gradient is that at the variable before it decays. Epsilon and first values are those
/// of [`Adam`]; the slots are called `w/AdamW` and `w/AdamW_1`.
///
/// It is a mistake if the decay is a number that is not in [0, 1], or a setting is none of
/// [`Adam`].
#[derive(Clone, Copy, Debug)]
pub struct AdamW<'g> {
    adam: Adam<'g>,
    decay: Hyperparameter<'g>,
}

impl<'g> AdamW<'g> {
    /// Steps of about `rate`, and each variable loses its `decay`-th part in each.
    pub fn new(rate: impl Into<Hyperparameter<'g>>, decay: impl Into<Hyperparameter<'g>>) -> Self {
        Self { adam: Adam::new(rate), decay: decay.into() }
    }

    /// How much of the mean gradient stays from step to step. The default is 0.9.
    pub fn beta1(mut self, beta1: f64) -> Self {
        self.adam.beta1 = beta1;
        self
    }

    /// How much of the mean squared gradient stays from step to step. The default is 0.999.
    pub fn beta2(mut self, beta2: f64) -> Self {
        self.adam.beta2 = beta2;
        self
    }

    /// Sets the number that keeps the divisor from 0. The default is 1e-8.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.adam.epsilon = epsilon;
        self
    }
}

impl<'g> Optimizer<'g> for AdamW<'g> {
    fn name(&self) -> &'static str {
        "AdamW"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        check(updates, [("the weight decay", self.decay, Limit::Fraction)]);
        self.adam.rate(updates)
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let variable = cx.variable();
        let decay = cx.scalar("weight_decay", self.decay);
        let change = self.adam.change(cx);
        variable.assign(variable - variable * decay - change)
    }
}
