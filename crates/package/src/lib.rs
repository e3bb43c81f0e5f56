//! A model packed to be served: a folder with a graph, its weights, the signature that answers, and
//! golden cases, a few recorded inputs with their outputs, which a server runs again before it lets
//! the model answer. `docs/packages.md` describes the folder.
//!
//! [`Package::load`] reads such a folder, and also what people have: a graph's file, an ONNX model,
//! or a folder with one of these and a checkpoint. [`Package::session`] gives a session with the
//! weights, [`Package::check`] runs the golden cases, [`write()`] packs.
//!
//! Nothing that is read is believed: names, element types, shapes and sizes are compared with the
//! graph's, and what does not fit is an error that says where. This crate must not know how a model
//! is served, nor particular networks.
//!
//! ```
//! use abeyance_checkpoint::Checkpoint;
//! use abeyance_graph::{Graph, dims, ones};
//! use abeyance_package::{Case, Package, Packing};
//! use abeyance_session::{Session, SessionOptions, Value};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("package-{}", std::process::id()));
//! let g = Graph::named("sums");
//! let x = g.placeholder::<f32>("x", dims![_, 3]);
//! let y = x.matmul(g.variable("w", ones(dims![3, 1])));
//! g.signature("predict").input("numbers", x).output("sum", y);
//! let session = Session::new(&g)?;
//!
//! let numbers = Value::from(ndarray::array![[1.0f32, 2.0, 3.0]]);
//! let case = Case::record(&session.signature("predict")?, vec![("numbers".to_owned(), numbers)])?;
//! let checkpoint = Checkpoint::of(&session);
//! let packing = Packing::new("sums", &g, "predict").checkpoint(&checkpoint).case(case);
//! abeyance_package::write(&folder, &packing)?;
//!
//! // On another machine.
//! let package = Package::load(&folder)?;
//! let session = package.session(SessionOptions::new())?;
//! assert_eq!(package.check(&session)?.cases, 1);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

mod case;
mod check;
mod error;
mod folder;
mod manifest;
mod package;
mod processor;
mod reading;
mod signatures;
mod tolerance;
mod write;

pub use case::Case;
pub use check::{Checked, Difference};
pub use error::Error;
pub use folder::{files, is_package};
pub use package::Package;
pub use processor::Processor;
pub use reading::{checkpoint, graph, is_onnx};
pub use signatures::{servable, variables, writes};
pub use tolerance::Tolerance;
pub use write::{Packing, Written, write, write_on};
