//! Products of matrices.

use super::super::attribute::int;
use super::super::table::Row;
use super::super::writer::Held;
use super::binary::swapped;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[Row::new(
    "matmul",
    "MatMul; of transposed matrices of floats Gemm, of others with a Transpose",
    |writer, id| {
        let attributes = writer.attributes(id);
        let turned = [attributes.flag(0), attributes.flag(1)];
        let operands = [writer.operand(id, 0)?, writer.operand(id, 1)?];
        let ranks = operands.map(|operand| writer.shape(operand).len());
        let [mut a, mut b] = operands.map(|operand| writer.value(operand));
        if turned != [false, false] && ranks == [2, 2] && writer.dtype(id).is_float() {
            let flags = vec![int("transA", turned[0].into()), int("transB", turned[1].into())];
            return Ok(Held::plain(writer.node("Gemm", &[&a, &b], flags)));
        }
        if turned[0] {
            a = swapped(writer, &a, ranks[0]);
        }
        if turned[1] {
            b = swapped(writer, &b, ranks[1]);
        }
        Ok(Held::plain(writer.node("MatMul", &[&a, &b], Vec::new())))
    },
)];
