//! Summaries of a graph are fetched along with a step, and change nothing of it.

use abeyance::ir::{NodeId, SummaryKind};
use abeyance::prelude::*;
use abeyance::session::{Error, TensorRef, Value};
use ndarray::{Array2, array};

/// A line through points, with dropout, so that random numbers are drawn too.
fn program(is_watched: bool) -> Graph {
    let g = Graph::named("line");
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 1]);
    let w = g.variable("w", random_uniform(dims![2, 1], -1.0, 1.0));
    let b = g.variable("b", zeros(dims![1]));
    let y = dropout(x, 0.5, true).matmul(w) + b;
    let loss = (y - y_).square().reduce_mean(..);
    let largest = w.reduce_max(..);
    let step = Adam::new(0.1).minimize(loss);
    if is_watched {
        g.summaries().scalar("loss", loss).variables().scalar("largest", largest);
    }
    let train = g.signature("train").input("x", x).input("y_", y_);
    train.output("loss", loss).step(step);
    g
}

fn points() -> (Array2<f32>, Array2<f32>) {
    (array![[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]], array![[1.0], [2.0], [-1.0]])
}

fn tensors(session: &Session) -> Vec<TensorRef<Value>> {
    session.summaries().into_iter().flat_map(|summary| summary.tensors).collect()
}

/// Losses and, of the last steps, all that was fetched; weights at the end.
fn train(session: &Session, extras: Vec<TensorRef<Value>>) -> (Vec<Vec<Value>>, [u32; 2]) {
    let (x, y_) = points();
    let train = session.signature("train").unwrap().fetching(extras).unwrap();
    let run = || train.run([train.feed("x", &x).unwrap(), train.feed("y_", &y_).unwrap()]).unwrap();
    let values = (0..20).map(|_| run()).collect();
    let w = session.variable::<f32>("w").unwrap();
    (values, [w[[0, 0]].to_bits(), w[[1, 0]].to_bits()])
}

#[test]
fn summaries_come_with_the_outputs_of_a_step_and_change_no_bit_of_it() {
    for threads in [1, 3] {
        let g = program(true);
        let options = || SessionOptions::new().threads(threads);
        let plain = Session::with_options(&program(false), options()).unwrap();
        let watched = Session::with_options(&g, options()).unwrap();
        let tags: Vec<(SummaryKind, Box<str>, usize)> = watched
            .summaries()
            .into_iter()
            .map(|summary| (summary.kind, summary.tag, summary.tensors.len()))
            .collect();
        let expected = [
            (SummaryKind::Scalar, "loss".into(), 1),
            (SummaryKind::Histogram, "weights".into(), 1),
            (SummaryKind::Histogram, "biases".into(), 1),
            (SummaryKind::Scalar, "largest".into(), 1),
        ];
        assert_eq!(tags, expected);
        let extras = tensors(&watched);
        let w = watched.variable::<f32>("w").unwrap();
        let (values, end) = train(&watched, extras);
        let (losses, plain_end) = train(&plain, Vec::new());
        assert_eq!(end, plain_end);
        for (value, loss) in values.iter().zip(&losses) {
            // The output, then the same number as a summary.
            assert_eq!((value.len(), loss.len()), (5, 1));
            assert_eq!(value[0].to_f64(), loss[0].to_f64());
            assert_eq!(value[1].to_f64(), loss[0].to_f64());
            let weights = value[2].to_f64();
            assert_eq!(value[4].to_f64(), [weights[0].max(weights[1])]);
        }
        // A run reads variables as they were before it.
        let first: Vec<f64> = w.iter().map(|&w| f64::from(w)).collect();
        assert_eq!(values[0][2].to_f64(), first);
        assert_ne!(values[1][2].to_f64(), first);
    }
}

#[test]
fn what_is_fetched_besides_can_be_changed() {
    let session = Session::new(&program(true)).unwrap();
    let all = tensors(&session);
    let run = session.signature("train").unwrap().fetching(all.clone()).unwrap();
    let run = run.fetching(all[..1].to_vec()).unwrap();
    let (x, y_) = points();
    let feeds = || [run.feed("x", &x).unwrap(), run.feed("y_", &y_).unwrap()];
    assert_eq!(run.run(feeds()).unwrap().len(), 2);
    let plan = run.explain(feeds()).unwrap();
    assert!(plan.tasks > 0);
}

#[test]
fn handles_of_other_graphs_are_refused_where_they_are_given() {
    let session = Session::new(&program(true)).unwrap();
    let other = Session::new(&program(true)).unwrap();
    let error = session.signature("train").unwrap().fetching(tensors(&other)).unwrap_err();
    let Error::Request(mistakes) = &error else { panic!("{error}") };
    assert_eq!(mistakes.0.len(), 4, "{error}");
    assert!(error.to_string().contains("another graph than the session's"), "{error}");
    assert!(error.to_string().contains("tests/summaries.rs"), "{error}");

    let error = session.tensor_ref_of(NodeId::new(100_000)).unwrap_err().to_string();
    assert!(
        error.contains("has no node 100000") && error.contains("tests/summaries.rs"),
        "{error}"
    );
    let train = session.signature("train").unwrap();
    let loss = session.tensor_ref_of(train.signature().output("loss").unwrap()).unwrap();
    assert_eq!(Some(loss.node()), train.signature().output("loss"));
}

#[test]
fn a_checkpoint_fits_whatever_is_watched() {
    let plain = Session::new(&program(false)).unwrap();
    train(&plain, Vec::new());
    let checkpoint = Checkpoint::of(&plain);
    let watched = Session::new(&program(true)).unwrap();
    assert!(checkpoint.is_of(&watched));
    checkpoint.restore(&watched).unwrap();
    let extras = tensors(&watched);
    assert_eq!(train(&watched, extras).1, train(&plain, Vec::new()).1);
}

#[test]
fn what_only_a_summary_needs_is_saved() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    g.signature("predict").input("x", x).output("y", x + 1.0);
    g.summaries()
        .scalar("spread", (x.reduce_max(..).tensor() - x.reduce_min(..)).exp().reduce_sum(..));
    for read in [
        Graph::from_bytes(&g.ir().to_bytes().unwrap()).unwrap(),
        Graph::parse(&g.to_text()).unwrap(),
    ] {
        let session = Session::new(&read).unwrap();
        let predict = session.signature("predict").unwrap().fetching(tensors(&session)).unwrap();
        let points = array![1.0f32, 1.0];
        let x = predict.feed("x", &points).unwrap();
        assert_eq!(predict.run([x]).unwrap()[1].to_f64(), [1.0]);
    }
}
