//! Answers to a reader of a [`Run`]: whole histories made small enough to draw, single pictures,
//! and what is new.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Arc, Band, Content, Event, EventRef, Image, Model, RangeInclusive, Run, Series, Summary, Value,
    What, is_graph, tags,
};
use crate::bands::PERCENTILES;
use crate::clock;
use crate::proto::{GraphDef, RunMetadata};
use crate::series::Point;
use crate::{graph_def, run_metadata};

/// An overview of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    /// The run's id.
    pub id: String,
    /// Training goes on in this process.
    pub live: bool,
    /// `running`, `paused`, `done`, `stopped`, `failed: ..`.
    pub state: Option<String>,
    /// Training steps done.
    pub step: i64,
    /// The number of steps that the training is to have, if it is known.
    pub steps: Option<i64>,
    /// Images a second.
    pub speed: Option<f64>,
    /// Seconds since 1970 of the first event.
    pub started: Option<f64>,
    /// The time of the last event.
    pub updated: f64,
    /// The settings it was begun with.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Tags of numbers.
    pub scalars: Vec<String>,
    /// Tags of bands.
    pub bands: Vec<String>,
    /// Tags of images.
    pub images: Vec<String>,
    /// Tags of texts.
    pub texts: Vec<String>,
    /// Training batches can be seen.
    pub batch: bool,
    /// Test images can be seen.
    pub test: bool,
    /// The graph can be seen.
    pub graph: bool,
    /// A traced step can be seen.
    pub trace: bool,
}

/// Numbers over steps.
#[derive(Clone, Debug, Serialize)]
pub struct Curves {
    /// The clock they were taken at.
    pub seq: u32,
    /// The curves by tag.
    pub tags: BTreeMap<String, Curve>,
}

/// A number over steps.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Curve {
    /// Steps.
    pub step: Vec<i64>,
    /// Seconds since 1970.
    pub wall: Vec<f64>,
    /// Values.
    pub value: Vec<f32>,
    /// The number of points in the range, of which these were taken.
    pub count: usize,
}

/// Bands over steps.
#[derive(Clone, Debug, Serialize)]
pub struct BandsOf {
    /// The clock they were taken at.
    pub seq: u32,
    /// The percentiles of the bands.
    pub percentiles: [u8; 9],
    /// The bands by tag.
    pub tags: BTreeMap<String, Bands>,
}

/// A band over steps.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Bands {
    /// Steps.
    pub step: Vec<i64>,
    /// Seconds since 1970.
    pub wall: Vec<f64>,
    /// The values at each percentile.
    pub bands: [Vec<f32>; 9],
    /// Not estimated from a histogram.
    pub exact: bool,
}

/// A training batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its step.
    pub step: i64,
    /// Columns of an image.
    pub width: usize,
    /// Rows of an image.
    pub height: usize,
    /// Images in a row of the picture.
    pub columns: usize,
    /// Images.
    pub count: usize,
    /// The picture of all, a PNG file.
    pub png: Vec<u8>,
    /// Their classes.
    pub labels: Vec<u16>,
    /// The classes predicted for them.
    pub predictions: Vec<u16>,
}

/// The test images.
#[derive(Clone, Debug)]
pub struct Tests {
    /// The steps at which they were evaluated.
    pub steps: Vec<i64>,
    /// Columns of an image.
    pub width: usize,
    /// Rows of an image.
    pub height: usize,
    /// Images in a row of the picture.
    pub columns: usize,
    /// Images.
    pub count: usize,
    /// The picture of all, a PNG file.
    pub png: Vec<u8>,
    /// Their classes.
    pub labels: Arc<[u16]>,
}

/// The classes predicted for the test images at a step.
#[derive(Clone, Debug)]
pub struct Test {
    /// The step.
    pub step: i64,
    /// Their classes.
    pub predictions: Vec<u16>,
}

/// Image summaries.
#[derive(Clone, Debug, Serialize)]
pub struct Images {
    /// The images by tag.
    pub tags: BTreeMap<String, ImageTag>,
}

/// An image summary.
#[derive(Clone, Debug, Serialize)]
pub struct ImageTag {
    /// When there were images.
    pub steps: Vec<i64>,
    /// The number of images at a step.
    pub count: usize,
}

/// Text summaries.
#[derive(Clone, Debug, Serialize)]
pub struct Texts {
    /// The texts by tag.
    pub tags: BTreeMap<String, Vec<Text>>,
}

/// A text.
#[derive(Clone, Debug, Serialize)]
pub struct Text {
    /// Its step.
    pub step: i64,
    /// The text.
    pub text: String,
}

/// A traced step.
#[derive(Clone, Debug, Serialize)]
pub struct TraceName {
    /// Its name.
    pub tag: String,
    /// Its step.
    pub step: i64,
}

/// Step, time and the values at the percentiles: a flat row, as the page takes it.
type BandRow = (i64, f64, f32, f32, f32, f32, f32, f32, f32, f32, f32);

/// The news of a run since a time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Update {
    /// See [`Overview::state`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Training goes on in this process.
    pub live: bool,
    /// See [`Overview::step`].
    pub step: i64,
    /// See [`Overview::steps`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<i64>,
    /// See [`Overview::speed`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Step, time, value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scalars: BTreeMap<String, Vec<(i64, f64, f32)>>,
    /// Step, time and the values at the percentiles.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bands: BTreeMap<String, Vec<BandRow>>,
    /// The step of the newest batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<i64>,
    /// The step of the newest evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<i64>,
    /// The step of the newest trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<i64>,
    /// The graph is there, or another.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub graph: bool,
    /// There are new images.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub images: bool,
    /// There are new texts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub texts: bool,
    /// The step that training was resumed from. Everything after it is void.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<i64>,
    /// The number of points in the news.
    #[serde(skip)]
    pub points: usize,
}

impl Run {
    /// An overview of the run.
    pub fn overview(&self) -> Overview {
        let model = self.read();
        Overview {
            id: self.id.clone(),
            live: model.is_live,
            state: model.state.clone(),
            step: model.step,
            steps: model.steps,
            speed: model.speed,
            started: model.started,
            updated: model.updated,
            settings: model.settings.clone(),
            scalars: model.scalars.keys().cloned().collect(),
            bands: model.bands().map(|(tag, ..)| tag.clone()).collect(),
            images: model.images.keys().cloned().collect(),
            texts: model.texts.keys().cloned().collect(),
            batch: model.batches.len() > 0,
            test: model.has_test(),
            graph: model.graph.is_some(),
            trace: model.traces.len() > 0,
        }
    }

    /// The curves of some tags, or of all where none are named, in a range of steps, of at most
    /// some `points` each.
    pub fn curves(&self, wanted: &[String], steps: RangeInclusive<i64>, points: usize) -> Curves {
        let model = self.read();
        // While nothing can be added: all that is later is not in this answer.
        let seq = clock();
        let is_wanted = |tag: &String| wanted.is_empty() || wanted.contains(tag);
        let tags = model.scalars.iter().filter(|(tag, _)| is_wanted(tag)).map(|(tag, series)| {
            let range = series.within(&steps);
            let mut curve = Curve { count: range.len(), ..Curve::default() };
            for point in series.decimate(range, points).into_iter().filter_map(|at| series.get(at))
            {
                curve.step.push(point.step);
                curve.wall.push(milliseconds(point.wall));
                curve.value.push(*point.value);
            }
            (tag.clone(), curve)
        });
        Curves { seq, tags: tags.collect() }
    }

    /// The bands of all tags in a range of steps, of at most so many `points` each.
    pub fn bands(&self, steps: RangeInclusive<i64>, points: usize) -> BandsOf {
        let model = self.read();
        let seq = clock();
        let tags = model.bands().map(|(tag, series, exact)| {
            let mut bands = Bands { exact, ..Bands::default() };
            let places = Series::<Band>::sample(series.within(&steps), points);
            for point in places.into_iter().filter_map(|at| series.get(at)) {
                bands.step.push(point.step);
                bands.wall.push(milliseconds(point.wall));
                for (list, value) in bands.bands.iter_mut().zip(point.value) {
                    list.push(*value);
                }
            }
            (tag.clone(), bands)
        });
        BandsOf { seq, percentiles: PERCENTILES, tags: tags.collect() }
    }

    /// The steps of the training batches that were kept.
    pub fn batches(&self) -> Vec<i64> {
        self.read().batches.steps()
    }

    /// The newest training batch at a step or before.
    pub fn batch(&self, step: i64) -> Option<Batch> {
        let (step, held) = at(&self.read().batches, step)?;
        let event = held.event()?;
        let values = values(&event)?;
        let picture = Picture::of(values, tags::BATCH)?;
        Some(Batch {
            step,
            width: picture.width,
            height: picture.height,
            columns: picture.columns,
            count: picture.count,
            png: picture.png.to_vec(),
            labels: classes(values, tags::BATCH_LABELS)?,
            predictions: classes(values, tags::BATCH_PREDICTIONS)?,
        })
    }

    /// The steps at which the test images were evaluated.
    pub fn evaluations(&self) -> Vec<i64> {
        self.read().predictions.steps()
    }

    /// The test images and the steps at which they were evaluated.
    pub fn tests(&self) -> Option<Tests> {
        let (steps, held, labels) = {
            let model = self.read();
            (model.predictions.steps(), model.test_images.clone()?, model.test_labels.clone()?)
        };
        let event = held.event()?;
        let picture = Picture::of(values(&event)?, tags::TEST_IMAGES)?;
        Some(Tests {
            steps,
            width: picture.width,
            height: picture.height,
            columns: picture.columns,
            count: picture.count,
            png: picture.png.to_vec(),
            labels,
        })
    }

    /// The classes predicted for the test images at a step, or at the last one before it.
    pub fn test(&self, step: i64) -> Option<Test> {
        let (step, held) = at(&self.read().predictions, step)?;
        let event = held.event()?;
        Some(Test { step, predictions: classes(values(&event)?, tags::TEST_PREDICTIONS)? })
    }

    /// The graph.
    pub fn graph(&self) -> Option<GraphDef> {
        let held = self.read().graph.clone()?;
        match &held.event()?.what {
            Some(What::GraphDef(bytes)) => graph_def::read(bytes),
            Some(What::MetaGraphDef(bytes)) => graph_def::read_meta(bytes),
            Some(What::Summary(summary)) => {
                let bytes = summary.value.iter().find_map(|value| match &value.content {
                    Some(Content::Tensor(tensor)) if is_graph(value) => tensor.strings()?.first(),
                    _ => None,
                });
                run_metadata::largest_graph(run_metadata::read(bytes?)?)
            }
            _ => None,
        }
    }

    /// The traced steps.
    pub fn traces(&self) -> Vec<TraceName> {
        let model = self.read();
        let points = (0..model.traces.len()).filter_map(|at| model.traces.get(at));
        points.map(|point| TraceName { tag: point.value.1.clone(), step: point.step }).collect()
    }

    /// The times of the newest traced step at a step or before.
    pub fn trace(&self, step: i64) -> Option<(i64, RunMetadata)> {
        let (step, held) = {
            let model = self.read();
            let Point { step, value, .. } = model.traces.at(step)?;
            (step, value.0.clone())
        };
        match &held.event()?.what {
            Some(What::TaggedRunMetadata(tagged)) => {
                Some((step, run_metadata::read(&tagged.run_metadata)?))
            }
            _ => None,
        }
    }

    /// The text summaries.
    pub fn texts(&self) -> Texts {
        let model = self.read();
        let tags = model.texts.iter().map(|(tag, series)| {
            let points = (0..series.len()).filter_map(|at| series.get(at));
            let texts =
                points.map(|point| Text { step: point.step, text: point.value.to_string() });
            (tag.clone(), texts.collect())
        });
        Texts { tags: tags.collect() }
    }

    /// The image summaries.
    pub fn images(&self) -> Images {
        let model = self.read();
        let tags = model.images.iter().map(|(tag, series)| {
            let count = series.last().map_or(0, |point| point.value.1);
            (tag.clone(), ImageTag { steps: series.steps(), count })
        });
        Images { tags: tags.collect() }
    }

    /// An image of a tag at a step or before: a file as it was logged, nearly always PNG.
    pub fn image(&self, tag: &str, step: i64, index: usize) -> Option<Vec<u8>> {
        let held = {
            let model = self.read();
            model.images.get(tag)?.at(step)?.value.0.clone()
        };
        let event = held.event()?;
        let value = values(&event)?.iter().find(|value| value.tag == tag)?;
        match &value.content {
            Some(Content::Image(Image { encoded, .. })) if index == 0 => Some(encoded.clone()),
            Some(Content::Tensor(tensor)) => tensor.strings()?.get(index.checked_add(2)?).cloned(),
            _ => None,
        }
    }

    /// The news after one time of the clock and up to another. `None` if there are none.
    pub fn since(&self, after: u32, upto: u32) -> Option<Update> {
        let model = self.read();
        if model.changed <= after {
            return None;
        }
        let mut update = Update {
            state: model.state.clone(),
            live: model.is_live,
            step: model.step,
            steps: model.steps,
            speed: model.speed,
            graph: is_new(model.graph_changed, after, upto),
            images: is_new(model.images_changed, after, upto),
            texts: is_new(model.texts_changed, after, upto),
            batch: newest(&model.batches, after, upto),
            test: newest(&model.predictions, after, upto).filter(|_| model.has_test()),
            trace: newest(&model.traces, after, upto),
            ..Update::default()
        };
        let resets = model.resets.iter().filter(|(time, _)| is_new(*time, after, upto));
        update.reset = resets.map(|(_, step)| *step).min();
        model.fill(&mut update, after, upto);
        Some(update)
    }
}

impl Model {
    fn fill(&self, update: &mut Update, after: u32, upto: u32) {
        for (tag, series) in &self.scalars {
            let points = series.added(after, upto).filter_map(|at| series.get(at));
            let list: Vec<_> =
                points.map(|point| (point.step, milliseconds(point.wall), *point.value)).collect();
            if !list.is_empty() {
                update.points += list.len();
                update.scalars.insert(tag.clone(), list);
            }
        }
        for (tag, series, _) in self.bands() {
            let points = series.added(after, upto).filter_map(|at| series.get(at));
            let list: Vec<_> = points
                .map(|point| {
                    let [a, b, c, d, e, f, g, h, i] = *point.value;
                    (point.step, milliseconds(point.wall), a, b, c, d, e, f, g, h, i)
                })
                .collect();
            if !list.is_empty() {
                update.points += list.len();
                update.bands.insert(tag.clone(), list);
            }
        }
    }
}

/// A time without digits that nobody looks at.
fn milliseconds(wall: f64) -> f64 {
    (wall * 1e3).round() / 1e3
}

fn is_new(time: u32, after: u32, upto: u32) -> bool {
    time > after && time <= upto
}

fn newest<T>(series: &Series<T>, after: u32, upto: u32) -> Option<i64> {
    series.get(series.added(after, upto).next_back()?).map(|point| point.step)
}

fn at(series: &Series<EventRef>, step: i64) -> Option<(i64, EventRef)> {
    series.at(step).map(|point| (point.step, point.value.clone()))
}

fn values(event: &Event) -> Option<&[Value]> {
    match &event.what {
        Some(What::Summary(Summary { value })) => Some(value),
        _ => None,
    }
}

fn classes(values: &[Value], tag: &str) -> Option<Vec<u16>> {
    match &values.iter().find(|value| value.tag == tag)?.content {
        Some(Content::Tensor(tensor)) => tensor.classes(),
        _ => None,
    }
}

/// Many images in one.
struct Picture<'a> {
    width: usize,
    height: usize,
    columns: usize,
    count: usize,
    png: &'a [u8],
}

impl<'a> Picture<'a> {
    fn of(values: &'a [Value], tag: &str) -> Option<Self> {
        let Some(Content::Tensor(tensor)) = &values.iter().find(|value| value.tag == tag)?.content
        else {
            return None;
        };
        let [width, height, columns, count, png] = tensor.strings()? else { return None };
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
        Some(Self {
            width: number(width)?,
            height: number(height)?,
            columns: number(columns)?,
            count: number(count)?,
            png,
        })
    }
}
