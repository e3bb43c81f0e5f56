//! Clipping of values and of gradients.

use abeyance_graph::raw::AnyTensorExt;
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
fn limits_at_their_ends_and_squares_that_leave_the_range() {
    fn by_norm<const N: usize>(x: [f32; N], limit: f32) -> Vec<f32> {
        let g = Graph::new();
        let clipped = clip_by_norm(g.constant_array(&arr1(&x)), limit);
        Session::new(&g).unwrap().run(clipped, []).unwrap().iter().copied().collect()
    }
    assert_eq!(by_norm([3.0, 4.0], f32::INFINITY), [3.0, 4.0]);
    assert_eq!(by_norm([0.0, 0.0], 0.0), [0.0, 0.0]);
    assert_eq!(by_norm([3.0, 4.0], 0.0), [0.0, 0.0]);
    assert_eq!(by_norm([3e20, 4e20], 5.0), [3.0, 4.0]);
    assert_eq!(by_norm([3e10, 4e10], 1e30), [3e10, 4e10]);
    let tiny = by_norm([3e-30, 4e-30], 5e-35);
    assert!((tiny[0] / 3e-35 - 1.0).abs() < 2e-7 && (tiny[1] / 4e-35 - 1.0).abs() < 2e-7);
    assert_eq!(by_norm([3e-30, 4e-30], 1.0), [3e-30, 4e-30]);
    assert_eq!(by_norm([3e38, 3e38], 2f32.sqrt()), [1.0, 1.0]);
    assert_eq!(by_norm([f32::INFINITY, 1.0], f32::INFINITY), [f32::INFINITY, 1.0]);
    let infinite = by_norm([f32::INFINITY, 1.0], 1.0);
    assert!(infinite[0].is_nan() && infinite[1] == 0.0);
    assert!(by_norm([f32::NAN, 1.0], 10.0).iter().all(|v| v.is_nan()));
    assert!(by_norm([], 1.0).is_empty());

    // Together.
    assert_eq!(clip([1.0, -2.0, 2.0], f64::INFINITY).1, [1.0, -2.0, 2.0]);
    assert_eq!(clip([0.0, 0.0, 0.0], 0.0), (0.0, [0.0, 0.0, 0.0]));
    assert_eq!(clip([1.0, -2.0, 2.0], 0.0).1.map(f64::abs), [0.0, 0.0, 0.0]);
    let (norm, clipped) = clip([3e200, 0.0, 3e38], 5.0);
    assert!((norm / 3e200 - 1.0).abs() < 1e-15);
    assert_eq!(clipped, [5.0, 0.0, 0.0]);
    let (norm, clipped) = clip([0.0, 0.0, 3e38], 5.0);
    assert!((norm / 3e38 - 1.0).abs() < 1e-7 && (clipped[2] - 5.0).abs() < 1e-5, "{clipped:?}");
    let (norm, clipped) = clip([3e-200, 4e-200, 0.0], 5e-201);
    assert!((norm / 5e-200 - 1.0).abs() < 1e-15);
    assert!((clipped[0] / 3e-201 - 1.0).abs() < 1e-15);
}

#[test]
fn the_derivatives_of_a_clipped_tensor_are_those_of_its_direction() {
    let g = Graph::new();
    let x = g.variable("x", arr1(&[3e20f32, 4e20]));
    let clipped = clip_by_norm(x, 5.0f32);
    let first = g.constant_array(&arr1(&[1.0f32, 0.0]));
    let [slope] = gradients((clipped * first).reduce_sum(..), [x]);
    let slope = Session::new(&g).unwrap().run(slope, []).unwrap();
    // 5 (e - u (u · e)) / |x| for the direction u = (0.6, 0.8) and e = (1, 0).
    for (found, wanted) in slope.iter().zip([0.64 * 1e-20, -0.48 * 1e-20]) {
        assert!((found / wanted as f32 - 1.0).abs() < 1e-5, "{slope}");
    }
}

#[test]
fn a_limit_that_no_norm_can_keep_is_a_mistake() {
    for limit in [-1.0, f64::NAN] {
        let g = Graph::new();
        let w = g.variable("w", 1.0f32);
        let optimizer = GradientDescent::new(0.1);
        let clipped = clip_by_global_norm(optimizer.compute_gradients(w.square()), limit);
        optimizer.apply_gradients(clipped);
        let mistakes = g.check().unwrap_err();
        assert_eq!(mistakes.0.len(), 1, "{mistakes}");
        let message = format!("clip_by_global_norm: no norm is at most {limit}");
        assert_eq!(mistakes.0[0].message, message);
    }
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
