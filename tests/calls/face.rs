//! Functions of the other crates: layers, gradients, optimizers, schedules, metrics.

use abeyance::prelude::*;
use abeyance::session::{Unconnected, gradients_from, gradients_of};
use abeyance::train::metrics::{accuracy, confusion_matrix, sparse_accuracy};
use abeyance::train::{
    Gradients, clip_by_norm, clip_by_value, cosine_decay_restarts, global_norm, inverse_time_decay,
    natural_exp_decay, nce_loss, polynomial_decay, sampled_softmax_loss,
};

use crate::operands::*;
use crate::{Row, calls, never_wrong};

fn optimizer<'g>() -> GradientDescent<'g> {
    GradientDescent::new(0.1)
}

fn gradients_here(g: &Graph) -> Gradients<'_> {
    let v = v(g);
    optimizer().compute_gradients_of(v.square().reduce_sum(..), [v])
}

fn step(g: &Graph) -> Tensor<'_, i64> {
    global_step(g).into()
}

pub fn rows() -> Vec<Row> {
    [layers(), training(), schedules()].into_iter().flatten().collect()
}

fn layers() -> Vec<Row> {
    calls! { g:
        "dense", dense(f(g), 4, he_normal), dense(g.constant(1.0f32).into(), 4, he_normal);
        "Dense::apply", Dense::new(4).apply(f(g)), Dense::new(4).name("hidden").apply(g.placeholder::<f32>("x", dims![2, _]));
        "conv2d", conv2d(images(g), 4, 2, ConvOptions::same(), he_normal), conv2d(f(g), 4, 2, ConvOptions::same(), he_normal);
        "conv2d#2", conv2d(images(g), 4, 2, ConvOptions::same(), he_normal), conv2d(images(g), 4, 9, ConvOptions::valid(), he_normal);
        "Conv2d::apply", Conv2d::new(4, 2).apply(images(g)), Conv2d::new(4, 2).apply(f(g));
        "batch_norm", batch_norm(f(g), true), batch_norm(four(g), true);
        "BatchNorm::apply", BatchNorm::new().apply(f(g), true), BatchNorm::new().momentum(7.0).apply(f(g), true);
        "dropout", dropout(f(g), 0.5, true), dropout(f(g), 1.5, true);
        "flatten", flatten(images(g)), flatten(Tensor::from(g.constant(1.0f32)));
    }
}

fn training() -> Vec<Row> {
    let mut rows = calls! { g:
        "gradients", { let v = v(g); gradients(v.square(), [v]) }, gradients(f(g).square(), [v(g)]);
        "gradients#2", { let v = v(g); gradients(v.square(), [v]) }, gradients(f(g).square(), [foreign(g)]);
        "gradients_or_zeros", gradients_or_zeros(f(g).square(), [v(g)]), gradients_or_zeros(f(g).square(), [foreign(g)]);
        "gradients_with_cotangents", { let v = v(g); gradients_with_cotangents([(v.square(), f(g))], [v]) }, { let v = v(g); gradients_with_cotangents([(v.square(), four(g))], [v]) };
        "jacobian", { let v = v(g); jacobian(v.square(), v) }, jacobian(f(g), v(g));
        "hessian", { let v = v(g); hessian(v.square(), v) }, hessian(f(g), v(g));
        "Candidates::expected_count", g.log_uniform_candidates(3, 9, true).expected_count::<f32, i64>(i(g)), g.log_uniform_candidates(3, 9, true).expected_count::<f32, i64>(op::<i64>(g));
        "gradients_from", { let v = v(g); gradients_from(&[(v.square().erase(), None)], &[v.erase()], Unconnected::Zeros) }, gradients_from(&[(f(g).erase(), None)], &[v(g).erase()], Unconnected::Mistake);
        "mean_squared_error", losses::mean_squared_error(f(g), f(g)), losses::mean_squared_error(four(g), f(g));
        "absolute_difference", losses::absolute_difference(f(g), f(g)), losses::absolute_difference(four(g), f(g));
        "huber", losses::huber(f(g), f(g), 1.0), losses::huber(four(g), f(g), 1.0);
        "huber#2", losses::huber(f(g), f(g), 1.0), losses::huber(f(g), f(g), -1.0);
        "log_loss", losses::log_loss(f(g), f(g), 1e-7), losses::log_loss(four(g), f(g), 1e-7);
        "hinge", losses::hinge(f(g), f(g)), losses::hinge(four(g), f(g));
        "cosine_distance", losses::cosine_distance(f(g), f(g), -1), losses::cosine_distance(f(g), f(g), 2);
        "softmax_cross_entropy", losses::softmax_cross_entropy(f(g), f(g)), losses::softmax_cross_entropy(four(g), f(g));
        "sparse_softmax_cross_entropy", losses::sparse_softmax_cross_entropy(i(g), f(g)), losses::sparse_softmax_cross_entropy(g.zeros::<i64>(dims![5]), f(g));
        "sigmoid_cross_entropy", losses::sigmoid_cross_entropy(f(g), f(g)), losses::sigmoid_cross_entropy(four(g), f(g));
        "mean_squared_error#2", losses::Weighted::by(2.0f32).mean_squared_error(f(g), f(g)), losses::Weighted::by(four(g)).mean_squared_error(f(g), f(g));
        "nce_loss", nce_loss(g.zeros(dims![9, 3]), g.zeros(dims![9]), g.zeros::<i64>(dims![2, 1]), f(g), 4), nce_loss(g.zeros(dims![9, 3]), four(g), g.zeros::<i64>(dims![2, 1]), f(g), 4);
        "sampled_softmax_loss", sampled_softmax_loss(g.zeros(dims![9, 3]), g.zeros(dims![9]), g.zeros::<i64>(dims![2, 1]), f(g), 4), sampled_softmax_loss(g.zeros(dims![9, 3]), g.zeros(dims![9]), i(g), f(g), 4);
        "gradients_of", { let v = v(g); gradients_of(v.square().erase(), &[v.erase()], Unconnected::Zeros) }, gradients_of(f(g).erase(), &[v(g).erase()], Unconnected::Mistake);
        "Optimizer::minimize", optimizer().minimize(loss(g)), optimizer().minimize(f(g));
        "Optimizer::minimize#2", Adam::new(0.1).minimize(loss(g)), Adam::new(0.1).minimize(f(g).reduce_sum(..));
        "Optimizer::minimize_counting", optimizer().minimize_counting(loss(g), step(g)), optimizer().minimize_counting(f(g), step(g));
        "Optimizer::compute_gradients", optimizer().compute_gradients(loss(g)), optimizer().compute_gradients(f(g));
        "Optimizer::compute_gradients_of", gradients_here(g), optimizer().compute_gradients_of(loss(g), [f(g)]);
        "Optimizer::apply_gradients", optimizer().apply_gradients(gradients_here(g)), GradientDescent::new(f(g)).apply_gradients(gradients_here(g));
        "Optimizer::apply_gradients_counting", optimizer().apply_gradients_counting(gradients_here(g), step(g)), GradientDescent::new(f(g)).apply_gradients_counting(gradients_here(g), step(g));
        "clip_by_value", clip_by_value(f(g), 0.0, 1.0), clip_by_value(f(g), four(g), 1.0);
        "clip_by_norm", clip_by_norm(f(g), 1.0), clip_by_norm(f(g), four(g));
        "clip_by_global_norm", clip_by_global_norm(gradients_here(g), 1.0), clip_by_global_norm(gradients_here(g), f(g));
        "accuracy", accuracy(f(g), f(g)), accuracy(f(g), four(g));
        "sparse_accuracy", sparse_accuracy(f(g), i(g)), sparse_accuracy(f(g), g.zeros::<i64>(dims![2, 1]));
        "confusion_matrix", confusion_matrix(i(g), i(g), 3), confusion_matrix(i(g), g.zeros::<i64>(dims![5]), 3);
        "ExponentialMovingAverage::apply", ExponentialMovingAverage::new(0.9).apply(g, [v(g)]), ExponentialMovingAverage::new(0.9).apply(g, [f(g)]);
        "ExponentialMovingAverage::apply_after", ExponentialMovingAverage::new(0.9).apply_after(optimizer().minimize(loss(g))), ExponentialMovingAverage::new(0.9).apply_after(g.no_op());
        "Averages::average", { let v = v(g); ExponentialMovingAverage::new(0.9).apply(g, [v]).average(v) }, ExponentialMovingAverage::new(0.9).apply(g, [v(g)]).average(f(g));
    };
    rows.extend(never_wrong! { g:
        "global_norm", global_norm(&gradients_here(g));
        "global_step", global_step(g);
        "Averages::swap", ExponentialMovingAverage::new(0.9).apply(g, [v(g)]).swap();
    });
    rows
}

fn schedules() -> Vec<Row> {
    calls! { g:
        "exponential_decay", exponential_decay(0.1, step(g), 10, 0.9, true), exponential_decay(0.1, step(g), 0, 0.9, true);
        "natural_exp_decay", natural_exp_decay(0.1, step(g), 10, 0.9, true), natural_exp_decay(0.1, i(g), 10, 0.9, true);
        "inverse_time_decay", inverse_time_decay(0.1, step(g), 10, 0.9, true), inverse_time_decay(0.1, step(g), -1, 0.9, true);
        "polynomial_decay", polynomial_decay(0.1, step(g), 10, 0.01, 1.0, true), polynomial_decay(0.1, step(g), 0, 0.01, 1.0, true);
        "cosine_decay", cosine_decay(0.1, step(g), 10, 0.0), cosine_decay(0.1, step(g), 0, 0.0);
        "cosine_decay_restarts", cosine_decay_restarts(0.1, step(g), 10, 2.0, 1.0, 0.0), cosine_decay_restarts(0.1, step(g), 10, 0.5, 1.0, 0.0);
        "piecewise_constant", piecewise_constant(step(g), &[10], &[0.1, 0.2]), piecewise_constant(step(g), &[10], &[0.1]);
        "linear_warmup", linear_warmup(0.1, step(g), 10), linear_warmup(0.1, step(g), 0);
    }
}
