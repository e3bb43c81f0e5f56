//! Measures Abeyance as the peers are measured. Two more commands serve them all: `write` leaves
//! the data that every runner is fed in `data/`, and `peak THREADS` prints how many multiplications
//! and additions the machine can do.

mod peak;
mod write;

use std::time::Instant;

use abeyance::graph::raw::GraphExt;
use abeyance::prelude::*;
use abeyance::session::{Callable, Decode};
use measure::{Data, Reading, Run, Training};
use ndarray::{Array2, Array4, ArrayD, ArrayView, IxDyn};

#[path = "../../../../tests/networks/mod.rs"]
mod networks;
use networks::Network;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write"] => write::write(),
        ["peak", threads] => {
            peak::print(threads.parse().expect("a number of threads"));
            Ok(())
        }
        [_, _, network, _] => measure(network),
        _ => panic!("usage: write | peak THREADS | SETTING train|read NETWORK THREADS"),
    }
}

fn build<'g>(g: &'g Graph, name: &str) -> Network<'g> {
    match name {
        "softmax" => networks::softmax(g),
        "mlp_sigmoid" => networks::five_layers_sigmoid(g),
        "mlp_relu" => networks::five_layers_decay(g),
        "mlp_dropout" => networks::five_layers_dropout(g),
        "conv" => networks::conv(g),
        "conv_dropout" => networks::conv_dropout(g),
        "wide" => networks::wide(g),
        _ => panic!("no network {name}"),
    }
}

fn measure(name: &str) -> Result<(), Error> {
    let run = Run::from_arguments();
    let batches = batches(&run.data);
    let started = Instant::now();
    let g = Graph::new();
    let network = build(&g, name);
    let digits = logits(&network).argmax(-1);
    let session = Session::with_options(&g, SessionOptions::new().threads(run.threads))?;
    if run.is_training {
        let train = session.prepare(network.train_step)?;
        run.train(started, &mut Trainer { network, batches, session: &session, train });
    } else {
        write::set_variables(&session, &run.data)?;
        let read = session.prepare(digits)?;
        let digits = ArrayD::zeros(IxDyn(&[0]));
        run.read(started, &mut Reader { x: network.x, data: &run.data, read, digits });
    }
    Ok(())
}

/// Logits of a network: the operand of its softmax, or, without one, of its argmax.
fn logits<'g>(network: &Network<'g>) -> Tensor<'g, f32> {
    let graph = network.x.graph();
    let operand = |id| graph.ir().node(id).operands[0];
    let mut logits = operand(network.prediction().id());
    if graph.ir().node(logits).operator.signature().name == "softmax" {
        logits = operand(logits);
    }
    graph.any(logits).typed().expect("numbers")
}

struct Batch {
    images: Array4<f32>,
    labels: Array2<f32>,
}

fn batches(data: &Data) -> Vec<Batch> {
    let size = data.network.batch;
    let batch = |index| {
        let (images, digits) = data.batch(index);
        let labels = Array2::from_shape_fn((size, 10), |(row, class)| {
            f32::from(usize::from(digits[row]) == class)
        });
        Batch { images: view(images).to_owned(), labels }
    };
    (0..data.digits.len() / size).map(batch).collect()
}

fn view(images: &[f32]) -> ArrayView<'_, f32, ndarray::Ix4> {
    ArrayView::from_shape((images.len() / (28 * 28), 28, 28, 1), images).expect("whole images")
}

struct Trainer<'s, 'g, C> {
    network: Network<'g>,
    batches: Vec<Batch>,
    session: &'s Session,
    train: Callable<'s, C>,
}

impl<C: Decode<Output = ()>> Training for Trainer<'_, '_, C> {
    fn step(&mut self, index: usize) {
        let Batch { images, labels } = &self.batches[index % self.batches.len()];
        let Network { x, y_, .. } = self.network;
        let done = match self.network.keep {
            Some(keep) => self.train.run(feeds![x => images, y_ => labels, keep => 0.75]),
            None => self.train.run(feeds![x => images, y_ => labels]),
        };
        done.expect("a step");
    }

    fn loss(&mut self) -> f32 {
        let Batch { images, labels } = &self.batches[0];
        let Network { x, y_, loss, .. } = self.network;
        self.session.run(loss, feeds![x => images, y_ => labels]).expect("a loss")
    }
}

struct Reader<'s, 'g, C> {
    x: Tensor<'g, f32>,
    data: &'s Data,
    read: Callable<'s, C>,
    digits: ArrayD<i64>,
}

impl<C: Decode<Output = ArrayD<i64>>> Reading for Reader<'_, '_, C> {
    fn read(&mut self, count: usize) {
        let images = view(self.data.first(count));
        self.read.run_into(feeds![self.x => images], &mut self.digits).expect("digits");
    }

    fn digits(&self) -> Vec<u8> {
        self.digits.iter().map(|&digit| digit as u8).collect()
    }
}
