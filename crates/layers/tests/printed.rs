//! The nodes that layers append, printed.

use abeyance_graph::{Graph, dims, fill, glorot_uniform, he_normal};
use abeyance_layers::{Dense, dense, dropout, flatten};

/// The graph as text, which reads back as the same graph.
fn printed(g: &Graph) -> String {
    g.check().unwrap();
    let text = g.to_text();
    let read = Graph::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read.to_text(), text);
    text
}

#[test]
fn two_layers_with_dropout_between_them() {
    let g = Graph::named("network");
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    let training = g.placeholder_with_default("training", false);
    let h = dense(flatten(x), 200, he_normal).relu();
    let h = dropout(h, 0.25, training);
    dense(h, 10, glorot_uniform).softmax();
    insta::assert_snapshot!(printed(&g));
}

#[test]
fn layers_with_names_in_a_scope() {
    let g = Graph::named("network");
    let x = g.placeholder::<f64>("x", dims!["batch", "time", 8]);
    let _scope = g.scope("model");
    let h = Dense::new(4).name("hidden").bias(|shape| fill(shape, 0.1)).apply(x);
    Dense::new(2).name("hidden").without_bias().apply(h.tanh());
    insta::assert_snapshot!(printed(&g));
}
