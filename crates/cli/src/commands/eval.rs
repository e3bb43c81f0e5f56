//! `abeyance eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::data::{Data, Inputs};
use crate::error::Error;
use crate::files::{self, From, Threads};
use crate::metrics;
use crate::output::{self, Json};

#[derive(Args)]
pub struct Options {
    /// The graph or package, with a signature `evaluate` of inputs `images` and `labels`
    graph: PathBuf,
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    data: Data,
    /// Which half of the data
    #[arg(long, value_enum, default_value_t = Half::Test)]
    set: Half,
    /// Images in a run
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    json: Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum Half {
    Train,
    Test,
}

pub fn run(options: &Options) -> Result<(), Error> {
    let model = files::model(&options.graph, &options.from)?;
    let signature = files::signature(&model.graph, "evaluate")?;
    let session = files::session(&model, &options.threads)?;
    let data = options.data.load()?;
    let (name, half) = match options.set {
        Half::Train => ("train", &data.train),
        Half::Test => ("test", &data.test),
    };
    let inputs = Inputs::new(&model.graph, &signature, half)?;
    let batch = options.batch as usize;
    let (found, _) = metrics::evaluate(&session, "evaluate", &inputs, half, batch, None)?;
    if options.json.json {
        return output::json(
            &json!({ "set": name, "images": half.len(), "metrics": metrics::object(&found) }),
        );
    }
    for (metric, value) in &found {
        output::line(format!("{name} {metric} {}", metrics::number(*value)))?;
    }
    Ok(())
}
