//! The messages of an event file, as TensorFlow's and TensorBoard's definitions number them; of
//! each what is written or read here. Fields that are left out are skipped when a foreign file is
//! read.
//!
//! Source: `tensorflow/core/util/event.proto`,
//! `core/framework/{summary,tensor,graph,node_def,attr_value,step_stats}.proto`, TensorFlow 2.21.

use std::collections::BTreeMap;

use prost::Message;

/// One record of a file.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// Training steps done.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// The event's content.
    #[prost(oneof = "What", tags = "3, 4, 5, 7, 8, 9")]
    pub what: Option<What>,
}

/// The content of an event.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum What {
    /// The first record of a file: `brain.Event:2`.
    #[prost(string, tag = "3")]
    FileVersion(String),
    /// A [`GraphDef`].
    #[prost(bytes = "vec", tag = "4")]
    GraphDef(Vec<u8>),
    /// Values under tags.
    #[prost(message, tag = "5")]
    Summary(Summary),
    /// A session began or ended.
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
    /// The times of one step.
    #[prost(message, tag = "8")]
    TaggedRunMetadata(TaggedRunMetadata),
    /// A [`MetaGraphDef`], as TensorFlow 1 writes it beside the graph.
    #[prost(bytes = "vec", tag = "9")]
    MetaGraphDef(Vec<u8>),
}

/// A session's begin or end.
#[derive(Clone, PartialEq, Message)]
pub struct SessionLog {
    /// 1 for START, 2 for STOP, 3 for CHECKPOINT.
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// The times of one step, under a name.
#[derive(Clone, PartialEq, Message)]
pub struct TaggedRunMetadata {
    /// The name.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// A [`RunMetadata`].
    #[prost(bytes = "vec", tag = "2")]
    pub run_metadata: Vec<u8>,
}

/// A graph in a larger message.
#[derive(Clone, PartialEq, Message)]
pub struct MetaGraphDef {
    /// The graph.
    #[prost(message, optional, tag = "2")]
    pub graph_def: Option<GraphDef>,
}

/// Values under tags.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

/// A value under a tag.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// The tag.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// The plugin that shows the value. In a file the first value of a tag alone may have it.
    #[prost(message, optional, tag = "9")]
    pub metadata: Option<SummaryMetadata>,
    /// The value.
    #[prost(oneof = "Content", tags = "2, 4, 5, 8")]
    pub content: Option<Content>,
}

/// The content of a value.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Content {
    /// A scalar of the old form.
    #[prost(float, tag = "2")]
    SimpleValue(f32),
    /// An image of the old form.
    #[prost(message, tag = "4")]
    Image(Image),
    /// A histogram of the old form.
    #[prost(message, tag = "5")]
    Histogram(HistogramProto),
    /// Anything else.
    #[prost(message, tag = "8")]
    Tensor(TensorProto),
}

/// The plugin that shows a value, and its data.
#[derive(Clone, PartialEq, Message)]
pub struct SummaryMetadata {
    /// The plugin.
    #[prost(message, optional, tag = "1")]
    pub plugin_data: Option<PluginData>,
    /// 1 for scalars, 2 for tensors, 3 for sequences of blobs.
    #[prost(int32, tag = "4")]
    pub data_class: i32,
}

/// A plugin and what it wants to know.
#[derive(Clone, PartialEq, Message)]
pub struct PluginData {
    /// Its name.
    #[prost(string, tag = "1")]
    pub plugin_name: String,
    /// A message of its own.
    #[prost(bytes = "vec", tag = "2")]
    pub content: Vec<u8>,
}

/// An image of the old form.
#[derive(Clone, PartialEq, Message)]
pub struct Image {
    /// Rows.
    #[prost(int32, tag = "1")]
    pub height: i32,
    /// Columns.
    #[prost(int32, tag = "2")]
    pub width: i32,
    /// 1 for grey, 3 for RGB, 4 for RGBA.
    #[prost(int32, tag = "3")]
    pub colorspace: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = "4")]
    pub encoded: Vec<u8>,
}

/// A histogram of the old form.
#[derive(Clone, PartialEq, Message)]
pub struct HistogramProto {
    /// The least value.
    #[prost(double, tag = "1")]
    pub min: f64,
    /// The greatest value.
    #[prost(double, tag = "2")]
    pub max: f64,
    /// The number of values.
    #[prost(double, tag = "3")]
    pub num: f64,
    /// Their sum.
    #[prost(double, tag = "4")]
    pub sum: f64,
    /// The sum of their squares.
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    /// Right edges.
    #[prost(double, repeated, tag = "6")]
    pub bucket_limit: Vec<f64>,
    /// Counts.
    #[prost(double, repeated, tag = "7")]
    pub bucket: Vec<f64>,
}

/// A tensor. Its elements stand in `tensor_content`, row-major and little-endian, or in the list of
/// its type.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// See [`data_type`].
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    /// Its shape.
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<TensorShapeProto>,
    /// The elements as bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub tensor_content: Vec<u8>,
    /// f32.
    #[prost(float, repeated, tag = "5")]
    pub float_val: Vec<f32>,
    /// f64.
    #[prost(double, repeated, tag = "6")]
    pub double_val: Vec<f64>,
    /// i32 and narrower integers.
    #[prost(int32, repeated, tag = "7")]
    pub int_val: Vec<i32>,
    /// Texts and bytes.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub string_val: Vec<Vec<u8>>,
    /// i64.
    #[prost(int64, repeated, tag = "10")]
    pub int64_val: Vec<i64>,
    /// bool.
    #[prost(bool, repeated, tag = "11")]
    pub bool_val: Vec<bool>,
}

/// Numbers of element types in [`TensorProto::dtype`].
pub mod data_type {
    /// f32.
    pub const FLOAT: i32 = 1;
    /// f64.
    pub const DOUBLE: i32 = 2;
    /// i32.
    pub const INT32: i32 = 3;
    /// u8.
    pub const UINT8: i32 = 4;
    /// Bytes.
    pub const STRING: i32 = 7;
    /// i64.
    pub const INT64: i32 = 9;
    /// bool.
    pub const BOOL: i32 = 10;
    /// u16.
    pub const UINT16: i32 = 17;
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// Its dimensions.
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Dim>,
    /// Not even the rank is known.
    #[prost(bool, tag = "3")]
    pub unknown_rank: bool,
}

/// A dimension.
#[derive(Clone, PartialEq, Message)]
pub struct Dim {
    /// Its size, or -1.
    #[prost(int64, tag = "1")]
    pub size: i64,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// A graph.
#[derive(Clone, PartialEq, Message)]
pub struct GraphDef {
    /// Its nodes.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeDef>,
    /// For whom it was made.
    #[prost(message, optional, tag = "4")]
    pub versions: Option<VersionDef>,
}

/// For whom a graph was made.
#[derive(Clone, PartialEq, Message)]
pub struct VersionDef {
    /// The version of the form.
    #[prost(int32, tag = "1")]
    pub producer: i32,
}

/// A node.
#[derive(Clone, PartialEq, Message)]
pub struct NodeDef {
    /// Its name; `/` separates scopes.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its operator.
    #[prost(string, tag = "2")]
    pub op: String,
    /// Its operands: `name`, `name:1`, or `^name` for a node that runs before.
    #[prost(string, repeated, tag = "3")]
    pub input: Vec<String>,
    /// The device that it runs on.
    #[prost(string, tag = "4")]
    pub device: String,
    /// Its attributes.
    #[prost(btree_map = "string, message", tag = "5")]
    pub attr: BTreeMap<String, AttrValue>,
}

/// An attribute.
#[derive(Clone, PartialEq, Message)]
pub struct AttrValue {
    /// The value.
    #[prost(oneof = "Attr", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    pub value: Option<Attr>,
}

/// The value of an attribute.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Attr {
    /// A list.
    #[prost(message, tag = "1")]
    List(AttrList),
    /// A text.
    #[prost(bytes = "vec", tag = "2")]
    S(Vec<u8>),
    /// An integer.
    #[prost(int64, tag = "3")]
    I(i64),
    /// A number.
    #[prost(float, tag = "4")]
    F(f32),
    /// A truth.
    #[prost(bool, tag = "5")]
    B(bool),
    /// An element type.
    #[prost(int32, tag = "6")]
    Type(i32),
    /// A shape.
    #[prost(message, tag = "7")]
    Shape(TensorShapeProto),
    /// A tensor.
    #[prost(message, tag = "8")]
    Tensor(TensorProto),
}

/// A list of attributes.
#[derive(Clone, PartialEq, Message)]
pub struct AttrList {
    /// Texts.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub s: Vec<Vec<u8>>,
    /// Integers.
    #[prost(int64, repeated, tag = "3")]
    pub i: Vec<i64>,
    /// Shapes.
    #[prost(message, repeated, tag = "7")]
    pub shape: Vec<TensorShapeProto>,
}

/// The times of one step.
#[derive(Clone, PartialEq, Message)]
pub struct RunMetadata {
    /// The times.
    #[prost(message, optional, tag = "1")]
    pub step_stats: Option<StepStats>,
    /// The graphs that ran, of a function that TensorFlow 2 traced.
    #[prost(message, repeated, tag = "4")]
    pub function_graphs: Vec<FunctionGraphs>,
}

/// A function that TensorFlow 2 traced.
#[derive(Clone, PartialEq, Message)]
pub struct FunctionGraphs {
    /// Its graph before anything was made better in it.
    #[prost(message, optional, tag = "2")]
    pub pre_optimization_graph: Option<GraphDef>,
}

/// The times of one step.
#[derive(Clone, PartialEq, Message)]
pub struct StepStats {
    /// By device.
    #[prost(message, repeated, tag = "1")]
    pub dev_stats: Vec<DeviceStepStats>,
}

/// The work of a device in a step.
#[derive(Clone, PartialEq, Message)]
pub struct DeviceStepStats {
    /// Its name.
    #[prost(string, tag = "1")]
    pub device: String,
    /// The nodes that it ran.
    #[prost(message, repeated, tag = "2")]
    pub node_stats: Vec<NodeExecStats>,
    /// The names of its threads.
    #[prost(btree_map = "uint32, string", tag = "3")]
    pub thread_names: BTreeMap<u32, String>,
}

/// When a node ran.
#[derive(Clone, PartialEq, Message)]
pub struct NodeExecStats {
    /// Its name.
    #[prost(string, tag = "1")]
    pub node_name: String,
    /// The begin, microseconds since 1970.
    #[prost(int64, tag = "2")]
    pub all_start_micros: i64,
    /// Begin of the operator after that.
    #[prost(int64, tag = "3")]
    pub op_start_rel_micros: i64,
    /// End of the operator after that.
    #[prost(int64, tag = "4")]
    pub op_end_rel_micros: i64,
    /// The end after that.
    #[prost(int64, tag = "5")]
    pub all_end_rel_micros: i64,
    /// A description of the work, for people: all nodes of a fused task.
    #[prost(string, tag = "8")]
    pub timeline_label: String,
    /// The thread.
    #[prost(uint32, tag = "10")]
    pub thread_id: u32,
    /// The begin, nanoseconds.
    #[prost(int64, tag = "13")]
    pub all_start_nanos: i64,
    /// The end after that, nanoseconds.
    #[prost(int64, tag = "16")]
    pub all_end_rel_nanos: i64,
}
