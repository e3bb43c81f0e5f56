//! What a run leaves behind: summaries written as TensorBoard event files, and read back.
//!
//! [`EventWriter`] and [`EventReader`] are files of [`proto::Event`]s, [`folder`] is a run's files together. [`summary`] makes values,
//! [`graph_def`] and [`run_metadata`] make graphs and traced runs, [`quantiles`] and [`sprite`] count and draw. This crate must not know how what
//! it records is shown.

mod error;
pub mod folder;
mod frame;
pub mod graph_def;
pub mod proto;
pub mod quantiles;
mod reader;
pub mod run_metadata;
pub mod sprite;
pub mod summary;
mod writer;

pub use error::Error;
pub use reader::{EventReader, Place, read_at};
pub use writer::{EventWriter, VERSION};
