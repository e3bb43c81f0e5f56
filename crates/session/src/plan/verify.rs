//! The verifier of drafts: the rules that every pass may rely on, and has to keep.
//!
//! - **Order.** Operands, and what an instruction runs after, stand before it.
//! - **Waiting.** An instruction runs after values that have loops.
//! - **Sources.** A feed and a variable are the source of one value each; a constant has the bytes
//!   of its type. They have no operands, wait for nothing and are row-major.
//! - **Operands.** An operator has as many operands as its node, each of as many bytes, and with
//!   elements as large, as the node's. A reorder has one.
//! - **Layout.** Operands and results of operators are row-major or in the layouts of one of the
//!   operator's rules; elementwise loops on images in blocks get operands of as many images, or
//!   such that all images share. A reorder changes the layout.
//! - **Effects.** The value of a node that writes, watches or draws is its own instruction's.
//! - **Writers.** A variable has one last writer, which is a write to it.
//! - **Names.** A node's value exists, and so does what has to run for a node without one.
//! - **Fetches.** A fetched tensor has a row-major value of its bytes.
//! - **Groups.** Fusion groups are ranges that do not overlap, in order, of at least two
//!   instructions.
//! - **Members.** A group's members are elementwise and of one number of elements. The first alone
//!   may be a producer, and what the others read of the group they read element by element.
//!
//! A group is closed since it is a range: a way out of it and back would have to pass an
//! instruction that stands between its members.
//!
//! Not checked: that an instruction computes what its node says. Tests do, by comparing bits.

use std::collections::HashSet;

use abeyance_ir::{Effect, Fusibility, Layout, LayoutRule, NodeId, Packing, Type};

use super::draft::{Computation, Draft, Instruction, Kind, Source, ValueId};
use crate::Error;

/// Checks a draft as the pass of this name has left it.
///
/// # Errors
/// The first rule that is broken, with the pass, the instruction and the whole draft.
pub(crate) fn verify(draft: &Draft<'_>, pass: &str) -> Result<(), Error> {
    let check = || {
        check_values(draft)?;
        check_names(draft)?;
        check_groups(draft)
    };
    check().map_err(|broken: String| {
        Error::Internal(format!("after the pass `{pass}` a plan is not sound: {broken}\n{draft}"))
    })
}

/// The result of a check: the rule that is broken, in words.
type Check = Result<(), String>;

/// Returns an error unless a rule holds.
fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(broken()) }
}

fn check_values(draft: &Draft<'_>) -> Check {
    let (mut feeds, mut variables, mut written) = (HashSet::new(), HashSet::new(), HashSet::new());
    for value in draft.ids() {
        let instruction = draft.instruction(value);
        for &before in instruction.operands.iter().chain(&instruction.runs_after) {
            ensure(before < value, || {
                format!("{value} refers to {before}, which is not made yet")
            })?;
        }
        for &before in &instruction.runs_after {
            let runs = draft.instruction(before).runs();
            ensure(runs, || format!("{value} runs after {before}, which does not run"))?;
        }
        match &instruction.source {
            Source::Feed(index) => {
                ensure(feeds.insert(index), || format!("{value} is a feed that is there already"))?;
            }
            Source::Variable(index) => {
                let is_new = variables.insert(index);
                ensure(is_new, || format!("{value} is a variable that is there already"))?;
            }
            Source::Constant(bytes) => {
                let wanted = node_bytes(draft, instruction.node);
                ensure(wanted == Some(bytes.len()), || {
                    format!(
                        "{value} is a constant of {} bytes, not {}",
                        bytes.len(),
                        in_words(wanted)
                    )
                })?;
            }
            Source::Computed(id) => {
                let computation = &draft.computations[id.index()];
                check_operands(draft, value, instruction, computation)?;
                check_effects(draft, value, instruction)?;
                if let Some(variable) = computation.stores_to {
                    let is_new = written.insert(variable);
                    ensure(is_new, || format!("{value} is another last write of its variable"))?;
                }
                continue;
            }
        }
        let refers = !instruction.operands.is_empty() || !instruction.runs_after.is_empty();
        ensure(!refers && instruction.is_row_major(), || {
            format!("{value} does not run and refers to others or has a layout")
        })?;
    }
    Ok(())
}

/// A number of bytes in words, for messages.
fn in_words(bytes: Option<usize>) -> String {
    bytes.map_or("too many".to_owned(), |bytes| bytes.to_string())
}

/// The bytes of a node's value in row-major order.
fn node_bytes(draft: &Draft<'_>, node: NodeId) -> Option<usize> {
    Packing::new(&draft.shapes.items(node)).map(|packing| packing.bytes())
}

fn check_operands(
    draft: &Draft<'_>,
    value: ValueId,
    instruction: &Instruction,
    computation: &Computation,
) -> Check {
    let described = &draft.session.graph.node(instruction.node).operands;
    if computation.kind == Kind::Reorder {
        let [operand] = instruction.operands[..] else {
            return Err(format!("{value} is a reorder of several operands"));
        };
        let changes = draft.instruction(operand).layout != instruction.layout;
        ensure(changes, || format!("{value} is a reorder to the same layout"))?;
        return same_bytes(draft, value, operand, instruction.node);
    }
    ensure(instruction.operands.len() == described.len(), || {
        format!("{value} has not as many operands as its node")
    })?;
    for (&operand, &node) in instruction.operands.iter().zip(described) {
        same_bytes(draft, value, operand, node)?;
    }
    let operands = instruction.operands.iter().zip(described);
    let all_row_major = instruction.is_row_major()
        && instruction.operands.iter().all(|&operand| draft.instruction(operand).is_row_major());
    if all_row_major {
        return Ok(());
    }
    if computation.fusibility == Fusibility::Elementwise {
        let len = draft.shapes.concrete(instruction.node).len();
        for (&operand, &node) in operands {
            let is_whole = draft.shapes.concrete(node).len() == len;
            let wanted = if is_whole { instruction.layout } else { Layout::RowMajor };
            check_layout(draft, value, operand, wanted, instruction.node)?;
        }
        return Ok(());
    }
    let fits = |rule: &&LayoutRule| {
        let mut operands = instruction.operands.iter().enumerate();
        rule.result == instruction.layout
            && operands
                .all(|(index, &operand)| draft.instruction(operand).layout == rule.operand(index))
    };
    let rule = computation.layouts.iter().find(fits);
    let rule =
        rule.ok_or_else(|| format!("{value} has no loops for the layouts of its operands"))?;
    for (index, (&operand, &node)) in operands.enumerate() {
        check_layout(draft, value, operand, rule.operand(index), node)?;
    }
    Ok(())
}

/// Checks that an operand is in a layout, as an array with as many images as that of `node`.
fn check_layout(
    draft: &Draft<'_>,
    user: ValueId,
    operand: ValueId,
    layout: Layout,
    node: NodeId,
) -> Check {
    let made = draft.instruction(operand);
    ensure(made.layout == layout, || {
        format!("{user} gets {operand} in a layout that its loops do not take")
    })?;
    let images = |node: NodeId| draft.shapes.dims(node).first().copied();
    ensure(layout == Layout::RowMajor || images(made.node) == images(node), || {
        format!("{user} gets {operand} for other images")
    })
}

/// Checks that a value can stand where a node's was described.
fn same_bytes(draft: &Draft<'_>, user: ValueId, value: ValueId, node: NodeId) -> Check {
    let made = draft.instruction(value).node;
    let (found, wanted) = (node_bytes(draft, made), node_bytes(draft, node));
    ensure(found == wanted, || {
        let (found, wanted) = (in_words(found), in_words(wanted));
        format!("{user} expects {wanted} bytes of {value}, which has {found}")
    })?;
    let size = |node: NodeId| draft.shapes.concrete(node).dtype.size();
    let is_tuple = matches!(draft.session.graph.node(node).ty, Type::Tuple(_));
    ensure(is_tuple || size(made) == size(node), || {
        format!("{user} expects elements of another size of {value}")
    })
}

fn check_effects(draft: &Draft<'_>, value: ValueId, instruction: &Instruction) -> Check {
    let Some(variable) = draft.stores_to(instruction) else { return Ok(()) };
    let data = draft.session.graph.node(instruction.node);
    let is_write = data.operator.signature().effect == Effect::Write;
    let target = data.operands.first().and_then(|target| draft.session.variables.get(target));
    ensure(is_write && target == Some(&variable), || {
        format!("{value} stores to a variable that its node does not write")
    })
}

fn check_names(draft: &Draft<'_>) -> Check {
    let count = draft.instructions.len();
    for (index, value) in draft.values.iter().enumerate() {
        let Some(value) = *value else { continue };
        let node = NodeId::new(index);
        let name = || &draft.session.graph.node(node).name;
        ensure(value.index() < count, || format!("`{}` has a value that is gone", name()))?;
        let own = draft.instruction(value);
        // A fed node has no effect.
        if own.runs() && !draft.is_pure(node) {
            let is_own = own.node == node;
            ensure(is_own, || format!("`{}`, which is not pure, has no loops", name()))?;
        }
    }
    for (node, completion) in &draft.completions {
        for value in completion {
            let runs = value.index() < count && draft.instruction(*value).runs();
            let name = || &draft.session.graph.node(*node).name;
            ensure(runs, || format!("`{}` waits for {value}, which does not run", name()))?;
        }
    }
    for &fetch in draft.fetches {
        if draft.session.graph.node(fetch).ty.tensor().is_none() {
            continue;
        }
        let name = || &draft.session.graph.node(fetch).name;
        let Some(value) = draft.value(fetch) else {
            return Err(format!("the fetched `{}` has no value", name()));
        };
        let is_row_major = draft.instruction(value).is_row_major();
        ensure(is_row_major, || format!("the fetched `{}` is not row-major", name()))?;
        let found = node_bytes(draft, draft.instruction(value).node);
        ensure(found == node_bytes(draft, fetch), || {
            format!("the fetched `{}` has {} bytes", name(), in_words(found))
        })?;
    }
    Ok(())
}

fn check_groups(draft: &Draft<'_>) -> Check {
    let mut end = 0;
    for group in &draft.groups {
        ensure(group.start >= end && group.len() > 1, || format!("a group is {group:?}"))?;
        end = group.end;
        ensure(end <= draft.instructions.len(), || format!("a group is {group:?}"))?;
        let first = ValueId::new(group.start);
        let has_producer = draft.fusibility(draft.instruction(first)) == Some(Fusibility::Opaque);
        let len = draft.concrete(first).memory_len();
        for value in group.clone().map(ValueId::new) {
            let instruction = draft.instruction(value);
            let is_elementwise = matches!(
                draft.fusibility(instruction),
                Some(Fusibility::Elementwise | Fusibility::AnyRange)
            );
            ensure(is_elementwise || (value == first && has_producer), || {
                format!("{value} is in a group and not elementwise")
            })?;
            ensure(!draft.is_tuple(value) && draft.concrete(value).memory_len() == len, || {
                format!("{value} has not as many elements as {first}, which it is fused with")
            })?;
            let reads_inside =
                instruction.operands.iter().any(|operand| group.contains(&operand.index()));
            let is_pointwise = draft.fusibility(instruction) == Some(Fusibility::Elementwise);
            ensure(!reads_inside || is_pointwise, || {
                format!("{value} reads all of what is made piece by piece")
            })?;
        }
    }
    Ok(())
}
