//! Checks that fetches and feeds are of the session's graph, and the messages where they are not.

use abeyance_ir::{self as ir, Diagnostic, Diagnostics, Fault, GraphId, Location, NodeId};
use smallvec::SmallVec;

use super::Session;
use crate::feed::Feed;
use crate::fetch::{Fetch, FetchEntry, FetchList};
use crate::{Error, TensorRef};

impl Session {
    /// The fetched nodes, if they are of this graph and of the types that are asked for.
    ///
    /// # Errors
    /// All fetches that are not.
    pub(super) fn fetched(&self, list: &FetchList<'_>) -> Result<SmallVec<[NodeId; 12]>, Error> {
        let mut nodes = SmallVec::new();
        let mut mistakes = Vec::new();
        for entry in &list.0 {
            let fault = match self.check(entry.graph, entry.node) {
                Err(foreign) => Err(foreign),
                Ok(()) => match &self.frozen.graph.node(entry.node).ty {
                    ty if entry.kind.fits(ty) => Ok(()),
                    _ => Err(Fault::new(format!("is not {}", entry.kind))),
                },
            };
            match fault {
                Ok(()) => nodes.push(entry.node),
                Err(fault) => mistakes.push(self.about_fetch(entry, fault)),
            }
        }
        if mistakes.is_empty() { Ok(nodes) } else { Err(Error::Request(Diagnostics(mistakes))) }
    }

    /// Checks that tensors can be fetched: that they are of this graph.
    ///
    /// # Errors
    /// All that are not.
    pub(crate) fn check_fetches(&self, tensors: &[TensorRef<crate::Value>]) -> Result<(), Error> {
        let mut list = FetchList::default();
        for tensor in tensors {
            tensor.list(&mut list);
        }
        self.fetched(&list).map(drop)
    }

    fn about_fetch(&self, entry: &FetchEntry<'_>, fault: Fault) -> Diagnostic {
        let about = |graph: &ir::Graph| {
            let node = graph.node(entry.node);
            let message = format!("the fetched `{}` {}", node.name, fault.message);
            Diagnostic::new(message, Location::Unknown)
                .node(&*node.name)
                .note(graph.describe(entry.node), node.location)
        };
        let mut diagnostic = match entry.handle {
            Some(handle) => about(&handle.graph().ir()),
            None if entry.graph == self.id && self.frozen.graph.get(entry.node).is_some() => {
                about(&self.frozen.graph)
            }
            None => {
                let message = format!("a fetched tensor {}", fault.message);
                Diagnostic::new(message, Location::Unknown).note("the tensor", entry.made)
            }
        };
        diagnostic.help = fault.help;
        diagnostic
    }

    /// Checks that a node is one of the frozen graph.
    ///
    /// # Errors
    /// It is of another graph, or was made after the session.
    fn check(&self, graph: GraphId, node: NodeId) -> Result<(), Fault> {
        if graph != self.id {
            return Err(Fault::new("belongs to another graph than the session's".to_owned())
                .help("make a session for each graph"));
        }
        match self.frozen.graph.get(node) {
            Some(_) => Ok(()),
            None => Err(Fault::new("was made after the session, whose graph is frozen".to_owned())
                .help("make the session last, when the graph is complete")),
        }
    }

    /// Checks that no tensor of another graph is fed.
    pub(super) fn check_foreign(&self, feeds: &[Feed<'_>]) -> Result<(), Error> {
        for feed in feeds {
            self.check(feed.graph, feed.node).map_err(|foreign| {
                let message = format!("a fed tensor {}", foreign.message);
                let mut diagnostic =
                    Diagnostic::new(message, Location::Unknown).note("the tensor", feed.made);
                diagnostic.help = foreign.help;
                Error::Request(diagnostic.into())
            })?;
        }
        Ok(())
    }
}
