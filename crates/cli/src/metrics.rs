//! Losses and accuracies: the outputs of signatures that are one number.

use abeyance::datasets::Dataset;
use abeyance::session::{Session, TensorRef, Value};

use crate::data::Inputs;
use crate::error::Error;
use crate::feeds::feeds;

/// Numbers with their names, in the order of the signature.
pub type Metrics = Vec<(String, f64)>;

/// Picks the outputs that are one number from all those of the signature.
pub fn metrics(names: &[String], values: &[Value]) -> Metrics {
    let single = names.iter().zip(values).filter(|(_, value)| value.shape().is_empty());
    single
        .map(|(name, value)| (name.clone(), value.to_f64().first().copied().unwrap_or(f64::NAN)))
        .collect()
}

/// Shows metrics on a line: `loss 0.1234  accuracy 0.9800`.
pub fn show(metrics: &Metrics) -> String {
    let shown: Vec<String> =
        metrics.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect();
    shown.join("  ")
}

/// Shows a number with four decimals, or with an exponent where it is very small or large.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size != 0.0 && !(1e-3..1e6).contains(&size) => format!("{value:.3e}"),
        _ => format!("{value:.4}"),
    }
}

/// The metrics as a JSON object, in which NaN and infinities are null.
pub fn object(metrics: &Metrics) -> serde_json::Value {
    metrics.iter().map(|(name, value)| (name.clone(), serde_json::Value::from(*value))).collect()
}

/// Evaluates a signature on a data set: the means of its numbers, with each batch weighted by its
/// size. `also` is fetched along, and its classes are collected.
pub fn evaluate(
    session: &Session,
    signature: &str,
    inputs: &Inputs,
    dataset: &Dataset,
    batch: usize,
    also: Option<TensorRef<Value>>,
) -> Result<(Metrics, Vec<u16>), Error> {
    let run = session.signature(signature)?.fetching(also)?;
    let names: Vec<String> =
        run.signature().outputs.iter().map(|(name, _)| name.to_string()).collect();
    let mut sums: Metrics = Vec::new();
    let mut classes = Vec::new();
    for part in dataset.sequential(batch) {
        let values = inputs.of_view(&part);
        let outputs = run.run(feeds(&run, &values)?)?;
        let weight = part.digits.len() as f64;
        for (place, (name, value)) in metrics(&names, &outputs).into_iter().enumerate() {
            match sums.get_mut(place) {
                Some((_, sum)) => *sum += value * weight,
                None => sums.push((name, value * weight)),
            }
        }
        if let Some(taken) = outputs.get(names.len()) {
            classes.extend(abeyance::record::classes(taken, usize::MAX).map_err(Error::failed)?);
        }
    }
    if sums.is_empty() {
        return Err(Error::Failed(format!(
            "no output of the signature `{signature}` is one number\n   = help: the program that saves the graph names them: a loss, an accuracy, each the mean over the batch"
        )));
    }
    let count = dataset.len() as f64;
    Ok((sums.into_iter().map(|(name, sum)| (name, sum / count)).collect(), classes))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_say_something_however_small_or_large() {
        let shown = [0.0, 0.98765, 12.0, 1e-5, 1e7, f64::NAN].map(number);
        assert_eq!(shown, ["0.0000", "0.9877", "12.0000", "1.000e-5", "1.000e7", "NaN"]);
    }
}
