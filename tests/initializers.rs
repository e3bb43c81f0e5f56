//! First values of variables that follow from the size of the layer: what sessions draw has the
//! moments that were asked for.

use abeyance::graph::{Distribution, Fan, Init, variance_scaling};
use abeyance::prelude::*;

/// Mean, variance and largest size of what a session draws for a variable.
fn moments(init: Init<f32>) -> (f64, f64, f64) {
    let g = Graph::new();
    g.variable("w", init);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    let values = session.variable::<f32>("w").unwrap().mapv(f64::from);
    let count = values.len() as f64;
    let mean = values.sum() / count;
    let variance = values.mapv(|x| x * x).sum() / count - mean * mean;
    let largest = values.iter().fold(0.0, |largest, x| f64::max(largest, x.abs()));
    (mean, variance, largest)
}

/// 250 000 numbers have mean 0 and this variance, both to 5 standard errors or more, and go up to
/// `limit`.
#[track_caller]
fn assert_moments(init: Init<f32>, variance: f64, limit: f64) {
    let (mean, found, largest) = moments(init);
    assert!(mean.abs() < 0.01 * variance.sqrt(), "mean {mean}");
    assert!((found / variance - 1.0).abs() < 0.015, "{found} for {variance}");
    assert!(largest <= limit && largest > 0.95 * limit, "{largest} to {limit}");
}

/// Where a normal distribution is cut off to have this variance after it.
fn cut(variance: f64) -> f64 {
    2.0 * variance.sqrt() / 0.8796256610342398
}

#[test]
fn dense_kernels_have_the_variance_of_their_rule() {
    let shape = || dims![250, 1000];
    assert_moments(he_normal(shape()), 2.0 / 250.0, cut(2.0 / 250.0));
    assert_moments(he_uniform(shape()), 2.0 / 250.0, (6.0f64 / 250.0).sqrt());
    assert_moments(lecun_normal(shape()), 1.0 / 250.0, cut(1.0 / 250.0));
    assert_moments(lecun_uniform(shape()), 1.0 / 250.0, (3.0f64 / 250.0).sqrt());
    assert_moments(glorot_normal(shape()), 1.0 / 625.0, cut(1.0 / 625.0));
    assert_moments(glorot_uniform(shape()), 1.0 / 625.0, (3.0f64 / 625.0).sqrt());
}

#[test]
fn filters_count_their_window() {
    let shape = || dims![5, 5, 50, 200];
    assert_moments(he_normal(shape()), 2.0 / 1250.0, cut(2.0 / 1250.0));
    assert_moments(glorot_uniform(shape()), 1.0 / 3125.0, (3.0f64 / 3125.0).sqrt());
}

#[test]
fn a_normal_distribution_need_not_be_cut_off() {
    let init = || variance_scaling(dims![250, 1000], 3.0, Fan::Out, Distribution::Normal);
    let (mean, variance, largest) = moments(init());
    assert!(mean.abs() < 0.01 * variance.sqrt(), "{mean}");
    assert!((variance * 1000.0 / 3.0 - 1.0).abs() < 0.015, "{variance}");
    assert!(largest > 4.0 * variance.sqrt(), "{largest}");
}

#[test]
fn they_print_as_what_they_draw_from_and_read_back() {
    let g = Graph::new();
    let first = g.variable::<f32>("first", glorot_uniform(dims![200, 400]));
    g.variable::<f32>("second", lecun_normal(dims![4, 4, 1, 8]));
    let text = g.to_text();
    assert!(text.contains("first  = variable initial=uniform(-0.1, 0.1)"), "{text}");
    assert!(text.contains("second = variable initial=truncated_normal(0.0, 0.28421"), "{text}");
    let read = Graph::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read.to_text(), text);
    let value = |g: &Graph| Session::new(g).unwrap().variable::<f32>("second").unwrap();
    assert_eq!(value(&g), value(&read));
    let _ = first;
}

#[test]
fn a_text_with_impossible_numbers_is_refused() {
    let text = |initial| {
        format!("graph g {{\n  forward {{\n    w = variable initial={initial} : f32[2]\n  }}\n}}\n")
    };
    Graph::parse(&text("truncated_normal(0.0, 1.0)")).unwrap();
    for initial in [
        "truncated_normal(0.0, -1.0)",
        "uniform(1.0, 0.0)",
        "normal(nan, 1.0)",
        "normal(0.0, 1e300)",
    ] {
        assert!(Graph::parse(&text(initial)).is_err(), "{initial}");
    }
}
