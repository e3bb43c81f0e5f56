//! Products of matrices.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Dim, Domain, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting, Type, attributes,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::matmul::{BatchedMatmul, Matmul};

use super::with_type;
use crate::{Expr, Number, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&MatMul];

attributes! {
    /// Which operands of a [`MatMul`] are transposed.
    pub struct MatMulAttributes {
        /// True if the matrices of `a` are transposed first.
        transpose_a: bool = false,
        /// True if the matrices of `b` are transposed first.
        transpose_b: bool = false,
    }
}

/// `[.., m, k] · [.., k, n] = [.., m, n]`, either operand's matrices transposed on the way if its
/// flag says so. Leading dimensions broadcast. TensorFlow's `tf.matmul`.
pub struct MatMul;

impl Operator for MatMul {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] =
            &[OperandSpec::new("a", DTypes::NUMBER), OperandSpec::new("b", DTypes::NUMBER)];
        const {
            &Signature::new("matmul", "the products of matrices", OPERANDS)
                .attributes(MatMulAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (a, b) = (cx.shape(0), cx.shape(1));
        let (Some((lead_a, a_rows, a_columns)), Some((lead_b, b_rows, b_columns))) =
            (matrices(&a), matrices(&b))
        else {
            return Err(Fault::new(format!(
                "the product of {} and {} needs two matrices",
                cx.display(&a),
                cx.display(&b)
            ))
            .help("make a vector a matrix of one row or column first: `x.expand_dims(0)`"));
        };
        let MatMulAttributes { transpose_a, transpose_b } = cx.attributes();
        let turned = |turn, rows, columns| {
            if turn { (columns, rows) } else { (rows, columns) }
        };
        let (m, k) = turned(transpose_a, a_rows, a_columns);
        let (l, n) = turned(transpose_b, b_rows, b_columns);
        if cx.unify(k, l).is_none() {
            let shown = |dim| cx.display(&[dim]).trim_matches(['[', ']']).to_owned();
            let transposed = |flag| if flag { " transposed" } else { "" };
            let fault = Fault::new(format!(
                "{}{} times {}{}: the inner dimensions {} and {} differ",
                cx.display(&a),
                transposed(transpose_a),
                cx.display(&b),
                transposed(transpose_b),
                shown(k),
                shown(l),
            ));
            return Err(match (k == n, l == m) {
                (true, _) => fault.help("the second operand fits transposed: `a.matmul_with(b, MatMulOptions::new().transpose_b(true))` or `a.matmul(b.transpose())`"),
                (_, true) => fault.help("the operands fit the other way round: `b.matmul(a)`"),
                _ => fault,
            });
        }
        let mut shape = if lead_a.is_empty() && lead_b.is_empty() {
            Shape::new()
        } else {
            cx.broadcast(lead_a, lead_b).map_err(|mut fault| {
                fault.message =
                    format!("{} times {}: {}", cx.display(&a), cx.display(&b), fault.message);
                fault
            })?
        };
        shape.extend([m, n]);
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (a, b, d) = (cx.operand(0), cx.operand(1), cx.cotangent());
        let MatMulAttributes { transpose_a: ta, transpose_b: tb } = cx.attributes();
        // With C = op(A)·op(B): the cotangent of op(A) is D·op(B)ᵀ, that of op(B) is op(A)ᵀ·D; each
        // is turned round where its operand was.
        // Where leading dimensions were stretched, the parts are summed.
        let to_a = || {
            if ta { b.matmul_transposed(d, tb, true) } else { d.matmul_transposed(b, false, !tb) }
        };
        let to_b = || {
            // One matrix for all: its cotangent is one product of all rows, with the sum inside it.
            let shared = !ta && b.rank() == 2 && a.rank() > 2;
            let [a, d] = [a, d].map(|x| if shared { x.merge(0, x.rank() - 1) } else { x });
            if tb { d.matmul_transposed(a, true, ta) } else { a.matmul_transposed(d, !ta, false) }
        };
        let part = |index| if index == 0 { to_a() } else { to_b() };
        Ok(cx.each_wanted(|index| part(index).unbroadcast(cx.operand(index))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let MatMulAttributes { transpose_a: ta, transpose_b: tb } = cx.attributes();
        let missing = || Fault::new("an operand is not a matrix");
        let (lead, &m, &n) =
            cx.result.dims.split_last_chunk().map(|(l, [m, n])| (l, m, n)).ok_or_else(missing)?;
        let (lead_a, a) = cx.operands[0].dims.split_last_chunk::<2>().ok_or_else(missing)?;
        let (lead_b, _) = cx.operands[1].dims.split_last_chunk::<2>().ok_or_else(missing)?;
        let k = a[if ta { 0 } else { 1 }];
        let bytes = [cx.operands[0], cx.operands[1], cx.result];
        let bytes = bytes.iter().map(|array| array.bytes() as f64).sum();
        let size = cx.result.dtype.size();
        if lead_b.iter().all(|&size| size == 1) && (!ta || lead_a.iter().all(|&size| size == 1)) {
            // One product of all rows.
            let m = lead.iter().product::<usize>() * m;
            let plan = Matmul::new(m, k, n, ta, tb);
            let cost = Cost { flops: plan.flops(), bytes };
            let chunk = plan.row_block().max(1).saturating_mul(n * size);
            return Ok(
                with_type!(cx.result.dtype, T => Kernel::single(2, chunk, cost, move |call| {
                    let first_row = call.start::<T>().checked_div(n).unwrap_or(0);
                    let (inputs, outputs, workspace) = call.split();
                    let (a, b, out) = (inputs.get::<T>(0), inputs.get::<T>(1), outputs.first().cast());
                    plan.run(a, b, out, first_row, workspace);
                    Ok(())
                }).with_workspace(plan.workspace::<T>(plan.row_block())))
                .into(),
            );
        }
        let plan = BatchedMatmul::new(Matmul::new(m, k, n, ta, tb), lead, lead_a, lead_b);
        let cost = Cost { flops: plan.flops(), bytes };
        let chunk = plan.row_block().saturating_mul(n * size);
        let workspace = with_type!(cx.result.dtype, T => plan.workspace::<T>());
        Ok(with_type!(cx.result.dtype, T => Kernel::single(2, chunk, cost, move |call| {
            let first_row = call.start::<T>().checked_div(n).unwrap_or(0);
            let (inputs, outputs, workspace) = call.split();
            let (a, b, out) = (inputs.get::<T>(0), inputs.get::<T>(1), outputs.first().cast());
            plan.run(a, b, out, first_row, workspace);
            Ok(())
        }).with_workspace(workspace))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        // Places of axes are counted from the last, 1: below 3 they are those of a matrix.
        let place = |operand: usize| Some(cx.rank(operand) - cx.axis(operand)?);
        let MatMulAttributes { transpose_a, transpose_b } = cx.attributes();
        let (inner_a, inner_b) = (1 + usize::from(transpose_a), 1 + usize::from(!transpose_b));
        let rank = cx.result().len();
        match (place(0), place(1)) {
            (Some(a), Some(b)) if a == b && a > 2 => cx.along(rank - a),
            (Some(a), None) if a > 2 && is_shared(cx.shape(1), a) => cx.along(rank - a),
            (None, Some(b)) if b > 2 && is_shared(cx.shape(0), b) => cx.along(rank - b),
            (Some(a), None) if a <= 2 && a != inner_a => cx.along(rank - 2),
            (None, Some(b)) if b <= 2 && b != inner_b && is_shallow(cx) => cx.along(rank - 1),
            _ => Split::Mixed,
        }
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize], bool, bool); 18] = [
            (&[2, 3], &[3, 4], false, false),
            (&[3, 2], &[3, 4], true, false),
            (&[2, 3], &[4, 3], false, true),
            (&[3, 2], &[4, 3], true, true),
            (&[1, 1], &[1, 1], false, false),
            (&[5, 1], &[1, 7], false, false),
            (&[0, 3], &[3, 2], false, false),
            (&[2, 0], &[0, 3], false, false),
            (&[2, 3], &[3, 0], false, false),
            (&[2, 2, 3], &[3, 2], false, false),
            (&[2, 3, 2], &[3, 2], true, false),
            (&[2, 2, 3], &[2, 3], false, true),
            (&[2, 2, 3], &[2, 3, 1], false, false),
            (&[3, 2], &[2, 2, 3], true, true),
            (&[2, 1, 1, 3], &[3, 3, 2], false, false),
            (&[1, 2, 3], &[1, 3, 2], true, true),
            (&[0, 2, 3], &[3, 2], false, false),
            (&[2, 1, 2], &[2, 2, 0], false, false),
        ];
        let domain = Domain::Between(-2.0, 2.0);
        cases
            .into_iter()
            .map(|(a, b, ta, tb)| {
                Sample::new(MatMulAttributes { transpose_a: ta, transpose_b: tb })
                    .float(a, domain.clone())
                    .float(b, domain.clone())
            })
            .collect()
    }
}

/// The leading dimensions, the rows and the columns of an array of matrices.
fn matrices(shape: &[Dim]) -> Option<(&[Dim], Dim, Dim)> {
    shape.split_last_chunk().map(|(lead, &[rows, columns])| (lead, rows, columns))
}

/// True if the sums of a product do not depend on how many columns it has.
fn is_shallow(cx: &Splitting<'_>) -> bool {
    let MatMulAttributes { transpose_a, transpose_b } = cx.attributes();
    let inner = match cx.shape(0) {
        [.., rows, columns] => {
            if transpose_a {
                *rows
            } else {
                *columns
            }
        }
        _ => return false,
    };
    transpose_b || inner.known().is_some_and(|inner| inner <= Matmul::SHALLOW)
}

/// True if of a shape one matrix, or row of matrices, is taken for all along the axis that is
/// `place` from the end.
fn is_shared(shape: &[Dim], place: usize) -> bool {
    shape.len().checked_sub(place).is_none_or(|axis| shape[axis] == Dim::Known(1))
}

/// Options of [`Tensor::matmul_with`]: which operand is transposed first. By default neither is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MatMulOptions {
    transpose_a: bool,
    transpose_b: bool,
}

impl MatMulOptions {
    /// The options of [`Tensor::matmul`]: neither operand is transposed.
    pub const fn new() -> Self {
        Self { transpose_a: false, transpose_b: false }
    }

    /// Transposes the last two dimensions of the first operand first. The default is false.
    pub const fn transpose_a(self, transpose_a: bool) -> Self {
        Self { transpose_a, ..self }
    }

    /// Transposes the last two dimensions of the second operand first. The default is false.
    pub const fn transpose_b(self, transpose_b: bool) -> Self {
        Self { transpose_b, ..self }
    }
}

impl<'g> Expr<'g> {
    /// The products of matrices.
    pub fn matmul(self, other: Expr<'g>) -> Self {
        self.matmul_transposed(other, false, false)
    }

    /// The products of matrices, those of either operand transposed first where its flag says so.
    pub fn matmul_transposed(self, other: Expr<'g>, transpose_a: bool, transpose_b: bool) -> Self {
        let attributes = MatMulAttributes { transpose_a, transpose_b };
        self.apply_to(&MatMul, &[self, other], attributes)
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// The product of two matrices: `[m, k] · [k, n] = [m, n]`; of more dimensions, of each two
    /// matrices that stand at the same place: `[.., m, k] · [.., k, n] = [.., m, n]`, where leading
    /// dimensions broadcast. Integers wrap. TensorFlow's `tf.matmul`.
    ///
    /// Gradient: the cotangent times the other operand transposed, on the other's side, summed over
    /// dimensions that were stretched. Inner sizes that differ, and leading ones that do not
    /// broadcast, are mistakes.
    #[track_caller]
    pub fn matmul(self, other: Tensor<'g, T>) -> Tensor<'g, T> {
        let _call = self.graph().call("matmul");
        self.matmul_with(other, MatMulOptions::new())
    }

    /// The product of two matrices, or of matrices that stand at the same place, with those of
    /// either operand transposed first. No transposed copy is made. Otherwise as
    /// [`Tensor::matmul`]. TensorFlow's `tf.matmul(a, b, transpose_a, transpose_b)`.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph, MatMulOptions};
    /// let g = Graph::new();
    /// let a = g.placeholder::<f32>("a", dims![_, 3]);
    /// let b = g.placeholder::<f32>("b", dims![4, 3]);
    /// let y = a.matmul_with(b, MatMulOptions::new().transpose_b(true));
    /// assert_eq!(y.to_string(), "matmul : f32[N, 4]");
    /// ```
    #[track_caller]
    pub fn matmul_with(self, other: Tensor<'g, T>, options: MatMulOptions) -> Tensor<'g, T> {
        let _call = self.graph().call("matmul_with");
        self.zip(other, |a, b| a.matmul_transposed(b, options.transpose_a, options.transpose_b))
    }
}
