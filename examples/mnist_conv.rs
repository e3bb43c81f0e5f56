//! Three convolutions, one fully connected layer, softmax: about 98.9 % of the test digits.
//!
//! ```text
//! cargo run --release --example mnist_conv
//! cargo run --release --example mnist_conv -- --plot FOLDER
//! ```

use abeyance::prelude::*;
use clap::Parser;

#[path = "plot/mod.rs"]
mod plot;
#[path = "profile/mod.rs"]
mod profile;
#[path = "progress/mod.rs"]
mod progress;
use plot::Plot;
use profile::Profile;
use progress::{Progress, print};

pub(crate) struct Network<'g> {
    pub(crate) x: Tensor<'g, f32>,
    pub(crate) y_: Tensor<'g, f32>,
    pub(crate) cross_entropy: Scalar<'g, f32>,
    pub(crate) accuracy: Scalar<'g, f32>,
    pub(crate) train_step: Operation<'g>,
}

/// The program: nothing is computed here.
pub(crate) fn network(g: &Graph) -> Network<'_> {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);

    let w1 = g.variable("w1", truncated_normal(dims![5, 5, 1, 4], 0.0, 0.1));
    let b1 = g.variable("b1", fill(dims![4], 0.1));
    let w2 = g.variable("w2", truncated_normal(dims![4, 4, 4, 8], 0.0, 0.1));
    let b2 = g.variable("b2", fill(dims![8], 0.1));
    let w3 = g.variable("w3", truncated_normal(dims![4, 4, 8, 12], 0.0, 0.1));
    let b3 = g.variable("b3", fill(dims![12], 0.1));
    let w4 = g.variable("w4", truncated_normal(dims![7 * 7 * 12, 200], 0.0, 0.1));
    let b4 = g.variable("b4", fill(dims![200], 0.1));
    let w5 = g.variable("w5", truncated_normal(dims![200, 10], 0.0, 0.1));
    let b5 = g.variable("b5", zeros(dims![10]));

    let y1 = (x.conv2d(w1, ConvOptions::same()) + b1).relu(); //            [N, 28, 28, 4]
    let y2 = (y1.conv2d(w2, ConvOptions::same().stride(2)) + b2).relu(); // [N, 14, 14, 8]
    let y3 = (y2.conv2d(w3, ConvOptions::same().stride(2)) + b3).relu(); // [N, 7, 7, 12]
    let y4 = (y3.reshape(dims![_, 7 * 7 * 12]).matmul(w4) + b4).relu();
    let logits = y4.matmul(w5) + b5;

    // The sum over a batch of 100, written so that it does not depend on the batch's size.
    let cross_entropy = logits.softmax_cross_entropy(y_).reduce_mean(..) * 100.0;
    let (digit, y) = (logits.argmax(-1), logits.softmax());
    let accuracy = digit.equal(y_.argmax(-1)).cast::<f32>().reduce_mean(..);

    let step = global_step(g);
    let rate = (step.cast::<f32>() / -2000.0).exp() * 0.003 + 0.0001;
    let train_step = Adam::new(rate).minimize_counting(cross_entropy, step);
    g.summaries().scalar("loss", cross_entropy).scalar("accuracy", accuracy).variables();
    let filters = (w1 * 4.0).sigmoid().transpose_by(&[3, 0, 1, 2]); // [4, 5, 5, 1], grey where 0
    g.summaries().image("filters", filters);
    for name in ["train", "evaluate"] {
        let batch = g.signature(name).input("images", x).input("labels", y_);
        batch.output("loss", cross_entropy).output("accuracy", accuracy);
    }
    g.signature("train").step(train_step);
    g.signature("predict").input("images", x).output("digit", digit).output("probabilities", y);
    Network { x, y_, cross_entropy, accuracy, train_step }
}

/// Trains the network on MNIST.
#[derive(Parser)]
struct Options {
    /// Steps of 100 images
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
    /// Seed of weights and batches
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads; 0 for one on each core
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Print the graph, backward part and updates included, and stop
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    profile: Profile,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::parse();
    let g = Graph::named("mnist_conv");
    let Network { x, y_, cross_entropy, accuracy, train_step } = network(&g);
    if options.print {
        return print(&g);
    }

    let mnist = Mnist::load()?;
    let test = feeds![x => &mnist.test.images, y_ => &mnist.test.labels];
    let with = SessionOptions::new().seed(options.seed).threads(options.threads);
    let session = Session::with_options(&g, with)?;
    if let (true, Some(batch)) = (options.profile.explain, mnist.train.batches(100).next()) {
        let train = feeds![x => &batch.images, y_ => &batch.labels];
        return print(&session.explain(train_step, train)?);
    }
    let progress = Progress::new(options.steps);
    let batches = mnist.train.batches(100).seed(options.seed);
    for (step, batch) in batches.take(options.steps).enumerate() {
        let train = feeds![x => &batch.images, y_ => &batch.labels];
        if step % 20 == 0 {
            let train = session.run((accuracy, cross_entropy), &train)?;
            options.plot.train(step, train);
            if step % 500 == 0 {
                let test = session.run((accuracy, cross_entropy), &test)?;
                options.plot.test(step, test);
                progress.line(step, train, test);
            }
        }
        let how = options.profile.options(options.steps - step - 1);
        session.run_with(how, train_step, train)?;
        progress.step();
    }
    progress.finish();

    let test = session.run((accuracy, cross_entropy), test)?;
    options.plot.test(options.steps, test);
    options.plot.save("mnist_conv")?;
    options.profile.save()?;
    println!("test cross entropy {:.2} per 100 images", test.1);
    println!("test accuracy {:.4}", test.0);
    Ok(())
}
