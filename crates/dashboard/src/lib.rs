//! The live page of a training.
