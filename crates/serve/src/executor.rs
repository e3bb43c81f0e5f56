//! Threads that compute, and the queues of requests that wait for them.
//!
//! Nothing here is async. A request waits in the queue of its [`BatchKey`] until a thread is free,
//! which takes along what waits in the same queue. The answer goes back through a channel.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use abeyance_session::Value;
use parking_lot::{Condvar, Mutex, MutexGuard};
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::model::{Outcome, Version, compute, rows};
use crate::request_error::{ErrorKind, RequestError};

/// The limits of batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batching {
    /// The most rows of one run.
    pub(crate) most: usize,
    /// The time that a request may wait for others.
    pub(crate) delay: Duration,
    /// The most requests that wait.
    pub(crate) queue: usize,
}

/// A request on its way to a thread.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) version: Arc<Version>,
    pub(crate) signature: usize,
    /// In the order of the signature's inputs.
    pub(crate) inputs: Vec<Value>,
    pub(crate) deadline: Option<Instant>,
}

/// Receives the outputs of a job, in the order of the signature's, or the reason why there are
/// none.
pub(crate) type Receiver = oneshot::Receiver<Outcome>;

#[derive(Debug)]
struct QueuedRequest {
    job: Job,
    since: Instant,
    rows: usize,
    answer: oneshot::Sender<Outcome>,
}

impl QueuedRequest {
    /// True if nobody wants its answer any more.
    fn is_abandoned(&self, now: Instant) -> bool {
        self.answer.is_closed() || self.job.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// The key of requests that can be run together: those of one version and signature, whose sizes
/// are the same but for the rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct BatchKey {
    version: u64,
    signature: usize,
    /// The sizes of all inputs, each behind its rank.
    sizes: SmallVec<[usize; 12]>,
}

impl BatchKey {
    fn of(job: &Job) -> Self {
        let batches = batches(job);
        let mut sizes = SmallVec::new();
        for value in &job.inputs {
            let shape = value.shape();
            sizes.push(shape.len());
            sizes.extend_from_slice(shape.get(usize::from(batches)..).unwrap_or_default());
        }
        Self { version: job.version.id, signature: job.signature, sizes }
    }
}

fn batches(job: &Job) -> bool {
    job.version.signatures.get(job.signature).is_some_and(|signature| signature.can_batch())
}

#[derive(Debug, Default)]
struct State {
    queues: HashMap<BatchKey, VecDeque<QueuedRequest>>,
    /// The keys of queues that are not empty, each once, in the order of their turns.
    turns: VecDeque<BatchKey>,
    waiting: usize,
    running: usize,
    /// True if a thread spins, waiting for requests, instead of sleeping.
    is_spinning: bool,
    stopping: bool,
}

impl State {
    /// Frees the places of requests that nobody waits for any more.
    fn drop_abandoned(&mut self, now: Instant) {
        let mut left = 0;
        for queue in self.queues.values_mut() {
            queue.retain(|entry| !entry.is_abandoned(now));
            left += queue.len();
        }
        self.waiting = left;
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// Requests that have come so far.
    arrivals: AtomicUsize,
    batching: Batching,
}

/// The time that a thread with nothing to do spins before it sleeps (backoff). To wake a thread
/// takes longer than many a model: who waits for one answer before asking again finds it awake.
/// Threads with something to do go first meanwhile.
const SPIN: Duration = Duration::from_micros(200);

/// The threads.
#[derive(Debug)]
pub(crate) struct Executor {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Executor {
    /// Starts so many threads.
    pub(crate) fn start(threads: usize, batching: Batching) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
            arrivals: AtomicUsize::new(0),
            batching,
        });
        let mut executor = Self { shared, threads: Vec::new() };
        for number in 0..threads.max(1) {
            let shared = executor.shared.clone();
            let name = format!("compute-{number}");
            let thread = std::thread::Builder::new().name(name).spawn(move || work(&shared))?;
            executor.threads.push(thread);
        }
        Ok(executor)
    }

    /// The number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// The limits of batches.
    pub(crate) fn batching(&self) -> Batching {
        self.shared.batching
    }

    /// The number of requests that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.lock().waiting
    }

    /// Gives a request to the threads.
    ///
    /// # Errors
    /// As many wait as may.
    pub(crate) fn submit(&self, job: Job) -> Result<Receiver, RequestError> {
        let key = BatchKey::of(&job);
        let rows = if batches(&job) { rows(&job.inputs) } else { 1 };
        let (answer, receiver) = oneshot::channel();
        let waiting = QueuedRequest { job, since: Instant::now(), rows, answer };
        let mut state = self.shared.lock();
        if state.stopping {
            return Err(RequestError::new(ErrorKind::Unavailable, "the server is stopping"));
        }
        if state.waiting >= self.shared.batching.queue {
            state.drop_abandoned(waiting.since);
        }
        if state.waiting >= self.shared.batching.queue {
            return Err(RequestError::new(
                ErrorKind::Busy,
                format!("{} requests wait already, as many as may: try again", state.waiting),
            ));
        }
        state.waiting += 1;
        match state.queues.get_mut(&key) {
            Some(queue) => queue.push_back(waiting),
            None => {
                state.turns.push_back(key.clone());
                state.queues.insert(key, VecDeque::from([waiting]));
            }
        }
        self.shared.arrivals.fetch_add(1, Ordering::Release);
        // A thread that spins looks once more, under the lock, before it sleeps.
        let is_spinning = state.is_spinning;
        drop(state);
        if !is_spinning {
            self.shared.wake.notify_one();
        }
        Ok(receiver)
    }

    /// True if nothing waits or runs.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.shared.lock();
        state.waiting == 0 && state.running == 0
    }
}

impl Drop for Executor {
    /// Computes the requests that still wait, then ends the threads.
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // It catches panics of what it runs.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The next batch; `None` at the end.
    fn next(&self) -> Option<Vec<QueuedRequest>> {
        let mut state = self.lock();
        let mut has_spun = false;
        loop {
            let now = Instant::now();
            let mut next_due: Option<Instant> = None;
            for _ in 0..state.turns.len() {
                let Some(key) = state.turns.pop_front() else { break };
                match self.take(&mut state, &key, now) {
                    Ok(batch) if batch.is_empty() => {}
                    Ok(batch) => {
                        state.running += batch.len();
                        let more = !state.turns.is_empty();
                        drop(state);
                        if more {
                            self.wake.notify_one();
                        }
                        return Some(batch);
                    }
                    Err(due) => {
                        next_due = Some(next_due.map_or(due, |other| other.min(due)));
                        state.turns.push_back(key);
                    }
                }
            }
            if state.stopping && state.waiting == 0 {
                return None;
            }
            if next_due.is_none() && !has_spun && !state.is_spinning {
                has_spun = true;
                state.is_spinning = true;
                let arrivals = self.arrivals.load(Ordering::Acquire);
                drop(state);
                while self.arrivals.load(Ordering::Acquire) == arrivals && now.elapsed() < SPIN {
                    std::thread::yield_now();
                }
                state = self.lock();
                state.is_spinning = false;
                continue;
            }
            match next_due {
                None => self.wake.wait(&mut state),
                Some(due) => {
                    self.wake.wait_for(&mut state, due.saturating_duration_since(now));
                }
            }
        }
    }

    /// Takes what runs together from a queue, whose turn it is; or says when it will be due. A
    /// queue in which something is left has another turn.
    fn take(
        &self,
        state: &mut State,
        key: &BatchKey,
        now: Instant,
    ) -> Result<Vec<QueuedRequest>, Instant> {
        let State { queues, turns, waiting, stopping, .. } = state;
        let Some(queue) = queues.get_mut(key) else { return Ok(Vec::new()) };
        let before = queue.len();
        // A client that went away frees its place also while others wait for company.
        queue.retain(|entry| !entry.is_abandoned(now));
        *waiting -= before - queue.len();
        let most = self.batching.most;
        if let Some(oldest) = queue.front()
            && !*stopping
            && batches(&oldest.job)
        {
            let due = oldest.since + self.batching.delay;
            let soonest = queue.iter().filter_map(|entry| entry.job.deadline).min();
            let due = soonest.map_or(due, |soonest| due.min(soonest));
            let rows: usize = queue.iter().map(|entry| entry.rows).sum();
            if due > now && rows < most {
                return Err(due);
            }
        }
        let mut batch: Vec<QueuedRequest> = Vec::new();
        let mut rows = 0;
        while let Some(entry) = queue.front() {
            let alone = !batches(&entry.job);
            if !batch.is_empty() && (alone || rows + entry.rows > most) {
                break;
            }
            rows += entry.rows;
            batch.extend(queue.pop_front());
        }
        *waiting -= batch.len();
        if queue.is_empty() {
            drop(queues.remove(key))
        } else {
            turns.push_back(key.clone())
        }
        Ok(batch)
    }
}

fn work(shared: &Shared) {
    while let Some(batch) = shared.next() {
        let count = batch.len();
        run(batch, shared.batching.most);
        shared.lock().running -= count;
    }
}

fn run(batch: Vec<QueuedRequest>, most: usize) {
    let Some(first) = batch.first() else { return };
    let (version, signature) = (first.job.version.clone(), first.job.signature);
    let began = Instant::now();
    for entry in &batch {
        version.statistics.waited(began - entry.since);
    }
    let inputs: SmallVec<[&[Value]; 16]> =
        batch.iter().map(|entry| entry.job.inputs.as_slice()).collect();
    let outcomes = compute(&version, signature, &inputs, most);
    drop(inputs);
    let rows = batch.iter().map(|entry| entry.rows).sum();
    version.statistics.batch(rows, began.elapsed());
    for (entry, outcome) in batch.into_iter().zip(outcomes) {
        // Whoever asked may have gone away.
        let _ = entry.answer.send(outcome);
    }
}
