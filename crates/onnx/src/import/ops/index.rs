//! Elements by their places.

use abeyance_graph::AnyTensor;
use abeyance_graph::ops::{
    along, binary, comparison, gather_nd, index, select, slice, sort, source,
};
use abeyance_ir::{Array, DType, Dim, Shape};

use super::super::call::{Call, Imported, one, unsupported, wrong};
use super::super::table::Row;
use super::super::value::Value;
use crate::error::Reason;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("Gather", "`gather`, negative indices made positive before", |call| {
        let (x, indices) = (call.tensor(0)?, call.tensor(1)?);
        let axis = call.axis(call.int_or("axis", 0)?, call.rank(x))?;
        let indices = from_start(call, 1, indices, call.shape(x)[axis])?;
        one(call.emit(|graph| index::gather_along(graph, x.id(), indices.id(), axis as i64)))
    }),
    Row::new("GatherElements", "`take_along` between transposes", |call| {
        let (x, indices) = (call.tensor(0)?, call.tensor(1)?);
        let axis = call.axis(call.int_or("axis", 0)?, call.rank(x))?;
        let indices = from_start(call, 1, indices, call.shape(x)[axis])?;
        let x = within(call, x, indices, axis)?;
        let last = call.rank(x).saturating_sub(1);
        let (x, indices) = (call.move_axis(x, axis, last), call.move_axis(indices, axis, last));
        let taken = call.emit(|graph| along::take_along(graph, x.id(), indices.id()));
        one(call.move_axis(taken, last, axis))
    }),
    Row::new("GatherND", "`ravel_index` and `gather`", |call| {
        if call.int_or("batch_dims", 0)? != 0 {
            return unsupported("batch_dims other than 0");
        }
        let (x, indices) = (call.tensor(0)?, call.tensor(1)?);
        let indices = from_start_nd(call, x, indices)?;
        one(call.emit(|graph| gather_nd::gather_nd(graph, x.id(), indices.id())))
    })
    .limits("`batch_dims` other than 0"),
    Row::new("ScatterND", "`scatter_nd`, chosen by `select` or added", |call| {
        let (x, indices, updates) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
        let indices = from_start_nd(call, x, indices)?;
        let shape = call.shape(x);
        let place = |updates: AnyTensor<'_>| {
            let shape = shape.clone();
            call.emit(|graph| gather_nd::scatter_nd(graph, indices.id(), updates.id(), shape))
        };
        scattered(call, x, updates, place)
    })
    .limits("`reduction` other than none and add; elements other than f32 and f64"),
    Row::new("ScatterElements", "`add_along`, chosen by `select` or added", scatter_elements)
        .limits("`reduction` other than none and add; indices of other dimensions than the data's, but for the axis; elements other than f32 and f64"),
    Row::new("Scatter", "as ScatterElements", scatter_elements).limits("as ScatterElements"),
    Row::new("OneHot", "`one_hot` and `select`", |call| {
        let indices = call.tensor(0)?;
        let Some(depth) = call.known_number(1)? else {
            return wrong("the depth is missing");
        };
        let values = call.tensor(2)?;
        let rank = call.rank(indices) + 1;
        let axis = call.axis(call.int_or("axis", -1)?, rank)?;
        let indices = call.cast(indices, DType::I64);
        let depth = depth as i64;
        let indices = wrapped(call, indices, call.constant(Array::new(DType::I64, &[], &[depth])));
        let hot = call.emit(|graph| index::one_hot(graph, indices.id(), depth, DType::Bool));
        let hot = call.move_axis(hot, rank - 1, axis);
        let pick = |at: i64| {
            let part = call.emit(|graph| slice::slice(graph, values.id(), &[at], &[1]));
            call.reshape(part, [])
        };
        let (off, on) = (pick(0), pick(1));
        one(call.emit(|graph| select::select(graph, hot.id(), on.id(), off.id())))
    })
    .known(&[1]),
    Row::new("TopK", "`top_k_indices` or `argsort`, and `take_along`", |call| {
        let x = call.tensor(0)?;
        let k = match call.opset >= 10 {
            true => call.known_integer(1)?,
            false => call.int("k")?,
        };
        let Some(k) = k else {
            return wrong("k is missing");
        };
        let rank = call.rank(x);
        let axis = call.axis(call.int_or("axis", -1)?, rank)?;
        let turned = call.move_axis(x, axis, rank - 1);
        let places = match call.flag("largest", true)? {
            true => call.emit(|graph| sort::top_k_indices(graph, turned.id(), DType::I64, k)),
            false => {
                let ascending =
                    call.emit(|graph| sort::argsort(graph, turned.id(), DType::I64, false));
                let mut lengths = vec![-1; rank];
                lengths[rank - 1] = k;
                call.emit(|graph| slice::slice(graph, ascending.id(), &vec![0; rank], &lengths))
            }
        };
        let values = call.emit(|graph| along::take_along(graph, turned.id(), places.id()));
        Ok([values, places].map(|x| Value::plain(call.move_axis(x, rank - 1, axis))).into())
    })
    .known(&[1]),
    Row::new("Compress", "`gather`", |call| {
        let (x, Some(condition)) = (call.tensor(0)?, call.known_array(1)?) else {
            return wrong("the condition is missing");
        };
        let (x, axis) = match call.int("axis")? {
            Some(axis) => (x, call.axis(axis, call.rank(x))?),
            None => (call.reshape(x, [call.product(&call.shape(x))]), 0),
        };
        let kept = condition.bytes.iter().enumerate().filter(|&(_, &byte)| byte != 0);
        let places: Vec<i64> = kept.map(|(place, _)| place as i64).collect();
        let places = call.constant(Array::new(DType::I64, &[places.len()], &places));
        one(call.emit(|graph| index::gather_along(graph, x.id(), places.id(), axis as i64)))
    })
    .known(&[1]),
];

/// Indices counted from the start: negative ones count from the end. Those that are known are looked at, for others nodes are made.
fn from_start<'g>(
    call: &Call<'_, 'g>,
    input: usize,
    indices: AnyTensor<'g>,
    dim: Dim,
) -> Result<AnyTensor<'g>, Reason> {
    let known = call.value(input)?.known.as_ref().and_then(|known| known.integers());
    if known.is_some_and(|known| known.iter().all(|&index| index >= 0)) {
        return Ok(indices);
    }
    let dtype = call.dtype(indices);
    if !matches!(dtype, DType::I32 | DType::I64) {
        return wrong(format!("indices are i32 or i64, not {dtype}"));
    }
    let size = call.emit(|graph| source::size(graph, dtype, Shape::from_slice(&[dim])));
    Ok(wrapped(call, indices, size))
}

/// Indices below 0 with `size` added.
fn wrapped<'g>(call: &Call<'_, 'g>, indices: AnyTensor<'g>, size: AnyTensor<'g>) -> AnyTensor<'g> {
    let negative = call.with_number(comparison::less, indices, 0.0);
    let more = call.binary(binary::add, indices, size);
    call.emit(|graph| select::select(graph, negative.id(), more.id(), indices.id()))
}

/// The same for indices that name a place along several dimensions in their last.
fn from_start_nd<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    indices: AnyTensor<'g>,
) -> Result<AnyTensor<'g>, Reason> {
    let known = call.value(1)?.known.as_ref().and_then(|known| known.integers());
    if known.is_some_and(|known| known.iter().all(|&index| index >= 0)) {
        return Ok(indices);
    }
    let Some(last) = call.rank(indices).checked_sub(1) else {
        return wrong("a single number is no list of places");
    };
    let depth = call.size(indices, last)?;
    let shape = call.shape(x);
    let Some(named) = shape.get(..depth) else {
        return wrong(format!("places along {depth} of {} dimensions", shape.len()));
    };
    let named = Shape::from_slice(named);
    let sizes = call.emit(|graph| abeyance_graph::ops::sequence::shape_of(graph, named));
    Ok(wrapped(call, indices, call.cast(sizes, call.dtype(indices))))
}

/// The part of `x` that indices can reach, which along all axes but one stand where what they name stands.
fn within<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    indices: AnyTensor<'g>,
    axis: usize,
) -> Result<AnyTensor<'g>, Reason> {
    let (own, wanted) = (call.shape(x), call.shape(indices));
    if own.len() != wanted.len() {
        return wrong(format!("indices of {} dimensions into {}", wanted.len(), own.len()));
    }
    let lengths: Vec<i64> = (0..own.len())
        .map(|at| match wanted[at] {
            Dim::Known(size) if at != axis && own[at] != wanted[at] => size as i64,
            _ => -1,
        })
        .collect();
    match lengths.iter().all(|&length| length == -1) {
        true => Ok(x),
        false => Ok(call.emit(|graph| slice::slice(graph, x.id(), &vec![0; own.len()], &lengths))),
    }
}

fn scatter_elements<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let (x, indices, updates) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
    let rank = call.rank(x);
    let axis = call.axis(call.int_or("axis", 0)?, rank)?;
    let shape = call.shape(x);
    let given = call.shape(indices);
    if given.len() != rank || (0..rank).any(|at| at != axis && given[at] != shape[at]) {
        return unsupported("indices whose dimensions, but for the axis, are not the data's");
    }
    let indices = from_start(call, 1, indices, shape[axis])?;
    let indices = call.move_axis(indices, axis, rank - 1);
    let mut turned = shape.clone();
    let moved = turned.remove(axis);
    turned.push(moved);
    let place = |updates: AnyTensor<'g>| {
        let updates = call.move_axis(updates, axis, rank - 1);
        let turned = turned.clone();
        let added = call.emit(|graph| along::add_along(graph, updates.id(), indices.id(), turned));
        call.move_axis(added, rank - 1, axis)
    };
    scattered(call, x, updates, place)
}

/// `x` with updates at places: `place` puts a tensor of the updates' shape there, and 0 elsewhere.
fn scattered<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    updates: AnyTensor<'g>,
    place: impl Fn(AnyTensor<'g>) -> AnyTensor<'g>,
) -> Imported<'g> {
    call.float_type(x)?;
    match call.string_or("reduction", "none")?.as_str() {
        "add" => one(call.binary(binary::add, x, place(updates))),
        // No place is named twice, says ONNX.
        "none" => {
            let put = place(updates);
            let ones = call.emit(|graph| abeyance_graph::ops::fill_like(graph, updates.id(), 1.0));
            let is_put = call.with_number(comparison::greater, place(ones), 0.5);
            one(call.emit(|graph| select::select(graph, is_put.id(), put.id(), x.id())))
        }
        other => unsupported(format!("a reduction called {other:?}")),
    }
}
