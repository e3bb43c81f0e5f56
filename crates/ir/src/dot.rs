//! Drawings of a graph, for Graphviz.

use petgraph::dot::{Config, Dot};

use crate::{Edge, Effect, Graph, Node, Role};

impl Node {
    /// The colour of the node in drawings, as `#rrggbb`: variables are green, fed nodes blue,
    /// updates orange, backward nodes grey.
    pub fn colour(&self) -> &'static str {
        match (self.role, self.operator.signature().effect) {
            (_, Effect::Read) => "#cfe8cf",
            (_, Effect::Feed) => "#cfdff5",
            (Role::Update, _) => "#f5dfc4",
            (Role::Backward { .. }, _) => "#e4e4e4",
            (Role::Forward, _) => "#ffffff",
        }
    }
}

/// A text between quotes: names of dimensions may hold anything.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

impl Graph {
    /// The graph as Graphviz source: `dot -Tsvg`. Variables are green, fed nodes blue, updates
    /// orange, backward nodes grey; dashed edges are order without data.
    pub fn to_dot(&self) -> String {
        self.to_dot_of(|_| true)
    }

    /// Some of the nodes and the edges between them as Graphviz source, as [`Graph::to_dot`] draws
    /// them.
    pub fn to_dot_of(&self, is_drawn: impl Fn(&Node) -> bool) -> String {
        let labels = self.structure().filter_map(
            |index, node| {
                if !is_drawn(node) {
                    return None;
                }
                let fill = node.colour();
                let lines = [&*node.name, node.operator.signature().name];
                let ty = self.display_type(index.into()).to_string();
                let lines = lines.into_iter().chain([&*ty]).map(escaped);
                Some(format!(
                    "label=\"{}\" fillcolor=\"{fill}\"",
                    lines.collect::<Vec<_>>().join("\\n")
                ))
            },
            |_, edge| {
                Some(match edge {
                    Edge::Operand(_) => "",
                    Edge::Control => "style=dashed",
                })
            },
        );
        let dot = Dot::with_attr_getters(
            &labels,
            &[Config::EdgeNoLabel, Config::NodeNoLabel],
            &|_, edge| (*edge.weight()).to_owned(),
            &|_, (_, label)| label.clone(),
        );
        format!("{dot:?}").replacen(
            "digraph {",
            "digraph {\n    node [shape=box style=filled fontname=\"sans-serif\"]",
            1,
        )
    }
}
