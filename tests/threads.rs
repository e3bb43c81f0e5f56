//! Results have equal bits on any number of threads.

use abeyance::prelude::*;

mod networks;
use networks::Network;

/// Losses of some steps and all variables after them, as bits.
fn train(
    network: &Network<'_>,
    graph: &Graph,
    threads: usize,
    steps: usize,
) -> (Vec<u32>, Vec<(String, Vec<u32>)>) {
    let options = SessionOptions::new().threads(threads).seed(3);
    let session = Session::with_options(graph, options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(session.threads(), threads);
    let mnist = Mnist::load().unwrap();
    let losses = mnist
        .train
        .batches(100)
        .take(steps)
        .map(|batch| {
            let (loss, ()) = session
                .run((network.loss, network.train_step), network.feeds(&batch))
                .unwrap_or_else(|error| panic!("{error}"));
            assert!(loss.is_finite());
            loss.to_bits()
        })
        .collect();
    let variables = session
        .variables()
        .filter(|name| *name != "global_step")
        .map(|name| {
            let value = session.variable::<f32>(name).unwrap();
            (name.to_owned(), value.iter().map(|x| x.to_bits()).collect())
        })
        .collect();
    (losses, variables)
}

fn same_bits_on_1_2_3_and_8_threads(graph: &Graph, network: &Network<'_>, steps: usize) {
    let one = train(network, graph, 1, steps);
    let (first, last) = (f32::from_bits(one.0[0]), f32::from_bits(one.0[steps - 1]));
    assert!(last < first, "the loss went from {first} to {last}");
    for threads in [2, 3, 8] {
        let other = train(network, graph, threads, steps);
        assert!(one.0 == other.0, "the losses differ on {threads} threads");
        for ((name, a), (_, b)) in one.1.iter().zip(&other.1) {
            assert!(a == b, "`{name}` differs on {threads} threads");
        }
    }
}

#[test]
fn the_softmax_network_trains_to_the_same_bits_on_1_2_3_and_8_threads() {
    let g = Graph::new();
    same_bits_on_1_2_3_and_8_threads(&g, &networks::softmax(&g), 200);
}

#[test]
fn five_layers_with_dropout_train_to_the_same_bits_on_1_2_3_and_8_threads() {
    let g = Graph::new();
    same_bits_on_1_2_3_and_8_threads(&g, &networks::five_layers_dropout(&g), 200);
}

#[test]
fn the_convolutional_network_with_dropout_trains_to_the_same_bits_on_1_2_3_and_8_threads() {
    let g = Graph::new();
    same_bits_on_1_2_3_and_8_threads(&g, &networks::conv_dropout(&g), 40);
}
