//! The times of runs: when each part of each node ran, and on which thread.

mod chrome;
mod span;
mod table;

pub use span::Span;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abeyance_scheduler::{PartTime, Recording};

use crate::Error;
use crate::plan::{Plan, SessionGraph, TaskText};

/// The times of some runs: when each node ran, on which thread, how long and how fast.
///
/// [`RunOptions::trace`](crate::RunOptions::trace) has a run added to it. `Display` prints a table
/// of the nodes that take most time, `{:#}` of all of them; [`Trace::to_chrome_json`] and
/// [`Trace::save`] give what <https://ui.perfetto.dev> and `chrome://tracing` draw.
///
/// Room for the times is made before a run, and a plan's tasks get their names at the first run of
/// it. The run itself allocates nothing and reads the clock twice for each part, which takes some
/// 50 nanoseconds. Nodes that were folded into constants or fused into other nodes' loops have no
/// time of their own: a loop has the names of all that it computes. A branch or a loop with a body
/// is one node.
pub struct Trace {
    epoch: Instant,
    plans: Vec<Described>,
    runs: Vec<TracedRun>,
}

/// A plan that a traced run followed.
struct Described {
    plan: Arc<Plan>,
    /// The name of its graph.
    graph: String,
    tasks: Vec<TaskText>,
}

struct TracedRun {
    /// The index of its plan.
    plan: usize,
    recording: Recording,
}

/// A run that is to be traced, before it ends.
pub(crate) struct Pending(TracedRun);

impl Pending {
    pub(crate) fn recording(&mut self) -> &mut Recording {
        &mut self.0.recording
    }
}

impl Trace {
    /// Makes a trace without runs. Times are counted from now.
    pub fn new() -> Self {
        Self { epoch: Instant::now(), plans: Vec::new(), runs: Vec::new() }
    }

    /// Removes every run.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.plans.clear();
    }

    /// The number of runs.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The wall-clock time of all runs together, each from its first node to its last: without
    /// binding feeds and copying fetched values out.
    pub fn elapsed(&self) -> Duration {
        let times = self.runs.iter().map(|run| run.recording.end_ns() - run.recording.start_ns());
        Duration::from_nanos(times.sum())
    }

    /// The nodes by the time they take, the longest first.
    pub fn nodes(&self) -> Vec<NodeTime> {
        // With the last run that each was seen in, to count them.
        let mut rows: HashMap<(usize, &str), (NodeTime, Option<usize>)> = HashMap::new();
        for (plan, described) in self.plans.iter().enumerate() {
            for text in &described.tasks {
                let row = rows.entry((plan, &*text.nodes)).or_insert_with(|| (text.into(), None));
                // The last step of a node is the one that writes its result.
                row.0.types.clone_from(&text.types);
            }
        }
        let mut total = 0;
        for (index, run) in self.runs.iter().enumerate() {
            for (part, text) in self.parts(run) {
                let Some((row, seen)) = rows.get_mut(&(run.plan, &*text.nodes)) else { continue };
                if seen.replace(index) != Some(index) {
                    row.runs += 1;
                }
                let share = text.parts.share(part.part);
                let time = part.end_ns - part.start_ns;
                row.parts += 1;
                row.time += Duration::from_nanos(time);
                row.flops += text.flops * share;
                row.bytes += text.bytes * share;
                total += time;
            }
        }
        let rows = rows.into_values().map(|(row, _)| row);
        let mut rows: Vec<NodeTime> = rows.filter(|row| row.parts > 0).collect();
        for row in &mut rows {
            row.share = row.time.as_nanos() as f64 / total.max(1) as f64;
        }
        rows.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.nodes.cmp(&b.nodes)));
        rows
    }

    /// Makes room for a run of a plan.
    pub(crate) fn begin(
        &mut self,
        plan: &Arc<Plan>,
        session: &SessionGraph,
    ) -> Result<Pending, Error> {
        let known = self.plans.iter().position(|known| Arc::ptr_eq(&known.plan, plan));
        let index = known.unwrap_or_else(|| {
            let (plan, tasks) = (plan.clone(), plan.describe(session));
            self.plans.push(Described { plan, graph: session.graph.name().to_owned(), tasks });
            self.plans.len() - 1
        });
        let recording = plan.program.recording(self.epoch)?;
        Ok(Pending(TracedRun { plan: index, recording }))
    }

    /// Adds a run that succeeded.
    pub(crate) fn end(&mut self, run: Pending) {
        self.runs.push(run.0);
    }

    /// Every part of a run, with the text of its task.
    fn parts<'a>(&'a self, run: &'a TracedRun) -> impl Iterator<Item = (PartTime, &'a TaskText)> {
        let tasks = &self.plans[run.plan].tasks;
        let parts = run.recording.parts();
        parts.filter_map(|part| Some((part, tasks.get(part.task.0 as usize)?)))
    }

    /// The most threads that a run could use.
    fn threads(&self) -> usize {
        self.runs.iter().map(|run| run.recording.threads()).max().unwrap_or(1)
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({} runs)", self.runs.len())
    }
}

/// The time of a node in all traced runs, or of several nodes that are computed in one loop:
/// [`Trace::nodes`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeTime {
    /// The names of the nodes: one, or several.
    pub nodes: String,
    /// The operator of the first node.
    pub operator: &'static str,
    /// The nodes as a graph prints them.
    pub calls: String,
    /// Element types and sizes of the results.
    pub types: String,
    /// The number of runs in which it ran.
    pub runs: usize,
    /// The number of its parts, in all runs together.
    pub parts: usize,
    /// The time of all parts together; parts that ran at the same time count one by one.
    pub time: Duration,
    /// The fraction of all nodes' time, from 0 to 1.
    pub share: f64,
    /// The arithmetic operations of all runs together; a transcendental function counts as about
    /// 20.
    pub flops: f64,
    /// The bytes read and written in all runs together, were nothing in a cache.
    pub bytes: f64,
}

impl From<&TaskText> for NodeTime {
    /// Makes a row without times.
    fn from(text: &TaskText) -> Self {
        Self {
            nodes: text.nodes.clone(),
            operator: text.operator,
            calls: text.calls.clone(),
            types: text.types.clone(),
            runs: 0,
            parts: 0,
            time: Duration::ZERO,
            share: 0.0,
            flops: 0.0,
            bytes: 0.0,
        }
    }
}

impl NodeTime {
    /// The arithmetic operations a second of one thread, in 10⁹.
    pub fn gflops(&self) -> f64 {
        rate(self.flops, self.time)
    }

    /// The bytes a second of one thread, in 10⁹.
    pub fn gigabytes(&self) -> f64 {
        rate(self.bytes, self.time)
    }
}

/// A rate in units a nanosecond; 0 where there is no time.
fn rate(count: f64, time: Duration) -> f64 {
    match time.as_nanos() {
        0 => 0.0,
        ns => count / ns as f64,
    }
}
