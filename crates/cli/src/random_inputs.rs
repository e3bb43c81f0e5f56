//! Random inputs, to plan or time runs without data.

use abeyance::ir::{DType, Dim, GraphSignature, TensorType};
use abeyance::prelude::Graph;
use abeyance::session::Value;
use clap::Args;
use ndarray::{ArrayD, IxDyn};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};

use crate::error::Error;

/// The most bytes of one input.
const MOST_BYTES: usize = 1 << 33;

/// The option for sizes of unknown dimensions, besides the batch.
#[derive(Args)]
pub struct Sizes {
    /// Size of an unknown dimension by its name; the first of an input is the batch's unless it is
    /// named
    #[arg(long = "size", value_name = "NAME=N", value_parser = size)]
    pub sizes: Vec<(String, usize)>,
}

fn size(text: &str) -> Result<(String, usize), String> {
    // A number has no `=` in it, a name may.
    let parsed = text.rsplit_once('=').and_then(|(name, size)| Some((name, size.parse().ok()?)));
    match parsed {
        Some((name, size)) if !name.is_empty() => Ok((name.to_owned(), size)),
        _ => Err("a name and a number are wanted, such as `T=50`".to_owned()),
    }
}

/// Makes a value for each input of a signature: floats from 0 to 1, integers 0, the same for the
/// same seed.
pub fn inputs(
    graph: &Graph,
    signature: &GraphSignature,
    batch: usize,
    sizes: &Sizes,
    seed: u64,
) -> Result<Vec<(String, Value)>, Error> {
    let ir = graph.ir();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::new();
    let mut unused: Vec<&str> = sizes.sizes.iter().map(|(name, _)| name.as_str()).collect();
    for (input, node) in &signature.inputs {
        let shape = ir.shape(*node).unwrap_or_default();
        let mut dims = Vec::new();
        for (place, &dim) in shape.iter().enumerate() {
            dims.push(match dim {
                Dim::Known(size) => size,
                Dim::Symbol(symbol) => {
                    let name = ir.symbols().name(symbol);
                    unused.retain(|unused| *unused != name);
                    match sizes.sizes.iter().find(|(known, _)| known == name) {
                        Some((_, size)) => *size,
                        None if place == 0 => batch,
                        None => {
                            return Err(Error::Failed(format!(
                                "the size of `{name}` is not known in the input `{input}` : {}\n   = help: say it with `--size {name}=32`",
                                ir.display_type(*node)
                            )));
                        }
                    }
                }
            });
        }
        let dtype = ir.node(*node).ty.tensor().map_or(DType::F32, |ty: &TensorType| ty.dtype);
        let bytes =
            abeyance::ir::element_count(&dims).and_then(|count| count.checked_mul(dtype.size()));
        if bytes.is_none_or(|bytes| bytes > MOST_BYTES) {
            return Err(Error::Failed(format!(
                "the input `{input}` would be {dtype}{dims:?}, more than {} GiB",
                MOST_BYTES >> 30
            )));
        }
        values.push((input.to_string(), random_value(dtype, &dims, &mut random)));
    }
    match unused.first() {
        Some(name) => Err(Error::Failed(format!(
            "no input of signature `{}` has an unknown dimension `{name}`",
            signature.name
        ))),
        None => Ok(values),
    }
}

fn random_value(dtype: DType, dims: &[usize], random: &mut impl Rng) -> Value {
    let dims = IxDyn(dims);
    match dtype {
        DType::F32 => Value::F32(ArrayD::from_shape_simple_fn(dims, || random.random())),
        DType::F64 => Value::F64(ArrayD::from_shape_simple_fn(dims, || random.random())),
        DType::I32 => Value::I32(ArrayD::zeros(dims)),
        DType::I64 => Value::I64(ArrayD::zeros(dims)),
        DType::U8 => Value::U8(ArrayD::zeros(dims)),
        DType::Bool => Value::Bool(ArrayD::from_elem(dims, false)),
    }
}
