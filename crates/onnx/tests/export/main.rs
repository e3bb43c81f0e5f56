//! Exported models give the same outputs: in the import, and in onnxruntime where Python has it.

mod constants;
mod networks;
mod runtime;
mod samples;
