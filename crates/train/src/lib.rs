//! Training: optimizers by TensorFlow 1's update rules, learning-rate schedules, gradient clipping,
//! moving averages; [`losses`], which they make small; and [`metrics`], which say how good the
//! result is.
//!
//! Everything here appends ordinary nodes to the user's graph: what is printed and saved is what
//! trains. An optimizer's state is kept in variables of the graph that gradients leave alone
//! ([`Graph::state`]), named as TensorFlow names its slots: `w/Momentum`, `w/Adam`, `w/Adam_1`,
//! `beta1_power`.
//!
//! Numbers that belong to the training and not to a layer (rates, norms, thresholds) are `f64`, and
//! are converted to each variable's type where they meet it.
//!
//! This crate knows optimizers. It must not know how a graph is run.
//!
//! [`Graph::state`]: abeyance_graph::Graph::state

mod adadelta;
mod adagrad;
mod adam;
mod clip;
mod ftrl;
mod global_step;
mod gradient_descent;
mod gradients;
mod hyperparameter;
mod limits;
pub mod losses;
pub mod metrics;
mod momentum;
mod moving_average;
mod naming;
mod optimizer;
mod proximal;
mod rms_prop;
mod sampled;
mod schedule;
mod trainable;
mod update;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use clip::{clip_by_global_norm, clip_by_norm, clip_by_value, global_norm};
pub use ftrl::Ftrl;
pub use global_step::global_step;
pub use gradient_descent::GradientDescent;
pub use gradients::Gradients;
pub use hyperparameter::Hyperparameter;
pub use momentum::Momentum;
pub use moving_average::{Averages, ExponentialMovingAverage};
pub use optimizer::Optimizer;
pub use proximal::{ProximalAdagrad, ProximalGradientDescent};
pub use rms_prop::RmsProp;
pub use sampled::{Sampling, nce_loss, sampled_softmax_loss};
pub use schedule::{
    cosine_decay, cosine_decay_restarts, exponential_decay, inverse_time_decay, linear_warmup,
    natural_exp_decay, piecewise_constant, polynomial_decay,
};
pub use trainable::trainable_variables;
pub use update::{Update, Updates};
