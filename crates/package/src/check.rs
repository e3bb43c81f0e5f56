//! Running golden cases again.

use std::fmt;

use abeyance_session::{Session, Value};

use crate::tolerance::compare;
use crate::{Error, Package, Processor, Tolerance};

/// The result of a check: the numbers of cases and elements that were compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// The number of cases.
    pub cases: usize,
    /// The number of elements of their outputs.
    pub elements: usize,
    /// The tolerance, where bits need not be the same.
    pub within: Option<Tolerance>,
}

/// An output that is not what a golden case says.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The case's number, counted from 0.
    pub case: usize,
    /// The signature.
    pub signature: String,
    /// The output.
    pub output: String,
    /// Its first element that differs, by its indices.
    pub index: Vec<usize>,
    /// That element as it was recorded, or the output's element type and shape where these differ.
    pub was: String,
    /// The element as it is now.
    pub is: String,
    /// The number of elements of the output that differ.
    pub differing: usize,
    /// The number of elements of the output.
    pub elements: usize,
    /// The largest difference of floats, 0 where there are none.
    pub largest: f64,
    /// The tolerance, where bits need not be the same.
    pub within: Option<Tolerance>,
    /// The kind of processor that recorded the case.
    pub recorded_on: Option<Processor>,
    /// The program that recorded it.
    pub recorded_by: Option<String>,
}

/// Runs the cases of a package: bits must be the same unless a tolerance is given.
pub(crate) fn check(
    package: &Package,
    session: &Session,
    within: Option<Tolerance>,
) -> Result<Checked, Error> {
    let mut checked = Checked { cases: package.cases.len(), elements: 0, within };
    let Some(signature) = package.signature.as_deref().filter(|_| !package.cases.is_empty()) else {
        return Ok(checked);
    };
    let run = session.signature(signature)?;
    for (number, case) in package.cases.iter().enumerate() {
        let failed = |error| Error::Case { case: number, error };
        let values = run.run(case.feeds(&run).map_err(failed)?).map_err(failed)?;
        for ((name, _), value) in run.signature().outputs.iter().zip(&values) {
            let Some((_, recorded)) = case.outputs.iter().find(|(known, _)| **known == **name)
            else {
                continue;
            };
            if let Some(mut difference) = differ(recorded, value, within) {
                difference.case = number;
                difference.signature = signature.to_owned();
                difference.output = name.to_string();
                difference.recorded_on = package.processor.clone();
                difference.recorded_by = package.made_by.clone();
                return Err(Error::Difference(Box::new(difference)));
            }
            checked.elements += recorded.shape().iter().product::<usize>();
        }
    }
    Ok(checked)
}

/// The difference of two values of an output, without what is known of the case.
fn differ(was: &Value, is: &Value, within: Option<Tolerance>) -> Option<Difference> {
    let mut difference = Difference {
        case: 0,
        signature: String::new(),
        output: String::new(),
        index: Vec::new(),
        was: format!("{}{:?}", was.dtype(), was.shape()),
        is: format!("{}{:?}", is.dtype(), is.shape()),
        differing: 0,
        elements: was.shape().iter().product(),
        largest: 0.0,
        within,
        recorded_on: None,
        recorded_by: None,
    };
    if was.dtype() != is.dtype() || was.shape() != is.shape() {
        difference.differing = difference.elements;
        return Some(difference);
    }
    let found = compare(&was.to_array(), &is.to_array(), within)?;
    let mut rest = found.first;
    for &size in was.shape().iter().rev() {
        difference.index.push(rest % size.max(1));
        rest /= size.max(1);
    }
    difference.index.reverse();
    difference.was = element(was, found.first);
    difference.is = element(is, found.first);
    difference.differing = found.count;
    difference.largest = found.largest;
    Some(difference)
}

/// An element, in as many digits as tell it from its neighbours.
fn element(value: &Value, index: usize) -> String {
    let shown = match value {
        Value::F32(array) => array.iter().nth(index).map(|x| format!("{x:?}")),
        Value::F64(array) => array.iter().nth(index).map(|x| format!("{x:?}")),
        Value::I32(array) => array.iter().nth(index).map(i32::to_string),
        Value::I64(array) => array.iter().nth(index).map(i64::to_string),
        Value::U8(array) => array.iter().nth(index).map(u8::to_string),
        Value::Bool(array) => array.iter().nth(index).map(bool::to_string),
    };
    shown.unwrap_or_default()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, signature, output, was, is, differing, elements, .. } = self;
        write!(
            f,
            "the model is not the one whose golden cases were recorded: case {case}, output `{output}` of signature `{signature}`"
        )?;
        if !self.index.is_empty() {
            write!(f, ", element {:?}", self.index)?;
        }
        write!(f, ": it was {was} and is {is}; {differing} of {elements} elements differ")?;
        if self.largest > 0.0 {
            write!(f, ", by up to {:.3e}", self.largest)?;
        }
        match self.within {
            None => f.write_str(", and the bits must be the same on this kind of processor")?,
            Some(Tolerance { relative, absolute }) => {
                write!(f, ", by more than {absolute:e} and {relative:e} of the recorded number")?;
            }
        }
        if let Some(processor) = &self.recorded_on {
            write!(f, "\n   | recorded on {processor}")?;
        }
        if let Some(program) = &self.recorded_by {
            write!(f, "\n   | recorded by {program}")?;
        }
        let help = "pack the model again with the weights that are meant (`abeyance export`), or copy the package again if \
                    it was damaged on the way";
        write!(f, "\n   = help: {help}")
    }
}
