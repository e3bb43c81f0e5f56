//! Files under attack: graph files, their text, checkpoints. Whatever bytes there are, a load ends
//! with an error that says what is wrong, or with a graph that can be printed, saved and run: no
//! panic, no overflow (these tests check), a stack of 2 MiB, and memory in proportion to the bytes.
//!
//! `files/` is the corpus, made by [`graphs`], [`texts`] and [`checkpoints`]; after a change that
//! is meant, write it anew with `UPDATE_HOSTILE=1 cargo test --test hostile`. Files named
//! `found_...` came from mutation (`.ci/fuzz`) and stay.

// What a file is made of is counted, cut and put together here, by numbers that this program made
// itself.
#![allow(clippy::indexing_slicing)]

mod checkpoints;
mod corpus;
mod damage;
mod forge;
mod fuzz;
mod graphs;
mod large;
mod load;
mod memory;
mod random;
mod seeds;
mod texts;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
