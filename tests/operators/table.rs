//! Properties of every operator in the table.

use abeyance::graph::raw::GraphExt;
use abeyance::graph::{Graph, ops};
use abeyance::ir::{Differentiability, Effect, OperatorRef};
use abeyance::prelude::{Session, SessionOptions};
use abeyance::session::Value;

use crate::samples::Case;

/// Operators that samples cannot show, each with the file whose tests do.
const WITHOUT_SAMPLES: &[(&str, &str)] = &[
    ("placeholder", "tests/feeds.rs"),
    ("invalid", "tests/diagnostics.rs"),
    ("assign", "tests/variables.rs"),
    ("assign_add", "tests/variables.rs"),
    ("assign_sub", "tests/variables.rs"),
    ("assign_scatter", "tests/scatter_writes.rs"),
    ("assign_scatter_add", "tests/scatter_writes.rs"),
    ("assign_scatter_sub", "tests/scatter_writes.rs"),
    ("group", "tests/variables.rs"),
    ("item", "tests/control_flow.rs"),
    ("input", "tests/control_flow.rs"),
    ("custom_gradient", "tests/user_operators.rs"),
    ("while_gradient", "tests/control_flow.rs"),
];

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = ops::table().iter().map(|op| op.signature().name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_operator_has_samples_or_a_test_of_its_own() {
    for operator in ops::table() {
        let name = operator.signature().name;
        let exempt = WITHOUT_SAMPLES.iter().find(|(other, _)| *other == name);
        match exempt {
            None => assert!(!operator.samples().is_empty(), "`{name}` has no samples"),
            Some((_, file)) => {
                assert!(
                    operator.samples().is_empty(),
                    "`{name}` has samples: take it off the list"
                );
                let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
                assert!(
                    std::fs::read_to_string(&path).unwrap().contains(name),
                    "`{name}` is said to be tested in {file}"
                );
            }
        }
    }
}

#[test]
fn a_differentiable_operator_has_at_least_five_samples_among_them_nothing_and_a_scalar() {
    for operator in ops::table() {
        let signature = operator.signature();
        if matches!(
            signature.differentiability,
            Differentiability::None(_) | Differentiability::Missing
        ) || signature.effect == Effect::Write
            || WITHOUT_SAMPLES.iter().any(|(name, _)| *name == signature.name)
        {
            continue;
        }
        let samples = operator.samples();
        let name = signature.name;
        assert!(samples.len() >= 5, "`{name}` has {} samples", samples.len());
        let empty = samples.iter().any(|sample| {
            let case = Case::new(operator, sample);
            let result = case.graph.ir().shape(case.y().id()).unwrap_or_default();
            result.contains(&abeyance::ir::Dim::Known(0))
                || sample.operands.iter().any(|x| x.dims.contains(&0))
        });
        assert!(empty, "`{name}` has no sample with a dimension of 0");
        let scalar = samples.iter().any(|s| s.operands.iter().any(|x| x.dims.is_empty()));
        if !scalar {
            // Then a scalar must be refused.
            let graph = Graph::new();
            let sample = &samples[0];
            let x = graph.placeholder::<f64>("x", []);
            let ids = vec![x.id(); sample.operands.len()];
            graph
                .build(|ir| ir.add(OperatorRef::Static(operator), &ids, sample.attributes.clone()));
            assert!(graph.check().is_err(), "`{name}` takes scalars and has no sample of one");
        }
    }
}

/// The bits of a value, so that NaN equals itself.
fn bits(value: Value) -> Vec<u64> {
    match value {
        Value::F32(x) => x.iter().map(|x| u64::from(x.to_bits())).collect(),
        Value::F64(x) => x.iter().map(|x| x.to_bits()).collect(),
        Value::I32(x) => x.iter().map(|&x| x as u64).collect(),
        Value::I64(x) => x.iter().map(|&x| x as u64).collect(),
        Value::U8(x) => x.iter().map(|&x| u64::from(x)).collect(),
        Value::Bool(x) => x.iter().map(|&x| u64::from(x)).collect(),
    }
}

#[test]
fn every_sample_runs_and_gives_the_same_bits_on_one_and_on_three_threads() {
    for operator in ops::table() {
        for sample in &operator.samples() {
            let case = Case::new(operator, sample);
            let one = bits(case.run(&case.session(1), case.y(), vec![]));
            let three = bits(case.run(&case.session(3), case.y(), vec![]));
            assert_eq!(one, three, "{}", case.what);
            let shape = case.graph.ir().shape(case.y().id()).unwrap();
            let count: usize = shape.iter().map(|dim| dim.known().unwrap()).product();
            assert_eq!(one.len(), count, "{}", case.what);
        }
    }
}

#[test]
fn every_sample_gives_the_same_bits_fused_with_what_is_around_it_and_alone() {
    let mut fused = 0;
    for operator in ops::table() {
        for sample in &operator.samples() {
            let case = Case::surrounded(operator, sample);
            let Some(z) = case.graph.ir().find("z") else { continue };
            let z = case.graph.any(z);
            let (optimized, plain) = (
                case.session_with(SessionOptions::new().threads(1)),
                case.session_with(SessionOptions::new().threads(1).optimize(false)),
            );
            let tasks = |session: &Session| {
                let plan = session.explain(z, case.feeds());
                plan.unwrap_or_else(|error| panic!("{}: {error}", case.what)).tasks
            };
            fused += usize::from(tasks(&optimized) < tasks(&plain));
            for fetch in [case.y(), z] {
                let one = bits(case.run(&optimized, fetch, vec![]));
                let other = bits(case.run(&plain, fetch, vec![]));
                assert_eq!(one, other, "{}", case.what);
            }
        }
    }
    assert!(fused > 300, "{fused} samples were fused with anything");
}

#[test]
fn every_sample_gives_the_same_bits_whichever_pass_is_left_out() {
    for operator in ops::table() {
        for sample in &operator.samples() {
            let case = Case::surrounded(operator, sample);
            let z = case.graph.ir().find("z").map(|z| case.graph.any(z));
            let run = |options: SessionOptions| {
                let session = case.session_with(options);
                let fetches = std::iter::once(case.y()).chain(z);
                fetches.flat_map(|fetch| bits(case.run(&session, fetch, vec![]))).collect()
            };
            for threads in [1, 2] {
                let options = || SessionOptions::new().threads(threads).verify_passes(true);
                let plain: Vec<u64> = run(options().optimize(false));
                for pass in SessionOptions::passes() {
                    let without = run(options().without_pass(pass));
                    assert_eq!(without, plain, "without `{pass}`: {}", case.what);
                }
            }
        }
    }
}

#[test]
fn every_sample_reads_back_from_both_forms_to_a_graph_that_computes_the_same() {
    for operator in ops::table() {
        for sample in &operator.samples() {
            let mut case = Case::new(operator, sample);
            let (text, bytes) = (case.graph.to_text(), case.graph.ir().to_bytes().unwrap());
            let first = bits(case.run(&case.session(1), case.y(), vec![]));
            for form in [text.as_bytes(), &bytes] {
                let graph =
                    Graph::from_bytes(form).unwrap_or_else(|error| panic!("{text}\n{error}"));
                assert_eq!(graph.to_text(), text);
                if form == bytes {
                    assert!(graph.ir().to_bytes().unwrap() == bytes, "{text}");
                }
                case.graph = graph;
                assert_eq!(bits(case.run(&case.session(1), case.y(), vec![])), first, "{text}");
            }
        }
    }
}

/// A body of one input, which it gives.
fn body(shape: &[usize]) -> abeyance::ir::Body {
    use abeyance::ir::{Body, DType, Graph, Shape, TensorType};
    let mut graph = Graph::default().for_body("body");
    let shape: Shape = shape.iter().map(|&dim| dim.into()).collect();
    let x = graph.input("x", TensorType::new(DType::F64, shape));
    Body::new(graph, vec![x])
}

#[test]
fn hostile_attributes_and_operands_give_mistakes_and_never_a_panic() {
    use abeyance::ir::{Attribute, AttributeKind, Attributes, Dim};
    let shapes: [&[usize]; 4] = [&[], &[0], &[2, 3], &[3, 1, 2]];
    let integers = [i64::MIN, -3, -1, 0, 1, 2, 7, i64::MAX];
    for operator in ops::table() {
        let signature = *operator.signature();
        for shape in shapes {
            for &integer in &integers {
                let graph = Graph::new();
                let x = graph.placeholder::<f64>("x", shape.to_vec());
                let i = graph.placeholder::<i64>("i", shape.to_vec());
                let b = graph.placeholder::<bool>("b", shape.to_vec());
                let values = signature.attributes.iter().map(|spec| match spec.kind {
                    AttributeKind::Flag => Attribute::Flag(integer > 0),
                    AttributeKind::Integer => Attribute::Integer(integer),
                    AttributeKind::Real => Attribute::Real(integer as f64),
                    AttributeKind::Text => Attribute::Text(format!("{integer}\"\\#:\n").into()),
                    AttributeKind::DType => Attribute::DType(abeyance::ir::DType::F64),
                    AttributeKind::Shape => {
                        Attribute::Shape([Dim::Known(integer as usize); 2].into_iter().collect())
                    }
                    AttributeKind::Integers => {
                        Attribute::Integers([integer; 2].into_iter().collect())
                    }
                    AttributeKind::Array => Attribute::Array(std::sync::Arc::new(
                        abeyance::ir::Array::scalar(abeyance::ir::DType::F64, integer as f64),
                    )),
                    AttributeKind::Initializer => {
                        Attribute::Initializer(abeyance::ir::Initializer::Zeros)
                    }
                    AttributeKind::Body => Attribute::Body(std::sync::Arc::new(body(shape))),
                });
                let attributes = Attributes::of(values);
                for count in 0..4 {
                    for operand in [x.id(), i.id(), b.id()] {
                        let ids = vec![operand; count];
                        let attributes = attributes.clone();
                        graph.build(|ir| ir.add(OperatorRef::Static(operator), &ids, attributes));
                    }
                }
                // Whatever was wrong is said; printing what is wrong works too.
                let _ = graph.check().map_err(|mistakes| mistakes.to_string());
                let _ = graph.to_string();
            }
        }
    }
}
