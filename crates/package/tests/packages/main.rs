//! Models packed, found, checked, and what is wrong with them told.

mod golden;
mod hostile;
mod loose;
mod packing;
mod support;
