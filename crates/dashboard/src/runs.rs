//! The runs that a server shows, with the controls of those that are training in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use abeyance_record::Run;
use parking_lot::RwLock;

use crate::controls::Controls;
use crate::predictor::Predictor;

/// A run, and what can be done with it.
#[derive(Clone, Debug)]
pub struct ShownRun {
    /// The recording.
    pub run: Arc<Run>,
    /// Pauses and stops the training, if it goes on in this process.
    pub controls: Option<Arc<Controls>>,
    /// Classifies drawn digits.
    pub predictor: Option<Arc<Predictor>>,
}

impl ShownRun {
    /// A run to look at.
    pub fn recorded(run: Arc<Run>) -> Self {
        Self { run, controls: None, predictor: None }
    }
}

/// The runs that a server shows, by id. Clones are the same runs.
#[derive(Clone, Debug, Default)]
pub struct Runs(Arc<RwLock<BTreeMap<String, ShownRun>>>);

impl Runs {
    /// Makes an empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a run, in place of one of the same id.
    pub fn add(&self, shown: ShownRun) {
        let id = shown.run.id().to_owned();
        self.0.write().insert(id, shown);
    }

    /// The run of that id.
    pub fn get(&self, id: &str) -> Option<ShownRun> {
        self.0.read().get(id).cloned()
    }

    /// All of them, by id.
    pub fn list(&self) -> Vec<ShownRun> {
        self.0.read().values().cloned().collect()
    }
}
