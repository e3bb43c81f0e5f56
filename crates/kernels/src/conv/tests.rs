use proptest::prelude::*;

use super::*;
use crate::element::Real;
use crate::serial::Serial;
use crate::sliding::Padding;

/// Sizes of a convolution: rows and columns of the images, of the filter, strides, dilations.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    images: usize,
    input: [usize; 2],
    window: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    channels: usize,
    filters: usize,
    groups: usize,
    padding: Padding,
}

impl Sizes {
    fn convolution(self) -> Option<Convolution> {
        let axis = |i: usize| {
            Sliding::new(
                self.input[i],
                self.window[i],
                self.strides[i],
                self.dilations[i],
                self.padding,
            )
        };
        Some(Convolution {
            images: self.images,
            rows: axis(0)?,
            columns: axis(1)?,
            channels: self.channels * self.groups,
            filters: self.filters * self.groups,
            groups: self.groups,
        })
    }
}

fn numbers(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 7919 + seed) % 17) as f64 - 8.0).collect()
}

/// Calls back with the places in x, w and y of every product of the form.
fn every_product(conv: &Convolution, mut call: impl FnMut(usize, usize, usize)) {
    let (rows, columns) = (conv.rows, conv.columns);
    let (channels, filters) = (conv.channels / conv.groups, conv.filters / conv.groups);
    let at = |s: Sliding, place: usize, tap: usize| {
        let at = (place * s.stride + tap * s.dilation).checked_sub(s.before)?;
        (at < s.input).then_some(at)
    };
    for n in 0..conv.images {
        for i in 0..rows.output {
            for j in 0..columns.output {
                for p in 0..rows.window {
                    for q in 0..columns.window {
                        let (Some(row), Some(column)) = (at(rows, i, p), at(columns, j, q)) else {
                            continue;
                        };
                        for g in 0..conv.groups {
                            for c in 0..channels {
                                for o in 0..filters {
                                    let x = ((n * rows.input + row) * columns.input + column)
                                        * conv.channels
                                        + g * channels
                                        + c;
                                    let f = g * filters + o;
                                    let w = ((p * columns.window + q) * channels + c)
                                        * conv.filters
                                        + f;
                                    let y = ((n * rows.output + i) * columns.output + j)
                                        * conv.filters
                                        + f;
                                    call(x, w, y);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cast<T: Real>(x: &[f64]) -> Vec<T> {
    x.iter().map(|&x| T::from_f64(x)).collect()
}

/// Small integers, so that every order of summation gives the same.
fn check<T: Float>(conv: Convolution) {
    let x = numbers(conv.input_len(), 1);
    let w = numbers(conv.filter_len(), 5);
    let y = numbers(conv.output_len(), 11);
    let (mut of_x, mut of_w, mut of_y) =
        (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; y.len()]);
    every_product(&conv, |i, j, k| {
        of_x[i] += w[j] * y[k];
        of_w[j] += x[i] * y[k];
        of_y[k] += x[i] * w[j];
    });
    let (x, w, y) = (cast::<T>(&x), cast::<T>(&w), cast::<T>(&y));
    let run = |what: &str, kernel: Kernel, operands: [&[T]; 2], expected: &[f64]| {
        let mut out = vec![T::NAN; expected.len()];
        if out.is_empty() {
            return;
        }
        Serial::new(kernel, 2).run(&operands, &mut out).unwrap();
        assert_eq!(out, cast::<T>(expected), "{what} of {conv:?}");
    };
    run("forward", conv.forward::<T>(), [&x, &w], &of_y);
    run("input_gradient", conv.input_gradient::<T>(), [&w, &y], &of_x);
    run("filter_gradient", conv.filter_gradient::<T>(), [&x, &y], &of_w);
}

fn sizes() -> impl Strategy<Value = Sizes> {
    let pair = |low: usize, high: usize| [low..high, low..high];
    let channels = prop_oneof![3 => 1usize..7, 1 => 7usize..40];
    let filters = prop_oneof![3 => 1usize..9, 1 => 9usize..70];
    (
        0usize..4,
        pair(0, 20),
        pair(1, 7),
        pair(1, 4),
        prop_oneof![3 => Just([1usize, 1]), 1 => pair(1, 4)],
        channels,
        filters,
        prop_oneof![4 => Just(1usize), 1 => 1usize..5],
        prop_oneof![Just(Padding::Same), Just(Padding::Valid)],
    )
        .prop_map(
            |(images, input, window, strides, dilations, channels, filters, groups, padding)| {
                Sizes {
                    images,
                    input,
                    window,
                    strides,
                    dilations,
                    channels,
                    filters,
                    groups,
                    padding,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn all_three_are_what_a_loop_over_every_product_gives(sizes in sizes()) {
        if let Some(conv) = sizes.convolution() {
            check::<f32>(conv);
            check::<f64>(conv);
        }
    }
}

/// Filter, channels, filters, stride, size of square images.
pub(super) const NETWORKS: [(usize, usize, usize, usize, usize); 6] = [
    (5, 1, 4, 1, 28),
    (4, 4, 8, 2, 28),
    (4, 8, 12, 2, 14),
    (6, 1, 6, 1, 28),
    (5, 6, 12, 2, 28),
    (4, 12, 24, 2, 14),
];

#[test]
fn convolutions_of_small_networks_are_exact_on_small_integers() {
    for (window, channels, filters, stride, side) in NETWORKS {
        for images in [1, 7, 33] {
            for padding in [Padding::Same, Padding::Valid] {
                let sizes = Sizes {
                    images,
                    input: [side; 2],
                    window: [window; 2],
                    strides: [stride; 2],
                    dilations: [1; 2],
                    channels,
                    filters,
                    groups: 1,
                    padding,
                };
                check::<f32>(sizes.convolution().unwrap());
                check::<f64>(sizes.convolution().unwrap());
            }
        }
    }
}

#[test]
fn parts_are_neither_tiny_nor_few() {
    for (window, channels, filters, stride, side) in NETWORKS {
        let axis = Sliding::new(side, window, stride, 1, Padding::Same).unwrap();
        let conv =
            Convolution { images: 100, rows: axis, columns: axis, channels, filters, groups: 1 };
        let bytes = 4 * conv.output_len();
        let parts = *Serial::new(conv.forward::<f32>(), 2).parts(bytes).last().unwrap();
        assert!((8..=100).contains(&parts), "{parts} parts of {conv:?}");
    }
}
