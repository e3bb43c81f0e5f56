//! Steps to the best weights for all gradients so far.

use abeyance_graph::{Float, Tensor};

use crate::limits::{Limit, check};
use crate::{Hyperparameter, Optimizer, Update, Updates};

/// FTRL-Proximal, "follow the regularized leader": TensorFlow's `FtrlOptimizer`, after McMahan et
/// al., *Ad Click Prediction: a View from the Trenches* (2013). With `l1` above 0 weights that do
/// not help become exactly 0.
///
/// ```text
/// new       = accum + g²
/// linear   += g - (new^-power - accum^-power) / rate * var
/// quadratic = new^-power / rate + 2 * l2
/// var       = (clip(linear, -l1, l1) - linear) / quadratic
/// accum     = new
/// ```
///
/// The slots are `w/Ftrl`: accum, which starts at 0.1, and `w/Ftrl_1`: linear, at 0. A variable's
/// first value matters for nothing but the first gradient and the size of the first step: start at
/// zeros, as the paper does. TensorFlow writes the new value as
/// `(sign(linear) * l1 - linear) / quadratic` where `|linear| > l1`, else 0, which is the same.
/// Where quadratic is 0, since an accumulator that starts at 0 has seen no gradient and l2 is 0,
/// the new value is 0.
///
/// It is a mistake if the rate is a number that is not positive, the power is above 0, or the first
/// accumulator, l1 or l2 are negative. A step in which the rate is computed and is 0 or less
/// changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Ftrl<'g> {
    rate: Hyperparameter<'g>,
    power: f64,
    initial: f64,
    l1: Hyperparameter<'g>,
    l2: Hyperparameter<'g>,
}

impl<'g> Ftrl<'g> {
    /// Steps of `rate` times the gradient over the root of the sum of its squares, without
    /// regularization.
    pub fn new(rate: impl Into<Hyperparameter<'g>>) -> Self {
        Self { rate: rate.into(), power: -0.5, initial: 0.1, l1: 0.0.into(), l2: 0.0.into() }
    }

    /// The power of the sum of squares by which the rate is multiplied. The default is -0.5. 0
    /// keeps the rate as it is, and more is a mistake.
    pub fn learning_rate_power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// Sets the first value of the accumulator. The default is 0.1. It must not be negative; 0 is
    /// allowed.
    pub fn initial_accumulator(mut self, initial: f64) -> Self {
        self.initial = initial;
        self
    }

    /// The weight of `Σ|var|` in what is minimized. The default is 0. It must not be negative.
    pub fn l1(mut self, l1: impl Into<Hyperparameter<'g>>) -> Self {
        self.l1 = l1.into();
        self
    }

    /// The weight of `Σ var²` in what is minimized. The default is 0. It must not be negative.
    pub fn l2(mut self, l2: impl Into<Hyperparameter<'g>>) -> Self {
        self.l2 = l2.into();
        self
    }
}

impl<'g> Optimizer<'g> for Ftrl<'g> {
    fn name(&self) -> &'static str {
        "Ftrl"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        check(
            updates,
            [
                ("the learning rate", self.rate, Limit::Positive),
                ("the learning rate power", self.power.into(), Limit::NotPositive),
                ("the first accumulator", self.initial.into(), Limit::NotNegative),
                ("l1", self.l1, Limit::NotNegative),
                ("l2", self.l2, Limit::NotNegative),
            ],
        );
        self.rate
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let (variable, g) = (cx.variable(), cx.gradient());
        // A rate that is computed may be 0, as at the start of a warm-up: such a step changes
        // nothing.
        let (rate, rests) = match self.rate {
            Hyperparameter::Number(_) => (cx.rate().tensor(), None),
            Hyperparameter::Tensor(_) => {
                let rate = cx.rate();
                let rests = rate.less_equal(cx.scalar("zero", 0.0));
                (rests.select(cx.scalar("one", 1.0), rate), Some(rests))
            }
        };
        let unless_at_rest = |new: Tensor<'g, T>, old: Tensor<'g, T>| match rests {
            Some(rests) => rests.select(old, new),
            None => new,
        };
        let (accum, linear) = (cx.slot(self.initial), cx.slot(0.0));
        let new = match rests {
            Some(_) => accum.assign(unless_at_rest(accum + g.square(), accum)),
            None => accum.assign_add(g.square()),
        };
        let powers = match self.power {
            -0.5 => [new.sqrt(), accum.sqrt()],
            power => {
                let power = cx.scalar("minus_learning_rate_power", -power);
                [new.pow(power), accum.pow(power)]
            }
        };
        let pull = (powers[0] - powers[1]) / rate * variable;
        let linear = match rests {
            Some(_) => linear.assign(unless_at_rest(linear + (g - pull), linear)),
            None => linear.assign_add(g - pull),
        };
        let l1 = cx.scalar("l1", self.l1);
        let twice_l2 = match self.l2 {
            Hyperparameter::Number(l2) => cx.scalar("twice_l2", 2.0 * l2).tensor(),
            tensor => {
                let l2 = cx.scalar("l2", tensor);
                (l2 + l2).tensor()
            }
        };
        let quadratic = powers[0] / rate + twice_l2;
        let within = linear.clip_by_value(-l1, l1);
        // Nothing pulls a variable that has had no gradient yet, if the accumulator starts at 0.
        let best = cx.quotient_or_0(within - linear, quadratic);
        variable.assign(unless_at_rest(best, variable))
    }
}
