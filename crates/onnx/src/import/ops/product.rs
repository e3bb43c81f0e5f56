//! Products of matrices.

use abeyance_graph::ops::{binary, einsum, matmul};
use abeyance_ir::Dim;

use super::super::call::{one, wrong};
use super::super::table::Row;
use crate::error::Reason;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("MatMul", "`matmul`, vectors as matrices of one row or column", |call| {
        let (x, y) = (call.tensor(0)?, call.tensor(1)?);
        let (ranks, shapes) = ([call.rank(x), call.rank(y)], [call.shape(x), call.shape(y)]);
        if ranks.contains(&0) {
            return wrong("a single number is no matrix");
        }
        let rows = match ranks[0] {
            1 => call.reshape(x, [Dim::Known(1), shapes[0][0]]),
            _ => x,
        };
        let columns = match ranks[1] {
            1 => call.reshape(y, [shapes[1][0], Dim::Known(1)]),
            _ => y,
        };
        let product =
            call.emit(|graph| matmul::matmul(graph, rows.id(), columns.id(), false, false));
        let mut shape = call.shape(product);
        if ranks == [1, 1] || ranks[0] == 1 || ranks[1] == 1 {
            if shape.len() < 2 {
                return one(product);
            }
            if ranks[1] == 1 {
                shape.pop();
            }
            if ranks[0] == 1 {
                let row = shape.len() - if ranks[1] == 1 { 1 } else { 2 };
                shape.remove(row);
            }
        }
        one(call.reshape(product, shape))
    }),
    Row::new("Gemm", "`matmul` with its flags, `mul` and `add`", |call| {
        let (x, y) = (call.tensor(0)?, call.tensor(1)?);
        let (alpha, beta) = (call.float_or("alpha", 1.0)?, call.float_or("beta", 1.0)?);
        let (turn_x, turn_y) = (call.flag("transA", false)?, call.flag("transB", false)?);
        let product = call.emit(|graph| matmul::matmul(graph, x.id(), y.id(), turn_x, turn_y));
        let scaled = if alpha == 1.0 { product } else { call.times(product, alpha) };
        let Some(bias) = call.optional_tensor(2) else {
            return one(scaled);
        };
        let bias = if beta == 1.0 { bias } else { call.times(bias, beta) };
        one(call.binary(binary::add, scaled, bias))
    }),
    Row::new("Einsum", "the nodes of `einsum`", |call| {
        let equation = call.string_or("equation", "")?;
        let operands: Vec<_> = call.tensors()?.into_iter().map(|x| x.id()).collect();
        let found = call.graph.build(|graph| einsum::einsum(graph, &equation, &operands));
        match found {
            Ok(node) => one(call.graph.any(node)),
            Err(fault) => Err(Reason::Unsupported(fault.message)),
        }
    }),
];
