//! Milliseconds a training step of the talk's networks (feed, forward, backward, update) on batches of 100, on one thread and on
//! two, and milliseconds of reading 1, 100 and 10,000 digits.
//!
//! `cargo bench --bench step`

use abeyance::prelude::*;
use divan::Bencher;

#[path = "../tests/networks/mod.rs"]
mod networks;
use networks::Network;

fn main() {
    divan::main();
}

const THREADS: [usize; 2] = [1, 2];

fn step(bencher: Bencher<'_, '_>, threads: usize, network: for<'g> fn(&'g Graph) -> Network<'g>) {
    let g = Graph::new();
    let network = network(&g);
    let session = Session::with_options(&g, SessionOptions::new().threads(threads)).unwrap();
    let mnist = Mnist::load().unwrap();
    let batches: Vec<_> = mnist.train.batches(100).take(100).collect();
    let mut next = batches.iter().cycle();
    let train = session.prepare(network.train_step).unwrap();
    bencher.bench_local(|| train.run(network.feeds(next.next().unwrap())).unwrap());
}

#[divan::bench(args = THREADS)]
fn softmax(bencher: Bencher, threads: usize) {
    step(bencher, threads, networks::softmax);
}

#[divan::bench(args = THREADS)]
fn five_layers_sigmoid(bencher: Bencher, threads: usize) {
    step(bencher, threads, networks::five_layers_sigmoid);
}

#[divan::bench(args = THREADS)]
fn five_layers_relu(bencher: Bencher, threads: usize) {
    step(bencher, threads, networks::five_layers_decay);
}

#[divan::bench(args = THREADS)]
fn five_layers_dropout(bencher: Bencher, threads: usize) {
    step(bencher, threads, networks::five_layers_dropout);
}

#[divan::bench(args = THREADS)]
fn conv(bencher: Bencher, threads: usize) {
    step(bencher, threads, networks::conv);
}

#[divan::bench(args = THREADS)]
fn conv_dropout(bencher: Bencher, threads: usize) {
    step(bencher, threads, networks::conv_dropout);
}

/// Labels are not needed to read digits: the prediction is the largest of the logits, which the accuracy compares.
fn read(bencher: Bencher<'_, '_>, digits: usize, network: for<'g> fn(&'g Graph) -> Network<'g>) {
    let g = Graph::new();
    let network = network(&g);
    let session = Session::with_options(&g, SessionOptions::new().threads(1)).unwrap();
    let mnist = Mnist::load().unwrap();
    let images = mnist.test.images.slice(ndarray::s![..digits, .., .., ..]).to_owned();
    let predict = session.prepare(network.prediction()).unwrap();
    let mut output = predict.run(feeds![network.x => &images]).unwrap();
    bencher.bench_local(|| predict.run_into(feeds![network.x => &images], &mut output).unwrap());
}

const DIGITS: [usize; 3] = [1, 100, 10_000];

#[divan::bench(args = DIGITS, sample_count = 20)]
fn read_softmax(bencher: Bencher, digits: usize) {
    read(bencher, digits, networks::softmax);
}

#[divan::bench(args = DIGITS, sample_count = 20)]
fn read_five_layers(bencher: Bencher, digits: usize) {
    read(bencher, digits, networks::five_layers_relu);
}

#[divan::bench(args = DIGITS, sample_count = 20)]
fn read_conv_dropout(bencher: Bencher, digits: usize) {
    read(bencher, digits, networks::conv_dropout);
}
