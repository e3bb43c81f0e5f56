//! A thread at work on the run of one frame: it claims units from the queue, runs them, and counts
//! down those that wait for them.

use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

use abeyance_launch::Failure;
use crossbeam_utils::CachePadded;

use crate::frame::Job;
use crate::idle::Idle;
use crate::part::{Part, catch};
use crate::queue::EMPTY;

/// The most units claimed at once, and the most nanoseconds of work in them.
const BATCH: usize = 32;
const BATCH_NS: f64 = 2_000.0;
/// A unit of this many nanoseconds, or so many units waiting, is worth waking a thread, which takes
/// 15 microseconds.
const WORTH_WAKING_NS: f64 = 40_000.0;
const WORTH_WAKING_UNITS: usize = 64;

/// A thread's share, as it gets it from the queue.
enum Claim {
    /// The units in these slots, of one claim each.
    Units(Range<usize>),
    /// One of several claims of a unit.
    Parts { unit: u32, claim: u32 },
}

/// The callers that are at work, of whom each keeps a thread of the pool from helping: the last
/// ones stand aside first, so that no more threads work at a time than the pool has.
#[derive(Default)]
pub(crate) struct ActiveCallers(CachePadded<AtomicUsize>);

impl ActiveCallers {
    /// Counts a caller in.
    pub fn enter(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Counts a caller out.
    pub fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// True if thread number `thread` of `threads` is one too many.
    pub fn over_capacity(&self, thread: usize, threads: usize) -> bool {
        thread > 0 && thread + self.0.load(Relaxed) > threads
    }
}

/// One thread at work on one job.
pub(crate) struct Worker<'a> {
    job: Job<'a>,
    idle: &'a Idle,
    callers: &'a ActiveCallers,
    threads: usize,
    /// The number of this one.
    thread: usize,
    /// Units finished and not yet taken off `remaining`.
    finished: usize,
}

impl<'a> Worker<'a> {
    /// A worker on a job whose queue was reset: thread number `thread` of `threads`, which sleep in
    /// `idle` and are shared by `callers`.
    ///
    /// # Safety
    /// The job's frame must be parallel, the number below its threads, and no other worker may be
    /// on the job under it.
    pub unsafe fn new(
        job: Job<'a>,
        idle: &'a Idle,
        callers: &'a ActiveCallers,
        threads: usize,
        thread: usize,
    ) -> Self {
        Self { job, idle, callers, threads, thread, finished: 0 }
    }

    /// Works until nothing is ready, or this thread is one too many. Returns true if there was
    /// anything to do.
    pub fn work(&mut self) -> bool {
        let mut worked = false;
        loop {
            if self.callers.over_capacity(self.thread, self.threads) {
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
                Claim::Parts { unit, claim } => self.run_parts(unit, claim),
            }
        }
        self.settle();
        worked
    }

    fn claim(&self) -> Option<Claim> {
        let queue = self.job.queue();
        let units = &self.job.program().units.units;
        loop {
            let head = queue.head.load(Acquire);
            let tail = queue.tail.load(Acquire);
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
                    let _ = queue.head.compare_exchange(head, head + 1, AcqRel, Relaxed);
                }
                if claim < record.claims {
                    return Some(Claim::Parts { unit, claim });
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
            if queue.head.compare_exchange_weak(head, end, AcqRel, Relaxed).is_ok() {
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
    fn run_parts(&mut self, unit: u32, claim: u32) {
        let program = self.job.program();
        let record = program.units.units[unit as usize];
        self.run_tasks(program.units.tasks.get(unit as usize), |task| {
            let start = claim * record.grain;
            let end = start.saturating_add(record.grain);
            start..end.min(program.tasks[task as usize].parts)
        });
        // Acquire and release: whoever finishes the last claim has seen what those of the others
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
        let slot = queue.tail.fetch_add(1, SeqCst);
        queue.slots[slot].store(unit, Release);
        let waiting = || slot.saturating_sub(queue.head.load(Relaxed));
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
            && self.job.queue().remaining.fetch_sub(finished, SeqCst) == finished
            && self.thread > 0
        {
            self.idle.wake();
        }
    }
}
