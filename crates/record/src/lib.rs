//! What a run leaves behind: summaries written as TensorBoard event files, and read back.
//!
//! [`EventWriter`] and [`EventReader`] are files of [`proto::Event`]s, [`folder`] is a run's files together. This crate must not know how what
//! it records is shown.

mod bands;
mod error;
pub mod folder;
mod frame;
mod logs;
mod model;
pub mod proto;
mod reader;
mod series;
mod tensor;
mod writer;

pub use bands::{Band, PERCENTILES};
pub use error::Error;
pub use logs::Logs;
pub use model::*;
pub use reader::{EventReader, Place, read_at};
pub use writer::{EventWriter, VERSION};
