//! Diagnostics about nodes, with the user's line and in the user's words: about a node that a call
//! appended as about the call, about a node of a gradient as about the node that it is the
//! derivative of.

use std::collections::HashSet;

use crate::{Diagnostic, Effect, Fault, Location, Node, NodeId, Role, shorten};

use super::Graph;

/// The most tensors that a diagnostic points at.
const MOST_NOTES: usize = 16;
/// The most tensors that a diagnostic about a branch or a loop points at: carried values stand
/// first, and captured ones are seldom to blame.
const MOST_NOTES_OF_BODIES: usize = 4;

impl Graph {
    /// A diagnostic about a node: the fault, under the name of what the user called and with the
    /// place of that call, and as notes the tensors that were given to it.
    pub fn diagnose(&self, id: NodeId, fault: Fault) -> Diagnostic {
        let (node, forward) = (self.node(id), self.forward(id));
        let subject = self.node(forward);
        let own = |node: &Node| node.operator.signature().name;
        let title = match subject.call {
            Some(call) => call.name(),
            None => own(subject),
        };
        // An operator of its own for the gradient, `.._gradient`, speaks of the same things as the
        // forward one.
        let message = if forward == id || own(node).starts_with(own(subject)) {
            fault.message
        } else {
            format!("in its gradient, {}: {}", own(node), fault.message)
        };
        let message = match subject.call {
            Some(call) => call.message(message),
            None => format!("{title}: {message}"),
        };
        let mut diagnostic = Diagnostic::new(message, subject.location)
            .node(shorten::name(&subject.name))
            .note(self.print_call(forward), Location::Unknown);
        diagnostic.help = fault.help;
        if let Some(whole) = self.whole(forward) {
            let location = self.node(whole).location;
            diagnostic = diagnostic.note(format!("a part of `{}`", self.describe(whole)), location);
        }
        let given = self.given(forward);
        let most = match subject.attributes.bodies().next() {
            Some(_) => MOST_NOTES_OF_BODIES,
            None => MOST_NOTES,
        };
        for &operand in given.iter().take(most) {
            diagnostic = diagnostic.note(self.describe(operand), self.node(operand).location);
        }
        if let more @ 1.. = given.len().saturating_sub(most) {
            diagnostic = diagnostic.note(format!("and {more} more operands"), Location::Unknown);
        }
        if forward == id {
            diagnostic
        } else {
            diagnostic.note(format!("its gradient: {}", self.print_call(id)), node.location)
        }
    }

    /// The node that the user described of which this one computes a derivative, perhaps of a
    /// derivative; itself if it does not.
    fn forward(&self, id: NodeId) -> NodeId {
        let mut at = id;
        // A gradient is younger than what it is the gradient of.
        while let Some(Role::Backward { of }) = self.get(at).map(|node| node.role)
            && of < at
        {
            at = of;
        }
        at
    }

    /// The tensors that a node was given, each once: its operands, or where it is one of several
    /// that a call appended, the tensors that were given to the call.
    fn given(&self, id: NodeId) -> Vec<NodeId> {
        let node = self.node(id);
        // The nodes of a training step lead to the whole graph.
        let call = node.call.filter(|_| node.role == Role::Forward);
        let mut given = Vec::new();
        let mut inside = vec![id];
        let mut seen = HashSet::new();
        while let Some(at) = inside.pop() {
            // The last operand first, as they come off a stack.
            let from = inside.len();
            for &operand in &self.node(at).operands {
                let is_inside = call.is_some() && self.node(operand).call == call;
                if !seen.insert(operand) {
                    continue;
                }
                if is_inside { inside.push(operand) } else { given.push(operand) }
            }
            inside[from..].reverse();
        }
        if seen.len() > given.len() {
            // In the order in which they were made, as the walk does not keep that of the call's
            // arguments.
            given.sort();
        }
        given
    }

    /// The node under whose name this one stands, `stack_1` of `stack_1/concat`. A graph that was
    /// read does not know calls.
    fn whole(&self, id: NodeId) -> Option<NodeId> {
        let node = self.node(id);
        if node.call.is_some() || node.operator.signature().effect == Effect::Read {
            return None;
        }
        let (scope, _) = node.name.rsplit_once('/')?;
        self.find(scope).filter(|&whole| whole > id)
    }
}
