//! The import of models: the graphs it makes, the problems it reports, and that no bytes break it.

mod graphs;
mod hostile;
mod model;
mod refusals;
mod training;
