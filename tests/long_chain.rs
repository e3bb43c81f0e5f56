//! Nothing recursive: a chain of a million nodes on an ordinary thread's stack.

use abeyance::prelude::*;

const NODES: usize = 1_000_000;

#[test]
fn a_chain_of_a_million_nodes_builds_differentiates_prints_runs_and_drops() {
    // 2 MiB is what a spawned thread gets by default; said here so that no environment variable
    // changes it.
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let work = thread.spawn(|| {
        let g = Graph::new();
        let x = g.placeholder::<f64>("x", dims![]);
        let mut y = x;
        for _ in 0..NODES / 2 {
            // Two nodes whose derivatives are not constants; together they stay near where they
            // were.
            y = y.tanh() + x;
        }
        let [slope] = gradients(y, [x]);
        assert!(g.ir().len() > 2 * NODES);

        let text = g.to_text();
        assert!(text.lines().count() > 2 * NODES);
        drop(text);

        let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
        let (value, slope) = session
            .run((y.scalar(), slope.scalar()), feeds![x => 0.5])
            .unwrap_or_else(|error| panic!("{error}"));
        // The fixed point of y = tanh(y) + x, and its derivative 1 / (1 - tanh'(y)).
        assert!((value - (value.tanh() + 0.5)).abs() < 1e-12);
        let expected = 1.0 / (1.0 - (1.0 - value.tanh().powi(2)));
        assert!((slope - expected).abs() < 1e-9, "{slope} {expected}");
    });
    work.unwrap().join().unwrap();
}
