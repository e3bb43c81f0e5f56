//! The engine's operators in ONNX, a file a family: each is an [`OpEntry`](super::entry::OpEntry)
//! of the table with the function that writes it.

pub(crate) mod binary;
pub(crate) mod images;
pub(crate) mod index;
pub(crate) mod pointwise;
pub(crate) mod product;
pub(crate) mod reduction;
pub(crate) mod shape;
pub(crate) mod source;
