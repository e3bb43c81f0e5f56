//! Elements by their places: gather and scatter, cumulative sums and products, order, diagonals.
//! Values against plain loops.

use abeyance::prelude::*;
use abeyance::session::Error;
use abeyance::session::{Decode, Fetch};
use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn, arr1, arr2};

mod differences;

const NAN: f64 = f64::NAN;

fn array<T: Clone>(dims: &[usize], values: &[T]) -> ArrayD<T> {
    ArrayD::from_shape_vec(IxDyn(dims), values.to_vec()).unwrap()
}

fn counting(dims: &[usize]) -> ArrayD<f64> {
    let len: usize = dims.iter().product();
    array(dims, &(0..len).map(|i| i as f64).collect::<Vec<_>>())
}

fn run<F: Fetch>(g: &Graph, fetch: F) -> Result<<F::Decoder as Decode>::Output, Error> {
    Session::new(g).unwrap_or_else(|error| panic!("{error}")).run(fetch, [])
}

#[test]
fn gather_along_every_axis_is_ndarrays_select() {
    let x = counting(&[3, 4, 2]);
    for (axis, indices) in [(0, vec![2, 0, 2]), (1, vec![3, 3]), (2, vec![1]), (1, vec![])] {
        let g = Graph::new();
        let at =
            g.constant_array(&Array1::from(indices.iter().map(|&i| i as i32).collect::<Vec<_>>()));
        let t = g.constant_array(&x);
        let y = run(&g, (t.gather_along(at, axis), t.gather_along(at, axis - 3))).unwrap();
        let wanted = x.select(Axis(axis as usize), &indices);
        assert_eq!(y, (wanted.clone(), wanted));
    }
    // Indices of two dimensions stand in place of the axis.
    let g = Graph::new();
    let at = g.constant_array(&arr2(&[[0i64, 1], [3, 2]]));
    let y = run(&g, g.constant_array(&x).gather_along(at, 1)).unwrap();
    assert_eq!(y.shape(), [3, 2, 2, 2]);
    assert_eq!(y[[1, 1, 0, 1]], x[[1, 3, 1]]);
}

#[test]
fn an_embedding_learns_only_the_rows_that_were_looked_up() {
    let g = Graph::new();
    let table = g.variable("table", ones(dims![5, 2]));
    let ids = g.placeholder::<i32>("ids", dims![_]);
    let rows = table.embedding_lookup(ids);
    let loss: Scalar<'_, f32> = rows.reduce_sum(..);
    let [slope] = gradients(loss, [table]);
    let session = Session::new(&g).unwrap();
    let slope = session.run(slope, feeds![ids => &[3, 1, 3]]).unwrap();
    assert_eq!(slope, array(&[5, 2], &[0f32, 0., 1., 1., 0., 0., 2., 2., 0., 0.]));
    let error = session.run(rows, feeds![ids => &[0, 5]]).unwrap_err().to_string();
    assert!(error.contains("index 5 at position 1 is not below 5"), "{error}");
    let error = session.run(rows, feeds![ids => &[-1]]).unwrap_err().to_string();
    assert!(error.contains("index -1 at position 0 is not below 5"), "{error}");
}

#[test]
fn gather_nd_takes_elements_rows_and_whole_tensors() {
    let x = counting(&[2, 3, 4]);
    let g = Graph::new();
    let t = g.constant_array(&x);
    let elements = t.gather_nd(g.constant_array(&arr2(&[[0i64, 2, 3], [1, 0, 1]])));
    let rows = t.gather_nd(g.constant_array(&arr2(&[[1i32, 2], [0, 0]])));
    let one = t.gather_nd(g.constant_array(&arr1(&[1i32])));
    let all = t.gather_nd(g.constant_array(&Array2::<i64>::zeros((2, 0))));
    let none = t.gather_nd(g.constant_array(&Array2::<i64>::zeros((0, 2))));
    let (elements, rows, one, all, none) = run(&g, (elements, rows, one, all, none)).unwrap();
    assert_eq!(elements, array(&[2], &[11.0, 13.0]));
    assert_eq!(rows, array(&[2, 4], &[20., 21., 22., 23., 0., 1., 2., 3.]));
    assert_eq!(one, x.index_axis(Axis(0), 1));
    assert_eq!(all.shape(), [2, 2, 3, 4]);
    assert_eq!(all.index_axis(Axis(0), 1), x);
    assert_eq!(none.shape(), [0, 4]);
}

#[test]
fn scatter_nd_adds_where_coordinates_meet() {
    // TensorFlow's documentation of `tf.scatter_nd`.
    let g = Graph::new();
    let at = g.constant_array(&arr2(&[[4], [3], [1], [7]]));
    let updates = g.constant_array(&arr1(&[9, 10, 11, 12]));
    let y = updates.scatter_nd(at, dims![8]);
    let twice = g.constant_array(&arr2(&[[0i64, 1], [0, 1], [1, 0]]));
    let z = g.constant_array(&arr1(&[1.0, 2.0, 4.0])).scatter_nd(twice, dims![2, 2]);
    let (y, z) = run(&g, (y, z)).unwrap();
    assert_eq!(y, array(&[8], &[0, 11, 0, 10, 9, 0, 0, 12]));
    assert_eq!(z, array(&[2, 2], &[0.0, 3.0, 4.0, 0.0]));
}

#[test]
fn coordinates_out_of_range_are_named() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 3]);
    let at = g.placeholder::<i64>("at", dims![_, 2]);
    let y = x.gather_nd(at);
    let [slope] = gradients(y.reduce_sum(..), [x]);
    let session = Session::new(&g).unwrap();
    let fed = counting(&[2, 3]);
    let (y_, slope) =
        session.run((y, slope), feeds![x => &fed, at => &arr2(&[[1, 2], [1, 2]])]).unwrap();
    assert_eq!(y_, array(&[2], &[5.0, 5.0]));
    assert_eq!(slope, array(&[2, 3], &[0., 0., 0., 0., 0., 2.]));
    // 0·3 + 5 is an element, but not that of these coordinates.
    let error =
        session.run(y, feeds![x => &fed, at => &arr2(&[[0, 0], [0, 5]])]).unwrap_err().to_string();
    assert!(
        error.contains("index 5 at position 1 is not below 3, the size of dimension 1"),
        "{error}"
    );
}

#[test]
fn take_along_axis_is_numpys() {
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[10, 11, 12], [20, 21, 22]]));
    let rows = x.take_along_axis(g.constant_array(&arr2(&[[2i64, 0], [1, 1]])), 1);
    let columns = x.take_along_axis(g.constant_array(&arr2(&[[1, 0, 1]])), 0);
    let (rows, columns) = run(&g, (rows, columns)).unwrap();
    assert_eq!(rows, array(&[2, 2], &[12, 10, 21, 21]));
    assert_eq!(columns, array(&[1, 3], &[20, 11, 22]));
}

/// The definition: all elements before each, and itself unless exclusive.
fn cumulative(
    x: &ArrayD<f64>,
    axis: usize,
    exclusive: bool,
    reverse: bool,
    product: bool,
) -> ArrayD<f64> {
    let n = x.shape()[axis];
    ArrayD::from_shape_fn(x.raw_dim(), |at| {
        let own = at[axis];
        let range: Vec<usize> = match (reverse, exclusive) {
            (false, false) => (0..=own).collect(),
            (false, true) => (0..own).collect(),
            (true, false) => (own..n).rev().collect(),
            (true, true) => (own + 1..n).rev().collect(),
        };
        let values = range.into_iter().map(|i| {
            let mut at = at.clone();
            at[axis] = i;
            x[at]
        });
        if product { values.product() } else { values.fold(0.0, |a, b| a + b) }
    })
}

#[test]
fn cumulative_sums_and_products_are_those_of_the_definition() {
    let x = counting(&[2, 3, 4]).mapv(|v| v * 0.5 - 3.0);
    for axis in 0..3 {
        for (exclusive, reverse) in [(false, false), (false, true), (true, false), (true, true)] {
            let g = Graph::new();
            let t = g.constant_array(&x);
            let (sum, product) = run(
                &g,
                (
                    t.cumsum_with(
                        axis,
                        CumulativeOptions::new().exclusive(exclusive).reverse(reverse),
                    ),
                    t.cumprod_with(
                        axis - 3,
                        CumulativeOptions::new().exclusive(exclusive).reverse(reverse),
                    ),
                ),
            )
            .unwrap();
            assert_eq!(sum, cumulative(&x, axis as usize, exclusive, reverse, false));
            assert_eq!(product, cumulative(&x, axis as usize, exclusive, reverse, true));
        }
    }
    let g = Graph::new();
    let wraps = g.constant_array(&arr1(&[200u8, 100])).cumsum(0);
    let empty = g.zeros::<f64>(dims![2, 0]).cumprod(1);
    let (wraps, empty) = run(&g, (wraps, empty)).unwrap();
    assert_eq!((wraps, empty.shape()), (array(&[2], &[200, 44]), &[2, 0][..]));
}

#[test]
fn the_gradient_of_cumprod_is_right_where_elements_are_0() {
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[2.0, 0.0, 3.0, 0.0, 5.0]));
    let [slope] = gradients(x.cumprod(0).reduce_sum(..), [x]);
    // 1 + x1 + x1 x2 + ..., x0 (1 + x2 + ...), and 0 behind the first 0.
    assert_eq!(run(&g, slope).unwrap(), array(&[5], &[1.0, 2.0 * (1.0 + 3.0), 0.0, 0.0, 0.0]));
    // What a mask leaves out stays out, whatever stands there.
    let x = g.constant_array(&arr1(&[2.0, f64::INFINITY, 3.0]));
    let [slope] = gradients(x.cumprod(0).strided_slice(slices![..1]).reduce_sum(..), [x]);
    assert_eq!(run(&g, slope).unwrap(), array(&[3], &[1.0, 0.0, 0.0]));
    for (exclusive, reverse) in [(false, false), (true, true)] {
        differences::check([(&[4, 2], &[0.5, 0.0, -1.5, 2.0, 0.0, 0.0, 1.0, -0.5])], |[x]| {
            x.cumprod_with(0, CumulativeOptions::new().exclusive(exclusive).reverse(reverse))
        });
    }
}

#[test]
fn order_is_total_and_stable() {
    let g = Graph::new();
    let x =
        g.constant_array(&arr1(&[2.0, NAN, -0.0, f64::INFINITY, 0.0, 2.0, f64::NEG_INFINITY, NAN]));
    let up: Tensor<'_, i64> = x.argsort_with(0, SortOptions::new());
    let down = x.argsort_with::<i32>(0, SortOptions::new().descending(true));
    let (values, places) = x.top_k(4);
    let sorted = x.sort(-1);
    let (up, down, values, places, sorted) = run(&g, (up, down, values, places, sorted)).unwrap();
    assert_eq!(up, array(&[8], &[6, 2, 4, 0, 5, 3, 1, 7]));
    assert_eq!(down, array(&[8], &[1, 7, 3, 0, 5, 2, 4, 6]));
    assert_eq!(places, array(&[4], &[1, 7, 3, 0]));
    assert!(values[0].is_nan() && values[1].is_nan());
    assert_eq!((values[2], values[3]), (f64::INFINITY, 2.0));
    assert_eq!(sorted[0], f64::NEG_INFINITY);
    assert!(sorted[1].is_sign_negative() && sorted[2].is_sign_positive());
    assert!(sorted[6].is_nan() && sorted[7].is_nan());
}

#[test]
fn sort_along_every_axis_and_of_every_type() {
    let x = ArrayD::from_shape_fn(IxDyn(&[3, 4, 5]), |at| {
        ((at[0] * 20 + at[1] * 5 + at[2]) * 7919 % 23) as i64
    });
    for axis in 0..3 {
        for descending in [false, true] {
            let g = Graph::new();
            let t = g.constant_array(&x);
            let places = t.argsort_with::<i64>(axis, SortOptions::new().descending(descending));
            let (found, again) = run(
                &g,
                (
                    t.sort_with(axis, SortOptions::new().descending(descending)),
                    t.take_along_axis(places, axis),
                ),
            )
            .unwrap();
            let mut wanted = x.clone();
            for mut lane in wanted.lanes_mut(Axis(axis as usize)) {
                let mut values = lane.to_vec();
                values.sort_unstable();
                if descending {
                    values.reverse();
                }
                lane.assign(&Array1::from(values));
            }
            assert_eq!(found, wanted);
            assert_eq!(again, wanted);
        }
    }
    let g = Graph::new();
    let bytes = g.constant_array(&arr1(&[3u8, 255, 0])).sort(0);
    let ints = g
        .constant_array(&arr1(&[3, i32::MIN, i32::MAX]))
        .sort_with(0, SortOptions::new().descending(true));
    let floats = g.constant_array(&arr1(&[1e-40f32, -1.0, 0.0])).sort(0);
    let none = g.zeros::<f32>(dims![0, 3]).sort(0);
    let (bytes, ints, floats, none) = run(&g, (bytes, ints, floats, none)).unwrap();
    assert_eq!(bytes, array(&[3], &[0, 3, 255]));
    assert_eq!(ints, array(&[3], &[i32::MAX, 3, i32::MIN]));
    assert_eq!(floats, array(&[3], &[-1.0, 0.0, 1e-40]));
    assert_eq!(none.shape(), [0, 3]);
}

#[test]
fn gradients_go_back_through_the_order() {
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[3.0, 1.0, 2.0], [5.0, 5.0, 4.0]]));
    let weights = g.constant_array(&arr1(&[1.0, 10.0, 100.0]));
    let [of_sort] = gradients((x.sort(1) * weights).reduce_sum(..), [x]);
    let (values, _) = x.top_k(2);
    let [of_top] = gradients((values * values).reduce_sum(..), [x]);
    let (of_sort, of_top) = run(&g, (of_sort, of_top)).unwrap();
    assert_eq!(of_sort, array(&[2, 3], &[100.0, 1.0, 10.0, 10.0, 100.0, 1.0]));
    assert_eq!(of_top, array(&[2, 3], &[6.0, 0.0, 4.0, 10.0, 10.0, 0.0]));
    let values = [0.5, -1.5, 2.0, 0.75, -0.25, 1.0];
    differences::check([(&[3, 2], &values)], |[x]| {
        x.sort_with(0, SortOptions::new().descending(true)) * x
    });
}

#[test]
fn top_k_of_a_fed_size() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2, _]);
    let (values, places) = x.top_k_as::<i64>(2);
    let session = Session::new(&g).unwrap();
    let fed = arr2(&[[1f32, 3., 2.], [9., 9., 9.]]);
    let (values_, places_) = session.run((values, places), feeds![x => &fed]).unwrap();
    assert_eq!(values_, array(&[2, 2], &[3., 2., 9., 9.]));
    assert_eq!(places_, array(&[2, 2], &[1, 2, 0, 1]));
    let error = session.run(values, feeds![x => &arr2(&[[1f32], [2.]])]).unwrap_err().to_string();
    assert!(
        error.contains("k = 2 is more than the 1 elements along the last axis of [2, 1]"),
        "{error}"
    );
}

#[test]
fn in_top_k_counts_ties_in_and_refuses_what_is_not_finite() {
    let g = Graph::new();
    let predictions = g.constant_array(&arr2(&[
        [0.1, 0.3, 0.2, 0.4],
        [0.5, 0.5, 0.1, 0.5],
        [NAN, 0.9, 0.1, 0.2],
        [0.0, f64::INFINITY, 0.1, 0.2],
    ]));
    let targets = g.placeholder::<i32>("targets", dims![_]);
    let (one, two) = (predictions.in_top_k(targets, 1), predictions.in_top_k(targets, 2));
    let session = Session::new(&g).unwrap();
    let (one_, two_) = session.run((one, two), feeds![targets => &[1, 0, 1, 1]]).unwrap();
    assert_eq!(one_, array(&[4], &[false, true, false, false]));
    assert_eq!(two_, array(&[4], &[true, true, false, false]));
    let error = session.run(one, feeds![targets => &[0, 4, 0, 0]]).unwrap_err().to_string();
    assert!(error.contains("index 4 at position 1 is not below 4"), "{error}");
}

#[test]
fn diagonals_there_and_back() {
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[1, 2], [3, 4]]));
    let (matrices, wide) = (x.diag(), g.constant_array(&arr2(&[[1, 2, 3], [4, 5, 6]])).diag_part());
    let (identity, nothing) = (g.eye::<i32>(3), g.eye::<i32>(0));
    let (matrices, back, wide, identity, nothing) =
        run(&g, (matrices, matrices.diag_part(), wide, identity, nothing)).unwrap();
    assert_eq!(matrices, array(&[2, 2, 2], &[1, 0, 0, 2, 3, 0, 0, 4]));
    assert_eq!(back, array(&[2, 2], &[1, 2, 3, 4]));
    assert_eq!(wide, array(&[2], &[1, 5]));
    assert_eq!(identity, array(&[3, 3], &[1, 0, 0, 0, 1, 0, 0, 0, 1]));
    assert_eq!(nothing.shape(), [0, 0]);
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, _]);
    let trace = x.diag_part().reduce_sum(..);
    let [slope] = gradients(trace, [x]);
    let session = Session::new(&g).unwrap();
    let (trace_, slope) = session.run((trace, slope), feeds![x => &counting(&[3, 3])]).unwrap();
    assert_eq!(trace_, 12.0);
    assert_eq!(slope, array(&[3, 3], &[1., 0., 0., 0., 1., 0., 0., 0., 1.]));
    assert!(session.run(trace, feeds![x => &counting(&[2, 3])]).is_err());
}

#[test]
fn where_indices_come_first_and_are_padded() {
    let g = Graph::new();
    let x = g.placeholder::<bool>("x", dims![_, 2]);
    let (places, count) = (x.where_indices(), x.cast::<i64>().reduce_sum(..));
    assert_eq!(places.to_string(), "where_indices : i64[D, 2]");
    let session = Session::new(&g).unwrap();
    let fed = arr2(&[[false, true], [false, false], [true, true]]);
    let (places_, count) = session.run((places, count), feeds![x => &fed]).unwrap();
    assert_eq!(count, 3);
    let rows = [[0, 1], [2, 0], [2, 1], [-1, -1], [-1, -1], [-1, -1]];
    assert_eq!(places_, array(&[6, 2], rows.as_flattened()));
    let none = session.run(places, feeds![x => &Array2::from_elem((0, 2), true)]).unwrap();
    assert_eq!(none.shape(), [0, 2]);
}
