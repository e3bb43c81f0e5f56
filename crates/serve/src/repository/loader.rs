//! The thread that looks at files, loads versions beside those that answer, and puts them in their
//! place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::folder::{self, FileState, VersionFiles};
use super::load::{Loading, load};
use super::{Registry, Slot, State};
use crate::Error;
use crate::executor::Batching;
use crate::metrics::Metrics;

/// The place that models are loaded from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// One model, as version 1.
    Single {
        /// A package, a graph, a model of ONNX.
        path: PathBuf,
        /// The checkpoint with its variables, if they are not in the file itself.
        checkpoint: Option<PathBuf>,
        /// The name of the model. The default is the one that it gives itself.
        name: Option<String>,
    },
    /// `NAME/VERSION/...`
    Folder(PathBuf),
}

/// Options of the watch on a folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pub(crate) threads: usize,
    pub(crate) batching: Batching,
    pub(crate) versions: usize,
    pub(crate) poll: Duration,
}

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Loader {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    /// Loads what there is, in a thread that goes on looking at a folder. A single model is loaded
    /// before this returns.
    ///
    /// # Errors
    /// The single model cannot be loaded; the folder cannot be read.
    pub(crate) fn start(
        source: Source,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
        watch: Watch,
    ) -> Result<Self, Error> {
        let loading = Loading { threads: watch.threads, batching: watch.batching };
        let mut work = LoaderThread {
            registry,
            metrics,
            loading,
            watch,
            seen: HashMap::new(),
            tried: HashMap::new(),
            last: BTreeMap::new(),
        };
        let folder = match source {
            Source::Single { path, checkpoint, name } => {
                work.single(&path, checkpoint.as_deref(), name)?;
                return Ok(Self { stop: None, thread: None });
            }
            Source::Folder(folder) => folder,
        };
        let failed = |source| Error::Folder { path: folder.clone(), source };
        let first = folder::scan(&folder).map_err(failed)?;
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            step_behind();
            work.look(first, true);
            work.registry.looked();
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(watch.poll) {
                match folder::scan(&folder) {
                    Ok(found) => work.look(found, false),
                    // It may come back; what answers goes on.
                    Err(error) => {
                        tracing::warn!(folder = %folder.display(), %error, "the folder of models cannot be read")
                    }
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("loader".to_owned())
            .spawn(run)
            .map_err(|source| Error::Start { source })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has said what it could.
            let _ = thread.join();
        }
    }
}

/// Lets threads that answer go first.
fn step_behind() {
    // Where it is not allowed, loading takes its share as any other thread.
    let _ = rustix::process::setpriority_process(None, 19);
}

/// The versions of all models, as they were found.
type FoundModels = BTreeMap<String, BTreeMap<u64, VersionFiles>>;

/// Adds the versions that the last look found and this one did not. While a version is replaced
/// there is none for a moment, so that only a version that is missing at two looks is gone.
fn with_just_missing(mut now: FoundModels, last: &FoundModels) -> FoundModels {
    for (name, versions) in last {
        let model = now.entry(name.clone()).or_default();
        for (number, found) in versions {
            model.entry(*number).or_insert_with(|| found.clone());
        }
    }
    now
}

struct LoaderThread {
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    loading: Loading,
    watch: Watch,
    /// Files as they were at the last look.
    seen: HashMap<PathBuf, Vec<FileState>>,
    /// Files as they were when their version was loaded, or could not be.
    tried: HashMap<PathBuf, Vec<FileState>>,
    /// The versions that the last look found.
    last: FoundModels,
}

impl LoaderThread {
    fn single(
        &mut self,
        path: &Path,
        checkpoint: Option<&Path>,
        name: Option<String>,
    ) -> Result<(), Error> {
        let name = name.map(Arc::from);
        let loaded = load(path, checkpoint, name.as_ref(), 1, self.loading);
        let version = loaded.map_err(|why| Error::Model { path: path.to_owned(), why })?;
        let model = version.model.clone();
        self.metrics.load(&model, true);
        let slot = Slot {
            state: State::Ready,
            since: SystemTime::now(),
            path: path.to_owned(),
            error: None,
            live: Some(Arc::new(version)),
        };
        self.registry.change(|models| drop(models.entry(model).or_default().insert(1, slot)));
        self.registry.looked();
        Ok(())
    }

    /// Brings the registry to what was found. At the first look everything is loaded as it is;
    /// later, files that just changed are left until they have been the same at two looks, since
    /// they may still be copied.
    fn look(&mut self, now: FoundModels, first: bool) {
        let found = with_just_missing(now.clone(), &self.last);
        self.last = now;
        for (name, versions) in &found {
            self.model(&Arc::from(name.as_str()), versions, first);
        }
        let gone: Vec<Arc<str>> = {
            let models = self.registry.models();
            models.keys().filter(|name| !found.contains_key(&***name)).cloned().collect()
        };
        for name in gone {
            tracing::info!(model = %name, "the model is gone from the folder");
            self.registry.change(|models| drop(models.remove(&name)));
        }
        let stamps = |found: &VersionFiles| (found.path.clone(), found.stamps.clone());
        self.seen = found.values().flat_map(BTreeMap::values).map(stamps).collect();
        self.tried.retain(|path, _| self.seen.contains_key(path));
    }

    fn model(&mut self, name: &Arc<str>, versions: &BTreeMap<u64, VersionFiles>, first: bool) {
        let mut serving: BTreeSet<u64> = BTreeSet::new();
        // The newest first, until there are enough.
        for (&number, found) in versions.iter().rev() {
            if serving.len() == self.watch.versions {
                break;
            }
            let is_settled = first || self.seen.get(&found.path) == Some(&found.stamps);
            if self.tried.get(&found.path) != Some(&found.stamps) && is_settled {
                self.load(name, number, found);
            }
            if self.is_live(name, number) {
                serving.insert(number);
            }
        }
        self.registry.change(|models| {
            let model = models.entry(name.clone()).or_default();
            model.retain(|number, _| versions.contains_key(number));
            for (number, slot) in model.iter_mut() {
                if slot.live.is_some() && !serving.contains(number) {
                    // Whoever computes with it still holds it until then.
                    slot.live = None;
                    slot.state = State::Retired;
                    slot.since = SystemTime::now();
                    tracing::info!(model = %name, version = number, "the version is served no longer: a newer one is");
                }
            }
        });
        // A version that is not served is loaded anew when it is wanted again.
        for (number, found) in versions {
            if !serving.contains(number) && self.state(name, *number) == Some(State::Retired) {
                self.tried.remove(&found.path);
            }
        }
    }

    fn state(&self, name: &str, number: u64) -> Option<State> {
        self.registry.models().get(name)?.get(&number).map(|slot| slot.state)
    }

    fn is_live(&self, name: &str, number: u64) -> bool {
        let models = self.registry.models();
        models
            .get(name)
            .and_then(|model| model.get(&number))
            .is_some_and(|slot| slot.live.is_some())
    }

    fn load(&mut self, name: &Arc<str>, number: u64, found: &VersionFiles) {
        self.tried.insert(found.path.clone(), found.stamps.clone());
        self.registry.change(|models| {
            let slot =
                models.entry(name.clone()).or_default().entry(number).or_insert_with(|| Slot {
                    state: State::Loading,
                    since: SystemTime::now(),
                    path: found.path.clone(),
                    error: None,
                    live: None,
                });
            if slot.live.is_none() {
                slot.state = State::Loading;
                slot.since = SystemTime::now();
                slot.error = None;
            }
        });
        let began = std::time::Instant::now();
        let loading = self.loading;
        let attempt = || load(&found.path, None, Some(name), number, loading);
        let loaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt))
            .unwrap_or_else(|_| Err("internal: loading it panicked".to_owned()));
        self.metrics.load(name, loaded.is_ok());
        match &loaded {
            Ok(version) => tracing::info!(
                model = %name, version = number, cases = version.cases, ms = began.elapsed().as_millis() as u64,
                "the version is ready"
            ),
            Err(why) => {
                tracing::error!(model = %name, version = number, why, "the version cannot be served");
            }
        }
        let mut old = None;
        self.registry.change(|models| {
            let slot = models.get_mut(name).and_then(|model| model.get_mut(&number));
            let Some(slot) = slot else { return };
            match loaded {
                Ok(version) => {
                    old = slot.live.replace(Arc::new(version));
                    slot.state = State::Ready;
                    slot.since = SystemTime::now();
                    slot.error = None;
                }
                Err(why) => {
                    if slot.live.is_none() {
                        slot.state = State::Failed;
                        slot.since = SystemTime::now();
                    }
                    slot.error = Some(why);
                }
            }
        });
        drop(old);
    }
}
