//! The networks of the examples, for tests.

#![allow(dead_code)] // each test file uses some

use abeyance::prelude::*;

pub struct Network<'g> {
    pub x: Tensor<'g, f32>,
    pub y_: Tensor<'g, f32>,
    pub keep: Option<Tensor<'g, f32>>,
    pub loss: Scalar<'g, f32>,
    pub accuracy: Scalar<'g, f32>,
    pub train_step: Operation<'g>,
}

/// One layer, softmax, gradient descent.
pub fn softmax(g: &Graph) -> Network<'_> {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let w = g.variable("w", zeros(dims![784, 10]));
    let b = g.variable("b", zeros(dims![10]));
    let y = (x.reshape(dims![_, 784]).matmul(w) + b).softmax();
    let loss = -(y_ * y.log()).reduce_sum(..);
    let accuracy = y
        .argmax(-1)
        .equal(y_.argmax(-1))
        .cast::<f32>()
        .reduce_mean(..);
    let train_step = GradientDescent::new(0.003).minimize(loss);
    Network {
        x,
        y_,
        keep: None,
        loss,
        accuracy,
        train_step,
    }
}

/// Five layers, relu, Adam with a decaying rate, dropout if asked for.
pub fn mlp(g: &Graph, dropout: bool) -> Network<'_> {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let keep = dropout.then(|| g.placeholder_with_default("keep", 1.0f32));
    let mut h = x.reshape(dims![_, 784]);
    let mut inputs = 784;
    for (index, width) in [200, 100, 60, 30].into_iter().enumerate() {
        let _layer = g.scope(&format!("layer{}", index + 1));
        let w = g.variable("w", truncated_normal(dims![inputs, width], 0.0, 0.1));
        let b = g.variable("b", fill(dims![width], 0.1));
        h = (h.matmul(w) + b).relu();
        if let Some(keep) = keep {
            h = h.dropout(keep);
        }
        inputs = width;
    }
    let w = g.variable("w", truncated_normal(dims![inputs, 10], 0.0, 0.1));
    let b = g.variable("b", zeros(dims![10]));
    let logits = h.matmul(w) + b;
    let loss = logits.softmax_cross_entropy(y_).reduce_mean(..) * 100.0;
    let accuracy = logits
        .argmax(-1)
        .equal(y_.argmax(-1))
        .cast::<f32>()
        .reduce_mean(..);
    let step = global_step(g);
    let rate = (step.cast::<f32>() / -2000.0).exp() * 0.003 + 0.0001;
    let train_step = Adam::new(rate).minimize_with(loss, step);
    Network {
        x,
        y_,
        keep,
        loss,
        accuracy,
        train_step,
    }
}
