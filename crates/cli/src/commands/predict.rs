//! `abeyance predict`.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use abeyance::ir::{DType, GraphSignature, Shape};
use abeyance::prelude::*;
use abeyance::session::{SignatureRun, Value};
use clap::Args;
use ndarray::{ArrayD, Axis, Slice, concatenate};
use serde_json::json;

use crate::arrays;
use crate::failure::Failure;
use crate::feeding::feeds;
use crate::files::{self, From, Threads};
use crate::metrics;
use crate::output::{self, Json};

/// More numbers of one output are not shown in a line.
const MOST_SHOWN: usize = 20;

#[derive(Args)]
pub struct Options {
    /// The graph
    graph: PathBuf,
    #[command(flatten)]
    from: From,
    /// NumPy arrays (.npy), PNG images or IDX files, several one after another; `NAME=FILE` where there are several inputs, the name
    /// being the signature's, such as `serving_default_x:0=a.npy`
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    input: Vec<String>,
    /// The signature
    #[arg(long, value_name = "NAME", default_value = "predict")]
    signature: String,
    /// Take images as negatives: MNIST's digits are white on black
    #[arg(long)]
    invert: bool,
    /// Examples in a run, where each is computed apart from the others: a graph that mixes them is run once on all
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

pub fn run(options: &Options) -> Result<(), Failure> {
    let graph = files::graph(&options.graph)?;
    files::signature(&graph, &options.signature)?;
    let session = files::session(&graph, &options.graph, &options.threads, &options.from)?;
    let run = session.signature(&options.signature)?;
    let (inputs, read) = inputs(options, &graph, run.signature())?;
    let outputs = batches(&run, &inputs, options.batch as usize)?;
    let names: Vec<&str> = run.signature().outputs.iter().map(|(name, _)| &**name).collect();
    if let Some(folder) = &options.output {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::Failed(format!("cannot make the folder `{}`: {error}", folder.display()))
        })?;
        for ((name, value), file) in names.iter().zip(&outputs).zip(file_names(&names)) {
            let path = folder.join(file);
            arrays::write_npy(&path, value)?;
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

/// A file's name for each output, `NAME.npy` with `_` for what a file's name should not hold: no two are the same, in letters of either case.
fn file_names(outputs: &[&str]) -> Vec<String> {
    const LONGEST: usize = 100;
    let plain = |sign: char| match sign.is_alphanumeric() || "_.-".contains(sign) {
        true => sign,
        false => '_',
    };
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

/// The files that were read for the inputs, and how many examples each of them has.
#[derive(Default)]
struct Files {
    /// Input, file, examples.
    read: Vec<(String, String, usize)>,
}

impl Files {
    /// The files and which examples each has, where several were read one after another for the one input that has any.
    fn parts(&self) -> Option<Vec<(String, Range<usize>)>> {
        let (input, ..) = self.read.first()?;
        if self.read.len() < 2 || self.read.iter().any(|(other, ..)| other != input) {
            return None;
        }
        let mut end = 0;
        let part = |(_, file, examples): &(String, String, usize)| {
            let start = end;
            end += examples;
            (file.clone(), start..end)
        };
        Some(self.read.iter().map(part).collect())
    }

    /// How many examples all files have together.
    fn examples(&self) -> usize {
        self.read.iter().map(|(.., examples)| examples).sum()
    }
}

/// The input and the file that `NAME=FILE` names: the longest name that the signature has, since names and files may have a `=` in them;
/// `None` where none is the name of an input.
fn named<'a>(text: &'a str, signature: &GraphSignature) -> Option<(&'a str, &'a str)> {
    let splits = text.rmatch_indices('=').filter_map(|(at, _)| {
        let (name, file) = text.split_at_checked(at)?;
        Some((name, file.get(1..)?))
    });
    splits.into_iter().find(|(name, _)| signature.input(name).is_some())
}

/// The values of all inputs, by their names.
fn inputs(
    options: &Options,
    graph: &Graph,
    signature: &GraphSignature,
) -> Result<(Vec<(String, Value)>, Files), Failure> {
    let mut values: Vec<(String, Value)> = Vec::new();
    let mut files = Files::default();
    for text in &options.input {
        let known = || -> Vec<String> {
            signature.inputs.iter().map(|(name, _)| format!("`{name}=FILE`")).collect()
        };
        let (name, path) = match (named(text, signature), signature.inputs.as_slice()) {
            (Some((name, path)), _) => (name.to_owned(), Path::new(path)),
            (None, []) => {
                return Err(Failure::Failed(format!(
                    "signature `{}` has no inputs",
                    signature.name
                )));
            }
            // A file whose name has a `=` in it, unless there is none of that name.
            (None, [(name, _)]) if !text.contains('=') || Path::new(text).exists() => {
                (name.to_string(), Path::new(text))
            }
            (None, [(name, _)]) => {
                return Err(Failure::Failed(format!(
                    "there is no file `{text}`, and the one input of signature `{}` is `{name}`",
                    signature.name
                )));
            }
            (None, several) => {
                return Err(Failure::Failed(format!(
                    "signature `{}` has {} inputs: say which `{text}` is for, such as {}",
                    signature.name,
                    several.len(),
                    known().join(" or ")
                )));
            }
        };
        let value = read(options, graph, signature, &name, path)?;
        let examples = value.shape().first().copied().unwrap_or(1);
        files.read.push((name.clone(), path.display().to_string(), examples));
        match values.iter_mut().find(|(known, _)| *known == name) {
            None => values.push((name, value)),
            Some((_, before)) => {
                *before = appended(before, &value).ok_or_else(|| {
                    Failure::Failed(format!(
                        "`{}` has another shape than what is before it for the input `{name}`",
                        path.display()
                    ))
                })?;
            }
        }
    }
    let missing = signature
        .inputs
        .iter()
        .find(|(name, _)| !values.iter().any(|(known, _)| **known == **name));
    match missing {
        Some((name, node)) => Err(Failure::Failed(format!(
            "nothing is fed to the input `{name}` : {}\n   = help: `--input {name}=FILE`",
            graph.ir().display_type(*node)
        ))),
        None => Ok((values, files)),
    }
}

fn read(
    options: &Options,
    graph: &Graph,
    signature: &GraphSignature,
    input: &str,
    path: &Path,
) -> Result<Value, Failure> {
    let ir = graph.ir();
    let Some(node) = signature.input(input) else {
        return Err(Failure::Failed(format!("there is no input `{input}`")));
    };
    let shape: Shape = ir.shape(node).unwrap_or_default();
    let dtype = ir.node(node).ty.tensor().map_or(DType::F32, |ty| ty.dtype);
    let value = match arrays::read(path)? {
        Value::U8(array) if options.invert => Value::U8(array.mapv(|byte| 255 - byte)),
        value => value,
    };
    let shown = format!("`{input}` : {}", ir.display_type(node));
    arrays::fit(value, dtype, &shape, &shown)
        .map_err(|what| Failure::Failed(format!("`{}` does not fit: {what}", path.display())))
}

/// The same expression for an array of each element type, as a value of that type.
macro_rules! map {
    ($value:expr, $array:ident => $result:expr) => {
        match $value {
            Value::F32($array) => Value::F32($result),
            Value::F64($array) => Value::F64($result),
            Value::I32($array) => Value::I32($result),
            Value::I64($array) => Value::I64($result),
            Value::U8($array) => Value::U8($result),
            Value::Bool($array) => Value::Bool($result),
        }
    };
}

/// The examples of one and then those of the other.
fn appended(one: &Value, other: &Value) -> Option<Value> {
    fn joined<T: Clone>(one: &ArrayD<T>, other: &ArrayD<T>) -> Option<ArrayD<T>> {
        match one.ndim() {
            0 => None,
            _ => concatenate(Axis(0), &[one.view(), other.view()]).ok(),
        }
    }
    Some(match (one, other) {
        (Value::F32(one), Value::F32(other)) => Value::F32(joined(one, other)?),
        (Value::F64(one), Value::F64(other)) => Value::F64(joined(one, other)?),
        (Value::I32(one), Value::I32(other)) => Value::I32(joined(one, other)?),
        (Value::I64(one), Value::I64(other)) => Value::I64(joined(one, other)?),
        (Value::U8(one), Value::U8(other)) => Value::U8(joined(one, other)?),
        (Value::Bool(one), Value::Bool(other)) => Value::Bool(joined(one, other)?),
        _ => return None,
    })
}

/// Runs the signature on a part of the examples at a time where their rows are treated apart ([`SignatureRun::batches`]); otherwise
/// once on all of them, as the answers would depend on where they are cut.
fn batches(
    run: &SignatureRun<'_>,
    inputs: &[(String, Value)],
    batch: usize,
) -> Result<Vec<Value>, Failure> {
    let once = |inputs: &[(String, Value)]| -> Result<Vec<Value>, Failure> {
        Ok(run.run(feeds(run, inputs)?)?)
    };
    let count = inputs.first().and_then(|(_, value)| value.shape().first().copied()).unwrap_or(0);
    let is_even = inputs.iter().all(|(_, value)| value.shape().first() == Some(&count));
    if count <= batch || !is_even || run.batches().is_err() {
        return once(inputs);
    }
    let mut parts: Vec<Vec<Value>> = Vec::new();
    for start in (0..count).step_by(batch) {
        let range = Slice::from(start..(start + batch).min(count));
        let part: Vec<(String, Value)> = inputs
            .iter()
            .map(|(name, value)| {
                let part = map!(value, array => array.slice_axis(Axis(0), range).to_owned());
                (name.clone(), part)
            })
            .collect();
        parts.push(once(&part)?);
    }
    let outputs = parts.first().map_or(0, Vec::len);
    (0..outputs).map(|place| joined(&parts, place)).collect()
}

/// One output of all parts, one after another.
fn joined(parts: &[Vec<Value>], place: usize) -> Result<Value, Failure> {
    macro_rules! join {
        ($variant:ident) => {{
            let views: Vec<_> = parts
                .iter()
                .filter_map(|part| match part.get(place) {
                    Some(Value::$variant(array)) => Some(array.view()),
                    _ => None,
                })
                .collect();
            Value::$variant(concatenate(Axis(0), &views).map_err(Failure::failed)?)
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

/// A line for each example where all outputs have as many, behind the name of its file if there are several; otherwise a line for each
/// output.
fn show(
    names: &[&str],
    outputs: &[Value],
    rows: Option<usize>,
    files: &Files,
) -> Result<(), Failure> {
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
            let more = match numbers.len() > MOST_SHOWN {
                true => format!(" .. {} in all", numbers.len()),
                false => String::new(),
            };
            format!("[{}{more}]", shown.join(" "))
        }
    }
}

/// As nested arrays of JSON, in which a number that is none is null; only some of its rows, if these are given.
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
