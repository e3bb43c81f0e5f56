//! Products of matrices.
//!
//! Floats go through blocks packed for the cache and a kernel that keeps a tile of C in registers, as in Goto and van de Geijn, *Anatomy of
//! high-performance matrix multiplication* (2008). It is our own because the crates that do this, `gemm` and `matrixmultiply`, allocate
//! on every call. On the shapes of small networks (`benches/peers/matmul`; AMD Zen 4 with AVX-512, one thread) it is as fast as `gemm`
//! within a tenth either way: 28 µs for (m, k, n) = (100, 784, 10), 340 µs for (100, 784, 200), 14 ms for (128, 2048, 2048) with B transposed, where
//! `gemm` takes 23 ms. `matrixmultiply` takes up to twice as long.
//!
//! Each element of C is summed over k in an order that depends on k only, so any cut of C into blocks of rows gives the same bits.
//! The order and the fused multiply-add depend on the instruction set, hence the last bits may differ between kinds of processor.

mod batch;
mod integer;
pub(crate) mod pack;
pub(crate) mod tile;

pub use batch::BatchedMatmul;

use std::any::TypeId;

use crate::element::Number;

/// C = op(A)·op(B), all row-major, with op the transposition or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Matmul {
    m: usize,
    k: usize,
    n: usize,
    transpose_a: bool,
    transpose_b: bool,
}

impl Matmul {
    /// `[m, k] · [k, n] = [m, n]`, where A is stored `[k, m]` if `transpose_a` and B `[n, k]` if `transpose_b`.
    pub fn new(m: usize, k: usize, n: usize, transpose_a: bool, transpose_b: bool) -> Self {
        Self { m, k, n, transpose_a, transpose_b }
    }

    /// How many rows of C one part computes: enough for some 50 microseconds of arithmetic and to make packing B
    /// again in each part worth it, and all rows of a small product.
    pub fn row_block(&self) -> usize {
        /// Multiplications that take about 50 microseconds.
        const WORTH: usize = 1 << 21;
        /// Rows that use each packed element of B often enough.
        const ROWS: usize = 48;
        let per_row = self.k.saturating_mul(self.n).max(1);
        let least = WORTH.div_ceil(per_row).max(ROWS);
        if self.m < 2 * least {
            return self.m.max(1);
        }
        // As even as can be, and a multiple of every height of a register tile.
        let parts = self.m / least;
        self.m.div_ceil(parts).next_multiple_of(12)
    }

    /// Floating-point or integer operations of the whole product.
    pub fn flops(&self) -> f64 {
        2.0 * self.m as f64 * self.k as f64 * self.n as f64
    }

    /// The bytes of the workspace in which [`Matmul::run`] computes up to `rows` rows of C.
    pub fn workspace<T: Number>(&self, rows: usize) -> usize {
        let element = TypeId::of::<T>();
        let float = element == TypeId::of::<f32>() || element == TypeId::of::<f64>();
        if !float || rows == 0 || self.k == 0 || self.n == 0 {
            return 0;
        }
        tile::workspace::<T>(self, rows.min(self.m))
    }

    /// The rows of C from `first_row` on, as many as fit into `out`, which is whole rows. Integers wrap; k = 0 gives zeros.
    ///
    /// # Panics
    /// Where a length does not fit, or `workspace` has not the bytes that [`Matmul::workspace`] asks for or is not aligned to an element.
    pub fn run<T: Number>(
        &self,
        a: &[T],
        b: &[T],
        out: &mut [T],
        first_row: usize,
        workspace: &mut [u8],
    ) {
        if out.is_empty() {
            return;
        }
        if self.k == 0 {
            return out.fill(T::ZERO);
        }
        let rows = out.len() / self.n;
        assert!(out.len() == rows * self.n && first_row + rows <= self.m, "whole rows of C");
        assert!(
            a.len() == self.m * self.k && b.len() == self.k * self.n,
            "A and B of their shapes"
        );
        let element = TypeId::of::<T>();
        if element == TypeId::of::<f32>() {
            let (a, b) = (bytemuck::cast_slice(a), bytemuck::cast_slice(b));
            tile::multiply::<f32>(self, a, b, bytemuck::cast_slice_mut(out), first_row, workspace);
        } else if element == TypeId::of::<f64>() {
            let (a, b) = (bytemuck::cast_slice(a), bytemuck::cast_slice(b));
            tile::multiply::<f64>(self, a, b, bytemuck::cast_slice_mut(out), first_row, workspace);
        } else {
            integer::multiply(self, a, b, out, first_row);
        }
    }

    /// The strides of op(A) by row and by column.
    fn strides_a(&self) -> (usize, usize) {
        if self.transpose_a { (1, self.m) } else { (self.k, 1) }
    }
}

#[cfg(test)]
mod tests;
