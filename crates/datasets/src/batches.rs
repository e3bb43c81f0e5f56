//! Shuffled batches, for training.

use std::iter::FusedIterator;

use ndarray::{Array, Array1, Array2, Array4, Axis, RemoveAxis};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use crate::dataset::Dataset;

/// Some examples of a [`Dataset`], copied out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The images, `[N, H, W, 1]`, from 0 to 1.
    pub images: Array4<f32>,
    /// The labels one-hot, `[N, classes]`.
    pub labels: Array2<f32>,
    /// The labels as class numbers, `[N]`.
    pub digits: Array1<u8>,
    /// The number of the batch, counted from 0 at the start of training.
    pub step: u64,
}

/// Shuffled batches without end, from [`Dataset::batches`].
///
/// Every epoch is a fresh permutation of all `N` examples, and the batches are cut from the epochs
/// laid end to end: batch `k` of size `B` holds the examples `k * B` to `(k + 1) * B` of that row.
/// Hence every epoch shows every example exactly once, every batch is full, and where `B` divides
/// `N` no batch mixes two epochs; where it does not, the batch on the border takes the remainder of
/// one epoch and begins the next. (TensorFlow's MNIST tutorial does the same.)
///
/// The permutation of an epoch depends on the [seed](Self::seed), the epoch and `N` only, so a
/// batch depends on its step only, and training goes on [at any step](Self::starting_at) as if it
/// had never stopped. Skipping batches with [`Iterator::nth`] or [`Iterator::skip`] costs nothing.
#[derive(Clone, Debug)]
pub struct Batches<'d> {
    dataset: &'d Dataset,
    /// From 1 to the number of examples, except that it is 1 where there are none.
    size: usize,
    seed: u64,
    /// The step of the next batch.
    step: u64,
    /// The order of the examples in the epoch `order_of`.
    order: Vec<usize>,
    order_of: Option<u64>,
}

impl Dataset {
    /// Batches of `size` examples for training, shuffled anew every epoch, without end.
    ///
    /// `size` is taken to be at least 1 and at most [`len`](Self::len). An empty data set gives no
    /// batches.
    ///
    /// ```
    /// # use abeyance_datasets::Dataset;
    /// # use ndarray::{Array1, Array3};
    /// # let set = Dataset::new(Array3::zeros((300, 28, 28)), Array1::zeros(300), 10)?;
    /// for batch in set.batches(100).take(5) {
    ///     assert_eq!(batch.images.shape(), [100, 28, 28, 1]);
    /// }
    /// # Ok::<(), abeyance_datasets::DatasetError>(())
    /// ```
    #[must_use]
    pub fn batches(&self, size: usize) -> Batches<'_> {
        Batches::new(self, size)
    }
}

impl<'d> Batches<'d> {
    fn new(dataset: &'d Dataset, size: usize) -> Self {
        Self {
            dataset,
            size: size.min(dataset.len()).max(1),
            seed: 0,
            step: 0,
            order: Vec::new(),
            order_of: None,
        }
    }

    /// Sets the seed of the permutations. The default is 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.order_of = None;
        self
    }

    /// Goes on with batch `step`, counted from 0: the one that training sees next after `step`
    /// steps.
    #[must_use]
    pub fn starting_at(mut self, step: u64) -> Self {
        self.step = step;
        self
    }

    /// The number of examples in each batch.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The epoch in which the next batch begins, counted from 0.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.cursor().0
    }

    /// The epoch in which the next batch begins, and how many examples of that epoch came before
    /// it.
    fn cursor(&self) -> (u64, usize) {
        let examples = u128::from(self.step) * self.size as u128;
        let per_epoch = self.dataset.len().max(1) as u128;
        // A batch is no larger than an epoch, so the epoch is no larger than the step; the rest is
        // below a `usize`.
        ((examples / per_epoch) as u64, (examples % per_epoch) as usize)
    }

    /// Brings `order` to that of `epoch`.
    fn shuffle(&mut self, epoch: u64) {
        if self.order_of == Some(epoch) {
            return;
        }
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(epoch);
        self.order.clear();
        self.order.extend(0..self.dataset.len());
        self.order.shuffle(&mut random);
        self.order_of = Some(epoch);
    }

    /// The examples of the next batch.
    fn choose(&mut self) -> Vec<usize> {
        let (mut epoch, mut start) = self.cursor();
        let mut chosen = Vec::with_capacity(self.size);
        while chosen.len() < self.size {
            self.shuffle(epoch);
            let wanted = self.size - chosen.len();
            chosen.extend(self.order.iter().skip(start).take(wanted));
            (epoch, start) = (epoch.wrapping_add(1), 0);
        }
        chosen
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.dataset.is_empty() {
            return None;
        }
        let chosen = self.choose();
        let batch = Batch {
            images: gather(&self.dataset.images, &chosen)?,
            labels: gather(&self.dataset.labels, &chosen)?,
            digits: gather(&self.dataset.digits, &chosen)?,
            step: self.step,
        };
        self.step = self.step.wrapping_add(1);
        Some(batch)
    }

    fn nth(&mut self, n: usize) -> Option<Batch> {
        self.step = self.step.wrapping_add(n as u64);
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.dataset.is_empty() { (0, Some(0)) } else { (usize::MAX, None) }
    }
}

impl FusedIterator for Batches<'_> {}

/// The rows of `from` that `chosen` names, each below its length, one copy a row.
///
/// `None` cannot come: the rows that are copied fill the shape that is asked for.
fn gather<T: Copy, D: RemoveAxis>(from: &Array<T, D>, chosen: &[usize]) -> Option<Array<T, D>> {
    let mut shape = from.raw_dim();
    let rows = shape.as_array_view_mut().into_slice()?.first_mut()?;
    let row_length = from.len() / (*rows).max(1);
    *rows = chosen.len();

    let mut gathered = Vec::with_capacity(chosen.len() * row_length);
    for &row in chosen {
        match from.as_slice() {
            Some(elements) => {
                let start = row * row_length;
                gathered.extend_from_slice(elements.get(start..start + row_length)?);
            }
            // An array that the user put there in another layout.
            None => gathered.extend(from.index_axis(Axis(0), row)),
        }
    }
    Array::from_shape_vec(shape, gathered).ok()
}
