//! The description of computations: [`Graph`], the typed handle [`Tensor`], first values of
//! variables, and [`ops`], every operator with its checks, gradient rule and kernel in its family's
//! one file.
//!
//! This crate describes computations. It must not know how they are run.

mod arithmetic;
mod axes;
mod body;
mod call;
mod dimensions;
mod element;
mod expr;
mod file;
mod graph;
mod init;
pub mod ops;
pub mod raw;
mod signature;
mod slicing;
mod summaries;
mod tensor;
mod tensor_tuple;
mod variance_scaling;
mod within;

pub use axes::{Axes, AxisList, KeepDims, keep_dims};
pub use call::LocationGuard;
pub use dimensions::{Dimension, Dimensions};
pub use element::{Element, Float, Index, Number, Signed};
pub use expr::{Expr, ExprOperand, Rule};
pub use graph::{Graph, Scope};
pub use init::{Init, fill, ones, random_normal, random_uniform, truncated_normal, zeros};
pub use ops::candidates::Candidates;
pub use ops::conv::ConvOptions;
pub use ops::cumulative::CumulativeOptions;
pub use ops::elementwise::{Elementwise, Real};
pub use ops::matmul::MatMulOptions;
pub use ops::pool::PoolOptions;
pub use ops::sort::SortOptions;
pub use ops::spatial::Pair;
pub use signature::Signature;
pub use slicing::{NewAxis, SlicePart};
pub use summaries::{Summaries, Summarized};
pub use tensor::{AnyTensor, Operand, Operation, Scalar, Tensor};
pub use tensor_tuple::TensorTuple;
pub use variance_scaling::{
    Distribution, Fan, glorot_normal, glorot_uniform, he_normal, he_uniform, lecun_normal,
    lecun_uniform, variance_scaling,
};
