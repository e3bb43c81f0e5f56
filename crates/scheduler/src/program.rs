//! The finished program: immutable, checked, laid out.

pub(crate) mod ancestry;
pub(crate) mod arena;
pub(crate) mod builder;
pub(crate) mod estimate;
pub(crate) mod layout;
pub(crate) mod lists;
pub(crate) mod pack;
pub(crate) mod units;

use std::fmt;

use abeyance_launch::{Chunking, Cost, Function};

use crate::buffers::{Buffer, BufferInfo, Write};
use crate::ids::{BufferId, TaskId};
use lists::{ListPool, ListRange, Lists};
use units::Units;

/// A task as a program holds it, for printing.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInfo<'a> {
    /// The buffers it reads, in the order in which the kernel counts its inputs.
    pub reads: &'a [BufferId],
    /// The buffers it fills, in the order in which the kernel counts its outputs.
    pub writes: Vec<Write>,
    /// The number of parts; none where what it fills has no bytes.
    pub parts: u32,
    /// Its work, as its author gave it.
    pub cost: Cost,
    /// The bytes of memory that a thread works in while it runs a part.
    pub workspace: usize,
    /// The tasks that must have finished before it starts: those whose buffers it reads, those it
    /// was told to follow and the last users of the memory it fills, without those that others of
    /// the list imply.
    pub dependencies: &'a [TaskId],
    /// The scheduling unit it belongs to: tasks of one unit run one after the other on one thread.
    pub unit: usize,
}

/// The memory of a program's temporaries, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The arena, for which a [`State`](crate::State) has room while it runs the program.
    pub arena: usize,
    /// The size of the arena without any reuse.
    pub total: usize,
    /// The most that is alive at once when tasks run in their order, which no arena can go below.
    pub lower_bound: usize,
}

/// The time that a program is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Nanoseconds on one thread.
    pub work_ns: f64,
    /// Nanoseconds on any number of threads: the longest way through the program.
    pub critical_ns: f64,
    /// The number of scheduling units.
    pub units: usize,
}

/// A task as it is called.
pub(crate) struct TaskRecord {
    pub run: Function,
    /// The buffers it reads and fills, in the program's `reads` and `writes`.
    pub reads: ListRange,
    pub writes: ListRange,
    pub workspace: usize,
    pub parts: u32,
}

/// Tasks, their order and their memory, ready to run.
///
/// Made by [`ProgramBuilder::build`](crate::ProgramBuilder::build). A program is shared freely
/// between threads; each run at a time needs a [`State`](crate::State) of its own.
pub struct Program {
    /// Tells the program from every other of this process.
    pub(crate) id: u64,
    pub(crate) buffers: Vec<Buffer>,
    /// The buffers to be bound at each run.
    pub(crate) bound: Vec<BufferId>,
    pub(crate) tasks: Vec<TaskRecord>,
    /// The work of each task.
    pub(crate) costs: Vec<Cost>,
    /// The buffers that tasks read.
    pub(crate) reads: ListPool<BufferId>,
    /// The buffers that tasks fill, as rows of the buffer table.
    pub(crate) writes: ListPool<Chunking>,
    pub(crate) dependencies: Lists<TaskId>,
    pub(crate) units: Units,
    pub(crate) memory: Memory,
    /// The largest workspace that a task asks for.
    pub(crate) workspace: usize,
}

impl Program {
    /// The number of buffers.
    pub fn buffers(&self) -> usize {
        self.buffers.len()
    }

    /// The number of tasks.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// A buffer, or `None` for one of another program.
    pub fn buffer(&self, id: BufferId) -> Option<BufferInfo> {
        self.buffers.get(id.index()).map(|buffer| buffer.info)
    }

    /// A task, or `None` for one of another program.
    pub fn task(&self, id: TaskId) -> Option<TaskInfo<'_>> {
        let task = self.tasks.get(id.index())?;
        Some(TaskInfo {
            reads: self.reads.get(task.reads),
            writes: self.writes.get(task.writes).iter().map(|&cut| cut.into()).collect(),
            parts: task.parts,
            cost: self.costs[id.index()],
            workspace: task.workspace,
            dependencies: self.dependencies.get(id.index()),
            unit: self.units.of_task[id.index()] as usize,
        })
    }

    /// The memory of its temporaries.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// The bytes that the program itself takes: constants, tables and loops, but not what loops own
    /// beyond themselves.
    pub fn bytes(&self) -> usize {
        let constants: usize = self.buffers.iter().map(|buffer| buffer.constant.len()).sum();
        let loops: usize = self.tasks.iter().map(|task| size_of_val(&*task.run)).sum();
        size_of::<Self>()
            + constants
            + loops
            + self.buffers.capacity() * size_of::<Buffer>()
            + self.bound.capacity() * size_of::<BufferId>()
            + self.tasks.capacity() * size_of::<TaskRecord>()
            + self.costs.capacity() * size_of::<Cost>()
            + self.reads.bytes()
            + self.writes.bytes()
            + self.dependencies.bytes()
            + self.units.bytes()
    }

    /// The time that it is expected to take.
    pub fn estimate(&self) -> Estimate {
        Estimate {
            work_ns: self.units.work_ns,
            critical_ns: self.units.critical_ns,
            units: self.units.units.len(),
        }
    }

    /// True if a run with `threads` threads stays on the caller's thread, since the work is small
    /// or one chain. A run that would not does so all the same where the other threads sleep and
    /// are not worth waking.
    pub fn runs_inline(&self, threads: usize) -> bool {
        !self.units.sharing(threads).pays()
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("buffers", &self.buffers.len())
            .field("tasks", &self.tasks.len())
            .field("memory", &self.memory)
            .field("estimate", &self.estimate())
            .finish()
    }
}
