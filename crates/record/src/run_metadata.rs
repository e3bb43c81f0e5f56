//! A traced run as TensorFlow's `RunMetadata`: which node ran when, on which thread.

use std::collections::BTreeMap;
use std::time::Duration;

use abeyance_session::Trace;

use prost::Message;

use crate::graph_def;
use crate::proto::{DeviceStepStats, GraphDef, NodeExecStats, RunMetadata, StepStats};
use crate::reader::{fields, parts};

/// Joins the names of nodes that are computed in one loop in [`NodeExecStats::timeline_label`].
pub const AND: &str = " + ";
/// The most nodes that ran in a step that is read.
const MOST_ENTRIES: usize = 1 << 20;
/// The device that all nodes run on.
const DEVICE: &str = "/job:localhost/replica:0/task:0/device:CPU:0";

/// A run of those that were traced, counted from 0, which began at `wall`, seconds since 1970.
/// Several nodes that are computed in one loop are one record: its name is the first node's, by
/// which TensorBoard finds it in the graph, and its label has the names of all.
pub fn run_metadata(trace: &Trace, run: usize, wall: f64) -> RunMetadata {
    let begin = (wall * 1e9) as i64;
    let mut thread_names = BTreeMap::new();
    let node_stats = trace.spans(run).into_iter().map(|span| {
        let thread = span.thread as u32;
        thread_names.entry(thread).or_insert_with(|| match thread {
            0 => "caller".to_owned(),
            helper => format!("worker {helper}"),
        });
        let start = begin.saturating_add(nanoseconds(span.start));
        let took = nanoseconds(span.end.saturating_sub(span.start));
        let took_micros = took.saturating_add(999) / 1000;
        NodeExecStats {
            node_name: span
                .nodes
                .first()
                .map(|name| name.replace([':', '^'], "_"))
                .unwrap_or_default(),
            all_start_micros: start / 1000,
            op_start_rel_micros: 0,
            op_end_rel_micros: took_micros,
            all_end_rel_micros: took_micros,
            timeline_label: span.nodes.join(AND),
            thread_id: thread,
            all_start_nanos: start,
            all_end_rel_nanos: took,
        }
    });
    let device = DeviceStepStats {
        device: DEVICE.to_owned(),
        node_stats: node_stats.collect(),
        thread_names: BTreeMap::new(),
    };
    let device = DeviceStepStats { thread_names, ..device };
    let step_stats = Some(StepStats { dev_stats: vec![device] });
    RunMetadata { step_stats, function_graphs: Vec::new() }
}

/// Reads what another wrote; none if it is damaged, or has so many entries that it would take
/// memory out of proportion.
pub fn read(bytes: &[u8]) -> Option<RunMetadata> {
    // step_stats, dev_stats, node_stats; an empty entry takes two bytes in a file and two hundred
    // in memory.
    let entries: usize = (parts(bytes, 1).flat_map(|stats| parts(stats, 1)))
        .map(|device| fields(device).count())
        .sum();
    let graphs =
        parts(bytes, 4).filter(|functions| parts(functions, 2).any(graph_def::is_too_large));
    if entries > MOST_ENTRIES || graphs.count() > 0 {
        return None;
    }
    RunMetadata::decode(bytes).ok()
}

/// The graph of the function with the most nodes: of several that TensorFlow 2 traced the one that
/// calls the others.
pub(crate) fn largest_graph(metadata: RunMetadata) -> Option<GraphDef> {
    let graphs = metadata.function_graphs.into_iter();
    graphs
        .filter_map(|functions| functions.pre_optimization_graph)
        .max_by_key(|graph| graph.node.len())
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
