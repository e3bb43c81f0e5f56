//! From a model's bytes to a graph.
//!
//! The nodes of a model are gone through in order, which is a topological one, and each is handed
//! to the function of its operator in the [`table`]. What a name stands for is a
//! [`Value`](value::Value): nodes, and what is known of it. Nothing stops at the first refusal:
//! what depends on a refused node is passed over, and all that was refused is reported together.

// Models are outside data: what they say is looked at before it is believed.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arithmetic;
mod call;
mod naming;
// Axes and ranks are checked before they index; `tests/import/hostile.rs` tries what gets past
// that.
#[allow(clippy::indexing_slicing)]
mod ops;
mod ports;
mod preflight;
pub(crate) mod table;
mod uses;
mod value;
mod walk;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use abeyance_graph::Graph;
use abeyance_graph::raw::GraphExt;
use abeyance_ir::Array;
use prost::Message;

use self::walk::Import;
use crate::error::{ImportError, Reason, Refusal};
use crate::proto::{GraphProto, ModelProto, NodeProto};

/// The oldest set of operators that is read.
pub const OLDEST_OPSET: i64 = 7;
/// The newest set of operators that is read.
pub const NEWEST_OPSET: i64 = 27;

/// Memory for what is made of a model: so many bytes for each of its own, and this much in any
/// case.
const SHARE: usize = 64;
const ALLOWANCE: usize = 64 << 20;

/// The graph of an ONNX model: [`Importer::import`] with nothing said beforehand.
///
/// # Errors
/// Everything that stands in the way, together.
pub fn import(bytes: &[u8]) -> Result<Graph, ImportError> {
    Importer::new().import(bytes)
}

/// Reads models, with what is said about them beforehand.
#[derive(Clone, Debug, Default)]
pub struct Importer {
    values: HashMap<String, Arc<Array>>,
}

impl Importer {
    /// Nothing said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what an input of the model is. It is no placeholder then: shapes, axes and sizes that a
    /// model wants fed have to be known when its graph is built ([`Reason::NeedsValue`]).
    pub fn value(mut self, input: &str, value: Array) -> Self {
        self.values.insert(input.to_owned(), Arc::new(value));
        self
    }

    /// The graph of a model, `bytes` being what its file holds:
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
        preflight::check(bytes)?;
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
            // What a model is made of may be more than its bytes, but not out of all proportion.
            let budget = Cell::new(bytes.len().saturating_mul(SHARE).saturating_add(ALLOWANCE));
            let mut import = Import::new(&built, opset, graph, &self.values, &budget);
            import.run();
            import.refused
        };
        if refused.is_empty() { Ok(built) } else { Err(ImportError::Refused(refused)) }
    }
}

/// The set of operators that a model is of.
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

/// What a node is called in messages.
fn place(node: &NodeProto) -> String {
    match node.name() {
        "" => node.output.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default(),
        name => name.to_owned(),
    }
}

/// # Errors
/// Operators without a counterpart, each with all its nodes.
fn refuse_unknown(graph: &GraphProto) -> Result<(), ImportError> {
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for node in &graph.node {
        let name = operator(node);
        if table::find(&name).is_some() {
            continue;
        }
        let index = *at.entry(name.clone()).or_insert_with(|| {
            refusals.push(Refusal {
                operator: Some(name),
                places: Vec::new(),
                reason: Reason::NoCounterpart,
            });
            refusals.len() - 1
        });
        if let Some(refusal) = refusals.get_mut(index) {
            refusal.places.push(place(node));
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(ImportError::Refused(refusals)) }
}
