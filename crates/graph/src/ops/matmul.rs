//! Products of matrices.

use abeyance_ir::{
    Attribute, AttributeSpec, Attributes, Cotangents, DTypes, Derivation, Domain, Fault,
    Graph as Ir, Inference, Lowered, Lowering, NodeId, OperandSpec, Operator, Sample, Shape,
    Signature, Type,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::matmul::Matmul;

use super::with_type;
use crate::{Number, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&MatMul];

/// `[m, k] · [k, n] = [m, n]`, either operand transposed on the way if its flag says so.
pub struct MatMul;

impl Operator for MatMul {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] =
            &[OperandSpec::new("a", DTypes::NUMBER), OperandSpec::new("b", DTypes::NUMBER)];
        const ATTRIBUTES: &[AttributeSpec] =
            &[AttributeSpec::flag("transpose_a"), AttributeSpec::flag("transpose_b")];
        const {
            &Signature::new("matmul", "the product of two matrices", OPERANDS)
                .attributes(ATTRIBUTES)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (a, b) = (cx.shape(0), cx.shape(1));
        if a.len() != 2 || b.len() != 2 {
            return Err(Fault::new(format!(
                "the product of {} and {} needs two matrices",
                cx.display(&a),
                cx.display(&b)
            ))
            .help("flatten the other dimensions first: `x.reshape(dims![_, 784])`"));
        }
        let (transpose_a, transpose_b) = (cx.attributes().flag(0), cx.attributes().flag(1));
        let (m, k) = if transpose_a { (a[1], a[0]) } else { (a[0], a[1]) };
        let (l, n) = if transpose_b { (b[1], b[0]) } else { (b[0], b[1]) };
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
                (true, _) => fault.help("the second operand fits transposed: `a.matmul_with(b, false, true)` or `a.matmul(b.transpose())`"),
                (_, true) => fault.help("the operands fit the other way round: `b.matmul(a)`"),
                _ => fault,
            });
        }
        cx.tensor(cx.dtype(0), Shape::from_slice(&[m, n]))
    }

    fn gradient(&self, cx: &mut Derivation<'_>) -> Result<Cotangents, Fault> {
        let (a, b, d) = (cx.operand(0), cx.operand(1), cx.cotangent());
        let (ta, tb) = (cx.attributes().flag(0), cx.attributes().flag(1));
        // With C = op(A)·op(B): the cotangent of op(A) is D·op(B)ᵀ, that of op(B) is op(A)ᵀ·D; each is turned round
        // where its operand was.
        let first = cx.wanted(0).then(|| match ta {
            false => matmul(cx.graph(), d, b, false, !tb),
            true => matmul(cx.graph(), b, d, tb, true),
        });
        let second = cx.wanted(1).then(|| match tb {
            false => matmul(cx.graph(), a, d, !ta, false),
            true => matmul(cx.graph(), d, a, true, ta),
        });
        Ok(Cotangents::from_iter([first, second]))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (ta, tb) = (cx.attributes.flag(0), cx.attributes.flag(1));
        let (m, n) = (cx.result.dims[0], cx.result.dims[1]);
        let k = cx.operands[0].dims[if ta { 0 } else { 1 }];
        let plan = Matmul::new(m, k, n, ta, tb);
        let cost = Cost {
            flops: 2.0 * m as f64 * k as f64 * n as f64,
            bytes: (cx.operands[0].bytes() + cx.operands[1].bytes() + cx.result.bytes()) as f64,
        };
        let chunk = plan.row_block().max(1) * n * cx.result.dtype.size();
        Ok(with_type!(cx.result.dtype, T => Kernel::single(2, chunk, cost, move |call| {
            let (a, b) = (call.input::<T>(0), call.input::<T>(1));
            let first_row = call.start::<T>().checked_div(n).unwrap_or(0);
            plan.run(a, b, call.output::<T>(), first_row);
            Ok(())
        }))
        .into())
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize], bool, bool); 9] = [
            (&[2, 3], &[3, 4], false, false),
            (&[3, 2], &[3, 4], true, false),
            (&[2, 3], &[4, 3], false, true),
            (&[3, 2], &[4, 3], true, true),
            (&[1, 1], &[1, 1], false, false),
            (&[5, 1], &[1, 7], false, false),
            (&[0, 3], &[3, 2], false, false),
            (&[2, 0], &[0, 3], false, false),
            (&[2, 3], &[3, 0], false, false),
        ];
        let domain = Domain::Between(-2.0, 2.0);
        cases
            .into_iter()
            .map(|(a, b, ta, tb)| {
                Sample::new(attributes(ta, tb)).float(a, domain.clone()).float(b, domain.clone())
            })
            .collect()
    }
}

fn attributes(transpose_a: bool, transpose_b: bool) -> Attributes {
    Attributes::of([Attribute::Flag(transpose_a), Attribute::Flag(transpose_b)])
}

/// Appends `matmul(a, b)`.
pub fn matmul(
    graph: &mut Ir,
    a: NodeId,
    b: NodeId,
    transpose_a: bool,
    transpose_b: bool,
) -> NodeId {
    graph.add(&MatMul, &[a, b], attributes(transpose_a, transpose_b))
}

impl<'g, T: Number> Tensor<'g, T> {
    /// The product of two matrices: `[m, k] · [k, n] = [m, n]`. Integers wrap.
    ///
    /// Gradient: the cotangent times the other operand transposed, on the other's side.
    #[track_caller]
    pub fn matmul(self, other: Tensor<'g, T>) -> Tensor<'g, T> {
        self.matmul_with(other, false, false)
    }

    /// The product of two matrices, either of them transposed first. No transposed copy is made.
    #[track_caller]
    pub fn matmul_with(
        self,
        other: Tensor<'g, T>,
        transpose_self: bool,
        transpose_other: bool,
    ) -> Tensor<'g, T> {
        self.with(other, |graph, a, b| matmul(graph, a, b, transpose_self, transpose_other))
    }
}
