//! The registry of models, their versions and states. A loader's thread writes it, and requests
//! read it.

mod folder;
mod load;
mod loader;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use parking_lot::RwLock;

pub(crate) use loader::{Loader, Source, Watch};

use crate::model::{Version, shortened};
use crate::request_error::{ErrorKind, RequestError};

/// A version's state, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The version is being loaded.
    Loading,
    /// The version answers.
    Ready,
    /// The version could not be loaded.
    Failed,
    /// The version answered once, and a newer one does now.
    Retired,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Loading => "loading",
            State::Ready => "ready",
            State::Failed => "failed",
            State::Retired => "retired",
        }
    }
}

/// A version of a model, in whatever state.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) state: State,
    pub(crate) since: SystemTime,
    pub(crate) path: PathBuf,
    /// The reason why it could not be loaded. Beside a live one, why its files as they are now
    /// cannot.
    pub(crate) error: Option<String>,
    pub(crate) live: Option<Arc<Version>>,
}

/// The versions of a model by their numbers.
pub(crate) type Model = BTreeMap<u64, Slot>;

/// All models by their names.
pub(crate) type Models = BTreeMap<Arc<str>, Model>;

/// The models. Readers get what stands at that moment, and are never in a loader's way.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    models: RwLock<Arc<Models>>,
    looked: AtomicBool,
}

impl Registry {
    /// All models as they are now.
    pub(crate) fn models(&self) -> Arc<Models> {
        self.models.read().clone()
    }

    /// Changes them, at once for who looks.
    fn change(&self, change: impl FnOnce(&mut Models)) {
        let mut models = (*self.models()).clone();
        change(&mut models);
        *self.models.write() = Arc::new(models);
    }

    /// The first look at the files is finished.
    fn looked(&self) {
        self.looked.store(true, Ordering::Release);
    }

    /// True if requests can be sent: all files have been looked at, and some model answers.
    pub(crate) fn is_ready(&self) -> bool {
        self.looked.load(Ordering::Acquire) && !self.live().is_empty()
    }

    /// All versions that answer.
    pub(crate) fn live(&self) -> Vec<Arc<Version>> {
        let models = self.models();
        models.values().flat_map(BTreeMap::values).filter_map(|slot| slot.live.clone()).collect()
    }

    /// The numbers of a model's versions that answer.
    pub(crate) fn live_versions(&self, name: &str) -> Vec<String> {
        let models = self.models();
        let live = models.get(name).into_iter().flatten().filter(|(_, slot)| slot.live.is_some());
        live.map(|(number, _)| number.to_string()).collect()
    }

    /// The version of that number, or all versions of a model that answer.
    ///
    /// # Errors
    /// There is none of that name or number, or none answers.
    pub(crate) fn versions(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<Vec<Arc<Version>>, RequestError> {
        let newest = self.version(name, version)?;
        if version.is_some_and(|version| !version.is_empty()) {
            return Ok(vec![newest]);
        }
        let models = self.models();
        let slots = models.get(name).into_iter().flat_map(BTreeMap::values);
        Ok(slots.filter_map(|slot| slot.live.clone()).collect())
    }

    /// A model.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) fn model(&self, name: &str) -> Result<Model, RequestError> {
        let models = self.models();
        models.get(name).cloned().ok_or_else(|| {
            let near = abeyance_ir::near(name, || models.keys().map(|name| &**name));
            let known: Vec<String> =
                models.keys().take(8).map(|name| format!("`{name}`")).collect();
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "there are none".to_owned(),
                None => format!("there are {}", known.join(", ")),
            };
            RequestError::new(
                ErrorKind::NotFound,
                format!("there is no model `{}`; {help}", shortened(name)),
            )
        })
    }

    /// The version that answers: the newest that does, unless one is named.
    ///
    /// # Errors
    /// There is none of that name or number, or it does not answer.
    pub(crate) fn version(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<Arc<Version>, RequestError> {
        let models = self.models();
        let Some(model) = models.get(name) else {
            return Err(self.model(name).err().unwrap_or_else(|| gone(name)));
        };
        let Some(wanted) = version.filter(|version| !version.is_empty()) else {
            let live = model.values().rev().find_map(|slot| slot.live.clone());
            return live.ok_or_else(|| gone(name));
        };
        let number = wanted.parse::<u64>().ok().filter(|number| number.to_string() == wanted);
        let slot = number.and_then(|number| model.get(&number));
        match slot {
            Some(Slot { live: Some(live), .. }) => Ok(live.clone()),
            Some(slot) => Err(unready(name, wanted, slot)),
            None => {
                let live = model.iter().filter(|(_, slot)| slot.live.is_some());
                let known: Vec<String> = live.map(|(number, _)| number.to_string()).collect();
                let known = known.join(", ");
                Err(RequestError::new(
                    ErrorKind::NotFound,
                    format!(
                        "model `{name}` has no version `{}`; it has {known}",
                        shortened(wanted)
                    ),
                ))
            }
        }
    }
}

fn gone(name: &str) -> RequestError {
    RequestError::new(
        ErrorKind::Unavailable,
        format!("no version of model `{name}` answers: see the page `/`"),
    )
}

fn unready(name: &str, version: &str, slot: &Slot) -> RequestError {
    match slot.state {
        State::Retired => RequestError::new(
            ErrorKind::NotFound,
            format!("version {version} of model `{name}` is no longer served: a newer one is"),
        ),
        state => RequestError::new(
            ErrorKind::Unavailable,
            format!("version {version} of model `{name}` does not answer: it is {}", state.name()),
        ),
    }
}
