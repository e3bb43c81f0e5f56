//! A network whose matrix products are large.

use abeyance::prelude::*;

use crate::networks::Network;

/// 784-2048-2048-10, relu, gradient descent.
pub fn network(g: &Graph) -> Network<'_> {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);

    let w1 = g.variable("w1", he_normal(dims![784, 2048]));
    let b1 = g.variable("b1", zeros(dims![2048]));
    let w2 = g.variable("w2", he_normal(dims![2048, 2048]));
    let b2 = g.variable("b2", zeros(dims![2048]));
    let w3 = g.variable("w3", he_normal(dims![2048, 10]));
    let b3 = g.variable("b3", zeros(dims![10]));

    let h1 = (x.reshape(dims![_, 784]).matmul(w1) + b1).relu();
    let h2 = (h1.matmul(w2) + b2).relu();
    let logits = h2.matmul(w3) + b3;
    let loss = logits.softmax_cross_entropy(y_).reduce_mean(..) * 100.0;
    let accuracy = logits.argmax(-1).equal(y_.argmax(-1)).cast::<f32>().reduce_mean(..);
    let train_step = GradientDescent::new(0.0005).minimize(loss);
    Network { x, y_, keep: None, loss, accuracy, train_step }
}
