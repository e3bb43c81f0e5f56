//! Drawings of a graph, for Graphviz.

use petgraph::dot::{Config, Dot};

use crate::{Edge, Effect, Graph, Role};

impl Graph {
    /// The graph as Graphviz source: `dot -Tsvg`. Variables are green, fed nodes blue, updates orange, backward nodes
    /// grey; dashed edges are order without data.
    pub fn to_dot(&self) -> String {
        let labels = self.structure().map(
            |index, node| {
                let fill = match (node.role, node.operator.signature().effect) {
                    (_, Effect::Read) => "#cfe8cf",
                    (_, Effect::Feed) => "#cfdff5",
                    (Role::Update, _) => "#f5dfc4",
                    (Role::Backward { .. }, _) => "#e4e4e4",
                    (Role::Forward, _) => "#ffffff",
                };
                format!(
                    "label=\"{}\\n{}\\n{}\" fillcolor=\"{fill}\"",
                    node.name,
                    node.operator.signature().name,
                    self.display_type(index.into())
                )
            },
            |_, edge| match edge {
                Edge::Operand(_) => "",
                Edge::Control => "style=dashed",
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
