//! Sums and products of all elements up to each: `cumsum`, `cumprod`, and the recurrence that is
//! the latter's gradient.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Domain, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Signature, Split, Splitting, Type, resolve_axis,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::rows_chunk;
use abeyance_kernels::scan::Scan;

use super::{traffic, with_float, with_type};
use crate::{Expr, Number, Rule, Tensor};

/// An operator that combines all elements up to each along an axis.
pub struct Cumulative {
    signature: Signature,
    product: bool,
    gradient: for<'c> fn(&'c Derivation<'_>, CumulativeAttributes) -> Expr<'c>,
    domain: Domain,
}

const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::NUMBER)];

abeyance_ir::attributes! {
    /// Which elements are combined up to each.
    pub struct CumulativeAttributes {
        /// Axis along which elements are combined; a negative one counts from the end.
        axis: i64,
        /// True if the element itself is left out.
        exclusive: bool = false,
        /// True if elements are combined from the end of the axis on.
        reverse: bool = false,
    }
}

impl Operator for Cumulative {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let CumulativeAttributes { axis, .. } = cx.attributes();
        let shape = cx.shape(0);
        cx.axis(axis, shape.len())?;
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.only((self.gradient)(cx, cx.attributes())))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let CumulativeAttributes { axis, exclusive, reverse } = cx.attributes();
        let (plan, chunk, cost) = scan(cx, axis, reverse)?;
        let product = self.product;
        Ok(with_type!(cx.result.dtype, T => Kernel::single(1, chunk, cost, move |call| {
                    let (x, start) = (call.input::<T>(0), call.start::<T>());
                    if product {
        plan.product(x, exclusive, call.output(), start)
        } else {
        plan.sum(x, exclusive, call.output(), start)
        }
                    Ok(())
                }))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let CumulativeAttributes { axis, .. } = cx.attributes();
        let along = resolve_axis(axis, cx.rank(0)).ok();
        cx.apart_from(|axis| along.is_none_or(|along| axis == along))
    }

    fn samples(&self) -> Vec<Sample> {
        cases()
            .into_iter()
            .flat_map(|(dims, axis)| {
                [(false, false), (true, false), (false, true), (true, true)].into_iter().map(
                    move |(exclusive, reverse)| {
                        Sample::new(CumulativeAttributes { axis, exclusive, reverse })
                            .float(dims, self.domain.clone())
                    },
                )
            })
            .collect()
    }
}

fn cases() -> [(&'static [usize], i64); 5] {
    [(&[5], 0), (&[2, 3], 1), (&[3, 1, 2], 0), (&[0, 3], 1), (&[2, 0], -1)]
}

/// How a node scans its operands, the chunk of whole blocks, and the cost.
fn scan(cx: &Lowering<'_>, axis: i64, reverse: bool) -> Result<(Scan, usize, Cost), Fault> {
    let dims = cx.result.dims;
    let axis = resolve_axis(axis, dims.len())?;
    let plan = Scan::new(dims, axis, reverse);
    let (block, size) = (plan.block(), cx.result.dtype.size());
    let blocks = cx.result.len().checked_div(block).unwrap_or(0);
    let cost = Cost { flops: 2.0 * cx.result.len() as f64, bytes: traffic(cx) };
    let each = block.saturating_mul(2 * size);
    Ok((plan, rows_chunk(blocks, block, each) * size, cost))
}

/// `y[i] = ∑ x[k]` over k ≤ i. TensorFlow's `tf.cumsum`. Gradient: the cotangent's sums in the
/// other direction.
pub static CUMSUM: Cumulative = Cumulative {
    signature: Signature::new("cumsum", "sums of all elements up to each", OPERANDS)
        .attributes(CumulativeAttributes::SPECS),
    product: false,
    gradient: |cx, CumulativeAttributes { axis, exclusive, reverse }| {
        cx.cotangent().cumsum(axis, exclusive, !reverse)
    },
    domain: Domain::Between(-2.0, 2.0),
};

/// `y[i] = ∏ x[k]` over k ≤ i. TensorFlow's `tf.cumprod`. Gradient:
/// `dx[i] = ∏ x[k] over k < i · s[i]` with `s[i] = c[i] + x[i+1]·s[i+1]` for the cotangent c, which
/// divides by nothing and so is right also where elements are 0.
pub static CUMPROD: Cumulative = Cumulative {
    signature: Signature::new("cumprod", "products of all elements up to each", OPERANDS)
        .attributes(CumulativeAttributes::SPECS),
    product: true,
    gradient: |cx, attributes| {
        cx.operand(0).cumprod_gradient(cx.result(), cx.cotangent(), attributes, cx.masked())
    },
    domain: Domain::Values(&[0.5, -1.5, 0.0, 2.0, 1.25, 0.0, -0.75]),
};

/// A cotangent times a local derivative, as [`Rule::chain`] has it.
fn times<'g>(cotangent: Expr<'g>, local: Expr<'g>, masked: bool) -> Expr<'g> {
    if masked { local.mul_no_nan(cotangent) } else { cotangent * local }
}

abeyance_ir::attributes! {
    /// Where a recurrence runs.
    pub struct LinearScanAttributes {
        /// Axis along which the recurrence runs; a negative one counts from the end.
        axis: i64,
        /// True if it runs from the end of the axis on.
        reverse: bool = false,
    }
}

/// The recurrence `z[0] = 0`, `z[i] = a[i-1]·z[i-1] + b[i-1]` along an axis, where `a·0` is 0
/// whatever a is. Gradient: the same in the other direction on the cotangent gives that of b, which
/// times z is that of a.
pub struct LinearScan;

impl Operator for LinearScan {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] =
            &[OperandSpec::new("a", DTypes::FLOAT), OperandSpec::new("b", DTypes::FLOAT)];
        const {
            &Signature::new("linear_scan", "z of each next element is a z + b", OPERANDS)
                .attributes(LinearScanAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let LinearScanAttributes { axis, reverse: _ } = cx.attributes();
        let shape = cx.same_shape(&cx.shape(0), &cx.shape(1))?;
        cx.axis(axis, shape.len())?;
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let LinearScanAttributes { axis, reverse } = cx.attributes();
        let of_b = cx.operand(0).linear_scan(cx.cotangent(), axis, !reverse);
        Ok(cx.each_wanted(|index| match index {
            0 => times(of_b, cx.result(), cx.masked()),
            _ => of_b,
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let LinearScanAttributes { axis, reverse } = cx.attributes();
        let (plan, chunk, cost) = scan(cx, axis, reverse)?;
        with_float!(cx.result.dtype, T => Ok(Kernel::single(2, chunk, cost, move |call| {
            let (a, b, start) = (call.input::<T>(0), call.input::<T>(1), call.start::<T>());
            plan.linear(a, b, call.output(), start);
            Ok(())
        })
        .into()))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let LinearScanAttributes { axis, reverse: _ } = cx.attributes();
        let along = resolve_axis(axis, cx.rank(0)).ok();
        cx.apart_from(|axis| along.is_none_or(|along| axis == along))
    }

    fn samples(&self) -> Vec<Sample> {
        cases()
            .into_iter()
            .flat_map(|(dims, axis)| {
                [false, true].map(|reverse| {
                    Sample::new(LinearScanAttributes { axis, reverse })
                        .float(dims, Domain::Values(&[0.5, -1.5, 0.0, 2.0, 1.25]))
                        .float(dims, Domain::Between(-2.0, 2.0))
                })
            })
            .collect()
    }
}

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&CUMSUM, &CUMPROD, &LinearScan];

impl<'g> Expr<'g> {
    /// The sums of all elements up to each along an axis.
    pub fn cumsum(self, axis: i64, exclusive: bool, reverse: bool) -> Self {
        self.apply(&CUMSUM, CumulativeAttributes { axis, exclusive, reverse })
    }

    /// The products of all elements up to each along an axis.
    pub fn cumprod(self, axis: i64, exclusive: bool, reverse: bool) -> Self {
        self.apply(&CUMPROD, CumulativeAttributes { axis, exclusive, reverse })
    }

    /// The recurrence `z[i] = a[i-1]·z[i-1] + b[i-1]` from 0 on, of which this is a.
    pub fn linear_scan(self, b: Self, axis: i64, reverse: bool) -> Self {
        self.apply_to(&LinearScan, &[self, b], LinearScanAttributes { axis, reverse })
    }

    /// The cotangent of this for that of `y`, its cumulative product, as [`CUMPROD`] says.
    pub(super) fn cumprod_gradient(
        self,
        y: Self,
        cotangent: Self,
        CumulativeAttributes { axis, exclusive, reverse }: CumulativeAttributes,
        masked: bool,
    ) -> Self {
        let (before, behind) = if exclusive {
            // Then c[i+1] stands in place of c[i], as the recurrence gives it.
            (y, self.linear_scan(cotangent, axis, !reverse))
        } else {
            let before = self.cumprod(axis, true, reverse);
            let product = times(cotangent, self, masked);
            (before, cotangent + self.linear_scan(product, axis, !reverse))
        };
        times(behind, before, masked)
    }
}

/// Options of [`Tensor::cumsum_with`] and [`Tensor::cumprod_with`]. By default an element is part
/// of its own sum, and sums begin at the first element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CumulativeOptions {
    exclusive: bool,
    reverse: bool,
}

impl CumulativeOptions {
    /// The options of [`Tensor::cumsum`] and [`Tensor::cumprod`]: neither exclusive nor in reverse.
    pub const fn new() -> Self {
        Self { exclusive: false, reverse: false }
    }

    /// Leaves each element out of its own sum or product. The default is false.
    pub const fn exclusive(self, exclusive: bool) -> Self {
        Self { exclusive, ..self }
    }

    /// Begins at the last element. The default is false.
    pub const fn reverse(self, reverse: bool) -> Self {
        Self { reverse, ..self }
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// The sums of all elements up to each along an axis: `[a, b, c]` gives
    /// `[a, a + b, a + b + c]`. Integers wrap. TensorFlow's `tf.cumsum`. Gradient: the cotangent's
    /// sums in the other direction.
    #[track_caller]
    pub fn cumsum(self, axis: i64) -> Tensor<'g, T> {
        let _call = self.graph().call("cumsum");
        self.cumsum_with(axis, CumulativeOptions::new())
    }

    /// The sums of all elements before each along an axis, exclusive (`[0, a, a + b]`), from the
    /// end, in reverse (`[a + b + c, b + c, c]`), or both. Otherwise as [`Tensor::cumsum`].
    ///
    /// ```
    /// use abeyance_graph::{dims, CumulativeOptions, Graph};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 5]);
    /// let y = x.cumsum_with(-1, CumulativeOptions::new().exclusive(true));
    /// assert_eq!(y.to_string(), "cumsum : f32[N, 5]");
    /// ```
    #[track_caller]
    pub fn cumsum_with(self, axis: i64, options: CumulativeOptions) -> Tensor<'g, T> {
        let _call = self.graph().call("cumsum_with");
        self.map(|x| x.cumsum(axis, options.exclusive, options.reverse))
    }

    /// The products of all elements up to each along an axis: `[a, b, c]` gives `[a, a b, a b c]`.
    /// Integers wrap. TensorFlow's `tf.cumprod`. Its gradient is right also where elements are 0.
    #[track_caller]
    pub fn cumprod(self, axis: i64) -> Tensor<'g, T> {
        let _call = self.graph().call("cumprod");
        self.cumprod_with(axis, CumulativeOptions::new())
    }

    /// The products of all elements before each along an axis, exclusive (`[1, a, a b]`), from the
    /// end, in reverse (`[a b c, b c, c]`), or both. Otherwise as [`Tensor::cumprod`].
    #[track_caller]
    pub fn cumprod_with(self, axis: i64, options: CumulativeOptions) -> Tensor<'g, T> {
        let _call = self.graph().call("cumprod_with");
        self.map(|x| x.cumprod(axis, options.exclusive, options.reverse))
    }
}

#[cfg(test)]
mod tests {
    use crate::{CumulativeOptions, Graph, dims};

    #[test]
    fn the_shape_stays() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        assert_eq!(x.cumsum(0).to_string(), "cumsum : f32[N, 3]");
        assert_eq!(
            x.cumprod_with(-1, CumulativeOptions::new().exclusive(true).reverse(true)).to_string(),
            "cumprod : f32[N, 3]"
        );
        g.check().unwrap();
        x.cumsum(2);
        g.constant(1.0f32).cumprod(0);
        let message = g.check().unwrap_err().to_string();
        for part in ["cumsum: axis 2 is out of range", "a scalar has no dimensions"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
