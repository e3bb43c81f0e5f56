//! The buffers that tasks read and fill.

use abeyance_launch::{ALIGNMENT, AlignedBytes, Chunking};

use crate::ids::BufferId;

/// A buffer that a task fills, and how it is cut: part `p` of the task fills
/// `[p * chunk, (p + 1) * chunk)`, the last one fewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Write {
    /// A temporary or output that no other task fills.
    pub buffer: BufferId,
    /// The bytes that a part fills. Above zero unless the buffer has no bytes.
    pub chunk: usize,
}

impl From<Write> for Chunking {
    /// The buffer as a row of the buffer table.
    fn from(Write { buffer, chunk }: Write) -> Self {
        Chunking { row: buffer.0, chunk }
    }
}

impl From<Chunking> for Write {
    fn from(Chunking { row, chunk }: Chunking) -> Self {
        Write { buffer: BufferId(row), chunk }
    }
}

/// The origin of a buffer's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferKind {
    /// Owned by the program.
    Constant,
    /// Bound at each run, read only: a feed, a variable's current value.
    Input,
    /// Bound at each run and written by one task: a variable's next value, an array handed in by
    /// the caller.
    Output,
    /// A range of the arena, written by one task.
    Temporary,
}

/// A buffer as a program holds it, for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferInfo {
    /// The origin of its bytes.
    pub kind: BufferKind,
    /// Its length in bytes.
    pub length: usize,
    /// The least alignment of its address, in bytes.
    pub alignment: usize,
    /// Its start in the arena, in bytes; `None` for whatever lives elsewhere or has no bytes.
    pub offset: Option<usize>,
    /// True if it lives to the end of a run and can be read then.
    pub keep: bool,
}

/// A buffer of a program; `info.offset` is set when the arena is laid out.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub info: BufferInfo,
    /// The bytes of a constant, else empty.
    pub constant: AlignedBytes,
}

impl Buffer {
    pub fn new(kind: BufferKind, length: usize, alignment: usize) -> Self {
        let info = BufferInfo {
            kind,
            length,
            alignment,
            offset: None,
            keep: kind != BufferKind::Temporary,
        };
        Self { info, constant: AlignedBytes::default() }
    }

    pub fn constant(bytes: AlignedBytes) -> Self {
        let mut buffer = Self::new(BufferKind::Constant, bytes.len(), ALIGNMENT);
        buffer.constant = bytes;
        buffer
    }
}
