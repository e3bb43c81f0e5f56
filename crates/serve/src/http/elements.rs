//! Numbers of a request: out of JSON, and out of raw bytes.

use abeyance_ir::{DType, element_count};
use abeyance_session::Value;
use jiter::{Jiter, JiterError, Peek};
use ndarray::{ArrayD, IxDyn};

use crate::model::datatype;
use crate::request_error::{ErrorKind, RequestError};

/// The most dimensions of a tensor.
pub(crate) const MOST_RANK: usize = 16;
/// The most elements of a tensor of a request.
const MOST_ELEMENTS: usize = 1 << 31;

/// The error for a body that is no JSON, with the place in it.
pub(crate) fn malformed(jiter: &Jiter<'_>, error: &JiterError) -> RequestError {
    RequestError::invalid(format!("the body's JSON is wrong: {}", error.description(jiter)))
}

/// Elements of one type, in row-major order.
#[derive(Debug)]
pub(crate) enum Elements {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
}

impl Elements {
    /// An empty list with room for so many elements.
    fn new(dtype: DType, capacity: usize) -> Self {
        match dtype {
            DType::F32 => Elements::F32(Vec::with_capacity(capacity)),
            DType::F64 => Elements::F64(Vec::with_capacity(capacity)),
            DType::I32 => Elements::I32(Vec::with_capacity(capacity)),
            DType::I64 => Elements::I64(Vec::with_capacity(capacity)),
            DType::U8 => Elements::U8(Vec::with_capacity(capacity)),
            DType::Bool => Elements::Bool(Vec::with_capacity(capacity)),
        }
    }

    fn len(&self) -> usize {
        match self {
            Elements::F32(elements) => elements.len(),
            Elements::F64(elements) => elements.len(),
            Elements::I32(elements) => elements.len(),
            Elements::I64(elements) => elements.len(),
            Elements::U8(elements) => elements.len(),
            Elements::Bool(elements) => elements.len(),
        }
    }

    /// An empty list of this type.
    pub(crate) fn none(dtype: DType) -> Self {
        Self::new(dtype, 0)
    }

    /// Adds others of the same type.
    pub(crate) fn append(&mut self, others: Elements) {
        match (self, others) {
            (Elements::F32(all), Elements::F32(others)) => all.extend(others),
            (Elements::F64(all), Elements::F64(others)) => all.extend(others),
            (Elements::I32(all), Elements::I32(others)) => all.extend(others),
            (Elements::I64(all), Elements::I64(others)) => all.extend(others),
            (Elements::U8(all), Elements::U8(others)) => all.extend(others),
            (Elements::Bool(all), Elements::Bool(others)) => all.extend(others),
            // Rows of one input are read as its type.
            _ => {}
        }
    }

    /// The next token as an element.
    fn push(&mut self, jiter: &mut Jiter<'_>, peek: Peek) -> Result<(), RequestError> {
        match self {
            Elements::F32(elements) => elements.push(float(jiter, peek, DType::F32)?),
            Elements::F64(elements) => elements.push(float(jiter, peek, DType::F64)?),
            Elements::I32(elements) => elements.push(integer(jiter, peek, DType::I32)?),
            Elements::I64(elements) => elements.push(integer(jiter, peek, DType::I64)?),
            Elements::U8(elements) => elements.push(integer(jiter, peek, DType::U8)?),
            Elements::Bool(elements) => match peek {
                Peek::True | Peek::False => {
                    elements.push(jiter.known_bool(peek).map_err(|error| malformed(jiter, &error))?)
                }
                _ => return Err(wrong_token(jiter, peek, DType::Bool)),
            },
        }
        Ok(())
    }

    /// The array of these sizes.
    ///
    /// # Errors
    /// There are more or fewer elements than that.
    pub(crate) fn shaped(self, dims: &[usize]) -> Result<Value, RequestError> {
        let count = self.len();
        if element_count(dims) != Some(count) {
            return Err(RequestError::invalid(format!(
                "{count} elements do not fill shape {dims:?}"
            )));
        }
        let dims = IxDyn(dims);
        fn array<T>(dims: IxDyn, elements: Vec<T>) -> Result<ArrayD<T>, RequestError> {
            ArrayD::from_shape_vec(dims, elements)
                .map_err(|error| RequestError::invalid(format!("the shape is impossible: {error}")))
        }
        Ok(match self {
            Elements::F32(elements) => Value::F32(array(dims, elements)?),
            Elements::F64(elements) => Value::F64(array(dims, elements)?),
            Elements::I32(elements) => Value::I32(array(dims, elements)?),
            Elements::I64(elements) => Value::I64(array(dims, elements)?),
            Elements::U8(elements) => Value::U8(array(dims, elements)?),
            Elements::Bool(elements) => Value::Bool(array(dims, elements)?),
        })
    }
}

/// Describes a token, for a message.
fn token(jiter: &mut Jiter<'_>, peek: Peek) -> String {
    match peek {
        Peek::String => "a text".to_owned(),
        Peek::Array => "a list".to_owned(),
        Peek::Object => "an object".to_owned(),
        Peek::Null => "null".to_owned(),
        Peek::True => "true".to_owned(),
        Peek::False => "false".to_owned(),
        _ => match jiter.known_number_bytes(peek) {
            Ok(digits) => {
                let digits = digits.get(..40).unwrap_or(digits);
                format!("`{}`", String::from_utf8_lossy(digits))
            }
            Err(_) => "something else".to_owned(),
        },
    }
}

fn wrong_token(jiter: &mut Jiter<'_>, peek: Peek, dtype: DType) -> RequestError {
    let position = jiter.current_position();
    let token = token(jiter, peek);
    let hint = match (peek, dtype) {
        (Peek::String, _) => ": numbers are written without quotes",
        (_, DType::Bool) => ": these are true and false",
        _ => "",
    };
    RequestError::invalid(format!(
        "{token} at line {} column {} is no element of datatype {}{hint}",
        position.line,
        position.column,
        datatype(dtype)
    ))
}

/// A number, or null, or NaN and the infinities by their names.
fn float<T: std::str::FromStr + special::SpecialValues>(
    jiter: &mut Jiter<'_>,
    peek: Peek,
    dtype: DType,
) -> Result<T, RequestError> {
    match peek {
        Peek::Null => {
            jiter.known_null().map_err(|error| malformed(jiter, &error))?;
            return Ok(T::NAN);
        }
        Peek::String => {
            let position = jiter.current_position();
            let named = match jiter.known_str() {
                Ok("NaN") => Some(T::NAN),
                Ok("Infinity") => Some(T::INFINITY),
                Ok("-Infinity") => Some(T::NEG_INFINITY),
                Ok(_) => None,
                Err(error) => return Err(malformed(jiter, &error)),
            };
            return match named {
                Some(number) => Ok(number),
                None => Err(RequestError::invalid(format!(
                    "a text at line {} column {} is no element of datatype {}: numbers are written without quotes, but for \"NaN\", \"Infinity\" and \"-Infinity\"",
                    position.line,
                    position.column,
                    datatype(dtype)
                ))),
            };
        }
        _ => {}
    }
    if !peek.is_num() {
        return Err(wrong_token(jiter, peek, dtype));
    }
    let (digits, parsed) = match jiter.known_number_bytes(peek) {
        Ok(bytes) => {
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            (text.bytes().any(|byte| byte.is_ascii_digit()), text.parse::<T>().ok())
        }
        Err(error) => return Err(malformed(jiter, &error)),
    };
    match parsed {
        Some(number) if !(digits && number.is_infinite()) => Ok(number),
        _ => Err(out_of_range(jiter, dtype)),
    }
}

fn integer<T: std::str::FromStr>(
    jiter: &mut Jiter<'_>,
    peek: Peek,
    dtype: DType,
) -> Result<T, RequestError> {
    if !peek.is_num() {
        return Err(wrong_token(jiter, peek, dtype));
    }
    let parsed = match jiter.known_number_bytes(peek) {
        Ok(bytes) => std::str::from_utf8(bytes).unwrap_or_default().parse::<T>().ok(),
        Err(error) => return Err(malformed(jiter, &error)),
    };
    parsed.ok_or_else(|| out_of_range(jiter, dtype))
}

fn out_of_range(jiter: &Jiter<'_>, dtype: DType) -> RequestError {
    let position = jiter.current_position();
    RequestError::invalid(format!(
        "the number before line {} column {} is not one that datatype {} has",
        position.line,
        position.column,
        datatype(dtype)
    ))
}

mod special {
    /// The special values of a float that JSON has no number for.
    pub(super) trait SpecialValues {
        const NAN: Self;
        const INFINITY: Self;
        const NEG_INFINITY: Self;
        fn is_infinite(&self) -> bool;
    }
    impl SpecialValues for f32 {
        const NAN: f32 = f32::NAN;
        const INFINITY: f32 = f32::INFINITY;
        const NEG_INFINITY: f32 = f32::NEG_INFINITY;
        fn is_infinite(&self) -> bool {
            f32::is_infinite(*self)
        }
    }
    impl SpecialValues for f64 {
        const NAN: f64 = f64::NAN;
        const INFINITY: f64 = f64::INFINITY;
        const NEG_INFINITY: f64 = f64::NEG_INFINITY;
        fn is_infinite(&self) -> bool {
            f64::is_infinite(*self)
        }
    }
}

/// Reads a number, or lists of numbers that lie in each other, and the sizes that these have.
///
/// # Errors
/// Lists of one depth are not as long as each other, an element is none of the type, or there are
/// more than `most`.
pub(crate) fn nested(
    jiter: &mut Jiter<'_>,
    peek: Peek,
    dtype: DType,
    most: usize,
) -> Result<(Elements, Vec<usize>), RequestError> {
    // `most` may be far beyond what comes.
    let room = if most == usize::MAX { 0 } else { most.min(1 << 14) };
    let mut elements = Elements::new(dtype, room);
    let mut dims: Vec<Option<usize>> = Vec::new();
    read_level(jiter, peek, &mut elements, &mut dims, 0, most)?;
    Ok((elements, dims.into_iter().map(|size| size.unwrap_or(0)).collect()))
}

fn read_level(
    jiter: &mut Jiter<'_>,
    peek: Peek,
    elements: &mut Elements,
    dims: &mut Vec<Option<usize>>,
    depth: usize,
    most: usize,
) -> Result<(), RequestError> {
    let uneven = |jiter: &Jiter<'_>, what: String| {
        let position = jiter.current_position();
        let (line, column) = (position.line, position.column);
        RequestError::invalid(format!(
            "the lists are uneven at line {line} column {column}: {what}"
        ))
    };
    if peek != Peek::Array {
        if depth < dims.len() {
            return Err(uneven(jiter, "a number stands where others have a list".to_owned()));
        }
        if elements.len() >= most {
            return Err(RequestError::invalid(format!("there are more than {most} elements")));
        }
        return elements.push(jiter, peek);
    }
    if depth >= MOST_RANK {
        return Err(RequestError::invalid(format!("lists lie more than {MOST_RANK} deep")));
    }
    if dims.len() == depth {
        if elements.len() > 0 || dims.contains(&Some(0)) {
            return Err(uneven(jiter, "a list stands where others have a number".to_owned()));
        }
        dims.push(None);
    }
    let mut count = 0;
    let mut next = jiter.known_array().map_err(|error| malformed(jiter, &error))?;
    while let Some(peek) = next {
        read_level(jiter, peek, elements, dims, depth + 1, most)?;
        count += 1;
        next = jiter.array_step().map_err(|error| malformed(jiter, &error))?;
    }
    match dims.get_mut(depth) {
        Some(Some(size)) if *size != count => {
            let size = *size;
            Err(uneven(jiter, format!("{count} elements where others have {size}")))
        }
        Some(size) => {
            *size = Some(count);
            Ok(())
        }
        None => Ok(()),
    }
}

/// An array out of its little-endian bytes.
///
/// # Errors
/// They are more or fewer than the shape says, or a truth value is neither 0 nor 1.
pub(crate) fn from_bytes(
    bytes: &[u8],
    dtype: DType,
    dims: &[usize],
) -> Result<Value, RequestError> {
    let size = dtype.size();
    let wanted = element_count(dims).and_then(|count| count.checked_mul(size));
    if wanted != Some(bytes.len()) {
        let wanted = wanted.map_or("more than there can be".to_owned(), |count| count.to_string());
        return Err(RequestError::invalid(format!(
            "{} bytes do not fill {} of shape {dims:?}, which is {wanted}",
            bytes.len(),
            datatype(dtype)
        )));
    }
    macro_rules! numbers {
        ($type:ty) => {
            bytes
                .as_chunks::<{ size_of::<$type>() }>()
                .0
                .iter()
                .map(|bytes| <$type>::from_le_bytes(*bytes))
                .collect()
        };
    }
    match dtype {
        DType::F32 => Elements::F32(numbers!(f32)),
        DType::F64 => Elements::F64(numbers!(f64)),
        DType::I32 => Elements::I32(numbers!(i32)),
        DType::I64 => Elements::I64(numbers!(i64)),
        DType::U8 => Elements::U8(bytes.to_vec()),
        DType::Bool => {
            if let Some(wrong) = bytes.iter().find(|byte| **byte > 1) {
                return Err(RequestError::invalid(format!(
                    "a BOOL is the byte 0 or 1, and one is {wrong}"
                )));
            }
            Elements::Bool(bytes.iter().map(|byte| *byte == 1).collect())
        }
    }
    .shaped(dims)
}

/// Appends the elements of an array as little-endian bytes.
pub(crate) fn to_bytes(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::F32(array) => array.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Value::F64(array) => array.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Value::I32(array) => array.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Value::I64(array) => array.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Value::U8(array) => bytes.extend(array.iter()),
        Value::Bool(array) => bytes.extend(array.iter().map(|x| u8::from(*x))),
    }
}

/// The length of an array's elements, in bytes.
pub(crate) fn byte_count(value: &Value) -> usize {
    value.shape().iter().product::<usize>() * value.dtype().size()
}

/// Shapes as requests hold them.
///
/// # Errors
/// A size is negative or more than there can be; there are too many.
pub(crate) fn shape(sizes: &[i64]) -> Result<Vec<usize>, RequestError> {
    if sizes.len() > MOST_RANK {
        return Err(RequestError::invalid(format!(
            "a shape of {} sizes: at most {MOST_RANK} are possible",
            sizes.len()
        )));
    }
    let dims: Option<Vec<usize>> = sizes.iter().map(|size| usize::try_from(*size).ok()).collect();
    // Where there are no elements the other sizes still are what a model makes its outputs of.
    let fits = |dims: &[usize]| {
        let long: Vec<usize> = dims.iter().copied().filter(|size| *size > 0).collect();
        element_count(&long).is_some_and(|count| count <= MOST_ELEMENTS)
    };
    match dims {
        Some(dims) if fits(&dims) => Ok(dims),
        _ => Err(RequestError::invalid(format!("no tensor has shape {sizes:?}"))),
    }
}

/// The error of something that is not what a field takes.
pub(crate) fn wrong_type(field: &str, wanted: &str) -> RequestError {
    RequestError::new(ErrorKind::Invalid, format!("`{field}` is to be {wanted}"))
}
