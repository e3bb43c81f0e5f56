//! Products of matrices.

use super::super::attribute::int;
use super::super::entry::OpEntry;
use super::super::writer::Names;
use super::binary::swapped;
use abeyance_graph::ops::matmul;
use abeyance_graph::ops::matmul::MatMulAttributes;

/// This family's operators.
pub(crate) static ENTRIES: &[OpEntry] = &[OpEntry::new(
    &matmul::MatMul,
    "MatMul; of transposed matrices of floats Gemm, of others with a Transpose",
    |writer, id| {
        let MatMulAttributes { transpose_a, transpose_b } = writer.attributes(id);
        let turned = [transpose_a, transpose_b];
        let operands = [writer.operand(id, 0)?, writer.operand(id, 1)?];
        let ranks = operands.map(|operand| writer.shape(operand).len());
        let [mut a, mut b] = operands.map(|operand| writer.value(operand));
        if turned != [false, false] && ranks == [2, 2] && writer.dtype(id).is_float() {
            let flags = vec![int("transA", turned[0].into()), int("transB", turned[1].into())];
            return Ok(Names::plain(writer.node("Gemm", &[&a, &b], flags)));
        }
        if turned[0] {
            a = swapped(writer, &a, ranks[0]);
        }
        if turned[1] {
            b = swapped(writer, &b, ranks[1]);
        }
        Ok(Names::plain(writer.node("MatMul", &[&a, &b], Vec::new())))
    },
)];
