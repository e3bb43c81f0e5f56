//! Spans: a traced run part by part.

use std::time::Duration;

use super::Trace;

/// One part of a node, or of several that are computed in one loop, as it ran.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Span<'a> {
    /// The names of the nodes, in order: one, or several.
    pub nodes: &'a [Box<str>],
    /// The operator of the first node.
    pub operator: &'static str,
    /// The index of the part, counted from 0.
    pub part: u32,
    /// The number of parts of the task.
    pub parts: u32,
    /// The thread: 0 for the caller's, 1 and up for those of the session.
    pub thread: usize,
    /// The time from the begin of the run to that of the part.
    pub start: Duration,
    /// The time from the begin of the run to the end of the part.
    pub end: Duration,
}

impl Trace {
    /// The spans of one of the traced runs, counted from 0, by thread and then by time. There are
    /// none where there is no such run. Spans of one thread do not overlap.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, RunOptions, Session, Trace};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// let y = x.exp();
    /// let session = Session::new(&g)?;
    /// let mut trace = Trace::new();
    /// session.run_with(RunOptions::new().trace(&mut trace), y, feeds![x => &[1.0, 2.0]])?;
    /// for span in trace.spans(0) {
    ///     let (from, to) = (span.start, span.end);
    ///     println!("{:?} on thread {} from {from:?} to {to:?}", span.nodes, span.thread);
    /// }
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    pub fn spans(&self, run: usize) -> Vec<Span<'_>> {
        let Some(run) = self.runs.get(run) else { return Vec::new() };
        let begin = run.recording.start_ns();
        let mut spans: Vec<Span<'_>> = (self.parts(run))
            .map(|(part, text)| Span {
                nodes: &text.names,
                operator: text.operator,
                part: part.part,
                parts: text.parts.count,
                thread: part.thread,
                start: Duration::from_nanos(part.start_ns.saturating_sub(begin)),
                end: Duration::from_nanos(part.end_ns.saturating_sub(begin)),
            })
            .collect();
        spans.sort_by_key(|span| (span.thread, span.start, span.end));
        spans
    }
}
