//! The table of operators that are exported, by family.

use abeyance_ir::Node;

use super::entry::OpEntry;
use super::ops;

/// Every operator that is exported, by family.
pub(crate) static FAMILIES: &[(&str, &[OpEntry])] = &[
    ("Sources", ops::source::ENTRIES),
    ("Element by element", ops::pointwise::ENTRIES),
    ("Two and more operands", ops::binary::ENTRIES),
    ("Products", ops::product::ENTRIES),
    ("Images", ops::images::ENTRIES),
    ("Reductions and classes", ops::reduction::ENTRIES),
    ("Shapes", ops::shape::ENTRIES),
    ("Parts and indices", ops::index::ENTRIES),
];

/// The entry of a node's operator.
pub(crate) fn find(node: &Node) -> Option<&'static OpEntry> {
    FAMILIES.iter().flat_map(|(_, entries)| entries.iter()).find(|entry| node.is(entry.operator))
}
