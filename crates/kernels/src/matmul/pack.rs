//! Copies of blocks of A and B in the order in which the register kernel reads them.

use bytemuck::Pod;

use crate::launch::ALIGNMENT;

/// Bytes of the first block in a workspace: whole lines of a cache, so that the second begins on one too.
fn first_bytes<T>(elements: usize) -> usize {
    (elements * size_of::<T>()).next_multiple_of(ALIGNMENT)
}

/// The bytes of a workspace for two blocks of so many elements.
pub(crate) fn workspace<T>(first: usize, second: usize) -> usize {
    first_bytes::<T>(first) + second * size_of::<T>()
}

/// Two blocks of so many elements in a workspace that has room for them, with anything in them.
pub(crate) fn blocks<T: Pod>(
    workspace: &mut [u8],
    first: usize,
    second: usize,
) -> (&mut [T], &mut [T]) {
    let (a, b) = workspace.split_at_mut(first_bytes::<T>(first));
    let (a, b) = (bytemuck::cast_slice_mut(a), &mut b[..second * size_of::<T>()]);
    (&mut a[..first], bytemuck::cast_slice_mut(b))
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
