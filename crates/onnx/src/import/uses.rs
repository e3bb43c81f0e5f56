//! Where the names of a model stand: what an initializer is for.

use std::collections::HashMap;

use super::table;
use crate::proto::GraphProto;

/// What an initializer is for, by the places where it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uses {
    /// At places whose values have to be known.
    pub known: usize,
    /// Where a running average stands.
    pub state: usize,
    /// Where a filter stands.
    pub filter: usize,
    /// Anywhere else.
    pub other: usize,
}

impl Uses {
    /// True if all are those that are counted.
    pub fn only(self, count: usize) -> bool {
        count > 0 && count == self.known + self.state + self.filter + self.other
    }
}

/// The graph and all those in attributes of its nodes.
pub(crate) fn with_branches(graph: &GraphProto) -> Vec<&GraphProto> {
    let mut graphs = vec![graph];
    let mut next = 0;
    while let Some(graph) = graphs.get(next).copied() {
        let attributes = graph.node.iter().flat_map(|node| &node.attribute);
        graphs.extend(attributes.flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)));
        next += 1;
    }
    graphs
}

/// Where each name stands.
pub(crate) fn uses<'m>(graphs: &[&'m GraphProto]) -> HashMap<&'m str, Uses> {
    let mut all: HashMap<&str, Uses> = HashMap::new();
    for graph in graphs {
        for node in &graph.node {
            let row = table::find(node.op_type());
            for (index, input) in node.input.iter().enumerate() {
                let uses = all.entry(input).or_default();
                match row {
                    Some(row) if row.known.contains(&index) => uses.known += 1,
                    Some(row) if row.state.contains(&index) => uses.state += 1,
                    Some(row) if row.filter == Some(index) => uses.filter += 1,
                    _ => uses.other += 1,
                }
            }
        }
        for output in &graph.output {
            all.entry(output.name()).or_default().other += 1;
        }
    }
    all
}
