//! The state of a session, taken out of it and put back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use abeyance_ir::{Array, Diagnostic, Location};

use crate::{Error, Session};

/// The state of a session: the values of its variables, and the counters that key its random
/// streams. A session with the same seed that is put into this state goes on to the same bits.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionState {
    /// The session's seed.
    pub seed: u64,
    /// The number of runs that wrote variables.
    pub step: u64,
    /// The number of runs that drew random numbers and wrote nothing.
    pub draws: u64,
    /// All variables by name, in the order in which they were made.
    pub variables: Vec<(Arc<str>, Array)>,
}

impl Session {
    /// Copies the state of the session, between two runs that write.
    pub fn state(&self) -> SessionState {
        let graph = self.graph();
        let values = self.values().read();
        let variables = self.variable_nodes().iter().zip(values.iter()).map(|(&id, value)| {
            let node = graph.node(id);
            let ty = node.ty.tensor();
            let dims = ty.iter().flat_map(|ty| &ty.shape).filter_map(|dim| dim.known()).collect();
            let dtype = ty.map_or(abeyance_ir::DType::F32, |ty| ty.dtype);
            (node.name.clone(), Array { dtype, dims, bytes: value.to_vec() })
        });
        SessionState {
            seed: self.seed(),
            // Steps are counted while values are locked for writing.
            step: self.counters().0.load(Ordering::Acquire),
            draws: self.counters().1.load(Ordering::Acquire),
            variables: variables.collect(),
        }
    }

    /// Puts the session into a state that it, or another of the same graph and seed, had. All
    /// variables change at once.
    ///
    /// # Errors
    /// Variables that are missing, unknown or of another shape, all of them; another seed. The
    /// session is then as it was.
    #[track_caller]
    pub fn restore(&self, state: &SessionState) -> Result<(), Error> {
        let location = Location::caller();
        let mut mistakes = Vec::new();
        if state.seed != self.seed() {
            mistakes.push(
                Diagnostic::new(
                    format!(
                        "the state is of seed {}, and the session of seed {}",
                        state.seed,
                        self.seed()
                    ),
                    location,
                )
                .help("make the session with `SessionOptions::new().seed(..)`"),
            );
        }
        for name in self.variables() {
            if !state.variables.iter().any(|(known, _)| **known == *name) {
                let message = format!("the state lacks the variable `{name}`");
                mistakes.push(Diagnostic::new(message, location).node(name));
            }
        }
        let values = state.variables.iter().map(|(name, array)| (&**name, array));
        let counters = Some((state.step, state.draws));
        self.assign(values, counters, mistakes).map_err(|error| error.at(location))
    }

    /// Sets the values of some variables, all at once.
    ///
    /// # Errors
    /// Variables that do not exist, or are of another element type or shape: all of them. Nothing
    /// is changed then.
    #[track_caller]
    pub fn set_variables<'a>(
        &self,
        values: impl IntoIterator<Item = (&'a str, &'a Array)>,
    ) -> Result<(), Error> {
        let location = Location::caller();
        self.assign(values, None, Vec::new()).map_err(|error| error.at(location))
    }
}
