//! The kernels of a product of floats: a tile of C in registers.

use bytemuck::Pod;
use pulp::{MemMask, Simd, WithSimd};

use super::prefetch::{Prefetch, prefetch_row};
use crate::element::Real;
use crate::lanes::{Float, Work};

/// A float and its vectors under the instruction set `S`.
pub(crate) trait Lane<S: Simd>: Real {
    /// A register of them.
    type Vector: Copy + Pod;
    /// The lanes of a register that are read or written.
    type Mask: Copy;
    fn splat(simd: S, x: Self) -> Self::Vector;
    /// a·b + c, fused where the processor can.
    fn multiply_add(simd: S, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    fn plus(simd: S, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The first `count` lanes, or all of them if it is more.
    fn mask(simd: S, count: usize) -> Self::Mask;
    /// The lanes of `mask`, zeros in the others.
    ///
    /// # Safety
    /// The lanes of `mask` must be readable at `from`.
    unsafe fn load(simd: S, mask: Self::Mask, from: *const Self) -> Self::Vector;
    /// Write the lanes of `mask`.
    ///
    /// # Safety
    /// The lanes of `mask` must be writable at `to`.
    unsafe fn store(simd: S, mask: Self::Mask, to: *mut Self, vector: Self::Vector);
}

macro_rules! lane {
    ($float:ident, $vector:ident, $mask:ident, $splat:ident, $multiply_add:ident, $plus:ident, $between:ident, $count:ident, $load:ident, $store:ident) => {
        impl<S: Simd> Lane<S> for $float {
            type Vector = S::$vector;
            type Mask = S::$mask;
            #[inline(always)]
            fn splat(simd: S, x: $float) -> S::$vector {
                simd.$splat(x)
            }
            #[inline(always)]
            fn multiply_add(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$multiply_add(a, b, c)
            }
            #[inline(always)]
            fn plus(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$plus(a, b)
            }
            #[inline(always)]
            fn mask(simd: S, count: usize) -> S::$mask {
                simd.$between(0, count as $count).mask()
            }
            #[inline(always)]
            unsafe fn load(simd: S, mask: S::$mask, from: *const $float) -> S::$vector {
                // SAFETY: passed on. A mask made anew is one in a register; that of `mask_between`
                // calls a function of its own.
                unsafe { simd.$load(MemMask::new(mask), from) }
            }
            #[inline(always)]
            unsafe fn store(simd: S, mask: S::$mask, to: *mut $float, vector: S::$vector) {
                // SAFETY: as above.
                unsafe { simd.$store(MemMask::new(mask), to, vector) }
            }
        }
    };
}

lane!(
    f32,
    f32s,
    m32s,
    splat_f32s,
    mul_add_e_f32s,
    add_f32s,
    mask_between_m32s,
    u32,
    mask_load_ptr_f32s,
    mask_store_ptr_f32s
);
lane!(
    f64,
    f64s,
    m64s,
    splat_f64s,
    mul_add_e_f64s,
    add_f64s,
    mask_between_m64s,
    u64,
    mask_load_ptr_f64s,
    mask_store_ptr_f64s
);

/// The number of elements of T that a register has.
#[inline(always)]
pub(super) const fn lanes<T: Lane<S>, S: Simd>() -> usize {
    size_of::<T::Vector>() / size_of::<T>()
}

/// The order of A: column-major, so its rows are side by side, step after step, as where it is
/// transposed or packed.
pub(super) const COLUMN_MAJOR: u8 = 0;
/// The order of A: row-major, so a row's steps are side by side.
pub(super) const ROW_MAJOR: u8 = 1;

/// The reading of B: whole vectors.
pub(super) const WHOLE: u8 = 0;
/// The reading of B: of the last vector only the tile's columns.
pub(super) const MASKED: u8 = 1;
/// The reading of B: as [`MASKED`], and packed on the way, with zeros for what is not there.
pub(super) const PACKING: u8 = 2;

/// Steps between two calls of [`Prefetch::step`].
pub(super) const STEPS: usize = 8;

/// A tile of C, at most as large as the registers hold, and the lines of A and B it is made of.
pub(super) struct Tile<T> {
    /// Steps.
    pub depth: usize,
    pub a: *const T,
    /// From one row of A to the next, and from one step to the next.
    pub stride_a: (usize, usize),
    pub b: *const T,
    /// From one step to the next.
    pub stride_b: usize,
    pub c: *mut T,
    /// From one row to the next.
    pub stride_c: usize,
    /// Columns of the tile.
    pub count: usize,
    /// True if to add to what stands in C.
    pub accumulate: bool,
    /// The place to which B is packed.
    pub packed: *mut T,
}

// Loops over constants, which are written out: whether the compiler would unroll loops so large
// depends on what stands around them, and sums that are not in registers make a kernel ten times as
// slow. What is beyond the last row or vector is left out by a `const` condition, before the
// compiler makes code of it: there are hundreds of these kernels, and with plain conditions they
// were four fifths of all code that the operators' crate was compiled to.
macro_rules! each_row {
    ($i:ident, $body:block) => { each_row!($i, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13) };
    ($i:ident, $body:block, $($n:literal)*) => { $(if const { $n < ROWS } { let $i = $n; $body })* };
}
macro_rules! each_vector {
    ($v:ident, $body:block) => { each_vector!($v, $body, 0 1 2 3) };
    ($v:ident, $body:block, $($n:literal)*) => { $(if const { $n < VECTORS } { let $v = $n; $body })* };
}

/// A pointer of which the compiler does not know that it is a multiple of something away from
/// another one.
#[cfg_attr(target_arch = "x86_64", allow(clippy::pointers_in_nomem_asm_block))] // not followed
#[inline(always)]
fn opaque<T>(pointer: *const T) -> *const T {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    let pointer = {
        let mut pointer = pointer;
        // SAFETY: no instruction, nothing touched.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) pointer, options(pure, nomem, nostack, preserves_flags));
        }
        pointer
    };
    pointer
}

impl<T: Real> Tile<T> {
    /// `c[i, j] (+)= ∑ₚ a[i, p] · b[p, j]` for `ROWS` rows and `count` columns, with A in the
    /// order `A` and B read as `B` says.
    ///
    /// One function, long as it is: its sums have to stay in registers through all of it.
    ///
    /// # Safety
    /// `count` must be more than the elements of `VECTORS` - 1 vectors and at most those of
    /// `VECTORS`. For p below `depth` and i below `ROWS`:
    /// - `a` is readable at `i·stride_a.0 + p·stride_a.1`, where the first stride is 1 with
    ///   `COLUMN_MAJOR`, the second with `ROW_MAJOR`;
    /// - `b` is readable at `p·stride_b` for `count` elements, with `WHOLE` for `VECTORS` vectors;
    /// - `c` is readable and writable at `i·stride_c` for `count` elements, and so is, with
    ///   `PACKING`, `packed` for `depth · VECTORS` vectors.
    #[inline(always)]
    unsafe fn compute<S: Simd, const ROWS: usize, const VECTORS: usize, const A: u8, const B: u8>(
        &self,
        simd: S,
        prefetch: &mut [Prefetch; 2],
    ) where
        T: Lane<S>,
    {
        /// Rows that are addressed from one base: x86 has addresses of a base and 0, 1, 2, 4 or 8
        /// times an index.
        const SHARE: usize = 3;
        let lanes = lanes::<T, S>();
        let (row, step) =
            if const { A == COLUMN_MAJOR } { (1, self.stride_a.1) } else { (self.stride_a.0, 1) };
        let last = T::mask(simd, self.count - (VECTORS - 1) * lanes);
        let mut sums = [[T::splat(simd, T::ZERO); VECTORS]; ROWS];
        // A and C are kept as bases and C's next row to prefetch; a base beyond the last row
        // is not read.
        let mut bases: [*const T; 5] =
            std::array::from_fn(|group| self.a.wrapping_add(group * SHARE * row));
        let (mut a, mut b, mut packed) = (self.a, self.b, self.packed);
        let (mut c, mut rows_of_c) = (self.c, ROWS);
        let mut left = self.depth;
        while left > 0 {
            prefetch[0].step();
            prefetch[1].step();
            if rows_of_c > 0 {
                prefetch_row(c, self.count);
                c = c.wrapping_add(self.stride_c);
                rows_of_c -= 1;
            }
            let steps = left.min(STEPS);
            left -= steps;
            for _ in 0..steps {
                let mut line = [T::splat(simd, T::ZERO); VECTORS];
                each_vector!(v, {
                    // SAFETY: `b` is readable for these vectors, with a mask for those lanes of the
                    // last one.
                    line[v] = unsafe {
                        let b = b.add(v * lanes);
                        if const { B != WHOLE } && v == VECTORS - 1 {
                            T::load(simd, last, b)
                        } else {
                            b.cast::<T::Vector>().read_unaligned()
                        }
                    };
                    if const { B == PACKING } {
                        // SAFETY: `packed` is writable for these vectors.
                        unsafe {
                            packed.add(v * lanes).cast::<T::Vector>().write_unaligned(line[v])
                        };
                    }
                });
                each_row!(i, {
                    // SAFETY: `a` is readable for every row.
                    let x = unsafe {
                        if const { A == COLUMN_MAJOR } {
                            *a.add(i)
                        } else {
                            *bases[i / SHARE].add(i % SHARE * row)
                        }
                    };
                    let x = T::splat(simd, x);
                    each_vector!(v, {
                        sums[i][v] = T::multiply_add(simd, x, line[v], sums[i][v]);
                    });
                });
                // Beyond the last step these may point outside, where nothing is read.
                if const { A == COLUMN_MAJOR } {
                    a = a.wrapping_add(step);
                } else {
                    each_row!(i, {
                        if i % SHARE == 0 {
                            bases[i / SHARE] = opaque(bases[i / SHARE].wrapping_add(1));
                        }
                    });
                }
                b = b.wrapping_add(self.stride_b);
                if const { B == PACKING } {
                    packed = packed.wrapping_add(VECTORS * lanes);
                }
            }
        }
        // All vectors but the last are whole, and that one is if there are columns enough.
        let whole = self.count == VECTORS * lanes;
        let at = |i: usize, v: usize| self.c.wrapping_add(i * self.stride_c + v * lanes);
        let vector = |i: usize, v: usize| at(i, v).cast::<T::Vector>();
        // SAFETY: row i of C is valid for `count` elements, which are those of all vectors but the
        // last and the lanes of `last`.
        unsafe {
            if self.accumulate {
                each_row!(i, {
                    each_vector!(v, {
                        let old = if v < VECTORS - 1 {
                            vector(i, v).read_unaligned()
                        } else {
                            T::load(simd, last, at(i, v))
                        };
                        sums[i][v] = T::plus(simd, old, sums[i][v]);
                    });
                });
            }
            if whole {
                each_row!(i, {
                    each_vector!(v, { vector(i, v).write_unaligned(sums[i][v]) });
                });
            } else {
                each_row!(i, {
                    each_vector!(v, {
                        if v < VECTORS - 1 {
                            vector(i, v).write_unaligned(sums[i][v]);
                        } else {
                            T::store(simd, last, at(i, v), sums[i][v]);
                        }
                    });
                });
            }
        }
    }
}

/// [`Tile::compute`] for one kind of tile.
pub(super) type Kernel<T, S> = unsafe fn(S, &Tile<T>, &mut [Prefetch; 2]);

/// [`Tile::compute`] as a function of its own, so that the compiler gives it all registers.
///
/// # Safety
/// As there.
pub(super) unsafe fn kernel<
    T: Float,
    S: Simd,
    const ROWS: usize,
    const VECTORS: usize,
    const A: u8,
    const B: u8,
>(
    simd: S,
    tile: &Tile<T>,
    prefetch: &mut [Prefetch; 2],
) {
    struct Run<'a, T, const ROWS: usize, const VECTORS: usize, const A: u8, const B: u8> {
        tile: &'a Tile<T>,
        prefetch: &'a mut [Prefetch; 2],
    }
    impl<T: Float, const ROWS: usize, const VECTORS: usize, const A: u8, const B: u8> WithSimd
        for Run<'_, T, ROWS, VECTORS, A, B>
    {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            T::with(simd, self);
        }
    }
    impl<T: Real, const ROWS: usize, const VECTORS: usize, const A: u8, const B: u8> Work<T>
        for Run<'_, T, ROWS, VECTORS, A, B>
    {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S)
        where
            T: Lane<S>,
        {
            // SAFETY: passed on.
            unsafe { self.tile.compute::<S, ROWS, VECTORS, A, B>(simd, self.prefetch) }
        }
    }
    simd.vectorize(Run::<T, ROWS, VECTORS, A, B> { tile, prefetch });
}

/// The kernels of an instruction set with so many registers.
pub(super) trait Kernels<T: Float, S: Simd> {
    /// The most rows of a tile two vectors wide: what leaves registers for two vectors of B and one
    /// of A.
    const HEIGHT: usize;
    /// The rows of a tile that packs B.
    const FIRST: usize;
    /// The most rows that are taken at once as one tile `WIDTH` vectors wide.
    const FEW: usize;
    /// The vectors of such a tile.
    const WIDTH: usize;

    /// For `rows` rows, at most `HEIGHT`, and `VECTORS` vectors.
    fn whole<const VECTORS: usize, const A: u8>(rows: usize) -> Kernel<T, S>;
    /// For `FIRST` rows.
    fn packing<const VECTORS: usize, const A: u8>() -> Kernel<T, S>;
    /// For `rows` rows, at most `FEW`, and `WIDTH` vectors, or one if not `wide`.
    fn few<const A: u8>(rows: usize, wide: bool) -> Kernel<T, S>;
}

/// For instruction sets without vectors, where few tiles are enough.
pub(super) struct NoVectors;
pub(super) struct Registers16;
pub(super) struct Registers32;

macro_rules! kernels {
    ($registers:ident: $height:literal, $first:literal, $few:literal, $width:literal; $($rows:literal)*; $($few_rows:literal)*) => {
        impl<T: Float, S: Simd> Kernels<T, S> for $registers {
            const HEIGHT: usize = $height;
            const FIRST: usize = $first;
            const FEW: usize = $few;
            const WIDTH: usize = $width;

            #[inline(always)]
            fn whole<const VECTORS: usize, const A: u8>(rows: usize) -> Kernel<T, S> {
                let table: [Kernel<T, S>; $height] = [$(kernel::<T, S, $rows, VECTORS, A, WHOLE>),*];
                table[rows - 1]
            }
            #[inline(always)]
            fn packing<const VECTORS: usize, const A: u8>() -> Kernel<T, S> {
                kernel::<T, S, $first, VECTORS, A, PACKING>
            }
            #[inline(always)]
            fn few<const A: u8>(rows: usize, wide: bool) -> Kernel<T, S> {
                let wides: [Kernel<T, S>; $few] = [$(kernel::<T, S, $few_rows, $width, A, MASKED>),*];
                let ones: [Kernel<T, S>; $few] = [$(kernel::<T, S, $few_rows, 1, A, MASKED>),*];
                if wide { wides[rows - 1] } else { ones[rows - 1] }
            }
        }
    };
}

kernels!(NoVectors: 2, 2, 1, 1; 1 2; 1);
kernels!(Registers16: 6, 6, 3, 2; 1 2 3 4 5 6; 1 2 3);
kernels!(Registers32: 14, 12, 4, 4; 1 2 3 4 5 6 7 8 9 10 11 12 13 14; 1 2 3 4);
