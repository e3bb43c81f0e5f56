//! Saving and loading graphs of many nodes, in both forms: milliseconds, nanoseconds and bytes a
//! node. What grows faster than the graph shows as more nanoseconds a node.
//!
//! `cargo bench --bench files`

use std::hint::black_box;
use std::time::{Duration, Instant};

use abeyance::prelude::*;

fn main() {
    println!(
        "{:<12} {:>9} {:>10} {:>9} {:>12}",
        "", "nodes", "fastest ms", "ns a node", "bytes a node"
    );
    for nodes in [10_000, 100_000, 1_000_000] {
        let g = chain(nodes);
        let (bytes, text) = (g.ir().to_bytes().expect("it is right"), g.to_text());
        let path =
            std::env::temp_dir().join(format!("abeyance-files-{}.graph", std::process::id()));
        let line = |what: &str, bytes: usize, call: &mut dyn FnMut()| {
            let (fastest, nodes) = (fastest(call), nodes as f64);
            println!(
                "{what:<12} {nodes:>9} {:>10.2} {:>9.0} {:>12.1}",
                fastest.as_secs_f64() * 1e3,
                fastest.as_secs_f64() * 1e9 / nodes,
                bytes as f64 / nodes
            );
        };
        line("to bytes", bytes.len(), &mut || drop(black_box(g.ir().to_bytes())));
        line("from bytes", bytes.len(), &mut || drop(black_box(Graph::from_bytes(&bytes))));
        line("print", text.len(), &mut || drop(black_box(g.to_text())));
        line("parse", text.len(), &mut || drop(black_box(Graph::parse(&text))));
        line("save", bytes.len(), &mut || g.save(&path).expect("there is a disk"));
        line("load", bytes.len(), &mut || drop(black_box(Graph::load(&path))));
        let _ = std::fs::remove_file(&path);
    }
}

/// Sums and products by turns, each of the one before.
fn chain(nodes: usize) -> Graph {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let mut y = x;
    for index in 1..nodes {
        y = if index % 2 == 0 { y + x } else { y * x };
    }
    g.signature("predict").input("x", x).output("y", y);
    g
}

/// Once, or as often as a second has room for.
fn fastest(call: &mut dyn FnMut()) -> Duration {
    let started = Instant::now();
    let mut fastest = Duration::MAX;
    while started.elapsed() < Duration::from_secs(1) {
        let start = Instant::now();
        call();
        fastest = fastest.min(start.elapsed());
    }
    fastest
}
