//! The table of operators: for each of the engine's what it is in ONNX.

use abeyance_ir::{Node, NodeId, Operator};

use super::ops;
use super::writer::{Writer, Written};

/// How an operator is exported.
pub(crate) struct Row {
    /// What it is here.
    pub operator: &'static dyn Operator,
    /// What it becomes: a line for the documentation.
    pub how: &'static str,
    /// Writes a node of it.
    pub write: fn(&mut Writer<'_>, NodeId) -> Written,
}

impl Row {
    pub const fn new(
        operator: &'static dyn Operator,
        how: &'static str,
        write: fn(&mut Writer<'_>, NodeId) -> Written,
    ) -> Self {
        Self { operator, how, write }
    }
}

/// Every operator that is exported, by family.
pub(crate) static FAMILIES: &[(&str, &[Row])] = &[
    ("Sources", ops::source::ROWS),
    ("Element by element", ops::pointwise::ROWS),
    ("Two and more operands", ops::binary::ROWS),
    ("Products", ops::product::ROWS),
    ("Images", ops::images::ROWS),
    ("Reductions and classes", ops::reduction::ROWS),
    ("Shapes", ops::shape::ROWS),
    ("Parts and indices", ops::index::ROWS),
];

/// The row of a node's operator.
pub(crate) fn find(node: &Node) -> Option<&'static Row> {
    FAMILIES.iter().flat_map(|(_, rows)| rows.iter()).find(|row| node.is(row.operator))
}
