//! All operators that cannot be exported are named; nodes that are constant under a signature are
//! left out.

use abeyance_graph::{Graph, dims, truncated_normal};
use abeyance_ir::Array;
use abeyance_onnx::{ExportError, export};

#[test]
fn everything_that_cannot_be_exported_is_named_at_once() {
    let g = Graph::named("many");
    let x = g.placeholder::<f32>("x", dims![_, 4]);
    let keep = g.placeholder::<f32>("keep", dims![]);
    let w = g.variable("w", truncated_normal(dims![4, 4], 0.0, 1.0));
    let y = x.matmul(w).dropout_keeping(keep).atan2(x).diag().atan2(1.0);
    g.signature("predict").input("x", x).output("y", y);
    let error = export(&g, "predict", &|_| None).expect_err("a refusal");
    insta::assert_snapshot!("everything_that_cannot_be_exported", error);
}

#[test]
fn a_signature_that_is_not_there_is_named_with_those_that_are() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2]);
    g.signature("predict").input("x", x).output("y", x + 1.0);
    let error = export(&g, "train", &|_| None).expect_err("a refusal");
    assert_eq!(error.to_string(), "the graph has no signature `train`, only `predict`");
    assert!(matches!(error, ExportError::NoSignature { .. }));
}

#[test]
fn a_value_of_another_shape_is_no_value_for_a_variable() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2]);
    let w = g.variable("w", truncated_normal(dims![2], 0.0, 1.0));
    g.signature("predict").input("x", x).output("y", x * w);
    let three = Array::new(abeyance_ir::DType::F32, &[3], &[1.0f32; 3]);
    let error = export(&g, "predict", &|_| Some(three.clone())).expect_err("a refusal");
    assert!(error.to_string().contains("is f32[3], and it is f32[2]"), "{error}");
}

#[test]
fn outputs_that_are_inputs_or_one_another_have_names_of_their_own() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let y = x + 1.0;
    g.signature("predict").input("x", x).output("same", x).output("one", y).output("two", y);
    let model = export(&g, "predict", &|_| None).expect("an export");
    let again = abeyance_onnx::import(&model).expect("an import");
    let names: Vec<String> =
        again.ir().signatures()[0].outputs.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["same", "one", "two"]);
}
