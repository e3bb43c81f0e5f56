//! Reading the inputs of a signature from files.

use std::ops::Range;
use std::path::Path;

use abeyance::ir::{DType, GraphSignature, Shape};
use abeyance::prelude::*;
use abeyance::session::{SignatureRun, Value};
use ndarray::{ArrayD, Axis, Slice, concatenate};

use crate::arrays;
use crate::error::Error;

/// The files that were read for the inputs, with their numbers of examples.
#[derive(Default)]
pub struct Files {
    /// Input, file, examples.
    read: Vec<(String, String, usize)>,
}

impl Files {
    /// The files and which examples each has, where several were read one after another for the one
    /// input that has any.
    pub fn parts(&self) -> Option<Vec<(String, Range<usize>)>> {
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

    /// The number of examples of all files together.
    pub fn examples(&self) -> usize {
        self.read.iter().map(|(.., examples)| examples).sum()
    }
}

/// The input and the file that `NAME=FILE` names: the longest name that the signature has, since
/// names and files may have a `=` in them; `None` where none is the name of an input.
fn named<'a>(text: &'a str, signature: &GraphSignature) -> Option<(&'a str, &'a str)> {
    let splits = text.rmatch_indices('=').filter_map(|(at, _)| {
        let (name, file) = text.split_at_checked(at)?;
        Some((name, file.get(1..)?))
    });
    splits.into_iter().find(|(name, _)| signature.input(name).is_some())
}

/// The input and the file of `NAME=FILE`, or of `FILE` where there is one input.
///
/// # Errors
/// There is no input, or it is not clear which one is meant.
fn target<'a>(text: &'a str, signature: &'a GraphSignature) -> Result<(&'a str, &'a Path), Error> {
    if let Some((name, path)) = named(text, signature) {
        return Ok((name, Path::new(path)));
    }
    let message = match signature.inputs.as_slice() {
        [] => format!("signature `{}` has no inputs", signature.name),
        // A file whose name has a `=` in it, unless there is none of that name.
        [(name, _)] if !text.contains('=') || Path::new(text).exists() => {
            return Ok((&**name, Path::new(text)));
        }
        [(name, _)] => format!(
            "there is no file `{text}`, and the one input of signature `{}` is `{name}`",
            signature.name
        ),
        several => {
            let choices: Vec<String> =
                several.iter().map(|(name, _)| format!("`{name}=FILE`")).collect();
            format!(
                "signature `{}` has {} inputs: say which `{text}` is for, such as {}",
                signature.name,
                several.len(),
                choices.join(" or ")
            )
        }
    };
    Err(Error::Failed(message))
}

/// Reads the values of all inputs, by name, from arrays, images or IDX files; `texts` are `FILE`,
/// or `NAME=FILE` where there are several inputs. Several files of one input are put together along
/// the first dimension; `invert` takes images as negatives.
pub fn inputs(
    texts: &[String],
    invert: bool,
    graph: &Graph,
    signature: &GraphSignature,
) -> Result<(Vec<(String, Value)>, Files), Error> {
    let mut values: Vec<(String, Value)> = Vec::new();
    let mut files = Files::default();
    for text in texts {
        let (name, path) = target(text, signature)?;
        let name = name.to_owned();
        let value = read(invert, graph, signature, &name, path)?;
        let examples = value.shape().first().copied().unwrap_or(1);
        files.read.push((name.clone(), path.display().to_string(), examples));
        match values.iter_mut().find(|(known, _)| *known == name) {
            None => values.push((name, value)),
            Some((_, before)) => {
                *before = appended(before, &value).ok_or_else(|| {
                    Error::Failed(format!(
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
        Some((name, node)) => Err(Error::Failed(format!(
            "nothing is fed to the input `{name}` : {}\n   = help: `--input {name}=FILE`",
            graph.ir().display_type(*node)
        ))),
        None => Ok((values, files)),
    }
}

fn read(
    invert: bool,
    graph: &Graph,
    signature: &GraphSignature,
    input: &str,
    path: &Path,
) -> Result<Value, Error> {
    let ir = graph.ir();
    let Some(node) = signature.input(input) else {
        return Err(Error::Failed(format!("there is no input `{input}`")));
    };
    let shape: Shape = ir.shape(node).unwrap_or_default();
    let dtype = ir.node(node).ty.tensor().map_or(DType::F32, |ty| ty.dtype);
    let value = match arrays::read(path)? {
        Value::U8(array) if invert => Value::U8(array.mapv(|byte| 255 - byte)),
        value => value,
    };
    let shown = format!("`{input}` : {}", ir.display_type(node));
    arrays::fit(value, dtype, &shape, &shown)
        .map_err(|what| Error::Failed(format!("`{}` does not fit: {what}", path.display())))
}

/// Evaluates an expression for the array in a value, whatever its element type, to a value of that
/// type.
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

/// Appends the examples of `other` to those of `one`; `None` where shapes or types differ.
fn appended(one: &Value, other: &Value) -> Option<Value> {
    fn joined<T: Clone>(one: &ArrayD<T>, other: &ArrayD<T>) -> Option<ArrayD<T>> {
        if one.ndim() == 0 {
            return None;
        }
        concatenate(Axis(0), &[one.view(), other.view()]).ok()
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

/// The number of examples; `None` where an example may not be run alone with the same result
/// ([`SignatureRun::batches`]).
pub fn examples(run: &SignatureRun<'_>, inputs: &[(String, Value)]) -> Option<usize> {
    let count = inputs.first().and_then(|(_, value)| value.shape().first().copied())?;
    let is_even = inputs.iter().all(|(_, value)| value.shape().first() == Some(&count));
    (is_even && run.batches().is_ok()).then_some(count)
}

/// The examples of a range.
pub fn part(inputs: &[(String, Value)], range: Range<usize>) -> Vec<(String, Value)> {
    let range = Slice::from(range);
    let part = |value: &Value| map!(value, array => array.slice_axis(Axis(0), range).to_owned());
    inputs.iter().map(|(name, value)| (name.clone(), part(value))).collect()
}
