//! Clients that `abeyance client` generates, in a crate that has what a user's program has:
//! `tests/client` compiles and uses them, and shows that a wrong shape or element type does not
//! compile. `crates/cli/tests/client.rs` holds them against what is generated.
