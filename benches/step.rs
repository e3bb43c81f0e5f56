//! Milliseconds a training step: feed, forward, backward, update, on batches of 100.
//!
//! `cargo bench --bench step`

use abeyance::prelude::*;
use abeyance::session::Feed;
use divan::Bencher;

#[path = "../tests/networks/mod.rs"]
mod networks;
use networks::Network;

fn main() {
    divan::main();
}

const THREADS: [usize; 2] = [1, 2];

fn step(bencher: Bencher<'_, '_>, graph: &Graph, network: &Network<'_>, threads: usize) {
    let session = Session::with_options(graph, SessionOptions::new().threads(threads)).unwrap();
    let mnist = Mnist::load().unwrap();
    let batches: Vec<_> = mnist.train.batches(100).take(100).collect();
    let mut next = batches.iter().cycle();
    let train = session.prepare(network.train_step).unwrap();
    bencher.bench_local(|| {
        let batch = next.next().unwrap();
        let images = Feed::new(network.x, &batch.images);
        let labels = Feed::new(network.y_, &batch.labels);
        match network.keep {
            None => train.run([images, labels]),
            Some(keep) => train.run([images, labels, Feed::new(keep, 0.75)]),
        }
        .unwrap();
    });
}

#[divan::bench(args = THREADS)]
fn softmax(bencher: Bencher, threads: usize) {
    let g = Graph::new();
    step(bencher, &g, &networks::softmax(&g), threads);
}

#[divan::bench(args = THREADS)]
fn five_layers(bencher: Bencher, threads: usize) {
    let g = Graph::new();
    step(bencher, &g, &networks::mlp(&g, false), threads);
}

#[divan::bench(args = THREADS)]
fn five_layers_dropout(bencher: Bencher, threads: usize) {
    let g = Graph::new();
    step(bencher, &g, &networks::mlp(&g, true), threads);
}
