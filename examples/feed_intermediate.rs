//! Any tensor can be fed, not placeholders alone. A small network learns exclusive or; then its
//! hidden layer is fed with values of our own: what happens if a neuron falls silent? What lies
//! before a fed tensor is not computed, so its inputs need not be fed.
//!
//! `cargo run --release --example feed_intermediate`

use abeyance::prelude::*;
use ndarray::{ArrayD, Axis, arr2};

fn main() -> Result<(), Error> {
    let g = Graph::named("exclusive_or");
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 1]);
    let hidden = dense(x, 3, |shape| random_normal(shape, 0.0, 1.0)).tanh();
    let logits = dense(hidden, 1, |shape| random_normal(shape, 0.0, 1.0));
    let y = logits.sigmoid();
    let loss = logits.sigmoid_cross_entropy(y_).reduce_mean(..);
    let train_step = Adam::new(0.05).minimize(loss);

    let session = Session::new(&g)?;
    let inputs = arr2(&[[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let labels = arr2(&[[0.0f32], [1.0], [1.0], [0.0]]);
    for _ in 0..500 {
        session.run(train_step, feeds![x => &inputs, y_ => &labels])?;
    }

    let (values, whole) = session.run((hidden, y), feeds![x => &inputs])?;
    println!("                       0^0    0^1    1^0    1^1");
    print("the whole network", &whole);
    for neuron in 0..3 {
        let mut silenced = values.clone();
        silenced.index_axis_mut(Axis(1), neuron).fill(0.0);
        // `hidden` is an intermediate result; `x` is not fed.
        let without = session.run(y, feeds![hidden => &silenced])?;
        print(&format!("without neuron {neuron}"), &without);
    }
    Ok(())
}

fn print(what: &str, outputs: &ArrayD<f32>) {
    let outputs: String = outputs.iter().map(|y| format!("  {y:.3}")).collect();
    println!("{what:20}{outputs}");
}
