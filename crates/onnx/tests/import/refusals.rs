//! The problems that an import reports, as they are printed.

use abeyance_ir::{Array, DType};
use abeyance_onnx::{ImportError, Importer, ProblemKind, import};

use crate::model::{
    OperatorSetIdProto, StringStringEntryProto, bytes, floats, int, integers, ints, model, node,
    port,
};

fn said(model: &crate::model::ModelProto) -> String {
    import(&bytes(model)).expect_err("a refusal").to_string()
}

#[test]
fn operators_without_a_counterpart_are_named_all_at_once_with_their_nodes() {
    let mut named = node("Det", &["x"], &["c"], vec![]);
    named.name = Some("/head/Det".to_owned());
    let mut foreign = node("FusedConv", &["x"], &["d"], vec![]);
    foreign.domain = Some("com.microsoft".to_owned());
    let model = model(
        vec![port("x", &["2", "2"])],
        vec![],
        vec![
            node("NonMaxSuppression", &["x"], &["a"], vec![]),
            node("Relu", &["x"], &["b"], vec![]),
            named,
            foreign,
            node("Det", &["x"], &["e"], vec![]),
        ],
        vec![port("e", &[])],
    );
    insta::assert_snapshot!("without_a_counterpart", said(&model));
}

#[test]
fn uses_without_a_counterpart_are_named_all_at_once() {
    let model = model(
        vec![port("x", &["1", "2", "4", "4"]), port("volume", &["1", "2", "4", "4", "4"])],
        vec![floats("w", &[2, 2, 3, 3, 3], &[0.0; 108])],
        vec![
            node("Conv", &["volume", "w"], &["a"], vec![]),
            node("Relu", &["a"], &["after what was refused"], vec![]),
            node("MaxPool", &["x"], &["b", "places"], vec![ints("kernel_shape", &[2, 2])]),
            node("Transpose", &["x"], &["c"], vec![ints("perm", &[0, 0, 1, 2])]),
            node("Softmax", &["x"], &["d"], vec![int("axis", 7)]),
            node("MatMul", &["x", "missing"], &["e"], vec![]),
            node("MatMul", &["x", "w"], &["f"], vec![]),
        ],
        vec![port("after what was refused", &[]), port("nowhere", &[])],
    );
    insta::assert_snapshot!("uses_without_a_counterpart", said(&model));
}

#[test]
fn an_opset_that_is_not_read_is_refused_with_those_that_are() {
    for version in [1, 6, 28, -3, i64::MAX] {
        let mut model = model(vec![], vec![], vec![], vec![]);
        model.opset_import = vec![OperatorSetIdProto { domain: None, version: Some(version) }];
        assert_eq!(
            said(&model),
            format!("the model is of opset {version}, and opsets 7 to 27 are read")
        );
    }
}

#[test]
fn values_in_other_files_are_refused_by_the_name_of_the_file() {
    let mut weights = floats("w", &[1 << 20, 1 << 10], &[]);
    weights.data_location = Some(1);
    weights.external_data = vec![StringStringEntryProto {
        key: Some("location".to_owned()),
        value: Some("../../etc/weights.bin".to_owned()),
    }];
    let model = model(vec![], vec![weights], vec![], vec![]);
    insta::assert_snapshot!("values_in_other_files", said(&model));
}

#[test]
fn an_input_whose_values_have_to_be_known_can_be_told() {
    let mut to = port("to", &["2"]);
    if let Some(crate::model::type_proto::Value::TensorType(tensor)) =
        to.r#type.as_mut().and_then(|ty| ty.value.as_mut())
    {
        tensor.elem_type = Some(7);
    }
    let model = model(
        vec![port("x", &["6"]), to],
        vec![],
        vec![node("Reshape", &["x", "to"], &["y"], vec![])],
        vec![port("y", &["2", "3"])],
    );
    let error = import(&bytes(&model)).expect_err("a refusal");
    let ImportError::Refused(refusals) = &error else { panic!("{error}") };
    assert_eq!(refusals[0].reason, ProblemKind::NeedsValue("to".to_owned()));
    let told = Importer::new().value("to", Array::new(DType::I64, &[2], &[2i64, 3]));
    let graph = told.import(&bytes(&model)).expect("an import");
    let ir = graph.ir();
    let signature = &ir.signatures()[0];
    assert_eq!(signature.inputs.len(), 1);
    assert_eq!(ir.describe(signature.outputs[0].1), "y : f32[2, 3]");
}

#[test]
fn sizes_that_no_memory_holds_are_refused_or_left_to_a_run() {
    let huge = 1 << 40;
    let claims = |dims: &[i64]| said(&model(vec![], vec![floats("w", dims, &[])], vec![], vec![]));
    assert!(claims(&[huge]).contains("0 bytes are not the elements"));
    assert!(claims(&[huge, huge]).contains("are not the sizes of an array"));
    assert!(claims(&[-1]).contains("are not the sizes of an array"));
    let mut nodes = Vec::new();
    for (operator, attributes) in [
        ("ConstantOfShape", vec![]),
        ("Expand", vec![]),
        ("Tile", vec![]),
        ("Reshape", vec![]),
        ("Pad", vec![]),
        ("Slice", vec![]),
        ("Range", vec![]),
        ("OneHot", vec![]),
        ("MaxPool", vec![ints("kernel_shape", &[huge, huge])]),
        ("AveragePool", vec![ints("kernel_shape", &[1 << 30]), ints("dilations", &[1 << 30])]),
        ("LRN", vec![int("size", huge)]),
        ("DepthToSpace", vec![int("blocksize", huge)]),
        ("Split", vec![int("num_outputs", huge)]),
    ] {
        let output = format!("{operator} of much");
        let inputs: &[&str] = match operator {
            "ConstantOfShape" => &["sizes"],
            "Range" => &["zero", "much", "one"],
            "OneHot" => &["sizes", "much", "ends"],
            "Slice" => &["x", "sizes", "ends", "zero", "one"],
            _ => &["x", "sizes"],
        };
        nodes.push(node(operator, inputs, &[&output], attributes));
    }
    let scalar = |name: &str, value: i64| {
        let mut scalar = integers(name, &[value]);
        scalar.dims.clear();
        scalar
    };
    let model = model(
        vec![port("x", &["1", "1", "2"])],
        vec![
            integers("sizes", &[huge, huge, huge]),
            integers("ends", &[i64::MIN, i64::MAX]),
            scalar("zero", 0),
            scalar("one", 1),
            scalar("much", i64::MAX),
        ],
        nodes,
        vec![],
    );
    // What is said matters less than that it comes at once and takes no memory.
    assert!(said(&model).contains("ConstantOfShape of much"));
}

#[test]
fn a_name_that_stands_for_two_values_is_wrong() {
    let model = model(
        vec![port("x", &["2"])],
        vec![],
        vec![node("Relu", &["x"], &["y"], vec![]), node("Exp", &["x"], &["y"], vec![])],
        vec![port("y", &["2"])],
    );
    assert!(said(&model).contains("Exp (y): there is another value called `y`"));
}
