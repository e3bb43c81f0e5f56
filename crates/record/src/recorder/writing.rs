//! The thread that counts, draws, encodes and writes.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abeyance_session::Value;

use super::Shared;
use super::pictures::{self, Grey};
use super::queue::{Queue, Queued};
use crate::csv::Csv;
use crate::proto::{self, Content, Event, What};
use crate::quantiles::Quantiles;
use crate::sprite::Sprite;
use crate::{Error, EventReader, EventWriter, Run, summary, tags};

/// So long what was written may stay in memory.
const FLUSH: Duration = Duration::from_secs(1);
/// Images of a batch.
const MOST_IMAGES: usize = 100;
/// Images of an image summary, as TensorFlow's `max_outputs`.
const MOST_SHOWN: usize = 3;

/// An item that a training thread hands over. Nothing in it is computed yet.
pub enum Item {
    Scalars { step: i64, wall: f64, scalars: Vec<(Arc<str>, f32)> },
    Large { step: i64, wall: f64, large: Large },
    Batch { step: i64, wall: f64, batch: Box<Batch> },
    TestImages { step: i64, wall: f64, images: Grey, labels: Vec<u16> },
    Test { step: i64, wall: f64, predictions: Vec<u16> },
    Event(Event),
}

/// All values of a step, with what they are.
pub struct Large {
    pub values: Vec<Value>,
    pub histograms: Arc<[(String, Vec<usize>)]>,
    pub images: Arc<[(String, usize)]>,
    pub batch: Option<[usize; 3]>,
}

/// Images, their classes, and what they are taken for.
pub struct Batch {
    pub images: Value,
    pub labels: Value,
    pub predictions: Value,
}

impl Queued for Item {
    fn large(&self) -> Option<(u8, usize)> {
        let bytes = |value: &Value| value.shape().iter().product::<usize>() * value.dtype().size();
        match self {
            Item::Large { large, .. } => Some((0, large.values.iter().map(bytes).sum())),
            Item::Batch { batch, .. } => {
                let arrays = [&batch.images, &batch.labels, &batch.predictions];
                Some((1, arrays.map(bytes).iter().sum()))
            }
            Item::Test { predictions, .. } => Some((2, size_of_val(&predictions[..]))),
            _ => None,
        }
    }
}

/// The files of a recording, as far as they can be written.
pub struct Files {
    events: Option<EventWriter>,
    csv: Option<Csv>,
}

impl Files {
    pub fn none() -> Self {
        Self { events: None, csv: None }
    }

    pub fn create(folder: &Path) -> Result<Self, Error> {
        let events = EventWriter::create(folder)?;
        Ok(Self { events: Some(events), csv: Some(Csv::create(folder)?) })
    }

    pub fn go_on(folder: &Path, events: EventWriter) -> Result<Self, Error> {
        let csv = Csv::of_events(folder, events.path())?;
        Ok(Self { events: Some(events), csv: Some(csv) })
    }
}

pub struct Writing {
    queue: Arc<Queue<Item>>,
    shared: Arc<Shared>,
    files: Files,
    run: Option<Arc<Run>>,
    quantiles: Quantiles,
    begin: Vec<Event>,
    /// The recording's earlier part is read first.
    is_resumed: bool,
    /// The number of test images, once they are recorded.
    test_images: Option<usize>,
    flushed: Instant,
}

impl Writing {
    pub fn new(
        queue: Arc<Queue<Item>>,
        shared: Arc<Shared>,
        files: Files,
        run: Option<Arc<Run>>,
        is_resumed: bool,
    ) -> Self {
        Self {
            queue,
            shared,
            files,
            run,
            quantiles: Quantiles::new(),
            begin: Vec::new(),
            is_resumed,
            test_images: None,
            flushed: Instant::now(),
        }
    }

    /// Sets the events that are written before all others.
    pub fn begin(&mut self, events: Vec<Event>) {
        self.begin = events;
    }

    /// Writes until the end of the queue.
    pub fn write_all(mut self) {
        // However this thread ends, nobody must wait for it.
        struct Abandon(Arc<Queue<Item>>);
        impl Drop for Abandon {
            fn drop(&mut self) {
                self.0.abandon();
            }
        }
        let _abandon = Abandon(self.queue.clone());
        if self.is_resumed
            && let Err(error) = self.read_back()
        {
            self.shared.fail(error);
        }
        for event in std::mem::take(&mut self.begin) {
            self.put(event);
        }
        while let Some(items) = self.queue.take(FLUSH) {
            self.items(items);
        }
        self.flush();
        let finished = self.files.csv.as_mut().map(Csv::finish);
        if let Some(Err(error)) = finished {
            self.shared.fail(error);
        }
        if let Some(Err(error)) = self.files.events.as_mut().map(EventWriter::sync) {
            self.shared.fail(error);
        }
    }

    /// Tells the run in memory what was recorded before, and learns of the test images.
    fn read_back(&mut self) -> Result<(), Error> {
        let Some(writer) = &self.files.events else { return Ok(()) };
        let mut events = EventReader::open(writer.path())?;
        while let Some((event, place)) = events.next()? {
            if let Some(What::Summary(summary)) = &event.what {
                for value in summary.value.iter().filter(|value| value.tag == tags::TEST_LABELS) {
                    if let Some(Content::Tensor(tensor)) = &value.content {
                        self.test_images = tensor.classes().map(|labels| labels.len());
                    }
                }
            }
            if let Some(run) = &self.run {
                run.apply(&event, Some(&place));
            }
        }
        Ok(())
    }

    fn items(&mut self, items: VecDeque<Item>) {
        for item in items {
            self.item(item);
            if self.flushed.elapsed() >= FLUSH {
                self.flush();
            }
        }
        if self.flushed.elapsed() >= FLUSH {
            self.flush();
        }
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Event(event) => self.put(event),
            Item::Scalars { step, wall, scalars } => {
                if let Some(csv) = &mut self.files.csv {
                    let added =
                        scalars.iter().try_for_each(|(tag, x)| csv.add(step, wall, tag, *x));
                    if let Err(error) = added {
                        self.files.csv = None;
                        self.shared.fail(error);
                    }
                }
                let values = scalars.iter().map(|(tag, number)| summary::scalar(tag, *number));
                self.put(summary::event(wall, step, values.collect()));
            }
            Item::Large { step, wall, large } => self.large(step, wall, &large),
            Item::Batch { step, wall, batch } => {
                let Batch { images, labels, predictions } = &*batch;
                let event = batch_event(step, wall, images, labels, predictions);
                self.put_or_warn(event);
            }
            Item::TestImages { step, wall, images, labels } => {
                // A resumed run has them.
                if self.test_images.is_none() {
                    self.test_images = Some(labels.len());
                    self.put_or_warn(test_event(step, wall, &images, &labels));
                }
            }
            Item::Test { step, wall, predictions } => {
                if self.test_images.is_some_and(|count| count != predictions.len()) {
                    self.shared.warn(format!(
                        "{} test predictions came for {} test images, and were not recorded",
                        predictions.len(),
                        self.test_images.unwrap_or(0)
                    ));
                    return;
                }
                let value = summary::classes(tags::TEST_PREDICTIONS, &predictions);
                self.put(summary::event(wall, step, vec![value]));
            }
        }
    }

    fn large(&mut self, step: i64, wall: f64, large: &Large) {
        let mut values = Vec::new();
        for (tag, places) in &*large.histograms {
            let arrays: Vec<&Value> =
                places.iter().filter_map(|&place| large.values.get(place)).collect();
            let spread = self.quantiles.spread(&arrays);
            values.push(summary::histogram(tag, &spread));
            values.push(summary::percentiles(tag, &spread));
        }
        if !values.is_empty() {
            self.put(summary::event(wall, step, values));
        }
        for (tag, place) in &*large.images {
            let Some(images) = large.values.get(*place) else { continue };
            let event = pictures::pngs(images, MOST_SHOWN).map(|(width, height, pngs)| {
                summary::event(wall, step, vec![summary::images(tag, width, height, pngs)])
            });
            self.put_or_warn(event);
        }
        if let Some([Some(images), Some(labels), Some(predictions)]) =
            large.batch.map(|places| places.map(|place| large.values.get(place)))
        {
            self.put_or_warn(batch_event(step, wall, images, labels, predictions));
        }
    }

    fn put_or_warn(&mut self, event: Result<Event, Error>) {
        match event {
            Ok(event) => self.put(event),
            Err(error) => self.shared.warn(format!("not recorded: {error}")),
        }
    }

    /// Writes an event and tells the run in memory.
    fn put(&mut self, event: Event) {
        let mut place = None;
        if let Some(writer) = &mut self.files.events {
            match writer.append(&event) {
                Ok(at) => place = Some(at),
                Err(error) => self.give_up(error),
            }
        }
        if let Some(run) = self.run.clone() {
            // What the run looks up in the file must be there.
            if place.is_some() && is_looked_up(&event) {
                self.flush();
                place = place.filter(|_| self.files.events.is_some());
            }
            run.apply(&event, place.as_ref());
        }
    }

    fn flush(&mut self) {
        self.flushed = Instant::now();
        if let Some(Err(error)) = self.files.events.as_mut().map(EventWriter::flush) {
            self.give_up(error);
        }
        if let Some(Err(error)) = self.files.csv.as_mut().map(Csv::flush) {
            self.files.csv = None;
            self.shared.fail(error);
        }
    }

    /// Writes no event any more. What is on the disk can be read; training and the run in memory go
    /// on.
    fn give_up(&mut self, error: Error) {
        if let Some(writer) = self.files.events.take() {
            writer.abandon();
        }
        self.shared.fail(error);
    }
}

/// True if a [`Run`] reads the event again when it is asked for it.
fn is_looked_up(event: &Event) -> bool {
    let is_large = |value: &proto::Value| {
        let is_number = matches!(value.content, Some(Content::SimpleValue(_)));
        let plugin = value.metadata.as_ref().and_then(|metadata| metadata.plugin_data.as_ref());
        let is_curve = plugin.is_some_and(|plugin| {
            matches!(plugin.plugin_name.as_str(), "scalars" | "histograms" | "text")
        });
        !is_number && !is_curve && !value.tag.starts_with(tags::PERCENTILES)
    };
    match &event.what {
        Some(What::Summary(summary)) => summary.value.iter().any(is_large),
        _ => true,
    }
}

fn batch_event(
    step: i64,
    wall: f64,
    images: &Value,
    labels: &Value,
    predictions: &Value,
) -> Result<Event, Error> {
    let images = Grey::of(images, MOST_IMAGES)?;
    let labels = pictures::classes(labels, MOST_IMAGES)?;
    let predictions = pictures::classes(predictions, MOST_IMAGES)?;
    let counts = [images.count(), labels.len(), predictions.len()];
    if counts != [images.count(); 3] {
        return Err(Error::Picture(format!(
            "a batch of {} images came with {} labels and {} predictions",
            counts[0], counts[1], counts[2]
        )));
    }
    let values = vec![
        summary::sprite(tags::BATCH, images.sprite()?),
        summary::classes(tags::BATCH_LABELS, &labels),
        summary::classes(tags::BATCH_PREDICTIONS, &predictions),
    ];
    Ok(summary::event(wall, step, values))
}

fn test_event(step: i64, wall: f64, images: &Grey, labels: &[u16]) -> Result<Event, Error> {
    let sprite: Sprite = images.sprite()?;
    let values = vec![
        summary::sprite(tags::TEST_IMAGES, sprite),
        summary::classes(tags::TEST_LABELS, labels),
    ];
    Ok(summary::event(wall, step, values))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_ends_the_recording_and_nothing_else() {
        let events = EventWriter::go_on(Path::new("/dev/full"), Default::default()).unwrap();
        let (queue, shared) = (Arc::new(Queue::new()), Arc::new(Shared::default()));
        let run = Run::new("live");
        let files = Files { events: Some(events), csv: None };
        let writing = Writing::new(queue.clone(), shared.clone(), files, Some(run.clone()), false);
        let writer = std::thread::spawn(move || writing.write_all());
        for step in 0..3 {
            let scalars = vec![("loss".into(), 1.0)];
            queue.push(Item::Scalars { step, wall: 1.0, scalars });
            let image = Value::from(ndarray::Array3::<f32>::zeros((1, 2, 2)));
            let batch = Box::new(Batch {
                images: image,
                labels: Value::from(ndarray::array![1i64]),
                predictions: Value::from(ndarray::array![1i64]),
            });
            queue.push(Item::Batch { step, wall: 1.0, batch });
        }
        queue.end();
        writer.join().unwrap();
        // The run in memory has everything, in memory.
        assert_eq!(run.curves(&[], crate::ALL, 10).tags["loss"].step, [0, 1, 2]);
        assert_eq!(run.batch(2).unwrap().step, 2);
        let warnings = std::mem::take(&mut *shared.warnings.lock());
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("cannot write `/dev/full`: No space left"), "{warnings:?}");
        assert!(shared.error.lock().is_some());
    }
}
