//! Weighted sums of all inputs.

use abeyance_graph::{Dimensions, Float, Init, Tensor, dims, glorot_uniform, zeros};
use abeyance_ir::Dim;

use crate::mistake::{invalid, is_told, reject};
use crate::sizes::product;

/// A layer of `units` neurons, each a weighted sum of all inputs: `[.., in]` to `[.., units]`,
/// TensorFlow's `tf.layers.dense`.
///
/// ```text
/// x · kernel + bias        kernel: [in, units], bias: [units]
/// ```
///
/// The kernel starts as `kernel` says, which is handed its shape:
/// [`he_normal`](abeyance_graph::he_normal), [`zeros`],
/// `|shape| truncated_normal(shape, 0.0, 0.1)`. The bias starts at 0. [`Dense`] has a name and
/// other biases too.
///
/// It is a mistake if `x` has no dimensions, or the size of its last is not known.
///
/// ```
/// use abeyance_graph::{dims, he_normal, Graph};
/// use abeyance_layers::dense;
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 784]);
/// let h = dense(x, 200, he_normal).relu();
/// assert_eq!(h.to_string(), "relu : f32[N, 200]");
/// ```
#[track_caller]
pub fn dense<'g, T: Float>(
    x: Tensor<'g, T>,
    units: usize,
    kernel: impl FnOnce(Dimensions) -> Init<T>,
) -> Tensor<'g, T> {
    let _call = x.graph().call("dense");
    append("dense", x, units, kernel, Some(zeros))
}

/// A first value that waits for its shape.
pub(crate) type Initial<'a, T> = Box<dyn FnOnce(Dimensions) -> Init<T> + 'a>;

/// A [`dense`] layer with all there is to choose.
///
/// ```
/// use abeyance_graph::{dims, fill, he_normal, Graph};
/// use abeyance_layers::Dense;
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 784]);
/// let layer = Dense::new(200)
///     .name("hidden")
///     .kernel(he_normal)
///     .bias(|shape| fill(shape, 0.1));
/// let h = layer.apply(x).relu();
/// assert!(g.tensor::<f32>("hidden/bias").is_ok());
/// # let _ = h;
/// # g.check().unwrap();
/// ```
pub struct Dense<'a, T> {
    units: usize,
    name: &'a str,
    kernel: Initial<'a, T>,
    bias: Option<Initial<'a, T>>,
}

impl<'a, T: Float> Dense<'a, T> {
    /// So many neurons; the kernel starts as [`glorot_uniform`] has it, TensorFlow's default, the
    /// bias at 0.
    pub fn new(units: usize) -> Self {
        Self { units, name: "dense", kernel: Box::new(glorot_uniform), bias: Some(Box::new(zeros)) }
    }

    /// Sets the scope of what the layer appends. The default is `dense`, with `_1`, `_2`, ... where
    /// that is taken.
    pub fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Sets the first value of the kernel, `[in, units]`. The default is `glorot_uniform`.
    pub fn kernel(mut self, initial: impl FnOnce(Dimensions) -> Init<T> + 'a) -> Self {
        self.kernel = Box::new(initial);
        self
    }

    /// Sets the first value of the bias, `[units]`. The default is `zeros`.
    pub fn bias(mut self, initial: impl FnOnce(Dimensions) -> Init<T> + 'a) -> Self {
        self.bias = Some(Box::new(initial));
        self
    }

    /// Leaves the bias out.
    pub fn without_bias(mut self) -> Self {
        self.bias = None;
        self
    }

    /// Appends the layer: see [`dense`].
    #[track_caller]
    pub fn apply<'g>(self, x: Tensor<'g, T>) -> Tensor<'g, T> {
        let _call = x.graph().call("Dense");
        append(self.name, x, self.units, self.kernel, self.bias)
    }
}

impl<T> std::fmt::Debug for Dense<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dense")
            .field("name", &self.name)
            .field("units", &self.units)
            .field("bias", &self.bias.is_some())
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn append<'g, T: Float>(
    name: &str,
    x: Tensor<'g, T>,
    units: usize,
    kernel: impl FnOnce(Dimensions) -> Init<T>,
    bias: Option<impl FnOnce(Dimensions) -> Init<T>>,
) -> Tensor<'g, T> {
    let graph = x.graph();
    if is_told(x) {
        return invalid(x);
    }
    let shape = x.shape();
    let Some((&last, rest)) = shape.split_last() else {
        return reject(
            x,
            format!("`{x}` has no dimension to take weighted sums over"),
            "a layer takes a batch of vectors: `[N, inputs]`",
        );
    };
    let Some(inputs) = last.known() else {
        return reject(
            x,
            format!(
                "the last dimension of `{x}` has to be known, since the kernel has as many rows"
            ),
            "give it a number where the tensor is made, or reshape: `x.reshape(dims![_, 784])`",
        );
    };
    graph.within(name, || {
        let kernel = graph.variable("kernel", kernel(dims![inputs, units]));
        let bias = bias.map(|bias| graph.variable("bias", bias(dims![units])));
        let rows = match rest.len() {
            1 => x,
            _ => x.reshape(dims![product(rest), inputs]),
        };
        let sums = rows.matmul(kernel);
        let sums = match bias {
            Some(bias) => sums + bias,
            None => sums,
        };
        match rest.len() {
            1 => sums,
            _ => {
                let sizes = rest.iter().copied().chain([Dim::Known(units)]);
                sums.reshape(sizes.collect::<Dimensions>())
            }
        }
    })
}
