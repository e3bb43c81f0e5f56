//! Graph files made by hand, byte by byte, so that they can say what no graph is saved as. The
//! layout is that of `docs/format.md`, written here once more: a mistake in the crate's own writer
//! cannot hide itself.

use abeyance::ir::{DType, MAGIC};

/// Puts a container around records: mark, version, flags, length, records, checksum.
pub fn container(payload: &[u8]) -> Vec<u8> {
    container_of((1, 0), 0, payload.len() as u64, payload)
}

/// The flag of a file with summaries.
pub const SUMMARIES: u32 = 1;

/// A file of records that need flags.
pub fn with_flags(flags: u32, payload: &[u8]) -> Vec<u8> {
    container_of((1, 2), flags, payload.len() as u64, payload)
}

/// A container with any version, flags and length in its head.
pub fn container_of(version: (u16, u16), flags: u32, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.extend(version.0.to_le_bytes());
    file.extend(version.1.to_le_bytes());
    file.extend(flags.to_le_bytes());
    file.extend(length.to_le_bytes());
    file.extend(payload);
    file.extend(checksum(&file).to_le_bytes());
    file
}

/// Makes the checksum at the end of a graph file agree with its bytes again.
pub fn repair(file: &mut [u8]) {
    if let Some(end) = file.len().checked_sub(4) {
        let sum = checksum(&file[..end]);
        file[end..].copy_from_slice(&sum.to_le_bytes());
    }
}

/// CRC-32C, bit by bit.
pub fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| match sum & 1 {
            1 => sum >> 1 ^ 0x82f6_3b78,
            _ => sum >> 1,
        })
    })
}

/// Bytes of records.
#[derive(Clone, Debug, Default)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A length and as many bytes.
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.u64(bytes.len() as u64).raw(bytes)
    }

    /// A length and items.
    pub fn list<T>(
        self,
        items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        each: impl Fn(Self, T) -> Self,
    ) -> Self {
        let items = items.into_iter();
        let start = self.u64(items.len() as u64);
        items.fold(start, each)
    }
}

/// A dimension.
#[derive(Clone, Copy, Debug)]
pub enum D {
    Known(u64),
    Symbol(u64),
}

/// Dimensions of these sizes.
pub fn sizes(sizes: &[u64]) -> Vec<D> {
    sizes.iter().map(|&size| D::Known(size)).collect()
}

fn shape(out: Bytes, dims: &[D]) -> Bytes {
    out.list(dims, |out, dim| match *dim {
        D::Known(size) => out.u32(0).u64(size),
        D::Symbol(place) => out.u32(1).u64(place),
    })
}

/// The value of an attribute.
#[derive(Clone, Debug)]
pub enum A {
    Flag(u8),
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    DType(u8),
    Shape(Vec<D>),
    Integers(Vec<i64>),
    Array(u8, Vec<u64>, Vec<u8>),
    Zeros,
    Constant(u8, Vec<u64>, Vec<u8>),
    Normal(f64, f64),
    Body,
    /// Whatever it is.
    Raw(Vec<u8>),
}

fn array(out: Bytes, dtype: u8, dims: &[u64], bytes: &[u8]) -> Bytes {
    out.u8(dtype).list(dims, |out, &dim| out.u64(dim)).bytes(bytes)
}

fn attribute(out: Bytes, value: &A) -> Bytes {
    match value {
        A::Flag(value) => out.u32(0).u8(*value),
        A::Integer(value) => out.u32(1).u64(*value as u64),
        A::Real(value) => out.u32(2).u64(value.to_bits()),
        A::Text(value) => out.u32(3).bytes(value),
        A::DType(tag) => out.u32(4).u8(*tag),
        A::Shape(dims) => shape(out.u32(5), dims),
        A::Integers(values) => out.u32(6).list(values, |out, &value| out.u64(value as u64)),
        A::Array(dtype, dims, bytes) => array(out.u32(7), *dtype, dims, bytes),
        A::Zeros => out.u32(8).u32(0),
        A::Constant(dtype, dims, bytes) => array(out.u32(8).u32(2), *dtype, dims, bytes),
        A::Normal(mean, stddev) => out.u32(8).u32(3).u64(mean.to_bits()).u64(stddev.to_bits()),
        A::Body => out.u32(9),
        A::Raw(bytes) => out.raw(bytes),
    }
}

/// The type that a node is said to have.
#[derive(Clone, Debug)]
pub enum T {
    Tensor(u8, Vec<D>),
    Tuple(Vec<(u8, Vec<D>)>),
    Operation,
    /// Whatever it is.
    Raw(Vec<u8>),
}

/// A tensor of `f32`.
pub fn f32(dims: &[u64]) -> T {
    T::Tensor(DType::F32 as u8, sizes(dims))
}

fn tensor(out: Bytes, dtype: u8, dims: &[D]) -> Bytes {
    shape(out.u8(dtype), dims)
}

/// A node.
#[derive(Clone, Debug)]
pub struct N {
    pub name: Vec<u8>,
    pub operator: u32,
    pub operands: Vec<u64>,
    pub controls: Vec<u64>,
    pub attributes: Vec<A>,
    pub ty: T,
    /// The bytes of its role and location.
    pub role: Bytes,
    pub location: Bytes,
}

/// A node of the operator at that place.
pub fn n(name: &str, operator: u32, operands: &[u64], attributes: Vec<A>, ty: T) -> N {
    N {
        name: name.as_bytes().to_vec(),
        operator,
        operands: operands.to_vec(),
        controls: Vec::new(),
        attributes,
        ty,
        role: Bytes::default().u32(0),
        location: Bytes::default().u32(0),
    }
}

/// A file in the making: its head as told, and records.
#[derive(Clone, Debug, Default)]
pub struct Forge {
    pub name: Vec<u8>,
    pub seed: Option<u64>,
    /// `None` for as many as there are.
    pub nodes: Option<u64>,
    pub edges: Option<u64>,
    pub operators: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    pub symbols: Vec<Vec<u8>>,
    pub files: Vec<Vec<u8>>,
    pub records: Bytes,
    /// The nodes and edges outside of bodies so far.
    pub counted: (u64, u64),
    pub depth: usize,
    /// Of the container.
    pub flags: u32,
}

impl Forge {
    /// A graph of nodes of these operators, each with the names of its attributes.
    pub fn new(operators: &[(&str, &[&str])]) -> Self {
        let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self {
            name: b"forged".to_vec(),
            operators: operators
                .iter()
                .map(|(name, attributes)| (name.as_bytes().to_vec(), names(attributes)))
                .collect(),
            ..Self::default()
        }
    }

    pub fn symbols(mut self, names: &[&str]) -> Self {
        self.symbols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    pub fn node(mut self, node: N) -> Self {
        if self.depth == 0 {
            self.counted.0 += 1;
            self.counted.1 += (node.operands.len() + node.controls.len()) as u64;
        }
        let out = self.records.u32(0).bytes(&node.name).u32(node.operator);
        let out = out.list(&node.operands, |out, &id| out.u64(id));
        let out = out.list(&node.controls, |out, &id| out.u64(id));
        let out = out.list(&node.attributes, attribute);
        let out = match &node.ty {
            T::Tensor(dtype, dims) => tensor(out.u32(0), *dtype, dims),
            T::Tuple(items) => {
                out.u32(1).list(items, |out, (dtype, dims)| tensor(out, *dtype, dims))
            }
            T::Operation => out.u32(2),
            T::Raw(bytes) => out.raw(bytes),
        };
        self.records = out.raw(&node.role.0).raw(&node.location.0);
        self
    }

    pub fn body(mut self, name: &str) -> Self {
        self.depth += 1;
        self.records = self.records.u32(1).bytes(name.as_bytes());
        self
    }

    pub fn end_body(mut self, outputs: &[u64]) -> Self {
        self.depth = self.depth.saturating_sub(1);
        self.records = self.records.u32(2).list(outputs, |out, &id| out.u64(id));
        self
    }

    pub fn signature(
        mut self,
        name: &str,
        inputs: &[(&str, u64)],
        feeds: &[(u64, u8, &[u64], &[u8])],
        outputs: &[(&str, u64)],
        steps: &[u64],
    ) -> Self {
        let port = |out: Bytes, &(name, id): &(&str, u64)| out.bytes(name.as_bytes()).u64(id);
        let out = self.records.u32(3).bytes(name.as_bytes()).list(inputs, port);
        let out = out
            .list(feeds, |out, &(id, dtype, dims, bytes)| array(out.u64(id), dtype, dims, bytes));
        self.records = out.list(outputs, port).list(steps, |out, &id| out.u64(id));
        self
    }

    /// A summary, and the flag that says so.
    pub fn summary(mut self, kind: u32, tag: &str, nodes: &[u64]) -> Self {
        self.flags |= SUMMARIES;
        let out = self.records.u32(5).u32(kind).bytes(tag.as_bytes());
        self.records = out.list(nodes, |out, &id| out.u64(id));
        self
    }

    /// Any bytes in the place of a record.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.records = self.records.raw(bytes);
        self
    }

    /// The records without their end.
    pub fn unended(self) -> Vec<u8> {
        let name = |out: Bytes, name: &Vec<u8>| out.bytes(name);
        let head = Bytes::default().bytes(&self.name);
        let head = match self.seed {
            Some(seed) => head.u8(1).u64(seed),
            None => head.u8(0),
        };
        let (nodes, edges) = self.counted;
        head.u64(self.nodes.unwrap_or(nodes))
            .u64(self.edges.unwrap_or(edges))
            .list(&self.operators, |out, (operator, attributes)| {
                out.bytes(operator).list(attributes, name)
            })
            .list(&self.symbols, name)
            .list(&self.files, name)
            .raw(&self.records.0)
            .0
    }

    /// The records.
    pub fn payload(self) -> Vec<u8> {
        Bytes(self.unended()).u32(4).0
    }

    /// The file.
    pub fn file(self) -> Vec<u8> {
        match self.flags {
            0 => container(&self.payload()),
            flags => with_flags(flags, &self.payload()),
        }
    }
}
