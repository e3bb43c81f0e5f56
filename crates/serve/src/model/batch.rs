//! Requests computed in one run, each with the bits that it has alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use abeyance_session::Value;

use super::rows::{cut, joined};
use super::{Version, planned};
use crate::request_error::{ErrorKind, RequestError};

/// The outputs of one request, or why there are none.
pub(crate) type Outcome = Result<Vec<Value>, RequestError>;

/// Computes the requests of one batch: for each its values in the order of the signature's inputs.
/// A request whose values a node refuses is told so, and the others are computed without it. No run
/// has more than `most` rows.
pub(crate) fn compute(
    version: &Version,
    signature: usize,
    requests: &[&[Value]],
    most: usize,
) -> Vec<Outcome> {
    let batches = version.signatures.get(signature).is_some_and(|signature| signature.can_batch());
    if let ([request], false) = (requests, batches) {
        return vec![guarded(|| Ok(version.run(signature, request)?))];
    }
    match guarded(|| together(version, signature, requests, most)) {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if requests.len() == 1 => vec![Err(error)],
        // One of them is at fault, or each: alone it is told, and the others have their answers.
        Err(_) => {
            let alone = |request: &&[Value]| {
                let outcome = guarded(|| together(version, signature, &[*request], most));
                outcome.and_then(|mut only| only.pop().ok_or_else(contradiction))
            };
            requests.iter().map(alone).collect()
        }
    }
}

/// The outputs of each request, all rows of which stand one after another in runs of planned sizes.
fn together(
    version: &Version,
    signature: usize,
    requests: &[&[Value]],
    most: usize,
) -> Result<Vec<Vec<Value>>, RequestError> {
    let rows: Vec<usize> = requests.iter().map(|request| rows(request)).collect();
    let all: usize = rows.iter().sum();
    if all == 0 {
        let alone = |request: &&[Value]| Ok(version.run(signature, request)?);
        return requests.iter().map(alone).collect();
    }
    if let ([request], true) = (requests, all <= most && all == planned(all, most)) {
        return Ok(vec![version.run(signature, request)?]);
    }
    if let ([request], true) = (requests, all > most) {
        return Ok(vec![in_pieces(version, signature, request, all, most)?]);
    }
    let planned = planned(all, most);
    let inputs = requests.first().map_or(0, |request| request.len());
    let whole: Option<Vec<Value>> = (0..inputs)
        .map(|place| {
            let parts: Option<Vec<&Value>> =
                requests.iter().map(|request| request.get(place)).collect();
            joined(&parts?, planned)
        })
        .collect();
    let outputs = version.run(signature, &whole.ok_or_else(contradiction)?)?;
    let mut start = 0;
    let mut answers = Vec::with_capacity(requests.len());
    for rows in rows {
        let part: Option<Vec<Value>> =
            outputs.iter().map(|output| cut(output, start, rows)).collect();
        answers.push(part.ok_or_else(contradiction)?);
        start += rows;
    }
    Ok(answers)
}

/// A request of more rows than one run takes.
fn in_pieces(
    version: &Version,
    signature: usize,
    request: &[Value],
    all: usize,
    most: usize,
) -> Result<Vec<Value>, RequestError> {
    let mut pieces: Vec<Vec<Value>> = Vec::with_capacity(all.div_ceil(most));
    for start in (0..all).step_by(most) {
        let rows = most.min(all - start);
        let part: Option<Vec<Value>> =
            request.iter().map(|value| cut(value, start, rows)).collect();
        let part = part.ok_or_else(contradiction)?;
        pieces.extend(together(version, signature, &[&part], most)?);
    }
    let outputs = pieces.first().map_or(0, Vec::len);
    let whole: Option<Vec<Value>> = (0..outputs)
        .map(|place| {
            let parts: Option<Vec<&Value>> = pieces.iter().map(|piece| piece.get(place)).collect();
            joined(&parts?, all)
        })
        .collect();
    whole.ok_or_else(contradiction)
}

/// The rows of a request, which are as many in each of its values.
pub(crate) fn rows(request: &[Value]) -> usize {
    request.first().and_then(|value| value.shape().first().copied()).unwrap_or(1)
}

fn contradiction() -> RequestError {
    RequestError::new(ErrorKind::Internal, "internal: the rows of a batch do not fit together")
}

/// Runs, and turns a panic outside of a kernel into an error, so that the thread goes on.
fn guarded<T>(run: impl FnOnce() -> Result<T, RequestError>) -> Result<T, RequestError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(RequestError::new(ErrorKind::Internal, "internal: the model panicked on this request"))
    })
}
