//! The table of operators: for each of the engine's what it is in ONNX.

use abeyance_ir::NodeId;

use super::ops;
use super::writer::{Writer, Written};

/// How an operator is exported.
pub(crate) struct Row {
    /// Its name here.
    pub name: &'static str,
    /// What it becomes: a line for the documentation.
    pub how: &'static str,
    /// Writes a node of it.
    pub write: fn(&mut Writer<'_>, NodeId) -> Written,
}

impl Row {
    pub const fn new(
        name: &'static str,
        how: &'static str,
        write: fn(&mut Writer<'_>, NodeId) -> Written,
    ) -> Self {
        Self { name, how, write }
    }
}

/// Every operator that is exported, by family.
pub(crate) const FAMILIES: &[(&str, &[Row])] = &[
    ("Sources", ops::source::ROWS),
    ("Element by element", ops::pointwise::ROWS),
    ("Two and more operands", ops::binary::ROWS),
    ("Products", ops::product::ROWS),
    ("Images", ops::images::ROWS),
    ("Reductions and classes", ops::reduction::ROWS),
    ("Shapes", ops::shape::ROWS),
    ("Parts and indices", ops::index::ROWS),
];

/// The row of an operator.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    FAMILIES.iter().flat_map(|(_, rows)| rows.iter()).find(|row| row.name == name)
}

/// The operator's name as the table has it; empty for one that it does not have.
pub(crate) fn static_name(name: &str) -> &'static str {
    find(name).map_or("", |row| row.name)
}
