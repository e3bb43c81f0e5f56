//! Batches in order, for evaluation.

use std::iter::FusedIterator;

use ndarray::{ArrayView1, ArrayView2, ArrayView4, s};

use crate::dataset::Dataset;

/// Neighbouring examples of a [`Dataset`], borrowed from it.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchView<'d> {
    /// The images, `[N, H, W, 1]`, from 0 to 1.
    pub images: ArrayView4<'d, f32>,
    /// The labels one-hot, `[N, classes]`.
    pub labels: ArrayView2<'d, f32>,
    /// The labels as class numbers, `[N]`.
    pub digits: ArrayView1<'d, u8>,
}

/// One pass over a [`Dataset`] in order, from [`Dataset::sequential`]. Copies nothing.
#[derive(Clone, Debug)]
pub struct Sequential<'d> {
    dataset: &'d Dataset,
    size: usize,
    /// The first example of the next batch.
    next: usize,
}

impl Dataset {
    /// Batches of `size` examples for evaluation: all of them once, in order, as views. The last
    /// may be smaller.
    ///
    /// `size` is taken to be at least 1.
    ///
    /// ```
    /// # use abeyance_datasets::Dataset;
    /// # use ndarray::{Array1, Array3};
    /// # let set = Dataset::new(Array3::zeros((250, 28, 28)), Array1::zeros(250), 10)?;
    /// let counts: Vec<usize> = set.sequential(100).map(|batch| batch.digits.len()).collect();
    /// assert_eq!(counts, [100, 100, 50]);
    /// # Ok::<(), abeyance_datasets::DatasetError>(())
    /// ```
    #[must_use]
    pub fn sequential(&self, size: usize) -> Sequential<'_> {
        Sequential { dataset: self, size: size.max(1), next: 0 }
    }
}

impl<'d> Iterator for Sequential<'d> {
    type Item = BatchView<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        let end = start.saturating_add(self.size).min(self.dataset.len());
        if start >= end {
            return None;
        }
        self.next = end;
        Some(BatchView {
            images: self.dataset.images.slice(s![start..end, .., .., ..]),
            labels: self.dataset.labels.slice(s![start..end, ..]),
            digits: self.dataset.digits.slice(s![start..end]),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let batches = (self.dataset.len() - self.next).div_ceil(self.size);
        (batches, Some(batches))
    }
}

impl ExactSizeIterator for Sequential<'_> {}

impl FusedIterator for Sequential<'_> {}
