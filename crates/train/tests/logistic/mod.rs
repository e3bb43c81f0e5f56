//! A small logistic regression, once as a graph and once by hand, for comparing update rules.

use abeyance_graph::{Graph, Scalar, dims};
use abeyance_session::{Session, feeds};
use abeyance_train::Optimizer;
use ndarray::{Array2, arr1, arr2};

/// The points of the problem; the last column is the label.
const POINTS: [[f64; 4]; 6] = [
    [0.5, -1.25, 2.0, 1.0],
    [-0.75, 0.5, 0.25, 0.0],
    [1.5, 1.0, -0.5, 1.0],
    [-2.0, -0.25, 1.0, 0.0],
    [0.25, 2.0, -1.5, 1.0],
    [1.0, -0.5, -1.0, 0.0],
];
const W: [f64; 3] = [0.3, -0.2, 0.1];
const B: f64 = 0.05;

/// The variables `w` and `b` as one list, the bias last.
pub type Parameters = [f64; 4];

/// The gradient of the mean cross entropy, by hand.
pub fn gradient(parameters: &Parameters) -> Parameters {
    let mut gradient = [0.0; 4];
    for [x1, x2, x3, label] in POINTS {
        let x = [x1, x2, x3, 1.0];
        let z: f64 = x.iter().zip(parameters).map(|(x, p)| x * p).sum();
        let error = 1.0 / (1.0 + (-z).exp()) - label;
        for (gradient, x) in gradient.iter_mut().zip(x) {
            *gradient += error * x / POINTS.len() as f64;
        }
    }
    gradient
}

/// Trains by the graph and by `step(t, parameters, gradient)`, and compares after each of 30 steps.
/// Gives the session.
pub fn compare<O>(
    optimizer: impl FnOnce(&'static Graph, Scalar<'static, f64>) -> O,
    mut step: impl FnMut(i32, &mut Parameters, Parameters),
) -> Session
where
    O: Optimizer<'static>,
{
    // The graph outlives the test, so that optimizers may hold tensors of it without ado.
    let g: &'static Graph = Box::leak(Box::new(Graph::named("logistic")));
    let x = g.placeholder::<f64>("x", dims![_, 3]);
    let y_ = g.placeholder::<f64>("y_", dims![_, 1]);
    let w = g.variable("w", arr2(&W.map(|w| [w])));
    let b = g.variable("b", arr1(&[B]));
    let loss = (x.matmul(w) + b).sigmoid_cross_entropy(y_).reduce_mean(..);
    let train_step = optimizer(g, loss).minimize(loss);
    let session = Session::new(g).unwrap_or_else(|error| panic!("{error}"));
    let points = Array2::from(POINTS.to_vec());
    let (images, labels) = points.view().split_at(ndarray::Axis(1), 3);
    let mut parameters = [W[0], W[1], W[2], B];
    for t in 1..=30 {
        session.run(train_step, feeds![x => images, y_ => labels]).unwrap();
        let by_hand = gradient(&parameters);
        step(t, &mut parameters, by_hand);
        let trained = values(&session, "w", "b");
        assert_close(t, &trained, &parameters);
    }
    assert_ne!(parameters, [W[0], W[1], W[2], B]);
    session
}

/// Two variables of the shapes of `w` and `b` as one list.
pub fn values(session: &Session, w: &str, b: &str) -> Parameters {
    let (w, b) = (session.variable::<f64>(w).unwrap(), session.variable::<f64>(b).unwrap());
    let all: Vec<f64> = w.into_iter().chain(b).collect();
    all.try_into().unwrap()
}

/// Equal to 1e-12.
#[track_caller]
pub fn assert_close(t: i32, found: &Parameters, wanted: &Parameters) {
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(
            (found - wanted).abs() <= 1e-12 * wanted.abs().max(1.0),
            "step {t}: {found} for {wanted}"
        );
    }
}
