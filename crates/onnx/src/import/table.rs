//! The table of operators that are imported, by family.

use super::entry::OpEntry;
use super::ops;

/// Every operator that is imported, by family.
pub(crate) const FAMILIES: &[(&str, &[OpEntry])] = &[
    ("Element by element", ops::pointwise::ENTRIES),
    ("Activations", ops::activation::ENTRIES),
    ("Two and more operands", ops::arithmetic::ENTRIES),
    ("Comparison and logic", ops::logic::ENTRIES),
    ("Products", ops::product::ENTRIES),
    ("Convolutions", ops::convolution::ENTRIES),
    ("Pools", ops::pool::ENTRIES),
    ("Resizing", ops::resize::ENTRIES),
    ("Reductions", ops::reduction::ENTRIES),
    ("Normalization", ops::normalization::ENTRIES),
    ("Losses", ops::loss::ENTRIES),
    ("Shapes", ops::shape::ENTRIES),
    ("Arrangement", ops::arrangement::ENTRIES),
    ("Indices", ops::index::ENTRIES),
    ("Sources", ops::source::ENTRIES),
    ("Sequences", ops::recurrent::ENTRIES),
];

/// The entry of an operator.
pub(crate) fn find(name: &str) -> Option<&'static OpEntry> {
    FAMILIES.iter().flat_map(|(_, entries)| entries.iter()).find(|entry| entry.name == name)
}
