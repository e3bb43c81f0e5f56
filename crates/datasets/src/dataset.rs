//! Labelled images, ready to be fed.

use std::fmt::Display;

use ndarray::{Array1, Array2, Array3, Array4, Axis};
use rayon::prelude::*;

use crate::error::DatasetError;

/// Below this many pixels a thread does not pay for itself.
const PIXELS_A_THREAD: usize = 1 << 16;

/// Labelled images: `N` of them, `H` pixels high and `W` wide, of `classes` kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The images, `[N, H, W, 1]`, as numbers from 0 (a byte of 0) to 1 (a byte of 255):
    /// `byte / 255`.
    pub images: Array4<f32>,
    /// The labels one-hot, `[N, classes]`: 1 at the image's class, 0 elsewhere.
    pub labels: Array2<f32>,
    /// The labels as class numbers, `[N]`.
    pub digits: Array1<u8>,
}

impl Dataset {
    /// A data set of grey `images` `[N, H, W]` and their class numbers `digits` `[N]`.
    ///
    /// ```
    /// use abeyance_datasets::Dataset;
    /// use ndarray::{Array3, array};
    ///
    /// let set = Dataset::new(Array3::from_elem((2, 28, 28), 51), array![7, 0], 10)?;
    /// assert_eq!(set.images[[1, 27, 27, 0]], 0.2);
    /// assert_eq!(set.labels[[0, 7]], 1.0);
    /// # Ok::<(), abeyance_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// [`DatasetError::Counts`] unless there are as many digits as images, [`DatasetError::Label`]
    /// if a digit is not below `classes`, [`DatasetError::Memory`] if the arrays do not fit.
    pub fn new(
        images: Array3<u8>,
        digits: Array1<u8>,
        classes: usize,
    ) -> Result<Self, DatasetError> {
        Self::named(images, digits, classes, &"the images", &"the labels")
    }

    /// [`Dataset::new`], whose errors say where the arrays are from.
    pub(crate) fn named(
        images: Array3<u8>,
        digits: Array1<u8>,
        classes: usize,
        images_file: &dyn Display,
        labels_file: &dyn Display,
    ) -> Result<Self, DatasetError> {
        let (count, height, width) = images.dim();
        if count != digits.len() {
            return Err(DatasetError::Counts {
                images_file: images_file.to_string(),
                images: count,
                labels_file: labels_file.to_string(),
                labels: digits.len(),
            });
        }
        let labels = one_hot(&digits, classes, labels_file)?;

        let no_memory =
            || DatasetError::Memory { file: images_file.to_string(), elements: images.len() };
        let mut pixels = Vec::new();
        pixels.try_reserve_exact(images.len()).map_err(|_| no_memory())?;
        let standard = images.as_standard_layout();
        let bytes = standard.as_slice().unwrap_or_default();
        bytes
            .par_iter()
            .with_min_len(PIXELS_A_THREAD)
            .map(|&byte| f32::from(byte) / 255.0)
            .collect_into_vec(&mut pixels);
        let images =
            Array4::from_shape_vec((count, height, width, 1), pixels).map_err(|_| no_memory())?;
        Ok(Self { images, labels, digits })
    }

    /// How many examples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        // The fields are public: whoever changed one of them meets the shortest here rather than a
        // panic later.
        self.images.len_of(Axis(0)).min(self.labels.len_of(Axis(0))).min(self.digits.len())
    }

    /// True if there are no examples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of classes: the width of [`labels`](Self::labels).
    #[must_use]
    pub fn classes(&self) -> usize {
        self.labels.len_of(Axis(1))
    }
}

fn one_hot(
    digits: &Array1<u8>,
    classes: usize,
    file: &dyn Display,
) -> Result<Array2<f32>, DatasetError> {
    let elements = digits.len().saturating_mul(classes);
    let no_memory = || DatasetError::Memory { file: file.to_string(), elements };
    let mut labels = Vec::new();
    labels.try_reserve_exact(elements).map_err(|_| no_memory())?;
    for (position, &label) in digits.iter().enumerate() {
        let hot = usize::from(label);
        if hot >= classes {
            return Err(DatasetError::Label { file: file.to_string(), position, label, classes });
        }
        labels.extend((0..classes).map(|class| f32::from(u8::from(class == hot))));
    }
    Array2::from_shape_vec((digits.len(), classes), labels).map_err(|_| no_memory())
}
