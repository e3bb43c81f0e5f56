//! A plan as text: its tasks, the nodes that each computes, its buffers, their places and its cost.

use std::fmt::{self, Write as _};

use abeyance_ir::Graph;
use abeyance_scheduler::{BufferKind, TaskId, TaskInfo};

use super::labels::Labels;
use super::{Plan, SessionGraph};
use crate::quantity::{bytes, flops, plural};

/// A plan's tasks and what they cost: [`Session::explain`](crate::Session::explain). `Display`
/// prints all of it; the fields are sums.
///
/// ```text
/// plan of loss, fed x f32[2, 3]
///   2 tasks: 23 FLOP, 84 B read and written
///   memory: 64 B of temporaries, at least 24 B at once
///
///   t0 = matmul, add, relu
///     reads x f32[2, 3], w f32[3, 1], b f32[1]
///     writes relu f32[2, 1] at 0
///     1 part, 16 FLOP, 52 B, 0.31 FLOP a byte
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    text: String,
    /// The number of tasks.
    pub tasks: usize,
    /// The arithmetic operations of a run; a transcendental function counts as about 20.
    pub flops: f64,
    /// The bytes that tasks read and write, were nothing in a cache.
    pub bytes: f64,
    /// The bytes of memory for temporaries.
    pub memory: usize,
    /// The most bytes of temporaries that are alive at once, which no placement can go below.
    pub least_memory: usize,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Plan {
    /// The plan as text.
    pub(crate) fn explain(&self, session: &SessionGraph) -> Explanation {
        let (graph, labels) = (&*session.graph, &Labels::new(self, session));
        let program = &self.program;
        let infos = || (0..program.tasks()).filter_map(|task| program.task(TaskId(task as u32)));
        let memory = program.memory();
        let mut explanation = Explanation {
            text: String::new(),
            tasks: program.tasks(),
            flops: infos().map(|task| task.cost.flops).sum(),
            bytes: infos().map(|task| task.cost.bytes).sum(),
            memory: memory.arena,
            least_memory: memory.lower_bound,
        };
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(graph, labels, &explanation, &mut text);
        explanation.text = text;
        explanation
    }

    fn write(
        &self,
        graph: &Graph,
        labels: &Labels,
        sums: &Explanation,
        text: &mut String,
    ) -> fmt::Result {
        write!(text, "plan of {}", labels.fetches.join(", "))?;
        if !labels.feeds.is_empty() {
            write!(text, ", fed {}", labels.feeds.join(", "))?;
        }
        let tasks = plural(sums.tasks, "task");
        writeln!(
            text,
            "\n  {tasks}: {}, {} read and written",
            flops(sums.flops),
            bytes(sums.bytes)
        )?;
        writeln!(
            text,
            "  memory: {} of temporaries, at least {} at once",
            bytes(sums.memory as f64),
            bytes(sums.least_memory as f64)
        )?;
        let mut fused = self.fused_nodes.iter().peekable();
        for index in 0..self.program.tasks() {
            let id = TaskId(index as u32);
            let Some(task) = self.program.task(id) else { continue };
            let others = fused.next_if(|(task, _)| *task == id).map_or(&[][..], |(_, nodes)| nodes);
            let nodes = self.nodes.get(index).into_iter().chain(others);
            let names: Vec<&str> = nodes.map(|&node| &*graph.node(node).name).collect();
            writeln!(text, "\n  {id} = {}", names.join(", "))?;
            self.write_task(&task, labels, text)?;
        }
        Ok(())
    }

    /// Writes a task's buffers and costs, below the line of its nodes.
    fn write_task(&self, task: &TaskInfo<'_>, labels: &Labels, text: &mut String) -> fmt::Result {
        if !task.reads.is_empty() {
            let reads = task.reads.iter().map(|&buffer| labels.of(self, buffer));
            writeln!(text, "    reads {}", reads.collect::<Vec<_>>().join(", "))?;
        }
        let writes = task.writes.iter().map(|write| {
            let info = self.program.buffer(write.buffer);
            let place = match info.map(|info| (info.kind, info.offset)) {
                Some((BufferKind::Temporary, Some(offset))) => format!(" at {offset}"),
                Some((BufferKind::Output, _)) => " of a variable".to_owned(),
                _ => String::new(),
            };
            format!("{}{place}", labels.of(self, write.buffer))
        });
        writeln!(text, "    writes {}", writes.collect::<Vec<_>>().join(", "))?;
        writeln!(
            text,
            "    {}, {}, {}, {:.2} FLOP a byte",
            plural(task.parts as usize, "part"),
            flops(task.cost.flops),
            bytes(task.cost.bytes),
            task.cost.flops / task.cost.bytes.max(1.0)
        )
    }
}
