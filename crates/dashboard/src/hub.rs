//! The runs that a server shows, with the controls of those that are training in this process.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use abeyance_record::Run;

use crate::controls::Controls;
use crate::predictor::Predictor;

/// A run, and what can be done with it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The recording.
    pub run: Arc<Run>,
    /// How its training is paused and stopped, if it goes on in this process.
    pub controls: Option<Arc<Controls>>,
    /// Classifies drawn digits.
    pub predictor: Option<Arc<Predictor>>,
}

impl Shown {
    /// A run to look at.
    pub fn recorded(run: Arc<Run>) -> Self {
        Self { run, controls: None, predictor: None }
    }
}

/// The runs that a server shows, by id. Clones are the same runs.
#[derive(Clone, Debug, Default)]
pub struct Runs(Arc<RwLock<BTreeMap<String, Shown>>>);

impl Runs {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a run, in place of one of the same id.
    pub fn add(&self, shown: Shown) {
        let id = shown.run.id().to_owned();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, shown);
    }

    /// The run of that id.
    pub fn get(&self, id: &str) -> Option<Shown> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All of them, by id.
    pub fn list(&self) -> Vec<Shown> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
