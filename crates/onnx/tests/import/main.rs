//! What an import makes of a model, what it refuses, and that no bytes break it.

mod graphs;
mod hostile;
mod model;
mod refusals;
mod training;
