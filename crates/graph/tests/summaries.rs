//! The summaries of a graph: how summaries are named, and what is said of those that cannot be.

use abeyance_graph::raw::GraphExt;
use abeyance_graph::{AnyTensor, Graph, dims, truncated_normal, zeros};
use abeyance_ir::SummaryKind::{self, Histogram, Image, Scalar};

/// Kind, tag and tensors of each summary.
fn named(g: &Graph) -> Vec<(SummaryKind, String, Vec<String>)> {
    let graph = g.ir();
    let name = |&id| graph.node(id).name.to_string();
    let summaries = graph.summaries().iter();
    summaries
        .map(|summary| {
            (summary.kind, summary.tag.to_string(), summary.nodes.iter().map(name).collect())
        })
        .collect()
}

fn one(kind: SummaryKind, tag: &str, nodes: &[&str]) -> (SummaryKind, String, Vec<String>) {
    (kind, tag.to_owned(), nodes.iter().map(|&node| node.to_owned()).collect())
}

#[test]
fn summaries_are_kept_in_their_order_and_add_no_nodes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 8, 8, 3]);
    let w = g.variable::<f32>("w", zeros(dims![2, 3]));
    let n = g.state::<i64>("n", zeros(dims![4]));
    let sum = x.reduce_sum(..);
    let nodes = g.ir().len();
    g.summaries()
        .scalar("a loss: \"1\"\n", sum)
        .histogram("one", w)
        .histogram("array", [w.erase(), n.erase()])
        .histogram("slice", &[w][..])
        .histogram("list", vec![n])
        .histogram("iterator", [sum, sum.tensor().scalar()].into_iter().take(1))
        .image("picture", x);
    g.check().unwrap();
    assert_eq!(g.ir().len(), nodes);
    let expected = vec![
        one(Scalar, "a loss: \"1\"\n", &["reduce_sum"]),
        one(Histogram, "one", &["w"]),
        one(Histogram, "array", &["w", "n"]),
        one(Histogram, "slice", &["w"]),
        one(Histogram, "list", &["n"]),
        one(Histogram, "iterator", &["reduce_sum"]),
        one(Image, "picture", &["x"]),
    ];
    assert_eq!(named(&g), expected);
    for again in [
        Graph::parse(&g.to_text()).unwrap(),
        Graph::from_bytes(&g.ir().to_bytes().unwrap()).unwrap(),
    ] {
        assert_eq!(named(&again), expected);
        assert_eq!(again.to_text(), g.to_text());
    }
}

#[test]
fn variables_are_shown_together_and_where_there_are_several_each() {
    let g = Graph::new();
    let weights = |name: &str| g.variable(name, truncated_normal::<f32>(dims![2, 3], 0.0, 0.1));
    weights("layer1/w");
    g.variable::<f32>("layer1/b", zeros(dims![3]));
    g.summaries().variables();
    // Nothing is said twice: a weight alone is all weights.
    let small =
        vec![one(Histogram, "weights", &["layer1/w"]), one(Histogram, "biases", &["layer1/b"])];
    assert_eq!(named(&g), small);
    g.summaries().variables();
    assert_eq!(named(&g), small);

    let g = Graph::new();
    let weights = |name: &str| g.variable(name, truncated_normal::<f32>(dims![2, 3], 0.0, 0.1));
    let w1 = weights("layer1/w");
    g.variable::<f32>("layer1/b", zeros(dims![3]));
    weights("weights");
    g.state::<f32>("average", zeros(dims![2, 2]));
    g.variable::<bool>("flags", zeros(dims![2, 2]));
    g.summaries().scalar("layer1/w", w1.reduce_mean(..)).variables();
    let expected = vec![
        one(Scalar, "layer1/w", &["reduce_mean"]),
        one(Histogram, "weights", &["layer1/w", "weights"]),
        one(Histogram, "biases", &["layer1/b"]),
    ];
    assert_eq!(named(&g), expected);
    g.check().unwrap();

    let g = Graph::new();
    g.summaries().variables();
    assert_eq!(named(&g), []);
    g.check().unwrap();
}

#[test]
fn what_is_watched_does_not_change_the_fingerprint() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", zeros(dims![2, 3]));
    let before = (g.ir().fingerprint(), g.to_text(), g.ir().to_bytes().unwrap());
    g.summaries().variables().scalar("mean", w.reduce_mean(..));
    let again = Graph::new();
    let w = again.variable::<f32>("w", zeros(dims![2, 3]));
    let _ = w.reduce_mean(..);
    assert_eq!(g.ir().fingerprint(), again.ir().fingerprint());
    assert_ne!(g.ir().fingerprint(), before.0);
    assert_ne!(g.to_text(), again.to_text());
    // A file says by its flag that it has summaries, at byte 12.
    assert_eq!((before.2[12], g.ir().to_bytes().unwrap()[12]), (0, 1));
}

#[test]
fn mistakes_are_told_with_help() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 8, 8, 3]);
    let flag = g.placeholder::<bool>("flag", dims![]);
    let deep = g.placeholder::<f64>("deep", dims![_, 8, 8, 1]);
    let open = g.placeholder::<f32>("open", dims![_, 8, 8, "C"]);
    let two = g.placeholder::<f32>("two", dims![_, 8, 8, 2]);
    let step = g.no_op();
    let (both, _) = g.placeholder::<f32>("scores", dims![_, 9]).top_k(2);
    let tuple = g.any(g.ir().node(both.id()).operands[0]);
    let none = std::iter::empty::<AnyTensor<'_>>();
    g.summaries()
        .scalar("", x.reduce_sum(..))
        .scalar("abeyance/state", x.reduce_sum(..))
        .scalar("taken", x.reduce_sum(..))
        .histogram("taken", x)
        .scalar("flag", flag)
        .scalar("wide", x)
        .scalar("step", step)
        .scalar("tuple", tuple)
        .histogram("flags", [x.erase(), flag.erase()])
        .histogram("nothing", none)
        .histogram("twice", [x, x])
        .image("deep", deep)
        .image("open", open)
        .image("two", two)
        .image("flat", x.reshape(dims![_, 192]));
    // Of what is wrong already nothing is said again.
    g.summaries().scalar("wrong", x.matmul(flag.cast::<f32>()));
    let other = Graph::named("other");
    g.summaries().scalar("foreign", other.constant(1.0f32));
    g.cond(
        flag,
        x,
        |x| x + 1.0,
        |x| {
            x.graph().summaries().scalar("inside", x.reduce_sum(..));
            x
        },
    );
    let mistakes = g.check().unwrap_err();
    assert!(mistakes.iter().all(|mistake| !mistake.message.contains("wrong")), "{mistakes}");
    let told = mistakes.iter().map(|mistake| {
        let notes = mistake.notes.iter().map(|note| format!("\n  note: {}", note.text));
        let help = mistake.help.iter().map(|help| format!("\n  help: {help}"));
        format!("{}{}{}", mistake.message, notes.collect::<String>(), help.collect::<String>())
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}
