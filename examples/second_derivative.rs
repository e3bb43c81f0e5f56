//! Derivatives of derivatives: gradients are nodes like any other, so they have gradients too. Here
//! they make Newton's method, which goes down Rosenbrock's banana-shaped valley in six steps.
//! Gradient descent takes many thousand.
//!
//! `cargo run --release --example second_derivative`

use abeyance::prelude::*;

fn main() -> Result<(), Error> {
    let g = Graph::named("rosenbrock");
    let x = g.variable("x", -1.2);
    let y = g.variable("y", 1.0);
    let f = (y - x.square()).square() * 100.0 + (-x + 1.0).square();

    // The slopes, and the slopes of the slopes.
    let [fx, fy] = gradients(f, [x, y]);
    let [fxx, fxy] = gradients(fx, [x, y]);
    let [fyy] = gradients(fy, [y]);

    // Newton's step goes to where the slopes would be 0 if the function were a parabola: the
    // inverse of the matrix of second derivatives times the slopes. Both variables are read as they
    // were before the step.
    let determinant = fxx * fyy - fxy.square();
    let newton = g.group([
        x.assign_sub((fyy * fx - fxy * fy) / determinant),
        y.assign_sub((fxx * fy - fxy * fx) / determinant),
    ]);
    let descend = GradientDescent::new(0.001).minimize(f);
    let place = (f.scalar(), x.scalar(), y.scalar());

    println!("Newton's method");
    let session = Session::new(&g)?;
    for step in 0..=6 {
        let (f, x, y) = session.run(place, [])?;
        println!("step {step:6}   f({x:+.6}, {y:+.6}) = {f:.3e}");
        session.run(newton, [])?;
    }

    println!("gradient descent");
    let session = Session::new(&g)?;
    for step in 0..=20_000 {
        if step % 5_000 == 0 {
            let (f, x, y) = session.run(place, [])?;
            println!("step {step:6}   f({x:+.6}, {y:+.6}) = {f:.3e}");
        }
        session.run(descend, [])?;
    }
    Ok(())
}
