//! A run in memory: what its events say, ready to be drawn.
//!
//! Numbers are kept; what is large (pictures, predictions, the graph) stays in its file, and where
//! it lies is kept, unless there is no file. Readers take a share of a lock for as long as it takes
//! to copy what they want.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{RwLock, RwLockReadGuard};

use crate::bands::{self, Band};
use crate::proto::{Content, Event, Image, Summary, TensorProto, Value, What};
use crate::reader::{Place, read_at};
use crate::series::Series;

mod answers;
pub use answers::{
    Bands, BandsOf, Batch, Curve, Curves, ImageTag, Images, Overview, Test, Tests, Text, Texts,
    TraceName, Update,
};

/// Tells what was added to the runs of this process before somebody looked from what was added
/// after. It goes on when it is looked at: while nobody does, whatever is added has one time.
static CLOCK: AtomicU32 = AtomicU32::new(1);

/// Looks at the clock: every change of a run up to the time that it gives can be seen by who locks
/// the run after asking, and later changes have later times.
pub fn clock() -> u32 {
    CLOCK.fetch_add(1, Ordering::AcqRel)
}

/// Tags of what TensorBoard has no word for.
pub mod tags {
    /// All tags of our own begin so.
    pub const PREFIX: &str = "abeyance/";
    /// A JSON object.
    pub const SETTINGS: &str = "abeyance/settings";
    /// Running, paused, done, stopped, failed.
    pub const STATE: &str = "abeyance/state";
    /// Before the tag of a histogram: its exact percentiles.
    pub const PERCENTILES: &str = "abeyance/percentiles/";
    /// All test images in one picture.
    pub const TEST_IMAGES: &str = "abeyance/images/test";
    /// Their classes.
    pub const TEST_LABELS: &str = "abeyance/labels/test";
    /// The classes predicted for the test images.
    pub const TEST_PREDICTIONS: &str = "abeyance/predictions/test";
    /// A training batch in one picture.
    pub const BATCH: &str = "abeyance/batch";
    /// The classes of the training batch.
    pub const BATCH_LABELS: &str = "abeyance/batch/labels";
    /// The classes predicted for the batch.
    pub const BATCH_PREDICTIONS: &str = "abeyance/batch/predictions";
}

/// The plugin of the graph of a function that TensorFlow 2 traced.
const TRACED_GRAPH: &str = "graph_run_metadata_graph";
/// The most large things of a kind that are kept in memory where there is no file.
const MOST_HELD: usize = 256;
/// A text of a tag that is logged again and again: so many are kept.
const MOST_TEXTS: usize = 64;

/// A training that is, or was, recorded.
#[derive(Debug)]
pub struct Run {
    id: String,
    model: RwLock<Model>,
}

/// An event, in memory or in a file.
#[derive(Clone, Debug)]
enum EventRef {
    InMemory(Arc<Event>),
    InFile(Place),
}

impl EventRef {
    fn event(&self) -> Option<Arc<Event>> {
        match self {
            EventRef::InMemory(event) => Some(event.clone()),
            EventRef::InFile(place) => read_at(place).ok().map(Arc::new),
        }
    }
}

#[derive(Debug, Default)]
struct Model {
    /// The clock of the last change.
    changed: u32,
    /// The number of changes.
    changes: u64,
    started: Option<f64>,
    updated: f64,
    step: i64,
    /// Given from outside: training goes on in this process.
    is_live: bool,
    state: Option<String>,
    steps: Option<i64>,
    speed: Option<f64>,
    settings: serde_json::Map<String, serde_json::Value>,
    plugins: BTreeMap<String, String>,
    scalars: BTreeMap<String, Series<f32>>,
    exact: BTreeMap<String, Series<Band>>,
    estimated: BTreeMap<String, Series<Band>>,
    batches: Series<EventRef>,
    predictions: Series<EventRef>,
    test_images: Option<EventRef>,
    test_labels: Option<Arc<[u16]>>,
    images: BTreeMap<String, Series<(EventRef, usize)>>,
    texts: BTreeMap<String, Series<Arc<str>>>,
    graph: Option<EventRef>,
    traces: Series<(EventRef, String)>,
    /// When the run went back, and to which step.
    resets: Vec<(u32, i64)>,
    /// When what there is one of came last.
    graph_changed: u32,
    images_changed: u32,
    texts_changed: u32,
}

impl Run {
    /// A run without events.
    pub fn new(id: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { id: id.into(), model: RwLock::default() })
    }

    /// The run's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn read(&self) -> RwLockReadGuard<'_, Model> {
        self.model.read()
    }

    fn change(&self, change: impl FnOnce(&mut Model, u32)) {
        let mut model = self.model.write();
        // Under the lock: who looked at the clock before has an earlier time, who looks after finds
        // the change when the lock is free.
        let now = CLOCK.load(Ordering::Acquire);
        model.changed = now;
        model.changes += 1;
        change(&mut model, now);
    }

    /// Takes an event in. `place` is where it lies, if it lies in a file.
    pub fn apply(&self, event: &Event, place: Option<&Place>) {
        self.change(|model, now| model.apply(event, place, now));
    }

    /// Says whether training goes on in this process, and for how many steps.
    pub fn set_live(&self, is_live: bool, steps: Option<i64>) {
        self.change(|model, _| {
            model.is_live = is_live;
            if steps.is_some() {
                model.steps = steps;
            }
        });
    }

    /// Says how far training has come, without an event.
    pub fn set_progress(&self, step: i64, speed: Option<f64>) {
        self.change(|model, _| {
            model.step = step;
            if speed.is_some() {
                model.speed = speed;
            }
        });
    }

    /// Says what training does: `running`, `paused`, without an event.
    pub fn set_state(&self, state: &str) {
        self.change(|model, _| model.state = Some(state.to_owned()));
    }

    /// The number of changes so far.
    pub fn changes(&self) -> u64 {
        self.read().changes
    }
}

impl Model {
    fn apply(&mut self, event: &Event, place: Option<&Place>, now: u32) {
        if event.wall_time > 0.0 {
            self.started =
                Some(self.started.map_or(event.wall_time, |first| first.min(event.wall_time)));
            self.updated = self.updated.max(event.wall_time);
        }
        let held = || match place {
            Some(place) => EventRef::InFile(place.clone()),
            None => EventRef::InMemory(Arc::new(event.clone())),
        };
        match &event.what {
            Some(What::Summary(summary)) => self.summary(event, summary, &held, now),
            Some(What::GraphDef(_)) => {
                self.graph = Some(held());
                self.graph_changed = now;
            }
            // TensorFlow 1 writes the graph twice; the plain one is read.
            Some(What::MetaGraphDef(_)) if self.graph.is_none() => {
                self.graph = Some(held());
                self.graph_changed = now;
            }
            Some(What::TaggedRunMetadata(tagged)) => {
                self.traces.push(event.step, event.wall_time, (held(), tagged.tag.clone()), now);
            }
            _ => {}
        }
    }

    fn summary(&mut self, event: &Event, summary: &Summary, held: &dyn Fn() -> EventRef, now: u32) {
        let mut went_back = false;
        for value in &summary.value {
            went_back |= self.value(event, value, held, now);
        }
        if went_back {
            self.resets.push((now, event.step));
            self.step = event.step;
        }
        self.step = self.step.max(event.step);
    }

    /// Takes a value in, and gives whether the run went back.
    fn value(
        &mut self,
        event: &Event,
        value: &Value,
        held: &dyn Fn() -> EventRef,
        now: u32,
    ) -> bool {
        let (step, wall, tag) = (event.step, event.wall_time, value.tag.as_str());
        if tag.starts_with(tags::PREFIX) {
            return self.own(event, value, held, now);
        }
        if let Some(plugin) = value.metadata.as_ref().and_then(|meta| meta.plugin_data.as_ref()) {
            self.plugins.entry(tag.to_owned()).or_insert_with(|| plugin.plugin_name.clone());
        }
        let plugin = self.plugins.get(tag).map(String::as_str);
        match &value.content {
            Some(Content::SimpleValue(number)) => self.scalar(tag, step, wall, *number, now),
            Some(Content::Histogram(histogram)) => self.estimate(
                tag,
                step,
                wall,
                bands::estimate(&bands::of_histogram(histogram)),
                now,
            ),
            Some(Content::Image(_)) => self.image(tag, step, wall, (held(), 1), now),
            Some(Content::Tensor(tensor)) => match plugin {
                Some("histograms") => {
                    let band =
                        bands::of_tensor(tensor).and_then(|buckets| bands::estimate(&buckets));
                    self.estimate(tag, step, wall, band, now)
                }
                Some("images") => {
                    let count =
                        tensor.strings().map_or(0, |strings| strings.len().saturating_sub(2));
                    self.image(tag, step, wall, (held(), count), now)
                }
                Some("text") => {
                    self.text(tag, step, wall, tensor, now);
                    false
                }
                Some("scalars") | None => match tensor.number() {
                    Some(number) => self.scalar(tag, step, wall, number as f32, now),
                    None => false,
                },
                Some(TRACED_GRAPH) if self.graph.is_none() => {
                    self.graph = Some(held());
                    self.graph_changed = now;
                    false
                }
                Some(_) => false,
            },
            None => false,
        }
    }

    fn scalar(&mut self, tag: &str, step: i64, wall: f64, value: f32, now: u32) -> bool {
        if tag == "train/images_per_second" {
            self.speed = Some(value.into());
        }
        entry(&mut self.scalars, tag).push(step, wall, value, now)
    }

    fn estimate(&mut self, tag: &str, step: i64, wall: f64, band: Option<Band>, now: u32) -> bool {
        match band {
            Some(band) if !self.exact.contains_key(tag) => {
                entry(&mut self.estimated, tag).push(step, wall, band, now)
            }
            _ => false,
        }
    }

    fn image(
        &mut self,
        tag: &str,
        step: i64,
        wall: f64,
        held: (EventRef, usize),
        now: u32,
    ) -> bool {
        self.images_changed = now;
        let series = entry(&mut self.images, tag);
        let went_back = series.push(step, wall, held, now);
        thin(series, |(held, _)| held);
        went_back
    }

    fn text(&mut self, tag: &str, step: i64, wall: f64, tensor: &TensorProto, now: u32) {
        let Some(strings) = tensor.strings() else { return };
        let parts: Vec<_> = strings.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        self.texts_changed = now;
        let series = entry(&mut self.texts, tag);
        series.push(step, wall, parts.join("\n").into(), now);
        if series.len() > MOST_TEXTS {
            series.thin();
        }
    }

    /// A value of our own.
    fn own(&mut self, event: &Event, value: &Value, held: &dyn Fn() -> EventRef, now: u32) -> bool {
        let Some(Content::Tensor(tensor)) = &value.content else { return false };
        let (step, wall) = (event.step, event.wall_time);
        let text = || {
            let bytes = tensor.strings().and_then(<[_]>::first);
            bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        match value.tag.as_str() {
            tags::SETTINGS => {
                if let Some(Ok(serde_json::Value::Object(settings))) =
                    text().map(|text| serde_json::from_str(&text))
                {
                    self.steps =
                        settings.get("steps").and_then(serde_json::Value::as_i64).or(self.steps);
                    self.settings = settings;
                }
                false
            }
            tags::STATE => {
                self.state = text();
                false
            }
            tags::TEST_IMAGES => {
                self.test_images = Some(held());
                false
            }
            tags::TEST_LABELS => {
                self.test_labels = tensor.classes().map(Into::into);
                false
            }
            tags::TEST_PREDICTIONS => {
                let went_back = self.predictions.push(step, wall, held(), now);
                thin(&mut self.predictions, |held| held);
                went_back
            }
            tags::BATCH => {
                let went_back = self.batches.push(step, wall, held(), now);
                thin(&mut self.batches, |held| held);
                went_back
            }
            tag => match (tag.strip_prefix(tags::PERCENTILES), tensor.numbers()) {
                (Some(tag), Some(numbers)) => {
                    let mut band: Band = [0.0; 9];
                    if numbers.len() != band.len() {
                        return false;
                    }
                    for (place, number) in band.iter_mut().zip(numbers) {
                        *place = number as f32;
                    }
                    self.estimated.remove(tag);
                    entry(&mut self.exact, tag).push(step, wall, band, now)
                }
                _ => false,
            },
        }
    }

    /// The bands of a tag, and whether they are exact.
    fn bands(&self) -> impl Iterator<Item = (&String, &Series<Band>, bool)> {
        let exact = self.exact.iter().map(|(tag, series)| (tag, series, true));
        exact.chain(self.estimated.iter().map(|(tag, series)| (tag, series, false)))
    }

    fn has_test(&self) -> bool {
        self.test_images.is_some() && self.test_labels.is_some() && self.predictions.len() > 0
    }
}

/// True if a value holds the graph of a function that TensorFlow 2 traced.
fn is_graph(value: &Value) -> bool {
    let plugin = value.metadata.as_ref().and_then(|metadata| metadata.plugin_data.as_ref());
    plugin.is_some_and(|plugin| plugin.plugin_name == TRACED_GRAPH)
}

/// The series of a tag.
fn entry<'a, T>(map: &'a mut BTreeMap<String, Series<T>>, tag: &str) -> &'a mut Series<T> {
    map.entry(tag.to_owned()).or_default()
}

/// Drops every other large thing where many are kept in memory.
fn thin<T>(series: &mut Series<T>, held: impl Fn(&T) -> &EventRef) {
    let is_here =
        series.last().is_some_and(|point| matches!(held(point.value), EventRef::InMemory(_)));
    if is_here && series.len() > MOST_HELD {
        series.thin();
    }
}

/// The range of all steps.
pub const ALL: RangeInclusive<i64> = i64::MIN..=i64::MAX;
