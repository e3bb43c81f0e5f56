//! Copies of blocks of A and B in the order in which the register kernel reads them.

use std::any::{Any, TypeId};

use bytemuck::Pod;

use crate::launch::ALIGNMENT;

/// Bytes of the first block in a workspace: whole lines of a cache, so that the second begins on
/// one too.
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

/// Packs `lanes` lines of a matrix, each `depth` deep, into `out[p][l]`, `width` to a group; lines
/// beyond `lanes` are zero. Element p of line l is `x[l * line + p * step]`, and one of `line` and
/// `step` is 1.
#[inline(always)]
pub(super) fn pack_panel<T: Pod>(
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

/// Packs `lines` lines of a matrix, each `depth` deep, as [`pack_panel`] does: lines that are
/// `stride` apart and whose elements stand side by side.
#[inline(always)]
pub(super) fn pack_transposed<T: Pod, S: pulp::Simd>(
    simd: S,
    x: &[T],
    stride: usize,
    (lines, depth): (usize, usize),
    width: usize,
    out: &mut [T],
) {
    #[cfg(target_arch = "x86_64")]
    if TypeId::of::<T>() == TypeId::of::<f32>() {
        let (x, out) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(out));
        let set: &dyn Any = &simd;
        if let Some(&simd) = set.downcast_ref::<pulp::x86::V4>() {
            return pack_squares(simd, transpose_16, x, stride, (lines, depth), width, out);
        }
        if let Some(&simd) = set.downcast_ref::<pulp::x86::V3>() {
            return pack_squares(simd, transpose_8, x, stride, (lines, depth), width, out);
        }
    }
    pack_panel(x, (stride, 1), (lines, depth), width, out);
}

/// Packs in squares of `SIDE` lines and steps, which `transpose` transposes in registers. `width`
/// is a multiple of `SIDE`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn pack_squares<S: pulp::Simd, const SIDE: usize>(
    simd: S,
    transpose: impl Fn(S, [S::f32s; SIDE]) -> [S::f32s; SIDE],
    x: &[f32],
    stride: usize,
    (lines, depth): (usize, usize),
    width: usize,
    out: &mut [f32],
) {
    let zero = simd.splat_f32s(0.0);
    for first in (0..width).step_by(SIDE) {
        let count = lines.saturating_sub(first).min(SIDE);
        for p in (0..depth).step_by(SIDE) {
            let deep = SIDE.min(depth - p);
            let mut square = [zero; SIDE];
            if count == SIDE && deep == SIDE {
                for (l, line) in square.iter_mut().enumerate() {
                    let from = (first + l) * stride + p;
                    *line =
                        bytemuck::pod_read_unaligned(bytemuck::cast_slice(&x[from..from + SIDE]));
                }
            } else {
                for (l, line) in square.iter_mut().enumerate() {
                    if l < count {
                        let from = (first + l) * stride + p;
                        *line = simd.partial_load_f32s(&x[from..from + deep]);
                    }
                }
            }
            let square = transpose(simd, square);
            for (q, &line) in square.iter().enumerate() {
                if q < deep {
                    let to = (p + q) * width + first;
                    out[to..to + SIDE]
                        .copy_from_slice(bytemuck::cast_slice(std::slice::from_ref(&line)));
                }
            }
        }
    }
}

/// Transposes a square of 16 lines.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transpose_16(simd: pulp::x86::V4, x: [pulp::f32x16; 16]) -> [pulp::f32x16; 16] {
    let f = simd.avx512f;
    let x: [std::arch::x86_64::__m512; 16] = pulp::cast(x);
    let low = |a, b| f._mm512_unpacklo_ps(a, b);
    let high = |a, b| f._mm512_unpackhi_ps(a, b);
    let low2 = |a, b| {
        f._mm512_castpd_ps(f._mm512_unpacklo_pd(f._mm512_castps_pd(a), f._mm512_castps_pd(b)))
    };
    let high2 = |a, b| {
        f._mm512_castpd_ps(f._mm512_unpackhi_pd(f._mm512_castps_pd(a), f._mm512_castps_pd(b)))
    };
    let mut y = x;
    for i in 0..4 {
        let [a, b, c, d] = [x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3]];
        let (ab, cd) = ((low(a, b), high(a, b)), (low(c, d), high(c, d)));
        y[4 * i] = low2(ab.0, cd.0);
        y[4 * i + 1] = high2(ab.0, cd.0);
        y[4 * i + 2] = low2(ab.1, cd.1);
        y[4 * i + 3] = high2(ab.1, cd.1);
    }
    let mut z = y;
    for c in 0..4 {
        let (a, b, u, v) = (y[c], y[4 + c], y[8 + c], y[12 + c]);
        let even = (f._mm512_shuffle_f32x4::<0x88>(a, b), f._mm512_shuffle_f32x4::<0x88>(u, v));
        let odd = (f._mm512_shuffle_f32x4::<0xdd>(a, b), f._mm512_shuffle_f32x4::<0xdd>(u, v));
        z[c] = f._mm512_shuffle_f32x4::<0x88>(even.0, even.1);
        z[4 + c] = f._mm512_shuffle_f32x4::<0x88>(odd.0, odd.1);
        z[8 + c] = f._mm512_shuffle_f32x4::<0xdd>(even.0, even.1);
        z[12 + c] = f._mm512_shuffle_f32x4::<0xdd>(odd.0, odd.1);
    }
    pulp::cast(z)
}

/// Transposes a square of 8 lines.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transpose_8(simd: pulp::x86::V3, x: [pulp::f32x8; 8]) -> [pulp::f32x8; 8] {
    let f = simd.avx;
    let x: [std::arch::x86_64::__m256; 8] = pulp::cast(x);
    let low = |a, b| f._mm256_unpacklo_ps(a, b);
    let high = |a, b| f._mm256_unpackhi_ps(a, b);
    let low2 = |a, b| {
        f._mm256_castpd_ps(f._mm256_unpacklo_pd(f._mm256_castps_pd(a), f._mm256_castps_pd(b)))
    };
    let high2 = |a, b| {
        f._mm256_castpd_ps(f._mm256_unpackhi_pd(f._mm256_castps_pd(a), f._mm256_castps_pd(b)))
    };
    let mut y = x;
    for i in 0..2 {
        let [a, b, c, d] = [x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3]];
        let (ab, cd) = ((low(a, b), high(a, b)), (low(c, d), high(c, d)));
        y[4 * i] = low2(ab.0, cd.0);
        y[4 * i + 1] = high2(ab.0, cd.0);
        y[4 * i + 2] = low2(ab.1, cd.1);
        y[4 * i + 3] = high2(ab.1, cd.1);
    }
    let mut z = y;
    for c in 0..4 {
        z[c] = f._mm256_permute2f128_ps::<0x20>(y[c], y[4 + c]);
        z[4 + c] = f._mm256_permute2f128_ps::<0x31>(y[c], y[4 + c]);
    }
    pulp::cast(z)
}
