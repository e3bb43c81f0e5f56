//! The options of a recorder, and its start.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use abeyance_ir::{Graph, NodeId, SummaryKind};
use abeyance_session::{Session, SessionSummary, TensorRef, Value};
use parking_lot::Mutex;
use prost::Message;
use serde_json::{Map, Value as Json};

use super::queue::Queue;
use super::writing::{Files, Writing};
use super::{Classifier, Layout, Recorder, Shared, Thinning};
use crate::graph_def::graph_def;
use crate::proto::{Event, What};
use crate::writer::now;
use crate::{Error, Run, folder, summary};

/// The default of [`RecorderOptions::every`], in steps.
const EVERY: u64 = 20;
/// The prefix of the tags of scalars that are run along with training steps.
const TRAINING: &str = "train/";
/// The tag of the printed graph.
const PRINTED: &str = "graph";

/// The options of a recorder, before it begins: [`Recorder::new`].
#[derive(Clone, Debug)]
#[must_use = "nothing is recorded before `start`"]
pub struct RecorderOptions {
    graph: Graph,
    summaries: Vec<SessionSummary>,
    folder: Option<PathBuf>,
    run: Option<Arc<Run>>,
    every: u64,
    steps: Option<u64>,
    settings: Map<String, Json>,
    classifier: Option<Classifier>,
    resume: Option<i64>,
}

impl RecorderOptions {
    pub(super) fn new(session: &Session) -> Self {
        Self {
            graph: session.graph().clone(),
            summaries: session.summaries(),
            folder: None,
            run: None,
            every: EVERY,
            steps: None,
            settings: Map::new(),
            classifier: Classifier::of(session),
            resume: None,
        }
    }

    /// Writes an event file and `metrics.csv` into a folder of the run's own, which is made if it
    /// is not there.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Tells a run in memory everything that is recorded, such as one that a dashboard shows.
    pub fn watch(mut self, run: Arc<Run>) -> Self {
        self.run = Some(run);
        self
    }

    /// Sets the number of steps from one that is recorded to the next. The default is 20.
    pub fn every(mut self, steps: u64) -> Self {
        self.every = steps.max(1);
        self
    }

    /// Sets the number of steps that there will be. Large things are spread evenly over them:
    /// [`Thinning`].
    pub fn steps(mut self, steps: u64) -> Self {
        self.steps = Some(steps);
        self
    }

    /// Adds settings of the training by name, for the table of runs. `steps` among them is taken
    /// for [`RecorderOptions::steps`].
    pub fn settings(
        mut self,
        settings: impl IntoIterator<Item = (impl Into<String>, impl Into<Json>)>,
    ) -> Self {
        let settings = settings.into_iter();
        self.settings.extend(settings.map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Records batches of images with their classes and what they are taken for, up to 100 of each,
    /// of these tensors instead of those that the graph's signatures name: [`Classifier::of`].
    pub fn classifier(mut self, classifier: Classifier) -> Self {
        self.classifier = Some(classifier);
        self
    }

    /// Goes on with the recording in the folder from a step on, that of the checkpoint from which
    /// training goes on: what was recorded later is removed, and the folder's event files become
    /// one. [`Recorder::run`] counts from there. A folder without a recording is begun.
    pub fn resume(mut self, step: i64) -> Self {
        self.resume = Some(step);
        self
    }

    /// Starts the recorder and its thread.
    ///
    /// # Errors
    /// The folder holds a recording and [`RecorderOptions::resume`] was not called; the disk fails;
    /// no thread can be started; the step to resume at is below 0.
    pub fn start(mut self) -> Result<Recorder, Error> {
        let known = self.settings.get("steps").and_then(Json::as_u64);
        let steps = self.steps.or(known);
        if let Some(steps) = steps {
            self.settings.insert("steps".to_owned(), steps.into());
        }
        let first = self.resume.unwrap_or(0);
        if first < 0 {
            return Err(Error::Request(format!("a run cannot be resumed at step {first}")));
        }
        let shared = Arc::new(Shared::default());
        let (files, is_begun) = self.files(&shared)?;
        let layout = layout(&self.summaries, self.classifier);
        let queue = Arc::new(Queue::new());
        let mut writing =
            Writing::new(queue.clone(), shared.clone(), files, self.run.clone(), is_begun);
        let wall = now();
        let mut begin = Vec::new();
        if !is_begun {
            let printed = summary::block(PRINTED, &self.graph.to_string());
            begin.push(summary::event(wall, first, vec![printed]));
            let what = What::GraphDef(graph_def(&self.graph, &[]).encode_to_vec());
            begin.push(Event { wall_time: wall, step: first, what: Some(what) });
        }
        let settings = vec![summary::settings(&self.settings), summary::state("running")];
        begin.insert(0, summary::event(wall, first, settings));
        writing.begin(begin);
        let thread = std::thread::Builder::new().name("abeyance-record".to_owned());
        let thread = thread.spawn(move || writing.write_all()).map_err(|error| {
            Error::Request(format!("no thread is to be had for the recorder: {error}"))
        })?;
        Ok(Recorder {
            layout,
            thinning: Thinning::new(self.every, steps),
            queue,
            shared,
            thread: Mutex::new(Some(thread)),
            steps: AtomicI64::new(first),
            newest: AtomicI64::new(first),
            graph: Mutex::new((!is_begun).then_some(self.graph)),
        })
    }

    /// The files, and whether they hold the begin of this run already.
    fn files(&self, shared: &Shared) -> Result<(Files, bool), Error> {
        let Some(path) = &self.folder else { return Ok((Files::none(), false)) };
        let is_begun = path.is_dir() && !folder::event_files(path)?.is_empty();
        if !is_begun {
            return Ok((Files::create(path)?, false));
        }
        let Some(step) = self.resume else {
            return Err(Error::Request(format!(
                "`{}` holds a recording already: resume it, remove it, or record into another folder",
                path.display()
            )));
        };
        let (writer, damage) = folder::resume(path, step)?;
        damage.into_iter().for_each(|message| shared.warn(message));
        Ok((Files::go_on(path, writer)?, true))
    }
}

/// The tensors that are fetched for the summaries of a graph.
fn layout(summaries: &[SessionSummary], classifier: Option<Classifier>) -> Layout {
    let mut tensors: Vec<TensorRef<Value>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut place = |tensor: TensorRef<Value>| -> usize {
        let node: NodeId = tensor.node();
        *places.entry(node).or_insert_with(|| {
            tensors.push(tensor);
            tensors.len() - 1
        })
    };
    let of = |kind: SummaryKind| summaries.iter().filter(move |summary| summary.kind == kind);
    let mut layout = Layout::default();
    for summary in of(SummaryKind::Scalar) {
        let Some(&tensor) = summary.tensors.first() else { continue };
        layout.places.push(place(tensor));
        layout.scalars.push(training_tag(&summary.tag).into());
    }
    layout.small = layout.places.iter().max().map_or(0, |last| last + 1);
    layout.histograms = of(SummaryKind::Histogram)
        .map(|summary| {
            (summary.tag.to_string(), summary.tensors.iter().map(|&tensor| place(tensor)).collect())
        })
        .collect();
    layout.images = of(SummaryKind::Image)
        .filter_map(|summary| Some((summary.tag.to_string(), place(*summary.tensors.first()?))))
        .collect();
    layout.classifier = classifier.map(|classifier| {
        [classifier.images, classifier.labels, classifier.predictions].map(place)
    });
    layout.tensors = tensors;
    layout
}

/// The tag under which a scalar of the graph is recorded: that of training, which a test set's
/// stands beside.
fn training_tag(tag: &str) -> String {
    if tag.contains('/') { tag.to_owned() } else { format!("{TRAINING}{tag}") }
}
