//! The dimensions a reduction runs over.

use std::ops::RangeFull;

use smallvec::SmallVec;

use crate::{Element, Scalar, Tensor};

/// Axes as a list, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AxisList {
    /// The axes, negative ones counted from the end; `None` for all.
    pub axes: Option<SmallVec<[i64; 4]>>,
    /// True if reduced dimensions stay, with size 1.
    pub keep_dims: bool,
}

impl AxisList {
    /// These axes, with dimensions that stay.
    pub(crate) fn kept(&self) -> Self {
        Self { keep_dims: true, ..self.clone() }
    }
}

/// The axes of a reduction: `..` for all dimensions (the result is a [`Scalar`]), `-1` or `[0, 2]`
/// for some, and [`keep_dims`] of these.
pub trait Axes {
    /// A [`Scalar`] where the result certainly has no dimensions, else a [`Tensor`].
    type Output<'g, T: Element>: From<Tensor<'g, T>>;

    /// The axes as a list.
    fn list(self) -> AxisList;
}

impl Axes for RangeFull {
    type Output<'g, T: Element> = Scalar<'g, T>;

    fn list(self) -> AxisList {
        AxisList { axes: None, keep_dims: false }
    }
}

// For one integer type only, as other axes are: among several a compiler could not tell which `1`
// is in `x.reduce_sum(1).square()`.
impl Axes for i64 {
    type Output<'g, T: Element> = Tensor<'g, T>;

    fn list(self) -> AxisList {
        [self].list()
    }
}

impl<const N: usize> Axes for [i64; N] {
    type Output<'g, T: Element> = Tensor<'g, T>;

    fn list(self) -> AxisList {
        self.as_slice().list()
    }
}

impl Axes for &[i64] {
    type Output<'g, T: Element> = Tensor<'g, T>;

    fn list(self) -> AxisList {
        AxisList { axes: Some(self.into()), keep_dims: false }
    }
}

/// Axes whose dimensions stay in the result with size 1.
#[derive(Clone, Copy, Debug)]
pub struct KeepDims<A>(A);

/// The reduced dimensions stay in the result with size 1: `x - x.reduce_mean(keep_dims(-1))`.
pub fn keep_dims<A: Axes>(axes: A) -> KeepDims<A> {
    KeepDims(axes)
}

impl<A: Axes> Axes for KeepDims<A> {
    type Output<'g, T: Element> = Tensor<'g, T>;

    fn list(self) -> AxisList {
        AxisList { keep_dims: true, ..self.0.list() }
    }
}

impl Axes for AxisList {
    type Output<'g, T: Element> = Tensor<'g, T>;

    fn list(self) -> AxisList {
        self
    }
}

impl Axes for &AxisList {
    type Output<'g, T: Element> = Tensor<'g, T>;

    fn list(self) -> AxisList {
        self.clone()
    }
}
