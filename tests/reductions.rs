//! Reductions beside sums: truth, log-sum-exp, norms, variance, segments.

use abeyance::prelude::*;
use ndarray::{ArrayD, arr0, arr1, arr2};

mod differences;

const INF: f64 = f64::INFINITY;

fn message(result: Result<impl Sized, impl std::fmt::Display>) -> String {
    match result {
        Ok(_) => panic!("it is no mistake"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn any_and_all_along_each_axis() {
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[true, false, true], [false, false, true]]));
    let fetches = (
        (x.reduce_any(..), x.reduce_all(..)),
        (x.reduce_any(0), x.reduce_all(0)),
        (x.reduce_any(keep_dims(1)), x.reduce_all([0, 1])),
    );
    let (over_all, over_rows, over_columns) = Session::new(&g).unwrap().run(fetches, []).unwrap();
    assert_eq!(over_all, (true, false));
    assert_eq!(over_rows.0, arr1(&[true, false, true]).into_dyn());
    assert_eq!(over_rows.1, arr1(&[false, false, true]).into_dyn());
    assert_eq!(over_columns.0, arr2(&[[true], [true]]).into_dyn());
    assert_eq!(over_columns.1, arr0(false).into_dyn());
}

#[test]
fn more_truths_than_a_byte_counts_are_still_true() {
    let g = Graph::new();
    let x = g.placeholder::<bool>("x", dims![_, 256]);
    let fetches = (x.reduce_any(..), x.reduce_all(..));
    let session = Session::new(&g).unwrap();
    let mut many = ArrayD::from_elem(vec![4096, 256], true);
    assert_eq!(session.run(fetches, feeds![x => &many]).unwrap(), (true, true));
    many[[4000, 17]] = false;
    assert_eq!(session.run(fetches, feeds![x => &many]).unwrap(), (true, false));
    let none = ArrayD::from_elem(vec![0, 256], true);
    assert_eq!(session.run(fetches, feeds![x => &none]).unwrap(), (false, true));
}

#[test]
fn logsumexp_neither_overflows_nor_vanishes() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2]);
    let y = x.reduce_logsumexp(1);
    assert_eq!(y.to_string(), "reduce_logsumexp : f64[N]");
    let session = Session::new(&g).unwrap();
    let rows = [
        [1e4, 1e4],
        [-1e4, -1e4],
        [0.0, -INF],
        [-INF, -INF],
        [INF, 0.0],
        [INF, -INF],
        [f64::NAN, 0.0],
    ];
    let found = session.run(y, feeds![x => &arr2(&rows)]).unwrap();
    let two = std::f64::consts::LN_2;
    let expected = [1e4 + two, -1e4 + two, 0.0, -INF, INF, INF];
    assert_eq!(found.as_slice().unwrap()[..6], expected);
    assert!(found[6].is_nan());
}

#[test]
fn logsumexp_over_any_axes() {
    let g = Graph::new();
    let values = arr2(&[[0.1f64, 2.0, -1.0], [3.0, 0.5, 0.0]]);
    let x = g.constant_array(&values);
    let fetches = (
        x.reduce_logsumexp(..),
        x.reduce_logsumexp(0),
        x.reduce_logsumexp(keep_dims(-1)),
        g.zeros::<f64>(dims![2, 0]).reduce_logsumexp(1),
    );
    let (all, columns, rows, nothing) = Session::new(&g).unwrap().run(fetches, []).unwrap();
    let exact = |x: &[f64]| x.iter().map(|x| x.exp()).sum::<f64>().ln();
    assert!((all - exact(values.as_slice().unwrap())).abs() < 1e-14);
    assert!((columns[1] - exact(&[2.0, 0.5])).abs() < 1e-14);
    assert_eq!(rows.shape(), [2, 1]);
    assert!((rows[[1, 0]] - exact(&[3.0, 0.5, 0.0])).abs() < 1e-14);
    assert_eq!(nothing, arr1(&[-INF, -INF]).into_dyn());
}

#[test]
fn norms_of_rows_and_of_everything() {
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[3.0f32, -4.0], [0.0, 0.0], [f32::NAN, 1.0]]));
    let fetches = [x.l1_norm(1), x.l2_norm(1), x.max_norm(1)];
    let norms = Session::new(&g).unwrap().run(fetches, []).unwrap();
    for (norm, expected) in norms.iter().zip([7.0, 5.0, 4.0]) {
        assert_eq!(norm.as_slice().unwrap()[..2], [expected, 0.0]);
        assert!(norm[2].is_nan());
    }
    let nothing = g.zeros::<f32>(dims![0]);
    let found = (nothing.l1_norm(..), nothing.l2_norm(..));
    assert_eq!(Session::new(&g).unwrap().run(found, []).unwrap(), (0.0, 0.0));
    nothing.max_norm(..);
    assert!(message(g.check()).contains("max_norm: "));
}

#[test]
fn the_euclidean_norm_and_the_deviation_are_flat_where_they_are_0() {
    let g = Graph::new();
    let x = g.variable("x", arr2(&[[0.0f64, 0.0], [3.0, 4.0]]));
    let [length] = gradients(x.l2_norm(1).reduce_sum(..), [x]);
    let same = g.variable("same", arr1(&[2.0f64, 2.0, 2.0]));
    let [deviation] = gradients(same.reduce_std(..), [same]);
    let (length, deviation) = Session::new(&g).unwrap().run((length, deviation), []).unwrap();
    assert_eq!(length.as_slice().unwrap()[..2], [0.0, 0.0]);
    assert!((length[[1, 0]] - 0.6).abs() < 1e-15 && (length[[1, 1]] - 0.8).abs() < 1e-15);
    assert_eq!(deviation, arr1(&[0.0; 3]).into_dyn());
}

#[test]
fn variance_divides_by_the_count() {
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[1.0f64, 2.0, 6.0], [1e8, 1e8 + 1.0, 1e8 + 2.0]]));
    let fetches = (x.reduce_variance(1), x.reduce_std(keep_dims(1)), x.moments(-1));
    let (variance, deviation, (mean, again)) = Session::new(&g).unwrap().run(fetches, []).unwrap();
    // No digits are lost to a large mean.
    assert_eq!(variance, arr1(&[14.0 / 3.0, 2.0 / 3.0]).into_dyn());
    assert_eq!(deviation.shape(), [2, 1]);
    assert_eq!(deviation[[0, 0]], (14.0f64 / 3.0).sqrt());
    assert_eq!(mean, arr1(&[3.0, 1e8 + 1.0]).into_dyn());
    assert_eq!(again, variance);
    let nothing = g.zeros::<f64>(dims![0]).reduce_variance(..);
    assert!(Session::new(&g).unwrap().run(nothing, []).unwrap().is_nan());
}

#[test]
fn derivatives_of_composed_reductions() {
    let x: (&[usize], &[f64]) = (&[2, 3], &[-1.7, -0.4, 0.2, 0.3, 1.2, 2.5]);
    differences::check([x], |[x]| x.reduce_logsumexp(0));
    differences::check([x], |[x]| x.reduce_logsumexp(keep_dims(..)));
    differences::check([x], |[x]| x.l1_norm(1));
    differences::check([x], |[x]| x.l2_norm(1));
    differences::check([x], |[x]| x.max_norm(keep_dims(0)));
    differences::check([x], |[x]| x.reduce_variance(1));
    differences::check([x], |[x]| x.reduce_std(0));
    differences::check([x], |[x]| {
        let (mean, variance) = x.moments(keep_dims(1));
        mean * variance
    });
}

#[test]
fn squares_neither_overflow_nor_vanish_where_the_result_does_not() {
    let g = Graph::new();
    let of = |values: &[f32]| g.constant_array(&ndarray::Array1::from(values.to_vec()));
    let lengths = [of(&[3e20, 4e20]), of(&[3e-30, -4e-30])].map(|x| x.l2_norm(..));
    let spread = of(&[1e20, -1e20]).reduce_std(..);
    // The sum of the squares is beyond f32, their mean is not.
    let (_, variance) = of(&[1.5e19, -1.5e19, 1.5e19, -1.5e19]).moments(..);
    let fetches = (lengths[0], lengths[1], spread, variance);
    let found = Session::new(&g).unwrap().run(fetches, []).unwrap();
    assert_eq!(found, (5e20, 5e-30, 1e20, 1.5e19f32 * 1.5e19));
    let g = Graph::new();
    let x = g.variable("x", arr1(&[3e200f64, -4e200]));
    let tiny = g.variable("tiny", arr1(&[3e-200f64, -4e-200]));
    let [slope] = gradients(x.l2_norm(..), [x]);
    let [flat] = gradients(tiny.l2_norm(..), [tiny]);
    let slopes = Session::new(&g).unwrap().run([slope, flat], []).unwrap();
    for slope in slopes {
        assert!((slope - arr1(&[0.6, -0.8])).iter().all(|d| d.abs() < 1e-15));
    }
}

#[test]
fn half_the_squared_length() {
    let g = Graph::new();
    let x = g.variable("x", arr2(&[[1.0f32, -2.0], [3.0, 0.0]]));
    let loss = x.l2_loss();
    let [slope] = gradients(loss, [x]);
    let (loss, slope) = Session::new(&g).unwrap().run((loss, slope), []).unwrap();
    assert_eq!(loss, 7.0);
    assert_eq!(slope, arr2(&[[1.0, -2.0], [3.0, 0.0]]).into_dyn());
    let nothing = Graph::new();
    let loss = nothing.zeros::<f32>(dims![0]).l2_loss();
    assert_eq!(Session::new(&nothing).unwrap().run(loss, []).unwrap(), 0.0);
}

#[test]
fn rows_of_a_segment_are_summed() {
    let g = Graph::new();
    let data = g.placeholder::<f32>("data", dims![_, 2]);
    let segments = g.placeholder::<i32>("segments", dims![_]);
    let sorted = data.segment_sum(segments, 4);
    let unsorted = data.unsorted_segment_sum(segments, 4);
    assert_eq!(sorted.to_string(), "segment_sum : f32[4, 2]");
    assert_eq!(data.shape()[0], segments.shape()[0]);
    let session = Session::new(&g).unwrap();
    let rows = arr2(&[[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let feeds = feeds![data => &rows, segments => &[0, 0, 2]];
    let (a, b) = session.run((sorted, unsorted), feeds).unwrap();
    assert_eq!(a, arr2(&[[4.0, 6.0], [0.0, 0.0], [5.0, 6.0], [0.0, 0.0]]).into_dyn());
    assert_eq!(a, b);
    let feeds = feeds![data => &rows, segments => &[2, 0, 2]];
    let found = session.run(unsorted, feeds).unwrap();
    assert_eq!(found, arr2(&[[3.0, 4.0], [0.0, 0.0], [6.0, 8.0], [0.0, 0.0]]).into_dyn());
    let none = ArrayD::<f32>::zeros(vec![0, 2]);
    let feeds = feeds![data => &none, segments => &[0i32; 0]];
    assert_eq!(session.run(sorted, feeds).unwrap(), ArrayD::<f32>::zeros(vec![4, 2]));
}

#[test]
fn large_segments_give_the_same_bits_on_any_number_of_threads() {
    let g = Graph::new();
    let data = g.placeholder::<f32>("data", dims![_, 64]);
    let segments = g.placeholder::<i64>("segments", dims![_]);
    let sorted = data.segment_sum(segments, 3000);
    let unsorted = data.unsorted_segment_sum(segments, 3000);
    let rows = ArrayD::from_shape_fn(vec![10_000, 64], |at| ((at[0] * 64 + at[1]) as f32).sin());
    let ids = ndarray::Array1::from_shape_fn(10_000, |at| (at / 4) as i64);
    let run = |threads| {
        let options = SessionOptions::new().threads(threads);
        let session = Session::with_options(&g, options).unwrap();
        session.run((sorted, unsorted), feeds![data => &rows, segments => &ids]).unwrap()
    };
    let one = run(1);
    assert_eq!(one.0, one.1);
    assert_eq!(run(4), one);
}

#[test]
fn wrong_segments_are_named_with_their_position() {
    let g = Graph::new();
    let data = g.placeholder::<i32>("data", dims![_]);
    let segments = g.placeholder::<i64>("segments", dims![_]);
    let sorted = data.segment_sum(segments, 3);
    let unsorted = data.unsorted_segment_sum(segments, 3);
    let session = Session::new(&g).unwrap();
    let run = |sum, ids: &[i64; 3]| {
        message(session.run(sum, feeds![data => &[1, 2, 3], segments => ids]))
    };
    assert!(
        run(sorted, &[0, 2, 1]).contains("segment_sum: index 1 at position 2 is below 2 before it")
    );
    assert!(run(sorted, &[0, 1, 3]).contains("segment_sum: index 3 at position 2 is not below 3"));
    assert!(
        run(sorted, &[-1, 1, 2]).contains("segment_sum: index -1 at position 0 is not below 3")
    );
    assert!(run(unsorted, &[0, -1, 1]).contains("index -1 at position 1 is not below 3"));
}

#[test]
fn segments_that_cannot_be_are_mistakes() {
    let g = Graph::new();
    let data = g.zeros::<f32>(dims![3, 2]);
    data.segment_sum(g.zeros::<i32>(dims![4]), 2);
    data.segment_sum(g.zeros::<i32>(dims![3, 2]), 2);
    data.segment_sum(0i64, 2);
    data.segment_sum(g.zeros::<i32>(dims![3]), 0);
    data.segment_sum(g.zeros::<i32>(dims![3]), usize::MAX);
    data.unsorted_segment_sum(g.zeros::<i32>(dims![2]), 2);
    data.reduce_variance(2);
    let message = message(g.check());
    for part in [
        "segments of shape [4] do not name the segment of each row of [3, 2]",
        "segments of shape [3, 2] do not",
        "segments of shape [] do not",
        "every segment is out of range: there are none at all",
        "larger than any memory",
        "updates of shape [3, 2] are not rows of [2, 2] for indices of shape [2]",
        "axis 2 is out of range",
        "7 errors",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn the_mean_of_integers_is_that_of_their_exact_sum() {
    let g = Graph::new();
    let bytes = g.constant_array(&arr1(&[200u8, 200])).reduce_mean(..);
    let large = g.constant_array(&arr1(&[i32::MAX, 1])).reduce_mean(..);
    let rows = g.constant_array(&arr2(&[[200u8, 1], [250, 4]])).reduce_mean(0);
    let many = g.fill(dims![300, 1000], i32::MIN).reduce_mean(..);
    let session = Session::new(&g).unwrap();
    let (bytes, large, rows, many) = session.run((bytes, large, rows, many), []).unwrap();
    assert_eq!((bytes, large, many), (200, 1 << 30, i32::MIN));
    assert_eq!(rows, arr1(&[225u8, 2]).into_dyn());
}

#[test]
fn logsumexp_of_one_infinite_element_is_that_element() {
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[-INF], [INF], [3.0]]));
    let y = x.reduce_logsumexp(-1);
    let y = Session::new(&g).unwrap().run(y, []).unwrap();
    assert_eq!(y, arr1(&[-INF, INF, 3.0]).into_dyn());
}

#[test]
fn long_sums_are_accurate_whatever_adds_them() {
    // A million times the f32 next to 0.1: added one after the other they would come to 100,958.
    const N: usize = 1_000_000;
    let exact = f64::from(0.1f32) * N as f64;
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![N]);
    let zeros = g.fill(dims![N], 0i32);
    let image = x.reshape(dims![1, 1000, 1000, 1]);
    let logits = g.fill(dims![1, N], 0.0f32);
    let [bias] = gradients(
        (x.reshape(dims![100, 100, 100, 1]) * (g.variable("bias", arr1(&[1.0f32])))).reduce_sum(..),
        [g.tensor::<f32>("bias").unwrap()],
    );
    let [rows] = gradients(
        (g.variable("table", arr2(&[[1.0f32]])).gather(zeros) * x.reshape(dims![N, 1]))
            .reduce_sum(..),
        [g.tensor::<f32>("table").unwrap()],
    );
    let filters = g.variable("filters", ndarray::Array4::<f32>::ones((1, 1, 1, 1)));
    let one = image.conv2d(filters, ConvOptions::same());
    let [filter_of_one] = gradients(one.reduce_sum(..), [filters]);
    let convolved = x.reshape(dims![100, 100, 100, 1]).conv2d(filters, ConvOptions::same());
    let [filter] = gradients(convolved.reduce_sum(..), [filters]);
    let sums: Vec<(&str, Tensor<'_, f32>, f64)> = vec![
        ("reduce_sum", *x.reduce_sum(..), exact),
        ("reduce_mean", *x.reduce_mean(..), exact / N as f64),
        ("of columns", x.reshape(dims![N / 4, 4]).reduce_sum(0), exact / 4.0),
        ("of a middle axis", x.reshape(dims![2, N / 4, 2]).reduce_sum(1), exact / 4.0),
        ("matmul", x.reshape(dims![1, N]).matmul(g.fill(dims![N, 1], 1.0)), exact),
        ("matmul of a batch", x.reshape(dims![1, 1, N]).matmul(g.fill(dims![1, N, 3], 1.0)), exact),
        ("segment_sum", x.segment_sum(zeros, 1), exact),
        ("scatter_nd", x.scatter_nd(zeros.reshape(dims![N, 1]), dims![1]), exact),
        ("cumsum", x.cumsum(0).reduce_max(0), exact),
        ("cumsum of columns", x.reshape(dims![N / 2, 2]).cumsum(0).reduce_max(0), exact / 2.0),
        ("a bias", bias, exact),
        ("rows of a table", rows, exact),
        ("filters", filter, exact),
        ("filters of one image", filter_of_one, exact),
        ("avg_pool", image.avg_pool(PoolOptions::valid(1000)), exact / N as f64),
        (
            "softmax_cross_entropy",
            logits.softmax_cross_entropy(x.reshape(dims![1, N])),
            exact * (N as f64).ln(),
        ),
        ("einsum", g.einsum("i,i->", [x, g.fill(dims![N], 1.0)]), exact),
    ];
    let session = Session::new(&g).unwrap();
    let values = arr1(&vec![0.1f32; N]);
    for (name, sum, want) in sums {
        let found = session.run(sum, feeds![x => &values]).unwrap();
        for &found in &found {
            let error = (f64::from(found) / want - 1.0).abs();
            // A product adds steps one after the other in blocks of up to 1024, a filter's gradient
            // of up to 8192.
            let bound = match name {
                "matmul" | "matmul of a batch" | "einsum" => 2e-5,
                "filters" | "filters of one image" => 1e-4,
                _ => 1e-6,
            };
            assert!(error < bound, "{name}: {found} is not {want}, {error:e}");
        }
    }
}
