//! Arithmetic of two and more tensors that broadcast.

use abeyance_graph::AnyTensor;
use abeyance_graph::ops::{binary, division, powi, truncated};
use abeyance_ir::{DType, Dim, Graph as Ir, NodeId};

use super::super::call::{Call, Imported, wrong};
use super::super::table::Row;
use super::super::value::Value;
use crate::error::Reason;

type Append = fn(&mut Ir, NodeId, NodeId) -> NodeId;

/// Two inputs that broadcast under a function of each pair of elements. Where one of them is images in the order used here, the
/// other is brought into that order, and the result stays in it.
pub(crate) fn broadcast_pair<'g>(
    call: &Call<'_, 'g>,
    function: impl FnOnce(AnyTensor<'g>, AnyTensor<'g>) -> Result<AnyTensor<'g>, Reason>,
) -> Imported<'g> {
    let (operands, images) = aligned(call, &[0, 1])?;
    let result = function(operands[0], operands[1])?;
    Ok(vec![match images {
        true => Value::images(result),
        false => Value::plain(result),
    }])
}

/// Inputs that broadcast with each other, and whether they are in the order of images here.
pub(crate) fn aligned<'g>(
    call: &Call<'_, 'g>,
    places: &[usize],
) -> Result<(Vec<AnyTensor<'g>>, bool), Reason> {
    let mut values = Vec::new();
    for &place in places {
        values.push(call.value(place)?.clone());
    }
    let images = values.iter().any(|value| value.is_images())
        && values.iter().all(|value| value.rank(call.graph) <= 4);
    let tensors = values.iter().map(|value| match (images, value.rank(call.graph)) {
        (false, _) | (true, 0) => value.as_plain(call.graph),
        (true, 4) => value.as_images(call.graph),
        (true, _) => beside_images(call, value.as_plain(call.graph)),
    });
    Ok((tensors.collect(), images))
}

/// A tensor of less than four dimensions so that it broadcasts with images in the order used here: a number for each channel,
/// `[C, 1, 1]`, is a vector.
fn beside_images<'g>(call: &Call<'_, 'g>, x: AnyTensor<'g>) -> AnyTensor<'g> {
    match call.shape(x)[..] {
        [channels, Dim::Known(1), Dim::Known(1)] => call.reshape(x, [channels]),
        _ => {
            let whole = call.with_rank(x, 4);
            call.transpose(whole, &super::super::value::TO_IMAGES)
        }
    }
}

macro_rules! direct {
    ($name:literal, $how:literal, $append:path) => {
        Row::new($name, $how, |call| {
            broadcast_pair(call, |x, y| Ok(call.binary($append as Append, x, y)))
        })
    };
}

macro_rules! variadic {
    ($name:literal, $how:literal, $append:path, $mean:literal) => {
        Row::new($name, $how, |call| {
            let places: Vec<usize> = (0..call.inputs.len()).collect();
            let (operands, images) = aligned(call, &places)?;
            let Some((&first, rest)) = operands.split_first() else {
                return wrong("there are no inputs");
            };
            let joined = rest.iter().fold(first, |all, &x| call.binary($append as Append, all, x));
            let result = match $mean && !rest.is_empty() {
                true => call.with_number(binary::div, joined, operands.len() as f64),
                false => joined,
            };
            Ok(vec![match images {
                true => Value::images(result),
                false => Value::plain(result),
            }])
        })
    };
}

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    direct!("Add", "`add`", binary::add),
    direct!("Sub", "`sub`", binary::sub),
    direct!("Mul", "`mul`", binary::mul),
    direct!("Div", "`div`", binary::div),
    variadic!("Sum", "`add`, one after the other", binary::add, false),
    variadic!("Mean", "`add`, and a `div` by their number", binary::add, true),
    variadic!("Max", "`maximum`, one after the other", binary::maximum, false),
    variadic!("Min", "`minimum`, one after the other", binary::minimum, false),
    Row::new(
        "Pow",
        "`pow`, in a type that holds both operands; of a float and integers `powi`, where these are not known to be small",
        |call| {
            // Few enough bits to be an f32 as they are.
            const SMALL: u64 = 1 << 24;
            let known = call.optional(1).and_then(|value| value.known.as_ref()?.integers());
            let small = known
                .is_some_and(|integers| integers.iter().all(|n| n.unsigned_abs() <= SMALL));
            broadcast_pair(call, |x, y| Ok(power(call, x, y, small)))
        },
    )
    .limits("a negative exponent of integers fails when it is run"),
    Row::new("Mod", "`modulo`; with `fmod=1` `truncate_mod`", |call| {
        let truncated = call.flag("fmod", false)?;
        broadcast_pair(call, |x, y| match truncated {
            false => Ok(call.binary(division::modulo, x, y)),
            true => Ok(call.binary(truncated::truncate_mod, x, y)),
        })
    }),
];

/// `x` to the power of `y`, of the type of `x`; `small` says that `y` holds integers that any float holds.
fn power<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    y: AnyTensor<'g>,
    small: bool,
) -> AnyTensor<'g> {
    let (base, exponent) = (call.dtype(x), call.dtype(y));
    let within = match (base.is_float(), exponent) {
        _ if base == exponent => base,
        (true, DType::I32 | DType::I64) if !small => return call.binary(powi::powi, x, y),
        // Wrapped at the end, a product is what it is when every factor is wrapped.
        (false, DType::I32 | DType::I64 | DType::U8) => DType::I64,
        (true, DType::F32 | DType::I32 | DType::I64 | DType::U8 | DType::Bool) => base,
        _ => DType::F64,
    };
    let power = call.binary(binary::pow, call.cast(x, within), call.cast(y, within));
    call.cast(power, base)
}
