//! Losses with drawn classes, against the same by plain loops.

use abeyance_graph::{Graph, Tensor, dims, random_normal, zeros};
use abeyance_session::{Session, SessionOptions, feeds, gradients};
use abeyance_train::{GradientDescent, Optimizer, Sampling, nce_loss, sampled_softmax_loss};
use ndarray::{Array2, ArrayD, Ix1, Ix2, arr2};

const CLASSES: usize = 20;
const DRAWN: usize = 6;

/// Parameters, labels and inputs, and what was drawn for them.
struct Case<'g> {
    weights: Tensor<'g, f64>,
    biases: Tensor<'g, f64>,
    labels: Tensor<'g, i64>,
    inputs: Tensor<'g, f64>,
}

fn case(g: &Graph) -> Case<'_> {
    Case {
        weights: g.variable("weights", random_normal(dims![CLASSES, 3], 0.0, 1.0)),
        biases: g.variable("biases", random_normal(dims![CLASSES], 0.0, 1.0)),
        // Frequent classes, so that some of them are drawn.
        labels: g.constant_array(&arr2(&[[0, 3], [1, 0], [17, 2], [5, 5]])),
        inputs: g.variable("inputs", random_normal(dims![4, 3], 0.0, 1.0)),
    }
}

/// ln of the expected count of a class in `draws` draws.
fn log_expected(class: i64, draws: i64) -> f64 {
    let p = ((class as f64 + 2.0) / (class as f64 + 1.0)).ln() / (CLASSES as f64 + 1.0).ln();
    (1.0 - (1.0 - p).powi(draws as i32)).ln()
}

/// The logits of a row's own classes and of the candidates; `None` for an accidental hit.
type Row = (Vec<f64>, Vec<Option<f64>>);

fn rows(
    [weights, biases, inputs]: [ArrayD<f64>; 3],
    labels: &ArrayD<i64>,
    drawn: &ArrayD<i64>,
    draws: i64,
) -> Vec<Row> {
    let weights = weights.into_dimensionality::<Ix2>().unwrap();
    let biases = biases.into_dimensionality::<Ix1>().unwrap();
    let inputs = inputs.into_dimensionality::<Ix2>().unwrap();
    let labels: Array2<i64> = labels.clone().into_dimensionality().unwrap();
    let logit = |row: usize, class: i64| {
        let k = class as usize;
        inputs.row(row).dot(&weights.row(k)) + biases[k] - log_expected(class, draws)
    };
    (0..inputs.nrows())
        .map(|row| {
            let own = labels.row(row);
            let drawn = drawn.iter().map(|class| {
                let hit = own.iter().any(|other| other == class);
                (!hit).then(|| logit(row, *class))
            });
            (own.iter().map(|&class| logit(row, class)).collect(), drawn.collect())
        })
        .collect()
}

fn assert_near(found: &ArrayD<f64>, right: &[f64]) {
    assert_eq!(found.shape(), [right.len()]);
    for (a, b) in found.iter().zip(right) {
        assert!((a - b).abs() <= 1e-12 * b.abs(), "{found} is not {right:?}");
    }
}

fn sigmoid_loss(x: f64, z: f64) -> f64 {
    x.max(0.0) - x * z + (-x.abs()).exp().ln_1p()
}

#[test]
fn sampled_softmax_is_the_cross_entropy_over_own_and_drawn_classes() {
    let g = Graph::new();
    let Case { weights, biases, labels, inputs } = case(&g);
    let candidates = g.log_uniform_candidates(DRAWN, CLASSES, true);
    let loss = sampled_softmax_loss(weights, biases, labels, inputs, candidates);
    assert_eq!(loss.to_string(), "sampled_softmax_loss : f64[4]");
    let session = Session::with_options(&g, SessionOptions::new().seed(5)).unwrap();
    let mut hits = 0;
    for _ in 0..5 {
        let (loss, w, b, x, l, drawn, draws) = session
            .run((loss, weights, biases, inputs, labels, candidates.classes, candidates.draws), [])
            .unwrap();
        let right: Vec<f64> = rows([w, b, x], &l, &drawn, draws)
            .into_iter()
            .map(|(own, others)| {
                hits += others.iter().filter(|other| other.is_none()).count();
                let all = own.iter().copied().chain(others.into_iter().flatten());
                let log_sum = all.map(f64::exp).sum::<f64>().ln();
                own.iter().map(|x| (log_sum - x) / own.len() as f64).sum()
            })
            .collect();
        assert_near(&loss, &right);
    }
    assert!(hits > 0, "no candidate was one of a row's own classes");
}

#[test]
fn noise_contrastive_estimation_is_a_sigmoid_loss_over_own_and_drawn_classes() {
    for remove in [false, true] {
        let g = Graph::new();
        let Case { weights, biases, labels, inputs } = case(&g);
        let candidates = g.log_uniform_candidates(DRAWN, CLASSES, true);
        let sampling = if remove {
            Sampling::candidates(candidates).remove_accidental_hits(true)
        } else {
            candidates.into()
        };
        let loss = nce_loss(weights, biases, labels, inputs, sampling);
        let session = Session::with_options(&g, SessionOptions::new().seed(5)).unwrap();
        let (loss, w, b, x, l, drawn, draws) = session
            .run((loss, weights, biases, inputs, labels, candidates.classes, candidates.draws), [])
            .unwrap();
        // Where hits count, they are logits like others.
        let plain = rows([w.clone(), b.clone(), x.clone()], &l, &drawn, draws);
        let kept: Vec<Row> = if remove {
            plain
        } else {
            let weights = w.clone().into_dimensionality::<Ix2>().unwrap();
            let inputs = x.clone().into_dimensionality::<Ix2>().unwrap();
            plain
                .into_iter()
                .enumerate()
                .map(|(row, (own, _))| {
                    let others = drawn.iter().map(|&class| {
                        let k = class as usize;
                        Some(
                            inputs.row(row).dot(&weights.row(k)) + b[[k]]
                                - log_expected(class, draws),
                        )
                    });
                    (own, others.collect())
                })
                .collect()
        };
        let right: Vec<f64> = kept
            .into_iter()
            .map(|(own, others)| {
                let own_part: f64 = own.iter().map(|&x| sigmoid_loss(x, 0.5)).sum();
                own_part + others.into_iter().flatten().map(|x| sigmoid_loss(x, 0.0)).sum::<f64>()
            })
            .collect();
        assert_near(&loss, &right);
    }
}

#[test]
fn training_by_samples_learns_what_the_full_softmax_says() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 4]);
    let labels = g.placeholder::<i32>("labels", dims![_, 1]);
    let weights = g.variable("weights", zeros(dims![8, 4]));
    let biases = g.variable("biases", zeros(dims![8]));
    let loss = sampled_softmax_loss(weights, biases, labels, x, 4).reduce_mean(..);
    let step = GradientDescent::new(0.5).minimize(loss);
    let full = x.matmul(weights.transpose()) + biases;
    let wrong = full.sparse_softmax_cross_entropy(labels.squeeze(&[1])).reduce_mean(..);
    let run = |threads| {
        let session =
            Session::with_options(&g, SessionOptions::new().seed(1).threads(threads)).unwrap();
        // Class 2i or 2i + 1 by the sign of input i.
        let xs = Array2::from_shape_fn((8, 4), |(row, column)| {
            if row / 2 == column { [1.0f32, -1.0][row % 2] } else { 0.0 }
        });
        let ys = Array2::from_shape_fn((8, 1), |(row, _)| row as i32);
        let feeds = feeds![x => &xs, labels => &ys];
        for _ in 0..400 {
            session.run(step, feeds.clone()).unwrap();
        }
        (session.run(wrong, feeds.clone()).unwrap(), session.variable::<f32>("weights").unwrap())
    };
    let (loss, weights) = run(1);
    assert!(loss < 0.1, "{loss}");
    assert_eq!(weights, run(3).1);
}

#[test]
fn gradients_reach_weights_biases_and_inputs() {
    let g = Graph::new();
    let Case { weights, biases, labels, inputs } = case(&g);
    let loss = nce_loss(weights, biases, labels, inputs, 3);
    let slopes = gradients(loss, [weights, biases, inputs]);
    let session = Session::new(&g).unwrap();
    for slope in session.run(slopes, []).unwrap() {
        assert!(slope.iter().all(|x| x.is_finite()) && slope.iter().any(|x| *x != 0.0));
    }
}

#[test]
fn mistakes_name_the_loss_and_the_line() {
    let g = Graph::new();
    let Case { weights, biases, labels, inputs } = case(&g);
    let row = g.placeholder::<i64>("row", dims![_]);
    sampled_softmax_loss(weights, biases, row, inputs, 3);
    let line = line!() - 1;
    nce_loss(weights, g.zeros(dims![3]), labels, inputs, 3);
    nce_loss(weights, biases, labels, inputs, CLASSES + 1);
    nce_loss(g.placeholder("open", dims![_, 3]), biases, labels, inputs, 3);
    nce_loss(weights, biases, labels, inputs, 0);
    let mistakes = g.check().unwrap_err();
    let message = mistakes.to_string();
    for part in [
        "nce_loss: there are no candidates",
        "sampled_softmax_loss: labels of shape [N]",
        "labels are [N, T], T classes for each row",
        "nce_loss: 3 biases for 20 classes",
        "21 different candidates cannot be drawn from 20 classes",
        "nce_loss: weights of shape [",
        &format!("tests/sampled.rs:{line}:"),
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(mistakes.0.len(), 5, "{message}");
    assert!(message.matches("tests/sampled.rs:").count() >= 5, "{message}");
}

#[test]
fn candidates_beyond_any_memory_are_an_error() {
    let g = Graph::new();
    let classes = usize::MAX >> 1;
    let fetched = g.log_uniform_candidates(1 << 44, classes, true).classes;
    let repeated = g.log_uniform_candidates(1 << 44, classes, false).classes;
    let session = Session::new(&g).unwrap();
    assert!(session.run(fetched, []).is_err());
    assert!(session.run(repeated, []).is_err());
}
