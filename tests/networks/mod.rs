//! The networks of the examples, for tests and benchmarks.

#![allow(dead_code)] // each user takes some

use abeyance::graph::ops::matmul::MatMulAttributes;
use abeyance::graph::raw::GraphExt;
use abeyance::ir::NodeId;
use abeyance::prelude::*;

#[path = "../../examples/mnist_conv.rs"]
mod mnist_conv;
#[path = "../../examples/mnist_conv_dropout.rs"]
mod mnist_conv_dropout;
#[path = "../../examples/mnist_mlp.rs"]
mod mnist_mlp;
#[path = "../../examples/mnist_softmax.rs"]
mod mnist_softmax;

use mnist_mlp::{Activation, Choice, Choices};

pub struct Network<'g> {
    pub x: Tensor<'g, f32>,
    pub y_: Tensor<'g, f32>,
    /// The probability with which a neuron is kept, where the network has dropout.
    pub keep: Option<Tensor<'g, f32>>,
    pub loss: Scalar<'g, f32>,
    pub accuracy: Scalar<'g, f32>,
    pub train_step: Operation<'g>,
}

impl<'g> Network<'g> {
    /// The feeds of a training step.
    pub fn feeds<'a>(&self, batch: &'a abeyance::datasets::Batch) -> Vec<Feed<'a>> {
        let mut feeds = vec![Feed::new(self.x, &batch.images), Feed::new(self.y_, &batch.labels)];
        feeds.extend(self.keep.map(|keep| Feed::new(keep, 0.75)));
        feeds
    }
}

impl<'g> Network<'g> {
    /// The digits read: the operand of the first comparison that the accuracy counts.
    pub fn prediction(&self) -> Tensor<'g, i64> {
        let graph = self.accuracy.graph();
        let mut id = self.accuracy.id();
        while graph.ir().node(id).operator.signature().name != "argmax" {
            let first = graph.ir().node(id).operands[0];
            id = first;
        }
        graph.any(id).typed().unwrap()
    }
}

/// The fields that a network of an example has under one name.
macro_rules! network {
    ($network:expr, $keep:expr) => {
        Network {
            x: $network.x,
            y_: $network.y_,
            keep: $keep,
            loss: $network.cross_entropy,
            accuracy: $network.accuracy,
            train_step: $network.train_step,
        }
    };
}

/// One layer, softmax, gradient descent.
pub fn softmax(g: &Graph) -> Network<'_> {
    let network = mnist_softmax::network(g);
    network!(network, None)
}

/// Five layers, sigmoid, Adam.
pub fn five_layers_sigmoid(g: &Graph) -> Network<'_> {
    five_layers(g, Activation::Sigmoid, false, false)
}

/// Five layers, relu, Adam.
pub fn five_layers_relu(g: &Graph) -> Network<'_> {
    five_layers(g, Activation::Relu, false, false)
}

/// The network of five layers with a rate that decays.
pub fn five_layers_decay(g: &Graph) -> Network<'_> {
    five_layers(g, Activation::Relu, true, false)
}

/// The network of five layers with a rate that decays and dropout.
pub fn five_layers_dropout(g: &Graph) -> Network<'_> {
    five_layers(g, Activation::Relu, true, true)
}

fn five_layers(g: &Graph, activation: Activation, decay: bool, dropout: bool) -> Network<'_> {
    let choices = Choices {
        activation,
        decay,
        dropout: dropout.then_some(0.75),
        optimizer: Choice::Adam,
        layers: vec![200, 100, 60, 30],
    };
    let network = mnist_mlp::network(g, &choices);
    network!(network, dropout.then_some(network.keep))
}

/// Three convolutions.
pub fn conv(g: &Graph) -> Network<'_> {
    let network = mnist_conv::network(g);
    network!(network, None)
}

/// Three convolutions of more channels, dropout on the fully connected layer.
pub fn conv_dropout(g: &Graph) -> Network<'_> {
    let network = mnist_conv_dropout::network(g);
    network!(network, Some(network.keep))
}

/// Two layers of 2048 neurons, which is more than any of the talk's: what a step of it takes is
/// multiplying matrices.
pub fn wide(g: &Graph) -> Network<'_> {
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let mut h = flatten(x);
    for units in [2048, 2048] {
        h = dense(h, units, he_normal).relu();
    }
    let logits = dense(h, 10, glorot_uniform);
    let loss = logits.softmax_cross_entropy(y_).reduce_mean(..);
    let accuracy = logits.argmax(-1).equal(y_.argmax(-1)).cast::<f32>().reduce_mean(..);
    let train_step = GradientDescent::new(0.01).minimize(loss);
    Network { x, y_, keep: None, loss, accuracy, train_step }
}

/// The multiplications and additions of a training step's matrix products and convolutions, for
/// batches of `images`. Those with the zeros of a padding count, as they do for everyone.
pub fn arithmetic(network: &Network<'_>, images: usize) -> f64 {
    products(network.loss.graph(), AnyTensor::from(network.train_step).id(), images)
}

/// The multiplications and additions of the products and convolutions that a node depends on, for
/// batches of `images`.
pub fn products(graph: &Graph, node: NodeId, images: usize) -> f64 {
    let graph = graph.ir();
    let needed = graph.ancestors([node], |_| false);
    let dims = |id: NodeId| -> Vec<f64> {
        let shape = graph.shape(id).unwrap_or_default();
        shape.iter().map(|dim| dim.known().unwrap_or(images) as f64).collect()
    };
    let product = |dims: Vec<f64>| dims.into_iter().product::<f64>();
    let each = needed.ones().map(NodeId::new).map(|id| {
        let node = graph.node(id);
        let operand = |place: usize| dims(node.operands[place]);
        match node.operator.signature().name {
            "matmul" => {
                let MatMulAttributes { transpose_a, .. } = node.attributes.read();
                let inner = operand(0)[usize::from(!transpose_a)];
                2.0 * product(dims(id)) * inner
            }
            // A filter [h, w, C, F] is used at each place of the result [N, H, W, F].
            "conv2d" => 2.0 * product(dims(id)) / dims(id)[3] * product(operand(1)),
            "conv2d_backprop_input" => {
                2.0 * product(operand(1)) / operand(1)[3] * product(operand(0))
            }
            "conv2d_backprop_filter" => {
                2.0 * product(operand(1)) / operand(1)[3] * product(dims(id))
            }
            _ => 0.0,
        }
    });
    each.sum()
}

/// A network and the name of its example and printout.
pub type Named = (&'static str, for<'g> fn(&'g Graph) -> Network<'g>);

/// All of the talk's networks, in its order.
pub const ALL: [Named; 7] = [
    ("mnist_softmax", softmax),
    ("mnist_mlp_sigmoid", five_layers_sigmoid),
    ("mnist_mlp_relu", five_layers_relu),
    ("mnist_mlp_relu_decay", five_layers_decay),
    ("mnist_mlp_relu_decay_dropout", five_layers_dropout),
    ("mnist_conv", conv),
    ("mnist_conv_dropout", conv_dropout),
];
