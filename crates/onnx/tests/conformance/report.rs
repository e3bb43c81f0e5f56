//! How many node tests were run and passed, by operator, and why others were not.

use std::collections::BTreeMap;
use std::fmt;

use crate::case::{Case, Verdict};

#[derive(Default)]
struct Row {
    all: usize,
    passed: usize,
    /// Tests whose element types the engine does not have.
    types: usize,
    reasons: BTreeMap<String, usize>,
}

#[derive(Default)]
pub struct Report {
    rows: BTreeMap<String, Row>,
    pub failures: Vec<String>,
}

impl Report {
    pub fn add(&mut self, case: &Case, verdict: Verdict) {
        let row = self.rows.entry(case.operator()).or_default();
        row.all += 1;
        match verdict {
            Verdict::Passed => row.passed += 1,
            _ if !case.is_plain() => row.types += 1,
            Verdict::LeftOut(reason) => *row.reasons.entry(reason).or_default() += 1,
            Verdict::Failed(what) => self.failures.push(format!("{}: {what}", case.name)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&Row) -> usize| self.rows.values().map(of).sum::<usize>();
        let (all, passed, types) =
            (sum(|row| row.all), sum(|row| row.passed), sum(|row| row.types));
        writeln!(f, "{all} tests: {passed} passed, {} failed", self.failures.len())?;
        writeln!(
            f,
            "left out: {types} with element types that do not exist here, {} for the reasons below",
            sum(|row| row.reasons.values().sum())
        )?;
        writeln!(f)?;
        writeln!(f, "{:<28} {:>5} {:>6} {:>5}  left out", "operator", "tests", "passed", "types")?;
        for (operator, row) in &self.rows {
            let reasons: Vec<String> =
                row.reasons.iter().map(|(reason, count)| format!("{count}: {reason}")).collect();
            let line = format!(
                "{operator:<28} {:>5} {:>6} {:>5}  {}",
                row.all,
                row.passed,
                row.types,
                reasons.join("; ")
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
