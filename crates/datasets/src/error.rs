//! The error of loading a data set.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::idx::IdxError;

/// A data set that could not be loaded: which file or array, what was found, what was expected,
/// what to do.
#[derive(Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// One of the files is no readable IDX file of bytes.
    #[error(transparent)]
    Idx(#[from] IdxError),

    /// The folder is not there.
    #[error("{}: no such folder, expected one with the files of a data set\n  help: {help}", folder.display())]
    NoFolder {
        /// The folder looked for.
        folder: PathBuf,
        /// A sentence that says how to mend it.
        help: &'static str,
    },

    /// A file stands where a folder was expected.
    #[error("{}: this is not a folder, expected one with four IDX files\n  help: name the folder it is in, or load four files with `Mnist::from_files`", folder.display())]
    NotAFolder {
        /// The path given.
        folder: PathBuf,
    },

    /// The folder has no file for one of the four parts, under any of its usual names.
    #[error(
        "{}: no file with the {part}, expected one of {}\n  help: put it there under one of these names, or load files of other names with `Mnist::from_files`",
        folder.display(),
        names.join(", ")
    )]
    NoFile {
        /// The folder looked in.
        folder: PathBuf,
        /// Which of the four parts is missing.
        part: &'static str,
        /// The names looked for.
        names: Vec<String>,
    },

    /// A file has another number of dimensions than such a file must have.
    #[error(
        "{file}: an array of {} dimensions {dims:?}, expected {expected}\n  help: images and labels may have been exchanged",
        dims.len()
    )]
    Rank {
        /// The file.
        file: String,
        /// The array that was expected.
        expected: &'static str,
        /// The dimensions of the array in the file.
        dims: Vec<usize>,
    },

    /// There are not as many labels as images.
    #[error(
        "{images} images in {images_file}, but {labels} labels in {labels_file}, expected as many\n  help: take both from the same half of the same data set, training or test"
    )]
    Counts {
        /// The file of the images.
        images_file: String,
        /// The number of images.
        images: usize,
        /// The file of the labels.
        labels_file: String,
        /// The number of labels.
        labels: usize,
    },

    /// A label is not one of the classes.
    #[error(
        "{file}: label {label} at position {position}, expected one of the {classes} classes 0 to {}\n  help: the file is damaged or of another data set, or the number of classes is too small",
        classes.saturating_sub(1)
    )]
    Label {
        /// The file of the labels.
        file: String,
        /// Which label, counted from 0.
        position: usize,
        /// The label.
        label: u8,
        /// The number of classes.
        classes: usize,
    },

    /// Training and test images have different sizes.
    #[error(
        "{train_file} holds images of {train:?} pixels, but {test_file} of {test:?}, expected one size\n  help: take both from the same data set"
    )]
    Sizes {
        /// The file of the training images.
        train_file: String,
        /// Their height and width.
        train: [usize; 2],
        /// The file of the test images.
        test_file: String,
        /// Their height and width.
        test: [usize; 2],
    },

    /// There is not enough memory for the arrays.
    #[error(
        "there is no memory for {elements} numbers of {file}\n  help: load a part of the data set"
    )]
    Memory {
        /// The file.
        file: String,
        /// The number of elements.
        elements: usize,
    },
}

/// Prints the message, which `unwrap` and a `main` that returns this error show.
impl fmt::Debug for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
