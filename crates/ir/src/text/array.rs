//! Arrays as text: how they are written.

use std::fmt::{self, Write};

use crate::{Array, DType, element_count};

/// The most bytes that all `fill(..)` of one text may stand for together. They are not in
/// proportion to the text's length, so a short text could otherwise take any amount of memory.
/// Larger arrays are printed in full.
pub(super) const FILL_LIMIT: usize = 64 << 20;

/// The most equal elements that are printed each; more are printed as `fill(..)`.
const LISTED: usize = 4;

/// The mark of elements that were left out; no number begins with it.
pub(super) const ELLIPSIS: &str = "...";

/// The limits by which long lists are cut short.
#[derive(Clone, Copy)]
pub(super) struct Truncation {
    /// The length of the longest list that is written whole.
    pub(super) longest: usize,
    /// The number of elements that are written of a longer one.
    pub(super) shown: usize,
}

/// The form in which an array is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// All elements, in brackets by dimension.
    Listed,
    /// One element for all.
    Filled,
    /// No elements.
    Empty,
    /// The number of bytes, which is not as the sizes say. It cannot be read back.
    Malformed,
}

/// The form for an array, with `budget` bytes left for [`Form::Filled`].
pub(super) fn form(array: &Array, budget: usize) -> Form {
    let size = array.dtype.size();
    let bytes = element_count(&array.dims).and_then(|count| count.checked_mul(size));
    if bytes != Some(array.bytes.len()) {
        return Form::Malformed;
    }
    if array.bytes.is_empty() {
        return Form::Empty;
    }
    if array.len() <= LISTED || array.bytes.len() > budget {
        return Form::Listed;
    }
    let mut keys = array.bytes.chunks_exact(size).map(|bytes| printed_bits(array.dtype, bytes));
    let first = keys.next();
    if keys.all(|key| Some(key) == first) { Form::Filled } else { Form::Listed }
}

/// Bits that are equal where two elements print the same.
fn printed_bits(dtype: DType, bytes: &[u8]) -> u64 {
    match dtype {
        DType::F32 => match f32::from_le_bytes(word(bytes)) {
            value if value.is_nan() => u64::MAX,
            value => value.to_bits().into(),
        },
        DType::F64 => match f64::from_le_bytes(word(bytes)) {
            value if value.is_nan() => u64::MAX,
            value => value.to_bits(),
        },
        DType::I32 => u32::from_le_bytes(word(bytes)).into(),
        DType::I64 => u64::from_le_bytes(word(bytes)),
        DType::U8 => word::<1>(bytes)[0].into(),
        DType::Bool => (word::<1>(bytes) != [0]).into(),
    }
}

fn word<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

/// Writes the elements in a form, cut short if they are listed and there is a limit.
pub(super) fn write_data(
    out: &mut dyn Write,
    array: &Array,
    form: Form,
    truncation: Option<Truncation>,
) -> fmt::Result {
    match form {
        Form::Empty => out.write_str("[]"),
        Form::Filled => {
            out.write_str("fill(")?;
            write_element(out, array, 0)?;
            out.write_char(')')
        }
        Form::Malformed => write!(out, "({} bytes)", array.bytes.len()),
        Form::Listed => match truncation.filter(|limits| array.len() > limits.longest) {
            Some(Truncation { shown, .. }) => {
                out.write_char('[')?;
                for index in 0..shown {
                    write_element(out, array, index)?;
                    out.write_str(", ")?;
                }
                // The parser knows a shortened text by it.
                write!(out, "{ELLIPSIS} {} more]", array.len() - shown)
            }
            None => write_nested(out, array),
        },
    }
}

fn write_nested(out: &mut dyn Write, array: &Array) -> fmt::Result {
    // The number of elements in a row, a matrix, ...: a bracket opens and closes at each multiple.
    let mut blocks: Vec<usize> = Vec::with_capacity(array.dims.len());
    for &dim in array.dims.iter().rev() {
        blocks.push(blocks.last().unwrap_or(&1) * dim);
    }
    let brackets =
        |index: usize| blocks.iter().take_while(move |&&block| index.is_multiple_of(block));
    for index in 0..array.len() {
        if index > 0 {
            out.write_str(", ")?;
        }
        for _ in brackets(index) {
            out.write_char('[')?;
        }
        write_element(out, array, index)?;
        for _ in brackets(index + 1) {
            out.write_char(']')?;
        }
    }
    Ok(())
}

fn write_element(out: &mut dyn Write, array: &Array, index: usize) -> fmt::Result {
    let size = array.dtype.size();
    let bytes = array.bytes.get(index * size..(index + 1) * size);
    let bytes = bytes.unwrap_or_default();
    match array.dtype {
        DType::F32 => match f32::from_le_bytes(word(bytes)) {
            value if value.is_nan() => out.write_str("nan"),
            value => write!(out, "{value:?}"),
        },
        DType::F64 => write_real(out, f64::from_le_bytes(word(bytes))),
        DType::I32 => write!(out, "{}", i32::from_le_bytes(word(bytes))),
        DType::I64 => write!(out, "{}", i64::from_le_bytes(word(bytes))),
        DType::U8 => write!(out, "{}", word::<1>(bytes)[0]),
        DType::Bool => write!(out, "{}", word::<1>(bytes) != [0]),
    }
}

/// Writes the shortest digits that are read back as this number.
pub(super) fn write_real(out: &mut dyn Write, value: f64) -> fmt::Result {
    if value.is_nan() { out.write_str("nan") } else { write!(out, "{value:?}") }
}
