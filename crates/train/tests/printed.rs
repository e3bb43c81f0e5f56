//! Small networks with their training steps, printed.

use abeyance_graph::{Graph, dims, zeros};
use abeyance_train::{
    Adadelta, Adam, ExponentialMovingAverage, Ftrl, GradientDescent, Momentum, Optimizer,
    clip_by_global_norm, exponential_decay, global_step,
};

/// The graph as text, which reads back as the same graph.
fn printed(g: &Graph) -> String {
    g.check().unwrap();
    let text = g.to_text();
    let read = Graph::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read.to_text(), text);
    text
}

#[test]
fn a_classifier_with_gradient_descent() {
    let g = Graph::named("classifier");
    let x = g.placeholder::<f32>("x", dims![_, 784]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let w = g.variable("w", zeros(dims![784, 10]));
    let b = g.variable("b", zeros(dims![10]));
    let loss = (x.matmul(w) + b).softmax_cross_entropy(y_).reduce_mean(..);
    GradientDescent::new(0.003).minimize(loss);
    insta::assert_snapshot!(printed(&g));
}

#[test]
fn a_line_with_adam() {
    let g = Graph::named("line");
    let x = g.placeholder::<f32>("x", dims![_]);
    let y_ = g.placeholder::<f32>("y_", dims![_]);
    let w = g.variable("w", 0.0);
    let b = g.variable("b", 0.0);
    let loss = (x * w + b - y_).square().reduce_mean(..);
    Adam::new(0.003).minimize(loss);
    insta::assert_snapshot!(printed(&g));
}

#[test]
fn a_scoped_line_with_schedule_clipping_and_momentum() {
    let g = Graph::named("line");
    let x = g.placeholder::<f32>("x", dims![_]);
    let y_ = g.placeholder::<f32>("y_", dims![_]);
    let loss = {
        let _scope = g.scope("layer1");
        let w = g.variable("w", 0.0);
        let b = g.variable("b", 0.0);
        (x * w + b - y_).square().reduce_mean(..)
    };
    let _scope = g.scope("train");
    let step = global_step(&g);
    let rate = exponential_decay(0.1, step, 1000, 0.96, true);
    let optimizer = Momentum::new(rate, 0.9);
    let gradients = optimizer.compute_gradients(loss);
    optimizer.apply_gradients_counting(clip_by_global_norm(gradients, 5.0), step);
    insta::assert_snapshot!(printed(&g));
}

#[test]
fn a_weight_with_adadelta() {
    let g = Graph::named("weight");
    let w = g.variable("w", 1.0);
    Adadelta::new(0.5).minimize(w.square());
    insta::assert_snapshot!(printed(&g));
}

#[test]
fn a_weight_with_ftrl() {
    let g = Graph::named("weight");
    let w = g.variable("w", 1.0);
    Ftrl::new(0.5).l1(0.1).minimize(w.square());
    insta::assert_snapshot!(printed(&g));
}

#[test]
fn scoped_weights_and_their_moving_averages() {
    let g = Graph::named("weights");
    let _model = g.scope("model");
    let layer = g.scope("layer1");
    let w = g.variable::<f32>("w", zeros(dims![3]));
    drop(layer);
    let b = g.variable("b", 1.0f64);
    let loss = w.reduce_sum(..).cast::<f64>() * b;
    let step = global_step(&g);
    let train_step = GradientDescent::new(0.5).minimize_counting(loss, step);
    let averages = ExponentialMovingAverage::new(0.99).num_updates(step).apply_after(train_step);
    averages.swap();
    insta::assert_snapshot!(printed(&g));
}
