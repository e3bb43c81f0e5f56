//! Learning rates that change with the step: TensorFlow's `tf.train` decays, as nodes of the graph.
//!
//! Rates are computed in f64 from a step in i64, so none loses count; optimizers convert them to
//! the type of each variable. Periods of less than a step, and numbers by which a rate would become
//! infinite or NaN at some step, are mistakes. A formula that is not here is written with
//! operators: `(step.cast::<f32>() / -2000.0).exp() * 0.003 + 0.0001`.

use abeyance_graph::ops::source::Invalid;
use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{Graph, Scalar, Tensor};
use abeyance_ir::Diagnostic;

use crate::Hyperparameter;
use crate::hyperparameter::number;
use crate::naming::name;
use crate::trainable::here;

/// `initial * decay_rate ^ (step / decay_steps)`; with `staircase` the quotient is rounded down, so
/// that the rate changes every `decay_steps`. TensorFlow's `exponential_decay`.
///
/// ```
/// use abeyance_graph::Graph;
/// use abeyance_session::{feeds, Session};
/// use abeyance_train::{exponential_decay, global_step};
/// let g = Graph::new();
/// let step = global_step(&g);
/// let rate = exponential_decay(0.5, step, 100, 0.25, false);
/// let session = Session::new(&g)?;
/// assert_eq!(session.run(rate, feeds![step => 50])?, 0.25);
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[track_caller]
pub fn exponential_decay<'g>(
    initial: f64,
    step: impl Into<Tensor<'g, i64>>,
    decay_steps: i64,
    decay_rate: f64,
    staircase: bool,
) -> Scalar<'g, f64> {
    schedule("exponential_decay", step.into(), |cx| {
        if let Some(wrong) = cx.negative("decay_rate", decay_rate) {
            return wrong;
        }
        let periods = cx.periods(decay_steps, staircase);
        cx.number("initial", initial) * cx.number("decay_rate", decay_rate).pow(periods)
    })
}

/// `initial * e ^ (-decay_rate * step / decay_steps)`; with `staircase` the quotient is rounded
/// down. TensorFlow's `natural_exp_decay`.
#[track_caller]
pub fn natural_exp_decay<'g>(
    initial: f64,
    step: impl Into<Tensor<'g, i64>>,
    decay_steps: i64,
    decay_rate: f64,
    staircase: bool,
) -> Scalar<'g, f64> {
    schedule("natural_exp_decay", step.into(), |cx| {
        let periods = cx.periods(decay_steps, staircase);
        let exponent = -cx.number("decay_rate", decay_rate) * periods;
        cx.number("initial", initial) * exponent.exp()
    })
}

/// `initial / (1 + decay_rate * step / decay_steps)`; with `staircase` the quotient is rounded
/// down. TensorFlow's `inverse_time_decay`.
#[track_caller]
pub fn inverse_time_decay<'g>(
    initial: f64,
    step: impl Into<Tensor<'g, i64>>,
    decay_steps: i64,
    decay_rate: f64,
    staircase: bool,
) -> Scalar<'g, f64> {
    schedule("inverse_time_decay", step.into(), |cx| {
        if let Some(wrong) = cx.negative("decay_rate", decay_rate) {
            return wrong;
        }
        let periods = cx.periods(decay_steps, staircase);
        let divisor = cx.number("decay_rate", decay_rate) * periods + cx.number("one", 1.0);
        cx.number("initial", initial) / divisor
    })
}

/// `(initial - end) * (1 - step / decay_steps) ^ power + end`, and `end` from `decay_steps` on;
/// with `cycle` the rate goes up again there, and `decay_steps` is its first multiple that is not
/// below the step. TensorFlow's `polynomial_decay`.
#[track_caller]
pub fn polynomial_decay<'g>(
    initial: f64,
    step: impl Into<Tensor<'g, i64>>,
    decay_steps: i64,
    end: f64,
    power: f64,
    cycle: bool,
) -> Scalar<'g, f64> {
    schedule("polynomial_decay", step.into(), |cx| {
        if let Some(wrong) = cx.negative("power", power) {
            return wrong;
        }
        let Some(steps) = cx.decay_steps(decay_steps) else {
            return cx.invalid();
        };
        let (step, steps) = if cycle {
            // Rounded up, and at least one cycle.
            let cycles = (cx.step + (decay_steps - 1)) / steps;
            (cx.step, steps * cycles.maximum(1))
        } else {
            (cx.step.minimum(steps), steps)
        };
        let left = cx.number("one", 1.0) - step.cast::<f64>() / steps.cast::<f64>();
        let left = match power {
            1.0 => left,
            _ => left.pow(cx.number("power", power)),
        };
        cx.number("span", initial - end) * left + cx.number("end", end)
    })
}

/// Half a wave of a cosine, from `initial` down to `alpha * initial` at `decay_steps`, where it
/// stays: TensorFlow's `cosine_decay`, after Loshchilov and Hutter, *SGDR: Stochastic Gradient
/// Descent with Warm Restarts* (2016).
///
/// ```text
/// cosine = (1 + cos(π * min(step, decay_steps) / decay_steps)) / 2
/// rate   = initial * ((1 - alpha) * cosine + alpha)
/// ```
#[track_caller]
pub fn cosine_decay<'g>(
    initial: f64,
    step: impl Into<Tensor<'g, i64>>,
    decay_steps: i64,
    alpha: f64,
) -> Scalar<'g, f64> {
    schedule("cosine_decay", step.into(), |cx| {
        let Some(steps) = cx.decay_steps(decay_steps) else {
            return cx.invalid();
        };
        let part = cx.step.minimum(steps).cast::<f64>() / steps.cast::<f64>();
        let cosine = cx.half_wave(part);
        cx.number("span", initial * (1.0 - alpha)) * cosine + cx.number("end", initial * alpha)
    })
}

/// [`cosine_decay`] that starts again whenever it has ended. Each period is `t_mul` times as long
/// as the last, of which the first has `first_decay_steps`, and starts at `m_mul` times its rate:
/// TensorFlow's `cosine_decay_restarts`, whose defaults are a `t_mul` of 2, an `m_mul` of 1 and an
/// `alpha` of 0.
///
/// ```text
/// f      = step / first_decay_steps
/// i      = floor(log(1 + f * (t_mul - 1)) / log(t_mul)), floor(f) for a t_mul of 1     the period
/// part   = (f - (t_mul^i - 1) / (t_mul - 1)) / t_mul^i, f - i for a t_mul of 1         how much of it is over
/// cosine = m_mul^i * (1 + cos(π * part)) / 2
/// rate   = initial * ((1 - alpha) * cosine + alpha)
/// ```
///
/// At a restart the quotient of logarithms is an integer that may come out a hair too small, so
/// 1e-9 is added to it.
///
/// It is a mistake if `t_mul` is below 1: periods that shrink come to an end.
#[track_caller]
pub fn cosine_decay_restarts<'g>(
    initial: f64,
    step: impl Into<Tensor<'g, i64>>,
    first_decay_steps: i64,
    t_mul: f64,
    m_mul: f64,
    alpha: f64,
) -> Scalar<'g, f64> {
    schedule("cosine_decay_restarts", step.into(), |cx| {
        // Also if it is NaN.
        if !(1.0..f64::INFINITY).contains(&t_mul) {
            return cx.reject(
                format!("periods of a rate cannot grow by a factor of {t_mul}"),
                "`t_mul` has to be at least 1",
            );
        }
        let Some(steps) = cx.decay_steps(first_decay_steps) else {
            return cx.invalid();
        };
        let (period, part) = if t_mul == 1.0 {
            // In integers, so that the remainder is exact however many steps there were.
            let period = cx.step / steps;
            let rest = cx.step - period * steps;
            (period.cast(), rest.cast::<f64>() / steps.cast::<f64>())
        } else {
            let passed = cx.step.cast::<f64>() / steps.cast::<f64>();
            let (t, growth) = (cx.number("t_mul", t_mul), cx.number("growth", t_mul - 1.0));
            let periods = (passed * growth).log1p() / t.log();
            let period = (periods + cx.number("slack", 1e-9)).floor();
            let length = t.pow(period);
            let before = (length - cx.number("one", 1.0)) / growth;
            (period, (passed - before) / length)
        };
        let start = match m_mul {
            1.0 => cx.number("span", initial * (1.0 - alpha)),
            _ => cx.number("m_mul", m_mul).pow(period) * cx.number("span", initial * (1.0 - alpha)),
        };
        start * cx.half_wave(part) + cx.number("end", initial * alpha)
    })
}

/// `values[0]` up to and with step `boundaries[0]`, then `values[1]` up to and with
/// `boundaries[1]`, and so on; the last value beyond the last boundary. TensorFlow's
/// `piecewise_constant`.
///
/// It is a mistake if there is not one value more than boundaries, or boundaries do not increase.
///
/// ```
/// # use abeyance_graph::Graph;
/// # use abeyance_train::{global_step, piecewise_constant};
/// # let g = Graph::new();
/// # let step = global_step(&g);
/// let rate = piecewise_constant(step, &[1000, 2000], &[0.1, 0.05, 0.001]);
/// # let _ = rate;
/// # g.check().unwrap();
/// ```
#[track_caller]
pub fn piecewise_constant<'g>(
    step: impl Into<Tensor<'g, i64>>,
    boundaries: &[i64],
    values: &[f64],
) -> Scalar<'g, f64> {
    schedule("piecewise_constant", step.into(), |cx| {
        if values.len() != boundaries.len() + 1 {
            return cx.reject(
                format!(
                    "{} boundaries make {} pieces, and there are {} values",
                    boundaries.len(),
                    boundaries.len() + 1,
                    values.len()
                ),
                "give one value more than boundaries",
            );
        }
        if !boundaries.is_sorted_by(|a, b| a < b) {
            return cx.reject(
                format!("the boundaries {boundaries:?} do not increase"),
                "put them in order, each once",
            );
        }
        let values: Vec<_> = values.iter().map(|&value| cx.number("value", value)).collect();
        let mut pieces = values.into_iter().rev();
        let Some(last) = pieces.next() else {
            return cx.invalid();
        };
        pieces.zip(boundaries.iter().rev()).fold(last, |later, (value, &boundary)| {
            cx.step.less_equal(boundary).select(value, later)
        })
    })
}

/// `rate * step / warmup_steps` before step `warmup_steps`, and `rate` from there on: a rate, a
/// number or another schedule, that grows from 0, for networks that diverge at once otherwise.
/// TensorFlow has no function for it; this is what the schedules of its official models do (BERT's,
/// ResNet's). Goyal et al., *Accurate, Large Minibatch SGD* (2017).
///
/// ```
/// # use abeyance_graph::Graph;
/// # use abeyance_train::{exponential_decay, global_step, linear_warmup};
/// # let g = Graph::new();
/// let step = global_step(&g);
/// let decaying = exponential_decay(0.1, step, 1000, 0.96, false);
/// let rate = linear_warmup(decaying, step, 500);
/// # let _ = rate;
/// # g.check().unwrap();
/// ```
#[track_caller]
pub fn linear_warmup<'g>(
    rate: impl Into<Hyperparameter<'g>>,
    step: impl Into<Tensor<'g, i64>>,
    warmup_steps: i64,
) -> Scalar<'g, f64> {
    schedule("linear_warmup", step.into(), |cx| {
        if warmup_steps < 1 {
            return cx.reject(
                format!("the rate cannot grow over {warmup_steps} steps"),
                "`warmup_steps` has to be at least 1",
            );
        }
        let rate = number(cx.graph, "rate", rate.into());
        let steps = cx.graph.constant(warmup_steps);
        name(steps.erase(), "warmup_steps");
        let grown = cx.step.cast::<f64>() / steps.cast::<f64>();
        rate * grown.minimum(cx.number("one", 1.0))
    })
}

/// A schedule under construction.
struct Schedule<'g> {
    graph: &'g Graph,
    step: Tensor<'g, i64>,
}

#[track_caller]
fn schedule<'g>(
    name: &'static str,
    step: Tensor<'g, i64>,
    build: impl FnOnce(&Schedule<'g>) -> Tensor<'g, f64>,
) -> Scalar<'g, f64> {
    let graph = step.graph();
    let _call = graph.call(name);
    let step = step.scalar().into();
    graph.within(name, || build(&Schedule { graph, step })).into()
}

impl<'g> Schedule<'g> {
    /// A number of the formula, by its name there.
    #[track_caller]
    fn number(&self, base: &str, value: f64) -> Tensor<'g, f64> {
        let number = self.graph.constant(value);
        name(number.erase(), base);
        number.into()
    }

    /// `(1 + cos(π * part)) / 2`: from 1 to 0.
    #[track_caller]
    fn half_wave(&self, part: Tensor<'g, f64>) -> Tensor<'g, f64> {
        let wave = (part * self.number("pi", std::f64::consts::PI)).cos();
        (wave + self.number("one", 1.0)) * self.number("half", 0.5)
    }

    /// How long a period is.
    #[track_caller]
    fn decay_steps(&self, decay_steps: i64) -> Option<Tensor<'g, i64>> {
        if decay_steps < 1 {
            self.reject(
                format!("the rate cannot decay over {decay_steps} steps"),
                "`decay_steps` has to be at least 1",
            );
            return None;
        }
        let steps = self.graph.constant(decay_steps);
        name(steps.erase(), "decay_steps");
        Some(steps.into())
    }

    /// `step / decay_steps`
    #[track_caller]
    fn periods(&self, decay_steps: i64, staircase: bool) -> Tensor<'g, f64> {
        match self.decay_steps(decay_steps) {
            None => self.invalid(),
            // Steps count up from 0, for which to truncate is to round down.
            Some(steps) if staircase => (self.step / steps).cast(),
            Some(steps) => self.step.cast::<f64>() / steps.cast::<f64>(),
        }
    }

    /// Tells the graph of a number that must not be negative, infinite or NaN.
    #[track_caller]
    fn negative(&self, base: &str, value: f64) -> Option<Tensor<'g, f64>> {
        let allowed = (0.0..f64::INFINITY).contains(&value);
        (!allowed).then(|| {
            self.reject(
                format!("a rate with a `{base}` of {value} does not stay finite"),
                "it has to be 0 or more, and finite",
            )
        })
    }

    #[track_caller]
    fn reject(&self, message: String, help: &str) -> Tensor<'g, f64> {
        let diagnostic = Diagnostic::new(message, here(self.graph)).help(help);
        self.graph.any(self.graph.reject(diagnostic)).assume()
    }

    /// Stands in where the mistake has been told.
    #[track_caller]
    fn invalid(&self) -> Tensor<'g, f64> {
        let id = self.graph.apply(&Invalid, &[], ()).id();
        self.graph.any(id).assume()
    }
}
