//! Overhead of the engine beside the arithmetic: a chain of scalar nodes, built, differentiated,
//! printed, compiled and run. The reciprocal of the throughput is the time a node; that it stays
//! about the same from ten thousand nodes to a million is what "linear" means.
//!
//! `cargo bench --bench chain`

use abeyance::prelude::*;
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

const NODES: [usize; 3] = [10_000, 100_000, 1_000_000];

fn chain(g: &Graph, nodes: usize) -> (Tensor<'_, f32>, Tensor<'_, f32>) {
    let x = g.placeholder("x", dims![]);
    let mut y = x;
    for _ in 0..nodes / 2 {
        y = y.tanh() + x;
    }
    (x, y)
}

#[divan::bench(args = NODES, sample_count = 5, sample_size = 1)]
fn build(bencher: Bencher, nodes: usize) {
    bencher.counter(ItemsCount::new(nodes)).bench_local(|| chain(&Graph::new(), nodes).1.id());
}

/// Per node of the forward chain; each has about three in the backward graph.
#[divan::bench(args = NODES, sample_count = 5, sample_size = 1)]
fn differentiate(bencher: Bencher, nodes: usize) {
    bencher
        .counter(ItemsCount::new(nodes))
        .with_inputs(|| {
            let g = Graph::new();
            let (x, y) = chain(&g, nodes);
            let (x, y) = (x.name(), y.name());
            (g, x, y)
        })
        .bench_local_values(|(g, x, y)| {
            let (x, y) = (g.tensor::<f32>(&x).unwrap(), g.tensor(&y).unwrap());
            let [slope] = gradients(y, [x]);
            slope.id();
            g
        });
}

#[divan::bench(args = NODES, sample_count = 5, sample_size = 1)]
fn print(bencher: Bencher, nodes: usize) {
    let g = Graph::new();
    chain(&g, nodes);
    bencher.counter(ItemsCount::new(nodes)).bench_local(|| g.to_text());
}

/// The first run of a session: pruning, sizes, kernels, memory, and the run itself.
#[divan::bench(args = NODES, sample_count = 5, sample_size = 1)]
fn first_run(bencher: Bencher, nodes: usize) {
    let g = Graph::new();
    let (x, y) = chain(&g, nodes);
    let y = y.scalar();
    bencher
        .counter(ItemsCount::new(nodes))
        .with_inputs(|| Session::with_options(&g, SessionOptions::new().threads(1)).unwrap())
        .bench_local_values(|session| {
            session.run(y, feeds![x => 0.5]).unwrap();
            session
        });
}

#[divan::bench(args = NODES, sample_count = 5)]
fn later_run(bencher: Bencher, nodes: usize) {
    let g = Graph::new();
    let (x, y) = chain(&g, nodes);
    let session = Session::with_options(&g, SessionOptions::new().threads(1)).unwrap();
    let run = session.prepare(y.scalar()).unwrap();
    run.run(feeds![x => 0.5]).unwrap();
    bencher.counter(ItemsCount::new(nodes)).bench_local(|| run.run(feeds![x => 0.5]).unwrap());
}
