//! Names of a model as names of a graph.

use std::collections::HashMap;

use abeyance_graph::Graph;
use abeyance_graph::raw::GraphExt;

use super::value::Value;

/// Longer names are cut: they are for people to read.
const LONGEST: usize = 200;

/// A name with `_` for every character that names of a graph may not have; `/a/b` is `a/b`.
pub(crate) fn sanitized(name: &str, otherwise: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_./".contains(c);
    let replaced = |c: char| if is_allowed(c) { c } else { '_' };
    let name: String =
        name.trim_start_matches(['/', '.']).chars().take(LONGEST).map(replaced).collect();
    if name.is_empty() { otherwise.to_owned() } else { name }
}

/// The name of the scope for a node's parts.
pub(crate) fn scope(node: &str, operator: &str) -> String {
    let name = sanitized(node, operator);
    match name.trim_end_matches(['/', '.']) {
        "" => "node".to_owned(),
        name => name.to_owned(),
    }
}

/// The name of a graph: one word.
pub(crate) fn graph_name(name: &str) -> String {
    let word: String = sanitized(name, "graph").replace(['.', '/'], "_");
    if word.starts_with(|first: char| first.is_ascii_digit()) { format!("_{word}") } else { word }
}

/// True if an unknown dimension can have that name as it is.
pub(crate) fn is_symbol(name: &str) -> bool {
    let mut characters = name.chars();
    name.len() <= LONGEST
        && characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The nearest name that an unknown dimension can have. Two names of a model may become one only if
/// they are very much alike, so what was replaced is told apart by a number made from the whole.
pub(crate) fn symbol(name: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let word: String =
        name.chars().take(40).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("_{word}_{:08x}", hasher.finish() as u32)
}

/// Gives each node a name of its own.
#[derive(Default)]
pub(crate) struct Names {
    /// How often each name was wanted.
    wanted: HashMap<String, usize>,
}

impl Names {
    /// A free name for a name of the model: itself, or with a number behind it where it is taken.
    pub fn free(&mut self, graph: &Graph, name: &str, otherwise: &str) -> String {
        let name = sanitized(name, otherwise);
        if graph.ir().find(&name).is_none() {
            return name;
        }
        let count = self.wanted.entry(name.clone()).or_insert(0);
        loop {
            *count += 1;
            let numbered = format!("{name}_{count}");
            if graph.ir().find(&numbered).is_none() {
                return numbered;
            }
        }
    }

    /// Calls the node of a value as the model does, if the node was made for it.
    pub fn rename<'g>(
        &mut self,
        graph: &'g Graph,
        value: &Value<'g>,
        first_new: usize,
        name: &str,
    ) {
        let Some(node) = value.existing_node().filter(|node| node.id().index() >= first_new) else {
            return;
        };
        let name = self.free(graph, name, "value");
        graph.build(|graph| graph.rename(node.id(), &name));
    }
}
