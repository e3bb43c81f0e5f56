//! Data that every runner is fed: images and digits of MNIST in the order of the batches, and each
//! network's variables before training and after a little of it. Numbers are little-endian, one
//! array after the other.

use std::fs;

use abeyance::prelude::*;
use measure::Data;
use ndarray::ArrayView;

use crate::build;

/// Images to train on: batches of 100 and of 128 both fill most of them.
const TRAINING_IMAGES: usize = 5_120;
/// After so many steps a network reads most digits.
const STEPS: usize = 300;
const NETWORKS: [&str; 7] =
    ["softmax", "mlp_sigmoid", "mlp_relu", "mlp_dropout", "conv", "conv_dropout", "wide"];

pub fn write() -> Result<(), Error> {
    let mnist = Mnist::load().expect("MNIST");
    let batch = mnist.train.batches(TRAINING_IMAGES).next().expect("a batch");
    fs::create_dir_all(Data::folder()).expect("a folder");
    save("train-images.f32", floats(&batch.images));
    save("train-digits.u8", batch.digits.to_vec());
    save("test-images.f32", floats(&mnist.test.images));
    save("test-digits.u8", mnist.test.digits.to_vec());

    for name in NETWORKS {
        let g = Graph::new();
        let network = build(&g, name);
        let session = Session::new(&g)?;
        save(&format!("{name}-first.f32"), variables(&session, name)?);
        for batch in mnist.train.batches(100).take(STEPS) {
            session.run(network.train_step, network.feeds(&batch))?;
        }
        save(&format!("{name}-trained.f32"), variables(&session, name)?);
    }
    save("complete", Vec::new());
    Ok(())
}

/// The values of the network's variables, those of the optimizer left out.
fn variables(session: &Session, network: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for (name, shape) in session.variables().zip(measure::Network::named(network).shapes()) {
        let values = session.variable::<f32>(name)?;
        assert_eq!(values.shape(), shape, "{network}'s {name} and networks.json differ");
        bytes.extend(floats(&values));
    }
    Ok(bytes)
}

/// Gives a session the variables that were read.
pub fn set_variables(session: &Session, data: &Data) -> Result<(), Error> {
    let names: Vec<String> = session.variables().map(str::to_owned).collect();
    for ((name, shape), values) in names.iter().zip(data.network.shapes()).zip(&data.weights) {
        session.set_variable(name, &ArrayView::from_shape(shape, values).expect("its shape"))?;
    }
    Ok(())
}

fn floats<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    values.into_iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn save(name: &str, bytes: Vec<u8>) {
    fs::write(Data::folder().join(name), bytes).expect("a place for data");
}
