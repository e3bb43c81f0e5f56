//! Elements by their places.

use abeyance_graph::Expr;
use abeyance_ir::{Array, DType, Dim, Shape};

use super::super::call::{Call, Imported, one, unsupported, wrong};
use super::super::entry::OpEntry;
use super::super::value::{Value, converted};
use super::shape::{move_axis, reshaped};
use crate::error::ProblemKind;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("Gather", "`gather`, negative indices made positive before", |call| {
        let (x, indices) = (call.tensor(0)?, call.tensor(1)?);
        let axis = call.axis(call.int_or("axis", 0)?, x.rank())?;
        let indices = from_start(call, 1, indices, x.shape()[axis])?;
        one(x.gather_along(indices, axis as i64))
    }),
    OpEntry::new("GatherElements", "`take_along` between transposes", |call| {
        let (x, indices) = (call.tensor(0)?, call.tensor(1)?);
        let axis = call.axis(call.int_or("axis", 0)?, x.rank())?;
        let indices = from_start(call, 1, indices, x.shape()[axis])?;
        let x = within(x, indices, axis)?;
        let last = x.rank().saturating_sub(1);
        let (x, indices) = (move_axis(x, axis, last), move_axis(indices, axis, last));
        one(move_axis(x.take_along(indices), last, axis))
    }),
    OpEntry::new("GatherND", "`ravel_index` and `gather`", |call| {
        if call.int_or("batch_dims", 0)? != 0 {
            return unsupported("batch_dims other than 0");
        }
        let (x, indices) = (call.tensor(0)?, call.tensor(1)?);
        let indices = from_start_nd(call, x, indices)?;
        one(x.gather_nd(indices))
    })
    .unsupported("`batch_dims` other than 0"),
    OpEntry::new("ScatterND", "`scatter_nd`, chosen by `select` or added", |call| {
        let (x, indices, updates) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
        let indices = from_start_nd(call, x, indices)?;
        let shape = x.shape();
        scattered(call, x, updates, |updates| updates.scatter_nd(indices, shape.clone()))
    })
    .unsupported("`reduction` other than none and add; elements other than f32 and f64"),
    OpEntry::new("ScatterElements", "`add_along`, chosen by `select` or added", scatter_elements)
        .unsupported(
            "`reduction` other than none and add; indices of other dimensions than the data's, \
            but for the axis; elements other than f32 and f64",
        ),
    OpEntry::new("Scatter", "as ScatterElements", scatter_elements)
        .unsupported("as ScatterElements"),
    OpEntry::new("OneHot", "`one_hot` and `select`", |call| {
        let indices = call.tensor(0)?;
        let Some(depth) = call.known_number(1)? else {
            return wrong("the depth is missing");
        };
        let values = call.tensor(2)?;
        let rank = indices.rank() + 1;
        let axis = call.axis(call.int_or("axis", -1)?, rank)?;
        let depth = depth as i64;
        let size = call.constant(Array::new(DType::I64, &[], &[depth]));
        let indices = wrapped(converted(indices, DType::I64), size);
        let hot = move_axis(indices.one_hot(depth, DType::Bool), rank - 1, axis);
        let pick = |at: i64| reshaped(values.slice(&[at], &[1]), []);
        let (off, on) = (pick(0), pick(1));
        one(hot.select(on, off))
    })
    .known(&[1]),
    OpEntry::new("TopK", "`top_k_indices` or `argsort`, and `take_along`", |call| {
        let x = call.tensor(0)?;
        let k = if call.opset >= 10 { call.known_integer(1)? } else { call.int("k")? };
        let Some(k) = k else {
            return wrong("k is missing");
        };
        let rank = x.rank();
        let axis = call.axis(call.int_or("axis", -1)?, rank)?;
        let turned = move_axis(x, axis, rank - 1);
        let places = if call.flag("largest", true)? {
            turned.top_k_indices(DType::I64, k)
        } else {
            let mut lengths = vec![-1; rank];
            lengths[rank - 1] = k;
            turned.argsort(DType::I64, false).slice(&vec![0; rank], &lengths)
        };
        let values = turned.take_along(places);
        Ok([values, places].map(|x| Value::plain(move_axis(x, rank - 1, axis))).into())
    })
    .known(&[1]),
    OpEntry::new("Compress", "`gather`", |call| {
        let (x, Some(condition)) = (call.tensor(0)?, call.known_array(1)?) else {
            return wrong("the condition is missing");
        };
        let (x, axis) = match call.int("axis")? {
            Some(axis) => (x, call.axis(axis, x.rank())?),
            None => (reshaped(x, [call.product(&x.shape())]), 0),
        };
        let kept = condition.bytes.iter().enumerate().filter(|&(_, &byte)| byte != 0);
        let places: Vec<i64> = kept.map(|(place, _)| place as i64).collect();
        let places = call.constant(Array::new(DType::I64, &[places.len()], &places));
        one(x.gather_along(places, axis as i64))
    })
    .known(&[1]),
];

/// Indices counted from the start: negative ones count from the end. Those that are known are
/// looked at, for others nodes are made.
fn from_start<'g>(
    call: &Call<'_, 'g>,
    input: usize,
    indices: Expr<'g>,
    dim: Dim,
) -> Result<Expr<'g>, ProblemKind> {
    let known = call.value(input)?.known.as_ref().and_then(|known| known.integers());
    if known.is_some_and(|known| known.iter().all(|&index| index >= 0)) {
        return Ok(indices);
    }
    let dtype = call.dtype(indices);
    if !matches!(dtype, DType::I32 | DType::I64) {
        return wrong(format!("indices are i32 or i64, not {dtype}"));
    }
    Ok(wrapped(indices, indices.size(dtype, Shape::from_slice(&[dim]))))
}

/// Indices below 0 with `size` added.
fn wrapped<'g>(indices: Expr<'g>, size: Expr<'g>) -> Expr<'g> {
    indices.less(0.0).select(indices + size, indices)
}

/// Indices counted from the start, where the last dimension names a place along several dimensions
/// of `x`: negative ones count from the end.
fn from_start_nd<'g>(
    call: &Call<'_, 'g>,
    x: Expr<'g>,
    indices: Expr<'g>,
) -> Result<Expr<'g>, ProblemKind> {
    let known = call.value(1)?.known.as_ref().and_then(|known| known.integers());
    if known.is_some_and(|known| known.iter().all(|&index| index >= 0)) {
        return Ok(indices);
    }
    let Some(last) = indices.rank().checked_sub(1) else {
        return wrong("a single number is no list of places");
    };
    let depth = call.size(indices, last)?;
    let shape = x.shape();
    let Some(named) = shape.get(..depth) else {
        return wrong(format!("places along {depth} of {} dimensions", shape.len()));
    };
    let sizes = indices.shape_of(Shape::from_slice(named));
    Ok(wrapped(indices, converted(sizes, call.dtype(indices))))
}

/// The part of `x` that indices can reach, which along all axes but one stand where what they name
/// stands.
fn within<'g>(x: Expr<'g>, indices: Expr<'g>, axis: usize) -> Result<Expr<'g>, ProblemKind> {
    let (own, wanted) = (x.shape(), indices.shape());
    if own.len() != wanted.len() {
        return wrong(format!("indices of {} dimensions into {}", wanted.len(), own.len()));
    }
    let lengths: Vec<i64> = (0..own.len())
        .map(|at| match wanted[at] {
            Dim::Known(size) if at != axis && own[at] != wanted[at] => size as i64,
            _ => -1,
        })
        .collect();
    if lengths.iter().all(|&length| length == -1) {
        return Ok(x);
    }
    Ok(x.slice(&vec![0; own.len()], &lengths))
}

fn scatter_elements<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let (x, indices, updates) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
    let rank = x.rank();
    let axis = call.axis(call.int_or("axis", 0)?, rank)?;
    let shape = x.shape();
    let given = indices.shape();
    if given.len() != rank || (0..rank).any(|at| at != axis && given[at] != shape[at]) {
        return unsupported("indices whose dimensions, but for the axis, are not the data's");
    }
    let indices = from_start(call, 1, indices, shape[axis])?;
    let indices = move_axis(indices, axis, rank - 1);
    let mut turned = shape.clone();
    let moved = turned.remove(axis);
    turned.push(moved);
    let place = |updates: Expr<'g>| {
        let added = move_axis(updates, axis, rank - 1).add_along(indices, turned.clone());
        move_axis(added, rank - 1, axis)
    };
    scattered(call, x, updates, place)
}

/// `x` with updates at places: `place` puts a tensor of the updates' shape there, and 0 elsewhere.
fn scattered<'g>(
    call: &Call<'_, 'g>,
    x: Expr<'g>,
    updates: Expr<'g>,
    place: impl Fn(Expr<'g>) -> Expr<'g>,
) -> Imported<'g> {
    call.float_type(x)?;
    match call.string_or("reduction", "none")?.as_str() {
        "add" => one(x + place(updates)),
        // No place is named twice, says ONNX.
        "none" => {
            let put = place(updates);
            let is_put = place(updates.fill_like(1.0)).greater(0.5);
            one(is_put.select(put, x))
        }
        other => unsupported(format!("a reduction called {other:?}")),
    }
}
