//! The memory of a session, counted by what it is for.

use std::fmt;

use crate::quantity::{self, plural};

/// The memory of a session at one time, in bytes: [`Session::memory`](crate::Session::memory).
/// `Display` prints it:
///
/// ```text
/// memory of a session: 25.6 MB
///   variables: 1.1 MB
///   12 plans: 132 kB of at most 3.9 MB
///   2 arenas: 24.4 MB
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionMemory {
    /// The bytes of variables, twice for those that some run has written.
    pub variable_bytes: usize,
    /// The number of plans that are kept for runs to come.
    pub plans: usize,
    /// The bytes of these plans: constants, tables and loops. A plan that is kept no more but that
    /// a [`Callable`](crate::Callable), a trace or a run still has does not count.
    pub plan_bytes: usize,
    /// The most bytes of plans: [`SessionOptions::plan_bytes`](crate::SessionOptions::plan_bytes).
    pub plan_limit: usize,
    /// The number of arenas: the most runs that there were at a time.
    pub arenas: usize,
    /// The bytes of all arenas, and those that branches and loops keep from run to run. An arena is
    /// as large as the largest plan that ran in it asked for, up to a sixteenth more where it had
    /// to grow, and lasts as long as the session.
    pub arena_bytes: usize,
}

impl SessionMemory {
    /// The bytes of variables, plans and arenas together.
    pub fn total(&self) -> usize {
        self.variable_bytes + self.plan_bytes + self.arena_bytes
    }
}

impl fmt::Display for SessionMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |bytes: usize| quantity::bytes(bytes as f64);
        writeln!(f, "memory of a session: {}", bytes(self.total()))?;
        writeln!(f, "  variables: {}", bytes(self.variable_bytes))?;
        let (plans, arenas) = (plural(self.plans, "plan"), plural(self.arenas, "arena"));
        let (taken, limit) = (bytes(self.plan_bytes), bytes(self.plan_limit));
        writeln!(f, "  {plans}: {taken} of at most {limit}")?;
        write!(f, "  {arenas}: {}", bytes(self.arena_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_every_figure() {
        let memory = SessionMemory {
            variable_bytes: 1_100_000,
            plans: 12,
            plan_bytes: 131_900,
            plan_limit: 3_900_000,
            arenas: 1,
            arena_bytes: 2_440_000_000,
        };
        insta::assert_snapshot!(memory, @r"
        memory of a session: 2.4 GB
          variables: 1.1 MB
          12 plans: 132 kB of at most 3.9 MB
          1 arena: 2.4 GB
        ");
    }
}
