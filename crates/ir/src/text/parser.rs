//! The state of reading a text, and what all that reads lines has in common: mistakes, and nodes by
//! name.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::array::FILL_LIMIT;
use super::cursor::Cursor;
use crate::{Body, Diagnostic, Graph, Location, NodeId, Registry};

/// The number of mistakes after which reading stops: by then it is some other mistake.
pub(super) const MOST_MISTAKES: usize = 20;

/// The length of all messages after which reading stops, in bytes.
pub(super) const MOST_MESSAGE_BYTES: usize = 16 << 10;

/// The most unknown dimensions that all bodies together may hold. Each body has a table of its own,
/// of those it knows from outside too, which is not in proportion to the text's length.
const MOST_SYMBOLS: usize = 1 << 20;

/// The part of the program that a block is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Forward,
    Backward,
    Update,
}

/// The part of the structure in which the next line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// Before the graph's first line.
    Before,
    /// In the graph, outside of its blocks.
    Graph,
    /// In a block, opened in that line.
    Block(Section, u32),
    /// In a body, outside of its blocks; opened in that line.
    Body(u32),
    /// In a signature; opened in that line.
    Signature(u32),
    /// Behind the graph's last line.
    After,
}

/// The state of reading a text line by line.
pub(super) struct Parser<'t> {
    pub(super) text: &'t str,
    pub(super) registry: &'t Registry,
    pub(super) graph: Graph,
    /// The line that is being read, counted from 1.
    pub(super) line: u32,
    pub(super) position: Position,
    /// The line of `graph NAME {`.
    pub(super) header: u32,
    /// True if that line was missed, and reported.
    pub(super) is_headless: bool,
    /// True if a node outside of blocks was reported.
    pub(super) has_reported_outside: bool,
    /// Names of nodes that could not be made: who uses them is not reported again.
    pub(super) broken: HashSet<Box<str>>,
    /// The bytes that `fill(..)` may still claim.
    pub(super) fills: usize,
    /// The graphs around the one that is being read.
    pub(super) frames: Vec<Frame<'t>>,
    /// Bodies that were read, for the next node.
    pub(super) bodies: Vec<WaitingBody>,
    /// The outputs of the body that is being read, once its `return` was.
    pub(super) outputs: Option<Outputs>,
    /// The number of unknown dimensions that bodies may still hold.
    pub(super) symbols: usize,
    /// The name of the signature that is being read.
    pub(super) signature: Box<str>,
    /// True if a mistake makes it useless to read on.
    pub(super) is_stopped: bool,
}

/// The state of a graph in the midst of which a body is being read.
pub(super) struct Frame<'t> {
    pub(super) graph: Graph,
    pub(super) position: Position,
    pub(super) broken: HashSet<Box<str>>,
    pub(super) bodies: Vec<WaitingBody>,
    pub(super) outputs: Option<Outputs>,
    /// The name of the attribute that the body is.
    pub(super) keyword: Cow<'t, str>,
    /// The line in which the body begins.
    pub(super) opened: u32,
    /// The number of mistakes made before it.
    pub(super) mistakes: usize,
}

/// The outputs of a body. None if one of the nodes is missing, which has been reported.
pub(super) type Outputs = Option<Vec<NodeId>>;

/// A body whose node is still to come.
pub(super) struct WaitingBody {
    /// The name of the attribute that it is.
    pub(super) keyword: Box<str>,
    /// `None` if it could not be read, which has been reported.
    pub(super) body: Option<Arc<Body>>,
    /// The line in which it begins.
    pub(super) opened: u32,
}

impl<'t> Parser<'t> {
    /// The state before the first line.
    pub(super) fn new(text: &'t str, registry: &'t Registry) -> Self {
        Self {
            text,
            registry,
            graph: Graph::default(),
            line: 0,
            position: Position::Before,
            header: 0,
            is_headless: false,
            has_reported_outside: false,
            broken: HashSet::new(),
            fills: FILL_LIMIT,
            frames: Vec::new(),
            bodies: Vec::new(),
            outputs: None,
            symbols: MOST_SYMBOLS,
            signature: Box::default(),
            is_stopped: false,
        }
    }

    /// Adds a mistake, in the line that is being read.
    pub(super) fn report(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.location = Location::Text(self.line);
        self.graph.report(diagnostic);
    }

    /// Notes that a line could not be read. Uses of the node that it may have defined are not
    /// reported then.
    pub(super) fn give_up(&mut self, name: &str) {
        if self.graph.find(name).is_none() {
            self.broken.insert(name.into());
        }
    }

    /// The node of that name. None if there is none, which is then reported, but only once.
    pub(super) fn find(&mut self, name: &str) -> Option<NodeId> {
        let found = self.graph.find(name);
        // A line may have very many names. One mistake more than are shown ends the reading behind
        // it.
        let is_reported = self.graph.error_count() >= MOST_MISTAKES;
        if found.is_none() && !is_reported && self.broken.insert(name.into()) {
            let mut diagnostic = Diagnostic::new(
                format!("there is no node `{}` above", crate::shorten::word(name)),
                Location::Unknown,
            );
            if let Some(line) = self.line_below(name) {
                let place = if line > self.line { "below" } else { "by this line" };
                diagnostic = diagnostic
                    .note(format!("`{name}` is defined {place}"), Location::Text(line))
                    .help("a node can only use nodes above it");
            } else if let Some(nearest) =
                crate::nearest(name, self.graph.iter().map(|(_, node)| &*node.name))
            {
                diagnostic = diagnostic.help(format!("did you mean `{nearest}`?"));
            }
            self.report(diagnostic);
        }
        found
    }

    /// The line that defines a name, this one or one further down.
    fn line_below(&self, name: &str) -> Option<u32> {
        // Looked for again for each name that is reported, which are few: a table would take more
        // than the text.
        let lines = self.text.lines().zip(1u32..).skip(self.line.saturating_sub(1) as usize);
        let mut lines = lines.filter(|(text, _)| {
            let mut cursor = Cursor::new(text);
            cursor.word() == Some(name) && cursor.eat(b'=')
        });
        lines.next().map(|(_, line)| line)
    }
}
