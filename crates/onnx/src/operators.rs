//! The tables of operators as lists for people: what `docs/onnx.md` is printed from.

use crate::{export, import};

/// An operator and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counterpart {
    /// The family that it belongs to.
    pub family: &'static str,
    /// Its name: of an imported operator that in ONNX, of an exported one that here.
    pub operator: &'static str,
    /// What it becomes.
    pub counterpart: &'static str,
    /// Which uses are refused; empty where none is.
    pub limits: &'static str,
}

/// The operators of ONNX that are imported, by family.
pub fn imported_operators() -> Vec<Counterpart> {
    let families = import::table::FAMILIES.iter();
    families
        .flat_map(|(family, rows)| {
            rows.iter().map(|row| Counterpart {
                family,
                operator: row.name,
                counterpart: row.how,
                limits: row.limits,
            })
        })
        .collect()
}

/// The operators here that are exported, by family.
pub fn exported_operators() -> Vec<Counterpart> {
    let families = export::table::FAMILIES.iter();
    families
        .flat_map(|(family, rows)| {
            rows.iter().map(|row| Counterpart {
                family,
                operator: row.operator.signature().name,
                counterpart: row.how,
                limits: "",
            })
        })
        .collect()
}
