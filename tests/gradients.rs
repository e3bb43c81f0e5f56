//! Derivatives as a user asks for them: with cotangents of one's own, of several tensors at once.

use abeyance::prelude::*;
use abeyance::session::{Unconnected, gradients_from};
use ndarray::{Array, ArrayD, IxDyn, arr1, arr2};

#[test]
fn cotangents_of_ones_own_weigh_the_elements() {
    // y = x w with dy: dx = dy wᵀ, dw = xᵀ dy.
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[1.0f64, 2.0], [3.0, 4.0]]));
    let w = g.constant_array(&arr2(&[[1.0f64, -1.0], [0.5, 2.0]]));
    let dy = g.constant_array(&arr2(&[[1.0f64, 0.0], [10.0, 100.0]]));
    let [dx, dw] = gradients_with_cotangents([(x.matmul(w), dy)], [x, w]);
    let (dx, dw) = Session::new(&g).unwrap().run((dx, dw), []).unwrap();
    assert_eq!(dx, arr2(&[[1.0, 0.5], [-90.0, 205.0]]).into_dyn());
    assert_eq!(dw, arr2(&[[31.0, 300.0], [42.0, 400.0]]).into_dyn());
}

#[test]
fn several_tensors_add_up_and_one_that_is_asked_for_itself_has_its_cotangent() {
    // y = x², z = y·a: with dy = [1, 10], dz = [2, 3] and a = 5, what reaches y is dy + 5 dz.
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[1.0f64, -2.0]));
    let a = g.constant(5.0);
    let y = x.square();
    let z = y * a;
    let dy = g.constant_array(&arr1(&[1.0f64, 10.0]));
    let dz = g.constant_array(&arr1(&[2.0f64, 3.0]));
    let [dx, to_y, da] = gradients_with_cotangents([(y, dy), (z, dz)], [x, y, a.tensor()]);
    let (dx, to_y, da) = Session::new(&g).unwrap().run((dx, to_y, da), []).unwrap();
    assert_eq!(to_y, arr1(&[11.0, 25.0]).into_dyn());
    assert_eq!(dx, arr1(&[22.0, -100.0]).into_dyn());
    assert_eq!(da, ndarray::arr0(14.0).into_dyn()); // 2·1 + 3·4
    // The same tensor twice counts twice.
    let g = Graph::new();
    let x = g.constant(3.0f64);
    let [slope] = gradients_with_cotangents([(x.square(), x), (x.square(), x)], [x.tensor()]);
    assert_eq!(Session::new(&g).unwrap().run(slope.scalar(), []).unwrap(), 36.0);
}

#[test]
fn a_derivative_with_respect_to_a_cotangent_is_the_derivative_forward() {
    // J v by two walks back: gᵀ = vjp(u), then d(g·v)/du.
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[0.5f64, 2.0, -1.0]));
    let u = g.placeholder("u", dims![3]);
    let y = x * x.exp();
    let [back] = gradients_with_cotangents([(y, u)], [x]);
    let v = g.constant_array(&arr1(&[1.0f64, 2.0, 3.0]));
    let [forward] = gradients_with_cotangents([(back, v)], [u]);
    let found = Session::new(&g).unwrap().run(forward, []).unwrap();
    for (found, (x, v)) in found.iter().zip([(0.5f64, 1.0), (2.0, 2.0), (-1.0, 3.0)]) {
        let right = (1.0 + x) * x.exp() * v;
        assert!((found - right).abs() <= 1e-14 * right.abs(), "{found} is not {right}");
    }
}

#[test]
fn ones_are_the_cotangent_where_none_is_given() {
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[1.0f32, 2.0]));
    let (y, z) = (x.square().erase(), (x * 3.0).erase());
    let dz = g.constant_array(&arr1(&[1.0f32, -1.0])).erase();
    let found = gradients_from(&[(y, None), (z, Some(dz))], &[x.erase()], Unconnected::Mistake);
    let found = Session::new(&g).unwrap().run(found[0], []).unwrap();
    assert_eq!(found.to_f64(), [5.0, 1.0]); // 2x + 3 dz
    assert!(gradients_from(&[], &[], Unconnected::Mistake).is_empty());
}

#[test]
fn a_cotangent_settles_an_unknown_size_and_is_refused_where_it_differs() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let y = x.exp();
    let dy = g.placeholder::<f32>("dy", dims![_, 2]);
    let _ = gradients_with_cotangents([(y, dy)], [x]);
    assert_eq!(dy.dim(0), x.dim(0));
    g.check().unwrap();
    let _ = gradients_with_cotangents([(y, g.placeholder::<f32>("three", dims![_, 3]))], [x]);
    let line = line!() - 1;
    let _ = gradients_with_cotangents([(y, g.constant(1.0f32))], [x]);
    let double = g.placeholder::<f64>("double", dims![_, 2]).erase();
    let _ = gradients_from(&[(y.erase(), Some(double))], &[x.erase()], Unconnected::Mistake);
    let _ = gradients_from(&[], &[x.erase()], Unconnected::Zeros);
    let message = g.check().unwrap_err().to_string();
    for part in [
        "gradients_with_cotangents: the cotangent `three : f32[N3, 3]` does not have the type of `exp : f32[N, 2]`",
        "the cotangent `constant : f32[]` does not have the type",
        "the cotangent `double : f64[N4, 2]` does not have the type",
        "dy.broadcast_to(y.shape())",
        &format!("tests/gradients.rs:{line}:"),
        "gradients_from: there is no tensor to differentiate",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

fn run<F: abeyance::session::Fetch>(
    g: &Graph,
    fetch: F,
) -> <F::Decoder as abeyance::session::Decode>::Output {
    let session = Session::new(g).unwrap_or_else(|error| panic!("{error}"));
    session.run(fetch, []).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_near(found: &ArrayD<f64>, right: &ArrayD<f64>) {
    assert_eq!(found.shape(), right.shape());
    for (a, b) in found.iter().zip(right) {
        assert!((a - b).abs() <= 1e-13 * b.abs().max(1.0), "{found} is not {right}");
    }
}

#[test]
fn a_jacobian_has_a_row_for_each_element() {
    // Polar coordinates.
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[2.0f64, 0.5]));
    let (r, angle) = (x.slice([0], [1]), x.slice([1], [1]));
    let y = g.concat([r * angle.cos(), r * angle.sin()], 0);
    let (c, s) = (0.5f64.cos(), 0.5f64.sin());
    assert_near(&run(&g, jacobian(y, x)), &arr2(&[[c, -2.0 * s], [s, 2.0 * c]]).into_dyn());
    // Softmax: diag(p) - p pᵀ.
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[0.1f64, -1.0, 2.0, 0.7]));
    let p = x.softmax();
    let (p, j) = run(&g, (p, jacobian(p, x)));
    let right = Array::from_shape_fn(IxDyn(&[4, 4]), |at| {
        let same = if at[0] == at[1] { p[at[0]] } else { 0.0 };
        same - p[at[0]] * p[at[1]]
    });
    assert_near(&j, &right);
}

#[test]
fn a_jacobian_has_the_dimensions_of_both_tensors() {
    // y = a b: ∂y[i, j]/∂a[k, l] = δ(i, k) b[l, j].
    let g = Graph::new();
    let a = g.constant_array(&arr2(&[[1.0f64, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    let values = arr2(&[[7.0f64, 8.0], [9.0, 10.0]]);
    let b = g.constant_array(&values);
    let j = run(&g, jacobian(a.matmul(b), a));
    let right = Array::from_shape_fn(IxDyn(&[3, 2, 3, 2]), |at| {
        if at[0] == at[2] { values[[at[3], at[1]]] } else { 0.0 }
    });
    assert_eq!(j, right);
    // Of a tensor by itself, of a number, of nothing.
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[1.0f64, 2.0]));
    let (itself, number) = (jacobian(x, x), jacobian(x.square().reduce_sum(..), x));
    let none = jacobian(x.slice([0], [0]), x);
    let (itself, number, none) = run(&g, (itself, number, none));
    assert_eq!(itself, arr2(&[[1.0, 0.0], [0.0, 1.0]]).into_dyn());
    assert_eq!(number, arr1(&[2.0, 4.0]).into_dyn());
    assert_eq!(none.shape(), [0, 2]);
}

#[test]
fn the_graph_grows_by_one_walk_back_whatever_the_number_of_rows() {
    let nodes = |rows: usize| {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![rows]);
        let y = (x.exp() * x).tanh();
        let before = g.ir().len();
        let _ = jacobian(y, x);
        g.check().unwrap();
        g.ir().len() - before
    };
    assert_eq!(nodes(2), nodes(1000));
}

#[test]
fn sizes_of_x_may_be_unknown_and_those_of_y_may_not() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2]);
    let j = jacobian(x.square().reduce_sum(0), x);
    assert_eq!(j.shape().len(), 3);
    let session = Session::new(&g).unwrap();
    let j = session.run(j, feeds![x => &arr2(&[[1.0, 2.0], [3.0, 4.0]])]).unwrap();
    assert_eq!(j.into_raw_vec_and_offset().0, [2.0, 0.0, 6.0, 0.0, 0.0, 4.0, 0.0, 8.0]);
    let _ = jacobian(x.exp(), x);
    let line = line!() - 1;
    let _ = hessian(x.exp().reduce_sum(..), x);
    let _ = jacobian(g.placeholder::<f64>("other", dims![3]), x);
    let mistakes = g.check().unwrap_err();
    let message = mistakes.to_string();
    for part in [
        "jacobian: a Jacobian of a tensor whose size is not known",
        "hessian: a Hessian with respect to a tensor whose size is not known",
        "`other` has no derivative with respect to `x`",
        &format!("tests/gradients.rs:{line}:"),
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(mistakes.0.len(), 3, "{message}");
}

#[test]
fn hessians_of_known_functions() {
    // Rosenbrock's function at (-1.2, 1): [[1330, 480], [480, 200]].
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[-1.2f64, 1.0]));
    let (a, b) = (x.slice([0], [1]), x.slice([1], [1]));
    let y = (b - a.square()).square() * 100.0 + (a * -1.0 + 1.0).square();
    assert_near(&run(&g, hessian(y, x)), &arr2(&[[1330.0, 480.0], [480.0, 200.0]]).into_dyn());
    // xᵀ A x: A + Aᵀ, which is what does not depend on x at all.
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[1.0f64], [2.0]]));
    let m = g.constant_array(&arr2(&[[1.0f64, 2.0], [3.0, 4.0]]));
    let h = run(&g, hessian(x.transpose().matmul(m).matmul(x), x));
    assert_eq!(h.shape(), [2, 1, 2, 1]);
    assert_eq!(h.into_raw_vec_and_offset().0, [2.0, 5.0, 5.0, 8.0]);
    // A linear function has none, elementwise ones a diagonal.
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[1.0f64, 2.0]));
    let (flat, diagonal) = run(&g, (hessian((x * 3.0).reduce_sum(..), x), hessian(x.exp(), x)));
    assert_eq!(flat, ArrayD::<f64>::zeros(IxDyn(&[2, 2])));
    let (e, f) = (1.0f64.exp(), 2.0f64.exp());
    assert_near(&diagonal, &arr2(&[[e, 0.0], [0.0, f]]).into_dyn());
}

#[test]
fn a_jacobian_can_be_differentiated_and_lead_through_loops_and_branches() {
    // Σ of all second derivatives of x³ is 6 Σ x; its slope 6.
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[1.0f64, 2.0, 3.0]));
    let [third] = gradients(hessian(x * x * x, x), [x]);
    assert_near(&run(&g, third), &arr1(&[6.0, 6.0, 6.0]).into_dyn());
    // Through a scan: h becomes h·a at each of three steps.
    let g = Graph::new();
    let a = g.constant_array(&arr1(&[2.0f64, 3.0]));
    let steps = g.zeros::<f64>(dims![3]);
    let (last, ()) = g.scan(a, steps, |h, _| (h * a, ()));
    assert_near(&run(&g, jacobian(last, a)), &arr2(&[[32.0, 0.0], [0.0, 108.0]]).into_dyn());
    // In the body of a loop.
    let g = Graph::new();
    let xs = g.constant_array(&arr2(&[[1.0f64, 2.0], [3.0, 4.0]]));
    let ((), rows) = g.scan((), xs, |(), x| ((), jacobian(x.square() * x.reduce_sum(..), x)));
    let right = [3.0 * 2.0 + 1.0, 1.0, 4.0, 3.0 * 4.0 + 4.0];
    let rows = run(&g, rows);
    assert_eq!(rows.shape(), [2, 2, 2]);
    assert_eq!(rows.iter().take(4).copied().collect::<Vec<_>>(), right);
}

#[test]
fn jacobians_print_are_saved_and_have_the_same_bits_on_any_number_of_threads() {
    let g = Graph::new();
    let x = g.variable("x", random_normal::<f32>(dims![40], 0.0, 1.0));
    let w = g.variable("w", random_normal::<f32>(dims![40, 30], 0.0, 1.0));
    let y = x.expand_dims(0).matmul(w).tanh().reshape(dims![30]);
    let j = jacobian(y, x).named("slopes");
    let text = g.to_string();
    let copy = Graph::parse(&text).unwrap();
    assert_eq!(copy.to_string(), text);
    let bits = |g: &Graph, threads, optimize| {
        let options = SessionOptions::new().seed(1).threads(threads).optimize(optimize);
        let session = Session::with_options(g, options).unwrap();
        session.run(g.tensor::<f32>("slopes").unwrap(), []).unwrap().mapv(f32::to_bits)
    };
    assert_eq!(j.shape()[..], [30.into(), 40.into()]);
    let one = bits(&g, 1, true);
    for (g, threads, optimize) in [(&g, 3, true), (&g, 1, false), (&copy, 4, true)] {
        assert!(bits(g, threads, optimize) == one);
    }
}
