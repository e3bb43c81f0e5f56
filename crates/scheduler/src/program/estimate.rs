//! The time that work takes, roughly: the figures by which a program is cut into units and given
//! threads or not.
//!
//! They need to be right within a factor of a few. Nothing about results depends on them.
//!
//! Measured on a virtual machine with two cores of a Xeon with AVX-512, by traces of the talk's
//! networks and by programs of idle loops. Arithmetic and memory add up: a loop that does much of
//! both overlaps them badly. For tasks of more than two microseconds in these networks the
//! estimates are 0.2 to 3.2 times what was measured.

use abeyance_launch::Cost;

/// Arithmetic operations a nanosecond. Products of matrices and convolutions, the only ones where
/// the number matters, run at 60 to 180 with AVX-512 and at half of that with AVX2.
const FLOPS_PER_NS: f64 = 80.0;
/// Bytes a nanosecond: 15 to 35 as measured, mostly from a second-level cache.
const BYTES_PER_NS: f64 = 20.0;
/// Nanoseconds to call a kernel and set up its loops. Dispatch alone measures 6 in a warm chain, 11
/// in one of a million tasks (`benches/dispatch.rs`).
const TASK_NS: f64 = 25.0;
/// Nanoseconds of a thread's time to hand a unit through the queue, on top of running it; 50
/// measured on two.
const UNIT_NS: f64 = 60.0;
/// Parts are claimed in runs of at least this many nanoseconds, which keeps the claiming below a
/// tenth.
const CLAIM_NS: f64 = 2_000.0;
/// Nanoseconds that sharing the work with threads that are awake must save: another thread is there
/// after half to one and a half microseconds, for each step of a chain that is shared.
const WORTH_SHARING_NS: f64 = 6_000.0;
/// The share of the work that sharing must save, for the caches that data has to move between.
const WORTH_SHARING: f64 = 0.1;
/// Nanoseconds that sharing must save where the threads sleep: to wake one takes the caller 15
/// microseconds, and it comes after 20 to 50.
const WORTH_WAKING_NS: f64 = 40_000.0;

/// The nanoseconds of a task on one thread.
pub(crate) fn task_ns(cost: Cost) -> f64 {
    // No number and below nothing are nothing; the bound keeps sums finite.
    let at = |amount: f64, rate: f64| if amount > 0.0 { (amount / rate).min(1e18) } else { 0.0 };
    TASK_NS + at(cost.flops, FLOPS_PER_NS) + at(cost.bytes, BYTES_PER_NS)
}

/// The number of a task's parts that a thread should claim at once.
pub(crate) fn grain(ns: f64, parts: u32) -> u32 {
    let part_ns = ns / f64::from(parts.max(1));
    // Casting saturates, so any estimate gives at least one part and at most all.
    ((CLAIM_NS / part_ns).ceil() as u32).clamp(1, parts.max(1))
}

/// The time of work on one thread, and the time that sharing it saves, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sharing {
    work: f64,
    saved: f64,
}

impl Sharing {
    /// The sharing of `work` nanoseconds in so many units among `threads` threads; the longest way
    /// through takes `critical` nanoseconds.
    pub fn new(work: f64, critical: f64, units: usize, threads: usize) -> Self {
        let shared = (work + UNIT_NS * units as f64) / threads.max(1) as f64;
        Self { work, saved: work - shared.max(critical) }
    }

    /// True if it pays at all: with threads that are awake.
    pub fn pays(self) -> bool {
        self.saved >= WORTH_SHARING_NS.max(WORTH_SHARING * self.work)
    }

    /// True if it pays to wake threads.
    pub fn pays_waking(self) -> bool {
        self.pays() && self.saved >= WORTH_WAKING_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_costs_are_small_costs() {
        for flops in [f64::NAN, -1e300, f64::NEG_INFINITY] {
            assert_eq!(task_ns(Cost { flops, bytes: f64::NAN }), TASK_NS);
        }
        assert!(task_ns(Cost { flops: f64::INFINITY, bytes: f64::INFINITY }).is_finite());
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
        let pays = |work, critical, threads| {
            let sharing = Sharing::new(work, critical, 10, threads);
            (sharing.pays(), sharing.pays_waking())
        };
        assert_eq!(pays(1e6, 1e5, 2), (true, true));
        assert_eq!(pays(5e4, 1e4, 2), (true, false));
        assert_eq!(pays(1e6, 1e5, 1), (false, false));
        assert_eq!(pays(1e6, 1e6, 8), (false, false));
        assert_eq!(pays(1e6, 0.95e6, 8), (false, false));
        assert_eq!(pays(5e3, 1e3, 8), (false, false));
    }
}
