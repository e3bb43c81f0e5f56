//! Random tensors, drawn anew at each run from streams keyed by the session's seed, the node's name
//! and the step.

use abeyance_ir::{
    AttributeSet, AttributeSpec, DType, Diagnostic, Differentiability, Effect, Fault, Fusibility,
    Graph as Ir, Inference, Lowered, Lowering, NodeId, Operator, OperatorRef, Sample, Shape,
    Signature, Splitting, Type,
};
use abeyance_kernels::element::Element as Stored;
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::random::{Stream, UniformReal};

use super::with_float;
use crate::{Dimension, Dimensions, Element, Expr, Float, Graph, Tensor};

/// True if every element of an operand is drawn evenly from numbers below another operand, which is
/// a constant.
pub(super) fn is_below(cx: &Splitting<'_>, drawn: usize, limit: usize) -> bool {
    let (Some((operator, attributes)), Some(limit)) = (cx.source(drawn), cx.constant(limit)) else {
        return false;
    };
    if !operator.is(&OperatorRef::Static(&RANDOM_UNIFORM)) {
        return false;
    }
    let RandomUniformAttributes { dtype, shape: _, low, high } = attributes.read();
    let limit = match limit.dtype {
        DType::F32 => limit.elements::<f32>().first().copied().map(f64::from),
        _ => limit.elements::<f64>().first().copied(),
    };
    // As the numbers are drawn in their type.
    let [low, high] = [low, high].map(|bound| match dtype {
        DType::F32 => f64::from(bound as f32),
        _ => bound,
    });
    // From an empty range it is always `low`.
    limit.is_some_and(|limit| high < limit || high == limit && low < high)
}

abeyance_ir::attributes! {
    /// The range of evenly drawn numbers, and their shape.
    pub struct RandomUniformAttributes {
        /// Element type of the result, a float.
        dtype: DType,
        /// Shape of the result.
        shape: Shape,
        /// Lowest number that is drawn.
        low: f64,
        /// First number above those that are drawn, not below `low`.
        high: f64,
    }
}

abeyance_ir::attributes! {
    /// The distribution and the shape of normal numbers, cut off or not.
    pub struct RandomNormalAttributes {
        /// Element type of the result, a float.
        dtype: DType,
        /// Shape of the result.
        shape: Shape,
        /// Mean, before anything is cut off.
        mean: f64,
        /// Standard deviation before anything is cut off, 0 or more.
        stddev: f64,
    }
}

/// An operator that draws each element from a distribution of two parameters.
pub struct Random {
    signature: Signature,
    distribution: Distribution,
}

#[derive(Clone, Copy)]
pub(super) enum Distribution {
    Uniform,
    Normal,
    TruncatedNormal,
}

impl Distribution {
    /// # Errors
    /// Parameters that are not the distribution's, as numbers of `dtype`.
    pub(super) fn check(self, dtype: DType, first: f64, second: f64) -> Result<(), Fault> {
        let rounded = |value: f64| match dtype {
            DType::F32 => f64::from(value as f32),
            _ => value,
        };
        let finite = |value: f64| rounded(value).is_finite();
        let (names, right) = match self {
            Distribution::Uniform => (["low", "high"], first <= second && finite(second - first)),
            _ => (["mean", "stddev"], second >= 0.0),
        };
        for (name, value) in names.into_iter().zip([first, second]) {
            if !finite(value) {
                return Err(Fault::new(format!("{name} = {value:?} is not a finite {dtype}")));
            }
        }
        match (right, self) {
            (true, _) => Ok(()),
            (_, Distribution::Uniform) => Err(Fault::new(format!(
                "from low = {first:?} to high = {second:?} is not a range of {dtype}"
            ))),
            _ => Err(Fault::new(format!("stddev = {second:?} is negative"))),
        }
    }

    fn fill<T: UniformReal>(
        self,
        stream: Stream,
        draw: u64,
        start: usize,
        out: &mut [T],
        parameters: [T; 2],
    ) {
        let [first, second] = parameters;
        match self {
            Distribution::Uniform => stream.fill_uniform(draw, start, out, first, second),
            Distribution::Normal => stream.fill_normal(draw, start, out, first, second),
            Distribution::TruncatedNormal => {
                stream.fill_truncated_normal(draw, start, out, first, second);
            }
        }
    }
}

impl Operator for Random {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (dtype, shape, [first, second]) =
            self.attributes(|| cx.attributes(), || cx.attributes());
        if !dtype.is_float() {
            return Err(Fault::new(format!("{dtype} is not f32 or f64")));
        }
        self.distribution.check(dtype, first, second)?;
        cx.tensor(dtype, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let stream = Stream::new(cx.seed, cx.name);
        let distribution = self.distribution;
        let (_, _, parameters) = self.attributes(|| cx.attributes(), || cx.attributes());
        let len = cx.result.len();
        let flops = match distribution {
            Distribution::Uniform => 15.0,
            _ => 60.0,
        };
        let cost = Cost { flops: flops * len as f64, bytes: cx.result.bytes() as f64 };
        with_float!(cx.result.dtype, T => {
            let parameters = parameters.map(<T as Stored>::from_f64);
            // Drawing takes several times as long as writing.
            let chunk = elementwise_chunk(len, 8 * size_of::<T>()) * size_of::<T>();
            Ok(Kernel::single(0, chunk, cost, move |call| {
                let (draw, start) = (call.run_counter(), call.start::<T>());
                distribution.fill(stream, draw, start, call.output::<T>(), parameters);
                Ok(())
            })
            .into())
        })
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::AnyRange
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [&[usize]; 5] = [&[], &[3], &[2, 5], &[0, 3], &[70]];
        shapes
            .into_iter()
            .map(|dims| {
                let shape = dims.iter().map(|&dim| dim.into()).collect();
                let dtype = DType::F64;
                match self.distribution {
                    Distribution::Uniform => {
                        Sample::new(RandomUniformAttributes { dtype, shape, low: 0.5, high: 2.0 })
                    }
                    _ => {
                        Sample::new(RandomNormalAttributes { dtype, shape, mean: 0.5, stddev: 2.0 })
                    }
                }
            })
            .collect()
    }
}

impl Random {
    /// Element type, shape and the distribution's parameters, read as the attributes it has.
    fn attributes(
        &self,
        uniform: impl FnOnce() -> RandomUniformAttributes,
        normal: impl FnOnce() -> RandomNormalAttributes,
    ) -> (DType, Shape, [f64; 2]) {
        if let Distribution::Uniform = self.distribution {
            let RandomUniformAttributes { dtype, shape, low, high } = uniform();
            (dtype, shape, [low, high])
        } else {
            let RandomNormalAttributes { dtype, shape, mean, stddev } = normal();
            (dtype, shape, [mean, stddev])
        }
    }
}

const fn signature(
    name: &'static str,
    summary: &'static str,
    attributes: &'static [AttributeSpec],
) -> Signature {
    Signature::new(name, summary, &[])
        .attributes(attributes)
        .effect(Effect::Random)
        .differentiability(Differentiability::None("does not depend on other nodes"))
}

/// Evenly distributed in `[low, high)`; `low` everywhere if both are equal.
pub static RANDOM_UNIFORM: Random = Random {
    signature: signature(
        "random_uniform",
        "numbers evenly distributed from low to below high",
        RandomUniformAttributes::SPECS,
    ),
    distribution: Distribution::Uniform,
};

/// Normally distributed.
pub static RANDOM_NORMAL: Random = Random {
    signature: signature(
        "random_normal",
        "normally distributed numbers",
        RandomNormalAttributes::SPECS,
    ),
    distribution: Distribution::Normal,
};

/// Normally distributed, and cut off at two standard deviations: TensorFlow's `truncated_normal`.
pub static TRUNCATED_NORMAL: Random = Random {
    signature: signature(
        "truncated_normal",
        "normally distributed numbers within two standard deviations of the mean",
        RandomNormalAttributes::SPECS,
    ),
    distribution: Distribution::TruncatedNormal,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&RANDOM_UNIFORM, &RANDOM_NORMAL, &TRUNCATED_NORMAL];

impl<'g> Expr<'g> {
    /// Numbers evenly distributed in `[low, high)`, in this expression's graph.
    pub fn random_uniform(self, dtype: DType, shape: Shape, low: f64, high: f64) -> Self {
        let attributes = RandomUniformAttributes { dtype, shape, low, high };
        self.apply_to(&RANDOM_UNIFORM, &[], attributes)
    }

    /// Normally distributed numbers, in this expression's graph.
    pub fn random_normal(self, dtype: DType, shape: Shape, mean: f64, stddev: f64) -> Self {
        let attributes = RandomNormalAttributes { dtype, shape, mean, stddev };
        self.apply_to(&RANDOM_NORMAL, &[], attributes)
    }

    /// Normally distributed numbers within two standard deviations of the mean.
    pub fn truncated_normal(self, dtype: DType, shape: Shape, mean: f64, stddev: f64) -> Self {
        let attributes = RandomNormalAttributes { dtype, shape, mean, stddev };
        self.apply_to(&TRUNCATED_NORMAL, &[], attributes)
    }
}

impl Graph {
    /// Appends a node that has a shape but no operands. What it is `of` is for the message where
    /// the shape has a `_`, which nothing could ever settle.
    #[track_caller]
    pub(crate) fn with_shape<T: Element>(
        &self,
        of: &str,
        shape: impl Into<Dimensions>,
        append: impl FnOnce(&mut Ir, Shape) -> NodeId,
    ) -> Tensor<'_, T> {
        let shape = shape.into();
        let id = if shape.0.contains(&Dimension::Unknown) {
            self.reject(
                Diagnostic::new(format!("the shape of {of} has to be known"), self.here())
                    .help("take unknown sizes from other tensors: `dims![x.dim(0), 10]`"),
            )
        } else {
            self.build(|graph| {
                let shape = shape.resolve(graph.symbols_mut());
                append(graph, shape)
            })
        };
        self.handle(id)
    }

    /// Numbers evenly distributed in `[low, high)`, others at each run. They depend on the
    /// session's seed, the node's name and the step alone. Dimensions may be those of other
    /// tensors: `dims![x.dim(0), 10]`.
    ///
    /// It is a mistake if a bound is not finite or `low` is above `high`.
    #[track_caller]
    pub fn random_uniform<T: Float>(
        &self,
        shape: impl Into<Dimensions>,
        low: f64,
        high: f64,
    ) -> Tensor<'_, T> {
        let _call = self.call("random_uniform");
        self.with_shape("a random tensor", shape, |graph, shape| {
            let attributes = RandomUniformAttributes { dtype: T::DTYPE, shape, low, high };
            graph.add(&RANDOM_UNIFORM, &[], attributes)
        })
    }

    /// Normally distributed numbers, others at each run, otherwise as [`Graph::random_uniform`]. It
    /// is a mistake if `stddev` is negative.
    #[track_caller]
    pub fn random_normal<T: Float>(
        &self,
        shape: impl Into<Dimensions>,
        mean: f64,
        stddev: f64,
    ) -> Tensor<'_, T> {
        let _call = self.call("random_normal");
        self.with_shape("a random tensor", shape, |graph, shape| {
            let attributes = RandomNormalAttributes { dtype: T::DTYPE, shape, mean, stddev };
            graph.add(&RANDOM_NORMAL, &[], attributes)
        })
    }

    /// Normally distributed numbers within two standard deviations of the mean, others at each run:
    /// TensorFlow's `truncated_normal`. Otherwise as [`Graph::random_normal`].
    #[track_caller]
    pub fn truncated_normal<T: Float>(
        &self,
        shape: impl Into<Dimensions>,
        mean: f64,
        stddev: f64,
    ) -> Tensor<'_, T> {
        let _call = self.call("truncated_normal");
        self.with_shape("a random tensor", shape, |graph, shape| {
            let attributes = RandomNormalAttributes { dtype: T::DTYPE, shape, mean, stddev };
            graph.add(&TRUNCATED_NORMAL, &[], attributes)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn a_shape_may_be_that_of_something_fed() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        let noise = g.random_normal::<f32>(x.shape(), 0.0, 1.0);
        assert_eq!(noise.to_string(), "random_normal : f32[N, 3]");
        g.check().unwrap();
        g.random_uniform::<f32>(dims![_, 3], 0.0, 1.0);
        let message = g.check().unwrap_err().to_string();
        assert!(message.contains("the shape of a random tensor has to be known"));
    }

    #[test]
    fn parameters_that_are_none_are_mistakes() {
        let g = Graph::new();
        let bounds =
            [(1.0, 0.5), (f64::NAN, 1.0), (0.0, 1e300), (0.0, f64::INFINITY), (-3e38, 3e38)];
        for (low, high) in bounds {
            g.random_uniform::<f32>(dims![2], low, high);
        }
        g.random_normal::<f64>(dims![2], 0.0, -1.0);
        g.truncated_normal::<f64>(dims![2], f64::NAN, 1.0);
        assert_eq!(g.check().unwrap_err().0.len(), 7);
        let fine = Graph::new();
        fine.random_uniform::<f64>(dims![2], 0.0, 1e300);
        fine.random_uniform::<f32>(dims![2], 1.0, 1.0);
        fine.truncated_normal::<f32>(dims![0], 0.0, 0.0);
        fine.check().unwrap();
    }
}
