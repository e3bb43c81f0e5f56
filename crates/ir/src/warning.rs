//! What is no mistake by any rule, and seldom meant.

use std::fmt;

use crate::{Diagnostic, Dim, Graph, Location, NodeId, Role};

/// Something to look at: the program is right, and may not be what was meant.
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

/// A node at whose operands two unknown dimensions stretch each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crossing {
    pub(crate) node: NodeId,
    /// The two dimensions, as they were known then.
    pub(crate) dims: [Dim; 2],
}

impl Graph {
    /// What is to be looked at in the graph and its bodies, in the order in which it was made.
    ///
    /// Two tensors like `[N2]` and `[N, 1]`, whose unknown sizes are not known to be equal, broadcast to all pairs, `[N, N2]`. Where
    /// a loss is meant, that trains on nonsense, and on batches of 5 against 7. Nobody is warned of sizes that were found to
    /// be equal or to be numbers, nor where both tensors have as many dimensions, so that every 1 was asked for:
    /// `[N, 1]` and `[1, N2]`.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings: Vec<Warning> =
            self.crossings().iter().filter_map(|&crossing| self.crossed(crossing)).collect();
        for (_, node) in self.iter().filter(|(_, node)| node.role == Role::Forward) {
            for body in node.attributes.bodies() {
                for warning in body.graph().warnings() {
                    if !warnings.contains(&warning) {
                        warnings.push(warning);
                    }
                }
            }
        }
        warnings
    }

    fn crossed(&self, Crossing { node, dims }: Crossing) -> Option<Warning> {
        let [front, met] = dims.map(|dim| self.symbols().resolve(dim));
        let (Dim::Symbol(a), Dim::Symbol(b)) = (front, met) else {
            return None;
        };
        if a == b {
            return None;
        }
        let [a, b] = [a, b].map(|symbol| self.symbols().name(symbol));
        let data = self.node(node);
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
