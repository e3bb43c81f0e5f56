//! The tables of operators as lists for people: what `docs/onnx.md` is printed from.

use crate::{export, import};

/// An operator and its counterpart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counterpart {
    /// The family that it belongs to.
    pub family: &'static str,
    /// Its name: of an imported operator that in ONNX, of an exported one that here.
    pub operator: &'static str,
    /// The operators that it becomes.
    pub counterpart: &'static str,
    /// The uses that are refused; empty where none is.
    pub unsupported: &'static str,
}

/// The operators of ONNX that are imported, by family.
pub fn imported_operators() -> Vec<Counterpart> {
    let families = import::table::FAMILIES.iter();
    families
        .flat_map(|(family, entries)| {
            entries.iter().map(|entry| Counterpart {
                family,
                operator: entry.name,
                counterpart: entry.note,
                unsupported: entry.unsupported,
            })
        })
        .collect()
}

/// The operators here that are exported, by family.
pub fn exported_operators() -> Vec<Counterpart> {
    let families = export::table::FAMILIES.iter();
    families
        .flat_map(|(family, entries)| {
            entries.iter().map(|entry| Counterpart {
                family,
                operator: entry.operator.signature().name,
                counterpart: entry.note,
                unsupported: "",
            })
        })
        .collect()
}
