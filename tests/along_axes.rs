//! Operations along an axis of the user's choice: softmax and cross-entropies, one-hot rows,
//! dimensions of size 1.

use abeyance::graph::Float;
use abeyance::prelude::*;
use abeyance::session::{Decode, Fetch};
use ndarray::{Array, ArrayD, Axis, IxDyn, arr1, arr2, arr3};

fn run<F: Fetch>(g: &Graph, fetch: F) -> <F::Decoder as Decode>::Output {
    let session = Session::new(g).unwrap_or_else(|error| panic!("{error}"));
    session.run(fetch, []).unwrap_or_else(|error| panic!("{error}"))
}

/// Values without a pattern.
fn values(dims: &[usize]) -> ArrayD<f64> {
    let len = dims.iter().product();
    let values = (0..len).map(|i| (1.7 * i as f64).sin() * 3.0).collect();
    Array::from_shape_vec(IxDyn(dims), values).unwrap()
}

/// eˣ over its sum along an axis, by plain loops.
fn softmax(x: &ArrayD<f64>, axis: usize) -> ArrayD<f64> {
    let mut y = x.clone();
    for mut lane in y.lanes_mut(Axis(axis)) {
        let largest = lane.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        lane.mapv_inplace(|x| (x - largest).exp());
        let sum = lane.sum();
        lane.mapv_inplace(|x| x / sum);
    }
    y
}

fn assert_near(found: &ArrayD<f64>, right: &ArrayD<f64>) {
    assert_eq!(found.shape(), right.shape());
    for (a, b) in found.iter().zip(right) {
        assert!((a - b).abs() <= 1e-14, "{found} is not {right}");
    }
}

#[test]
fn softmax_along_each_axis() {
    for dims in [&[4][..], &[3, 4], &[2, 3, 4], &[2, 5, 1], &[2, 1, 3, 2], &[0, 3], &[3, 0]] {
        let x = values(dims);
        for axis in 0..dims.len() {
            let g = Graph::new();
            let t = g.constant_array(&x);
            let (axis, from_end) = (axis as i64, axis as i64 - dims.len() as i64);
            let (y, z) = (t.softmax_along(axis), t.softmax_along(from_end));
            let log = t.log_softmax_along(axis);
            let (y, z, log) = run(&g, (y, z, log));
            let right = softmax(&x, axis as usize);
            assert_near(&y, &right);
            assert_eq!(y, z);
            assert_near(&log, &right.mapv(f64::ln));
        }
    }
    // TensorFlow: tf.nn.softmax([[1, 2], [3, 5]], axis=0).
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[1.0f64, 2.0], [3.0, 5.0]]));
    let y = run(&g, x.softmax_along(0));
    let right = arr2(&[
        [0.11920292202211755, 0.04742587317756678],
        [0.8807970779778823, 0.9525741268224333],
    ]);
    assert_near(&y, &right.into_dyn());
}

#[test]
fn an_axis_that_is_the_last_costs_no_node_more() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let before = g.ir().len();
    let _ = (x.softmax_along(1), x.log_softmax_along(-1));
    let _ = x.softmax_cross_entropy_along(x, -1);
    assert_eq!(g.ir().len(), before + 3);
}

#[test]
fn cross_entropies_along_each_axis() {
    let dims = [2, 3, 4];
    let (x, mut p) = (values(&dims), values(&dims).mapv(f64::abs));
    p.mapv_inplace(|p| p / 5.0);
    for axis in 0..3usize {
        let g = Graph::new();
        let (logits, labels) = (g.constant_array(&x), g.constant_array(&p));
        let dense = logits.softmax_cross_entropy_along(labels, axis as i64);
        let log = softmax(&x, axis).mapv(f64::ln);
        let right = -(&p * &log).sum_axis(Axis(axis));
        // Class numbers of the other dimensions, all different along them.
        let mut rest = dims.to_vec();
        let classes = rest.remove(axis);
        let numbers =
            Array::from_shape_fn(IxDyn(&rest), |at| ((at[0] * 2 + at[1]) % classes) as i64);
        let sparse =
            logits.sparse_softmax_cross_entropy_along(g.constant_array(&numbers), axis as i64 - 3);
        let picked = Array::from_shape_fn(IxDyn(&rest), |at| {
            let mut full = vec![at[0], at[1]];
            full.insert(axis, numbers[[at[0], at[1]]] as usize);
            -log[IxDyn(&full)]
        });
        // Each slope is that of the same loss along the last axis.
        let [slope] = gradients(sparse, [logits]);
        let (dense, sparse, slope) = run(&g, (dense, sparse, slope));
        assert_near(&dense, &right);
        assert_near(&sparse, &picked);
        let mut wanted = softmax(&x, axis);
        for (at, &class) in numbers.indexed_iter() {
            let mut full = vec![at[0], at[1]];
            full.insert(axis, class as usize);
            wanted[IxDyn(&full)] -= 1.0;
        }
        assert_near(&slope, &wanted);
    }
}

#[test]
fn labels_that_do_not_fit_along_an_axis_are_shown_as_they_are() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3, 4]);
    x.softmax_cross_entropy_along(g.placeholder("p", dims![_, 4, 3]), 1);
    let line = line!() - 1;
    x.sparse_softmax_cross_entropy_along(g.placeholder::<i32>("c", dims![_, 3]), 1);
    x.sparse_softmax_cross_entropy_along(g.placeholder::<i32>("d", dims![_, 4]), 3);
    let message = g.check().unwrap_err().to_string();
    for part in [
        "softmax_cross_entropy_along: labels of shape [N2, 4, 3] do not fit logits of shape [N, 3, 4] with the classes along axis 1",
        "sparse_softmax_cross_entropy_along: labels of shape [N3, 3] do not fit logits of shape [N, 3, 4]",
        "sparse_softmax_cross_entropy_along: axis 3 is out of range",
        &format!("tests/along_axes.rs:{line}:"),
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(g.check().unwrap_err().0.len(), 3);
}

#[test]
fn one_hot_rows_have_their_axis_and_their_values() {
    // The examples of tf.one_hot's documentation.
    let g = Graph::new();
    let at = g.constant_array(&arr1(&[0i64, 2, -1, 1]));
    let rows = at.one_hot_values(3, -1, 5.0f32, 0.0);
    let columns = at.one_hot_values(3, 0, 5.0f32, 0.0);
    let pairs = g.constant_array(&arr2(&[[0i32, 2], [1, -1]])).one_hot_values(3, -1, 1i32, -1);
    let middle = g.constant_array(&arr2(&[[0i32, 2], [1, -1]])).one_hot_values(3, 1, true, false);
    let (rows, columns, pairs, middle) = run(&g, (rows, columns, pairs, middle));
    let right = arr2(&[[5.0, 0.0, 0.0], [0.0, 0.0, 5.0], [0.0, 0.0, 0.0], [0.0, 5.0, 0.0]]);
    assert_eq!(rows, right.clone().into_dyn());
    assert_eq!(columns, right.t().to_owned().into_dyn());
    let right = arr3(&[[[1, -1, -1], [-1, -1, 1]], [[-1, 1, -1], [-1, -1, -1]]]);
    assert_eq!(pairs, right.into_dyn());
    let right = arr3(&[
        [[true, false], [false, false], [false, true]],
        [[false, false], [true, false], [false, false]],
    ]);
    assert_eq!(middle, right.into_dyn());
}

#[test]
fn one_hot_values_may_be_tensors_and_have_gradients() {
    let g = Graph::new();
    let at = g.constant_array(&arr1(&[0i64, 2, 2]));
    let (on, off) = (g.variable("on", 4.0f64), g.variable("off", -1.0f64));
    let hot = at.one_hot_values(3, 0, on, off);
    let [to_on, to_off] = gradients(hot, [on, off]);
    let (to_on, to_off) = run(&g, (to_on.scalar(), to_off.scalar()));
    assert_eq!((to_on, to_off), (3.0, 6.0));
    at.one_hot_values(3, 2, 1.0f32, 0.0);
    at.one_hot_values(3, 0, g.placeholder::<f32>("four", dims![4]), 0.0);
    let message = g.check().unwrap_err().to_string();
    assert!(message.contains("one_hot_values: axis 2 is out of range"), "{message}");
    assert!(message.contains("do not broadcast"), "{message}");
}

#[test]
fn all_ones_that_are_known_are_left_out() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![1, _, 3, 1]);
    let y = x.squeeze_all();
    assert_eq!(y.to_string(), "squeeze : f32[N, 3]");
    let [slope] = gradients(y * 2.0, [x]);
    let session = Session::new(&g).unwrap();
    // A size that is fed stays, whatever it is.
    let fed = ArrayD::<f32>::ones(IxDyn(&[1, 1, 3, 1]));
    let (y, slope) = session.run((y, slope), feeds![x => &fed]).unwrap();
    assert_eq!(y.shape(), [1, 3]);
    assert_eq!(slope.shape(), [1, 1, 3, 1]);
    let g = Graph::new();
    assert_eq!(run(&g, g.ones::<i32>(dims![1, 1]).squeeze_all().scalar()), 1);
    assert_eq!(run(&g, g.ones::<i32>(dims![2, 3]).squeeze_all()).shape(), [2, 3]);
}

#[test]
fn rows_that_a_mask_picks_come_first_and_are_counted() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2]);
    let mask = g.placeholder::<bool>("mask", dims![_]);
    let (all, count) = x.boolean_mask(mask);
    let (two, _) = x.boolean_mask_within(mask, 2);
    let (five, total) = x.boolean_mask_within(mask, 5);
    let [slope] = gradients(all * 3.0, [x]);
    let session = Session::new(&g).unwrap();
    let fed = arr2(&[[1.0, 2.0], [f64::NAN, 4.0], [5.0, 6.0], [7.0, 8.0]]);
    let picked = [true, false, true, true];
    let feeds = feeds![x => &fed, mask => &picked];
    let (all, count, two, five, total) =
        session.run((all, count, two, five, total), feeds.clone()).unwrap();
    let right = arr2(&[[1.0, 2.0], [5.0, 6.0], [7.0, 8.0], [0.0, 0.0]]);
    assert_eq!((all, count), (right.clone().into_dyn(), 3));
    assert_eq!(two, arr2(&[[1.0, 2.0], [5.0, 6.0]]).into_dyn());
    assert_eq!(five.shape(), [5, 2]);
    assert_eq!(five.iter().sum::<f64>(), 29.0);
    assert_eq!(total, 3);
    let slope = session.run(slope, feeds).unwrap();
    assert_eq!(slope, arr2(&[[3.0, 3.0], [0.0, 0.0], [3.0, 3.0], [3.0, 3.0]]).into_dyn());
    // None true, and no rows at all.
    let (_, none) =
        session.run((two_of(&g), count_of(&g)), feeds![x => &fed, mask => &[false; 4]]).unwrap();
    assert_eq!(none, 0);
    let empty = ndarray::Array2::<f64>::zeros((0, 2));
    let (two, none) =
        session.run((two_of(&g), count_of(&g)), feeds![x => &empty, mask => &[false; 0]]).unwrap();
    assert_eq!((two, none), (ArrayD::<f64>::zeros(IxDyn(&[2, 2])), 0));
}

fn two_of(g: &Graph) -> Tensor<'_, f64> {
    g.tensor("boolean_mask_1").unwrap()
}

fn count_of(g: &Graph) -> Scalar<'_, i64> {
    g.tensor("boolean_mask_count").unwrap().scalar()
}

#[test]
fn a_mask_of_several_dimensions_picks_elements() {
    // The examples of tf.boolean_mask's documentation.
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[1i32, 2], [3, 4], [5, 6]]));
    let even = g.constant_array(&arr2(&[[false, true], [false, true], [true, true]]));
    let (picked, count) = x.boolean_mask(even);
    let (few, _) = x.boolean_mask_within(even, 3);
    let (picked, count, few) = run(&g, (picked, count, few));
    assert_eq!(picked, arr1(&[2, 4, 5, 6, 0, 0]).into_dyn());
    assert_eq!(count, 4);
    assert_eq!(few, arr1(&[2, 4, 5]).into_dyn());
}

#[test]
fn a_mask_may_have_several_unknown_sizes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, _, 2]);
    let mask = g.placeholder::<bool>("mask", dims![_, _]);
    let (rows, count) = x.boolean_mask(mask);
    let (one, _) = x.boolean_mask_within(mask, 1);
    let [slope] = gradients(rows.square() + one.reduce_sum(..), [x]);
    let session = Session::new(&g).unwrap();
    let fed = arr3(&[[[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]]);
    let picks = arr2(&[[false, true, true]]);
    let feeds = feeds![x => &fed, mask => &picks];
    let (rows, count, one) = session.run((rows, count, one), feeds.clone()).unwrap();
    assert_eq!(rows, arr2(&[[3.0, 4.0], [5.0, 6.0], [0.0, 0.0]]).into_dyn());
    assert_eq!((count, one), (2, arr2(&[[3.0, 4.0]]).into_dyn()));
    // Σ rows², and the sum of the first once for each of six elements.
    let slope = session.run(slope, feeds).unwrap();
    assert_eq!(slope, arr3(&[[[0.0, 0.0], [12.0, 14.0], [10.0, 12.0]]]).into_dyn());
}

/// A function that a user writes once for both float types.
fn smooth_step<'g, T: Float>(x: Tensor<'g, T>) -> Tensor<'g, T> {
    let [zero, one, two, three] = [0.0, 1.0, 2.0, 3.0].map(T::from_f64);
    let t = x.maximum(zero).minimum(one);
    t.pow(two) * (three - two * t) + zero / (one + t)
}

#[test]
fn numbers_are_operands_in_code_for_any_float_type() {
    let g = Graph::new();
    let single = smooth_step(g.constant_array(&arr1(&[-1.0f32, 0.25, 0.5, 7.0])));
    let double = smooth_step(g.constant_array(&arr1(&[-1.0f64, 0.25, 0.5, 7.0])));
    let (single, double) = run(&g, (single, double));
    assert_eq!(single, arr1(&[0.0, 0.15625, 0.5, 1.0]).into_dyn());
    assert_eq!(double, arr1(&[0.0, 0.15625, 0.5, 1.0]).into_dyn());
}
