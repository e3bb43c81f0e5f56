//! The MNIST of the repository is the published one, and loads as what it is.

use std::fs;
use std::path::{Path, PathBuf};

use abeyance_datasets::{Dataset, Mnist, idx};
use ndarray::{Axis, s};
use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist")
}

fn mean_and_deviation(set: &Dataset) -> (f64, f64) {
    let count = set.images.len() as f64;
    let mean = set.images.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / count;
    let squares = set.images.iter().map(|&pixel| (f64::from(pixel) - mean).powi(2)).sum::<f64>();
    (mean, (squares / count).sqrt())
}

fn counts(set: &Dataset) -> [usize; 10] {
    let mut counts = [0; 10];
    for &digit in &set.digits {
        counts[usize::from(digit)] += 1;
    }
    counts
}

#[test]
fn the_files_have_the_checksums_in_the_readme() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for name in [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ] {
        let file = idx::read::<u8>(folder().join(format!("{name}.gz"))).unwrap();
        // The decompressed file again: the header that the dimensions came from, and the elements.
        let mut hash = Sha256::new();
        hash.update([0, 0, 0x08, file.dims.len() as u8]);
        for &dim in &file.dims {
            hash.update((dim as u32).to_be_bytes());
        }
        hash.update(&file.data);
        let checksum: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();

        let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
        let bytes = 4 + 4 * file.dims.len() + file.data.len();
        assert!(row.contains(&checksum), "{name}: {checksum}");
        assert!(row.contains(&format!("| {bytes} |")), "{name}: {bytes}");
    }
}

#[test]
fn the_statistics_are_those_in_the_readme() {
    let mnist = Mnist::load().unwrap();
    let Mnist { train, test } = &mnist;

    assert_eq!(train.images.shape(), [60_000, 28, 28, 1]);
    assert_eq!(train.labels.shape(), [60_000, 10]);
    assert_eq!(test.images.shape(), [10_000, 28, 28, 1]);
    assert_eq!(test.labels.shape(), [10_000, 10]);
    assert_eq!((train.len(), train.classes()), (60_000, 10));

    assert_eq!(counts(train), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(counts(test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    assert_eq!(train.digits.slice(s![..5]).to_vec(), [5, 0, 4, 1, 9]);
    assert_eq!(test.digits.slice(s![..5]).to_vec(), [7, 2, 1, 0, 4]);

    for (set, mean, deviation) in [(train, 0.130_660, 0.308_108), (test, 0.132_515, 0.310_480)] {
        let (found_mean, found_deviation) = mean_and_deviation(set);
        assert!((found_mean - mean).abs() < 1e-6, "{found_mean}");
        assert!((found_deviation - deviation).abs() < 1e-6, "{found_deviation}");
    }
}

#[test]
fn pixels_go_from_0_to_1_and_labels_are_one_hot() {
    let test = Mnist::load().unwrap().test;
    assert!(test.images.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    assert!(test.images.iter().any(|&pixel| pixel == 1.0));
    for (row, &digit) in test.labels.axis_iter(Axis(0)).zip(&test.digits) {
        for (class, &label) in row.iter().enumerate() {
            let expected = if class == usize::from(digit) { 1.0 } else { 0.0 };
            assert_eq!(label, expected);
        }
    }
}
