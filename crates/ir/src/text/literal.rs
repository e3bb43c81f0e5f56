//! Arrays as text: how they are read.

use smallvec::SmallVec;

use super::array::{ELLIPSIS, FILL_LIMIT};
use super::cursor::{Cursor, Read, advise, mistake};
use crate::graph::MAX_RANK;
use crate::{Array, DType, Dims, Graph, TensorType, element_count, known_dims};

/// Reads an array. `result` is the type of the node that has it, `budget` the bytes that `fill(..)`
/// may still claim.
pub(super) fn read_array(
    cursor: &mut Cursor<'_>,
    graph: &Graph,
    result: Option<&TensorType>,
    budget: &mut usize,
) -> Read<Array> {
    let (dtype, dims) = read_type(cursor, graph, result)?;
    if cursor.peek() == Some(b'[') {
        return read_listed(cursor, dtype, dims);
    }
    let Some(word) = cursor.word() else {
        return Err(cursor.expected("a number, `[` or `fill(..)`"));
    };
    let mut bytes = Vec::new();
    if word != "fill" {
        read_element(word, dtype, &mut bytes)?;
        return finish(dtype, Dims::new(), dims.filter(|dims| dims.is_stated), bytes);
    }
    cursor.expect(b'(', "`fill`")?;
    match cursor.word() {
        Some(word) => read_element(word, dtype, &mut bytes)?,
        None => return Err(cursor.expected("a number")),
    }
    cursor.expect(b')', "the number")?;
    let Some(Sizes { dims, .. }) = dims else {
        return Err(unknown_sizes("fill(..)", dtype));
    };
    let count = element_count(&dims)
        .filter(|&count| count <= *budget / dtype.size())
        .ok_or_else(|| {
            advise(
                format!("`fill` of {}[{}] is too large", dtype, join(&dims)),
                format!(
                    "all `fill` of a text together may take {} MiB: list the elements, or compute them by a node",
                    FILL_LIMIT >> 20
                ),
            )
        })?;
    let bytes = bytes.repeat(count);
    *budget -= bytes.len();
    Ok(Array { dtype, dims, bytes })
}

/// The sizes that an array should have.
struct Sizes {
    dims: Dims,
    /// True if the text states them for this array, rather than for the node.
    is_stated: bool,
}

/// Reads the type before an array, `f32[2, 3]`. Without one it is the node's type.
fn read_type(
    cursor: &mut Cursor<'_>,
    graph: &Graph,
    result: Option<&TensorType>,
) -> Read<(DType, Option<Sizes>)> {
    let mut ahead = *cursor;
    if let Some(dtype) = ahead.word().and_then(DType::from_name) {
        *cursor = ahead;
        let mut dims = Dims::new();
        cursor.list([b'[', b']'], "an array's element type", |cursor| {
            let word = cursor.word();
            let size = word.and_then(|word| word.parse().ok());
            match size {
                Some(_) if dims.len() == MAX_RANK => Err(too_deep()),
                Some(size) => {
                    dims.push(size);
                    Ok(())
                }
                None => Err(cursor.expected("the size of a dimension")),
            }
        })?;
        return Ok((dtype, Some(Sizes { dims, is_stated: true })));
    }
    let Some(result) = result else {
        return Err(advise(
            "an array of unknown element type",
            "write its type before it: `f32[2] [0.5, 1.5]`",
        ));
    };
    let dims = known_dims(&graph.resolve(&result.shape));
    Ok((result.dtype, dims.map(|dims| Sizes { dims, is_stated: false })))
}

/// Reads brackets within brackets, without recursion.
fn read_listed(cursor: &mut Cursor<'_>, dtype: DType, sizes: Option<Sizes>) -> Read<Array> {
    let mut bytes = Vec::new();
    let mut nesting = Nesting::default();
    loop {
        if cursor.eat(b'[') {
            nesting.open()?;
            if nesting.open.len() == 1 && cursor.eat(b']') {
                return read_empty(dtype, sizes);
            }
            continue;
        }
        let Some(word) = cursor.word() else {
            return Err(cursor.expected("a number or `[`"));
        };
        if word.starts_with(ELLIPSIS) {
            return Err(shortened());
        }
        nesting.check_depth(word)?;
        read_element(word, dtype, &mut bytes)?;
        if nesting.read_closing(cursor)? {
            let dims = nesting.lengths.into_iter().flatten().collect();
            return finish(dtype, dims, sizes.filter(|sizes| sizes.is_stated), bytes);
        }
    }
}

/// The array that `[]` stands for: its sizes have to be known, and one of them 0.
fn read_empty(dtype: DType, sizes: Option<Sizes>) -> Read<Array> {
    let Some(Sizes { dims, .. }) = sizes else {
        return Err(unknown_sizes("[]", dtype));
    };
    match element_count(&dims) {
        Some(0) => Ok(Array { dtype, dims, bytes: Vec::new() }),
        _ => Err(mistake(format!("no elements for the sizes [{}]", join(&dims)))),
    }
}

/// The lists that are open while an array is read, and the sizes that they showed so far.
#[derive(Default)]
struct Nesting {
    /// The items so far of each list that is open, outermost first.
    open: SmallVec<[usize; 8]>,
    /// The length of the first list at each depth that was closed: the others must be as long.
    lengths: SmallVec<[Option<usize>; 8]>,
    /// The number of lists around the first number: there must be as many around the others.
    depth: Option<usize>,
}

impl Nesting {
    /// Opens a list.
    fn open(&mut self) -> Read<()> {
        if self.open.len() == MAX_RANK {
            return Err(too_deep());
        }
        if self.depth.is_some_and(|depth| self.open.len() >= depth) {
            return Err(mistake("a list where the array has numbers before"));
        }
        self.open.push(0);
        if self.lengths.len() < self.open.len() {
            self.lengths.push(None);
        }
        Ok(())
    }

    /// Checks that a number may stand in the list that is open.
    fn check_depth(&mut self, word: &str) -> Read<()> {
        if *self.depth.get_or_insert(self.open.len()) == self.open.len() {
            return Ok(());
        }
        Err(mistake(format!("`{}` where the array has lists before", crate::shorten::word(word))))
    }

    /// Reads the comma behind a number, or the brackets of the lists that it ends. True if all
    /// lists are closed then.
    fn read_closing(&mut self, cursor: &mut Cursor<'_>) -> Read<bool> {
        loop {
            if let Some(count) = self.open.last_mut() {
                *count += 1;
            }
            if cursor.eat(b',') {
                return Ok(false);
            }
            if !cursor.eat(b']') {
                return Err(cursor.expected("`,` or `]`"));
            }
            let count = self.open.pop().unwrap_or_default();
            if let Some(length) = self.lengths.get_mut(self.open.len()) {
                let length = *length.get_or_insert(count);
                if length != count {
                    return Err(mistake(format!(
                        "a list of {count} where the one before has {length}"
                    )));
                }
            }
            if self.open.is_empty() {
                return Ok(true);
            }
        }
    }
}

fn finish(dtype: DType, dims: Dims, sizes: Option<Sizes>, bytes: Vec<u8>) -> Read<Array> {
    match sizes {
        Some(sizes) if sizes.dims != dims => Err(mistake(format!(
            "elements with sizes [{}] where the type says [{}]",
            join(&dims),
            join(&sizes.dims)
        ))),
        _ => Ok(Array { dtype, dims, bytes }),
    }
}

fn read_element(word: &str, dtype: DType, bytes: &mut Vec<u8>) -> Read<()> {
    let is_read = match dtype {
        DType::F32 => match word.parse::<f32>() {
            Ok(value) if value.is_finite() || !has_digits(word) => {
                let value = if value.is_nan() { f32::NAN } else { value };
                bytes.extend(value.to_le_bytes());
                true
            }
            _ => false,
        },
        DType::F64 => match read_real(word) {
            Some(value) => {
                bytes.extend(value.to_le_bytes());
                true
            }
            None => false,
        },
        DType::I32 => push(word.parse().map(i32::to_le_bytes), bytes),
        DType::I64 => push(word.parse().map(i64::to_le_bytes), bytes),
        DType::U8 => push(word.parse().map(u8::to_le_bytes), bytes),
        DType::Bool => push(word.parse().map(|value: bool| [value.into()]), bytes),
    };
    if is_read {
        Ok(())
    } else {
        Err(mistake(format!(
            "expected an element of type {dtype}, found `{}`",
            crate::shorten::word(word)
        )))
    }
}

fn push<const N: usize, E>(element: Result<[u8; N], E>, bytes: &mut Vec<u8>) -> bool {
    element.map(|element| bytes.extend(element)).is_ok()
}

/// The number that a word stands for. None if it stands for none, or is beyond the largest.
pub(super) fn read_real(word: &str) -> Option<f64> {
    let value: f64 = word.parse().ok()?;
    match value {
        value if value.is_nan() => Some(f64::NAN),
        value if value.is_finite() || !has_digits(word) => Some(value),
        _ => None,
    }
}

fn has_digits(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

/// The one mistake of a text that was written for a person: nothing else in it tells the elements
/// that are missing.
pub(super) const SHORTENED: &str =
    "this text was shortened when it was printed: a part of the graph is missing here";

/// The mistake of an array from which elements were left out.
pub(super) fn shortened() -> Box<crate::Diagnostic> {
    advise(
        SHORTENED,
        "write the graph whole: `abeyance print --whole --backward`, or `graph.to_text()` and `graph.save_text(path)`",
    )
}

fn too_deep() -> Box<crate::Diagnostic> {
    mistake(format!("an array has at most {MAX_RANK} dimensions"))
}

fn unknown_sizes(form: &str, dtype: DType) -> Box<crate::Diagnostic> {
    advise(
        format!("the sizes for `{form}` are not known"),
        format!("write the array's type before it: `{dtype}[10, 2] {form}`"),
    )
}

fn join(dims: &[usize]) -> String {
    let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
    dims.join(", ")
}
