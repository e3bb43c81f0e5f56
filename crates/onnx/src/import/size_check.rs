//! Counts the messages in a model's bytes before they are decoded.
//!
//! A message of two bytes takes some hundreds when it is decoded, so a file full of empty ones
//! would take that many times its size. A walk over the wire format, which allocates nothing,
//! refuses files that no exporter writes. How deep messages nest is bounded by the decoder.

use prost::encoding::{WireType, decode_key, decode_varint};

use crate::error::ImportError;

/// The memory that decoded messages may take for each byte of the file, in bytes.
const BYTES_PER_FILE_BYTE: usize = 64;
/// The memory that decoded messages may take besides, in bytes.
const BYTES_IN_ANY_CASE: usize = 16 << 20;
/// The memory of a decoded message, about, in bytes.
const MESSAGE_BYTES: usize = 512;

/// Checks that the messages are not too many for the size of the file.
///
/// # Errors
/// The bytes are no messages, or more and smaller ones than a model is made of.
pub(crate) fn check(bytes: &[u8]) -> Result<(), ImportError> {
    let most = bytes.len().saturating_mul(BYTES_PER_FILE_BYTE);
    let most = most.saturating_add(BYTES_IN_ANY_CASE) / MESSAGE_BYTES;
    let mut messages = 0usize;
    // Field numbers that hold messages: of the model its graph; of a graph its nodes, initializers,
    // inputs, outputs and what is known of values; of a node its attributes; of an attribute
    // tensors and graphs. Those within others are walked too.
    let mut pending = vec![(Kind::Model, bytes)];
    while let Some((kind, mut rest)) = pending.pop() {
        while !rest.is_empty() {
            let wrong = |what: &str| ImportError::NotAModel(what.to_owned());
            let (field, wire) = decode_key(&mut rest).map_err(|error| wrong(&error.to_string()))?;
            let skip = match wire {
                WireType::Varint => {
                    decode_varint(&mut rest).map_err(|error| wrong(&error.to_string()))?;
                    0
                }
                WireType::SixtyFourBit => 8,
                WireType::ThirtyTwoBit => 4,
                WireType::LengthDelimited => {
                    let length =
                        decode_varint(&mut rest).map_err(|error| wrong(&error.to_string()))?;
                    usize::try_from(length).map_err(|_| wrong("a length beyond the end"))?
                }
                WireType::StartGroup | WireType::EndGroup => {
                    return Err(wrong("a group, which no message of a model holds"));
                }
            };
            if skip > rest.len() {
                return Err(wrong("it ends before its end"));
            }
            let (inner, after) = rest.split_at(skip);
            rest = after;
            if wire != WireType::LengthDelimited {
                continue;
            }
            if let Some(kind) = kind.field(field) {
                messages += 1;
                if messages > most {
                    return Err(wrong("it consists of more messages than a model of its size can"));
                }
                if kind != Kind::Leaf {
                    pending.push((kind, inner));
                }
            }
        }
    }
    Ok(())
}

/// The messages that others are found in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Function,
    Training,
    /// One whose insides are small beside itself, or not messages.
    Leaf,
}

impl Kind {
    /// The kind of message in a field, if it is one. The numbers are those of `proto/onnx.proto`.
    fn field(self, field: u32) -> Option<Kind> {
        match (self, field) {
            (Kind::Model, 7) => Some(Kind::Graph),
            (Kind::Model, 25) => Some(Kind::Function),
            (Kind::Model, 20) => Some(Kind::Training),
            (Kind::Model, 8 | 14 | 26) => Some(Kind::Leaf),
            (Kind::Training, 1 | 2) => Some(Kind::Graph),
            (Kind::Training, 3 | 4) => Some(Kind::Leaf),
            (Kind::Graph, 1) => Some(Kind::Node),
            (Kind::Graph, 5 | 11 | 12 | 13 | 14 | 15 | 16) => Some(Kind::Leaf),
            (Kind::Function, 7) => Some(Kind::Node),
            (Kind::Function, 9 | 11 | 12 | 14) => Some(Kind::Leaf),
            (Kind::Node, 5) => Some(Kind::Attribute),
            (Kind::Node, 9 | 10) => Some(Kind::Leaf),
            (Kind::Attribute, 6 | 11) => Some(Kind::Graph),
            (Kind::Attribute, 5 | 10 | 14 | 15 | 22 | 23) => Some(Kind::Leaf),
            _ => None,
        }
    }
}
