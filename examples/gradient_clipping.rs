//! Gradients can be changed between `compute_gradients` and `apply_gradients`. A chain of 30 equal
//! factors, as in a recurrent network, has a gradient of astronomic size at first, and a plain step
//! along it ends in infinity. Scaled to a length of at most 1 the same steps arrive.
//!
//! `cargo run --release --example gradient_clipping`

use abeyance::prelude::*;
use abeyance::train::global_norm;

const FACTORS: usize = 30;

/// Trains `w` so that `w^30` becomes 1/2, and gives the weight and the gradient's length before
/// each step.
fn train(clip: bool) -> Result<Vec<(f32, f64)>, Error> {
    let g = Graph::named("chain");
    let w = g.variable("w", 1.4f32);
    let mut h = g.constant(1.0f32).tensor();
    for _ in 0..FACTORS {
        h = h * w;
    }
    let loss = (h - 0.5).square();

    let optimizer = GradientDescent::new(0.002);
    let mut gradients = optimizer.compute_gradients(loss);
    let length = global_norm(&gradients);
    if clip {
        gradients = clip_by_global_norm(gradients, 1.0);
    }
    let train_step = optimizer.apply_gradients(gradients);

    let session = Session::new(&g)?;
    let steps = (0..=300).map(|_| {
        let (w, length, ()) = session.run((w.scalar(), length, train_step), [])?;
        Ok((w, length))
    });
    steps.collect()
}

fn main() -> Result<(), Error> {
    let (plain, clipped) = (train(false)?, train(true)?);
    println!("          not clipped                  clipped to 1");
    println!("step      weight    gradient           weight    gradient");
    for step in [0, 1, 2, 50, 100, 150, 200, 250, 300] {
        let ((w, length), (clipped_w, clipped_length)) = (plain[step], clipped[step]);
        println!("{step:4}  {w:10.3e}  {length:10.3e}  {clipped_w:15.5}  {clipped_length:10.3e}");
    }
    let (last, _) = clipped[300];
    println!(
        "wanted: 0.5^(1/{FACTORS}) = {:.5}, found: {last:.5}",
        0.5f32.powf(1.0 / FACTORS as f32)
    );
    Ok(())
}
