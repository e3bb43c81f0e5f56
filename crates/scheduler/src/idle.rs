//! The waiting of threads: awake for a while, then asleep until someone has work.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The time that a thread without work stays awake: longer than a training loop takes between two
/// steps, short enough not to matter to whoever else wants the core.
const AWAKE: Duration = Duration::from_micros(200);
/// Rounds between looks at the clock.
const CLOCK: u32 = 16;

/// The backoff of a thread without work: it spins for a few microseconds, then offers the core to
/// others at each round, and is told to sleep after [`AWAKE`].
#[derive(Default)]
pub(crate) struct Backoff {
    /// Spins in seven rounds of 1, 2, .., 64 pauses, then yields.
    spin: crossbeam_utils::Backoff,
    rounds: u32,
    since: Option<Instant>,
}

impl Backoff {
    /// Waits for a moment. False when it has been long enough to go to sleep.
    pub fn wait(&mut self) -> bool {
        self.spin.snooze();
        self.rounds = self.rounds.wrapping_add(1);
        if !self.rounds.is_multiple_of(CLOCK) {
            return true;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() < AWAKE
    }

    /// Starts anew, since there was something to do.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// A place in which threads sleep.
///
/// Whoever makes work first publishes it by a sequentially consistent operation and then calls
/// [`Idle::wake`]; whoever goes to sleep first counts itself and then looks for work once more, by
/// sequentially consistent loads. One of the two therefore sees the other.
#[derive(Default)]
pub(crate) struct Idle {
    sleepers: AtomicUsize,
    /// Counts the wake-ups.
    wakes: Mutex<u64>,
    woken: Condvar,
}

impl Idle {
    /// Sleeps until the next wake-up, unless `ready` says that there is something to do.
    pub fn sleep_unless(&self, ready: impl FnOnce() -> bool) {
        let mut wakes = self.lock();
        self.sleepers.fetch_add(1, SeqCst);
        if ready() {
            self.sleepers.fetch_sub(1, SeqCst);
            return;
        }
        let before = *wakes;
        while *wakes == before {
            wakes = self.woken.wait(wakes).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The number of threads that sleep.
    pub fn sleepers(&self) -> usize {
        self.sleepers.load(Relaxed)
    }

    /// Wakes every sleeper; one load where there is none.
    pub fn wake(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            let mut wakes = self.lock();
            *wakes = wakes.wrapping_add(1);
            // Counted out here rather than by each sleeper, so that the next call finds nobody to
            // wake.
            self.sleepers.store(0, SeqCst);
            self.woken.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn nobody_sleeps_through_a_wake_up() {
        let (idle, ready) = (Idle::default(), AtomicBool::new(false));
        for _ in 0..1000 {
            ready.store(false, SeqCst);
            std::thread::scope(|scope| {
                scope.spawn(|| idle.sleep_unless(|| ready.load(SeqCst)));
                ready.store(true, SeqCst);
                idle.wake();
            });
        }
        assert_eq!(idle.sleepers.load(SeqCst), 0);
    }

    #[test]
    fn a_backoff_ends_and_starts_anew() {
        let mut backoff = Backoff::default();
        while backoff.wait() {}
        backoff.reset();
        assert!(backoff.wait());
    }
}
