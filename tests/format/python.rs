//! `docs/read_graph.py`, which was written from `docs/format.md` alone, reads what this crate
//! reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use abeyance::ir::{
    self, Array, Attribute, Dim, Initializer, Location, NodeId, Role, TensorType, Type,
};
use abeyance::prelude::*;
use serde_json::{Map, Value, json};

use crate::versions::{files, folders};

/// Reads a file with the reader in Python. `None` where there is no Python.
fn read(path: &Path) -> Option<Value> {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/read_graph.py");
    let run = Command::new("python3").arg(reader).arg("--json").arg(path).output();
    let output = match run {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: `python3` does not start ({error}), and nothing was compared");
            return None;
        }
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaint}", path.display());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn real(value: f64) -> Value {
    hex(&value.to_le_bytes()).into()
}

fn array(array: &Array) -> Value {
    json!({ "dtype": array.dtype.name(), "dims": array.dims[..], "bytes": hex(&array.bytes) })
}

fn shape(graph: &ir::Graph, shape: &[Dim]) -> Value {
    let dims = shape.iter().map(|&dim| match graph.symbols().resolve(dim) {
        Dim::Known(size) => json!(size),
        Dim::Symbol(id) => json!(graph.symbols().name(id)),
    });
    dims.collect()
}

fn tensor(graph: &ir::Graph, tensor: &TensorType) -> Value {
    json!({ "dtype": tensor.dtype.name(), "shape": shape(graph, &tensor.shape) })
}

fn names(graph: &ir::Graph, ids: &[NodeId]) -> Value {
    ids.iter().map(|&id| json!(*graph.node(id).name)).collect()
}

fn attribute(graph: &ir::Graph, value: &Attribute) -> Value {
    match value {
        Attribute::Flag(value) => json!({ "flag": value }),
        Attribute::Integer(value) => json!({ "integer": value }),
        Attribute::Real(value) => json!({ "real": real(*value) }),
        Attribute::Text(value) => json!({ "text": **value }),
        Attribute::DType(value) => json!({ "dtype": value.name() }),
        Attribute::Shape(value) => json!({ "shape": shape(graph, value) }),
        Attribute::Integers(value) => json!({ "integers": value[..] }),
        Attribute::Array(value) => json!({ "array": array(value) }),
        Attribute::Initializer(value) => json!({ "initializer": match value {
            Initializer::Zeros => json!(["zeros"]),
            Initializer::Ones => json!(["ones"]),
            Initializer::Constant(value) => json!(["constant", array(value)]),
            Initializer::Normal { mean, stddev } => json!(["normal", real(*mean), real(*stddev)]),
            Initializer::TruncatedNormal { mean, stddev } => {
                json!(["truncated_normal", real(*mean), real(*stddev)])
            }
            Initializer::Uniform { low, high } => json!(["uniform", real(*low), real(*high)]),
        } }),
        Attribute::Body(body) => json!({ "body": {
            "name": body.graph().name(),
            "nodes": nodes(body.graph()),
            "outputs": names(body.graph(), body.outputs()),
        } }),
    }
}

fn nodes(graph: &ir::Graph) -> Value {
    let nodes = graph.iter().map(|(id, node)| {
        let signature = node.operator.signature();
        let attributes: Map<String, Value> = signature
            .attributes
            .iter()
            .zip(node.attributes.iter())
            .map(|(spec, value)| (spec.name.to_owned(), attribute(graph, value)))
            .collect();
        let (role, of) = match node.role {
            Role::Forward => ("forward", None),
            Role::Backward { of } => ("backward", Some(&*graph.node(of).name)),
            Role::Update => ("update", None),
        };
        json!({
            "name": *node.name,
            "operator": signature.name,
            "operands": names(graph, &node.operands),
            "controls": names(graph, &graph.controls(id)),
            "attributes": attributes,
            "type": match &node.ty {
                Type::Tensor(ty) => tensor(graph, ty),
                Type::Tuple(items) => items.iter().map(|item| tensor(graph, item)).collect(),
                Type::Operation | Type::Invalid => json!("operation"),
            },
            "role": role,
            "of": of,
            "location": match node.location {
                Location::Unknown => Value::Null,
                Location::Source(at) => json!([at.file(), at.line(), at.column()]),
                Location::Text(line) => json!([null, line]),
            },
        })
    });
    nodes.collect()
}

fn whole(g: &Graph, version: [u16; 2]) -> Value {
    let graph = &*g.ir();
    let name = |id: &NodeId| &*graph.node(*id).name;
    let ports = |ports: &[(Box<str>, NodeId)]| -> Value {
        ports.iter().map(|(port, id)| json!([**port, name(id)])).collect()
    };
    let signatures: Value = graph
        .signatures()
        .iter()
        .map(|signature| {
            let feeds = signature.feeds.iter().map(|(id, value)| json!([name(id), array(value)]));
            json!({
                "name": *signature.name,
                "inputs": ports(&signature.inputs),
                "feeds": feeds.collect::<Value>(),
                "outputs": ports(&signature.outputs),
                "steps": names(graph, &signature.steps),
            })
        })
        .collect();
    let summaries = graph.summaries().iter().map(|summary| {
        json!({
            "kind": summary.kind.name(),
            "tag": *summary.tag,
            "nodes": names(graph, &summary.nodes),
        })
    });
    let summaries: Value = summaries.collect();
    json!({
        "version": version,
        "name": graph.name(),
        "seed": graph.seed(),
        "nodes": nodes(graph),
        "summaries": summaries,
        "signatures": signatures,
    })
}

/// Without what texts do not say.
fn without_locations(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.remove("location");
            members.values_mut().for_each(|member| *member = without_locations(member.take()));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = without_locations(item.take()));
        }
        _ => {}
    }
    value
}

fn graph_files() -> Vec<PathBuf> {
    let networks = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs"), "graph");
    let kept = folders().into_iter().flat_map(|folder| files(&folder, "graph"));
    networks.into_iter().chain(kept).collect()
}

#[test]
fn a_reader_of_graphs_written_from_the_page_reads_what_the_text_says() {
    let files = graph_files();
    assert!(files.len() > 10, "{files:?}");
    for path in files {
        let Some(read) = read(&path) else { return };
        // Records that are read with their locations, and once more from what does not know the
        // records.
        let bytes = std::fs::read(&path).unwrap();
        let version = [[bytes[8], bytes[9]], [bytes[10], bytes[11]]].map(u16::from_le_bytes);
        let from_records = whole(&Graph::load(&path).unwrap(), version);
        assert!(read == from_records, "{path:?}: {read:#}\n{from_records:#}");
        let text = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        // Text does not say which NaN a NaN is.
        if !text.contains("nan") {
            let from_text = without_locations(whole(&Graph::parse(&text).unwrap(), version));
            let read = without_locations(read);
            assert!(read == from_text, "{path:?}: {read:#}\n{from_text:#}");
        }
    }
}

#[test]
fn a_reader_of_checkpoints_written_from_the_page_reads_the_same_and_agrees_on_the_checksum() {
    for path in folders().iter().flat_map(|folder| files(folder, "safetensors")) {
        let Some(read) = read(&path) else { return };
        let checkpoint = Checkpoint::load(&path).unwrap();
        let tensors: Map<String, Value> =
            checkpoint.variables().map(|(name, value)| (name.to_owned(), array(value))).collect();
        let notes: Map<String, Value> =
            checkpoint.notes().map(|(key, note)| (key.to_owned(), note.into())).collect();
        let facts = &read["facts"];
        assert_eq!(read["tensors"], Value::Object(tensors), "{path:?}");
        assert_eq!(facts["notes"], Value::Object(notes), "{path:?}");
        assert_eq!(facts["seed"], checkpoint.seed());
        assert_eq!(facts["step"], checkpoint.step());
        assert_eq!(facts["graph"], checkpoint.graph());
    }
}
