//! From a model's bytes to a graph.
//!
//! The nodes of a model are visited in their order, which is a topological one, and each is handed
//! to the function of its operator in the [`table`]. The [`Value`](value::Value) of a name has the
//! nodes that hold it, and its elements where they are known. The first problem does not end the
//! import: nodes that depend on a refused one are passed over, and all problems are reported
//! together.

// Models are outside data: what they say is looked at before it is believed.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod call;
mod entry;
mod importer;
mod inputs;
mod naming;
// Axes and ranks are checked before they index; `tests/import/hostile.rs` tries what gets past
// that.
#[allow(clippy::indexing_slicing)]
mod ops;
mod outputs;
mod propagate;
mod size;
mod size_check;
pub(crate) mod table;
mod uses;
mod value;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use abeyance_graph::Graph;
use abeyance_graph::raw::GraphExt;
use abeyance_ir::Array;
use prost::Message;

use self::importer::Import;
use crate::error::{ImportError, ImportProblem, ProblemKind};
use crate::proto::{GraphProto, ModelProto, NodeProto};

/// The oldest set of operators that is read.
pub const OLDEST_OPSET: i64 = 7;
/// The newest set of operators that is read.
pub const NEWEST_OPSET: i64 = 27;

/// The memory that a graph may take for each byte of its model, in bytes.
const BYTES_PER_MODEL_BYTE: usize = 64;
/// The memory that a graph may take besides, in bytes.
const BYTES_IN_ANY_CASE: usize = 64 << 20;

/// Imports an ONNX model as a graph, with the defaults of [`Importer`].
///
/// # Errors
/// The bytes are no model, or parts of it have no counterpart or are wrong: all of these together.
pub fn import(bytes: &[u8]) -> Result<Graph, ImportError> {
    Importer::new().import(bytes)
}

/// Imports models, with values of inputs that are known beforehand.
#[derive(Clone, Debug, Default)]
pub struct Importer {
    values: HashMap<String, Arc<Array>>,
}

impl Importer {
    /// An importer for which no value is known beforehand.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of an input of the model, which is then a constant and no placeholder.
    /// Shapes, axes and sizes that a model takes as inputs have to be known when its graph is built
    /// ([`ProblemKind::NeedsValue`]).
    pub fn value(mut self, input: &str, value: Array) -> Self {
        self.values.insert(input.to_owned(), Arc::new(value));
        self
    }

    /// Imports a model from the bytes of its file:
    ///
    /// - Inputs become placeholders. A dimension with a name is one unknown size wherever that name
    ///   stands, one without a name is unknown by itself.
    /// - Initializers of floats become variables that start with their values, so that the model
    ///   can be trained further; those that are running averages are not trainable. Others are
    ///   constants.
    /// - Nodes are called by what the model calls their results, with `_` for what a name may not
    ///   hold. Images within the model are `[N, H, W, C]` here; inputs and outputs are as the model
    ///   has them.
    /// - The signature `predict` names inputs and outputs as the model does, whatever signs these
    ///   names hold: they are fed and fetched by the model's own names.
    ///
    /// # Errors
    /// The bytes are no model, the model's opset is not between [`OLDEST_OPSET`] and
    /// [`NEWEST_OPSET`], or parts of it have no counterpart or are wrong: all of these together. No
    /// bytes make it panic.
    pub fn import(&self, bytes: &[u8]) -> Result<Graph, ImportError> {
        size_check::check(bytes)?;
        let model =
            ModelProto::decode(bytes).map_err(|error| ImportError::NotAModel(error.to_string()))?;
        let opset = opset(&model)?;
        let Some(graph) = &model.graph else {
            return Err(ImportError::NotAModel("it has no graph".to_owned()));
        };
        refuse_unknown(graph)?;
        let name = naming::graph_name(graph.name());
        let built = Graph::named(&name);
        let refused = {
            // Nodes come from here, whichever function appends them.
            let _pin = built.pin_location();
            // A graph may take more memory than its model, but not out of all proportion.
            let most = bytes.len().saturating_mul(BYTES_PER_MODEL_BYTE);
            let budget = Cell::new(most.saturating_add(BYTES_IN_ANY_CASE));
            let mut import = Import::new(&built, opset, graph, &self.values, &budget);
            import.run();
            import.refused
        };
        if refused.is_empty() { Ok(built) } else { Err(ImportError::Refused(refused)) }
    }
}

/// The opset of a model.
fn opset(model: &ModelProto) -> Result<i64, ImportError> {
    let own = model.opset_import.iter().find(|set| matches!(set.domain(), "" | "ai.onnx"));
    // Models before opset sets existed are of the first.
    let found = own.map_or(1, |set| set.version());
    if (OLDEST_OPSET..=NEWEST_OPSET).contains(&found) {
        return Ok(found);
    }
    Err(ImportError::Opset { found, oldest: OLDEST_OPSET, newest: NEWEST_OPSET })
}

/// The operator of a node, with its domain unless that is ONNX's own.
fn operator(node: &NodeProto) -> String {
    match node.domain() {
        "" | "ai.onnx" => node.op_type().to_owned(),
        domain => format!("{domain}.{}", node.op_type()),
    }
}

/// The name of a node in messages: its own, or that of its first result.
fn node_name(node: &NodeProto) -> String {
    match node.name() {
        "" => node.output.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default(),
        name => name.to_owned(),
    }
}

/// Checks that every operator has a counterpart.
///
/// # Errors
/// Operators without one, each with all its nodes.
fn refuse_unknown(graph: &GraphProto) -> Result<(), ImportError> {
    let mut refusals: Vec<ImportProblem> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for node in &graph.node {
        let name = operator(node);
        if table::find(&name).is_some() {
            continue;
        }
        let index = *at.entry(name.clone()).or_insert_with(|| {
            refusals.push(ImportProblem {
                operator: Some(name),
                places: Vec::new(),
                reason: ProblemKind::NoCounterpart,
            });
            refusals.len() - 1
        });
        if let Some(refusal) = refusals.get_mut(index) {
            refusal.places.push(node_name(node));
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(ImportError::Refused(refusals)) }
}
