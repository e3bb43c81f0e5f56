//! Moving elements about: nothing is computed here, except by [`ScatterAdd`], [`ScatterInto`],
//! [`segment_sum`] and [`add_along`].

mod along;
mod index;
mod region;
pub(crate) mod reorder;
mod scatter;
mod strided;
mod transpose;

pub use along::{add_along, take_along};
pub use index::{Gather, ScatterAdd, one_hot, ravel, segment_sum, where_indices};
pub use region::{Concat, Pad, Slice, broadcast_to};
pub use reorder::Reorder;
pub use scatter::ScatterInto;
pub use strided::{Steps, Strided, StridedScatter};
pub use transpose::Transpose;
