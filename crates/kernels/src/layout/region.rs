//! Boxes cut out of arrays, put into larger ones, side by side, or repeated.

use smallvec::SmallVec;

use crate::broadcast::Broadcast;
use crate::element::Element;

/// Repeats `x` along the dimensions in which it broadcasts: `out` is the piece of the result from
/// element `start` on.
pub fn broadcast_to<T: Element>(plan: &Broadcast<1>, x: &[T], out: &mut [T], start: usize) {
    let [stride] = plan.inner_strides();
    plan.for_each_run(start, out.len(), |at, len, [from]| {
        if stride == 1 {
            out[at..at + len].copy_from_slice(&x[from..from + len]);
        } else {
            out[at..at + len].fill(x[from]);
        }
    });
}

/// Arrays one after the other along an axis.
#[derive(Clone, Debug)]
pub struct Concat {
    /// The elements that each array adds to a row of the result: its size along the axis times the
    /// sizes behind it.
    widths: SmallVec<[usize; 4]>,
    total: usize,
}

impl Concat {
    /// The plan for arrays whose shapes differ along `axis` at most.
    pub fn new(shapes: &[&[usize]], axis: usize) -> Self {
        let widths: SmallVec<[usize; 4]> =
            shapes.iter().map(|dims| dims[axis..].iter().product()).collect();
        Self { total: widths.iter().sum(), widths }
    }

    /// Fills `out`, the piece of the result from element `start` on; `array(n)` gives the array of
    /// number `n`.
    pub fn run<'a, T: Element>(
        &self,
        array: impl Fn(usize) -> &'a [T],
        out: &mut [T],
        start: usize,
    ) {
        let len = out.len();
        if len == 0 {
            return;
        }
        let mut before = 0;
        for (n, &width) in self.widths.iter().enumerate() {
            if width == 0 {
                continue;
            }
            let x = array(n);
            // This array covers [before, before + width) of each row.
            let (first, last) = (start / self.total, (start + len - 1) / self.total);
            for row in first..=last {
                let from = (row * self.total + before).max(start);
                let to = (row * self.total + before + width).min(start + len);
                if from < to {
                    let at = row * width + from - row * self.total - before;
                    out[from - start..to - start].copy_from_slice(&x[at..at + to - from]);
                }
            }
            before += width;
        }
    }
}

/// A box within an array.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Of each dimension of the box but the last, after merging: its size and the array's stride.
    outer: SmallVec<[(usize, usize); 4]>,
    /// The length of the contiguous runs.
    inner: usize,
    /// The place of the first element.
    origin: usize,
}

impl Slice {
    /// The box of shape `size` that begins at `begin` in an array of shape `dims`.
    pub fn new(dims: &[usize], begin: &[usize], size: &[usize]) -> Self {
        let mut nest: SmallVec<[(usize, usize); 4]> = SmallVec::new(); // innermost first
        let (mut stride, mut origin) = (1, 0);
        for axis in (0..dims.len()).rev() {
            origin += begin[axis] * stride;
            if size[axis] != 1 {
                match nest.last_mut() {
                    Some((inner, inner_stride)) if *inner * *inner_stride == stride => {
                        *inner *= size[axis];
                    }
                    _ => nest.push((size[axis], stride)),
                }
            }
            stride *= dims[axis];
        }
        // Only what is contiguous can be copied in runs.
        let inner = match nest.first() {
            Some(&(size, 1)) => {
                nest.remove(0);
                size
            }
            _ => 1,
        };
        nest.reverse();
        Self { outer: nest, inner, origin }
    }

    /// Fills `out`, the piece of the box from element `start` on, with what stands there in `x`.
    pub fn run<T: Element>(&self, x: &[T], out: &mut [T], start: usize) {
        self.for_each_run(start, out.len(), |at, len, from| {
            out[at..at + len].copy_from_slice(&x[from..from + len]);
        });
    }

    /// `run(at, len, from)` for each contiguous run of `len` elements of the box: `at` counts from
    /// `start`, `from` is its place in the array.
    #[inline(always)]
    fn for_each_run(&self, start: usize, len: usize, mut run: impl FnMut(usize, usize, usize)) {
        let mut done = 0;
        while done < len {
            let (mut row, column) = ((start + done) / self.inner, (start + done) % self.inner);
            let mut from = self.origin + column;
            for &(size, stride) in self.outer.iter().rev() {
                from += row % size * stride;
                row /= size;
            }
            let count = (self.inner - column).min(len - done);
            run(done, count, from);
            done += count;
        }
    }
}

/// An array with a border around it: the inverse of [`Slice`] and its gradient.
#[derive(Clone, Debug)]
pub struct Pad {
    /// By dimension of the result but the innermost, outermost first: its size, and the places at
    /// which the array begins and ends.
    outer: SmallVec<[[usize; 3]; 4]>,
    /// The size of the innermost dimension, and the places at which the array begins and ends.
    inner: [usize; 3],
}

impl Pad {
    /// The plan for an array of shape `dims`, with `before[d]` elements put before it and
    /// `after[d]` behind it along dimension `d`.
    pub fn new(dims: &[usize], before: &[usize], after: &[usize]) -> Self {
        let mut nest: SmallVec<[[usize; 3]; 4]> = SmallVec::new(); // innermost first
        for axis in (0..dims.len()).rev() {
            let size = before[axis] + dims[axis] + after[axis];
            let own = [size, before[axis], before[axis] + dims[axis]];
            match nest.last_mut() {
                // A dimension without a border counts as part of the one around it.
                Some(inner) if inner[1] == 0 && inner[2] == inner[0] => {
                    let width = inner[0];
                    *inner = own.map(|n| n * width);
                }
                _ => nest.push(own),
            }
        }
        let inner = if nest.is_empty() { [1, 0, 1] } else { nest.remove(0) };
        nest.reverse();
        Self { outer: nest, inner }
    }

    /// Fills `out`, the piece of the result from element `start` on; the border is `value`.
    pub fn run<T: Element>(&self, x: &[T], out: &mut [T], start: usize, value: T) {
        let [size, begin, end] = self.inner;
        let mut done = 0;
        while done < out.len() {
            let (row, column) = ((start + done) / size, (start + done) % size);
            let count = (size - column).min(out.len() - done);
            let out = &mut out[done..done + count];
            done += count;
            let (from, to) = (begin.max(column), end.min(column + count));
            match self.row(row) {
                Some(row) if from < to => {
                    let at = row * (end - begin) + from - begin;
                    out[..from - column].fill(value);
                    out[from - column..to - column].copy_from_slice(&x[at..at + to - from]);
                    out[to - column..].fill(value);
                }
                _ => out.fill(value),
            }
        }
    }

    /// The row of the array that is row `index` of the result; `None` if that is border.
    fn row(&self, mut index: usize) -> Option<usize> {
        let (mut row, mut stride) = (0, 1);
        for &[size, begin, end] in self.outer.iter().rev() {
            let at = index % size;
            index /= size;
            if !(begin..end).contains(&at) {
                return None;
            }
            row += (at - begin) * stride;
            stride *= end - begin;
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(len: usize, piece: usize, fill: impl Fn(&mut [i32], usize)) -> Vec<i32> {
        let mut out = vec![-1; len];
        for (p, out) in out.chunks_mut(piece).enumerate() {
            fill(out, p * piece);
        }
        out
    }

    #[test]
    fn broadcasting_repeats() {
        let plan = Broadcast::new(&[2, 3, 2], [&[3, 1]]);
        for piece in [1, 5, 12] {
            let out =
                in_pieces(12, piece, |out, start| broadcast_to(&plan, &[1, 2, 3], out, start));
            assert_eq!(out, [1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]);
        }
    }

    #[test]
    fn concat_along_each_axis() {
        let arrays = [vec![1, 2, 3, 4], vec![5, 6], vec![]];
        for piece in [1, 4, 6] {
            let plan = Concat::new(&[&[2, 2], &[2, 1], &[2, 0]], 1);
            let out = in_pieces(6, piece, |out, start| plan.run(|n| &arrays[n], out, start));
            assert_eq!(out, [1, 2, 5, 3, 4, 6]);
            let plan = Concat::new(&[&[2, 2], &[1, 2], &[0, 2]], 0);
            let out = in_pieces(6, piece, |out, start| plan.run(|n| &arrays[n], out, start));
            assert_eq!(out, [1, 2, 3, 4, 5, 6]);
        }
    }

    #[test]
    fn slice_and_pad_are_inverse() {
        let dims = [3, 4, 2, 3];
        let x: Vec<i32> = (0..72).collect();
        for (begin, size) in [
            ([0, 0, 0, 0], [3, 4, 2, 3]),
            ([1, 0, 0, 0], [2, 4, 2, 3]),
            ([0, 1, 0, 0], [3, 2, 2, 3]),
            ([0, 1, 1, 1], [3, 2, 1, 2]),
            ([2, 3, 0, 2], [1, 1, 2, 1]),
            ([0, 0, 0, 1], [3, 4, 2, 0]),
        ] {
            let len: usize = size.iter().product();
            let mut expected = vec![];
            for (flat, &v) in x.iter().enumerate() {
                let index = [flat / 24, flat / 6 % 4, flat / 3 % 2, flat % 3];
                if (0..4).all(|d| (begin[d]..begin[d] + size[d]).contains(&index[d])) {
                    expected.push(v);
                }
            }
            let after: Vec<usize> = (0..4).map(|d| dims[d] - begin[d] - size[d]).collect();
            for piece in [1, 7, 72] {
                let plan = Slice::new(&dims, &begin, &size);
                let cut = in_pieces(len, piece, |out, start| plan.run(&x, out, start));
                assert_eq!(cut, expected, "{begin:?} {size:?}");
                let plan = Pad::new(&size, &begin, &after);
                let padded = in_pieces(72, piece, |out, start| plan.run(&cut, out, start, -7));
                for (flat, &v) in padded.iter().enumerate() {
                    let inside = expected.contains(&(flat as i32));
                    assert_eq!(v, if inside { flat as i32 } else { -7 }, "{begin:?} {size:?}");
                }
            }
        }
    }
}
