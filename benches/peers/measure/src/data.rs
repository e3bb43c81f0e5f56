//! The files that `abeyance write` leaves in `data/` for every runner.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Network;

pub const PIXELS: usize = 28 * 28;

/// A network, the weights it starts from and the images it is fed.
pub struct Data {
    pub network: Network,
    /// The variables in the order of [`Network::shapes`].
    pub weights: Vec<Vec<f32>>,
    /// Training images in the order of the batches, or the test images: `[N, 28, 28]`, from 0 to 1.
    pub images: Vec<f32>,
    /// Their digits.
    pub digits: Vec<u8>,
}

impl Data {
    /// The folder of the files.
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../data")
    }

    /// What training or reading starts from.
    pub(crate) fn load(name: &str, is_training: bool) -> Self {
        let network = Network::named(name);
        let (half, weights) = if is_training { ("train", "first") } else { ("test", "trained") };
        let values = floats(&format!("{name}-{weights}.f32"));
        let mut rest = &values[..];
        let weights = network.shapes().into_iter().map(|shape| {
            let (weights, others) = rest.split_at(shape.iter().product());
            rest = others;
            weights.to_vec()
        });
        let weights = weights.collect();
        assert!(rest.is_empty(), "{name} has more variables than networks.json says");
        Self {
            network,
            weights,
            images: floats(&format!("{half}-images.f32")),
            digits: bytes(&format!("{half}-digits.u8")),
        }
    }

    /// Images and digits of training batch `index`.
    pub fn batch(&self, index: usize) -> (&[f32], &[u8]) {
        let size = self.network.batch;
        let start = index % (self.digits.len() / size) * size;
        let images = &self.images[start * PIXELS..(start + size) * PIXELS];
        (images, &self.digits[start..start + size])
    }

    /// The first `count` images.
    pub fn first(&self, count: usize) -> &[f32] {
        &self.images[..count * PIXELS]
    }

    /// Labels `[N, 10]`: smoothed if the network's are.
    pub fn labels(&self, digits: &[u8]) -> Vec<f32> {
        let even = self.network.smoothing as f32 / 10.0;
        let mut labels = vec![even; digits.len() * 10];
        for (row, &digit) in labels.chunks_exact_mut(10).zip(digits) {
            row[usize::from(digit)] += 1.0 - self.network.smoothing as f32;
        }
        labels
    }
}

fn bytes(name: &str) -> Vec<u8> {
    let path = Data::folder().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn floats(name: &str) -> Vec<f32> {
    let bytes = bytes(name);
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}
