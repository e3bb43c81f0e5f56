//! Losses of classes.

use abeyance_graph::AnyTensor;
use abeyance_graph::ops::{
    along, binary, cast, comparison, index, reduce, select, shape, softmax, unary,
};
use abeyance_ir::DType;

use super::super::call::{Call, unsupported, wrong};
use super::super::table::Row;
use super::super::value::Value;
use super::reduction::apply;
use crate::error::Reason;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("SoftmaxCrossEntropyLoss", "`log_softmax`, `take_along` and reductions", |call| {
        let x = classes_last(call, call.tensor(0)?)?;
        let logs = call.unary(softmax::log_softmax, x);
        let loss = likelihood(call, logs)?;
        let rank = call.rank(logs);
        let back = call.move_axis(logs, rank.saturating_sub(1), 1);
        Ok(vec![loss, Value::plain(back)])
    }),
    Row::new("NegativeLogLikelihoodLoss", "`take_along` and reductions", |call| {
        let logs = classes_last(call, call.tensor(0)?)?;
        Ok(vec![likelihood(call, logs)?])
    }),
];

fn classes_last<'g>(call: &Call<'_, 'g>, x: AnyTensor<'g>) -> Result<AnyTensor<'g>, Reason> {
    call.float_type(x)?;
    match call.rank(x) {
        rank if rank < 2 => wrong("scores have two dimensions or more, [N, C, ...]"),
        rank => Ok(call.move_axis(x, 1, rank - 1)),
    }
}

/// Minus the weighted logarithms `[N, ..., C]` that the labels, input 1, name, and their reduction.
fn likelihood<'g>(call: &Call<'_, 'g>, logs: AnyTensor<'g>) -> Result<Value<'g>, Reason> {
    let labels = call.tensor(1)?;
    let ignored = call.int("ignore_index")?;
    let weights = call.optional_tensor(2);
    let like = call.dtype(logs);
    if !matches!(call.dtype(labels), DType::I32 | DType::I64) {
        return wrong("labels are i32 or i64");
    }
    // An ignored label may be out of range: it is looked up as 0 and counts nothing.
    let ignoring =
        ignored.map(|ignored| call.with_number(comparison::equal, labels, ignored as f64));
    let safe = match ignoring {
        Some(ignoring) => {
            let zero = call.number(0.0, labels);
            call.emit(|graph| select::select(graph, ignoring.id(), zero.id(), labels.id()))
        }
        None => labels,
    };
    let picked = call.emit(|graph| {
        let column = shape::expand_dims(graph, safe.id(), -1);
        along::take_along(graph, logs.id(), column)
    });
    let picked = call.reshape(picked, call.shape(labels));
    let losses = call.unary(unary::neg, picked);
    let counted = ignoring.map(|ignoring| {
        call.emit(|graph| {
            let counted = abeyance_graph::ops::logical::logical_not(graph, ignoring.id());
            cast::cast(graph, counted, like)
        })
    });
    let weight =
        weights.map(|weights| call.emit(|graph| index::gather(graph, weights.id(), safe.id())));
    let weight = match (weight, counted) {
        (Some(weight), Some(counted)) => Some(call.binary(binary::mul, weight, counted)),
        (weight, counted) => weight.or(counted),
    };
    let weighted = weight.map_or(losses, |weight| call.binary(binary::mul, losses, weight));
    let axes: Vec<i64> = (0..call.rank(labels) as i64).collect();
    let reduced = match (call.string_or("reduction", "mean")?.as_str(), weight) {
        ("none", _) => weighted,
        ("sum", _) => apply(call, &reduce::SUM, weighted, &axes, false),
        ("mean", None) => apply(call, &reduce::MEAN, weighted, &axes, false),
        ("mean", Some(weight)) => {
            let sum = apply(call, &reduce::SUM, weighted, &axes, false);
            call.binary(binary::div, sum, apply(call, &reduce::SUM, weight, &axes, false))
        }
        (other, _) => return unsupported(format!("a reduction called {other:?}")),
    };
    Ok(Value::plain(reduced))
}
