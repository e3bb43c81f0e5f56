//! From a graph to a model's bytes.
//!
//! What a signature's outputs depend on is settled first ([`settled`]: what a fed value decides,
//! such as that nothing is dropped), then gone through in order, and each node handed to the
//! function of its operator in the [`table`]. Nothing stops at the first node that cannot be said
//! in ONNX: all of them are reported together.

mod attribute;
mod ops;
mod settled;
mod sizes;
pub(crate) mod table;
mod writer;

use std::collections::{HashMap, HashSet};

use abeyance_graph::Graph;
use abeyance_ir::{Array, Dim, GraphSignature, NodeId, Type};
use prost::Message;

use self::settled::Settled;
use self::writer::Writer;
use crate::element_type;
use crate::error::{ExportError, Obstacle};
use crate::proto::tensor_shape_proto::{Dimension, dimension};
use crate::proto::type_proto::{Tensor as TensorType, Value as TypeValue};
use crate::proto::{
    GraphProto, ModelProto, OperatorSetIdProto, TensorShapeProto, TypeProto, ValueInfoProto,
};

/// The set of operators that models are written in.
pub const EXPORTED_OPSET: i64 = 17;
/// The version of ONNX's format that models are written in.
const IR_VERSION: i64 = 8;
/// A message of protobuf holds less than this.
const LARGEST: usize = i32::MAX as usize;

/// A graph as an ONNX model (opset 17, IR version 8): what the outputs of a signature need, with
/// the weights inside.
///
/// `values` gives the value of a variable by its name, usually out of a session or a checkpoint; of
/// one that it does not know the first value is taken where that is not random. Unknown dimensions
/// have their names as `dim_param`s. What the signature feeds, and what stands in for a placeholder
/// that is not fed, is settled: a dropout that keeps everything is left out. Summaries are left
/// out: ONNX has no word for them.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// let g = Graph::named("double");
/// let x = g.placeholder::<f32>("x", dims![_, 3]);
/// let w = g.variable("w", 2.0);
/// g.signature("predict").input("points", x).output("values", x * w);
/// let bytes = abeyance_onnx::export(&g, "predict", &|_| None)?;
/// let again = abeyance_onnx::import(&bytes).expect("what was exported");
/// assert_eq!(again.ir().signatures()[0].outputs[0].0.as_ref(), "values");
/// # Ok::<(), abeyance_onnx::ExportError>(())
/// ```
///
/// # Errors
/// There is no such signature, or everything in the graph that cannot be said in ONNX: operators
/// without a counterpart, random numbers that are drawn, variables without a value, placeholders
/// that the signature does not feed.
pub fn export(
    graph: &Graph,
    signature: &str,
    values: &dyn Fn(&str) -> Option<Array>,
) -> Result<Vec<u8>, ExportError> {
    let ir = graph.ir();
    let Some(signature) = ir.signatures().iter().find(|known| *known.name == *signature) else {
        return Err(ExportError::NoSignature {
            name: signature.to_owned(),
            known: ir.signatures().iter().map(|known| known.name.to_string()).collect(),
        });
    };
    let settled = Settled::of(&ir, signature);
    let needed = needed(&ir, signature, &settled);
    let mut writer = Writer::new(&ir, signature, &settled, &needed, values);
    for &id in &needed {
        writer.write(id);
    }
    let outputs = writer.outputs();
    let obstacles = writer.obstacles();
    if !obstacles.is_empty() {
        return Err(ExportError::Refused(obstacles));
    }
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(EXPORTED_OPSET),
        }],
        producer_name: Some("abeyance".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        graph: Some(GraphProto {
            name: Some(ir.name().to_owned()),
            input: signature.inputs.iter().map(|(name, id)| port(&ir, name, *id)).collect(),
            output: outputs.iter().map(|(name, id)| port(&ir, name, *id)).collect(),
            node: writer.nodes,
            initializer: writer.initializers,
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    };
    match model.encoded_len() {
        length if length < LARGEST => Ok(model.encode_to_vec()),
        length => Err(ExportError::Refused(vec![Obstacle {
            operator: "variable".to_owned(),
            nodes: Vec::new(),
            reason: format!("{length} bytes are more than a model's file holds"),
        }])),
    }
}

/// The nodes that the outputs depend on, oldest first, as far as nothing is settled.
fn needed(ir: &abeyance_ir::Graph, signature: &GraphSignature, settled: &Settled) -> Vec<NodeId> {
    let fed: HashSet<NodeId> = signature.inputs.iter().map(|(_, id)| *id).collect();
    let mut found: HashSet<NodeId> = HashSet::new();
    let mut pending: Vec<NodeId> =
        signature.outputs.iter().map(|(_, id)| settled.resolve(*id)).collect();
    while let Some(id) = pending.pop() {
        if found.insert(id) && !fed.contains(&id) && !settled.is_value(id) {
            pending.extend(ir.node(id).operands.iter().map(|&operand| settled.resolve(operand)));
        }
    }
    let mut order: Vec<NodeId> = found.into_iter().collect();
    order.sort_unstable();
    order
}

/// What an input or output is called and consists of.
fn port(ir: &abeyance_ir::Graph, name: &str, id: NodeId) -> ValueInfoProto {
    let elem_type = match &ir.node(id).ty {
        Type::Tensor(tensor) => Some(element_type::write(tensor.dtype)),
        _ => None,
    };
    let dim = |dim: Dim| Dimension {
        value: Some(match dim {
            Dim::Known(size) => dimension::Value::DimValue(size as i64),
            Dim::Symbol(symbol) => dimension::Value::DimParam(ir.symbols().name(symbol).to_owned()),
        }),
        ..Dimension::default()
    };
    let shape =
        TensorShapeProto { dim: ir.shape(id).unwrap_or_default().into_iter().map(dim).collect() };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto {
            value: Some(TypeValue::TensorType(TensorType { elem_type, shape: Some(shape) })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

/// Obstacles of one kind together.
fn gathered(found: &[(String, String, String)]) -> Vec<Obstacle> {
    let mut obstacles: Vec<Obstacle> = Vec::new();
    let mut at: HashMap<(&str, &str), usize> = HashMap::new();
    for (operator, node, reason) in found {
        let index = *at.entry((operator, reason)).or_insert_with(|| {
            obstacles.push(Obstacle {
                operator: operator.clone(),
                nodes: Vec::new(),
                reason: reason.clone(),
            });
            obstacles.len() - 1
        });
        if let Some(obstacle) = obstacles.get_mut(index) {
            obstacle.nodes.push(node.clone());
        }
    }
    obstacles
}
