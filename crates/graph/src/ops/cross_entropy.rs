//! Cross-entropies of logits: against a distribution over classes, a class number, or independent
//! probabilities. Each is one operator rather than a composition, so that it is stable for large
//! logits.

use abeyance_ir::{
    Concrete, Cotangents, DType, DTypes, Derivation, Dim, Domain, Fault, Fusibility, Inference,
    Lowered, Lowering, NodeId, OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting,
    TensorType, Type, resolve_axis,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::{rows_chunk, softmax as kernels};

use super::softmax::{before_softmax, row_loop};
use super::{binary, traffic, with_float, with_index};
use crate::{Expr, Float, Index, Operand, Rule, Tensor, keep_dims};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[
    &SoftmaxCrossEntropy,
    &SparseSoftmaxCrossEntropy,
    &SparseSoftmaxCrossEntropyGradient,
    &SigmoidCrossEntropy,
];

const DENSE: &[OperandSpec] =
    &[OperandSpec::new("labels", DTypes::FLOAT), OperandSpec::new("logits", DTypes::FLOAT)];
const USUAL: Domain = Domain::Between(-2.0, 2.0);
const CLASSES: Domain = Domain::Values(&[0.0, 2.0, 1.0]);

/// All dimensions but the last.
fn rows(logits: &[Dim]) -> Result<Shape, Fault> {
    match logits.split_last() {
        Some((_, rows)) => Ok(rows.into()),
        None => Err(Fault::new("logits without dimensions are not of any classes")
            .help("the last dimension of the logits is the number of classes")),
    }
}

/// A value for each row, as a column beside the classes.
fn column(value: Expr<'_>) -> Expr<'_> {
    let mut shape = value.shape();
    shape.push(Dim::Known(1));
    value.reshape(shape)
}

/// Loops over rows of logits that give one loss each: the number of classes, the bytes of a chunk,
/// and the cost.
fn loss_loop(cx: &Lowering<'_>, logits: usize) -> (usize, usize, Cost) {
    let n = cx.operands[logits].dims.last().copied().unwrap_or(0);
    let (rows, size) = (cx.result.len(), cx.result.dtype.size());
    let bytes = traffic(cx);
    let cost = Cost { flops: 24.0 * cx.operands[logits].len() as f64, bytes };
    let each = (bytes / rows.max(1) as f64) as usize;
    (n, rows_chunk(rows, 1, each) * size, cost)
}

/// -Σ labels·log_softmax(logits) along the last axis: TensorFlow's
/// `softmax_cross_entropy_with_logits`. Labels need not add up to 1; a label of 0 adds nothing
/// whatever its logit. Gradient, with dy the result's cotangent: (softmax(logits)·Σ labels -
/// labels)·dy and -log_softmax(logits)·dy.
pub struct SoftmaxCrossEntropy;

impl Operator for SoftmaxCrossEntropy {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "softmax_cross_entropy",
                "the cross-entropy of softmax(logits) against a distribution, along the last axis",
                DENSE,
            )
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (labels, logits) = (cx.shape(0), cx.shape(1));
        let shape = same_classes(cx, &labels, &logits).map_err(|fault| {
            if labels.len() + 1 == logits.len() { fault.help(NUMBERS) } else { fault }
        })?;
        cx.tensor(cx.dtype(1), rows(&shape)?)
    }

    fn advise(&self, operand: usize, wanted: &TensorType, given: Concrete<'_>) -> Option<String> {
        let is_numbers = given.dims.len() + 1 == wanted.shape.len();
        (operand == 0 && is_numbers).then(|| NUMBERS.to_owned())
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (labels, logits) = (cx.operand(0), cx.operand(1));
        let each = column(cx.cotangent());
        Ok(cx.each_wanted(|index| {
            let expected = || logits.softmax() * labels.reduce_sum(keep_dims(-1));
            let slope = if index == 0 { -logits.log_softmax() } else { expected() - labels };
            cx.times(each, slope)
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (n, chunk, cost) = loss_loop(cx, 1);
        with_float!(cx.result.dtype, T => Ok(Kernel::single(2, chunk, cost, move |call| {
            let (labels, logits, first) = (call.input::<T>(0), call.input::<T>(1), call.start::<T>());
            kernels::softmax_cross_entropy(logits, labels, n, call.output(), first);
            Ok(())
        })
        .into()))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.apart_from(|axis| axis + 1 == cx.rank(0))
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [&[usize]; 7] = [&[1], &[5], &[2, 3], &[2, 1, 4], &[37], &[0, 3], &[2, 0]];
        shapes
            .into_iter()
            .map(|dims| Sample::default().float(dims, Domain::Between(0.1, 1.0)).float(dims, USUAL))
            .collect()
    }
}

/// Advice for class numbers where a distribution is asked for.
const NUMBERS: &str = "a label is wanted for each class of each row, from 0 to 1, one-hot for instance; the numbers of classes, one a row, \
     are taken by `sparse_softmax_cross_entropy`, or made one-hot with `labels.one_hot(classes)`";

/// Advice for a distribution where class numbers are asked for.
const DISTRIBUTIONS: &str = "the number of one class is wanted for each row; labels for each class, one-hot for instance, are taken by \
     `softmax_cross_entropy`, or turned into numbers with `labels.argmax(-1)`";

/// Advice for class numbers in a column.
const COLUMN: &str = "the number of one class is wanted for each row: leave out the last dimension, of size 1, with `labels.squeeze(&[-1])`";

/// Makes the shape of labels, a number for each class, that of logits.
fn same_classes(cx: &mut Inference<'_>, labels: &[Dim], logits: &[Dim]) -> Result<Shape, Fault> {
    cx.same_shape(labels, logits).map_err(|_| {
        Fault::new(format!(
            "labels of shape {} do not fit logits of shape {}",
            cx.display(labels),
            cx.display(logits)
        ))
        .help("there has to be a label, from 0 to 1, for each of the logits")
    })
}

/// Makes the shape of labels that of the rows of logits.
fn sparse_rows(cx: &mut Inference<'_>) -> Result<Shape, Fault> {
    let (labels, logits) = (cx.shape(0), cx.shape(1));
    let rows = rows(&logits)?;
    cx.same_shape(&labels, &rows).map_err(|_| {
        Fault::new(format!(
            "labels of shape {} do not fit logits of shape {}",
            cx.display(&labels),
            cx.display(&logits)
        ))
        .help(match labels.len() == logits.len() {
            true if labels.last() == Some(&Dim::Known(1)) => COLUMN,
            true => DISTRIBUTIONS,
            false => "there has to be one label, the number of a class, for each row of logits",
        })
    })
}

/// -log_softmax(logits) at the label of each row: TensorFlow's
/// `sparse_softmax_cross_entropy_with_logits`. A label that is not the number of a class fails at
/// run time. Gradient, with dy the result's cotangent: (softmax(logits) - one_hot(labels))·dy.
pub struct SparseSoftmaxCrossEntropy;

impl Operator for SparseSoftmaxCrossEntropy {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::in_group("labels", DTypes::INDEX, 1),
            OperandSpec::new("logits", DTypes::FLOAT),
        ];
        const {
            &Signature::new(
                "sparse_softmax_cross_entropy",
                "the cross-entropy of softmax(logits) against a class number, along the last axis",
                OPERANDS,
            )
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = sparse_rows(cx)?;
        cx.tensor(cx.dtype(1), shape)
    }

    fn advise(&self, operand: usize, wanted: &TensorType, given: Concrete<'_>) -> Option<String> {
        let advice = match given.dims.last() {
            Some(1) => COLUMN,
            _ => DISTRIBUTIONS,
        };
        (operand == 0 && given.dims.len() == wanted.shape.len() + 1).then(|| advice.to_owned())
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (labels, logits, cotangent) = (cx.operand(0), cx.operand(1), cx.cotangent());
        let to_logits = || {
            if !cx.masked() {
                return row_slope(labels, logits, cotangent);
            }
            let slope = row_slope(labels, logits, cotangent.fill_like(1.0));
            cx.times(column(cotangent), slope)
        };
        Ok(cx.each_wanted(|index| (index == 1).then(to_logits)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (n, chunk, cost) = loss_loop(cx, 1);
        with_float!(cx.result.dtype, T => with_index!(cx.operands[0].dtype, I => {
            Ok(Kernel::single(2, chunk, cost, move |call| {
                let (labels, logits, first) = (call.input::<I>(0), call.input::<T>(1), call.start::<T>());
                kernels::sparse_softmax_cross_entropy(logits, labels, n, call.output(), first)
            })
            .into())
        }))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.apart_from(|axis| axis + 1 == cx.rank(1))
    }

    fn samples(&self) -> Vec<Sample> {
        sparse_samples(false)
    }
}

/// Samples of labels and logits, with the cotangent of each row on demand.
fn sparse_samples(cotangent: bool) -> Vec<Sample> {
    let shapes: [&[usize]; 6] = [&[3], &[5], &[4, 3], &[2, 2, 7], &[1, 37], &[0, 3]];
    shapes
        .into_iter()
        .enumerate()
        .map(|(index, logits)| {
            let labels = &logits[..logits.len() - 1];
            let dtype = [DType::I64, DType::I32][index % 2];
            let sample = Sample::default().operand(dtype, labels, CLASSES).float(logits, USUAL);
            if cotangent { sample.float(labels, USUAL) } else { sample }
        })
        .collect()
}

/// (softmax(logits) - one_hot(labels))·weight, a weight for each row: the gradient of
/// [`SparseSoftmaxCrossEntropy`] without the one-hot labels in memory.
pub struct SparseSoftmaxCrossEntropyGradient;

impl Operator for SparseSoftmaxCrossEntropyGradient {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::in_group("labels", DTypes::INDEX, 1),
            OperandSpec::new("logits", DTypes::FLOAT),
            OperandSpec::new("weight", DTypes::FLOAT),
        ];
        const {
            &Signature::new(
                "sparse_softmax_cross_entropy_gradient",
                "softmax(logits), less 1 at the label, times a weight for each row",
                OPERANDS,
            )
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (rows, weight) = (sparse_rows(cx)?, cx.shape(2));
        cx.same_shape(&weight, &rows)?;
        cx.tensor(cx.dtype(1), cx.shape(1))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (labels, logits, weight) = (cx.operand(0), cx.operand(1), cx.operand(2));
        Ok(cx.each_wanted(|index| match index {
            0 => None,
            // That of softmax, whose cotangent is this one times the weight.
            1 => Some(before_softmax(cx, cx.chain(column(weight)), logits.softmax())),
            _ => {
                let slope = row_slope(labels, logits, weight.fill_like(1.0));
                Some(cx.chain(slope).reduce_sum(-1))
            }
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (n, chunk, cost) = row_loop(cx, 26.0);
        with_float!(cx.result.dtype, T => with_index!(cx.operands[0].dtype, I => {
            Ok(Kernel::single(3, chunk, cost, move |call| {
                let (labels, logits, weight) = (call.input::<I>(0), call.input::<T>(1), call.input::<T>(2));
                let start = call.start::<T>();
                kernels::sparse_softmax_cross_entropy_gradient(logits, labels, weight, n, call.output(), start)
            })
            .into())
        }))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.apart_from(|axis| axis + 1 == cx.rank(1))
    }

    fn samples(&self) -> Vec<Sample> {
        sparse_samples(true)
    }
}

fn row_slope<'g>(labels: Expr<'g>, logits: Expr<'g>, weight: Expr<'g>) -> Expr<'g> {
    logits.apply_to(&SparseSoftmaxCrossEntropyGradient, &[labels, logits, weight], ())
}

/// max(x, 0) - x·z + ln(1 + e⁻|ˣ|) for logits x and labels z: TensorFlow's
/// `sigmoid_cross_entropy_with_logits`. Gradient: the cotangent times sigmoid(x) - z, as (1 -
/// z)·sigmoid(x) - z·sigmoid(-x), and times -x.
pub struct SigmoidCrossEntropy;

impl Operator for SigmoidCrossEntropy {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "sigmoid_cross_entropy",
                "the cross-entropy of sigmoid(logits) against probabilities, of each element",
                DENSE,
            )
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (labels, logits) = (cx.shape(0), cx.shape(1));
        let shape = same_classes(cx, &labels, &logits)?;
        cx.tensor(cx.dtype(1), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (labels, logits) = (cx.operand(0), cx.operand(1));
        Ok(cx.each_wanted(|index| {
            cx.chain(if index == 0 { -logits } else { logits.sigmoid_less(labels) })
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        with_float!(cx.result.dtype, T => {
            Ok(binary::zip::<T, T, T>(cx, 44.0, #[inline(always)] |z, x| kernels::sigmoid_cross_entropy(x, z)).into())
        })
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [&[usize]; 6] = [&[], &[3], &[2, 5], &[1, 7, 1], &[37], &[0, 3]];
        shapes
            .into_iter()
            .map(|dims| {
                // The formula has a kink at 0 in each of its terms, that cancel; differences see
                // them.
                Sample::default()
                    .float(dims, Domain::Between(0.0, 1.0))
                    .float(dims, Domain::AwayFromZero)
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// For these logits -Σ labels·log_softmax(logits) along the last axis.
    pub fn softmax_cross_entropy(self, labels: Expr<'g>) -> Self {
        self.apply_to(&SoftmaxCrossEntropy, &[labels, self], ())
    }

    /// For these logits -log_softmax(logits) at the label of each row.
    pub fn sparse_softmax_cross_entropy(self, labels: Expr<'g>) -> Self {
        self.apply_to(&SparseSoftmaxCrossEntropy, &[labels, self], ())
    }

    /// For these logits x and the labels z, max(x, 0) - x·z + ln(1 + e⁻|ˣ|) of each element.
    pub fn sigmoid_cross_entropy(self, labels: Expr<'g>) -> Self {
        self.apply_to(&SigmoidCrossEntropy, &[labels, self], ())
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// For logits `[.., n]` and labels of the same shape, -Σ labels·log_softmax(logits) along the
    /// last axis, `[..]`: the cross-entropy of the distribution that the logits stand for against
    /// the labels'. TensorFlow's `softmax_cross_entropy_with_logits`, stable for large logits, with
    /// gradients for logits and labels.
    #[track_caller]
    pub fn softmax_cross_entropy(self, labels: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(labels, |logits, labels| logits.softmax_cross_entropy(labels))
    }

    /// The cross-entropy of a softmax with the classes along any axis of logits and labels,
    /// negative ones counted from the end; the losses have the other dimensions in their order.
    /// TensorFlow's `softmax_cross_entropy_with_logits(axis=..)`. An axis other than the last is
    /// moved there first. It is a mistake if there is no such axis or the shapes differ.
    #[track_caller]
    pub fn softmax_cross_entropy_along(
        self,
        labels: impl Operand<'g, T>,
        axis: i64,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("softmax_cross_entropy_along");
        let what = "softmax_cross_entropy_along";
        let this = self.beside(labels);
        let labels = labels.node(this.graph());
        let help = "there has to be a label, from 0 to 1, for each of the logits";
        match this.class_axis(what, labels, axis, |logits, _| logits.into(), help) {
            Ok(axis) => this.map(|logits| {
                let [logits, labels] = [logits, logits.at(labels)].map(|x| x.move_last(axis));
                logits.softmax_cross_entropy(labels)
            }),
            Err(wrong) => wrong,
        }
    }

    /// For logits `[.., n]` and the numbers of classes `[..]`, -log_softmax(logits) at those
    /// classes, `[..]`. TensorFlow's `sparse_softmax_cross_entropy_with_logits`, stable for large
    /// logits. A label outside `0..n` fails at run time.
    #[track_caller]
    pub fn sparse_softmax_cross_entropy<I: Index>(
        self,
        labels: impl Operand<'g, I>,
    ) -> Tensor<'g, T> {
        self.zip(labels, |logits, labels| logits.sparse_softmax_cross_entropy(labels))
    }

    /// The cross-entropy of a softmax and of labels that are class numbers, with the classes along
    /// any axis of the logits, negative ones counted from the end: labels and losses have the other
    /// dimensions in their order. An axis other than the last is moved there first. It is a mistake
    /// if there is no such axis or the shapes do not fit.
    #[track_caller]
    pub fn sparse_softmax_cross_entropy_along<I: Index>(
        self,
        labels: impl Operand<'g, I>,
        axis: i64,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("sparse_softmax_cross_entropy_along");
        let what = "sparse_softmax_cross_entropy_along";
        let this = self.beside(labels);
        let labels = labels.node(this.graph());
        let rest = |logits: &[Dim], axis: usize| {
            let mut rest = Shape::from(logits);
            rest.remove(axis);
            rest
        };
        let help = "there has to be one label, the number of a class, for each row of logits along the axis";
        match this.class_axis(what, labels, axis, rest, help) {
            Ok(axis) => this.map(|logits| {
                logits.move_last(axis).sparse_softmax_cross_entropy(logits.at(labels))
            }),
            Err(wrong) => wrong,
        }
    }

    /// The axis of the classes, if it is one and the labels have the shape that `expected` works
    /// out. Checked here, so that a message shows shapes as the user wrote them and not as they are
    /// moved.
    #[track_caller]
    fn class_axis(
        self,
        what: &str,
        labels: NodeId,
        axis: i64,
        expected: impl FnOnce(&[Dim], usize) -> Shape,
        help: &str,
    ) -> Result<usize, Tensor<'g, T>> {
        if self.is_invalid() {
            return Err(self);
        }
        let logits = self.shape();
        let axis = match resolve_axis(axis, logits.len()) {
            Ok(axis) => axis,
            Err(mut fault) => {
                fault.message = format!("{what}: {}", fault.message);
                return Err(self.fault(fault));
            }
        };
        let wrong = {
            let ir = self.graph().ir();
            let Some(given) = ir.shape(labels) else {
                return Ok(axis); // Wrong already, and reported.
            };
            let expected = expected(&logits, axis);
            let unlike =
                |(a, b): (&Dim, &Dim)| matches!((a, b), (Dim::Known(a), Dim::Known(b)) if a != b);
            let differ = given.len() != expected.len() || given.iter().zip(&expected).any(unlike);
            differ.then(|| {
                let shown = |shape: &[Dim]| ir.symbols().display(shape).to_string();
                Fault::new(format!(
                    "{what}: labels of shape {} do not fit logits of shape {} with the classes along axis {axis}",
                    shown(&given),
                    shown(&logits)
                ))
                .help(help)
            })
        };
        match wrong {
            Some(fault) => Err(self.fault(fault)),
            None => Ok(axis),
        }
    }

    /// For logits x and labels z of one shape, max(x, 0) - x·z + ln(1 + e⁻|ˣ|) of each element: the
    /// cross-entropy of sigmoid(x) against the probability z. TensorFlow's
    /// `sigmoid_cross_entropy_with_logits`, stable for large logits.
    #[track_caller]
    pub fn sigmoid_cross_entropy(self, labels: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(labels, |logits, labels| logits.sigmoid_cross_entropy(labels))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn one_loss_for_each_row() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 5, 3]);
        let labels = g.placeholder::<i32>("labels", dims![_, 5]);
        let loss = x.sparse_softmax_cross_entropy(labels);
        assert_eq!(loss.to_string(), "sparse_softmax_cross_entropy : f32[N, 5]");
        let loss = x.softmax_cross_entropy(g.placeholder("p", dims![_, 5, 3]));
        assert_eq!(loss.to_string(), "softmax_cross_entropy : f32[N, 5]");
        let loss = x.sigmoid_cross_entropy(x);
        assert_eq!(loss.to_string(), "sigmoid_cross_entropy : f32[N, 5, 3]");
        g.check().unwrap();
    }

    #[test]
    fn labels_that_do_not_fit_are_shown_with_the_logits() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        x.sparse_softmax_cross_entropy(g.placeholder::<i64>("labels", dims![4, 3]));
        let message = g.check().unwrap_err().to_string();
        assert!(message.contains("labels of shape [4, 3] do not fit logits of shape [N, 3]"));
    }
}
