//! The stream of what is new. Each reader asks the runs itself, at its own pace: one that is slow
//! or stuck is sent more at a time, or told to load everything again, and nobody waits for it.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use serde::Serialize;
use tokio_stream::{Stream, StreamExt};

use abeyance_record::{Update, clock};

use crate::runs::Runs;

/// The time between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// The most points that are sent at once. With more to catch up with, loading the curves anew, made
/// smaller, is less.
const MOST_POINTS: usize = 20_000;

#[derive(Serialize)]
struct Message<'a> {
    boot: &'a str,
    seq: u32,
    runs: BTreeMap<String, Row>,
}

#[derive(Serialize)]
struct Row {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    new: bool,
    #[serde(flatten)]
    update: Update,
}

/// The position of a reader in the stream.
struct Reader {
    runs: Runs,
    boot: String,
    seen: u32,
    known: HashSet<String>,
    /// True if it knows another start of the server, which means nothing here.
    is_lost: bool,
    /// True if it has not been told its position yet.
    is_new: bool,
}

/// The stream from where a reader left off, which it says by the last id that it got.
pub(crate) fn stream(
    runs: Runs,
    boot: String,
    last: Option<&str>,
) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let known = runs.list().into_iter().map(|shown| shown.run.id().to_owned()).collect();
    let seen = last.and_then(|last| {
        let (from, seq) = last.rsplit_once(':')?;
        (from == boot).then(|| seq.parse().ok()).flatten()
    });
    let now = clock();
    let is_lost = last.is_some() && seen.is_none_or(|seen| seen > now);
    let reader = Reader { runs, boot, seen: seen.unwrap_or(now), known, is_lost, is_new: true };
    ticking(reader)
}

/// Asks a reader what is new at every tick at which its browser takes more.
fn ticking(mut reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> {
    let ticks = tokio_stream::iter(std::iter::repeat(())).throttle(PERIOD);
    ticks.filter_map(move |()| reader.next().map(Ok))
}

impl Reader {
    /// The next news, if there are any.
    fn next(&mut self) -> Option<Event> {
        let now = clock();
        let id = |seq: u32| format!("{}:{seq}", self.boot);
        if self.is_lost {
            self.is_lost = false;
            self.seen = now;
            self.is_new = false;
            return Some(Event::default().event("reload").id(id(now)).data("{}"));
        }
        if self.is_new {
            // An id alone, which browsers remember and tell nobody: without it one that reconnects
            // before anything was new could not say which start of the server it knows.
            self.is_new = false;
            return Some(Event::default().id(id(self.seen)));
        }
        let mut rows = BTreeMap::new();
        let mut points = 0;
        for shown in self.runs.list() {
            let run = shown.run;
            let id = run.id();
            if !self.known.contains(id) {
                // It may have been read before it was shown: whoever hears of it loads all that it
                // has.
                self.known.insert(id.to_owned());
                rows.insert(id.to_owned(), Row { new: true, update: Update::default() });
            } else if let Some(update) = run.since(self.seen, now) {
                points += update.points;
                rows.insert(id.to_owned(), Row { new: false, update });
            }
        }
        self.seen = now;
        if points > MOST_POINTS {
            return Some(Event::default().event("reload").id(id(now)).data("{}"));
        }
        if rows.is_empty() {
            return None;
        }
        let message = Message { boot: &self.boot, seq: now, runs: rows };
        let data = serde_json::to_string(&message).ok()?;
        Some(Event::default().event("update").id(id(now)).data(data))
    }
}
