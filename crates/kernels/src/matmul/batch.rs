//! Many products of matrices of one shape.

use smallvec::SmallVec;

use super::{Matmul, WORTH};
use crate::element::Number;

/// Products of the matrices of two arrays `[.., m, k]` and `[.., k, n]` whose leading dimensions
/// broadcast.
#[derive(Clone, Debug)]
pub struct BatchedMatmul {
    plan: Matmul,
    /// Of each leading dimension of the result, outermost first: its size, and how many matrices A
    /// and B move on along it.
    lead: SmallVec<[(usize, usize, usize); 4]>,
    count: usize,
}

impl BatchedMatmul {
    /// The products by `plan` of matrices laid out in the leading dimensions `a` and `b`, which
    /// broadcast to `lead`.
    pub fn new(plan: Matmul, lead: &[usize], a: &[usize], b: &[usize]) -> Self {
        let (mut at_a, mut at_b) = (1, 1);
        let mut dims: SmallVec<[(usize, usize, usize); 4]> = SmallVec::new(); // innermost first
        let back = |own: &[usize], back| own.iter().rev().nth(back).copied().unwrap_or(1);
        for (axis, &size) in lead.iter().rev().enumerate() {
            let (x, y) = (back(a, axis), back(b, axis));
            let stride = |own, stride| if own == 1 { 0 } else { stride };
            if size != 1 {
                dims.push((size, stride(x, at_a), stride(y, at_b)));
            }
            (at_a, at_b) = (at_a * x, at_b * y);
        }
        dims.reverse();
        Self { plan, lead: dims, count: lead.iter().product() }
    }

    /// The number of rows of the result that one part computes: a block of a large product, several
    /// whole small ones.
    pub fn row_block(&self) -> usize {
        let Matmul { m, k, n, .. } = self.plan;
        let block = self.plan.row_block();
        if block < m {
            return block;
        }
        let each = m.saturating_mul(k).saturating_mul(n).max(1);
        (WORTH / each).clamp(1, self.count.max(1)) * m.max(1)
    }

    /// Floating-point or integer operations of all products.
    pub fn flops(&self) -> f64 {
        self.count as f64 * self.plan.flops()
    }

    /// The bytes of the workspace in which [`BatchedMatmul::run`] computes a part.
    pub fn workspace<T: Number>(&self) -> usize {
        self.plan.workspace::<T>(self.row_block())
    }

    /// Computes the rows of the result from `first_row` on, counted through all matrices, as many
    /// as fit into `out`, which is no more than a part.
    ///
    /// # Panics
    /// As [`Matmul::run`].
    pub fn run<T: Number>(
        &self,
        a: &[T],
        b: &[T],
        out: &mut [T],
        first_row: usize,
        workspace: &mut [u8],
    ) {
        let Matmul { m, k, n, .. } = self.plan;
        let mut done = 0;
        while done < out.len() {
            let row = first_row + done / n;
            let (mut index, in_matrix) = (row / m, row % m);
            let (mut at_a, mut at_b) = (0, 0);
            for &(size, stride_a, stride_b) in self.lead.iter().rev() {
                at_a += index % size * stride_a;
                at_b += index % size * stride_b;
                index /= size;
            }
            let len = ((m - in_matrix) * n).min(out.len() - done);
            let (a, b) = (&a[at_a * m * k..][..m * k], &b[at_b * k * n..][..k * n]);
            self.plan.run(a, b, &mut out[done..done + len], in_matrix, workspace);
            done += len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_dimensions_broadcast_in_any_cut() {
        let (m, k, n) = (2, 3, 4);
        let a: Vec<i64> = (0..36).map(|i| i * 7 % 11 - 3).collect(); // [3, 2, 1, m, k] without its first 3
        let b: Vec<i64> = (0..60).map(|i| i * 5 % 13 - 6).collect(); // [5, k, n]
        let plan =
            BatchedMatmul::new(Matmul::new(m, k, n, false, false), &[3, 2, 5], &[3, 2, 1], &[5]);
        let mut want = Vec::new();
        for outer in 0..6 {
            for inner in 0..5 {
                for row in 0..m {
                    for column in 0..n {
                        let sum = (0..k).map(|l| {
                            a[(outer * m + row) * k + l] * b[(inner * k + l) * n + column]
                        });
                        want.push(sum.sum::<i64>());
                    }
                }
            }
        }
        for rows in [1, 3, 60] {
            let mut out = vec![0; want.len()];
            for (part, out) in out.chunks_mut(rows * n).enumerate() {
                plan.run(&a, &b, out, part * rows, &mut []);
            }
            assert_eq!(out, want);
        }
        assert_eq!(plan.row_block(), 60);
    }
}
