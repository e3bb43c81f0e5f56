//! `abeyance print`.

use std::path::PathBuf;

use abeyance::ir::{self, Role};
use abeyance::prelude::*;
use clap::Args;

use crate::error::Error;
use crate::feeds::feeds;
use crate::files::{self, Threads};
use crate::output;
use crate::picture;
use crate::random_inputs::{self, Sizes};

/// A picture of more nodes takes long and shows nothing.
const MOST_DRAWN: usize = 1000;

#[derive(Args)]
pub struct Options {
    /// The graph
    graph: PathBuf,
    /// The backward part and the updates too: all that is saved
    #[arg(long)]
    backward: bool,
    /// Every number of long arrays, such as weights, not just the first ones; with --backward the
    /// text that can be read back
    #[arg(long, conflicts_with_all = ["plan", "dot", "svg"])]
    whole: bool,
    /// The plan of a run of a signature (`train` unless named): fused loops, memory, order, costs
    #[arg(long, value_name = "SIGNATURE", num_args = 0..=1, default_missing_value = "train", conflicts_with_all = ["backward", "dot", "svg"])]
    plan: Option<String>,
    /// Graphviz source
    #[arg(long, conflicts_with = "svg")]
    dot: bool,
    /// A picture, such as in `abeyance print x.graph --svg > x.svg`
    #[arg(long)]
    svg: bool,
    /// Images in the run that is planned
    #[arg(long, value_name = "N", default_value_t = 100, requires = "plan")]
    batch: usize,
    #[command(flatten)]
    sizes: Sizes,
    #[command(flatten)]
    threads: Threads,
}

pub fn run(options: &Options) -> Result<(), Error> {
    let graph = files::graph(&options.graph)?;
    if let Some(signature) = &options.plan {
        return output::line(plan(options, &graph, signature)?);
    }
    let is_shown = |node: &ir::Node| options.backward || node.role == Role::Forward;
    let ir = graph.ir();
    if options.dot {
        return output::line(ir.to_dot_of(is_shown));
    }
    if options.svg {
        let nodes = ir.iter().filter(|(_, node)| is_shown(node)).count();
        if nodes > MOST_DRAWN {
            return Err(Error::Failed(format!(
                "a picture of {nodes} nodes shows nothing; {MOST_DRAWN} are drawn at most\n   = help: `--dot` gives Graphviz source of any size"
            )));
        }
        return output::line(picture::svg(&ir, is_shown));
    }
    let text = if options.whole { ir.to_text() } else { ir.to_string() };
    output::line(if options.backward { text } else { forward(&text) })
}

fn plan(options: &Options, graph: &Graph, signature: &str) -> Result<String, Error> {
    let with = SessionOptions::new().threads(options.threads.threads);
    files::signature(graph, signature)?;
    let session = Session::with_options(graph, with)?;
    let run = session.signature(signature)?;
    let inputs = random_inputs::inputs(graph, run.signature(), options.batch, &options.sizes, 0)?;
    Ok(run.explain(feeds(&run, &inputs)?)?.to_string())
}

/// The text without what was derived: of those blocks it says only how large they are.
fn forward(text: &str) -> String {
    let mut lines = Vec::new();
    let mut hidden: Option<(&str, usize)> = None;
    for line in text.lines() {
        hidden = match (hidden, line) {
            (None, "  backward {") => Some(("backward", 0)),
            (None, "  update {") => Some(("update", 0)),
            (Some((name, nodes)), "  }") => {
                lines.push(format!("  {name} {{ {nodes} lines, shown with --backward }}"));
                None
            }
            (Some((name, nodes)), _) => Some((name, nodes + 1)),
            (None, line) => {
                lines.push(line.to_owned());
                None
            }
        };
    }
    lines.join("\n")
}
