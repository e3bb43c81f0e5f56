//! Squares of 16 x 16 elements turned in registers.

use bytemuck::Pod;

use abeyance_launch::Layout;

/// Rows and columns of a square.
pub(crate) const BLOCK: usize = Layout::BLOCK;

/// Sixteen elements next to each other.
pub(crate) type Line<T> = [T; BLOCK];

/// Elements by their size.
pub(crate) trait Word: Pod {
    /// Element `[i, j]` of the result is element `[j, i]` of the lines.
    #[inline(always)]
    fn turn(lines: [&Line<Self>; BLOCK]) -> [Line<Self>; BLOCK] {
        let mut out = [[Self::zeroed(); BLOCK]; BLOCK];
        for (i, out) in out.iter_mut().enumerate() {
            for (out, line) in out.iter_mut().zip(&lines) {
                *out = line[i];
            }
        }
        out
    }

    /// The same with registers of 256 bits.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn turn_by_256(_: pulp::x86::V3, lines: [&Line<Self>; BLOCK]) -> [Line<Self>; BLOCK] {
        Self::turn(lines)
    }

    /// The same with registers of 512 bits.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn turn_by_512(_: pulp::x86::V4, lines: [&Line<Self>; BLOCK]) -> [Line<Self>; BLOCK] {
        Self::turn(lines)
    }
}

impl Word for u8 {}
#[cfg(not(target_arch = "x86_64"))]
impl Word for u32 {}
#[cfg(not(target_arch = "x86_64"))]
impl Word for u64 {}

/// A way to turn a square.
pub(crate) trait Turn<W>: Copy {
    fn turn(self, lines: [&Line<W>; BLOCK]) -> [Line<W>; BLOCK];
}

/// By a plain loop.
#[derive(Clone, Copy)]
struct Plain;

impl<W: Word> Turn<W> for Plain {
    #[inline(always)]
    fn turn(self, lines: [&Line<W>; BLOCK]) -> [Line<W>; BLOCK] {
        W::turn(lines)
    }
}

/// A loop over squares.
pub(crate) trait Squares<W> {
    fn run(self, by: impl Turn<W>);
}

/// Run a loop by the best way this processor has.
pub(crate) fn dispatch<W: Word>(work: impl Squares<W>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = x86::by_512() {
        return pulp::Simd::vectorize(
            simd,
            #[inline(always)]
            || work.run(simd),
        );
    } else if let Some(simd) = x86::by_256() {
        return pulp::Simd::vectorize(
            simd,
            #[inline(always)]
            || work.run(simd),
        );
    }
    work.run(Plain);
}

/// Each 128 bits of a register are filled from another line straight from memory, so that all that
/// is left to the one unit that moves elements between registers is to turn squares of 4 x 4 or 2 x
/// 2 within these 128 bits.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m128, __m128d, __m256d, __m512d};

    use pulp::cast;
    use pulp::x86::{V3, V4};

    use super::{BLOCK, Line, Turn, Word};

    /// The instruction set with registers of 512 bits, if this processor has it.
    pub fn by_512() -> Option<V4> {
        #[cfg(test)]
        if !matches!(crate::lanes::tests::SET.get(), crate::lanes::tests::Set::Best) {
            return None;
        }
        V4::try_new()
    }

    /// The instruction set with registers of 256 bits, if this processor has it.
    pub fn by_256() -> Option<V3> {
        #[cfg(test)]
        if matches!(crate::lanes::tests::SET.get(), crate::lanes::tests::Set::Scalar) {
            return None;
        }
        V3::try_new()
    }

    impl<W: Word> Turn<W> for V3 {
        #[inline(always)]
        fn turn(self, lines: [&Line<W>; BLOCK]) -> [Line<W>; BLOCK] {
            W::turn_by_256(self, lines)
        }
    }

    impl<W: Word> Turn<W> for V4 {
        #[inline(always)]
        fn turn(self, lines: [&Line<W>; BLOCK]) -> [Line<W>; BLOCK] {
            W::turn_by_512(self, lines)
        }
    }

    impl Word for u32 {
        #[inline(always)]
        fn turn_by_256(simd: V3, lines: [&Line<u32>; BLOCK]) -> [Line<u32>; BLOCK] {
            let avx = simd.avx;
            let mut out = [[0; BLOCK]; BLOCK];
            for half in [0, 8] {
                for c in (0..BLOCK).step_by(4) {
                    let mut v = [avx._mm256_setzero_ps(); 4];
                    for (j, v) in v.iter_mut().enumerate() {
                        *v = avx._mm256_castps128_ps256(four(lines[half + j], c));
                        *v = avx._mm256_insertf128_ps::<1>(*v, four(lines[half + 4 + j], c));
                    }
                    let a: __m256d = cast(avx._mm256_unpacklo_ps(v[0], v[1]));
                    let b: __m256d = cast(avx._mm256_unpackhi_ps(v[0], v[1]));
                    let d: __m256d = cast(avx._mm256_unpacklo_ps(v[2], v[3]));
                    let e: __m256d = cast(avx._mm256_unpackhi_ps(v[2], v[3]));
                    write(&mut out[c], half, avx._mm256_unpacklo_pd(a, d));
                    write(&mut out[c + 1], half, avx._mm256_unpackhi_pd(a, d));
                    write(&mut out[c + 2], half, avx._mm256_unpacklo_pd(b, e));
                    write(&mut out[c + 3], half, avx._mm256_unpackhi_pd(b, e));
                }
            }
            out
        }

        #[inline(always)]
        fn turn_by_512(simd: V4, lines: [&Line<u32>; BLOCK]) -> [Line<u32>; BLOCK] {
            let avx = simd.avx512f;
            let mut out = [[0; BLOCK]; BLOCK];
            for c in (0..BLOCK).step_by(4) {
                let mut v = [avx._mm512_setzero_ps(); 4];
                for (j, v) in v.iter_mut().enumerate() {
                    *v = avx._mm512_castps128_ps512(four(lines[j], c));
                    *v = avx._mm512_insertf32x4::<1>(*v, four(lines[4 + j], c));
                    *v = avx._mm512_insertf32x4::<2>(*v, four(lines[8 + j], c));
                    *v = avx._mm512_insertf32x4::<3>(*v, four(lines[12 + j], c));
                }
                let a: __m512d = cast(avx._mm512_unpacklo_ps(v[0], v[1]));
                let b: __m512d = cast(avx._mm512_unpackhi_ps(v[0], v[1]));
                let d: __m512d = cast(avx._mm512_unpacklo_ps(v[2], v[3]));
                let e: __m512d = cast(avx._mm512_unpackhi_ps(v[2], v[3]));
                out[c] = cast(avx._mm512_unpacklo_pd(a, d));
                out[c + 1] = cast(avx._mm512_unpackhi_pd(a, d));
                out[c + 2] = cast(avx._mm512_unpacklo_pd(b, e));
                out[c + 3] = cast(avx._mm512_unpackhi_pd(b, e));
            }
            out
        }
    }

    impl Word for u64 {
        #[inline(always)]
        fn turn_by_256(simd: V3, lines: [&Line<u64>; BLOCK]) -> [Line<u64>; BLOCK] {
            let avx = simd.avx;
            let mut out = [[0; BLOCK]; BLOCK];
            for quarter in [0, 4, 8, 12] {
                for c in (0..BLOCK).step_by(2) {
                    let mut v = [avx._mm256_setzero_pd(); 2];
                    for (j, v) in v.iter_mut().enumerate() {
                        *v = avx._mm256_castpd128_pd256(two(lines[quarter + j], c));
                        *v = avx._mm256_insertf128_pd::<1>(*v, two(lines[quarter + 2 + j], c));
                    }
                    write(&mut out[c], quarter, avx._mm256_unpacklo_pd(v[0], v[1]));
                    write(&mut out[c + 1], quarter, avx._mm256_unpackhi_pd(v[0], v[1]));
                }
            }
            out
        }

        #[inline(always)]
        fn turn_by_512(simd: V4, lines: [&Line<u64>; BLOCK]) -> [Line<u64>; BLOCK] {
            let (avx, dq) = (simd.avx512f, simd.avx512dq);
            let mut out = [[0; BLOCK]; BLOCK];
            for half in [0, 8] {
                for c in (0..BLOCK).step_by(2) {
                    let mut v = [avx._mm512_setzero_pd(); 2];
                    for (j, v) in v.iter_mut().enumerate() {
                        *v = avx._mm512_castpd128_pd512(two(lines[half + j], c));
                        *v = dq._mm512_insertf64x2::<1>(*v, two(lines[half + 2 + j], c));
                        *v = dq._mm512_insertf64x2::<2>(*v, two(lines[half + 4 + j], c));
                        *v = dq._mm512_insertf64x2::<3>(*v, two(lines[half + 6 + j], c));
                    }
                    write(&mut out[c], half, avx._mm512_unpacklo_pd(v[0], v[1]));
                    write(&mut out[c + 1], half, avx._mm512_unpackhi_pd(v[0], v[1]));
                }
            }
            out
        }
    }

    /// Four elements of a line from `at` on.
    #[inline(always)]
    fn four(line: &Line<u32>, at: usize) -> __m128 {
        let mut elements = [0u32; 4];
        elements.copy_from_slice(&line[at..at + 4]);
        cast(elements)
    }

    /// Two elements of a line from `at` on.
    #[inline(always)]
    fn two(line: &Line<u64>, at: usize) -> __m128d {
        let mut elements = [0u64; 2];
        elements.copy_from_slice(&line[at..at + 2]);
        cast(elements)
    }

    /// Put a register into a line from `at` on.
    #[inline(always)]
    fn write<T: bytemuck::Pod, V: bytemuck::Pod>(line: &mut Line<T>, at: usize, register: V) {
        let elements: &[T] = bytemuck::cast_slice(std::slice::from_ref(&register));
        line[at..at + elements.len()].copy_from_slice(elements);
    }
}
