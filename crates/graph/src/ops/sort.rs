//! Elements in order: `argsort`, `sort`, `top_k`, `in_top_k`.
//!
//! The order is total: a NaN is larger than all other numbers (so it comes last in ascending order
//! and first in descending order and among the largest, as `argmax` has it), both zeros are equal,
//! and of equal elements the one with the lower index comes first, whatever the direction.

use abeyance_ir::{
    AttributeSet, DType, DTypes, Differentiability, Dim, Domain, Fault, Inference, Lowered,
    Lowering, OperandSpec, Operator, Sample, Signature, Split, Splitting, Type, resolve_axis,
};
use abeyance_kernels::launch::{Cost, Kernel, Source, Step, Target};
use abeyance_kernels::order::{self, Keyed};
use abeyance_kernels::rows_chunk;
use smallvec::smallvec;

use super::{with_index, with_type};
use crate::{Element, Expr, Float, Index, Number, Operand, Tensor};

/// An operator that gives the places of a row's first elements in order.
pub struct Order {
    signature: Signature,
    top: bool,
}

const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::NUMBER)];
const POSITIONS: Differentiability = Differentiability::None("gives positions");

abeyance_ir::attributes! {
    /// In what order places are given, and as what.
    pub struct ArgsortAttributes {
        /// Element type of the places, `i32` or `i64`.
        dtype: DType,
        /// True if the largest comes first.
        descending: bool = false,
    }
}

abeyance_ir::attributes! {
    /// How many places are given, and as what.
    pub struct TopKIndicesAttributes {
        /// Element type of the places, `i32` or `i64`.
        dtype: DType,
        /// Number of elements to find, from 0 to the size of the last axis.
        k: i64,
    }
}

/// The order of the elements along the last axis: the places of the smallest, of the next, and so
/// on, or from the largest on if `descending`. TensorFlow's `tf.argsort`, stable.
pub static ARGSORT: Order = Order {
    signature: Signature::new("argsort", "the places of elements in their order", OPERANDS)
        .attributes(ArgsortAttributes::SPECS)
        .differentiability(POSITIONS),
    top: false,
};

/// The places of the k largest elements along the last axis, the largest first. The indices of
/// TensorFlow's `tf.math.top_k`.
pub static TOP_K_INDICES: Order = Order {
    signature: Signature::new("top_k_indices", "the places of the k largest elements", OPERANDS)
        .attributes(TopKIndicesAttributes::SPECS)
        .differentiability(POSITIONS),
    top: true,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&ARGSORT, &TOP_K_INDICES];

impl Operator for Order {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (dtype, k) = if self.top {
            let TopKIndicesAttributes { dtype, k } = cx.attributes();
            (dtype, Some(k))
        } else {
            let ArgsortAttributes { dtype, descending: _ } = cx.attributes();
            (dtype, None)
        };
        let full = cx.shape(0);
        let mut shape = full.clone();
        let Some(last) = shape.last_mut() else {
            return Err(Fault::new("a scalar has no elements to put in order"));
        };
        if !DTypes::INDEX.contains(dtype) {
            return Err(Fault::new(format!("places are of {}, not {dtype}", DTypes::INDEX)));
        }
        if let (Dim::Known(n), DType::I32) = (*last, dtype)
            && i32::try_from(n).is_err()
        {
            return Err(Fault::new(format!("places among {n} elements do not fit an i32"))
                .help("ask for i64"));
        }
        if let Some(k) = k {
            let Ok(size) = usize::try_from(k) else {
                return Err(Fault::new(format!("k = {k} is not a size")));
            };
            if let Dim::Known(n) = *last
                && size > n
            {
                return Err(Fault::new(format!(
                    "k = {k} is more than the {n} elements along the last axis of {}",
                    cx.display(&full)
                )));
            }
            *last = Dim::Known(size);
        }
        cx.tensor(dtype, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let last = |dims: &[usize]| dims.last().copied().unwrap_or(0);
        let (n, k) = (last(cx.operands[0].dims), last(cx.result.dims));
        let descending = self.top || cx.attributes::<ArgsortAttributes>().descending;
        let (len, pair) = (cx.operands[0].len(), size_of::<Keyed>());
        let scratch = match k {
            0 => Some(0),
            _ => len.checked_mul(pair),
        };
        let scratch = scratch
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .ok_or_else(|| Fault::new("what it takes to sort is larger than any memory"))?;
        let rows = len.checked_div(n).unwrap_or(0);
        // A comparison for each halving, and what a misprediction costs.
        let flops = len as f64 * (n.max(2) as f64).log2() * 4.0;
        let keyed = Step {
            reads: smallvec![Source::Operand(0)],
            writes: Target::Scratch(0),
            chunk: rows_chunk(rows, n, n.saturating_mul(2 * pair)).saturating_mul(pair),
            cost: Cost { flops, bytes: scratch as f64 },
            workspace: 0,
            run: with_type!(cx.operands[0].dtype, T => Box::new(move |call| {
                let (x, start) = (call.input::<T>(0), call.start::<Keyed>());
                order::order_rows(x, n, k, descending, call.output(), start);
                Ok(())
            })),
        };
        let size = cx.result.dtype.size();
        let placed = with_index!(cx.result.dtype, I => Ok(Step {
            reads: smallvec![Source::Scratch(0)],
            writes: Target::Output,
            chunk: rows_chunk(rows, k, k.saturating_mul(pair)).saturating_mul(size),
            cost: Cost {
                flops: 0.0,
                bytes: 2.0 * cx.result.bytes() as f64,
            },
            workspace: 0,
            run: Box::new(move |call| {
                let (pairs, start) = (call.input::<Keyed>(0), call.start::<I>());
                order::places(pairs, n, k, call.output::<I>(), start);
                Ok(())
            }),
        }))?;
        Ok(Kernel { scratch: smallvec![scratch], steps: [keyed, placed].into_iter().collect() }
            .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.apart_from(|axis| axis + 1 == cx.rank(0))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], DType); 6] = [
            (&[1], DType::I64),
            (&[7], DType::I32),
            (&[2, 3], DType::I64),
            (&[3, 1, 5], DType::I32),
            (&[0, 3], DType::I64),
            (&[40, 33], DType::I32),
        ];
        cases
            .into_iter()
            .map(|(dims, dtype)| {
                let n = dims.last().copied().unwrap_or(1) as i64;
                let sample = if self.top {
                    Sample::new(TopKIndicesAttributes { dtype, k: n.div_euclid(2) })
                } else {
                    Sample::new(ArgsortAttributes { dtype, descending: n % 2 == 0 })
                };
                let values = Domain::Values(&[0.5, 2.0, -1.0, 2.0, 0.0, f64::NAN, -0.0, 3.5]);
                sample.float(dims, values)
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// The places of the elements along the last axis in their order.
    pub fn argsort(self, dtype: DType, descending: bool) -> Self {
        self.apply(&ARGSORT, ArgsortAttributes { dtype, descending })
    }

    /// The places of the k largest elements along the last axis, the largest first.
    pub fn top_k_indices(self, dtype: DType, k: i64) -> Self {
        self.apply(&TOP_K_INDICES, TopKIndicesAttributes { dtype, k })
    }
}

/// Options of [`Tensor::sort_with`] and [`Tensor::argsort_with`]. The default order is ascending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SortOptions {
    descending: bool,
}

impl SortOptions {
    /// The options of [`Tensor::sort`] and [`Tensor::argsort`]: ascending order.
    pub const fn new() -> Self {
        Self { descending: false }
    }

    /// Puts the largest element first. The default is false.
    pub const fn descending(self, descending: bool) -> Self {
        Self { descending }
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    #[track_caller]
    fn ordered<U: Element>(
        self,
        what: &str,
        axis: i64,
        build: impl for<'e> FnOnce(Expr<'e>) -> Expr<'e>,
    ) -> Tensor<'g, U> {
        match resolve_axis(axis, self.shape().len()) {
            Ok(axis) => self.map(|x| build(x.swap_last(axis)).swap_last(axis)),
            Err(mut fault) => {
                fault.message = format!("{what}: {}", fault.message);
                self.fault(fault)
            }
        }
    }

    /// The elements along an axis in ascending order. TensorFlow's `tf.sort`. NaN come last, both
    /// zeros are equal, equal elements keep their order. Gradient: the cotangent of each element
    /// from its place.
    #[track_caller]
    pub fn sort(self, axis: i64) -> Tensor<'g, T> {
        let _call = self.graph().call("sort");
        self.sort_with(axis, SortOptions::new())
    }

    /// The elements along an axis in the order that the options name. In descending order NaN come
    /// first; equal elements keep their order in either. Otherwise as [`Tensor::sort`].
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph, SortOptions};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 5]);
    /// let y = x.sort_with(-1, SortOptions::new().descending(true));
    /// assert_eq!(y.to_string(), "take_along : f32[N, 5]");
    /// ```
    #[track_caller]
    pub fn sort_with(self, axis: i64, options: SortOptions) -> Tensor<'g, T> {
        let _call = self.graph().call("sort_with");
        self.ordered("sort", axis, |x| x.take_along(x.argsort(DType::I64, options.descending)))
    }

    /// The places along an axis of the smallest element, of the next, and so on:
    /// `x.take_along_axis(x.argsort(axis), axis)` is `x.sort(axis)`. TensorFlow's `tf.argsort` with
    /// `stable`; the order is that of [`Tensor::sort`].
    #[track_caller]
    pub fn argsort(self, axis: i64) -> Tensor<'g, i32> {
        let _call = self.graph().call("argsort");
        self.argsort_with(axis, SortOptions::new())
    }

    /// The places along an axis of the elements in the order that the options name, as `i32` or
    /// `i64`. Otherwise as [`Tensor::argsort`].
    #[track_caller]
    pub fn argsort_with<I: Index>(self, axis: i64, options: SortOptions) -> Tensor<'g, I> {
        let _call = self.graph().call("argsort_with");
        self.ordered("argsort", axis, |x| x.argsort(I::DTYPE, options.descending))
    }

    /// The k largest elements along the last axis, the largest first, and their places: `[.., n]`
    /// gives twice `[.., k]`. Of equal elements the one with the lower index comes first; NaN are
    /// larger than all others. TensorFlow's `tf.math.top_k`. More than n are a mistake, or an error
    /// when n is fed. Gradient: the cotangent of the values, each at its element's place.
    #[track_caller]
    pub fn top_k(self, k: usize) -> (Tensor<'g, T>, Tensor<'g, i32>) {
        let _call = self.graph().call("top_k");
        self.top_k_as(k)
    }

    /// The k largest elements along the last axis with their places as `i32` or `i64`:
    /// `x.top_k_as::<i64>(k)`. Otherwise as [`Tensor::top_k`].
    #[track_caller]
    pub fn top_k_as<I: Index>(self, k: usize) -> (Tensor<'g, T>, Tensor<'g, I>) {
        let _call = self.graph().call("top_k_as");
        // A k beyond i64 is as much too large as i64::MAX is.
        let k = i64::try_from(k).unwrap_or(i64::MAX);
        let places = self.map(|x| x.top_k_indices(I::DTYPE, k));
        (self.zip(places, |x, places| x.take_along(places)), places)
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// True if the prediction for the class that `targets[i]` names is among the k largest of row
    /// i: `[n, classes]` with `[n]` gives `[n]`. All classes that tie at the border are in.
    /// TensorFlow's `tf.math.in_top_k`: a row that holds NaN or an infinity gives `false`; but a
    /// target out of range fails at run time, naming its position.
    #[track_caller]
    pub fn in_top_k<I: Index>(self, targets: impl Operand<'g, I>, k: usize) -> Tensor<'g, bool> {
        let _call = self.graph().call("in_top_k");
        // A k beyond i64 is as good as i64::MAX.
        let k = i64::try_from(k).unwrap_or(i64::MAX);
        let this = self.beside(targets);
        let targets = targets.node(this.graph());
        this.graph().within("in_top_k", || {
            let own = this.map::<T>(|x| x.take_along(x.at(targets).expand_dims(-1)));
            let larger = this.greater(own).cast::<i64>().reduce_sum(-1);
            let finite = this.is_finite().reduce_all(-1);
            larger.less(k).logical_and(finite)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, SortOptions, Tensor, dims};

    #[test]
    fn values_and_places_have_one_shape() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 5]);
        let (values, places) = x.top_k(2);
        assert_eq!(values.to_string(), "take_along : f32[N, 2]");
        assert_eq!(places.to_string(), "top_k_indices : i32[N, 2]");
        assert_eq!(x.sort(0).to_string(), "transpose_1 : f32[N, 5]");
        let places: Tensor<i64> = x.argsort_with(-1, SortOptions::new().descending(true));
        assert_eq!(places.to_string(), "argsort_1 : i64[N, 5]");
        let targets = g.placeholder::<i32>("targets", dims![_]);
        let hits = x.in_top_k(targets, 3);
        assert_eq!(hits.to_string(), "in_top_k : bool[N]");
        g.check().unwrap();
    }

    #[test]
    fn what_cannot_be_is_a_mistake() {
        let g = Graph::new();
        let x = g.zeros::<f32>(dims![2, 5]);
        x.top_k(6);
        x.top_k(usize::MAX);
        x.sort(2);
        g.constant(1.0f64).top_k(0);
        g.placeholder::<u8>("long", dims![1usize << 40]).argsort(0);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "k = 6 is more than the 5 elements along the last axis of [2, 5]",
            "k = 9223372036854775807 is more than",
            "sort: axis 2 is out of range",
            "a scalar has no elements to put in order",
            "places among 1099511627776 elements do not fit an i32",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
