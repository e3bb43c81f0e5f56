//! A trace in Chrome's trace event format, which Perfetto opens.
//!
//! A complete event (`"ph": "X"`) for each part and, around those of the caller's thread, for each
//! run; names of the process and of the threads as metadata (`"ph": "M"`). Times are in
//! microseconds, to the nanosecond. The format: *Trace Event Format*,
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.

use std::io::{self, Write};
use std::path::Path;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::Trace;

/// The process of all events.
const PROCESS: u32 = 1;

impl Trace {
    /// The runs as JSON for <https://ui.perfetto.dev> or `chrome://tracing`: each part of each node
    /// as an event on its thread's line, with the node as it prints, the part, element types and
    /// sizes, arithmetic operations, bytes and rates.
    pub fn to_chrome_json(&self) -> String {
        // Writing to memory does not fail, and all keys are strings.
        serde_json::to_string(&File::new(self)).unwrap_or_default()
    }

    /// Writes [`Trace::to_chrome_json`] to a file.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut file = io::BufWriter::new(std::fs::File::create(path)?);
        serde_json::to_writer(&mut file, &File::new(self))?;
        file.flush()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    display_time_unit: &'static str,
    trace_events: Events<'a>,
}

impl<'a> File<'a> {
    fn new(trace: &'a Trace) -> Self {
        Self { display_time_unit: "ns", trace_events: Events(trace) }
    }
}

struct Events<'a>(&'a Trace);

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let trace = self.0;
        let mut events = serializer.serialize_seq(None)?;
        let graphs: Vec<&str> = trace.plans.iter().map(|plan| &*plan.graph).collect();
        let graph = graphs.first().copied().unwrap_or_default();
        events.serialize_element(&Metadata::new("process_name", 0, format!("abeyance {graph}")))?;
        for thread in 0..trace.threads() {
            let name = match thread {
                0 => "the caller's thread".to_owned(),
                helper => format!("abeyance-{helper}"),
            };
            events.serialize_element(&Metadata::new("thread_name", thread, name))?;
        }
        for (index, run) in trace.runs.iter().enumerate() {
            let recording = &run.recording;
            events.serialize_element(&Complete {
                name: &format!("run {index}"),
                cat: "run",
                ph: "X",
                pid: PROCESS,
                tid: 0,
                ts: microseconds(recording.start_ns()),
                dur: microseconds(recording.end_ns() - recording.start_ns()),
                args: RunArguments {
                    graph: &trace.plans[run.plan].graph,
                    threads: recording.threads(),
                },
            })?;
        }
        for (part, text) in trace.runs.iter().flat_map(|run| trace.parts(run)) {
            let (ns, share) = (part.end_ns - part.start_ns, text.parts.share(part.part));
            let (flops, bytes) = (text.flops * share, text.bytes * share);
            let rate = |count: f64| (ns > 0).then(|| count / ns as f64);
            events.serialize_element(&Complete {
                name: &text.nodes,
                cat: text.operator,
                ph: "X",
                pid: PROCESS,
                tid: part.thread,
                ts: microseconds(part.start_ns),
                dur: microseconds(ns),
                args: PartArguments {
                    call: &text.calls,
                    task: part.task.0,
                    part: part.part,
                    parts: text.parts.count,
                    reads: &text.reads,
                    writes: &text.writes,
                    flops,
                    bytes,
                    gflops: rate(flops),
                    gigabytes: rate(bytes),
                },
            })?;
        }
        events.end()
    }
}

fn microseconds(ns: u64) -> f64 {
    ns as f64 / 1e3
}

/// A span of time on a thread.
#[derive(Serialize)]
struct Complete<'a, A> {
    name: &'a str,
    cat: &'a str,
    ph: &'static str,
    pid: u32,
    tid: usize,
    ts: f64,
    dur: f64,
    args: A,
}

#[derive(Serialize)]
struct RunArguments<'a> {
    graph: &'a str,
    threads: usize,
}

#[derive(Serialize)]
struct PartArguments<'a> {
    call: &'a str,
    task: u32,
    part: u32,
    parts: u32,
    reads: &'a [String],
    writes: &'a [String],
    flops: f64,
    bytes: f64,
    #[serde(rename = "GFLOP/s")]
    gflops: Option<f64>,
    #[serde(rename = "GB/s")]
    gigabytes: Option<f64>,
}

/// A name of the process or of a thread.
#[derive(Serialize)]
struct Metadata {
    name: &'static str,
    ph: &'static str,
    pid: u32,
    tid: usize,
    args: Named,
}

#[derive(Serialize)]
struct Named {
    name: String,
}

impl Metadata {
    fn new(what: &'static str, thread: usize, name: String) -> Self {
        Self { name: what, ph: "M", pid: PROCESS, tid: thread, args: Named { name } }
    }
}
