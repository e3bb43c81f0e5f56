//! Comparisons, truth values, and choices by them.

use abeyance_graph::ops::{comparison, logical, select};
use abeyance_ir::{Graph as Ir, NodeId};

use super::super::table::Row;
use super::super::value::Value;
use super::arithmetic::{aligned, broadcast_pair};
use super::pointwise::each;

type Append = fn(&mut Ir, NodeId, NodeId) -> NodeId;

macro_rules! direct {
    ($name:literal, $how:literal, $append:path) => {
        Row::new($name, $how, |call| {
            broadcast_pair(call, |x, y| Ok(call.binary($append as Append, x, y)))
        })
    };
}

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    direct!("Equal", "`equal`", comparison::equal),
    direct!("Greater", "`greater`", comparison::greater),
    direct!("GreaterOrEqual", "`greater_equal`", comparison::greater_equal),
    direct!("Less", "`less`", comparison::less),
    direct!("LessOrEqual", "`less_equal`", comparison::less_equal),
    direct!("And", "`logical_and`", logical::logical_and),
    direct!("Or", "`logical_or`", logical::logical_or),
    direct!("Xor", "`logical_xor`", logical::logical_xor),
    Row::new("Not", "`logical_not`", |call| {
        each(call, |x| Ok(call.unary(logical::logical_not, x)))
    }),
    Row::new("Where", "`select`", |call| {
        let (operands, images) = aligned(call, &[0, 1, 2])?;
        let [condition, x, y] = [0, 1, 2].map(|place| operands[place].id());
        let chosen = call.emit(|graph| select::select(graph, condition, x, y));
        Ok(vec![match images {
            true => Value::images(chosen),
            false => Value::plain(chosen),
        }])
    }),
];
