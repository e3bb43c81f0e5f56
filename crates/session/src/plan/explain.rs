//! A plan as text: what is computed together, from what, where it lies and what it costs.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use abeyance_ir::NodeId;
use abeyance_scheduler::{BufferId, BufferKind, TaskId};

use super::needed::LiveNodes;
use super::shapes::Shapes;
use super::{Plan, SessionGraph};

/// A plan's tasks and what they cost: [`Session::explain`](crate::Session::explain). `Display`
/// prints all of it; the fields are sums.
///
/// ```text
/// plan of loss, fed x f32[2, 3]
///   2 tasks: 23 FLOP, 84 bytes read and written
///   memory: 64 bytes of temporaries, at least 24 at once
///
///   t0 = matmul, add, relu
///     reads x f32[2, 3], w f32[3, 1], b f32[1]
///     writes relu f32[2, 1] at 0
///     1 part, 16 FLOP, 52 bytes, 0.31 FLOP a byte
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    text: String,
    /// The number of tasks.
    pub tasks: usize,
    /// The arithmetic of a run; a transcendental function counts as about 20.
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

/// Names of a plan's buffers, fetches and feeds.
#[derive(Default)]
pub(crate) struct Labels {
    /// By buffer that holds a value: its name, and its element types with sizes.
    values: HashMap<BufferId, (String, String)>,
    fetches: Vec<String>,
    feeds: Vec<String>,
}

impl Labels {
    /// The names of a plan of the session's. Its shapes are inferred once more for that, which a
    /// plan does not keep.
    pub(crate) fn new(plan: &Plan, session: &SessionGraph) -> Self {
        let graph = &*session.graph;
        let live = LiveNodes::new(graph, &plan.fetches, &plan.feeds);
        let shapes = live.and_then(|live| Shapes::new(graph, &live, &plan.feeds, None));
        // The plan was made of them, so they are right.
        let Ok(shapes) = shapes else { return Self::default() };
        let label = |buffer: BufferId, node: NodeId| {
            let items = shapes.items(node);
            let types = items.iter().map(|item| format!("{}{:?}", item.dtype, item.dims));
            let mut types = types.collect::<Vec<_>>().join(" ");
            if let Some((_, layout)) = plan.layouts.iter().find(|(of, _)| *of == buffer) {
                types += &format!(" {}", layout.tag(shapes.dims(node).len()));
            }
            (graph.node(node).name.to_string(), types)
        };
        let values =
            plan.values.iter().map(|&(buffer, node)| (buffer, label(buffer, node))).collect();
        let feeds = plan.feeds.iter().zip(&plan.fed).filter_map(|(feed, buffer)| {
            let (name, types) = label((*buffer)?, feed.node);
            Some(format!("{name} {types}"))
        });
        let fetches = plan.fetches.iter().map(|&fetch| graph.node(fetch).name.to_string());
        Self { values, fetches: fetches.collect(), feeds: feeds.collect() }
    }

    /// The name, the element type and the sizes of what a buffer of a plan holds.
    pub(crate) fn of(&self, plan: &Plan, buffer: BufferId) -> String {
        match self.values.get(&buffer) {
            Some((name, types)) => format!("{name} {types}"),
            None => format!("scratch of {}", self.types(plan, buffer)),
        }
    }

    /// The element type and the sizes of what a buffer holds.
    pub(crate) fn types(&self, plan: &Plan, buffer: BufferId) -> String {
        match self.values.get(&buffer) {
            Some((_, types)) => types.clone(),
            None => bytes(plan.program.buffer(buffer).map_or(0, |info| info.length) as f64),
        }
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
        graph: &abeyance_ir::Graph,
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
            scaled(sums.flops, "FLOP"),
            bytes(sums.bytes)
        )?;
        writeln!(
            text,
            "  memory: {} of temporaries, at least {} at once",
            bytes(sums.memory as f64),
            bytes(sums.least_memory as f64)
        )?;
        let name = |node: NodeId| graph.node(node).name.to_string();
        let mut fused = self.fused_nodes.iter().peekable();
        for index in 0..self.program.tasks() {
            let id = TaskId(index as u32);
            let Some(task) = self.program.task(id) else { continue };
            let mut nodes: Vec<String> =
                self.nodes.get(index).map(|&node| name(node)).into_iter().collect();
            if let Some((_, others)) = fused.next_if(|(task, _)| *task == id) {
                nodes.extend(others.iter().map(|&node| name(node)));
            }
            writeln!(text, "\n  {id} = {}", nodes.join(", "))?;
            let label = |buffer: BufferId| labels.of(self, buffer);
            if !task.reads.is_empty() {
                let reads: Vec<String> = task.reads.iter().map(|&buffer| label(buffer)).collect();
                writeln!(text, "    reads {}", reads.join(", "))?;
            }
            let writes = task.writes.iter().map(|write| {
                let info = self.program.buffer(write.buffer);
                let place = match info.map(|info| (info.kind, info.offset)) {
                    Some((BufferKind::Temporary, Some(offset))) => format!(" at {offset}"),
                    Some((BufferKind::Output, _)) => " of a variable".to_owned(),
                    _ => String::new(),
                };
                format!("{}{place}", label(write.buffer))
            });
            writeln!(text, "    writes {}", writes.collect::<Vec<_>>().join(", "))?;
            writeln!(
                text,
                "    {}, {}, {}, {:.2} FLOP a byte",
                plural(task.parts as usize, "part"),
                scaled(task.cost.flops, "FLOP"),
                bytes(task.cost.bytes),
                task.cost.flops / task.cost.bytes.max(1.0)
            )?;
        }
        Ok(())
    }
}

fn plural(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

fn scaled(value: f64, unit: &str) -> String {
    match value {
        v if v >= 1e9 => format!("{:.2} G{unit}", v / 1e9),
        v if v >= 1e6 => format!("{:.2} M{unit}", v / 1e6),
        v if v >= 1e4 => format!("{:.1} k{unit}", v / 1e3),
        v => format!("{v:.0} {unit}"),
    }
}

fn bytes(value: f64) -> String {
    match value {
        v if v >= 1e4 => scaled(v, "B"),
        v => format!("{v:.0} bytes"),
    }
}
