//! The table of operators: for each of ONNX's what it becomes, and what its inputs must be.

use super::call::{Call, Imported};
use super::ops;

/// How an operator of ONNX is imported.
pub(crate) struct Row {
    /// Its name in ONNX.
    pub name: &'static str,
    /// What it becomes: a line for the documentation.
    pub how: &'static str,
    /// Which uses are refused; empty where none is.
    pub limits: &'static str,
    /// The inputs whose values have to be known when the model is imported. An initializer that
    /// stands only at such places is no variable.
    pub known: &'static [usize],
    /// The inputs that a training does not change by gradients: running averages.
    pub state: &'static [usize],
    /// The input that is a filter of images.
    pub filter: Option<usize>,
    /// Appends its nodes.
    pub import: for<'m, 'g> fn(&Call<'m, 'g>) -> Imported<'g>,
}

impl Row {
    pub const fn new(
        name: &'static str,
        how: &'static str,
        import: for<'m, 'g> fn(&Call<'m, 'g>) -> Imported<'g>,
    ) -> Self {
        Self { name, how, limits: "", known: &[], state: &[], filter: None, import }
    }

    pub const fn limits(mut self, limits: &'static str) -> Self {
        self.limits = limits;
        self
    }

    pub const fn known(mut self, inputs: &'static [usize]) -> Self {
        self.known = inputs;
        self
    }

    pub const fn state(mut self, inputs: &'static [usize]) -> Self {
        self.state = inputs;
        self
    }

    pub const fn filter(mut self, input: usize) -> Self {
        self.filter = Some(input);
        self
    }
}

/// Every operator that is imported, by family.
pub(crate) const FAMILIES: &[(&str, &[Row])] = &[
    ("Element by element", ops::pointwise::ROWS),
    ("Activations", ops::activation::ROWS),
    ("Two and more operands", ops::arithmetic::ROWS),
    ("Comparison and logic", ops::logic::ROWS),
    ("Products", ops::product::ROWS),
    ("Convolutions", ops::convolution::ROWS),
    ("Pools", ops::pool::ROWS),
    ("Resizing", ops::resize::ROWS),
    ("Reductions", ops::reduction::ROWS),
    ("Normalization", ops::normalization::ROWS),
    ("Losses", ops::loss::ROWS),
    ("Shapes", ops::shape::ROWS),
    ("Arrangement", ops::arrangement::ROWS),
    ("Indices", ops::index::ROWS),
    ("Sources", ops::source::ROWS),
    ("Sequences", ops::recurrent::ROWS),
];

/// The row of an operator.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    FAMILIES.iter().flat_map(|(_, rows)| rows.iter()).find(|row| row.name == name)
}
