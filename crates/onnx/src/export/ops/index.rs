//! Parts of tensors, and elements by their places.

use abeyance_graph::ops::gather_nd::RavelIndexAttributes;
use abeyance_graph::ops::index::{GatherAttributes, OneHotAttributes};
use abeyance_graph::ops::slice::SliceAttributes;
use abeyance_graph::ops::sort::{ArgsortAttributes, TopKIndicesAttributes};
use abeyance_graph::ops::strided::{ReverseAttributes, StridedSliceAttributes};
use abeyance_graph::ops::{along, gather_nd, index, slice, sort, strided, where_indices};
use abeyance_ir::{Array, DType, Dim};

use super::super::attribute::int;
use super::super::entry::OpEntry;
use super::super::writer::Names;
use super::source::cast;

/// Beyond the end of any dimension.
const END: i64 = i64::MAX;
/// Before the beginning of any dimension.
const BEFORE: i64 = i64::MIN + 1;

/// This family's operators.
pub(crate) static ENTRIES: &[OpEntry] = &[
    OpEntry::new(&slice::Slice, "Slice", |writer, id| {
        let SliceAttributes { begin, size } = writer.attributes(id);
        let end: Vec<i64> = begin
            .iter()
            .zip(&size)
            .map(|(&begin, &size)| if size < 0 { END } else { begin.saturating_add(size) })
            .collect();
        let x = writer.input(id, 0)?;
        if begin.is_empty() {
            return Ok(Names::plain(writer.node("Identity", &[&x], Vec::new())));
        }
        let (starts, ends) = (writer.integers("starts", &begin), writer.integers("ends", &end));
        Ok(Names::plain(writer.node("Slice", &[&x, &starts, &ends], Vec::new())))
    }),
    OpEntry::new(
        &strided::StridedSlice,
        "Slice, and a Gather for each dimension that goes",
        |writer, id| {
            let StridedSliceAttributes {
                begin,
                end,
                strides,
                begin_mask,
                end_mask,
                shrink_axis_mask,
            } = writer.attributes(id);
            let bit = |mask: i64, axis: usize| mask >> axis & 1 == 1;
            let mut x = writer.input(id, 0)?;
            let mut lists: [Vec<i64>; 4] = Default::default();
            for axis in 0..begin.len() {
                let stride = strides[axis];
                if bit(shrink_axis_mask, axis)
                    || bit(begin_mask, axis) && bit(end_mask, axis) && stride == 1
                {
                    continue;
                }
                let first = if stride > 0 { 0 } else { END };
                let last = if stride > 0 { END } else { BEFORE };
                lists[0].push(if bit(begin_mask, axis) { first } else { begin[axis] });
                lists[1].push(if bit(end_mask, axis) { last } else { end[axis] });
                lists[2].push(axis as i64);
                lists[3].push(stride);
            }
            if !lists[0].is_empty() {
                let [starts, ends, axes, steps] = lists;
                let starts = writer.integers("starts", &starts);
                let ends = writer.integers("ends", &ends);
                let axes = writer.integers("axes", &axes);
                let steps = writer.integers("steps", &steps);
                x = writer.node("Slice", &[&x, &starts, &ends, &axes, &steps], Vec::new());
            }
            // From the last on, so that the places of the others stay.
            for axis in (0..begin.len()).rev().filter(|&axis| bit(shrink_axis_mask, axis)) {
                let index = writer.constant("index", &Array::new(DType::I64, &[], &[begin[axis]]));
                x = writer.node("Gather", &[&x, &index], vec![int("axis", axis as i64)]);
            }
            Ok(Names::plain(x))
        },
    ),
    OpEntry::new(&strided::Reverse, "Slice with steps of -1", |writer, id| {
        let ReverseAttributes { axes } = writer.attributes(id);
        let x = writer.input(id, 0)?;
        if axes.is_empty() {
            return Ok(Names::plain(writer.node("Identity", &[&x], Vec::new())));
        }
        let starts = writer.integers("starts", &vec![END; axes.len()]);
        let ends = writer.integers("ends", &vec![BEFORE; axes.len()]);
        let steps = writer.integers("steps", &vec![-1; axes.len()]);
        let axes = writer.integers("axes", &axes);
        Ok(Names::plain(writer.node("Slice", &[&x, &starts, &ends, &axes, &steps], Vec::new())))
    }),
    OpEntry::new(&index::Gather, "Gather", |writer, id| {
        let GatherAttributes { axis } = writer.attributes(id);
        let (params, indices) = (writer.input(id, 0)?, writer.input(id, 1)?);
        Ok(Names::plain(writer.node("Gather", &[&params, &indices], vec![int("axis", axis)])))
    }),
    OpEntry::new(&along::TakeAlong, "GatherElements", |writer, id| {
        let (x, indices) = (writer.input(id, 0)?, writer.input(id, 1)?);
        Ok(Names::plain(writer.node("GatherElements", &[&x, &indices], vec![int("axis", -1)])))
    }),
    OpEntry::new(&gather_nd::RavelIndex, "Mul and ReduceSum", |writer, id| {
        let RavelIndexAttributes { shape } = writer.attributes(id);
        let of = writer.ir.resolve(&shape);
        let indices = writer.input(id, 0)?;
        let mut steps = vec![1i64; of.len()];
        for axis in (1..of.len()).rev() {
            let Dim::Known(size) = of[axis] else {
                return Err("the sizes of all dimensions but the first have to be known".to_owned());
            };
            steps[axis - 1] = steps[axis].saturating_mul(size as i64);
        }
        let steps = writer.integers("steps", &steps);
        let indices = cast(writer, &indices, DType::I64);
        let places = writer.node("Mul", &[&indices, &steps], Vec::new());
        let last = writer.integers("axes", &[-1]);
        Ok(Names::plain(writer.node("ReduceSum", &[&places, &last], vec![int("keepdims", 0)])))
    }),
    OpEntry::new(&index::OneHot, "Less, Where and OneHot", |writer, id| {
        let OneHotAttributes { depth, dtype } = writer.attributes(id);
        let operand = writer.operand(id, 0)?;
        let is_scalar = writer.shape(operand).is_empty();
        let mut indices = writer.value(operand);
        if is_scalar {
            // ONNX wants a dimension at least.
            let first = writer.integers("axes", &[0]);
            indices = writer.node("Unsqueeze", &[&indices, &first], Vec::new());
        }
        let depth = writer.constant("depth", &Array::new(DType::I64, &[], &[depth]));
        // Runtimes know few combinations of types: numbers of f32, which all of them know, then the
        // type that is wanted.
        let values = writer.constant("values", &Array::new(DType::F32, &[2], &[0.0f32, 1.0]));
        let indices = cast(writer, &indices, DType::I64);
        // A negative one is out of range here, and counts from the end there.
        let zero = writer.number(DType::I64, 0.0);
        let negative = writer.node("Less", &[&indices, &zero], Vec::new());
        let indices = writer.node("Where", &[&negative, &depth, &indices], Vec::new());
        let mut hot = writer.node("OneHot", &[&indices, &depth, &values], Vec::new());
        if is_scalar {
            let first = writer.integers("axes", &[0]);
            hot = writer.node("Squeeze", &[&hot, &first], Vec::new());
        }
        Ok(Names::plain(match dtype {
            DType::F32 => hot,
            other => cast(writer, &hot, other),
        }))
    }),
    OpEntry::new(
        &sort::TOP_K_INDICES,
        "TopK and Cast; where NaN stand is each runtime's own",
        |writer, id| {
            let TopKIndicesAttributes { dtype, k } = writer.attributes(id);
            let x = writer.input(id, 0)?;
            let k = writer.integers("k", &[k]);
            let both = writer.nodes_of("TopK", &[&x, &k], vec![int("axis", -1)], 2);
            Ok(Names::plain(cast(writer, &both[1], dtype)))
        },
    ),
    OpEntry::new(
        &sort::ARGSORT,
        "TopK of all elements and Cast; where NaN stand is each runtime's own",
        |writer, id| {
            let ArgsortAttributes { dtype, descending } = writer.attributes(id);
            let operand = writer.operand(id, 0)?;
            let Some(&Dim::Known(last)) = writer.shape(operand).last() else {
                return Err("the size of the last dimension has to be known".to_owned());
            };
            let x = writer.value(operand);
            let k = writer.integers("k", &[last as i64]);
            let options = vec![int("axis", -1), int("largest", descending.into())];
            let both = writer.nodes_of("TopK", &[&x, &k], options, 2);
            Ok(Names::plain(cast(writer, &both[1], dtype)))
        },
    ),
    OpEntry::new(
        &where_indices::WhereIndices,
        "none: refused, since ONNX gives as many as there are",
        |_, _| Err("gives a row for every element, which ONNX does not".to_owned()),
    ),
];
