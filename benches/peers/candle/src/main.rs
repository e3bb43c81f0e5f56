//! Measures candle with its own matrix product, on as many threads as `RAYON_NUM_THREADS` says.

use std::time::Instant;

use candle_core::{D, Device, Result, Tensor, Var};
use candle_nn::optim::{AdamW, Optimizer as _, ParamsAdamW, SGD};
use candle_nn::{loss, ops};
use measure::{Activation, Data, Network, Optimizer, Reading, Run, Training};

const CPU: &Device = &Device::Cpu;

fn main() -> Result<()> {
    let run = Run::from_arguments();
    let started = Instant::now();
    let model = Model::new(&run.data)?;
    if run.is_training {
        let update = Update::new(&run.data.network, model.variables())?;
        run.train(started, &mut Trainer { data: &run.data, model, update });
    } else {
        run.read(started, &mut Reader { data: &run.data, model, digits: Vec::new() });
    }
    Ok(())
}

/// Weights and bias of each layer: filters OIHW, matrices `[inputs, outputs]`.
struct Model<'d> {
    network: &'d Network,
    layers: Vec<(Var, Var)>,
}

impl<'d> Model<'d> {
    fn new(data: &'d Data) -> Result<Self> {
        let network = &data.network;
        let values: Vec<_> = network.shapes().into_iter().zip(&data.weights).collect();
        let variable = |tensor: Tensor| Var::from_tensor(&tensor.contiguous()?);
        let layers = values.chunks_exact(2).enumerate().map(|(index, pair)| {
            let [weights, bias] =
                [0, 1].map(|i| Tensor::from_slice(pair[i].1, &pair[i].0[..], CPU));
            let weights = match network.convolutions.len() {
                count if index < count => weights?.permute((3, 2, 0, 1))?,
                count if index == count && count > 0 => {
                    // Rows in the order in which channels come first.
                    let channels = network.convolutions[count - 1].channels;
                    let weights = weights?;
                    let (inputs, outputs) = weights.dims2()?;
                    let pixels = weights.reshape((inputs / channels, channels, outputs))?;
                    pixels.transpose(0, 1)?.reshape((inputs, outputs))?
                }
                _ => weights?,
            };
            Ok((variable(weights)?, variable(bias?)?))
        });
        Ok(Self { network, layers: layers.collect::<Result<_>>()? })
    }

    fn variables(&self) -> Vec<Var> {
        self.layers.iter().flat_map(|(w, b)| [w.clone(), b.clone()]).collect()
    }

    fn activate(&self, h: Tensor) -> Result<Tensor> {
        match self.network.activation {
            Activation::Relu => h.relu(),
            Activation::Sigmoid => ops::sigmoid(&h),
        }
    }

    fn logits(&self, images: &[f32], keep: f64) -> Result<Tensor> {
        let (convolutions, dense) = self.layers.split_at(self.network.convolutions.len());
        let mut h = Tensor::from_slice(images, (images.len() / (28 * 28), 1, 28, 28), CPU)?;
        for (layer, (w, b)) in self.network.convolutions.iter().zip(convolutions) {
            let (before, after) = layer.padding(h.dim(2)?);
            let padding = if before == after { before } else { 0 };
            if before != after {
                h = h.pad_with_zeros(2, before, after)?.pad_with_zeros(3, before, after)?;
            }
            h = h.conv2d(w, padding, layer.stride, 1, 1)?;
            h = self.activate(h.broadcast_add(&b.reshape((1, (), 1, 1))?)?)?;
        }
        h = h.flatten_from(1)?;
        for (index, (w, b)) in dense.iter().enumerate() {
            h = h.matmul(w)?.broadcast_add(b)?;
            if index + 1 < dense.len() {
                h = self.activate(h)?;
                if keep < 1.0 {
                    h = ops::dropout(&h, (1.0 - keep) as f32)?;
                }
            }
        }
        Ok(h)
    }
}

enum Update {
    Sgd(SGD),
    Adam(AdamW),
}

impl Update {
    fn new(network: &Network, variables: Vec<Var>) -> Result<Self> {
        Ok(match network.optimizer {
            Optimizer::Sgd => Self::Sgd(SGD::new(variables, network.rate(0))?),
            _ => Self::Adam(AdamW::new(variables, ParamsAdamW::default())?),
        })
    }

    fn step(&mut self, network: &Network, index: usize, loss: &Tensor) -> Result<()> {
        let lr = network.rate(index);
        match self {
            Self::Sgd(sgd) => {
                sgd.set_learning_rate(lr);
                sgd.backward_step(loss)
            }
            Self::Adam(adam) => {
                // Candle multiplies the decay by the rate, and corrects epsilon for the start.
                let eps = 1e-8 / (1.0 - 0.999_f64.powi(index as i32 + 1)).sqrt();
                let weight_decay = network.weight_decay / lr;
                adam.set_params(ParamsAdamW { lr, eps, weight_decay, ..Default::default() });
                adam.backward_step(loss)
            }
        }
    }
}

struct Trainer<'d> {
    data: &'d Data,
    model: Model<'d>,
    update: Update,
}

impl Trainer<'_> {
    fn loss_of(&self, index: usize, keep: f64, smoothing: f64) -> Result<Tensor> {
        let (images, digits) = self.data.batch(index);
        let scale = self.data.network.loss_scale;
        let logits = self.model.logits(images, keep)?;
        if smoothing > 0.0 {
            let labels = Tensor::from_vec(self.data.labels(digits), (digits.len(), 10), CPU)?;
            let rows = (labels * ops::log_softmax(&logits, D::Minus1)?)?;
            return rows.sum_all()? * (-scale / digits.len() as f64);
        }
        loss::cross_entropy(&logits, &Tensor::from_slice(digits, digits.len(), CPU)?)? * scale
    }
}

impl Training for Trainer<'_> {
    fn step(&mut self, index: usize) {
        let network = &self.data.network;
        let loss = self.loss_of(index, network.keep, network.smoothing).expect("a loss");
        self.update.step(network, index, &loss).expect("an update");
    }

    fn loss(&mut self) -> f32 {
        self.loss_of(0, 1.0, 0.0).and_then(|loss| loss.to_scalar()).expect("a loss")
    }
}

struct Reader<'d> {
    data: &'d Data,
    model: Model<'d>,
    digits: Vec<u32>,
}

impl Reading for Reader<'_> {
    fn read(&mut self, count: usize) {
        let logits = self.model.logits(self.data.first(count), 1.0);
        let digits = logits.and_then(|logits| logits.argmax(D::Minus1)?.to_vec1());
        self.digits = digits.expect("digits");
    }

    fn digits(&self) -> Vec<u8> {
        self.digits.iter().map(|&digit| digit as u8).collect()
    }
}
