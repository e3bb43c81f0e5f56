//! The texts that graphs print as.

use std::sync::Arc;

use abeyance_ir::{
    Array, Attribute, Attributes, DType, Dim, Graph, Initializer, Naming, NodeId, Role,
};
use smallvec::SmallVec;

use crate::operators::{Add, Concat, Constant, Every, Group, Negate, Source, Variable, registry};

pub fn source(g: &mut Graph, name: &str, dtype: DType, shape: &[Dim]) -> NodeId {
    let attributes = Attributes::of([Attribute::DType(dtype), Attribute::Shape(shape.into())]);
    g.add_named(Some(name), &Source, &[], attributes)
}

pub fn constant(g: &mut Graph, value: Array) -> NodeId {
    let value = Attribute::Array(Arc::new(value));
    g.add(&Constant, &[], Attributes::of([value]))
}

fn variable(g: &mut Graph, name: &str, initial: Initializer, dims: &[usize]) -> NodeId {
    let attributes = Attributes::of([
        Attribute::Initializer(initial),
        Attribute::DType(DType::F32),
        Attribute::Shape(dims.iter().map(|&dim| dim.into()).collect()),
        Attribute::Flag(true),
    ]);
    g.add_named(Some(name), &Variable, &[], attributes)
}

/// Prints, reads, prints again.
pub fn reprint(g: &Graph) -> String {
    let text = g.to_text();
    match Graph::parse(&text, &registry()) {
        Ok(read) => assert_eq!(read.to_text(), text),
        Err(diagnostics) => panic!("{diagnostics}\n\nin\n\n{text}"),
    }
    text
}

#[test]
fn a_small_program() {
    let mut g = Graph::new("small");
    let n = Dim::Symbol(g.symbols_mut().fresh(Naming::Fed));
    let x = source(&mut g, "x", DType::F32, &[n, 3.into()]);
    let w = variable(&mut g, "w", Initializer::TruncatedNormal { mean: 0.0, stddev: 0.1 }, &[3]);
    let half = constant(&mut g, Array::scalar(DType::F32, 0.5));
    let shifted = g.add(&Add, &[x, w], Attributes::none());
    g.context_mut().scope = "layer1/".to_owned();
    let long = g.add_named(
        Some("a_name_that_is_longer_than_its_column"),
        &Add,
        &[shifted, half],
        Attributes::none(),
    );
    g.context_mut().scope.clear();
    g.context_mut().role = Role::Backward { of: shifted };
    let gradient = g.add_named(Some("grad/add"), &Negate, &[long], Attributes::none());
    g.context_mut().role = Role::Update;
    g.context_mut().controls = SmallVec::from_slice(&[x, gradient, x]);
    let update = g.add_named(Some("update/w"), &Add, &[w, w], Attributes::none());
    g.context_mut().controls.clear();
    g.add_named(Some("train_step"), &Group, &[update, gradient], Attributes::none());
    insta::assert_snapshot!(reprint(&g));
}

#[test]
fn attributes_of_every_kind() {
    let mut g = Graph::new("every kind");
    let batch = Dim::Symbol(g.symbols_mut().named("batch"));
    let odd = Dim::Symbol(g.symbols_mut().named("a \"quoted\" name"));
    let x = source(&mut g, "x", DType::Bool, &[batch, odd]);
    let initial = |array| Initializer::Constant(Arc::new(array));
    let mut every = |flag, count, rate, axes: &[i64], dtype, to: &[Dim], table, start| {
        g.add(
            &Every,
            &[x],
            Attributes::of([
                Attribute::Flag(flag),
                Attribute::Integer(count),
                Attribute::Real(rate),
                Attribute::Integers(axes.into()),
                Attribute::DType(dtype),
                Attribute::Shape(to.into()),
                Attribute::Array(Arc::new(table)),
                Attribute::Initializer(start),
            ]),
        );
    };
    let two = Array::new(DType::I32, &[2], &[3, -4]);
    every(false, 1, 0.0, &[0, -1], DType::I32, &[2.into()], two.clone(), Initializer::Zeros);
    every(true, -7, -0.0, &[], DType::F32, &[batch], two.clone(), Initializer::Ones);
    every(
        false,
        i64::MIN,
        f64::NAN,
        &[i64::MAX],
        DType::F64,
        &[],
        Array::new(DType::Bool, &[2, 1], &[1u8, 0]),
        Initializer::Normal { mean: f64::NEG_INFINITY, stddev: 1e-300 },
    );
    every(
        false,
        1,
        0.1 + 0.2,
        &[1],
        DType::U8,
        &[0.into(), 5.into()],
        Array::new::<u8>(DType::U8, &[0, 5], &[]),
        initial(Array::new::<u8>(DType::U8, &[5, 0], &[])),
    );
    every(
        false,
        1,
        1e21,
        &[1],
        DType::F32,
        &[1000.into()],
        Array::new(DType::F32, &[1000], &[0.5f32; 1000]),
        initial(Array::new(DType::F32, &[100], &[f32::NAN; 100])),
    );
    every(
        false,
        1,
        1.0,
        &[1],
        DType::F32,
        &[2.into(), 2.into()],
        Array::new(DType::F32, &[2, 2], &[1.0f32, -0.0, f32::INFINITY, f32::NAN]),
        Initializer::Uniform { low: -1.0, high: 1.0 },
    );
    insta::assert_snapshot!(reprint(&g));
}

#[test]
fn a_graph_with_mistakes_prints() {
    let mut g = Graph::new("wrong");
    let a = source(&mut g, "a", DType::F32, &[2.into()]);
    let b = source(&mut g, "b", DType::F32, &[3.into()]);
    let sum = g.add(&Add, &[a, b], Attributes::none());
    g.add(&Negate, &[sum, sum], Attributes::of([Attribute::Integer(3)]));
    let torn = Array { dtype: DType::F32, dims: SmallVec::from_slice(&[2]), bytes: vec![0; 3] };
    constant(&mut g, torn);
    insta::assert_snapshot!(g.to_string());
}

#[test]
fn nothing_prints_as_an_empty_graph() {
    assert_eq!(reprint(&Graph::new("empty")), "graph empty {\n}");
    assert_eq!(reprint(&Graph::new("")), "graph \"\" {\n}");
    assert_eq!(reprint(&Graph::new("a\n\"b\"\\ ü #:")), "graph \"a\\u{a}\\\"b\\\"\\\\ ü #:\" {\n}");
}

#[test]
fn calls_and_sections_fit_a_line() {
    let mut g = Graph::new("long");
    let ids: Vec<NodeId> = (0..100)
        .map(|index| {
            let elements: Vec<f32> = (0..100).map(|element| (element + index) as f32).collect();
            constant(&mut g, Array::new(DType::F32, &[10, 10], &elements))
        })
        .collect();
    let all = g.add(&Group, &ids, Attributes::none());
    insta::assert_snapshot!(format!(
        "{}\n{}\n\n{}",
        g.print_call(ids[1]),
        g.print_call(all),
        g.print_nodes([ids[0], all])
    ));
}

#[test]
fn a_size_that_became_known_later_is_read_as_it_was_printed() {
    let mut g = Graph::new("later");
    let symbols = g.symbols_mut();
    let (n, m) = (symbols.fresh(Naming::Fed), symbols.fresh(Naming::Fed));
    let a = source(&mut g, "a", DType::F32, &[Dim::Symbol(n)]);
    let b = source(&mut g, "b", DType::F32, &[Dim::Symbol(m)]);
    let both = g.add(&Concat, &[a, b], Attributes::none());
    let again = g.add(&Concat, &[both, a], Attributes::none());
    g.add(&Negate, &[again], Attributes::none());
    let three = constant(&mut g, Array::new(DType::F32, &[3], &[1.0f32, 2.0, 3.0]));
    g.add(&Add, &[a, three], Attributes::none());
    g.add(&Add, &[b, three], Attributes::none());
    insta::assert_snapshot!(reprint(&g));
}

#[test]
fn what_is_added_after_reading_gets_names_of_its_own() {
    let mut g = Graph::new("names");
    let n = Dim::Symbol(g.symbols_mut().fresh(Naming::Fed));
    for scope in ["layer", "layer"] {
        g.context_mut().scope = g.unique_scope(scope);
        let x = source(&mut g, "x", DType::F32, &[n]);
        let y = g.add(&Concat, &[x, x], Attributes::none());
        g.add(&Concat, &[y, x], Attributes::none());
        g.context_mut().scope.clear();
    }
    let mut read = Graph::parse(&reprint(&g), &registry()).unwrap();
    assert_eq!(read.unique_scope("layer"), "layer_2/");
    assert_eq!(read.unique_scope("other"), "other/");
    read.context_mut().scope = "layer/".to_owned();
    let x = read.find("layer/x").unwrap();
    let added = read.add(&Concat, &[x, x], Attributes::none());
    assert_eq!(read.describe(added), "layer/concat_2 : f32[D5]");
    read.check().unwrap();
}

#[test]
fn comments_spaces_and_blank_lines_are_skipped() {
    let text = "# a graph\r\n\r\ngraph \"a # b\" { # begins\n\tforward{\nx=source:f32[ N,2 ]#end\n  \
                y = negate ( x ) : f32[N, 2] after = [ x, x ] # of x\n}\n}\n\n # the end\n";
    insta::assert_snapshot!(Graph::parse(text, &registry()).unwrap());
}
