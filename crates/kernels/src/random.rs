//! Random streams that are functions: element `i` of draw `d` of a stream is the same wherever,
//! whenever and in whatever piece it is computed.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: *Parallel random numbers: as easy as
//! 1, 2, 3*, 2011), which turns a 64-bit key and a 128-bit counter into four 32-bit words. The key
//! is the stream, the counter's upper half the draw, its lower half the number of the block of four
//! words.

mod normal;
mod philox;
mod stream;

pub use normal::inverse_normal;
pub use philox::{Philox, philox};
pub use stream::{Stream, UniformInteger, UniformReal};
