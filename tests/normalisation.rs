//! Normalization of vectors, layers and batches.

use abeyance::graph::ops::batch_norm::batch_norm;
use abeyance::prelude::*;
use ndarray::{ArrayD, arr1, arr2};

mod differences;

const X: (&[usize], &[f64]) = (&[2, 3], &[-1.7, -0.4, 0.2, 0.3, 1.2, 2.5]);

#[test]
fn vectors_get_length_1_and_zeros_stay() {
    let g = Graph::new();
    let x = g.variable("x", arr2(&[[3.0f64, 4.0], [0.0, 0.0]]));
    let y = x.l2_normalize(1, 1e-12);
    assert_eq!(y.name(), "l2_normalize");
    let [slope] = gradients(y.reduce_sum(..), [x]);
    let (y, slope) = Session::new(&g).unwrap().run((y, slope), []).unwrap();
    assert!((&y - &arr2(&[[0.6, 0.8], [0.0, 0.0]])).iter().all(|d| d.abs() < 1e-15));
    // Below epsilon it is a multiplication by 1e6.
    assert!((slope[[1, 0]] - 1e6).abs() < 1e-6);
    differences::check([X], |[x]| x.l2_normalize(1, 1e-12));
    differences::check([X], |[x]| x.l2_normalize(.., 100.0));
}

#[test]
fn a_layer_gets_mean_0_and_variance_1() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2, 3]);
    let offset = g.placeholder::<f64>("offset", dims![3]);
    let scale = g.placeholder::<f64>("scale", dims![3]);
    let y = x.layer_norm(offset, scale, 1e-3);
    assert_eq!(y.to_string(), "layer_norm : f64[N, 2, 3]");
    let session = Session::new(&g).unwrap();
    let values = ArrayD::from_shape_vec(vec![1, 2, 3], vec![1.0, 2.0, 6.0, 5.0, 5.0, 5.0]).unwrap();
    let feeds = feeds![x => &values, offset => &[0.0, 0.5, 1.0], scale => &[1.0, 2.0, 3.0]];
    let found = session.run(y, feeds).unwrap();
    let root = (14.0f64 / 3.0 + 1e-3).sqrt();
    let expected = [-2.0 / root, -2.0 / root + 0.5, 9.0 / root + 1.0, 0.0, 0.5, 1.0];
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-14, "{found} is not {expected:?}");
    }
    let none = ArrayD::<f64>::zeros(vec![0, 2, 3]);
    let feeds = feeds![x => &none, offset => &[0.0; 3], scale => &[1.0; 3]];
    assert_eq!(session.run(y, feeds).unwrap().shape(), [0, 2, 3]);
}

#[test]
fn a_layer_may_have_several_axes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2, 3]);
    let y = x.layer_norm(g.zeros(dims![2, 3]), g.ones(dims![2, 3]), 0.0);
    let session = Session::new(&g).unwrap();
    let values =
        ArrayD::from_shape_fn(vec![4, 2, 3], |at| (at[0] * at[0] + 3 * at[1] + at[2]) as f32);
    let found = session.run(y, feeds![x => &values]).unwrap();
    for layer in found.outer_iter() {
        assert!(layer.mean().unwrap().abs() < 1e-6);
        assert!((layer.iter().map(|v| v * v).sum::<f32>() / 6.0 - 1.0).abs() < 1e-5);
    }
}

#[test]
fn derivatives_of_normalizations() {
    let gain: (&[usize], &[f64]) = (&[3], &[0.5, 1.5, -2.0]);
    let bias: (&[usize], &[f64]) = (&[3], &[0.1, 0.2, 0.3]);
    differences::check([X, bias, gain], |[x, offset, scale]| x.layer_norm(offset, scale, 0.1));
    let variance: (&[usize], &[f64]) = (&[3], &[0.5, 1.5, 2.0]);
    differences::check([X, bias, variance, bias, gain], |[x, mean, variance, offset, scale]| {
        x.batch_normalization(mean, variance, offset, scale, 1e-3)
    });
    differences::check([X, bias, gain], |[x, offset, scale]| {
        batch_norm(x, offset, scale, true, 0.9, 0.1).output
    });
    differences::check([X, bias, gain], |[x, offset, scale]| {
        batch_norm(x, offset, scale, false, 0.9, 0.1).output
    });
}

#[test]
fn layers_that_do_not_fit_are_mistakes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let (three, two) = (g.ones::<f32>(dims![3]), g.ones::<f32>(dims![2]));
    x.layer_norm(two, three, 1e-3);
    x.layer_norm(three, 1.0, 1e-3);
    x.layer_norm(g.ones::<f32>(dims![1]), three, 1e-3);
    x.layer_norm(g.ones::<f32>(dims![1, 5, 3]), three, 1e-3);
    x.layer_norm(three, three, -1e-3);
    x.l2_normalize(1, -1.0);
    x.batch_normalization(0.0, 1.0, 0.0, 1.0, f64::INFINITY);
    let message = g.check().unwrap_err().to_string();
    for part in [
        "layer_norm: the offset `fill_1 : f32[2]` is not of the shape of the last axes of `x : f32[N, 3]`",
        "layer_norm: the scale `constant : f32[]` is not",
        "layer_norm: the offset `fill_2 : f32[1]` is not",
        "layer_norm: the offset `fill_3 : f32[1, 5, 3]` is not",
        "layer_norm: an epsilon of -0.001 is negative or not finite",
        "l2_normalize: an epsilon of -1 is negative or not finite",
        "batch_normalization: an epsilon of inf is negative or not finite",
        "7 errors",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_batch_is_normalized_by_its_own_moments_or_by_the_moving_ones() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2]);
    let training = g.placeholder_with_default("training", false);
    let offset = g.variable("offset", arr1(&[0.5f64, 0.0]));
    let scale = g.variable("scale", arr1(&[1.0f64, 2.0]));
    let normalized = batch_norm(x, offset, scale, training, 0.9, 0.0);
    let moving = (normalized.moving_mean, normalized.moving_variance);
    let session = Session::new(&g).unwrap();
    let batch = arr2(&[[1.0, 10.0], [3.0, 30.0]]);

    // Before any step the averages are 0 and 1.
    let y = session.run(normalized.output, feeds![x => &batch]).unwrap();
    assert_eq!(y, arr2(&[[1.5, 20.0], [3.5, 60.0]]).into_dyn());
    // Training, the batch's: its means are 2 and 20, its variances 1 and 100.
    let feeds = feeds![x => &batch, training => true];
    let y = session.run(normalized.output, &feeds).unwrap();
    assert_eq!(y, arr2(&[[-0.5, -2.0], [1.5, 2.0]]).into_dyn());
    assert_eq!(
        session.run(moving, []).unwrap(),
        (arr1(&[0.0, 0.0]).into_dyn(), arr1(&[1.0, 1.0]).into_dyn())
    );

    // moving -= (moving - batch) * (1 - 0.9)
    session.run(normalized.update, &feeds).unwrap();
    let rate = 1.0 - 0.9;
    let (mean, variance) = session.run(moving, []).unwrap();
    assert_eq!(mean, arr1(&[2.0 * rate, 20.0 * rate]).into_dyn());
    assert_eq!(variance, arr1(&[1.0, 1.0 + 99.0 * rate]).into_dyn());

    // An update while not training changes nothing, whatever the batch.
    let hostile = arr2(&[[f64::NAN, f64::INFINITY]]);
    session.run(normalized.update, feeds![x => &hostile]).unwrap();
    assert_eq!(session.run(moving, []).unwrap(), (mean.clone(), variance.clone()));
    let y = session.run(normalized.output, feeds![x => &batch]).unwrap();
    assert_eq!(y[[0, 0]], (1.0 - mean[0]) + 0.5);
}

#[test]
fn one_graph_trains_and_evaluates() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 4, 4, 2]);
    let training = g.placeholder_with_default("training", false);
    let (offset, scale) =
        (g.variable("offset", zeros(dims![2])), g.variable("scale", ones(dims![2])));
    let normalized = batch_norm(x, offset, scale, training, 0.5, 1e-3);
    let loss = (normalized.output - 1.0).square().reduce_mean(..);
    let step = GradientDescent::new(0.2).minimize(loss);
    let train = g.group([step, normalized.update]);
    let text = g.to_text();
    assert_eq!(Graph::parse(&text).unwrap().to_string(), text);
    let session = Session::new(&g).unwrap();
    let batch = ArrayD::from_shape_fn(vec![3, 4, 4, 2], |at| {
        5.0 + 2.0 * ((at[0] * 16 + at[1] * 4 + at[2]) as f32).sin() - at[3] as f32
    });
    for _ in 0..60 {
        session.run(train, feeds![x => &batch, training => true]).unwrap();
    }
    // The best there is is the offset alone.
    let (loss, mean, variance) = session
        .run((loss, normalized.moving_mean, normalized.moving_variance), feeds![x => &batch])
        .unwrap();
    assert!(loss < 1e-3, "{loss}");
    assert!(
        (mean[0] - mean[1] - 1.0).abs() < 1e-4 && (variance[0] - 2.0).abs() < 0.2,
        "{mean} {variance}"
    );
}

#[test]
fn batches_that_cannot_be_normalized_are_mistakes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let of = |x: Tensor<'_, f32>, momentum| {
        batch_norm(x, 0.0, 1.0, true, momentum, 1e-3);
    };
    of(g.zeros(dims![3]), 0.9);
    of(g.placeholder("y", dims![3, _]), 0.9);
    of(x, 1.5);
    of(x, f64::NAN);
    batch_norm(x, 0.0, 1.0, x.greater(0.0), 0.9, 1e-3);
    batch_norm(x, 0.0, 1.0, true, 0.9, f64::NAN);
    let message = g.check().unwrap_err().to_string();
    for part in [
        "batch_norm: `fill : f32[3]` has no batch to take moments of",
        "batch_norm: the number of channels, the last dimension of `y : f32[3, N2]`, is not known",
        "batch_norm: a momentum of 1.5 is not in [0, 1]",
        "a momentum of NaN",
        "`training` has to be a scalar, not `greater : bool[N, 3]`",
        "batch_norm: an epsilon of NaN is negative or not finite",
        "6 errors",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

/// Runs `y` and its gradient with respect to `x`, weighed so that it does not vanish.
fn value_and_slope<T: abeyance::graph::Float>(
    x: ArrayD<T>,
    build: impl for<'g> Fn(Tensor<'g, T>) -> Tensor<'g, T>,
) -> (Vec<f64>, Vec<f64>) {
    let g = Graph::new();
    let x = g.variable("x", x);
    let y = build(x);
    let count: usize = y.shape().iter().map(|dim| dim.known().unwrap()).product();
    let weights = (0..count).map(|i| T::from_f64([1.0, 0.0, -0.5][i % 3]));
    let weights = ArrayD::from_shape_vec(vec![count], weights.collect()).unwrap();
    let weighed = y.reshape(dims![count]) * g.constant_array(&weights);
    let [slope] = gradients(weighed.reduce_sum(..), [x]);
    let fetches = (y.cast::<f64>(), slope.cast::<f64>());
    let (y, slope) = Session::new(&g).unwrap().run(fetches, []).unwrap();
    (y.into_raw_vec_and_offset().0, slope.into_raw_vec_and_offset().0)
}

/// Checks that a function that is invariant to scale has the same values at the ends of the range
/// of f32 and f64, and the same slope but for the scale.
fn check_scales(
    dims: &[usize],
    values: &[f64],
    build32: impl for<'g> Fn(Tensor<'g, f32>) -> Tensor<'g, f32>,
    build64: impl for<'g> Fn(Tensor<'g, f64>) -> Tensor<'g, f64>,
) {
    let of = |scale: f64| {
        let values = values.iter().map(|v| v * scale).collect();
        ArrayD::from_shape_vec(dims.to_vec(), values).unwrap()
    };
    let close = |a: &[f64], b: &[f64], by: f64, what: &str| {
        let largest = b.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        for (a, b) in a.iter().zip(b) {
            let error = (a - b).abs() / largest;
            assert!(error <= by, "{what}: {a} is not {b}");
        }
    };
    let (y, slope) = value_and_slope(of(1.0), &build64);
    for scale in [1e150, 1e200, 1e-150, 1e-200] {
        let (found, found_slope) = value_and_slope(of(scale), &build64);
        close(&found, &y, 1e-14, &format!("f64 at {scale}"));
        let found_slope: Vec<f64> = found_slope.iter().map(|v| v * scale).collect();
        close(&found_slope, &slope, 1e-13, &format!("slope of f64 at {scale}"));
    }
    for scale in [1e15, 1e20, 1e25, 1e-15, 1e-20, 1e-25] {
        let (found, found_slope) = value_and_slope(of(scale).mapv(|v| v as f32), &build32);
        close(&found, &y, 1e-6, &format!("f32 at {scale}"));
        let found_slope: Vec<f64> = found_slope.iter().map(|v| v * scale).collect();
        close(&found_slope, &slope, 5e-6, &format!("slope of f32 at {scale}"));
    }
}

#[test]
fn very_large_and_very_small_numbers_are_normalized_as_others_are() {
    let (dims, values) = X;
    macro_rules! at_all_scales {
        ($build:expr) => {
            check_scales(dims, values, $build, $build)
        };
    }
    at_all_scales!(|x| x.layer_norm(x.graph().zeros(dims![3]), x.graph().ones(dims![3]), 0.0));
    at_all_scales!(|x| x.l2_normalize(1, 0.0));
    at_all_scales!(|x| x / x.reduce_std(keep_dims(0)));
    at_all_scales!(|x| x / x.l2_norm(keep_dims([0, 1])));
    let layer = |x: [f32; 2], epsilon| {
        let g = Graph::new();
        let x = g.constant_array(&arr1(&x));
        let y = x.layer_norm(g.zeros(dims![2]), g.ones(dims![2]), epsilon);
        Session::new(&g).unwrap().run(y, []).unwrap()
    };
    assert_eq!(layer([1e20, -1e20], 1e-3), arr1(&[1.0, -1.0]).into_dyn());
    assert_eq!(layer([1e-30, -1e-30], 0.0), arr1(&[1.0, -1.0]).into_dyn());
    // Far below epsilon the deviation does not count.
    assert_eq!(layer([4e-30, -4e-30], 16.0), arr1(&[1e-30, -1e-30]).into_dyn());
    let g = Graph::new();
    let y = g.constant_array(&arr1(&[3e20f32, 4e20])).l2_normalize(0, 1e-12);
    assert_eq!(Session::new(&g).unwrap().run(y, []).unwrap(), arr1(&[0.6, 0.8]).into_dyn());
}

#[test]
fn a_batch_of_large_numbers_is_normalized_and_trained_with() {
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[1e20f32, 1.0], [-1e20, 3.0]]));
    let scale = g.variable("scale", arr1(&[1.0f32, 1.0]));
    let normalized = batch_norm(x, g.zeros(dims![2]), scale, true, 0.9, 0.0);
    let weights = g.constant_array(&arr2(&[[1.0f32, 1.0], [0.0, 0.0]]));
    let [slope] = gradients((normalized.output * weights).reduce_sum(..), [scale]);
    let (y, slope) = Session::new(&g).unwrap().run((normalized.output, slope), []).unwrap();
    let expected = arr2(&[[1.0, -1.0], [-1.0, 1.0]]);
    assert!((y - expected).iter().all(|d| d.abs() < 1e-6));
    assert!((slope - arr1(&[1.0, -1.0])).iter().all(|d| d.abs() < 1e-6));
}

#[test]
fn an_empty_batch_changes_neither_averages_nor_weights() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let training = g.placeholder_with_default("training", false);
    let offset = g.variable("offset", arr1(&[0.5f32, -0.5]));
    let scale = g.variable("scale", arr1(&[2.0f32, 3.0]));
    let normalized = batch_norm(x, offset, scale, training, 0.9, 1e-3);
    let step = GradientDescent::new(0.1).minimize(normalized.output.square().reduce_sum(..));
    let train = g.group([step, normalized.update]);
    let session = Session::new(&g).unwrap();
    let state = || {
        ["offset", "scale", "batch_norm/moving_mean", "batch_norm/moving_variance"]
            .map(|name| session.variable::<f32>(name).unwrap())
    };
    let batch = arr2(&[[1.0f32, 2.0], [3.0, -1.0]]);
    session.run(train, feeds![x => &batch, training => true]).unwrap();
    let before = state();
    assert_ne!(before[2], arr1(&[0.0, 0.0]).into_dyn());
    let none = ArrayD::<f32>::zeros(vec![0, 2]);
    session.run(train, feeds![x => &none, training => true]).unwrap();
    assert_eq!(state(), before);
    // Where the size is settled while the graph is built as well.
    let g = Graph::new();
    let normalized = batch_norm(g.zeros::<f32>(dims![0, 2]), 0.0, 1.0, true, 0.9, 1e-3);
    let session = Session::new(&g).unwrap();
    session.run(normalized.update, []).unwrap();
    assert_eq!(session.run(normalized.moving_mean, []).unwrap(), arr1(&[0.0, 0.0]).into_dyn());
}
