//! The values that layers compute, against sums written out.

use abeyance_graph::{ConvOptions, Graph, dims, fill, he_normal, ones, random_normal, zeros};
use abeyance_layers::{BatchNorm, Dense, conv2d, dense, dropout, flatten};
use abeyance_session::{Session, feeds, gradients};
use ndarray::{Array, Array2, Array4, ArrayD, arr1, arr2};

fn session(g: &Graph) -> Session {
    Session::new(g).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn dense_is_a_weighted_sum_of_all_inputs_and_a_bias() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 3]);
    let layer = Dense::new(2).kernel(|shape| random_normal(shape, 0.0, 1.0));
    let y = layer.bias(|shape| random_normal(shape, 1.0, 1.0)).apply(x);
    let session = session(&g);
    let w = session.variable::<f64>("dense/kernel").unwrap();
    let b = session.variable::<f64>("dense/bias").unwrap();
    let value = arr2(&[[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]]);
    let found = session.run(y, feeds![x => &value]).unwrap();
    for n in 0..2 {
        for unit in 0..2 {
            let wanted = (0..3).map(|i| value[[n, i]] * w[[i, unit]]).sum::<f64>() + b[[unit]];
            assert!((found[[n, unit]] - wanted).abs() < 1e-12);
        }
    }
}

#[test]
fn the_bias_starts_at_zero_and_both_learn() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let y = dense(x, 2, ones);
    let kernel = g.tensor::<f32>("dense/kernel").unwrap();
    let bias = g.tensor::<f32>("dense/bias").unwrap();
    let slopes = gradients(y.reduce_sum(..), [kernel, bias]);
    let session = session(&g);
    let value = arr2(&[[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let (y, [kernel, bias]) = session.run((y, slopes), feeds![x => &value]).unwrap();
    assert_eq!(y, arr2(&[[6.0, 6.0], [15.0, 15.0]]).into_dyn());
    let sums = arr2(&[[5.0, 5.0], [7.0, 7.0], [9.0, 9.0]]);
    assert_eq!(kernel, sums.into_dyn());
    assert_eq!(bias, arr1(&[2.0, 2.0]).into_dyn());
}

#[test]
fn dense_works_on_the_last_of_any_number_of_dimensions() {
    let g = Graph::new();
    let vector = g.placeholder::<f64>("vector", dims![3]);
    let sequence = g.placeholder::<f64>("sequence", dims!["batch", "time", 3]);
    let layer = || Dense::new(2).kernel(ones).bias(|shape| fill(shape, 0.5));
    let (one, many) = (layer().apply(vector), layer().apply(sequence));
    assert_eq!(one.to_string(), "dense : f64[2]");
    assert_eq!(many.to_string(), "dense_1 : f64[batch, time, 2]");
    let session = session(&g);
    let value = arr1(&[1.0, 2.0, 4.0]);
    let found = session.run(one, feeds![vector => &value]).unwrap();
    assert_eq!(found, arr1(&[7.5, 7.5]).into_dyn());
    let value = Array::from_shape_fn((4, 5, 3), |(n, t, i)| (100 * n + 10 * t + i) as f64);
    let found = session.run(many, feeds![sequence => &value]).unwrap();
    let wanted = Array::from_shape_fn((4, 5, 2), |(n, t, _)| (300 * n + 30 * t + 3) as f64 + 0.5);
    assert_eq!(found, wanted.into_dyn());
}

#[test]
fn layers_of_no_images_no_inputs_and_no_units() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2, 2, 1]);
    let y = dense(flatten(x), 3, he_normal);
    let nothing = g.zeros::<f32>(dims![0, 28, 28]);
    let flat = flatten(nothing);
    let inputs = dense(g.zeros::<f32>(dims![2, 0]), 3, he_normal);
    let units = dense(flatten(x), 0, he_normal);
    let deep = dense(nothing, 5, zeros);
    let session = session(&g);
    let empty = ArrayD::<f32>::zeros(vec![0, 2, 2, 1]);
    let found = session.run((y, units), feeds![x => &empty]).unwrap();
    assert_eq!((found.0.shape(), found.1.shape()), (&[0, 3][..], &[0, 0][..]));
    let (flat, inputs, deep) = session.run((flat, inputs, deep), []).unwrap();
    assert_eq!(flat.shape(), [0, 784]);
    assert_eq!(inputs, Array2::<f32>::zeros((2, 3)).into_dyn());
    assert_eq!(deep.shape(), [0, 28, 5]);
}

#[test]
fn flatten_keeps_the_batch() {
    let g = Graph::new();
    let images = g.placeholder::<f32>("images", dims![_, 2, 3, 1]);
    assert_eq!(flatten(images).to_string(), "flatten : f32[N, 6]");
    let batch = g.placeholder::<i64>("batch", dims![_]);
    let flat = flatten(batch);
    assert_eq!(flat.shape().len(), 2);
    let open = g.placeholder::<f32>("open", dims![_, "H", "W"]);
    let flat_open = flatten(open);
    let session = session(&g);
    let found = session.run(flat, feeds![batch => &arr1(&[4i64, 5])]).unwrap();
    assert_eq!(found, arr2(&[[4], [5]]).into_dyn());
    let value = Array::from_shape_fn((2, 3, 4), |(n, y, x)| (n * 12 + y * 4 + x) as f32);
    let found = session.run(flat_open, feeds![open => &value]).unwrap();
    assert_eq!(found, value.to_shape((2, 12)).unwrap().into_dyn());
}

#[test]
fn dropout_drops_while_training_only() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let training = g.placeholder_with_default("training", false);
    let y = dropout(x, 0.25, training);
    let always = dropout(x, 0.5, true);
    let session = session(&g);
    let value = Array::from_elem(10_000, 3.0f32);
    let found = session.run(y, feeds![x => &value]).unwrap();
    assert_eq!(found, value.clone().into_dyn());
    for (y, keep) in [(y, 0.75), (always, 0.5)] {
        let found = session.run(y, feeds![x => &value, training => true]).unwrap();
        let kept = found.iter().filter(|&&y| y == 3.0 / keep).count();
        let dropped = found.iter().filter(|&&y| y == 0.0).count();
        assert_eq!(kept + dropped, 10_000);
        assert!((kept as f32 / 10_000.0 - keep).abs() < 0.025, "{kept}");
    }
}

#[test]
fn convolutions_and_batch_normalization_train_together() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 6, 6, 2]);
    let training = g.placeholder_with_default("training", false);
    let h = conv2d(x, 4, 3, ConvOptions::valid().groups(2), he_normal);
    assert_eq!(h.to_string(), "conv2d : f32[N, 4, 4, 4]");
    assert_eq!(
        g.tensor::<f32>("conv2d/kernel").unwrap().to_string(),
        "conv2d/kernel : f32[3, 3, 1, 4]"
    );
    let normalized = BatchNorm::new().momentum(0.5).apply(h, training);
    let means = normalized.output.reduce_mean([0, 1, 2]);
    g.check().unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let session = Session::new(&g).unwrap();
    let images = Array4::from_shape_fn((5, 6, 6, 2), |(n, i, j, c)| {
        ((n * 7 + i * 5 + j * 3 + c) % 11) as f32
    });

    // Of its own batch the normalized mean is 0.
    let means_of = |on: bool| session.run(means, feeds![x => &images, training => on]).unwrap();
    assert!(means_of(true).iter().all(|mean| mean.abs() < 1e-5));
    assert!(means_of(false).iter().any(|mean| mean.abs() > 1e-2));
    // The averages come close to the batch's moments, and the evaluation to the training.
    for _ in 0..40 {
        session.run(normalized.update, feeds![x => &images, training => true]).unwrap();
    }
    assert!(means_of(false).iter().all(|mean| mean.abs() < 1e-4));
}
