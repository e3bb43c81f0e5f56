//! Normalizations: of classes, batches, layers, groups.

use abeyance_graph::AnyTensor;
use abeyance_graph::ops::reduce::ReduceAttributes;
use abeyance_graph::ops::squares::RootMeanSquareAttributes;
use abeyance_graph::ops::{argument, binary, index, reduce, slice, softmax, squares, unary};
use abeyance_ir::{Dim, Graph as Ir, NodeId};

use super::super::call::{Call, Imported, one, unsupported, wrong};
use super::super::table::Row;
use super::super::value::Value;
use super::pool::power;
use super::reduction::{apply, length};
use crate::error::Reason;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("Softmax", "`softmax`; up to opset 12 of all axes from one on together", |call| {
        along(call, |call, x| Ok(call.unary(softmax::softmax, x)))
    }),
    Row::new("LogSoftmax", "`log_softmax`; up to opset 12 of all axes from one on together", |call| {
        along(call, |call, x| Ok(call.unary(softmax::log_softmax, x)))
    }),
    Row::new("Hardmax", "`argmax` and `one_hot`; up to opset 12 of all axes from one on together", |call| {
        along(call, |call, x| {
            let last = call.rank(x).saturating_sub(1);
            let (depth, dtype) = (call.size(x, last)? as i64, call.dtype(x));
            let largest = call.emit(|graph| argument::argmax(graph, x.id(), -1));
            Ok(call.emit(|graph| index::one_hot(graph, largest.id(), depth, dtype)))
        })
    })
    .limits("an axis of unknown size"),
    Row::new(
        "BatchNormalization",
        "the nodes of `batch_normalization`, along the last dimension where the images are; in training of the batch's moments",
        batch_normalization,
    )
    .limits("`spatial=0`; five outputs")
    .state(&[3, 4]),
    Row::new("InstanceNormalization", "`reduce_mean`, `reduce_root_mean_square` and arithmetic", |call| {
        let x = call.tensor(0)?;
        let epsilon = call.float_or("epsilon", 1e-5)?;
        let rank = call.rank(x);
        if rank < 3 {
            return wrong("images have three dimensions or more");
        }
        let axes: Vec<i64> = (2..rank as i64).collect();
        let normal = standardized(call, x, &axes, epsilon).0;
        one(scaled(call, normal, call.tensor(1)?, Some(call.tensor(2)?)))
    }),
    Row::new("GroupNormalization", "`reduce_mean`, `reduce_root_mean_square` and arithmetic", group_normalization)
        .limits("channels of unknown number"),
    Row::new("LayerNormalization", "`reduce_mean`, `reduce_root_mean_square` and arithmetic", |call| {
        let x = call.tensor(0)?;
        let epsilon = call.float_or("epsilon", 1e-5)?;
        let axes = from_axis(call, x, -1)?;
        let (normal, mean, inverse) = standardized(call, x, &axes, epsilon);
        let gained = call.binary(binary::mul, normal, call.tensor(1)?);
        let result = match call.optional_tensor(2) {
            Some(bias) => call.binary(binary::add, gained, bias),
            None => gained,
        };
        Ok([result, mean, inverse].map(Value::plain).into())
    }),
    Row::new("RMSNormalization", "`reduce_root_mean_square` and arithmetic", |call| {
        let x = call.tensor(0)?;
        let epsilon = call.float_or("epsilon", 1e-5)?;
        let axes = from_axis(call, x, -1)?;
        let normal = call.binary(binary::div, x, root_mean_square(call, x, &axes, epsilon));
        one(call.binary(binary::mul, normal, call.tensor(1)?))
    }),
    Row::new("MeanVarianceNormalization", "`reduce_mean`, `reduce_root_mean_square` and arithmetic", |call| {
        let x = call.tensor(0)?;
        let axes = call.ints("axes")?.unwrap_or(&[0, 2, 3]);
        let mean = apply(call, &reduce::MEAN, x, axes, true);
        let centred = call.binary(binary::sub, x, mean);
        // Beside the deviation, not beside its square: so small numbers count.
        let deviation = call.plus(root_mean_square(call, centred, axes, 0.0), 1e-9);
        one(call.binary(binary::div, centred, deviation))
    }),
    Row::new("LpNormalization", "`abs` and `reduce_sum`, or the nodes of `l2_norm`, and `div`; 0 where the norm is 0", |call| {
        let x = call.tensor(0)?;
        let axis = call.axis(call.int_or("axis", -1)?, call.rank(x))? as i64;
        let norm = match call.int_or("p", 2)? {
            1 => apply(call, &reduce::SUM, call.unary(unary::abs, x), &[axis], true),
            2 => length(call, x, &[axis], true),
            p => return unsupported(format!("p is {p}, and neither 1 nor 2")),
        };
        let (zero, whole) = (call.number(0.0, x), call.number(1.0, x));
        let none = call.binary(abeyance_graph::ops::comparison::equal, norm, zero);
        let safe = call.emit(|graph| {
            abeyance_graph::ops::select::select(graph, none.id(), whole.id(), norm.id())
        });
        one(call.binary(binary::div, x, safe))
    }),
    Row::new("LRN", "`square`, slices along the channels that are added up, `pow` and `div`", local_response),
];

/// Something along the last dimension, for the axis that a node names: one axis since opset 13, before that all from one on together.
fn along<'g>(
    call: &Call<'_, 'g>,
    function: impl FnOnce(&Call<'_, 'g>, AnyTensor<'g>) -> Result<AnyTensor<'g>, Reason>,
) -> Imported<'g> {
    let x = call.tensor(0)?;
    let shape = call.shape(x);
    let rank = shape.len();
    if call.opset >= 13 {
        let axis = call.axis(call.int_or("axis", -1)?, rank)?;
        let last = rank - 1;
        let swapped = call.move_axis(x, axis, last);
        let result = function(call, swapped)?;
        return one(call.move_axis(result, last, axis));
    }
    let axis = match call.int_or("axis", 1)? {
        axis if axis == rank as i64 => rank,
        axis => call.axis(axis, rank)?,
    };
    let rows = call.product(&shape[..axis]);
    let columns = call.product(&shape[axis..]);
    let matrix = call.reshape(x, [rows, columns]);
    let result = function(call, matrix)?;
    one(call.reshape(result, shape))
}

/// The axes from the one that a node names on.
fn from_axis<'g>(call: &Call<'_, 'g>, x: AnyTensor<'g>, default: i64) -> Result<Vec<i64>, Reason> {
    let rank = call.rank(x);
    let first = call.axis(call.int_or("axis", default)?, rank)?;
    Ok((first as i64..rank as i64).collect())
}

/// `(x - mean) / sqrt(variance + epsilon)`, with the mean and the variance along some axes, the mean, and 1 over the root.
fn standardized<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    axes: &[i64],
    epsilon: f64,
) -> (AnyTensor<'g>, AnyTensor<'g>, AnyTensor<'g>) {
    let mean = apply(call, &reduce::MEAN, x, axes, true);
    let centred = call.binary(binary::sub, x, mean);
    let deviation = root_mean_square(call, centred, axes, epsilon);
    let normal = call.binary(binary::div, centred, deviation);
    (normal, mean, call.unary(unary::reciprocal, deviation))
}

/// `sqrt(mean(x²) + epsilon)` along some axes, whose dimensions stay. The squares may be beyond what the type holds.
fn root_mean_square<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    axes: &[i64],
    epsilon: f64,
) -> AnyTensor<'g> {
    let reduce = ReduceAttributes { axes: axes.into(), keep_dims: true };
    let attributes = RootMeanSquareAttributes { reduce, epsilon };
    call.emit(|graph| graph.add(&squares::ROOT_MEAN_SQUARE, &[x.id()], attributes))
}

/// `x · scale + bias` with a number for each channel, dimension 1.
fn scaled<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    scale: AnyTensor<'g>,
    bias: Option<AnyTensor<'g>>,
) -> AnyTensor<'g> {
    let rank = call.rank(x);
    let gained = call.binary(binary::mul, x, call.along(scale, 1, rank));
    match bias {
        Some(bias) => call.binary(binary::add, gained, call.along(bias, 1, rank)),
        None => gained,
    }
}

fn batch_normalization<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let epsilon = call.float_or("epsilon", 1e-5)?;
    let momentum = call.float_or("momentum", 0.9)?;
    let training = call.flag("training_mode", false)?;
    if call.opset < 9 && !call.flag("spatial", true)? {
        return unsupported("moments of each element of an image, `spatial=0`, are not taken");
    }
    if call.opset < 14 && call.node.output.iter().skip(1).any(|name| !name.is_empty()) {
        return unsupported("a training as described before opset 14, with five outputs");
    }
    let value = call.value(0)?;
    // Images stay as they are: a number for each channel broadcasts along their last dimension.
    let images = value.is_images();
    let x = value.any(call.graph);
    call.float_type(x)?;
    let rank = call.rank(x);
    let channels = if images { 3 } else { 1 };
    let spread = |vector: AnyTensor<'g>| match channels + 1 == rank || rank < 2 {
        true => vector,
        false => call.along(vector, channels, rank),
    };
    let [scale, bias, mean, variance] =
        [call.tensor(1)?, call.tensor(2)?, call.tensor(3)?, call.tensor(4)?];
    let mut outputs = Vec::new();
    let (of_batch, variance_of_batch) = match training {
        false => (mean, variance),
        true => {
            let axes: Vec<i64> = (0..rank as i64).filter(|&axis| axis != channels as i64).collect();
            let batch = apply(call, &reduce::MEAN, x, &axes, false);
            let centred = call.binary(binary::sub, x, spread(batch));
            let squares = call.unary(unary::square, centred);
            (batch, apply(call, &reduce::MEAN, squares, &axes, false))
        }
    };
    let inverse = call.unary(unary::rsqrt, call.plus(variance_of_batch, epsilon));
    let centred = call.binary(binary::sub, x, spread(of_batch));
    let factor = call.binary(binary::mul, inverse, scale);
    let gained = call.binary(binary::mul, centred, spread(factor));
    let result = call.binary(binary::add, gained, spread(bias));
    outputs.push(if images { Value::images(result) } else { Value::plain(result) });
    if training {
        for (moving, batch) in [(mean, of_batch), (variance, variance_of_batch)] {
            let kept = call.times(moving, momentum);
            let moved = call.binary(binary::add, kept, call.times(batch, 1.0 - momentum));
            outputs.push(Value::plain(moved));
        }
    }
    Ok(outputs)
}

fn group_normalization<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let x = call.tensor(0)?;
    let epsilon = call.float_or("epsilon", 1e-5)?;
    let groups = usize::try_from(call.int_or("num_groups", 0)?).unwrap_or(0);
    let shape = call.shape(x);
    let channels = call.size(x, 1)?;
    if groups == 0 || channels % groups != 0 {
        return wrong(format!("{channels} channels cannot be divided into {groups} groups"));
    }
    let split = [shape[0], Dim::Known(groups), Dim::Known(channels / groups)];
    let grouped = call.reshape(x, split.into_iter().chain(shape.iter().skip(2).copied()));
    let axes: Vec<i64> = (2..call.rank(grouped) as i64).collect();
    let normal = standardized(call, grouped, &axes, epsilon).0;
    let (scale, bias) = (call.tensor(1)?, call.tensor(2)?);
    // Before opset 21 there is a number for each group, then one for each channel.
    if call.opset < 21 {
        let by_group = scaled(call, normal, scale, Some(bias));
        return one(call.reshape(by_group, shape));
    }
    one(scaled(call, call.reshape(normal, shape), scale, Some(bias)))
}

/// `x / (bias + alpha / size · Σ x²)^beta`, summed over the channels around each.
fn local_response<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let x = call.tensor(0)?;
    let size = call.int_or("size", 0)?;
    let (alpha, beta) = (call.float_or("alpha", 1e-4)?, call.float_or("beta", 0.75)?);
    let bias = call.float_or("bias", 1.0)?;
    let channels = call.size(x, 1)? as i64;
    if !(1..=256).contains(&size) {
        return unsupported(format!("a size of {size}: from 1 to 256 are taken"));
    }
    let rank = call.rank(x);
    let place = |value: i64| -> Vec<i64> {
        (0..rank).map(|axis| if axis == 1 { value } else { 0 }).collect()
    };
    let (before, after) = ((size - 1) / 2, size / 2);
    let squares = call.unary(unary::square, x);
    let wide = call.emit(|graph| slice::pad(graph, squares.id(), &place(before), &place(after)));
    let lengths: Vec<i64> = (0..rank).map(|axis| if axis == 1 { channels } else { -1 }).collect();
    let mut sum: Option<AnyTensor<'g>> = None;
    for offset in 0..size {
        let part = call.emit(|graph| slice::slice(graph, wide.id(), &place(offset), &lengths));
        sum = Some(sum.map_or(part, |sum| {
            call.binary(binary::add as fn(&mut Ir, NodeId, NodeId) -> NodeId, sum, part)
        }));
    }
    let sum = sum.unwrap_or(squares);
    let base = call.plus(call.times(sum, alpha / size as f64), bias);
    one(call.binary(binary::div, x, power(call, base, beta)))
}
