//! Convolutions and pools: values against ones worked out by hand and against plain loops,
//! mistakes, thread counts.

use abeyance::graph::dims;
use abeyance::prelude::*;
use abeyance::session::Feed;
use ndarray::{Array4, ArrayD, ArrayView4, IxDyn};

fn array(dims: &[usize], values: &[f64]) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(dims), values.to_vec()).unwrap()
}

/// 1, 2, 3, ...
fn counting(dims: &[usize]) -> ArrayD<f64> {
    let len: usize = dims.iter().product();
    array(dims, &(1..=len).map(|i| i as f64).collect::<Vec<_>>())
}

/// Small integers in no order.
fn numbers(dims: &[usize], seed: usize) -> ArrayD<f64> {
    let len: usize = dims.iter().product();
    let values: Vec<f64> =
        (0..len).map(|i| ((i * 7919 + seed * 104_729) % 17) as f64 - 8.0).collect();
    array(dims, &values)
}

/// The value of a node that `build` makes of constants.
fn evaluate<const N: usize>(
    operands: [&ArrayD<f64>; N],
    build: impl for<'g> FnOnce([Tensor<'g, f64>; N]) -> Tensor<'g, f64>,
) -> ArrayD<f64> {
    let g = Graph::new();
    let tensors = operands.map(|operand| g.constant_array(operand));
    let y = build(tensors);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    session.run(y, []).unwrap_or_else(|error| panic!("{error}"))
}

fn elements(x: &ArrayD<f64>) -> Vec<f64> {
    x.iter().copied().collect()
}

/// A mistake's message from what is built.
fn mistake(build: impl FnOnce(&Graph)) -> String {
    let g = Graph::new();
    build(&g);
    g.check().unwrap_err().to_string()
}

#[test]
fn a_3x3_image_under_a_2x2_filter_by_hand() {
    // 1 2 3
    // 4 5 6   under   1 2
    // 7 8 9           3 4, not turned round
    let (x, w) = (counting(&[1, 3, 3, 1]), counting(&[2, 2, 1, 1]));
    let valid = evaluate([&x, &w], |[x, w]| x.conv2d(w, ConvOptions::valid()));
    assert_eq!(valid, array(&[1, 2, 2, 1], &[37.0, 47.0, 67.0, 77.0]));
    // The one row and column of padding are at the end.
    let same = evaluate([&x, &w], |[x, w]| x.conv2d(w, ConvOptions::same()));
    let expected = [37.0, 47.0, 21.0, 67.0, 77.0, 33.0, 23.0, 26.0, 9.0];
    assert_eq!(same, array(&[1, 3, 3, 1], &expected));
    let strided = evaluate([&x, &w], |[x, w]| x.conv2d(w, ConvOptions::same().stride(2)));
    assert_eq!(strided, array(&[1, 2, 2, 1], &[37.0, 21.0, 23.0, 9.0]));
}

#[test]
fn a_filter_of_one_row_is_tensorflows_conv1d_example() {
    // tf.nn.conv1d's: [1, 2, 3, 4] under [2, 1, 1] gives [7, 11] without padding.
    let (x, w) = (counting(&[1, 1, 4, 1]), array(&[1, 3, 1, 1], &[2.0, 1.0, 1.0]));
    let y = evaluate([&x, &w], |[x, w]| x.conv2d(w, ConvOptions::valid()));
    assert_eq!(elements(&y), [7.0, 11.0]);
}

#[test]
fn a_filter_of_one_pixel_is_a_matrix_product() {
    let (x, w) = (numbers(&[2, 3, 5, 7], 1), numbers(&[1, 1, 7, 4], 2));
    let y = evaluate([&x, &w], |[x, w]| x.conv2d(w, ConvOptions::same()));
    let product = evaluate([&x, &w], |[x, w]| {
        let (x, w) = (x.reshape(dims![30, 7]), w.reshape(dims![7, 4]));
        x.matmul(w).reshape(dims![2, 3, 5, 4])
    });
    assert_eq!(y, product);
}

/// Rows of padding before the image and rows of the result, by TensorFlow's definition.
fn axis(size: usize, window: usize, stride: usize, dilation: usize, same: bool) -> (isize, usize) {
    let extent = (window - 1) * dilation + 1;
    if same {
        let out = size.div_ceil(stride);
        let total = ((out - 1) * stride + extent).saturating_sub(size);
        ((total / 2) as isize, out)
    } else {
        (0, (size - extent) / stride + 1)
    }
}

/// The value at a pixel, 0 beyond the borders.
fn at(x: &ArrayView4<'_, f64>, n: usize, i: isize, j: isize, c: usize) -> f64 {
    let (height, width) = (x.dim().1 as isize, x.dim().2 as isize);
    if (0..height).contains(&i) && (0..width).contains(&j) {
        x[[n, i as usize, j as usize, c]]
    } else {
        0.0
    }
}

#[test]
fn depthwise_filters_are_what_a_loop_gives() {
    for (multiplier, stride, dilation, same) in
        [(1, 1, 1, true), (3, 1, 1, true), (2, 2, 1, false), (2, 1, 2, true), (1, 3, 1, true)]
    {
        let (x, w) = (numbers(&[2, 7, 6, 5], 3), numbers(&[3, 2, 5, multiplier], 4));
        let options = if same { ConvOptions::same() } else { ConvOptions::valid() };
        let options = options.stride(stride).dilation(dilation);
        let y = evaluate([&x, &w], |[x, w]| x.depthwise_conv2d(w, options));
        let (x, w) = (
            x.view().into_dimensionality().unwrap(),
            w.view().into_dimensionality::<ndarray::Ix4>().unwrap(),
        );
        let (top, rows) = axis(7, 3, stride, dilation, same);
        let (left, columns) = axis(6, 2, stride, dilation, same);
        let expected = Array4::from_shape_fn((2, rows, columns, 5 * multiplier), |(n, i, j, f)| {
            let (c, m) = (f / multiplier, f % multiplier);
            let mut sum = 0.0;
            for p in 0..3 {
                for q in 0..2 {
                    let (row, column) = (i * stride + p * dilation, j * stride + q * dilation);
                    sum +=
                        w[[p, q, c, m]] * at(&x, n, row as isize - top, column as isize - left, c);
                }
            }
            sum
        });
        assert_eq!(y, expected.into_dyn());
    }
}

#[test]
fn a_transposed_convolution_adds_the_filter_where_each_pixel_was_seen_from() {
    for (stride, same, rows, columns) in
        [(1, true, 4, 3), (2, true, 8, 6), (2, false, 9, 6), (4, false, 16, 12)]
    {
        let (y, w) = (numbers(&[2, 4, 3, 5], 5), numbers(&[3, 2, 4, 5], 6));
        let options = if same { ConvOptions::same() } else { ConvOptions::valid() };
        let options = options.stride(stride);
        let x = evaluate([&y, &w], |[y, w]| y.conv2d_transpose(w, options));
        let given =
            evaluate([&y, &w], |[y, w]| y.conv2d_transpose_to(w, [2, rows, columns, 4], options));
        assert_eq!(x, given);
        let (top, _) = axis(rows, 3, stride, 1, same);
        let (left, _) = axis(columns, 2, stride, 1, same);
        let mut expected = Array4::<f64>::zeros((2, rows, columns, 4));
        for ((n, i, j, f), &y) in
            y.view().into_dimensionality::<ndarray::Ix4>().unwrap().indexed_iter()
        {
            for ((p, q, c, of), &w) in
                w.view().into_dimensionality::<ndarray::Ix4>().unwrap().indexed_iter()
            {
                let row = (i * stride + p) as isize - top;
                let column = (j * stride + q) as isize - left;
                let inside =
                    (0..rows as isize).contains(&row) && (0..columns as isize).contains(&column);
                if of == f && inside {
                    expected[[n, row as usize, column as usize, c]] += y * w;
                }
            }
        }
        assert_eq!(x, expected.into_dyn(), "stride {stride}, same {same}");
    }
}

#[test]
fn a_nan_reaches_the_windows_that_see_it_and_no_others() {
    for (side, channels, filters, window, stride) in
        [(28, 1, 4, 5, 1), (28, 4, 8, 4, 2), (14, 8, 12, 4, 2), (28, 6, 12, 5, 2), (9, 3, 40, 3, 1)]
    {
        for odd in [f64::NAN, f64::INFINITY] {
            let mut x = numbers(&[2, side, side, channels], 1);
            x[[1, 6, 7, 0]] = odd;
            let w = numbers(&[window, window, channels, filters], 2).mapv(|w| w + 9.0);
            let options = ConvOptions::same().stride(stride);
            let y = evaluate([&x, &w], |[x, w]| x.conv2d(w, options));
            let (before, out) = axis(side, window, stride, 1, true);
            for n in 0..2 {
                for i in 0..out {
                    for j in 0..out {
                        let sees = |place: usize, element: isize| {
                            let first = (place * stride) as isize - before;
                            (first..first + window as isize).contains(&element)
                        };
                        let seen = n == 1 && sees(i, 6) && sees(j, 7);
                        for f in 0..filters {
                            let y = y[[n, i, j, f]];
                            assert_eq!(!y.is_finite(), seen, "{y} at {i}, {j}, {f} for {odd}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_nan_in_a_cotangent_reaches_the_pixels_it_belongs_to_and_no_others() {
    for (side, channels, filters, window, stride) in
        [(28, 4, 8, 4, 2), (14, 8, 12, 4, 2), (28, 6, 12, 5, 2), (28, 2, 3, 5, 1)]
    {
        let (before, out) = axis(side, window, stride, 1, true);
        let mut y = numbers(&[2, out, out, filters], 1);
        y[[1, 3, 4, 0]] = f64::NAN;
        let w = numbers(&[window, window, channels, filters], 2).mapv(|w| w + 9.0);
        let options = ConvOptions::same().stride(stride);
        let shape = [2, side, side, channels];
        let x = evaluate([&y, &w], |[y, w]| y.conv2d_transpose_to(w, shape, options));
        for n in 0..2 {
            for i in 0..side {
                for j in 0..side {
                    let sees = |place: usize, element: usize| {
                        let first = (place * stride) as isize - before;
                        (first..first + window as isize).contains(&(element as isize))
                    };
                    let seen = n == 1 && sees(3, i) && sees(4, j);
                    for c in 0..channels {
                        assert_eq!(x[[n, i, j, c]].is_nan(), seen, "at {n}, {i}, {j}, {c}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_largest_element_of_windows_by_hand() {
    let x = array(
        &[1, 3, 4, 1],
        &[
            1.0,
            5.0,
            2.0,
            2.0, //
            5.0,
            5.0,
            2.0,
            9.0, //
            -3.0,
            -4.0,
            -5.0,
            f64::NAN,
        ],
    );
    let y = evaluate([&x], |[x]| x.max_pool(PoolOptions::same(2)));
    assert_eq!(elements(&y)[..3], [5.0, 9.0, -3.0]);
    assert!(elements(&y)[3].is_nan());
    let y = evaluate([&x], |[x]| x.max_pool(PoolOptions::valid(2).stride(1)));
    assert_eq!(elements(&y)[..5], [5.0, 5.0, 9.0, 5.0, 5.0]);
    assert!(elements(&y)[5].is_nan());
}

#[test]
fn the_gradient_of_a_largest_element_goes_to_the_first_of_equals_and_to_a_nan() {
    let x = array(
        &[1, 2, 6, 1],
        &[
            1.0,
            5.0,
            2.0,
            2.0,
            7.0,
            f64::NAN, //
            5.0,
            5.0,
            2.0,
            2.0,
            8.0,
            f64::NAN,
        ],
    );
    let slope = evaluate([&x], |[x]| {
        let y = x.max_pool(PoolOptions::valid(2));
        gradients(y.reduce_sum(..), [x])[0]
    });
    let expected = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(elements(&slope), expected);
}

#[test]
fn windows_that_overlap_add_their_gradients() {
    let x = array(&[1, 1, 4, 1], &[1.0, 3.0, 2.0, 0.0]);
    let slope = evaluate([&x], |[x]| {
        let y = x.max_pool(PoolOptions::same([1, 2]).stride(1));
        gradients(y.reduce_sum(..), [x])[0]
    });
    assert_eq!(elements(&slope), [0.0, 2.0, 1.0, 1.0]);
}

#[test]
fn second_derivatives_run_through_a_largest_element() {
    // Σ max(x)³ has second derivatives 6x where x is the largest.
    let x = array(&[1, 2, 4, 1], &[1.0, 2.0, 3.0, 0.0, 4.0, 0.5, 1.5, 2.5]);
    let second = evaluate([&x], |[x]| {
        let y = x.max_pool(PoolOptions::same(2));
        let [first] = gradients((y.square() * y).reduce_sum(..), [x]);
        gradients(first.reduce_sum(..), [x])[0]
    });
    assert_eq!(elements(&second), [0.0, 0.0, 18.0, 0.0, 24.0, 0.0, 0.0, 0.0]);
}

#[test]
fn means_leave_out_what_is_beyond_the_borders() {
    let x = counting(&[1, 3, 3, 1]);
    let y = evaluate([&x], |[x]| x.avg_pool(PoolOptions::same(2).stride(1)));
    assert_eq!(elements(&y), [3.0, 4.0, 4.5, 6.0, 7.0, 7.5, 7.5, 8.5, 9.0]);
    let y = evaluate([&x], |[x]| x.avg_pool(PoolOptions::same(3).stride(2)));
    assert_eq!(elements(&y), [3.0, 4.0, 6.0, 7.0]);
    let slope = evaluate([&x], |[x]| {
        let y = x.avg_pool(PoolOptions::same(2));
        gradients(y.reduce_sum(..), [x])[0]
    });
    assert_eq!(elements(&slope), [0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5, 0.5, 1.0]);
}

#[test]
fn pools_of_whole_images_are_reductions() {
    let x = counting(&[2, 2, 2, 2]);
    let mean = evaluate([&x], |[x]| x.global_avg_pool());
    assert_eq!(mean, array(&[2, 2], &[4.0, 5.0, 12.0, 13.0]));
    let max = evaluate([&x], |[x]| x.global_max_pool());
    assert_eq!(max, array(&[2, 2], &[7.0, 8.0, 15.0, 16.0]));
}

#[test]
fn sizes_may_be_left_open() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, "H", "W", 2]);
    let w = g.constant_array(&numbers(&[3, 3, 2, 4], 1));
    let y = x.conv2d(w, ConvOptions::same());
    assert_eq!(y.to_string(), "conv2d : f64[N, H, W, 4]");
    let y = y.conv2d(g.constant_array(&numbers(&[2, 3, 4, 3], 2)), ConvOptions::valid().stride(2));
    assert_eq!(y.to_string(), "conv2d_1 : f64[N, D, D2, 3]");
    let pooled = y.max_pool(PoolOptions::same(2)).avg_pool(PoolOptions::same(2));
    let up = pooled.conv2d_transpose(
        g.constant_array(&numbers(&[2, 2, 5, 3], 3)),
        ConvOptions::same().stride(2),
    );
    let loss = up.square().reduce_sum(..);
    let [dx, dw] = gradients(loss, [x, w]);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    for (n, height, width) in [(2, 9, 11), (1, 17, 8), (0, 9, 11)] {
        let fed = numbers(&[n, height, width, 2], 9);
        let (up, dx, dw) =
            session.run((up, dx, dw), feeds![x => &fed]).unwrap_or_else(|error| panic!("{error}"));
        let shape =
            |size: usize, window: usize| (((size - window) / 2 + 1).div_ceil(2)).div_ceil(2) * 2;
        assert_eq!(up.shape(), [n, shape(height, 2), shape(width, 3), 5]);
        assert_eq!(dx.shape(), [n, height, width, 2]);
        assert_eq!(dw.shape(), [3, 3, 2, 4]);
    }
    // Rows that do not suffice are found when they are fed.
    let fed = numbers(&[1, 1, 9, 2], 9);
    let message = session.run(up, feeds![x => &fed]).unwrap_err().to_string();
    assert!(
        message.contains("a window of 2 rows does not fit into the 1 rows of the images"),
        "{message}"
    );
}

#[test]
fn filters_that_do_not_fit_are_mistakes_naming_both_shapes() {
    let message = mistake(|g| {
        let x = g.placeholder::<f32>("x", dims![_, 28, 28, 3]);
        let w = g.zeros::<f32>(dims![5, 5, 4, 8]);
        x.conv2d(w, ConvOptions::same());
        x.conv2d(g.zeros(dims![5, 5, 3]), ConvOptions::same());
        x.conv2d(g.zeros(dims![29, 5, 3, 1]), ConvOptions::valid());
        x.conv2d(g.zeros(dims![3, 10, 3, 1]), ConvOptions::valid().dilation([1, 4]));
        x.conv2d(g.zeros(dims![3, 0, 3, 1]), ConvOptions::valid());
        x.conv2d(g.zeros(dims![3, 3, 1, 8]), ConvOptions::same().groups(2));
        x.conv2d(g.zeros(dims![3, 3, 1, 8]), ConvOptions::same().groups(3));
        x.conv2d(g.zeros(dims![3, 3, 3, 8]), ConvOptions::same().groups(0));
    });
    for part in [
        "conv2d: images of shape [N, 28, 28, 3] have 3 channels, and a filter of shape [5, 5, 4, 8] takes 4",
        "conv2d = conv2d(x, fill) same=true",
        "both need four dimensions",
        "a window of 29 rows does not fit into the 28 rows of the images",
        "a window of 37 columns (10 of them, 4 apart) does not fit into the 28 columns",
        "a window of 0 columns sees nothing",
        "3 channels cannot be divided evenly into 2 groups",
        "8 filters cannot be divided evenly into 3 groups",
        "groups = 0: there must be at least 1",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
}

#[test]
fn strides_dilations_and_windows_of_nothing_or_of_everything_are_mistakes() {
    let most = usize::MAX;
    let message = mistake(|g| {
        let x = g.placeholder::<f32>("x", dims![_, 28, 28, 3]);
        let w = g.zeros::<f32>(dims![5, 5, 3, 8]);
        x.conv2d(w, ConvOptions::same().stride(0));
        x.conv2d(w, ConvOptions::same().stride([1, 0]));
        x.conv2d(w, ConvOptions::same().dilation(0));
        x.conv2d(w, ConvOptions::same().dilation([1, most]));
        x.conv2d(w, ConvOptions::same().groups(most));
        x.max_pool(PoolOptions::same(0));
        x.max_pool(PoolOptions::same(2).stride(0));
        x.avg_pool(PoolOptions::valid([2, 29]));
        x.avg_pool(PoolOptions::valid([most, 1]));
        x.reduce_sum([0i64]).max_pool(PoolOptions::same(2));
        x.reduce_sum([0i64]).global_avg_pool();
        let y = g.zeros::<f32>(dims![1, 1 << 40, 1, 8]);
        y.conv2d_transpose(w, ConvOptions::same().stride(1 << 40));
    });
    for part in [
        "strides = [0, 0]: each must be at least 1",
        "strides = [1, 0]: each must be at least 1",
        "dilations = [0, 0]: each must be at least 1",
        "a window of 5 columns, 9223372036854775807 apart, is larger than any image",
        "3 channels cannot be divided evenly into 9223372036854775807 groups",
        "max_pool: window = [0, 0]: each must be at least 1",
        "max_pool: strides = [0, 0]",
        "avg_pool: a window of 29 columns does not fit into the 28 columns of the images",
        "avg_pool: a window of 9223372036854775807 rows does not fit",
        "images need four dimensions, [N, H, W, C], and these are of shape [28, 28, 3]",
        "global_avg_pool: images need four dimensions",
        "larger than any memory",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
    // Large ones that make sense are none.
    let y = evaluate([&counting(&[1, 3, 3, 1])], |[x]| {
        x.max_pool(PoolOptions::same(1 << 40).stride(1 << 50))
    });
    assert_eq!(elements(&y), [9.0]);
    let (x, w) = (counting(&[1, 3, 3, 1]), counting(&[2, 2, 1, 1]));
    let options = ConvOptions::same().stride(1 << 50).dilation(1 << 40);
    let y = evaluate([&x, &w], |[x, w]| x.conv2d(w, options));
    assert_eq!(elements(&y), [0.0]);
}

#[test]
fn depthwise_and_transposed_convolutions_name_what_does_not_fit() {
    let message = mistake(|g| {
        let x = g.placeholder::<f32>("x", dims![_, 28, 28, 3]);
        let w = g.zeros::<f32>(dims![5, 5, 4, 2]);
        x.depthwise_conv2d(w, ConvOptions::same());
        x.depthwise_conv2d(g.zeros(dims![5, 5, 3]), ConvOptions::same());
        x.depthwise_conv2d(g.zeros(dims![5, 5, 3, 2]), ConvOptions::same().groups(3));
        let open = g.placeholder::<f32>("open", dims![_, 28, 28, _]);
        let filter = g.placeholder::<f32>("filter", dims![5, 5, _, 1]);
        open.depthwise_conv2d(filter, ConvOptions::same());
        let y = g.zeros::<f32>(dims![2, 7, 7, 8]);
        let w = g.zeros::<f32>(dims![3, 3, 4, 8]);
        y.conv2d_transpose_to(w, [2, 13, 15, 4], ConvOptions::same().stride(2));
        y.conv2d_transpose_to(w, dims![_, 14, 14, 4], ConvOptions::same().stride(2));
        y.conv2d_transpose(g.zeros(dims![3, 3, 8, 4]), ConvOptions::same());
    });
    for part in [
        "images of shape [N, 28, 28, 3] and a filter of shape [5, 5, 4, 2]: the filter is for 4 channels, and the images have 3",
        "depthwise_conv2d: images of shape [N, 28, 28, 3] and a filter of shape [5, 5, 3]: both need four dimensions",
        "so groups = 3 has no meaning",
        "the numbers of channels and of filters have to be known",
        "a cotangent of shape [2, 7, 7, 8] is not that of images of shape [2, 13, 15, 4] and a filter of shape [3, 3, 4, 8], which give [2, 7, 8, 8]",
        "the shape of a transposed convolution has to be known",
        "a cotangent of shape [2, 7, 7, 8] is not that of images",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
}

#[test]
fn what_depends_on_a_mistake_is_not_reported_again() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 28, 28, 3]);
    let w = g.zeros::<f32>(dims![5, 5, 4, 8]);
    let wrong = x.conv2d(w, ConvOptions::same());
    wrong.max_pool(PoolOptions::same(2)).global_avg_pool();
    wrong.depthwise_conv2d(w, ConvOptions::same());
    let mistakes = g.check().unwrap_err();
    assert_eq!(mistakes.0.len(), 1, "{mistakes}");
}

/// Layers of two networks for 28x28 images: filter, channels, filters, stride.
const NETWORKS: [[(usize, usize, usize, usize); 3]; 2] =
    [[(5, 1, 4, 1), (4, 4, 8, 2), (4, 8, 12, 2)], [(6, 1, 6, 1), (5, 6, 12, 2), (4, 12, 24, 2)]];

#[test]
fn networks_give_the_same_bits_on_1_2_3_and_8_threads_and_with_every_kind_of_pool() {
    for layers in NETWORKS {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
        let (mut h, mut filters) = (x, Vec::new());
        for (window, channels, count, stride) in layers {
            let _layer = g.scope("layer");
            let first = truncated_normal(dims![window, window, channels, count], 0.0, 0.1);
            let w = g.variable("w", first);
            h = h.conv2d(w, ConvOptions::same().stride(stride)).relu();
            filters.push(w.erase());
        }
        assert_eq!(h.shape().len(), 4);
        let pooled =
            h.max_pool(PoolOptions::same([3, 2]).stride(2)) + h.avg_pool(PoolOptions::same(2));
        let loss = (pooled.square().reduce_sum(..) + h.global_avg_pool().reduce_sum(..)).tensor();
        let mut wanted = vec![loss.erase()];
        wanted.extend(abeyance::session::gradients_of(
            loss.erase(),
            &[&filters[..], &[x.erase()]].concat(),
            abeyance::session::Unconnected::Mistake,
        ));
        let images = numbers(&[100, 28, 28, 1], 3).mapv(|x| x as f32 * 0.37);
        let run = |threads: usize| -> Vec<Vec<u32>> {
            let options = SessionOptions::new().threads(threads).seed(1);
            let session = Session::with_options(&g, options).unwrap();
            let feed = Feed::new(x, &images);
            let values = session.run(wanted.clone(), [feed]).unwrap();
            values
                .into_iter()
                .map(|value| match value {
                    abeyance::session::Value::F32(x) => x.iter().map(|x| x.to_bits()).collect(),
                    other => panic!("{other:?}"),
                })
                .collect()
        };
        let one = run(1);
        assert!(one.iter().flatten().any(|&bits| bits != 0));
        for threads in [2, 3, 8] {
            assert!(one == run(threads), "{threads} threads");
        }
    }
}

fn of<'g>(images: Tensor<'g, f32>, w: Tensor<'g, f32>) -> Scalar<'g, f32> {
    images.conv2d(w, ConvOptions::same()).square().reduce_sum(..)
}

#[test]
fn images_cut_out_of_other_shapes_are_convolved_as_they_are_described() {
    // Enough images that they are put into blocks; the bytes are a placeholder's whose first dimension
    // is another.
    let run = |optimize: bool| {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![4, 10, 9]);
        let w = g.variable("w", random_normal(dims![2, 2, 1, 3], 0.0, 1.0));
        let loss = of(x.reshape(dims![40, 3, 3, 1]), w) + of(x.reshape(dims![20, 6, 3, 1]), w);
        let [slope] = gradients(loss, [w]);
        let session = Session::with_options(&g, SessionOptions::new().optimize(optimize)).unwrap();
        let values = ArrayD::from_shape_fn(IxDyn(&[4, 10, 9]), |at| {
            (at[0] * 7 + at[1] * 3 + at[2]) as f32 / 9.0 - 2.0
        });
        session.run((loss, slope), feeds![x => &values]).unwrap()
    };
    assert_eq!(run(true), run(false));
}
