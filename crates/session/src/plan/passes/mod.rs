//! What is made better between a program as it was described and a program as it runs, a file for each pass:
//!
//! - [`fold`]: what depends on constants alone is computed once, when the plan is made;
//! - [`share`]: what is computed twice from the same is computed once;
//! - [`interleave`]: images stay in the order in which convolutions compute with them;
//! - [`fuse`]: elementwise work is done in the loop that makes its operand, a cache-sized tile at a time.
//!
//! Every pass leaves every bit of every result as it was.

pub(crate) mod fold;
pub(crate) mod fuse;
pub(crate) mod interleave;
pub(crate) mod share;

/// Which passes a plan goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passes {
    /// All of them, or none.
    pub(crate) optimize: bool,
}
