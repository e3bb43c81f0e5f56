//! The live page of a training: six panels that fill while it learns, its graph, its times, a
//! square to draw a digit in.
//!
//! A [`Server`] shows [`Runs`]: those that train in this process, with [`Controls`] and a
//! [`Predictor`], and those that are read from folders. It runs on a thread of its own and only
//! reads: what it is asked for never waits for training, nor training for it.
//!
//! - `attach.rs`: a [`Dashboard`] of a program's own session
//! - `runs.rs`: the runs; `live.rs`: one that trains in this process, with its `controls.rs` and
//!   `predictor.rs`
//! - `folder.rs`: reads recordings
//! - `export.rs`: runs as one file that needs no server; `tui.rs`: a run in a terminal
//! - `server.rs`: routes; `guard.rs`: who may ask; `events.rs`: the stream of what is new;
//!   `answers.rs`, `graph.rs`: JSON
//! - `page.rs` and the folder `page/`: the page itself, plain modules without a build step

mod answers;
mod attach;
mod controls;
mod error;
mod events;
mod export;
mod folder;
mod graph;
mod guard;
mod live;
mod page;
mod predictor;
mod runs;
mod server;
pub mod tui;

pub use attach::Dashboard;
pub use controls::{ControlRequest, Controls, Reply};
pub use error::Error;
pub use export::export;
pub use folder::{Watch, read_folder};
pub use live::Live;
pub use predictor::{Prediction, Predictor};
pub use runs::{Runs, ShownRun};
pub use server::Server;
