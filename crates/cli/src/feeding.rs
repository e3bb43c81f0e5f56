//! Feeding a signature's inputs.

use abeyance::session::{Feed, SignatureRun, Value};

use crate::failure::Failure;

/// The values of inputs by their names, to run a signature on.
pub fn feeds<'a, N: AsRef<str>>(
    run: &SignatureRun<'_>,
    inputs: &'a [(N, Value)],
) -> Result<Vec<Feed<'a>>, Failure> {
    let feeds = inputs.iter().map(|(name, value)| run.feed_value(name.as_ref(), value));
    Ok(feeds.collect::<Result<_, _>>()?)
}
