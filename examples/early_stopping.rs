//! Keeping the best weights: a polynomial of degree 11 is fitted to 14 noisy points of a sine. The
//! longer it is trained, the closer it comes to the noise. Variables are read by name when the
//! error on other points is smallest, and set back in the end.
//!
//! `cargo run --release --example early_stopping`

use abeyance::prelude::*;
use abeyance::train::trainable_variables;
use ndarray::{Array1, Array2, ArrayD};

/// Chebyshev polynomials up to degree 11, which are cos(k acos(x)): [N, 12].
fn features(xs: &Array1<f32>) -> Array2<f32> {
    Array2::from_shape_fn((xs.len(), 12), |(n, k)| (k as f32 * xs[n].acos()).cos())
}

fn main() -> Result<(), Error> {
    let sine = |x: &f32| (3.0 * x).sin();
    let train_x = Array1::linspace(-1.0, 1.0, 14);
    let noise = Array1::from_shape_fn(14, |i| if i % 3 == 1 { 0.4 } else { -0.2 });
    let train_y = train_x.map(sine) + noise;
    let test_x = Array1::linspace(-0.98, 0.98, 50);
    let test_y = test_x.map(sine);

    let g = Graph::named("early_stopping");
    let x = g.placeholder::<f32>("x", dims![_, 12]);
    let y_ = g.placeholder::<f32>("y_", dims![_]);
    let y = Dense::new(1).name("polynomial").kernel(zeros).apply(x);
    let loss = (y.squeeze(&[-1]) - y_).square().reduce_mean(..);
    let train_step = GradientDescent::new(0.05).minimize(loss);
    let names: Vec<String> = trainable_variables(&g).iter().map(|v| v.name()).collect();

    let session = Session::new(&g)?;
    let (train_features, test_features) = (features(&train_x), features(&test_x));
    let train = feeds![x => &train_features, y_ => &train_y];
    let test = feeds![x => &test_features, y_ => &test_y];
    let mut best: (f32, usize, Vec<ArrayD<f32>>) = (f32::INFINITY, 0, Vec::new());
    for step in 0..=2000 {
        let error = session.run(loss, &test)?;
        if error < best.0 {
            let values = names.iter().map(|name| session.variable(name));
            best = (error, step, values.collect::<Result<_, _>>()?);
        }
        if [0, 10, 20, 50, 100, 200, 500, 1000, 2000].contains(&step) {
            println!(
                "step {step:4}   error on training points {:.4}, on others {error:.4}",
                session.run(loss, &train)?
            );
        }
        session.run(train_step, &train)?;
    }

    let (_, step, values) = best;
    for (name, value) in names.iter().zip(&values) {
        session.set_variable(name, value)?;
    }
    println!("back to step {step}: error on others {:.4}", session.run(loss, &test)?);
    Ok(())
}
