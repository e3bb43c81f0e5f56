//! Feeding a signature's inputs.

use abeyance::session::{Feed, SignatureRun, Value};

use crate::error::Error;

/// The feeds of a signature's run from the values of inputs by name.
pub fn feeds<'a, N: AsRef<str>>(
    run: &SignatureRun<'_>,
    inputs: &'a [(N, Value)],
) -> Result<Vec<Feed<'a>>, Error> {
    let feeds = inputs.iter().map(|(name, value)| run.feed_value(name.as_ref(), value));
    Ok(feeds.collect::<Result<_, _>>()?)
}
