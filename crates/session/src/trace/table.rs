//! A trace as a table: nodes by the time they take.

use std::fmt;

use super::{NodeTime, Trace};
use crate::quantity::plural;

/// The most rows of a table, unless all are asked for.
const ROWS: usize = 30;
/// The most characters of a node's text.
const WIDTH: usize = 120;

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.runs();
        if runs == 0 {
            return f.write_str("no runs");
        }
        let nodes = self.nodes();
        let times = self.runs.iter().map(|run| run.recording.end_ns() - run.recording.start_ns());
        let fastest = times.min().unwrap_or(0);
        let busy: f64 = nodes.iter().map(|node| node.time.as_secs_f64()).sum();
        let available: f64 = (self.runs.iter())
            .map(|run| {
                let time = run.recording.end_ns() - run.recording.start_ns();
                time as f64 * 1e-9 * run.recording.threads() as f64
            })
            .sum();
        writeln!(
            f,
            "{}, {:.3} ms each, the fastest {:.3} ms; kernels take {:.1} % of the time of {}",
            plural(runs, "run"),
            self.elapsed().as_secs_f64() * 1e3 / runs as f64,
            fastest as f64 * 1e-6,
            100.0 * busy / available.max(1e-9),
            plural(self.threads(), "thread"),
        )?;
        writeln!(f, "  ms a run   share  GFLOP/s    GB/s  parts  node")?;
        let shown = if f.alternate() { nodes.len() } else { ROWS.min(nodes.len()) };
        let (rows, rest) = nodes.split_at(shown);
        for row in rows {
            line(f, row)?;
        }
        if !rest.is_empty() {
            let time: f64 = rest.iter().map(|row| row.time.as_secs_f64()).sum();
            let share: f64 = rest.iter().map(|row| row.share).sum();
            writeln!(
                f,
                "{:10.4} {:5.1} %                          and {} more",
                time * 1e3 / runs as f64,
                100.0 * share,
                rest.len()
            )?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, row: &NodeTime) -> fmt::Result {
    let runs = row.runs.max(1);
    write!(f, "{:10.4} {:5.1} %", row.time.as_secs_f64() * 1e3 / runs as f64, 100.0 * row.share)?;
    if row.flops > 0.0 {
        write!(f, " {:8.1}", row.gflops())?
    } else {
        write!(f, " {:>8}", "-")?
    }
    write!(f, " {:7.1} {:6}  ", row.gigabytes(), row.parts / runs)?;
    // Several nodes stand by their names: their calls would fill the line.
    let text = if row.calls.contains("; ") { &row.nodes } else { &row.calls };
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => write!(f, "{}…", &text[..end])?,
        None => f.write_str(text)?,
    }
    writeln!(f, " : {}", row.types)
}
