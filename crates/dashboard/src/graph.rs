//! The graph and the traced steps of a recording as the page draws them.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use abeyance_record::Run;
use abeyance_record::proto::{Attr, AttrValue, GraphDef, NodeDef, NodeExecStats, RunMetadata};

/// An attribute's text, cut where it is long.
const MOST_LETTERS: usize = 200;

/// The nodes of a run's graph.
pub(crate) fn graph(run: &Run) -> Option<Value> {
    let graph = run.graph()?;
    let nodes = in_order(&graph);
    let places: HashMap<&str, usize> =
        nodes.iter().enumerate().map(|(place, node)| (node.name.as_str(), place)).collect();
    let rows = nodes.iter().enumerate().map(|(place, node)| {
        let (mut inputs, mut controls) = (Vec::new(), Vec::new());
        for input in &node.input {
            // A loop's way back has no place in a picture in layers.
            if let Some(&from) = places.get(operand(input)).filter(|&&from| from < place) {
                if input.starts_with('^') { controls.push(from) } else { inputs.push(from) }
            }
        }
        let of = text(node, "_of").and_then(|of| places.get(of.as_str()).copied());
        json!({
            "name": node.name,
            "op": node.op,
            "inputs": inputs,
            "controls": controls,
            "role": text(node, "_role").unwrap_or_else(|| foreign_role(&node.name).to_owned()),
            "of": of,
            "type": text(node, "_type").or_else(|| output_shape(node)).unwrap_or_default(),
            "source": text(node, "_source"),
            "attributes": attributes(node),
            "flops": integer(node, "_flops"),
            "bytes": integer(node, "_bytes"),
        })
    });
    Some(json!({ "nodes": rows.collect::<Vec<Value>>() }))
}

/// TensorFlow's own names for the parts of a training.
fn foreign_role(name: &str) -> &'static str {
    match name.split('/').find(|part| part.starts_with("gradient") || *part == "grad") {
        Some(_) => "backward",
        None => "forward",
    }
}

/// `^name` and `name:1` are of `name`.
fn operand(input: &str) -> &str {
    let name = input.strip_prefix('^').unwrap_or(input);
    match name.rsplit_once(':') {
        Some((name, place)) if place.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}

/// The nodes, operands first; those of loops last, as they come.
fn in_order(graph: &GraphDef) -> Vec<&NodeDef> {
    let places: HashMap<&str, usize> =
        graph.node.iter().enumerate().map(|(place, node)| (node.name.as_str(), place)).collect();
    let mut waits = vec![0usize; graph.node.len()];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    for (place, node) in graph.node.iter().enumerate() {
        for input in &node.input {
            if let Some(&from) = places.get(operand(input))
                && let (Some(wait), Some(users)) = (waits.get_mut(place), users.get_mut(from))
            {
                *wait += 1;
                users.push(place);
            }
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..waits.len()).filter(|&place| waits.get(place) == Some(&0)).collect();
    let mut is_done = vec![false; graph.node.len()];
    let mut order = Vec::with_capacity(graph.node.len());
    while let Some(place) = ready.pop_first() {
        order.extend(graph.node.get(place));
        if let Some(done) = is_done.get_mut(place) {
            *done = true;
        }
        for &user in users.get(place).into_iter().flatten() {
            if let Some(wait) = waits.get_mut(user) {
                *wait -= 1;
                if *wait == 0 {
                    ready.insert(user);
                }
            }
        }
    }
    order.extend(graph.node.iter().zip(is_done).filter(|(_, done)| !done).map(|(node, _)| node));
    order
}

fn attr<'a>(node: &'a NodeDef, name: &str) -> Option<&'a Attr> {
    node.attr.get(name)?.value.as_ref()
}

fn text(node: &NodeDef, name: &str) -> Option<String> {
    match attr(node, name)? {
        Attr::S(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

fn integer(node: &NodeDef, name: &str) -> Option<i64> {
    match attr(node, name)? {
        Attr::I(number) => Some(*number),
        _ => None,
    }
}

fn output_shape(node: &NodeDef) -> Option<String> {
    let shape = match attr(node, "_output_shapes").or_else(|| attr(node, "shape"))? {
        Attr::List(list) => list.shape.first()?,
        Attr::Shape(shape) => shape,
        _ => return None,
    };
    let size = |size: i64| if size < 0 { "?".to_owned() } else { size.to_string() };
    let sizes: Vec<String> = shape.dim.iter().map(|dim| size(dim.size)).collect();
    Some(format!("[{}]", sizes.join(", ")))
}

/// The operator's own attributes as texts.
fn attributes(node: &NodeDef) -> Map<String, Value> {
    let own = node.attr.iter().filter(|(name, _)| !name.starts_with('_'));
    own.map(|(name, value)| (name.clone(), Value::String(shown(value)))).collect()
}

fn shown(value: &AttrValue) -> String {
    let text = match &value.value {
        Some(Attr::S(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(Attr::I(number)) => number.to_string(),
        Some(Attr::F(number)) => number.to_string(),
        Some(Attr::B(truth)) => truth.to_string(),
        Some(Attr::Type(number)) => format!("type {number}"),
        Some(Attr::Shape(shape)) => {
            let sizes: Vec<String> = shape.dim.iter().map(|dim| dim.size.to_string()).collect();
            format!("[{}]", sizes.join(", "))
        }
        Some(Attr::List(list)) => {
            let texts = list.s.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let all: Vec<String> = texts.chain(list.i.iter().map(i64::to_string)).collect();
            format!("[{}]", all.join(", "))
        }
        Some(Attr::Tensor(_)) => "a tensor".to_owned(),
        None => String::new(),
    };
    match text.char_indices().nth(MOST_LETTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The spans of a traced step.
pub(crate) fn trace(run: &Run, step: i64) -> Option<Value> {
    let (step, metadata) = run.trace(step)?;
    let graph = run.graph();
    let order = graph.as_ref().map(in_order).unwrap_or_default();
    let places: HashMap<&str, usize> =
        order.iter().enumerate().map(|(place, node)| (node.name.as_str(), place)).collect();
    Some(spans(step, &metadata, &places))
}

fn spans(step: i64, metadata: &RunMetadata, places: &HashMap<&str, usize>) -> Value {
    let devices = metadata.step_stats.iter().flat_map(|stats| &stats.dev_stats);
    let mut threads: Vec<((&str, u32), String)> = Vec::new();
    let mut rows = Vec::new();
    let all = devices.clone().flat_map(|device| &device.node_stats).map(begin);
    let first = all.min().unwrap_or(0);
    for device in devices {
        for stats in &device.node_stats {
            let key = (device.device.as_str(), stats.thread_id);
            let thread = match threads.iter().position(|(known, _)| *known == key) {
                Some(thread) => thread,
                None => {
                    let name = device.thread_names.get(&stats.thread_id).cloned();
                    threads.push((key, name.unwrap_or_else(|| format!("thread {}", key.1))));
                    threads.len() - 1
                }
            };
            let label = if stats.timeline_label.is_empty() {
                &stats.node_name
            } else {
                &stats.timeline_label
            };
            let names = label.split(" + ").chain([stats.node_name.as_str()]);
            let mut nodes: Vec<usize> =
                names.filter_map(|name| places.get(name).copied()).collect();
            nodes.sort_unstable();
            nodes.dedup();
            let start = (begin(stats) - first) as f64 / 1e3;
            rows.push(json!({
                "nodes": nodes,
                "name": label,
                "thread": thread,
                "start": start,
                "end": start + duration(stats) as f64 / 1e3,
            }));
        }
    }
    let names: Vec<String> = threads.into_iter().map(|(_, name)| name).collect();
    json!({ "step": step, "threads": names, "spans": rows })
}

/// Nanoseconds.
fn begin(stats: &NodeExecStats) -> i64 {
    match stats.all_start_nanos {
        0 => stats.all_start_micros.saturating_mul(1000),
        nanos => nanos,
    }
}

/// Nanoseconds.
fn duration(stats: &NodeExecStats) -> i64 {
    match stats.all_end_rel_nanos {
        0 => stats.all_end_rel_micros.saturating_mul(1000).max(0),
        nanos => nanos.max(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, inputs: &[&str]) -> NodeDef {
        NodeDef {
            name: name.to_owned(),
            op: "add".to_owned(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            ..NodeDef::default()
        }
    }

    #[test]
    fn operands_come_first_and_loops_last() {
        let graph = GraphDef {
            node: vec![
                node("sum", &["a", "b:1", "^c"]),
                node("loop", &["loop", "a"]),
                node("a", &[]),
                node("b", &["a"]),
                node("c", &["missing"]),
            ],
            versions: None,
        };
        let names: Vec<&str> = in_order(&graph).iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "sum", "loop"]);
    }
}
