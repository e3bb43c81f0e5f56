//! What memory a session has.

use std::fmt;

/// The memory of a session at one time, in bytes: [`Session::memory`](crate::Session::memory).
/// `Display` prints it:
///
/// ```text
/// memory of a session: 25.6 MB
///   variables: 1.1 MB
///   12 plans: 131.9 kB of at most 3.9 MB
///   2 arenas: 24.4 MB
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionMemory {
    /// The values of variables, twice for those that some run has written.
    pub variable_bytes: usize,
    /// The plans that are kept for runs to come.
    pub plans: usize,
    /// What they take: constants, tables and loops. A plan that is kept no more but that a
    /// [`Callable`](crate::Callable), a trace or a run still has does not count.
    pub plan_bytes: usize,
    /// The most that they may take:
    /// [`SessionOptions::plan_bytes`](crate::SessionOptions::plan_bytes).
    pub plan_limit: usize,
    /// The arenas: as many as there were runs at a time.
    pub arenas: usize,
    /// What they take together, and what branches and loops keep from run to run. Each is as large
    /// as the largest plan that ran in it asked for, up to a sixteenth more where it had to grow,
    /// and lasts as long as the session.
    pub arena_bytes: usize,
}

impl SessionMemory {
    /// All of it.
    pub fn total(&self) -> usize {
        self.variable_bytes + self.plan_bytes + self.arena_bytes
    }
}

impl fmt::Display for SessionMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "memory of a session: {}", Bytes(self.total()))?;
        writeln!(f, "  variables: {}", Bytes(self.variable_bytes))?;
        let (plans, arenas) = (Count(self.plans, "plan"), Count(self.arenas, "arena"));
        let (taken, limit) = (Bytes(self.plan_bytes), Bytes(self.plan_limit));
        writeln!(f, "  {plans}: {taken} of at most {limit}")?;
        write!(f, "  {arenas}: {}", Bytes(self.arena_bytes))
    }
}

struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            1_000_000_000.. => write!(f, "{:.1} GB", bytes / 1e9),
            1_000_000.. => write!(f, "{:.1} MB", bytes / 1e6),
            10_000.. => write!(f, "{:.1} kB", bytes / 1e3),
            _ => write!(f, "{} bytes", self.0),
        }
    }
}

struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.0, self.1)
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
          12 plans: 131.9 kB of at most 3.9 MB
          1 arena: 2.4 GB
        ");
    }
}
