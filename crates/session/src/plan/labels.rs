//! Names for what a plan has: its buffers, fetches and feeds, for explanations and traces.

use std::collections::HashMap;

use abeyance_ir::NodeId;
use abeyance_scheduler::BufferId;

use super::needed::LiveNodes;
use super::shapes::Shapes;
use super::{Plan, SessionGraph};
use crate::quantity;

/// Names of a plan's buffers, fetches and feeds.
#[derive(Default)]
pub(crate) struct Labels {
    /// By buffer that holds a value: its name, and its element types with sizes.
    values: HashMap<BufferId, (String, String)>,
    pub(super) fetches: Vec<String>,
    pub(super) feeds: Vec<String>,
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
            None => {
                quantity::bytes(plan.program.buffer(buffer).map_or(0, |info| info.length) as f64)
            }
        }
    }
}
