//! Normalization of vectors, layers and batches.

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
    let gain = g.placeholder::<f64>("gain", dims![3]);
    let bias = g.placeholder::<f64>("bias", dims![3]);
    let y = x.layer_norm(gain, bias, 1e-3);
    assert_eq!(y.to_string(), "layer_norm : f64[N, 2, 3]");
    let session = Session::new(&g).unwrap();
    let values = ArrayD::from_shape_vec(vec![1, 2, 3], vec![1.0, 2.0, 6.0, 5.0, 5.0, 5.0]).unwrap();
    let feeds = feeds![x => &values, gain => &[1.0, 2.0, 3.0], bias => &[0.0, 0.5, 1.0]];
    let found = session.run(y, feeds).unwrap();
    let root = (14.0f64 / 3.0 + 1e-3).sqrt();
    let expected = [-2.0 / root, -2.0 / root + 0.5, 9.0 / root + 1.0, 0.0, 0.5, 1.0];
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-14, "{found} is not {expected:?}");
    }
    let none = ArrayD::<f64>::zeros(vec![0, 2, 3]);
    let feeds = feeds![x => &none, gain => &[1.0; 3], bias => &[0.0; 3]];
    assert_eq!(session.run(y, feeds).unwrap().shape(), [0, 2, 3]);
}

#[test]
fn a_layer_may_have_several_axes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2, 3]);
    let y = x.layer_norm(g.ones(dims![2, 3]), g.zeros(dims![2, 3]), 0.0);
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
    differences::check([X, gain, bias], |[x, gain, bias]| x.layer_norm(gain, bias, 0.1));
    let variance: (&[usize], &[f64]) = (&[3], &[0.5, 1.5, 2.0]);
    differences::check([X, bias, variance, bias, gain], |[x, mean, variance, offset, scale]| {
        x.batch_normalization(mean, variance, offset, scale, 1e-3)
    });
    differences::check([X, bias, gain], |[x, offset, scale]| {
        x.batch_norm(offset, scale, true, 0.9, 0.1).output
    });
    differences::check([X, bias, gain], |[x, offset, scale]| {
        x.batch_norm(offset, scale, false, 0.9, 0.1).output
    });
}

#[test]
fn layers_that_do_not_fit_are_mistakes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let (three, two) = (g.ones::<f32>(dims![3]), g.ones::<f32>(dims![2]));
    x.layer_norm(two, three, 1e-3);
    x.layer_norm(three, 0.0, 1e-3);
    x.layer_norm(g.ones::<f32>(dims![1]), three, 1e-3);
    x.layer_norm(g.ones::<f32>(dims![1, 5, 3]), three, 1e-3);
    let message = g.check().unwrap_err().to_string();
    for part in [
        "layer_norm: the gain `fill_1 : f32[2]` is not of the shape of the last axes of `x : f32[N, 3]`",
        "layer_norm: the bias `constant : f32[]` is not",
        "layer_norm: the gain `fill_2 : f32[1]` is not",
        "layer_norm: the gain `fill_3 : f32[1, 5, 3]` is not",
        "4 errors",
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
    let normalized = x.batch_norm(offset, scale, training, 0.9, 0.0);
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
    let normalized = x.batch_norm(offset, scale, training, 0.5, 1e-3);
    let loss = (normalized.output - 1.0).square().reduce_mean(..);
    let step = GradientDescent::new(0.2).minimize(loss);
    let train = g.group([step, normalized.update]);
    let text = g.to_string();
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
        x.batch_norm(0.0, 1.0, true, momentum, 1e-3);
    };
    of(g.zeros(dims![3]), 0.9);
    of(g.placeholder("y", dims![3, _]), 0.9);
    of(x, 1.5);
    of(x, f64::NAN);
    x.batch_norm(0.0, 1.0, x.greater(0.0), 0.9, 1e-3);
    let message = g.check().unwrap_err().to_string();
    for part in [
        "batch_norm: `fill : f32[3]` has no batch to take moments of",
        "batch_norm: the number of channels, the last dimension of `y : f32[3, N2]`, is not known",
        "batch_norm: a momentum of 1.5 is not in [0, 1]",
        "a momentum of NaN",
        "`training` has to be a scalar, not `greater : bool[N, 3]`",
        "5 errors",
    ] {
        assert!(message.contains(part), "{message}");
    }
}
