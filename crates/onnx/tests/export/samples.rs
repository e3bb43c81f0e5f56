//! Each exported operator on its samples: the model gives what the graph gives.

use abeyance_graph::Graph;
use abeyance_graph::ops::source::PlaceholderAttributes;
use abeyance_graph::raw::GraphExt;
use abeyance_ir::{Array, Attribute, Attributes, DType, Dim, Domain, Shape, Type};
use abeyance_session::{Feed, Session, Value};

use crate::runtime::{self, Run};

/// Numbers of a domain, the same in every run.
fn numbers(count: usize, domain: &Domain, seed: usize) -> Vec<f64> {
    let fraction = |place: usize| {
        let mixed = (place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (seed as u64) << 17);
        (mixed >> 40) as f64 / (1u64 << 24) as f64
    };
    (0..count)
        .map(|place| match domain {
            Domain::Between(low, high) => low + (high - low) * fraction(place),
            Domain::AwayFromZero => {
                let size = 0.2 + 1.8 * fraction(place);
                if place % 2 == 0 { -size } else { size }
            }
            Domain::Distinct => {
                let shuffled = (place * 7 + 3) % (count | 1).max(1);
                0.2 * (shuffled as f64 - (count / 2) as f64) + seed as f64 * 0.1
            }
            Domain::Values(values) => values[place % values.len()],
        })
        .collect()
}

/// f64 as f32: what runtimes compute with.
fn narrow(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F32 } else { dtype }
}

fn narrow_attribute(attribute: &Attribute) -> Attribute {
    match attribute {
        Attribute::DType(dtype) => Attribute::DType(narrow(*dtype)),
        Attribute::Array(array) if array.dtype == DType::F64 => {
            let elements: Vec<f32> = array.elements::<f64>().iter().map(|&x| x as f32).collect();
            Attribute::Array(Array::new(DType::F32, &array.dims, &elements).into())
        }
        other => other.clone(),
    }
}

fn array(dtype: DType, dims: &[usize], elements: &[f64]) -> Array {
    let bytes = elements.iter().flat_map(|&x| Array::scalar(dtype, x).bytes).collect();
    Array { dtype, dims: dims.into(), bytes }
}

pub fn feed<'a>(graph: &Graph, name: &str, value: &'a Value) -> Feed<'a> {
    let what = "a placeholder of the value's type";
    match value {
        Value::F32(array) => Feed::new(graph.tensor::<f32>(name).expect(what), array),
        Value::F64(array) => Feed::new(graph.tensor::<f64>(name).expect(what), array),
        Value::I32(array) => Feed::new(graph.tensor::<i32>(name).expect(what), array),
        Value::I64(array) => Feed::new(graph.tensor::<i64>(name).expect(what), array),
        Value::U8(array) => Feed::new(graph.tensor::<u8>(name).expect(what), array),
        Value::Bool(array) => Feed::new(graph.tensor::<bool>(name).expect(what), array),
    }
}

/// Runs of all samples whose operator is exported, and how many were refused, by operator.
fn runs() -> (Vec<Run>, Vec<String>) {
    let mut runs = Vec::new();
    let mut refused = Vec::new();
    for operator in abeyance_graph::ops::table() {
        let name = operator.signature().name;
        for (index, sample) in operator.samples().iter().enumerate() {
            let graph = Graph::named("sample");
            let mut inputs = Vec::new();
            let mut operands = Vec::new();
            for (place, operand) in sample.operands.iter().enumerate() {
                let dtype = narrow(operand.dtype);
                let elements = numbers(operand.dims.iter().product(), &operand.domain, place);
                let shape: Shape = operand.dims.iter().map(|&dim| Dim::Known(dim)).collect();
                let input = format!("x{place}");
                operands.push(graph.build(|ir| {
                    let attributes = PlaceholderAttributes { dtype, shape };
                    ir.add_named(
                        Some(&input),
                        &abeyance_graph::ops::source::Placeholder,
                        &[],
                        attributes,
                    )
                }));
                inputs.push((input, array(dtype, &operand.dims, &elements)));
            }
            let attributes = Attributes::of(sample.attributes.iter().map(narrow_attribute));
            let y = graph.build(|ir| {
                ir.add_named(
                    Some("y"),
                    abeyance_ir::OperatorRef::Static(operator),
                    &operands,
                    attributes,
                )
            });
            if graph.check().is_err() || !matches!(graph.ir().node(y).ty, Type::Tensor(_)) {
                continue;
            }
            let mut signature = graph.signature("predict");
            for ((input, _), &operand) in inputs.iter().zip(&operands) {
                signature = signature.input(input, graph.any(operand));
            }
            signature.output("result", graph.any(y));
            let case = format!("{name} {index}");
            let model = match abeyance_onnx::export(&graph, "predict", &|_| None) {
                Ok(model) => model,
                Err(error) => {
                    refused.push(format!("{name}: {error}"));
                    continue;
                }
            };
            let session = Session::new(&graph).expect("a session");
            let values: Vec<Value> = inputs.iter().map(|(_, array)| array.into()).collect();
            let feeds: Vec<Feed<'_>> = inputs
                .iter()
                .zip(&values)
                .map(|((input, _), value)| feed(&graph, input, value))
                .collect();
            let Ok(wanted) = session.run(graph.any(y), feeds) else {
                continue;
            };
            runs.push(Run { name: case, model, inputs, wanted: vec![wanted] });
        }
    }
    (runs, refused)
}

#[test]
fn every_exported_operator_means_the_same_after_an_import() {
    let (runs, refused) = runs();
    assert!(runs.len() > 500, "only {} samples are exported", runs.len());
    let mut faults = Vec::new();
    for run in &runs {
        if let Err(fault) = imported(run) {
            faults.push(format!("{}: {fault}", run.name));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), runs.len(), faults.join("\n"));
    let mut without: Vec<&str> =
        refused.iter().map(|refusal| refusal.split(':').next().unwrap_or_default()).collect();
    without.dedup();
    insta::assert_snapshot!("operators_that_are_not_exported", without.join("\n"));
}

/// # Errors
/// The import of the model gives something else.
pub fn imported(run: &Run) -> Result<(), String> {
    let graph = abeyance_onnx::import(&run.model).map_err(|error| error.to_string())?;
    let session = Session::new(&graph).map_err(|error| error.to_string())?;
    let signature = session.signature("predict").map_err(|error| error.to_string())?;
    let values: Vec<Value> = run.inputs.iter().map(|(_, array)| array.into()).collect();
    let feeds: Vec<Feed<'_>> = run
        .inputs
        .iter()
        .zip(&values)
        .map(|((name, _), value)| {
            signature.feed_value(name, value).map_err(|error| error.to_string())
        })
        .collect::<Result<_, _>>()?;
    let results = signature.run(feeds).map_err(|error| error.to_string())?;
    for (got, wanted) in results.iter().zip(&run.wanted) {
        if got.dtype() != wanted.dtype() || got.shape() != wanted.shape() {
            return Err(format!(
                "{}{:?} and not {}{:?}",
                got.dtype(),
                got.shape(),
                wanted.dtype(),
                wanted.shape()
            ));
        }
        for (x, y) in got.to_f64().into_iter().zip(wanted.to_f64()) {
            if !(x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= 1e-5 + 1e-5 * y.abs()) {
                return Err(format!("{x} and not {y}"));
            }
        }
    }
    Ok(())
}

#[test]
fn every_exported_operator_means_the_same_to_onnxruntime() {
    if !runtime::is_there() {
        return;
    }
    let (mut runs, _) = runs();
    // Of empty arrays the runtime takes few, and with some it does not come to an end.
    runs.retain(|run| {
        let empty = |value: &Value| value.shape().contains(&0);
        // Where NaN and equal elements stand in an order is each one's own.
        let ordered = run.name.starts_with("argsort") || run.name.starts_with("top_k");
        !ordered
            && !run.inputs.iter().any(|(_, array)| array.is_empty())
            && !run.wanted.iter().any(empty)
    });
    let faults = runtime::faults(&runs, 1e-5);
    // What the runtime has no kernel for was found valid by the checker before.
    let (lacking, faults): (Vec<String>, Vec<String>) =
        faults.into_iter().partition(|fault| fault.contains("NOT IMPLEMENTED"));
    println!("{} models, {} beyond onnxruntime", runs.len(), lacking.len());
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), runs.len(), faults.join("\n"));
}
