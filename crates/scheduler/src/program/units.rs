//! Units: what the queue hands out.
//!
//! A unit is a task, or a chain of tasks each of which is small enough for one thread, is the only
//! one to wait for the task before it and waits for nothing else. Such a chain offers nothing to a
//! second thread, so grouping it costs no parallelism and saves the queue's work for each link.

use super::estimate::{self, Sharing};
use super::lists::Lists;
use crate::ids::TaskId;

/// A unit, as the queue sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    /// The number of claims by which it is handed out: 1, or the runs of `grain` parts of its only
    /// task.
    pub claims: u32,
    /// Parts a claim.
    pub grain: u32,
    /// The units it waits for.
    pub waits: u32,
    /// Estimated nanoseconds on one thread.
    pub ns: f64,
}

/// The units of a program and the order among them.
#[derive(Debug)]
pub(crate) struct Units {
    pub units: Vec<Unit>,
    /// The tasks of each unit, in the order to run them.
    pub tasks: Lists<u32>,
    /// The units that wait for each unit; the one with most work behind it first.
    pub dependents: Lists<u32>,
    /// The units that wait for nothing; the one with most work behind it first.
    pub roots: Vec<u32>,
    /// The unit of each task.
    pub of_task: Vec<u32>,
    /// Estimated nanoseconds on one thread.
    pub work_ns: f64,
    /// Estimated nanoseconds with any number of threads.
    pub critical_ns: f64,
}

impl Units {
    /// Groups tasks, given each one's nanoseconds and number of parts, and what it depends on.
    pub fn new(tasks: &[(f64, u32)], dependencies: &Lists<TaskId>) -> Self {
        let Grouping { units, of_task, heads } = Grouping::new(tasks, dependencies);
        let tasks_of = Lists::from_pairs(
            units.len(),
            (0..tasks.len()).map(|task| (of_task[task] as usize, task as u32)),
        );
        // Only a unit's first task waits for other units, and only its last is waited for, so no
        // pair comes twice.
        let edges = heads.iter().enumerate().flat_map(|(unit, &head)| {
            let of_task = &of_task;
            let dependencies = dependencies.get(head as usize).iter();
            dependencies
                .map(move |&TaskId(before)| (of_task[before as usize] as usize, unit as u32))
        });
        let mut dependents = Lists::from_pairs(units.len(), edges);
        let behind = longest_ways(&units, &dependents);
        let most_first = |a: &u32, b: &u32| behind[*b as usize].total_cmp(&behind[*a as usize]);
        dependents.sort_each_by(most_first);
        let mut roots: Vec<u32> =
            (0..units.len() as u32).filter(|&unit| units[unit as usize].waits == 0).collect();
        roots.sort_by(most_first);

        Self {
            work_ns: tasks.iter().map(|&(ns, _)| ns).sum(),
            critical_ns: behind.iter().copied().fold(0.0, f64::max),
            units,
            tasks: tasks_of,
            dependents,
            roots,
            of_task,
        }
    }

    /// The bytes that they take.
    pub fn bytes(&self) -> usize {
        self.units.capacity() * size_of::<Unit>()
            + self.tasks.bytes()
            + self.dependents.bytes()
            + (self.roots.capacity() + self.of_task.capacity()) * size_of::<u32>()
    }

    /// The time of `threads` threads for it.
    pub fn sharing(&self, threads: usize) -> Sharing {
        Sharing::new(self.work_ns, self.critical_ns, self.units.len(), threads)
    }
}

/// Tasks in groups.
struct Grouping {
    units: Vec<Unit>,
    /// The unit of each task.
    of_task: Vec<u32>,
    /// The first task of each unit.
    heads: Vec<u32>,
}

impl Grouping {
    /// Makes a unit of each task that does not join that of the task before it.
    fn new(tasks: &[(f64, u32)], dependencies: &Lists<TaskId>) -> Self {
        let mut dependents = vec![0u32; tasks.len()];
        for task in 0..tasks.len() {
            for &TaskId(dependency) in dependencies.get(task) {
                dependents[dependency as usize] += 1;
            }
        }
        let is_whole = |task: usize| estimate::grain(tasks[task].0, tasks[task].1) >= tasks[task].1;

        let mut units: Vec<Unit> = Vec::new();
        let mut of_task: Vec<u32> = Vec::with_capacity(tasks.len());
        let mut heads: Vec<u32> = Vec::new();
        for (task, &(ns, parts)) in tasks.iter().enumerate() {
            let joins = match *dependencies.get(task) {
                [TaskId(before)]
                    if dependents[before as usize] == 1
                        && is_whole(before as usize)
                        && is_whole(task) =>
                {
                    Some(of_task[before as usize])
                }
                _ => None,
            };
            if let Some(unit) = joins {
                units[unit as usize].ns += ns;
                of_task.push(unit);
            } else {
                let grain = estimate::grain(ns, parts);
                of_task.push(units.len() as u32);
                heads.push(task as u32);
                units.push(Unit {
                    claims: parts.div_ceil(grain).max(1),
                    grain,
                    waits: dependencies.get(task).len() as u32,
                    ns,
                });
            }
        }
        Self { units, of_task, heads }
    }
}

/// The nanoseconds of the longest way from each unit, itself included, to the end of the program.
fn longest_ways(units: &[Unit], dependents: &Lists<u32>) -> Vec<f64> {
    // A unit's first task has a higher index than those it waits for, so units are in topological
    // order too.
    let mut behind = vec![0.0f64; units.len()];
    for unit in (0..units.len()).rev() {
        let Unit { claims, ns, .. } = units[unit];
        let after = dependents.get(unit).iter().map(|&next| behind[next as usize]);
        behind[unit] = ns / f64::from(claims) + after.fold(0.0, f64::max);
    }
    behind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(tasks: &[(f64, u32)], dependencies: &[&[u32]]) -> Units {
        let mut lists = Lists::new();
        for list in dependencies {
            lists.push(list.iter().map(|&task| TaskId(task)));
        }
        Units::new(tasks, &lists)
    }

    #[test]
    fn a_chain_of_small_tasks_is_one_unit() {
        let units = units(&[(100.0, 1); 3], &[&[], &[0], &[1]]);
        assert_eq!(units.units.len(), 1);
        assert_eq!(units.tasks.get(0), [0, 1, 2]);
        assert_eq!(units.roots, [0]);
    }

    #[test]
    fn a_fork_and_a_join_end_a_chain() {
        let units = units(&[(100.0, 1); 5], &[&[], &[0], &[0], &[1, 2], &[3]]);
        assert_eq!(units.of_task, [0, 1, 2, 3, 3]);
        assert_eq!(units.dependents.get(0), [1, 2]);
        assert_eq!(units.units[3].waits, 2);
    }

    #[test]
    fn a_large_task_of_many_parts_stays_alone() {
        let units = units(&[(100.0, 1), (1e6, 10), (100.0, 1)], &[&[], &[0], &[1]]);
        assert_eq!(units.of_task, [0, 1, 2]);
        assert_eq!(units.units[1].claims, 10);
        assert!(units.critical_ns < 0.2 * units.work_ns);
    }

    #[test]
    fn the_longest_way_comes_first() {
        let units = units(&[(1.0, 1), (1.0, 1), (9e3, 1), (1.0, 1)], &[&[], &[0], &[0], &[]]);
        assert_eq!(units.dependents.get(0), [2, 1]);
        assert_eq!(units.roots, [0, 3]);
    }
}
