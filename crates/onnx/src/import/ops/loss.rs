//! Losses of classes.

use abeyance_graph::Expr;
use abeyance_ir::DType;

use super::super::call::{Call, unsupported, wrong};
use super::super::entry::OpEntry;
use super::super::value::Value;
use super::shape::{move_axis, reshaped};
use crate::error::ProblemKind;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("SoftmaxCrossEntropyLoss", "`log_softmax`, `take_along` and reductions", |call| {
        let logs = classes_last(call, call.tensor(0)?)?.log_softmax();
        let loss = likelihood(call, logs)?;
        let back = move_axis(logs, logs.rank().saturating_sub(1), 1);
        Ok(vec![loss, Value::plain(back)])
    }),
    OpEntry::new("NegativeLogLikelihoodLoss", "`take_along` and reductions", |call| {
        let logs = classes_last(call, call.tensor(0)?)?;
        Ok(vec![likelihood(call, logs)?])
    }),
];

fn classes_last<'g>(call: &Call<'_, 'g>, x: Expr<'g>) -> Result<Expr<'g>, ProblemKind> {
    call.float_type(x)?;
    match x.rank() {
        rank if rank < 2 => wrong("scores have two dimensions or more, [N, C, ...]"),
        rank => Ok(move_axis(x, 1, rank - 1)),
    }
}

/// Minus the weighted logarithms `[N, ..., C]` that the labels, input 1, name, and their reduction.
fn likelihood<'g>(call: &Call<'_, 'g>, logs: Expr<'g>) -> Result<Value<'g>, ProblemKind> {
    let labels = call.tensor(1)?;
    let ignored = call.int("ignore_index")?;
    let weights = call.optional_tensor(2);
    let like = call.dtype(logs);
    if !matches!(call.dtype(labels), DType::I32 | DType::I64) {
        return wrong("labels are i32 or i64");
    }
    // An ignored label may be out of range: it is looked up as 0 and counts nothing.
    let ignoring = ignored.map(|ignored| labels.equal(ignored as f64));
    let safe = ignoring.map_or(labels, |ignoring| ignoring.select(0.0, labels));
    let picked = logs.take_along(safe.expand_dims(-1));
    let losses = -reshaped(picked, labels.shape());
    let counted = ignoring.map(|ignoring| ignoring.logical_not().cast(like));
    let weight = weights.map(|weights| weights.gather(safe));
    let weight = match (weight, counted) {
        (Some(weight), Some(counted)) => Some(weight * counted),
        (weight, counted) => weight.or(counted),
    };
    let weighted = weight.map_or(losses, |weight| losses * weight);
    let axes: Vec<i64> = (0..labels.rank() as i64).collect();
    let reduced = match (call.string_or("reduction", "mean")?.as_str(), weight) {
        ("none", _) => weighted,
        ("sum", _) => weighted.reduce_sum(&axes[..]),
        ("mean", None) => weighted.reduce_mean(&axes[..]),
        ("mean", Some(weight)) => weighted.reduce_sum(&axes[..]) / weight.reduce_sum(&axes[..]),
        (other, _) => return unsupported(format!("a reduction called {other:?}")),
    };
    Ok(Value::plain(reduced))
}
