//! An operator of one's own, used in training: swish, x / (1 + exp(-β x)) (Ramachandran, Zoph, Le:
//! *Searching for activation functions*, 2017), with β a number in the graph.
//!
//! `cargo run --release --example user_defined_operator`

use abeyance::graph::{Elementwise, Expr, Real};
use abeyance::prelude::*;

abeyance::ir::attributes! {
    /// x / (1 + exp(-beta x)).
    struct Swish {
        /// Steepness of the step at 0.
        beta: f64,
    }
}

impl Elementwise for Swish {
    const NAME: &'static str = "swish";
    const SUMMARY: &'static str = "x times sigmoid(beta x)";

    fn value<T: Real>(&self, x: T) -> T {
        x * (T::from_f64(self.beta) * x).sigmoid()
    }

    fn derivative<'e>(&self, x: Expr<'e>, y: Expr<'e>) -> Expr<'e> {
        let s = (self.beta * x).sigmoid();
        s + self.beta * y * (1.0 - s)
    }
}

fn main() -> Result<(), Error> {
    // A small network learns the sine.
    let g = Graph::named("swish");
    let x = g.placeholder::<f32>("x", dims![_, 1]);
    let hidden = Dense::new(16).bias(|shape| random_normal(shape, 0.0, 1.0)).apply(x);
    let y = dense(hidden.elementwise(Swish { beta: 1.5 }), 1, glorot_uniform);
    let loss = (y - x.sin()).square().reduce_mean(..).named("loss");
    let train_step = Adam::new(0.02).minimize(loss);

    let session = Session::new(&g)?;
    let xs = ndarray::Array::linspace(-3.0f32, 3.0, 100).into_shape_with_order((100, 1))?;
    for step in 0..=1000 {
        if step % 200 == 0 {
            println!("{step:5}: mean squared error {:.6}", session.run(loss, feeds![x => &xs])?);
        }
        session.run(train_step, feeds![x => &xs])?;
    }

    // The printed graph names the operator; who reads it back has to know it.
    let mut operators = abeyance::ir::Registry::default();
    operators.register(Swish::operator());
    let again = Graph::parse_with_operators(&g.to_text(), &operators)?;
    println!("read back: {} nodes", again.ir().len());
    Ok(())
}
