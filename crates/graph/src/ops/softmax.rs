//! Softmax and its logarithm along the last axis.

use abeyance_ir::{
    Cotangents, DTypes, Derivation, Domain, Fault, Inference, Lowered, Lowering, OperandSpec,
    Operator, Sample, Signature, Split, Splitting, Type, resolve_axis,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::{rows_chunk, softmax as kernels};

use super::unary::unary_methods;
use super::{traffic, with_float};
use crate::{Expr, Float, Rule, Tensor, keep_dims};

/// An operator that works on each row along the last axis.
pub struct Rowwise {
    signature: Signature,
    lower: fn(&Lowering<'_>) -> Result<Lowered, Fault>,
    gradient: for<'c> fn(&'c Derivation<'_>) -> Expr<'c>,
}

impl Operator for Rowwise {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        if shape.is_empty() {
            return Err(Fault::new("a scalar has no last axis")
                .help("give it a dimension first: `x.reshape(dims![1])`"));
        }
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.only((self.gradient)(cx)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        (self.lower)(cx)
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.apart_from(|axis| axis + 1 == cx.rank(0))
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [&[usize]; 7] = [&[1], &[5], &[2, 3], &[3, 1, 4], &[37], &[0, 3], &[2, 0]];
        shapes
            .into_iter()
            .map(|dims| Sample::default().float(dims, Domain::Between(-2.0, 2.0)))
            .collect()
    }
}

/// How a result of rows is computed: the length of a row, the bytes of a chunk of whole rows, and
/// the cost at `flops` an element.
pub(crate) fn row_loop(cx: &Lowering<'_>, flops: f64) -> (usize, usize, Cost) {
    let n = cx.result.dims.last().copied().unwrap_or(1);
    let (len, size) = (cx.result.len(), cx.result.dtype.size());
    let rows = len.checked_div(n).unwrap_or(0);
    let bytes = traffic(cx);
    let cost = Cost { flops: flops * len as f64, bytes };
    let each = (bytes / rows.max(1) as f64) as usize;
    // Without rows, `n` is any number.
    (n, rows_chunk(rows, n, each).saturating_mul(size), cost)
}

/// The cotangent y·(c - Σ c·y) of what y is the softmax of, for the cotangent c of y.
pub(super) fn before_softmax<'c>(
    cx: &'c Derivation<'_>,
    cotangent: Expr<'c>,
    y: Expr<'c>,
) -> Expr<'c> {
    let total = cx.times(cotangent, y).reduce_sum(keep_dims(-1));
    cx.times(cotangent - total, y)
}

const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];

/// eˣ over its sum. Gradient, with y the result and dy its cotangent: y·(dy - Σ dy·y).
pub static SOFTMAX: Rowwise = Rowwise {
    signature: Signature::new("softmax", "exp(x) over its sum along the last axis", OPERANDS),
    lower: |cx| {
        let (n, chunk, cost) = row_loop(cx, 24.0);
        with_float!(cx.result.dtype, T => Ok(Kernel::single(1, chunk, cost, move |call| {
            let start = call.start::<T>();
            kernels::softmax(call.input::<T>(0), n, call.output(), start);
            Ok(())
        })
        .into()))
    },
    gradient: |cx| before_softmax(cx, cx.cotangent(), cx.result()),
};

/// x less the logarithm of the sum of eˣ. Gradient, with dy the result's cotangent: dy -
/// softmax(x)·Σ dy.
pub static LOG_SOFTMAX: Rowwise = Rowwise {
    signature: Signature::new(
        "log_softmax",
        "the logarithm of softmax(x) along the last axis",
        OPERANDS,
    ),
    lower: |cx| {
        let (n, chunk, cost) = row_loop(cx, 24.0);
        with_float!(cx.result.dtype, T => Ok(Kernel::single(1, chunk, cost, move |call| {
            let start = call.start::<T>();
            kernels::log_softmax(call.input::<T>(0), n, call.output(), start);
            Ok(())
        })
        .into()))
    },
    gradient: |cx| {
        let total = cx.cotangent().reduce_sum(keep_dims(-1));
        cx.cotangent() - cx.times(total, cx.operand(0).softmax())
    },
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&SOFTMAX, &LOG_SOFTMAX];

unary_methods! {
    /// eˣ over its sum along the last axis.
    softmax SOFTMAX;
    /// x - ln Σ eˣ along the last axis.
    log_softmax LOG_SOFTMAX;
}

impl<'g, T: Float> Tensor<'g, T> {
    /// eˣ over its sum along the last axis: shares that add up to 1. Stable for large logits. It is
    /// a mistake for a scalar.
    #[track_caller]
    pub fn softmax(self) -> Tensor<'g, T> {
        self.map(|x| x.softmax())
    }

    /// The softmax along any axis, negative ones counted from the end: TensorFlow's
    /// `tf.nn.softmax(x, axis)`. An axis other than the last is exchanged with it before and after,
    /// which moves the elements unless only sizes of 1 follow the axis. It is a mistake if there is
    /// no such axis.
    #[track_caller]
    pub fn softmax_along(self, axis: i64) -> Tensor<'g, T> {
        let _call = self.graph().call("softmax_along");
        self.rowwise_along("softmax_along", axis, |x| x.softmax())
    }

    /// x - ln Σ eˣ along the last axis, the logarithm of [`Tensor::softmax`] without its loss of
    /// precision. It is a mistake for a scalar.
    #[track_caller]
    pub fn log_softmax(self) -> Tensor<'g, T> {
        self.map(|x| x.log_softmax())
    }

    /// The logarithm of the softmax along any axis, as [`Tensor::softmax_along`].
    #[track_caller]
    pub fn log_softmax_along(self, axis: i64) -> Tensor<'g, T> {
        let _call = self.graph().call("log_softmax_along");
        self.rowwise_along("log_softmax_along", axis, |x| x.log_softmax())
    }

    #[track_caller]
    fn rowwise_along(
        self,
        what: &str,
        axis: i64,
        rowwise: for<'e> fn(Expr<'e>) -> Expr<'e>,
    ) -> Tensor<'g, T> {
        if self.is_invalid() {
            return self;
        }
        let axis = match resolve_axis(axis, self.shape().len()) {
            Ok(axis) => axis,
            Err(mut fault) => {
                fault.message = format!("{what}: {}", fault.message);
                return self.fault(fault);
            }
        };
        self.map(|x| rowwise(x.swap_last(axis)).swap_last(axis))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn a_scalar_has_no_rows() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        assert_eq!(x.softmax().to_string(), "softmax : f32[N, 3]");
        g.check().unwrap();
        g.constant(1.0f64).log_softmax();
        let message = g.check().unwrap_err().to_string();
        assert!(message.contains("log_softmax: a scalar has no last axis"));
    }

    #[test]
    fn an_axis_that_is_none_is_named_with_the_method() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3, 4]);
        assert_eq!(x.softmax_along(-1).to_string(), "softmax : f32[N, 3, 4]");
        assert_eq!(x.softmax_along(0).shape(), x.shape());
        assert_eq!(x.log_softmax_along(1).shape(), x.shape());
        g.check().unwrap();
        x.softmax_along(3);
        g.constant(1.0f32).log_softmax_along(0);
        let message = g.check().unwrap_err().to_string();
        assert!(message.contains("softmax_along: axis 3 is out of range"), "{message}");
        assert!(message.contains("log_softmax_along: axis 0 is out of range"), "{message}");
    }
}
