//! Loops compiled once for each instruction set, the best one picked at run time.
//!
//! A plain `cargo build --release` targets the oldest processor of its family. A loop run through
//! [`vectorized`] is compiled again for AVX2, AVX-512 or NEON, and the processor's own one is
//! called. The code is the same for each and the compiler neither contracts `a * b + c` nor
//! reorders floats by itself, so the bits are too.

use crate::element::Element;

/// Runs `body` compiled for the best instruction set this processor has.
///
/// Only what is inlined into `body` is compiled again, so write the closure, and whatever it calls
/// in its loop, with `#[inline(always)]`.
#[inline]
pub(crate) fn vectorized<R>(body: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(body)
}

/// Runs loops over floats as [`vectorized`] does, and those over integers as they are. Loops over
/// integers are rare, and three times the code for each made the operators take twice as long to
/// build.
#[inline(always)]
pub(crate) fn vectorized_for<T: Element, R>(body: impl FnOnce() -> R) -> R {
    if T::IS_FLOAT { vectorized(body) } else { body() }
}

/// The number of elements of an elementwise loop that one part fills: a fixed number of bytes, so
/// that the cut depends on shapes only.
///
/// `bytes_per_element` counts what is read and written for one element. A part touches about 256
/// KiB, which stays in a second-level cache and takes some ten microseconds; the result is a
/// multiple of 64 and at least 4096.
pub fn elementwise_chunk(len: usize, bytes_per_element: usize) -> usize {
    let chunk = (256 * 1024 / bytes_per_element.max(1)).max(4096) / 64 * 64;
    if len <= chunk { len.max(1) } else { chunk }
}

/// The number of elements that one part fills when it has to fill whole rows of `width` elements,
/// each row reading and writing `bytes_per_row`. At least one row.
pub fn rows_chunk(rows: usize, width: usize, bytes_per_row: usize) -> usize {
    let each = (256 * 1024 / bytes_per_row.max(1)).max(1);
    each.min(rows.max(1)) * width.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_loops_are_one_part() {
        assert_eq!(elementwise_chunk(0, 8), 1);
        assert_eq!(elementwise_chunk(100, 8), 100);
        assert_eq!(elementwise_chunk(1 << 20, 8), 32 * 1024);
        assert_eq!(elementwise_chunk(1 << 20, 1000), 4096);
        assert_eq!(rows_chunk(100, 10, 80), 1000);
        assert_eq!(rows_chunk(100_000, 10, 80), 32760);
    }
}
