//! MNIST, and every data set that is published as the same four files.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array3};

use crate::dataset::Dataset;
use crate::error::DatasetError;
use crate::idx::{self, Idx};

/// The environment variable that tells [`Mnist::load`] where the data is.
pub const DATA_VARIABLE: &str = "ABEYANCE_DATA";

/// The least number of classes: those of MNIST, even if a small excerpt of it lacks some.
const MIN_CLASSES: usize = 10;

/// A data set of grey images in two halves, such as MNIST: 60,000 handwritten digits to train on
/// and 10,000 to test on.
///
/// By Y. LeCun, C. Cortes and C. Burges, out of NIST's Special Databases 1 and 3.
#[derive(Clone, Debug, PartialEq)]
pub struct Mnist {
    /// The training images and labels.
    pub train: Dataset,
    /// The test images and labels.
    pub test: Dataset,
}

impl Mnist {
    /// Loads MNIST from the repository this crate was built in, or from the folder that the
    /// environment variable `ABEYANCE_DATA` names: the four files are in it, or in a folder `mnist`
    /// in it.
    ///
    /// # Errors
    /// As [`Mnist::from_folder`].
    pub fn load() -> Result<Self, DatasetError> {
        Self::from_folder(data_folder(env::var_os(DATA_VARIABLE)))
    }

    /// Loads the four files of `folder`: MNIST, Fashion-MNIST, KMNIST or any other set published
    /// under these names.
    ///
    /// The names are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`
    /// and `t10k-labels-idx1-ubyte`, also with `.idx` for `-idx`, also with `.gz` at the end.
    ///
    /// # Errors
    /// If the folder or a file is missing, and as [`Mnist::from_files`].
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let folder = folder.as_ref();
        if !folder.exists() {
            return Err(DatasetError::NoFolder {
                folder: folder.to_path_buf(),
                help: "check the path, or set ABEYANCE_DATA to the folder with the files and use `Mnist::load`",
            });
        }
        if !folder.is_dir() {
            return Err(DatasetError::NotAFolder { folder: folder.to_path_buf() });
        }
        Self::from_files(
            find(folder, "training images", "train-images", "idx3-ubyte")?,
            find(folder, "training labels", "train-labels", "idx1-ubyte")?,
            find(folder, "test images", "t10k-images", "idx3-ubyte")?,
            find(folder, "test labels", "t10k-labels", "idx1-ubyte")?,
        )
    }

    /// Loads four IDX files of bytes, gzipped or not, whatever their names: images `[N, H, W]` and
    /// labels `[N]`.
    ///
    /// The number of classes is one more than the largest training label, and at least 10: EMNIST's
    /// letters, numbered from 1 to 26, make 27. (EMNIST's images are stored transposed, and are
    /// given as they are stored.)
    ///
    /// # Errors
    /// [`DatasetError::Idx`] if a file cannot be read, [`DatasetError::Rank`] if images have not
    /// three dimensions or labels not one, [`DatasetError::Counts`] unless there are as many labels
    /// as images, [`DatasetError::Label`] if a test label is no class, [`DatasetError::Sizes`] if
    /// training and test images differ in size, [`DatasetError::Memory`] if it does not fit.
    pub fn from_files(
        train_images: impl AsRef<Path>,
        train_labels: impl AsRef<Path>,
        test_images: impl AsRef<Path>,
        test_labels: impl AsRef<Path>,
    ) -> Result<Self, DatasetError> {
        let train = Half { images: train_images.as_ref(), labels: train_labels.as_ref() };
        let test = Half { images: test_images.as_ref(), labels: test_labels.as_ref() };
        let (train_read, test_read) = rayon::join(|| train.read(), || test.read());
        let ((train_pixels, train_digits), (test_pixels, test_digits)) = (train_read?, test_read?);

        let (_, height, width) = train_pixels.dim();
        let (_, test_height, test_width) = test_pixels.dim();
        if (height, width) != (test_height, test_width) {
            return Err(DatasetError::Sizes {
                train_file: train.images.display().to_string(),
                train: [height, width],
                test_file: test.images.display().to_string(),
                test: [test_height, test_width],
            });
        }
        let classes =
            train_digits.iter().map(|&digit| usize::from(digit) + 1).fold(MIN_CLASSES, usize::max);
        Ok(Self {
            train: train.dataset(train_pixels, train_digits, classes)?,
            test: test.dataset(test_pixels, test_digits, classes)?,
        })
    }
}

/// The two files of one half of a data set.
struct Half<'p> {
    images: &'p Path,
    labels: &'p Path,
}

impl Half<'_> {
    fn read(&self) -> Result<(Array3<u8>, Array1<u8>), DatasetError> {
        let labels = idx::read::<u8>(self.labels)?;
        let images = idx::read::<u8>(self.images)?;
        let images = match *images.dims.as_slice() {
            [count, height, width] => {
                let elements = images.data.len();
                // Cannot fail: the reader lets no shape through that does not fit its elements.
                Array3::from_shape_vec((count, height, width), images.data).map_err(|_| {
                    DatasetError::Memory { file: self.images.display().to_string(), elements }
                })?
            }
            _ => return Err(wrong_rank(self.images, "images [N, H, W]", images)),
        };
        let labels = match *labels.dims.as_slice() {
            [_] => Array1::from_vec(labels.data),
            _ => return Err(wrong_rank(self.labels, "labels [N]", labels)),
        };
        Ok((images, labels))
    }

    fn dataset(
        &self,
        images: Array3<u8>,
        digits: Array1<u8>,
        classes: usize,
    ) -> Result<Dataset, DatasetError> {
        Dataset::named(images, digits, classes, &self.images.display(), &self.labels.display())
    }
}

fn wrong_rank(file: &Path, expected: &'static str, found: Idx<u8>) -> DatasetError {
    DatasetError::Rank { file: file.display().to_string(), expected, dims: found.dims }
}

/// The file in `folder` named `stem-suffix` or `stem.suffix`, with or without `.gz`.
fn find(
    folder: &Path,
    part: &'static str,
    stem: &str,
    suffix: &str,
) -> Result<PathBuf, DatasetError> {
    let names = [
        format!("{stem}-{suffix}"),
        format!("{stem}-{suffix}.gz"),
        format!("{stem}.{suffix}"),
        format!("{stem}.{suffix}.gz"),
    ];
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        DatasetError::NoFile { folder: folder.to_path_buf(), part, names: names.to_vec() }
    })
}

/// The folder with MNIST: the folder named by the environment variable, if it is set and not empty,
/// or in the repository.
fn data_folder(variable: Option<OsString>) -> PathBuf {
    match variable.filter(|value| !value.is_empty()) {
        Some(value) => {
            let folder = PathBuf::from(value);
            let inner = folder.join("mnist");
            if inner.is_dir() { inner } else { folder }
        }
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_the_folder_or_the_one_around_it() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
        let mnist = repository.join("mnist");
        assert_eq!(data_folder(None), mnist);
        assert_eq!(data_folder(Some(OsString::new())), mnist);
        assert_eq!(data_folder(Some(repository.into())), mnist);
        assert_eq!(data_folder(Some(mnist.clone().into())), mnist);
    }
}
