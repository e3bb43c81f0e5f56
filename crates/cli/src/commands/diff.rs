//! `abeyance diff`: the differences of two graphs as programs. Names that nobody chose (`add_3`)
//! move when a node is put in before them, so nodes are paired by what they compute, in order, and
//! only then by name.

use std::collections::HashMap;
use std::path::PathBuf;

use abeyance::ir::{
    Array, Attribute, Body, Effect, Graph, GraphSignature, Initializer, Node, NodeId, Summary,
};
use clap::Args;
use serde_json::json;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::error::Error;
use crate::files;
use crate::output::{self, Json};

#[derive(Args)]
pub struct Options {
    /// A graph
    a: PathBuf,
    /// The other
    b: PathBuf,
    #[command(flatten)]
    json: Json,
}

pub fn run(options: &Options) -> Result<(), Error> {
    let (a, b) = (files::graph(&options.a)?, files::graph(&options.b)?);
    let (a, b) = (a.ir(), b.ir());
    let difference = Difference::of(&a, &b);
    if options.json.json {
        output::json(&difference.object(&a, &b))?
    } else {
        output::line(difference.show(&a, &b))?
    }
    if difference.is_empty() { Ok(()) } else { Err(Error::Differs) }
}

struct Difference {
    removed: Vec<NodeId>,
    added: Vec<NodeId>,
    /// Nodes that are paired, and differ.
    changed: Vec<(NodeId, NodeId)>,
    /// Nodes that are the same but for their names.
    renamed: Vec<(NodeId, NodeId)>,
    /// Differences besides those of nodes, as sentences.
    other: Vec<String>,
}

/// A description of a node without its name and operands: nodes with equal keys may be paired. That
/// of a placeholder or variable has the name too, since values go by it.
fn key(graph: &Graph, id: NodeId, node: &Node) -> String {
    let signature = node.operator.signature();
    let name = match signature.effect {
        Effect::Read | Effect::Feed => &*node.name,
        _ => "",
    };
    format!(
        "{} {name} {} {:?}",
        signature.name,
        graph.display_type(id),
        std::mem::discriminant(&node.role)
    )
}

impl Difference {
    fn of(a: &Graph, b: &Graph) -> Self {
        let keys = |graph: &Graph| -> Vec<String> {
            graph.iter().map(|(id, node)| key(graph, id, node)).collect()
        };
        let mut pairs = Vec::new();
        let (mut only_a, mut only_b) = (Vec::new(), Vec::new());
        for operation in capture_diff_slices(Algorithm::Patience, &keys(a), &keys(b)) {
            let (old, new) = (operation.old_range(), operation.new_range());
            match operation {
                DiffOp::Equal { .. } => {
                    pairs.extend(old.zip(new).map(|(a, b)| (NodeId::new(a), NodeId::new(b))))
                }
                _ => {
                    only_a.extend(old.map(NodeId::new));
                    only_b.extend(new.map(NodeId::new));
                }
            }
        }
        // The rest is paired by name: these nodes were changed, or moved.
        let mut by_name: HashMap<&str, NodeId> =
            only_a.iter().map(|&id| (&*a.node(id).name, id)).collect();
        let mut added = Vec::new();
        for id in only_b {
            let node = b.node(id);
            let is_like = |other: &NodeId| {
                a.node(*other).operator.signature().effect == node.operator.signature().effect
            };
            match by_name.get(&*node.name).copied().filter(is_like) {
                Some(other) => {
                    by_name.remove(&*node.name);
                    pairs.push((other, id));
                }
                None => added.push(id),
            }
        }
        let removed =
            only_a.into_iter().filter(|&id| by_name.contains_key(&*a.node(id).name)).collect();

        let to_b: HashMap<NodeId, NodeId> = pairs.iter().copied().collect();
        let mut difference = Self {
            removed,
            added,
            changed: Vec::new(),
            renamed: Vec::new(),
            other: others(a, b, &to_b),
        };
        pairs.sort_by_key(|(_, id)| id.index());
        for (old, new) in pairs {
            if !is_same(a, b, (old, new), &to_b) {
                difference.changed.push((old, new));
            } else if a.node(old).name != b.node(new).name {
                difference.renamed.push((old, new));
            }
        }
        difference
    }

    fn is_empty(&self) -> bool {
        let pairs = self.changed.len() + self.renamed.len();
        self.removed.len() + self.added.len() + pairs + self.other.len() == 0
    }

    fn show(&self, a: &Graph, b: &Graph) -> String {
        if self.is_empty() {
            return format!("the same: {} nodes", a.len());
        }
        let line = |mark: char, graph: &Graph, id: NodeId| {
            format!("{mark} {} : {}", graph.print_call(id), graph.display_type(id))
        };
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.removed.iter().map(|&id| line('-', a, id)));
        lines.extend(self.added.iter().map(|&id| line('+', b, id)));
        for &(old, new) in &self.changed {
            lines.push(line('<', a, old));
            lines.push(line('>', b, new));
        }
        let renamed = self.renamed.iter();
        lines.extend(
            renamed
                .map(|&(old, new)| format!("= {} is {} now", a.node(old).name, b.node(new).name)),
        );
        lines.extend(self.other.iter().map(|what| format!("! {what}")));
        lines.push(format!(
            "{} removed (-), {} added (+), {} changed (< >), {} renamed (=)",
            self.removed.len(),
            self.added.len(),
            self.changed.len(),
            self.renamed.len()
        ));
        lines.join("\n")
    }

    fn object(&self, a: &Graph, b: &Graph) -> serde_json::Value {
        let one = |graph: &Graph, id: NodeId| json!({ "name": &*graph.node(id).name, "call": graph.print_call(id), "type": graph.display_type(id) });
        let pairs = |pairs: &[(NodeId, NodeId)]| -> Vec<_> {
            pairs.iter().map(|&(old, new)| json!({ "a": one(a, old), "b": one(b, new) })).collect()
        };
        json!({
            "same": self.is_empty(),
            "removed": self.removed.iter().map(|&id| one(a, id)).collect::<Vec<_>>(),
            "added": self.added.iter().map(|&id| one(b, id)).collect::<Vec<_>>(),
            "changed": pairs(&self.changed),
            "renamed": pairs(&self.renamed),
            "other": self.other,
        })
    }
}

/// Returns true if two nodes compute the same from operands that are paired.
fn is_same(
    a: &Graph,
    b: &Graph,
    (old, new): (NodeId, NodeId),
    to_b: &HashMap<NodeId, NodeId>,
) -> bool {
    let (one, other) = (a.node(old), b.node(new));
    let are_same = |old: &[NodeId], new: &[NodeId]| {
        old.len() == new.len() && old.iter().zip(new).all(|(old, new)| to_b.get(old) == Some(new))
    };
    key(a, old, one) == key(b, new, other)
        && one.attributes.len() == other.attributes.len()
        && one
            .attributes
            .iter()
            .zip(other.attributes.iter())
            .all(|(one, other)| is_equal((a, one), (b, other)))
        && are_same(&one.operands, &other.operands)
        && are_same(&a.controls(old), &b.controls(new))
}

/// Returns true if attributes of two graphs are equal. Symbols are compared by their names.
fn is_equal((a, one): (&Graph, &Attribute), (b, other): (&Graph, &Attribute)) -> bool {
    match (one, other) {
        (Attribute::Shape(one), Attribute::Shape(other)) => {
            a.symbols().display(one).to_string() == b.symbols().display(other).to_string()
        }
        (Attribute::Body(one), Attribute::Body(other)) => {
            let text = |body: &Body| body.graph().to_string();
            one.outputs() == other.outputs() && text(one) == text(other)
        }
        // To the last bit, unlike `==`.
        (Attribute::Real(one), Attribute::Real(other)) => one.to_bits() == other.to_bits(),
        (Attribute::Array(one), Attribute::Array(other)) => is_equal_array(one, other),
        (
            Attribute::Initializer(Initializer::Constant(one)),
            Attribute::Initializer(Initializer::Constant(other)),
        ) => is_equal_array(one, other),
        _ => one == other,
    }
}

fn is_equal_array(one: &Array, other: &Array) -> bool {
    one.dtype == other.dtype && one.dims == other.dims && one.bytes == other.bytes
}

/// Differences of name, seed, summaries and signatures.
fn others(a: &Graph, b: &Graph, to_b: &HashMap<NodeId, NodeId>) -> Vec<String> {
    let mut found = Vec::new();
    if a.name() != b.name() {
        found.push(format!("the graph is called {} and {}", a.name(), b.name()));
    }
    let seed =
        |graph: &Graph| graph.seed().map_or_else(|| "none".to_owned(), |seed| seed.to_string());
    if a.seed() != b.seed() {
        found.push(format!("the seed is {} and {}", seed(a), seed(b)));
    }
    found.extend(summaries(a, b, to_b));
    let named = |graph: &Graph, name: &str| graph.find_signature(name).ok().cloned();
    for signature in a.signatures() {
        match named(b, &signature.name) {
            None => found.push(format!("signature {} is in the first only", signature.name)),
            Some(other) if !is_same_signature(signature, &other, to_b) => {
                found.push(format!("signature {} differs", signature.name));
            }
            Some(_) => {}
        }
    }
    let added = b.signatures().iter().filter(|signature| named(a, &signature.name).is_none());
    found.extend(
        added.map(|signature| format!("signature {} is in the second only", signature.name)),
    );
    found
}

/// Differences of summaries, by tag.
fn summaries(a: &Graph, b: &Graph, to_b: &HashMap<NodeId, NodeId>) -> Vec<String> {
    let by_tag = |graph: &Graph| -> HashMap<Box<str>, Summary> {
        let summaries = graph.summaries().iter();
        summaries.map(|summary| (summary.tag.clone(), summary.clone())).collect()
    };
    let (in_a, in_b) = (by_tag(a), by_tag(b));
    let mut found = Vec::new();
    for summary in a.summaries() {
        match in_b.get(&summary.tag) {
            None => found.push(format!("summary {} is in the first only", summary.tag)),
            Some(other) if summary.kind != other.kind => found.push(format!(
                "summary {} is of kind {} and {}",
                summary.tag, summary.kind, other.kind
            )),
            Some(other)
                if summary.nodes.len() != other.nodes.len()
                    || !summary
                        .nodes
                        .iter()
                        .zip(&other.nodes)
                        .all(|(old, new)| to_b.get(old) == Some(new)) =>
            {
                found.push(format!("summary {} is of other tensors", summary.tag));
            }
            Some(_) => {}
        }
    }
    let added = b.summaries().iter().filter(|summary| !in_a.contains_key(&summary.tag));
    found.extend(added.map(|summary| format!("summary {} is in the second only", summary.tag)));
    found
}

fn is_same_signature(
    a: &GraphSignature,
    b: &GraphSignature,
    to_b: &HashMap<NodeId, NodeId>,
) -> bool {
    let is = |old: &NodeId, new: &NodeId| to_b.get(old) == Some(new);
    let ports = |a: &[(Box<str>, NodeId)], b: &[(Box<str>, NodeId)]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|((one, old), (other, new))| one == other && is(old, new))
    };
    let feeds = a.feeds.len() == b.feeds.len()
        && a.feeds
            .iter()
            .zip(&b.feeds)
            .all(|((old, one), (new, other))| is(old, new) && is_equal_array(one, other));
    let steps = a.steps.len() == b.steps.len()
        && a.steps.iter().zip(&b.steps).all(|(old, new)| is(old, new));
    ports(&a.inputs, &b.inputs) && ports(&a.outputs, &b.outputs) && feeds && steps
}
