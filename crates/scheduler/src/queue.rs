//! The parallel run of one frame: dependency counting and a queue without locks.
//!
//! Units that are ready are pushed to `slots`, in which each unit has room once a run, so nothing
//! ever wraps around. `head` points to the unit being handed out. A unit of one claim is taken by
//! moving `head` past it, several cheap ones at once; a unit of many claims stays at the head while
//! its `next` counts them out. Whoever finishes a unit counts down those that wait for it, keeps
//! one that became ready for itself and pushes the others.
//!
//! After a failure every part behind it is passed over while those before it still run, so the
//! failure reported in the end is the one that a single thread would have met first.

use std::ops::Range;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};

use abeyance_launch::Failure;

use crate::frame::{Job, Part, catch, reserve};
use crate::idle::Idle;
use crate::program::Program;
use crate::state::RunError;
use abeyance_launch::OutOfMemory;

/// A slot that is reserved but not yet filled.
const EMPTY: u32 = u32::MAX;
/// The most units claimed at once, and the most nanoseconds of work in them.
const BATCH: usize = 32;
const BATCH_NS: f64 = 2_000.0;
/// A unit of this many nanoseconds, or so many units waiting, is worth waking a thread, which takes
/// 15 microseconds.
const WORTH_WAKING_NS: f64 = 40_000.0;
const WORTH_WAKING_UNITS: usize = 64;

/// What is counted about a unit during a run.
#[derive(Default)]
struct Progress {
    /// The units it still waits for.
    waits: AtomicU32,
    /// The claims handed out.
    next: AtomicU32,
    /// The claims finished.
    done: AtomicU32,
}

/// A value on cache lines of its own (two, since they are fetched in pairs).
#[derive(Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// The counters of one frame, for the largest program so far whose runs are parallel.
#[derive(Default)]
pub(crate) struct Queue {
    units: Vec<Progress>,
    slots: Vec<AtomicU32>,
    head: Apart<AtomicUsize>,
    tail: Apart<AtomicUsize>,
    /// Units that have not finished.
    remaining: Apart<AtomicUsize>,
    /// The first part, in program order, known to have failed; `u64::MAX` for none.
    failed_at: AtomicU64,
    failure: Mutex<Option<(Part, RunError)>>,
}

impl Queue {
    /// Makes room for a program.
    pub fn fit(&mut self, program: &Program) -> Result<(), OutOfMemory> {
        let units = program.units.units.len();
        if units > self.units.len() {
            reserve(&mut self.units, units)?;
            reserve(&mut self.slots, units)?;
            self.units.resize_with(units, Progress::default);
            self.slots.resize_with(units, || AtomicU32::new(EMPTY));
        }
        Ok(())
    }

    /// The bytes it has.
    pub fn bytes(&self) -> usize {
        self.units.capacity() * size_of::<Progress>()
            + self.slots.capacity() * size_of::<AtomicU32>()
    }

    /// Makes the counters ready for a run of `program`, which is not under way.
    pub fn reset(&self, program: &Program) {
        let units = &program.units;
        for (progress, unit) in self.units.iter().zip(&units.units) {
            progress.waits.store(unit.waits, Relaxed);
            progress.next.store(0, Relaxed);
            progress.done.store(0, Relaxed);
        }
        let (roots, rest) = self.slots[..units.units.len()].split_at(units.roots.len());
        for (slot, &root) in roots.iter().zip(&units.roots) {
            slot.store(root, Relaxed);
        }
        for slot in rest {
            slot.store(EMPTY, Relaxed);
        }
        self.head.0.store(0, Relaxed);
        self.tail.0.store(roots.len(), Relaxed);
        self.failed_at.store(u64::MAX, Relaxed);
        self.lock_failure().take();
        // Everything above happens before whatever a thread does that sees the run under way.
        self.remaining.0.store(units.units.len(), SeqCst);
    }

    /// True if every unit has finished.
    pub fn is_done(&self) -> bool {
        self.remaining.0.load(SeqCst) == 0
    }

    /// True if there is something to claim.
    pub fn has_ready(&self) -> bool {
        self.head.0.load(SeqCst) < self.tail.0.load(SeqCst)
    }

    /// The failure of the run that is done, if any.
    pub fn take_failure(&self) -> Option<RunError> {
        self.lock_failure().take().map(|(_, error)| error)
    }

    fn lock_failure(&self) -> MutexGuard<'_, Option<(Part, RunError)>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, part: Part, error: RunError) {
        self.failed_at.fetch_min(order(part), Relaxed);
        let mut failure = self.lock_failure();
        if failure.as_ref().is_none_or(|(first, _)| part < *first) {
            *failure = Some((part, error));
        }
    }

    /// True if a part comes behind a failure. Whoever depends on a part that was passed over sees
    /// this too: the failure was seen before the part was counted as finished, and `failed_at` only
    /// falls.
    fn passes_over(&self, part: Part) -> bool {
        order(part) > self.failed_at.load(Relaxed)
    }
}

fn order(part: Part) -> u64 {
    u64::from(part.task) << 32 | u64::from(part.part)
}

/// What a thread got from the queue.
enum Claim {
    /// The units in these slots, of one claim each.
    Units(Range<usize>),
    /// One of several claims of a unit.
    Piece { unit: u32, claim: u32 },
}

/// The callers that are at work, of whom each keeps a thread of the pool from helping: the last
/// ones stand aside first, so that no more threads work at a time than the pool has.
#[derive(Default)]
pub(crate) struct Callers(Apart<AtomicUsize>);

impl Callers {
    pub fn enter(&self) {
        self.0.0.fetch_add(1, Relaxed);
    }

    pub fn leave(&self) {
        self.0.0.fetch_sub(1, Relaxed);
    }

    /// True if thread number `thread` of `threads` is one too many.
    pub fn crowd_out(&self, thread: usize, threads: usize) -> bool {
        thread > 0 && thread + self.0.0.load(Relaxed) > threads
    }
}

/// One thread at work on one job.
pub(crate) struct Visit<'a> {
    job: Job<'a>,
    idle: &'a Idle,
    callers: &'a Callers,
    threads: usize,
    /// The number of this one.
    thread: usize,
    /// Units finished and not yet taken off `remaining`.
    finished: usize,
}

impl<'a> Visit<'a> {
    /// A visit of thread number `thread` of `threads`, which sleep in `idle` and are shared by
    /// `callers`, to a job whose queue was reset.
    ///
    /// # Safety
    /// The job's frame must be parallel, the number below its threads, and no other thread may
    /// visit the job under it.
    pub unsafe fn new(
        job: Job<'a>,
        idle: &'a Idle,
        callers: &'a Callers,
        threads: usize,
        thread: usize,
    ) -> Self {
        Self { job, idle, callers, threads, thread, finished: 0 }
    }

    /// Works until nothing is ready, or this thread is one too many. Whether there was anything to
    /// do.
    pub fn work(&mut self) -> bool {
        let mut worked = false;
        loop {
            if self.callers.crowd_out(self.thread, self.threads) {
                // What it has pushed and woken nobody for would be left behind if all others sleep.
                if worked && self.job.queue().has_ready() {
                    self.idle.wake();
                }
                break;
            }
            let Some(claim) = self.claim() else { break };
            worked = true;
            match claim {
                Claim::Units(slots) => {
                    let last = slots.end - 1;
                    for slot in slots {
                        let unit = self.job.queue().slots[slot].load(Relaxed);
                        self.run_units(unit, slot == last);
                    }
                }
                Claim::Piece { unit, claim } => self.run_piece(unit, claim),
            }
        }
        self.settle();
        worked
    }

    fn claim(&self) -> Option<Claim> {
        let queue = self.job.queue();
        let units = &self.job.program().units.units;
        loop {
            let head = queue.head.0.load(Acquire);
            let tail = queue.tail.0.load(Acquire);
            if head >= tail {
                return None;
            }
            let unit = queue.slots[head].load(Acquire);
            if unit == EMPTY {
                return None; // its pusher is about to fill it, and looks for work itself after that
            }
            let record = units.get(unit as usize)?;
            if record.claims > 1 {
                let claim = queue.units[unit as usize].next.fetch_add(1, Relaxed);
                if claim + 1 >= record.claims {
                    let _ = queue.head.0.compare_exchange(head, head + 1, AcqRel, Relaxed);
                }
                if claim < record.claims {
                    return Some(Claim::Piece { unit, claim });
                }
                continue;
            }
            // Cheap units are taken several at a time, while enough is left for the others.
            let most = ((tail - head) / (2 * self.threads)).clamp(1, BATCH);
            let (mut end, mut ns) = (head + 1, record.ns);
            while end < head + most && ns < BATCH_NS {
                let next = queue.slots[end].load(Acquire);
                match units.get(next as usize) {
                    Some(next) if next.claims == 1 => ns += next.ns,
                    _ => break,
                }
                end += 1;
            }
            if queue.head.0.compare_exchange_weak(head, end, AcqRel, Relaxed).is_ok() {
                return Some(Claim::Units(head..end));
            }
        }
    }

    /// Runs a unit of one claim and, if `follow`, one after the other those that become ready.
    fn run_units(&mut self, unit: u32, follow: bool) {
        let mut next = Some(unit);
        while let Some(unit) = next {
            let program = self.job.program();
            self.run_tasks(program.units.tasks.get(unit as usize), |task| {
                0..program.tasks[task as usize].parts
            });
            next = self.finish(unit, follow);
        }
    }

    /// Runs some parts of a unit that consists of one task.
    fn run_piece(&mut self, unit: u32, claim: u32) {
        let program = self.job.program();
        let record = program.units.units[unit as usize];
        self.run_tasks(program.units.tasks.get(unit as usize), |task| {
            let start = claim * record.grain;
            let end = start.saturating_add(record.grain);
            start..end.min(program.tasks[task as usize].parts)
        });
        // Acquire and release: whoever finishes the last piece has seen what the other pieces
        // wrote.
        let done = self.job.queue().units[unit as usize].done.fetch_add(1, AcqRel);
        if done + 1 == record.claims
            && let Some(next) = self.finish(unit, true)
        {
            self.run_units(next, true);
        }
    }

    fn run_tasks(&self, tasks: &[u32], parts: impl Fn(u32) -> Range<u32>) {
        let queue = self.job.queue();
        let result = catch(|at| {
            for &task in tasks {
                for part in parts(task) {
                    let part = Part { task, part };
                    if queue.passes_over(part) {
                        return Ok(());
                    }
                    at.set(part);
                    // SAFETY: the unit was handed out once, after the units it waits for had been
                    // counted as finished with release and acquire, and inside a unit tasks run in
                    // their order. The thread has its number to itself, as `new` was promised.
                    unsafe { self.job.run_part(part, self.thread) }?;
                }
            }
            Ok::<(), Failure>(())
        });
        if let Err((part, error)) = result {
            queue.fail(part, error);
        }
    }

    /// Counts a unit as finished. Of those that became ready it returns the first of one claim, if
    /// `follow`, and pushes the others.
    fn finish(&mut self, unit: u32, follow: bool) -> Option<u32> {
        self.finished += 1;
        let queue = self.job.queue();
        let units = &self.job.program().units;
        let mut mine = None;
        for &next in units.dependents.get(unit as usize) {
            // Release what this thread wrote; the last to count down acquires what all of them
            // wrote.
            if queue.units[next as usize].waits.fetch_sub(1, AcqRel) == 1 {
                if follow && mine.is_none() && units.units[next as usize].claims == 1 {
                    mine = Some(next);
                } else {
                    self.push(next);
                }
            }
        }
        mine
    }

    fn push(&self, unit: u32) {
        let queue = self.job.queue();
        // Sequentially consistent for `Idle`: a thread falling asleep sees this, or is seen by
        // whoever wakes.
        let slot = queue.tail.0.fetch_add(1, SeqCst);
        queue.slots[slot].store(unit, Release);
        let waiting = || slot.saturating_sub(queue.head.0.load(Relaxed));
        if self.job.program().units.units[unit as usize].ns >= WORTH_WAKING_NS
            || waiting() >= WORTH_WAKING_UNITS
        {
            self.idle.wake();
        }
    }

    /// Takes the units finished off the count, and wakes the caller, who waits for the end.
    fn settle(&mut self) {
        let finished = std::mem::take(&mut self.finished);
        if finished > 0
            && self.job.queue().remaining.0.fetch_sub(finished, SeqCst) == finished
            && self.thread > 0
        {
            self.idle.wake();
        }
    }
}
