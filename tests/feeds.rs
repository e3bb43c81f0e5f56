//! Feeds and fetches: values that go into a run and come out of it.

use abeyance::prelude::*;
use abeyance::session::{Feed, TensorRef, Value};
use ndarray::{Array2, ArrayD, Axis, IxDyn, array, s};

fn session(graph: &Graph) -> Session {
    let options = SessionOptions::new().threads(1);
    Session::with_options(graph, options).unwrap_or_else(|error| panic!("{error}"))
}

/// The elements in row-major order.
fn list<T: Clone>(array: &ArrayD<T>) -> Vec<T> {
    array.iter().cloned().collect()
}

// ---- what can be fed ----------------------------------------------------------------------------

#[test]
fn a_placeholder_has_the_value_that_is_fed() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let double = x * 2.0;
    let session = session(&g);
    let fed = array![[1.0, 2.0], [3.0, 4.0]];
    let (same, double) = session.run((x, double), feeds![x => &fed]).unwrap();
    assert_eq!(same, fed.clone().into_dyn());
    assert_eq!(double, (fed * 2.0).into_dyn());
}

#[test]
fn an_intermediate_tensor_that_is_fed_cuts_off_what_it_is_computed_from() {
    let g = Graph::new();
    let x = g.placeholder::<i32>("x", dims![_]);
    let quotient = g.constant(1) / x;
    let sum = quotient + 10;
    let session = session(&g);
    // The placeholder is not needed, and nothing is divided.
    assert_eq!(list(&session.run(sum, feeds![quotient => &[5, 6]]).unwrap()), [15, 16]);
    // Fed though what it is computed from is fed too, and cannot be computed.
    let feeds = feeds![x => &[0, 0], quotient => &[5, 6]];
    assert_eq!(list(&session.run(sum, feeds).unwrap()), [15, 16]);
    assert!(session.run(sum, feeds![x => &[0, 0]]).is_err());
}

#[test]
fn sizes_come_from_whatever_is_fed() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let flat = x.reshape(dims![_]);
    let rows = g.ones::<f32>(dims![x.dim(0)]).reduce_sum(..);
    let mean = (flat * 2.0).reduce_mean(..);
    let session = session(&g);
    // Only the value before the mean is fed; the number of rows is not needed for it.
    assert_eq!(session.run(mean, feeds![flat => &[1.0, 3.0]]).unwrap(), 4.0);
    // The number of rows is not known from that.
    assert!(session.run(rows, feeds![flat => &[1.0, 3.0]]).is_err());
    let four = Array2::<f32>::zeros((4, 3));
    assert_eq!(session.run(rows, feeds![x => &four]).unwrap(), 4.0);
}

#[test]
fn variables_constants_and_assignments_can_be_fed() {
    let g = Graph::new();
    let w = g.variable("w", 2.0f32);
    let three = g.constant(3.0f32);
    let product = (w * three).scalar();
    let grown = w.assign_add(1.0);
    let further = (grown * 10.0).scalar();
    let session = session(&g);
    assert_eq!(session.run(product, feeds![w => 5.0]).unwrap(), 15.0);
    assert_eq!(session.run(product, feeds![three => 4.0]).unwrap(), 8.0);
    // A write that is fed is not done.
    assert_eq!(session.run(further, feeds![grown => 7.0]).unwrap(), 70.0);
    assert_eq!(session.step(), 0);
    // One that starts from a fed value writes what comes of it.
    assert_eq!(session.run(further, feeds![w => 7.0]).unwrap(), 80.0);
    assert_eq!(session.variable::<f32>("w").unwrap()[[]], 8.0);
    assert_eq!(session.step(), 1);
}

#[test]
fn a_placeholder_with_a_default_need_not_be_fed() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let keep = g.placeholder_with_default("keep", 1.0f32);
    let other = g.placeholder_with_default("other", x * 2.0);
    let y = other * keep;
    let session = session(&g);
    let x_ = [1.0, 2.0];
    assert_eq!(list(&session.run(y, feeds![x => &x_]).unwrap()), [2.0, 4.0]);
    assert_eq!(list(&session.run(y, feeds![x => &x_, keep => 0.5]).unwrap()), [1.0, 2.0]);
    // The default is not needed any more, nor what it is computed from.
    assert_eq!(list(&session.run(y, feeds![other => &[7.0]]).unwrap()), [7.0]);
}

#[test]
fn a_feed_that_nothing_needs_is_accepted() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let y = g.placeholder::<f32>("y", dims![_]);
    let sum = x.reduce_sum(..);
    let _ = y.reduce_sum(..);
    let session = session(&g);
    let feeds = feeds![y => &[9.0; 7], x => &[1.0, 2.0]];
    assert_eq!(session.run(sum, feeds).unwrap(), 3.0);
    // One that does not fit its tensor is refused all the same.
    let feeds = feeds![y => 1.0, x => &[1.0, 2.0]];
    assert!(session.run(sum, feeds).is_err());
}

#[test]
fn the_order_of_feeds_changes_nothing() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let y = g.placeholder::<f32>("y", dims![_]);
    let z = g.placeholder::<f32>("z", dims![]);
    let all = x * z - y;
    let session = session(&g);
    let (a, b) = ([1.0, 2.0], [10.0, 20.0]);
    let orders = [
        feeds![x => &a, y => &b, z => 3.0],
        feeds![z => 3.0, y => &b, x => &a],
        feeds![y => &b, x => &a, z => 3.0],
    ];
    for feeds in orders {
        for _ in 0..2 {
            assert_eq!(list(&session.run(all, &feeds).unwrap()), [-7.0, -14.0]);
        }
    }
}

// ---- as what it can be fed ----------------------------------------------------------------------

#[test]
fn numbers_slices_vectors_arrays_and_views_are_fed_alike() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let n = g.placeholder::<f32>("n", dims![]);
    let y = x * n;
    let session = session(&g);
    let vector = vec![1.0f32, 2.0, 3.0];
    let owned = array![1.0f32, 2.0, 3.0];
    let dynamic = owned.clone().into_dyn();
    let shared = owned.to_shared();
    let run = |feed: Feed<'_>| {
        let result = session.run(y, [feed, Feed::new(n, 2.0)]);
        list(&result.unwrap_or_else(|error| panic!("{error}")))
    };
    let expected = [2.0, 4.0, 6.0];
    assert_eq!(run(Feed::new(x, &[1.0, 2.0, 3.0])), expected);
    assert_eq!(run(Feed::new(x, &vector[..])), expected);
    assert_eq!(run(Feed::new(x, &vector)), expected);
    assert_eq!(run(Feed::new(x, &owned)), expected);
    assert_eq!(run(Feed::new(x, owned.view())), expected);
    assert_eq!(run(Feed::new(x, &owned.view())), expected);
    assert_eq!(run(Feed::new(x, &dynamic)), expected);
    assert_eq!(run(Feed::new(x, &shared)), expected);
    // A view outlives the array it was taken from in name only.
    let view = { dynamic.view() };
    assert_eq!(run(Feed::new(x, view)), expected);
    // An array without dimensions is a number.
    let number = ndarray::arr0(2.0f32);
    assert_eq!(list(&session.run(y, feeds![x => &owned, n => &number]).unwrap()), expected);
}

#[test]
fn views_that_are_not_in_row_major_order_are_fed_as_they_read() {
    let g = Graph::new();
    let x = g.placeholder::<i64>("x", dims![_, _]);
    let y = x + 0;
    let session = session(&g);
    let base = Array2::from_shape_fn((6, 5), |(row, column)| (10 * row + column) as i64);
    let mut backwards = base.view();
    backwards.invert_axis(Axis(0));
    let mut in_columns = Array2::zeros(ndarray::ShapeBuilder::f((6, 5)));
    in_columns.assign(&base);
    let views = [
        base.t(),
        base.slice(s![1..4, ..]),
        base.slice(s![.., 1..3]),
        base.slice(s![..;2, ..;3]),
        base.slice(s![..;-1, ..]),
        backwards,
        in_columns.view(),
        in_columns.t(),
    ];
    for view in views {
        let expected = view.to_owned().into_dyn();
        assert_eq!(session.run(y, feeds![x => view]).unwrap(), expected);
        assert_eq!(session.run(y, feeds![x => &view]).unwrap(), expected);
        assert_eq!(session.run(x, feeds![x => view]).unwrap(), expected);
    }
    // A row repeated without being copied.
    let row = array![1i64, 2, 3];
    let repeated = row.broadcast((4, 3)).unwrap();
    let back = session.run(y, feeds![x => &repeated]).unwrap();
    assert_eq!(back, repeated.to_owned().into_dyn());
}

#[test]
fn every_element_type_goes_in_and_comes_out_again() {
    let g = Graph::new();
    let a = g.placeholder::<f32>("a", dims![_]);
    let b = g.placeholder::<f64>("b", dims![_]);
    let c = g.placeholder::<i32>("c", dims![_]);
    let d = g.placeholder::<i64>("d", dims![_]);
    let e = g.placeholder::<u8>("e", dims![_]);
    let f = g.placeholder::<bool>("f", dims![_]);
    let h = g.placeholder::<bool>("h", dims![]);
    let not = f.logical_not();
    let session = session(&g);
    let feeds = feeds![
        a => &[1.5, f32::NAN], b => &[f64::MIN, -0.0], c => &[i32::MIN, i32::MAX],
        d => &[i64::MIN, i64::MAX], e => &[0, 255], f => &[true, false], h => true
    ];
    let all = session.run((a, b, c, d, e, (f, not, h.scalar())), &feeds).unwrap();
    assert_eq!(all.0[0], 1.5);
    assert!(all.0[1].is_nan());
    assert_eq!(all.1[0], f64::MIN);
    assert!(all.1[1].is_sign_negative());
    assert_eq!(list(&all.2), [i32::MIN, i32::MAX]);
    assert_eq!(list(&all.3), [i64::MIN, i64::MAX]);
    assert_eq!(list(&all.4), [0, 255]);
    assert_eq!(list(&all.5.0), [true, false]);
    assert_eq!(list(&all.5.1), [false, true]);
    assert!(all.5.2);
}

#[test]
fn a_batch_may_be_empty() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let w = g.variable("w", ones(dims![3, 2]));
    let y = x.matmul(w);
    let (sum, mean) = (y.reduce_sum(..), y.reduce_mean(..));
    let session = session(&g);
    let nothing = Array2::<f32>::zeros((0, 3));
    let (same, y, sum, mean) = session.run((x, y, sum, mean), feeds![x => &nothing]).unwrap();
    assert_eq!((same.shape(), y.shape()), (&[0, 3][..], &[0, 2][..]));
    assert_eq!(sum, 0.0);
    assert!(mean.is_nan());
    let empty: &[f32] = &[];
    let column = g.placeholder::<f32>("column", dims![_]);
    let session = self::session(&g);
    let back = session.run(column, feeds![column => empty]).unwrap();
    assert_eq!(back.shape(), [0]);
}

#[test]
fn batches_of_different_sizes_each_have_a_plan() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 3]);
    let centred = x - x.reduce_mean(0);
    let session = session(&g);
    for round in 0..3 {
        for rows in [1, 7, 0, 64, 7, 2, 1000, 1] {
            let batch = Array2::from_shape_fn((rows, 3), |(i, j)| (i * 3 + j + round) as f64);
            let result = session.run(centred, feeds![x => &batch]).unwrap();
            assert_eq!(result.shape(), [rows, 3]);
            if let Some(mean) = batch.mean_axis(Axis(0)) {
                assert_eq!(result, (batch - mean).into_dyn());
            }
        }
    }
}

// ---- what can be fetched ------------------------------------------------------------------------

#[test]
fn a_placeholder_a_variable_and_a_constant_are_fetched_as_they_are() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let w = g.variable("w", array![[1.0f32, 2.0]]);
    let c = g.constant_array(&array![[3i64], [4]]);
    let filled = g.fill(dims![x.dim(0), 2], true);
    let number = g.constant(7u8);
    let session = session(&g);
    let (x, w, c, filled, number) =
        session.run((x, w, c, filled, number), feeds![x => &[5.0, 6.0]]).unwrap();
    assert_eq!(list(&x), [5.0, 6.0]);
    assert_eq!(w, array![[1.0, 2.0]].into_dyn());
    assert_eq!(c, array![[3], [4]].into_dyn());
    assert_eq!(filled, array![[true, true], [true, true]].into_dyn());
    assert_eq!(number, 7);
}

#[test]
fn the_same_tensor_may_be_fetched_twice_and_under_several_names_of_its_memory() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let y = x * 2.0;
    let flat = y.reshape(dims![_]);
    let identity = y.expand_dims(0);
    let session = session(&g);
    let (first, flat, again, wide, fed) =
        session.run((y, flat, y, identity, x), feeds![x => &array![[1.0, 2.0]]]).unwrap();
    assert_eq!(first, array![[2.0, 4.0]].into_dyn());
    assert_eq!(again, first);
    assert_eq!(list(&flat), [2.0, 4.0]);
    assert_eq!(wide.shape(), [1, 1, 2]);
    assert_eq!(fed, array![[1.0, 2.0]].into_dyn());
}

#[test]
fn fetches_come_back_in_the_form_in_which_they_were_asked_for() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let sum = x.reduce_sum(..);
    let length = x.size::<f32>();
    let index = x.argmax(0);
    let counted = g.state("count", 0i64);
    let count = counted.assign_add(1);
    let nothing = g.no_op();
    let both = g.group([nothing, count.into()]);
    let session = session(&g);
    let feeds = feeds![x => &[1.0, 5.0, 3.0]];

    // One alone, in a tuple, and behind a reference.
    let alone: f32 = session.run(sum, &feeds).unwrap();
    let (tuple,): (f32,) = session.run((sum,), &feeds).unwrap();
    let reference: f32 = session.run(&sum, &feeds).unwrap();
    assert_eq!((alone, tuple, reference), (9.0, 9.0, 9.0));
    // Arrays and vectors of fetches of one kind.
    let [a, b]: [f32; 2] = session.run([sum, length], &feeds).unwrap();
    assert_eq!((a, b), (9.0, 3.0));
    let vector: Vec<f32> = session.run(vec![length, sum, sum], &feeds).unwrap();
    assert_eq!(vector, [3.0, 9.0, 9.0]);
    let none: Vec<f32> = session.run(Vec::<Scalar<f32>>::new(), &feeds).unwrap();
    assert!(none.is_empty());
    // Nested, with operations between, which give nothing.
    let ((sum_, ()), [[inner]], list) =
        session.run(((sum, nothing), [[length]], vec![(x, both)]), &feeds).unwrap();
    assert_eq!((sum_, inner), (9.0, 3.0));
    assert_eq!(list[0].0.len(), 3);
    assert_eq!(session.variable::<i64>("count").unwrap()[[]], 1);
    // Tensors of any type.
    let any: Vec<AnyTensor<'_>> = vec![x.into(), index.into(), sum.into(), count.into()];
    let values: Vec<Value> = session.run(any, &feeds).unwrap();
    let number = |shape: &[usize], value| ArrayD::from_elem(IxDyn(shape), value);
    assert_eq!(
        values,
        [
            Value::F32(array![1.0, 5.0, 3.0].into_dyn()),
            Value::I64(number(&[], 1)),
            Value::F32(ArrayD::from_elem(IxDyn(&[]), 9.0)),
            Value::I64(number(&[], 2)),
        ]
    );
    // Eight in a tuple, fifty in a vector.
    let eight = (sum, sum, sum, sum, sum, sum, sum, nothing);
    assert_eq!(session.run(eight, &feeds).unwrap().6, 9.0);
    let fifty = session.run(vec![sum; 50], &feeds).unwrap();
    assert_eq!(fifty, [9.0; 50]);
}

// ---- into place, and prepared -------------------------------------------------------------------

#[test]
fn run_into_fills_what_is_there_and_replaces_what_does_not_fit() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let y = x * 2.0;
    let sum = y.reduce_sum(..);
    let session = session(&g);
    let (small, large) = (array![[1.0, 2.0]], array![[1.0, 2.0], [3.0, 4.0]]);
    let mut out = session.run((y, sum), feeds![x => &large]).unwrap();
    let place = out.0.as_ptr();
    session.run_into((y, sum), feeds![x => &(&large + 1.0)], &mut out).unwrap();
    assert_eq!(out.0, array![[4.0, 6.0], [8.0, 10.0]].into_dyn());
    assert_eq!((out.0.as_ptr(), out.1), (place, 28.0));
    // Another shape.
    session.run_into((y, sum), feeds![x => &small], &mut out).unwrap();
    assert_eq!((out.0.shape(), out.1), (&[1, 2][..], 6.0));
    // As many elements under another shape, or in another order, are filled or replaced; the value
    // is the same.
    for mut other in [
        ArrayD::zeros(IxDyn(&[4])),
        ArrayD::zeros(IxDyn(&[1, 4, 1])),
        Array2::zeros((2, 2)).reversed_axes().into_dyn(),
        ArrayD::zeros(IxDyn(&[0])),
    ] {
        session.run_into(y, feeds![x => &large], &mut other).unwrap();
        assert_eq!(other, array![[2.0, 4.0], [6.0, 8.0]].into_dyn());
    }
    // Vectors grow and shrink to what was asked for.
    let mut list = vec![0.0; 5];
    session.run_into(vec![sum, sum], feeds![x => &small], &mut list).unwrap();
    assert_eq!(list, [6.0, 6.0]);
    list.clear();
    session.run_into(vec![sum, sum], feeds![x => &large], &mut list).unwrap();
    assert_eq!(list, [20.0, 20.0]);
}

#[test]
fn run_into_leaves_what_is_there_if_the_run_fails() {
    let g = Graph::new();
    let x = g.placeholder::<i32>("x", dims![_]);
    let quotient = g.constant(12) / x;
    let double = x * 2;
    let session = session(&g);
    let mut out = session.run((double, quotient), feeds![x => &[3, 4]]).unwrap();
    let before = out.clone();
    session.run_into((double, quotient), feeds![x => &[5, 0]], &mut out).unwrap_err();
    assert_eq!(out, before);
}

#[test]
fn a_prepared_call_takes_feeds_of_any_shape_that_fits() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let scale = g.placeholder_with_default("scale", 2.0f32);
    let y = x * scale;
    let session = session(&g);
    let call = session.prepare((y, y.reduce_sum(..)));
    assert!(call.is_err(), "the sum was made after the session");
    let call = session.prepare(y).unwrap();
    let run = |feeds: &[Feed<'_>]| list(&call.run(feeds).unwrap());
    for _ in 0..2 {
        assert_eq!(run(&feeds![x => &[1.0, 2.0]]), [2.0, 4.0]);
        assert_eq!(run(&feeds![x => &[1.0]]), [2.0]);
        assert_eq!(run(&feeds![x => &[1.0, 2.0], scale => 3.0]), [3.0, 6.0]);
        assert_eq!(run(&feeds![scale => 3.0, x => &[1.0, 2.0]]), [3.0, 6.0]);
        // Not what fits, and then what does.
        assert!(call.run(feeds![x => 1.0]).is_err());
        assert!(call.run([]).is_err());
    }
    let mut out = ArrayD::zeros(IxDyn(&[2]));
    let place = out.as_ptr();
    call.run_into(feeds![x => &[7.0, 8.0]], &mut out).unwrap();
    assert_eq!((list(&out), out.as_ptr()), (vec![14.0, 16.0], place));
    call.run_into(feeds![x => &[7.0; 3]], &mut out).unwrap();
    assert_eq!(list(&out), [14.0; 3]);
}

#[test]
fn one_prepared_call_may_be_used_by_many_threads_at_shapes_of_their_own() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let sum = x.reduce_sum(..);
    let session = session(&g);
    let (call, x) = (session.prepare(sum).unwrap(), TensorRef::from(x));
    std::thread::scope(|scope| {
        for thread in 1..=4usize {
            let call = &call;
            scope.spawn(move || {
                for round in 0..200 {
                    let fed = vec![round as f32; thread * 10];
                    let expected = (round * thread * 10) as f32;
                    assert_eq!(call.run(feeds![x => &fed]).unwrap(), expected);
                }
            });
        }
    });
}

#[test]
fn a_session_owns_what_it_needs() {
    fn assert_send_and_sync<T: Send + Sync + 'static>(value: T) -> T {
        value
    }
    let (session, name) = {
        let g = Graph::new();
        let w = g.variable("w", 3.0f32);
        let name = w.name();
        (assert_send_and_sync(session(&g)), name)
    };
    assert_eq!(session.variable::<f32>(&name).unwrap()[[]], 3.0);
    // Its tensors are there without the graph.
    let w = session.tensor_ref::<f32>(&name).unwrap();
    let call = session.prepare(w).unwrap();
    assert_eq!(session.run(w, []).unwrap()[[]], 3.0);
    assert_eq!(call.run(feeds![w => 4.0]).unwrap()[[]], 4.0);
    // A copy of the graph that is read back has handles of its own for a session of its own.
    let g = Graph::parse(
        "graph g {\n  forward {\n    x = placeholder : f32[N]\n    y = exp(x) : f32[N]\n  }\n}\n",
    )
    .unwrap();
    let (x, y) = (g.tensor::<f32>("x").unwrap(), g.tensor::<f32>("y").unwrap());
    let y = self::session(&g).run(y, feeds![x => &[0.0]]).unwrap();
    assert_eq!(list(&y), [1.0]);
}
