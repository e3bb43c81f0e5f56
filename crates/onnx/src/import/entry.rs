//! An entry of the table of imported operators.

use super::call::{Call, Imported};

/// An operator of ONNX and its import.
pub(crate) struct OpEntry {
    /// Its name in ONNX.
    pub name: &'static str,
    /// The operators that it becomes: a line for the documentation.
    pub note: &'static str,
    /// The uses that are refused: a line for the documentation. By default there are none.
    pub unsupported: &'static str,
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

impl OpEntry {
    pub const fn new(
        name: &'static str,
        note: &'static str,
        import: for<'m, 'g> fn(&Call<'m, 'g>) -> Imported<'g>,
    ) -> Self {
        Self { name, note, unsupported: "", known: &[], state: &[], filter: None, import }
    }

    pub const fn unsupported(mut self, unsupported: &'static str) -> Self {
        self.unsupported = unsupported;
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
