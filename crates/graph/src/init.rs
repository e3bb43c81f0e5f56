//! First values of variables.

use std::marker::PhantomData;
use std::sync::Arc;

use abeyance_ir::{Array, Initializer};
use ndarray::{ArrayBase, Data, Dimension as NdDimension};

use crate::variance_scaling::VarianceScaling;
use crate::{Dimensions, Element, Float, Number};

/// The shape and first value of a variable, made by [`zeros`], [`truncated_normal`] and their
/// siblings, or from a number or an `ndarray` array.
#[derive(Clone, Debug)]
pub struct Init<T> {
    pub(crate) shape: Dimensions,
    pub(crate) first: First,
    element: PhantomData<T>,
}

/// A first value, or what it is worked out from when the shape is known.
#[derive(Clone, Debug)]
pub(crate) enum First {
    Settled(Initializer),
    Scaled(VarianceScaling),
}

impl<T: Element> Init<T> {
    fn new(shape: impl Into<Dimensions>, initializer: Initializer) -> Self {
        Self { shape: shape.into(), first: First::Settled(initializer), element: PhantomData }
    }

    pub(crate) fn scaled(shape: impl Into<Dimensions>, scaling: VarianceScaling) -> Self {
        Self { shape: shape.into(), first: First::Scaled(scaling), element: PhantomData }
    }
}

/// All 0 (`false`).
pub fn zeros<T: Element>(shape: impl Into<Dimensions>) -> Init<T> {
    Init::new(shape, Initializer::Zeros)
}

/// All 1.
pub fn ones<T: Number>(shape: impl Into<Dimensions>) -> Init<T> {
    Init::new(shape, Initializer::Ones)
}

/// All equal to `value`.
pub fn fill<T: Element>(shape: impl Into<Dimensions>, value: T) -> Init<T> {
    let value = Array::new(T::DTYPE, &[], &[value.store()]);
    Init::new(shape, Initializer::Constant(Arc::new(value)))
}

/// Normally distributed with this mean and standard deviation, redrawn outside two standard
/// deviations: TensorFlow's `truncated_normal`. The values depend on the session's seed and the
/// variable's name alone.
pub fn truncated_normal<T: Float>(shape: impl Into<Dimensions>, mean: f64, stddev: f64) -> Init<T> {
    Init::new(shape, Initializer::TruncatedNormal { mean, stddev })
}

/// Normally distributed with this mean and standard deviation.
pub fn random_normal<T: Float>(shape: impl Into<Dimensions>, mean: f64, stddev: f64) -> Init<T> {
    Init::new(shape, Initializer::Normal { mean, stddev })
}

/// Evenly distributed in `[low, high)`.
pub fn random_uniform<T: Float>(shape: impl Into<Dimensions>, low: f64, high: f64) -> Init<T> {
    Init::new(shape, Initializer::Uniform { low, high })
}

impl<T: Element> From<T> for Init<T> {
    fn from(value: T) -> Self {
        fill(Dimensions::default(), value)
    }
}

impl<T: Element, S: Data<Elem = T>, D: NdDimension> From<&ArrayBase<S, D>> for Init<T> {
    fn from(array: &ArrayBase<S, D>) -> Self {
        let dims: Vec<usize> = array.shape().to_vec();
        let initializer = Initializer::Constant(Arc::new(array_value(array)));
        Init::new(dims, initializer)
    }
}

impl<T: Element, S: Data<Elem = T>, D: NdDimension> From<ArrayBase<S, D>> for Init<T> {
    fn from(array: ArrayBase<S, D>) -> Self {
        Init::from(&array)
    }
}

/// The array as a graph holds it.
pub(crate) fn array_value<T: Element, S: Data<Elem = T>, D: NdDimension>(
    array: &ArrayBase<S, D>,
) -> Array {
    let elements: Vec<T::Stored> = array.iter().map(|&element| element.store()).collect();
    Array::new(T::DTYPE, array.shape(), &elements)
}
