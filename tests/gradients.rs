//! Derivatives as a user asks for them: with cotangents of one's own, of several tensors at once.

use abeyance::prelude::*;
use abeyance::session::{Unconnected, gradients_from};
use ndarray::{arr1, arr2};

#[test]
fn cotangents_of_ones_own_weigh_the_elements() {
    // y = x w with dy: dx = dy wᵀ, dw = xᵀ dy.
    let g = Graph::new();
    let x = g.constant_array(&arr2(&[[1.0f64, 2.0], [3.0, 4.0]]));
    let w = g.constant_array(&arr2(&[[1.0f64, -1.0], [0.5, 2.0]]));
    let dy = g.constant_array(&arr2(&[[1.0f64, 0.0], [10.0, 100.0]]));
    let [dx, dw] = gradients_with([(x.matmul(w), dy)], [x, w]);
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
    let [dx, to_y, da] = gradients_with([(y, dy), (z, dz)], [x, y, a.tensor()]);
    let (dx, to_y, da) = Session::new(&g).unwrap().run((dx, to_y, da), []).unwrap();
    assert_eq!(to_y, arr1(&[11.0, 25.0]).into_dyn());
    assert_eq!(dx, arr1(&[22.0, -100.0]).into_dyn());
    assert_eq!(da, ndarray::arr0(14.0).into_dyn()); // 2·1 + 3·4
    // The same tensor twice counts twice.
    let g = Graph::new();
    let x = g.constant(3.0f64);
    let [slope] = gradients_with([(x.square(), x), (x.square(), x)], [x.tensor()]);
    assert_eq!(Session::new(&g).unwrap().run(slope.scalar(), []).unwrap(), 36.0);
}

#[test]
fn a_derivative_with_respect_to_a_cotangent_is_the_derivative_forward() {
    // J v by two walks back: gᵀ = vjp(u), then d(g·v)/du.
    let g = Graph::new();
    let x = g.constant_array(&arr1(&[0.5f64, 2.0, -1.0]));
    let u = g.placeholder("u", dims![3]);
    let y = x * x.exp();
    let [back] = gradients_with([(y, u)], [x]);
    let v = g.constant_array(&arr1(&[1.0f64, 2.0, 3.0]));
    let [forward] = gradients_with([(back, v)], [u]);
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
    let _ = gradients_with([(y, dy)], [x]);
    assert_eq!(dy.dim(0), x.dim(0));
    g.check().unwrap();
    let _ = gradients_with([(y, g.placeholder::<f32>("three", dims![_, 3]))], [x]);
    let line = line!() - 1;
    let _ = gradients_with([(y, g.constant(1.0f32))], [x]);
    let double = g.placeholder::<f64>("double", dims![_, 2]).erase();
    let _ = gradients_from(&[(y.erase(), Some(double))], &[x.erase()], Unconnected::Mistake);
    let _ = gradients_from(&[], &[x.erase()], Unconnected::Zeros);
    let message = g.check().unwrap_err().to_string();
    for part in [
        "gradients: the cotangent `three : f32[N3, 3]` does not have the type of `exp : f32[N, 2]`",
        "the cotangent `constant : f32[]` does not have the type",
        "the cotangent `double : f64[N4, 2]` does not have the type",
        "dy.broadcast_to(y.shape())",
        &format!("tests/gradients.rs:{line}:"),
        "gradients: there is no tensor to differentiate",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}
