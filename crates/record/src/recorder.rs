//! Records a training while it runs.

mod classifier;
mod pictures;
mod queue;
mod start;
mod thinning;
mod writing;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;

use abeyance_session::{Decode, Feed, Fetch, NodeCost, Session, TensorRef, Trace, Value};
use parking_lot::Mutex;
use prost::Message;

pub use self::classifier::Classifier;
pub use self::pictures::classes;
use self::queue::Queue;
pub use self::start::RecorderOptions;
pub use self::thinning::Thinning;
use self::writing::{Batch, Item, Large};
use crate::graph_def::graph_def;
use crate::proto::{Event, TaggedRunMetadata, What};
use crate::run_metadata::run_metadata;
use crate::writer::now;
use crate::{Error, summary};

/// Records a training: runs the summaries of its graph along with its steps, and has a thread of
/// its own count, draw, encode and write, so that training waits for nothing of it.
///
/// What it writes are an event file, which TensorBoard reads, and `metrics.csv`:
/// `docs/recording.md`. What trains is the same to the last bit with a recorder and without.
///
/// ```no_run
/// use abeyance_graph::{dims, Graph};
/// use abeyance_record::Recorder;
/// use abeyance_session::{feeds, Session};
/// # fn batch() -> ndarray::Array1<f32> { ndarray::Array1::zeros(100) }
/// let g = Graph::named("line");
/// let x = g.placeholder::<f32>("x", dims![_]);
/// let loss = x.square().reduce_mean(..);
/// g.summaries().scalar("loss", loss);
///
/// let session = Session::new(&g)?;
/// let recorder = Recorder::new(&session).folder("runs/line").steps(1000).start()?;
/// for _ in 0..1000 {
///     recorder.run(&session, loss, feeds![x => &batch()])?;
/// }
/// recorder.state("done");
/// recorder.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Numbers are never dropped: if the writer were 65,536 of them behind, training would wait for it.
/// Of what is large (histograms, images, batches) the newest 128 of a sort are written where the
/// writer does not keep up, and only some steps have it in the first place: [`Thinning`]. A disk
/// that is full ends the recording and not the training: [`Recorder::warnings`] says so once,
/// [`Recorder::finish`] at the end.
pub struct Recorder {
    layout: Layout,
    thinning: Thinning,
    queue: Arc<Queue<Item>>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Steps that [`Recorder::run`] has done.
    steps: AtomicI64,
    /// The greatest step of which something was recorded.
    newest: AtomicI64,
    /// The graph, until what its nodes cost is known.
    graph: Mutex<Option<abeyance_ir::Graph>>,
}

/// The state that the threads share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The first thing that went wrong.
    error: Mutex<Option<Error>>,
    /// Warnings that nobody has asked for yet.
    warnings: Mutex<Vec<String>>,
}

impl Shared {
    /// Something went wrong. The same is told once.
    pub(crate) fn fail(&self, error: Error) {
        self.warn(error.to_string());
        self.error.lock().get_or_insert(error);
    }

    /// Something should be told, and is no failure.
    pub(crate) fn warn(&self, message: String) {
        let mut warnings = self.warnings.lock();
        if !warnings.contains(&message) {
            warnings.push(message);
        }
    }
}

/// The tensors that are fetched, and their tags.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Tags of scalars, whose tensors come first.
    pub(crate) scalars: Vec<Arc<str>>,
    /// All tensors, no node twice.
    pub(crate) tensors: Vec<TensorRef<Value>>,
    /// Tags of histograms, with the indices of their tensors.
    pub(crate) histograms: Arc<[(String, Vec<usize>)]>,
    /// Tags of images, with the indices of their tensors.
    pub(crate) images: Arc<[(String, usize)]>,
    /// The places of images, labels and predictions.
    pub(crate) classifier: Option<[usize; 3]>,
    /// For each scalar, its index among the tensors.
    pub(crate) places: Vec<usize>,
    /// The number of tensors that the scalars have.
    pub(crate) small: usize,
}

impl Recorder {
    /// A recorder of what the session's graph says is worth watching, which begins with
    /// [`RecorderOptions::start`].
    #[allow(clippy::new_ret_no_self)]
    pub fn new(session: &Session) -> RecorderOptions {
        RecorderOptions::new(session)
    }

    /// Runs a step of training, [`Session::run`]; where it is to be recorded, the summaries are
    /// fetched in the same run. Each call is a step. What is recorded is that of the variables as
    /// they were before it: under the number of steps done before.
    ///
    /// # Errors
    /// As [`Session::run`]. What goes wrong with the recording is no error here.
    #[track_caller]
    pub fn run<'a, F: Fetch>(
        &self,
        session: &Session,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<<F::Decoder as Decode>::Output, abeyance_session::Error> {
        let (step, feeds) = (self.steps.load(Ordering::Relaxed), feeds.as_ref());
        let output = if self.wants(step) {
            let tensors = self.tensors_at(step);
            if self.wants_costs()
                && let Ok(costs) = session.costs((&fetches, &tensors), feeds)
            {
                self.costs(&costs);
            }
            let (output, values) = session.run((&fetches, tensors), feeds)?;
            self.record(step, values);
            output
        } else {
            session.run(&fetches, feeds)?
        };
        self.steps.fetch_add(1, Ordering::Relaxed);
        Ok(output)
    }

    /// True if something is recorded at a step, for who runs steps himself: then
    /// [`Recorder::tensors_at`] are fetched along, and given to [`Recorder::record`].
    pub fn wants(&self, step: i64) -> bool {
        u64::try_from(step).is_ok_and(|step| self.thinning.keeps(step))
    }

    /// True if histograms, images and batches are recorded at a step.
    pub fn wants_large(&self, step: i64) -> bool {
        u64::try_from(step).is_ok_and(|step| self.thinning.keeps_large(step))
    }

    /// All tensors that it records. Those of numbers come first.
    pub fn tensors(&self) -> Vec<TensorRef<Value>> {
        self.layout.tensors.clone()
    }

    /// The tensors of numbers, which are recorded at every step that [`Recorder::wants`].
    pub fn tensors_of_numbers(&self) -> Vec<TensorRef<Value>> {
        self.layout.tensors.iter().take(self.layout.small).copied().collect()
    }

    /// The tensors that it records at a step: none, those of numbers, or all.
    pub fn tensors_at(&self, step: i64) -> Vec<TensorRef<Value>> {
        let count = match (self.wants(step), self.wants_large(step)) {
            (_, true) => self.layout.tensors.len(),
            (true, false) => self.layout.small,
            (false, false) => 0,
        };
        self.layout.tensors.iter().take(count).copied().collect()
    }

    /// Takes the values of [`Recorder::tensors_at`] that step, or of all [`Recorder::tensors`].
    pub fn record(&self, step: i64, values: Vec<Value>) {
        let (layout, wall) = (&self.layout, now());
        if values.len() != layout.tensors.len() && values.len() != layout.small {
            self.shared.warn(format!(
                "step {step} came with {} values, not with {} or {}, and was not recorded",
                values.len(),
                layout.tensors.len(),
                layout.small
            ));
            return;
        }
        let mut scalars = Vec::with_capacity(layout.scalars.len());
        for (tag, &place) in layout.scalars.iter().zip(&layout.places) {
            if let Some(number) =
                values.get(place).and_then(|value| value.to_f64().first().copied())
            {
                scalars.push((tag.clone(), number as f32));
            }
        }
        if !scalars.is_empty() {
            self.push(step, Item::Scalars { step, wall, scalars });
        }
        let is_whole = values.len() == layout.tensors.len();
        if is_whole && layout.has_large() && self.wants_large(step) {
            let large = Large {
                values,
                histograms: layout.histograms.clone(),
                images: layout.images.clone(),
                batch: layout.classifier,
            };
            self.push(step, Item::Large { step, wall, large });
        }
    }

    /// Records numbers under tags of their own, such as a test set's `test/loss`.
    pub fn scalars(&self, step: i64, scalars: impl IntoIterator<Item = (impl AsRef<str>, f64)>) {
        let scalars = scalars.into_iter();
        let scalars = scalars.map(|(tag, number)| (tag.as_ref().into(), number as f32)).collect();
        self.push(step, Item::Scalars { step, wall: now(), scalars });
    }

    /// Records a batch that the caller has, of `images` as [`Classifier::images`] has them.
    pub fn batch(&self, step: i64, images: Value, labels: Value, predictions: Value) {
        let batch = Box::new(Batch { images, labels, predictions });
        self.push(step, Item::Batch { step, wall: now(), batch });
    }

    /// Records the test images, as [`Classifier::images`] has them, and their classes, once a run.
    ///
    /// # Errors
    /// They are no images, or not as many as classes.
    pub fn test_images(&self, images: &Value, labels: &[u16]) -> Result<(), Error> {
        let images = pictures::Grey::of(images, usize::MAX)?;
        if images.count() != labels.len() {
            return Err(Error::Request(format!(
                "{} test images came with {} labels",
                images.count(),
                labels.len()
            )));
        }
        let labels = labels.to_vec();
        let step = self.newest.load(Ordering::Relaxed);
        self.push(step, Item::TestImages { step, wall: now(), images, labels });
        Ok(())
    }

    /// Records what the test images are taken for.
    pub fn test(&self, step: i64, predictions: &[u16]) {
        let predictions = predictions.to_vec();
        self.push(step, Item::Test { step, wall: now(), predictions });
    }

    /// Records the last run of a trace: when each node ran, on which thread.
    pub fn trace(&self, step: i64, trace: &Trace) {
        let Some(last) = trace.runs().checked_sub(1) else { return };
        let wall = now();
        let metadata = run_metadata(trace, last, wall);
        let what = What::TaggedRunMetadata(TaggedRunMetadata {
            tag: format!("step {step}"),
            run_metadata: metadata.encode_to_vec(),
        });
        self.push(step, Item::Event(Event { wall_time: wall, step, what: Some(what) }));
    }

    /// Records a text.
    pub fn text(&self, step: i64, tag: &str, text: &str) {
        let event = summary::event(now(), step, vec![summary::text(tag, text)]);
        self.push(step, Item::Event(event));
    }

    /// Records what training does: `running`, `paused`, `done`, `stopped`, `failed: MESSAGE`.
    pub fn state(&self, state: &str) {
        let step = self.newest.load(Ordering::Relaxed);
        let event = summary::event(now(), step, vec![summary::state(state)]);
        self.push(step, Item::Event(event));
    }

    /// True if the graph was recorded without what its nodes cost, which can still be given.
    pub fn wants_costs(&self) -> bool {
        self.graph.lock().is_some()
    }

    /// Records the graph anew with what its nodes cost: [`Session::costs`]. [`Recorder::run`] does
    /// so by itself.
    pub fn costs(&self, costs: &[NodeCost]) {
        let graph = self.graph.lock().take();
        if let Some(graph) = graph {
            let step = self.newest.load(Ordering::Relaxed);
            let what = What::GraphDef(graph_def(&graph, costs).encode_to_vec());
            self.push(step, Item::Event(Event { wall_time: now(), step, what: Some(what) }));
        }
    }

    /// Takes the warnings since the last call, for people: damaged records of a run that was
    /// resumed, a disk that is full. Each is told once.
    pub fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.warnings.lock())
    }

    /// The number of histograms, images and batches that were dropped because the writer did not
    /// keep up.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Waits until everything is written. What comes later is not recorded.
    ///
    /// # Errors
    /// The first thing that went wrong with writing.
    pub fn finish(&self) -> Result<(), Error> {
        self.queue.end();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            self.shared.fail(Error::Request("the thread that records has panicked".to_owned()));
        }
        let error = self.shared.error.lock().take();
        error.map_or(Ok(()), Err)
    }

    fn push(&self, step: i64, item: Item) {
        self.newest.fetch_max(step, Ordering::Relaxed);
        self.queue.push(item);
    }
}

impl Layout {
    fn has_large(&self) -> bool {
        !self.histograms.is_empty() || !self.images.is_empty() || self.classifier.is_some()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Who wants to know of errors has finished.
        let _ = self.finish();
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("newest", &self.newest).finish_non_exhaustive()
    }
}
