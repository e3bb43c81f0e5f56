//! Normalizations: of classes, batches, layers, groups.

use abeyance_graph::{Axes, Expr, keep_dims};
use abeyance_ir::Dim;

use super::super::call::{Call, Imported, one, unsupported, wrong};
use super::super::entry::OpEntry;
use super::super::value::Value;
use super::pool::power;
use super::reduction::length;
use super::shape::{move_axis, reshaped, vector_along};
use crate::error::ProblemKind;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("Softmax", "`softmax`; up to opset 12 of all axes from one on together", |call| {
        along(call, |x| Ok(x.softmax()))
    }),
    OpEntry::new(
        "LogSoftmax",
        "`log_softmax`; up to opset 12 of all axes from one on together",
        |call| along(call, |x| Ok(x.log_softmax())),
    ),
    OpEntry::new(
        "Hardmax",
        "`argmax` and `one_hot`; up to opset 12 of all axes from one on together",
        |call| {
            along(call, |x| {
                let depth = call.size(x, x.rank().saturating_sub(1))? as i64;
                Ok(x.argmax(-1).one_hot(depth, call.dtype(x)))
            })
        },
    )
    .unsupported("an axis of unknown size"),
    OpEntry::new(
        "BatchNormalization",
        "the nodes of `batch_normalization`, along the last dimension where the \
            images are; in training of the batch's moments",
        batch_normalization,
    )
    .unsupported("`spatial=0`; five outputs")
    .state(&[3, 4]),
    OpEntry::new(
        "InstanceNormalization",
        "`reduce_mean`, `reduce_root_mean_square` and arithmetic",
        |call| {
            let x = call.tensor(0)?;
            let epsilon = call.float_or("epsilon", 1e-5)?;
            let rank = x.rank();
            if rank < 3 {
                return wrong("images have three dimensions or more");
            }
            let axes: Vec<i64> = (2..rank as i64).collect();
            let normal = standardized(x, &axes, epsilon).0;
            one(scaled(normal, call.tensor(1)?, call.tensor(2)?))
        },
    ),
    OpEntry::new(
        "GroupNormalization",
        "`reduce_mean`, `reduce_root_mean_square` and arithmetic",
        group_normalization,
    )
    .unsupported("channels of unknown number"),
    OpEntry::new(
        "LayerNormalization",
        "`reduce_mean`, `reduce_root_mean_square` and arithmetic",
        |call| {
            let x = call.tensor(0)?;
            let epsilon = call.float_or("epsilon", 1e-5)?;
            let axes = from_axis(call, x, -1)?;
            let (normal, mean, inverse) = standardized(x, &axes, epsilon);
            let gained = normal * call.tensor(1)?;
            let result = call.optional_tensor(2).map_or(gained, |bias| gained + bias);
            Ok([result, mean, inverse].map(Value::plain).into())
        },
    ),
    OpEntry::new("RMSNormalization", "`reduce_root_mean_square` and arithmetic", |call| {
        let x = call.tensor(0)?;
        let epsilon = call.float_or("epsilon", 1e-5)?;
        let axes = from_axis(call, x, -1)?;
        let normal = x / x.root_mean_square(keep_dims(&axes[..]), epsilon);
        one(normal * call.tensor(1)?)
    }),
    OpEntry::new(
        "MeanVarianceNormalization",
        "`reduce_mean`, `reduce_root_mean_square` and arithmetic",
        |call| {
            let x = call.tensor(0)?;
            let axes = call.ints("axes")?.unwrap_or(&[0, 2, 3]);
            let centred = x - x.reduce_mean(keep_dims(axes));
            // Beside the deviation, not beside its square: so small numbers count.
            one(centred / (centred.root_mean_square(keep_dims(axes), 0.0) + 1e-9))
        },
    ),
    OpEntry::new(
        "LpNormalization",
        "`abs` and `reduce_sum`, or the nodes of `l2_norm`, and `div`; 0 where the norm is 0",
        |call| {
            let x = call.tensor(0)?;
            let axis = call.axis(call.int_or("axis", -1)?, x.rank())? as i64;
            let norm = match call.int_or("p", 2)? {
                1 => x.abs().reduce_sum(keep_dims(axis)),
                2 => length(call, x, &keep_dims(axis).list()),
                p => return unsupported(format!("p is {p}, and neither 1 nor 2")),
            };
            one(x / norm.equal(0.0).select(1.0, norm))
        },
    ),
    OpEntry::new(
        "LRN",
        "`square`, slices along the channels that are added up, `pow` and `div`",
        local_response,
    ),
];

/// Something along the last dimension, for the axis that a node names: one axis since opset 13,
/// before that all from one on together.
fn along<'g>(
    call: &Call<'_, 'g>,
    function: impl FnOnce(Expr<'g>) -> Result<Expr<'g>, ProblemKind>,
) -> Imported<'g> {
    let x = call.tensor(0)?;
    let shape = x.shape();
    let rank = shape.len();
    if call.opset >= 13 {
        let axis = call.axis(call.int_or("axis", -1)?, rank)?;
        let last = rank - 1;
        let result = function(move_axis(x, axis, last))?;
        return one(move_axis(result, last, axis));
    }
    let axis = match call.int_or("axis", 1)? {
        axis if axis == rank as i64 => rank,
        axis => call.axis(axis, rank)?,
    };
    let rows = call.product(&shape[..axis]);
    let columns = call.product(&shape[axis..]);
    let result = function(reshaped(x, [rows, columns]))?;
    one(reshaped(result, shape))
}

/// The axes from the one that a node names on.
fn from_axis<'g>(call: &Call<'_, 'g>, x: Expr<'g>, default: i64) -> Result<Vec<i64>, ProblemKind> {
    let rank = x.rank();
    let first = call.axis(call.int_or("axis", default)?, rank)?;
    Ok((first as i64..rank as i64).collect())
}

/// `(x - mean) / sqrt(variance + epsilon)`, with the mean and the variance along some axes, the
/// mean, and 1 over the root. The squares may be beyond what the type holds.
fn standardized<'g>(x: Expr<'g>, axes: &[i64], epsilon: f64) -> (Expr<'g>, Expr<'g>, Expr<'g>) {
    let mean = x.reduce_mean(keep_dims(axes));
    let centred = x - mean;
    let deviation = centred.root_mean_square(keep_dims(axes), epsilon);
    (centred / deviation, mean, deviation.reciprocal())
}

/// `x · scale + bias` with a number for each channel, dimension 1.
fn scaled<'g>(x: Expr<'g>, scale: Expr<'g>, bias: Expr<'g>) -> Expr<'g> {
    let rank = x.rank();
    x * vector_along(scale, 1, rank) + vector_along(bias, 1, rank)
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
    let rank = x.rank();
    let channels = if images { 3 } else { 1 };
    let is_spread = channels + 1 == rank || rank < 2;
    let spread = |vector: Expr<'g>| {
        if is_spread { vector } else { vector_along(vector, channels, rank) }
    };
    let [scale, bias, mean, variance] =
        [call.tensor(1)?, call.tensor(2)?, call.tensor(3)?, call.tensor(4)?];
    let (of_batch, variance_of_batch) = if training {
        let axes: Vec<i64> = (0..rank as i64).filter(|&axis| axis != channels as i64).collect();
        let batch = x.reduce_mean(&axes[..]);
        (batch, (x - spread(batch)).square().reduce_mean(&axes[..]))
    } else {
        (mean, variance)
    };
    let inverse = (variance_of_batch + epsilon).rsqrt();
    let centred = x - spread(of_batch);
    let result = centred * spread(inverse * scale) + spread(bias);
    let mut outputs = vec![Value::of(result, images)];
    if training {
        for (moving, batch) in [(mean, of_batch), (variance, variance_of_batch)] {
            outputs.push(Value::plain(moving * momentum + batch * (1.0 - momentum)));
        }
    }
    Ok(outputs)
}

fn group_normalization<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let x = call.tensor(0)?;
    let epsilon = call.float_or("epsilon", 1e-5)?;
    let groups = usize::try_from(call.int_or("num_groups", 0)?).unwrap_or(0);
    let shape = x.shape();
    let channels = call.size(x, 1)?;
    if groups == 0 || channels % groups != 0 {
        return wrong(format!("{channels} channels cannot be divided into {groups} groups"));
    }
    let split = [shape[0], Dim::Known(groups), Dim::Known(channels / groups)];
    let grouped = reshaped(x, split.into_iter().chain(shape.iter().skip(2).copied()));
    let axes: Vec<i64> = (2..grouped.rank() as i64).collect();
    let normal = standardized(grouped, &axes, epsilon).0;
    let (scale, bias) = (call.tensor(1)?, call.tensor(2)?);
    // Before opset 21 there is a number for each group, then one for each channel.
    if call.opset < 21 {
        return one(reshaped(scaled(normal, scale, bias), shape));
    }
    one(scaled(reshaped(normal, shape), scale, bias))
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
    let rank = x.rank();
    let place = |value: i64| -> Vec<i64> {
        (0..rank).map(|axis| if axis == 1 { value } else { 0 }).collect()
    };
    let (before, after) = ((size - 1) / 2, size / 2);
    let squares = x.square();
    let wide = squares.pad(&place(before), &place(after));
    let lengths: Vec<i64> = (0..rank).map(|axis| if axis == 1 { channels } else { -1 }).collect();
    let parts = (0..size).map(|offset| wide.slice(&place(offset), &lengths));
    let sum = parts.reduce(|sum, part| sum + part).unwrap_or(squares);
    one(x / power(sum * (alpha / size as f64) + bias, beta))
}
