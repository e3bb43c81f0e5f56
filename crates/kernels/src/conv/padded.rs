//! Images with zeros around them, so that the loops need not know of borders.

use std::ops::Range;

use pulp::Simd;

use crate::element::Real;
use crate::lanes::Lane;

/// Where images lie within the zeros around them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Padded {
    /// Rows and columns of an image.
    pub rows: usize,
    pub columns: usize,
    pub channels: usize,
    /// Rows of zeros above and columns of zeros before.
    pub top: usize,
    pub left: usize,
    /// Columns with all zeros; those of the image beyond are left out.
    pub width: usize,
}

impl Padded {
    /// Elements from one padded row to the next.
    pub fn pitch(&self) -> usize {
        self.width * self.channels
    }

    /// The image's rows among these padded ones.
    fn within(&self, rows: &Range<usize>) -> Range<usize> {
        let at = |row: usize| row.saturating_sub(self.top).min(self.rows);
        at(rows.start)..at(rows.end)
    }
}

/// Room for padded rows of one image after another.
pub(super) struct Copy<'a, T> {
    room: &'a mut [T],
    /// Whose borders are zeros already.
    rows: Range<usize>,
}

impl<'a, T: Real> Copy<'a, T> {
    /// Room with anything in it.
    pub fn new(room: &'a mut [T]) -> Self {
        Self { room, rows: 0..0 }
    }

    /// All elements of the room.
    pub fn elements(&self) -> &[T] {
        self.room
    }

    /// Copy padded rows of an image to the start of the room. The answer is whether all elements
    /// that were copied are finite, so that zeros may be multiplied with them.
    ///
    /// Borders are filled when the rows are others than the last time; a call of `memset` for each
    /// row took as long as the sums of a small image.
    #[inline(always)]
    pub fn fill<S: Simd>(
        &mut self,
        simd: S,
        padded: &Padded,
        image: &[T],
        rows: Range<usize>,
    ) -> bool
    where
        T: Lane<S>,
    {
        let (pitch, before) = (padded.pitch(), padded.left * padded.channels);
        if self.rows != rows {
            self.room.fill(T::ZERO);
            self.rows = rows.clone();
        }
        let width = padded.columns * padded.channels;
        let kept = width.min(pitch.saturating_sub(before));
        let inside = padded.within(&rows);
        let lanes = size_of::<T::Vector>() / size_of::<T>();
        // Zero times anything that is not finite is NaN, and stays it in a sum.
        let zero = T::splat(simd, T::ZERO);
        let (mut sums, mut rest) = (zero, T::ZERO);
        for row in inside {
            let from = &image[row * width..][..kept];
            let to = &mut self.room[(row + padded.top - rows.start) * pitch + before..][..kept];
            if kept < lanes {
                for (to, &x) in to.iter_mut().zip(from) {
                    rest = rest + x * T::ZERO;
                    *to = x;
                }
                continue;
            }
            let mut at = 0;
            loop {
                // SAFETY: a register from `at` on is within both slices, and is read and written
                // without regard to alignment.
                unsafe {
                    let x = from.as_ptr().add(at).cast::<T::Vector>().read_unaligned();
                    to.as_mut_ptr().add(at).cast::<T::Vector>().write_unaligned(x);
                    sums = T::multiply_add(simd, x, zero, sums);
                }
                if at + lanes == kept {
                    break;
                }
                // The last register may overlap the one before it.
                at = (at + lanes).min(kept - lanes);
            }
        }
        let sums = [sums];
        let sums: &[T] = bytemuck::cast_slice(&sums);
        !rest.is_nan() && !sums.iter().any(|sum| sum.is_nan())
    }
}

/// True if there is neither a NaN nor an infinity among the elements: zeros may be multiplied with
/// them.
#[inline(always)]
pub(super) fn finite<T: Real>(x: &[T]) -> bool {
    // Zero times anything else is no zero, and stays NaN in a sum.
    let mut sums = [T::ZERO; 32];
    let mut chunks = x.chunks_exact(sums.len());
    for chunk in &mut chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum = *sum + x * T::ZERO;
        }
    }
    let rest = chunks.remainder().iter().map(|&x| x * T::ZERO);
    sums.into_iter().chain(rest).all(|sum| !sum.is_nan())
}
