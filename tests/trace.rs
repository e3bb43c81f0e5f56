//! Traces: every part of every node is told of, and no result depends on whether anyone looks.

use std::collections::HashMap;

use abeyance::prelude::*;
use serde_json::Value;

mod networks;
use networks::Network;

fn session(graph: &Graph, threads: usize) -> Session {
    let options = SessionOptions::new().threads(threads).seed(5);
    Session::with_options(graph, options).unwrap()
}

fn events(json: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(json).unwrap();
    file["traceEvents"].as_array().unwrap().clone()
}

/// Start and end in nanoseconds.
fn span(event: &Value) -> (i64, i64) {
    let ns = |key: &str| (event[key].as_f64().unwrap() * 1e3).round() as i64;
    (ns("ts"), ns("ts") + ns("dur"))
}

/// Losses of some steps as bits.
fn losses(
    network: &Network<'_>,
    graph: &Graph,
    threads: usize,
    mut trace: Option<&mut Trace>,
) -> Vec<u32> {
    let session = session(graph, threads);
    let mnist = Mnist::load().unwrap();
    let step = |batch| {
        let options = match &mut trace {
            Some(trace) => RunOptions::new().trace(trace),
            None => RunOptions::new(),
        };
        let fetches = (network.loss, network.train_step);
        let (loss, ()) = session.run_with(options, fetches, network.feeds(&batch)).unwrap();
        loss.to_bits()
    };
    mnist.train.batches(100).take(5).map(step).collect()
}

#[test]
fn a_traced_training_has_every_part_and_the_same_bits() {
    let g = Graph::new();
    let network = networks::conv_dropout(&g);
    let plain = losses(&network, &g, 1, None);
    let batch = Mnist::load().unwrap().train.batches(100).next().unwrap();
    for threads in [1, 2] {
        assert_eq!(losses(&network, &g, threads, None), plain);
        let mut trace = Trace::new();
        assert_eq!(losses(&network, &g, threads, Some(&mut trace)), plain);
        assert_eq!(trace.runs(), 5);

        let tasks = session(&g, threads)
            .explain((network.loss, network.train_step), network.feeds(&batch))
            .unwrap()
            .tasks;
        let events = events(&trace.to_chrome_json());
        let (runs, parts): (Vec<&Value>, Vec<&Value>) = events
            .iter()
            .filter(|event| event["ph"] == "X")
            .partition(|event| event["cat"] == "run");
        assert_eq!(runs.len(), 5);
        assert!(runs.iter().all(|run| run["tid"] == 0 && run["args"]["threads"] == threads as u64));

        // Every run has every part of every task once, and its events lie inside it.
        let mut total = 0;
        for run in &runs {
            let (start, end) = span(run);
            let inside = |event: &&&Value| span(event).0 >= start && span(event).1 <= end;
            let mut seen: HashMap<u64, Vec<u64>> = HashMap::new();
            let mut counts: HashMap<u64, u64> = HashMap::new();
            for event in parts.iter().filter(inside) {
                let number = |key: &str| event["args"][key].as_u64().unwrap();
                seen.entry(number("task")).or_default().push(number("part"));
                counts.insert(number("task"), number("parts"));
            }
            assert_eq!(seen.len(), tasks, "a task without an event");
            total += seen.values().map(Vec::len).sum::<usize>();
            for (task, parts) in &mut seen {
                parts.sort_unstable();
                assert_eq!(*parts, (0..counts[task]).collect::<Vec<u64>>());
            }
        }
        assert_eq!(total, parts.len(), "events outside of every run");

        // One thread does one thing at a time.
        let mut lines: HashMap<u64, Vec<(i64, i64)>> = HashMap::new();
        for event in &parts {
            lines.entry(event["tid"].as_u64().unwrap()).or_default().push(span(event));
        }
        assert!(lines.keys().all(|&tid| tid < threads as u64));
        for line in lines.values_mut() {
            line.sort_unstable();
            // The decimals of a microsecond leave a nanosecond of doubt.
            assert!(line.windows(2).all(|pair| pair[0].1 <= pair[1].0 + 1));
        }
    }
}

#[test]
fn nodes_are_summed_up_by_the_time_they_take() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 64]);
    let w = g.variable("w", ones(dims![64, 32]));
    let y = x.matmul(w).named("product");
    let z = y.exp().named("power").reduce_sum(..);
    let session = session(&g, 1);
    let xs = ndarray::Array2::from_elem((10, 64), 0.01f32);
    let mut trace = Trace::new();
    assert_eq!(trace.to_string(), "no runs");
    let callable = session.prepare(z).unwrap();
    for _ in 0..4 {
        callable.run_with(RunOptions::new().trace(&mut trace), feeds![x => &xs]).unwrap();
    }
    let two = xs.slice(ndarray::s![..5, ..]);
    session.run_with(RunOptions::new().trace(&mut trace), z, feeds![x => &two]).unwrap();

    let nodes = trace.nodes();
    let products: Vec<_> = nodes.iter().filter(|node| node.operator == "matmul").collect();
    // Other shapes, another row.
    let mut sums: Vec<_> =
        products.iter().map(|node| (node.runs, node.parts, node.flops as u64)).collect();
    sums.sort_unstable();
    let flops = products.iter().map(|node| node.flops).fold(0.0, f64::max);
    assert_eq!(sums.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 4]);
    assert!(flops >= 4.0 * 2.0 * (10 * 64 * 32) as f64);
    assert!(products.iter().all(|node| node.nodes.starts_with("product")));
    assert!((nodes.iter().map(|node| node.share).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(nodes.windows(2).all(|pair| pair[0].time >= pair[1].time));
    assert!(trace.elapsed() >= nodes.iter().map(|node| node.time).sum());

    let (table, all) = (trace.to_string(), format!("{trace:#}"));
    assert!(table.starts_with("5 runs, ") && table.contains("of 1 thread\n"), "{table}");
    assert!(table.contains("product") && all.lines().count() == 2 + nodes.len(), "{all}");
    trace.clear();
    assert_eq!((trace.runs(), trace.nodes().len()), (0, 0));
}

#[test]
fn whatever_a_node_says_the_json_holds_it() {
    let message = "we\"ird\\ \u{1}\n\u{2028} näme 🦀 </script>";
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let y = x.check_numerics(message);
    let session = session(&g, 1);
    let mut trace = Trace::new();
    session.run_with(RunOptions::new().trace(&mut trace), y, feeds![x => &[1.0, 2.0]]).unwrap();
    let json = trace.to_chrome_json();
    let call = g.ir().print_call(y.id());
    assert!(call.contains("🦀") && call.contains('"'), "{call}");
    assert!(events(&json).iter().any(|event| event["args"]["call"] == *call), "{json}");

    let file = std::env::temp_dir().join(format!("abeyance-trace-{}.json", std::process::id()));
    trace.save(&file).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), json);
    std::fs::remove_file(&file).unwrap();
    assert!(trace.save(file.join("not a folder")).is_err());
}

#[test]
fn a_run_that_fails_adds_nothing() {
    let g = Graph::new();
    let x = g.placeholder::<i32>("x", dims![_]);
    let y = 6 / x;
    let session = session(&g, 1);
    let mut trace = Trace::new();
    let mut run = |value: i32| {
        session.run_with(RunOptions::new().trace(&mut trace), y, feeds![x => &[value]]).is_ok()
    };
    assert!(run(2) && !run(0) && run(3));
    assert_eq!(trace.runs(), 2);
}

#[test]
fn a_loop_is_one_node() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![]);
    let (_, y) = g.while_loop((g.constant(0i64), x), |(i, _)| i.less(5), |(i, y)| (i + 1, y * 2.0));
    let session = session(&g, 2);
    let mut trace = Trace::new();
    let y = session.run_with(RunOptions::new().trace(&mut trace), y, feeds![x => 1.0]).unwrap();
    assert_eq!(y.first(), Some(&32.0));
    assert!(trace.nodes().iter().any(|node| node.operator == "while_loop"), "{trace:#}");
}
