//! Tasks that surely run before others: a bounded answer to reachability.
//!
//! Tasks are strung into chains, each task of which depends on the one before it. A task then
//! remembers, for each of [`CHAINS`] chains, the last task of it that it comes after: a vector
//! clock. A question costs one comparison and a new task `CHAINS` per dependency, where exact
//! reachability would take memory in the square of the tasks. Wide programs have more chains than
//! that; then the chain untouched for longest is forgotten and its tasks are answered "not known to
//! be before", which costs parallelism or memory but never safety.

/// Eight chains are 32 bytes a task and cover a forward and a backward chain with a few branches.
const CHAINS: usize = 8;

/// For each chain, one more than the index of the last task that is an ancestor; 0 for none.
pub(crate) type Clock = [u32; CHAINS];

/// The clocks of all tasks up to now.
#[derive(Default)]
pub(crate) struct Ancestry {
    clocks: Vec<Clock>,
    chain: Vec<u8>,
    /// The first task of the chain that occupies each place; tasks of the place before it are
    /// forgotten.
    first: [u32; CHAINS],
    /// One more than the last task of each chain; 0 for none.
    last: Clock,
}

impl Ancestry {
    /// The clock of a task with these dependencies.
    pub fn clock(&self, dependencies: &[u32]) -> Clock {
        let mut clock = self.ancestors_of_each(dependencies);
        for &task in dependencies {
            if let Some(chain) = self.chain_of(task) {
                clock[chain] = clock[chain].max(task + 1);
            }
        }
        clock
    }

    /// Drops every dependency that another one implies.
    pub fn reduce(&self, dependencies: &mut Vec<u32>) {
        if dependencies.len() > 1 {
            let clock = self.ancestors_of_each(dependencies);
            dependencies.retain(|&task| !self.precedes(task, &clock));
        }
    }

    /// True if `task` is known to come before the task with this clock.
    pub fn precedes(&self, task: u32, clock: &Clock) -> bool {
        self.chain_of(task).is_some_and(|chain| clock[chain] > task)
    }

    /// Appends the next task.
    pub fn push(&mut self, clock: Clock) {
        let task = self.clocks.len() as u32;
        let follows = (0..CHAINS)
            .filter(|&chain| self.last[chain] > 0 && clock[chain] == self.last[chain])
            .max_by_key(|&chain| self.last[chain]);
        let chain = follows.unwrap_or_else(|| {
            let stalest = (0..CHAINS).min_by_key(|&chain| self.last[chain]).unwrap_or(0);
            self.first[stalest] = task;
            stalest
        });
        self.last[chain] = task + 1;
        self.chain.push(chain as u8);
        self.clocks.push(clock);
    }

    /// The clock of everything before any of `tasks`, which themselves do not count.
    fn ancestors_of_each(&self, tasks: &[u32]) -> Clock {
        let mut clock = Clock::default();
        for &task in tasks {
            for (latest, &other) in clock.iter_mut().zip(&self.clocks[task as usize]) {
                *latest = other.max(*latest);
            }
        }
        clock
    }

    fn chain_of(&self, task: u32) -> Option<usize> {
        let chain = usize::from(self.chain[task as usize]);
        (task >= self.first[chain]).then_some(chain)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dependency_that_another_implies_is_dropped() {
        let mut ancestry = Ancestry::default();
        ancestry.push(Clock::default());
        ancestry.push(ancestry.clock(&[0]));
        ancestry.push(ancestry.clock(&[1]));
        let mut dependencies = vec![0, 1, 2];
        ancestry.reduce(&mut dependencies);
        assert_eq!(dependencies, [2]);
    }

    proptest! {
        /// Whatever is claimed to precede really does; reduction keeps the transitive closure.
        #[test]
        fn claims_are_true(picks in prop::collection::vec(prop::collection::vec(0usize..1000, 0..4), 1..120)) {
            let mut ancestry = Ancestry::default();
            let mut truth: Vec<Vec<bool>> = Vec::new();
            for (task, picks) in picks.iter().enumerate() {
                let mut dependencies: Vec<u32> =
                    if task == 0 { vec![] } else { picks.iter().map(|pick| (pick % task) as u32).collect() };
                dependencies.sort_unstable();
                dependencies.dedup();
                let reach = |dependencies: &[u32]| {
                    let mut row = vec![false; task];
                    for &dependency in dependencies {
                        row[dependency as usize] = true;
                        for (before, &reached) in truth[dependency as usize].iter().enumerate() {
                            row[before] |= reached;
                        }
                    }
                    row
                };
                let row = reach(&dependencies);
                ancestry.reduce(&mut dependencies);
                prop_assert_eq!(&row, &reach(&dependencies));
                let clock = ancestry.clock(&dependencies);
                for (before, &reached) in row.iter().enumerate() {
                    prop_assert!(reached || !ancestry.precedes(before as u32, &clock));
                }
                ancestry.push(clock);
                truth.push(row);
            }
        }
    }
}
