//! The threads, and how they join a run and leave it.
//!
//! Helpers live on a rayon pool, each in one job that lasts as long as the pool: handing rayon a
//! job per run would allocate one. Runs are posted in a fixed number of [`JobSlot`]s instead.

use std::ptr;
use std::sync::atomic::Ordering::{Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_utils::CachePadded;

use crate::frame::Job;
use crate::idle::{Backoff, Idle};
use crate::program::Program;
use crate::worker::{ActiveCallers, Worker};

/// Runs that helpers can join at one time; further ones go on on their callers' threads.
const JOB_SLOTS: usize = 16;
/// The most threads a pool has, whatever is asked for.
const MOST_THREADS: usize = 1024;

/// The system refused a thread.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} threads: {reason}")]
pub struct ThreadPoolError {
    threads: usize,
    reason: String,
}

/// A pool of threads that run programs.
///
/// The thread that calls [`Run::execute`](crate::Run::execute) always works along, so a pool of `n`
/// threads has `n - 1` of its own and one of 1 has none. Threads without work stay awake for 200
/// microseconds, to be there for the next step of a loop, and then sleep. Dropping the pool ends
/// its threads and waits for them.
///
/// Several threads may execute at once, those of another rayon pool for instance. They share the
/// helpers, of which one stands aside for each caller beyond the first: no more than `n` threads
/// work at a time, but where there are more callers than that, and each of `n` callers has a thread
/// to itself. A kernel must not wait for rayon's current pool as a whole (`rayon::broadcast`):
/// where it runs on a helper that is this pool, whose threads do nothing else.
pub struct ThreadPool {
    threads: usize,
    shared: Arc<Shared>,
    helpers: Option<rayon::ThreadPool>,
    handles: Vec<JoinHandle<()>>,
}

/// State that helpers and callers have in common.
#[derive(Default)]
struct Shared {
    slots: [CachePadded<JobSlot>; JOB_SLOTS],
    idle: Idle,
    callers: ActiveCallers,
    stop: AtomicBool,
    started: AtomicUsize,
}

impl ThreadPool {
    /// Starts a pool of `threads` threads, the caller's included; 0 is as many as the machine runs
    /// at once.
    ///
    /// # Errors
    /// [`ThreadPoolError`] where the system refuses a thread.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolError> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, |threads| threads.get()),
            threads => threads.min(MOST_THREADS),
        };
        let shared = Arc::new(Shared::default());
        let mut pool = Self { threads, shared: shared.clone(), helpers: None, handles: Vec::new() };
        let helpers = threads - 1;
        if helpers == 0 {
            return Ok(pool);
        }
        // Threads are started here rather than by rayon so that they can be waited for.
        let handles = Mutex::new(Vec::with_capacity(helpers));
        let started = rayon::ThreadPoolBuilder::new()
            .num_threads(helpers)
            .thread_name(|index| format!("abeyance-{}", index + 1))
            .spawn_handler(|thread| {
                let mut builder = std::thread::Builder::new();
                if let Some(name) = thread.name() {
                    builder = builder.name(name.to_owned());
                }
                let handle = builder.spawn(|| thread.run())?;
                handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
                Ok(())
            })
            .build();
        pool.handles = handles.into_inner().unwrap_or_else(PoisonError::into_inner);
        let started =
            started.map_err(|error| ThreadPoolError { threads, reason: error.to_string() })?;
        // The caller of a run is thread 0 in it.
        started.spawn_broadcast(move |context| shared.help(threads, context.index() + 1));
        pool.helpers = Some(started);
        // Once every helper is in its loop, no run meets a thread that is still being set up.
        while pool.shared.started.load(SeqCst) < helpers {
            std::thread::yield_now();
        }
        Ok(pool)
    }

    /// The number of threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// True if a program that is run now is run by more than the caller.
    pub(crate) fn would_share(&self, program: &Program) -> bool {
        let sharing = program.units.sharing(self.threads);
        let asleep = || self.shared.idle.sleepers() + 1 >= self.threads;
        sharing.pays() && (sharing.pays_waking() || !asleep())
    }

    /// Counts the calling thread as one of the pool's, until the guard is dropped.
    pub(crate) fn count_caller(&self) -> ActiveGuard<'_> {
        self.shared.callers.enter();
        ActiveGuard(&self.shared.callers)
    }

    /// Runs a job whose queue was reset, on this thread and whichever helpers come. When this
    /// returns, no other thread has the job any more.
    ///
    /// # Safety
    /// The job's frame must be parallel, for as many threads as this pool has at least.
    pub(crate) unsafe fn run(&self, job: Job<'_>) {
        let posted = self.shared.slots.iter().find_map(|slot| slot.post(&job));
        if posted.is_some() {
            self.shared.idle.wake();
        }
        let queue = job.queue();
        // SAFETY: the frame is for at least one thread, and helpers have other numbers.
        let mut worker =
            unsafe { Worker::new(job, &self.shared.idle, &self.shared.callers, self.threads, 0) };
        let mut backoff = Backoff::default();
        while !queue.is_done() {
            if worker.work() {
                backoff.reset();
            } else if !backoff.wait() {
                self.shared.idle.sleep_unless(|| queue.is_done() || queue.has_ready());
                backoff.reset();
            }
        }
        drop(posted);
    }
}

/// A caller that is at work on a program of its own. Dropping it counts the caller out.
pub(crate) struct ActiveGuard<'a>(&'a ActiveCallers);

impl Drop for ActiveGuard<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.shared.idle.wake();
        drop(self.helpers.take());
        let current = std::thread::current().id();
        for handle in self.handles.drain(..) {
            // A pool dropped by one of its own threads must not wait for itself.
            if handle.thread().id() != current {
                let _ = handle.join();
            }
        }
    }
}

impl std::fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ThreadPool({} threads)", self.threads)
    }
}

impl Shared {
    /// Runs the helper that is thread number `thread` in every run, until the pool is dropped: from
    /// slot to slot, then awake for a while, then asleep.
    fn help(&self, threads: usize, thread: usize) {
        self.started.fetch_add(1, SeqCst);
        let mut backoff = Backoff::default();
        let mut first = 0;
        while !self.stop.load(SeqCst) {
            let mut worked = false;
            for slot in 0..JOB_SLOTS {
                if let Some(guard) = self.slots[(first + slot) % JOB_SLOTS].enter() {
                    // SAFETY: `ThreadPool::run` posts only jobs for as many threads as the pool
                    // has, and this thread's number is its own.
                    let mut worker = unsafe {
                        Worker::new(guard.job(), &self.idle, &self.callers, threads, thread)
                    };
                    worked |= worker.work();
                }
            }
            // Whichever run is first in line changes, so that none has all the helpers.
            first = (first + 1) % JOB_SLOTS;
            if worked {
                backoff.reset();
            } else if !backoff.wait() {
                let has_ready = |slot: &CachePadded<JobSlot>| {
                    slot.enter().is_some_and(|guard| guard.job().queue().has_ready())
                };
                let is_wanted = || !self.callers.over_capacity(thread, threads);
                self.idle.sleep_unless(|| {
                    self.stop.load(SeqCst) || is_wanted() && self.slots.iter().any(has_ready)
                });
                backoff.reset();
            }
        }
    }
}

/// A slot in which one run at a time is posted to helpers.
///
/// A helper counts itself in and then looks for the job; the poster takes the job away and then
/// looks at the count. All four are sequentially consistent, so either the helper finds no job or
/// the poster sees it and waits: no helper has a job that is no longer posted. So is counting out:
/// by the rules of C++11, which Miri follows, a sequentially consistent load may miss the last
/// helper's entry and see what a weaker operation wrote before.
#[derive(Default)]
struct JobSlot {
    /// Null when free, [`closing`] while its poster waits for helpers to leave.
    job: AtomicPtr<Job<'static>>,
    /// The number of [`JobGuard`]s.
    guards: AtomicUsize,
}

/// An address that is no job.
fn closing() -> *mut Job<'static> {
    ptr::without_provenance_mut(align_of::<Job<'static>>())
}

fn is_job(job: *mut Job<'static>) -> bool {
    !job.is_null() && job != closing()
}

impl JobSlot {
    /// Posts a job if the slot is free, until what is returned is dropped.
    fn post<'a>(&'a self, job: &'a Job<'a>) -> Option<Posted<'a>> {
        if !self.job.load(Relaxed).is_null() {
            return None;
        }
        let job = ptr::from_ref(job).cast::<Job<'static>>().cast_mut();
        let taken = self.job.compare_exchange(ptr::null_mut(), job, SeqCst, Relaxed);
        taken.is_ok().then_some(Posted(self))
    }

    /// Enters the slot if there is a job in it.
    fn enter(&self) -> Option<JobGuard<'_>> {
        if !is_job(self.job.load(Relaxed)) {
            return None;
        }
        self.guards.fetch_add(1, SeqCst);
        let mut guard = JobGuard { slot: self, job: self.job.load(SeqCst) };
        if !is_job(guard.job) {
            guard.job = ptr::null_mut();
        }
        (!guard.job.is_null()).then_some(guard)
    }
}

/// A job posted in a slot. Dropping it waits until every helper has left the slot.
struct Posted<'a>(&'a JobSlot);

impl Drop for Posted<'_> {
    fn drop(&mut self) {
        self.0.job.store(closing(), SeqCst);
        let backoff = crossbeam_utils::Backoff::new();
        while self.0.guards.load(SeqCst) > 0 {
            backoff.snooze();
        }
        self.0.job.store(ptr::null_mut(), Release);
    }
}

/// A helper's hold on the job of a slot: the job stays posted until this is dropped.
struct JobGuard<'a> {
    slot: &'a JobSlot,
    job: *mut Job<'static>,
}

impl JobGuard<'_> {
    fn job(&self) -> Job<'_> {
        // SAFETY: the job was posted when this guard had been counted, so its poster keeps it until
        // the guard is dropped. The lifetime is cut back to the guard's.
        unsafe { *self.job }
    }
}

impl Drop for JobGuard<'_> {
    fn drop(&mut self) {
        // What this helper did to the job happens before its poster goes on.
        self.slot.guards.fetch_sub(1, SeqCst);
    }
}
