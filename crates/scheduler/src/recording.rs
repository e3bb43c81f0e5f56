//! Recordings of a run: the times at which each part started and ended, and its thread.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Instant;

use abeyance_launch::OutOfMemory;

use crate::ids::TaskId;
use crate::part::Part;
use crate::program::Program;

/// One part of a task as it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartTime {
    /// The task.
    pub task: TaskId,
    /// The number of the part in its task, counted from 0.
    pub part: u32,
    /// The thread that ran it: 0 for the caller's, 1 and up for the pool's own.
    pub thread: usize,
    /// The time at which the kernel was called, in nanoseconds since the recording's epoch.
    pub start_ns: u64,
    /// The time at which it returned, in nanoseconds since the recording's epoch.
    pub end_ns: u64,
}

/// Room for the times of every part of one run of a program, filled by
/// [`Run::execute_recorded`](crate::Run::execute_recorded).
///
/// Made by [`Program::recording`], before the run, which allocates nothing. Recording takes two
/// looks at the clock a part, some 50 nanoseconds.
pub struct Recording {
    /// The program it is for.
    pub(crate) program: u64,
    epoch: Instant,
    /// The slot of each task's first part, and the number of slots.
    firsts: Vec<usize>,
    slots: Vec<Slot>,
    run: (u64, u64),
    threads: usize,
}

/// The times of a part. Each is written by the thread that runs the part and read when the run is
/// over, so no order among them is asked for.
struct Slot {
    /// [`NOBODY`] for a part that has not ended.
    thread: AtomicU32,
    start: AtomicU64,
    end: AtomicU64,
}

const NOBODY: u32 = u32::MAX;

impl Program {
    /// Makes room for the times of one run, in nanoseconds since `epoch`.
    ///
    /// # Errors
    /// [`OutOfMemory`] where the system has no room for all parts.
    pub fn recording(&self, epoch: Instant) -> Result<Recording, OutOfMemory> {
        Recording::new(self, epoch)
    }
}

impl Recording {
    fn new(program: &Program, epoch: Instant) -> Result<Self, OutOfMemory> {
        let mut firsts = Vec::new();
        let tasks = program.tasks.len() + 1;
        let refused = OutOfMemory { bytes: tasks.saturating_mul(size_of::<usize>()) };
        firsts.try_reserve_exact(tasks).map_err(|_| refused)?;
        firsts.push(0);
        let mut count = 0usize;
        for task in &program.tasks {
            count = count.saturating_add(task.parts as usize);
            firsts.push(count);
        }
        let mut slots = Vec::new();
        let refused = OutOfMemory { bytes: count.saturating_mul(size_of::<Slot>()) };
        slots.try_reserve_exact(count).map_err(|_| refused)?;
        slots.extend((0..count).map(|_| Slot {
            thread: AtomicU32::new(NOBODY),
            start: AtomicU64::new(0),
            end: AtomicU64::new(0),
        }));
        Ok(Self { program: program.id, epoch, firsts, slots, run: (0, 0), threads: 0 })
    }

    /// Starts a recording and drops what was recorded before.
    pub(crate) fn begin(&mut self, threads: usize) {
        for slot in &mut self.slots {
            *slot.thread.get_mut() = NOBODY;
        }
        let now = self.now();
        (self.run, self.threads) = ((now, now), threads);
    }

    pub(crate) fn end(&mut self) {
        self.run.1 = self.now();
    }

    /// Nanoseconds since the epoch.
    pub(crate) fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Notes that a part that started at `start` ends now.
    pub(crate) fn note(&self, Part { task, part }: Part, thread: usize, start: u64) {
        let slot = &self.slots[self.firsts[task as usize] + part as usize];
        slot.start.store(start, Relaxed);
        slot.end.store(self.now(), Relaxed);
        slot.thread.store(thread as u32, Relaxed);
    }

    /// The parts that ended, whether well or with a failure, task by task. A part that was passed
    /// over after a failure or panicked is not among them.
    pub fn parts(&self) -> impl Iterator<Item = PartTime> {
        let tasks = self.firsts.windows(2).enumerate();
        let slots = tasks.flat_map(|(task, ends)| {
            let slots = self.slots[ends[0]..ends[1]].iter().enumerate();
            slots.map(move |(part, slot)| (TaskId(task as u32), part as u32, slot))
        });
        slots.filter_map(|(task, part, slot)| {
            let thread = slot.thread.load(Relaxed);
            (thread != NOBODY).then(|| PartTime {
                task,
                part,
                thread: thread as usize,
                start_ns: slot.start.load(Relaxed),
                end_ns: slot.end.load(Relaxed),
            })
        })
    }

    /// The time at which the run started, in nanoseconds since the epoch.
    pub fn start_ns(&self) -> u64 {
        self.run.0
    }

    /// The time at which it ended, in nanoseconds since the epoch.
    pub fn end_ns(&self) -> u64 {
        self.run.1
    }

    /// The threads that the run could use: 1 for one that stayed on the caller's thread.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({} parts)", self.slots.len())
    }
}
