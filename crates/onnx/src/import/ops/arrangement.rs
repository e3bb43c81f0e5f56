//! Parts of tensors, tensors side by side, and what is put around them.

use abeyance_graph::Expr;
use abeyance_graph::ops::strided::Parts;
use abeyance_ir::{Array, DType, Dim};

use super::super::call::{Call, Imported, one, ordered, unsupported, wrong};
use super::super::entry::OpEntry;
use super::super::value::Value;
use super::shape::{reshaped, resolved};
use super::spatial::padded;
use crate::error::ProblemKind;
use crate::layout::NHWC_TO_NCHW;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("Concat", "`concat`, of images in the order that they are in", |call| {
        let values: Vec<_> = (0..call.inputs.len())
            .map(|index| call.value(index).cloned())
            .collect::<Result<_, _>>()?;
        let graph = call.graph;
        let images = values.iter().any(|value| value.is_images())
            && values.iter().all(|value| value.rank(graph) == 4);
        let parts: Vec<Expr<'_>> = values
            .iter()
            .map(|value| if images { value.as_images(graph) } else { value.as_plain(graph) })
            .collect();
        let Some(first) = parts.first() else {
            return wrong("there are no inputs");
        };
        let axis = call.axis(call.int_or("axis", 1)?, first.rank())?;
        let axis = if images { NHWC_TO_NCHW[axis] } else { axis };
        ordered(first.concat(&parts, axis as i64), images)
    }),
    OpEntry::new("Split", "`slice`, one for each part", split)
        .unsupported("a dimension of unknown size without sizes of the parts")
        .known(&[1]),
    OpEntry::new("Slice", "`strided_slice`", sliced).known(&[1, 2, 3, 4]),
    OpEntry::new(
        "Pad",
        "`pad` or `pad_constant`; other modes by `gather`, a node for each axis",
        pad,
    )
    .known(&[1, 3]),
    OpEntry::new("Trilu", "`select` by a comparison of places", |call| {
        let x = call.tensor(0)?;
        let k = call.known_integer(1)?.unwrap_or(0);
        let upper = call.flag("upper", true)?;
        let rank = x.rank();
        if rank < 2 {
            return wrong("a matrix has two dimensions");
        }
        let distance = diagonals(x, rank) - call.constant(Array::new(DType::I64, &[], &[k]));
        let kept = if upper { distance.greater_equal(0.0) } else { distance.less_equal(0.0) };
        one(kept.select(x, 0.0))
    })
    .known(&[1]),
];

/// How far each place of the last two dimensions lies to the right of the diagonal:
/// `[rows, columns]`.
pub(crate) fn diagonals(x: Expr<'_>, rank: usize) -> Expr<'_> {
    let shape = x.shape();
    let (rows, columns) = (shape[rank - 2], shape[rank - 1]);
    let down = x.counting(DType::I64, rows);
    let across = x.counting(DType::I64, columns);
    across - reshaped(down, [rows, Dim::Known(1)])
}

fn split<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let x = call.tensor(0)?;
    let rank = x.rank();
    let axis = call.axis(call.int_or("axis", 0)?, rank)?;
    let parts = call.node.output.len();
    if call.int("num_outputs")?.is_some_and(|count| usize::try_from(count) != Ok(parts)) {
        return wrong("num_outputs is not the number of outputs");
    }
    let sizes = match call.axes("split", 13, 1)? {
        Some(sizes) if sizes.len() == parts => sizes,
        Some(sizes) => return wrong(format!("{} sizes for {parts} outputs", sizes.len())),
        None if parts == 0 => return wrong("there are no outputs"),
        None => {
            let whole = call.size(x, axis)?;
            let each = whole.div_ceil(parts);
            (0..parts).map(|part| whole.saturating_sub(part * each).min(each) as i64).collect()
        }
    };
    if sizes.iter().any(|&size| size < 0) {
        return wrong("a part's size is negative");
    }
    let mut begin = vec![0i64; rank];
    let mut outputs = Vec::new();
    for size in sizes {
        let mut lengths = vec![-1i64; rank];
        lengths[axis] = size;
        outputs.push(Value::plain(x.slice(&begin, &lengths)));
        begin[axis] = begin[axis].saturating_add(size);
    }
    Ok(outputs)
}

fn sliced<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let x = call.tensor(0)?;
    let shape = x.shape();
    let inputs = call.opset >= 10;
    let list = |name: &str, input: usize| {
        if inputs {
            return call.known_integers(input);
        }
        Ok(call.ints(name)?.map(<[i64]>::to_vec))
    };
    let (Some(starts), Some(ends)) = (list("starts", 1)?, list("ends", 2)?) else {
        return wrong("starts or ends are missing");
    };
    let axes = list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = if inputs { call.known_integers(4)? } else { None };
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return wrong("starts, ends, axes and steps are not as many");
    }
    let axes = resolved(call, &axes, shape.len())?;
    let mut parts = Parts::all(shape.len());
    for (place, axis) in axes.into_iter().enumerate() {
        let step = steps[place];
        if step == 0 {
            return wrong("a step is 0");
        }
        // A step that is longer than any dimension takes one element, as the longest that is does.
        let step = step.clamp(-(1 << 62), 1 << 62);
        let (begin, end) = bounds(starts[place], ends[place], step, shape[axis]);
        parts = parts.with(axis, begin, end, step);
    }
    one(x.strided_slice(&parts))
}

/// Where a slice begins and ends, `None` for an open end. What reaches over the borders is cut to
/// them.
fn bounds(start: i64, end: i64, step: i64, dim: Dim) -> (Option<i64>, Option<i64>) {
    /// Numbers beyond are taken for "as far as there is".
    const FAR: i64 = 1 << 31;
    match dim {
        Dim::Known(size) => {
            let size = size as i64;
            let place = |place: i64, low: i64, high: i64| {
                let place = if place < 0 { place.saturating_add(size) } else { place };
                place.clamp(low, high.max(low))
            };
            if step > 0 {
                return (Some(place(start, 0, size)), Some(place(end, 0, size)));
            }
            match (place(start, -1, size - 1), place(end, -1, size - 1)) {
                // Nothing lies before the first element: an empty slice.
                (-1, _) => (Some(0), Some(0)),
                (start, -1) => (Some(start), None),
                (start, end) => (Some(start), Some(end)),
            }
        }
        Dim::Symbol(_) => {
            let open = |place: i64| (-FAR < place && place < FAR - 1).then_some(place);
            (open(start), open(end))
        }
    }
}

/// A dimension that is padded by other than a constant may be this long.
const LONGEST: i64 = 1 << 20;

fn pad<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let value = call.value(0)?;
    let rank = value.rank(call.graph);
    let given = if call.opset >= 11 {
        call.known_integers(1)?
    } else {
        call.ints("pads")?.map(<[i64]>::to_vec)
    };
    let Some(given) = given else {
        return wrong("pads are missing");
    };
    let axes = match call.known_integers(3)? {
        Some(axes) => resolved(call, &axes, rank)?,
        None => (0..rank).collect(),
    };
    if given.len() != 2 * axes.len() {
        return wrong(format!("{} pads for {} axes", given.len(), axes.len()));
    }
    let images = value.is_images();
    let x = value.any(call.graph);
    let mut around = vec![(0i64, 0i64); rank];
    for (place, &axis) in axes.iter().enumerate() {
        let axis = if images { NHWC_TO_NCHW[axis] } else { axis };
        around[axis] = (given[place], given[place + axes.len()]);
    }
    let x = cut(x, &around);
    for (before, after) in &mut around {
        (*before, *after) = ((*before).max(0), (*after).max(0));
    }
    let mode = call.string_or("mode", "constant")?;
    let padded = if mode == "constant" {
        pad_constant(call, x, &around)?
    } else {
        pad_from_inside(call, x, &around, &mode)?
    };
    ordered(padded, images)
}

/// Cuts away elements where the numbers of those before and after a dimension are negative.
fn cut<'g>(x: Expr<'g>, around: &[(i64, i64)]) -> Expr<'g> {
    if around.iter().all(|&(before, after)| before >= 0 && after >= 0) {
        return x;
    }
    let mut parts = Parts::all(around.len());
    for (axis, &(before, after)) in around.iter().enumerate() {
        let begin = (before < 0).then(|| before.saturating_neg());
        let end = (after < 0).then_some(after);
        parts = parts.with(axis, begin, end, 1);
    }
    x.strided_slice(&parts)
}

/// Pads with one value: an attribute before opset 11, an input since.
fn pad_constant<'g>(
    call: &Call<'_, 'g>,
    x: Expr<'g>,
    around: &[(i64, i64)],
) -> Result<Expr<'g>, ProblemKind> {
    let counts: Vec<(usize, usize)> =
        around.iter().map(|&(before, after)| (before as usize, after as usize)).collect();
    if call.opset < 11 {
        return Ok(padded(x, &counts, call.float_or("value", 0.0)?));
    }
    let Some(value) = call.optional_tensor(2) else {
        return Ok(padded(x, &counts, 0.0));
    };
    let (before, after): (Vec<i64>, Vec<i64>) = around.iter().copied().unzip();
    Ok(x.pad_constant(reshaped(value, []), &before, &after))
}

/// Pads with elements of the tensor itself, which the mode picks.
fn pad_from_inside<'g>(
    call: &Call<'_, 'g>,
    mut x: Expr<'g>,
    around: &[(i64, i64)],
    mode: &str,
) -> Result<Expr<'g>, ProblemKind> {
    for (axis, &(before, after)) in around.iter().enumerate() {
        if (before, after) == (0, 0) {
            continue;
        }
        let size = call.size(x, axis)? as i64;
        let whole = size.saturating_add(before).saturating_add(after);
        if size == 0 || whole > LONGEST {
            return unsupported(format!("a dimension of {size} made {whole} by the mode {mode:?}"));
        }
        let mut indices = Vec::new();
        for place in -before..size + after {
            indices.push(source_of(place, size, mode)?);
        }
        let indices = call.constant(Array::new(DType::I64, &[indices.len()], &indices));
        x = x.gather_along(indices, axis as i64);
    }
    Ok(x)
}

/// The element that stands at a place in or around `size` of them.
fn source_of(place: i64, size: i64, mode: &str) -> Result<i64, ProblemKind> {
    match mode {
        "edge" => Ok(place.clamp(0, size - 1)),
        "wrap" => Ok(place.rem_euclid(size)),
        "reflect" => {
            let period = (2 * (size - 1)).max(1);
            let place = place.rem_euclid(period);
            Ok(place.min(period - place).min(size - 1))
        }
        other => unsupported(format!("a mode called {other:?}")),
    }
}
