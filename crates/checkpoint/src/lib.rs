//! Checkpoints, the state of a session in files: a [`Checkpoint`] holds the variables, optimizers'
//! slots included, and the counters and the seed from which training goes on to the same bits. It
//! is a `safetensors` file, which other programs read too.
//!
//! [`Checkpoints`] keeps the newest few in a folder, each written as a whole or not at all.
//! [`Restore`] takes a part of a checkpoint, under other names where need be, into another network;
//! it says first everything that does not fit.
//!
//! ```
//! use abeyance_checkpoint::Checkpoints;
//! use abeyance_graph::{Graph, zeros, dims};
//! use abeyance_session::{Session, SessionOptions};
//! use abeyance_train::{GradientDescent, Optimizer};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("checkpoints-{}", std::process::id()));
//! let g = Graph::named("parabola");
//! let w = g.variable::<f32>("w", 5.0);
//! let step = GradientDescent::new(0.1).minimize(w.square().scalar());
//!
//! let session = Session::new(&g)?;
//! session.run(step, [])?;
//! let checkpoints = Checkpoints::open(&folder)?.keep(3);
//! checkpoints.save(&session)?;
//!
//! // Some other day.
//! let checkpoint = checkpoints.latest()?.ok_or("nothing was saved")?;
//! let session = Session::with_options(&g, SessionOptions::new().seed(checkpoint.seed()))?;
//! checkpoint.restore(&session)?;
//! session.run(step, [])?;
//! assert_eq!(session.step(), 2);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

mod checkpoint;
mod comparison;
mod error;
mod folder;
mod header;
mod restore;
mod safetensors;

pub use checkpoint::Checkpoint;
pub use comparison::{Comparison, Mismatch};
pub use error::Error;
pub use folder::{Checkpoints, DEFAULT_KEEP};
pub use restore::Restore;
