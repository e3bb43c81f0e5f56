//! Comparisons, truth values, and choices by them.

use super::super::call::ordered;
use super::super::entry::OpEntry;
use super::arithmetic::{aligned, broadcast_pair};
use super::pointwise::each;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("Equal", "`equal`", |call| broadcast_pair(call, |x, y| x.equal(y))),
    OpEntry::new("Greater", "`greater`", |call| broadcast_pair(call, |x, y| x.greater(y))),
    OpEntry::new("GreaterOrEqual", "`greater_equal`", |call| {
        broadcast_pair(call, |x, y| x.greater_equal(y))
    }),
    OpEntry::new("Less", "`less`", |call| broadcast_pair(call, |x, y| x.less(y))),
    OpEntry::new("LessOrEqual", "`less_equal`", |call| {
        broadcast_pair(call, |x, y| x.less_equal(y))
    }),
    OpEntry::new("And", "`logical_and`", |call| broadcast_pair(call, |x, y| x.logical_and(y))),
    OpEntry::new("Or", "`logical_or`", |call| broadcast_pair(call, |x, y| x.logical_or(y))),
    OpEntry::new("Xor", "`logical_xor`", |call| broadcast_pair(call, |x, y| x.logical_xor(y))),
    OpEntry::new("Not", "`logical_not`", |call| each(call, |x| x.logical_not())),
    OpEntry::new("Where", "`select`", |call| {
        let (operands, images) = aligned(call, &[0, 1, 2])?;
        ordered(operands[0].select(operands[1], operands[2]), images)
    }),
];
