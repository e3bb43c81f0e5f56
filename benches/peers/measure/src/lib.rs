//! What every runner in Rust shares: the networks, the data, the protocol of measuring.
//!
//! `python/measure.py` is the same for Python. `compare.py` starts a runner with four arguments,
//! `SETTING TASK NETWORK THREADS`, where the task is `train` or `read`. The runner prints one line
//! of JSON when it is warm; then, for every line `COUNT SECONDS` on its standard input, it works
//! for so long on batches of `COUNT` images and prints another; at the end of the input it stops.

mod data;
mod network;

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use data::Data;
pub use network::{Activation, Convolution, Network, Optimizer};

/// Steps before the loss is compared: soon enough that rounding has not led the peers apart.
const CHECKED: usize = 5;
/// Steps before anything is measured.
const WARM_UP: usize = 20;
/// The share of each round that brings caches and threads back, after the peers had their turn.
const WARM_AGAIN: f64 = 0.2;

/// A network that learns.
pub trait Training {
    /// One step on training batch `index`.
    fn step(&mut self, index: usize);
    /// The loss on training batch 0, without dropout and without smoothing.
    fn loss(&mut self) -> f32;
}

/// A network that reads digits.
pub trait Reading {
    /// Reads the first `count` test images.
    fn read(&mut self, count: usize);
    /// The digits that the last reading found.
    fn digits(&self) -> Vec<u8>;
}

/// What the runner was asked for.
pub struct Run {
    /// The peer's own settings, by a name from `compare.py`.
    pub setting: String,
    pub is_training: bool,
    pub threads: usize,
    pub data: Data,
}

impl Run {
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [setting, task, network, threads] = &arguments[..] else {
            panic!("usage: SETTING train|read NETWORK THREADS");
        };
        let is_training = task == "train";
        Self {
            setting: setting.clone(),
            is_training,
            threads: threads.parse().expect("a number of threads"),
            data: Data::load(network, is_training),
        }
    }

    /// Measures steps of training. The network began to be described at `started`, after its data
    /// was there.
    pub fn train(&self, started: Instant, network: &mut impl Training) {
        network.step(0);
        let first_ms = milliseconds(started.elapsed());
        (1..CHECKED).for_each(|index| network.step(index));
        let loss = network.loss();
        (CHECKED..WARM_UP).for_each(|index| network.step(index));
        say(json!({ "first_ms": first_ms, "check": loss }));
        let mut index = WARM_UP;
        answer(|_, seconds| {
            round(seconds, || {
                network.step(index);
                index += 1;
            })
        });
    }

    /// Measures reading of test images.
    pub fn read(&self, started: Instant, network: &mut impl Reading) {
        network.read(1);
        let first_ms = milliseconds(started.elapsed());
        network.read(self.data.digits.len());
        let digits = network.digits();
        let right = digits.iter().zip(&self.data.digits).filter(|(read, digit)| read == digit);
        let accuracy = right.count() as f64 / digits.len() as f64;
        say(json!({ "first_ms": first_ms, "check": accuracy }));
        answer(|count, seconds| round(seconds, || network.read(count)));
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn say(line: Value) {
    println!("{line}");
    io::stdout().flush().expect("somebody listens");
}

/// Does what is asked for, line by line.
fn answer(mut work: impl FnMut(usize, f64) -> Value) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let (count, seconds) = line.split_once(' ').expect("COUNT SECONDS");
        let count = count.parse().expect("a number of images");
        say(work(count, seconds.parse().expect("seconds")));
    }
}

/// Repeats `work` for some seconds: the median and the fastest, in milliseconds.
fn round(seconds: f64, mut work: impl FnMut()) -> Value {
    repeat(seconds * WARM_AGAIN, &mut work);
    let mut times = repeat(seconds * (1.0 - WARM_AGAIN), &mut work);
    times.sort_unstable();
    json!({
        "ms": milliseconds(times[times.len() / 2]),
        "fastest_ms": milliseconds(times[0]),
        "times": times.len(),
        "peak_mb": peak_mb(),
    })
}

fn repeat(seconds: f64, work: &mut impl FnMut()) -> Vec<Duration> {
    let mut times = Vec::new();
    let began = Instant::now();
    loop {
        let before = Instant::now();
        work();
        times.push(before.elapsed());
        if began.elapsed().as_secs_f64() >= seconds {
            return times;
        }
    }
}

/// The most memory the process ever had, in MiB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
