//! A graph as TensorFlow's `GraphDef`, which TensorBoard draws.
//!
//! Nodes keep their names, whose `/` are TensorBoard's groups; backward nodes stand under `grad/`
//! by their names. What TensorFlow has no word for are attributes: `_role` (`forward`, `backward`,
//! `update`), `_of` (the forward node of a backward one), `_type` (`f32[N, 10]`), `_source`
//! (`src/main.rs:10:5`), `_flops` and `_bytes` where they are known. TensorFlow's own
//! `_output_shapes` is what TensorBoard writes on the edges.

use std::collections::{BTreeMap, HashMap, HashSet};

use abeyance_ir::{
    Array, Attribute, Dim, Graph, Initializer, Location, NodeId, Role, TensorType, Type,
};
use abeyance_session::NodeCost;
use prost::Message;

use crate::proto::{
    self, Attr, AttrList, AttrValue, GraphDef, MetaGraphDef, NodeDef, TensorShapeProto, VersionDef,
};
use crate::reader::{fields, parts};

/// The most nodes, operands and attributes of a graph that is read.
const MOST_PARTS: usize = 1 << 22;
/// Elements of an array that are shown.
const SHOWN: usize = 6;
/// The version of TensorFlow's graphs that this is like.
const PRODUCER: i32 = 2200;

/// The graph. `costs` are of some of its nodes.
pub fn graph_def(graph: &Graph, costs: &[NodeCost]) -> GraphDef {
    let costs: HashMap<&str, &NodeCost> = costs.iter().map(|cost| (&*cost.node, cost)).collect();
    let names = names(graph);
    let name = |id: NodeId| names.get(id.index()).cloned().unwrap_or_default();
    let nodes = graph.iter().map(|(id, node)| {
        let signature = node.operator.signature();
        let controls = graph.controls(id);
        let inputs = node.operands.iter().map(|&operand| name(operand));
        let controls = controls.iter().map(|&control| format!("^{}", name(control)));
        let mut attributes: BTreeMap<String, AttrValue> = (node.attributes.iter().enumerate())
            .map(|(index, value)| {
                let key = signature.attributes.get(index).map_or("value", |spec| spec.name);
                (key.to_owned(), text(&attribute(graph, value)))
            })
            .collect();
        let mut put = |key: &str, value: AttrValue| attributes.insert(key.to_owned(), value);
        let role = match node.role {
            Role::Forward => "forward",
            Role::Backward { of } => {
                put("_of", text(&name(of)));
                "backward"
            }
            Role::Update => "update",
        };
        put("_role", text(role));
        put("_type", text(&graph.display_type(id)));
        if node.location != Location::Unknown {
            put("_source", text(&node.location.to_string()));
        }
        if let Some(shapes) = output_shapes(graph, &node.ty) {
            put("_output_shapes", shapes);
        }
        if let Some(cost) = costs.get(&*node.name) {
            put("_flops", integer(cost.flops));
            put("_bytes", integer(cost.bytes));
        }
        NodeDef {
            name: name(id),
            op: signature.name.to_owned(),
            input: inputs.chain(controls).collect(),
            device: String::new(),
            attr: attributes,
        }
    });
    GraphDef { node: nodes.collect(), versions: Some(VersionDef { producer: PRODUCER }) }
}

/// Reads a graph that another wrote; none if it is damaged, or has so many nodes that it would take
/// memory out of proportion.
pub fn read(bytes: &[u8]) -> Option<GraphDef> {
    (!is_too_large(bytes)).then(|| GraphDef::decode(bytes).ok())?
}

/// Reads the graph inside a `MetaGraphDef`. `None` if it is damaged, too large or without a graph.
pub fn read_meta(bytes: &[u8]) -> Option<GraphDef> {
    (!parts(bytes, 2).any(is_too_large))
        .then(|| MetaGraphDef::decode(bytes).ok())?
        .and_then(|meta| meta.graph_def)
}

/// True if a graph's nodes, operands and attributes are too many to be read. An empty node takes
/// two bytes in a file and some hundred in memory.
pub(crate) fn is_too_large(bytes: &[u8]) -> bool {
    fields(bytes).map(|(_, node)| 1 + fields(node).count()).sum::<usize>() > MOST_PARTS
}

/// The names of nodes by their place, as a `GraphDef` can have them: `:` and a leading `^` mean
/// something in its inputs. They stay unique.
pub fn names(graph: &Graph) -> Vec<String> {
    let is_plain = |name: &str| !name.contains(':') && !name.starts_with('^');
    let mut taken: HashSet<String> =
        graph.iter().map(|(_, node)| node.name.to_string()).filter(|name| is_plain(name)).collect();
    let names = graph.iter().map(|(_, node)| {
        if is_plain(&node.name) {
            return node.name.to_string();
        }
        let mut name = node.name.replace([':', '^'], "_");
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        name
    });
    names.collect()
}

fn text(value: &str) -> AttrValue {
    AttrValue { value: Some(Attr::S(value.as_bytes().to_vec())) }
}

fn integer(value: f64) -> AttrValue {
    AttrValue { value: Some(Attr::I(value as i64)) }
}

/// The shapes of a node's results; none of an operation.
fn output_shapes(graph: &Graph, ty: &Type) -> Option<AttrValue> {
    let items: &[TensorType] = match ty {
        Type::Tensor(tensor) => std::slice::from_ref(tensor),
        Type::Tuple(items) => items,
        _ => return None,
    };
    let shape = |tensor: &TensorType| TensorShapeProto {
        dim: (graph.resolve(&tensor.shape).iter())
            .map(|dim| proto::Dim {
                size: dim.known().map_or(-1, |size| size as i64),
                name: String::new(),
            })
            .collect(),
        unknown_rank: false,
    };
    let shape = items.iter().map(shape).collect();
    Some(AttrValue { value: Some(Attr::List(AttrList { shape, ..AttrList::default() })) })
}

/// An attribute for a reader: long arrays are cut short, bodies are told by their size.
fn attribute(graph: &Graph, value: &Attribute) -> String {
    let shape = |shape: &[Dim]| graph.symbols().display(shape).to_string();
    match value {
        Attribute::Flag(value) => value.to_string(),
        Attribute::Integer(value) => value.to_string(),
        Attribute::Real(value) => value.to_string(),
        Attribute::Text(value) => value.to_string(),
        Attribute::DType(value) => value.to_string(),
        Attribute::Shape(value) => shape(value),
        Attribute::Integers(values) => format!("{:?}", &values[..]),
        Attribute::Array(value) => array(value),
        Attribute::Initializer(value) => initializer(value),
        Attribute::Body(body) => {
            format!("{}: {} nodes", body.graph().name(), body.graph().len())
        }
    }
}

fn array(array: &Array) -> String {
    let size = array.dtype.size();
    let first = Array {
        dtype: array.dtype,
        dims: std::iter::once(array.len().min(SHOWN)).collect(),
        bytes: array.bytes.iter().take(SHOWN * size).copied().collect(),
    };
    let numbers = abeyance_session::Value::from(&first).to_f64();
    let mut shown: Vec<String> = numbers.iter().map(f64::to_string).collect();
    if array.len() > SHOWN {
        shown.push("…".to_owned());
    }
    if array.dims.is_empty() {
        shown.join("")
    } else {
        format!("{}{:?} {}", array.dtype, &array.dims[..], shown.join(", "))
    }
}

fn initializer(initializer: &Initializer) -> String {
    match initializer {
        Initializer::Zeros => "zeros".to_owned(),
        Initializer::Ones => "ones".to_owned(),
        Initializer::Constant(value) => array(value),
        Initializer::Normal { mean, stddev } => format!("normal({mean}, {stddev})"),
        Initializer::TruncatedNormal { mean, stddev } => {
            format!("truncated_normal({mean}, {stddev})")
        }
        Initializer::Uniform { low, high } => format!("uniform({low}, {high})"),
    }
}
