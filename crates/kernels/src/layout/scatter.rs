//! Rows of an array replaced or changed where indices say.

use super::index::check;
use crate::element::Element;
use crate::launch::Failure;

/// A change of some rows of an array `[limit, width]`.
#[derive(Clone, Copy, Debug)]
pub struct ScatterInto {
    limit: usize,
    width: usize,
}

impl ScatterInto {
    /// A change of rows in an array of `limit` rows of `width` elements each.
    pub fn new(limit: usize, width: usize) -> Self {
        Self { limit, width }
    }

    /// `out` is the piece of `x` from element `start` on, whose rows `ids[i]` were combined with
    /// the rows `updates[i]`, in the order of i.
    ///
    /// # Errors
    /// If a number is negative or not below the limit.
    pub fn run<T: Element, I: Element>(
        &self,
        [x, updates]: [&[T]; 2],
        ids: &[I],
        out: &mut [T],
        start: usize,
        combine: impl Fn(&mut T, T),
    ) -> Result<(), Failure> {
        let end = start + out.len();
        out.copy_from_slice(&x[start..end]);
        for (position, &id) in ids.iter().enumerate() {
            let row = check(id, position, self.limit)? * self.width;
            let (from, to) = (row.max(start), (row + self.width).min(end));
            if from < to {
                let updates = &updates[position * self.width + from - row..];
                for (o, &update) in out[from - start..to - start].iter_mut().zip(updates) {
                    combine(o, update);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_change_in_any_cut_in_the_order_of_their_indices() {
        let x: Vec<i32> = (0..12).collect();
        let updates: Vec<i32> = (1..=9).map(|i| 100 * i).collect();
        let ids = [3i64, 0, 3];
        for piece in [1, 2, 5, 12] {
            let (mut set, mut sum) = ([7; 12], [7; 12]);
            let plan = ScatterInto::new(4, 3);
            for (p, out) in set.chunks_mut(piece).enumerate() {
                plan.run([&x, &updates], &ids, out, p * piece, |o, u| *o = u).unwrap();
            }
            for (p, out) in sum.chunks_mut(piece).enumerate() {
                plan.run([&x, &updates], &ids, out, p * piece, |o, u| *o += u).unwrap();
            }
            assert_eq!(set, [400, 500, 600, 3, 4, 5, 6, 7, 8, 700, 800, 900]);
            assert_eq!(sum, [400, 501, 602, 3, 4, 5, 6, 7, 8, 809, 1010, 1211]);
        }
    }

    #[test]
    fn an_index_out_of_range_is_named() {
        let plan = ScatterInto::new(2, 1);
        for id in [-1i32, 2, i32::MIN] {
            let failure = plan
                .run([&[1.0f32, 2.0], &[0.0, 0.0]], &[0, id], &mut [0.0; 1], 1, |o, u| *o = u)
                .unwrap_err();
            assert_eq!(failure.0, format!("index {id} at position 1 is not below 2"));
        }
    }
}
