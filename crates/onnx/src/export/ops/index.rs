//! Parts of tensors, and elements by their places.

use abeyance_ir::{Array, DType, Dim};

use super::super::attribute::int;
use super::super::table::Row;
use super::super::writer::Held;
use super::source::cast;

/// Beyond the end of any dimension.
const END: i64 = i64::MAX;
/// Before the beginning of any dimension.
const BEFORE: i64 = i64::MIN + 1;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("slice", "Slice", |writer, id| {
        let attributes = writer.attributes(id);
        let (begin, size) = (attributes.integers(0), attributes.integers(1));
        let end: Vec<i64> = begin
            .iter()
            .zip(size)
            .map(|(&begin, &size)| if size < 0 { END } else { begin.saturating_add(size) })
            .collect();
        let x = writer.input(id, 0)?;
        if begin.is_empty() {
            return Ok(Held::plain(writer.node("Identity", &[&x], Vec::new())));
        }
        let (starts, ends) = (writer.integers("starts", begin), writer.integers("ends", &end));
        Ok(Held::plain(writer.node("Slice", &[&x, &starts, &ends], Vec::new())))
    }),
    Row::new("strided_slice", "Slice, and a Gather for each dimension that goes", |writer, id| {
        let attributes = writer.attributes(id);
        let (begin, end, strides) =
            (attributes.integers(0), attributes.integers(1), attributes.integers(2));
        let bit = |mask: usize, axis: usize| attributes.integer(mask) >> axis & 1 == 1;
        let mut x = writer.input(id, 0)?;
        let mut lists: [Vec<i64>; 4] = Default::default();
        for axis in 0..begin.len() {
            let stride = strides[axis];
            if bit(5, axis) || bit(3, axis) && bit(4, axis) && stride == 1 {
                continue;
            }
            let first = if stride > 0 { 0 } else { END };
            let last = if stride > 0 { END } else { BEFORE };
            lists[0].push(if bit(3, axis) { first } else { begin[axis] });
            lists[1].push(if bit(4, axis) { last } else { end[axis] });
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
        for axis in (0..begin.len()).rev().filter(|&axis| bit(5, axis)) {
            let index = writer.constant("index", &Array::new(DType::I64, &[], &[begin[axis]]));
            x = writer.node("Gather", &[&x, &index], vec![int("axis", axis as i64)]);
        }
        Ok(Held::plain(x))
    }),
    Row::new("reverse", "Slice with steps of -1", |writer, id| {
        let axes = writer.attributes(id).integers(0);
        let x = writer.input(id, 0)?;
        if axes.is_empty() {
            return Ok(Held::plain(writer.node("Identity", &[&x], Vec::new())));
        }
        let starts = writer.integers("starts", &vec![END; axes.len()]);
        let ends = writer.integers("ends", &vec![BEFORE; axes.len()]);
        let steps = writer.integers("steps", &vec![-1; axes.len()]);
        let axes = writer.integers("axes", axes);
        Ok(Held::plain(writer.node("Slice", &[&x, &starts, &ends, &axes, &steps], Vec::new())))
    }),
    Row::new("gather", "Gather", |writer, id| {
        let axis = writer.attributes(id).integer(0);
        let (params, indices) = (writer.input(id, 0)?, writer.input(id, 1)?);
        Ok(Held::plain(writer.node("Gather", &[&params, &indices], vec![int("axis", axis)])))
    }),
    Row::new("take_along", "GatherElements", |writer, id| {
        let (x, indices) = (writer.input(id, 0)?, writer.input(id, 1)?);
        Ok(Held::plain(writer.node("GatherElements", &[&x, &indices], vec![int("axis", -1)])))
    }),
    Row::new("ravel_index", "Mul and ReduceSum", |writer, id| {
        let of = writer.ir.resolve(writer.attributes(id).shape(0));
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
        Ok(Held::plain(writer.node("ReduceSum", &[&places, &last], vec![int("keepdims", 0)])))
    }),
    Row::new("one_hot", "Less, Where and OneHot", |writer, id| {
        let attributes = writer.attributes(id);
        let operand = writer.operand(id, 0)?;
        let is_scalar = writer.shape(operand).is_empty();
        let mut indices = writer.value(operand);
        if is_scalar {
            // ONNX wants a dimension at least.
            let first = writer.integers("axes", &[0]);
            indices = writer.node("Unsqueeze", &[&indices, &first], Vec::new());
        }
        let depth =
            writer.constant("depth", &Array::new(DType::I64, &[], &[attributes.integer(0)]));
        // Runtimes know few combinations of types: numbers of f32, which all of them know, then the type that is wanted.
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
        Ok(Held::plain(match attributes.dtype(1) {
            DType::F32 => hot,
            other => cast(writer, &hot, other),
        }))
    }),
    Row::new(
        "top_k_indices",
        "TopK and Cast; where NaN stand is each runtime's own",
        |writer, id| {
            let attributes = writer.attributes(id);
            let x = writer.input(id, 0)?;
            let k = writer.integers("k", &[attributes.integer(1)]);
            let both = writer.nodes_of("TopK", &[&x, &k], vec![int("axis", -1)], 2);
            Ok(Held::plain(cast(writer, &both[1], attributes.dtype(0))))
        },
    ),
    Row::new(
        "argsort",
        "TopK of all elements and Cast; where NaN stand is each runtime's own",
        |writer, id| {
            let attributes = writer.attributes(id);
            let operand = writer.operand(id, 0)?;
            let Some(&Dim::Known(last)) = writer.shape(operand).last() else {
                return Err("the size of the last dimension has to be known".to_owned());
            };
            let x = writer.value(operand);
            let k = writer.integers("k", &[last as i64]);
            let options = vec![int("axis", -1), int("largest", attributes.flag(1).into())];
            let both = writer.nodes_of("TopK", &[&x, &k], options, 2);
            Ok(Held::plain(cast(writer, &both[1], attributes.dtype(0))))
        },
    ),
    Row::new("where_indices", "none: refused, since ONNX gives as many as there are", |_, _| {
        Err("gives a row for every element, which ONNX does not".to_owned())
    }),
];
