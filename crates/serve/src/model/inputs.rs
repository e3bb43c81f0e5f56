//! The values of a request, collected by the names of a signature's inputs.

use abeyance_session::Value;

use super::{ServedSignature, shortened};
use crate::request_error::RequestError;

/// The most rows of a request, however few elements they have.
const MOST_ROWS: usize = 1 << 22;

/// Values for the inputs of a signature, each checked as it comes.
pub(crate) struct Inputs<'s> {
    signature: &'s ServedSignature,
    values: Vec<Option<Value>>,
}

impl<'s> Inputs<'s> {
    pub(crate) fn new(signature: &'s ServedSignature) -> Self {
        Self { signature, values: signature.inputs.iter().map(|_| None).collect() }
    }

    /// The value of an input.
    ///
    /// # Errors
    /// There is no such input, it has one already, or the value does not fit it.
    pub(crate) fn put(&mut self, name: &str, value: Value) -> Result<(), RequestError> {
        let place = self.signature.input(name)?;
        if let Some(spec) = self.signature.inputs.get(place) {
            spec.check(value.dtype(), value.shape())?;
        }
        match self.values.get_mut(place) {
            Some(free @ None) => {
                *free = Some(value);
                Ok(())
            }
            _ => Err(RequestError::invalid(format!("input `{}` is given twice", shortened(name)))),
        }
    }

    /// All values, in the order of the signature's inputs.
    ///
    /// # Errors
    /// An input has none; inputs that are to have as many rows do not.
    pub(crate) fn finish(self) -> Result<Vec<Value>, RequestError> {
        let mut values = Vec::with_capacity(self.values.len());
        for (value, spec) in self.values.into_iter().zip(&self.signature.inputs) {
            let Some(value) = value else {
                return Err(RequestError::invalid(format!(
                    "input `{}` is missing: signature `{}` takes {} of shape {:?}",
                    spec.name,
                    self.signature.name,
                    super::datatype(spec.dtype),
                    spec.sizes()
                )));
            };
            values.push(value);
        }
        if let Some(rows) = values.first().map(|first| super::rows(std::slice::from_ref(first)))
            && self.signature.can_batch()
            && rows > MOST_ROWS
        {
            return Err(RequestError::invalid(format!(
                "{rows} rows are more than one request may have: {MOST_ROWS}"
            )));
        }
        if self.signature.can_batch() {
            let rows = |value: &Value| value.shape().first().copied();
            let first = values.first().and_then(rows);
            let odd = values.iter().position(|value| rows(value) != first);
            if let Some((value, spec)) =
                odd.and_then(|odd| values.get(odd).zip(self.signature.inputs.get(odd)))
            {
                let name = self.signature.inputs.first().map_or("", |spec| &spec.name);
                return Err(RequestError::invalid(format!(
                    "input `{}` has {} rows and input `{name}` has {}: they must be as many",
                    spec.name,
                    rows(value).unwrap_or(0),
                    first.unwrap_or(0),
                )));
            }
        }
        Ok(values)
    }
}
