//! Graphs in files: what `docs/format.md` says of their bytes, files of older versions, round
//! trips.

mod programs;
mod python;
mod round_trips;
mod runs;
mod versions;
