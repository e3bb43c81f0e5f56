//! A text is read back to a graph that is equal and prints the same.

use std::sync::Arc;

use abeyance_ir::{
    Array, Attribute, Attributes, DType, Dim, Graph, Initializer, NodeId, Role, Type, known_dims,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use smallvec::SmallVec;

use crate::operators::{Add, Constant, Every, Filter, Group, Negate, Source, Variable, registry};

/// A dimension: a number, or the place of a name in [`SYMBOLS`].
#[derive(Clone, Copy, Debug)]
enum Size {
    Known(usize),
    Named(usize),
}

const SYMBOLS: &[&str] = &["N", "D", "D2", "batch", "_", "9", "a b", "\"\\\u{7}ü", "x/y.z"];
const SCOPES: &[&str] = &["", "layer/", "layer_1/", "grad/layer/x/", "0/"];

#[derive(Clone, Debug)]
enum Step {
    Source(DType, Vec<Size>),
    Variable(Initializer, Vec<usize>, bool),
    Constant(Array),
    Negate(Index),
    Add(Index, Index),
    Filter(Index),
    Every(Index, bool, i64, f64, Vec<i64>, DType, Vec<Size>, Array, Initializer),
    Group(Vec<Index>),
}

#[derive(Clone, Debug)]
struct Made {
    step: Step,
    scope: usize,
    role: u8,
    of: Index,
    controls: Vec<Index>,
    is_named: bool,
}

fn dtype() -> impl Strategy<Value = DType> {
    (0..DType::ALL.len()).prop_map(|index| DType::ALL[index])
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        // Small enough for a tensor of four of them: a size may be settled only after the tensor
        // was made.
        prop_oneof![0usize..4, Just(1000)].prop_map(Size::Known),
        (0..SYMBOLS.len()).prop_map(Size::Named),
    ]
}

fn real() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        proptest::sample::select(vec![
            0.0,
            -0.0,
            1.0,
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            1e21,
            5e-324
        ]),
    ]
}

fn array() -> impl Strategy<Value = Array> {
    (dtype(), vec(0usize..4, 0..4), any::<bool>()).prop_flat_map(|(dtype, dims, is_uniform)| {
        let size = dtype.size();
        let count: usize = dims.iter().product();
        let len = if is_uniform { size } else { count * size };
        vec(prop_oneof![any::<u8>(), Just(0xff), Just(0)], len).prop_map(move |mut bytes| {
            if is_uniform {
                bytes = bytes.repeat(count);
            }
            if dtype == DType::Bool {
                bytes.iter_mut().for_each(|byte| *byte &= 1);
            }
            Array { dtype, dims: dims.as_slice().into(), bytes }
        })
    })
}

fn initializer() -> impl Strategy<Value = Initializer> {
    prop_oneof![
        Just(Initializer::Zeros),
        Just(Initializer::Ones),
        array().prop_map(|array| Initializer::Constant(Arc::new(array))),
        (real(), real()).prop_map(|(mean, stddev)| Initializer::Normal { mean, stddev }),
        (real(), real()).prop_map(|(mean, stddev)| Initializer::TruncatedNormal { mean, stddev }),
        (real(), real()).prop_map(|(low, high)| Initializer::Uniform { low, high }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        (dtype(), vec(size(), 0..4)).prop_map(|(dtype, shape)| Step::Source(dtype, shape)),
        (initializer(), vec(0usize..5, 0..3), any::<bool>())
            .prop_map(|(initial, dims, trainable)| Step::Variable(initial, dims, trainable)),
        array().prop_map(Step::Constant),
        index().prop_map(Step::Negate),
        (index(), index()).prop_map(|(a, b)| Step::Add(a, b)),
        index().prop_map(Step::Filter),
        (
            (index(), any::<bool>(), prop_oneof![Just(1), any::<i64>()], real()),
            (vec(any::<i64>(), 0..3), dtype(), vec(size(), 0..4), array(), initializer()),
        )
            .prop_map(|((x, flag, count, rate), (axes, dtype, to, table, start))| {
                Step::Every(x, flag, count, rate, axes, dtype, to, table, start)
            }),
        vec(index(), 0..4).prop_map(Step::Group),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    (step(), 0..SCOPES.len(), 0u8..3, any::<Index>(), vec(any::<Index>(), 0..3), any::<bool>())
        .prop_map(|(step, scope, role, of, controls, is_named)| Made {
            step,
            scope,
            role,
            of,
            controls,
            is_named,
        })
}

/// Appends what can be appended without a mistake.
fn build(all: &[Made]) -> Graph {
    let mut g = Graph::new("random");
    for (serial, made) in all.iter().enumerate() {
        let before = g.clone();
        let any =
            |g: &Graph, index: &Index| (!g.is_empty()).then(|| NodeId::new(index.index(g.len())));
        let of = any(&g, &made.of);
        let controls = made.controls.iter().filter_map(|control| any(&g, control)).collect();
        let context = g.context_mut();
        context.scope = SCOPES[made.scope].to_owned();
        context.controls = controls;
        context.role = match (made.role, of) {
            (1, Some(of)) => Role::Backward { of },
            (2, _) => Role::Update,
            _ => Role::Forward,
        };
        if append(&mut g, &made.step, made.is_named.then(|| format!("n{serial}"))).is_none()
            || g.check().is_err()
        {
            g = before;
        }
    }
    g
}

fn append(g: &mut Graph, step: &Step, name: Option<String>) -> Option<NodeId> {
    let tensor = |g: &Graph, index: &Index| {
        let id = (!g.is_empty()).then(|| NodeId::new(index.index(g.len())))?;
        g.node(id).ty.tensor().is_some().then_some(id)
    };
    let shape = |g: &mut Graph, sizes: &[Size]| {
        let dims = sizes.iter().map(|&size| match size {
            Size::Known(size) => Dim::Known(size),
            Size::Named(index) => Dim::Symbol(g.symbols_mut().named(SYMBOLS[index])),
        });
        Attribute::Shape(dims.collect())
    };
    let name = name.as_deref();
    Some(match step {
        Step::Source(dtype, sizes) => {
            let attributes = Attributes::of([Attribute::DType(*dtype), shape(g, sizes)]);
            g.add_named(name, &Source, &[], attributes)
        }
        Step::Variable(initial, dims, trainable) => {
            let dims = dims.iter().map(|&dim| dim.into()).collect();
            let attributes = Attributes::of([
                Attribute::Initializer(initial.clone()),
                Attribute::DType(DType::F32),
                Attribute::Shape(dims),
                Attribute::Flag(*trainable),
            ]);
            g.add_named(name, &Variable, &[], attributes)
        }
        Step::Constant(array) => {
            let attributes = Attributes::of([Attribute::Array(Arc::new(array.clone()))]);
            g.add_named(name, &Constant, &[], attributes)
        }
        Step::Negate(x) => {
            let x = tensor(g, x)?;
            g.add_named(name, &Negate, &[x], Attributes::none())
        }
        Step::Add(a, b) => {
            let (a, b) = (tensor(g, a)?, tensor(g, b)?);
            g.add_named(name, &Add, &[a, b], Attributes::none())
        }
        Step::Filter(x) => {
            let x = tensor(g, x)?;
            g.add_named(name, &Filter, &[x], Attributes::none())
        }
        Step::Every(x, flag, count, rate, axes, dtype, to, table, start) => {
            let attributes = Attributes::of([
                Attribute::Flag(*flag),
                Attribute::Integer(*count),
                Attribute::Real(*rate),
                Attribute::Integers(axes.as_slice().into()),
                Attribute::DType(*dtype),
                shape(g, to),
                Attribute::Array(Arc::new(table.clone())),
                Attribute::Initializer(start.clone()),
            ]);
            let x = tensor(g, x)?;
            g.add_named(name, &Every, &[x], attributes)
        }
        Step::Group(of) => {
            let of: SmallVec<[NodeId; 4]> = if g.is_empty() {
                SmallVec::new()
            } else {
                of.iter().map(|index| NodeId::new(index.index(g.len()))).collect()
            };
            g.add_named(name, &Group, &of, Attributes::none())
        }
    })
}

/// NaN is not equal to itself, and its payload is not kept: what a value's text leaves to compare.
fn comparable(g: &Graph, attribute: &Attribute) -> String {
    let array = |array: &Array| match array.dtype {
        DType::F32 => format!("{:?} {:?}", array.dims, array.elements::<f32>()),
        DType::F64 => format!("{:?} {:?}", array.dims, array.elements::<f64>()),
        dtype => format!("{dtype} {:?} {:?}", array.dims, array.bytes),
    };
    match attribute {
        Attribute::Shape(shape) => g.symbols().display(shape).to_string(),
        Attribute::Array(value) => array(value),
        Attribute::Initializer(Initializer::Constant(value)) => array(value),
        other => format!("{other:?}"),
    }
}

fn assert_same(a: &Graph, b: &Graph) {
    assert_eq!(a.name(), b.name());
    assert_eq!(a.len(), b.len());
    for (id, node) in a.iter() {
        let other = b.node(id);
        assert_eq!(node.name, other.name);
        assert_eq!(node.operator.signature().name, other.operator.signature().name);
        assert_eq!(node.operands, other.operands);
        assert_eq!(node.role, other.role);
        assert_eq!(a.controls(id), b.controls(id));
        assert_eq!(a.display_type(id), b.display_type(id));
        assert_eq!(node.attributes.len(), other.attributes.len());
        for (value, other) in node.attributes.iter().zip(other.attributes.iter()) {
            assert_eq!(comparable(a, value), comparable(b, other));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_graph_is_read_as_it_was_printed(all in vec(made(), 0..40)) {
        let g = build(&all);
        let text = g.to_text();
        let read = Graph::parse(&text, &registry());
        let read = read.unwrap_or_else(|mistakes| panic!("{mistakes}\n\nin\n\n{text}"));
        assert_same(&g, &read);
        prop_assert_eq!(read.to_text(), text);
    }

    #[test]
    fn a_damaged_text_is_read_or_refused(
        all in vec(made(), 0..12),
        cut in any::<Index>(),
        at in any::<Index>(),
        byte in prop_oneof![any::<u8>(), proptest::sample::select(b"{}[](),:=\"#\\ \n0-_.fN".to_vec())],
    ) {
        let text = build(&all).to_text();
        let cut = cut.index(text.len());
        let prefix = String::from_utf8_lossy(&text.as_bytes()[..cut]);
        prop_assert!(Graph::parse(&prefix, &registry()).is_err());
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Graph::parse(&String::from_utf8_lossy(&bytes), &registry()) {
            // Whatever it is that was read has a text of its own.
            let text = read.to_text();
            if let Ok(again) = Graph::parse(&text, &registry()) {
                prop_assert_eq!(again.to_text(), text);
            }
        }
    }
}

#[test]
fn every_prefix_and_every_small_change_is_read_or_refused() {
    let text = include_str!("sample.graph.txt");
    let whole = Graph::parse(text, &registry()).unwrap();
    assert_eq!(whole.to_string(), text.trim_end());
    assert!(whole.iter().all(|(_, node)| node.ty != Type::Invalid));
    assert_eq!(known_dims(&whole.shape(whole.find("table").unwrap()).unwrap()).unwrap().len(), 2);
    for end in 0..text.trim_end().len() {
        assert!(Graph::parse(&text[..end], &registry()).is_err(), "{}", &text[..end]);
    }
    for at in 0..text.len() {
        for &byte in b"{}[](),:=\"#\\ \n\0-_.9fN" {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = Graph::parse(&String::from_utf8_lossy(&bytes), &registry());
        }
    }
}
