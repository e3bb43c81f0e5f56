//! Five layers of 200, 100, 60, 30 and 10 neurons, and the steps that make them good: sigmoid, then
//! relu, then a learning rate that decays, then dropout.
//!
//! ```text
//! cargo run --release --example mnist_mlp -- --activation sigmoid
//! cargo run --release --example mnist_mlp -- --activation relu
//! cargo run --release --example mnist_mlp -- --activation relu --decay
//! cargo run --release --example mnist_mlp -- --activation relu --decay --dropout 0.75
//! ```
//!
//! With `--plot FOLDER` each draws its curves.

use abeyance::prelude::*;
use clap::{Args, Parser, ValueEnum};

#[path = "plot/mod.rs"]
mod plot;
#[path = "profile/mod.rs"]
mod profile;
#[path = "progress/mod.rs"]
mod progress;
use plot::Plot;
use profile::Profile;
use progress::{Progress, print};

/// Which of the talk's networks.
#[derive(Args)]
pub(crate) struct Choices {
    /// The activation behind each layer but the last
    #[arg(long, value_enum, default_value = "relu")]
    pub(crate) activation: Activation,
    /// Let the learning rate decay from 0.0031 towards 0.0001: 0.0001 + 0.003 e^(-step/2000)
    #[arg(long)]
    pub(crate) decay: bool,
    /// Keep each neuron's output with this probability while training, and all of them when testing
    #[arg(long, value_name = "KEEP", value_parser = probability)]
    pub(crate) dropout: Option<f32>,
    #[arg(long, value_enum, default_value = "adam")]
    pub(crate) optimizer: Choice,
    /// Widths of the layers before the last
    #[arg(long, value_delimiter = ',', default_value = "200,100,60,30")]
    pub(crate) layers: Vec<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Activation {
    Sigmoid,
    Relu,
}

impl Activation {
    fn name(self) -> &'static str {
        match self {
            Activation::Sigmoid => "sigmoid",
            Activation::Relu => "relu",
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Choice {
    Adam,
    GradientDescent,
}

fn probability(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(keep) if keep > 0.0 && keep <= 1.0 => Ok(keep),
        _ => Err("a probability above 0 and up to 1 is wanted, such as 0.75".to_owned()),
    }
}

pub(crate) struct Network<'g> {
    pub(crate) x: Tensor<'g, f32>,
    pub(crate) y_: Tensor<'g, f32>,
    pub(crate) keep: Tensor<'g, f32>,
    pub(crate) cross_entropy: Scalar<'g, f32>,
    pub(crate) accuracy: Scalar<'g, f32>,
    pub(crate) train_step: Operation<'g>,
}

/// The program: nothing is computed here.
pub(crate) fn network<'g>(g: &'g Graph, choices: &Choices) -> Network<'g> {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let keep = g.placeholder_with_default("keep", 1.0f32);

    let mut h = x.reshape(dims![_, 784]);
    let mut inputs = 784;
    for (index, &width) in choices.layers.iter().enumerate() {
        let _layer = g.scope(&format!("layer{}", index + 1));
        let w = g.variable("w", truncated_normal(dims![inputs, width], 0.0, 0.1));
        // A relu is born with some slack: else half the neurons start dead.
        h = match choices.activation {
            Activation::Sigmoid => (h.matmul(w) + g.variable("b", zeros(dims![width]))).sigmoid(),
            Activation::Relu => (h.matmul(w) + g.variable("b", fill(dims![width], 0.1))).relu(),
        };
        if choices.dropout.is_some() {
            h = h.dropout_keeping(keep);
        }
        inputs = width;
    }
    let w = g.variable("w", truncated_normal(dims![inputs, 10], 0.0, 0.1));
    let b = g.variable("b", zeros(dims![10]));
    let logits = h.matmul(w) + b;
    // The sum over a batch of 100, written so that it does not depend on the batch's size.
    let cross_entropy = logits.softmax_cross_entropy(y_).reduce_mean(..) * 100.0;
    let (digit, y) = (logits.argmax(-1), logits.softmax());
    let accuracy = digit.equal(y_.argmax(-1)).cast::<f32>().reduce_mean(..);

    let step = global_step(g);
    let rate = if choices.decay {
        (step.cast::<f32>() / -2000.0).exp() * 0.003 + 0.0001
    } else {
        g.constant(0.003).tensor()
    };
    let train_step = match choices.optimizer {
        Choice::Adam => Adam::new(rate).minimize_counting(cross_entropy, step),
        Choice::GradientDescent => {
            GradientDescent::new(rate).minimize_counting(cross_entropy, step)
        }
    };
    g.summaries().scalar("loss", cross_entropy).scalar("accuracy", accuracy).variables();
    for name in ["train", "evaluate"] {
        let batch = g.signature(name).input("images", x).input("labels", y_);
        batch.output("loss", cross_entropy).output("accuracy", accuracy);
    }
    let train = g.signature("train").step(train_step);
    if let Some(probability) = choices.dropout {
        train.feed(keep, probability);
    }
    g.signature("predict").input("images", x).output("digit", digit).output("probabilities", y);
    Network { x, y_, keep, cross_entropy, accuracy, train_step }
}

/// Trains a network of five layers on MNIST.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    network: Choices,
    /// Steps of 100 images
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
    /// Seed of weights, batches and dropout
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads; 0 for one on each core
    #[arg(long, default_value_t = 0)]
    threads: usize,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    profile: Profile,
    /// Print the graph, backward part and updates included, and stop
    #[arg(long)]
    print: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::parse();
    let g = Graph::named("mnist_mlp");
    let Network { x, y_, keep, cross_entropy, accuracy, train_step } =
        network(&g, &options.network);
    if options.print {
        return print(&g);
    }

    let mnist = Mnist::load()?;
    let session = Session::with_options(
        &g,
        SessionOptions::new().seed(options.seed).threads(options.threads),
    )?;
    let test = feeds![x => &mnist.test.images, y_ => &mnist.test.labels];
    if let (true, Some(batch)) = (options.profile.explain, mnist.train.batches(100).next()) {
        let train = feeds![x => &batch.images, y_ => &batch.labels, keep => options.network.dropout.unwrap_or(1.0)];
        return print(&session.explain(train_step, train)?);
    }
    let progress = Progress::new(options.steps);
    let batches = mnist.train.batches(100).seed(options.seed);
    let line = (options.steps / 20).max(1);
    let point = if options.plot.is_wanted() { (options.steps / 100).max(1) } else { line };
    for (index, batch) in batches.take(options.steps).enumerate() {
        let with_dropout = feeds![
            x => &batch.images, y_ => &batch.labels, keep => options.network.dropout.unwrap_or(1.0)
        ];
        if index % point == 0 || index % line == 0 {
            let train = session
                .run((accuracy, cross_entropy), feeds![x => &batch.images, y_ => &batch.labels])?;
            let test = session.run((accuracy, cross_entropy), &test)?;
            options.plot.train(index, train);
            options.plot.test(index, test);
            if index % line == 0 {
                progress.line(index, train, test);
            }
        }
        let how = options.profile.options(options.steps - index - 1);
        session.run_with(how, train_step, with_dropout)?;
        progress.step();
    }
    progress.finish();

    let train = feeds![x => &mnist.train.images, y_ => &mnist.train.labels];
    println!("train accuracy {:.4}", session.run(accuracy, train)?);
    let (accuracy, loss) = session.run((accuracy, cross_entropy), &test)?;
    println!("test cross entropy {loss:.2} per 100 images");
    println!("test accuracy {accuracy:.4}");
    options.plot.test(options.steps, (accuracy, loss));
    let mut name = format!("mnist_mlp_{}", options.network.activation.name());
    for (is_used, with) in
        [(options.network.decay, "_decay"), (options.network.dropout.is_some(), "_dropout")]
    {
        name += if is_used { with } else { "" };
    }
    options.plot.save(&name)?;
    Ok(options.profile.save()?)
}
