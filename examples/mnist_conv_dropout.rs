//! The network of `mnist_conv` with more channels and dropout on the fully connected layer: more
//! than 99.3 % of the test digits. Three things go beyond the talk: labels count as 91 % sure, so
//! that the network need not become surer than it can be; weights decay; and the rate falls in a
//! line to zero over 10,000 steps.
//!
//! ```text
//! cargo run --release --example mnist_conv_dropout
//! cargo run --release --example mnist_conv_dropout -- --dropout 1    (the same network without it)
//! cargo run --release --example mnist_conv_dropout -- --plot FOLDER
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
    pub(crate) keep: Tensor<'g, f32>,
    pub(crate) cross_entropy: Scalar<'g, f32>,
    pub(crate) accuracy: Scalar<'g, f32>,
    pub(crate) train_step: Operation<'g>,
}

/// The program: nothing is computed here.
pub(crate) fn network(g: &Graph) -> Network<'_> {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    // The probability with which a neuron is kept: all of them unless something else is fed.
    let keep = g.placeholder_with_default("keep", 1.0f32);

    let w1 = g.variable("w1", truncated_normal(dims![6, 6, 1, 6], 0.0, 0.1));
    let b1 = g.variable("b1", fill(dims![6], 0.1));
    let w2 = g.variable("w2", truncated_normal(dims![5, 5, 6, 12], 0.0, 0.1));
    let b2 = g.variable("b2", fill(dims![12], 0.1));
    let w3 = g.variable("w3", truncated_normal(dims![4, 4, 12, 24], 0.0, 0.1));
    let b3 = g.variable("b3", fill(dims![24], 0.1));
    let w4 = g.variable("w4", truncated_normal(dims![7 * 7 * 24, 200], 0.0, 0.1));
    let b4 = g.variable("b4", fill(dims![200], 0.1));
    let w5 = g.variable("w5", truncated_normal(dims![200, 10], 0.0, 0.1));
    let b5 = g.variable("b5", zeros(dims![10]));

    let y1 = (x.conv2d(w1, ConvOptions::same()) + b1).relu(); //            [N, 28, 28, 6]
    let y2 = (y1.conv2d(w2, ConvOptions::same().stride(2)) + b2).relu(); // [N, 14, 14, 12]
    let y3 = (y2.conv2d(w3, ConvOptions::same().stride(2)) + b3).relu(); // [N, 7, 7, 24]
    let y4 = (y3.reshape(dims![_, 7 * 7 * 24]).matmul(w4) + b4).relu().dropout_keeping(keep);
    let logits = y4.matmul(w5) + b5;

    // The sum over a batch of 100, written so that it does not depend on the batch's size.
    let cross_entropy = logits.softmax_cross_entropy(y_).reduce_mean(..) * 100.0;
    let smoothed = logits.softmax_cross_entropy(y_ * 0.9 + 0.01).reduce_mean(..) * 100.0;
    let (digit, y) = (logits.argmax(-1), logits.softmax());
    let accuracy = digit.equal(y_.argmax(-1)).cast::<f32>().reduce_mean(..);

    let step = global_step(g);
    let rate = (1.0 - step.cast::<f32>() / 10_000.0).relu() * 0.003;
    let train_step = AdamW::new(rate, 1e-4).minimize_counting(smoothed, step);
    g.summaries().scalar("loss", cross_entropy).scalar("accuracy", accuracy).variables();
    let filters = (w1 * 4.0).sigmoid().transpose_by(&[3, 0, 1, 2]); // [6, 6, 6, 1], grey where 0
    g.summaries().image("filters", filters);
    for name in ["train", "evaluate"] {
        let batch = g.signature(name).input("images", x).input("labels", y_);
        batch.output("loss", cross_entropy).output("accuracy", accuracy);
    }
    g.signature("train").feed(keep, 0.75).step(train_step);
    g.signature("predict").input("images", x).output("digit", digit).output("probabilities", y);
    Network { x, y_, keep, cross_entropy, accuracy, train_step }
}

/// Trains the network on MNIST.
#[derive(Parser)]
struct Options {
    /// Steps of 100 images
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
    /// Keep each neuron of the fully connected layer with this probability while training, and all
    /// of them when testing
    #[arg(long, value_name = "KEEP", default_value_t = 0.75, value_parser = probability)]
    dropout: f32,
    /// Seed of weights, batches and dropout
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

fn probability(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(keep) if keep > 0.0 && keep <= 1.0 => Ok(keep),
        _ => Err("a probability above 0 and up to 1 is wanted, such as 0.75".to_owned()),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::parse();
    let g = Graph::named("mnist_conv_dropout");
    let Network { x, y_, keep, cross_entropy, accuracy, train_step } = network(&g);
    if options.print {
        return print(&g);
    }

    let mnist = Mnist::load()?;
    let test = feeds![x => &mnist.test.images, y_ => &mnist.test.labels];
    let with = SessionOptions::new().seed(options.seed).threads(options.threads);
    let session = Session::with_options(&g, with)?;
    if let (true, Some(batch)) = (options.profile.explain, mnist.train.batches(100).next()) {
        let train = feeds![x => &batch.images, y_ => &batch.labels, keep => options.dropout];
        return print(&session.explain(train_step, train)?);
    }
    let progress = Progress::new(options.steps);
    let batches = mnist.train.batches(100).seed(options.seed);
    for (step, batch) in batches.take(options.steps).enumerate() {
        let train = feeds![x => &batch.images, y_ => &batch.labels];
        let with_dropout = feeds![
            x => &batch.images, y_ => &batch.labels, keep => options.dropout
        ];
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
        session.run_with(how, train_step, with_dropout)?;
        progress.step();
    }
    progress.finish();

    let test = session.run((accuracy, cross_entropy), test)?;
    options.plot.test(options.steps, test);
    options.plot.save("mnist_conv_dropout")?;
    options.profile.save()?;
    println!("test cross entropy {:.2} per 100 images", test.1);
    println!("test accuracy {:.4}", test.0);
    Ok(())
}
