//! The text form: what graphs print as, what is read back, and what is said about texts that are
//! wrong.

mod limits;
mod mistakes;
mod operators;
mod printing;
mod round_trip;
