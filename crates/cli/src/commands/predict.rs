//! `abeyance predict`.

use std::collections::HashSet;
use std::ops::Range;
use std::path::PathBuf;

use abeyance::ir::DType;
use abeyance::session::{SignatureRun, Value};
use clap::Args;
use ndarray::{Axis, concatenate};
use serde_json::json;

use crate::error::Error;
use crate::feeds::feeds;
use crate::files::{self, From, Threads};
use crate::input_files::{self, Files};
use crate::metrics;
use crate::npy;
use crate::output::{self, Json};

/// More numbers of one output are not shown in a line.
const MOST_SHOWN: usize = 20;

#[derive(Args)]
pub struct Options {
    /// The graph, or a package
    graph: PathBuf,
    #[command(flatten)]
    from: From,
    /// NumPy arrays (.npy), PNG images or IDX files, several one after another; `NAME=FILE` where
    /// there are several inputs, the name being the signature's, such as
    /// `serving_default_x:0=a.npy`
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    input: Vec<String>,
    /// The signature
    #[arg(long, value_name = "NAME", default_value = "predict")]
    signature: String,
    /// Take images as negatives: MNIST's digits are white on black
    #[arg(long)]
    invert: bool,
    /// Examples in a run, where each is computed apart from the others: a graph that mixes them is
    /// run once on all
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Write each output as `NAME.npy` in this folder instead of showing it
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    json: Json,
}

pub fn run(options: &Options) -> Result<(), Error> {
    let model = files::model(&options.graph, &options.from)?;
    let graph = &model.graph;
    files::signature(graph, &options.signature)?;
    let session = files::session(&model, &options.threads)?;
    let run = session.signature(&options.signature)?;
    let (inputs, read) =
        input_files::inputs(&options.input, options.invert, graph, run.signature())?;
    let outputs = batches(&run, &inputs, options.batch as usize)?;
    let names: Vec<&str> = run.signature().outputs.iter().map(|(name, _)| &**name).collect();
    if let Some(folder) = &options.output {
        std::fs::create_dir_all(folder).map_err(|error| {
            Error::Failed(format!("cannot make the folder `{}`: {error}", folder.display()))
        })?;
        for ((name, value), file) in names.iter().zip(&outputs).zip(file_names(&names)) {
            let path = folder.join(file);
            npy::write(&path, value)?;
            let (shown, dtype, shape) = (path.display(), value.dtype(), value.shape());
            output::line(format!("wrote `{shown}`, {dtype}{shape:?}, the output `{name}`"))?;
        }
        return Ok(());
    }
    let rows = rows(&outputs);
    if options.json.json {
        let object = |rows: Option<Range<usize>>| -> serde_json::Map<String, serde_json::Value> {
            let shown = names.iter().zip(&outputs);
            shown.map(|(name, value)| ((*name).to_owned(), nested(value, &rows))).collect()
        };
        return match (read.parts(), rows) {
            (None, _) => output::json(&object(None)),
            // What the files gave together: they cannot be told apart in it.
            (Some(parts), rows) if rows != Some(read.examples()) => {
                let files: Vec<&str> = parts.iter().map(|(file, _)| &**file).collect();
                output::json(&json!({ "files": files, "outputs": object(None) }))
            }
            (Some(parts), _) => parts.into_iter().try_for_each(|(file, rows)| {
                output::json(&json!({ "file": file, "outputs": object(Some(rows)) }))
            }),
        };
    }
    show(&names, &outputs, rows, &read)
}

/// A file's name for each output, `NAME.npy` with `_` for what a file's name should not hold: no
/// two are the same, in letters of either case.
fn file_names(outputs: &[&str]) -> Vec<String> {
    const LONGEST: usize = 100;
    let plain =
        |sign: char| if sign.is_alphanumeric() || "_.-".contains(sign) { sign } else { '_' };
    let mut taken = HashSet::new();
    let name = |name: &&str| {
        let name: String = name.chars().take(LONGEST).map(plain).collect();
        let name = name.trim_start_matches('.');
        let numbered = (1..).map(|count| format!("{name}_{count}"));
        let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
        let free = candidates.find(|name| !name.is_empty() && taken.insert(name.to_lowercase()));
        format!("{}.npy", free.unwrap_or_default())
    };
    outputs.iter().map(name).collect()
}

/// How many examples there are, if all outputs have as many.
fn rows(outputs: &[Value]) -> Option<usize> {
    let count = outputs.first().and_then(|value| value.shape().first().copied());
    count.filter(|count| outputs.iter().all(|value| value.shape().first() == Some(count)))
}

/// Runs the signature on a part of the examples at a time where their rows are treated apart
/// ([`SignatureRun::batches`]); otherwise once on all of them, as the answers would depend on where
/// they are cut.
fn batches(
    run: &SignatureRun<'_>,
    inputs: &[(String, Value)],
    batch: usize,
) -> Result<Vec<Value>, Error> {
    let once = |inputs: &[(String, Value)]| -> Result<Vec<Value>, Error> {
        Ok(run.run(feeds(run, inputs)?)?)
    };
    let count = match input_files::examples(run, inputs) {
        Some(count) if count > batch => count,
        _ => return once(inputs),
    };
    let mut parts: Vec<Vec<Value>> = Vec::new();
    for start in (0..count).step_by(batch) {
        parts.push(once(&input_files::part(inputs, start..(start + batch).min(count)))?);
    }
    let outputs = parts.first().map_or(0, Vec::len);
    (0..outputs).map(|place| joined(&parts, place)).collect()
}

/// One output of all parts, one after another.
fn joined(parts: &[Vec<Value>], place: usize) -> Result<Value, Error> {
    macro_rules! join {
        ($variant:ident) => {{
            let views: Vec<_> = parts
                .iter()
                .filter_map(|part| match part.get(place) {
                    Some(Value::$variant(array)) => Some(array.view()),
                    _ => None,
                })
                .collect();
            Value::$variant(concatenate(Axis(0), &views).map_err(Error::failed)?)
        }};
    }
    Ok(match parts.first().and_then(|part| part.get(place)).map(Value::dtype) {
        Some(DType::F64) => join!(F64),
        Some(DType::I32) => join!(I32),
        Some(DType::I64) => join!(I64),
        Some(DType::U8) => join!(U8),
        Some(DType::Bool) => join!(Bool),
        _ => join!(F32),
    })
}

/// A line for each example where all outputs have as many, behind the name of its file if there are
/// several; otherwise a line for each output.
fn show(
    names: &[&str],
    outputs: &[Value],
    rows: Option<usize>,
    files: &Files,
) -> Result<(), Error> {
    let Some(rows) = rows else {
        return names.iter().zip(outputs).try_for_each(|(name, value)| {
            output::line(format!("{name} {}", numbers(value.dtype(), &value.to_f64())))
        });
    };
    let all: Vec<Vec<f64>> = outputs.iter().map(Value::to_f64).collect();
    let parts = files.parts().filter(|_| rows == files.examples()).unwrap_or_default();
    // Of a file with several examples each by its number in the file, from 0.
    let of_file = |row: usize| {
        let (file, part) = parts.iter().find(|(_, part)| part.contains(&row))?;
        Some(match part.len() {
            1 => file.clone(),
            _ => format!("{file}[{}]", row - part.start),
        })
    };
    for row in 0..rows {
        let shown = names.iter().zip(outputs).zip(&all).map(|((name, value), all)| {
            let width = all.len() / rows.max(1);
            let part = all.get(row * width..(row + 1) * width).unwrap_or_default();
            format!("{name} {}", numbers(value.dtype(), part))
        });
        output::line(of_file(row).into_iter().chain(shown).collect::<Vec<_>>().join("   "))?;
    }
    Ok(())
}

/// Numbers that stand together have four decimals if that says something of the largest.
fn numbers(dtype: DType, numbers: &[f64]) -> String {
    let largest = numbers.iter().map(|number| number.abs()).fold(0.0, f64::max);
    let one = |number: &f64| match dtype {
        DType::F32 | DType::F64 if (1e-2..1e5).contains(&largest) => format!("{number:.4}"),
        DType::F32 | DType::F64 => metrics::number(*number),
        DType::Bool => (*number != 0.0).to_string(),
        _ => format!("{number:.0}"),
    };
    match numbers {
        [number] => one(number),
        _ => {
            let shown: Vec<String> = numbers.iter().take(MOST_SHOWN).map(one).collect();
            let more = if numbers.len() > MOST_SHOWN {
                format!(" .. {} in all", numbers.len())
            } else {
                String::new()
            };
            format!("[{}{more}]", shown.join(" "))
        }
    }
}

/// As nested arrays of JSON, in which a number that is none is null; only some of its rows, if
/// these are given.
fn nested(value: &Value, rows: &Option<Range<usize>>) -> serde_json::Value {
    fn level(dtype: DType, dims: &[usize], numbers: &[f64]) -> serde_json::Value {
        let Some((&first, rest)) = dims.split_first() else {
            let number = numbers.first().copied().unwrap_or(f64::NAN);
            return match dtype {
                DType::F32 | DType::F64 => number.into(),
                DType::Bool => (number != 0.0).into(),
                _ => (number as i64).into(),
            };
        };
        let width = numbers.len() / first.max(1);
        let part =
            |index: usize| numbers.get(index * width..(index + 1) * width).unwrap_or_default();
        (0..first).map(|index| level(dtype, rest, part(index))).collect()
    }
    let numbers = value.to_f64();
    let mut dims = value.shape().to_vec();
    let Some((rows, first)) = rows.as_ref().zip(dims.first_mut()) else {
        return level(value.dtype(), &dims, &numbers);
    };
    let width = numbers.len() / (*first).max(1);
    *first = rows.len();
    let part = numbers.get(rows.start * width..rows.end * width).unwrap_or_default();
    level(value.dtype(), &dims, part)
}
