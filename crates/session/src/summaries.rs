//! The summaries of a session's graph, as tensors to fetch.

use abeyance_ir::{Diagnostic, Location, NodeId, SummaryKind};

use crate::{Error, Session, TensorRef, Value};

/// A summary of a session's graph, with the tensors to fetch for it: [`Session::summaries`].
#[derive(Clone, Debug)]
pub struct SessionSummary {
    /// The kind of the summary: how its values are shown.
    pub kind: SummaryKind,
    /// The name under which its values are shown, which is unique in a graph.
    pub tag: Box<str>,
    /// The tensors to fetch: one, or of a histogram one or more, which are shown together.
    pub tensors: Vec<TensorRef<Value>>,
}

impl Session {
    /// The summaries of the graph, in the order in which
    /// [`Graph::summaries`](abeyance_graph::Graph::summaries) named them. Fetched along with a
    /// step, they are computed once with it and change no bit of it; variables are then as they
    /// were before the step.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// g.summaries().scalar("sum", x.reduce_sum(..)).histogram("x", x);
    ///
    /// let session = Session::new(&g)?;
    /// for summary in session.summaries() {
    ///     let values = session.run(summary.tensors, feeds![x => &[1.0, 2.0]])?;
    ///     println!("{} {}: {:?}", summary.kind, summary.tag, values[0].to_f64());
    /// }
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    pub fn summaries(&self) -> Vec<SessionSummary> {
        let graph = self.graph();
        let summaries = graph.summaries().iter().map(|summary| SessionSummary {
            kind: summary.kind,
            tag: summary.tag.clone(),
            // A summary is of nodes of its graph.
            tensors: summary.nodes.iter().map(|&node| TensorRef::new(graph, node)).collect(),
        });
        summaries.collect()
    }

    /// Makes a [`TensorRef`] of a node of the session's graph, such as one of a signature's:
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// g.signature("predict").input("points", x).output("sum", x.reduce_sum(..));
    /// let session = Session::new(&g)?;
    /// let predict = session.signature("predict")?;
    /// let sum = session.tensor_ref_of(predict.signature().outputs[0].1)?;
    /// let sum = session.run(sum, feeds![x => &[1.0, 2.0]])?;
    /// assert_eq!(sum.to_f64(), [3.0]);
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// The graph has no such node.
    #[track_caller]
    pub fn tensor_ref_of(&self, node: NodeId) -> Result<TensorRef<Value>, Error> {
        let graph = self.graph();
        match graph.get(node) {
            Some(_) => Ok(TensorRef::new(graph, node)),
            None => {
                let message = format!(
                    "graph `{}` has no node {}, but {} nodes",
                    graph.name(),
                    node.index(),
                    graph.len()
                );
                let diagnostic = Diagnostic::new(message, Location::caller())
                    .help("take it from the graph that the session was made of");
                Err(Error::Request(diagnostic.into()))
            }
        }
    }
}
