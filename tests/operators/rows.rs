//! Rows that an operator says it keeps apart ([`Operator::split`]) have the same bits alone and in
//! any batch, and rows that it says it mixes do meet.
//!
//! Every sample is run with every set of its operands split along every axis of one size, as one
//! batch of several sizes: what is fed has an unknown dimension there.

use std::collections::BTreeSet;

use abeyance::graph::ops::matmul::MatMulAttributes;
use abeyance::graph::ops::reduce::ReduceAttributes;
use abeyance::graph::ops::source::PlaceholderAttributes;
use abeyance::graph::raw::GraphExt;
use abeyance::graph::{Graph, ops};
use abeyance::ir::{
    Attribute, Attributes, DType, Dim, Domain, Effect, NodeId, Operator, OperatorRef, Sample,
    Shape, Split, SymbolId, TensorType,
};
use abeyance::prelude::*;
use abeyance::session::{Feed, Value};
use ndarray::{ArrayD, Axis, IxDyn, Slice};

use crate::samples::numbers;

/// Operators of which no sample can be split, each with the file whose tests show that they keep
/// rows apart.
const ELSEWHERE: &[(&str, &str)] = &[
    ("placeholder", "tests/batches.rs"),
    ("variable", "tests/batches.rs"),
    ("constant", "tests/batches.rs"),
    ("item", "tests/batches.rs"),
    ("input", "tests/batches.rs"),
    ("cond", "tests/batches.rs"),
    ("while_loop", "tests/batches.rs"),
    ("custom_gradient", "tests/batches.rs"),
    ("fill", "tests/operators/rows.rs"),
    ("size", "tests/operators/rows.rs"),
    ("shape_of", "tests/operators/rows.rs"),
    ("range", "tests/operators/rows.rs"),
    ("linspace", "tests/operators/rows.rs"),
    ("random_uniform", "tests/operators/rows.rs"),
    ("random_normal", "tests/operators/rows.rs"),
    ("truncated_normal", "tests/operators/rows.rs"),
];

/// Operators that never keep rows apart, and why.
const NEVER: &[(&str, &str)] = &[
    ("assign", WRITES),
    ("assign_add", WRITES),
    ("assign_sub", WRITES),
    ("assign_scatter", WRITES),
    ("assign_scatter_add", WRITES),
    ("assign_scatter_sub", WRITES),
    ("log_uniform_candidates", "it draws numbers"),
    ("while_gradient", "its cotangents of what a loop captured are sums over all rows"),
    ("group", "it has no value"),
    ("invalid", "it stands for a mistake"),
];
const WRITES: &str = "it changes a variable";

/// Operators that say of a sample that rows meet, where numbers show none that do, and why they say
/// it: chances that are lost.
const CAUTIOUS: &[(&str, &str)] = &[
    (
        "matmul",
        "columns: sums of more than 256 products are cut otherwise where there are many columns",
    ),
    ("reduce_sum", BEHIND),
    ("reduce_mean", BEHIND),
    ("reduce_max", BEHIND),
    ("reduce_min", BEHIND),
    ("reduce_prod", BEHIND),
    ("reduce_finite_max", BEHIND),
    ("reduce_euclidean_norm", BEHIND),
    ("reduce_wide_euclidean_norm", BEHIND),
    ("reduce_root_mean_square", BEHIND),
    ("reduce_mean_square", BEHIND),
    ("conv2d", FILTERS),
    ("conv2d_backprop_input", FILTERS),
    ("conv2d_backprop_filter", FILTERS),
    ("max_pool", WINDOWS),
    ("max_pool_scatter", WINDOWS),
    ("max_pool_gather", WINDOWS),
    ("avg_pool", WINDOWS),
    ("avg_pool_spread", WINDOWS),
    ("concat", "a single tensor, which is not joined to any"),
    ("slice_at", OFFSET),
    ("pad_at", OFFSET),
    ("strided_slice", ENDS),
    ("strided_slice_grad", ENDS),
];
const BEHIND: &str = "behind an axis that is reduced the number of rows decides the order of a sum; in small samples it does not, nor does the \
     order of maxima but for the sign of 0";
const FILTERS: &str = "filters and channels, which are weights and of known sizes: nothing is promised of their kernels";
const WINDOWS: &str = "windows of one pixel";
const OFFSET: &str = "an offset that happens to be 0";
const ENDS: &str = "ends that lie beyond any of the sample's rows";

/// More samples than the operators', of sizes at which kernels take another road: blocks of
/// matrices' rows, images in blocks, reductions in two stages.
fn larger(name: &str, given: &[Sample]) -> Vec<Sample> {
    let usual = Domain::Between(-2.0, 2.0);
    let float = |attributes: &Attributes, dims: &[&[usize]]| {
        let sample = Sample::new(attributes.clone());
        dims.iter().fold(sample, |sample, dims| sample.float(dims, usual.clone()))
    };
    let flags = |transpose_a, transpose_b| MatMulAttributes { transpose_a, transpose_b }.into();
    let axes = |axes: &[i64]| ReduceAttributes { axes: axes.into(), keep_dims: false }.into();
    match name {
        "matmul" => vec![
            float(&flags(false, false), &[&[3, 300], &[300, 70]]),
            float(&flags(false, true), &[&[3, 784], &[10, 784]]),
            float(&flags(true, false), &[&[70, 3], &[70, 33]]),
            float(&flags(false, false), &[&[3, 1, 130], &[130, 40]]),
            float(&flags(false, false), &[&[3, 9, 33], &[3, 33, 20]]),
            float(&flags(true, true), &[&[3, 33, 9], &[3, 20, 33]]),
            float(&flags(true, false), &[&[3, 33, 9], &[33, 20]]),
            float(&flags(false, false), &[&[5, 33], &[3, 33, 20]]),
        ],
        "reduce_sum" | "reduce_mean" | "reduce_max" | "reduce_euclidean_norm" => vec![
            float(&axes(&[1]), &[&[3, 5000]]),
            float(&axes(&[0]), &[&[5000, 3]]),
            float(&axes(&[0, 2]), &[&[70, 3, 90]]),
            float(&axes(&[1, 2]), &[&[3, 90, 70]]),
        ],
        "softmax" | "log_softmax" => vec![float(&Attributes::none(), &[&[3, 1000]])],
        "conv2d" | "max_pool" | "avg_pool" => {
            let images = |sample: &Sample| {
                let mut sample = sample.clone();
                let [_, height, width, channels] = sample.operands[0].dims[..] else {
                    return sample;
                };
                sample.operands[0].dims = vec![3, 2 * height, width + 9, channels];
                sample
            };
            given.iter().map(images).collect()
        }
        _ => Vec::new(),
    }
}

/// An operand's value for the largest batch, and the axis along which it is cut.
struct Fed {
    name: String,
    value: Value,
    axis: Option<usize>,
}

/// Evaluates one expression for an array of any element type, and gives a value of that type.
macro_rules! map {
    ($value:expr, $array:ident => $result:expr) => {
        match $value {
            Value::F32($array) => Value::F32($result),
            Value::F64($array) => Value::F64($result),
            Value::I32($array) => Value::I32($result),
            Value::I64($array) => Value::I64($result),
            Value::U8($array) => Value::U8($result),
            Value::Bool($array) => Value::Bool($result),
        }
    };
}

/// Elements `from..to` along an axis.
fn cut(value: &Value, axis: usize, from: usize, to: usize) -> Value {
    map!(value, array => array.slice_axis(Axis(axis), Slice::from(from..to)).to_owned())
}

fn value(dtype: DType, dims: &[usize], numbers: Vec<f64>) -> Value {
    fn array<T>(dims: &[usize], numbers: Vec<f64>, element: impl Fn(f64) -> T) -> ArrayD<T> {
        ArrayD::from_shape_vec(IxDyn(dims), numbers.into_iter().map(element).collect()).unwrap()
    }
    match dtype {
        DType::F32 => Value::F32(array(dims, numbers, |x| x as f32)),
        DType::F64 => Value::F64(array(dims, numbers, |x| x)),
        DType::I32 => Value::I32(array(dims, numbers, |x| x as i32)),
        DType::I64 => Value::I64(array(dims, numbers, |x| x as i64)),
        DType::U8 => Value::U8(array(dims, numbers, |x| x as u8)),
        DType::Bool => Value::Bool(array(dims, numbers, |x| x != 0.0)),
    }
}

/// A sample with some operands split.
struct Case {
    graph: Graph,
    fed: Vec<Fed>,
    what: String,
    split: Split,
}

/// The rows of the largest batch.
const MOST: usize = 40;

impl Case {
    /// `None` where the operands cannot be split so, or only into rows of a size that is known.
    fn new(
        operator: &'static dyn Operator,
        sample: &Sample,
        axes: &[Option<usize>],
        replaced: &[(usize, usize)],
    ) -> Option<Case> {
        let graph = Graph::new();
        let dim = graph.build(|ir| ir.symbols_mut().named("N"));
        let mut ids = Vec::new();
        let mut fed = Vec::new();
        for (index, (operand, &axis)) in sample.operands.iter().zip(axes).enumerate() {
            let name = format!("x{index}");
            let mut shape: Shape = operand.dims.iter().map(|&dim| dim.into()).collect();
            let mut dims = operand.dims.clone();
            if let Some(axis) = axis {
                shape[axis] = Dim::Symbol(dim);
                dims[axis] = MOST;
            }
            ids.push(placeholder(&graph, &name, TensorType::new(operand.dtype, shape)));
            let numbers = numbers(dims.iter().product(), &operand.domain, index as u64);
            fed.push(Fed { name, value: value(operand.dtype, &dims, numbers), axis });
        }
        let attributes = sample.attributes.iter().enumerate().map(|(index, attribute)| {
            let mut attribute = attribute.clone();
            if let Attribute::Shape(shape) = &mut attribute {
                for &(_, axis) in replaced.iter().filter(|&&(of, _)| of == index) {
                    shape[axis] = Dim::Symbol(dim);
                }
            }
            attribute
        });
        let attributes = Attributes::of(attributes);
        let y = graph
            .build(|ir| ir.add_named(Some("y"), OperatorRef::Static(operator), &ids, attributes));
        graph.check().ok()?;
        let Dim::Symbol(dim) = graph.ir().symbols().resolve(Dim::Symbol(dim)) else {
            return None;
        };
        let split = split(&graph, dim, y, &ids, axes);
        let what = format!("{} split along {axes:?}", graph.ir().print_call(y));
        Some(Case { graph, fed, what, split })
    }

    fn run(&self, session: &Session, from: usize, to: usize) -> Result<Value, Error> {
        let parts: Vec<Value> = self
            .fed
            .iter()
            .map(|fed| match fed.axis {
                Some(axis) => cut(&fed.value, axis, from, to),
                None => fed.value.clone(),
            })
            .collect();
        let feeds = self.fed.iter().zip(&parts).map(|(fed, part)| {
            let tensor = self.graph.any(self.graph.ir().find(&fed.name).unwrap());
            Feed::new(tensor, part)
        });
        let y = self.graph.any(self.graph.ir().find("y").unwrap());
        Ok(session.run(y, feeds.collect::<Vec<_>>())?)
    }

    fn session(&self, threads: usize, optimize: bool) -> Session {
        let options = SessionOptions::new().threads(threads).optimize(optimize);
        Session::with_options(&self.graph, options).unwrap()
    }
}

fn placeholder(graph: &Graph, name: &str, ty: TensorType) -> NodeId {
    let placeholder = ops::registry().get("placeholder").unwrap().clone();
    let attributes = PlaceholderAttributes { dtype: ty.dtype, shape: ty.shape };
    graph.build(|ir| ir.add_named(Some(name), placeholder, &[], attributes))
}

fn split(graph: &Graph, dim: SymbolId, y: NodeId, ids: &[NodeId], axes: &[Option<usize>]) -> Split {
    let given = ids.iter().zip(axes).map(|(&id, axis)| match axis {
        Some(axis) => (id, Split::along(*axis)),
        None => (id, Split::Whole),
    });
    let given: Vec<(NodeId, Split)> = given.collect();
    let splits = graph.ir().splits(dim, [y], &given);
    splits.of(y).cloned().unwrap_or(Split::Mixed)
}

/// Every way to split some operands along axes of one size, and to say so in attributes that are
/// shapes.
fn cases(operator: &'static dyn Operator, sample: &Sample) -> Vec<Case> {
    let mut choices: Vec<Vec<Option<usize>>> = vec![Vec::new()];
    for operand in &sample.operands {
        let axes = || std::iter::once(None).chain((0..operand.dims.len()).map(Some));
        let longer = |choice: Vec<Option<usize>>| {
            axes().map(move |axis| [&choice[..], &[axis]].concat()).collect::<Vec<_>>()
        };
        choices = choices.into_iter().flat_map(longer).collect();
    }
    let mut cases = Vec::new();
    for axes in choices {
        let chosen = sample.operands.iter().zip(&axes);
        let sizes: BTreeSet<usize> =
            chosen.filter_map(|(operand, axis)| Some(operand.dims[(*axis)?])).collect();
        let [size] = sizes.into_iter().collect::<Vec<_>>()[..] else { continue };
        let places: Vec<(usize, usize)> = sample
            .attributes
            .iter()
            .enumerate()
            .flat_map(|(index, attribute)| match attribute {
                Attribute::Shape(shape) => (0..shape.len())
                    .filter(|&axis| shape[axis] == Dim::Known(size))
                    .map(|axis| (index, axis))
                    .collect(),
                _ => Vec::new(),
            })
            .collect();
        for chosen in 0..1usize << places.len() {
            let replaced = places.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
            let replaced: Vec<_> = replaced.map(|(_, &place)| place).collect();
            cases.extend(Case::new(operator, sample, &axes, &replaced));
        }
    }
    cases
}

/// The bytes of a value between two places of an axis.
fn bytes(value: &Value, axis: usize, from: usize, to: usize) -> Vec<u8> {
    cut(value, axis, from, to).to_array().bytes
}

/// Runs every row alone and in batches of many sizes, beginning at different rows: the same bits,
/// on one and two threads, optimized or not.
fn assert_apart(case: &Case, axis: usize) {
    let mut alone: Vec<Option<Vec<u8>>> = Vec::new();
    for (threads, optimize) in [(1, true), (1, false), (2, true), (2, false)] {
        let session = case.session(threads, optimize);
        for row in 0..MOST {
            // A row may be wrong by itself, an index out of range.
            let y = case.run(&session, row, row + 1).ok();
            let y = y.map(|y| bytes(&y, axis, 0, y.shape()[axis]));
            match alone.get(row) {
                Some(known) => assert!(y == *known, "row {row}, {threads} threads: {}", case.what),
                None => alone.push(y),
            }
        }
        for size in (2..=17).chain([33, MOST]) {
            let from = (size * 7) % (MOST - size + 1);
            let rows = &alone[from..from + size];
            let what = || format!("{size} rows, {threads} threads, {optimize}: {}", case.what);
            let Ok(y) = case.run(&session, from, from + size) else {
                assert!(rows.contains(&None), "fails together only: {}", what());
                continue;
            };
            assert_eq!(y.shape()[axis] % size, 0, "{}", what());
            let each = y.shape()[axis] / size;
            for (place, row) in rows.iter().enumerate() {
                let together = bytes(&y, axis, place * each, (place + 1) * each);
                let alone = row.as_ref().unwrap_or_else(|| panic!("fails alone only: {}", what()));
                assert!(*alone == together, "row {place} of {}", what());
            }
        }
    }
}

/// True if rows that are said to be mixed are apart for all that can be seen.
fn seems_apart(case: &Case) -> bool {
    const ROWS: usize = 7;
    let session = case.session(1, true);
    let alone: Option<Vec<Value>> =
        (0..ROWS).map(|row| case.run(&session, row, row + 1).ok()).collect();
    let (Some(alone), Ok(together)) = (alone, case.run(&session, 0, ROWS)) else {
        return false;
    };
    let is_apart = |axis: usize| {
        let size = together.shape()[axis];
        let each = alone[0].shape().get(axis).copied().unwrap_or(0);
        let ranks = alone.iter().all(|y| y.shape().len() == together.shape().len());
        ranks
            && each * ROWS == size
            && size > 0
            && alone.iter().enumerate().all(|(row, y)| {
                let part = cut(&together, axis, row * each, (row + 1) * each);
                part.shape() == y.shape() && part.to_array().bytes == y.to_array().bytes
            })
    };
    let some = !together.to_array().bytes.is_empty();
    some && (0..together.shape().len()).any(is_apart)
}

#[test]
fn rows_that_an_operator_keeps_apart_have_the_same_bits_alone_and_in_any_batch() {
    let (mut apart, mut cautious) = (BTreeSet::new(), BTreeSet::new());
    let (mut said, mut seen) = (BTreeSet::new(), 0);
    for operator in ops::table() {
        let name = operator.signature().name;
        let samples = operator.samples();
        let more = larger(name, &samples);
        for sample in samples.iter().chain(&more) {
            for case in cases(operator, sample) {
                said.insert(name);
                match &case.split {
                    Split::Along(rows) => {
                        apart.insert(name);
                        seen += 1;
                        assert_apart(&case, rows.axis);
                    }
                    Split::Whole => panic!("depends on nothing that is split: {}", case.what),
                    Split::Mixed if seems_apart(&case) => {
                        if cautious.insert(name) {
                            println!("said to be mixed: {}", case.what);
                        }
                    }
                    Split::Mixed => {}
                }
            }
        }
    }
    let known: BTreeSet<&str> = CAUTIOUS.iter().map(|(name, _)| *name).collect();
    assert_eq!(cautious, known, "the operators that are more cautious than numbers ask for");
    let names = ops::table().into_iter().map(|operator| operator.signature().name);
    let unseen: BTreeSet<&str> = names.filter(|name| !said.contains(name)).collect();
    let listed: BTreeSet<&str> = ELSEWHERE.iter().chain(NEVER).map(|(name, _)| *name).collect();
    assert_eq!(unseen, listed, "the operators of which no sample can be split");
    for (name, file) in ELSEWHERE {
        let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&path).exists(), "`{name}` is said to be tested in {file}");
    }
    println!("{seen} cases of {} operators keep rows apart", apart.len());
    assert!(apart.len() > 100 && seen > 800, "{} operators, {seen} cases", apart.len());
}

#[test]
fn without_operands_what_speaks_of_the_rows_mixes_them_unless_it_is_one_value() {
    let mut seen = BTreeSet::new();
    for operator in ops::table() {
        let name = operator.signature().name;
        for sample in operator.samples().iter().filter(|sample| sample.operands.is_empty()) {
            let shapes =
                sample.attributes.iter().enumerate().filter_map(
                    |(index, attribute)| match attribute {
                        Attribute::Shape(shape) => Some((index, shape.len())),
                        _ => None,
                    },
                );
            let places: Vec<(usize, usize)> =
                shapes.flat_map(|(index, rank)| (0..rank).map(move |axis| (index, axis))).collect();
            for place in places {
                // A variable has a shape that is known.
                let Some(case) = Case::new(operator, sample, &[], &[place]) else { continue };
                let expected = match name {
                    "fill" => Split::along(place.1),
                    _ => Split::Mixed,
                };
                assert_eq!(case.split, expected, "{}", case.what);
                seen.insert(name);
            }
            let Some(case) = Case::new(operator, sample, &[], &[]) else { continue };
            let draws = operator.signature().effect == Effect::Random;
            let expected = if draws { Split::Mixed } else { Split::Whole };
            assert_eq!(case.split, expected, "{}", case.what);
        }
    }
    let spoken =
        ["fill", "linspace", "random_normal", "random_uniform", "range", "shape_of", "size"];
    assert_eq!(seen, spoken.into_iter().chain(["truncated_normal"]).collect());
}
