//! A version of a model, ready to run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use abeyance_session::{Error, Session, Value};

use super::{Statistics, TensorSpec, planned_sizes};
use crate::request_error::{ErrorKind, RequestError};

/// A loaded version: its session, what can be asked of it, what it did.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) model: Arc<str>,
    pub(crate) number: u64,
    /// Tells it from others in this process, also from one of the same number that was loaded
    /// before.
    pub(crate) id: u64,
    pub(crate) session: Session,
    pub(crate) signatures: Vec<ServedSignature>,
    /// The index of the signature that is meant if none is named.
    pub(crate) default: usize,
    pub(crate) statistics: Statistics,
    /// Golden cases that it gave when it was loaded.
    pub(crate) cases: usize,
    /// Numbers in all variables.
    pub(crate) parameters: usize,
    pub(crate) since: SystemTime,
}

/// A signature that can be asked for: one that writes no variables.
#[derive(Clone, Debug)]
pub(crate) struct ServedSignature {
    pub(crate) name: Box<str>,
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    /// The reason why requests cannot be run together, if they cannot.
    pub(crate) mixes: Option<String>,
}

impl ServedSignature {
    /// True if requests can be run together.
    pub(crate) fn can_batch(&self) -> bool {
        self.mixes.is_none()
    }

    pub(crate) fn input(&self, name: &str) -> Result<usize, RequestError> {
        let place = self.inputs.iter().position(|input| *input.name == *name);
        place.ok_or_else(|| unknown("input", name, &self.name, &self.inputs))
    }

    pub(crate) fn output(&self, name: &str) -> Result<usize, RequestError> {
        let place = self.outputs.iter().position(|output| *output.name == *name);
        place.ok_or_else(|| unknown("output", name, &self.name, &self.outputs))
    }
}

fn unknown(what: &str, name: &str, signature: &str, known: &[TensorSpec]) -> RequestError {
    let known: Vec<String> = known.iter().map(|spec| format!("`{}`", spec.name)).collect();
    let name = shortened(name);
    let known = if known.is_empty() {
        "there are none".to_owned()
    } else {
        format!("its {what}s are {}", known.join(", "))
    };
    RequestError::invalid(format!("signature `{signature}` has no {what} `{name}`; {known}"))
}

/// A name as a message holds it.
pub(crate) fn shortened(name: &str) -> String {
    const LONGEST: usize = 80;
    let plain = name.chars().map(|sign| if sign.is_control() { '\u{fffd}' } else { sign });
    let mut short: String = plain.clone().take(LONGEST).collect();
    if plain.count() > LONGEST {
        short.push('…');
    }
    short
}

impl Version {
    pub(crate) fn next_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// The signature of that name, or the one that is meant without.
    pub(crate) fn signature(&self, name: Option<&str>) -> Result<usize, RequestError> {
        let Some(name) = name else { return Ok(self.default) };
        let place = self.signatures.iter().position(|signature| *signature.name == *name);
        place.ok_or_else(|| {
            let known = self.signatures.iter().map(|signature| format!("`{}`", signature.name));
            let known: Vec<String> = known.collect();
            RequestError::new(
                ErrorKind::NotFound,
                format!(
                    "model `{}` has no signature `{}` that can be asked for; it has {}",
                    self.model,
                    shortened(name),
                    known.join(", ")
                ),
            )
        })
    }

    /// Runs a signature on values for its inputs, in their order.
    pub(crate) fn run(&self, signature: usize, inputs: &[Value]) -> Result<Vec<Value>, Error> {
        let Some(served) = self.signatures.get(signature) else { return Ok(Vec::new()) };
        let run = self.session.signature(&served.name)?;
        let fed = served.inputs.iter().zip(inputs);
        let feeds: Result<Vec<_>, Error> =
            fed.map(|(spec, value)| run.feed_value(&spec.name, value)).collect();
        run.run(feeds?)
    }

    /// Runs what requests will ask for, once in each size and with as many runs at a time as there
    /// will be, so that the first request is as fast as later ones. What fails on zeros fails on
    /// them, and is tried with nothing else.
    pub(crate) fn warm(&self, most: usize, runs: usize) -> Result<(), Error> {
        for (place, signature) in self.signatures.iter().enumerate() {
            let sizes = if signature.can_batch() { planned_sizes(most) } else { vec![1] };
            for size in sizes {
                self.warm_size(place, size)?;
            }
            let largest = if signature.can_batch() { most } else { 1 };
            let results: Vec<Result<(), Error>> = std::thread::scope(|scope| {
                let start = || scope.spawn(|| self.warm_size(place, largest));
                let running: Vec<_> = (0..runs).map(|_| start()).collect();
                running.into_iter().map(|run| run.join().unwrap_or(Ok(()))).collect()
            });
            results.into_iter().collect::<Result<(), Error>>()?;
        }
        Ok(())
    }

    fn warm_size(&self, signature: usize, rows: usize) -> Result<(), Error> {
        let Some(served) = self.signatures.get(signature) else { return Ok(()) };
        let values: Option<Vec<Value>> =
            served.inputs.iter().map(|spec| spec.zeros(rows)).collect();
        let Some(values) = values else { return Ok(()) };
        match self.run(signature, &values) {
            Err(Error::Node(_) | Error::Panic(_) | Error::Request(_)) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
