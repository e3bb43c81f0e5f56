//! Statistics of a version: requests, rows, batches, times.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Latency;

/// Counters of a version since it was loaded, and latencies of the last minute.
#[derive(Debug)]
pub(crate) struct Statistics {
    start: Instant,
    requests: AtomicU64,
    failures: AtomicU64,
    rows: AtomicU64,
    batches: AtomicU64,
    /// In nanoseconds: when the last request ended, and sums over all that succeeded or failed.
    last: AtomicU64,
    success: AtomicU64,
    fail: AtomicU64,
    queue: AtomicU64,
    compute: AtomicU64,
    pub(crate) latency: Latency,
    pub(crate) queued: Latency,
    pub(crate) computed: Latency,
    /// Batches by the number of rows that were asked for, with the nanoseconds they took.
    sizes: Mutex<BTreeMap<usize, (u64, u64)>>,
}

/// Counters as they are now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    pub(crate) rows: u64,
    pub(crate) batches: u64,
    pub(crate) last: Option<Duration>,
    pub(crate) success_ns: u64,
    pub(crate) fail_ns: u64,
    pub(crate) queue_ns: u64,
    pub(crate) compute_ns: u64,
    /// Rows, batches, nanoseconds.
    pub(crate) sizes: Vec<(usize, u64, u64)>,
}

impl Statistics {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            last: AtomicU64::new(0),
            success: AtomicU64::new(0),
            fail: AtomicU64::new(0),
            queue: AtomicU64::new(0),
            compute: AtomicU64::new(0),
            latency: Latency::default(),
            queued: Latency::default(),
            computed: Latency::default(),
            sizes: Mutex::new(BTreeMap::new()),
        }
    }

    /// The time since the counting began.
    pub(crate) fn age(&self) -> Duration {
        self.start.elapsed()
    }

    /// A request that began then has ended.
    pub(crate) fn request(&self, began: Instant, rows: usize, succeeded: bool) {
        let (took, age) = (began.elapsed(), self.age());
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.last.store(nanos(age), Ordering::Relaxed);
        if succeeded {
            self.success.fetch_add(nanos(took), Ordering::Relaxed);
            self.rows.fetch_add(rows as u64, Ordering::Relaxed);
            self.latency.add(took, age);
        } else {
            self.fail.fetch_add(nanos(took), Ordering::Relaxed);
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request waited so long for its batch.
    pub(crate) fn waited(&self, time: Duration) {
        self.queue.fetch_add(nanos(time), Ordering::Relaxed);
        self.queued.add(time, self.age());
    }

    /// A batch of so many rows was computed.
    pub(crate) fn batch(&self, rows: usize, took: Duration) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.compute.fetch_add(nanos(took), Ordering::Relaxed);
        self.computed.add(took, self.age());
        let mut sizes = self.sizes.lock();
        let (count, time) = sizes.entry(rows.min(super::LARGEST_BATCH)).or_default();
        *count += 1;
        *time += nanos(took);
    }

    /// The counters now.
    pub(crate) fn measured(&self) -> Measured {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let requests = load(&self.requests);
        let sizes = self.sizes.lock();
        Measured {
            requests,
            failures: load(&self.failures),
            rows: load(&self.rows),
            batches: load(&self.batches),
            last: (requests > 0).then(|| Duration::from_nanos(load(&self.last))),
            success_ns: load(&self.success),
            fail_ns: load(&self.fail),
            queue_ns: load(&self.queue),
            compute_ns: load(&self.compute),
            sizes: sizes.iter().map(|(&rows, &(count, time))| (rows, count, time)).collect(),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
