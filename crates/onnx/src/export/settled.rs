//! What a signature decides about a graph: numbers that are fed, branches that are taken, elements
//! that are kept.
//!
//! A network is described for training and for use together. With what a signature feeds, and the
//! values that stand in for what it does not feed, `training` is false and the probability to keep
//! an element is 1: the nodes that ask for these are left out.

use std::collections::HashMap;
use std::sync::Arc;

use abeyance_graph::ops::cast::{self, CastAttributes};
use abeyance_graph::ops::random::{self, RandomUniformAttributes};
use abeyance_graph::ops::source::{self, ConstantAttributes};
use abeyance_graph::ops::{binary, comparison, custom_gradient, logical, select, unary, watch};
use abeyance_ir::{Array, Graph, GraphSignature, NodeId, Operator};

use crate::tensor;

/// Operators whose result is their first operand.
static PASSED_ON: &[&dyn Operator] = &[
    &unary::IDENTITY,
    &unary::STOP_GRADIENT,
    &watch::CheckNumerics,
    &watch::Print,
    &source::PlaceholderWithDefault,
    &custom_gradient::CustomGradient,
];

/// What is settled about nodes.
pub(crate) struct Settled {
    /// Nodes that are another.
    aliases: HashMap<NodeId, NodeId>,
    /// Single numbers.
    numbers: HashMap<NodeId, f64>,
    /// Truth values that are the same for all elements.
    always: HashMap<NodeId, bool>,
    /// What the signature feeds.
    values: HashMap<NodeId, Arc<Array>>,
}

impl Settled {
    /// What a signature settles.
    pub fn of(ir: &Graph, signature: &GraphSignature) -> Self {
        let mut settled = Settled {
            aliases: HashMap::new(),
            numbers: HashMap::new(),
            always: HashMap::new(),
            values: signature.feeds.iter().cloned().collect(),
        };
        let inputs: Vec<NodeId> = signature.inputs.iter().map(|(_, id)| *id).collect();
        let targets = signature.outputs.iter().map(|(_, id)| *id);
        let reached = ir.ancestors(targets, |id| inputs.contains(&id));
        for index in reached.ones() {
            let id = NodeId::new(index);
            if !inputs.contains(&id) {
                settled.node(ir, id);
            }
        }
        settled
    }

    fn node(&mut self, ir: &Graph, id: NodeId) {
        if let Some(value) = self.values.get(&id) {
            self.number_of(id, &value.clone());
            return;
        }
        let node = ir.node(id);
        let operand = |place: usize| node.operands.get(place).map(|&operand| self.resolve(operand));
        let number = |place: usize| self.numbers.get(&operand(place)?).copied();
        let (first, second, third) = (operand(0), operand(1), operand(2));
        let same_shape =
            |other: Option<NodeId>| other.filter(|&other| ir.shape(other) == ir.shape(id));
        if node.is(&source::Constant) {
            let ConstantAttributes { value } = node.attributes.read();
            self.number_of(id, &value);
        } else if PASSED_ON.iter().any(|&operator| node.is(operator)) {
            if let Some(first) = first {
                self.alias(id, first);
            }
        } else if node.is(&cast::Cast) {
            if let Some(number) = number(0) {
                let CastAttributes { dtype } = node.attributes.read();
                self.number_of(id, &Array::scalar(dtype, number));
            }
        } else if node.is(&logical::LOGICAL_NOT) {
            if let Some(always) = first.and_then(|first| self.truth(first)) {
                self.always.insert(id, !always);
            }
        } else if node.is(&logical::LOGICAL_AND) {
            // The moments of a batch are asked for where a training is on and there is a row.
            let truths = [first, second].map(|id| id.and_then(|id| self.truth(id)));
            if truths.contains(&Some(false)) {
                self.always.insert(id, false);
            } else if truths == [Some(true); 2] {
                self.always.insert(id, true);
            }
        } else if node.is(&comparison::LESS) {
            // A number drawn from below a bound is below that bound.
            let drawn = first.map(|first| ir.node(first));
            if let (Some(drawn), Some(bound)) = (drawn, number(1))
                && drawn.is(&random::RANDOM_UNIFORM)
                && bound >= drawn.attributes.read::<RandomUniformAttributes>().high
            {
                self.always.insert(id, true);
            }
        } else if node.is(&select::Select) {
            let taken = match first.and_then(|first| self.truth(first)) {
                Some(true) => second,
                Some(false) => third,
                None => None,
            };
            if let Some(taken) = same_shape(taken) {
                self.alias(id, taken);
            }
        } else if node.is(&binary::DIV) && number(1) == Some(1.0) {
            if let Some(first) = same_shape(first) {
                self.alias(id, first);
            }
        } else if node.is(&binary::MUL) {
            let kept = match (number(0), number(1)) {
                (_, Some(1.0)) => first,
                (Some(1.0), _) => second,
                _ => None,
            };
            if let Some(kept) = same_shape(kept) {
                self.alias(id, kept);
            }
        }
    }

    fn alias(&mut self, id: NodeId, other: NodeId) {
        self.aliases.insert(id, self.resolve(other));
    }

    fn number_of(&mut self, id: NodeId, array: &Array) {
        if array.dims.is_empty()
            && let Some(&number) = tensor::reals(array).first()
        {
            self.numbers.insert(id, number);
        }
    }

    fn truth(&self, id: NodeId) -> Option<bool> {
        let number = || self.numbers.get(&id).map(|&number| number != 0.0);
        self.always.get(&id).copied().or_else(number)
    }

    /// The node that this one is.
    pub fn resolve(&self, id: NodeId) -> NodeId {
        // Every alias is to one that is none itself.
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
