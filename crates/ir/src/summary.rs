//! Summaries: the tensors of a graph that are worth watching while it trains.

use std::collections::HashSet;
use std::fmt;

use crate::NodeId;

/// The form in which a [`Summary`] is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SummaryKind {
    /// A number, as a curve over the steps.
    Scalar,
    /// The spread of all elements of one or more tensors.
    Histogram,
    /// The first 3 pictures of a tensor `[N, H, W, C]`.
    Image,
}

impl SummaryKind {
    /// Every kind, in the order of its number in files.
    pub const ALL: [SummaryKind; 3] =
        [SummaryKind::Scalar, SummaryKind::Histogram, SummaryKind::Image];

    /// The word for it in texts.
    pub const fn name(self) -> &'static str {
        match self {
            SummaryKind::Scalar => "scalar",
            SummaryKind::Histogram => "histogram",
            SummaryKind::Image => "image",
        }
    }

    /// The kind of that word.
    pub fn from_name(name: &str) -> Option<SummaryKind> {
        SummaryKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for SummaryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Tensors to be watched, under a tag. A summary is no node and computes nothing: whoever records a
/// training fetches its tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The form in which they are shown.
    pub kind: SummaryKind,
    /// Name of the summary: any text but the empty one, once in a graph.
    pub tag: Box<str>,
    /// One tensor; of a histogram one or more, which are shown together.
    pub nodes: Vec<NodeId>,
}

/// The summaries of a graph, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summaries {
    list: Vec<Summary>,
    /// Their tags: a file may have very many.
    tags: HashSet<Box<str>>,
}

impl Summaries {
    /// The summaries, in the order in which they were made.
    pub(crate) fn list(&self) -> &[Summary] {
        &self.list
    }

    /// True if there is a summary of that tag.
    pub(crate) fn has(&self, tag: &str) -> bool {
        self.tags.contains(tag)
    }

    /// Adds a summary, whose tag is new.
    pub(crate) fn push(&mut self, summary: Summary) {
        self.tags.insert(summary.tag.clone());
        self.list.push(summary);
    }
}
