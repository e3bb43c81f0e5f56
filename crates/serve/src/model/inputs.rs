//! The values of a request, collected by the names of a signature's inputs.

use abeyance_session::Value;

use super::{Served, shortened};
use crate::refusal::Refusal;

/// No request has more rows, however few elements they have.
const MOST_ROWS: usize = 1 << 22;

/// Values for the inputs of a signature, each checked as it comes.
pub(crate) struct Inputs<'s> {
    signature: &'s Served,
    values: Vec<Option<Value>>,
}

impl<'s> Inputs<'s> {
    pub(crate) fn new(signature: &'s Served) -> Self {
        Self { signature, values: signature.inputs.iter().map(|_| None).collect() }
    }

    /// The value of an input.
    ///
    /// # Errors
    /// There is no such input, it has one already, or the value does not fit it.
    pub(crate) fn put(&mut self, name: &str, value: Value) -> Result<(), Refusal> {
        let place = self.signature.input(name)?;
        if let Some(port) = self.signature.inputs.get(place) {
            port.check(value.dtype(), value.shape())?;
        }
        match self.values.get_mut(place) {
            Some(free @ None) => {
                *free = Some(value);
                Ok(())
            }
            _ => Err(Refusal::invalid(format!("input `{}` is given twice", shortened(name)))),
        }
    }

    /// All values, in the order of the signature's inputs.
    ///
    /// # Errors
    /// An input has none; inputs that are to have as many rows do not.
    pub(crate) fn finish(self) -> Result<Vec<Value>, Refusal> {
        let mut values = Vec::with_capacity(self.values.len());
        for (value, port) in self.values.into_iter().zip(&self.signature.inputs) {
            let Some(value) = value else {
                return Err(Refusal::invalid(format!(
                    "input `{}` is missing: signature `{}` takes {} of shape {:?}",
                    port.name,
                    self.signature.name,
                    super::datatype(port.dtype),
                    port.sizes()
                )));
            };
            values.push(value);
        }
        if let Some(rows) = values.first().map(|first| super::rows(std::slice::from_ref(first)))
            && self.signature.batches()
            && rows > MOST_ROWS
        {
            return Err(Refusal::invalid(format!(
                "{rows} rows are more than one request may have: {MOST_ROWS}"
            )));
        }
        if self.signature.batches() {
            let rows = |value: &Value| value.shape().first().copied();
            let first = values.first().and_then(rows);
            let odd = values.iter().position(|value| rows(value) != first);
            if let Some((value, port)) =
                odd.and_then(|odd| values.get(odd).zip(self.signature.inputs.get(odd)))
            {
                let name = self.signature.inputs.first().map_or("", |port| &port.name);
                return Err(Refusal::invalid(format!(
                    "input `{}` has {} rows and input `{name}` has {}: they must be as many",
                    port.name,
                    rows(value).unwrap_or(0),
                    first.unwrap_or(0),
                )));
            }
        }
        Ok(values)
    }
}
