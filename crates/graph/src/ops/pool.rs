//! Pools of images: the largest or the mean element of windows, and the operators that their
//! gradients are made of.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Differentiability, Dim, Domain, Fault, Inference,
    Lowered, Lowering, OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting, Type,
    attributes,
};
use abeyance_kernels::pool::{Operation, Pool as Plan};

use super::spatial::{Pair, Windows, padding, pair};
use super::with_float;
use crate::{Expr, Float, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] =
    &[&MaxPool, &MaxPoolScatter, &MaxPoolGather, &AvgPool, &AvgPoolSpread];

/// Windows that slide over images: their size, strides and padding, each a number for rows and
/// columns alike or `[rows, columns]`. The stride is the window's size unless said otherwise, so
/// that windows lie side by side.
///
/// ```
/// use abeyance_graph::{dims, Graph, PoolOptions};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 28, 28, 4]);
/// assert_eq!(x.max_pool(PoolOptions::same(2)).to_string(), "max_pool : f32[N, 14, 14, 4]");
/// let y = x.avg_pool(PoolOptions::valid([3, 2]).stride(1));
/// assert_eq!(y.to_string(), "avg_pool : f32[N, 26, 27, 4]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    window: Pair,
    strides: Pair,
    same: bool,
}

impl PoolOptions {
    /// Windows that may reach over the borders, where there is nothing: `⌈H / stride⌉` rows and
    /// `⌈W / stride⌉` columns of them, as with [`ConvOptions::same`](crate::ConvOptions::same).
    pub fn same(window: impl Into<Pair>) -> Self {
        let window = window.into();
        Self { window, strides: window, same: true }
    }

    /// Windows within the images: `⌊(H - h) / stride⌋ + 1` rows and `⌊(W - w) / stride⌋ + 1`
    /// columns of them.
    pub fn valid(window: impl Into<Pair>) -> Self {
        Self { same: false, ..Self::same(window) }
    }

    /// How far it is from one window to the next.
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Self { strides: stride.into(), ..self }
    }

    fn attributes(self) -> PoolAttributes {
        PoolAttributes {
            window: self.window.integers(),
            strides: self.strides.integers(),
            same: self.same,
        }
    }
}

attributes! {
    /// The windows of a pool of images.
    pub struct PoolAttributes {
        /// Rows and columns of a window, each at least 1.
        window: Integers,
        /// Rows and columns from one window to the next, each at least 1.
        strides: Integers,
        /// True if windows may reach over the borders: SAME padding, else VALID.
        same: bool = false,
    }
}

attributes! {
    /// The windows of a pool of images, and the images' shape.
    pub struct AvgPoolSpreadAttributes {
        ..pool: PoolAttributes,
        /// Shape of the images, which is the result's.
        shape: Shape,
    }
}

const IMAGES: OperandSpec = OperandSpec::new("x", DTypes::FLOAT);
const COTANGENT: OperandSpec = OperandSpec::new("cotangent", DTypes::FLOAT);

/// How windows slide, and their size.
fn windows(attributes: &PoolAttributes) -> Result<(Windows, [usize; 2]), Fault> {
    let window = pair("window", &attributes.window)?;
    let windows = Windows {
        strides: pair("strides", &attributes.strides)?,
        dilations: [1; 2],
        padding: padding(attributes.same),
    };
    Ok((windows, window))
}

/// The shape of a pool of images, `None` for what is known only when the graph runs.
fn pooled(
    cx: &Inference<'_>,
    attributes: &PoolAttributes,
    x: &[Dim],
) -> Result<[Option<Dim>; 4], Fault> {
    let &[images, height, width, channels] = x else {
        return Err(Fault::new(format!(
            "images need four dimensions, [N, H, W, C], and these are of shape {}",
            cx.display(x)
        )));
    };
    let (windows, [h, w]) = windows(attributes)?;
    Ok([
        Some(images),
        windows.places(0, height, Dim::Known(h))?,
        windows.places(1, width, Dim::Known(w))?,
        Some(channels),
    ])
}

/// Checks that a cotangent has the shape of a pool of images.
fn belongs(
    cx: &mut Inference<'_>,
    attributes: &PoolAttributes,
    x: &[Dim],
    y: &[Dim],
) -> Result<(), Fault> {
    let expected = pooled(cx, attributes, x)?;
    let fits = y.len() == 4
        && expected
            .iter()
            .zip(y)
            .all(|(expected, &dim)| expected.is_none_or(|e| cx.unify(e, dim).is_some()));
    if fits {
        Ok(())
    } else {
        Err(Fault::new(format!(
            "a cotangent of shape {} is not that of a pool of images of shape {}",
            cx.display(y),
            cx.display(x)
        )))
    }
}

/// The shape of a pool of the first operand.
fn infer_pooled(cx: &mut Inference<'_>) -> Result<Type, Fault> {
    let x = cx.shape(0);
    let shape = pooled(cx, &cx.attributes(), &x)?;
    let shape = shape.map(|dim| dim.unwrap_or_else(|| cx.derived()));
    cx.tensor(cx.dtype(0), Shape::from_slice(&shape))
}

/// The pool of images of known sizes.
fn plan(attributes: &PoolAttributes, x: &[usize]) -> Result<Plan, Fault> {
    let (windows, [h, w]) = windows(attributes)?;
    match *x {
        [images, height, width, channels] => Ok(Plan {
            images,
            rows: windows.sliding(0, height, h)?,
            columns: windows.sliding(1, width, w)?,
            channels,
        }),
        _ => Err(Fault::new("images need four dimensions")),
    }
}

/// Windows are of one image and of one channel.
fn apart(cx: &Splitting<'_>) -> Split {
    cx.apart_from(|axis| axis == 1 || axis == 2)
}

/// The largest element of each window, NaN if there is one: TensorFlow's `tf.nn.max_pool`.
/// Gradient: [`MaxPoolScatter`], the cotangent for the first of the largest.
pub struct MaxPool;

impl Operator for MaxPool {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("max_pool", "the largest element of windows", &[IMAGES])
                .attributes(PoolAttributes::SPECS)
                .differentiability(Differentiability::Piecewise)
                .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        infer_pooled(cx)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let operands = [cx.operand(0), cx.cotangent()];
        let attributes: PoolAttributes = cx.attributes();
        Ok(cx.only(operands[0].apply_to(&MaxPoolScatter, &operands, attributes)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let plan = plan(&cx.attributes(), cx.operands[0].dims)?;
        with_float!(cx.result.dtype, T => Ok(plan.kernel::<T>(Operation::Max).into()))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        apart(cx)
    }

    fn samples(&self) -> Vec<Sample> {
        samples(Domain::Distinct)
    }
}

/// Zeros in the images' shape to which each window's cotangent is added where the first of its
/// largest elements is: the gradient of [`MaxPool`]. Linear in the cotangent. Gradient:
/// [`MaxPoolGather`], and 0 with respect to the images.
pub struct MaxPoolScatter;

impl Operator for MaxPoolScatter {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "max_pool_scatter",
                "cotangents of windows, added where their largest elements are",
                &[IMAGES, COTANGENT],
            )
            .attributes(PoolAttributes::SPECS)
            .differentiability(Differentiability::Piecewise)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (x, y) = (cx.shape(0), cx.shape(1));
        belongs(cx, &cx.attributes(), &x, &y)?;
        let x = cx.shape(0);
        cx.tensor(cx.dtype(0), x)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (x, wanted) = (cx.operand(0), cx.cotangent());
        let attributes: PoolAttributes = cx.attributes();
        Ok(cx.each_wanted(|index| {
            if index == 0 {
                x.fill_like(0.0)
            } else {
                x.apply_to(&MaxPoolGather, &[x, wanted], attributes.clone())
            }
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let plan = plan(&cx.attributes(), cx.operands[0].dims)?;
        with_float!(cx.result.dtype, T => Ok(plan.kernel::<T>(Operation::ScatterMax).into()))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        apart(cx)
    }

    fn samples(&self) -> Vec<Sample> {
        let with_cotangent = |sample: Sample| {
            let y = sample_result(&sample);
            sample.float(&y, Domain::Between(-2.0, 2.0))
        };
        samples(Domain::Distinct).into_iter().map(with_cotangent).collect()
    }
}

/// The elements of `y`, in the images' shape, where the first of each window's largest elements of
/// `x` is: the gradient of [`MaxPoolScatter`] with respect to the cotangent. Linear in `y`.
/// Gradient: [`MaxPoolScatter`], and 0 with respect to the images.
pub struct MaxPoolGather;

impl Operator for MaxPoolGather {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[IMAGES, OperandSpec::new("y", DTypes::FLOAT)];
        const {
            &Signature::new(
                "max_pool_gather",
                "elements of y where the largest elements of windows of x are",
                OPERANDS,
            )
            .attributes(PoolAttributes::SPECS)
            .differentiability(Differentiability::Piecewise)
            .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (x, y) = (cx.shape(0), cx.shape(1));
        cx.same_shape(&x, &y)?;
        infer_pooled(cx)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (x, y) = (cx.operand(0), cx.cotangent());
        let attributes: PoolAttributes = cx.attributes();
        Ok(cx.each_wanted(|index| {
            if index == 0 {
                x.fill_like(0.0)
            } else {
                x.apply_to(&MaxPoolScatter, &[x, y], attributes.clone())
            }
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let plan = plan(&cx.attributes(), cx.operands[0].dims)?;
        with_float!(cx.result.dtype, T => Ok(plan.kernel::<T>(Operation::GatherMax).into()))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        apart(cx)
    }

    fn samples(&self) -> Vec<Sample> {
        let with_values = |sample: Sample| {
            let x = sample.operands[0].dims.clone();
            sample.float(&x, Domain::Between(-2.0, 2.0))
        };
        samples(Domain::Distinct).into_iter().map(with_values).collect()
    }
}

/// The mean element of each window, padding left out: TensorFlow's `tf.nn.avg_pool`. Gradient:
/// [`AvgPoolSpread`].
pub struct AvgPool;

impl Operator for AvgPool {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("avg_pool", "the mean element of windows", &[IMAGES])
                .attributes(PoolAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        infer_pooled(cx)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let shape = cx.operand(0).shape();
        let attributes = AvgPoolSpreadAttributes { pool: cx.attributes(), shape };
        Ok(cx.only(cx.cotangent().apply(&AvgPoolSpread, attributes)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let plan = plan(&cx.attributes(), cx.operands[0].dims)?;
        with_float!(cx.result.dtype, T => Ok(plan.kernel::<T>(Operation::Mean).into()))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        apart(cx)
    }

    fn samples(&self) -> Vec<Sample> {
        samples(Domain::Between(-2.0, 2.0))
    }
}

/// Each window's cotangent, divided evenly among its elements and added up in the images' shape:
/// the gradient of [`AvgPool`]. Gradient: [`AvgPool`].
pub struct AvgPoolSpread;

impl Operator for AvgPoolSpread {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "avg_pool_spread",
                "cotangents of windows, divided evenly among their elements",
                &[COTANGENT],
            )
            .attributes(AvgPoolSpreadAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let AvgPoolSpreadAttributes { pool, shape: x } = cx.attributes();
        let y = cx.shape(0);
        belongs(cx, &pool, &x, &y)?;
        cx.tensor(cx.dtype(0), x)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let AvgPoolSpreadAttributes { pool, .. } = cx.attributes();
        Ok(cx.only(cx.cotangent().apply(&AvgPool, pool)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let AvgPoolSpreadAttributes { pool, .. } = cx.attributes();
        let plan = plan(&pool, cx.result.dims)?;
        with_float!(cx.result.dtype, T => Ok(plan.kernel::<T>(Operation::SpreadMean).into()))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        apart(cx)
    }

    fn samples(&self) -> Vec<Sample> {
        let spread = |sample: Sample| {
            let y = sample_result(&sample);
            let shape = sample.operands[0].dims.iter().map(|&dim| dim.into()).collect();
            let attributes = AvgPoolSpreadAttributes { pool: sample.attributes.read(), shape };
            Sample::new(attributes).float(&y, Domain::Between(-2.0, 2.0))
        };
        samples(Domain::Distinct).into_iter().map(spread).collect()
    }
}

/// Samples of pools of images with elements from a domain.
fn samples(domain: Domain) -> Vec<Sample> {
    let cases: [(&[usize], PoolOptions); 9] = [
        (&[1, 1, 1, 1], PoolOptions::same(1)),
        (&[2, 4, 4, 3], PoolOptions::same(2)),
        (&[1, 5, 3, 2], PoolOptions::same(2)),
        (&[1, 5, 6, 1], PoolOptions::same([3, 4]).stride([2, 1])),
        (&[1, 6, 5, 2], PoolOptions::valid(3).stride(2)),
        (&[1, 7, 4, 1], PoolOptions::valid([2, 1]).stride([3, 2])),
        (&[0, 4, 4, 2], PoolOptions::same(2)),
        (&[1, 4, 4, 0], PoolOptions::valid(2)),
        (&[2, 0, 3, 1], PoolOptions::same(2)),
    ];
    cases
        .into_iter()
        .map(|(x, pool)| Sample::new(pool.attributes()).float(x, domain.clone()))
        .collect()
}

/// The sizes of a sample's pool.
fn sample_result(sample: &Sample) -> Vec<usize> {
    match plan(&sample.attributes.read(), &sample.operands[0].dims) {
        Ok(plan) => vec![plan.images, plan.rows.output, plan.columns.output, plan.channels],
        Err(_) => Vec::new(),
    }
}

impl<'g> Expr<'g> {
    /// The largest element of each window of images.
    pub fn max_pool(self, pool: PoolOptions) -> Self {
        self.apply(&MaxPool, pool.attributes())
    }

    /// The mean element of each window of images.
    pub fn avg_pool(self, pool: PoolOptions) -> Self {
        self.apply(&AvgPool, pool.attributes())
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// The largest element of each window of images `[N, H, W, C]`, channel by channel:
    /// `[N, H', W', C]`. NaN if there is one in the window. Gradient: the cotangent for the first
    /// of the largest in row-major order. TensorFlow's `tf.nn.max_pool`.
    ///
    /// It is a mistake if a window's size or stride is 0, or if it is larger than images without
    /// padding.
    #[track_caller]
    pub fn max_pool(self, pool: PoolOptions) -> Tensor<'g, T> {
        self.map(|x| x.max_pool(pool))
    }

    /// The mean element of each window of images `[N, H, W, C]`, channel by channel:
    /// `[N, H', W', C]`. What lies beyond the borders is not counted. Gradient: the cotangent
    /// divided evenly among the window's elements. TensorFlow's `tf.nn.avg_pool`.
    ///
    /// It is a mistake if a window's size or stride is 0, or if it is larger than images without
    /// padding.
    #[track_caller]
    pub fn avg_pool(self, pool: PoolOptions) -> Tensor<'g, T> {
        self.map(|x| x.avg_pool(pool))
    }

    /// The largest element of each channel of images `[N, H, W, C]`: `[N, C]`, a
    /// [`reduce_max`](Tensor::reduce_max) over rows and columns, so the gradient is shared among
    /// ties.
    #[track_caller]
    pub fn global_max_pool(self) -> Tensor<'g, T> {
        let _call = self.graph().call("global_max_pool");
        if self.is_no_image() { self.no_images("global_max_pool") } else { self.reduce_max([1, 2]) }
    }

    /// The mean element of each channel of images `[N, H, W, C]`: `[N, C]`, a
    /// [`reduce_mean`](Tensor::reduce_mean) over rows and columns.
    #[track_caller]
    pub fn global_avg_pool(self) -> Tensor<'g, T> {
        let _call = self.graph().call("global_avg_pool");
        if self.is_no_image() {
            self.no_images("global_avg_pool")
        } else {
            self.reduce_mean([1, 2])
        }
    }

    /// True if it has other dimensions than images, and is not already a mistake.
    fn is_no_image(self) -> bool {
        let shape = self.graph().ir().shape(self.id());
        shape.is_some_and(|shape| shape.len() != 4)
    }

    #[track_caller]
    fn no_images(self, of: &str) -> Tensor<'g, T> {
        self.fault(Fault::new(format!(
            "{of}: images need four dimensions, [N, H, W, C], and `{self}` has others"
        )))
    }
}
