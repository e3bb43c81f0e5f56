//! Arithmetic of two and more tensors that broadcast.

use abeyance_graph::Expr;
use abeyance_ir::{DType, Dim};

use super::super::call::{Call, Imported, ordered, wrong};
use super::super::entry::OpEntry;
use super::super::value::converted;
use super::shape::{reshaped, with_rank};
use crate::error::ProblemKind;
use crate::layout::NCHW_TO_NHWC;

/// Two inputs that broadcast under a function of each pair of elements. Where one of them is images
/// in the order used here, the other is brought into that order, and the result stays in it.
pub(crate) fn broadcast_pair<'g>(
    call: &Call<'_, 'g>,
    function: impl FnOnce(Expr<'g>, Expr<'g>) -> Expr<'g>,
) -> Imported<'g> {
    let (operands, images) = aligned(call, &[0, 1])?;
    ordered(function(operands[0], operands[1]), images)
}

/// Inputs that broadcast with each other, and whether they are in the order of images here.
pub(crate) fn aligned<'g>(
    call: &Call<'_, 'g>,
    places: &[usize],
) -> Result<(Vec<Expr<'g>>, bool), ProblemKind> {
    let mut values = Vec::new();
    for &place in places {
        values.push(call.value(place)?.clone());
    }
    let images = values.iter().any(|value| value.is_images())
        && values.iter().all(|value| value.rank(call.graph) <= 4);
    let tensors = values.iter().map(|value| match (images, value.rank(call.graph)) {
        (false, _) | (true, 0) => value.as_plain(call.graph),
        (true, 4) => value.as_images(call.graph),
        (true, _) => beside_images(value.as_plain(call.graph)),
    });
    Ok((tensors.collect(), images))
}

/// A tensor of less than four dimensions so that it broadcasts with images in the order used here:
/// a number for each channel, `[C, 1, 1]`, is a vector.
fn beside_images(x: Expr<'_>) -> Expr<'_> {
    match x.shape()[..] {
        [channels, Dim::Known(1), Dim::Known(1)] => reshaped(x, [channels]),
        _ => with_rank(x, 4).transpose_to(&NCHW_TO_NHWC),
    }
}

/// All inputs under a function of two that broadcast, one after the other, and whether the result
/// is in the order of images here.
fn joined<'g>(
    call: &Call<'_, 'g>,
    function: impl Fn(Expr<'g>, Expr<'g>) -> Expr<'g>,
) -> Result<(Expr<'g>, bool), ProblemKind> {
    let places: Vec<usize> = (0..call.inputs.len()).collect();
    let (operands, images) = aligned(call, &places)?;
    match operands.into_iter().reduce(function) {
        Some(result) => Ok((result, images)),
        None => wrong("there are no inputs"),
    }
}

/// All inputs under a function of two that broadcast, one after the other.
fn variadic<'g>(
    call: &Call<'_, 'g>,
    function: impl Fn(Expr<'g>, Expr<'g>) -> Expr<'g>,
) -> Imported<'g> {
    let (result, images) = joined(call, function)?;
    ordered(result, images)
}

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("Add", "`add`", |call| broadcast_pair(call, |x, y| x + y)),
    OpEntry::new("Sub", "`sub`", |call| broadcast_pair(call, |x, y| x - y)),
    OpEntry::new("Mul", "`mul`", |call| broadcast_pair(call, |x, y| x * y)),
    OpEntry::new("Div", "`div`", |call| broadcast_pair(call, |x, y| x / y)),
    OpEntry::new("Sum", "`add`, one after the other", |call| variadic(call, |x, y| x + y)),
    OpEntry::new("Mean", "`add`, and a `div` by their number", |call| {
        let (sum, images) = joined(call, |x, y| x + y)?;
        let count = call.inputs.len();
        ordered(if count == 1 { sum } else { sum / count as f64 }, images)
    }),
    OpEntry::new("Max", "`maximum`, one after the other", |call| {
        variadic(call, |x, y| x.maximum(y))
    }),
    OpEntry::new("Min", "`minimum`, one after the other", |call| {
        variadic(call, |x, y| x.minimum(y))
    }),
    OpEntry::new(
        "Pow",
        "`pow`, in a type that holds both operands; of a float and integers `powi`, where these \
            are not known to be small",
        |call| {
            // Few enough bits to be an f32 as they are.
            const SMALL: u64 = 1 << 24;
            let known = call.optional(1).and_then(|value| value.known.as_ref()?.integers());
            let small =
                known.is_some_and(|integers| integers.iter().all(|n| n.unsigned_abs() <= SMALL));
            broadcast_pair(call, |x, y| power(call, x, y, small))
        },
    )
    .unsupported("a negative exponent of integers fails when it is run"),
    OpEntry::new("Mod", "`modulo`; with `fmod=1` `truncate_mod`", |call| {
        let truncated = call.flag("fmod", false)?;
        broadcast_pair(call, |x, y| if truncated { x.truncate_mod(y) } else { x.modulo(y) })
    }),
];

/// `x` to the power of `y`, of the type of `x`; `small` says that `y` holds integers that any float
/// holds.
fn power<'g>(call: &Call<'_, 'g>, x: Expr<'g>, y: Expr<'g>, small: bool) -> Expr<'g> {
    let (base, exponent) = (call.dtype(x), call.dtype(y));
    let within = match (base.is_float(), exponent) {
        _ if base == exponent => base,
        (true, DType::I32 | DType::I64) if !small => return x.powi(y),
        // Wrapped at the end, a product is what it is when every factor is wrapped.
        (false, DType::I32 | DType::I64 | DType::U8) => DType::I64,
        (true, DType::F32 | DType::I32 | DType::I64 | DType::U8 | DType::Bool) => base,
        _ => DType::F64,
    };
    converted(converted(x, within).pow(converted(y, within)), base)
}
