//! Shapes and moves: values against NumPy's meaning worked out by hand or by plain loops, sizes of
//! 0, unknown sizes, mistakes.

use abeyance::graph::SlicePart;
use abeyance::prelude::*;
use ndarray::{ArrayD, IxDyn};

mod differences;

fn array<T: Clone>(dims: &[usize], values: &[T]) -> ArrayD<T> {
    ArrayD::from_shape_vec(IxDyn(dims), values.to_vec()).unwrap()
}

/// 0, 1, 2, ...
fn counting(dims: &[usize]) -> ArrayD<f64> {
    let len: usize = dims.iter().product();
    array(dims, &(0..len).map(|i| i as f64).collect::<Vec<_>>())
}

/// The value of a node that `build` makes of a constant.
fn evaluate(
    x: &ArrayD<f64>,
    build: impl for<'g> FnOnce(Tensor<'g, f64>) -> Tensor<'g, f64>,
) -> ArrayD<f64> {
    let g = Graph::new();
    let y = build(g.constant_array(x));
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    session.run(y, []).unwrap_or_else(|error| panic!("{error}"))
}

/// The mistakes of what `build` builds.
fn mistakes(build: impl FnOnce(&Graph)) -> String {
    let g = Graph::new();
    build(&g);
    g.check().unwrap_err().to_string()
}

/// Python's `range(*slice(begin, end, step).indices(n))`, worked out by walking.
fn python(n: usize, begin: Option<i64>, end: Option<i64>, step: i64) -> Vec<usize> {
    let n = n as i64;
    let place = |at: i64| if at < 0 { at + n } else { at };
    let (mut at, end) = if step > 0 {
        (begin.map_or(0, |at| place(at).clamp(0, n)), end.map_or(n, |at| place(at).clamp(0, n)))
    } else {
        (
            begin.map_or(n - 1, |at| place(at).clamp(-1, n - 1)),
            end.map_or(-1, |at| place(at).clamp(-1, n - 1)),
        )
    };
    let mut places = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        places.push(at as usize);
        at += step;
    }
    places
}

/// The elements at these places of each dimension.
fn picked(x: &ArrayD<f64>, places: &[Vec<usize>]) -> ArrayD<f64> {
    let dims: Vec<usize> = places.iter().map(Vec::len).collect();
    ArrayD::from_shape_fn(IxDyn(&dims), |index| {
        let at: Vec<usize> = places.iter().enumerate().map(|(d, p)| p[index[d]]).collect();
        x[&at[..]]
    })
}

#[test]
fn strided_slices_are_pythons_for_every_begin_end_and_step() {
    let ends = [None, Some(-9), Some(-4), Some(-1), Some(0), Some(1), Some(3), Some(4), Some(9)];
    for n in [0usize, 1, 4] {
        let x = counting(&[n, 3]);
        let g = Graph::new();
        let t = g.constant_array(&x);
        let mut wanted = Vec::new();
        let mut slices = Vec::new();
        for begin in ends {
            for end in ends {
                for step in [1, 2, 5, -1, -2, -5, i64::MAX, i64::MIN] {
                    slices.push(t.strided_slice([SlicePart::Range { begin, end, step }]));
                    let step = step.clamp(-100, 100);
                    wanted.push(picked(&x, &[python(n, begin, end, step), vec![0, 1, 2]]));
                }
            }
        }
        let found = Session::new(&g).unwrap().run(slices, []).unwrap();
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(found, wanted);
        }
    }
}

#[test]
fn indices_new_axes_and_the_rest() {
    let x = counting(&[3, 4, 5]);
    let y = evaluate(&x, |x| x.strided_slice(slices![-1, ..;-2, 1..-1]));
    assert_eq!(y, array(&[2, 3], &[56.0, 57.0, 58.0, 46.0, 47.0, 48.0]));
    let y = evaluate(&x, |x| x.strided_slice(slices![..., 2, NewAxis, 4]));
    assert_eq!(y, array(&[3, 1], &[14.0, 34.0, 54.0]));
    let y = evaluate(&x, |x| x.strided_slice(slices![NewAxis, 1, ..., NewAxis]));
    assert_eq!(y.shape(), [1, 4, 5, 1]);
    assert_eq!(y[[0, 2, 3, 0]], 33.0);
    // A range that goes backwards from a place to another.
    let y = evaluate(&x, |x| x.strided_slice(slices![1, 3..0;-1, 0]));
    assert_eq!(y, array(&[3], &[35.0, 30.0, 25.0]));
    assert_eq!(evaluate(&x, |x| x.strided_slice(slices![2, 3, 4])), array(&[], &[59.0]));
}

#[test]
fn slices_of_a_fed_size() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2]);
    let last = x.strided_slice(slices![-1]);
    let (inner, back) = (x.strided_slice(slices![1..-1]), x.strided_slice(slices![..;-1]));
    let [slope] = gradients((last * 2.0).reduce_sum(..) + inner.reduce_sum(..), [x]);
    let session = Session::new(&g).unwrap();
    for n in [1usize, 3, 5] {
        let fed = counting(&[n, 2]);
        let (last, inner, back, slope) =
            session.run((last, inner, back, slope), feeds![x => &fed]).unwrap();
        assert_eq!(
            last,
            picked(&fed, &[vec![n - 1], vec![0, 1]]).into_shape_with_order(vec![2]).unwrap()
        );
        assert_eq!(inner.shape(), [n.saturating_sub(2), 2]);
        assert_eq!(back, picked(&fed, &[(0..n).rev().collect(), vec![0, 1]]));
        let row = |i: usize| {
            f64::from(u8::from(i > 0 && i + 1 < n)) + 2.0 * f64::from(u8::from(i + 1 == n))
        };
        assert_eq!(slope, ArrayD::from_shape_fn(IxDyn(&[n, 2]), |at| row(at[0])));
    }
    let empty = counting(&[0, 2]);
    let error = session.run(last, feeds![x => &empty]).unwrap_err();
    assert!(
        error.to_string().contains("index -1 is out of range: dimension 0 of [0, 2] has size 0"),
        "{error}"
    );
    let (inner, back) = session.run((inner, back), feeds![x => &empty]).unwrap();
    assert_eq!((inner.shape(), back.shape()), (&[0, 2][..], &[0, 2][..]));
}

#[test]
fn slices_move_every_element_type() {
    let g = Graph::new();
    let bools = g.constant_array(&array(&[3], &[true, false, false])).reverse([0]);
    let bytes = g.constant_array(&array(&[3], &[1u8, 2, 255])).strided_slice(slices![..;2]);
    let ints = g.constant_array(&array(&[2], &[i32::MIN, 7])).tile([2]);
    let longs = g.constant_array(&array(&[1], &[i64::MIN])).pad_constant([[1, 0]], -5i64);
    let nan = g.constant_array(&array(&[1], &[f32::NAN])).pad_constant([[0, 1]], -0.0f32);
    let (bools, bytes, ints, longs, nan) =
        Session::new(&g).unwrap().run((bools, bytes, ints, longs, nan), []).unwrap();
    assert_eq!(bools, array(&[3], &[false, false, true]));
    assert_eq!(bytes, array(&[2], &[1, 255]));
    assert_eq!(ints, array(&[4], &[i32::MIN, 7, i32::MIN, 7]));
    assert_eq!(longs, array(&[2], &[-5, i64::MIN]));
    assert!(nan[0].is_nan() && nan[1].to_bits() == (-0.0f32).to_bits());
}

#[test]
fn reverse_turns_the_named_axes_round() {
    let x = counting(&[2, 3, 2]);
    let y = evaluate(&x, |x| x.reverse([0, -1]));
    assert_eq!(y, picked(&x, &[vec![1, 0], vec![0, 1, 2], vec![1, 0]]));
    assert_eq!(evaluate(&x, |x| x.reverse([])), x);
    assert_eq!(evaluate(&counting(&[0, 3]), |x| x.reverse([0, 1])).shape(), [0, 3]);
}

#[test]
fn stack_and_unstack_are_inverse_along_every_axis() {
    for axis in -3..3 {
        let x = counting(&[2, 3, 4]);
        let y = evaluate(&x, |x| x.graph().stack(x.unstack(axis), axis));
        assert_eq!(y, x, "axis {axis}");
    }
    let g = Graph::new();
    let scalars = [1.0, 2.0, 3.0].map(|value| g.constant(value).tensor());
    let row = g.stack(scalars, 0);
    let none: Vec<Tensor<'_, f64>> = g.zeros::<f64>(dims![0, 3]).unstack(0);
    assert!(none.is_empty());
    let batch = g.placeholder::<f64>("batch", dims![_, 3]);
    assert_eq!(g.stack([batch, batch], 1).to_string(), "stack_1 : f64[N, 2, 3]");
    let third = batch.unstack(1)[2];
    let session = Session::new(&g).unwrap();
    assert_eq!(session.run(row, []).unwrap(), array(&[3], &[1.0, 2.0, 3.0]));
    let third = session.run(third, feeds![batch => &counting(&[2, 3])]).unwrap();
    assert_eq!(third, array(&[2], &[2.0, 5.0]));
}

#[test]
fn split_evenly_and_by_sizes() {
    let x = counting(&[2, 6]);
    let g = Graph::new();
    let t = g.constant_array(&x);
    let (even, sized) = (t.split(3, 1), t.split_sizes(&[1, -1, 2, 0], -1));
    let (even, sized) = Session::new(&g).unwrap().run((even, sized), []).unwrap();
    for (i, part) in even.iter().enumerate() {
        assert_eq!(*part, picked(&x, &[vec![0, 1], vec![2 * i, 2 * i + 1]]));
    }
    let columns = [vec![0], vec![1, 2, 3], vec![4, 5], vec![]];
    for (part, columns) in sized.iter().zip(columns) {
        assert_eq!(*part, picked(&x, &[vec![0, 1], columns]));
    }
}

#[test]
fn split_of_a_fed_size() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2]);
    let even = x.split(2, 0);
    let sized = x.split_sizes(&[1, -1, 2], 0);
    let loss = (sized[0] * 2.0).reduce_sum(..)
        + (sized[1] * 3.0).reduce_sum(..)
        + (sized[2] * 5.0).reduce_sum(..)
        + (even[1] * 7.0).reduce_sum(..);
    let [slope] = gradients(loss, [x]);
    let session = Session::new(&g).unwrap();
    let fed = counting(&[6, 2]);
    let (even_parts, parts, slope) =
        session.run((even.clone(), sized.clone(), slope), feeds![x => &fed]).unwrap();
    assert_eq!(even_parts[1], picked(&fed, &[vec![3, 4, 5], vec![0, 1]]));
    for (part, rows) in parts.iter().zip([vec![0], vec![1, 2, 3], vec![4, 5]]) {
        assert_eq!(*part, picked(&fed, &[rows, vec![0, 1]]));
    }
    let rows = [2.0, 3.0, 3.0, 10.0, 12.0, 12.0];
    assert_eq!(slope, ArrayD::from_shape_fn(IxDyn(&[6, 2]), |at| rows[at[0]]));
    // Too few for the sizes, for each of the parts; and an odd number for two.
    let two = counting(&[2, 2]);
    for part in &sized[1..] {
        let error = session.run(*part, feeds![x => &two]).unwrap_err().to_string();
        assert!(error.contains("reach beyond the end of dimension 0 of [2, 2]"), "{error}");
    }
    let error = session.run(even[0], feeds![x => &counting(&[3, 2])]).unwrap_err();
    assert!(error.to_string().contains("reshape"), "{error}");
    // Sizes that are all given say how large the dimension is.
    let y = g.placeholder::<f64>("y", dims![_]);
    y.split_sizes(&[2, 3], 0);
    assert_eq!(y.to_string(), "y : f64[5]");
}

#[test]
fn padding_with_a_value_and_mirrored() {
    let x = array(&[3], &[1.0, 2.0, 3.0]);
    let y = evaluate(&x, |x| x.pad_constant([[1, 2]], -1.0));
    assert_eq!(y, array(&[6], &[-1.0, 1.0, 2.0, 3.0, -1.0, -1.0]));
    let y = evaluate(&x, |x| x.pad_reflect([[2, 1]]));
    assert_eq!(y, array(&[6], &[3.0, 2.0, 1.0, 2.0, 3.0, 2.0]));
    let y = evaluate(&x, |x| x.pad_symmetric([[3, 2]]));
    assert_eq!(y, array(&[8], &[3.0, 2.0, 1.0, 1.0, 2.0, 3.0, 3.0, 2.0]));
    // TensorFlow's documentation of `tf.pad`.
    let t = array(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let y = evaluate(&t, |t| t.pad_reflect([[1, 1], [2, 2]]));
    let rows = [
        [6., 5., 4., 5., 6., 5., 4.],
        [3., 2., 1., 2., 3., 2., 1.],
        [6., 5., 4., 5., 6., 5., 4.],
        [3., 2., 1., 2., 3., 2., 1.],
    ];
    assert_eq!(y, array(&[4, 7], rows.as_flattened()));
    let y = evaluate(&t, |t| t.pad_symmetric([[1, 1], [2, 2]]));
    let rows = [
        [2., 1., 1., 2., 3., 3., 2.],
        [2., 1., 1., 2., 3., 3., 2.],
        [5., 4., 4., 5., 6., 6., 5.],
        [5., 4., 4., 5., 6., 6., 5.],
    ];
    assert_eq!(y, array(&[4, 7], rows.as_flattened()));
    assert_eq!(evaluate(&t, |t| t.pad_reflect([[0, 0], [0, 0]])), t);
    let y = evaluate(&counting(&[0, 2]), |x| x.pad_constant([[1, 1], [0, 1]], 4.0));
    assert_eq!(y, array(&[2, 3], &[4.0; 6]));
}

#[test]
fn mirrors_of_a_fed_size() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_]);
    let (reflect, symmetric) = (x.pad_reflect([[1, 2]]), x.pad_symmetric([[1, 2]]));
    let weights = array(&[6], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let [slope] = gradients((reflect * g.constant_array(&weights)).reduce_sum(..), [x]);
    let session = Session::new(&g).unwrap();
    let fed = array(&[3], &[1.0, 2.0, 3.0]);
    let (r, s, slope) = session.run((reflect, symmetric, slope), feeds![x => &fed]).unwrap();
    assert_eq!(r, array(&[6], &[2.0, 1.0, 2.0, 3.0, 2.0, 1.0]));
    assert_eq!(s, array(&[6], &[1.0, 1.0, 2.0, 3.0, 3.0, 2.0]));
    assert_eq!(slope, array(&[3], &[8.0, 9.0, 4.0]));
    let error = session.run(symmetric, feeds![x => &[1.0]]).unwrap_err().to_string();
    assert!(error.contains("reach beyond the end"), "{error}");
}

#[test]
fn derivatives_of_mirrors_splits_and_stacks() {
    let values = [0.5, -1.5, 2.0, 0.75, -0.25, 1.0];
    differences::check([(&[2, 3], &values)], |[x]| (x * x).pad_reflect([[1, 0], [2, 2]]));
    differences::check([(&[2, 3], &values)], |[x]| (x * x).pad_symmetric([[2, 1], [0, 3]]));
    differences::check([(&[2, 3], &values)], |[x]| {
        let parts = x.split_sizes(&[1, -1], 1);
        parts[1] * parts[0] * x.strided_slice(slices![.., ..;2])
    });
    differences::check([(&[3, 2], &values)], |[x]| {
        let rows = x.unstack(0);
        x.graph().stack([rows[0] * rows[1], rows[2] * rows[2]], 1)
    });
    differences::check([(&[2, 3], &values), (&[], &[0.5])], |[x, value]| {
        x.pad_constant([[1, 0], [0, 2]], value * value).tile([1, 2])
    });
}

#[test]
fn tile_repeats_along_each_dimension() {
    let x = array(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let y = evaluate(&x, |x| x.tile([2, 3]));
    let rows = [[1., 2., 1., 2., 1., 2.], [3., 4., 3., 4., 3., 4.]];
    assert_eq!(y, array(&[4, 6], [rows, rows].as_flattened().as_flattened()));
    assert_eq!(evaluate(&x, |x| x.tile([0, 2])).shape(), [0, 4]);
    assert_eq!(evaluate(&array(&[], &[5.0]), |x| x.tile([])), array(&[], &[5.0]));
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, "M"]);
    let y = x.tile([2, 2]);
    let [slope] = gradients((y * y).reduce_sum(..), [x]);
    let (y, slope) = Session::new(&g)
        .unwrap()
        .run((y, slope), feeds![x => &array(&[1, 2], &[1.0, 2.0])])
        .unwrap();
    assert_eq!(y, array(&[2, 4], &[1., 2., 1., 2., 1., 2., 1., 2.]));
    assert_eq!(slope, array(&[1, 2], &[8.0, 16.0]));
}

#[test]
fn shapes_as_numbers() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let (shape, size) = (x.shape_of(), x.size::<i64>());
    let places = g.range_of::<i32>(x.dim(0));
    let square = g.eye::<f64>(x.dim(0));
    let session = Session::new(&g).unwrap();
    for n in [0usize, 2] {
        let fed = ArrayD::<f32>::zeros(vec![n, 3]);
        let (shape, size, places, square) =
            session.run((shape, size, places, square), feeds![x => &fed]).unwrap();
        assert_eq!(shape, array(&[2], &[n as i64, 3]));
        assert_eq!(size, 3 * n as i64);
        assert_eq!(places, array(&[n], &(0..n as i32).collect::<Vec<_>>()));
        assert_eq!(
            square,
            ArrayD::from_shape_fn(IxDyn(&[n, n]), |at| f64::from(u8::from(at[0] == at[1])))
        );
    }
    let scalar = g.constant(1.0f32).shape_of();
    assert_eq!(Session::new(&g).unwrap().run(scalar, []).unwrap().shape(), [0]);
}

#[test]
fn evenly_spaced_numbers() {
    let g = Graph::new();
    let ints = g.range(10, 0, -3);
    let bytes = g.range(250u8, 255, 2);
    let floats = g.range(0.0f32, 1.0, 0.125);
    let long = g.range(0i64, 5000, 1);
    let (line, one, none) =
        (g.linspace(-1.0f64, 1.0, 5), g.linspace(3.0f64, 9.0, 1), g.linspace(3.0f64, 9.0, 0));
    let thirds = g.linspace(0.0f32, 0.1, 4);
    let session = Session::new(&g).unwrap();
    let (ints, bytes, floats, long) = session.run((ints, bytes, floats, long), []).unwrap();
    assert_eq!(ints, array(&[4], &[10, 7, 4, 1]));
    assert_eq!(bytes, array(&[3], &[250, 252, 254]));
    let eighths: Vec<f32> = (0..8).map(|i| i as f32 / 8.0).collect();
    assert_eq!(floats, array(&[8], &eighths));
    assert_eq!(g.range(0.0f32, 1.0, 0.1).to_string(), "range_4 : f32[10]");
    assert!(long.iter().enumerate().all(|(i, &v)| v == i as i64) && long.len() == 5000);
    let (line, one, none, thirds) = session.run((line, one, none, thirds), []).unwrap();
    assert_eq!(line, array(&[5], &[-1.0, -0.5, 0.0, 0.5, 1.0]));
    assert_eq!((one, none.len()), (array(&[1], &[3.0]), 0));
    assert_eq!(thirds[3], 0.1);
}

#[test]
fn empty_arrays_of_huge_sizes_do_no_harm() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, _]);
    let at = g.placeholder::<i64>("at", dims![_, 2]);
    let rows = [
        x.cumsum(1),
        x.cumprod(0),
        x.sort(1),
        x.reverse([0, 1]),
        x.strided_slice(slices![.., ..;2]),
        x.tile([1, 2]),
        x.tile([0, 1 << 40]),
        x.pad([[0, 1], [0, 0]]),
        x.pad_constant([[0, 0], [1 << 60, 1 << 60]], 1.0),
        x.diag(),
        x.matmul_with(x, MatMulOptions::new().transpose_a(true)),
        x.matmul_with(x, MatMulOptions::new().transpose_b(true)),
        x.expand_dims(0).matmul_with(x.expand_dims(0), MatMulOptions::new().transpose_b(true)),
        x.gather_nd(at),
        x.greater(0.0).where_indices().cast(),
        x.top_k(0).0,
    ];
    let session = Session::new(&g).unwrap();
    let places = ndarray::Array2::<i64>::zeros((1, 2));
    for dims in [[0, 1 << 61], [0, 1 << 58], [1 << 62, 0], [1 << 40, 0], [0, 0]] {
        let fed = ArrayD::<f64>::zeros(dims.to_vec());
        for y in rows {
            // Nothing, or an error that says what is wrong.
            match session.run(y, feeds![x => &fed, at => &places]) {
                Ok(y) => assert!(y.len() < 1 << 20),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn what_cannot_be_is_a_mistake_that_names_it() {
    let message = mistakes(|g| {
        let x = g.zeros::<f32>(dims![4, 6]);
        x.split(4, 1);
        x.split(0, 0);
        x.split(2, 2);
        x.split_sizes(&[1, 2], 0);
        x.split_sizes(&[-1, -1], 0);
        x.split_sizes(&[5, -1], 0);
        x.split_sizes(&[-3, 7], 0);
        x.split_sizes(&[i64::MAX, i64::MAX], 0);
        g.placeholder::<f32>("open", dims![_]).unstack(0);
        g.placeholder::<u8>("long", dims![1usize << 50]).unstack(0);
        g.stack([x, g.zeros(dims![4])], 0);
        g.stack([x, g.zeros(dims![4, 5])], 0);
        g.stack(Vec::<Tensor<'_, f32>>::new(), 0);
    });
    for part in [
        "split: dimension 1 of [4, 6] does not split into 4 equal parts",
        "split: a tensor cannot be split into 0 parts",
        "split: axis 2 is out of range",
        "split_sizes: the sizes [1, 2] make 3, and dimension 0 of [4, 6] is 4",
        "split_sizes: 2 of the sizes [-1, -1] are -1",
        "split_sizes: the sizes [5, -1] make 5, and dimension 0 of [4, 6] is 4",
        "split_sizes: sizes = [-3, 7] holds -3, which is no size",
        "is beyond 2^63",
        "unstack: dimension 0 of [N] is not known",
        "unstack: 1125899906842624 tensors are more than",
        "stack: tensors of shapes [4, 6] and [4] are not of one shape",
        "stack: tensors of shapes [4, 6] and [4, 5] are not of one shape",
        "stack: takes at least one operand",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn an_open_dimension_beside_one_of_0_cannot_be_worked_out() {
    let g = Graph::new();
    g.placeholder::<f32>("x", dims![0, 5]).reshape(dims![0, _]);
    g.placeholder::<f32>("y", dims![_, 5]).reshape(dims![0, _]);
    let message = g.check().unwrap_err().to_string();
    for part in ["any size of `_` in [0, _] gives 0 elements", "from [0, 5]", "from [N, 5]"] {
        assert!(message.contains(part), "{message}");
    }
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![0, 5]);
    assert_eq!(x.reshape(dims![_, 10]).to_string(), "reshape : f32[0, 10]");
    g.check().unwrap();
}
