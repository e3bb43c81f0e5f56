//! `abeyance info`.

use std::path::PathBuf;

use abeyance::ir::Array;
use abeyance::session::{Value, quantity};
use clap::Args;
use serde_json::json;

use crate::error::Error;
use crate::files;
use crate::metrics;
use crate::output::{self, Json};

#[derive(Args)]
pub struct Options {
    /// A checkpoint, a folder of which the newest is shown, or a package
    checkpoint: PathBuf,
    #[command(flatten)]
    json: Json,
}

/// Statistics of a variable's numbers.
struct Summary {
    least: f64,
    mean: f64,
    most: f64,
    /// The number of those that are NaN or infinite.
    odd: usize,
}

impl Summary {
    fn of(array: &Array) -> Self {
        let numbers = Value::from(array).to_f64();
        let count = numbers.len() as f64;
        Self {
            least: numbers.iter().copied().fold(f64::INFINITY, f64::min),
            mean: numbers.iter().sum::<f64>() / count,
            most: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            odd: numbers.iter().filter(|number| !number.is_finite()).count(),
        }
    }
}

pub fn run(options: &Options) -> Result<(), Error> {
    let checkpoint = files::checkpoint(&options.checkpoint)?;
    let total: usize = checkpoint.variables().map(|(_, array)| array.len()).sum();
    let bytes: usize = checkpoint.variables().map(|(_, array)| array.bytes.len()).sum();
    if options.json.json {
        let variables = checkpoint.variables().map(|(name, array)| {
            let Summary { least, mean, most, odd } = Summary::of(array);
            json!({
                "name": name, "dtype": array.dtype.name(), "shape": array.dims.to_vec(),
                "min": least, "mean": mean, "max": most, "not_finite": odd,
            })
        });
        let notes: serde_json::Map<String, serde_json::Value> =
            checkpoint.notes().map(|(key, value)| (key.to_owned(), value.into())).collect();
        return output::json(&json!({
            "complete": checkpoint.is_complete(), "graph": checkpoint.graph(), "step": checkpoint.step(),
            "seed": checkpoint.seed(), "notes": notes, "numbers": total, "bytes": bytes,
            "variables": variables.collect::<Vec<_>>(),
        }));
    }
    if checkpoint.is_complete() {
        let (graph, step, seed) = (checkpoint.graph(), checkpoint.step(), checkpoint.seed());
        output::line(format!("graph {graph}, step {step}, seed {seed}"))?;
    } else {
        output::line("values only: written by another program")?;
    }
    for (key, value) in checkpoint.notes() {
        output::line(format!("{key} {value}"))?;
    }
    let mut rows = vec![["variable", "type", "min", "mean", "max", ""].map(str::to_owned).to_vec()];
    for (name, array) in checkpoint.variables() {
        let Summary { least, mean, most, odd } = Summary::of(array);
        let odd = match odd {
            0 => String::new(),
            odd => format!("{odd} not finite"),
        };
        let mut row = vec![name.to_owned(), format!("{}{:?}", array.dtype, &array.dims[..])];
        row.extend(if array.is_empty() {
            [const { String::new() }; 3]
        } else {
            [least, mean, most].map(metrics::number)
        });
        row.push(odd);
        rows.push(row);
    }
    output::line(format!("\n{}\n", output::table(2, &rows)))?;
    let count = rows.len() - 1;
    let (total, bytes) = (quantity::count(total as u64), quantity::bytes(bytes as f64));
    output::line(format!("{count} variables, {total} numbers, {bytes}"))
}
