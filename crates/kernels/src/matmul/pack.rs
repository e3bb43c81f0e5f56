//! Copies of blocks of A and B in the order in which the register kernel reads them.

use std::cell::RefCell;

use bytemuck::{Pod, Zeroable};

/// Lines of a cache, so that packed blocks begin on one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

// SAFETY: bytes may be zero.
unsafe impl Zeroable for Line {}
// SAFETY: 64 bytes aligned to 64 have no padding, and any bytes are valid.
unsafe impl Pod for Line {}

thread_local! {
    /// The packed blocks of this thread, kept so that only the first product of a size allocates.
    static BLOCKS: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Lend `f` two blocks of this thread's, of at least these many elements, with anything in them.
pub(crate) fn with_blocks<T: Pod>(first: usize, second: usize, f: impl FnOnce(&mut [T], &mut [T])) {
    let lines = |elements: usize| (elements * size_of::<T>()).div_ceil(size_of::<Line>());
    BLOCKS.with_borrow_mut(|blocks| {
        let (first, second) = (lines(first), lines(second));
        if blocks.len() < first + second {
            blocks.resize(first + second, Line::zeroed());
        }
        let (a, b) = blocks.split_at_mut(first);
        f(bytemuck::cast_slice_mut(a), bytemuck::cast_slice_mut(&mut b[..second]));
    });
}

/// Pack `lanes` lines of a matrix, each `depth` deep, into `out[p][l]`, `width` to a group; lines beyond `lanes` are zero.
/// Element p of line l is `x[l * line + p * step]`, and one of `line` and `step` is 1.
#[inline(always)]
pub(super) fn panel<T: Pod>(
    x: &[T],
    (line, step): (usize, usize),
    (lanes, depth): (usize, usize),
    width: usize,
    out: &mut [T],
) {
    let out = &mut out[..depth * width];
    if line == 1 {
        for (p, group) in out.chunks_exact_mut(width).enumerate() {
            let from = p * step;
            if lanes == width {
                // Of a length known when compiling: moves through registers, not a call.
                group.copy_from_slice(&x[from..from + width]);
                continue;
            }
            group[..lanes].copy_from_slice(&x[from..from + lanes]);
            group[lanes..].fill(T::zeroed());
        }
        return;
    }
    if lanes < width {
        out.fill(T::zeroed());
    }
    /// Elements of a line that are read at once.
    const RUN: usize = 8;
    let whole = depth / RUN * RUN;
    for p in (0..whole).step_by(RUN) {
        let out = &mut out[p * width..(p + RUN) * width];
        let mut line_of = |l: usize| {
            let run = &x[l * line + p..l * line + p + RUN];
            for (i, &v) in run.iter().enumerate() {
                out[i * width + l] = v;
            }
        };
        if lanes == width {
            (0..width).for_each(&mut line_of);
        } else {
            (0..lanes).for_each(&mut line_of);
        }
    }
    for p in whole..depth {
        for l in 0..lanes {
            out[p * width + l] = x[l * line + p * step];
        }
    }
}
