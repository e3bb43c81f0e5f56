//! What is exported means the same: to the import, and to onnxruntime where Python has it.

mod networks;
mod runtime;
mod samples;
mod settled;
