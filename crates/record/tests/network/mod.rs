//! A small classifier with dropout, and recordings of its training.

#![allow(dead_code)] // each user takes some

use std::path::{Path, PathBuf};
use std::sync::Arc;

use abeyance_graph::{Graph, Operation, Scalar, Tensor, dims, truncated_normal, zeros};
use abeyance_record::{Classifier, EventReader, Recorder, RecorderOptions, Run, folder};
use abeyance_session::{Feed, Session, SessionOptions, TensorRef, Value};
use abeyance_train::{GradientDescent, Optimizer};
use ndarray::{Array1, Array2};

/// Reads which quarter of an image of 4 × 4 is bright.
pub struct Network<'g> {
    pub x: Tensor<'g, f32>,
    pub labels: Tensor<'g, i64>,
    pub prediction: Tensor<'g, f32>,
    pub loss: Scalar<'g, f32>,
    pub step: Operation<'g>,
}

pub fn network(g: &Graph) -> Network<'_> {
    let x = g.placeholder::<f32>("x", dims![_, 16]);
    let labels = g.placeholder::<i64>("labels", dims![_]);
    let (w1, b1, h) = {
        let _scope = g.scope("a");
        let w = g.variable("w", truncated_normal(dims![16, 12], 0.0, 0.3));
        let b = g.variable("b", zeros(dims![12]));
        (w, b, (x.matmul(w) + b).relu().dropout_keeping(0.75))
    };
    let (w2, b2, logits) = {
        let _scope = g.scope("b");
        let w = g.variable("w", truncated_normal(dims![12, 4], 0.0, 0.3));
        let b = g.variable("b", zeros(dims![4]));
        (w, b, h.matmul(w) + b)
    };
    let prediction = logits.softmax();
    let wanted = labels.one_hot::<f32>(4);
    let loss = -(wanted * (prediction + 1e-6).log()).reduce_sum(1).reduce_mean(..);
    let accuracy = prediction.argmax(-1).equal(labels).cast::<f32>().reduce_mean(..);
    let step = GradientDescent::new(0.1).minimize(loss);
    {
        // A node that runs after another without being computed from it.
        let _after = g.after([step]);
        let _ = loss + 1.0;
    }
    g.summaries()
        .scalar("loss", loss)
        .scalar("accuracy", accuracy)
        .histogram("weights", [w1, w2])
        .histogram("biases", [b1, b2])
        .histogram("a/w", w1)
        .image("digits", x.reshape(dims![_, 4, 4, 1]));
    Network { x, labels, prediction, loss, step }
}

impl<'g> Network<'g> {
    pub fn feeds<'a>(&self, (images, labels): &'a (Array2<f32>, Array1<i64>)) -> Vec<Feed<'a>> {
        vec![Feed::new(self.x, images), Feed::new(self.labels, labels)]
    }
}

/// Ten images and their classes, others for each number.
pub fn batch(number: u64) -> (Array2<f32>, Array1<i64>) {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let labels = Array1::from_shape_fn(10, |_| (next() % 4) as i64);
    let images = Array2::from_shape_fn((10, 16), |(row, pixel)| {
        let quarter = pixel / 8 * 2 + pixel % 4 / 2;
        let noise = (next() % 100) as f32 / 400.0;
        if quarter as i64 == labels[row] { 1.0 - noise } else { noise }
    });
    (images, labels)
}

pub fn classifier(network: &Network<'_>) -> Classifier {
    let tensor = |tensor: abeyance_graph::AnyTensor<'_>| -> TensorRef<Value> { tensor.into() };
    Classifier {
        images: tensor(network.x.erase()),
        labels: tensor(network.labels.erase()),
        predictions: tensor(network.prediction.erase()),
    }
}

pub fn session(g: &Graph) -> Session {
    Session::with_options(g, SessionOptions::new().seed(3).threads(2)).unwrap()
}

/// A training of so many steps, recorded but not finished.
pub fn recorded(
    g: &Graph,
    network: &Network<'_>,
    folder: &Path,
    steps: u64,
    options: impl FnOnce(RecorderOptions) -> RecorderOptions,
) -> (Session, Recorder) {
    let session = session(g);
    let recorder = Recorder::new(&session).folder(folder).classifier(classifier(network));
    let recorder = options(recorder).start().unwrap();
    for step in 0..steps {
        let fetches = (network.loss, network.step);
        recorder.run(&session, fetches, network.feeds(&batch(step))).unwrap();
    }
    (session, recorder)
}

/// An empty folder of a test.
pub fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recording").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// A recording, read.
pub fn run_of(path: &Path) -> Arc<Run> {
    let run = Run::new("read");
    for file in folder::event_files(path).unwrap() {
        let mut reader = EventReader::open(file).unwrap();
        while let Some((event, place)) = reader.next().unwrap() {
            run.apply(&event, Some(&place));
        }
    }
    run
}
