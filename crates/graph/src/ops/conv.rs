//! Convolutions of images: `conv2d` and the two operators that its gradients are made of.
//!
//! All three are the bilinear form
//! `Σ x[n, i·s + p·d - before, j·s + q·d - before, c] · w[p, q, c, f] · y[n, i, j, f]` with one of
//! the factors left out, so the gradients of each are the other two, and derivatives of any order
//! stay within the three.
//!
//! Long because the three operators share their windows, checks, gradient rules and samples.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Dim, Domain, Fault, Inference, Layout,
    LayoutRule, Lowered, Lowering, OperandSpec, Operator, Sample, Shape, Signature, Split,
    Splitting, Type, attributes,
};
use abeyance_kernels::conv::{Convolution, Propagation};

use super::spatial::{Pair, Windows, integer, padding, pair};
use super::with_float;
use crate::{Dimensions, Expr, Float, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Conv2d, &Conv2dBackpropInput, &Conv2dBackpropFilter];

/// Options of a convolution: padding, strides, dilations, groups. Strides and dilations are a
/// number for rows and columns alike, or `[rows, columns]`. The defaults are strides and dilations
/// of 1, and one group.
///
/// ```
/// use abeyance_graph::{dims, truncated_normal, ConvOptions, Graph};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
/// let w = g.variable("w", truncated_normal(dims![5, 5, 1, 4], 0.0, 0.1));
/// let y = x.conv2d(w, ConvOptions::same().stride(2)).relu();
/// assert_eq!(y.to_string(), "relu : f32[N, 14, 14, 4]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    same: bool,
    strides: Pair,
    dilations: Pair,
    groups: usize,
}

impl ConvOptions {
    /// SAME padding: zeros around the images, so many that the result has `⌈H / stride⌉` rows and
    /// `⌈W / stride⌉` columns; where their number is odd one more is put at the end. TensorFlow's
    /// `padding="SAME"`.
    pub const fn same() -> Self {
        Self { same: true, strides: Pair([1; 2]), dilations: Pair([1; 2]), groups: 1 }
    }

    /// VALID padding: none. The filter stays within the images, and the result has
    /// `⌊(H - extent) / stride⌋ + 1` rows, where the filter's extent is `(h - 1) · dilation + 1`,
    /// and as many columns. TensorFlow's `padding="VALID"`.
    pub const fn valid() -> Self {
        Self { same: false, ..Self::same() }
    }

    /// Sets the distance of the filter's places in the images, in rows and columns. The default is
    /// 1.
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Self { strides: stride.into(), ..self }
    }

    /// Sets the distance of the filter's elements in the images, in rows and columns. The default
    /// is 1.
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        Self { dilations: dilation.into(), ..self }
    }

    /// Sets the number of groups into which the channels are divided: a filter sees the channels of
    /// its own group only. The default is 1.
    pub const fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// The number of groups into which the channels are divided.
    pub const fn group_count(self) -> usize {
        self.groups
    }

    fn attributes(self) -> Conv2dAttributes {
        Conv2dAttributes {
            strides: self.strides.integers(),
            dilations: self.dilations.integers(),
            groups: integer(self.groups),
            same: self.same,
        }
    }
}

attributes! {
    /// The attributes of a convolution.
    pub struct Conv2dAttributes {
        /// Rows and columns from one place of the filter to the next, each at least 1.
        strides: Integers = [1, 1],
        /// Rows and columns of the images between neighbours in the filter, each at least 1.
        dilations: Integers = [1, 1],
        /// Number of groups, at least 1, into which the channels are divided.
        groups: i64 = 1,
        /// True if zeros stand around the images: SAME padding, else VALID.
        same: bool = false,
    }
}

attributes! {
    /// The attributes of a convolution's gradients: those of the convolution, and the shape of the
    /// factor that is computed.
    pub struct Conv2dBackpropAttributes {
        ..conv: Conv2dAttributes,
        /// Shape of the result, images or a filter; an empty one of images is the least that fits.
        shape: Shape,
    }
}

const IMAGES: OperandSpec = OperandSpec::new("x", DTypes::FLOAT);
const FILTER: OperandSpec = OperandSpec::new("filter", DTypes::FLOAT);
const COTANGENT: OperandSpec = OperandSpec::new("cotangent", DTypes::FLOAT);

fn windows(attributes: &Conv2dAttributes) -> Result<Windows, Fault> {
    Ok(Windows {
        strides: pair("strides", &attributes.strides)?,
        dilations: pair("dilations", &attributes.dilations)?,
        padding: padding(attributes.same),
    })
}

fn groups(attributes: &Conv2dAttributes) -> Result<usize, Fault> {
    let groups = attributes.groups;
    match usize::try_from(groups) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(Fault::new(format!("groups = {groups}: there must be at least 1"))),
    }
}

/// Checks images against a filter, and gives the result's shape, `None` for what is known only when
/// the graph runs.
fn convolve(
    cx: &mut Inference<'_>,
    attributes: &Conv2dAttributes,
    x: &[Dim],
    w: &[Dim],
) -> Result<[Option<Dim>; 4], Fault> {
    let (&[images, height, width, channels], &[h, w_, depth, filters]) = (x, w) else {
        return Err(Fault::new(format!(
            "images of shape {} and a filter of shape {}: both need four dimensions, [N, H, W, C] and [h, w, C / groups, F]",
            cx.display(x),
            cx.display(w)
        )));
    };
    let windows = windows(attributes)?;
    let groups = groups(attributes)?;
    for (what, dim) in [("channels", channels), ("filters", filters)] {
        if let Dim::Known(size) = dim
            && size % groups != 0
        {
            return Err(Fault::new(format!(
                "images of shape {} and a filter of shape {}: {size} {what} cannot be divided evenly into {groups} groups",
                cx.display(x),
                cx.display(w)
            )));
        }
    }
    let fit = match (channels, depth) {
        (Dim::Known(channels), _) => cx.unify(depth, Dim::Known(channels / groups)).is_some(),
        (_, Dim::Known(depth)) => match depth.checked_mul(groups) {
            Some(all) => cx.unify(channels, Dim::Known(all)).is_some(),
            None => false,
        },
        _ if groups == 1 => cx.unify(channels, depth).is_some(),
        _ => true,
    };
    if !fit {
        let shown = |dim| cx.display(&[dim]).trim_matches(['[', ']']).to_owned();
        let each = match groups {
            1 => String::new(),
            _ => format!(" in each of {groups} groups"),
        };
        return Err(Fault::new(format!(
            "images of shape {} have {} channels, and a filter of shape {} takes {}{each}",
            cx.display(x),
            shown(channels),
            cx.display(w),
            shown(depth)
        ))
        .help("images are [N, H, W, C] and filters [h, w, C / groups, F]"));
    }
    Ok([Some(images), windows.places(0, height, h)?, windows.places(1, width, w_)?, Some(filters)])
}

/// Checks that a result's cotangent has the shape that images and a filter give.
fn belongs(
    cx: &mut Inference<'_>,
    attributes: &Conv2dAttributes,
    x: &[Dim],
    w: &[Dim],
    y: &[Dim],
) -> Result<(), Fault> {
    let expected = convolve(cx, attributes, x, w)?;
    let fits = y.len() == 4
        && expected
            .iter()
            .zip(y)
            .all(|(expected, &dim)| expected.is_none_or(|e| cx.unify(e, dim).is_some()));
    match fits {
        true => Ok(()),
        false => {
            let open = |axis: usize| y.get(axis).copied().unwrap_or(Dim::Known(0));
            let expected: Shape = (0..4).map(|i| expected[i].unwrap_or(open(i))).collect();
            Err(Fault::new(format!(
                "a cotangent of shape {} is not that of images of shape {} and a filter of shape {}, which give {}",
                cx.display(y),
                cx.display(x),
                cx.display(w),
                cx.display(&expected)
            )))
        }
    }
}

/// The convolution of known sizes.
fn convolution(
    attributes: &Conv2dAttributes,
    x: &[usize],
    w: &[usize],
) -> Result<Convolution, Fault> {
    let windows = windows(attributes)?;
    match (x, w) {
        (&[images, height, width, channels], &[h, w, _, filters]) => Ok(Convolution {
            images,
            rows: windows.sliding(0, height, h)?,
            columns: windows.sliding(1, width, w)?,
            channels,
            filters,
            groups: groups(attributes)?,
        }),
        _ => Err(Fault::new("images and filters need four dimensions")),
    }
}

/// The layouts of images of one of the three operators: `Nhwc16n` where it computes in blocks
/// anyway.
fn layouts(
    conv: Result<Convolution, Fault>,
    operands: [Layout; 2],
    result: Layout,
) -> Vec<LayoutRule> {
    match conv {
        Ok(conv) if conv.prefers_blocks() => vec![LayoutRule::new(&operands, result)],
        // An error is told where the operator is lowered.
        _ => Vec::new(),
    }
}

/// The convolution of images `[N, H, W, C]` with a filter `[h, w, C / groups, F]`:
/// `y[n, i, j, f] = Σ x[n, i·s + p·d - before, j·s + q·d - before, c] · w[p, q, c, f]`, zeros
/// beyond the borders. The filter is not turned round, as in TensorFlow's `tf.nn.conv2d`.
/// Gradients: [`Conv2dBackpropInput`] and [`Conv2dBackpropFilter`].
pub struct Conv2d;

impl Operator for Conv2d {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "conv2d",
                "images under a filter that slides over them",
                &[IMAGES, FILTER],
            )
            .attributes(Conv2dAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (x, w) = (cx.shape(0), cx.shape(1));
        let shape = convolve(cx, &cx.attributes(), &x, &w)?;
        let shape = shape.map(|dim| dim.unwrap_or_else(|| cx.derived()));
        cx.tensor(cx.dtype(0), Shape::from_slice(&shape))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (x, w, y) = (cx.operand(0), cx.operand(1), cx.cotangent());
        let conv: Conv2dAttributes = cx.attributes();
        Ok(cx.each_wanted(|index| {
            if index == 0 { for_images(&conv, w, y, x) } else { for_filter(&conv, x, y, w) }
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let conv = convolution(&cx.attributes(), cx.operands[0].dims, cx.operands[1].dims)?;
        with_float!(cx.result.dtype, T => Ok(conv.kernel::<T>(Propagation::Forward, cx.result.layout).into()))
    }

    fn layouts(&self, cx: &Lowering<'_>) -> Vec<LayoutRule> {
        let conv = convolution(&cx.attributes(), cx.operands[0].dims, cx.operands[1].dims);
        layouts(conv, [Layout::Nhwc16n, Layout::RowMajor], Layout::Nhwc16n)
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        match (cx.axis(0), cx.axis(1)) {
            (Some(0), None) => cx.along(0),
            _ => Split::Mixed,
        }
    }

    fn samples(&self) -> Vec<Sample> {
        let cases = CASES.iter().map(|case| {
            Sample::new(case.options().attributes()).float(case.x, USUAL).float(case.w, USUAL)
        });
        cases.collect()
    }
}

/// The gradient of [`Conv2d`] with respect to the images: the factor x of the bilinear form.
/// TensorFlow's `conv2d_backprop_input` and `conv2d_transpose`. `shape` is the images'; if it is
/// empty the smallest images are meant that give the cotangent's rows and columns at this stride.
/// Gradients: [`Conv2dBackpropFilter`] and [`Conv2d`].
pub struct Conv2dBackpropInput;

impl Operator for Conv2dBackpropInput {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "conv2d_backprop_input",
                "the images' cotangent from that of their convolution; a transposed convolution",
                &[FILTER, COTANGENT],
            )
            .attributes(Conv2dBackpropAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (w, y) = (cx.shape(0), cx.shape(1));
        let Conv2dBackpropAttributes { conv, shape: mut x } = cx.attributes();
        if x.is_empty() {
            x = transposed(cx, &conv, &w, &y)?;
        }
        belongs(cx, &conv, &x, &w, &y)?;
        let x = x.iter().map(|&dim| cx.resolve(dim)).collect();
        cx.tensor(cx.dtype(0), x)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (w, y, x) = (cx.operand(0), cx.operand(1), cx.cotangent());
        let Conv2dBackpropAttributes { conv, .. } = cx.attributes();
        Ok(cx.each_wanted(|index| {
            if index == 0 { for_filter(&conv, x, y, w) } else { for_result(&conv, x, w) }
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let Conv2dBackpropAttributes { conv, .. } = cx.attributes();
        let conv = convolution(&conv, cx.result.dims, cx.operands[0].dims)?;
        with_float!(cx.result.dtype, T => Ok(conv.kernel::<T>(Propagation::BackwardInput, cx.result.layout).into()))
    }

    fn layouts(&self, cx: &Lowering<'_>) -> Vec<LayoutRule> {
        let Conv2dBackpropAttributes { conv, .. } = cx.attributes();
        let conv = convolution(&conv, cx.result.dims, cx.operands[0].dims);
        layouts(conv, [Layout::RowMajor, Layout::Nhwc16n], Layout::Nhwc16n)
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        match (cx.axis(0), cx.axis(1)) {
            (None, Some(0)) => cx.along(0),
            _ => Split::Mixed,
        }
    }

    fn samples(&self) -> Vec<Sample> {
        let cases = CASES.iter().map(|case| {
            let shape = case.x.iter().map(|&dim| dim.into()).collect();
            let conv = case.options().attributes();
            Sample::new(Conv2dBackpropAttributes { conv, shape })
                .float(case.w, USUAL)
                .float(&case.y(), USUAL)
        });
        let conv = ConvOptions::valid().stride(2).attributes();
        let derived = Sample::new(Conv2dBackpropAttributes { conv, shape: Shape::new() })
            .float(&[2, 3, 1, 2], USUAL)
            .float(&[1, 2, 3, 2], USUAL);
        cases.chain([derived]).collect()
    }
}

/// The smallest images that give `y` under `w`, but not smaller than the stride times their number:
/// Keras' rule for `Conv2DTranspose`.
fn transposed(
    cx: &mut Inference<'_>,
    attributes: &Conv2dAttributes,
    w: &[Dim],
    y: &[Dim],
) -> Result<Shape, Fault> {
    let windows = windows(attributes)?;
    let groups = groups(attributes)?;
    let (&[images, rows, columns, _], &[h, w_, depth, _]) = (y, w) else {
        return Err(Fault::new(format!(
            "images of shape {} and a filter of shape {}: both need four dimensions, [N, H, W, F] and [h, w, C / groups, F]",
            cx.display(y),
            cx.display(w)
        )));
    };
    let too_large = || Fault::new("its result is larger than any memory");
    let mut size = |axis: usize, places: Dim, window: Dim| -> Result<Dim, Fault> {
        let stride = windows.strides[axis];
        let same = windows.padding == abeyance_kernels::sliding::Padding::Same;
        let beyond = match (window, same) {
            (Dim::Known(window), _) => {
                let extent = windows.extent(axis, window)?;
                Some(if same { 0 } else { extent.saturating_sub(stride) })
            }
            (_, true) => Some(0),
            _ => None,
        };
        match (places, beyond) {
            (Dim::Known(places), Some(beyond)) => places
                .checked_mul(stride)
                .and_then(|size| size.checked_add(beyond))
                .map(Dim::Known)
                .ok_or_else(too_large),
            (places, Some(0)) if stride == 1 => Ok(places),
            _ => Ok(cx.derived()),
        }
    };
    let (rows, columns) = (size(0, rows, h)?, size(1, columns, w_)?);
    let channels = match depth {
        Dim::Known(depth) => Dim::Known(depth.checked_mul(groups).ok_or_else(too_large)?),
        depth if groups == 1 => depth,
        _ => cx.derived(),
    };
    Ok(Shape::from_slice(&[images, rows, columns, channels]))
}

/// The gradient of [`Conv2d`] with respect to the filter: the factor w of the bilinear form.
/// TensorFlow's `conv2d_backprop_filter`. `shape` is the filter's. Sums of blocks of images, then
/// the sum of these: the blocks depend on the shape only. Gradients: [`Conv2dBackpropInput`] and
/// [`Conv2d`].
pub struct Conv2dBackpropFilter;

impl Operator for Conv2dBackpropFilter {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "conv2d_backprop_filter",
                "the filter's cotangent from that of the convolution",
                &[IMAGES, COTANGENT],
            )
            .attributes(Conv2dBackpropAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (x, y) = (cx.shape(0), cx.shape(1));
        let Conv2dBackpropAttributes { conv, shape: w } = cx.attributes();
        belongs(cx, &conv, &x, &w, &y)?;
        cx.tensor(cx.dtype(0), w)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (x, y, w) = (cx.operand(0), cx.operand(1), cx.cotangent());
        let Conv2dBackpropAttributes { conv, .. } = cx.attributes();
        Ok(cx.each_wanted(|index| {
            if index == 0 { for_images(&conv, w, y, x) } else { for_result(&conv, x, w) }
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let Conv2dBackpropAttributes { conv, .. } = cx.attributes();
        let conv = convolution(&conv, cx.operands[0].dims, cx.result.dims)?;
        with_float!(cx.result.dtype, T => {
            Ok(conv.kernel::<T>(Propagation::BackwardFilter, cx.operands[0].layout).into())
        })
    }

    fn layouts(&self, cx: &Lowering<'_>) -> Vec<LayoutRule> {
        let Conv2dBackpropAttributes { conv, .. } = cx.attributes();
        let conv = convolution(&conv, cx.operands[0].dims, cx.result.dims);
        layouts(conv, [Layout::Nhwc16n; 2], Layout::RowMajor)
    }

    fn samples(&self) -> Vec<Sample> {
        let cases = CASES.iter().map(|case| {
            let shape = case.w.iter().map(|&dim| dim.into()).collect();
            let conv = case.options().attributes();
            Sample::new(Conv2dBackpropAttributes { conv, shape })
                .float(case.x, USUAL)
                .float(&case.y(), USUAL)
        });
        cases.collect()
    }
}

/// The factor x of the bilinear form, in the shape of `like`.
fn for_images<'g>(conv: &Conv2dAttributes, w: Expr<'g>, y: Expr<'g>, like: Expr<'g>) -> Expr<'g> {
    let attributes = Conv2dBackpropAttributes { conv: conv.clone(), shape: like.shape() };
    y.apply_to(&Conv2dBackpropInput, &[w, y], attributes)
}

/// The factor w of the bilinear form, in the shape of `like`.
fn for_filter<'g>(conv: &Conv2dAttributes, x: Expr<'g>, y: Expr<'g>, like: Expr<'g>) -> Expr<'g> {
    let attributes = Conv2dBackpropAttributes { conv: conv.clone(), shape: like.shape() };
    x.apply_to(&Conv2dBackpropFilter, &[x, y], attributes)
}

/// The factor y of the bilinear form.
fn for_result<'g>(conv: &Conv2dAttributes, x: Expr<'g>, w: Expr<'g>) -> Expr<'g> {
    x.apply_to(&Conv2d, &[x, w], conv.clone())
}

const USUAL: Domain = Domain::Between(-2.0, 2.0);

/// A convolution of the samples.
struct Case {
    x: &'static [usize],
    w: &'static [usize],
    strides: [usize; 2],
    dilations: [usize; 2],
    groups: usize,
    same: bool,
}

impl Case {
    const fn same(x: &'static [usize], w: &'static [usize], stride: usize) -> Self {
        Self { x, w, strides: [stride; 2], dilations: [1; 2], groups: 1, same: true }
    }

    const fn valid(x: &'static [usize], w: &'static [usize], stride: usize) -> Self {
        Self { same: false, ..Self::same(x, w, stride) }
    }

    const fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    fn options(&self) -> ConvOptions {
        ConvOptions {
            same: self.same,
            strides: Pair(self.strides),
            dilations: Pair(self.dilations),
            groups: self.groups,
        }
    }

    /// The result's sizes.
    fn y(&self) -> Vec<usize> {
        match convolution(&self.options().attributes(), self.x, self.w) {
            Ok(conv) => vec![conv.images, conv.rows.output, conv.columns.output, conv.filters],
            Err(_) => Vec::new(),
        }
    }
}

static CASES: [Case; 13] = [
    Case::same(&[1, 1, 1, 1], &[1, 1, 1, 1], 1),
    Case::same(&[2, 4, 3, 2], &[3, 2, 2, 3], 1),
    Case::same(&[1, 5, 6, 2], &[4, 5, 2, 3], 2),
    Case::same(&[1, 4, 7, 1], &[2, 2, 1, 2], 3),
    Case::valid(&[2, 4, 4, 3], &[2, 3, 3, 2], 1),
    Case::valid(&[1, 3, 19, 1], &[2, 3, 1, 3], 1),
    Case { strides: [1, 2], dilations: [2, 1], ..Case::valid(&[1, 5, 5, 2], &[2, 2, 2, 2], 1) },
    Case::same(&[1, 3, 3, 4], &[2, 2, 2, 4], 1).groups(2),
    Case::valid(&[1, 5, 4, 2], &[3, 2, 1, 4], 2).groups(2),
    Case::same(&[0, 4, 4, 1], &[2, 2, 1, 2], 1),
    Case::same(&[1, 3, 3, 0], &[2, 2, 0, 2], 1),
    Case::same(&[1, 3, 3, 2], &[2, 2, 2, 0], 1),
    Case::same(&[1, 0, 3, 2], &[2, 2, 2, 3], 1),
];

impl<'g> Expr<'g> {
    /// The convolution of these images `[N, H, W, C]` with a filter `[h, w, C / groups, F]`.
    pub fn conv2d(self, filter: Expr<'g>, options: ConvOptions) -> Self {
        self.apply_to(&Conv2d, &[self, filter], options.attributes())
    }

    /// The transposed convolution, from a result of `conv2d` to images of a shape. If that is
    /// empty, it is the smallest that fits.
    pub fn conv2d_transpose_to(self, filter: Expr<'g>, shape: Shape, options: ConvOptions) -> Self {
        let attributes = Conv2dBackpropAttributes { conv: options.attributes(), shape };
        self.apply_to(&Conv2dBackpropInput, &[filter, self], attributes)
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// The convolution of images `[N, H, W, C]` with a filter `[h, w, C / groups, F]`:
    /// `[N, H', W', F]`, where
    /// `y[n, i, j, f] = Σ x[n, i·s + p·d - before, j·s + q·d - before, c] · w[p, q, c, f]` and what
    /// lies beyond the borders is 0. H' and W' follow from the padding: see [`ConvOptions::same`]
    /// and [`ConvOptions::valid`]. TensorFlow's `tf.nn.conv2d`.
    ///
    /// Gradient: with respect to the images the transposed convolution of the cotangent, with
    /// respect to the filter the sum over all places of the images there times the cotangent. Both
    /// have gradients again.
    ///
    /// # Errors
    /// The channels do not fit; a stride or dilation is 0; the groups do not divide C and F; the
    /// filter is larger than images without padding.
    ///
    /// ```
    /// use abeyance_graph::{dims, zeros, ConvOptions, Graph};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
    /// let w = g.variable("w", zeros(dims![5, 5, 1, 4]));
    /// let y = x.conv2d(w, ConvOptions::same());
    /// assert_eq!(y.to_string(), "conv2d : f32[N, 28, 28, 4]");
    /// ```
    #[track_caller]
    pub fn conv2d(self, filter: Tensor<'g, T>, options: ConvOptions) -> Tensor<'g, T> {
        self.zip(filter, |x, filter| x.conv2d(filter, options))
    }

    /// The convolution of each channel of images `[N, H, W, C]` with M filters of its own,
    /// `[h, w, C, M]`: `[N, H', W', C · M]`, where channel `c · M + m` is that of filter m of
    /// channel c. TensorFlow's `tf.nn.depthwise_conv2d`; it is [`conv2d`](Tensor::conv2d) in C
    /// groups.
    ///
    /// # Errors
    /// The number of channels or of filters is not known; `options` has groups.
    #[track_caller]
    pub fn depthwise_conv2d(self, filter: Tensor<'g, T>, options: ConvOptions) -> Tensor<'g, T> {
        let _call = self.graph().call("depthwise_conv2d");
        let type_of = |tensor: Tensor<'g, T>| tensor.graph().ir().shape(tensor.id());
        let (Some(x), Some(w)) = (type_of(self), type_of(filter)) else {
            // One of them is a mistake that was reported.
            return self.conv2d(filter, options);
        };
        let shown = || {
            let graph = self.graph().ir();
            let symbols = graph.symbols();
            format!(
                "depthwise_conv2d: images of shape {} and a filter of shape {}",
                symbols.display(&x),
                symbols.display(&w)
            )
        };
        let (&[_, _, _, channels], &[h, w_, depth, multiplier]) = (&x[..], &w[..]) else {
            return self.fault(Fault::new(format!(
                "{}: both need four dimensions, [N, H, W, C] and [h, w, C, M]",
                shown()
            )));
        };
        if options.groups != 1 {
            return self.fault(Fault::new(format!(
                "{}: every channel is a group of its own, so groups = {} has no meaning",
                shown(),
                options.groups
            )));
        }
        let (Some(groups), Some(multiplier)) =
            (channels.known().or(depth.known()), multiplier.known())
        else {
            return self.fault(Fault::new(format!(
                "{}: the numbers of channels and of filters have to be known",
                shown()
            )));
        };
        if depth.known().is_some_and(|depth| depth != groups) {
            return self.fault(Fault::new(format!(
                "{}: the filter is for {} channels, and the images have {groups}",
                shown(),
                depth.known().unwrap_or(0)
            )));
        }
        let Some(filters) = groups.checked_mul(multiplier) else {
            return self.fault(Fault::new(format!("{}: too many filters", shown())));
        };
        self.zip(filter, |x, filter| {
            let shape = Shape::from_slice(&[h, w_, Dim::Known(1), Dim::Known(filters)]);
            // No channels at all are one group of none.
            x.conv2d(filter.reshape(shape), options.groups(groups.max(1)))
        })
    }

    /// The transposed convolution, also called a deconvolution, from a result of
    /// [`conv2d`](Tensor::conv2d) back to images: a result `[N, H', W', F]` under a filter
    /// `[h, w, C / groups, F]` gives images `[N, H, W, C]`, each pixel of the result adding the
    /// filter times itself to the place it was seen from. H is `H' · stride` for SAME padding and
    /// `H' · stride + max(extent - stride, 0)` for VALID, and so is W: Keras' rule. TensorFlow's
    /// `tf.nn.conv2d_transpose`; its gradients are [`conv2d`](Tensor::conv2d) and the filter's
    /// gradient of that.
    #[track_caller]
    pub fn conv2d_transpose(self, filter: Tensor<'g, T>, options: ConvOptions) -> Tensor<'g, T> {
        let _call = self.graph().call("conv2d_transpose");
        self.zip(filter, |y, filter| y.conv2d_transpose_to(filter, Shape::new(), options))
    }

    /// The transposed convolution to images of a shape `[N, H, W, C]`, as
    /// [`conv2d_transpose`](Tensor::conv2d_transpose): where the stride is not 1, several sizes
    /// lead to the same H' and W'.
    ///
    /// # Errors
    /// [`conv2d`](Tensor::conv2d) of images of that shape does not give this tensor's.
    #[track_caller]
    pub fn conv2d_transpose_to(
        self,
        filter: Tensor<'g, T>,
        shape: impl Into<Dimensions>,
        options: ConvOptions,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("conv2d_transpose_to");
        let this = self.beside(filter);
        let filter = this.graph().import(filter.erase());
        let of = "a transposed convolution";
        this.graph().with_shape(of, shape, |graph, shape| {
            Expr::with(graph, this.id(), |y| {
                y.conv2d_transpose_to(y.at(filter), shape, options).id()
            })
        })
    }
}
