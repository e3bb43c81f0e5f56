//! Tests of the convolution kernels: every kernel and layout against plain loops in `f64`.

use proptest::prelude::*;

use super::*;
use crate::element::{Element, Real};
use crate::lanes::tests::with_each;
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
    run("forward", conv.kernel::<T>(Propagation::Forward, Layout::RowMajor), [&x, &w], &of_y);
    run(
        "backward_input",
        conv.kernel::<T>(Propagation::BackwardInput, Layout::RowMajor),
        [&w, &y],
        &of_x,
    );
    run(
        "backward_filter",
        conv.kernel::<T>(Propagation::BackwardFilter, Layout::RowMajor),
        [&x, &y],
        &of_w,
    );
    if conv.is_plain() {
        check_blocks::<T>(conv, [&x, &w, &y], [&of_x, &of_w, &of_y]);
    }
}

/// The index in memory of element `[n, r]` of an array in blocks.
fn place(images: Reorder, n: usize, r: usize) -> usize {
    (n / Layout::BLOCK * images.row + r) * Layout::BLOCK + n % Layout::BLOCK
}

/// Sets the elements of the last block beyond the images to NaN.
fn in_blocks<T: Real>(images: Reorder, x: &[T]) -> Vec<T> {
    let mut lines = vec![T::NAN; images.len()];
    for (i, &x) in x.iter().enumerate() {
        lines[place(images, i / images.row, i % images.row)] = x;
    }
    lines
}

fn check_blocks<T: Float>(conv: Convolution, factors: [&[T]; 3], expected: [&[f64]; 3]) {
    let ([x, w, y], [of_x, of_w, of_y]) = (factors, expected);
    let (images, result) = (conv.input_reorder(), conv.output_reorder());
    let (x, y) = (in_blocks(images, x), in_blocks(result, y));
    let run = |propagation, operands: [&[T]; 2], layout: Option<Reorder>, expected: &[f64]| {
        let mut out = vec![T::NAN; layout.map_or(expected.len(), |layout| layout.len())];
        Serial::new(conv.kernel::<T>(propagation, Layout::Nhwc16n), 2)
            .run(&operands, &mut out)
            .unwrap();
        if let Some(layout) = layout {
            let n = 0..layout.images * layout.row;
            out = n.map(|i| out[place(layout, i / layout.row, i % layout.row)]).collect();
        }
        assert_eq!(out, cast::<T>(expected), "{propagation:?} in blocks of {conv:?}");
    };
    run(Propagation::Forward, [&x, w], Some(result), of_y);
    run(Propagation::BackwardInput, [w, &y], Some(images), of_x);
    run(Propagation::BackwardFilter, [&x, &y], None, of_w);
}

fn sizes() -> impl Strategy<Value = Sizes> {
    let pair = |low: usize, high: usize| [low..high, low..high];
    let channels = prop_oneof![3 => 1usize..7, 1 => 7usize..40];
    let filters = prop_oneof![3 => 1usize..9, 1 => 9usize..70];
    (
        prop_oneof![3 => 0usize..4, 1 => 4usize..40],
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

/// Runs a kernel by parts of its own chunk, and by others, which end anywhere that its lines allow.
fn run_in_pieces<T: Element>(kernel: Kernel, x: &[T], len: usize, pieces: &[usize]) -> Vec<T> {
    let mut out = vec![T::from_u8(99); len];
    let mut serial = Serial::new(kernel, 1);
    serial.run(&[x], &mut out).unwrap();
    for &piece in pieces {
        serial.cut(0, piece * size_of::<T>());
        let mut other = vec![T::from_u8(98); len];
        serial.run(&[x], &mut other).unwrap();
        assert_eq!(other, out, "pieces of {piece}");
    }
    out
}

fn check_layouts<T: Element>(images: Reorder) {
    let x: Vec<T> = (0..images.images * images.row).map(|i| T::from_i32(i as i32)).collect();
    let mut expected = vec![T::default(); images.len()];
    for (i, &x) in x.iter().enumerate() {
        expected[place(images, i / images.row, i % images.row)] = x;
    }
    let cuts = [Layout::BLOCK, 5 * Layout::BLOCK, 37 * Layout::BLOCK];
    let lines = run_in_pieces(images.to(Layout::Nhwc16n, size_of::<T>()), &x, images.len(), &cuts);
    assert_eq!(lines, expected, "{images:?}");
    let back = run_in_pieces(
        images.to(Layout::RowMajor, size_of::<T>()),
        &lines,
        x.len(),
        &[1, 7, 50, 333],
    );
    assert_eq!(back, x, "{images:?}");
}

#[test]
fn reorders_there_and_back_in_any_cut() {
    for images in [1, 5, 16, 17, 40] {
        for row in [1, 3, 15, 16, 17, 48, 61] {
            with_each(|| {
                check_layouts::<f32>(Reorder { images, row });
                check_layouts::<f64>(Reorder { images, row });
                check_layouts::<u8>(Reorder { images, row });
            });
        }
    }
}

#[test]
fn sums_of_channels_are_the_same_bits_in_both_layouts() {
    for (images, pixels, channels) in
        [(1, 1, 1), (16, 9, 5), (33, 49, 24), (100, 784, 6), (7, 300, 1), (20, 5, 70), (3, 0, 4)]
    {
        let sum = ChannelSum { images, pixels, channels };
        let len = images * pixels * channels;
        // Of no few digits, so that another order would give other bits.
        let x: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7).sin()).collect();
        let lines = in_blocks(Reorder { images, row: pixels * channels }, &x);
        with_each(|| {
            let mut sums = [vec![9.0f32; channels], vec![9.0; channels]];
            Serial::new(sum.kernel::<f32>(Layout::RowMajor), 1).run(&[&x], &mut sums[0]).unwrap();
            Serial::new(sum.kernel::<f32>(Layout::Nhwc16n), 1)
                .run(&[&lines], &mut sums[1])
                .unwrap();
            assert_eq!(sums[0], sums[1], "{sum:?}");
            for (c, &sum) in sums[0].iter().enumerate() {
                let exact: f64 = x.iter().skip(c).step_by(channels).map(|&x| f64::from(x)).sum();
                assert!((f64::from(sum) - exact).abs() < 1e-3, "{sum} is not {exact}");
            }
        });
    }
}

#[test]
fn the_kernel_between_layouts_gives_the_bits_of_its_parts() {
    let axis = Sliding::new(9, 4, 2, 1, Padding::Same).unwrap();
    let conv =
        Convolution { images: 37, rows: axis, columns: axis, channels: 5, filters: 7, groups: 1 };
    assert!(conv.prefers_blocks());
    let numbers =
        |len: usize, by: f32| -> Vec<f32> { (0..len).map(|i| (i as f32 * by).sin()).collect() };
    let (x, w, y) = (
        numbers(conv.input_len(), 0.3),
        numbers(conv.filter_len(), 0.7),
        numbers(conv.output_len(), 1.1),
    );
    let run = |kernel: Kernel, operands: [&[f32]; 2], len: usize| {
        let mut out = vec![0.0; len];
        Serial::new(kernel, 2).run(&operands, &mut out).unwrap();
        out
    };
    let (images, result) = (conv.input_reorder(), conv.output_reorder());
    let (lines, lines_of_y) = (in_blocks(images, &x), in_blocks(result, &y));
    with_each(|| {
        let whole = in_blocks(
            result,
            &run(conv.kernel::<f32>(Propagation::Forward, Layout::RowMajor), [&x, &w], y.len()),
        );
        let part = run(
            conv.kernel::<f32>(Propagation::Forward, Layout::Nhwc16n),
            [&lines, &w],
            result.len(),
        );
        assert!(whole.iter().zip(&part).all(|(a, b)| a.is_nan() || a == b));
        let whole = in_blocks(
            images,
            &run(
                conv.kernel::<f32>(Propagation::BackwardInput, Layout::RowMajor),
                [&w, &y],
                x.len(),
            ),
        );
        let part = run(
            conv.kernel::<f32>(Propagation::BackwardInput, Layout::Nhwc16n),
            [&w, &lines_of_y],
            images.len(),
        );
        assert!(whole.iter().zip(&part).all(|(a, b)| a.is_nan() || a == b));
        assert_eq!(
            run(
                conv.kernel::<f32>(Propagation::BackwardFilter, Layout::RowMajor),
                [&x, &y],
                w.len()
            ),
            run(
                conv.kernel::<f32>(Propagation::BackwardFilter, Layout::Nhwc16n),
                [&lines, &lines_of_y],
                w.len()
            )
        );
    });
}

/// The number of cases: `PROPTEST_CASES`, which sanitizers keep low.
fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(400),
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn all_three_are_what_a_loop_over_every_product_gives(sizes in sizes()) {
        if let Some(conv) = sizes.convolution() {
            with_each(|| {
                check::<f32>(conv);
                check::<f64>(conv);
            });
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
                with_each(|| {
                    check::<f32>(sizes.convolution().unwrap());
                    check::<f64>(sizes.convolution().unwrap());
                });
            }
        }
    }
}

#[test]
fn filters_of_many_channels_are_exact_on_small_integers() {
    let (rows, columns) = (
        Sliding::new(5, 3, 1, 1, Padding::Same).unwrap(),
        Sliding::new(4, 2, 1, 1, Padding::Same).unwrap(),
    );
    for (channels, filters) in [(96, 90), (33, 128)] {
        let conv = Convolution { images: 11, rows, columns, channels, filters, groups: 1 };
        with_each(|| {
            check::<f32>(conv);
            check::<f64>(conv);
        });
    }
}

#[test]
fn parts_are_neither_tiny_nor_few() {
    for (window, channels, filters, stride, side) in NETWORKS {
        let axis = Sliding::new(side, window, stride, 1, Padding::Same).unwrap();
        let conv =
            Convolution { images: 100, rows: axis, columns: axis, channels, filters, groups: 1 };
        for propagation in
            [Propagation::Forward, Propagation::BackwardInput, Propagation::BackwardFilter]
        {
            let bytes = match propagation {
                Propagation::Forward => conv.output_reorder().len(),
                Propagation::BackwardInput => conv.input_reorder().len(),
                Propagation::BackwardFilter => conv.filter_len(),
            } * size_of::<f32>();
            let parts =
                Serial::new(conv.kernel::<f32>(propagation, Layout::Nhwc16n), 2).parts(bytes);
            let most = *parts.iter().max().unwrap();
            assert!((6..=100).contains(&most), "{most} parts of {propagation:?} of {conv:?}");
        }
    }
}

#[test]
fn what_is_not_finite_reaches_what_sees_it_and_nothing_else() {
    for (window, channels, filters, stride, side) in NETWORKS {
        let axis = Sliding::new(side, window, stride, 1, Padding::Same).unwrap();
        for images in [3, 17] {
            let conv =
                Convolution { images, rows: axis, columns: axis, channels, filters, groups: 1 };
            let (mut x, mut w, mut y) = (
                numbers(conv.input_len(), 1),
                numbers(conv.filter_len(), 5),
                numbers(conv.output_len(), 11),
            );
            for (case, odd) in
                [f64::NAN, f64::INFINITY, f64::NAN, f64::NEG_INFINITY].into_iter().enumerate()
            {
                match case {
                    0 => x[conv.input_len() / 2] = odd,
                    1 => y[conv.output_len() / 2] = odd,
                    2 => w[0] = odd,
                    _ => x[0] = odd,
                }
                let (mut of_x, mut of_w, mut of_y) =
                    (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; y.len()]);
                every_product(&conv, |i, j, k| {
                    of_x[i] += w[j] * y[k];
                    of_w[j] += x[i] * y[k];
                    of_y[k] += x[i] * w[j];
                });
                let run = |kernel: Kernel, operands: [&[f64]; 2], expected: &[f64]| {
                    let mut out = vec![1.0; expected.len()];
                    Serial::new(kernel, 2).run(&operands, &mut out).unwrap();
                    let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
                    assert!(out.iter().zip(expected).all(same), "case {case} of {conv:?}");
                };
                with_each(|| {
                    run(
                        conv.kernel::<f64>(Propagation::Forward, Layout::RowMajor),
                        [&x, &w],
                        &of_y,
                    );
                    run(
                        conv.kernel::<f64>(Propagation::BackwardInput, Layout::RowMajor),
                        [&w, &y],
                        &of_x,
                    );
                    run(
                        conv.kernel::<f64>(Propagation::BackwardFilter, Layout::RowMajor),
                        [&x, &y],
                        &of_w,
                    );
                });
            }
        }
    }
}
