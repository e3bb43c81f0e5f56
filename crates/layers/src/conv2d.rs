//! Convolutions of images: filters that move over them.

use abeyance_graph::{
    ConvOptions, Dimensions, Float, Init, Pair, Tensor, dims, glorot_uniform, zeros,
};

use crate::dense::Initial;
use crate::mistake::{invalid, is_told, reject};

/// A layer of `filters` filters of this window, `[h, w]` or one number for both: images
/// `[N, H, W, C]` to `[N, H', W', filters]`, TensorFlow's `tf.layers.conv2d`. How the filters move,
/// [`ConvOptions`] says.
///
/// ```text
/// conv2d(x, kernel) + bias        kernel: [h, w, C / groups, filters], bias: [filters]
/// ```
///
/// The kernel starts as `kernel` says, which is handed its shape; the bias starts at 0. [`Conv2d`]
/// has a name and other biases too.
///
/// It is a mistake if `x` has not four dimensions, or the number of its channels is not known.
///
/// ```
/// use abeyance_graph::{dims, he_normal, ConvOptions, Graph};
/// use abeyance_layers::conv2d;
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
/// let h = conv2d(x, 12, 5, ConvOptions::same().stride(2), he_normal).relu();
/// assert_eq!(h.to_string(), "relu : f32[N, 14, 14, 12]");
/// # g.check().unwrap();
/// ```
#[track_caller]
pub fn conv2d<'g, T: Float>(
    x: Tensor<'g, T>,
    filters: usize,
    window: impl Into<Pair>,
    options: ConvOptions,
    kernel: impl FnOnce(Dimensions) -> Init<T>,
) -> Tensor<'g, T> {
    let _call = x.graph().call("conv2d");
    append("conv2d", x, (filters, window.into()), options, kernel, Some(zeros))
}

/// A [`conv2d`] layer with all there is to choose.
///
/// ```
/// use abeyance_graph::{dims, fill, he_normal, ConvOptions, Graph};
/// use abeyance_layers::Conv2d;
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
/// let layer = Conv2d::new(12, [5, 5])
///     .name("edges")
///     .options(ConvOptions::valid())
///     .kernel(he_normal)
///     .bias(|shape| fill(shape, 0.1));
/// let h = layer.apply(x).relu();
/// assert!(g.tensor::<f32>("edges/kernel").is_ok());
/// # let _ = h;
/// # g.check().unwrap();
/// ```
pub struct Conv2d<'a, T> {
    filters: usize,
    window: Pair,
    options: ConvOptions,
    name: &'a str,
    kernel: Initial<'a, T>,
    bias: Option<Initial<'a, T>>,
}

impl<'a, T: Float> Conv2d<'a, T> {
    /// So many filters of this window, with [SAME](ConvOptions::same) padding; the kernel starts as
    /// [`glorot_uniform`] has it, TensorFlow's default, the bias at 0.
    pub fn new(filters: usize, window: impl Into<Pair>) -> Self {
        Self {
            filters,
            window: window.into(),
            options: ConvOptions::same(),
            name: "conv2d",
            kernel: Box::new(glorot_uniform),
            bias: Some(Box::new(zeros)),
        }
    }

    /// Sets the scope of what the layer appends. The default is `conv2d`, with `_1`, `_2`, ...
    /// where that is taken.
    pub fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// How the filters move: padding, strides, dilations, groups.
    pub fn options(mut self, options: ConvOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets the first value of the kernel, `[h, w, C / groups, filters]`. The default is
    /// `glorot_uniform`.
    pub fn kernel(mut self, initial: impl FnOnce(Dimensions) -> Init<T> + 'a) -> Self {
        self.kernel = Box::new(initial);
        self
    }

    /// Sets the first value of the bias, `[filters]`. The default is `zeros`.
    pub fn bias(mut self, initial: impl FnOnce(Dimensions) -> Init<T> + 'a) -> Self {
        self.bias = Some(Box::new(initial));
        self
    }

    /// Leaves the bias out.
    pub fn without_bias(mut self) -> Self {
        self.bias = None;
        self
    }

    /// Appends the layer: see [`conv2d`].
    #[track_caller]
    pub fn apply<'g>(self, x: Tensor<'g, T>) -> Tensor<'g, T> {
        let _call = x.graph().call("Conv2d");
        let sizes = (self.filters, self.window);
        append(self.name, x, sizes, self.options, self.kernel, self.bias)
    }
}

impl<T> std::fmt::Debug for Conv2d<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conv2d")
            .field("name", &self.name)
            .field("filters", &self.filters)
            .field("window", &self.window.0)
            .field("options", &self.options)
            .field("bias", &self.bias.is_some())
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn append<'g, T: Float>(
    name: &str,
    x: Tensor<'g, T>,
    (filters, Pair([rows, columns])): (usize, Pair),
    options: ConvOptions,
    kernel: impl FnOnce(Dimensions) -> Init<T>,
    bias: Option<impl FnOnce(Dimensions) -> Init<T>>,
) -> Tensor<'g, T> {
    if is_told(x) {
        return invalid(x);
    }
    let &[_, _, _, channels] = &x.shape()[..] else {
        return reject(
            x,
            format!("`{x}` is not a batch of images"),
            "a convolution takes `[N, height, width, channels]`",
        );
    };
    let Some(channels) = channels.known() else {
        return reject(
            x,
            format!("the number of channels, the last dimension of `{x}`, has to be known"),
            "give it a number where the tensor is made, or reshape",
        );
    };
    // Groups that do not divide the channels are the operator's to refuse.
    let depth = channels.checked_div(options.group_count()).unwrap_or(channels);
    x.graph().within(name, || {
        let graph = x.graph();
        let kernel = graph.variable("kernel", kernel(dims![rows, columns, depth, filters]));
        let bias = bias.map(|bias| graph.variable("bias", bias(dims![filters])));
        let sums = x.conv2d(kernel, options);
        match bias {
            Some(bias) => sums + bias,
            None => sums,
        }
    })
}
