//! `abeyance bench`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use abeyance::prelude::*;
use abeyance::session::{SignatureRun, Value, quantity};
use clap::Args;
use serde_json::json;

use crate::error::Error;
use crate::feeds::feeds;
use crate::files;
use crate::output::{self, Json};
use crate::random_inputs::{self, Sizes};

/// Runs before the clock starts: the first compiles, the second finds the caches warm.
const WARM_UP: usize = 3;

#[derive(Args)]
pub struct Options {
    /// The graph
    graph: PathBuf,
    /// The signature
    #[arg(long, value_name = "NAME", default_value = "train")]
    signature: String,
    /// Sizes of batches
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "100")]
    batch: Vec<usize>,
    /// Numbers of threads; 0 for one on each core
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,0")]
    threads: Vec<usize>,
    /// How long each is timed
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    #[command(flatten)]
    sizes: Sizes,
    #[command(flatten)]
    json: Json,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("seconds above 0 and up to 3600 are wanted".to_owned()),
    }
}

pub fn run(options: &Options) -> Result<(), Error> {
    let graph = files::graph(&options.graph)?;
    files::signature(&graph, &options.signature)?;
    let mut rows = vec![
        ["batch", "threads", "ms a run", "fastest", "a second", "GFLOP/s"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut objects = Vec::new();
    for &batch in &options.batch {
        for &threads in &options.threads {
            let session = Session::with_options(&graph, SessionOptions::new().threads(threads))?;
            let run = session.signature(&options.signature)?;
            let inputs = random_inputs::inputs(&graph, run.signature(), batch, &options.sizes, 0)?;
            let flops = run.explain(feeds(&run, &inputs)?)?.flops;
            let times = time(&run, &inputs, Duration::from_secs_f64(options.seconds))?;
            let fastest = times.first().copied().unwrap_or_default().as_secs_f64();
            let median = times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64();
            rows.push(vec![
                batch.to_string(),
                session.threads().to_string(),
                format!("{:.4}", median * 1e3),
                format!("{:.4}", fastest * 1e3),
                quantity::count((batch as f64 / median) as u64),
                format!("{:.1}", flops / median / 1e9),
            ]);
            objects.push(json!({
                "signature": options.signature, "batch": batch, "threads": session.threads(), "runs": times.len(),
                "median_ms": median * 1e3, "fastest_ms": fastest * 1e3, "gflops": flops / median / 1e9,
            }));
        }
    }
    if options.json.json {
        objects.iter().try_for_each(output::json)
    } else {
        output::line(output::table(0, &rows))
    }
}

/// The times of runs, the shortest first. There is at least one.
fn time(
    run: &SignatureRun<'_>,
    inputs: &[(String, Value)],
    budget: Duration,
) -> Result<Vec<Duration>, Error> {
    for _ in 0..WARM_UP {
        run.run(feeds(run, inputs)?)?;
    }
    let start = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || start.elapsed() < budget {
        let began = Instant::now();
        run.run(feeds(run, inputs)?)?;
        times.push(began.elapsed());
    }
    times.sort();
    Ok(times)
}
