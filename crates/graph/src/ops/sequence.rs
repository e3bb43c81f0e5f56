//! Evenly spaced numbers, and the sizes of tensors as numbers: `range`, `linspace`, `shape_of`.

use std::sync::Arc;

use abeyance_ir::{
    Array, AttributeSet, DType, DTypes, Diagnostic, Differentiability, Dim, Fault, Inference,
    Lowered, Lowering, Operator, Sample, Shape, Signature, Type, known_dims,
};
use abeyance_kernels::element::{Element as _, Number as Stored};
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};

use super::with_type;
use crate::{Dimension, Dimensions, Element, Expr, Float, Graph, Number, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Range, &Linspace, &ShapeOf];

const CONSTANT: Differentiability = Differentiability::None("does not depend on other nodes");

/// The element type of two numbers, checked, and a shape, checked to be a vector's.
fn vector(
    cx: &mut Inference<'_>,
    first: &Array,
    second: &Array,
    shape: Shape,
) -> Result<Type, Fault> {
    let is_number =
        |array: &Array| array.dims.is_empty() && array.bytes.len() == array.dtype.size();
    if !is_number(first) || !is_number(second) {
        return Err(Fault::new("takes two numbers"));
    }
    let dtype = first.dtype;
    if dtype != second.dtype || !DTypes::NUMBER.contains(dtype) {
        return Err(Fault::new(format!(
            "takes two numbers of one type, not {dtype} and {}",
            second.dtype
        )));
    }
    match shape.len() {
        1 => cx.tensor(dtype, shape),
        _ => Err(Fault::new(format!("{} is not the shape of a vector", cx.display(&shape)))),
    }
}

/// A vector each element of which is known by its place.
fn by_place<T: Stored>(
    cx: &Lowering<'_>,
    value: impl Fn(usize) -> T + Send + Sync + 'static,
) -> Lowered {
    let (len, size) = (cx.result.len(), size_of::<T>());
    if cx.result.bytes() <= 1024 {
        let values: Vec<T> = (0..len).map(value).collect();
        return Lowered::Constant(bytemuck::cast_slice(&values).to_vec());
    }
    let cost = Cost { flops: 2.0 * len as f64, bytes: cx.result.bytes() as f64 };
    Kernel::single(0, elementwise_chunk(len, size) * size, cost, move |call| {
        let start = call.start::<T>();
        for (place, o) in (start..).zip(call.output::<T>()) {
            *o = value(place);
        }
        Ok(())
    })
    .into()
}

fn number<T: bytemuck::Pod + Default>(array: &Array) -> T {
    array.elements::<T>().first().copied().unwrap_or_default()
}

abeyance_ir::attributes! {
    /// Where evenly spaced numbers begin and how far apart they are.
    pub struct RangeAttributes {
        /// The first number, a scalar.
        start: ArrayRef,
        /// The difference of each number from the one before, a scalar of the type of `start`.
        delta: ArrayRef,
        /// Shape of the result, a vector's.
        shape: Shape,
    }
}

/// `start + i·delta` for each place i. Floats are computed in f64 and rounded once.
pub struct Range;

impl Operator for Range {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("range", "evenly spaced numbers from start on", &[])
                .attributes(RangeAttributes::SPECS)
                .differentiability(CONSTANT)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let RangeAttributes { start, delta, shape } = cx.attributes();
        vector(cx, &start, &delta, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let RangeAttributes { start, delta, shape: _ } = cx.attributes();
        Ok(with_type!(cx.result.dtype, T => {
            let (start, delta) = (number::<T>(&start), number::<T>(&delta));
            by_place::<T>(cx, move |place| range_element(start, delta, place))
        }))
    }

    fn samples(&self) -> Vec<Sample> {
        vec![
            range_sample(Array::scalar(DType::F64, 0.5), Array::scalar(DType::F64, 0.1), 5),
            range_sample(Array::scalar(DType::I32, 7.0), Array::scalar(DType::I32, -2.0), 4),
            range_sample(Array::scalar(DType::I64, 0.0), Array::scalar(DType::I64, 1.0), 0),
            range_sample(Array::scalar(DType::F32, 0.0), Array::scalar(DType::F32, 3.0), 700),
        ]
    }
}

fn range_sample(start: Array, delta: Array, len: usize) -> Sample {
    Sample::new(range_attributes(start, delta, Shape::from_slice(&[len.into()])))
}

fn range_element<T: Stored>(start: T, delta: T, place: usize) -> T {
    if T::IS_FLOAT {
        T::from_f64(start.cast::<f64>() + place as f64 * delta.cast::<f64>())
    } else {
        start.wrapping_add(T::from_i64(place as i64).wrapping_mul(delta))
    }
}

fn range_attributes(start: Array, delta: Array, shape: Shape) -> RangeAttributes {
    RangeAttributes { start: Arc::new(start), delta: Arc::new(delta), shape }
}

abeyance_ir::attributes! {
    /// Between what numbers others are evenly spaced.
    pub struct LinspaceAttributes {
        /// The first number, a scalar.
        start: ArrayRef,
        /// The last number, a scalar of the type of `start`.
        stop: ArrayRef,
        /// Shape of the result, a vector's.
        shape: Shape,
    }
}

/// Numbers from `start` to `stop`, both of them included, evenly spaced:
/// `start + i·(stop - start)/(n - 1)`, the last exactly `stop`. Computed in f64 and rounded once.
/// TensorFlow's `tf.linspace`.
pub struct Linspace;

impl Operator for Linspace {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("linspace", "evenly spaced numbers from start to stop", &[])
                .attributes(LinspaceAttributes::SPECS)
                .differentiability(CONSTANT)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let LinspaceAttributes { start, stop, shape } = cx.attributes();
        match vector(cx, &start, &stop, shape)? {
            Type::Tensor(tensor) if !tensor.dtype.is_float() => Err(Fault::new(format!(
                "{} has no evenly spaced numbers: it takes f32 or f64",
                tensor.dtype
            ))),
            ty => Ok(ty),
        }
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let LinspaceAttributes { start, stop, shape: _ } = cx.attributes();
        let len = cx.result.len();
        super::with_float!(cx.result.dtype, T => {
                    let [start, stop] = [&start, &stop].map(|array| number::<T>(array).cast::<f64>());
                    let step = (stop - start) / (len.max(2) - 1) as f64;
                    Ok(by_place::<T>(cx, move |place| if place + 1 == len && len > 1 {
        stop.cast::<T>()
        } else {
        (start + place as f64 * step).cast::<T>()
        }))
                })
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |start, stop, len: usize| {
            let [start, stop] = [start, stop].map(|value| Array::scalar(DType::F64, value));
            Sample::new(linspace_attributes(start, stop, Shape::from_slice(&[len.into()])))
        };
        vec![
            sample(0.0, 1.0, 11),
            sample(2.0, -3.0, 4),
            sample(1.5, 9.0, 1),
            sample(1.5, 9.0, 0),
            sample(-1.0, 1.0, 500),
        ]
    }
}

fn linspace_attributes(start: Array, stop: Array, shape: Shape) -> LinspaceAttributes {
    LinspaceAttributes { start: Arc::new(start), stop: Arc::new(stop), shape }
}

abeyance_ir::attributes! {
    /// Which dimensions become numbers.
    pub struct ShapeOfAttributes {
        /// The dimensions, one for each element of the result.
        of: Shape,
    }
}

/// Some dimensions as a vector of numbers.
pub struct ShapeOf;

impl Operator for ShapeOf {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("shape_of", "some dimensions as a vector of numbers", &[])
                .attributes(ShapeOfAttributes::SPECS)
                .differentiability(CONSTANT)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let ShapeOfAttributes { of } = cx.attributes();
        cx.tensor(DType::I64, Shape::from_slice(&[Dim::Known(of.len())]))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let ShapeOfAttributes { of } = cx.attributes();
        let Some(dims) = known_dims(&of) else {
            return Err(Fault::new("the size of a dimension is not known"));
        };
        let sizes: Vec<i64> = dims.iter().map(|&size| size as i64).collect();
        Ok(Lowered::Constant(bytemuck::cast_slice(&sizes).to_vec()))
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |dims: &[usize]| {
            let of = dims.iter().map(|&dim| dim.into()).collect();
            Sample::new(ShapeOfAttributes { of })
        };
        vec![sample(&[]), sample(&[3, 0, 5])]
    }
}

/// 0, 1, 2, ... in the shape of a vector.
fn counting_attributes(dtype: DType, shape: Shape) -> RangeAttributes {
    range_attributes(Array::scalar(dtype, 0.0), Array::scalar(dtype, 1.0), shape)
}

impl<'g> Expr<'g> {
    /// Some dimensions of this expression's graph as a vector of numbers.
    pub fn shape_of(self, of: Shape) -> Self {
        self.apply_to(&ShapeOf, &[], ShapeOfAttributes { of })
    }

    /// 0, 1, 2, ... up to but without a size, in this expression's graph.
    pub fn counting(self, dtype: DType, size: Dim) -> Self {
        self.apply_to(&Range, &[], counting_attributes(dtype, Shape::from_slice(&[size])))
    }
}

/// How many steps of `delta` from `start` on stay before `limit`.
fn steps(start: &Array, limit: &Array, delta: &Array) -> Result<usize, Fault> {
    let count = match start.dtype {
        DType::F32 | DType::F64 => {
            let wide = |array: &Array| match array.dtype {
                DType::F32 => array.elements::<f32>().first().map_or(0.0, |&v| f64::from(v)),
                _ => array.elements::<f64>().first().copied().unwrap_or(0.0),
            };
            let [from, to, step] = [start, limit, delta].map(wide);
            // In the numbers' own precision: 0.6 and 0.2 as `f32`, seen as `f64`, are a little more
            // than 3 steps apart.
            let steps = match start.dtype {
                DType::F32 => f64::from((to as f32 - from as f32) / step as f32),
                _ => (to - from) / step,
            };
            let (start, limit, delta) = (from, to, step);
            let count = steps.ceil().max(0.0);
            match [start, limit, delta].iter().all(|value| value.is_finite()) {
                false => {
                    return Err(Fault::new(format!(
                        "from {start} to {limit} in steps of {delta} is not a finite number of numbers"
                    )));
                }
                true if delta == 0.0 => None,
                // Beyond 2^63 it saturates, and is too large for any memory.
                true => Some(count as u128),
            }
        }
        dtype => {
            let [start, limit, delta] = [start, limit, delta].map(|array| match dtype {
                DType::I32 => array.elements::<i32>().first().map_or(0, |&v| i128::from(v)),
                DType::I64 => array.elements::<i64>().first().map_or(0, |&v| i128::from(v)),
                _ => array.elements::<u8>().first().map_or(0, |&v| i128::from(v)),
            });
            let span = limit - start;
            match delta {
                0 => None,
                _ if (span < 0) != (delta < 0) => Some(0),
                _ => Some(span.unsigned_abs().div_ceil(delta.unsigned_abs())),
            }
        }
    };
    match count {
        Some(count) => usize::try_from(count)
            .map_err(|_| Fault::new(format!("{count} numbers are larger than any memory"))),
        None => Err(Fault::new("a step of 0 leads nowhere")),
    }
}

impl Graph {
    /// `start`, `start + delta`, `start + 2·delta`, ... up to but without `limit`. TensorFlow's
    /// `tf.range`. A step of 0 and bounds that are not finite are mistakes. The number of floats is
    /// `(limit - start) / delta` in their own precision, rounded up, as in TensorFlow:
    /// `g.range(0.0f32, 0.6, 0.2)` has 3. The floats themselves are computed in f64 and rounded
    /// once.
    #[track_caller]
    pub fn range<T: Number>(&self, start: T, limit: T, delta: T) -> Tensor<'_, T> {
        let _call = self.call("range");
        let [start, limit, delta] =
            [start, limit, delta].map(|value| Array::new(T::DTYPE, &[], &[value.store()]));
        let id = match steps(&start, &limit, &delta) {
            Ok(len) => {
                let shape = Shape::from_slice(&[len.into()]);
                self.build(|graph| graph.add(&Range, &[], range_attributes(start, delta, shape)))
            }
            Err(fault) => {
                self.reject(Diagnostic::new(format!("range: {}", fault.message), self.here()))
            }
        };
        self.handle(id)
    }

    /// 0, 1, 2, ... up to but without the size of a dimension, which may be one that is fed:
    /// `g.range_of::<i64>(x.dim(0))`.
    #[track_caller]
    pub fn range_of<T: Number>(&self, dim: impl Into<Dimension>) -> Tensor<'_, T> {
        let _call = self.call("range_of");
        let shape: Dimensions = [dim.into()].into_iter().collect();
        self.with_shape("a range", shape, |graph, shape| {
            graph.add(&Range, &[], counting_attributes(T::DTYPE, shape))
        })
    }

    /// `count` numbers from `start` to `stop`, both included, evenly spaced. TensorFlow's
    /// `tf.linspace`. One number is `start`.
    #[track_caller]
    pub fn linspace<T: Float>(&self, start: T, stop: T, count: usize) -> Tensor<'_, T> {
        let [start, stop] = [start, stop].map(|value| Array::new(T::DTYPE, &[], &[value.store()]));
        let shape = Shape::from_slice(&[count.into()]);
        self.handle(
            self.build(|graph| graph.add(&Linspace, &[], linspace_attributes(start, stop, shape))),
        )
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// Its dimensions as a vector of numbers, known when the graph runs. TensorFlow's `tf.shape`;
    /// what is known while the graph is built is [`Tensor::shape`].
    #[track_caller]
    pub fn shape_of(self) -> Tensor<'g, i64> {
        let _call = self.graph().call("shape_of");
        self.map(|x| x.shape_of(x.shape()))
    }

    /// The number of its dimensions, which is always known. TensorFlow's `tf.rank`.
    pub fn rank(self) -> usize {
        self.shape().len()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn the_length_is_known_while_building() {
        let g = Graph::new();
        assert_eq!(g.range(3, 18, 3).to_string(), "range : i32[5]");
        assert_eq!(g.range(3.0f32, 1.0, -0.5).to_string(), "range_1 : f32[4]");
        for (limit, delta) in [(0.6f32, 0.2), (0.3, 0.1), (1.2, 0.4)] {
            assert_eq!(g.range(0.0, limit, delta).shape()[0].known(), Some(3), "{limit}, {delta}");
        }
        let g = Graph::new();
        assert_eq!(g.range(3, 18, 3).to_string(), "range : i32[5]");
        assert_eq!(g.range(3.0f32, 1.0, -0.5).to_string(), "range_1 : f32[4]");
        assert_eq!(g.range(5i64, 1, 1).to_string(), "range_2 : i64[0]");
        assert_eq!(g.range(i64::MIN, i64::MAX, i64::MAX).to_string(), "range_3 : i64[3]");
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        assert_eq!(g.range_of::<f32>(x.dim(0)).to_string(), "range_4 : f32[N]");
        assert_eq!(g.linspace(0.0f64, 1.0, 7).to_string(), "linspace : f64[7]");
        assert_eq!(x.shape_of().to_string(), "shape_of : i64[2]");
        assert_eq!(x.rank(), 2);
        g.check().unwrap();
    }

    #[test]
    fn endless_ranges_are_mistakes() {
        let g = Graph::new();
        g.range(0, 5, 0);
        g.range(0.0f64, f64::INFINITY, 1.0);
        g.range(0.0f64, 1.0, f64::MIN_POSITIVE);
        g.range(i64::MIN, i64::MAX, 1);
        g.linspace(0.0f32, 1.0, usize::MAX);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "range: a step of 0 leads nowhere",
            "range: from 0 to inf in steps of 1 is not a finite number of numbers",
            "numbers are larger than any memory",
            "larger than any memory",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(g.check().unwrap_err().0.len(), 5);
    }
}
