//! Reading: records to a graph.

use std::sync::Arc;

use smallvec::SmallVec;

use super::container::{SUMMARIES, damaged, open};
use super::list::List;
use super::record::{
    ArrayRecord, AttributeRecord, DimRecord, EDGE_BYTES, Head, InitializerRecord, LocationRecord,
    MOST_ATTRIBUTES, NODE_BYTES, NodeRecord, OperatorRecord, Record, RoleRecord, SignatureRecord,
    SummaryKindRecord, SummaryRecord, TensorRecord, TypeRecord, decode, symbol_budget, symbol_cost,
};
use crate::declare::Declared;
use crate::{
    Array, Attribute, Attributes, Body, Context, DType, Diagnostic, Diagnostics, Dim, Dims, Graph,
    Initializer, Input, Location, MAX_DEPTH, NodeId, Operands, Operator, OperatorRef, Registry,
    Role, Shape, SignaturePart, SourcePlace, SummaryKind, TensorType, Type, element_count,
};

/// The number of mistakes after which reading stops.
const MOST_MISTAKES: usize = 20;

/// The length of all messages after which reading stops, in bytes.
const MOST_MESSAGE_BYTES: usize = 8 << 10;

impl Graph {
    /// Reads the file form of a graph, whose operators are looked up in `registry`. Every node
    /// passes the same checks and inference as one that is built by calls.
    ///
    /// Memory is in proportion to the bytes, whatever they hold.
    ///
    /// # Errors
    /// Bytes that are no such file, or damaged, or of a newer major version; operators that are not
    /// registered; nodes that do not go together. Up to about 20 mistakes are reported.
    pub fn from_bytes(bytes: &[u8], registry: &Registry) -> Result<Graph, Diagnostics> {
        let (flags, payload) = open(bytes)?;
        let mut reader = Reader::new(flags, payload, registry)?;
        reader.read()?;
        let mut graph = reader.graph;
        *graph.context_mut() = Context::default();
        match graph.take_mistakes() {
            mistakes if mistakes.is_empty() => Ok(graph),
            mistakes => Err(Diagnostics(mistakes)),
        }
    }
}

/// An operator of the file, with the attributes that it has there.
struct Known<'a> {
    operator: OperatorRef,
    record: OperatorRecord<'a>,
}

/// The state of a graph in the midst of which a body is being read.
struct Frame {
    graph: Graph,
    bodies: Vec<Arc<Body>>,
    mistakes: usize,
}

struct Reader<'a> {
    flags: u32,
    payload: &'a [u8],
    rest: &'a [u8],
    operators: Vec<Known<'a>>,
    symbols: Vec<&'a str>,
    files: Vec<&'a str>,
    graph: Graph,
    frames: Vec<Frame>,
    /// Closed bodies, for the next node that has some.
    bodies: Vec<Arc<Body>>,
    /// Bytes that bodies may still take for what they copy.
    budget: usize,
}

type Read<T> = Result<T, Diagnostic>;

impl<'a> Reader<'a> {
    fn new(flags: u32, payload: &'a [u8], registry: &Registry) -> Result<Self, Diagnostics> {
        let mut rest = payload;
        let head: Head<'a> = decode(&mut rest).map_err(|error| at(0, error))?;
        let mut graph = Graph::new(head.name);
        graph.set_seed(head.seed);
        let most = |bytes: usize| payload.len() / bytes;
        let (nodes, edges) =
            (limited(head.nodes, most(NODE_BYTES)), limited(head.edges, most(EDGE_BYTES)));
        let (Some(nodes), Some(edges)) = (nodes, edges) else {
            return Err(damaged(format!(
                "the graph file is damaged: it says that it has {} nodes and {} edges, which its {} bytes cannot hold",
                head.nodes,
                head.edges,
                payload.len()
            ))
            .into());
        };
        graph.reserve(nodes, edges);
        let mut operators = Vec::new();
        let mut missing = Vec::new();
        for record in head.operators.0 {
            match find_operator(registry, record.name) {
                Some(_) if operators.len() > registry.iter().count() => {
                    return Err(
                        damaged("the graph file is damaged: it names operators twice").into()
                    );
                }
                Some(operator) => match check_attributes(&operator, &record) {
                    Ok(()) => operators.push(Known { operator, record }),
                    Err(diagnostic) => missing.push(diagnostic),
                },
                None => missing.push(no_operator(registry, record.name)),
            }
            if missing.len() >= MOST_MISTAKES {
                break;
            }
        }
        if !missing.is_empty() {
            return Err(Diagnostics(missing));
        }
        Ok(Self {
            flags,
            payload,
            rest,
            operators,
            symbols: head.symbols.0,
            files: head.files.0,
            graph,
            frames: Vec::new(),
            bodies: Vec::new(),
            budget: symbol_budget(payload.len()),
        })
    }

    /// The offset of the next record in the payload, in bytes.
    fn offset(&self) -> usize {
        self.payload.len() - self.rest.len()
    }

    fn read(&mut self) -> Read<()> {
        loop {
            let offset = self.offset();
            let record: Record<'a> = decode(&mut self.rest).map_err(|error| at(offset, error))?;
            let done = match record {
                Record::Node(node) => self.node(node),
                Record::Body { name } => self.open_body(name),
                Record::EndBody { outputs } => self.close_body(outputs),
                Record::Signature(signature) => self.signature(signature),
                Record::Summary(summary) => self.summary(summary),
                Record::End => return self.end().map_err(|error| at(offset, error)),
            };
            done.map_err(|error| at(offset, error))?;
            if self.graph.error_count() >= MOST_MISTAKES
                || self.graph.diagnostic_bytes() >= MOST_MESSAGE_BYTES
            {
                return Ok(());
            }
        }
    }

    fn end(&self) -> Result<(), String> {
        match (self.frames.is_empty(), self.bodies.is_empty(), self.rest.len()) {
            (false, ..) => Err("a body does not end".to_owned()),
            (_, false, _) => Err("a body without a node after it".to_owned()),
            (.., 0) => Ok(()),
            (.., rest) => Err(format!("{rest} bytes follow the last record")),
        }
    }

    fn node(&mut self, record: NodeRecord<'a>) -> Result<(), String> {
        let known = usize::try_from(record.operator)
            .ok()
            .and_then(|index| self.operators.get(index))
            .ok_or_else(|| {
                format!("node `{}` is of no operator", crate::shorten::word(record.name))
            })?;
        let operator = known.operator.clone();
        let names: SmallVec<[&str; 8]> = known.record.attributes.0.iter().copied().collect();
        if names.len() != record.attributes.0.len() {
            return Err(format!(
                "node `{}` has {} attributes, where its operator has {}",
                crate::shorten::word(record.name),
                record.attributes.0.len(),
                names.len()
            ));
        }
        let operands: Operands = self.nodes(&record.operands.0)?;
        let controls = self.nodes(&record.controls.0)?;
        let role = match record.role {
            RoleRecord::Forward => Role::Forward,
            RoleRecord::Update => Role::Update,
            RoleRecord::Backward { of } => Role::Backward { of: self.existing(of)? },
        };
        let ty = match record.ty {
            TypeRecord::Tensor(tensor) => Type::Tensor(self.tensor(tensor)?),
            TypeRecord::Tuple(items) => Type::Tuple(
                items.0.into_iter().map(|item| self.tensor(item)).collect::<Result<_, _>>()?,
            ),
            TypeRecord::Operation => Type::Operation,
        };
        let values = self.attributes(record.name, record.attributes)?;
        let attributes = complete(&operator, &names, values)?;
        self.graph.context_mut().location = self.location(&record.location);
        let declared = Declared { ty, role, controls };
        self.graph.declare(record.name, operator, &operands, attributes, declared);
        Ok(())
    }

    /// Reads the attributes of a node, in the order of the file's table of operators. Its bodies
    /// are those that wait.
    fn attributes(
        &mut self,
        node: &str,
        records: List<AttributeRecord<'a>, MOST_ATTRIBUTES>,
    ) -> Result<SmallVec<[Option<Attribute>; 8]>, String> {
        let mut values = SmallVec::new();
        let mut bodies = std::mem::take(&mut self.bodies).into_iter();
        for value in records.0 {
            values.push(Some(self.attribute(value, &mut bodies)?));
        }
        if bodies.next().is_some() {
            return Err(format!(
                "node `{}` has more bodies than it takes",
                crate::shorten::word(node)
            ));
        }
        Ok(values)
    }

    fn nodes<N: FromIterator<NodeId>>(&self, places: &[u64]) -> Result<N, String> {
        places.iter().map(|&place| self.existing(place)).collect()
    }

    fn existing(&self, place: u64) -> Result<NodeId, String> {
        match usize::try_from(place) {
            Ok(place) if place < self.graph.len() => Ok(NodeId::new(place)),
            _ => Err(format!(
                "node {} uses node {place}, which does not stand before it",
                self.graph.len()
            )),
        }
    }

    fn location(&self, record: &LocationRecord) -> Location {
        match *record {
            LocationRecord::Unknown => Location::Unknown,
            LocationRecord::Text(line) => Location::Text(line),
            LocationRecord::Source { file, line, column } => usize::try_from(file)
                .ok()
                .and_then(|file| self.files.get(file))
                .and_then(|file| SourcePlace::recorded(file, line, column))
                .map_or(Location::Unknown, Location::Source),
        }
    }

    fn tensor(&mut self, record: TensorRecord) -> Result<TensorType, String> {
        Ok(TensorType { dtype: dtype(record.dtype)?, shape: self.shape(&record.shape.0)? })
    }

    fn shape(&mut self, dims: &[DimRecord]) -> Result<Shape, String> {
        let mut shape = Shape::new();
        for dim in dims {
            shape.push(match *dim {
                DimRecord::Known(size) => Dim::Known(self::size(size)?),
                DimRecord::Symbol(place) => {
                    let name =
                        usize::try_from(place).ok().and_then(|place| self.symbols.get(place));
                    let name = name.ok_or("an unknown dimension that has no name")?;
                    Dim::Symbol(self.graph.symbols_mut().named(name))
                }
            });
        }
        Ok(shape)
    }

    fn attribute(
        &mut self,
        record: AttributeRecord<'a>,
        bodies: &mut impl Iterator<Item = Arc<Body>>,
    ) -> Result<Attribute, String> {
        Ok(match record {
            AttributeRecord::Flag(value) => Attribute::Flag(value),
            AttributeRecord::Integer(value) => Attribute::Integer(value),
            AttributeRecord::Real(value) => Attribute::Real(value),
            AttributeRecord::Text(value) => Attribute::Text(value.into()),
            AttributeRecord::DType(tag) => Attribute::DType(dtype(tag)?),
            AttributeRecord::Shape(dims) => Attribute::Shape(self.shape(&dims.0)?),
            AttributeRecord::Integers(values) => {
                Attribute::Integers(values.0.into_iter().collect())
            }
            AttributeRecord::Array(array) => Attribute::Array(Arc::new(read_array(array)?)),
            AttributeRecord::Initializer(record) => Attribute::Initializer(match record {
                InitializerRecord::Zeros => Initializer::Zeros,
                InitializerRecord::Ones => Initializer::Ones,
                InitializerRecord::Constant(array) => {
                    Initializer::Constant(Arc::new(read_array(array)?))
                }
                InitializerRecord::Normal { mean, stddev } => Initializer::Normal { mean, stddev },
                InitializerRecord::TruncatedNormal { mean, stddev } => {
                    Initializer::TruncatedNormal { mean, stddev }
                }
                InitializerRecord::Uniform { low, high } => Initializer::Uniform { low, high },
            }),
            AttributeRecord::Body => {
                Attribute::Body(bodies.next().ok_or("a node lacks one of its bodies")?)
            }
        })
    }

    fn open_body(&mut self, name: &str) -> Result<(), String> {
        if self.graph.depth() >= MAX_DEPTH {
            return Err(format!("bodies are nested more than {MAX_DEPTH} deep"));
        }
        if self.bodies.len() >= MOST_ATTRIBUTES {
            return Err("more bodies wait for their node than a node can have".to_owned());
        }
        let copied = symbol_cost(self.graph.symbols().len());
        self.budget = self
            .budget
            .checked_sub(copied)
            .ok_or("too many bodies, with too many dimensions of unknown size")?;
        let graph = self.graph.for_body(name);
        let mistakes = self.graph.error_count();
        self.frames.push(Frame {
            graph: std::mem::replace(&mut self.graph, graph),
            bodies: std::mem::take(&mut self.bodies),
            mistakes,
        });
        Ok(())
    }

    fn close_body(&mut self, outputs: List<u64>) -> Result<(), String> {
        if !self.bodies.is_empty() {
            return Err("a body without a node after it".to_owned());
        }
        let outputs: Vec<NodeId> = self.nodes(&outputs.0)?;
        let frame = self.frames.pop().ok_or("a body ends that did not begin")?;
        let mut graph = std::mem::replace(&mut self.graph, frame.graph);
        *graph.context_mut() = Context::default();
        self.bodies = frame.bodies;
        for mistake in graph.take_mistakes() {
            self.graph.report(mistake);
        }
        self.graph.adopt(&graph);
        if self.graph.error_count() == frame.mistakes {
            self.bodies.push(Arc::new(Body::new(graph, outputs)));
            return Ok(());
        }
        // Nothing else would be found: the node that should have this body cannot be made.
        let first = self.graph.check().err().and_then(|mistakes| mistakes.0.into_iter().next());
        Err(first.map_or_else(String::new, |mistake| format!("{mistake:?}")))
    }

    fn summary(&mut self, record: SummaryRecord<'a>) -> Result<(), String> {
        if self.flags & SUMMARIES == 0 {
            return Err("a summary in a file that says it has none".to_owned());
        }
        if !self.frames.is_empty() {
            return Err("a summary in a body".to_owned());
        }
        let kind = match record.kind {
            SummaryKindRecord::Scalar => SummaryKind::Scalar,
            SummaryKindRecord::Histogram => SummaryKind::Histogram,
            SummaryKindRecord::Image => SummaryKind::Image,
        };
        let nodes = self.nodes(&record.nodes.0)?;
        self.graph.context_mut().location = Location::Unknown;
        self.graph.add_summary(kind, record.tag, nodes);
        Ok(())
    }

    fn signature(&mut self, record: SignatureRecord<'a>) -> Result<(), String> {
        if !self.frames.is_empty() {
            return Err("a signature in a body".to_owned());
        }
        let name = record.name;
        if self.graph.find_signature(name).is_ok() {
            return Err(format!("a second signature `{}`", crate::shorten::word(name)));
        }
        self.graph.context_mut().location = Location::Unknown;
        self.graph.begin_signature(name);
        for (port, node) in record.inputs.0 {
            let node = self.existing(node)?;
            self.graph.add_to_signature(name, SignaturePart::Input(port, node));
        }
        for (node, array) in record.feeds.0 {
            let (node, array) = (self.existing(node)?, read_array(array)?);
            self.graph.add_to_signature(name, SignaturePart::Feed(node, array));
        }
        for (port, node) in record.outputs.0 {
            let node = self.existing(node)?;
            self.graph.add_to_signature(name, SignaturePart::Output(port, node));
        }
        for node in record.steps.0 {
            let node = self.existing(node)?;
            self.graph.add_to_signature(name, SignaturePart::Step(node));
        }
        Ok(())
    }
}

/// A mistake in the record that begins at an offset of the payload.
fn at(offset: usize, error: String) -> Diagnostic {
    damaged(format!("the graph file is damaged at byte {offset} of its records: {error}"))
}

/// Puts attributes, which the file has under `names`, into the order of the operator's signature,
/// and adds the defaults of those that the file does not have.
fn complete(
    operator: &OperatorRef,
    names: &[&str],
    mut values: SmallVec<[Option<Attribute>; 8]>,
) -> Result<Attributes, String> {
    let mut attributes = SmallVec::<[Attribute; 8]>::new();
    for spec in operator.signature().attributes {
        let index = names.iter().position(|name| *name == spec.name);
        let value = index.and_then(|index| values.get_mut(index)).and_then(Option::take);
        match (value, spec.default) {
            (Some(value), _) => attributes.push(value),
            (None, Some(default)) => attributes.push(default.into()),
            // The table of operators was checked.
            (None, None) => return Err(format!("attribute `{}` is missing", spec.name)),
        }
    }
    Ok(Attributes::of(attributes))
}

/// A claimed number, if it is at most `most`.
fn limited(claimed: u64, most: usize) -> Option<usize> {
    usize::try_from(claimed).ok().filter(|&claimed| claimed <= most)
}

fn dtype(tag: u8) -> Result<DType, String> {
    DType::ALL
        .get(usize::from(tag))
        .copied()
        .ok_or_else(|| format!("there is no element type {tag}"))
}

fn size(size: u64) -> Result<usize, String> {
    usize::try_from(size).map_err(|_| format!("a dimension of {size} is larger than any memory"))
}

fn read_array(record: ArrayRecord<'_>) -> Result<Array, String> {
    let dtype = dtype(record.dtype)?;
    let dims = record.dims.0.iter().map(|&dim| size(dim)).collect::<Result<Dims, _>>()?;
    let bytes = element_count(&dims).and_then(|count| count.checked_mul(dtype.size()));
    if bytes != Some(record.bytes.len()) {
        return Err(format!("an array of {dtype}{dims:?} that has {} bytes", record.bytes.len()));
    }
    if dtype == DType::Bool && record.bytes.iter().any(|&byte| byte > 1) {
        return Err("a truth value that is neither 0 nor 1".to_owned());
    }
    Ok(Array { dtype, dims, bytes: record.bytes.to_vec() })
}

fn find_operator(registry: &Registry, name: &str) -> Option<OperatorRef> {
    if name == Input.signature().name { Some((&Input).into()) } else { registry.get(name).cloned() }
}

fn no_operator(registry: &Registry, name: &str) -> Diagnostic {
    let diagnostic = damaged(format!("there is no operator `{}`", crate::shorten::word(name)));
    if name.starts_with("closure/") {
        return diagnostic.help(
            "it was made from a closure, whose code no file holds: register an operator of that name with the registry that the file is read with",
        );
    }
    let known = registry.iter().map(|operator| operator.signature().name);
    match crate::nearest(name, known) {
        Some(nearest) => diagnostic.help(format!(
            "`{nearest}` is known: the file may be of a newer version, or need a registry with operators of its own"
        )),
        None => diagnostic.help(
            "the file may be of a newer version, or need a registry with operators of its own",
        ),
    }
}

/// Checks that an operator has the attributes that it has in the file. It may have got others
/// since, which have defaults then.
fn check_attributes(operator: &OperatorRef, record: &OperatorRecord<'_>) -> Result<(), Diagnostic> {
    let specs = operator.signature().attributes;
    let names = &record.attributes.0;
    if let Some(name) = names.iter().find(|name| !specs.iter().any(|spec| spec.name == **name)) {
        return Err(damaged(format!(
            "the operator `{}` has no attribute `{}`",
            record.name,
            crate::shorten::word(name)
        ))
        .help("the file may be of a newer version"));
    }
    match specs.iter().find(|spec| spec.default.is_none() && !names.contains(&spec.name)) {
        None => Ok(()),
        Some(spec) => Err(damaged(format!(
            "the operator `{}` lacks its attribute `{}`",
            record.name, spec.name
        ))),
    }
}
