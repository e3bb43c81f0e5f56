//! Permutations of dimensions.

use smallvec::SmallVec;

use crate::element::Element;

/// A permutation of the dimensions of an array of fixed shape: dimension `d` of the result is
/// dimension `permutation[d]` of the input.
#[derive(Clone, Debug)]
pub struct Transpose {
    /// The result's dimensions after merging, outermost first: size and the input's stride.
    outer: SmallVec<[(usize, usize); 4]>,
    /// The last two of them. The input's strides are 1 and `stride` if `tiled`.
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// The side of the squares in which a matrix is turned: 16 × 16 elements of 8 bytes are half of
/// what a first-level cache's ways hold.
const TILE: usize = 16;

impl Transpose {
    /// The plan for an input of shape `dims`; `permutation` names each of its dimensions once.
    pub fn new(dims: &[usize], permutation: &[usize]) -> Self {
        let mut strides: SmallVec<[usize; 8]> = SmallVec::from_elem(1, dims.len());
        for axis in (1..dims.len()).rev() {
            strides[axis - 1] = strides[axis] * dims[axis];
        }
        let mut nest: SmallVec<[(usize, usize); 4]> = SmallVec::new(); // outermost first
        for &axis in permutation {
            let (size, stride) = (dims[axis], strides[axis]);
            if size == 1 {
                continue;
            }
            match nest.last_mut() {
                Some((outer, outer_stride)) if *outer_stride == stride * size => {
                    *outer *= size;
                    *outer_stride = stride;
                }
                _ => nest.push((size, stride)),
            }
        }
        let (columns, column_stride) = nest.pop().unwrap_or((1, 1));
        let (rows, row_stride) = nest.pop().unwrap_or((1, 0));
        Self { outer: nest, rows, columns, row_stride, column_stride }
    }

    /// True if the elements keep their order, so that a reshape would do.
    pub fn is_identity(&self) -> bool {
        self.outer.is_empty() && self.rows == 1 && self.column_stride == 1
    }

    /// Fill `out`, the piece of the result from element `start` on.
    pub fn run<T: Element>(&self, x: &[T], out: &mut [T], start: usize) {
        if self.is_identity() {
            return out.copy_from_slice(&x[start..start + out.len()]);
        }
        let columns = self.columns;
        let mut done = 0;
        while done < out.len() {
            let (row, column) = ((start + done) / columns, (start + done) % columns);
            let in_matrix = row % self.rows;
            let base = self.matrix(row / self.rows) + in_matrix * self.row_stride;
            let left = out.len() - done;
            if column > 0 || left < columns {
                // A row that the piece cuts.
                let count = (columns - column).min(left);
                self.row(&x[base + column * self.column_stride..], &mut out[done..done + count]);
                done += count;
            } else {
                let rows = (self.rows - in_matrix).min(left / columns);
                let out = &mut out[done..done + rows * columns];
                self.rows(&x[base..], out, rows);
                done += rows * columns;
            }
        }
    }

    /// The place in the input at which the matrix of number `index` begins.
    fn matrix(&self, mut index: usize) -> usize {
        let mut at = 0;
        for &(size, stride) in self.outer.iter().rev() {
            at += index % size * stride;
            index /= size;
        }
        at
    }

    fn row<T: Element>(&self, x: &[T], out: &mut [T]) {
        if self.column_stride == 1 {
            out.copy_from_slice(&x[..out.len()]);
        } else {
            for (o, &v) in out.iter_mut().zip(x.iter().step_by(self.column_stride)) {
                *o = v;
            }
        }
    }

    fn rows<T: Element>(&self, x: &[T], out: &mut [T], rows: usize) {
        let (columns, row_stride, column_stride) =
            (self.columns, self.row_stride, self.column_stride);
        if column_stride == 1 || row_stride != 1 {
            for (r, out) in out.chunks_exact_mut(columns).enumerate() {
                self.row(&x[r * row_stride..], out);
            }
            return;
        }
        // In squares, so that a line of the input is used up before it leaves the cache.
        for r in (0..rows).step_by(TILE) {
            let height = TILE.min(rows - r);
            for c in (0..columns).step_by(TILE) {
                let width = TILE.min(columns - c);
                if height == TILE && width == TILE {
                    let mut tile = [[T::default(); TILE]; TILE];
                    for (j, line) in tile.iter_mut().enumerate() {
                        let from = r + (c + j) * column_stride;
                        line.copy_from_slice(&x[from..from + TILE]);
                    }
                    for i in 0..TILE {
                        let to = (r + i) * columns + c;
                        let out = &mut out[to..to + TILE];
                        for (o, line) in out.iter_mut().zip(&tile) {
                            *o = line[i];
                        }
                    }
                } else {
                    for i in r..r + height {
                        for j in c..c + width {
                            out[i * columns + j] = x[i + j * column_stride];
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![vec![]];
        }
        let mut all = vec![];
        for shorter in permutations(n - 1) {
            for at in 0..n {
                let mut longer = shorter.clone();
                longer.insert(at, n - 1);
                all.push(longer);
            }
        }
        all
    }

    #[test]
    fn every_permutation_in_every_cut() {
        for dims in [&[2, 3, 4, 5][..], &[40, 1, 37], &[33, 48], &[3, 33, 20], &[7], &[]] {
            let len: usize = dims.iter().product();
            let x: Vec<i32> = (0..len as i32).collect();
            for permutation in permutations(dims.len()) {
                let mut expected = vec![0; len];
                for (flat, e) in expected.iter_mut().enumerate() {
                    let (mut rest, mut index) = (flat, vec![0; dims.len()]);
                    for &axis in permutation.iter().rev() {
                        index[axis] = rest % dims[axis];
                        rest /= dims[axis];
                    }
                    *e = x[index.iter().zip(dims).fold(0, |at, (i, n)| at * n + i)];
                }
                let plan = Transpose::new(dims, &permutation);
                for piece in [len, 1, 13, 100] {
                    let mut out = vec![-1; len];
                    for (p, out) in out.chunks_mut(piece).enumerate() {
                        plan.run(&x, out, p * piece);
                    }
                    assert_eq!(out, expected, "{dims:?} by {permutation:?}");
                }
            }
        }
    }

    #[test]
    fn what_only_moves_ones_is_a_reshape() {
        assert!(Transpose::new(&[1, 5, 1, 6], &[1, 0, 3, 2]).is_identity());
        assert!(!Transpose::new(&[5, 6], &[1, 0]).is_identity());
        Transpose::new(&[0, 3], &[1, 0]).run::<f32>(&[], &mut [], 0);
    }
}
