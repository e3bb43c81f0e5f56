//! Requests of the Open Inference Protocol over HTTP: JSON, with tensors in it or as raw bytes
//! behind it.

use std::time::Duration;

use abeyance_ir::{DType, element_count};
use abeyance_session::Value;
use jiter::{Jiter, Peek};

use super::elements::{Elements, from_bytes, malformed, nested, shape, wrong_type};
use crate::model::{dtype_of, shortened};
use crate::request_error::RequestError;

/// The most inputs, and the most outputs, that a request may name.
const MOST_TENSORS: usize = 1024;

/// A request that was read.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) id: Option<String>,
    pub(crate) signature: Option<String>,
    pub(crate) timeout: Option<Duration>,
    /// True if outputs are to be raw bytes, where an output does not say so itself.
    pub(crate) binary_output: bool,
    pub(crate) inputs: Vec<(String, Value)>,
    /// The outputs that are asked for. `None` means all.
    pub(crate) outputs: Option<Vec<RequestedOutput>>,
}

/// An output that is asked for.
#[derive(Debug)]
pub(crate) struct RequestedOutput {
    pub(crate) name: String,
    pub(crate) binary: Option<bool>,
}

/// Parameters that mean something here; others are passed over.
#[derive(Debug, Default)]
struct Parameters {
    signature: Option<String>,
    timeout: Option<Duration>,
    binary_data_output: Option<bool>,
    binary_data: Option<bool>,
    binary_data_size: Option<usize>,
    classification: bool,
}

/// Reads a request: `json` is its head, `raw` the bytes behind it.
///
/// # Errors
/// What is wrong with it, by its field.
pub(crate) fn read(json: &[u8], raw: &[u8]) -> Result<Request, RequestError> {
    let mut jiter = Jiter::new(json).with_allow_inf_nan();
    let mut raw = RawBytes { rest: raw };
    let mut request = Request::default();
    let mut has_inputs = false;
    let mut next = match jiter.peek() {
        Ok(Peek::Object) => key(jiter.known_object().map(|key| key.map(str::to_owned)), &jiter)?,
        Ok(_) => return Err(RequestError::invalid("the body is to be a JSON object")),
        Err(error) => return Err(malformed(&jiter, &error)),
    };
    while let Some(field) = next {
        match field.as_str() {
            "id" => request.id = text(&mut jiter, "id")?,
            "parameters" => {
                let parameters = parameters(&mut jiter, "parameters")?;
                request.signature = parameters.signature;
                request.timeout = parameters.timeout;
                request.binary_output = parameters.binary_data_output.unwrap_or(false);
            }
            "inputs" if has_inputs => return Err(RequestError::invalid("`inputs` stands twice")),
            "inputs" => {
                has_inputs = true;
                list(&mut jiter, "inputs", |jiter, place| {
                    let input = input(jiter, &mut raw);
                    let input = input.map_err(|error| error.within(&format!("inputs[{place}]")));
                    request.inputs.push(input?);
                    Ok(())
                })?;
            }
            "outputs" => request.outputs = outputs(&mut jiter)?,
            _ => jiter.next_skip().map_err(|error| malformed(&jiter, &error))?,
        }
        next = key(jiter.next_key().map(|key| key.map(str::to_owned)), &jiter)?;
    }
    jiter.finish().map_err(|error| malformed(&jiter, &error))?;
    if !has_inputs {
        return Err(RequestError::invalid("`inputs` is missing: a list of tensors"));
    }
    if !raw.rest.is_empty() {
        return Err(RequestError::invalid(format!(
            "{} bytes behind the JSON belong to no input: `binary_data_size` of the inputs says how many each has",
            raw.rest.len()
        )));
    }
    Ok(request)
}

/// The outputs that are asked for. `None`, which means all, if none is named, as other servers have
/// it.
fn outputs(jiter: &mut Jiter<'_>) -> Result<Option<Vec<RequestedOutput>>, RequestError> {
    let mut outputs: Vec<RequestedOutput> = Vec::new();
    list(jiter, "outputs", |jiter, place| {
        let output = output(jiter);
        let output = output.map_err(|error| error.within(&format!("outputs[{place}]")))?;
        if outputs.iter().any(|other| other.name == output.name) {
            let name = shortened(&output.name);
            return Err(RequestError::invalid(format!("output `{name}` is asked for twice")));
        }
        outputs.push(output);
        Ok(())
    })?;
    Ok((!outputs.is_empty()).then_some(outputs))
}

/// The raw bytes behind the JSON that no input has taken yet.
struct RawBytes<'b> {
    rest: &'b [u8],
}

impl<'b> RawBytes<'b> {
    fn take(&mut self, size: usize) -> Result<&'b [u8], RequestError> {
        let Some((taken, rest)) = self.rest.split_at_checked(size) else {
            return Err(RequestError::invalid(format!(
                "`binary_data_size` is {size}, and {} bytes are left behind the JSON",
                self.rest.len()
            )));
        };
        self.rest = rest;
        Ok(taken)
    }
}

fn key(
    key: Result<Option<String>, jiter::JiterError>,
    jiter: &Jiter<'_>,
) -> Result<Option<String>, RequestError> {
    key.map_err(|error| malformed(jiter, &error))
}

/// A text, or null for none.
fn text(jiter: &mut Jiter<'_>, field: &str) -> Result<Option<String>, RequestError> {
    let peek = jiter.peek().map_err(|error| malformed(jiter, &error))?;
    let text = match peek {
        Peek::Null => jiter.known_null().map(|()| None),
        Peek::String => jiter.known_str().map(|text| Some(text.to_owned())),
        _ => return Err(wrong_type(field, "a text")),
    };
    text.map_err(|error| malformed(jiter, &error))
}

/// Reads each element of a list of objects.
fn list<'j>(
    jiter: &mut Jiter<'j>,
    field: &str,
    mut read: impl FnMut(&mut Jiter<'j>, usize) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let peek = jiter.peek().map_err(|error| malformed(jiter, &error))?;
    if peek != Peek::Array {
        return Err(wrong_type(field, "a list of objects"));
    }
    let mut next = jiter.known_array().map_err(|error| malformed(jiter, &error))?;
    let mut place = 0;
    while let Some(peek) = next {
        if peek != Peek::Object {
            return Err(wrong_type(&format!("{field}[{place}]"), "an object"));
        }
        if place == MOST_TENSORS {
            return Err(RequestError::invalid(format!("`{field}` has more than {MOST_TENSORS}")));
        }
        read(jiter, place)?;
        place += 1;
        next = jiter.array_step().map_err(|error| malformed(jiter, &error))?;
    }
    Ok(())
}

/// The fields of an input, as far as they have been read.
#[derive(Default)]
struct InputFields<'j> {
    name: Option<String>,
    dtype: Option<DType>,
    dims: Option<Vec<usize>>,
    /// `binary_data_size`, of the parameters.
    size: Option<usize>,
    data: Option<Value>,
    /// The JSON of the data, if they come before their type and shape.
    deferred: Option<&'j [u8]>,
}

/// Reads an input: its name and its value.
fn input(jiter: &mut Jiter<'_>, raw: &mut RawBytes<'_>) -> Result<(String, Value), RequestError> {
    input_fields(jiter)?.value(raw)
}

fn input_fields<'j>(jiter: &mut Jiter<'j>) -> Result<InputFields<'j>, RequestError> {
    let mut once = std::collections::BTreeSet::new();
    let mut fields = InputFields::default();
    let mut next = key(jiter.known_object().map(|key| key.map(str::to_owned)), jiter)?;
    while let Some(field) = next {
        match field.as_str() {
            "name" | "datatype" | "shape" if !once.insert(field.clone()) => {
                return Err(RequestError::invalid(format!("`{field}` stands twice")));
            }
            "name" => fields.name = text(jiter, "name")?,
            "datatype" => {
                let text = text(jiter, "datatype")?;
                let text = text.ok_or_else(|| wrong_type("datatype", "a text such as FP32"))?;
                fields.dtype = Some(dtype_of(&text)?);
            }
            "shape" => fields.dims = Some(sizes(jiter)?),
            "parameters" => {
                let parameters = parameters(jiter, "parameters")?;
                fields.size = parameters.binary_data_size;
            }
            "data" if fields.data.is_some() || fields.deferred.is_some() => {
                return Err(RequestError::invalid("`data` stands twice"));
            }
            // As a client leaves them out that sends raw bytes.
            "data" if jiter.peek().is_ok_and(|peek| peek == Peek::Null) => {
                jiter.known_null().map_err(|error| malformed(jiter, &error))?;
            }
            "data" => match (fields.dtype, &fields.dims) {
                (Some(dtype), Some(dims)) => fields.data = Some(data(jiter, dtype, dims)?),
                _ => {
                    jiter.peek().map_err(|error| malformed(jiter, &error))?;
                    let start = jiter.current_index();
                    jiter.next_skip().map_err(|error| malformed(jiter, &error))?;
                    fields.deferred = Some(jiter.slice_to_current(start));
                }
            },
            _ => jiter.next_skip().map_err(|error| malformed(jiter, &error))?,
        }
        next = key(jiter.next_key().map(|key| key.map(str::to_owned)), jiter)?;
    }
    Ok(fields)
}

impl InputFields<'_> {
    /// The name, and the value out of the data or the raw bytes.
    ///
    /// # Errors
    /// A field is missing or contradicts another.
    fn value(self, raw: &mut RawBytes<'_>) -> Result<(String, Value), RequestError> {
        let Self { name, dtype, dims, size, mut data, deferred } = self;
        let missing = |field: &str| RequestError::invalid(format!("`{field}` is missing"));
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| missing("name"))?;
        let within = |error: RequestError| error.within(&format!("input `{}`", shortened(&name)));
        let dtype = dtype.ok_or_else(|| within(missing("datatype")))?;
        let dims = dims.ok_or_else(|| within(missing("shape")))?;
        if let Some(deferred) = deferred {
            let mut jiter = Jiter::new(deferred).with_allow_inf_nan();
            data = Some(self::data(&mut jiter, dtype, &dims).map_err(within)?);
        }
        let value = match (data, size) {
            (Some(_), Some(_)) => {
                return Err(within(RequestError::invalid(
                    "there are both `data` and a `binary_data_size`: its elements come as the one or as the other",
                )));
            }
            (Some(value), None) => value,
            (None, Some(size)) => {
                let bytes = raw.take(size).map_err(within)?;
                from_bytes(bytes, dtype, &dims).map_err(within)?
            }
            (None, None) => {
                return Err(within(RequestError::invalid(
                    "`data` is missing, and so is a `binary_data_size` among its parameters",
                )));
            }
        };
        Ok((name, value))
    }
}

/// The elements of a tensor, flat or in lists that lie in each other as its shape says.
fn data(jiter: &mut Jiter<'_>, dtype: DType, dims: &[usize]) -> Result<Value, RequestError> {
    let peek = jiter.peek().map_err(|error| malformed(jiter, &error))?;
    let most = element_count(dims).unwrap_or(0);
    let (elements, found): (Elements, Vec<usize>) = nested(jiter, peek, dtype, most)
        .map_err(|error| error.within(&format!("`data` for shape {dims:?}")))?;
    let is_flat = found.len() <= 1;
    // An empty list stops where it is empty.
    let is_empty = most == 0 && dims.starts_with(&found);
    if !is_flat && !is_empty && found != dims {
        return Err(RequestError::invalid(format!(
            "`data` are lists of shape {found:?}, and `shape` says {dims:?}"
        )));
    }
    elements.shaped(dims).map_err(|error| error.within("`data`"))
}

fn sizes(jiter: &mut Jiter<'_>) -> Result<Vec<usize>, RequestError> {
    let wrong = || wrong_type("shape", "a list of whole numbers");
    let peek = jiter.peek().map_err(|error| malformed(jiter, &error))?;
    if peek != Peek::Array {
        return Err(wrong());
    }
    let mut sizes: Vec<i64> = Vec::new();
    let mut next = jiter.known_array().map_err(|error| malformed(jiter, &error))?;
    while let Some(peek) = next {
        if !peek.is_num() || sizes.len() > super::elements::MOST_RANK {
            return Err(wrong());
        }
        match jiter.known_number(peek) {
            Ok(jiter::NumberAny::Int(jiter::NumberInt::Int(size))) => sizes.push(size),
            Ok(_) => return Err(wrong()),
            Err(error) => return Err(malformed(jiter, &error)),
        }
        next = jiter.array_step().map_err(|error| malformed(jiter, &error))?;
    }
    shape(&sizes)
}

fn output(jiter: &mut Jiter<'_>) -> Result<RequestedOutput, RequestError> {
    let mut wanted = RequestedOutput { name: String::new(), binary: None };
    let mut next = key(jiter.known_object().map(|key| key.map(str::to_owned)), jiter)?;
    while let Some(field) = next {
        match field.as_str() {
            "name" => wanted.name = text(jiter, "name")?.unwrap_or_default(),
            "parameters" => {
                let parameters = parameters(jiter, "parameters")?;
                wanted.binary = parameters.binary_data;
                if parameters.classification {
                    return Err(RequestError::invalid(
                        "`classification` is not done here: take the output itself",
                    ));
                }
            }
            _ => jiter.next_skip().map_err(|error| malformed(jiter, &error))?,
        }
        next = key(jiter.next_key().map(|key| key.map(str::to_owned)), jiter)?;
    }
    if wanted.name.is_empty() {
        Err(RequestError::invalid("`name` is missing"))
    } else {
        Ok(wanted)
    }
}

fn parameters(jiter: &mut Jiter<'_>, field: &str) -> Result<Parameters, RequestError> {
    let mut parameters = Parameters::default();
    let peek = jiter.peek().map_err(|error| malformed(jiter, &error))?;
    match peek {
        Peek::Object => {}
        Peek::Null => {
            jiter.known_null().map_err(|error| malformed(jiter, &error))?;
            return Ok(parameters);
        }
        _ => return Err(wrong_type(field, "an object")),
    }
    let mut next = key(jiter.known_object().map(|key| key.map(str::to_owned)), jiter)?;
    while let Some(field) = next {
        match field.as_str() {
            "signature" => {
                let name = text(jiter, "signature")?;
                parameters.signature = name.filter(|name| !name.is_empty());
            }
            "timeout" => {
                let micros = whole(jiter, "timeout", "a whole number of microseconds")?;
                // None at all is what clients send that set none.
                parameters.timeout = (micros > 0).then(|| Duration::from_micros(micros as u64));
            }
            "binary_data_output" => {
                parameters.binary_data_output = Some(truth(jiter, "binary_data_output")?);
            }
            "binary_data" => parameters.binary_data = Some(truth(jiter, "binary_data")?),
            "binary_data_size" => {
                parameters.binary_data_size =
                    Some(whole(jiter, "binary_data_size", "a whole number of bytes")?);
            }
            "classification" => {
                parameters.classification = whole(jiter, "classification", "a number")? > 0;
            }
            "shared_memory_region" => {
                return Err(RequestError::invalid("there is no shared memory here: send the data"));
            }
            _ => jiter.next_skip().map_err(|error| malformed(jiter, &error))?,
        }
        next = key(jiter.next_key().map(|key| key.map(str::to_owned)), jiter)?;
    }
    Ok(parameters)
}

fn whole(jiter: &mut Jiter<'_>, field: &str, wanted: &str) -> Result<usize, RequestError> {
    let peek = jiter.peek().map_err(|error| malformed(jiter, &error))?;
    if !peek.is_num() {
        return Err(wrong_type(field, wanted));
    }
    match jiter.known_number(peek) {
        Ok(jiter::NumberAny::Int(jiter::NumberInt::Int(number))) => {
            usize::try_from(number).map_err(|_| wrong_type(field, wanted))
        }
        Ok(_) => Err(wrong_type(field, wanted)),
        Err(error) => Err(malformed(jiter, &error)),
    }
}

fn truth(jiter: &mut Jiter<'_>, field: &str) -> Result<bool, RequestError> {
    let peek = jiter.peek().map_err(|error| malformed(jiter, &error))?;
    match peek {
        Peek::True | Peek::False => {
            jiter.known_bool(peek).map_err(|error| malformed(jiter, &error))
        }
        _ => Err(wrong_type(field, "true or false")),
    }
}
