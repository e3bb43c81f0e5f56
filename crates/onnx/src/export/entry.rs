//! An entry of the table of exported operators.

use abeyance_ir::{NodeId, Operator};

use super::writer::{Lowered, Writer};

/// An operator and its export.
pub(crate) struct OpEntry {
    /// The operator.
    pub operator: &'static dyn Operator,
    /// The nodes of ONNX that it becomes: a line for the documentation.
    pub note: &'static str,
    /// Writes a node of it.
    pub write: fn(&mut Writer<'_>, NodeId) -> Lowered,
}

impl OpEntry {
    pub const fn new(
        operator: &'static dyn Operator,
        note: &'static str,
        write: fn(&mut Writer<'_>, NodeId) -> Lowered,
    ) -> Self {
        Self { operator, note, write }
    }
}
