//! Writing: graphs to records.

use std::collections::HashMap;

use super::container::{SUMMARIES, close};
use super::record::{
    ArrayRecord, AttributeRecord, DimRecord, Head, InitializerRecord, LocationRecord, NodeRecord,
    OperatorRecord, Record, RoleRecord, SignatureRecord, SummaryKindRecord, SummaryRecord,
    TensorRecord, TypeRecord, encode, symbol_budget, symbol_cost,
};
use crate::{
    Array, Attribute, Body, Diagnostic, Diagnostics, Dim, Graph, GraphSignature, Initializer,
    Location, Node, NodeId, Role, Shape, Summary, SummaryKind, SymbolId, TensorType, Type,
};

impl Graph {
    /// The file form: nodes, summaries, signatures, seed, and where each node was made.
    /// [`Graph::from_bytes`] reads it.
    ///
    /// # Errors
    /// The graph's mistakes, if it has any: only a graph that could run is saved. So many bodies
    /// with so many unknown dimensions that reading the file would take memory out of proportion.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Diagnostics> {
        self.check()?;
        let mut tables = Tables::default();
        tables.scan(self);
        let head = Head {
            name: self.name(),
            seed: self.seed(),
            nodes: self.len() as u64,
            edges: self.structure().edge_count() as u64,
            operators: tables
                .operators
                .entries
                .iter()
                .map(|&(name, attributes)| OperatorRecord {
                    name,
                    attributes: attributes.iter().map(|spec| spec.name).collect(),
                })
                .collect(),
            symbols: tables.symbols.entries.iter().map(|symbol| &**symbol).collect(),
            files: tables.files.entries.iter().copied().collect(),
        };
        let mut payload = Vec::new();
        encode(&head, &mut payload)?;
        tables.write(self, &mut payload)?;
        for summary in self.summaries() {
            encode(&Record::Summary(summary_record(summary)), &mut payload)?;
        }
        for signature in self.signatures() {
            encode(&Record::Signature(signature_record(signature)), &mut payload)?;
        }
        encode(&Record::End, &mut payload)?;
        if tables.bodies > symbol_budget(payload.len()) {
            return Err(Diagnostic::new(
                format!(
                    "graph `{}` has too many bodies of branches and loops with too many dimensions of unknown size to be saved as a file",
                    self.name()
                ),
                Location::Unknown,
            )
            .help("save it as text with `save_text`, or give dimensions their sizes")
            .into());
        }
        let flags = if self.summaries().is_empty() { 0 } else { SUMMARIES };
        Ok(close(flags, &payload))
    }
}

/// A table of things that records refer to by index, in the order in which they are first met.
struct Table<K, V> {
    indices: HashMap<K, usize>,
    entries: Vec<V>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { indices: HashMap::new(), entries: Vec::new() }
    }
}

impl<K: std::hash::Hash + Eq, V> Table<K, V> {
    /// Adds a thing, unless it was met before.
    fn meet(&mut self, key: K, entry: impl FnOnce() -> V) {
        let Table { indices, entries } = self;
        indices.entry(key).or_insert_with(|| {
            entries.push(entry());
            entries.len() - 1
        });
    }

    /// The index of a thing that was met.
    fn index(&self, key: &K) -> u64 {
        // Everything was met before anything is written.
        self.indices.get(key).copied().unwrap_or(usize::MAX) as u64
    }
}

#[derive(Default)]
struct Tables<'g> {
    operators: Table<&'g str, (&'g str, &'static [crate::AttributeSpec])>,
    symbols: Table<SymbolId, Box<str>>,
    files: Table<&'static str, &'static str>,
    /// The most bytes that the bodies' tables of unknown dimensions cost a reader.
    bodies: usize,
}

impl<'g> Tables<'g> {
    fn scan(&mut self, graph: &'g Graph) {
        for (_, node) in graph.iter() {
            for body in node.attributes.bodies() {
                let known = graph.symbols().len().min(self.symbols.entries.len());
                self.bodies = self.bodies.saturating_add(symbol_cost(known));
                self.scan(body.graph());
            }
            let signature = node.operator.signature();
            self.operators.meet(signature.name, || (signature.name, signature.attributes));
            for tensor in node.ty.items() {
                self.scan_shape(graph, &tensor.shape);
            }
            for attribute in node.attributes.iter() {
                if let Attribute::Shape(shape) = attribute {
                    self.scan_shape(graph, shape);
                }
            }
            if let Location::Source(at) = node.location {
                self.files.meet(at.file(), || at.file());
            }
        }
    }

    fn scan_shape(&mut self, graph: &Graph, shape: &[Dim]) {
        let symbols = graph.symbols();
        for &dim in shape {
            if let Dim::Symbol(id) = symbols.resolve(dim) {
                self.symbols.meet(id, || symbols.name(id).into());
            }
        }
    }

    fn write(&self, graph: &Graph, payload: &mut Vec<u8>) -> Result<(), Diagnostics> {
        for (id, node) in graph.iter() {
            for body in node.attributes.bodies() {
                self.write_body(body, payload)?;
            }
            encode(&Record::Node(self.node(graph, id, node)), payload)?;
        }
        Ok(())
    }

    fn write_body(&self, body: &Body, payload: &mut Vec<u8>) -> Result<(), Diagnostics> {
        encode(&Record::Body { name: body.graph().name() }, payload)?;
        self.write(body.graph(), payload)?;
        let outputs = body.outputs().iter().copied().map(number).collect();
        Ok(encode(&Record::EndBody { outputs }, payload)?)
    }

    fn node<'n>(&self, graph: &Graph, id: NodeId, node: &'n Node) -> NodeRecord<'n> {
        NodeRecord {
            name: &node.name,
            operator: self.operators.index(&node.operator.signature().name) as u32,
            operands: node.operands.iter().copied().map(number).collect(),
            controls: graph.controls(id).into_iter().map(number).collect(),
            attributes: node.attributes.iter().map(|value| self.attribute(graph, value)).collect(),
            ty: match &node.ty {
                Type::Tensor(tensor) => TypeRecord::Tensor(self.tensor(graph, tensor)),
                Type::Tuple(items) => {
                    TypeRecord::Tuple(items.iter().map(|item| self.tensor(graph, item)).collect())
                }
                // A graph with invalid nodes has mistakes, and is not written.
                Type::Operation | Type::Invalid => TypeRecord::Operation,
            },
            role: match node.role {
                Role::Forward => RoleRecord::Forward,
                Role::Backward { of } => RoleRecord::Backward { of: number(of) },
                Role::Update => RoleRecord::Update,
            },
            location: match node.location {
                Location::Unknown => LocationRecord::Unknown,
                Location::Source(at) => LocationRecord::Source {
                    file: self.files.index(&at.file()),
                    line: at.line(),
                    column: at.column(),
                },
                Location::Text(line) => LocationRecord::Text(line),
            },
        }
    }

    fn tensor(&self, graph: &Graph, tensor: &TensorType) -> TensorRecord {
        TensorRecord {
            dtype: tensor.dtype as u8,
            shape: self.shape(graph, &tensor.shape).collect(),
        }
    }

    fn shape(&self, graph: &Graph, shape: &Shape) -> impl Iterator<Item = DimRecord> {
        shape.iter().map(|&dim| match graph.symbols().resolve(dim) {
            Dim::Known(size) => DimRecord::Known(size as u64),
            Dim::Symbol(id) => DimRecord::Symbol(self.symbols.index(&id)),
        })
    }

    fn attribute<'n>(&self, graph: &Graph, value: &'n Attribute) -> AttributeRecord<'n> {
        match value {
            Attribute::Flag(value) => AttributeRecord::Flag(*value),
            Attribute::Integer(value) => AttributeRecord::Integer(*value),
            Attribute::Real(value) => AttributeRecord::Real(*value),
            Attribute::Text(value) => AttributeRecord::Text(value),
            Attribute::DType(dtype) => AttributeRecord::DType(*dtype as u8),
            Attribute::Shape(shape) => AttributeRecord::Shape(self.shape(graph, shape).collect()),
            Attribute::Integers(values) => {
                AttributeRecord::Integers(values.iter().copied().collect())
            }
            Attribute::Array(array) => AttributeRecord::Array(array_record(array)),
            Attribute::Initializer(initializer) => {
                AttributeRecord::Initializer(match *initializer {
                    Initializer::Zeros => InitializerRecord::Zeros,
                    Initializer::Ones => InitializerRecord::Ones,
                    Initializer::Constant(ref array) => {
                        InitializerRecord::Constant(array_record(array))
                    }
                    Initializer::Normal { mean, stddev } => {
                        InitializerRecord::Normal { mean, stddev }
                    }
                    Initializer::TruncatedNormal { mean, stddev } => {
                        InitializerRecord::TruncatedNormal { mean, stddev }
                    }
                    Initializer::Uniform { low, high } => InitializerRecord::Uniform { low, high },
                })
            }
            Attribute::Body(_) => AttributeRecord::Body,
        }
    }
}

fn number(id: NodeId) -> u64 {
    id.index() as u64
}

fn array_record(array: &Array) -> ArrayRecord<'_> {
    ArrayRecord {
        dtype: array.dtype as u8,
        dims: array.dims.iter().map(|&dim| dim as u64).collect(),
        bytes: &array.bytes,
    }
}

fn summary_record(summary: &Summary) -> SummaryRecord<'_> {
    SummaryRecord {
        kind: match summary.kind {
            SummaryKind::Scalar => SummaryKindRecord::Scalar,
            SummaryKind::Histogram => SummaryKindRecord::Histogram,
            SummaryKind::Image => SummaryKindRecord::Image,
        },
        tag: &summary.tag,
        nodes: summary.nodes.iter().copied().map(number).collect(),
    }
}

fn signature_record(signature: &GraphSignature) -> SignatureRecord<'_> {
    SignatureRecord {
        name: &signature.name,
        inputs: signature.inputs.iter().map(|(name, node)| (&**name, number(*node))).collect(),
        feeds: signature
            .feeds
            .iter()
            .map(|(node, array)| (number(*node), array_record(array)))
            .collect(),
        outputs: signature.outputs.iter().map(|(name, node)| (&**name, number(*node))).collect(),
        steps: signature.steps.iter().copied().map(number).collect(),
    }
}
