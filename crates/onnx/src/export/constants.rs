//! Constant propagation: the values of nodes that follow from the feeds of a signature.
//!
//! A network is described for training and for use together. With the values that a signature
//! feeds, and the defaults of placeholders that it does not feed, `training` is false and the
//! probability to keep an element is 1. The nodes that depend on these are then identities, and are
//! left out.

use std::collections::HashMap;
use std::sync::Arc;

use abeyance_graph::ops::cast::{self, CastAttributes};
use abeyance_graph::ops::random::{self, RandomUniformAttributes};
use abeyance_graph::ops::source::{self, ConstantAttributes};
use abeyance_graph::ops::{binary, comparison, custom_gradient, logical, select, unary, watch};
use abeyance_ir::{Array, Graph, GraphSignature, Node, NodeId, Operator};

use crate::tensor;

/// Operators whose result is their first operand.
static IDENTITIES: &[&dyn Operator] = &[
    &unary::IDENTITY,
    &unary::STOP_GRADIENT,
    &watch::CheckNumerics,
    &watch::Print,
    &source::PlaceholderWithDefault,
    &custom_gradient::CustomGradient,
];

/// The constants of a graph under a signature.
pub(crate) struct ConstantState {
    /// Nodes that are identities of another, which is none itself.
    aliases: HashMap<NodeId, NodeId>,
    /// The values of nodes that are single numbers.
    numbers: HashMap<NodeId, f64>,
    /// The values of nodes of truth values that are the same for all elements.
    truths: HashMap<NodeId, bool>,
    /// The values that the signature feeds.
    values: HashMap<NodeId, Arc<Array>>,
}

impl ConstantState {
    /// Finds the constants under a signature.
    pub fn of(ir: &Graph, signature: &GraphSignature) -> Self {
        let mut constants = ConstantState {
            aliases: HashMap::new(),
            numbers: HashMap::new(),
            truths: HashMap::new(),
            values: signature.feeds.iter().cloned().collect(),
        };
        let inputs: Vec<NodeId> = signature.inputs.iter().map(|(_, id)| *id).collect();
        let targets = signature.outputs.iter().map(|(_, id)| *id);
        let reached = ir.ancestors(targets, |id| inputs.contains(&id));
        for index in reached.ones() {
            let id = NodeId::new(index);
            if !inputs.contains(&id) {
                constants.node(ir, id);
            }
        }
        constants
    }

    /// Finds out whether a node has a constant value or is the same as another.
    fn node(&mut self, ir: &Graph, id: NodeId) {
        if let Some(value) = self.values.get(&id) {
            self.set_number(id, &value.clone());
            return;
        }
        let node = ir.node(id);
        if node.is(&source::Constant) {
            let ConstantAttributes { value } = node.attributes.read();
            self.set_number(id, &value);
        } else if node.is(&cast::Cast) {
            if let Some(number) = self.operand(node, 0).and_then(|x| self.number(x)) {
                let CastAttributes { dtype } = node.attributes.read();
                self.set_number(id, &Array::scalar(dtype, number));
            }
        } else if let Some(truth) = self.truth_of(ir, node) {
            self.truths.insert(id, truth);
        } else if let Some(other) = self.same_as(ir, id, node) {
            self.aliases.insert(id, self.resolve(other));
        }
    }

    /// The truth value of a node, if it is the same for all elements.
    fn truth_of(&self, ir: &Graph, node: &Node) -> Option<bool> {
        let (first, second) = (self.operand(node, 0), self.operand(node, 1));
        if node.is(&logical::LOGICAL_NOT) {
            return self.truth(first?).map(|truth| !truth);
        }
        if node.is(&logical::LOGICAL_AND) {
            // The moments of a batch are asked for where a training is on and there is a row.
            let truths = [first, second].map(|id| id.and_then(|id| self.truth(id)));
            return match truths {
                [Some(false), _] | [_, Some(false)] => Some(false),
                [Some(true), Some(true)] => Some(true),
                _ => None,
            };
        }
        if node.is(&comparison::LESS) {
            // A number drawn from below a bound is below that bound.
            let (drawn, bound) = (ir.node(first?), self.number(second?)?);
            let is_below = drawn.is(&random::RANDOM_UNIFORM)
                && bound >= drawn.attributes.read::<RandomUniformAttributes>().high;
            return is_below.then_some(true);
        }
        None
    }

    /// The operand that a node equals, if there is one.
    fn same_as(&self, ir: &Graph, id: NodeId, node: &Node) -> Option<NodeId> {
        let [first, second, third] = [0, 1, 2].map(|place| self.operand(node, place));
        let number = |operand: Option<NodeId>| operand.and_then(|operand| self.number(operand));
        if IDENTITIES.iter().any(|&operator| node.is(operator)) {
            return first;
        }
        let same = if node.is(&select::Select) {
            if self.truth(first?)? { second } else { third }
        } else if node.is(&binary::DIV) && number(second) == Some(1.0) {
            first
        } else if node.is(&binary::MUL) {
            match (number(first), number(second)) {
                (_, Some(1.0)) => first,
                (Some(1.0), _) => second,
                _ => None,
            }
        } else {
            None
        };
        // The other operand may have broadcast this one.
        same.filter(|&same| ir.shape(same) == ir.shape(id))
    }

    fn operand(&self, node: &Node, place: usize) -> Option<NodeId> {
        node.operands.get(place).map(|&operand| self.resolve(operand))
    }

    /// Notes the value of a node that is a single number.
    fn set_number(&mut self, id: NodeId, array: &Array) {
        if array.dims.is_empty()
            && let Some(&number) = tensor::reals(array).first()
        {
            self.numbers.insert(id, number);
        }
    }

    fn number(&self, id: NodeId) -> Option<f64> {
        self.numbers.get(&id).copied()
    }

    fn truth(&self, id: NodeId) -> Option<bool> {
        self.truths.get(&id).copied().or_else(|| self.number(id).map(|number| number != 0.0))
    }

    /// The node that has the value of this one: itself, or another of which it is an identity.
    pub fn resolve(&self, id: NodeId) -> NodeId {
        self.aliases.get(&id).copied().unwrap_or(id)
    }

    /// The value that the signature feeds to a node.
    pub fn value(&self, id: NodeId) -> Option<&Arc<Array>> {
        self.values.get(&id)
    }

    /// True if the signature feeds a node a value.
    pub fn is_value(&self, id: NodeId) -> bool {
        self.values.contains_key(&id)
    }
}
