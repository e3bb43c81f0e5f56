//! Warnings: uses that break no rule and are seldom meant.

use std::fmt;

use crate::inference::crossed;
use crate::{Diagnostic, Dim, Graph, Location, NodeId, Role, Shape};

/// A use that breaks no rule and is seldom meant.
#[derive(Clone, PartialEq, Eq)]
pub struct Warning(pub Diagnostic);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning: {:?}", self.0)
    }
}

impl fmt::Debug for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The most warnings that are given: a graph that is read may have any number.
const MOST_WARNINGS: usize = 100;

impl Graph {
    /// The warnings about the graph and its bodies, in the order of the nodes; at most 100.
    ///
    /// Two tensors like `[N2]` and `[N, 1]`, whose unknown sizes are not known to be equal,
    /// broadcast to all pairs, `[N, N2]`. Where a loss is meant, that trains on nonsense, and on
    /// batches of 5 against 7. Nobody is warned of sizes that were found to be equal or to be
    /// numbers, nor where both tensors have as many dimensions, so that every 1 was asked for:
    /// `[N, 1]` and `[1, N2]`.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings: Vec<Warning> = self
            .crossings()
            .iter()
            .filter_map(|&node| self.warn(node))
            .take(MOST_WARNINGS)
            .collect();
        for (_, node) in self.iter().filter(|(_, node)| node.role == Role::Forward) {
            for body in node.attributes.bodies() {
                for warning in body.graph().warnings() {
                    if warnings.len() < MOST_WARNINGS && !warnings.contains(&warning) {
                        warnings.push(warning);
                    }
                }
            }
        }
        warnings
    }

    /// The warning about a node at which unknown dimensions broadcast to each other. None if their
    /// sizes are known by now, or known to be equal.
    fn warn(&self, node: NodeId) -> Option<Warning> {
        let data = self.node(node);
        let shapes: Vec<Shape> = data.operands.iter().filter_map(|&id| self.shape(id)).collect();
        let pairs =
            shapes.iter().enumerate().flat_map(|(i, a)| shapes[..i].iter().map(move |b| (a, b)));
        let crossed = |(a, b): (&Shape, &Shape)| crossed(|dim| self.symbols().resolve(dim), a, b);
        let [Dim::Symbol(a), Dim::Symbol(b)] = pairs.map(crossed).find_map(|found| found)? else {
            return None;
        };
        let [a, b] = [a, b].map(|symbol| self.symbols().name(symbol));
        let title = match data.call {
            Some(call) => call.name(),
            None => data.operator.signature().name,
        };
        let message = format!(
            "{title}: each of {a} meets each of {b}, which gives {}: two unknown sizes stretch each other",
            self.display_type(node)
        );
        let mut diagnostic = Diagnostic::new(message, data.location)
            .node(crate::shorten::name(&data.name))
            .note(self.print_call(node), Location::Unknown);
        for &operand in &data.operands {
            diagnostic = diagnostic.note(self.describe(operand), self.node(operand).location);
        }
        Some(Warning(diagnostic.help(
            "if one of each is meant, give both one shape: `x.squeeze(&[-1])`, or `y.expand_dims(-1)`; if all pairs are, say so: \
             `y.expand_dims(0)`",
        )))
    }
}
