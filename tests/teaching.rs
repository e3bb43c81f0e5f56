//! `docs/one-training-step.md` shows what the engine prints: what stands between its marks is
//! compared with that.
//!
//! `UPDATE_TEACHING=1 cargo test --test teaching` rewrites it.

use std::path::Path;

use abeyance::prelude::*;

mod networks;

const PAGE: &str = "docs/one-training-step.md";

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines from the one that begins so up to the one that is this.
fn excerpt(path: &str, first: &str, last: &str) -> String {
    let text = source(path);
    let lines = text.lines().skip_while(|line| !line.starts_with(first));
    let mut taken: Vec<&str> = Vec::new();
    for line in lines {
        taken.push(line);
        if line == last {
            return format!("```rust,ignore\n{}\n```", taken.join("\n"));
        }
    }
    panic!("{path} has no `{first}` .. `{last}`")
}

fn text(block: &str) -> String {
    format!("```text\n{}\n```", block.trim_end())
}

/// A part of a printed graph.
fn part(graph: &str, name: &str) -> String {
    let begins = format!("  {name} {{");
    let lines = graph.lines().skip_while(|line| *line != begins);
    let lines: Vec<&str> = lines.take_while(|line| *line != "  }").collect();
    assert!(!lines.is_empty(), "no part `{name}`");
    let inner = lines.iter().skip(1).map(|line| line.strip_prefix("    ").unwrap_or(line));
    text(&inner.collect::<Vec<_>>().join("\n"))
}

/// The blocks of the page by their marks.
fn blocks() -> Vec<(&'static str, String)> {
    let g = Graph::named("mnist_softmax");
    let network = networks::softmax(&g);
    let graph = g.to_string();
    let session = Session::with_options(&g, SessionOptions::new().threads(1).seed(0)).unwrap();
    let mnist = Mnist::load().unwrap();
    let batches: Vec<_> = mnist.train.batches(100).take(3).collect();
    let step = network.train_step;
    let drafts = session.explain_passes(step, network.feeds(&batches[0])).unwrap();
    let count = |draft: &str| draft.lines().filter(|line| line.contains(" = ")).count();
    let mut passes = String::from("| pass | instructions after it |\n| --- | --- |\n");
    for (name, draft) in &drafts {
        passes += &format!("| `{name}` | {} |\n", count(draft));
    }
    let plan = session.explain(step, network.feeds(&batches[0])).unwrap().to_string();
    let losses: Vec<String> = batches
        .iter()
        .enumerate()
        .map(|(index, batch)| {
            let (loss, ()) = session.run((network.loss, step), network.feeds(batch)).unwrap();
            format!("step {index}: cross entropy {loss:.3}")
        })
        .collect();
    let unary = "crates/graph/src/ops/unary.rs";
    vec![
        ("program", excerpt("examples/mnist_softmax.rs", "pub(crate) fn network", "}")),
        ("forward", part(&graph, "forward")),
        ("backward", part(&graph, "backward")),
        ("rule", excerpt(unary, "/// The natural logarithm. Gradient", "};")),
        ("update", part(&graph, "update")),
        ("translation", text(&drafts[0].1)),
        ("passes", passes.trim_end().to_owned()),
        ("last", text(&drafts[drafts.len() - 1].1)),
        ("plan", text(&plan)),
        ("loop", excerpt("crates/kernels/src/softmax.rs", "fn short_rows", "}")),
        ("run", text(&losses.join("\n"))),
    ]
}

#[test]
fn the_page_of_one_training_step_shows_what_the_engine_prints() {
    let page = source(PAGE);
    let mut wanted = page.clone();
    for (name, block) in blocks() {
        let mark = format!("<!-- {name} -->");
        let (before, behind) =
            wanted.split_once(&mark).unwrap_or_else(|| panic!("{PAGE} has no mark `{mark}`"));
        // What was printed before ends where its closing mark stands, if there is one.
        let end = format!("<!-- end of {name} -->");
        let rest = behind.split_once(&end).map_or(behind, |(_, rest)| rest);
        wanted = format!("{before}{mark}\n\n{block}\n\n{end}{rest}");
    }
    if std::env::var_os("UPDATE_TEACHING").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), &wanted).unwrap();
    } else {
        let differing = page.lines().zip(wanted.lines()).enumerate().find(|(_, (a, b))| a != b);
        assert!(
            page == wanted,
            "{PAGE} is not what the engine prints, first at {differing:?}: \
             `UPDATE_TEACHING=1 cargo test --test teaching` rewrites it"
        );
    }
}
