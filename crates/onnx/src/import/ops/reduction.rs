//! Reductions along some axes, and running sums.

use abeyance_graph::AnyTensor;
use abeyance_graph::ops::reduce::ReduceAttributes;
use abeyance_graph::ops::{argument, binary, cumulative, reduce, shape, source, strided, unary};
use abeyance_ir::{Array, DType, Dim, Shape};

use super::super::call::{Call, Imported, one, with_float, wrong};
use super::super::table::Row;
use super::super::value::Value;
use crate::error::Reason;

macro_rules! reduction {
    ($name:literal, $how:literal, $since:literal, |$call:ident, $x:ident, $axes:ident, $keep:ident| $body:expr) => {
        Row::new($name, $how, |call| reduction(call, $since, |$call, $x, $axes, $keep| $body))
            .known(&[1])
    };
}

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    reduction!("ReduceSum", "`reduce_sum`", 13, |call, x, axes, keep| Ok(apply(
        call,
        &reduce::SUM,
        x,
        axes,
        keep
    ))),
    reduction!("ReduceMean", "`reduce_mean`", 18, |call, x, axes, keep| Ok(apply(
        call,
        &reduce::MEAN,
        x,
        axes,
        keep
    ))),
    reduction!("ReduceProd", "`reduce_prod`", 18, |call, x, axes, keep| Ok(apply(
        call,
        &reduce::PROD,
        x,
        axes,
        keep
    ))),
    reduction!(
        "ReduceMax",
        "`reduce_max`; of truth values through u8",
        18,
        |call, x, axes, keep| { Ok(ordered(call, &reduce::MAX, x, axes, keep)) }
    ),
    reduction!(
        "ReduceMin",
        "`reduce_min`; of truth values through u8",
        18,
        |call, x, axes, keep| { Ok(ordered(call, &reduce::MIN, x, axes, keep)) }
    ),
    reduction!("ReduceL1", "`abs` and `reduce_sum`", 18, |call, x, axes, keep| {
        Ok(apply(call, &reduce::SUM, call.unary(unary::abs, x), axes, keep))
    }),
    reduction!(
        "ReduceL2",
        "the nodes of `l2_norm`; of integers through f64",
        18,
        |call, x, axes, keep| {
            let dtype = call.dtype(x);
            Ok(match dtype.is_float() {
                true => length(call, x, axes, keep),
                false => call.cast(length(call, call.cast(x, DType::F64), axes, keep), dtype),
            })
        }
    ),
    reduction!("ReduceSumSquare", "`square` and `reduce_sum`", 18, |call, x, axes, keep| {
        Ok(apply(call, &reduce::SUM, call.unary(unary::square, x), axes, keep))
    }),
    reduction!("ReduceLogSum", "`reduce_sum` and `log`", 18, |call, x, axes, keep| {
        Ok(call.unary(unary::log, apply(call, &reduce::SUM, x, axes, keep)))
    }),
    reduction!("ReduceLogSumExp", "the nodes of `reduce_logsumexp`", 18, |call, x, axes, keep| {
        let dtype = call.float_type(x)?;
        let list = abeyance_graph::AxisList { axes: Some(axes.into()), keep_dims: keep };
        Ok(with_float!(dtype, T => x.assume::<T>().reduce_logsumexp(list).erase()))
    }),
    Row::new("ArgMax", "`argmax`", |call| place(call, argument::argmax)),
    Row::new("ArgMin", "`argmin`", |call| place(call, argument::argmin)),
    Row::new("CumSum", "`cumsum`", |call| running(call, cumulative::cumsum)).known(&[1]),
    Row::new("CumProd", "`cumprod`", |call| running(call, cumulative::cumprod)).known(&[1]),
];

/// A reduction by an operator that has its axes as first attribute.
pub(crate) fn apply<'g>(
    call: &Call<'_, 'g>,
    operator: &'static reduce::Reduce,
    x: AnyTensor<'g>,
    axes: &[i64],
    keep: bool,
) -> AnyTensor<'g> {
    let attributes = ReduceAttributes { axes: axes.into(), keep_dims: keep };
    call.emit(|graph| graph.add(operator, &[x.id()], attributes))
}

/// The Euclidean length along some axes, whose squares may be beyond what the type holds.
pub(crate) fn length<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    axes: &[i64],
    keep: bool,
) -> AnyTensor<'g> {
    let list = abeyance_graph::AxisList { axes: Some(axes.into()), keep_dims: keep };
    with_float!(call.dtype(x), T => x.assume::<T>().l2_norm(list).erase())
}

fn ordered<'g>(
    call: &Call<'_, 'g>,
    operator: &'static reduce::Reduce,
    x: AnyTensor<'g>,
    axes: &[i64],
    keep: bool,
) -> AnyTensor<'g> {
    if axes.iter().any(|&axis| call.shape(x).get(axis as usize) == Some(&Dim::Known(0))) {
        return of_none(call, x, axes, keep, std::ptr::eq(operator, &reduce::MAX));
    }
    match call.dtype(x) {
        DType::Bool => {
            call.cast(apply(call, operator, call.cast(x, DType::U8), axes, keep), DType::Bool)
        }
        _ => apply(call, operator, x, axes, keep),
    }
}

/// The largest of no elements, the smallest number there is, or the other way round.
fn of_none<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    axes: &[i64],
    keep: bool,
    largest: bool,
) -> AnyTensor<'g> {
    let dtype = call.dtype(x);
    let bound = match (dtype.is_float(), largest) {
        (true, true) => f64::NEG_INFINITY,
        (true, false) => f64::INFINITY,
        // Truncated to the type's own bounds.
        (false, true) => f64::MIN,
        (false, false) => f64::MAX,
    };
    let shape: Shape = call
        .shape(x)
        .into_iter()
        .enumerate()
        .filter(|&(axis, _)| keep || !axes.contains(&(axis as i64)))
        .map(|(axis, dim)| if axes.contains(&(axis as i64)) { Dim::Known(1) } else { dim })
        .collect();
    let bound = match dtype {
        DType::Bool => Array::scalar(dtype, if largest { 0.0 } else { 1.0 }),
        _ => Array::scalar(dtype, bound),
    };
    call.emit(|graph| source::fill(graph, bound, shape))
}

/// A reduction over axes that are an input from opset `since` on, over all if none are given.
fn reduction<'g>(
    call: &Call<'_, 'g>,
    since: i64,
    reduce: impl FnOnce(&Call<'_, 'g>, AnyTensor<'g>, &[i64], bool) -> Result<AnyTensor<'g>, Reason>,
) -> Imported<'g> {
    let keep = call.flag("keepdims", true)?;
    let axes = call.axes("axes", since, 1)?.unwrap_or_default();
    let value = call.value(0)?;
    // Means over rows and columns of images need no transposes.
    let images = value.is_images() && keep;
    let x = if images { value.as_images(call.graph) } else { value.as_plain(call.graph) };
    let rank = call.rank(x);
    let mut resolved = Vec::new();
    for axis in axes {
        let axis = call.axis(axis, rank)?;
        let axis = if images { super::super::value::FROM_IMAGES[axis] } else { axis };
        if resolved.contains(&(axis as i64)) {
            return wrong("an axis is named twice");
        }
        resolved.push(axis as i64);
    }
    if resolved.is_empty() {
        match call.flag("noop_with_empty_axes", false)? {
            true => {}
            false => resolved = (0..rank as i64).collect(),
        }
    }
    let result = reduce(call, x, &resolved, keep)?;
    Ok(vec![match images {
        true => Value::images(result),
        false => Value::plain(result),
    }])
}

fn place<'g>(
    call: &Call<'_, 'g>,
    append: fn(&mut abeyance_ir::Graph, abeyance_ir::NodeId, i64) -> abeyance_ir::NodeId,
) -> Imported<'g> {
    let x = call.tensor(0)?;
    let axis = call.axis(call.int_or("axis", 0)?, call.rank(x))?;
    let found = match call.flag("select_last_index", false)? {
        false => call.emit(|graph| append(graph, x.id(), axis as i64)),
        true => {
            // The last is the first of the elements in reverse.
            let turned = call.emit(|graph| strided::reverse(graph, x.id(), &[axis as i64]));
            let first = call.emit(|graph| append(graph, turned.id(), axis as i64));
            let last = call.size(x, axis)? as f64 - 1.0;
            call.binary(binary::sub, call.number(last, first), first)
        }
    };
    match call.flag("keepdims", true)? {
        true => one(call.emit(|graph| shape::expand_dims(graph, found.id(), axis as i64))),
        false => one(found),
    }
}

fn running<'g>(
    call: &Call<'_, 'g>,
    append: fn(
        &mut abeyance_ir::Graph,
        abeyance_ir::NodeId,
        i64,
        bool,
        bool,
    ) -> abeyance_ir::NodeId,
) -> Imported<'g> {
    let x = call.tensor(0)?;
    let Some(axis) = call.known_integer(1)? else {
        return wrong("the axis is missing");
    };
    let axis = call.axis(axis, call.rank(x))? as i64;
    let (exclusive, reverse) = (call.flag("exclusive", false)?, call.flag("reverse", false)?);
    one(call.emit(|graph| append(graph, x.id(), axis, exclusive, reverse)))
}
