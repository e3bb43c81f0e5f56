//! Networks as the examples have them, exported with their weights.

use abeyance_graph::{ConvOptions, Graph, PoolOptions, Tensor, dims, truncated_normal};
use abeyance_ir::Array;
use abeyance_session::{Session, Value};
use ndarray::{ArrayD, IxDyn};

use crate::runtime::{self, Run};
use crate::samples::imported;

/// A weight and a bias like those of the examples, but with biases that are not 0.
fn weights<'g>(g: &'g Graph, name: &str, shape: &[usize]) -> (Tensor<'g, f32>, Tensor<'g, f32>) {
    let last = shape[shape.len() - 1];
    let w = g.variable(&format!("{name}/w"), truncated_normal(shape, 0.0, 0.1));
    (w, g.variable(&format!("{name}/b"), truncated_normal(&[last][..], 0.1, 0.1)))
}

fn softmax(g: &Graph) {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let (w, b) = weights(g, "layer", &[784, 10]);
    let y = (x.reshape(dims![_, 784]).matmul(w) + b).softmax();
    g.signature("predict")
        .input("images", x)
        .output("probabilities", y)
        .output("classes", y.argmax(-1));
}

/// Five layers with a dropout after each, which nothing feeds, so that it keeps everything.
fn five_layers(g: &Graph) {
    let x = g.placeholder::<f32>("x", dims!["batch", 28, 28, 1]);
    let keep = g.placeholder_with_default("keep", 1.0f32);
    let mut y = x.reshape(dims![x.dim(0), 784]);
    for (layer, shape) in [[784, 60], [60, 40], [40, 30], [30, 20]].iter().enumerate() {
        let (w, b) = weights(g, &format!("layer{layer}"), shape);
        y = (y.matmul(w) + b).relu().dropout_keeping(keep);
    }
    let (w, b) = weights(g, "last", &[20, 10]);
    g.signature("predict").input("images", x).output("probabilities", (y.matmul(w) + b).softmax());
}

fn convolutional(g: &Graph) {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let keep = g.placeholder::<f32>("keep", dims![]);
    let mut y = x;
    for (layer, (shape, stride)) in
        [([6, 6, 1, 6], 1), ([5, 5, 6, 8], 2), ([4, 4, 8, 10], 2)].iter().enumerate()
    {
        let (w, b) = weights(g, &format!("conv{layer}"), shape);
        y = (y.conv2d(w, ConvOptions::same().stride(*stride)) + b).relu();
    }
    let (w, b) = weights(g, "dense", &[490, 20]);
    let y = (y.reshape(dims![_, 490]).matmul(w) + b).relu().dropout_keeping(keep);
    let (w, b) = weights(g, "last", &[20, 10]);
    g.signature("predict")
        .input("images", x)
        .feed(keep, 1.0)
        .output("probabilities", (y.matmul(w) + b).softmax());
}

/// Convolutions of images of any size with batch normalization of moving averages, pools, and a way
/// around.
fn batch_norm(g: &Graph) {
    let x = g.placeholder::<f32>("x", dims![_, _, _, 3]);
    let training = g.placeholder_with_default("training", false);
    let (w, _) = weights(g, "conv0", &[3, 3, 3, 8]);
    let y = x.conv2d(w, ConvOptions::same());
    let first = abeyance_layers::batch_norm(y, training).output.relu();
    let (w, _) = weights(g, "conv1", &[3, 3, 8, 8]);
    let y = first.conv2d(w, ConvOptions::same());
    let y = (abeyance_layers::batch_norm(y, training).output + first).relu();
    let y = y
        .max_pool(PoolOptions::valid(2))
        .avg_pool(PoolOptions::same(3).stride(1))
        .global_avg_pool();
    let (w, b) = weights(g, "last", &[8, 10]);
    g.signature("predict").input("images", x).output("logits", y.matmul(w) + b);
}

/// Numbers between -1 and 1, the same in every run.
fn inputs(shape: &[usize]) -> ArrayD<f32> {
    let count: usize = shape.iter().product();
    let elements = (0..count).map(|place| ((place * 37 + 11) % 255) as f32 / 127.0 - 1.0).collect();
    ArrayD::from_shape_vec(IxDyn(shape), elements).expect("as many elements")
}

/// A network exported with the weights of a session, and what that session gives.
fn run(name: &str, build: fn(&Graph), shape: &[usize]) -> Run {
    let g = Graph::named(name);
    build(&g);
    let session = Session::new(&g).expect("a session");
    let value = |name: &str| -> Option<Array> {
        session.variable::<f32>(name).ok().map(|array| Value::F32(array).to_array())
    };
    let model = abeyance_onnx::export(&g, "predict", &value).expect("an export");
    let images = Value::F32(inputs(shape));
    let signature = session.signature("predict").expect("a signature");
    let feed = signature.feed_value("images", &images).expect("a feed");
    let wanted = signature.run([feed]).expect("a run");
    Run {
        name: name.to_owned(),
        model,
        inputs: vec![("images".to_owned(), images.to_array())],
        wanted,
    }
}

fn runs() -> Vec<Run> {
    vec![
        run("softmax", softmax, &[5, 28, 28, 1]),
        run("five_layers", five_layers, &[3, 28, 28, 1]),
        run("convolutional", convolutional, &[4, 28, 28, 1]),
        run("batch_norm", batch_norm, &[2, 12, 10, 3]),
    ]
}

#[test]
fn networks_give_the_same_after_an_import() {
    for run in runs() {
        assert_eq!(imported(&run), Ok(()), "{}", run.name);
    }
}

#[test]
fn networks_give_the_same_in_onnxruntime() {
    if runtime::is_there() {
        let faults = runtime::faults(&runs(), 1e-5);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

/// The operators of a model, in order, as the import's graph shows them.
#[test]
fn images_are_transposed_at_the_border_only() {
    for (name, build, shape) in [
        ("convolutional", convolutional as fn(&Graph), [1, 28, 28, 1]),
        ("batch_norm", batch_norm, [1, 8, 8, 3]),
    ] {
        let run = run(name, build, &shape);
        let graph = abeyance_onnx::import(&run.model).expect("an import");
        let ir = graph.ir();
        let transposes =
            ir.iter().filter(|(_, node)| node.operator.signature().name == "transpose").count();
        // Into ONNX's order and out of it, both ways: what the export put in, the import takes out.
        assert!(transposes <= 2, "{name}: {transposes} transposes in\n{ir}");
        drop(ir);
    }
}

#[test]
fn a_variable_keeps_its_name_and_shape_through_both() {
    let g = Graph::named("convolutional");
    convolutional(&g);
    let session = Session::new(&g).expect("a session");
    let value = |name: &str| -> Option<Array> {
        session.variable::<f32>(name).ok().map(|array| Value::F32(array).to_array())
    };
    let model = abeyance_onnx::export(&g, "predict", &value).expect("an export");
    let again =
        Session::new(&abeyance_onnx::import(&model).expect("an import")).expect("a session");
    for name in session.variables() {
        let [before, after] =
            [&session, &again].map(|s| s.variable::<f32>(name).expect("a variable"));
        assert_eq!(before, after, "{name}");
    }
}
