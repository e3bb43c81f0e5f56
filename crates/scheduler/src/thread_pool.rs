//! The threads, and how they join a run and leave it.
//!
//! Helpers live on a rayon pool, each in one job that lasts as long as the pool: handing rayon a
//! job per run would allocate one. Runs are announced in a fixed number of [`Lane`]s instead.

use std::ptr;
use std::sync::atomic::Ordering::{Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rayon::ThreadPoolBuilder;

use crate::frame::Job;
use crate::idle::{Idle, Patience};
use crate::program::Program;
use crate::queue::{Callers, Visit};

/// Runs that helpers can join at one time; further ones go on on their callers' threads.
const LANES: usize = 16;
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
    pool: Option<rayon::ThreadPool>,
    handles: Vec<JoinHandle<()>>,
}

/// What helpers and callers have in common.
#[derive(Default)]
struct Shared {
    lanes: [Lane; LANES],
    idle: Idle,
    callers: Callers,
    stop: AtomicBool,
    started: AtomicUsize,
}

impl ThreadPool {
    /// A pool of `threads` threads, the caller's included; 0 is as many as the machine runs at
    /// once.
    ///
    /// # Errors
    /// [`ThreadPoolError`] where the system refuses a thread.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolError> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, |threads| threads.get()),
            threads => threads.min(MOST_THREADS),
        };
        let shared = Arc::new(Shared::default());
        let mut workers = Self { threads, shared: shared.clone(), pool: None, handles: Vec::new() };
        let helpers = threads - 1;
        if helpers == 0 {
            return Ok(workers);
        }
        // Threads are started here rather than by rayon so that they can be waited for.
        let handles = Mutex::new(Vec::with_capacity(helpers));
        let pool = ThreadPoolBuilder::new()
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
        workers.handles = handles.into_inner().unwrap_or_else(PoisonError::into_inner);
        let pool = pool.map_err(|error| ThreadPoolError { threads, reason: error.to_string() })?;
        // The caller of a run is thread 0 in it.
        pool.spawn_broadcast(move |context| shared.help(threads, context.index() + 1));
        workers.pool = Some(pool);
        // Once every helper is in its loop, no run meets a thread that is still being set up.
        while workers.shared.started.load(SeqCst) < helpers {
            std::thread::yield_now();
        }
        Ok(workers)
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

    /// Counts the calling thread as one of the pool's, for as long as what is returned lives.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.shared.callers.enter();
        Busy(&self.shared.callers)
    }

    /// Runs a job whose queue was reset, on this thread and whichever helpers come. When this
    /// returns, no other thread has the job any more.
    ///
    /// # Safety
    /// The job's frame must be parallel, for as many threads as this pool has at least.
    pub(crate) unsafe fn run(&self, job: Job<'_>) {
        let lane = self.shared.lanes.iter().find_map(|lane| lane.announce(&job));
        if lane.is_some() {
            self.shared.idle.wake();
        }
        let queue = job.queue();
        // SAFETY: the frame is for at least one thread, and helpers have other numbers.
        let mut visit =
            unsafe { Visit::new(job, &self.shared.idle, &self.shared.callers, self.threads, 0) };
        let mut patience = Patience::default();
        while !queue.is_done() {
            if visit.work() {
                patience.reset();
            } else if !patience.wait() {
                self.shared.idle.sleep_unless(|| queue.is_done() || queue.has_ready());
                patience.reset();
            }
        }
        drop(lane);
    }
}

/// A thread that is at work on a program of its own.
pub(crate) struct Busy<'a>(&'a Callers);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.shared.idle.wake();
        drop(self.pool.take());
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
    /// The life of the helper that is thread number `thread` in every run: from lane to lane, then
    /// awake for a while, then asleep.
    fn help(&self, threads: usize, thread: usize) {
        self.started.fetch_add(1, SeqCst);
        let mut patience = Patience::default();
        let mut first = 0;
        while !self.stop.load(SeqCst) {
            let mut worked = false;
            for lane in 0..LANES {
                if let Some(guest) = self.lanes[(first + lane) % LANES].enter() {
                    // SAFETY: `ThreadPool::run` announces only jobs for as many threads as the pool
                    // has, and this thread's number is its own.
                    let mut visit = unsafe {
                        Visit::new(guest.job(), &self.idle, &self.callers, threads, thread)
                    };
                    worked |= visit.work();
                }
            }
            // Whichever run is first in line changes, so that none has all the helpers.
            first = (first + 1) % LANES;
            if worked {
                patience.reset();
            } else if !patience.wait() {
                let ready =
                    |lane: &Lane| lane.enter().is_some_and(|guest| guest.job().queue().has_ready());
                let wanted = || !self.callers.crowd_out(thread, threads);
                self.idle.sleep_unless(|| {
                    self.stop.load(SeqCst) || wanted() && self.lanes.iter().any(ready)
                });
                patience.reset();
            }
        }
    }
}

/// Where one run at a time is announced to helpers.
///
/// A helper counts itself in and then looks for the job; the announcer takes the job away and then
/// looks at the count. All four are sequentially consistent, so either the helper finds no job or
/// the announcer sees it and waits: no helper has a job whose announcement has ended. So is
/// counting out: by the rules of C++11, which Miri follows, a sequentially consistent load may miss
/// the last helper's entry and see what a weaker operation wrote before.
#[derive(Default)]
#[repr(align(128))]
struct Lane {
    /// Null when free, [`closing`] while its announcer waits for guests to leave.
    job: AtomicPtr<Job<'static>>,
    guests: AtomicUsize,
}

/// An address that is no job.
fn closing() -> *mut Job<'static> {
    ptr::without_provenance_mut(align_of::<Job<'static>>())
}

fn is_job(job: *mut Job<'static>) -> bool {
    !job.is_null() && job != closing()
}

impl Lane {
    /// Announces a job if the lane is free, until the announcement is dropped.
    fn announce<'a>(&'a self, job: &'a Job<'a>) -> Option<Announcement<'a>> {
        if !self.job.load(Relaxed).is_null() {
            return None;
        }
        let job = ptr::from_ref(job).cast::<Job<'static>>().cast_mut();
        let taken = self.job.compare_exchange(ptr::null_mut(), job, SeqCst, Relaxed);
        taken.is_ok().then_some(Announcement(self))
    }

    /// Enters the lane if there is a job in it.
    fn enter(&self) -> Option<Guest<'_>> {
        if !is_job(self.job.load(Relaxed)) {
            return None;
        }
        self.guests.fetch_add(1, SeqCst);
        let mut guest = Guest { lane: self, job: self.job.load(SeqCst) };
        if !is_job(guest.job) {
            guest.job = ptr::null_mut();
        }
        (!guest.job.is_null()).then_some(guest)
    }
}

/// A job in a lane. Dropping it waits until every guest has left.
struct Announcement<'a>(&'a Lane);

impl Drop for Announcement<'_> {
    fn drop(&mut self) {
        self.0.job.store(closing(), SeqCst);
        let mut patience = Patience::default();
        while self.0.guests.load(SeqCst) > 0 {
            patience.wait();
        }
        self.0.job.store(ptr::null_mut(), Release);
    }
}

/// A helper in a lane.
struct Guest<'a> {
    lane: &'a Lane,
    job: *mut Job<'static>,
}

impl Guest<'_> {
    fn job(&self) -> Job<'_> {
        // SAFETY: the job was announced when this guest had been counted, so its announcer keeps it
        // until the guest is dropped. The lifetime is cut back to the guest's.
        unsafe { *self.job }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        // What this helper did to the job happens before its announcer goes on.
        self.lane.guests.fetch_sub(1, SeqCst);
    }
}
