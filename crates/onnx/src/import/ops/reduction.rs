//! Reductions along some axes, and running sums.

use abeyance_graph::{AxisList, Expr};
use abeyance_ir::{Array, DType, Dim, Shape};

use super::super::call::{Call, Imported, one, ordered, with_float, wrong};
use super::super::entry::OpEntry;
use super::super::value::converted;
use crate::layout::NHWC_TO_NCHW;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("ReduceSum", "`reduce_sum`", |call| {
        reduction(call, 13, |x, axes| x.reduce_sum(axes))
    })
    .known(&[1]),
    OpEntry::new("ReduceMean", "`reduce_mean`", |call| {
        reduction(call, 18, |x, axes| x.reduce_mean(axes))
    })
    .known(&[1]),
    OpEntry::new("ReduceProd", "`reduce_prod`", |call| {
        reduction(call, 18, |x, axes| x.reduce_prod(axes))
    })
    .known(&[1]),
    OpEntry::new("ReduceMax", "`reduce_max`; of truth values through u8", |call| {
        reduction(call, 18, |x, axes| extreme(call, x, axes, true))
    })
    .known(&[1]),
    OpEntry::new("ReduceMin", "`reduce_min`; of truth values through u8", |call| {
        reduction(call, 18, |x, axes| extreme(call, x, axes, false))
    })
    .known(&[1]),
    OpEntry::new("ReduceL1", "`abs` and `reduce_sum`", |call| {
        reduction(call, 18, |x, axes| x.abs().reduce_sum(axes))
    })
    .known(&[1]),
    OpEntry::new("ReduceL2", "the nodes of `l2_norm`; of integers through f64", |call| {
        reduction(call, 18, |x, axes| {
            let dtype = call.dtype(x);
            if dtype.is_float() {
                return length(call, x, axes);
            }
            converted(length(call, converted(x, DType::F64), axes), dtype)
        })
    })
    .known(&[1]),
    OpEntry::new("ReduceSumSquare", "`square` and `reduce_sum`", |call| {
        reduction(call, 18, |x, axes| x.square().reduce_sum(axes))
    })
    .known(&[1]),
    OpEntry::new("ReduceLogSum", "`reduce_sum` and `log`", |call| {
        reduction(call, 18, |x, axes| x.reduce_sum(axes).log())
    })
    .known(&[1]),
    OpEntry::new("ReduceLogSumExp", "the nodes of `reduce_logsumexp`", |call| {
        let dtype = call.float_type(call.value(0)?.any(call.graph))?;
        reduction(call, 18, |x, axes| {
            with_float!(dtype, T => call.typed::<T>(x).reduce_logsumexp(axes).erase().expr())
        })
    })
    .known(&[1]),
    OpEntry::new("ArgMax", "`argmax`", |call| place(call, Expr::argmax)),
    OpEntry::new("ArgMin", "`argmin`", |call| place(call, Expr::argmin)),
    OpEntry::new("CumSum", "`cumsum`", |call| running(call, Expr::cumsum)).known(&[1]),
    OpEntry::new("CumProd", "`cumprod`", |call| running(call, Expr::cumprod)).known(&[1]),
];

/// The Euclidean length along some axes, whose squares may be beyond what the type holds.
pub(crate) fn length<'g>(call: &Call<'_, 'g>, x: Expr<'g>, axes: &AxisList) -> Expr<'g> {
    with_float!(call.dtype(x), T => call.typed::<T>(x).l2_norm(axes).erase().expr())
}

/// The largest or the smallest along some axes, also of truth values and of no elements.
fn extreme<'g>(call: &Call<'_, 'g>, x: Expr<'g>, axes: &AxisList, largest: bool) -> Expr<'g> {
    let dtype = call.dtype(x);
    let reduced = |x: Expr<'g>| if largest { x.reduce_max(axes) } else { x.reduce_min(axes) };
    let mut shape = Shape::new();
    let mut is_empty = false;
    for (axis, dim) in x.shape().into_iter().enumerate() {
        if !axes.axes.iter().flatten().any(|&reduced| reduced == axis as i64) {
            shape.push(dim);
            continue;
        }
        is_empty |= dim == Dim::Known(0);
        if axes.keep_dims {
            shape.push(Dim::Known(1));
        }
    }
    if is_empty {
        return x.fill(of_none(dtype, largest), shape);
    }
    if dtype == DType::Bool {
        return reduced(x.cast(DType::U8)).cast(DType::Bool);
    }
    reduced(x)
}

/// The largest of no elements, the smallest number there is, or the other way round.
fn of_none(dtype: DType, largest: bool) -> Array {
    let bound = match (dtype, largest) {
        (DType::Bool, true) => 0.0,
        (DType::Bool, false) => 1.0,
        (DType::F32 | DType::F64, true) => f64::NEG_INFINITY,
        (DType::F32 | DType::F64, false) => f64::INFINITY,
        // Truncated to the type's own bounds.
        (_, true) => f64::MIN,
        (_, false) => f64::MAX,
    };
    Array::scalar(dtype, bound)
}

/// A reduction over axes that are an input from opset `since` on, over all if none are given.
fn reduction<'g>(
    call: &Call<'_, 'g>,
    since: i64,
    reduce: impl FnOnce(Expr<'g>, &AxisList) -> Expr<'g>,
) -> Imported<'g> {
    let keep = call.flag("keepdims", true)?;
    let axes = call.axes("axes", since, 1)?.unwrap_or_default();
    let value = call.value(0)?;
    // Means over rows and columns of images need no transposes.
    let images = value.is_images() && keep;
    let x = if images { value.as_images(call.graph) } else { value.as_plain(call.graph) };
    let rank = x.rank();
    let mut resolved = Vec::new();
    for axis in axes {
        let axis = call.axis(axis, rank)?;
        let axis = if images { NHWC_TO_NCHW[axis] } else { axis };
        if resolved.contains(&(axis as i64)) {
            return wrong("an axis is named twice");
        }
        resolved.push(axis as i64);
    }
    if resolved.is_empty() && !call.flag("noop_with_empty_axes", false)? {
        resolved = (0..rank as i64).collect();
    }
    let list = AxisList { axes: Some(resolved.into()), keep_dims: keep };
    ordered(reduce(x, &list), images)
}

fn place<'g>(call: &Call<'_, 'g>, find: impl Fn(Expr<'g>, i64) -> Expr<'g>) -> Imported<'g> {
    let x = call.tensor(0)?;
    let axis = call.axis(call.int_or("axis", 0)?, x.rank())?;
    let along = axis as i64;
    let found = if call.flag("select_last_index", false)? {
        // The last is the first of the elements in reverse.
        let first = find(x.reverse(&[along]), along);
        (call.size(x, axis)? as f64 - 1.0) - first
    } else {
        find(x, along)
    };
    one(if call.flag("keepdims", true)? { found.expand_dims(along) } else { found })
}

fn running<'g>(
    call: &Call<'_, 'g>,
    accumulate: impl FnOnce(Expr<'g>, i64, bool, bool) -> Expr<'g>,
) -> Imported<'g> {
    let x = call.tensor(0)?;
    let Some(axis) = call.known_integer(1)? else {
        return wrong("the axis is missing");
    };
    let axis = call.axis(axis, x.rank())? as i64;
    let (exclusive, reverse) = (call.flag("exclusive", false)?, call.flag("reverse", false)?);
    one(accumulate(x, axis, exclusive, reverse))
}
