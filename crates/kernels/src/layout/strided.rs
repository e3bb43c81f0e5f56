//! Elements at even steps along each dimension, in either direction: picked out of an array, or
//! placed among zeros.

use smallvec::SmallVec;

use crate::element::Element;

/// A choice of elements along one dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The place of the first.
    pub begin: usize,
    /// From one to the next; negative to go backwards. Never 0.
    pub step: isize,
    /// The number of elements; all of them are within the dimension.
    pub count: usize,
}

impl Steps {
    /// All `size` elements in their order.
    pub fn all(size: usize) -> Self {
        Self { begin: 0, step: 1, count: size }
    }

    /// All `size` elements in the opposite order.
    pub fn reversed(size: usize) -> Self {
        Self { begin: size.saturating_sub(1), step: -1, count: size }
    }
}

/// Elements picked at even steps along each dimension.
#[derive(Clone, Debug)]
pub struct Strided {
    /// Of each dimension of the result but the last, after merging, outermost first: its size and
    /// the array's stride.
    outer: SmallVec<[(usize, isize); 4]>,
    /// The size of the last dimension of the result.
    inner: usize,
    /// The array's stride along the last dimension of the result.
    inner_stride: isize,
    /// The place of the first element.
    origin: usize,
}

impl Strided {
    /// The plan for an array of shape `dims`.
    pub fn new(dims: &[usize], steps: &[Steps]) -> Self {
        let mut nest: SmallVec<[(usize, isize); 4]> = SmallVec::new(); // innermost first
        let (mut stride, mut origin) = (1usize, 0);
        let empty = steps.iter().any(|steps| steps.count == 0);
        for (&size, steps) in dims.iter().zip(steps).rev() {
            if empty {
                break;
            }
            origin += steps.begin * stride;
            if steps.count != 1 {
                let own = steps.step * stride as isize;
                match nest.last_mut() {
                    Some((inner, inner_stride)) if *inner as isize * *inner_stride == own => {
                        *inner *= steps.count;
                    }
                    _ => nest.push((steps.count, own)),
                }
            }
            stride *= size;
        }
        let (inner, inner_stride) = if nest.is_empty() { (1, 1) } else { nest.remove(0) };
        nest.reverse();
        Self { outer: nest, inner, inner_stride, origin }
    }

    /// Fills `out`, the piece of the result from element `start` on, with what stands there in `x`.
    pub fn run<T: Element>(&self, x: &[T], out: &mut [T], start: usize) {
        let mut done = 0;
        while done < out.len() {
            let (mut row, column) = ((start + done) / self.inner, (start + done) % self.inner);
            let mut from = self.origin as isize + column as isize * self.inner_stride;
            for &(size, stride) in self.outer.iter().rev() {
                from += (row % size) as isize * stride;
                row /= size;
            }
            let count = (self.inner - column).min(out.len() - done);
            let out = &mut out[done..done + count];
            match self.inner_stride {
                1 => out.copy_from_slice(&x[from as usize..from as usize + count]),
                -1 => {
                    let x = &x[from as usize + 1 - count..=from as usize];
                    for (o, &v) in out.iter_mut().zip(x.iter().rev()) {
                        *o = v;
                    }
                }
                stride => {
                    for (index, o) in out.iter_mut().enumerate() {
                        *o = x[(from + index as isize * stride) as usize];
                    }
                }
            }
            done += count;
        }
    }
}

/// A dimension of the result of a [`StridedScatter`], its steps reversed if they go backward.
#[derive(Clone, Copy, Debug)]
struct Grid {
    size: usize,
    first: usize,
    step: usize,
    count: usize,
    is_backward: bool,
}

impl Grid {
    fn new(size: usize, steps: &Steps) -> Self {
        let step = steps.step.unsigned_abs();
        let is_backward = steps.step < 0;
        Self {
            size,
            first: if is_backward {
                steps.begin - steps.count.saturating_sub(1) * step
            } else {
                steps.begin
            },
            step,
            count: steps.count,
            is_backward,
        }
    }

    fn is_whole(&self) -> bool {
        self.first == 0 && self.step == 1 && self.count == self.size && !self.is_backward
    }

    /// The element of the array that is number `index` counted forward.
    fn element(&self, index: usize) -> usize {
        if self.is_backward { self.count - 1 - index } else { index }
    }
}

/// An array placed at even steps among zeros: the adjoint of [`Strided`] and its gradient.
#[derive(Clone, Debug)]
pub struct StridedScatter {
    /// Of each dimension of the result but the last that is not whole.
    outer: SmallVec<[Grid; 4]>,
    inner: Grid,
    /// The size of what stands behind it, which is contiguous in both.
    width: usize,
}

impl StridedScatter {
    /// The plan for a result of shape `dims`.
    pub fn new(dims: &[usize], steps: &[Steps]) -> Self {
        let mut nest: SmallVec<[Grid; 4]> = dims
            .iter()
            .zip(steps)
            .map(|(&size, steps)| match steps.count {
                // Where it begins says nothing.
                0 => Grid::new(size, &Steps { begin: 0, step: 1, count: 0 }),
                _ => Grid::new(size, steps),
            })
            .collect();
        let mut width = 1;
        while let Some(last) = nest.last()
            && last.is_whole()
        {
            width *= last.size;
            nest.pop();
        }
        let inner = nest.pop().unwrap_or(Grid::new(1, &Steps::all(1)));
        Self { outer: nest, inner, width }
    }

    /// Fills `out`, the piece of the result from element `start` on.
    pub fn run<T: Element>(&self, x: &[T], out: &mut [T], start: usize) {
        let Grid { size, first, step, count, .. } = self.inner;
        let (width, row_len) = (self.width, size * self.width);
        let mut done = 0;
        while done < out.len() {
            let (row, column) = ((start + done) / row_len, (start + done) % row_len);
            let len = (row_len - column).min(out.len() - done);
            let out = &mut out[done..done + len];
            done += len;
            out.fill(T::default());
            let Some(row) = self.row(row) else {
                continue;
            };
            let (low, high) = (column / width, (column + len - 1) / width);
            for index in low.saturating_sub(first).div_ceil(step)..count {
                let place = first + index * step;
                if place > high {
                    break;
                }
                let at = (row * count + self.inner.element(index)) * width;
                if width == 1 {
                    out[place - column] = x[at];
                    continue;
                }
                let (from, to) =
                    ((place * width).max(column), ((place + 1) * width).min(column + len));
                let at = at + from - place * width;
                out[from - column..to - column].copy_from_slice(&x[at..at + to - from]);
            }
        }
    }

    /// The row of the array that is row `index` of the result; `None` if that is zeros.
    fn row(&self, mut index: usize) -> Option<usize> {
        let (mut row, mut stride) = (0, 1);
        for grid in self.outer.iter().rev() {
            let at = (index % grid.size).checked_sub(grid.first)?;
            index /= grid.size;
            if at % grid.step != 0 || at / grid.step >= grid.count {
                return None;
            }
            row += grid.element(at / grid.step) * stride;
            stride *= grid.count;
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(begin: usize, step: isize, count: usize) -> Steps {
        Steps { begin, step, count }
    }

    fn in_pieces(len: usize, piece: usize, fill: impl Fn(&mut [i32], usize)) -> Vec<i32> {
        let mut out = vec![-1; len];
        for (p, out) in out.chunks_mut(piece).enumerate() {
            fill(out, p * piece);
        }
        out
    }

    #[test]
    fn picked_and_placed_in_any_cut() {
        let dims = [3, 4, 2, 5];
        let x: Vec<i32> = (1..=120).collect();
        let cases = [
            dims.map(Steps::all),
            dims.map(Steps::reversed),
            [steps(2, -2, 2), Steps::all(4), Steps::all(2), Steps::all(5)],
            [Steps::all(3), steps(3, -1, 3), Steps::all(2), steps(1, 3, 2)],
            [steps(1, 1, 1), steps(0, 2, 2), steps(1, -1, 2), Steps::all(5)],
            [Steps::all(3), Steps::all(4), steps(1, 7, 1), steps(4, -4, 2)],
            [Steps::all(3), steps(9, 1, 0), Steps::all(2), Steps::all(5)],
        ];
        for case in cases {
            let count: usize = case.iter().map(|steps| steps.count).product();
            let mut picked = Vec::new();
            let mut placed = vec![0; 120];
            for flat in 0..count {
                let (mut rest, mut at, mut stride) = (flat, 0, 1);
                for (&size, steps) in dims.iter().zip(&case).rev() {
                    let index = rest % steps.count;
                    rest /= steps.count;
                    at += (steps.begin as isize + index as isize * steps.step) as usize * stride;
                    stride *= size;
                }
                picked.push(x[at]);
                placed[at] = x[at];
            }
            let (pick, place) = (Strided::new(&dims, &case), StridedScatter::new(&dims, &case));
            for piece in [1, 3, 7, 120] {
                let out = in_pieces(count, piece, |out, start| pick.run(&x, out, start));
                assert_eq!(out, picked, "{case:?}");
                let out = in_pieces(120, piece, |out, start| place.run(&picked, out, start));
                assert_eq!(out, placed, "{case:?}");
            }
        }
    }

    #[test]
    fn no_dimensions_and_no_elements() {
        let out = in_pieces(1, 1, |out, start| Strided::new(&[], &[]).run(&[7], out, start));
        assert_eq!(out, [7]);
        let out = in_pieces(1, 1, |out, start| StridedScatter::new(&[], &[]).run(&[7], out, start));
        assert_eq!(out, [7]);
        StridedScatter::new(&[0, 3], &[Steps::all(0), steps(2, -2, 2)]).run::<i32>(&[], &mut [], 0);
    }
}
