//! The simplest network that reads handwritten digits: ten weighted sums of all pixels, and a softmax. About 92 % of
//! the test digits after two thousand steps.
//!
//! `cargo run --release --example mnist_softmax`, with `-- --plot FOLDER` for a picture of its curves

use abeyance::prelude::*;
use clap::Parser;

mod plot;
mod progress;
use plot::Plot;
use progress::Progress;

const STEPS: usize = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut plot = Plot::parse();
    let mnist = Mnist::load()?;

    // The program: nothing is computed here.
    let g = Graph::named("mnist_softmax");
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let w = g.variable("w", zeros(dims![784, 10]));
    let b = g.variable("b", zeros(dims![10]));

    let y = (x.reshape(dims![_, 784]).matmul(w) + b).softmax();
    let cross_entropy = -(y_ * y.log()).reduce_sum(..);
    let accuracy = y
        .argmax(-1)
        .equal(y_.argmax(-1))
        .cast::<f32>()
        .reduce_mean(..);
    let train_step = GradientDescent::new(0.003).minimize(cross_entropy);

    // Here it is: checked as a whole, differentiated already, ready to run.
    let session = Session::new(&g)?;
    let progress = Progress::new(STEPS);
    for (step, batch) in mnist.train.batches(100).take(STEPS).enumerate() {
        if step % 100 == 0 {
            let test = &mnist.test;
            let train = session.run(
                (accuracy, cross_entropy),
                feeds![x => &batch.images, y_ => &batch.labels],
            )?;
            let test = session.run(
                (accuracy, cross_entropy),
                feeds![x => &test.images, y_ => &test.labels],
            )?;
            let test = (test.0, test.1 / 100.0);
            progress.line(step, train, test);
            plot.train(step, train);
            plot.test(step, test);
        }
        session.run(train_step, feeds![x => &batch.images, y_ => &batch.labels])?;
        progress.step();
    }
    progress.finish();

    let test = feeds![x => &mnist.test.images, y_ => &mnist.test.labels];
    let (accuracy, loss) = session.run((accuracy, cross_entropy), test)?;
    println!("test cross entropy {:.2} per 100 images", loss / 100.0);
    println!("test accuracy {accuracy:.4}");
    plot.test(STEPS, (accuracy, loss / 100.0));
    plot.save("mnist_softmax")
}
