//! Threads that compute, and what waits for them. Nothing here is async: a request waits in a lane
//! until a thread is free, which takes along what waits in the same lane; the answer goes back
//! through a channel.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use abeyance_session::Value;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::model::{Outcome, Version, compute, rows};
use crate::refusal::{Kind, Refusal};

/// How requests are put together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batching {
    /// The most rows of one run.
    pub(crate) most: usize,
    /// How long a request may wait for others.
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
struct Waiting {
    job: Job,
    since: Instant,
    rows: usize,
    answer: oneshot::Sender<Outcome>,
}

impl Waiting {
    /// True if nobody wants its answer any more.
    fn is_void(&self, now: Instant) -> bool {
        self.answer.is_closed() || self.job.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// Which requests can be run together: those of one version and signature, whose sizes are the same
/// but for the rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lane {
    version: u64,
    signature: usize,
    /// The sizes of all inputs, each behind its rank.
    sizes: SmallVec<[usize; 12]>,
}

impl Lane {
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
    job.version.signatures.get(job.signature).is_some_and(|signature| signature.batches())
}

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<Lane, VecDeque<Waiting>>,
    /// Lanes in which something waits, each once, in the order of their turns.
    turns: VecDeque<Lane>,
    waiting: usize,
    running: usize,
    /// True if a thread watches for what comes instead of sleeping.
    watching: bool,
    stopping: bool,
}

impl State {
    /// Frees the places of requests that nobody waits for any more.
    fn forget(&mut self, now: Instant) {
        let mut left = 0;
        for queue in self.lanes.values_mut() {
            queue.retain(|entry| !entry.is_void(now));
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
    come: AtomicUsize,
    batching: Batching,
}

/// How long a thread that has nothing to do watches for more before it sleeps. To wake a thread
/// takes longer than many a model; who waits for one answer before asking again finds it awake.
/// Threads with something to do go first meanwhile.
const WATCH: Duration = Duration::from_micros(200);

/// The threads.
#[derive(Debug)]
pub(crate) struct Executor {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Executor {
    /// So many threads.
    pub(crate) fn start(threads: usize, batching: Batching) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
            come: AtomicUsize::new(0),
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

    /// How many threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// How requests are put together.
    pub(crate) fn batching(&self) -> Batching {
        self.shared.batching
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.lock().waiting
    }

    /// Gives a request to the threads.
    ///
    /// # Errors
    /// As many wait as may.
    pub(crate) fn submit(&self, job: Job) -> Result<Receiver, Refusal> {
        let lane = Lane::of(&job);
        let rows = if batches(&job) { rows(&job.inputs) } else { 1 };
        let (answer, receiver) = oneshot::channel();
        let waiting = Waiting { job, since: Instant::now(), rows, answer };
        let mut state = self.shared.lock();
        if state.stopping {
            return Err(Refusal::new(Kind::Unready, "the server is stopping"));
        }
        if state.waiting >= self.shared.batching.queue {
            state.forget(waiting.since);
        }
        if state.waiting >= self.shared.batching.queue {
            return Err(Refusal::new(
                Kind::Busy,
                format!("{} requests wait already, as many as may: try again", state.waiting),
            ));
        }
        state.waiting += 1;
        match state.lanes.get_mut(&lane) {
            Some(queue) => queue.push_back(waiting),
            None => {
                state.turns.push_back(lane.clone());
                state.lanes.insert(lane, VecDeque::from([waiting]));
            }
        }
        self.shared.come.fetch_add(1, Ordering::Release);
        // Whoever watches looks once more, under the lock, before it sleeps.
        let is_watched = state.watching;
        drop(state);
        if !is_watched {
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch; `None` at the end.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut state = self.lock();
        let mut watched = false;
        loop {
            let now = Instant::now();
            let mut next_due: Option<Instant> = None;
            for _ in 0..state.turns.len() {
                let Some(lane) = state.turns.pop_front() else { break };
                match self.take(&mut state, &lane, now) {
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
                        state.turns.push_back(lane);
                    }
                }
            }
            if state.stopping && state.waiting == 0 {
                return None;
            }
            if next_due.is_none() && !watched && !state.watching {
                watched = true;
                state.watching = true;
                let come = self.come.load(Ordering::Acquire);
                drop(state);
                while self.come.load(Ordering::Acquire) == come && now.elapsed() < WATCH {
                    std::thread::yield_now();
                }
                state = self.lock();
                state.watching = false;
                continue;
            }
            state = match next_due {
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let wait = due.saturating_duration_since(now);
                    let woken = self.wake.wait_timeout(state, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Takes what runs together from a lane, whose turn it is; or says when it will be due. A lane
    /// in which something is left has another turn.
    fn take(&self, state: &mut State, lane: &Lane, now: Instant) -> Result<Vec<Waiting>, Instant> {
        let State { lanes, turns, waiting, stopping, .. } = state;
        let Some(queue) = lanes.get_mut(lane) else { return Ok(Vec::new()) };
        let before = queue.len();
        // A client that went away frees its place also while others wait for company.
        queue.retain(|entry| !entry.is_void(now));
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
        let mut batch: Vec<Waiting> = Vec::new();
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
            drop(lanes.remove(lane))
        } else {
            turns.push_back(lane.clone())
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

fn run(batch: Vec<Waiting>, most: usize) {
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
