//! Rows picked by number, and numbers as rows.

use crate::element::{Element, Number};
use crate::launch::Failure;

/// Rows of an array `[limit, width]` picked by an array of their numbers.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    limit: usize,
    width: usize,
}

impl Gather {
    /// From an array of `limit` rows of `width` elements each.
    pub fn new(limit: usize, width: usize) -> Self {
        Self { limit, width }
    }

    /// `out[i] = x[ids[i]]`, each a row: `out` is the piece of the result from element `start` on.
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
            let (position, column) = ((start + done) / self.width, (start + done) % self.width);
            let row = check(ids[position], position, self.limit)?;
            let count = (self.width - column).min(out.len() - done);
            let from = row * self.width + column;
            out[done..done + count].copy_from_slice(&x[from..from + count]);
            done += count;
        }
        Ok(())
    }

    /// Whether all of `ids` are in range. Rows of no elements are picked without looking at their numbers otherwise.
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

/// The gradient of [`Gather`]: `out[r] = ∑ g[i]` over all i with `ids[i] = r`, added in the order of i, each a row of `width`.
/// `out` is the piece of the result `[limit, width]` from element `start` on.
///
/// # Errors
/// If a number is negative or not below the limit.
pub fn scatter_add<T: Number, I: Element>(
    g: &[T],
    ids: &[I],
    limit: usize,
    width: usize,
    out: &mut [T],
    start: usize,
) -> Result<(), Failure> {
    out.fill(T::ZERO);
    let end = start + out.len();
    for (position, &id) in ids.iter().enumerate() {
        let row = check(id, position, limit)?;
        let (from, to) = ((row * width).max(start), ((row + 1) * width).min(end));
        if from < to {
            let at = position * width + from - row * width;
            for (o, &v) in out[from - start..to - start].iter_mut().zip(&g[at..]) {
                *o = o.wrapping_add(v);
            }
        }
    }
    Ok(())
}

/// `out[i, j] = if ids[i] == j { on } else { off }` for j below `depth`: `out` is the piece from element `start` on.
/// A number out of range gives a row of `off`, which is TensorFlow's rule.
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

fn check<I: Element>(id: I, position: usize, limit: usize) -> Result<usize, Failure> {
    match usize::try_from(id.cast::<i64>()) {
        Ok(row) if row < limit => Ok(row),
        _ => Err(Failure(format!(
            "index {id} at position {position} is not below {limit}"
        ))),
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
                scatter_add(&out, &ids, 4, 3, back, p * piece).unwrap();
            }
            assert_eq!(back, [0, 1, 2, 0, 0, 0, 0, 0, 0, 18, 20, 22]);
        }
    }

    #[test]
    fn an_index_out_of_range_is_named() {
        let failure = Gather::new(4, 1)
            .run(&[0; 4], &[1i32, 4], &mut [0; 2], 0)
            .unwrap_err();
        assert_eq!(failure.0, "index 4 at position 1 is not below 4");
        assert!(Gather::new(4, 0).check(&[-1i64]).is_err());
        assert!(scatter_add(&[1.0f32], &[-1i32], 4, 1, &mut [0.0; 4], 0).is_err());
        assert!(
            Gather::new(0, 3)
                .run::<f32, i32>(&[], &[], &mut [], 0)
                .is_ok()
        );
    }

    #[test]
    fn one_hot_in_any_cut() {
        for piece in [1, 2, 3, 4, 12] {
            let mut out = [0.0; 12];
            for (p, out) in out.chunks_mut(piece).enumerate() {
                one_hot(&[1i32, -1, 3, 2], 3, 5.0f32, -1.0, out, p * piece);
            }
            let off = -1.0;
            assert_eq!(
                out,
                [off, 5.0, off, off, off, off, off, off, off, off, off, 5.0]
            );
        }
        one_hot::<f32, i32>(&[1], 0, 1.0, 0.0, &mut [], 0);
    }
}
