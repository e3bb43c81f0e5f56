//! Numpy's broadcasting as a loop nest worked out once.

use smallvec::SmallVec;

/// A walk over `N` operands that gives each element of a result that they broadcast to.
///
/// Dimensions of size 1 are dropped and neighbours that every operand walks evenly are merged, so
/// that equal shapes are one loop and `[N, 10] + [10]` is two. In the innermost loop an operand
/// moves by 1 or stays.
#[derive(Clone, Debug)]
pub struct Broadcast<const N: usize> {
    /// Merged dimensions but the last, outermost first, with each operand's stride.
    outer: SmallVec<[(usize, [usize; N]); 3]>,
    /// The length of the innermost loop, at least 1 unless the result is empty.
    inner: usize,
    inner_strides: [usize; N],
}

impl<const N: usize> Broadcast<N> {
    /// The loops for operands of these shapes, which must broadcast to `dims`: aligned at the last
    /// dimension, each size equal to the result's or 1.
    ///
    /// # Panics
    /// If one does not broadcast to `dims`.
    pub fn new(dims: &[usize], operands: [&[usize]; N]) -> Self {
        let mut nest: SmallVec<[(usize, [usize; N]); 8]> = SmallVec::new(); // innermost first
        let mut sizes = [1; N];
        for (back, &size) in dims.iter().rev().enumerate() {
            let strides = std::array::from_fn(|n| {
                let own = operands[n].iter().rev().nth(back).copied().unwrap_or(1);
                assert!(
                    own == size || own == 1,
                    "{:?} does not broadcast to {dims:?}",
                    operands[n]
                );
                if own == 1 { 0 } else { sizes[n] }
            });
            for n in 0..N {
                sizes[n] *= operands[n].iter().rev().nth(back).copied().unwrap_or(1);
            }
            if size == 1 {
                continue;
            }
            match nest.last_mut() {
                Some((inner, inner_strides))
                    if (0..N).all(|n| strides[n] == inner_strides[n] * *inner) =>
                {
                    *inner *= size;
                }
                _ => nest.push((size, strides)),
            }
        }
        for operand in operands {
            assert!(operand.len() <= dims.len(), "{operand:?} does not broadcast to {dims:?}");
        }
        let (inner, inner_strides) = if nest.is_empty() { (1, [1; N]) } else { nest.remove(0) };
        nest.reverse();
        Self { outer: nest.into_iter().collect(), inner, inner_strides }
    }

    /// The stride of each operand in the innermost loop: 1 or 0.
    pub fn inner_strides(&self) -> [usize; N] {
        self.inner_strides
    }

    /// The length of the innermost loop.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// True if every operand has the shape of the result, so that one flat loop will do.
    pub fn is_flat(&self) -> bool {
        self.outer.is_empty() && self.inner_strides.iter().all(|&s| s == 1)
    }

    /// Call `run(at, len, offsets)` for each stretch of the innermost loop within the `len`
    /// elements of the result from `start` on, in order: it covers `[at, at + len)` counted from
    /// `start`, and operand `n` begins at `offsets[n]`.
    #[inline(always)]
    pub fn for_each_run(
        &self,
        start: usize,
        len: usize,
        mut run: impl FnMut(usize, usize, [usize; N]),
    ) {
        if len == 0 {
            return;
        }
        let (inner, strides) = (self.inner, self.inner_strides);
        if self.outer.is_empty() {
            return run(0, len, std::array::from_fn(|n| start * strides[n]));
        }
        let last = self.outer.len() - 1;
        let (middle, middle_strides) = self.outer[last];
        let mut row = start / inner;
        let mut column = start % inner;
        let mut done = 0;
        while done < len {
            // One division for each outer dimension, then a tight loop over the middle one.
            let mut rest = row / middle;
            let mut base = [0; N];
            for &(size, outer_strides) in self.outer[..last].iter().rev() {
                let index = rest % size;
                rest /= size;
                for n in 0..N {
                    base[n] += index * outer_strides[n];
                }
            }
            for index in row % middle..middle {
                let count = (inner - column).min(len - done);
                let offsets = std::array::from_fn(|n| {
                    base[n] + index * middle_strides[n] + column * strides[n]
                });
                run(done, count, offsets);
                done += count;
                column = 0;
                row += 1;
                if done == len {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_merge() {
        assert!(Broadcast::new(&[4, 3, 5], [&[4, 3, 5], &[4, 3, 5]]).is_flat());
        let scalar = Broadcast::new(&[4, 3, 5], [&[4, 3, 5], &[]]);
        assert_eq!((scalar.outer.len(), scalar.inner, scalar.inner_strides), (0, 60, [1, 0]));
        let bias = Broadcast::new(&[4, 3, 5], [&[4, 3, 5], &[5]]);
        assert_eq!((bias.outer.as_slice(), bias.inner), (&[(12, [5, 0])][..], 5));
        let column = Broadcast::new(&[4, 3, 5], [&[4, 3, 5], &[4, 1, 1]]);
        assert_eq!((column.outer.as_slice(), column.inner), (&[(4, [15, 1])][..], 15));
    }

    #[test]
    fn sizes_of_one_and_none_at_all() {
        let ones = Broadcast::new(&[1, 1], [&[1, 1], &[]]);
        let mut seen = vec![];
        ones.for_each_run(0, 1, |at, len, offsets| seen.push((at, len, offsets)));
        assert_eq!(seen, [(0, 1, [0, 0])]);
        let empty = Broadcast::new(&[0, 3], [&[0, 3], &[3]]);
        empty.for_each_run(0, 0, |_, _, _| panic!("nothing to do"));
    }

    #[test]
    #[should_panic(expected = "[2] does not broadcast to [4, 3]")]
    fn a_wrong_shape_is_refused() {
        Broadcast::new(&[4, 3], [&[2]]);
    }
}
