//! Products of integers: plain loops, which wrap.

use super::Matmul;
use crate::dispatch::vectorized_for;
use crate::element::Number;

pub(super) fn multiply<T: Number>(
    plan: &Matmul,
    a: &[T],
    b: &[T],
    out: &mut [T],
    first_row: usize,
) {
    let (row, column) = plan.strides_a();
    let (k, n) = (plan.k, plan.n);
    vectorized_for::<T, _>(
        #[inline(always)]
        || {
            for (i, out) in out.chunks_exact_mut(n).enumerate() {
                let a = &a[(first_row + i) * row..];
                if plan.transpose_b {
                    for (o, b) in out.iter_mut().zip(b.chunks_exact(k)) {
                        let mut sum = T::ZERO;
                        for (p, &b) in b.iter().enumerate() {
                            sum = sum.wrapping_add(a[p * column].wrapping_mul(b));
                        }
                        *o = sum;
                    }
                } else {
                    out.fill(T::ZERO);
                    for (p, b) in b.chunks_exact(n).enumerate() {
                        let a = a[p * column];
                        for (o, &b) in out.iter_mut().zip(b) {
                            *o = o.wrapping_add(a.wrapping_mul(b));
                        }
                    }
                }
            }
        },
    );
}
