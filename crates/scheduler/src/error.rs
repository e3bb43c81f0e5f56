//! The errors of building a program, binding its buffers and running it.

use abeyance_launch::{ALIGNMENT, Failure};

use crate::buffers::BufferKind;
use crate::ids::{BufferId, TaskId};

/// The reason why a list of buffers and tasks is not a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// More buffers or tasks, or more reads or writes of all tasks together, than 32 bits count.
    #[error("a program holds fewer than 2^32 buffers, tasks, reads and writes")]
    TooMany,
    /// An alignment that is not a power of two, or above [`ALIGNMENT`].
    #[error(
        "{buffer} asks for an alignment of {alignment}, which is not a power of two up to {ALIGNMENT}"
    )]
    Alignment {
        /// The buffer.
        buffer: BufferId,
        /// The alignment it asks for, in bytes.
        alignment: usize,
    },
    /// A buffer that the builder was never told of.
    #[error("{0} is not a buffer of this program")]
    NoSuchBuffer(BufferId),
    /// A task after one that does not come before it.
    #[error("{task} is told to run after {after}, which does not come before it")]
    AfterLater {
        /// The task.
        task: TaskId,
        /// The task it was told to follow.
        after: TaskId,
    },
    /// A task that writes a constant or an input.
    #[error("{task} writes {buffer}, which is only to be read")]
    ReadOnly {
        /// The task.
        task: TaskId,
        /// The buffer it writes.
        buffer: BufferId,
    },
    /// A second task that writes a buffer.
    #[error("{task} writes {buffer}, which an earlier task writes already")]
    WrittenTwice {
        /// The second task.
        task: TaskId,
        /// The buffer it writes.
        buffer: BufferId,
    },
    /// A task that fills nothing.
    #[error("{0} fills no buffer")]
    NoWrite(TaskId),
    /// A task that names a buffer twice among those it fills.
    #[error("{task} names {buffer} twice among the buffers it fills")]
    NamedTwice {
        /// The task.
        task: TaskId,
        /// The buffer.
        buffer: BufferId,
    },
    /// A task whose buffers are not cut into the same number of pieces.
    #[error("{task} fills {buffer} in {parts} parts, but {other} in {others}")]
    Parts {
        /// The task.
        task: TaskId,
        /// The first buffer it fills.
        buffer: BufferId,
        /// Its pieces.
        parts: u32,
        /// Another one.
        other: BufferId,
        /// The pieces of that.
        others: u32,
    },
    /// A task that reads what no task before it has written, which includes what it writes itself.
    #[error("{task} reads {buffer}, which no earlier task writes")]
    ReadBeforeWritten {
        /// The task.
        task: TaskId,
        /// The buffer it reads.
        buffer: BufferId,
    },
    /// An output or a kept temporary that no task writes.
    #[error("{0} is asked for, but no task writes it")]
    NeverWritten(BufferId),
    /// A chunk of no bytes, or one so small that 32 bits do not count the parts.
    #[error("{task} cannot be cut into parts of {chunk} bytes")]
    Chunk {
        /// The task.
        task: TaskId,
        /// Its chunk, in bytes.
        chunk: usize,
    },
    /// Temporaries that together outgrow the address space.
    #[error("the temporaries up to {0} do not fit in the address space")]
    TooLarge(BufferId),
}

/// A buffer that cannot be bound or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A buffer that the program does not have.
    #[error("{0} is not a buffer of this program")]
    NoSuchBuffer(BufferId),
    /// Bytes for a buffer that is not bound that way.
    #[error("{buffer} is bound as {asked:?}, but it is {kind:?}")]
    Kind {
        /// The buffer.
        buffer: BufferId,
        /// Its kind.
        kind: BufferKind,
        /// The kind it was bound as.
        asked: BufferKind,
    },
    /// Bytes of the wrong number.
    #[error("{buffer} takes {expected} bytes, but {given} are given")]
    Length {
        /// The buffer.
        buffer: BufferId,
        /// Its length in bytes.
        expected: usize,
        /// The length of what was bound, in bytes.
        given: usize,
    },
    /// Bytes at an address that is not aligned as the buffer asks.
    #[error("{buffer} takes bytes aligned to {alignment}")]
    Alignment {
        /// The buffer.
        buffer: BufferId,
        /// The alignment its address must have, in bytes.
        alignment: usize,
    },
    /// A read of a buffer that is gone at the end of a run.
    #[error("{0} does not outlive the run, since it is not kept")]
    NotKept(BufferId),
    /// A read before the run has succeeded.
    #[error("{0} has no value yet, since the run has not succeeded")]
    NotExecuted(BufferId),
}

/// The reason why a run has no results.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// An input or output was not bound.
    #[error("{0} is not bound")]
    Unbound(BufferId),
    /// More threads than the state has room for.
    #[error("the state was made for {most} threads, not {threads}")]
    Threads {
        /// The threads of the pool.
        threads: usize,
        /// The most threads that the [`State`](crate::State) was made for.
        most: usize,
    },
    /// A recording made for another program.
    #[error("this recording was made for another program")]
    ForeignRecording,
    /// A kernel could not finish.
    #[error("{task}: {failure}")]
    Failed {
        /// The task of the kernel.
        task: TaskId,
        /// The failure that it returned.
        failure: Failure,
    },
    /// A kernel panicked.
    #[error("{task} panicked: {message}")]
    Panicked {
        /// The task of the kernel.
        task: TaskId,
        /// The message of the panic.
        message: String,
    },
}

impl RunError {
    /// The task that failed or panicked.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            RunError::Unbound(_) | RunError::Threads { .. } | RunError::ForeignRecording => None,
            RunError::Failed { task, .. } | RunError::Panicked { task, .. } => Some(*task),
        }
    }
}
