//! Operands for the rows.

use abeyance::graph::raw::AnyTensorExt;
use abeyance::graph::{AnyTensor, Element};
use abeyance::prelude::*;

/// `[2, 3]`
pub fn f(g: &Graph) -> Tensor<'_, f32> {
    g.zeros(dims![2, 3])
}

/// `[4]`, which fits `[2, 3]` in no way.
pub fn four(g: &Graph) -> Tensor<'_, f32> {
    g.zeros(dims![4])
}

/// `[2]`
pub fn i(g: &Graph) -> Tensor<'_, i64> {
    g.zeros(dims![2])
}

/// `[2, 3]`
pub fn b(g: &Graph) -> Tensor<'_, bool> {
    g.fill(dims![2, 3], true)
}

/// `[2, 4, 4, 3]`
pub fn images(g: &Graph) -> Tensor<'_, f32> {
    g.zeros(dims![2, 4, 4, 3])
}

/// `[2, 2, 3, 5]`
pub fn filter(g: &Graph) -> Tensor<'_, f32> {
    g.zeros(dims![2, 2, 3, 5])
}

/// An operation that poses as a tensor: no function that takes a tensor can take it.
pub fn op<T: Element>(g: &Graph) -> Tensor<'_, T> {
    AnyTensor::from(g.no_op()).assume()
}

/// A tensor of another graph.
pub fn foreign(g: &Graph) -> Tensor<'_, f32> {
    let _ = g;
    let other: &'static Graph = Box::leak(Box::default());
    other.constant(1.0f32).into()
}

pub fn v(g: &Graph) -> Tensor<'_, f32> {
    g.variable("v", zeros(dims![2, 3]))
}

pub fn loss(g: &Graph) -> Tensor<'_, f32> {
    v(g).square().reduce_sum(..).into()
}
