//! The graphs that models become.

use crate::model::{
    AttributeProto, GraphProto, TypeProto, bytes, floats, int, integers, ints, model, node, port,
    type_proto,
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
    assert_eq!((&inputs[..], &outputs[..]), (&["a:0", "b"][..], &["relu", "sum/out", "b"][..]));
    assert_eq!(ir.describe(signature.outputs[0].1), "relu : f32[n, 2]");
}

#[test]
fn names_that_differ_in_signs_alone_are_fed_and_fetched_as_themselves() {
    use abeyance_session::{Session, Value};
    use ndarray::arr1;
    let model = model(
        vec![port("/x", &["2"]), port("x", &["2"]), port("serving_default_x:0", &["2"])],
        vec![],
        vec![
            node("Sub", &["/x", "x"], &["y:0"], vec![]),
            node("Sub", &["x", "/x"], &["y_0"], vec![]),
            node("Identity", &["serving_default_x:0"], &["größe = 1"], vec![]),
        ],
        vec![port("y_0", &["2"]), port("y:0", &["2"]), port("größe = 1", &["2"])],
    );
    let graph = abeyance_onnx::import(&bytes(&model)).expect("an import");
    // The same by its files of both forms.
    let forms = [graph.to_text().into_bytes(), graph.ir().to_bytes().expect("it is right")];
    let read =
        forms.map(|form| abeyance_graph::Graph::from_bytes(&form).expect("what was written"));
    for graph in [&graph, &read[0], &read[1]] {
        let session = Session::new(graph).expect("a session");
        let predict = session.signature("predict").expect("the signature of an import");
        let [a, b, c] = [[10.0f32, 20.0], [1.0, 2.0], [5.0, 6.0]].map(|x| arr1(&x));
        let feeds = [
            predict.feed("x", &b).expect("an input"),
            predict.feed("serving_default_x:0", &c).expect("an input"),
            predict.feed("/x", &a).expect("an input"),
        ];
        let found = predict.run(feeds).expect("a run");
        let found: Vec<Vec<f64>> = found.iter().map(Value::to_f64).collect();
        assert_eq!(found, [[-9.0, -18.0], [9.0, 18.0], [5.0, 6.0]]);
        let outputs = &predict.signature().outputs;
        let names: Vec<&str> = outputs.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["y_0", "y:0", "größe = 1"]);
    }
    // And by the model that they are exported as.
    let again = abeyance_onnx::export(&graph, "predict", &|_| None).expect("an export");
    let again = abeyance_onnx::import(&again).expect("what was exported");
    let signature = again.ir().signatures()[0].clone();
    let names: Vec<&str> = signature.inputs.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["/x", "x", "serving_default_x:0"]);
    assert!(signature.output("y:0").is_some() && signature.output("größe = 1").is_some());
}

#[test]
fn a_power_that_no_float_holds_keeps_its_sign() {
    use abeyance_session::Session;
    use ndarray::arr1;
    // Known when the model is built, and fed.
    for fed in [false, true] {
        let mut exponent = integers("n", &[16_777_217]);
        exponent.dims = vec![1];
        let mut input = port("n", &["1"]);
        if let Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) =
            &mut input.r#type
        {
            tensor.elem_type = Some(7);
        }
        let model = model(
            if fed { vec![port("x", &["1"]), input] } else { vec![port("x", &["1"])] },
            if fed { vec![] } else { vec![exponent] },
            vec![node("Pow", &["x", "n"], &["y"], vec![])],
            vec![port("y", &["1"])],
        );
        let graph = abeyance_onnx::import(&bytes(&model)).expect("an import");
        let session = Session::new(&graph).expect("a session");
        let predict = session.signature("predict").expect("the signature of an import");
        let (x, n) = (arr1(&[-1.0f32]), arr1(&[16_777_217i64]));
        let mut feeds = vec![predict.feed("x", &x).expect("an input")];
        if fed {
            feeds.push(predict.feed("n", &n).expect("an input"));
        }
        assert_eq!(predict.run(feeds).expect("a run")[0].to_f64(), [-1.0]);
    }
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
