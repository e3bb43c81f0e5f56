//! Losses by their formulas, worked out by hand, with weights and every reduction, and what is told
//! of shapes that do not fit.

use abeyance_graph::{Graph, Scalar, Tensor, dims};
use abeyance_session::{Session, feeds, gradients};
use abeyance_train::losses::{self, Reduction, Weighted};
use ndarray::{ArrayD, arr1, arr2};

/// The loss of labels and predictions `[N, 2]`, and its gradient with respect to predictions,
/// beside central differences.
fn check(
    wanted: f64,
    labels: [[f64; 2]; 2],
    predictions: [[f64; 2]; 2],
    loss: impl for<'g> Fn(Tensor<'g, f64>, Tensor<'g, f64>) -> Scalar<'g, f64>,
) {
    let g = Graph::new();
    let y_ = g.placeholder::<f64>("y_", dims![_, 2]);
    let y = g.placeholder::<f64>("y", dims![_, 2]);
    let loss = loss(y_, y);
    let [fetched] = gradients(loss, [y]);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    let labels = arr2(&labels);
    let mut predictions = arr2(&predictions);
    let run = |predictions: &ndarray::Array2<f64>| {
        session.run((loss, fetched), feeds![y_ => &labels, y => predictions]).unwrap()
    };
    let (found, slope) = run(&predictions);
    assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
    for at in 0..4 {
        let at = [at / 2, at % 2];
        let mut moved = |by: f64| {
            predictions[at] += by;
            let (loss, _) = run(&predictions);
            predictions[at] -= by;
            loss
        };
        let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((slope[at] - numeric).abs() < 1e-8, "{at:?}: {} is not {numeric}", slope[at]);
    }
    // A batch without rows is no loss, and teaches nothing.
    let none = ArrayD::<f64>::zeros(vec![0, 2]);
    let feeds = feeds![y_ => &none, y => &none];
    let (found, slope) = session.run((loss, fetched), feeds).unwrap();
    assert_eq!((found, slope.len()), (0.0, 0));
}

#[test]
fn losses_have_the_values_of_their_formulas() {
    let (y_, y) = ([[1.0, 0.0], [2.0, -1.0]], [[1.5, -0.25], [5.0, 1.0]]);
    // Differences of 0.5, -0.25, 3 and 2.
    check((0.25 + 0.0625 + 9.0 + 4.0) / 4.0, y_, y, |y_, y| losses::mean_squared_error(y_, y));
    check((0.5 + 0.25 + 3.0 + 2.0) / 4.0, y_, y, |y_, y| losses::absolute_difference(y_, y));
    check((0.125 + 0.03125 + 2.5 + 1.5) / 4.0, y_, y, |y_, y| losses::huber(y_, y, 1.0));
    check((0.125 + 0.03125 + 4.375 + 2.0) / 4.0, y_, y, |y_, y| losses::huber(y_, y, 2.5));
    let (bits, scores) = ([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.25], [-3.0, -1.0]]);
    // 1 - 0.5, 1 + 0.25, max(1 - 3, 0) and 1 + 1.
    check((0.5 + 1.25 + 0.0 + 2.0) / 4.0, bits, scores, |y_, y| losses::hinge(y_, y));
    let p = [[0.5, 0.25], [0.125, 0.75]];
    let logs = [0.5f64, 0.75, 0.875, 0.75].map(|p| -(p + 1e-7).ln());
    check(logs.iter().sum::<f64>() / 4.0, bits, p, |y_, y| losses::log_loss(y_, y, 1e-7));
    let sigmoids = [-0.5f64, 0.25, -3.0, 1.0].map(|x| x.exp().ln_1p());
    let wanted = sigmoids.iter().sum::<f64>() / 4.0;
    check(wanted, bits, scores, |y_, y| losses::sigmoid_cross_entropy(y_, y));
    // ln(1 + e^-0.25) for the first row, ln(1 + e^-2) for the second.
    let rows = [0.25f64, 2.0].map(|gap| (-gap).exp().ln_1p());
    let wanted = (rows[0] + rows[1]) / 2.0;
    check(wanted, bits, scores, |y_, y| losses::softmax_cross_entropy(y_, y));
    let (unit, of) = ([[0.6, 0.8], [1.0, 0.0]], [[0.8, 0.6], [0.0, 1.0]]);
    check((1.0 - 0.96 + 1.0) / 2.0, unit, of, |y_, y| losses::cosine_distance(y_, y, 1));
}

#[test]
fn numbers_of_classes_stand_for_one_hot_labels() {
    let g = Graph::new();
    let logits = g.constant_array(&arr2(&[[0.5f32, 0.25], [-3.0, -1.0]]));
    let (classes, one_hot) = (arr1(&[0i32, 1]), arr2(&[[1.0f32, 0.0], [0.0, 1.0]]));
    let sparse = losses::sparse_softmax_cross_entropy(g.constant_array(&classes), logits);
    let dense = losses::softmax_cross_entropy(g.constant_array(&one_hot), logits);
    let (sparse, dense) = Session::new(&g).unwrap().run((sparse, dense), []).unwrap();
    assert_eq!(sparse, dense);
}

#[test]
fn smoothed_labels_are_nearer_to_an_even_distribution() {
    let (bits, scores) = ([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.25], [-3.0, -1.0]]);
    // Labels of 0.9 and 0.1: 0.1 times the gap more than without.
    let rows = [0.25f64, 2.0].map(|gap| (-gap).exp().ln_1p() + 0.1 * gap);
    let wanted = (rows[0] + rows[1]) / 2.0;
    check(wanted, bits, scores, |y_, y| {
        Weighted::new().label_smoothing(0.2).softmax_cross_entropy(y_, y).into()
    });
    let pairs = [(0.9, 0.5f64), (0.1, 0.25), (0.1, -3.0), (0.9, -1.0)];
    let wanted = pairs.iter().map(|(z, x)| x.exp().ln_1p() - z * x).sum::<f64>() / 4.0;
    check(wanted, bits, scores, |y_, y| {
        Weighted::new().label_smoothing(0.2).sigmoid_cross_entropy(y_, y).into()
    });
}

/// Squared errors `[[1, 4], [9, 16]]` by these weights.
fn weigh(weights: ArrayD<f32>, reduction: Reduction) -> (ArrayD<f32>, ArrayD<f32>) {
    let g = Graph::new();
    let y = g.variable("y", arr2(&[[1.0f32, 2.0], [3.0, 4.0]]));
    let weights = g.constant_array(&weights);
    let zeros = g.zeros(dims![2, 2]);
    let loss = Weighted::by(weights).reduction(reduction).mean_squared_error(zeros, y);
    let [slope] = gradients(loss.reduce_sum(..), [y]);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    session.run((loss, slope), []).unwrap()
}

#[test]
fn every_reduction_by_every_shape_of_weights() {
    use Reduction::*;
    let one = |value: f32| ndarray::arr0(value).into_dyn();
    let cases = [
        // Everything by 2.
        (one(2.0), [60.0, 60.0 / 8.0, 15.0, 15.0]),
        // The second example not at all.
        (arr2(&[[2.0], [0.0]]).into_dyn(), [10.0, 10.0 / 4.0, 5.0, 2.5]),
        // Columns.
        (arr2(&[[1.0, 3.0]]).into_dyn(), [70.0, 70.0 / 8.0, 17.5, 17.5]),
        // Each element its own.
        (arr2(&[[1.0, 0.0], [0.0, 0.5]]).into_dyn(), [9.0, 6.0, 4.5, 2.25]),
        (one(0.0), [0.0; 4]),
        (arr2(&[[0.0], [0.0]]).into_dyn(), [0.0; 4]),
    ];
    for (weights, wanted) in cases {
        for (reduction, wanted) in
            [Sum, Mean, SumByNonzeroWeights, SumOverBatchSize].into_iter().zip(wanted)
        {
            let (loss, slope) = weigh(weights.clone(), reduction);
            assert_eq!(loss, one(wanted), "{weights} {reduction:?}");
            assert!(slope.iter().all(|v| v.is_finite()), "{weights} {reduction:?}");
        }
        let (losses, slope) = weigh(weights.clone(), None);
        assert_eq!(losses, arr2(&[[1.0, 4.0], [9.0, 16.0]]).into_dyn() * &weights);
        assert_eq!(slope, arr2(&[[2.0, 4.0], [6.0, 8.0]]).into_dyn() * &weights);
    }
}

#[test]
fn what_weighs_nothing_does_not_count_even_if_it_is_not_finite() {
    let g = Graph::new();
    let y = g.variable("y", arr1(&[f32::NAN, 2.0, f32::INFINITY]));
    let mask = g.constant_array(&arr1(&[false, true, false]));
    let loss = Weighted::by(mask).mean_squared_error(g.zeros(dims![3]), y);
    let [slope] = gradients(loss, [y]);
    let (loss, slope) = Session::new(&g).unwrap().run((loss.scalar(), slope), []).unwrap();
    assert_eq!((loss, slope), (4.0, arr1(&[0.0, 4.0, 0.0]).into_dyn()));
}

#[test]
fn a_number_weighs_everything_and_rows_weigh_cross_entropies() {
    let g = Graph::new();
    let logits = g.zeros::<f64>(dims![2, 4]);
    let labels = g.constant_array(&arr1(&[0i64, 3]));
    let rows = g.constant_array(&arr1(&[3.0f64, 0.0]));
    let all = Weighted::by(0.5).sparse_softmax_cross_entropy(labels, logits);
    let first = Weighted::by(rows).sparse_softmax_cross_entropy(labels, logits);
    let losses = (all.scalar(), first.scalar());
    let (all, first) = Session::new(&g).unwrap().run(losses, []).unwrap();
    let log = 4f64.ln();
    assert!((all - 0.5 * log).abs() < 1e-15 && (first - 3.0 * log).abs() < 1e-15, "{all} {first}");
}

#[test]
fn shapes_that_would_broadcast_are_mistakes_that_name_both_and_say_how_to_mend() {
    let g = Graph::new();
    let y_ = g.placeholder::<f32>("y_", dims![_]);
    let y = g.placeholder::<f32>("y", dims![_, 1]);
    let logits = g.placeholder::<f32>("logits", dims![_, 3]);
    let column = g.placeholder::<i64>("column", dims![_, 1]);
    losses::mean_squared_error(y_, y);
    losses::huber(y, y_, 1.0);
    losses::softmax_cross_entropy(y_, logits);
    losses::sparse_softmax_cross_entropy(column, logits);
    losses::sigmoid_cross_entropy(g.zeros(dims![2, 4]), logits);
    Weighted::by(y_).absolute_difference(logits, logits);
    losses::huber(logits, logits, 0.0);
    losses::log_loss(logits, logits, 0.0);
    Weighted::new().label_smoothing(1.5).softmax_cross_entropy(logits, logits);
    let mistakes = g.check().unwrap_err();
    let wanted = [
        (
            "mean_squared_error: the labels `y_ : f32[N]` and the predictions `y : f32[N2, 1]` are not of one shape",
            "they would broadcast to every pair: take the last dimension off, `predictions.squeeze(&[-1])`",
        ),
        (
            "huber: the labels `y : f32[N2, 1]` and the predictions `y_ : f32[N]` are not of one shape",
            "they would broadcast to every pair: take the last dimension off, `labels.squeeze(&[-1])`",
        ),
        (
            "softmax_cross_entropy: the labels `y_ : f32[N]` and the logits `logits : f32[N3, 3]` are not of one shape",
            "one-hot labels are asked for; numbers of classes belong to `sparse_softmax_cross_entropy`",
        ),
        (
            "sparse_softmax_cross_entropy: the labels `column : i64[N4, 1]` do not fit the logits `logits : f32[N3, 3]`",
            "take the last dimension off the labels, `labels.squeeze(&[-1])`",
        ),
        (
            "sigmoid_cross_entropy: the labels `fill : f32[2, 4]` and the logits `logits : f32[2, 3]` are not of one shape",
            "there has to be a label for each of the logits",
        ),
        (
            "absolute_difference: the weights `y_ : f32[N]` do not fit the losses `absolute_difference/abs : f32[2, 3]`",
            "for a weight of each example give them a last dimension of 1, `weights.expand_dims(-1)`",
        ),
        ("huber: a parabola cannot end at 0", "`delta` has to be above 0, and finite"),
        ("log_loss: an epsilon of 0 keeps no logarithm finite", "it has to be above 0, and finite"),
        (
            "softmax_cross_entropy: labels cannot be smoothed by 1.5",
            "the smoothing has to be at least 0, which leaves them, and at most 1",
        ),
    ];
    for (mistake, (message, help)) in mistakes.0.iter().zip(wanted) {
        assert_eq!((&*mistake.message, mistake.help.as_deref()), (message, Some(help)));
        assert!(mistake.location.to_string().contains("losses.rs"), "{mistake}");
    }
    assert_eq!(mistakes.0.len(), wanted.len(), "{mistakes}");
}

#[test]
fn sizes_that_feeds_settle_have_to_be_equal_too() {
    let g = Graph::new();
    let y_ = g.placeholder::<f32>("y_", dims![_]);
    let y = g.placeholder::<f32>("y", dims![_]);
    let loss = losses::mean_squared_error(y_, y);
    let session = Session::new(&g).unwrap();
    assert_eq!(session.run(loss, feeds![y_ => &[1.0, 2.0], y => &[1.0, 4.0]]).unwrap(), 2.0);
    assert!(session.run(loss, feeds![y_ => &[1.0], y => &[1.0, 4.0]]).is_err());
}

#[test]
fn a_loss_trains() {
    use abeyance_train::{GradientDescent, Optimizer};
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let y_ = g.placeholder::<f32>("y_", dims![_]);
    let w = g.variable("w", 0.0);
    let step = GradientDescent::new(0.1).minimize(losses::mean_squared_error(y_, x * w));
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    for _ in 0..100 {
        session.run(step, feeds![x => &[1.0, 2.0], y_ => &[3.0, 6.0]]).unwrap();
    }
    assert!((session.run(w.scalar(), []).unwrap() - 3.0).abs() < 1e-5);
    session.run(step, feeds![x => &[], y_ => &[]]).unwrap();
    assert!((session.run(w.scalar(), []).unwrap() - 3.0).abs() < 1e-5);
}
