//! The uses of names in a model, which decide whether an initializer is a variable.

use std::collections::HashMap;

use super::table;
use crate::proto::GraphProto;

/// The number of uses of a name, by kind of use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uses {
    /// Uses as an input whose value has to be known.
    pub known: usize,
    /// Uses as a running average.
    pub state: usize,
    /// Uses as a filter.
    pub filter: usize,
    /// Other uses.
    pub other: usize,
}

impl Uses {
    /// Returns true if there are uses, and `count` of them are all.
    pub fn only(self, count: usize) -> bool {
        count > 0 && count == self.known + self.state + self.filter + self.other
    }
}

/// The graph and those in attributes of its nodes, at any depth.
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

/// Counts the uses of each name.
pub(crate) fn uses<'m>(graphs: &[&'m GraphProto]) -> HashMap<&'m str, Uses> {
    let mut all: HashMap<&str, Uses> = HashMap::new();
    for graph in graphs {
        for node in &graph.node {
            let entry = table::find(node.op_type());
            for (index, input) in node.input.iter().enumerate() {
                let uses = all.entry(input).or_default();
                match entry {
                    Some(entry) if entry.known.contains(&index) => uses.known += 1,
                    Some(entry) if entry.state.contains(&index) => uses.state += 1,
                    Some(entry) if entry.filter == Some(index) => uses.filter += 1,
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
