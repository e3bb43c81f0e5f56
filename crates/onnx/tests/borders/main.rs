//! Operators at the borders of their range: numbers that are small, large, none, infinite, integers
//! that just fit. The right values are in `right.txt`, which `make.py` wrote; nothing of Python
//! runs here.

#[path = "../import/model.rs"]
mod model;

use abeyance_ir::{Array, DType};
use abeyance_session::{Session, Value};
use model::attribute_proto::AttributeType;
use model::{
    AttributeProto, GraphProto, ModelProto, OperatorSetIdProto, TypeProto, ValueInfoProto,
    type_proto,
};
use prost::Message;

/// A use of an operator, and what it gives.
struct Case<'t> {
    /// Its first line.
    title: &'t str,
    inputs: Vec<Array>,
    right: Array,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<(&str, Vec<Array>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            Some(line) => cases.last_mut().expect("a title before arrays").1.push(array(line)),
            None => cases.push((line, Vec::new())),
        }
    }
    let case = |(title, mut inputs): (_, Vec<Array>)| {
        let right = inputs.pop().expect("arrays");
        Case { title, inputs, right }
    };
    cases.into_iter().map(case).collect()
}

/// `f32[2,1] 0.5 inf`
fn array(line: &str) -> Array {
    let mut words = line.split_whitespace();
    let (dtype, dims) = words.next().and_then(|word| word.split_once('[')).expect("a type");
    let dtype = DType::from_name(dtype).expect("an element type");
    let dims: Vec<usize> = dims
        .trim_end_matches(']')
        .split(',')
        .filter(|dim| !dim.is_empty())
        .map(|dim| dim.parse().expect("a size"))
        .collect();
    let mut bytes = Vec::new();
    for word in words {
        match dtype {
            DType::F32 => bytes.extend(word.parse::<f32>().expect(word).to_le_bytes()),
            DType::F64 => bytes.extend(word.parse::<f64>().expect(word).to_le_bytes()),
            DType::I32 => bytes.extend(word.parse::<i32>().expect(word).to_le_bytes()),
            DType::I64 => bytes.extend(word.parse::<i64>().expect(word).to_le_bytes()),
            DType::U8 => bytes.push(word.parse().expect(word)),
            DType::Bool => bytes.push(word.parse::<bool>().expect(word).into()),
        }
    }
    Array { dtype, dims: dims[..].into(), bytes }
}

/// `alpha=0.5`, `axis=-1`, `axes=1,2,`, `mode=nearest`
fn attribute(said: &str) -> AttributeProto {
    let (name, value) = said.split_once('=').expect("an attribute");
    let mut attribute = AttributeProto { name: Some(name.to_owned()), ..AttributeProto::default() };
    let kind = if let Some(list) = value.strip_suffix(',') {
        attribute.ints = list.split(',').map(|each| each.parse().expect("an integer")).collect();
        AttributeType::Ints
    } else if let Ok(integer) = value.parse() {
        attribute.i = Some(integer);
        AttributeType::Int
    } else if let Ok(real) = value.parse() {
        attribute.f = Some(real);
        AttributeType::Float
    } else {
        attribute.s = Some(value.as_bytes().to_vec());
        AttributeType::String
    };
    attribute.r#type = Some(kind.into());
    attribute
}

fn port(name: &str, array: &Array) -> ValueInfoProto {
    let dims: Vec<String> = array.dims.iter().map(usize::to_string).collect();
    let mut port = model::port(name, &dims.iter().map(String::as_str).collect::<Vec<_>>());
    let number = match array.dtype {
        DType::F32 => 1,
        DType::U8 => 2,
        DType::I32 => 6,
        DType::I64 => 7,
        DType::Bool => 9,
        DType::F64 => 11,
    };
    if let Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) =
        &mut port.r#type
    {
        tensor.elem_type = Some(number);
    }
    port
}

impl Case<'_> {
    fn run(&self) -> Result<(), String> {
        let mut words = self.title.split_whitespace();
        let operator = words.next().expect("an operator");
        let (mut opset, mut ulps, mut attributes) = (17, 4.0, Vec::new());
        for word in words {
            match word.split_once('=') {
                Some(("opset", number)) => opset = number.parse().expect("an opset"),
                Some(("ulps", number)) => ulps = number.parse().expect("a tolerance"),
                _ => attributes.push(attribute(word)),
            }
        }
        let names: Vec<String> = (0..self.inputs.len()).map(|place| format!("x{place}")).collect();
        let named: Vec<&str> = names.iter().map(String::as_str).collect();
        // Scales are known when a model is built; everything else is fed, and so are exponents.
        let told = if operator == "Resize" { 1 } else { usize::MAX };
        let inputs = named.iter().zip(&self.inputs);
        let model = ModelProto {
            ir_version: Some(8),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(opset) }],
            graph: Some(GraphProto {
                name: Some("case".to_owned()),
                input: inputs.clone().map(|(name, array)| port(name, array)).collect(),
                node: vec![model::node(operator, &named, &["y"], attributes)],
                output: vec![port("y", &self.right)],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        let mut importer = abeyance_onnx::Importer::new();
        if let Some((name, array)) = inputs.clone().nth(told) {
            importer = importer.value(name, array.clone());
        }
        let graph = importer.import(&model.encode_to_vec()).map_err(|error| error.to_string())?;
        let session = Session::new(&graph).map_err(|error| error.to_string())?;
        let signature = session.signature("predict").map_err(|error| error.to_string())?;
        let values: Vec<Value> = self.inputs.iter().map(Value::from).collect();
        let fed = named.iter().zip(&values).enumerate().filter(|(place, _)| *place != told);
        let feeds: Result<Vec<_>, _> =
            fed.map(|(_, (name, value))| signature.feed_value(name, value)).collect();
        let results = feeds.and_then(|feeds| signature.run(feeds));
        let results = results.map_err(|error| error.to_string())?;
        same(&results[0].to_array(), &self.right, ulps)
    }
}

/// # Errors
/// Elements that differ by more than so many units in the last place. A zero counts as one of
/// either sign only where tolerance is had.
fn same(found: &Array, right: &Array, ulps: f64) -> Result<(), String> {
    if (found.dtype, &found.dims) != (right.dtype, &right.dims) {
        return Err(format!(
            "{}{:?} and not {}{:?}",
            found.dtype, found.dims, right.dtype, right.dims
        ));
    }
    let exact = !right.dtype.is_float();
    let (found, right, dtype) = (Value::from(found), Value::from(right), right.dtype);
    let mut faults = Vec::new();
    for (place, (x, y)) in found.to_f64().into_iter().zip(right.to_f64()).enumerate() {
        let unit = match dtype {
            DType::F64 => y.abs().next_up() - y.abs(),
            _ => f64::from((y.abs() as f32).next_up()) - y.abs(),
        };
        let near = !exact && (x - y).abs() <= ulps * unit;
        if !(x == y || x.is_nan() && y.is_nan() || near) {
            faults.push(format!("{x:e} and not {y:e} at {place}"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join(", ")) }
}

#[test]
fn operators_are_right_at_the_borders_of_their_range() {
    let cases = cases(include_str!("right.txt"));
    assert!(cases.len() >= 95, "only {} cases", cases.len());
    let faults: Vec<String> = cases
        .iter()
        .filter_map(|case| case.run().err().map(|fault| format!("{}: {fault}", case.title)))
        .collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}
