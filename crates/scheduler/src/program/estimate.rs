//! What work takes, roughly: the figures by which a program is cut into units and given threads or not.
//!
//! They need to be right within a factor of a few. Nothing about results depends on them.

use abeyance_kernels::launch::Cost;

/// Arithmetic operations a nanosecond: 10 GFLOP/s, a plain vectorised loop on one core.
const FLOPS_PER_NS: f64 = 10.0;
/// Bytes a nanosecond: 10 GB/s, one core's share of the memory.
const BYTES_PER_NS: f64 = 10.0;
/// Nanoseconds to call a kernel and set up its loops. Dispatch alone measures 6 in a warm chain, 11 in one of a
/// million tasks (`benches/dispatch.rs`).
const TASK_NS: f64 = 25.0;
/// Nanoseconds of a thread's time to hand a unit through the queue, on top of running it; 50 measured on two.
const UNIT_NS: f64 = 60.0;
/// Parts are claimed in runs of at least this many nanoseconds, which keeps the claiming below a tenth.
const CLAIM_NS: f64 = 2_000.0;
/// Below this many nanoseconds of work, threads are not worth waking.
const WORTH_THREADS_NS: f64 = 30_000.0;
/// Threads must save this many nanoseconds.
const WORTH_SAVING_NS: f64 = 10_000.0;

/// The nanoseconds of a task on one thread.
pub(crate) fn task_ns(cost: Cost) -> f64 {
    // `max` also turns a NaN into 0; the upper bound keeps sums finite.
    let flops = (cost.flops / FLOPS_PER_NS).max(0.0);
    let bytes = (cost.bytes / BYTES_PER_NS).max(0.0);
    TASK_NS + flops.max(bytes).min(1e18)
}

/// How many of a task's parts a thread should claim at once.
pub(crate) fn grain(ns: f64, parts: u32) -> u32 {
    let part_ns = ns / f64::from(parts.max(1));
    // Casting saturates, so any estimate gives at least one part and at most all.
    ((CLAIM_NS / part_ns).ceil() as u32).clamp(1, parts.max(1))
}

/// Whether `threads` threads would beat one.
pub(crate) fn worth_threads(work_ns: f64, critical_ns: f64, units: usize, threads: usize) -> bool {
    if threads < 2 || work_ns < WORTH_THREADS_NS {
        return false;
    }
    let shared = (work_ns + UNIT_NS * units as f64) / threads as f64;
    work_ns - shared.max(critical_ns) >= WORTH_SAVING_NS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_costs_are_small_costs() {
        for flops in [f64::NAN, -1e300, f64::NEG_INFINITY] {
            assert_eq!(task_ns(Cost { flops, bytes: f64::NAN }), TASK_NS);
        }
        assert!(task_ns(Cost { flops: f64::INFINITY, bytes: 0.0 }).is_finite());
    }

    #[test]
    fn small_parts_are_claimed_together() {
        assert_eq!(grain(50.0, 1), 1);
        assert_eq!(grain(1_000.0, 10), 10);
        assert_eq!(grain(100_000.0, 100), 2);
        assert_eq!(grain(1e9, 100), 1);
        assert_eq!(grain(50.0, 0), 1);
    }

    #[test]
    fn threads_are_for_much_work_that_is_not_one_chain() {
        assert!(worth_threads(1e6, 1e5, 10, 2));
        assert!(!worth_threads(1e6, 1e5, 10, 1));
        assert!(!worth_threads(1e6, 1e6, 10, 8));
        assert!(!worth_threads(1e4, 1e3, 10, 8));
    }
}
