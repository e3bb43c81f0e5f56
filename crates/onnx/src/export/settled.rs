//! What a signature decides about a graph: numbers that are fed, branches that are taken, elements that are kept.
//!
//! A network is described for training and for use together. With what a signature feeds, and the values that stand in for what it
//! does not feed, `training` is false and the probability to keep an element is 1: the nodes that ask for these are left out.

use std::collections::HashMap;
use std::sync::Arc;

use abeyance_ir::{Array, Graph, GraphSignature, NodeId};

use crate::tensor;

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
        match node.operator.signature().name {
            "constant" => {
                if let Some(array) = node.attributes.array(0) {
                    self.number_of(id, array);
                }
            }
            "identity"
            | "stop_gradient"
            | "check_numerics"
            | "print"
            | "placeholder_with_default"
            | "custom_gradient" => {
                if let Some(first) = first {
                    self.alias(id, first);
                }
            }
            "cast" => {
                if let Some(number) = number(0) {
                    let array = Array::scalar(node.attributes.dtype(0), number);
                    self.number_of(id, &array);
                }
            }
            "logical_not" => {
                if let Some(always) = first.and_then(|first| self.truth(first)) {
                    self.always.insert(id, !always);
                }
            }
            "logical_and" => {
                // The moments of a batch are asked for where a training is on and there is a row.
                let truths = [first, second].map(|id| id.and_then(|id| self.truth(id)));
                if truths.contains(&Some(false)) {
                    self.always.insert(id, false);
                } else if truths == [Some(true); 2] {
                    self.always.insert(id, true);
                }
            }
            "less" => {
                // A number drawn from below a bound is below that bound.
                let drawn = first.map(|first| ir.node(first));
                if let (Some(drawn), Some(bound)) = (drawn, number(1))
                    && drawn.operator.signature().name == "random_uniform"
                    && bound >= drawn.attributes.real(3)
                {
                    self.always.insert(id, true);
                }
            }
            "select" => {
                let taken = match first.and_then(|first| self.truth(first)) {
                    Some(true) => second,
                    Some(false) => third,
                    None => None,
                };
                if let Some(taken) = same_shape(taken) {
                    self.alias(id, taken);
                }
            }
            "div" if number(1) == Some(1.0) => {
                if let Some(first) = same_shape(first) {
                    self.alias(id, first);
                }
            }
            "mul" => {
                let kept = match (number(0), number(1)) {
                    (_, Some(1.0)) => first,
                    (Some(1.0), _) => second,
                    _ => None,
                };
                if let Some(kept) = same_shape(kept) {
                    self.alias(id, kept);
                }
            }
            _ => {}
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

    /// Whether the signature feeds a node a value.
    pub fn is_value(&self, id: NodeId) -> bool {
        self.values.contains_key(&id)
    }
}
