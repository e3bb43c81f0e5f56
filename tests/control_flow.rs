//! Branches and loops in the graph: values, gradients, mistakes, printing.

use abeyance::graph::TensorTuple;
use abeyance::graph::ops::random::{RANDOM_UNIFORM, RandomUniformAttributes};
use abeyance::graph::raw::{AnyTensorExt, GraphExt};
use abeyance::prelude::*;
use abeyance::session::Feed;
use ndarray::{Array1, Array2, Array3, ArrayD, array};

mod places;

fn session(graph: &Graph) -> Session {
    Session::new(graph).unwrap_or_else(|error| panic!("{graph}\n{error}"))
}

/// Reads back from both forms, and is the same in both.
fn round_trip(graph: &Graph) -> Graph {
    let (text, bytes) = (graph.to_text(), graph.ir().to_bytes().unwrap());
    let read = Graph::from_bytes(&bytes).unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert_eq!(read.to_text(), text);
    assert!(read.ir().to_bytes().unwrap() == bytes, "{text}");
    let again = Graph::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert_eq!(again.to_text(), text);
    again
}

/// The mistakes of a graph.
fn mistakes(graph: &Graph) -> String {
    readable(&graph.check().unwrap_err())
}

/// A message with lines of this file in place of their numbers.
fn readable(message: &impl std::fmt::Display) -> String {
    places::readable(message, file!(), include_str!("control_flow.rs"))
}

/// Numbers in [-1, 1) that are the same in every run.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn matrix(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    Array2::from_shape_vec((rows, columns), numbers(rows * columns, seed)).unwrap()
}

fn feeds<'a>(
    x: Tensor<'_, f64>,
    at: &'a ArrayD<f64>,
    others: &[(Tensor<'_, f64>, &'a ArrayD<f64>)],
) -> Vec<Feed<'a>> {
    let others = others.iter().map(|(other, value)| Feed::new(*other, *value));
    [Feed::new(x, at)].into_iter().chain(others).collect()
}

/// The gradient of `loss` by `x`, held against central differences.
fn check_by_differences<const N: usize>(
    session: &Session,
    loss: Scalar<'_, f64>,
    gradient: Tensor<'_, f64>,
    x: Tensor<'_, f64>,
    at: &ArrayD<f64>,
    others: [(Tensor<'_, f64>, &ArrayD<f64>); N],
) {
    let analytic = session.run(gradient, feeds(x, at, &others)).unwrap();
    for index in 0..at.len() {
        let moved = |by: f64| {
            let mut moved = at.clone();
            moved.as_slice_mut().unwrap()[index] += by;
            session.run(loss, feeds(x, &moved, &others)).unwrap()
        };
        let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        let analytic = analytic.as_slice().unwrap()[index];
        assert!(
            (analytic - numeric).abs() < 1e-7 * numeric.abs().max(1.0),
            "element {index}: {analytic} by the rule, {numeric} by differences"
        );
    }
}

// ---- branches -----------------------------------------------------------------------------------

#[test]
fn a_branch_is_taken_by_a_predicate_and_captures_what_it_uses() {
    let g = Graph::new();
    let p = g.placeholder::<bool>("p", dims![]);
    let x = g.placeholder::<f64>("x", dims![_]);
    let w = g.variable("w", 3.0f64);
    let (y, z) =
        g.cond(p, (x, w), |(x, w)| (x * w, w + 1.0), |(x, _)| (x - w, x.reduce_sum(..).tensor()));
    let [dw] = gradients((y * y).reduce_sum(..) + z, [w]);
    let session = session(&g);
    let fetches = (y, z.scalar(), dw.scalar());
    let x_ = [1.0, 2.0];
    let (y, z, dw) = session.run(fetches, feeds![p => true, x => &x_]).unwrap();
    assert_eq!(y.as_slice().unwrap(), [3.0, 6.0]);
    assert_eq!((z, dw), (4.0, 2.0 * (3.0 + 12.0) + 1.0));
    let (y, z, dw) = session.run(fetches, feeds![p => false, x => &x_]).unwrap();
    assert_eq!(y.as_slice().unwrap(), [-2.0, -1.0]);
    assert_eq!((z, dw), (3.0, -2.0 * (-2.0 - 1.0)));
    round_trip(&g);
}

#[test]
fn the_branch_that_is_not_taken_does_not_run() {
    let g = Graph::new();
    let n = g.placeholder::<i64>("n", dims![]);
    let y = g.cond(n.equal(0), n, |n| n - 1, |n| 100 / n);
    let session = session(&g);
    assert_eq!(session.run(y.scalar(), feeds![n => 0]).unwrap(), -1);
    assert_eq!(session.run(y.scalar(), feeds![n => 7]).unwrap(), 14);
}

#[test]
fn the_branch_that_is_not_taken_leaves_no_nan_in_the_gradient() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![]);
    // At 0 the root has an infinite slope, and what follows it would make NaN of 0 times that.
    let root = x.sqrt();
    let y = g.cond(x.greater(0.0), (x, root), |(_, root)| root.log(), |(x, _)| x * 2.0);
    let [dx] = gradients(y, [x]);
    let session = session(&g);
    let run = |x_: f64| session.run((y.scalar(), dx.scalar()), feeds![x => x_]).unwrap();
    assert_eq!(run(0.0), (0.0, 2.0));
    assert_eq!(run(-3.0), (-6.0, 2.0));
    let (_, slope) = run(4.0);
    assert!((slope - 0.125).abs() < 1e-15);
}

#[test]
fn a_branch_has_second_derivatives() {
    let g = Graph::new();
    let p = g.placeholder::<bool>("p", dims![]);
    let x = g.placeholder::<f64>("x", dims![]);
    let y = g.cond(p, x, |x| x * x * x, |x| x.exp());
    let [first] = gradients(y, [x]);
    let [second] = gradients(first, [x]);
    let session = session(&g);
    let run = |p_: bool| {
        let fetches = (first.scalar(), second.scalar());
        session.run(fetches, feeds![p => p_, x => 2.0]).unwrap()
    };
    assert_eq!(run(true), (12.0, 12.0));
    assert_eq!(run(false), (2f64.exp(), 2f64.exp()));
    round_trip(&g);
}

// ---- while loops --------------------------------------------------------------------------------

#[test]
fn a_loop_and_its_gradient_are_those_of_the_unrolled_graph_bit_for_bit() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims!["N", 2]);
    let w = g.variable("w", &array![[0.5, 0.25], [-0.5, 1.0]]);
    let n = g.placeholder::<i64>("n", dims![]);
    let start = g.constant(0i64);
    let (count, y) =
        g.while_loop((start, x), |(i, _)| i.less(n), |(i, x)| (i + 1, x.matmul(w).tanh()));
    let [dx, dw] = gradients(y.square().reduce_sum(..), [x, w]);
    let unrolled: Vec<_> = [0, 1, 3, 12]
        .into_iter()
        .map(|times| {
            let z = (0..times).fold(x, |x, _| x.matmul(w).tanh());
            let [dx, dw] = gradients_or_zeros(z.square().reduce_sum(..), [x, w]);
            (times, (z, dx, dw))
        })
        .collect();
    let session = session(&g);
    let x_ = matrix(3, 2, 1);
    for (times, expected) in unrolled {
        let feeds = feeds![x => &x_, n => times];
        let (count, found, expected) = session.run((count, (y, dx, dw), expected), feeds).unwrap();
        assert_eq!((count, found), (times, expected), "{times} iterations");
    }
    round_trip(&g);
}

#[test]
fn a_tensor_captured_twice_receives_what_came_through_both() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![3]);
    let w = g.placeholder::<f64>("w", dims![3]);
    let b = g.placeholder::<f64>("b", dims![]);
    let (_, y, z) = g.while_loop(
        (g.constant(0i32), x, g.constant(1.0f64)),
        |(i, _, z)| i.less(5).logical_and(z.less(1e6)),
        |(i, x, z)| (i + 1, (x * w + w.sigmoid() * b).tanh(), z * 1.5 + (x * b).reduce_sum(..)),
    );
    let loss = (y.square().reduce_sum(..) * z).scalar();
    let [dx, dw, db] = gradients(loss, [x, w, b]);
    let session = session(&g);
    let [x_, w_] = [1, 2].map(|seed| Array1::from(numbers(3, seed)).into_dyn());
    let b_ = ndarray::arr0(0.7).into_dyn();
    check_by_differences(&session, loss, dx, x, &x_, [(w, &w_), (b, &b_)]);
    check_by_differences(&session, loss, dw, w, &w_, [(x, &x_), (b, &b_)]);
    check_by_differences(&session, loss, db, b, &b_, [(x, &x_), (w, &w_)]);
}

#[test]
fn a_loop_that_never_runs_gives_what_it_started_with() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![2]);
    let w = g.variable("w", 2.0f64);
    let y = g.while_loop(x, |x| x.reduce_sum(..).less(0.0), |x| x * w);
    let [dx, dw] = gradients(y.square().reduce_sum(..), [x, w]);
    let (y, dx, dw) = session(&g).run((y, dx, dw.scalar()), feeds![x => &[1.0, 2.0]]).unwrap();
    assert_eq!(y.as_slice().unwrap(), [1.0, 2.0]);
    assert_eq!(dx.as_slice().unwrap(), [2.0, 4.0]);
    assert_eq!(dw, 0.0);
}

#[test]
fn a_loop_that_does_not_end_is_ended_by_its_bound() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![]);
    let y = g.while_loop_at_most(1000, x, |x| x.greater(1.0), |x| x * 0.5);
    let session = session(&g);
    assert_eq!(session.run(y.scalar(), feeds![x => 8.0]).unwrap(), 1.0);
    let error = session.run(y.scalar(), feeds![x => f64::INFINITY]).unwrap_err();
    insta::assert_snapshot!(readable(&error));
    // Exactly as many as the bound allows.
    assert_eq!(session.run(y.scalar(), feeds![x => 2f64.powi(1000)]).unwrap(), 1.0);
}

#[test]
fn a_loop_is_differentiated_once() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![]);
    let y = g.while_loop(x, |x| x.less(10.0), |x| x * x);
    let [dx] = gradients(y, [x]);
    gradients(dx, [x]);
    insta::assert_snapshot!(mistakes(&g));
}

// ---- scans --------------------------------------------------------------------------------------

/// A recurrent cell over `[T, N, 2]`, by `scan` and unrolled: the last state, all states, and the
/// cotangents of xs, h0, the weights.
fn recurrent<'g>(
    g: &'g Graph,
    length: usize,
    reverse: bool,
) -> ([Tensor<'g, f64>; 2], [Vec<Tensor<'g, f64>>; 2]) {
    let xs = g.placeholder::<f64>("xs", dims![length, "N", 2]);
    let h0 = g.placeholder::<f64>("h0", dims!["N", 3]);
    let wx = g.variable("wx", matrix(2, 3, 5));
    let wh = g.variable("wh", matrix(3, 3, 6));
    let weights = g.constant_array(&Array1::from(numbers(length, 9)));
    let cell = |h: Tensor<'g, f64>, x: Tensor<'g, f64>| {
        let h = (x.matmul(wx) + h.matmul(wh)).tanh();
        (h, h)
    };
    let (last, all) = if reverse { g.scan_reverse(h0, xs, cell) } else { g.scan(h0, xs, cell) };
    let loss = |last: Tensor<'g, f64>, all: Tensor<'g, f64>| {
        let weighted = all * weights.reshape(dims![length, 1, 1]);
        (last.square().reduce_sum(..) + weighted.square().reduce_sum(..)).tensor()
    };
    let derived = |last, all| {
        let first = gradients(loss(last, all), [xs, h0, wx, wh]);
        let sum = first.iter().map(|x| x.square().reduce_sum(..)).reduce(|a, b| a + b).unwrap();
        let second = gradients(sum, [xs, h0, wx, wh]);
        let mut list = vec![last, all];
        list.extend(first);
        list.extend(second);
        list
    };
    let scanned = derived(last, all);
    let mut h = h0;
    let mut states = vec![h0.reshape(dims![1, h0.dim(0), 3]); length];
    let order: Vec<usize> =
        if reverse { (0..length).rev().collect() } else { (0..length).collect() };
    for t in order {
        let x = xs.slice([t as i64, 0, 0], [1, -1, -1]).reshape(dims![xs.dim(1), 2]);
        (h, _) = cell(h, x);
        states[t] = h.reshape(dims![1, h0.dim(0), 3]);
    }
    let unrolled = derived(h, g.concat(states, 0));
    ([xs, h0], [scanned, unrolled])
}

#[test]
fn a_scan_has_the_values_and_both_derivatives_of_the_unrolled_graph() {
    for (length, reverse) in [(1, false), (4, false), (4, true)] {
        let g = Graph::new();
        let ([xs, h0], [scanned, unrolled]) = recurrent(&g, length, reverse);
        let session = session(&g);
        let xs_ = Array3::from_shape_vec((length, 5, 2), numbers(length * 10, 3)).unwrap();
        let h_ = matrix(5, 3, 4);
        let feeds = feeds![xs => &xs_, h0 => &h_];
        let (scanned, unrolled) = session.run((scanned, unrolled), feeds).unwrap();
        for (index, (a, b)) in scanned.iter().zip(&unrolled).enumerate() {
            if index < 2 {
                assert_eq!(a, b, "value {index}, {length} slices");
            }
            let error = (a - b).mapv(f64::abs).fold(0.0, |a, &b| f64::max(a, b));
            assert!(error < 1e-12, "{index} of {length} slices: {error}\n{a}\n{b}");
        }
        round_trip(&g);
    }
}

#[test]
fn a_scan_over_nothing_gives_what_it_started_with() {
    let g = Graph::new();
    let xs = g.placeholder::<f64>("xs", dims!["T", 2]);
    let w = g.variable("w", 2.0f64);
    let h0 = g.placeholder::<f64>("h0", dims![2]);
    let (last, all) = g.scan(h0, xs, |h, x| (h * w + x, h));
    let loss = last.square().reduce_sum(..) + all.reduce_sum(..);
    let [dxs, dw, dh] = gradients(loss, [xs, w, h0]);
    let nothing = Array2::<f64>::zeros((0, 2));
    let session = session(&g);
    let (last, all, dxs, dw, dh) = session
        .run((last, all, dxs, dw.scalar(), dh), feeds![xs => &nothing, h0 => &[1.0, 2.0]])
        .unwrap();
    assert_eq!(last.as_slice().unwrap(), [1.0, 2.0]);
    assert_eq!((all.shape(), dxs.shape(), dw), (&[0, 2][..], &[0, 2][..], 0.0));
    assert_eq!(dh.as_slice().unwrap(), [2.0, 4.0]);
}

#[test]
fn scans_carry_and_collect_several_values_of_several_types() {
    let g = Graph::new();
    let xs = g.placeholder::<f64>("xs", dims!["T"]);
    let flags = g.placeholder::<bool>("flags", dims!["T"]);
    let first = (g.constant(0i64), [g.constant(0.0f64), g.constant(1.0)]);
    let ((count, [sum, product]), (sums, is_odd)) =
        g.scan(first, (xs, flags), |(count, [sum, product]), (x, flag)| {
            let count = count + 1;
            let [x, zero] = [x.scalar(), x.graph().constant(0.0)];
            let sum = sum + flag.select(x, zero).scalar();
            let is_odd = (count - count / 2 * 2).equal(1);
            ((count, [sum, product * x]), (sum, is_odd))
        });
    // A stacked scalar is a vector, and its type says so.
    let sums: Tensor<'_, f64> = sums;
    let [dxs] = gradients(sums.reduce_sum(..) + product, [xs]);
    let (count, sum, product, sums, is_odd, dxs) = session(&g)
        .run(
            (count, sum, product, sums, is_odd, dxs),
            feeds![xs => &[2.0, 3.0, 4.0], flags => &[true, false, true]],
        )
        .unwrap();
    assert_eq!((count, sum, product), (3, 6.0, 24.0));
    assert_eq!(sums.as_slice().unwrap(), [2.0, 2.0, 6.0]);
    assert_eq!(is_odd.as_slice().unwrap(), [true, false, true]);
    assert_eq!(dxs.as_slice().unwrap(), [3.0 + 12.0, 8.0, 1.0 + 6.0]);
    round_trip(&g);
}

#[test]
fn a_scan_may_carry_nothing_or_collect_nothing() {
    let g = Graph::new();
    let xs = g.placeholder::<f64>("xs", dims!["T", 2]);
    let ((), squares) = g.scan((), xs, |(), x| ((), x * x));
    let (sum, ()) = g.scan(g.zeros::<f64>(dims![2]), squares, |h, x| (h + x, ()));
    let [dxs] = gradients(sum.reduce_sum(..), [xs]);
    let x_ = array![[1.0, 2.0], [3.0, 4.0]];
    let (sum, dxs) = session(&g).run((sum, dxs), feeds![xs => &x_]).unwrap();
    assert_eq!(sum.as_slice().unwrap(), [10.0, 20.0]);
    assert_eq!(dxs, (&x_ * 2.0).into_dyn());
    round_trip(&g);
}

// ---- nesting, names, dimensions -----------------------------------------------------------------

#[test]
fn branches_and_loops_nest_and_capture_through_each_other() {
    let g = Graph::new();
    let xs = g.placeholder::<f64>("xs", dims!["T", 3]);
    let w = g.placeholder::<f64>("w", dims![3]);
    let h0 = g.zeros::<f64>(dims![3]);
    let (last, _) = g.scan(h0, xs, |h, x| {
        let inner = x.graph();
        let (_, h) = inner.while_loop(
            (inner.constant(0i64), h),
            |(i, _)| i.less(2),
            |(i, h)| {
                let is_first = i.equal(0);
                // x is of the scan's body, w of the graph: both are captured, w through two bodies.
                let h = h.graph().cond(is_first, h, |h| (h + x) * w, |h| (h * w).tanh());
                (i + 1, h)
            },
        );
        (h, ())
    });
    let loss = last.square().reduce_sum(..);
    let [dxs, dw] = gradients(loss, [xs, w]);
    let mut h = h0;
    for t in 0..4 {
        let x = xs.slice([t, 0], [1, -1]).reshape(dims![3]);
        h = (((h + x) * w) * w).tanh();
    }
    let [exs, ew] = gradients(h.square().reduce_sum(..), [xs, w]);
    let session = session(&g);
    let (xs_, w_) = (matrix(4, 3, 8), Array1::from(numbers(3, 9)));
    let feeds = feeds![xs => &xs_, w => &w_];
    let (found, expected) = session.run(((last, dxs, dw), (h, exs, ew)), feeds).unwrap();
    assert_eq!(found.0, expected.0);
    for (a, b) in [(found.1, expected.1), (found.2, expected.2)] {
        let error = (&a - &b).mapv(f64::abs).fold(0.0, |a, &b| f64::max(a, b));
        assert!(error < 1e-14, "{a} {b}");
    }
    round_trip(&g);
}

#[test]
fn what_a_body_finds_out_about_a_dimension_is_known_outside() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, "K"]);
    let y = g.placeholder::<f32>("y", dims![_, "K"]);
    let w = g.variable("w", zeros(dims![3, 3]));
    let p = g.placeholder::<bool>("p", dims![]);
    let z = g.cond(p, x, |x| x.matmul(w), |x| x + y);
    assert_eq!(x.to_string(), "x : f32[N, 3]");
    assert_eq!(y.to_string(), "y : f32[N, 3]");
    assert_eq!(z.to_string(), "cond : f32[N, 3]");
    round_trip(&g);
}

#[test]
fn a_dimension_is_the_same_in_a_body_and_outside_while_both_are_described() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, "K"]);
    let y = g.placeholder::<f32>("y", dims![_, "L"]);
    let w = g.variable("w", zeros(dims![3, 3]));
    g.cond(
        true,
        x,
        |inner| {
            // Found out in the body, known outside at once, and the other way.
            let product = inner.matmul(w);
            assert_eq!(x.to_string(), "x : f32[N, 3]");
            let outside = x + y;
            assert_eq!(outside.to_string(), "add : f32[N, 3]");
            assert_eq!((inner + y).to_string(), "add : f32[N, 3]");
            product
        },
        |x| x,
    );
    round_trip(&g);
}

#[test]
fn a_body_may_speak_of_dimensions_that_nothing_given_to_it_has() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims!["N", "M"]);
    let rows = g.scan((), x, |(), row| {
        // N is not a dimension of the row.
        let ones = row.graph().ones::<f64>(dims![x.dim(0), 1]);
        ((), (ones * row).reduce_sum(..))
    });
    let sums: Tensor<'_, f64> = rows.1;
    let [dx] = gradients(sums.reduce_sum(..), [x]);
    let x_ = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let (sums, dx) = session(&g).run((sums, dx), feeds![x => &x_]).unwrap();
    assert_eq!(sums.as_slice().unwrap(), [12.0, 30.0]);
    assert_eq!(dx, ArrayD::from_elem(vec![2, 3], 2.0));
    let again = round_trip(&g);
    let sum = again.tensor::<f64>("scan").unwrap();
    let x = again.tensor::<f64>("x").unwrap();
    let sums = session(&again).run(sum, feeds![x => &x_]).unwrap();
    assert_eq!(sums.as_slice().unwrap(), [12.0, 30.0]);
}

#[test]
fn what_is_computed_from_the_outside_alone_is_built_outside() {
    let g = Graph::new();
    let w = g.variable("w", 2.0f64);
    let x = g.placeholder::<f64>("x", dims![]);
    g.while_loop(x, |x| x.less(10.0), |x| x * w.exp().named("invariant"));
    assert!(g.tensor::<f64>("invariant").is_ok());
    g.check().unwrap();
}

#[test]
fn random_numbers_differ_by_iteration_and_are_the_same_in_the_gradient() {
    let g = Graph::new();
    let xs = g.placeholder::<f64>("xs", dims!["T", 4]);
    let h0 = g.ones::<f64>(dims![4]);
    let (last, noise) = g.scan(h0, xs, |h, x| {
        let noise = x.graph().random_uniform::<f64>(dims![4], 0.5, 1.5);
        (h * x * noise, noise)
    });
    let (_, y) = g.while_loop(
        (g.constant(0i64), last),
        |(i, _)| i.less(3),
        |(i, y)| (i + 1, y * y.graph().random_uniform::<f64>(dims![4], 0.5, 1.5)),
    );
    let z = g.cond(
        y.reduce_sum(..).less(1e9),
        y,
        |y| y * y.graph().random_uniform::<f64>(dims![4], 0.5, 1.5),
        |y| y,
    );
    let [dxs, dlast] = gradients(z.reduce_sum(..), [xs, last]);
    let session = session(&g);
    let xs_ = Array2::from_elem((3, 4), 2.0);
    let (z1, last, noise, dxs, dlast) =
        session.run((z, last, noise, dxs, dlast), feeds![xs => &xs_]).unwrap();
    // Everything is a product, so a value is the derivative times what it is derived by.
    for i in 0..4 {
        assert!((z1[i] / (dlast[i] * last[i]) - 1.0).abs() < 1e-14);
        for t in 0..3 {
            assert!((z1[i] / (dxs[[t, i]] * 2.0) - 1.0).abs() < 1e-14);
        }
    }
    let mut seen: Vec<u64> = noise.iter().map(|x| x.to_bits()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 12, "{noise}");
    let again = session.run(z, feeds![xs => &xs_]).unwrap();
    assert_ne!(again, z1, "each run draws anew");
    let other = Session::new(&round_trip(&g)).unwrap();
    let copy = round_trip(&g);
    drop(other);
    let same = Session::new(&copy).unwrap();
    let (z, xs) = (copy.tensor::<f64>("cond").unwrap(), copy.tensor::<f64>("xs").unwrap());
    assert_eq!(same.run(z, feeds![xs => &xs_]).unwrap(), z1);
}

#[test]
fn derivatives_can_be_taken_inside_of_a_loop() {
    // Newton's method for the square root.
    let g = Graph::new();
    let a = g.placeholder::<f64>("a", dims![]);
    let root = g.while_loop_at_most(
        100,
        a,
        |x| (x * x - a).abs().greater(1e-12),
        |x| {
            let y = x * x - a;
            let [slope] = gradients(y, [x]);
            x - y / slope
        },
    );
    let [slope] = gradients(root, [a]);
    let session = session(&g);
    let (root, slope) = session.run((root.scalar(), slope.scalar()), feeds![a => 2.0]).unwrap();
    assert!((root - 2f64.sqrt()).abs() < 1e-12);
    assert!((slope - 0.5 / 2f64.sqrt()).abs() < 1e-6, "{slope}");
    round_trip(&g);
}

#[test]
fn sizes_that_only_a_body_knows_may_be_used_in_it() {
    let g = Graph::new();
    let xs = g.placeholder::<f64>("xs", dims!["T", "N"]);
    let (_, sums) = g.scan((), xs, |(), x| {
        let both = x.graph().concat([x, x * x], 0);
        ((), (both * both).reduce_sum(..))
    });
    let sums: Tensor<'_, f64> = sums;
    let [dx] = gradients(sums.reduce_sum(..), [xs]);
    let x_ = array![[1.0, 2.0], [3.0, 4.0]];
    let (sums, dx) = session(&g).run((sums, dx), feeds![xs => &x_]).unwrap();
    assert_eq!(sums.as_slice().unwrap(), [1.0 + 4.0 + 1.0 + 16.0, 9.0 + 16.0 + 81.0 + 256.0]);
    assert_eq!(dx, x_.mapv(|x| 2.0 * x + 4.0 * x * x * x).into_dyn());
    round_trip(&g);
}

#[test]
fn a_struct_of_handles_can_be_carried() {
    /// The state that a cell with a memory carries from step to step.
    #[derive(Clone, Copy)]
    struct State<'g> {
        memory: Tensor<'g, f64>,
        output: Tensor<'g, f64>,
    }
    impl<'g> TensorTuple<'g> for State<'g> {
        type Stacked = State<'g>;
        fn list(self, list: &mut Vec<AnyTensor<'g>>) {
            (self.memory, self.output).list(list);
        }
        fn rebuild(g: &'g Graph, nodes: &mut dyn Iterator<Item = abeyance::ir::NodeId>) -> Self {
            let (memory, output) = TensorTuple::rebuild(g, nodes);
            State { memory, output }
        }
    }
    let g = Graph::new();
    let xs = g.placeholder::<f64>("xs", dims!["T", 2]);
    let zero = g.zeros::<f64>(dims![2]);
    let first = State { memory: zero, output: zero };
    let (last, all) = g.scan(first, xs, |state, x| {
        let memory = state.memory * 0.5 + x;
        let state = State { memory, output: memory.tanh() };
        (state, state)
    });
    let x_ = array![[1.0, 2.0], [3.0, 4.0]];
    let fetches = (last.memory, last.output, all.memory);
    let (memory, output, all) = session(&g).run(fetches, feeds![xs => &x_]).unwrap();
    assert_eq!(memory.as_slice().unwrap(), [3.5, 5.0]);
    assert_eq!(output, memory.mapv(f64::tanh));
    assert_eq!(all.as_slice().unwrap(), [1.0, 2.0, 3.5, 5.0]);
}

#[test]
fn operands_of_every_kind_meet_in_the_innermost_body() {
    // The outer tensor comes first everywhere, so that it is the one whose method is called.
    let g = Graph::new();
    let w = g.variable("w", &array![[1.0, 2.0], [3.0, 4.0]]);
    let p = g.placeholder::<bool>("p", dims![2]);
    let xs = g.placeholder::<f64>("xs", dims!["T", 2]);
    let is = g.placeholder::<i64>("is", dims!["T", 1]);
    let (_, y) = g.scan((), (xs, is), |(), (x, i)| {
        let y = w + x;
        let y = w.matmul(y) + p.select(x, 1.0) + 2.0 * x;
        let y = y + w.gather(i) + w.gather_along(i, 0);
        let y = y + g.concat([w.slice([0, 0], [1, 2]), x.reshape(dims![1, 2])], 0);
        let y = y + g.einsum("ij,j->ij", [w, x]);
        ((), y + w.layer_norm(x, x, 1e-3))
    });
    let [dw] = gradients(y.reduce_sum(..), [w]);
    let xs_ = array![[0.5, -0.5], [1.0, 2.0], [0.0, 1.0]];
    let is_ = array![[0i64], [1], [1]];
    let feeds = feeds![xs => &xs_, p => &[true, false], is => &is_];
    let (y, dw) = session(&g).run((y, dw), feeds).unwrap();
    assert_eq!(y.shape(), [3, 2, 2]);
    assert!(dw.iter().all(|x| x.is_finite()));
}

#[test]
fn a_branch_added_to_a_graph_that_was_read_draws_from_streams_of_its_own() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![2]);
    let noisy = |x: Tensor<'_, f64>| {
        x.graph().build(|ir| {
            let (dtype, shape) = (abeyance::ir::DType::F64, [2.into()].into_iter().collect());
            let attributes = RandomUniformAttributes { dtype, shape, low: 0.0, high: 1.0 };
            ir.add(&RANDOM_UNIFORM, &[], attributes)
        })
    };
    g.cond(true, x, |x| x.graph().any(noisy(x)).assume::<f64>(), |x| x).named("first");
    let again = round_trip(&g);
    let x = again.tensor::<f64>("x").unwrap();
    let second = again.cond(true, x, |x| x.graph().any(noisy(x)).assume::<f64>(), |x| x);
    let first = again.tensor::<f64>("first").unwrap();
    let (first, second) = session(&again).run((first, second), feeds![x => &[0.0, 0.0]]).unwrap();
    assert_ne!(first, second);
}

// ---- mistakes -----------------------------------------------------------------------------------

#[test]
fn a_carried_value_that_changes_its_shape_is_named_with_both_shapes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let w = g.variable("w", zeros(dims![3, 4]));
    g.while_loop((g.constant(0i64), x), |(i, _)| i.less(3), |(i, x)| (i + 1, x.matmul(w)));
    insta::assert_snapshot!(mistakes(&g));
}

#[test]
fn branches_of_different_shapes_are_a_mistake() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let y = g.cond(true, x, |x| x, |x| x.reduce_sum(0));
    let _ = y + 1.0;
    let z = g.cond(x.greater(0.0), x, |x| x, |x| x);
    let _ = z;
    insta::assert_snapshot!(mistakes(&g));
}

#[test]
fn a_size_that_only_a_body_knows_cannot_come_out_of_it() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    g.cond(true, x, |x| x.graph().concat([x, x], 0), |x| x);
    insta::assert_snapshot!(mistakes(&g));
}

#[test]
fn effects_in_a_body_are_mistakes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2]);
    let w = g.variable("w", zeros(dims![2]));
    g.cond(
        true,
        x,
        |x| x + x.graph().variable("v", zeros(dims![2])),
        |x| w.assign(x) + x.graph().placeholder::<f32>("p", dims![2]),
    );
    insta::assert_snapshot!(mistakes(&g));
}

#[test]
fn a_tensor_of_a_body_used_outside_is_a_mistake_that_names_both_lines() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2]);
    let mut leaked = None;
    let y = g.cond(true, x, |x| *leaked.insert(x * 2.0), |x| x);
    let leaked = leaked.unwrap();
    let _ = g.concat([y, y], 0);
    let _ = leaked.exp();
    g.cond(true, x, |x| x + leaked, |x| x);
    insta::assert_snapshot!(mistakes(&g));
}

#[test]
fn mistakes_inside_of_a_body_are_reported_once_with_their_lines() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2, 3]);
    let (y, _) = g.scan(x, g.zeros::<f32>(dims![4]), |h, t| (h.matmul(h) + t, t));
    gradients(y.reduce_sum(..), [x]);
    insta::assert_snapshot!(mistakes(&g));
}

#[test]
fn what_a_scan_goes_over_has_one_length() {
    let g = Graph::new();
    let [a, b] = [("a", 3), ("b", 4)].map(|(name, n)| g.placeholder::<f32>(name, dims![n, 2]));
    g.scan((), (a, b), |(), (a, b)| ((), a + b));
    let none: [Tensor<'_, f32>; 0] = [];
    g.scan(a, none, |h, _| (h, h));
    let scalar = g.placeholder::<f32>("scalar", dims![]);
    g.scan((), scalar, |(), x| ((), x));
    insta::assert_snapshot!(mistakes(&g));
}

#[test]
fn a_failure_inside_of_a_loop_names_the_node_the_iteration_and_the_line_and_changes_nothing() {
    let g = Graph::new();
    let n = g.placeholder::<i64>("n", dims![]);
    let w = g.state("w", 5i64);
    let (_, y) = g.while_loop((n, w), |(n, _)| n.greater_equal(0), |(n, y)| (n - 1, y / n));
    let step = w.assign(y);
    let other = g.state("other", 1i64);
    let both = g.group([step, other.assign_add(1)]);
    let session = session(&g);
    let error = session.run(both, feeds![n => 2]).unwrap_err();
    insta::assert_snapshot!(readable(&error));
    assert_eq!(session.run((w.scalar(), other.scalar()), []).unwrap(), (5, 1));
    assert_eq!(session.step(), 0);
}

#[test]
fn a_tuple_is_fetched_by_its_items() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![]);
    let (a, _) = g.cond(true, x, |x| (x, x), |x| (x, x));
    let tuple = g.operation("cond").unwrap();
    let session = session(&g);
    assert_eq!(session.run(a.scalar(), feeds![x => 2.0]).unwrap(), 2.0);
    let any = abeyance::graph::AnyTensor::from(tuple);
    let error = session.run(any, feeds![x => 2.0]).unwrap_err();
    insta::assert_snapshot!(readable(&error));
    let x_ = any.item(1);
    assert_eq!(x_.to_string(), "item : f32[]");
    any.item(2);
    x_.item(0);
    insta::assert_snapshot!(mistakes(&g));
}

#[test]
fn a_loop_prints_with_its_bodies() {
    let g = Graph::named("powers");
    let x = g.placeholder::<f32>("x", dims![_]);
    let limit = g.placeholder::<f32>("limit", dims![]);
    let (_, y) = g.while_loop_at_most(
        100,
        (g.constant(0i64).named("i"), x),
        |(_, x)| x.reduce_max(..).less(limit),
        |(i, x)| (i + 1, x * x),
    );
    y.reduce_sum(..).named("loss");
    insta::assert_snapshot!(g.to_string());
    round_trip(&g);
}

// ---- training -----------------------------------------------------------------------------------

/// Sums of two numbers, bit by bit from the lowest: `[T, N, 2]` and `[T, N, 1]`.
fn sums(length: usize, count: usize, seed: u64) -> (Array3<f32>, Array3<f32>) {
    let bits = numbers(length * count * 2, seed);
    let x = Array3::from_shape_fn((length, count, 2), |(t, n, i)| {
        f32::from(u8::from(bits[(t * count + n) * 2 + i] > 0.0))
    });
    let mut y = Array3::zeros((length, count, 1));
    for n in 0..count {
        let mut carry = 0.0;
        for t in 0..length {
            let sum = x[[t, n, 0]] + x[[t, n, 1]] + carry;
            y[[t, n, 0]] = sum % 2.0;
            carry = (sum / 2.0).floor();
        }
    }
    (x, y)
}

struct Adder<'g> {
    x: Tensor<'g, f32>,
    y_: Tensor<'g, f32>,
    loss: Scalar<'g, f32>,
    accuracy: Scalar<'g, f32>,
    train_step: Operation<'g>,
}

/// A recurrent network that adds.
fn adder(g: &Graph) -> Adder<'_> {
    const HIDDEN: usize = 12;
    let x = g.placeholder::<f32>("x", dims!["T", "N", 2]);
    let y_ = g.placeholder::<f32>("y_", dims!["T", "N", 1]);
    let wx = g.variable("wx", truncated_normal(dims![2, HIDDEN], 0.0, 0.5));
    let wh = g.variable("wh", truncated_normal(dims![HIDDEN, HIDDEN], 0.0, 0.3));
    let b = g.variable("b", zeros(dims![HIDDEN]));
    let wy = g.variable("wy", truncated_normal(dims![HIDDEN, 1], 0.0, 0.3));
    let by = g.variable("by", zeros(dims![1]));
    let h0 = g.zeros::<f32>(dims![x.dim(1), HIDDEN]);
    let (_, logits) = g.scan(h0, x, |h, x| {
        let h = (x.matmul(wx) + h.matmul(wh) + b).tanh();
        (h, h.matmul(wy) + by)
    });
    let loss = logits.sigmoid_cross_entropy(y_).reduce_mean(..);
    let accuracy = logits.greater(0.0).equal(y_.greater(0.5)).cast::<f32>().reduce_mean(..);
    let train_step = Adam::new(0.01).minimize(loss);
    Adder { x, y_, loss, accuracy, train_step }
}

#[test]
fn a_recurrent_cell_learns_to_add_through_time() {
    let g = Graph::new();
    let net = adder(&g);
    let session = session(&g);
    for step in 0..600 {
        let (x, y) = sums(8, 64, step);
        session.run(net.train_step, feeds![net.x => &x, net.y_ => &y]).unwrap();
    }
    // Longer numbers than any it was trained on.
    let (x, y) = sums(20, 200, 1_000_000);
    let (accuracy, loss) =
        session.run((net.accuracy, net.loss), feeds![net.x => &x, net.y_ => &y]).unwrap();
    assert!(accuracy > 0.999, "accuracy {accuracy}, loss {loss}");
}

#[test]
fn training_through_time_gives_the_same_bits_on_1_2_3_and_8_threads() {
    let train = |threads: usize| -> Vec<u32> {
        let g = Graph::new();
        let net = adder(&g);
        let session = Session::with_options(&g, SessionOptions::new().threads(threads)).unwrap();
        let loss = |step| {
            let (x, y) = sums(6, 40, step);
            let fetches = (net.loss, net.train_step);
            let (loss, ()) = session.run(fetches, feeds![net.x => &x, net.y_ => &y]).unwrap();
            loss.to_bits()
        };
        (0..40).map(loss).collect()
    };
    let one = train(1);
    assert!(f32::from_bits(one[39]) < f32::from_bits(one[0]));
    for threads in [2, 3, 8] {
        assert_eq!(one, train(threads), "{threads} threads");
    }
}

// ---- text ---------------------------------------------------------------------------------------

/// The error of a text.
fn refused(text: &str) -> String {
    Graph::parse(text).unwrap_err().to_string()
}

#[test]
fn bodies_nested_without_end_are_a_mistake() {
    for count in [33, 100_000] {
        let open = "then b {\nx = input : f32[]\n".repeat(count);
        let text = format!("graph g {{\nforward {{\n{open}");
        let message = refused(&text);
        assert!(message.contains("bodies are nested more than 32 deep"), "{message}");
    }
    // As deep as may be, and no deeper.
    for (depth, fine) in [(32, true), (33, false)] {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![]);
        fn nest<'g>(x: Tensor<'g, f32>, depth: usize) -> Tensor<'g, f32> {
            match depth {
                0 => x.exp(),
                _ => x.graph().cond(true, x, |x| nest(x, depth - 1), |x| x),
            }
        }
        let y = nest(x, depth);
        if fine {
            gradients(y, [x]);
            round_trip(&g);
            assert_eq!(session(&g).run(y.scalar(), feeds![x => 0.0]).unwrap(), 1.0);
        } else {
            assert!(mistakes(&g).contains("is nested more than 32 deep"))
        }
    }
}

#[test]
fn mistakes_in_the_text_of_bodies_are_named_by_line() {
    let text = "graph g {
  forward {
    p = placeholder : bool[]
    x = placeholder : f32[N]
    then cond/then {
      x = input : f32[N]
      y = mul(x, z) : f32[N]
      return y
    }
    else cond/else {
      x = input : f32[N]
    }
    a = cond(p, x) : f32[N]
    b = add(a, x) : f32[N]
    body scan/body {
      x = input : f32[N]
      return x
    }
    c = exp(x) : f32[N]
    d = input : f32[N]
    while w {
      x = input : f32[N]
      v = variable initial=zeros : f32[3]
      return x
      return x, v
    }
  }
}";
    insta::assert_snapshot!(refused(text));
    let open = "graph g {\n  forward {\n    then cond/then {\n      x = input : f32[N]";
    insta::assert_snapshot!(refused(open));
    let short = "graph g {
  forward {
    p = placeholder : bool[]
    x = placeholder : f32[2]
    then cond/then {
      x = input : f32[3]
      return x
    }
    else cond/else {
      x = input : f32[2]
      return x
    }
    y = cond(p, x) : f32[2]
    z = cond(p, x) : f32[2]
  }
}";
    insta::assert_snapshot!(refused(short));
}

#[test]
fn a_text_with_bodies_that_is_cut_or_changed_is_refused_or_read_but_never_breaks() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims!["T", 2]);
    let w = g.variable("w", zeros(dims![2]));
    let (y, z) = g.scan(g.zeros::<f32>(dims![2]), x, |h, x| {
        let h = h.graph().cond(x.reduce_sum(..).less(0.0), h, |h| h * w, |h| h + x);
        (h, h.tanh())
    });
    let loop_ = g.while_loop(y, |y| y.reduce_sum(..).less(1.0), |y| y * w + 1.0);
    gradients(loop_.reduce_sum(..) + z.reduce_sum(..), [w]);
    let text = round_trip(&g).to_string();
    assert!(text.contains(" = while_gradient("));
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        // Without a line, with a line twice, cut off, with another number in it.
        let without = [&lines[..at], &lines[at + 1..]].concat().join("\n");
        let twice = [&lines[..=at], &lines[at..]].concat().join("\n");
        let cut = lines[..at].join("\n");
        let mut other = lines.clone();
        let changed = lines[at].replace(['0', '1', '2'], "7");
        other[at] = &changed;
        for text in [without, twice, cut, other.join("\n")] {
            if let Ok(graph) = Graph::parse(&text) {
                let _ = graph.to_string();
                let _ = Session::new(&graph);
            }
        }
    }
}

#[test]
fn bodies_with_many_unknown_dimensions_take_memory_in_proportion() {
    let names: Vec<String> =
        (0..30_000).map(|n| format!("x{n} = placeholder : f32[S{n}]\n")).collect();
    let bodies = "then b {\nx = input : f32[]\nreturn x\n}\nelse b {\nx = input : f32[]\nreturn x\n}\ny = cond(p, q) : f32[]\n";
    let bodies: String = (0..100).map(|n| bodies.replace("y =", &format!("y{n} ="))).collect();
    let head = "graph g {\nforward {\np = placeholder : bool[]\nq = placeholder : f32[]\n";
    let message = refused(&format!("{head}{}{bodies}}}\n}}", names.concat()));
    assert!(
        message.contains("too many bodies, with too many dimensions of unknown size"),
        "{message}"
    );
    assert!(Graph::parse(&format!("{head}{bodies}}}\n}}")).is_ok());
}
