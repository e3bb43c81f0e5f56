//! `networks.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A network, how it is trained and in which batches.
#[derive(Clone, Debug, Deserialize)]
pub struct Network {
    pub convolutions: Vec<Convolution>,
    /// Widths of the fully connected layers, the first one's inputs before them.
    pub dense: Vec<usize>,
    /// What follows each layer but the last.
    pub activation: Activation,
    /// The probability with which a neuron of a fully connected layer but the last is kept in
    /// training.
    pub keep: f64,
    /// The loss is the mean cross-entropy times this.
    pub loss_scale: f64,
    /// Labels are `1 - smoothing` of themselves and the rest spread evenly.
    pub smoothing: f64,
    pub optimizer: Optimizer,
    /// What part of itself a variable loses in a step.
    pub weight_decay: f64,
    rate: Rate,
    pub batch: usize,
}

/// A convolution with SAME padding.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Convolution {
    /// Height and width of the filter.
    pub size: usize,
    /// Output channels.
    pub channels: usize,
    pub stride: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    Relu,
    Sigmoid,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    Sgd,
    Adam,
    AdamW,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Rate {
    falls: Falls,
    from: f64,
    floor: f64,
    steps: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Falls {
    Never,
    Exponentially,
    Linearly,
}

impl Network {
    pub fn named(name: &str) -> Self {
        let text = include_str!("../../networks.json");
        let mut all: BTreeMap<String, Self> = serde_json::from_str(text).expect("networks.json");
        all.remove(name).unwrap_or_else(|| panic!("no network {name}"))
    }

    /// The learning rate of step `index`.
    pub fn rate(&self, index: usize) -> f64 {
        let Rate { falls, from, floor, steps } = self.rate;
        let passed = index as f64 / steps;
        let left = match falls {
            Falls::Never => 1.0,
            Falls::Exponentially => (-passed).exp(),
            Falls::Linearly => (1.0 - passed).max(0.0),
        };
        floor + from * left
    }

    /// The shapes of the variables in the order of their file, weights before biases: filters HWIO,
    /// matrices `[inputs, outputs]`.
    pub fn shapes(&self) -> Vec<Vec<usize>> {
        let mut inputs = 1;
        let mut shapes = Vec::new();
        for &Convolution { size, channels, .. } in &self.convolutions {
            shapes.push(vec![size, size, inputs, channels]);
            shapes.push(vec![channels]);
            inputs = channels;
        }
        for widths in self.dense.windows(2) {
            shapes.push(widths.to_vec());
            shapes.push(vec![widths[1]]);
        }
        shapes
    }
}

impl Convolution {
    /// SAME padding of one axis of `size`: before and after.
    pub fn padding(&self, size: usize) -> (usize, usize) {
        let outputs = size.div_ceil(self.stride);
        let total = ((outputs - 1) * self.stride + self.size).saturating_sub(size);
        (total / 2, total - total / 2)
    }
}
