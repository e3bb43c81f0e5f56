//! The operators of ONNX, a file a family: each is an [`OpEntry`](super::entry::OpEntry) of the
//! table with the function that appends its nodes.

pub(crate) mod activation;
pub(crate) mod arithmetic;
pub(crate) mod arrangement;
pub(crate) mod convolution;
pub(crate) mod index;
pub(crate) mod logic;
pub(crate) mod loss;
pub(crate) mod normalization;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod product;
pub(crate) mod recurrent;
pub(crate) mod reduction;
pub(crate) mod resize;
pub(crate) mod shape;
pub(crate) mod source;
pub(crate) mod spatial;
