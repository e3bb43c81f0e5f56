//! The untyped graph underneath: nodes and edges on `petgraph`, element types, shapes with symbolic
//! dimensions, the operator trait, locations in the user's source, diagnostics, and the text and
//! file forms.
//!
//! A graph is append-only: a node's operands are older than itself, so the order of ids is always a
//! topological order. A node has one value, several (a tuple, of which `item` nodes take one each),
//! or, for an operation, none. A branch or the body of a loop is a graph of its own, held by an
//! attribute ([`Body`]). This crate must not know any particular operator, nor how a graph is run.

mod attribute;
mod body;
mod call;
mod declare;
mod derivation;
mod diagnostic;
mod dot;
mod dtype;
mod file;
mod graph;
mod inference;
mod input;
mod loop_memory;
mod operator;
mod packing;
mod sample;
mod shape;
mod shorten;
mod signature;
mod split;
mod splits;
mod suggest;
mod summary;
mod symbols;
mod text;
mod warning;

/// The calling convention of kernels, for operators of one's own.
pub use abeyance_launch as launch;
pub use abeyance_launch::Layout;
pub use attribute::{
    Array, Attribute, AttributeKind, AttributeReader, AttributeSet, AttributeSpec, AttributeValue,
    Attributes, DefaultAttribute, Initializer, Integers,
};
#[doc(hidden)]
pub use attribute::{concat_specs, field_name};
pub use body::{Body, BodyCompiler, RunBody};
pub use call::Call;
pub use derivation::{Derivation, Differentiate, GraphCell, Seed};
pub use diagnostic::{Diagnostic, Diagnostics, Fault, Location, Note, SourcePlace};
pub use dtype::{DType, DTypes};
pub use file::{MAGIC, VERSION};
pub use graph::{Context, Edge, Graph, GraphId, MAX_DEPTH, Node, NodeId, Operands, Role};
pub use inference::{Bindings, Inference, resolve_axis};
pub use input::Input;
pub use loop_memory::{DoubleBuffer, GrowableBuffer, LoopMemory, LoopMemoryPool};
pub use operator::{
    Concrete, Cotangents, Differentiability, Effect, Fusibility, LayoutRule, Lowered, Lowering,
    OperandSpec, Operator, OperatorRef, Registry, Signature, TensorType, Type,
};
pub use packing::{ItemAttributes, Packing};
pub use sample::{Domain, Sample, SampleOperand};
pub use shape::{Dim, Dims, Shape, SymbolId, element_count, known_dims};
pub use signature::{GraphSignature, SignaturePart};
pub use split::{Extent, Rows, Split, Splitting};
pub use splits::Splits;
pub use suggest::{near, nearest};
pub use summary::{Summary, SummaryKind};
pub use symbols::{Naming, Origin, Symbols};
pub use warning::Warning;
