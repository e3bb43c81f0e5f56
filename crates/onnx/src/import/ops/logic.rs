//! Comparisons, truth values, and choices by them.

use super::super::call::ordered;
use super::super::table::Row;
use super::arithmetic::{aligned, broadcast_pair};
use super::pointwise::each;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("Equal", "`equal`", |call| broadcast_pair(call, |x, y| x.equal(y))),
    Row::new("Greater", "`greater`", |call| broadcast_pair(call, |x, y| x.greater(y))),
    Row::new("GreaterOrEqual", "`greater_equal`", |call| {
        broadcast_pair(call, |x, y| x.greater_equal(y))
    }),
    Row::new("Less", "`less`", |call| broadcast_pair(call, |x, y| x.less(y))),
    Row::new("LessOrEqual", "`less_equal`", |call| broadcast_pair(call, |x, y| x.less_equal(y))),
    Row::new("And", "`logical_and`", |call| broadcast_pair(call, |x, y| x.logical_and(y))),
    Row::new("Or", "`logical_or`", |call| broadcast_pair(call, |x, y| x.logical_or(y))),
    Row::new("Xor", "`logical_xor`", |call| broadcast_pair(call, |x, y| x.logical_xor(y))),
    Row::new("Not", "`logical_not`", |call| each(call, |x| x.logical_not())),
    Row::new("Where", "`select`", |call| {
        let (operands, images) = aligned(call, &[0, 1, 2])?;
        ordered(operands[0].select(operands[1], operands[2]), images)
    }),
];
