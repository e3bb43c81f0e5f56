//! Requests of TensorFlow Serving's REST: by rows (`instances`) or by columns (`inputs`).

use abeyance_session::Value;
use jiter::{Jiter, Peek};

use super::elements::{Elements, malformed, nested, wrong_type};
use crate::model::{Inputs, ServedSignature, TensorSpec, Version, shortened};
use crate::request_error::RequestError;

/// A request that was read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) signature: usize,
    /// In the order of the signature's inputs.
    pub(crate) values: Vec<Value>,
    /// True if the answer is to be by rows.
    pub(crate) by_rows: bool,
}

/// The fields of a body. Instances and inputs are still JSON: how they are read depends on the
/// signature, whose name may stand behind them.
#[derive(Default)]
struct Fields<'b> {
    signature: Option<String>,
    instances: Option<&'b [u8]>,
    inputs: Option<&'b [u8]>,
}

fn fields(body: &[u8]) -> Result<Fields<'_>, RequestError> {
    let mut jiter = Jiter::new(body).with_allow_inf_nan();
    let mut fields = Fields::default();
    let mut next = match jiter.peek() {
        Ok(Peek::Object) => owned(jiter.known_object()),
        Ok(_) => return Err(RequestError::invalid("the body is to be a JSON object")),
        Err(error) => return Err(malformed(&jiter, &error)),
    }
    .map_err(|error| malformed(&jiter, &error))?;
    while let Some(field) = next {
        let peek = jiter.peek().map_err(|error| malformed(&jiter, &error))?;
        match (field.as_str(), peek) {
            ("signature_name", Peek::String) => {
                let name = jiter.known_str().map(str::to_owned);
                fields.signature = Some(name.map_err(|error| malformed(&jiter, &error))?);
            }
            ("signature_name", _) => return Err(wrong_type("signature_name", "a text")),
            (name, _) => {
                let start = jiter.current_index();
                jiter.next_skip().map_err(|error| malformed(&jiter, &error))?;
                let part = jiter.slice_to_current(start);
                let slot = match name {
                    "instances" => &mut fields.instances,
                    "inputs" => &mut fields.inputs,
                    _ => &mut None,
                };
                if slot.replace(part).is_some() {
                    return Err(RequestError::invalid(format!("`{name}` stands twice")));
                }
            }
        }
        next = owned(jiter.next_key()).map_err(|error| malformed(&jiter, &error))?;
    }
    jiter.finish().map_err(|error| malformed(&jiter, &error))?;
    Ok(fields)
}

/// The signature of that name. `serving_default` is TensorFlow's name for the default one, unless
/// the model has another of that name.
fn signature(version: &Version, name: Option<&str>) -> Result<usize, RequestError> {
    match name.filter(|name| !name.is_empty()) {
        Some("serving_default") => {
            version.signature(Some("serving_default")).or_else(|_| version.signature(None))
        }
        name => version.signature(name),
    }
}

/// Reads a request.
///
/// # Errors
/// The body is malformed, or a field of it is wrong, which the message names.
pub(crate) fn read(body: &[u8], version: &Version) -> Result<Request, RequestError> {
    let Fields { signature: name, instances, inputs } = fields(body)?;
    let signature = signature(version, name.as_deref())?;
    let Some(served) = version.signatures.get(signature) else {
        return Err(RequestError::invalid("the model has no signature"));
    };
    let (values, by_rows) = match (instances, inputs) {
        (Some(rows), None) => (by_rows(rows, served)?, true),
        (None, Some(columns)) => (by_columns(columns, served)?, false),
        (Some(_), Some(_)) => {
            return Err(RequestError::invalid(
                "there are both `instances` and `inputs`: one of them is wanted",
            ));
        }
        (None, None) => {
            return Err(RequestError::invalid(
                "`instances` (by rows) or `inputs` (by columns) is missing",
            ));
        }
    };
    Ok(Request { signature, values, by_rows })
}

fn owned(key: jiter::JiterResult<Option<&str>>) -> jiter::JiterResult<Option<String>> {
    key.map(|key| key.map(str::to_owned))
}

/// The only input, for what names none.
fn only(served: &ServedSignature, field: &str) -> Result<TensorSpec, RequestError> {
    match served.inputs.as_slice() {
        [only] => Ok(only.clone()),
        several => {
            let names: Vec<String> =
                several.iter().map(|spec| format!("`{}`", spec.name)).collect();
            Err(RequestError::invalid(format!(
                "signature `{}` has {} inputs: `{field}` is to be an object with {}",
                served.name,
                several.len(),
                names.join(", ")
            )))
        }
    }
}

fn by_columns(json: &[u8], served: &ServedSignature) -> Result<Vec<Value>, RequestError> {
    let mut jiter = Jiter::new(json).with_allow_inf_nan();
    let mut inputs = Inputs::new(served);
    let peek = jiter.peek().map_err(|error| malformed(&jiter, &error))?;
    if peek != Peek::Object {
        let spec = only(served, "inputs")?;
        let value = whole(&mut jiter, peek, &spec, "inputs")?;
        inputs.put(&spec.name, value)?;
        return inputs.finish();
    }
    let mut next = owned(jiter.known_object()).map_err(|error| malformed(&jiter, &error))?;
    while let Some(name) = next {
        let place = served.input(&name)?;
        if let Some(spec) = served.inputs.get(place) {
            let peek = jiter.peek().map_err(|error| malformed(&jiter, &error))?;
            let field = format!("inputs.{}", shortened(&name));
            inputs.put(&name, whole(&mut jiter, peek, spec, &field)?)?;
        }
        next = owned(jiter.next_key()).map_err(|error| malformed(&jiter, &error))?;
    }
    inputs.finish()
}

fn whole(
    jiter: &mut Jiter<'_>,
    peek: Peek,
    spec: &TensorSpec,
    field: &str,
) -> Result<Value, RequestError> {
    let within = |error: RequestError| error.within(&format!("`{field}`"));
    plain(peek).map_err(within)?;
    let (elements, dims) = nested(jiter, peek, spec.dtype, usize::MAX).map_err(within)?;
    elements.shaped(&emptied(dims, spec)).map_err(within)
}

/// Lists that end early since they are empty have the sizes of the spec behind.
fn emptied(mut dims: Vec<usize>, spec: &TensorSpec) -> Vec<usize> {
    if dims.last() == Some(&0) {
        for size in spec.shape.iter().skip(dims.len()) {
            dims.push(size.unwrap_or(0));
        }
    }
    dims
}

fn plain(peek: Peek) -> Result<(), RequestError> {
    match peek {
        Peek::Object => Err(RequestError::invalid(
            "an object stands where numbers are wanted (`b64` is for texts, which no model here takes)",
        )),
        _ => Ok(()),
    }
}

/// The rows of one input, one after another.
struct Column<'s> {
    spec: &'s TensorSpec,
    elements: Option<Elements>,
    /// The sizes of each row.
    sizes: Vec<usize>,
    rows: usize,
}

impl Column<'_> {
    fn push(&mut self, jiter: &mut Jiter<'_>, peek: Peek) -> Result<(), RequestError> {
        plain(peek)?;
        let (elements, sizes) = nested(jiter, peek, self.spec.dtype, usize::MAX)?;
        match &mut self.elements {
            None => {
                self.elements = Some(elements);
                self.sizes = sizes;
            }
            Some(all) => {
                if sizes != self.sizes {
                    return Err(RequestError::invalid(format!(
                        "it has shape {sizes:?}, and the instances before have {:?}",
                        self.sizes
                    )));
                }
                all.append(elements);
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(self) -> Result<Value, RequestError> {
        let name = format!("`instances` of input `{}`", self.spec.name);
        let mut dims = vec![self.rows];
        dims.extend(self.sizes);
        let dims = if self.rows == 0 { emptied(dims, self.spec) } else { dims };
        let elements = self.elements.unwrap_or_else(|| Elements::none(self.spec.dtype));
        elements.shaped(&dims).map_err(|error| error.within(&name))
    }
}

fn by_rows(json: &[u8], served: &ServedSignature) -> Result<Vec<Value>, RequestError> {
    let mut jiter = Jiter::new(json).with_allow_inf_nan();
    let peek = jiter.peek().map_err(|error| malformed(&jiter, &error))?;
    if peek != Peek::Array {
        return Err(wrong_type("instances", "a list with a value or an object for each row"));
    }
    let new = |spec| Column { spec, elements: None, sizes: Vec::new(), rows: 0 };
    let mut columns: Vec<Column<'_>> = served.inputs.iter().map(new).collect();
    let mut next = jiter.known_array().map_err(|error| malformed(&jiter, &error))?;
    let mut row = 0;
    let named = next == Some(Peek::Object);
    while let Some(peek) = next {
        if named != (peek == Peek::Object) {
            return Err(RequestError::invalid(format!(
                "instances[{row}] is {} and those before are {}",
                if named { "no object" } else { "an object" },
                if named { "objects" } else { "none" },
            )));
        }
        let within = |error: RequestError| error.within(&format!("instances[{row}]"));
        match peek {
            Peek::Object => named_row(&mut jiter, served, &mut columns, row).map_err(within)?,
            _ => {
                only(served, &format!("instances[{row}]"))?;
                if let Some(column) = columns.first_mut() {
                    column.push(&mut jiter, peek).map_err(within)?;
                }
            }
        }
        row += 1;
        next = jiter.array_step().map_err(|error| malformed(&jiter, &error))?;
    }
    let mut inputs = Inputs::new(served);
    for column in columns {
        let name = column.spec.name.clone();
        inputs.put(&name, column.finish()?)?;
    }
    inputs.finish()
}

fn named_row(
    jiter: &mut Jiter<'_>,
    served: &ServedSignature,
    columns: &mut [Column<'_>],
    row: usize,
) -> Result<(), RequestError> {
    let mut next = owned(jiter.known_object()).map_err(|error| malformed(jiter, &error))?;
    while let Some(name) = next {
        let place = served.input(&name)?;
        if let Some(column) = columns.get_mut(place) {
            if column.rows > row {
                return Err(RequestError::invalid(format!("`{}` stands twice", shortened(&name))));
            }
            let peek = jiter.peek().map_err(|error| malformed(jiter, &error))?;
            let pushed = column.push(jiter, peek);
            pushed.map_err(|error| error.within(&format!("`{}`", shortened(&name))))?;
        }
        next = owned(jiter.next_key()).map_err(|error| malformed(jiter, &error))?;
    }
    match columns.iter().find(|column| column.rows != row + 1) {
        Some(column) => Err(RequestError::invalid(format!("`{}` is missing", column.spec.name))),
        None => Ok(()),
    }
}
