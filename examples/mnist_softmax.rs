//! The simplest network that reads handwritten digits: ten weighted sums of all pixels, and a
//! softmax. About 92 % of the test digits after two thousand steps.
//!
//! `cargo run --release --example mnist_softmax`, with `-- --plot FOLDER` for a picture of its
//! curves, or with `-- --dashboard` for a page that shows it learning

use abeyance::ndarray::ArrayD;
use abeyance::prelude::*;
use abeyance::session::Value;
use abeyance_dashboard::Dashboard;
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
    pub(crate) digit: Tensor<'g, i64>,
    pub(crate) cross_entropy: Scalar<'g, f32>,
    pub(crate) accuracy: Scalar<'g, f32>,
    pub(crate) train_step: Operation<'g>,
}

/// The program: nothing is computed here.
pub(crate) fn network(g: &Graph) -> Network<'_> {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let w = g.variable("w", zeros(dims![784, 10]));
    let b = g.variable("b", zeros(dims![10]));

    let y = (x.reshape(dims![_, 784]).matmul(w) + b).softmax();
    let cross_entropy = -(y_ * y.log()).reduce_sum(..);
    let digit = y.argmax(-1);
    let accuracy = digit.equal(y_.argmax(-1)).cast::<f32>().reduce_mean(..);
    let train_step = GradientDescent::new(0.003).minimize(cross_entropy);
    g.summaries().scalar("loss", cross_entropy).scalar("accuracy", accuracy).variables();
    for name in ["train", "evaluate"] {
        let batch = g.signature(name).input("images", x).input("labels", y_);
        batch.output("loss", cross_entropy).output("accuracy", accuracy);
    }
    g.signature("train").step(train_step);
    g.signature("predict").input("images", x).output("digit", digit).output("probabilities", y);
    Network { x, y_, digit, cross_entropy, accuracy, train_step }
}

/// Trains the network on MNIST.
#[derive(Parser)]
struct Options {
    /// Steps of 100 images
    #[arg(long, default_value_t = 2_000)]
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
    /// Show it learning on a page at this address
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:6006")]
    dashboard: Option<String>,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    profile: Profile,
}

/// The cross entropy is a sum over what is fed: of the 10,000 test digits, a hundred times that of
/// a batch.
fn per_100((accuracy, loss): (f32, f32)) -> (f32, f32) {
    (accuracy, loss / 100.0)
}

/// The test digits on the page: what they are taken for, and the two figures.
fn show_test(
    dashboard: &Dashboard,
    step: usize,
    (accuracy, loss): (f32, f32),
    digits: ArrayD<i64>,
) {
    let step = step as i64;
    let digits: Vec<u16> = digits.iter().map(|&digit| digit as u16).collect();
    dashboard.test(step, &digits);
    dashboard.scalars(step, [("test/accuracy", accuracy.into()), ("test/loss", loss.into())]);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::parse();
    let g = Graph::named("mnist_softmax");
    let Network { x, y_, digit, cross_entropy, accuracy, train_step } = network(&g);
    if options.print {
        return print(&g);
    }

    let mnist = Mnist::load()?;
    let test = feeds![x => &mnist.test.images, y_ => &mnist.test.labels];
    let shown = feeds![x => &mnist.test.images];
    let with = SessionOptions::new().seed(options.seed).threads(options.threads);
    let session = Session::with_options(&g, with)?;
    if let (true, Some(batch)) = (options.profile.explain, mnist.train.batches(100).next()) {
        let train = feeds![x => &batch.images, y_ => &batch.labels];
        return print(&session.explain(train_step, train)?);
    }
    let dashboard = match &options.dashboard {
        Some(addr) => Some(Dashboard::attach(&session, addr)?),
        None => None,
    };
    if let Some(dashboard) = &dashboard {
        let labels: Vec<u16> = mnist.test.digits.iter().map(|&digit| digit.into()).collect();
        dashboard.test_images(&Value::F32(mnist.test.images.clone().into_dyn()), &labels)?;
    }
    let progress = Progress::new(options.steps);
    let batches = mnist.train.batches(100).seed(options.seed);
    for (step, batch) in batches.take(options.steps).enumerate() {
        let train = feeds![x => &batch.images, y_ => &batch.labels];
        if step % 20 == 0 {
            let train = session.run((accuracy, cross_entropy), &train)?;
            options.plot.train(step, train);
            if step % 100 == 0 {
                let test = per_100(session.run((accuracy, cross_entropy), &test)?);
                options.plot.test(step, test);
                progress.line(step, train, test);
                if let Some(dashboard) = &dashboard {
                    show_test(dashboard, step, test, session.run(digit, &shown)?);
                }
            }
        }
        match &dashboard {
            Some(dashboard) => dashboard.run(&session, train_step, train)?,
            None => {
                let how = options.profile.options(options.steps - step - 1);
                session.run_with(how, train_step, train)?;
            }
        }
        progress.step();
        if dashboard.as_ref().is_some_and(Dashboard::is_stopped) {
            break;
        }
    }
    progress.finish();

    let test = per_100(session.run((accuracy, cross_entropy), test)?);
    options.plot.test(options.steps, test);
    options.plot.save("mnist_softmax")?;
    options.profile.save()?;
    println!("test cross entropy {:.2} per 100 images", test.1);
    println!("test accuracy {:.4}", test.0);
    if let Some(dashboard) = dashboard {
        dashboard.finish(&session)?.wait();
    }
    Ok(())
}
