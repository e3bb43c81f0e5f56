//! The graphs that models become.

use crate::model::{
    AttributeProto, GraphProto, bytes, floats, int, integers, ints, model, node, port,
};

/// Convolution, activation and pool twice, as exporters of networks write them.
fn convolutional() -> Vec<u8> {
    let weights =
        |count: usize| (0..count).map(|place| (place % 7) as f32 * 0.1 - 0.3).collect::<Vec<_>>();
    bytes(&model(
        vec![port("image", &["batch", "2", "8", "8"])],
        vec![
            floats("conv1.weight", &[4, 2, 3, 3], &weights(72)),
            floats("conv1.bias", &[4], &weights(4)),
            floats("bn.scale", &[4], &[1.0; 4]),
            floats("bn.bias", &[4], &[0.0; 4]),
            floats("bn.mean", &[4], &[0.1; 4]),
            floats("bn.var", &[4], &[0.9; 4]),
            floats("conv2.weight", &[3, 4, 3, 3], &weights(108)),
            floats("fc.weight", &[5, 12], &weights(60)),
            floats("fc.bias", &[5], &weights(5)),
            integers("zero", &[0]),
            integers("rest", &[-1]),
        ],
        vec![
            node(
                "Conv",
                &["image", "conv1.weight", "conv1.bias"],
                &["/conv1/Conv_output_0"],
                vec![ints("pads", &[1, 1, 1, 1])],
            ),
            node(
                "BatchNormalization",
                &["/conv1/Conv_output_0", "bn.scale", "bn.bias", "bn.mean", "bn.var"],
                &["bn"],
                vec![],
            ),
            node("Relu", &["bn"], &["relu"], vec![]),
            node(
                "MaxPool",
                &["relu"],
                &["pool"],
                vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])],
            ),
            node("Conv", &["pool", "conv2.weight"], &["conv2"], vec![]),
            node("Relu", &["conv2"], &["features"], vec![]),
            // The batch's size taken from a shape, as tracing exporters do.
            node("Shape", &["features"], &["shape"], vec![]),
            node("Gather", &["shape", "zero"], &["size"], vec![int("axis", 0)]),
            node("Concat", &["size", "rest"], &["to"], vec![int("axis", 0)]),
            node("Reshape", &["features", "to"], &["flat"], vec![]),
            node("Gemm", &["flat", "fc.weight", "fc.bias"], &["logits"], vec![int("transB", 1)]),
        ],
        vec![port("logits", &["batch", "5"])],
    ))
}

#[test]
fn images_stay_in_the_order_used_here_from_one_operator_to_the_next() {
    let graph = abeyance_onnx::import(&convolutional()).expect("an import");
    insta::assert_snapshot!("convolutional", graph);
}

#[test]
fn the_branch_that_is_taken_is_inlined() {
    let branch = |name: &str, operator: &str| {
        let result = format!("{name} result");
        AttributeProto {
            name: Some(name.to_owned()),
            r#type: Some(5),
            g: Some(GraphProto {
                initializer: vec![floats(&format!("{name} weight"), &[2], &[3.0, 4.0])],
                node: vec![node(operator, &["x", &format!("{name} weight")], &[&result], vec![])],
                output: vec![port(&result, &["2"])],
                ..GraphProto::default()
            }),
            ..AttributeProto::default()
        }
    };
    let mut model = model(
        vec![port("x", &["2"])],
        vec![],
        vec![
            // What is not taken may be beyond all that is imported.
            node(
                "If",
                &["condition"],
                &["chosen"],
                vec![branch("then_branch", "Nothing"), branch("else_branch", "Mul")],
            ),
            node("Relu", &["chosen"], &["y"], vec![]),
        ],
        vec![port("y", &["2"])],
    );
    let mut condition = integers("condition", &[]);
    (condition.dims, condition.data_type, condition.int32_data) = (vec![], Some(9), vec![0]);
    if let Some(graph) = &mut model.graph {
        graph.initializer.push(condition);
    }
    let graph = abeyance_onnx::import(&bytes(&model)).expect("an import");
    insta::assert_snapshot!("branch", graph);
}

#[test]
fn inputs_and_outputs_have_their_names_in_the_signature() {
    let model = model(
        vec![port("a:0", &["n", "2"]), port("b", &["n", "2"])],
        vec![],
        vec![
            node("Add", &["a:0", "b"], &["sum/out"], vec![]),
            node("Relu", &["sum/out"], &["relu"], vec![]),
        ],
        vec![port("relu", &["n", "2"]), port("sum/out", &["n", "2"]), port("b", &["n", "2"])],
    );
    let graph = abeyance_onnx::import(&bytes(&model)).expect("an import");
    let ir = graph.ir();
    let signature = &ir.signatures()[0];
    let inputs: Vec<&str> = signature.inputs.iter().map(|(name, _)| &**name).collect();
    let outputs: Vec<&str> = signature.outputs.iter().map(|(name, _)| &**name).collect();
    assert_eq!((&inputs[..], &outputs[..]), (&["a_0", "b"][..], &["relu", "sum/out", "b"][..]));
    assert_eq!(ir.describe(signature.outputs[0].1), "relu : f32[n, 2]");
}

#[test]
fn an_output_of_images_is_as_the_model_has_it() {
    let model = model(
        vec![port("x", &["n", "2", "5", "4"])],
        vec![floats("w", &[3, 2, 1, 1], &[0.5; 6])],
        vec![node("Conv", &["x", "w"], &["y"], vec![])],
        vec![port("y", &["n", "3", "5", "4"])],
    );
    let graph = abeyance_onnx::import(&bytes(&model)).expect("an import");
    let y = graph.tensor::<f32>("y").expect("the output");
    assert_eq!(y.to_string(), "y : f32[n, 3, 5, 4]");
    assert_eq!(graph.ir().signatures()[0].outputs[0].1, y.id());
}

#[test]
fn an_input_that_is_turned_round_keeps_its_name() {
    let model = model(
        vec![port("x", &["n", "5", "4", "2"])],
        vec![],
        vec![node("Transpose", &["x"], &["y"], vec![ints("perm", &[0, 3, 1, 2])])],
        vec![port("y", &["n", "2", "5", "4"])],
    );
    let graph = abeyance_onnx::import(&bytes(&model)).expect("an import");
    let [x, y] = ["x", "y"].map(|name| graph.tensor::<f32>(name).expect("a tensor").to_string());
    assert_eq!([&x, &y], ["x : f32[n, 5, 4, 2]", "y : f32[n, 2, 5, 4]"]);
}
