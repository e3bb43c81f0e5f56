//! What tasks read and write.

use std::fmt;

use abeyance_launch::{ALIGNMENT, Chunking};

use abeyance_launch::AlignedBytes;

/// A buffer of one program, counted from 0 in the order in which the builder was told of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct BufferId(pub u32);

impl BufferId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// The same buffers as rows of the buffer table.
    pub(crate) fn rows(ids: &[BufferId]) -> &[u32] {
        // SAFETY: `BufferId` is a transparent wrapper of `u32`, so a slice of one is a slice of the
        // other.
        unsafe { std::slice::from_raw_parts(ids.as_ptr().cast(), ids.len()) }
    }
}

impl fmt::Display for BufferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

/// A buffer that a task fills, and how it is cut: part `p` of the task fills
/// `[p * chunk, (p + 1) * chunk)`, the last one fewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Write {
    /// A temporary or output that no other task fills.
    pub buffer: BufferId,
    /// The bytes that a part fills. Above zero unless the buffer has no bytes.
    pub chunk: usize,
}

impl Write {
    /// The same buffers as rows of the buffer table.
    pub(crate) fn chunkings(writes: &[Write]) -> &[Chunking] {
        const { assert!(size_of::<Write>() == size_of::<Chunking>()) };
        // SAFETY: both are C structs of a `u32`, which `BufferId` transparently is, and a `usize`.
        unsafe { std::slice::from_raw_parts(writes.as_ptr().cast(), writes.len()) }
    }
}

/// Where a buffer's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferKind {
    /// Owned by the program.
    Constant,
    /// Bound at each run, read only: a feed, a variable's current value.
    Input,
    /// Bound at each run and written by one task: a variable's next value, an array handed in by
    /// the caller.
    Output,
    /// A piece of the arena, written by one task.
    Temporary,
}

/// A buffer as a program holds it, for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferInfo {
    /// Where its bytes come from.
    pub kind: BufferKind,
    /// Its length in bytes.
    pub length: usize,
    /// What its address is a multiple of, at least.
    pub alignment: usize,
    /// Where it starts in the arena, in bytes; `None` for whatever lives elsewhere or has no bytes.
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
