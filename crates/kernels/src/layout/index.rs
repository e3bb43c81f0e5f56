//! Rows picked by number, and numbers as rows.

use crate::element::{Element, Number};
use crate::launch::Failure;

/// Rows of each of some arrays `[limit, width]` picked by an array of their numbers.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    limit: usize,
    width: usize,
}

impl Gather {
    /// From arrays of `limit` rows of `width` elements each.
    pub fn new(limit: usize, width: usize) -> Self {
        Self { limit, width }
    }

    /// `out[o, i] = x[o, ids[i]]`, each a row: `out` is the piece of the result from element
    /// `start` on. How many arrays there are follows from the lengths.
    ///
    /// # Errors
    /// If a number is negative or not below the limit.
    pub fn run<T: Element, I: Element>(
        &self,
        x: &[T],
        ids: &[I],
        out: &mut [T],
        start: usize,
    ) -> Result<(), Failure> {
        let mut done = 0;
        while done < out.len() {
            let (row, column) = ((start + done) / self.width, (start + done) % self.width);
            let (outer, position) =
                if row < ids.len() { (0, row) } else { (row / ids.len(), row % ids.len()) };
            let row = outer * self.limit + check(ids[position], position, self.limit)?;
            let count = (self.width - column).min(out.len() - done);
            let from = row * self.width + column;
            out[done..done + count].copy_from_slice(&x[from..from + count]);
            done += count;
        }
        Ok(())
    }

    /// True if all of `ids` are in range. Rows of no elements are picked without looking at their
    /// numbers otherwise.
    ///
    /// # Errors
    /// If a number is negative or not below the limit.
    pub fn check<I: Element>(&self, ids: &[I]) -> Result<(), Failure> {
        for (position, &id) in ids.iter().enumerate() {
            check(id, position, self.limit)?;
        }
        Ok(())
    }
}

/// The gradient of [`Gather`].
#[derive(Clone, Copy, Debug)]
pub struct ScatterAdd {
    limit: usize,
    width: usize,
}

impl ScatterAdd {
    /// Into arrays of `limit` rows of `width` elements each.
    pub fn new(limit: usize, width: usize) -> Self {
        Self { limit, width }
    }

    /// True if sums of `ids` elements are added in `f64` ([`ScatterAdd::run_wide`]): where so many
    /// `f32` numbers may come to one place that rounding each sum would show.
    pub fn is_wide<T: Element>(ids: usize) -> bool {
        T::IS_FLOAT && size_of::<T>() < size_of::<f64>() && ids > 64
    }

    /// `out[o, r] = ∑ g[o, i]` over all i with `ids[i] = r`, added in the order of i, each a row.
    /// `out` is the piece of the result `[.., limit, width]` from element `start` on.
    ///
    /// # Errors
    /// If a number is negative or not below the limit.
    pub fn run<T: Number, I: Element>(
        &self,
        g: &[T],
        ids: &[I],
        out: &mut [T],
        start: usize,
    ) -> Result<(), Failure> {
        self.add(g, ids, out, start, |v| v)
    }

    /// Adds rows as [`ScatterAdd::run`], with sums in `f64`, each of which is rounded once. `sums`
    /// is as long as `out`.
    ///
    /// # Errors
    /// As for [`ScatterAdd::run`].
    pub fn run_wide<T: Number, I: Element>(
        &self,
        g: &[T],
        ids: &[I],
        sums: &mut [f64],
        out: &mut [T],
        start: usize,
    ) -> Result<(), Failure> {
        let sums = &mut sums[..out.len()];
        self.add(g, ids, sums, start, |v: T| v.cast::<f64>())?;
        for (o, &sum) in out.iter_mut().zip(&*sums) {
            *o = sum.cast();
        }
        Ok(())
    }

    #[inline(always)]
    fn add<T: Copy, A: Number, I: Element>(
        &self,
        g: &[T],
        ids: &[I],
        sums: &mut [A],
        start: usize,
        wide: impl Fn(T) -> A,
    ) -> Result<(), Failure> {
        let (limit, width) = (self.limit, self.width);
        sums.fill(A::ZERO);
        if sums.is_empty() {
            return Ok(());
        }
        let end = start + sums.len();
        let block = limit * width;
        for outer in start / block..end.div_ceil(block) {
            for (position, &id) in ids.iter().enumerate() {
                let row = outer * limit + check(id, position, limit)?;
                let (from, to) = ((row * width).max(start), ((row + 1) * width).min(end));
                if from < to {
                    let at = (outer * ids.len() + position) * width + from - row * width;
                    for (sum, &v) in sums[from - start..to - start].iter_mut().zip(&g[at..]) {
                        *sum = sum.wrapping_add(wide(v));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The numbers in row-major order of the elements of an array of shape `dims` whose coordinates are
/// the rows of `ids`: `out` is the piece from row `start` on.
///
/// # Errors
/// If a coordinate is negative or not below its dimension.
pub fn ravel<I: Element>(
    ids: &[I],
    dims: &[usize],
    out: &mut [i64],
    start: usize,
) -> Result<(), Failure> {
    for (row, o) in (start..).zip(out) {
        let mut flat = 0;
        let ids = &ids[row * dims.len()..];
        for (axis, (&id, &size)) in ids.iter().zip(dims).enumerate() {
            let at = check(id, row, size)
                .map_err(|failure| Failure(format!("{failure}, the size of dimension {axis}")))?;
            flat = flat * size + at;
        }
        *o = flat as i64;
    }
    Ok(())
}

/// The coordinates of the elements of an array of shape `dims` that are not 0, one after the other,
/// and -1 in what is left of `out`.
pub fn where_indices(x: &[u8], dims: &[usize], out: &mut [i64]) {
    let rank = dims.len();
    if rank == 0 {
        return;
    }
    let mut rows = out.chunks_exact_mut(rank);
    let found = x.iter().enumerate().filter(|(_, v)| **v != 0);
    for ((flat, _), row) in found.zip(&mut rows) {
        let mut rest = flat;
        for (o, &size) in row.iter_mut().zip(dims).rev() {
            *o = (rest % size) as i64;
            rest /= size;
        }
    }
    rows.for_each(|row| row.fill(-1));
}

/// Adds rows as [`ScatterAdd`], of one array and by `ids` that never fall, so that a part reads its
/// own rows only. The part that begins the result checks all of the ids.
///
/// # Errors
/// If a number is negative, not below the limit, or below the one before it.
pub fn segment_sum<T: Number, I: Element>(
    x: &[T],
    ids: &[I],
    limit: usize,
    width: usize,
    out: &mut [T],
    start: usize,
) -> Result<(), Failure> {
    if start == 0 {
        check_segments(ids, limit)?;
    }
    out.fill(T::ZERO);
    let end = start + out.len();
    let mut first = ids.partition_point(|id| id.cast::<i64>() < (start / width.max(1)) as i64);
    while first < ids.len() {
        let row = check(ids[first], first, limit)?;
        if row * width >= end {
            break;
        }
        let own = |id: &&I| id.cast::<i64>() == row as i64;
        let count = ids[first..].iter().take_while(own).count();
        let (from, to) = ((row * width).max(start), ((row + 1) * width).min(end));
        if from < to {
            let x = &x[first * width + from - row * width..];
            add_rows(x, width, count, &mut out[from - start..to - start]);
        }
        first += count;
    }
    Ok(())
}

/// `out[j] = ∑ x[i · width + j]` over `count` rows i. Floats are added in `f64`, and rounded once.
fn add_rows<T: Number>(x: &[T], width: usize, count: usize, out: &mut [T]) {
    /// Sums at a time, which stay in registers or close to them.
    const SIDE: usize = 64;
    if !T::IS_FLOAT {
        for i in 0..count {
            for (o, &v) in out.iter_mut().zip(&x[i * width..]) {
                *o = o.wrapping_add(v);
            }
        }
        return;
    }
    for (block, out) in out.chunks_mut(SIDE).enumerate() {
        let mut sums = [0.0f64; SIDE];
        for i in 0..count {
            let row = &x[i * width + block * SIDE..];
            for (sum, &v) in sums[..out.len()].iter_mut().zip(row) {
                *sum += v.cast::<f64>();
            }
        }
        for (o, sum) in out.iter_mut().zip(sums) {
            *o = sum.cast();
        }
    }
}

fn check_segments<I: Element>(ids: &[I], limit: usize) -> Result<(), Failure> {
    let mut before = 0;
    for (position, &id) in ids.iter().enumerate() {
        let row = check(id, position, limit)?;
        if row < before {
            return Err(Failure(format!(
                "index {id} at position {position} is below {before} before it: segments come in order"
            )));
        }
        before = row;
    }
    Ok(())
}

/// `out[i, j] = if ids[i] == j { on } else { off }` for j below `depth`: `out` is the piece from
/// element `start` on. A number out of range gives a row of `off`, which is TensorFlow's rule.
pub fn one_hot<T: Element, I: Element>(
    ids: &[I],
    depth: usize,
    on: T,
    off: T,
    out: &mut [T],
    start: usize,
) {
    out.fill(off);
    if out.is_empty() {
        return;
    }
    let end = start + out.len();
    let (first, last) = (start / depth, (end - 1) / depth);
    for (row, &id) in (first..).zip(&ids[first..=last]) {
        if let Ok(id) = usize::try_from(id.cast::<i64>())
            && id < depth
        {
            let at = row * depth + id;
            if (start..end).contains(&at) {
                out[at - start] = on;
            }
        }
    }
}

pub(super) fn check<I: Element>(id: I, position: usize, limit: usize) -> Result<usize, Failure> {
    match usize::try_from(id.cast::<i64>()) {
        Ok(row) if row < limit => Ok(row),
        _ => Err(Failure(format!("index {id} at position {position} is not below {limit}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gather_in_any_cut_and_back() {
        let x: Vec<i32> = (0..12).collect();
        let ids = [3i64, 0, 3];
        for piece in [1, 2, 5, 9] {
            let mut out = [0; 9];
            for (p, out) in out.chunks_mut(piece).enumerate() {
                Gather::new(4, 3).run(&x, &ids, out, p * piece).unwrap();
            }
            assert_eq!(out, [9, 10, 11, 0, 1, 2, 9, 10, 11]);
            let mut back = [7; 12];
            for (p, back) in back.chunks_mut(piece).enumerate() {
                ScatterAdd::new(4, 3).run(&out, &ids, back, p * piece).unwrap();
            }
            assert_eq!(back, [0, 1, 2, 0, 0, 0, 0, 0, 0, 18, 20, 22]);
        }
    }

    #[test]
    fn segments_are_summed_in_any_cut() {
        let x: Vec<i32> = (0..12).collect();
        let ids = [0i32, 0, 2, 3];
        let mut whole = [7; 15];
        segment_sum(&x, &ids, 5, 3, &mut whole, 0).unwrap();
        assert_eq!(whole, [3, 5, 7, 0, 0, 0, 6, 7, 8, 9, 10, 11, 0, 0, 0]);
        for piece in [1, 2, 4, 7] {
            let mut out = [7; 15];
            for (p, out) in out.chunks_mut(piece).enumerate() {
                segment_sum(&x, &ids, 5, 3, out, p * piece).unwrap();
            }
            assert_eq!(out, whole);
        }
        segment_sum::<f32, i64>(&[], &[], 0, 3, &mut [], 0).unwrap();
        segment_sum::<f32, i64>(&[], &[0, 1], 2, 0, &mut [], 0).unwrap();
    }

    #[test]
    fn segments_out_of_order_or_range_are_named() {
        let sum = |ids: &[i64]| {
            let x = vec![1.0f32; ids.len()];
            segment_sum(&x, ids, 4, 1, &mut [0.0; 4], 0).unwrap_err().0
        };
        assert_eq!(
            sum(&[0, 2, 1]),
            "index 1 at position 2 is below 2 before it: segments come in order"
        );
        assert_eq!(sum(&[0, 4]), "index 4 at position 1 is not below 4");
        assert_eq!(sum(&[-1, 2]), "index -1 at position 0 is not below 4");
        // Other parts meet what they cannot use without harm.
        let mut out = [0.0f32; 2];
        let _ = segment_sum(&[1.0; 3], &[3i64, 9, -5], 4, 1, &mut out, 2);
    }

    #[test]
    fn an_index_out_of_range_is_named() {
        let failure = Gather::new(4, 1).run(&[0; 4], &[1i32, 4], &mut [0; 2], 0).unwrap_err();
        assert_eq!(failure.0, "index 4 at position 1 is not below 4");
        assert!(Gather::new(4, 0).check(&[-1i64]).is_err());
        assert!(ScatterAdd::new(4, 1).run(&[1.0f32], &[-1i32], &mut [0.0; 4], 0).is_err());
        assert!(Gather::new(0, 3).run::<f32, i32>(&[], &[], &mut [], 0).is_ok());
    }

    #[test]
    fn rows_of_several_arrays() {
        let x: Vec<i32> = (0..24).collect(); // [2, 4, 3]
        let ids = [3i32, 1];
        for piece in [1, 2, 5, 12] {
            let mut out = [0; 12];
            for (p, out) in out.chunks_mut(piece).enumerate() {
                Gather::new(4, 3).run(&x, &ids, out, p * piece).unwrap();
            }
            assert_eq!(out, [9, 10, 11, 3, 4, 5, 21, 22, 23, 15, 16, 17]);
            let mut back = [7; 24];
            for (p, back) in back.chunks_mut(piece).enumerate() {
                ScatterAdd::new(4, 3).run(&out, &ids, back, p * piece).unwrap();
            }
            for (i, &v) in back.iter().enumerate() {
                let kept = ids.contains(&((i / 3 % 4) as i32));
                assert_eq!(v, if kept { i as i32 } else { 0 });
            }
        }
    }

    #[test]
    fn coordinates_to_numbers_and_back() {
        let mut out = [0; 2];
        ravel(&[1i32, 2, 0, 0, 1, 2], &[2, 3], &mut out, 1).unwrap();
        assert_eq!(out, [0, 5]);
        let failure = ravel(&[0i64, 3], &[2, 3], &mut out[..1], 0).unwrap_err();
        assert_eq!(failure.0, "index 3 at position 0 is not below 3, the size of dimension 1");
        let mut out = [9; 12];
        where_indices(&[0, 1, 0, 0, 0, 1], &[2, 3], &mut out);
        assert_eq!(out, [0, 1, 1, 2, -1, -1, -1, -1, -1, -1, -1, -1]);
        where_indices(&[1], &[], &mut []);
    }

    #[test]
    fn one_hot_in_any_cut() {
        for piece in [1, 2, 3, 4, 12] {
            let mut out = [0.0; 12];
            for (p, out) in out.chunks_mut(piece).enumerate() {
                one_hot(&[1i32, -1, 3, 2], 3, 5.0f32, -1.0, out, p * piece);
            }
            let off = -1.0;
            assert_eq!(out, [off, 5.0, off, off, off, off, off, off, off, off, off, 5.0]);
        }
        one_hot::<f32, i32>(&[1], 0, 1.0, 0.0, &mut [], 0);
    }
}
