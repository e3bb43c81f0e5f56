//! Products of matrices.
//!
//! Floats go through a kernel that keeps a tile of C in registers, and blocks of B packed for the
//! cache, as in Goto and van de Geijn, *Anatomy of high-performance matrix multiplication* (2008).
//! It is our own because the crates that do this, `gemm` and `matrixmultiply`, allocate on every
//! call and copy both operands, which is dear where one of them is used for a hundred rows only.
//!
//! Each element of C is summed over k in an order that depends on k and n only, so any cut of C
//! into blocks of rows gives the same bits, and a row has them alone and in any batch. The order
//! and the fused multiply-add depend on the instruction set, hence the last bits may differ between
//! kinds of processor.

mod batch;
#[allow(unsafe_code)] // calls the kernel of a tile, whose bounds it has checked
mod blocks;
mod integer;
pub(crate) mod pack;
#[allow(unsafe_code)] // an instruction that only hints
mod prefetch;
#[allow(unsafe_code)] // loads and stores in registers, at addresses that were checked
pub(crate) mod tile;

pub use batch::BatchedMatmul;

use std::any::TypeId;

use bytemuck::{cast_slice, cast_slice_mut};

use crate::element::Number;

/// Multiplications that take about 10 microseconds.
const WORTH: usize = 1 << 20;

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
    /// Up to this k the sums of a product do not depend on n either: a column of C is the same
    /// alone and with any others, as it always is where B is transposed.
    pub const SHALLOW: usize = 256;

    /// `[m, k] · [k, n] = [m, n]`, where A is stored `[k, m]` if `transpose_a` and B `[n, k]` if
    /// `transpose_b`.
    pub fn new(m: usize, k: usize, n: usize, transpose_a: bool, transpose_b: bool) -> Self {
        Self { m, k, n, transpose_a, transpose_b }
    }

    /// The number of rows of C that one part computes: enough for some 10 microseconds of
    /// arithmetic or more, and to use what is read of B often enough.
    pub fn row_block(&self) -> usize {
        /// Rows that use each packed element of B often enough.
        const ROWS: usize = 48;
        /// More parts than this would only read B more often.
        const PARTS: usize = 32;
        let work = self.m.saturating_mul(self.k).saturating_mul(self.n);
        let parts = (work.saturating_add(WORTH / 2) / WORTH).min(self.m / ROWS).min(PARTS);
        self.m.div_ceil(parts.max(1)).max(1)
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
        blocks::workspace::<T>(self, rows.min(self.m))
    }

    /// Computes the rows of C from `first_row` on, as many as fit into `out`, which is whole rows.
    /// Integers wrap; k = 0 gives zeros.
    ///
    /// # Panics
    /// A length does not fit, or `workspace` has not the bytes that [`Matmul::workspace`]
    /// asks for or is not aligned to an element.
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
            let (a, b, out) = (cast_slice(a), cast_slice(b), cast_slice_mut(out));
            multiply_f32(self, a, b, out, first_row, workspace);
        } else if element == TypeId::of::<f64>() {
            let (a, b, out) = (cast_slice(a), cast_slice(b), cast_slice_mut(out));
            multiply_f64(self, a, b, out, first_row, workspace);
        } else {
            integer::multiply(self, a, b, out, first_row);
        }
    }

    /// The strides of op(A) by row and by column.
    fn strides_a(&self) -> (usize, usize) {
        if self.transpose_a { (1, self.m) } else { (self.k, 1) }
    }
}

// Functions that are not generic, so that the hundreds of kernels behind them are compiled here and
// not in the crates that multiply.

fn multiply_f32(
    plan: &Matmul,
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
    first_row: usize,
    workspace: &mut [u8],
) {
    blocks::multiply(plan, a, b, out, first_row, workspace);
}

fn multiply_f64(
    plan: &Matmul,
    a: &[f64],
    b: &[f64],
    out: &mut [f64],
    first_row: usize,
    workspace: &mut [u8],
) {
    blocks::multiply(plan, a, b, out, first_row, workspace);
}

#[cfg(test)]
mod tests;
