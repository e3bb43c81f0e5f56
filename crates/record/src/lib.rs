//! Records of a run: summaries written as TensorBoard event files, and read back.
//!
//! [`EventWriter`] and [`EventReader`] are files of [`proto::Event`]s, [`folder`] is a run's files
//! together, [`Logs`] a folder of runs. [`summary`] makes values, [`Recorder`] records a training,
//! [`Run`] is a recording in memory. [`graph_def`] and [`run_metadata`] make graphs and traced
//! runs, [`quantiles`] and [`sprite`] count and draw. This crate must not know how what it records
//! is shown.

mod bands;
mod csv;
mod error;
pub mod folder;
mod frame;
pub mod graph_def;
mod logs;
mod model;
pub mod proto;
pub mod quantiles;
mod reader;
mod recorder;
pub mod run_metadata;
mod series;
pub mod sprite;
pub mod summary;
mod tail;
mod tensor;
mod writer;

pub use bands::{Band, PERCENTILES};
pub use error::Error;
pub use logs::Logs;
pub use model::*;
pub use reader::{EventReader, Place, read_at};
pub use recorder::{Classifier, Recorder, RecorderOptions, Thinning, classes};
pub use writer::{EventWriter, VERSION};
