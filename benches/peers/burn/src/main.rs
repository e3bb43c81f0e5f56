//! Measures burn with `flex`, the faster of its backends in Rust, on as many threads as
//! `RAYON_NUM_THREADS` says. (The other, `ndarray`, is deprecated. A third, `cpu`, downloads LLVM
//! while it is built.)

use std::time::Instant;

use burn::module::{Module, Param};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::{log_softmax, relu, sigmoid};
use burn::tensor::module::{conv2d, linear};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use measure::{Activation, Data, Network, Optimizer, Reading, Run, Training};

fn main() {
    let run = Run::from_arguments();
    let device = Device::flex();
    let started = Instant::now();
    if run.is_training {
        let device = device.autodiff();
        let model = Some(Model::new(&run.data, &device));
        let optimizer = optimizer(&run.data.network);
        run.train(started, &mut Trainer { data: &run.data, device, model, optimizer });
    } else {
        let model = Model::new(&run.data, &device);
        run.read(started, &mut Reader { data: &run.data, device, model, digits: Vec::new() });
    }
}

/// Filters OIHW, matrices `[inputs, outputs]`.
#[derive(Module, Debug)]
struct Model {
    filters: Vec<Param<Tensor<4>>>,
    matrices: Vec<Param<Tensor<2>>>,
    biases: Vec<Param<Tensor<1>>>,
}

impl Model {
    fn new(data: &Data, device: &Device) -> Self {
        let (mut filters, mut matrices, mut biases) = (Vec::new(), Vec::new(), Vec::new());
        let mut channels = 1;
        for (shape, values) in data.network.shapes().into_iter().zip(&data.weights) {
            let values = TensorData::new(values.clone(), shape.clone());
            match shape.len() {
                1 => biases.push(Param::from_tensor(Tensor::from_data(values, device))),
                2 => {
                    let mut matrix = Tensor::<2>::from_data(values, device);
                    if matrices.is_empty() && channels > 1 {
                        // Rows in the order in which channels come first.
                        let pixels = matrix.reshape([shape[0] / channels, channels, shape[1]]);
                        matrix = pixels.swap_dims(0, 1).reshape([shape[0], shape[1]]);
                    }
                    matrices.push(Param::from_tensor(matrix));
                }
                _ => {
                    channels = shape[3];
                    let filter = Tensor::<4>::from_data(values, device).permute([3, 2, 0, 1]);
                    filters.push(Param::from_tensor(filter));
                }
            }
        }
        Self { filters, matrices, biases }
    }

    fn logits(&self, network: &Network, images: Tensor<4>, keep: f64) -> Tensor<2> {
        let mut biases = self.biases.iter().map(|bias| Some(bias.val()));
        let mut next_bias = || biases.next().flatten();
        let mut h = images;
        for (layer, filter) in network.convolutions.iter().zip(&self.filters) {
            let (stride, padding) = ([layer.stride; 2], [layer.padding(h.dims()[2]); 2]);
            let options = ConvOptions::new_with_padding(stride, padding, [1, 1], 1);
            h = activate(network, conv2d(h, filter.val(), next_bias(), options));
        }
        let mut h: Tensor<2> = h.flatten(1, 3);
        for (index, matrix) in self.matrices.iter().enumerate() {
            h = linear(h, matrix.val(), next_bias());
            if index + 1 < self.matrices.len() {
                h = activate(network, h);
                if keep < 1.0 {
                    let kept = h.random_like(Distribution::Bernoulli(keep));
                    h = h * kept * (1.0 / keep);
                }
            }
        }
        h
    }
}

fn activate<const D: usize>(network: &Network, h: Tensor<D>) -> Tensor<D> {
    match network.activation {
        Activation::Relu => relu(h),
        Activation::Sigmoid => sigmoid(h),
    }
}

fn optimizer(network: &Network) -> ModuleOptimizer {
    match network.optimizer {
        Optimizer::Sgd => SgdConfig::new().init(),
        _ => {
            // Burn multiplies the decay by the rate.
            let decay = network.weight_decay / network.rate(0);
            AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(decay as f32).init()
        }
    }
}

fn images(images: &[f32], device: &Device) -> Tensor<4> {
    let data = TensorData::new(images.to_vec(), [images.len() / (28 * 28), 1, 28, 28]);
    Tensor::from_data(data, device)
}

struct Trainer<'d> {
    data: &'d Data,
    device: Device,
    /// Taken while it is updated.
    model: Option<Model>,
    optimizer: ModuleOptimizer,
}

impl Trainer<'_> {
    fn loss_of(&self, index: usize, keep: f64, labels: impl Fn(&[u8]) -> Vec<f32>) -> Tensor<1> {
        let network = &self.data.network;
        let (batch, digits) = self.data.batch(index);
        let model = self.model.as_ref().expect("a model");
        let logits = model.logits(network, images(batch, &self.device), keep);
        let labels = TensorData::new(labels(digits), [digits.len(), 10]);
        let rows = Tensor::<2>::from_data(labels, &self.device) * log_softmax(logits, 1);
        rows.sum() * (-network.loss_scale / digits.len() as f64)
    }
}

impl Training for Trainer<'_> {
    fn step(&mut self, index: usize) {
        let network = &self.data.network;
        let loss = self.loss_of(index, network.keep, |digits| self.data.labels(digits));
        let model = self.model.take().expect("a model");
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        self.model = Some(self.optimizer.step(network.rate(index), model, gradients));
    }

    fn loss(&mut self) -> f32 {
        let labels = |digits: &[u8]| {
            let one_hot = |&digit| (0..10).map(move |class| f32::from(class == digit));
            digits.iter().flat_map(one_hot).collect()
        };
        self.loss_of(0, 1.0, labels).into_scalar()
    }
}

struct Reader<'d> {
    data: &'d Data,
    device: Device,
    model: Model,
    digits: Vec<i64>,
}

impl Reading for Reader<'_> {
    fn read(&mut self, count: usize) {
        let images = images(self.data.first(count), &self.device);
        let logits = self.model.logits(&self.data.network, images, 1.0);
        let digits = logits.argmax(1).into_data().convert::<i64>();
        self.digits = digits.try_into_vec().expect("digits");
    }

    fn digits(&self) -> Vec<u8> {
        self.digits.iter().map(|&digit| digit as u8).collect()
    }
}
