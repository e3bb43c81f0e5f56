//! Products of matrices.

use abeyance_graph::Expr;
use abeyance_ir::Dim;

use super::super::call::{one, wrong};
use super::super::entry::OpEntry;
use super::shape::reshaped;
use crate::error::ProblemKind;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("MatMul", "`matmul`, vectors as matrices of one row or column", |call| {
        let (x, y) = (call.tensor(0)?, call.tensor(1)?);
        let (x_shape, y_shape) = (x.shape(), y.shape());
        if x_shape.is_empty() || y_shape.is_empty() {
            return wrong("a single number is no matrix");
        }
        let rows = match x_shape[..] {
            [length] => reshaped(x, [Dim::Known(1), length]),
            _ => x,
        };
        let columns = match y_shape[..] {
            [length] => reshaped(y, [length, Dim::Known(1)]),
            _ => y,
        };
        let product = rows.matmul(columns);
        let (is_row, is_column) = (x_shape.len() == 1, y_shape.len() == 1);
        let mut shape = product.shape();
        if shape.len() >= 2 {
            if is_column {
                shape.pop();
            }
            if is_row {
                let row = shape.len() - if is_column { 1 } else { 2 };
                shape.remove(row);
            }
        }
        one(reshaped(product, shape))
    }),
    OpEntry::new("Gemm", "`matmul` with its flags, `mul` and `add`", |call| {
        let (x, y) = (call.tensor(0)?, call.tensor(1)?);
        let (alpha, beta) = (call.float_or("alpha", 1.0)?, call.float_or("beta", 1.0)?);
        let (turn_x, turn_y) = (call.flag("transA", false)?, call.flag("transB", false)?);
        let product = x.matmul_transposed(y, turn_x, turn_y);
        let scaled = if alpha == 1.0 { product } else { product * alpha };
        let Some(bias) = call.optional_tensor(2) else {
            return one(scaled);
        };
        let bias = if beta == 1.0 { bias } else { bias * beta };
        one(scaled + bias)
    }),
    OpEntry::new("Einsum", "the nodes of `einsum`", |call| {
        let equation = call.string_or("equation", "")?;
        match Expr::einsum(&equation, &call.tensors()?) {
            Ok(product) => one(product),
            Err(fault) => Err(ProblemKind::Unsupported(fault.message)),
        }
    }),
];
