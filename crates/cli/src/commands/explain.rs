//! `abeyance explain`.

use std::path::PathBuf;

use abeyance::prelude::*;
use abeyance::session::quantity;
use clap::Args;
use serde_json::json;

use crate::error::Error;
use crate::feeds::feeds;
use crate::files::{self, Threads};
use crate::output::{self, Json};
use crate::random_inputs::{self, Sizes};

#[derive(Args)]
pub struct Options {
    /// The graph
    graph: PathBuf,
    /// The signature; all of them unless it is named
    #[arg(long, value_name = "NAME")]
    signature: Option<String>,
    /// Sizes of batches
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,10,100,1000")]
    batch: Vec<usize>,
    #[command(flatten)]
    sizes: Sizes,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    json: Json,
}

pub fn run(options: &Options) -> Result<(), Error> {
    let graph = files::graph(&options.graph)?;
    let with = SessionOptions::new().threads(options.threads.threads);
    let session = Session::with_options(&graph, with)?;
    let variables: u128 = session
        .variable_types()
        .map(|(_, dtype, dims)| {
            dims.iter().map(|&dim| dim as u128).product::<u128>() * dtype.size() as u128
        })
        .sum();
    let named: Vec<String> = match &options.signature {
        Some(name) => vec![name.clone()],
        None => {
            graph.ir().signatures().iter().map(|signature| signature.name.to_string()).collect()
        }
    };
    if named.is_empty() {
        files::signature(&graph, "train")?;
    }
    let mut rows = vec![
        ["signature", "batch", "arithmetic", "moved", "temporaries", "at least", "tasks"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut objects = Vec::new();
    for name in &named {
        files::signature(&graph, name)?;
        let run = session.signature(name)?;
        for &batch in &options.batch {
            let inputs = random_inputs::inputs(&graph, run.signature(), batch, &options.sizes, 0)?;
            let found = run.explain(feeds(&run, &inputs)?)?;
            rows.push(vec![
                name.clone(),
                batch.to_string(),
                quantity::flops(found.flops),
                quantity::bytes(found.bytes),
                quantity::bytes(found.memory as f64),
                quantity::bytes(found.least_memory as f64),
                found.tasks.to_string(),
            ]);
            objects.push(json!({
                "signature": name, "batch": batch, "flops": found.flops, "bytes": found.bytes,
                "memory": found.memory, "least_memory": found.least_memory, "tasks": found.tasks,
            }));
        }
    }
    if options.json.json {
        return output::json(
            &json!({ "graph": graph.name(), "variables": variables as u64, "runs": objects }),
        );
    }
    output::line(format!("variables {}\n", quantity::bytes(variables as f64)))?;
    output::line(output::table(1, &rows))
}
