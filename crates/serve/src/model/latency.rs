//! Quantiles of the durations of the last minute.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Buckets for each power of two: quantiles are right within 6 %.
const BUCKETS_PER_OCTAVE: usize = 8;
/// The number of buckets, from a microsecond to an hour.
const BUCKETS: usize = 33 * BUCKETS_PER_OCTAVE;
/// Slices of time that are kept, of [`SLICE_SECONDS`] seconds each.
const SLICES: usize = 7;
const SLICE_SECONDS: u64 = 10;

/// Durations of the last minute, counted in buckets that grow by an eighth of a power of two.
/// Adding one takes no lock.
#[derive(Debug)]
pub(crate) struct Latency {
    slices: [TimeSlice; SLICES],
}

#[derive(Debug)]
struct TimeSlice {
    /// The ten seconds since the start that it counts, by their number from 1.
    number: AtomicU64,
    counts: Vec<AtomicU32>,
}

/// Quantiles of durations, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Default for Latency {
    fn default() -> Self {
        let slice = || TimeSlice {
            number: AtomicU64::new(0),
            counts: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
        };
        Self { slices: std::array::from_fn(|_| slice()) }
    }
}

impl Latency {
    /// Counts one that ended so long after the server's start.
    pub(crate) fn add(&self, took: Duration, since_start: Duration) {
        let number = since_start.as_secs() / SLICE_SECONDS + 1;
        let Some(slice) = self.slices.get(number as usize % SLICES) else { return };
        let before = slice.number.load(Ordering::Acquire);
        // Whoever is first in a slice empties what was counted a minute ago; a few that come in
        // just then may be lost.
        if before != number
            && slice
                .number
                .compare_exchange(before, number, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        {
            slice.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        }
        if let Some(count) = slice.counts.get(bucket(took)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts of the last minute.
    fn counts(&self, since_start: Duration) -> Vec<u64> {
        let now = since_start.as_secs() / SLICE_SECONDS + 1;
        let mut sums = vec![0; BUCKETS];
        for slice in &self.slices {
            let number = slice.number.load(Ordering::Acquire);
            if number == 0 || number + (SLICES as u64) <= now {
                continue;
            }
            for (sum, count) in sums.iter_mut().zip(&slice.counts) {
                *sum += u64::from(count.load(Ordering::Relaxed));
            }
        }
        sums
    }

    /// The number of durations a second, over the last minute or since the start.
    pub(crate) fn per_second(&self, since_start: Duration) -> f64 {
        let all: u64 = self.counts(since_start).iter().sum();
        let whole = since_start.as_secs_f64();
        // The slice that runs now is not full yet.
        let kept = (SLICES as u64 - 1) as f64 * SLICE_SECONDS as f64 + whole % SLICE_SECONDS as f64;
        (all as f64 / whole.min(kept).max(1.0) * 10.0).round() / 10.0
    }

    /// The quantiles of the last minute; `None` if nothing was counted.
    pub(crate) fn quantiles(&self, since_start: Duration) -> Option<Quantiles> {
        let counts = self.counts(since_start);
        let all: u64 = counts.iter().sum();
        let quantile = |part: f64| {
            let wanted = (all as f64 * part).ceil().max(1.0) as u64;
            let mut passed = 0;
            let found = counts.iter().position(|count| {
                passed += count;
                passed >= wanted
            });
            found.map_or(0.0, middle)
        };
        (all > 0).then(|| Quantiles {
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
        })
    }
}

fn bucket(took: Duration) -> usize {
    let micros = took.as_nanos() as f64 / 1e3;
    let place = micros.max(1.0).log2() * BUCKETS_PER_OCTAVE as f64;
    (place as usize).min(BUCKETS - 1)
}

/// The middle of a bucket, in microseconds.
fn middle(bucket: usize) -> f64 {
    let micros = ((bucket as f64 + 0.5) / BUCKETS_PER_OCTAVE as f64).exp2();
    (micros * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_six_percent() {
        let latency = Latency::default();
        let now = Duration::from_secs(5);
        assert_eq!(latency.quantiles(now), None);
        for micros in 1..=10_000 {
            latency.add(Duration::from_micros(micros), now);
        }
        let found = latency.quantiles(now).unwrap();
        for (found, right) in [(found.p50, 5_000.0), (found.p99, 9_900.0), (found.p999, 9_990.0)] {
            assert!((found / right - 1.0f64).abs() < 0.06, "{found} {right}");
        }
    }

    #[test]
    fn what_is_older_than_a_minute_is_forgotten() {
        let latency = Latency::default();
        latency.add(Duration::from_secs(1), Duration::from_secs(3));
        latency.add(Duration::from_millis(1), Duration::from_secs(58));
        let p999 = |now| latency.quantiles(Duration::from_secs(now)).unwrap().p999;
        assert!(p999(60) > 500_000.0);
        assert!(p999(85) < 2_000.0);
        assert_eq!(latency.quantiles(Duration::from_secs(300)), None);
        latency.add(Duration::from_millis(1), Duration::from_secs(301));
        assert!(p999(301) < 2_000.0);
    }

    #[test]
    fn no_duration_is_too_long() {
        let latency = Latency::default();
        latency.add(Duration::MAX, Duration::ZERO);
        latency.add(Duration::ZERO, Duration::ZERO);
        assert!(latency.quantiles(Duration::ZERO).unwrap().p999 > 3e9);
    }
}
