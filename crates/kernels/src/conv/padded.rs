//! Images with zeros around them, so that the loops need not know of borders.

use crate::element::Real;

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
    fn within(&self, rows: &std::ops::Range<usize>) -> std::ops::Range<usize> {
        let at = |row: usize| row.saturating_sub(self.top).min(self.rows);
        at(rows.start)..at(rows.end)
    }

    /// The image's elements among these padded rows.
    pub fn elements<'a, T>(&self, image: &'a [T], rows: &std::ops::Range<usize>) -> &'a [T] {
        let (width, rows) = (self.columns * self.channels, self.within(rows));
        &image[rows.start * width..rows.end * width]
    }

    /// Copy padded rows of an image into `out`, from its start on.
    #[inline(always)]
    pub fn copy<T: Real>(&self, image: &[T], rows: std::ops::Range<usize>, out: &mut [T]) {
        let (pitch, before) = (self.pitch(), self.left * self.channels);
        let width = self.columns * self.channels;
        let kept = width.min(pitch.saturating_sub(before));
        let inside = self.within(&rows);
        for (row, out) in rows.zip(out.chunks_exact_mut(pitch)) {
            match row.checked_sub(self.top) {
                Some(row) if inside.contains(&row) => {
                    let (zeros, rest) = out.split_at_mut(before.min(pitch));
                    zeros.fill(T::ZERO);
                    let (pixels, zeros) = rest.split_at_mut(kept);
                    pixels.copy_from_slice(&image[row * width..][..kept]);
                    zeros.fill(T::ZERO);
                }
                _ => out.fill(T::ZERO),
            }
        }
    }
}

/// Whether there is neither a NaN nor an infinity among the elements: zeros may be multiplied with them.
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
