//! What a run leaves behind: summaries written as TensorBoard event files, and read back.

mod bands;
mod model;
pub mod proto;
pub mod reader;
mod series;
mod tensor;

pub use bands::{Band, PERCENTILES};
pub use model::*;
