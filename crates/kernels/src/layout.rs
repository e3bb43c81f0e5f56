//! Moving elements about: nothing is computed here, except by [`scatter_add`] and [`segment_sum`].

mod index;
mod region;
mod transpose;

pub use index::{Gather, one_hot, scatter_add, segment_sum};
pub use region::{Concat, Pad, Slice, broadcast_to};
pub use transpose::Transpose;
