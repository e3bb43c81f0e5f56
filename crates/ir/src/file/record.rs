//! The records, as `docs/format.md` describes them. The order of fields and variants is the form:
//! neither may change within a major version.
//!
//! Numbers have their full width and are little-endian: a reader in another language needs no table
//! of packings, and what a graph takes in memory stays in proportion to its file.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::error::DecodeError;
use serde::{Deserialize, Serialize};

use super::list::List;
use crate::Diagnostic;
use crate::file::container::damaged;

/// The most bytes of a record.
const MOST_BYTES: usize = 1 << 30;

const FORM: Configuration<LittleEndian, Fixint, Limit<MOST_BYTES>> = bincode::config::standard()
    .with_little_endian()
    .with_fixed_int_encoding()
    .with_limit::<MOST_BYTES>();

/// The most dimensions of a shape.
pub(super) const MOST_RANK: usize = crate::graph::MAX_RANK;
/// The most attributes of an operator.
pub(super) const MOST_ATTRIBUTES: usize = 32;
/// The most results of a node.
pub(super) const MOST_ITEMS: usize = 1024;

/// The fewest bytes that a node takes: a name of one letter, an operation, nothing in any list.
pub(super) const NODE_BYTES: usize = 4 + 8 + 1 + 4 + 3 * 8 + 3 * 4;
/// The bytes that a body costs for each unknown dimension of the graph around it, whose table it
/// copies.
const SYMBOL_BYTES: usize = 128;

/// The bytes that the tables of all bodies of a file may take together, in proportion to the file.
pub(super) fn symbol_budget(payload: usize) -> usize {
    payload.saturating_add(32 << 10)
}

/// The bytes that a body takes of [`symbol_budget`].
pub(super) fn symbol_cost(symbols: usize) -> usize {
    symbols.saturating_mul(SYMBOL_BYTES)
}

/// The bytes that an operand or a node to run before takes.
pub(super) const EDGE_BYTES: usize = 8;

/// The first record.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head<'a> {
    /// The graph's name.
    pub(super) name: &'a str,
    /// Its seed.
    pub(super) seed: Option<u64>,
    /// The number of nodes of the program itself.
    pub(super) nodes: u64,
    /// The number of operands and nodes to run before that they have together.
    pub(super) edges: u64,
    /// The operators of nodes.
    #[serde(borrow)]
    pub(super) operators: List<OperatorRecord<'a>>,
    /// The names of unknown dimensions.
    pub(super) symbols: List<&'a str>,
    /// Source files.
    pub(super) files: List<&'a str>,
}

/// An operator by name, and the names of the attributes of its nodes in their order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OperatorRecord<'a> {
    pub(super) name: &'a str,
    #[serde(borrow)]
    pub(super) attributes: List<&'a str, MOST_ATTRIBUTES>,
}

/// The records behind the [`Head`], up to [`Record::End`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Record<'a> {
    /// A node of the innermost graph that is open.
    #[serde(borrow)]
    Node(NodeRecord<'a>),
    /// Opens the graph of a body.
    Body { name: &'a str },
    /// Closes the graph of a body. The next node with bodies takes those closed since the last such
    /// node, in their order.
    EndBody { outputs: List<u64> },
    /// A signature, when all nodes are there.
    Signature(SignatureRecord<'a>),
    /// The end of the records.
    End,
    /// A summary, when all nodes are there; only in files that say so by
    /// [`SUMMARIES`](super::container::SUMMARIES).
    Summary(SummaryRecord<'a>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NodeRecord<'a> {
    pub(super) name: &'a str,
    /// Index in [`Head::operators`].
    pub(super) operator: u32,
    /// Nodes of its graph, by their order.
    pub(super) operands: List<u64>,
    /// Nodes that run before.
    pub(super) controls: List<u64>,
    #[serde(borrow)]
    pub(super) attributes: List<AttributeRecord<'a>, MOST_ATTRIBUTES>,
    pub(super) ty: TypeRecord,
    pub(super) role: RoleRecord,
    pub(super) location: LocationRecord,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum AttributeRecord<'a> {
    Flag(bool),
    Integer(i64),
    Real(f64),
    Text(&'a str),
    DType(u8),
    Shape(List<DimRecord, MOST_RANK>),
    Integers(List<i64>),
    #[serde(borrow)]
    Array(ArrayRecord<'a>),
    Initializer(InitializerRecord<'a>),
    /// The next of the bodies that wait.
    Body,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ArrayRecord<'a> {
    pub(super) dtype: u8,
    pub(super) dims: List<u64, MOST_RANK>,
    /// The elements in row-major order, little-endian.
    pub(super) bytes: &'a [u8],
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum InitializerRecord<'a> {
    Zeros,
    Ones,
    #[serde(borrow)]
    Constant(ArrayRecord<'a>),
    Normal {
        mean: f64,
        stddev: f64,
    },
    TruncatedNormal {
        mean: f64,
        stddev: f64,
    },
    Uniform {
        low: f64,
        high: f64,
    },
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum DimRecord {
    Known(u64),
    /// Index in [`Head::symbols`].
    Symbol(u64),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TensorRecord {
    pub(super) dtype: u8,
    pub(super) shape: List<DimRecord, MOST_RANK>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum TypeRecord {
    Tensor(TensorRecord),
    Tuple(List<TensorRecord, MOST_ITEMS>),
    Operation,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum RoleRecord {
    Forward,
    Backward { of: u64 },
    Update,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum LocationRecord {
    Unknown,
    /// A line of a Rust program; `file` is an index in [`Head::files`].
    Source {
        file: u64,
        line: u32,
        column: u32,
    },
    Text(u32),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SignatureRecord<'a> {
    pub(super) name: &'a str,
    #[serde(borrow)]
    pub(super) inputs: List<(&'a str, u64)>,
    pub(super) feeds: List<(u64, ArrayRecord<'a>)>,
    pub(super) outputs: List<(&'a str, u64)>,
    pub(super) steps: List<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SummaryRecord<'a> {
    pub(super) kind: SummaryKindRecord,
    pub(super) tag: &'a str,
    pub(super) nodes: List<u64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum SummaryKindRecord {
    Scalar,
    Histogram,
    Image,
}

/// Appends a record.
pub(super) fn encode(record: &impl Serialize, out: &mut Vec<u8>) -> Result<(), Diagnostic> {
    bincode::serde::encode_into_std_write(record, out, FORM)
        .map(drop)
        .map_err(|error| damaged(format!("the graph cannot be written: {error}")))
}

/// Takes a record off the front of what is left.
pub(super) fn decode<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, String> {
    let (record, taken) = bincode::serde::borrow_decode_from_slice(rest, FORM).map_err(message)?;
    *rest = rest.get(taken..).unwrap_or_default();
    Ok(record)
}

/// The mistake of a record, in words for a reader who does not know the encoding.
fn message(error: DecodeError) -> String {
    match error {
        DecodeError::UnexpectedEnd { .. } => "it says to be longer than the file".to_owned(),
        DecodeError::LimitExceeded => {
            format!("it says to be longer than the {} MiB there may be", MOST_BYTES >> 20)
        }
        DecodeError::InvalidBooleanValue(value) => {
            format!("a flag of {value}, which is neither 0 nor 1")
        }
        DecodeError::Utf8 { .. } => "a name or text that is not UTF-8".to_owned(),
        DecodeError::OtherString(message) => message,
        other => other.to_string(),
    }
}
