//! Names: unique within a graph and its bodies, made from operators' where none is given, put
//! behind scopes.

use std::sync::Arc;

use petgraph::graph::NodeIndex;

use crate::{Diagnostic, Location};

use super::{Graph, NodeId};

impl Graph {
    /// The name of a node that is appended: `wanted` if there is one and it is free, else `base`,
    /// with a number behind it if that is taken.
    pub(super) fn unique_name(&mut self, wanted: Option<&str>, base: &str, id: NodeId) -> Arc<str> {
        let scope = &self.context.scope;
        if let Some(wanted) = wanted {
            let full = format!("{scope}{wanted}");
            let location = self.context.location;
            if !is_name(wanted) {
                self.diagnostics.push(bad_name(wanted, location));
            } else if let Some(&other) = self.names.get(full.as_str()) {
                let diagnostic = self.taken(full, other, location);
                self.diagnostics.push(diagnostic);
            } else {
                return self.claim(full.into(), id);
            }
        }
        let plain = format!("{scope}{base}");
        let count = self.suffixes.entry(plain.as_str().into()).or_insert(0);
        loop {
            let name: Arc<str> = match *count {
                0 => plain.as_str().into(),
                count => format!("{plain}_{count}").into(),
            };
            *count += 1;
            if !self.names.contains_key(&name) {
                return self.claim(name, id);
            }
        }
    }

    /// Gives a node another name, behind the current scope.
    ///
    /// # Errors
    /// A name that is taken, or none, is reported with the graph's mistakes and changes nothing.
    pub fn rename(&mut self, id: NodeId, name: &str) {
        let full = format!("{}{name}", self.context.scope);
        if *self.node(id).name == *full {
            return;
        }
        let location = self.context.location;
        if !is_name(name) {
            self.diagnostics.push(bad_name(name, location));
        } else if let Some(&other) = self.names.get(full.as_str()) {
            let diagnostic = self.taken(full, other, location);
            self.diagnostics.push(diagnostic);
        } else {
            let new = self.claim(full.into(), id);
            let old = std::mem::replace(&mut self.nodes[NodeIndex::from(id)].name, new);
            self.names.remove(&old);
        }
    }

    fn taken(&self, name: String, other: NodeId, location: Location) -> Diagnostic {
        Diagnostic::new(format!("the name `{}` is taken", crate::shorten::name(&name)), location)
            .node(crate::shorten::name(&name))
            .note(self.describe(other), self.node(other).location)
            .help("give it another name, or put each in a scope of its own: `let _scope = g.scope(\"layer1\");`")
    }

    fn claim(&mut self, name: Arc<str>, id: NodeId) -> Arc<str> {
        self.names.insert(name.clone(), id);
        name
    }

    /// A scope that no other scope of this graph is: `layer/`, `layer_1/`, ..., behind the current
    /// scope.
    ///
    /// # Errors
    /// A name that is none is reported with the graph's mistakes; the scope is `scope/` then.
    pub fn unique_scope(&mut self, name: &str) -> String {
        let plain = format!("{}{name}", self.context.scope);
        if !is_name(name) {
            self.diagnostics.push(Diagnostic::new(
                format!("{name:?} is not a name for a scope"),
                self.context.location,
            ));
            return format!("{}scope/", self.context.scope);
        }
        // Scopes and nodes count in separate tables: `relu` the scope does not rename `relu` the
        // node.
        let key = format!("{plain}/");
        let count = self.suffixes.entry(key.into()).or_insert(0);
        let scope = match *count {
            0 => format!("{plain}/"),
            count => format!("{plain}_{count}/"),
        };
        *count += 1;
        scope
    }

    /// Keeps [`Graph::unique_scope`] from giving out the names of a node's bodies, which key random
    /// streams, and the scopes before them.
    pub(crate) fn claim_body_scopes(&mut self, id: NodeId) {
        let bodies: Vec<_> = self.node(id).attributes.bodies().cloned().collect();
        for body in bodies {
            let name = body.graph().name();
            let outer = self.name.clone();
            let own = match self.depth {
                0 => name,
                _ => name.strip_prefix(&outer).map_or(name, |own| own.trim_start_matches('/')),
            };
            self.claim_scopes(own);
        }
    }

    /// Keeps [`Graph::unique_scope`] from giving out the scopes before a name that it did not make.
    pub(crate) fn claim_scopes(&mut self, name: &str) {
        // Nobody nests deeper or names longer by hand; the bounds keep a hostile name, each of
        // whose scopes is a name of its own, from costing its length squared.
        let scopes = name.match_indices('/').take(MOST_SCOPES);
        for (end, _) in scopes.take_while(|&(end, _)| end < LONGEST_SCOPE) {
            let scope = &name[..end];
            let count = self.suffixes.entry(name[..=end].into()).or_insert(0);
            *count = (*count).max(1);
            let Some((plain, number)) = scope.rsplit_once('_') else {
                continue;
            };
            // The suffixes that are given out have no leading zeros.
            if number.len() < 10
                && !number.starts_with('0')
                && let Ok(number) = number.parse::<u32>()
            {
                let count = self.suffixes.entry(format!("{plain}/").into()).or_insert(0);
                *count = (*count).max(number + 1);
            }
        }
    }
}

fn bad_name(name: &str, location: Location) -> Diagnostic {
    Diagnostic::new(format!("{:?} is not a name", crate::shorten::name(name)), location).help(
        "names are letters, digits, `_`, `.` and `/`, and begin with a letter, a digit or `_`",
    )
}

/// The most scopes before a name that was read which are kept from being given out again.
const MOST_SCOPES: usize = 8;
/// The length of the longest of them, in bytes.
const LONGEST_SCOPE: usize = 200;

/// True if a node can be called that.
pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_./".contains(&byte))
}
