//! A line through noisy points: the smallest whole program. It describes a loss, lets an optimizer
//! derive the steps that make it smaller, and runs them.
//!
//! `cargo run --release --example linear_regression`

use abeyance::prelude::*;

fn main() -> Result<(), Error> {
    // Points around the line 2x - 1, off by up to a half.
    let xs: Vec<f32> = (0..100).map(|i| i as f32 / 25.0 - 2.0).collect();
    let noise = |i: usize| (i * 37 % 100) as f32 / 100.0 - 0.495;
    let points = xs.iter().enumerate();
    let ys: Vec<f32> = points.map(|(i, x)| 2.0 * x - 1.0 + noise(i)).collect();

    let g = Graph::named("linear_regression");
    let x = g.placeholder::<f32>("x", dims![_]);
    let y_ = g.placeholder::<f32>("y_", dims![_]);
    let w = g.variable("w", 0.0);
    let b = g.variable("b", 0.0);
    let loss = (x * w + b - y_).square().reduce_mean(..);
    let train_step = GradientDescent::new(0.1).minimize(loss);

    let session = Session::new(&g)?;
    let feeds = feeds![x => &xs, y_ => &ys];
    for step in 0..=60 {
        if step % 10 == 0 {
            let (loss, w, b) = session.run((loss, w.scalar(), b.scalar()), &feeds)?;
            println!("step {step:2}   loss {loss:.4}   w = {w:.4}   b = {b:.4}");
        }
        session.run(train_step, &feeds)?;
    }
    Ok(())
}
