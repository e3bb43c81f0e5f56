//! Plans on their way from a program as it was described to the program that runs. No bit of a
//! result changes.

use abeyance::prelude::*;

mod networks;
use networks::Network;

/// Losses of some steps and all variables after them, as bits.
fn train(network: &Network<'_>, graph: &Graph, options: SessionOptions, steps: usize) -> Vec<u32> {
    static MNIST: std::sync::LazyLock<Mnist> = std::sync::LazyLock::new(|| Mnist::load().unwrap());
    let session =
        Session::with_options(graph, options.seed(5)).unwrap_or_else(|error| panic!("{error}"));
    let mut bits = Vec::new();
    for batch in MNIST.train.batches(100).take(steps) {
        let fetches = (network.loss, network.train_step);
        let (loss, ()) =
            session.run(fetches, network.feeds(&batch)).unwrap_or_else(|error| panic!("{error}"));
        assert!(loss.is_finite());
        bits.push(loss.to_bits());
    }
    for name in session.variables().filter(|name| *name != "global_step") {
        bits.extend(session.variable::<f32>(name).unwrap().iter().map(|x| x.to_bits()));
    }
    bits
}

fn same_bits_with_passes_and_without(network: for<'g> fn(&'g Graph) -> Network<'g>, steps: usize) {
    let g = Graph::new();
    let network = network(&g);
    let plain = train(&network, &g, SessionOptions::new().threads(1).optimize(false), steps);
    for threads in [1, 2] {
        let optimized = train(&network, &g, SessionOptions::new().threads(threads), steps);
        assert!(plain == optimized, "passes change bits on {threads} threads");
    }
}

#[test]
fn softmax_trains_to_the_same_bits_with_passes_and_without() {
    same_bits_with_passes_and_without(networks::softmax, 50);
}

#[test]
fn five_layers_of_sigmoids_train_to_the_same_bits_with_passes_and_without() {
    same_bits_with_passes_and_without(networks::five_layers_sigmoid, 50);
}

#[test]
fn five_layers_with_dropout_train_to_the_same_bits_with_passes_and_without() {
    same_bits_with_passes_and_without(networks::five_layers_dropout, 50);
}

#[test]
fn convolutions_with_dropout_train_to_the_same_bits_with_passes_and_without() {
    same_bits_with_passes_and_without(networks::conv_dropout, 10);
}

#[test]
fn every_network_trains_to_the_same_bits_whichever_pass_is_left_out() {
    for (name, network) in networks::ALL {
        let g = Graph::new();
        let network = network(&g);
        let plain = train(&network, &g, SessionOptions::new().threads(1).optimize(false), 2);
        for (pass, threads) in SessionOptions::passes().flat_map(|pass| [(pass, 1), (pass, 2)]) {
            let options = SessionOptions::new().threads(threads).verify_passes(true);
            let without = train(&network, &g, options.without_pass(pass), 2);
            assert!(without == plain, "{name} without `{pass}` on {threads} threads");
        }
    }
}

/// The plan of `fetches` as text.
macro_rules! plan {
    ($graph:expr, $fetches:expr, $feeds:expr) => {{
        let options = SessionOptions::new().threads(1);
        let session = Session::with_options(&$graph, options).unwrap();
        session.explain($fetches, $feeds).unwrap().to_string()
    }};
}

#[test]
fn an_elementwise_chain_is_one_loop() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let y = ((x * 2.0 + 1.0).tanh() - x).named("y");
    insta::assert_snapshot!(plan!(g, y, feeds![x => &ndarray::Array2::zeros((4, 3))]));
}

#[test]
fn bias_and_activation_follow_the_pieces_of_a_matmul() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let w = g.variable("w", zeros(dims![3, 5]));
    let b = g.variable("b", zeros(dims![5]));
    let y = (x.matmul(w) + b).relu().named("y");
    insta::assert_snapshot!(plan!(g, y, feeds![x => &ndarray::Array2::zeros((4, 3))]));
}

#[test]
fn what_depends_on_constants_alone_is_computed_once() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let half = g.constant(1.0f32) / 2.0;
    let y = (x.reduce_sum(..) * half.exp()).named("y");
    insta::assert_snapshot!(plan!(g, y, feeds![x => &[1.0, 2.0]]));
}

#[test]
fn what_is_computed_twice_is_computed_once() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2, 2]);
    let y = (x.matmul(x) + x.matmul(x)).named("y");
    insta::assert_snapshot!(plan!(g, y, feeds![x => &ndarray::Array2::zeros((2, 2))]));
}

#[test]
fn an_optimizer_updates_a_parameter_and_its_slots_in_one_loop() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let w = g.variable("w", zeros(dims![3, 2]));
    let loss = x.matmul(w).square().reduce_sum(..);
    let step = Adam::new(0.01).minimize(loss);
    insta::assert_snapshot!(plan!(g, step, feeds![x => &ndarray::Array2::zeros((4, 3))]));
}
