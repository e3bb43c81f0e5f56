//! Initial values of variables.

use abeyance_ir::{DType, Initializer};
use abeyance_kernels::random::Stream;
use abeyance_scheduler::AlignedBytes;

use crate::Error;

/// Fills a variable's memory with its initial value. Random numbers depend on the seed and the
/// variable's name alone.
pub(crate) fn initialize(
    memory: &mut AlignedBytes,
    dtype: DType,
    initializer: &Initializer,
    seed: u64,
    name: &str,
) -> Result<(), Error> {
    let stream = Stream::new(seed, name);
    match initializer {
        Initializer::Zeros => memory.fill(0),
        Initializer::Ones => repeat(memory, &abeyance_ir::Array::scalar(dtype, 1.0).bytes),
        Initializer::Constant(value) if value.bytes.len() == memory.len() => {
            memory.copy_from_slice(&value.bytes);
        }
        Initializer::Constant(value) => repeat(memory, &value.bytes),
        random => match dtype {
            DType::F32 => {
                let out: &mut [f32] = bytemuck::cast_slice_mut(memory);
                match *random {
                    Initializer::Normal { mean, stddev } => {
                        stream.fill_normal(INITIAL, 0, out, mean as f32, stddev as f32);
                    }
                    Initializer::TruncatedNormal { mean, stddev } => {
                        stream.fill_truncated_normal(INITIAL, 0, out, mean as f32, stddev as f32);
                    }
                    Initializer::Uniform { low, high } => {
                        stream.fill_uniform(INITIAL, 0, out, low as f32, high as f32);
                    }
                    _ => {}
                }
            }
            DType::F64 => {
                let out: &mut [f64] = bytemuck::cast_slice_mut(memory);
                match *random {
                    Initializer::Normal { mean, stddev } => {
                        stream.fill_normal(INITIAL, 0, out, mean, stddev);
                    }
                    Initializer::TruncatedNormal { mean, stddev } => {
                        stream.fill_truncated_normal(INITIAL, 0, out, mean, stddev);
                    }
                    Initializer::Uniform { low, high } => {
                        stream.fill_uniform(INITIAL, 0, out, low, high);
                    }
                    _ => {}
                }
            }
            other => {
                return Err(Error::Internal(format!("`{name}` cannot start at random {other}")));
            }
        },
    }
    Ok(())
}

/// The draw that initial values are taken from; runs count from 0 and never come here.
const INITIAL: u64 = u64::MAX;

fn repeat(memory: &mut AlignedBytes, element: &[u8]) {
    for piece in memory.chunks_exact_mut(element.len().max(1)) {
        piece.copy_from_slice(element);
    }
}
