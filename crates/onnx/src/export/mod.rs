//! From a graph to a model's bytes.
//!
//! First the constants are found that follow from the signature's feeds ([`constants`]), such as
//! that nothing is dropped. Then the nodes on which the outputs depend are visited in order, and
//! each is handed to the function of its operator in the [`table`]. The first node without a
//! counterpart does not end the export: all of them are reported together.

mod attribute;
mod constants;
mod entry;
mod ops;
mod sizes;
pub(crate) mod table;
mod writer;

use std::collections::{HashMap, HashSet};

use abeyance_graph::Graph;
use abeyance_ir::{Array, Dim, GraphSignature, NodeId, Type};
use prost::Message;

use self::constants::ConstantState;
use self::writer::Writer;
use crate::element_type;
use crate::error::{ExportError, ExportProblem};
use crate::proto::tensor_shape_proto::{Dimension, dimension};
use crate::proto::type_proto::{Tensor as TensorType, Value as TypeValue};
use crate::proto::{
    GraphProto, ModelProto, OperatorSetIdProto, TensorShapeProto, TypeProto, ValueInfoProto,
};

/// The set of operators that models are written in.
pub const EXPORTED_OPSET: i64 = 17;
/// The version of ONNX's format that models are written in.
const IR_VERSION: i64 = 8;
/// The length that a message of protobuf may not reach, in bytes.
const LARGEST: usize = i32::MAX as usize;

/// Exports a graph as an ONNX model (opset 17, IR version 8): the nodes that the outputs of a
/// signature need, with the weights inside.
///
/// `values` gives the value of a variable by its name, usually out of a session or a checkpoint; of
/// one that it does not know the first value is taken where that is not random. Unknown dimensions
/// have their names as `dim_param`s. Values that the signature feeds, and defaults of placeholders
/// that it does not feed, are constants: a dropout that keeps everything is left out. Summaries are
/// left out: ONNX has none.
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
/// There is no such signature, or parts of the graph have no counterpart in ONNX: operators, random
/// numbers that are drawn, variables without a value, placeholders that the signature does not
/// feed. All of these are reported together.
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
    let constants = ConstantState::of(&ir, signature);
    let needed = needed(&ir, signature, &constants);
    let mut writer = Writer::new(&ir, signature, &constants, &needed, values);
    for &id in &needed {
        let entry = table::find(ir.node(id));
        writer.write(id, entry.map(|entry| entry.write));
    }
    let outputs = writer.outputs();
    let problems = gathered(writer.refused());
    if !problems.is_empty() {
        return Err(ExportError::Refused(problems));
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
        length => Err(ExportError::Refused(vec![ExportProblem {
            operator: "variable".to_owned(),
            nodes: Vec::new(),
            reason: format!("{length} bytes are more than a model's file holds"),
        }])),
    }
}

/// The nodes that the outputs depend on, oldest first. A node of constant value needs none.
fn needed(
    ir: &abeyance_ir::Graph,
    signature: &GraphSignature,
    constants: &ConstantState,
) -> Vec<NodeId> {
    let fed: HashSet<NodeId> = signature.inputs.iter().map(|(_, id)| *id).collect();
    let mut found: HashSet<NodeId> = HashSet::new();
    let mut pending: Vec<NodeId> =
        signature.outputs.iter().map(|(_, id)| constants.resolve(*id)).collect();
    while let Some(id) = pending.pop() {
        if found.insert(id) && !fed.contains(&id) && !constants.is_value(id) {
            pending.extend(ir.node(id).operands.iter().map(|&operand| constants.resolve(operand)));
        }
    }
    let mut order: Vec<NodeId> = found.into_iter().collect();
    order.sort_unstable();
    order
}

/// The name and the type of an input or output.
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

/// Gathers problems of one operator and one reason.
fn gathered(found: &[(String, String, String)]) -> Vec<ExportProblem> {
    let mut problems: Vec<ExportProblem> = Vec::new();
    let mut at: HashMap<(&str, &str), usize> = HashMap::new();
    for (operator, node, reason) in found {
        let index = *at.entry((operator, reason)).or_insert_with(|| {
            problems.push(ExportProblem {
                operator: operator.clone(),
                nodes: Vec::new(),
                reason: reason.clone(),
            });
            problems.len() - 1
        });
        if let Some(problem) = problems.get_mut(index) {
            problem.nodes.push(node.clone());
        }
    }
    problems
}
