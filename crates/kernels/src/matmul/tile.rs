//! Products of floats: blocks, and the kernel that computes a tile of C in registers.

use pulp::{Simd, WithSimd};

use super::Matmul;
use super::pack::{self, panel};
use crate::element::Real;

/// How deep a block is at most: a group of lines of A and one of B this deep stay in a first-level cache.
const DEPTH: usize = 320;
/// Bytes of a packed block of B, which stays in a second-level cache.
const BLOCK_B: usize = 512 * 1024;
/// Rows of a packed block of A: a multiple of every height of a register tile.
const ROWS: usize = 96;
/// Below so many columns A is read where it stands: packing it would not pay.
const NARROW: usize = 64;
/// Below so many rows B is read where it stands.
const FLAT: usize = 8;

/// A float and its vectors under the instruction set `S`.
pub(crate) trait Lane<S: Simd>: Real {
    /// A register of them.
    type Vector: Copy + bytemuck::Pod;
    fn splat(simd: S, x: Self) -> Self::Vector;
    /// a·b + c, fused where the processor can.
    fn multiply_add(simd: S, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    fn plus(simd: S, a: Self::Vector, b: Self::Vector) -> Self::Vector;
}

impl<S: Simd> Lane<S> for f32 {
    type Vector = S::f32s;
    #[inline(always)]
    fn splat(simd: S, x: f32) -> S::f32s {
        simd.splat_f32s(x)
    }
    #[inline(always)]
    fn multiply_add(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(a, b, c)
    }
    #[inline(always)]
    fn plus(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        simd.add_f32s(a, b)
    }
}

impl<S: Simd> Lane<S> for f64 {
    type Vector = S::f64s;
    #[inline(always)]
    fn splat(simd: S, x: f64) -> S::f64s {
        simd.splat_f64s(x)
    }
    #[inline(always)]
    fn multiply_add(simd: S, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
        simd.mul_add_e_f64s(a, b, c)
    }
    #[inline(always)]
    fn plus(simd: S, a: S::f64s, b: S::f64s) -> S::f64s {
        simd.add_f64s(a, b)
    }
}

/// A float that has vectors under every instruction set.
pub(super) trait Float: Real {
    fn blocks<S: Simd>(simd: S, product: Product<'_, Self>);
}

impl Float for f32 {
    #[inline(always)]
    fn blocks<S: Simd>(simd: S, product: Product<'_, f32>) {
        product.run(simd);
    }
}

impl Float for f64 {
    #[inline(always)]
    fn blocks<S: Simd>(simd: S, product: Product<'_, f64>) {
        product.run(simd);
    }
}

/// The bytes of the workspace in which up to `rows` rows of C are computed.
pub(super) fn workspace<T>(plan: &Matmul, rows: usize) -> usize {
    let blocks = Blocks::new::<T>(plan, rows);
    pack::workspace::<T>(blocks.size_a, blocks.size_b)
}

/// Rows of C from `first_row` on into `out`. Lengths were checked against the plan.
pub(super) fn multiply<T: Float>(
    plan: &Matmul,
    a: &[T],
    b: &[T],
    out: &mut [T],
    first_row: usize,
    workspace: &mut [u8],
) {
    let rows = out.len() / plan.n;
    let blocks = Blocks::new::<T>(plan, rows);
    // Borrowed out here, since only what is inlined into `blocks` is compiled for the instruction set.
    let (packed_a, packed_b) = pack::blocks::<T>(workspace, blocks.size_a, blocks.size_b);
    pulp::Arch::new().dispatch(Product { plan, blocks, a, b, out, first_row, packed_a, packed_b });
}

/// How a product is cut into blocks.
#[derive(Clone, Copy)]
struct Blocks {
    /// How deep they are. Depends on k only, and with it the order of every sum.
    depth: usize,
    /// How many columns of B they have.
    columns: usize,
    /// Whether A and B are packed or read where they stand.
    pack_a: bool,
    pack_b: bool,
    /// Elements of the packed blocks.
    size_a: usize,
    size_b: usize,
}

impl Blocks {
    fn new<T>(plan: &Matmul, rows: usize) -> Self {
        // The widest tile there is, of two registers of 64 bytes.
        let unit = 128 / size_of::<T>();
        // As even as can be.
        let depth = plan.k.div_ceil(plan.k.div_ceil(DEPTH)).next_multiple_of(4);
        let columns = (BLOCK_B / size_of::<T>() / depth / unit * unit).max(unit);
        let columns = columns.min(plan.n.next_multiple_of(unit));
        let pack_a = plan.n >= NARROW;
        let pack_b = plan.transpose_b || rows >= FLAT;
        Self {
            depth,
            columns,
            pack_a,
            pack_b,
            size_a: if pack_a { ROWS.min(rows.next_multiple_of(12)) * depth } else { 0 },
            size_b: if pack_b { depth * columns } else { depth * unit },
        }
    }
}

/// A product to compute.
pub(super) struct Product<'a, T> {
    plan: &'a Matmul,
    blocks: Blocks,
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
    first_row: usize,
    packed_a: &'a mut [T],
    packed_b: &'a mut [T],
}

impl<T: Float> WithSimd for Product<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        T::blocks(simd, self);
    }
}

impl<T: Real> Product<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>,
    {
        // A tile of two registers' width, and as high as leaves registers for two of B and one of A.
        if S::REGISTER_COUNT >= 32 {
            self.blocks::<S, 12>(simd);
        } else {
            self.blocks::<S, 6>(simd);
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, const HEIGHT: usize>(self, simd: S)
    where
        T: Lane<S>,
    {
        let Self { plan, blocks, a, b, out, first_row, packed_a, packed_b } = self;
        let (k, n) = (plan.k, plan.n);
        let rows = out.len() / n;
        let lanes = size_of::<T::Vector>() / size_of::<T>();
        let width = 2 * lanes;
        let Blocks { depth, columns, pack_a, pack_b, .. } = blocks;
        let (row_stride, column_stride) = plan.strides_a();
        let (depth_stride_b, column_stride_b) = if plan.transpose_b { (1, k) } else { (n, 1) };

        for column in (0..n).step_by(columns) {
            let columns = columns.min(n - column);
            for first in (0..k).step_by(depth) {
                let depth = depth.min(k - first);
                // Groups of B: `width` columns each, the last one `lanes` if that is enough.
                for j in (0..columns).step_by(width) {
                    let count = width.min(columns - j);
                    if pack_b || count < width {
                        let from = first * depth_stride_b + (column + j) * column_stride_b;
                        let to = if pack_b { j * depth } else { 0 };
                        panel(
                            &b[from..],
                            (column_stride_b, depth_stride_b),
                            (count, depth),
                            if count <= lanes { lanes } else { width },
                            &mut packed_b[to..],
                        );
                    }
                }
                for row in (0..rows).step_by(ROWS) {
                    let rows = ROWS.min(rows - row);
                    let at_a = (first_row + row) * row_stride + first * column_stride;
                    if pack_a {
                        for i in (0..rows).step_by(HEIGHT) {
                            panel(
                                &a[at_a + i * row_stride..],
                                (row_stride, column_stride),
                                (HEIGHT.min(rows - i), depth),
                                HEIGHT,
                                &mut packed_a[i * depth..],
                            );
                        }
                    }
                    for j in (0..columns).step_by(width) {
                        let count = width.min(columns - j);
                        let wide = count > lanes;
                        let group = if wide { width } else { lanes };
                        let (b, stride_b) = if pack_b {
                            (&packed_b[j * depth..], group)
                        } else if count < width {
                            (&packed_b[..], group)
                        } else {
                            (&b[first * n + column + j..], n)
                        };
                        assert!(b.len() >= (depth - 1) * stride_b + group, "B is in bounds");
                        for i in (0..rows).step_by(HEIGHT) {
                            let height = HEIGHT.min(rows - i);
                            let (a, stride_a) = if pack_a {
                                (&packed_a[i * depth..], (1, HEIGHT))
                            } else {
                                (&a[at_a + i * row_stride..], (row_stride, column_stride))
                            };
                            let furthest = (height - 1) * stride_a.0 + (depth - 1) * stride_a.1;
                            assert!(a.len() > furthest, "A is in bounds");
                            let c = &mut out[(row + i) * n + column + j..];
                            assert!(c.len() >= (height - 1) * n + count, "C is in bounds");
                            let tile = Tile {
                                depth,
                                a: a.as_ptr(),
                                stride_a,
                                b: b.as_ptr(),
                                stride_b,
                                c: c.as_mut_ptr(),
                                stride_c: n,
                                count,
                                accumulate: first > 0,
                            };
                            // SAFETY: the three assertions above are what it asks for.
                            unsafe {
                                match (wide, pack_a) {
                                    (true, true) => {
                                        tile.of_height::<S, HEIGHT, 2, true>(simd, height)
                                    }
                                    (true, false) => {
                                        tile.of_height::<S, HEIGHT, 2, false>(simd, height)
                                    }
                                    (false, true) => {
                                        tile.of_height::<S, HEIGHT, 1, true>(simd, height)
                                    }
                                    (false, false) => {
                                        tile.of_height::<S, HEIGHT, 1, false>(simd, height)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A tile of C, at most as large as the registers hold, and the lines of A and B it is made of.
struct Tile<T> {
    depth: usize,
    a: *const T,
    stride_a: (usize, usize),
    b: *const T,
    stride_b: usize,
    c: *mut T,
    stride_c: usize,
    /// Columns of the tile.
    count: usize,
    /// Whether to add to what stands in C.
    accumulate: bool,
}

impl<T: Real> Tile<T> {
    /// Compute `height` rows, by the code for just that height.
    ///
    /// # Safety
    /// As [`Tile::compute`] for `ROWS` = `height`, which is from 1 to `HEIGHT`.
    #[inline(always)]
    unsafe fn of_height<S: Simd, const HEIGHT: usize, const VECTORS: usize, const PACKED: bool>(
        self,
        simd: S,
        height: usize,
    ) where
        T: Lane<S>,
    {
        macro_rules! heights {
            ($($h:literal)*) => {
                match height {
                    $($h if $h <= HEIGHT => {
                        // SAFETY: passed on.
                        unsafe { self.compute::<S, HEIGHT, $h, VECTORS, PACKED>(simd) }
                    })*
                    _ => unreachable!("a tile has 1 to {HEIGHT} rows"),
                }
            };
        }
        heights!(1 2 3 4 5 6 7 8 9 10 11 12);
    }

    /// `c[i, j] (+)= ∑ₚ a[i, p] · b[p, j]` for `ROWS` rows and `count` columns. With `PACKED`, A stands in groups of `HEIGHT`.
    ///
    /// # Safety
    /// `a` must be readable at `i·stride_a.0 + p·stride_a.1` for every row i and p below `depth` (with `PACKED`, `stride_a` is `(1, HEIGHT)`), `b` at
    /// `p·stride_b` for the whole of `VECTORS` vectors, and `c` readable and writable at `i·stride_c` for `count` elements,
    /// which are at most those of `VECTORS` vectors.
    #[inline(always)]
    unsafe fn compute<
        S: Simd,
        const HEIGHT: usize,
        const ROWS: usize,
        const VECTORS: usize,
        const PACKED: bool,
    >(
        self,
        simd: S,
    ) where
        T: Lane<S>,
    {
        let lanes = size_of::<T::Vector>() / size_of::<T>();
        let (row_stride, step) = if PACKED { (1, HEIGHT) } else { self.stride_a };
        let mut sums = [[T::splat(simd, T::ZERO); VECTORS]; ROWS];
        let (mut a, mut b) = (self.a, self.b);
        for _ in 0..self.depth {
            // SAFETY: `b` is readable for these vectors; they are read without regard to alignment.
            let line: [T::Vector; VECTORS] = std::array::from_fn(|v| unsafe {
                b.add(v * lanes).cast::<T::Vector>().read_unaligned()
            });
            for (i, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `a` is readable for every row.
                let x = T::splat(simd, unsafe { *a.add(i * row_stride) });
                for (sum, &y) in sums.iter_mut().zip(&line) {
                    *sum = T::multiply_add(simd, x, y, *sum);
                }
            }
            // Beyond the last step these may point outside, where nothing is read.
            a = a.wrapping_add(step);
            b = b.wrapping_add(self.stride_b);
        }
        for (i, sums) in sums.iter().enumerate() {
            // SAFETY: row i of C is valid for `count` elements.
            let c = unsafe { self.c.add(i * self.stride_c) };
            if self.count == VECTORS * lanes {
                for (v, &sum) in sums.iter().enumerate() {
                    // SAFETY: the row has all these vectors.
                    unsafe {
                        let c = c.add(v * lanes).cast::<T::Vector>();
                        let sum = if self.accumulate {
                            T::plus(simd, c.read_unaligned(), sum)
                        } else {
                            sum
                        };
                        c.write_unaligned(sum);
                    }
                }
            } else {
                let sums: &[T] = bytemuck::cast_slice(sums);
                // SAFETY: as above; nothing else refers to this row.
                let c = unsafe { std::slice::from_raw_parts_mut(c, self.count) };
                for (c, &sum) in c.iter_mut().zip(sums) {
                    *c = if self.accumulate { *c + sum } else { sum };
                }
            }
        }
    }
}
