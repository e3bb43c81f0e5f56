//! Other data sets in the same form load; what does not fit together is told.

mod scratch;

use abeyance_datasets::{Dataset, DatasetError, Mnist};
use ndarray::{Array1, Array3, array};
use scratch::{Scratch, gzip, idx};

fn images(count: u32, height: u32, width: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..count * height * width).map(|i| i as u8).collect();
    idx(0x08, &[count, height, width], &pixels)
}

fn labels(labels: &[u8]) -> Vec<u8> {
    idx(0x08, &[labels.len() as u32], labels)
}

/// A folder of 5 and 3 images of 4 by 6 pixels.
fn fashion(name: &str) -> Scratch {
    let folder = Scratch::new(name);
    folder.write("train-images-idx3-ubyte", &images(5, 4, 6));
    folder.write("train-labels-idx1-ubyte.gz", &gzip(&labels(&[3, 1, 4, 1, 5])));
    folder.write("t10k-images.idx3-ubyte", &gzip(&images(3, 4, 6)));
    folder.write("t10k-labels.idx1-ubyte.gz", &labels(&[9, 2, 6]));
    folder
}

fn error(result: Result<Mnist, DatasetError>) -> (DatasetError, String) {
    let error = result.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("\n  help: "), "{message}");
    (error, message)
}

#[test]
fn a_folder_loads_under_every_spelling_whatever_is_compressed() {
    let folder = fashion("spellings");
    let set = Mnist::from_folder(folder.path()).unwrap();
    assert_eq!(set.train.images.shape(), [5, 4, 6, 1]);
    assert_eq!(set.test.images.shape(), [3, 4, 6, 1]);
    assert_eq!(set.train.digits, array![3, 1, 4, 1, 5]);
    assert_eq!(set.test.labels.shape(), [3, 10]);
    assert_eq!(set.test.labels[[0, 9]], 1.0);
    assert_eq!(set.train.images[[0, 3, 3, 0]], 21.0 / 255.0);
    assert_eq!(set.train.images[[4, 3, 5, 0]], 119.0 / 255.0);
}

#[test]
fn more_classes_than_ten_are_counted_from_the_training_labels() {
    let folder = Scratch::new("letters");
    let set = Mnist::from_files(
        folder.write("emnist-letters-train-images", &images(2, 3, 3)),
        folder.write("emnist-letters-train-labels", &labels(&[1, 26])),
        folder.write("emnist-letters-test-images", &images(1, 3, 3)),
        folder.write("emnist-letters-test-labels", &labels(&[13])),
    )
    .unwrap();
    assert_eq!(set.train.labels.shape(), [2, 27]);
    assert_eq!(set.test.classes(), 27);
    assert_eq!(set.test.labels[[0, 13]], 1.0);
}

#[test]
fn a_data_set_of_nothing_loads() {
    let folder = fashion("nothing");
    folder.write("train-images-idx3-ubyte", &images(0, 4, 6));
    folder.write("train-labels-idx1-ubyte.gz", &labels(&[]));
    let set = Mnist::from_folder(folder.path()).unwrap();
    assert!(set.train.is_empty());
    assert_eq!(set.train.images.shape(), [0, 4, 6, 1]);
    assert_eq!(set.train.labels.shape(), [0, 10]);
    assert_eq!(set.train.batches(10).count(), 0);
    assert_eq!(set.train.sequential(10).count(), 0);
}

#[test]
fn images_without_pixels_load_and_are_batched() {
    let folder = fashion("no-pixels");
    folder.write("train-images-idx3-ubyte", &images(5, 0, 6));
    folder.write("t10k-images.idx3-ubyte", &images(3, 0, 6));
    let set = Mnist::from_folder(folder.path()).unwrap();
    let batch = set.train.batches(2).next().unwrap();
    assert_eq!(batch.images.shape(), [2, 0, 6, 1]);
    assert_eq!(batch.labels.shape(), [2, 10]);
}

#[test]
fn a_missing_folder_or_file_names_what_was_looked_for() {
    let folder = fashion("missing");
    let (kind, message) = error(Mnist::from_folder(folder.path().join("elsewhere")));
    assert!(matches!(kind, DatasetError::NoFolder { .. }));
    assert!(message.contains("elsewhere: no such folder"), "{message}");
    assert!(message.contains("ABEYANCE_DATA"), "{message}");

    let (kind, _) = error(Mnist::from_folder(folder.path().join("train-images-idx3-ubyte")));
    assert!(matches!(kind, DatasetError::NotAFolder { .. }));

    std::fs::remove_file(folder.path().join("t10k-labels.idx1-ubyte.gz")).unwrap();
    let (kind, message) = error(Mnist::from_folder(folder.path()));
    assert!(matches!(kind, DatasetError::NoFile { .. }));
    assert!(
        message.contains("no file with the test labels, expected one of t10k-labels-idx1-ubyte, "),
        "{message}"
    );
}

#[test]
fn exchanged_images_and_labels_are_told() {
    let folder = fashion("exchanged");
    folder.write("train-images-idx3-ubyte", &labels(&[3, 1, 4, 1, 5]));
    let (kind, message) = error(Mnist::from_folder(folder.path()));
    assert!(matches!(kind, DatasetError::Rank { .. }));
    assert!(
        message.contains(
            "train-images-idx3-ubyte: an array of 1 dimensions [5], expected images [N, H, W]"
        ),
        "{message}"
    );
}

#[test]
fn counts_that_differ_name_both_files() {
    let folder = fashion("counts");
    folder.write("train-images-idx3-ubyte", &images(4, 4, 6));
    let (kind, message) = error(Mnist::from_folder(folder.path()));
    assert!(matches!(kind, DatasetError::Counts { images: 4, labels: 5, .. }));
    assert!(message.contains("train-images-idx3-ubyte"), "{message}");
    assert!(message.contains("train-labels-idx1-ubyte.gz"), "{message}");
}

#[test]
fn a_test_label_that_training_never_saw_is_told() {
    let folder = fashion("label");
    folder.write("t10k-labels.idx1-ubyte.gz", &labels(&[9, 2, 10]));
    let (_, message) = error(Mnist::from_folder(folder.path()));
    assert!(
        message.contains(
            "t10k-labels.idx1-ubyte.gz: label 10 at position 2, expected one of the 10 classes 0 to 9"
        ),
        "{message}"
    );
}

#[test]
fn training_and_test_images_of_two_sizes_are_told() {
    let folder = fashion("sizes");
    folder.write("t10k-images.idx3-ubyte", &images(3, 6, 4));
    let (_, message) = error(Mnist::from_folder(folder.path()));
    assert!(message.contains("images of [4, 6] pixels"), "{message}");
    assert!(message.contains("of [6, 4], expected one size"), "{message}");
}

#[test]
fn a_damaged_file_is_named() {
    let folder = fashion("damaged");
    folder.write("t10k-images.idx3-ubyte", b"<!DOCTYPE html>");
    let (kind, message) = error(Mnist::from_folder(folder.path()));
    assert!(matches!(kind, DatasetError::Idx(_)));
    assert!(
        message
            .contains("t10k-images.idx3-ubyte: this is not an IDX file: it looks like a web page"),
        "{message}"
    );
}

#[test]
fn own_arrays_make_a_data_set() {
    let set = Dataset::new(Array3::from_elem((3, 2, 2), 255), array![0, 1, 2], 3).unwrap();
    assert_eq!(set.images.sum(), 12.0);
    assert_eq!(set.labels, ndarray::Array2::<f32>::eye(3));

    let transposed = Array3::from_shape_fn((2, 3, 4), |(n, h, w)| (n * 12 + h * 4 + w) as u8);
    let set = Dataset::new(transposed.reversed_axes(), Array1::zeros(4), 1).unwrap();
    assert_eq!(set.images[[3, 2, 1, 0]], 23.0 / 255.0);

    let error = Dataset::new(Array3::zeros((1, 2, 2)), array![3], 3).unwrap_err();
    assert!(error.to_string().starts_with("the labels: label 3 at position 0"), "{error}");
    // More numbers than there is memory for.
    let error =
        Dataset::new(Array3::zeros((9, 0, 0)), Array1::zeros(9), usize::MAX / 8).unwrap_err();
    assert!(matches!(error, DatasetError::Memory { .. }));
}
