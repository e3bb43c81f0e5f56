//! Promises of a server beyond its protocols: the same bits in any batch, versions that change
//! without a failed request, limits that hold, an end that loses nothing.

mod access;
mod batches;
mod limits;
mod stopping;
mod support;
mod swaps;
