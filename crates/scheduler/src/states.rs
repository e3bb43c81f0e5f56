//! The states that no run has, for runs to come.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use abeyance_launch::OutOfMemory;

use crate::program::Program;
use crate::state::State;

/// States for the runs of any number of programs: each run is lent one. There are as many as runs
/// went on at a time, and each has grown to what the largest program that it ran asks for.
pub struct States {
    threads: usize,
    idle: Mutex<Vec<Counted>>,
    sums: Arc<Sums>,
}

/// The states that there are, lent ones included, and their bytes.
#[derive(Default)]
struct Sums {
    states: AtomicUsize,
    bytes: AtomicUsize,
}

/// A state that is part of the sums as long as it lives.
struct Counted {
    /// Boxed, since it goes in and out of the list at each run.
    state: Box<State>,
    /// Its bytes in the sums.
    bytes: usize,
    sums: Arc<Sums>,
}

impl Counted {
    fn new(threads: usize, sums: &Arc<Sums>) -> Self {
        sums.states.fetch_add(1, Relaxed);
        Self { state: Box::new(State::new(threads)), bytes: 0, sums: sums.clone() }
    }

    fn fit(&mut self, program: &Program) -> Result<(), OutOfMemory> {
        if self.state.fits(program) {
            return Ok(());
        }
        let result = self.state.fit(program);
        let bytes = self.state.bytes();
        self.sums.bytes.fetch_add(bytes, Relaxed);
        self.sums.bytes.fetch_sub(std::mem::replace(&mut self.bytes, bytes), Relaxed);
        result
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.sums.states.fetch_sub(1, Relaxed);
        self.sums.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

impl States {
    /// No states yet; each will be for runs on up to `threads` threads, the caller's included.
    pub fn new(threads: usize) -> Self {
        Self { threads, idle: Mutex::new(Vec::with_capacity(8)), sums: Arc::default() }
    }

    /// Calls `run` with a state that has room for a program and that nobody else has meanwhile.
    ///
    /// # Errors
    /// [`OutOfMemory`] where the system has no room for the program.
    pub fn with<R>(
        &self,
        program: &Program,
        run: impl FnOnce(&mut State) -> R,
    ) -> Result<R, OutOfMemory> {
        let mut state = self.take(program);
        let result = match state.fit(program) {
            Ok(()) => Ok(run(&mut state.state)),
            Err(error) => Err(error),
        };
        self.idle().push(state);
        result
    }

    /// The states that there are, lent ones included.
    pub fn count(&self) -> usize {
        self.sums.states.load(Relaxed)
    }

    /// The bytes of memory that they have together.
    pub fn bytes(&self) -> usize {
        self.sums.bytes.load(Relaxed)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Counted>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state that ran the program last, or else the smallest that has room for it, or else the
    /// largest, which has least to grow: so that the small ones stay small.
    fn take(&self, program: &Program) -> Counted {
        let mut idle = self.idle();
        // Those given back last are looked at first: their memory is most likely in a cache.
        let mine = idle.iter().rposition(|counted| counted.state.fits(program));
        let chosen = mine.or_else(|| {
            {
                let of = |roomy: bool| {
                    let all = idle.iter().enumerate();
                    all.filter(move |(_, counted)| counted.state.has_room(program) == roomy)
                };
                let smallest = of(true).min_by_key(|(_, counted)| counted.bytes);
                smallest.or_else(|| of(false).max_by_key(|(_, counted)| counted.bytes))
            }
            .map(|(index, _)| index)
        });
        match chosen {
            Some(index) => idle.swap_remove(index),
            None => {
                drop(idle);
                Counted::new(self.threads, &self.sums)
            }
        }
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({} of {} bytes)", self.count(), self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use abeyance_launch::Cost;

    use super::*;
    use crate::{Task, ThreadPool, Write};

    /// Fills so many bytes with a number, in a temporary that is kept.
    fn program(length: usize, number: u8) -> (Program, crate::BufferId) {
        let mut builder = Program::builder();
        let buffer = builder.temporary(length);
        builder.keep(buffer);
        builder.task(Task {
            reads: &[],
            writes: &[Write { buffer, chunk: length.div_ceil(3) }],
            cost: Cost::default(),
            workspace: 0,
            run: Box::new(move |call| {
                call.output::<u8>().fill(number);
                Ok(())
            }),
            after: &[],
        });
        (builder.build().unwrap(), buffer)
    }

    #[test]
    fn programs_take_turns_in_one_state() {
        let (pool, states) = (ThreadPool::new(1).unwrap(), States::new(1));
        let programs = [program(1000, 1), program(100_000, 2), program(10, 3)];
        let mut bytes = Vec::new();
        for _ in 0..3 {
            for (index, (program, buffer)) in programs.iter().enumerate() {
                let run = |state: &mut State| {
                    let mut run = state.begin(program, 0).unwrap();
                    run.execute(&pool).unwrap();
                    run.read(*buffer).unwrap().to_vec()
                };
                let filled = states.with(program, run).unwrap();
                assert_eq!(filled.len(), program.memory().total);
                assert!(filled.iter().all(|&byte| byte == index as u8 + 1));
                bytes.push(states.bytes());
            }
        }
        assert_eq!(states.count(), 1);
        assert!(bytes[0] < 2000 && (100_000..110_000).contains(&bytes[1]), "{bytes:?}");
        assert!(bytes[1..].iter().all(|&later| later == bytes[1]), "{bytes:?}");
    }

    #[test]
    fn a_small_program_leaves_the_large_state_to_a_large_one() {
        let states = States::new(1);
        let ((small, _), (large, _)) = (program(1000, 1), program(1 << 20, 2));
        // Two runs at a time: a large and a small state.
        states.with(&large, |_| states.with(&small, |_| ()).unwrap()).unwrap();
        let bytes = states.bytes();
        let (small_again, large_again) = (program(500, 1).0, program(1 << 19, 2).0);
        states.with(&small_again, |_| states.with(&large_again, |_| ()).unwrap()).unwrap();
        assert_eq!((states.count(), states.bytes()), (2, bytes));
    }

    #[test]
    fn a_state_that_is_lost_in_a_panic_counts_no_more() {
        let states = States::new(1);
        let (program, _) = program(1000, 1);
        let panics = || states.with(&program, |_| panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!((states.count(), states.bytes()), (0, 0));
    }

    #[test]
    fn a_program_too_large_for_the_system_leaves_a_state_for_others() {
        let states = States::new(1);
        let (huge, small) = (program(1 << 60, 1).0, program(1000, 1).0);
        assert!(states.with(&huge, |_| ()).is_err());
        states.with(&small, |_| ()).unwrap();
        assert!(states.count() == 1 && states.bytes() < 2000);
    }
}
