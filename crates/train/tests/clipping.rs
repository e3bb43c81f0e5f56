//! Clipping of values and of gradients.

use abeyance_graph::{Graph, dims};
use abeyance_session::{Session, feeds, gradients};
use abeyance_train::{
    GradientDescent, Gradients, Optimizer, clip_by_global_norm, clip_by_norm, clip_by_value,
    global_norm,
};
use ndarray::{Array1, arr1};

#[test]
fn values_are_brought_between_bounds() {
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[-3.0f32, -1.0, 0.5, 2.0, f32::NAN]));
    let clipped = clip_by_value(x, -1.0, 1.5);
    let session = Session::new(&g).unwrap();
    let found = session.run(clipped, []).unwrap();
    assert_eq!(found.as_slice().unwrap()[..4], [-1.0, -1.0, 0.5, 1.5]);
    assert!(found[4].is_nan());
}

#[test]
fn integers_are_brought_between_tensors() {
    let g = Graph::new();
    let high = g.constant_array(&arr1(&[1i64, 5]));
    let clipped = clip_by_value(g.constant_array(&arr1(&[3i64, 3])), 0, high);
    let session = Session::new(&g).unwrap();
    assert_eq!(session.run(clipped, []).unwrap(), arr1(&[1, 3]).into_dyn());
}

#[test]
fn a_long_vector_is_shortened_and_a_short_one_left() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![2]);
    let clipped = clip_by_norm(x, 1.0);
    let session = Session::new(&g).unwrap();
    let clip = |value: [f64; 2]| session.run(clipped, feeds![x => &value]).unwrap();
    // x / 5, and x * 1 / max(0.5, 1).
    assert_eq!(clip([3.0, 4.0]), arr1(&[0.6, 0.8]).into_dyn());
    assert_eq!(clip([0.3, 0.4]), arr1(&[0.3, 0.4]).into_dyn());
    assert_eq!(clip([0.0, 0.0]), arr1(&[0.0, 0.0]).into_dyn());
}

#[test]
fn a_clipped_vector_of_zeros_has_a_gradient() {
    let g = Graph::new();
    let x = g.variable("x", arr1(&[0.0f64, 0.0]));
    let [slope] = gradients(clip_by_norm(x, 2.0), [x]);
    let session = Session::new(&g).unwrap();
    assert_eq!(session.run(slope, []).unwrap(), arr1(&[1.0, 1.0]).into_dyn());
}

/// A loss whose gradients are fed: `w` has the first two, `b` the third, in a type of its own.
fn clip(fed: [f64; 3], limit: f64) -> (f64, [f64; 3]) {
    let g = Graph::new();
    let w = g.variable("w", arr1(&[0.0f64; 2]));
    let b = g.variable("b", 0.0f32);
    let dw = g.placeholder::<f64>("dw", dims![2]);
    let db = g.placeholder::<f32>("db", dims![]);
    let loss = (w * dw).reduce_sum(..) + (b * db).cast::<f64>();
    let optimizer = GradientDescent::new(-1.0);
    let gradients = optimizer.compute_gradients(loss);
    let norm = global_norm(&gradients);
    let train_step = optimizer.apply_gradients(clip_by_global_norm(gradients, limit));
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    let (first, last) = ([fed[0], fed[1]], fed[2] as f32);
    let feeds = feeds![dw => &first, db => last];
    let (norm, ()) = session.run((norm, train_step), feeds).unwrap();
    let w = session.variable::<f64>("w").unwrap();
    let b = session.variable::<f32>("b").unwrap();
    (norm, [w[0], w[1], f64::from(b.sum())])
}

#[test]
fn gradients_are_shortened_together() {
    // The norm is √(1 + 4 + 4) = 3.
    assert_eq!(clip([1.0, -2.0, 2.0], 6.0), (3.0, [1.0, -2.0, 2.0]));
    assert_eq!(clip([1.0, -2.0, 2.0], 1.5), (3.0, [0.5, -1.0, 1.0]));
    assert_eq!(clip([0.0, 0.0, 0.0], 1.5), (0.0, [0.0, 0.0, 0.0]));
}

#[test]
fn an_infinite_norm_turns_all_gradients_to_nan() {
    let (norm, clipped) = clip([f64::INFINITY, 1.0, 1.0], 1.0);
    assert_eq!(norm, f64::INFINITY);
    assert!(clipped.iter().all(|element| element.is_nan()));
    let (norm, clipped) = clip([1.0, 1.0, f64::NAN], 1.0);
    assert!(norm.is_nan() && clipped.iter().all(|element| element.is_nan()));
}

#[test]
fn a_limit_that_is_fed() {
    let g = Graph::new();
    let w = g.variable("w", 0.0f32);
    let limit = g.placeholder::<f32>("limit", dims![]);
    let optimizer = GradientDescent::new(-1.0);
    let clipped = clip_by_global_norm(optimizer.compute_gradients(w * 8.0), limit);
    let train_step = optimizer.apply_gradients(clipped);
    let session = Session::new(&g).unwrap();
    session.run(train_step, feeds![limit => 2.0]).unwrap();
    assert_eq!(session.run(w.scalar(), []).unwrap(), 2.0);
}

#[test]
fn each_gradient_can_be_changed_in_between() {
    let g = Graph::new();
    let w = g.variable("w", Array1::<f32>::zeros(2));
    let slope = g.constant_array(&arr1(&[10.0f32, 0.5]));
    let optimizer = GradientDescent::new(-1.0);
    let clipped = optimizer
        .compute_gradients((w * slope).reduce_sum(..))
        .map(|_, gradient| clip_by_value(gradient.assume::<f32>(), -1.0, 1.0));
    let train_step = optimizer.apply_gradients(clipped);
    let session = Session::new(&g).unwrap();
    session.run(train_step, []).unwrap();
    assert_eq!(session.run(w, []).unwrap(), arr1(&[1.0, 0.5]).into_dyn());
}

#[test]
fn no_gradients_have_norm_zero() {
    let g = Graph::new();
    let none = Gradients::new(
        &g,
        [] as [(abeyance_graph::AnyTensor<'_>, abeyance_graph::AnyTensor<'_>); 0],
    );
    let norm = global_norm(&none);
    let session = Session::new(&g).unwrap();
    assert_eq!(session.run(norm, []).unwrap(), 0.0);
}
