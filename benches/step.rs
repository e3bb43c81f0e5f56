//! Time of a training step of the talk's networks (feed, forward, backward, update), and of
//! reading digits, beside what this machine's processor could do: milliseconds, the fastest
//! and the median, and the share of the measured peak. And the overhead of the engine:
//! nanoseconds a node of a chain of scalars.
//!
//! `cargo bench --bench step`, or `cargo bench --bench step -- conv` for what has that in its name.

use std::hint::black_box;
use std::time::{Duration, Instant};

use abeyance::prelude::*;

#[path = "../tests/networks/mod.rs"]
mod networks;
use networks::{Network, arithmetic};

/// How long each line is measured.
const TIME: Duration = Duration::from_millis(1500);
const THREADS: [usize; 2] = [1, 2];

fn main() {
    // What cargo adds starts with a dash.
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));

    let peak = peak();
    println!(
        "peak of one core: {:.0} GFLOP/s (f32, multiplications with additions in registers)",
        peak / 1e9
    );
    println!(
        "\n{:<28} {:>6} {:>7} {:>10} {:>10} {:>9} {:>8}",
        "a training step", "batch", "threads", "median ms", "fastest", "GFLOP/s", "of peak"
    );
    let trained: [(&str, usize, Build); 7] = [
        ("softmax", 100, networks::softmax),
        ("five layers, sigmoid", 100, networks::five_layers_sigmoid),
        ("five layers, relu", 100, networks::five_layers_decay),
        ("five layers, dropout", 100, networks::five_layers_dropout),
        ("conv", 100, networks::conv),
        ("conv_dropout", 100, networks::conv_dropout),
        ("wide", 128, networks::wide),
    ];
    for (name, batch, network) in trained.into_iter().filter(|(name, ..)| wanted(name)) {
        for threads in THREADS {
            let (times, flops) = train(network, batch, threads);
            line(name, batch, threads, times, flops, peak);
        }
    }

    println!("\nreading digits");
    let read_by: [(&str, Build); 3] = [
        ("softmax", networks::softmax),
        ("five layers, relu", networks::five_layers_relu),
        ("conv_dropout", networks::conv_dropout),
    ];
    for (name, network) in read_by {
        let name = format!("{name}, read");
        if wanted(&name) {
            for (digits, threads) in
                [1, 100, 10_000].into_iter().flat_map(|n| THREADS.map(|t| (n, t)))
            {
                let (times, flops) = read(network, digits, threads);
                line(&name, digits, threads, times, flops, peak);
            }
        }
    }

    if wanted("chain") {
        println!("\n{:<28} {:>10} {:>10}", "a chain of scalars", "nodes", "ns a node");
        for nodes in [10_000, 100_000, 1_000_000] {
            let ns = chain(nodes).fastest.as_secs_f64() * 1e9 / nodes as f64;
            println!("{:<28} {nodes:>10} {ns:>10.1}", "");
        }
    }
}

type Build = for<'g> fn(&'g Graph) -> Network<'g>;

struct Times {
    median: Duration,
    fastest: Duration,
}

fn line(name: &str, batch: usize, threads: usize, times: Times, flops: f64, peak: f64) {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let rate = flops / times.fastest.as_secs_f64();
    println!(
        "{name:<28} {batch:>6} {threads:>7} {:>10.4} {:>10.4} {:>9.1} {:>7.0}%",
        ms(times.median),
        ms(times.fastest),
        rate / 1e9,
        100.0 * rate / (peak * threads as f64)
    );
}

/// Calls it for a while, after as much as makes everything warm.
fn measure(mut call: impl FnMut()) -> Times {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 25 || start.elapsed() < TIME {
        let start = Instant::now();
        call();
        times.push(start.elapsed());
    }
    times.drain(..times.len() / 5);
    times.sort_unstable();
    Times { median: times[times.len() / 2], fastest: times[0] }
}

fn session(g: &Graph, threads: usize) -> Session {
    Session::with_options(g, SessionOptions::new().threads(threads)).expect("the network is right")
}

fn train(network: Build, batch: usize, threads: usize) -> (Times, f64) {
    let g = Graph::new();
    let network = network(&g);
    let session = session(&g, threads);
    let mnist = Mnist::load().expect("the digits are part of the crate");
    let batches: Vec<_> = mnist.train.batches(batch).take(100).collect();
    let mut next = batches.iter().cycle();
    let train = session.prepare(network.train_step).expect("the step is the graph's");
    let times = measure(|| {
        let batch = next.next().expect("there is always another");
        train.run(network.feeds(batch)).expect("a step runs");
    });
    (times, arithmetic(&network, batch))
}

/// Labels are not needed to read digits: the prediction is the largest of the logits, which the
/// accuracy compares.
fn read(network: Build, digits: usize, threads: usize) -> (Times, f64) {
    let g = Graph::new();
    let network = network(&g);
    let session = session(&g, threads);
    let mnist = Mnist::load().expect("the digits are part of the crate");
    let images = mnist.test.images.slice(ndarray::s![..digits, .., .., ..]).to_owned();
    let prediction = network.prediction();
    let predict = session.prepare(prediction).expect("the prediction is the graph's");
    let mut output = predict.run(feeds![network.x => &images]).expect("digits are read");
    let times = measure(|| {
        predict.run_into(feeds![network.x => &images], &mut output).expect("digits are read");
    });
    (times, networks::products(&g, prediction.id(), digits))
}

fn chain(nodes: usize) -> Times {
    let g = Graph::new();
    let x = g.placeholder("x", dims![]);
    let mut y = x;
    for _ in 0..nodes / 2 {
        y = y.tanh() + x;
    }
    let session = session(&g, 1);
    let run = session.prepare(y.scalar()).expect("the chain is the graph's");
    measure(|| {
        black_box(run.run(feeds![x => 0.5]).expect("the chain runs"));
    })
}

/// Operations a second when all is in registers.
fn peak() -> f64 {
    const STEPS: usize = 100_000;
    const SUMS: usize = 10;
    struct Peak;
    impl pulp::WithSimd for Peak {
        type Output = (f32, usize);
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, simd: S) -> (f32, usize) {
            let mut sums = [simd.splat_f32s(0.0); SUMS];
            let (a, b) = (simd.splat_f32s(0.999), black_box(simd.splat_f32s(0.5)));
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = simd.mul_add_e_f32s(*sum, a, b);
                }
            }
            (sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum(), S::F32_LANES)
        }
    }
    let arch = pulp::Arch::new();
    let mut lanes = 0;
    let times = measure(|| lanes = black_box(arch.dispatch(Peak)).1);
    (2 * SUMS * STEPS * lanes) as f64 / times.fastest.as_secs_f64()
}
