//! The file form: a container with a checksum, and in it a flat stream of records. `docs/format.md`
//! describes every byte.
//!
//! It says what the text form says, and besides where in the program each node was made. Records
//! come in the order of the text: a head with the names that records refer to by number, the nodes
//! of the program, before a node with bodies those bodies, then summaries and signatures. They are
//! decoded and appended one at a time, and every node passes the checks and the inference that
//! building it would: what is read is a graph that could have been built, or an error.
//!
//! Reading takes memory in proportion to the bytes that are there, whatever they claim: nothing is
//! reserved for a length that is not covered by bytes, nothing nests in the encoding, and lists
//! that cannot be long are refused when they are.

mod container;
mod list;
mod read;
mod record;
mod write;

pub use container::{MAGIC, VERSION};
