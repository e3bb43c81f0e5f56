//! The verifier of drafts: what every pass may rely on, and has to leave.
//!
//! - **Order.** Operands, and what an instruction runs after, stand before it.
//! - **Waiting.** An instruction runs after values that have loops.
//! - **Sources.** A feed and a variable are the source of one value each; a constant has the bytes
//!   of its type. They have no operands, wait for nothing and are row-major.
//! - **Operands.** An operator has as many operands as its node, each of as many bytes, and with
//!   elements as large, as the node's. A conversion has one.
//! - **Layout.** Interleaved sizes are those of the node's images. Operators get row-major
//!   operands, but images where their loops take interleaved ones; elementwise loops on images get
//!   operands of as many images, or such that all images share. A conversion changes the layout.
//! - **Kernels.** An operator on images still has its loops.
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

use abeyance_ir::{Effect, Fusibility, NodeId, Packing, Type};
use abeyance_kernels::conv::interleaved::LANES;

use super::draft::{Computation, Draft, Instruction, Kind, Layout, Source, ValueId};
use super::lowering::interleaved_dims;
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

type Check = Result<(), String>;

/// An error unless a rule holds.
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
            Source::Computed(computation) => {
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
        ensure(!refers && !instruction.is_interleaved(), || {
            format!("{value} does not run and refers to others or has a layout")
        })?;
    }
    Ok(())
}

/// A number of bytes, for messages.
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
    if let Layout::Interleaved(dims) = &instruction.layout {
        let wanted = interleaved_dims(draft.shapes.dims(instruction.node));
        ensure(**dims == *wanted, || format!("{value} is interleaved as what its node is not"))?;
    }
    let described = &draft.session.graph.node(instruction.node).operands;
    if computation.kind == Kind::Convert {
        let [operand] = instruction.operands[..] else {
            return Err(format!("{value} is a conversion of several operands"));
        };
        let from = draft.instruction(operand).is_interleaved();
        ensure(from != instruction.is_interleaved(), || format!("{value} converts nothing"))?;
        return same_bytes(draft, value, operand, instruction.node);
    }
    ensure(instruction.operands.len() == described.len(), || {
        format!("{value} has not as many operands as its node")
    })?;
    for (index, (&operand, &node)) in instruction.operands.iter().zip(described).enumerate() {
        same_bytes(draft, value, operand, node)?;
        let wanted = match &computation.kind {
            Kind::Interleaved(operands) => operands.get(index) == Some(&true),
            _ if instruction.is_interleaved() => {
                ensure(computation.fusibility == Fusibility::Elementwise, || {
                    format!("{value} is interleaved and not elementwise")
                })?;
                let len = draft.shapes.concrete(instruction.node).len();
                draft.shapes.concrete(node).len() == len
            }
            _ => false,
        };
        ensure(draft.instruction(operand).is_interleaved() == wanted, || {
            format!("{value} gets {operand} in a layout that its loops do not take")
        })?;
        if wanted {
            let dims = &draft.instruction(operand).layout;
            // Elementwise loops go by the images of the result, others by those of the operand.
            let as_node = if instruction.is_interleaved() && computation.kind == Kind::Operator {
                instruction.node
            } else {
                node
            };
            let images = |node: NodeId| draft.shapes.dims(node).first().copied();
            let images = images(as_node).map(|images| images.div_ceil(LANES));
            let found = match dims {
                Layout::Interleaved(dims) => dims.first().copied(),
                Layout::RowMajor => None,
            };
            ensure(images == found, || format!("{value} gets {operand} for other images"))?;
        }
    }
    if matches!(computation.kind, Kind::Interleaved(_)) {
        let kept = computation.kernel.get().is_some();
        ensure(kept, || format!("{value} has lost its loops on images"))?;
    }
    Ok(())
}

/// True if a value can stand where a node's was described.
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
    let Some(variable) = instruction.stores_to() else { return Ok(()) };
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
        let is_row_major = !draft.instruction(value).is_interleaved();
        ensure(is_row_major, || format!("the fetched `{}` is interleaved", name()))?;
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
        let has_producer = draft.instruction(first).fusibility() == Some(Fusibility::Opaque);
        let len = draft.concrete(first).len();
        for value in group.clone().map(ValueId::new) {
            let instruction = draft.instruction(value);
            let is_elementwise = matches!(
                instruction.fusibility(),
                Some(Fusibility::Elementwise | Fusibility::AnyRange)
            );
            ensure(is_elementwise || (value == first && has_producer), || {
                format!("{value} is in a group and not elementwise")
            })?;
            ensure(!draft.is_tuple(value) && draft.concrete(value).len() == len, || {
                format!("{value} has not as many elements as {first}, which it is fused with")
            })?;
            let reads_inside =
                instruction.operands.iter().any(|operand| group.contains(&operand.index()));
            let is_pointwise = instruction.fusibility() == Some(Fusibility::Elementwise);
            ensure(!reads_inside || is_pointwise, || {
                format!("{value} reads all of what is made piece by piece")
            })?;
        }
    }
    Ok(())
}
