//! Labelled images, and how they go into a signature's inputs.

use std::path::Path;

use abeyance::datasets::{Batch, BatchView, Dataset, Mnist};
use abeyance::ir::{DType, Dim, GraphSignature, NodeId};
use abeyance::prelude::Graph;
use abeyance::session::Value;
use clap::Args;
use ndarray::{Array1, Array2, Array4, ArrayD, IxDyn};

use crate::arrays::is_like;
use crate::error::Error;

/// The option for the data set.
#[derive(Args)]
pub struct Data {
    /// `mnist`, or a folder of four IDX files under MNIST's names, gzipped or not
    #[arg(long, value_name = "mnist|FOLDER", default_value = "mnist")]
    pub data: String,
}

impl Data {
    pub fn load(&self) -> Result<Mnist, Error> {
        let data = match self.data.as_str() {
            "mnist" => Mnist::load(),
            folder => Mnist::from_folder(Path::new(folder)),
        }?;
        for (what, half) in [("training", &data.train), ("test", &data.test)] {
            if half.is_empty() {
                return Err(Error::Failed(format!("`{}` has no {what} images", self.data)));
            }
        }
        Ok(data)
    }
}

/// The shapes in which a signature takes images and labels.
pub struct Inputs {
    /// The sizes of an image in the input `images`.
    image: Vec<usize>,
    /// `None` if the signature has no input `labels`.
    labels: Option<Labels>,
}

/// The forms of labels that the input `labels` may take.
#[derive(Clone, Copy)]
enum Labels {
    /// `f32[N, classes]`
    OneHot,
    /// `[N]` of an integer type
    Classes(DType),
}

const HELP: &str = "the inputs `images` and `labels` are fed: f32[N, height, width, 1] or another shape with as many pixels, and \
                    f32[N, classes] one-hot or class numbers i32, i64 or u8[N]";

impl Inputs {
    /// The inputs of a signature for a data set.
    ///
    /// # Errors
    /// An input is missing, has no meaning here, or does not fit the data.
    pub fn new(graph: &Graph, signature: &GraphSignature, data: &Dataset) -> Result<Self, Error> {
        let refuse = |what: String| {
            Error::Failed(format!("signature `{}`: {what}\n   = help: {HELP}", signature.name))
        };
        for (name, _) in &signature.inputs {
            if !["images", "labels"].contains(&&**name) {
                return Err(refuse(format!("nothing is known for the input `{name}`")));
            }
        }
        let Some(images) = signature.input("images") else {
            return Err(refuse("it has no input `images`".to_owned()));
        };
        let ir = graph.ir();
        let port = |node: NodeId| {
            let dtype = ir.node(node).ty.tensor().map(|ty| ty.dtype);
            (dtype, ir.shape(node).unwrap_or_default(), ir.display_type(node))
        };
        let of_data: Vec<usize> = data.images.shape().iter().skip(1).copied().collect();
        let (dtype, shape, shown) = port(images);
        let image = image_dims(shape.get(1..).unwrap_or_default(), &of_data);
        let (Some(DType::F32), Some(image)) = (dtype, image) else {
            let found: Vec<String> = of_data.iter().map(usize::to_string).collect();
            let found = found.join(", ");
            return Err(refuse(format!("`images` is {shown}, and the data is f32[N, {found}]")));
        };
        let labels = match signature.input("labels") {
            None => None,
            Some(node) => {
                let (dtype, shape, shown) = port(node);
                let classes = data.classes();
                let fits = |dim: Option<&Dim>| {
                    dim.is_some_and(|dim| dim.known().is_none_or(|known| known == classes))
                };
                Some(match (dtype, shape.len()) {
                    (Some(DType::F32), 2) if fits(shape.get(1)) => Labels::OneHot,
                    (Some(dtype @ (DType::I32 | DType::I64 | DType::U8)), 1) => {
                        Labels::Classes(dtype)
                    }
                    _ => {
                        return Err(refuse(format!(
                            "`labels` is {shown}, and the data has {classes} classes"
                        )));
                    }
                })
            }
        };
        Ok(Self { image, labels })
    }

    /// The values of the inputs for a batch, by name.
    pub fn of_batch(&self, batch: Batch) -> Vec<(&'static str, Value)> {
        self.values(batch.images, batch.labels, batch.digits)
    }

    /// The values of the inputs for a borrowed batch, by name.
    pub fn of_view(&self, batch: &BatchView<'_>) -> Vec<(&'static str, Value)> {
        self.values(batch.images.to_owned(), batch.labels.to_owned(), batch.digits.to_owned())
    }

    fn values(
        &self,
        images: Array4<f32>,
        labels: Array2<f32>,
        digits: Array1<u8>,
    ) -> Vec<(&'static str, Value)> {
        let mut dims = vec![digits.len()];
        dims.extend(&self.image);
        // `new` has shown that the number of elements is the same. Otherwise the run says what does
        // not fit.
        let images: ArrayD<f32> = match images.into_shape_with_order(IxDyn(&dims)) {
            Ok(images) => images,
            Err(_) => ArrayD::zeros(IxDyn(&[0])),
        };
        let mut values = vec![("images", Value::F32(images))];
        values.extend(self.labels.map(|kind| {
            let value = match kind {
                Labels::OneHot => Value::F32(labels.into_dyn()),
                Labels::Classes(DType::I32) => Value::I32(digits.mapv(i32::from).into_dyn()),
                Labels::Classes(DType::I64) => Value::I64(digits.mapv(i64::from).into_dyn()),
                Labels::Classes(_) => Value::U8(digits.into_dyn()),
            };
            ("labels", value)
        }));
        values
    }
}

/// The sizes of one image in an input whose dimensions are `wanted`, where the data has `found`.
fn image_dims(wanted: &[Dim], found: &[usize]) -> Option<Vec<usize>> {
    let known: Option<Vec<usize>> = wanted.iter().map(|dim| dim.known()).collect();
    match known {
        Some(known) => is_like(&known, found).then_some(known),
        None => {
            let fits = |(wanted, found): (&Dim, &usize)| {
                wanted.known().is_none_or(|known| known == *found)
            };
            let is_like = wanted.len() == found.len() && wanted.iter().zip(found).all(fits);
            is_like.then(|| found.to_vec())
        }
    }
}
