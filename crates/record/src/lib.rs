//! What a run leaves behind: summaries written as TensorBoard event files, and read back.

pub mod proto;
