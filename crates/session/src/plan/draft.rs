//! The draft of a plan: instructions in an order in which they can run, each of which makes one
//! value.
//!
//! A draft is in static single assignment: a value is the instruction that makes it, and operands
//! stand before their users. [`Draft::new`](super::translate) makes one of the live nodes,
//! [`passes`](super::passes) rewrite it, [`verify`](super::verify) checks it, and
//! [`emit`](super::emit) makes tasks of it. An instruction's kernel is made when it is first asked
//! for, and once ([`lowering`](super::lowering)). `Display` prints a draft.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use abeyance_ir::{Concrete, Effect, Fusibility, Layout, LayoutRule, NodeId, Type};
use abeyance_kernels::launch::Kernel;
use smallvec::SmallVec;

use super::shapes::Shapes;
use super::{SessionGraph, VariableIndex};

/// A value of a draft, by the index of the instruction that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ValueId(u32);

impl ValueId {
    pub(crate) fn new(index: usize) -> Self {
        Self(index as u32)
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The source of a value.
pub(crate) enum Source {
    /// The feed of this index.
    Feed(usize),
    /// The variable, as it was before the run.
    Variable(VariableIndex),
    /// Known bytes, little-endian.
    Constant(Arc<[u8]>),
    /// Loops that run.
    Computed(ComputationId),
}

/// A computation of a draft.
///
/// They are kept in one list, and not each by its instruction, since kernels are what a run walks
/// through: those of a plan lie next to each other where nothing else is allocated between them. A
/// chain of a million nodes runs twice as fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ComputationId(u32);

impl ComputationId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The loops of an instruction, and how they may be fused and laid out.
pub(crate) struct Computation {
    pub(crate) kind: Kind,
    /// The loops with which they may be fused.
    pub(crate) fusibility: Fusibility,
    /// The variable whose value after the run the result is.
    pub(crate) stores_to: Option<VariableIndex>,
    /// The loops, once they have been asked for.
    pub(crate) kernel: OnceCell<Kernel>,
    /// The layouts besides row-major order in which the operator has loops.
    pub(crate) layouts: Vec<LayoutRule>,
}

/// The kinds of computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The node's operator, in the layouts of the operands and the result.
    Operator,
    /// A copy of the operand's value to another layout.
    Reorder,
}

impl Computation {
    /// Makes a computation that is lowered when its kernel is asked for.
    pub(crate) fn new(kind: Kind, fusibility: Fusibility) -> Self {
        Self { kind, fusibility, stores_to: None, kernel: OnceCell::new(), layouts: Vec::new() }
    }
}

/// An instruction: how a value is made.
pub(crate) struct Instruction {
    /// The node whose value it is: it gives the type, and the name in messages.
    pub(crate) node: NodeId,
    pub(crate) source: Source,
    pub(crate) operands: SmallVec<[ValueId; 3]>,
    /// The values whose loops have to be over before this starts, besides its operands.
    pub(crate) runs_after: SmallVec<[ValueId; 1]>,
    /// The order of the value's elements in memory.
    pub(crate) layout: Layout,
}

impl Instruction {
    /// True if it has loops.
    pub(crate) fn runs(&self) -> bool {
        matches!(self.source, Source::Computed(_))
    }

    pub(crate) fn is_row_major(&self) -> bool {
        self.layout == Layout::RowMajor
    }
}

/// The values that must have run for something that has none of its own.
pub(crate) type Completion = SmallVec<[ValueId; 2]>;

/// A plan while passes change it: instructions, and the values of nodes.
pub(crate) struct Draft<'a> {
    pub(crate) session: &'a SessionGraph,
    pub(crate) shapes: &'a Shapes<'a>,
    pub(crate) fetches: &'a [NodeId],
    pub(crate) instructions: Vec<Instruction>,
    /// The computations of all instructions, also of some that passes have dropped.
    pub(super) computations: Vec<Computation>,
    /// Instructions that run as one loop: ranges that do not overlap, in increasing order. The
    /// first of a range may be a producer, into whose pieces the others are fused.
    pub(crate) groups: Vec<Range<usize>>,
    /// By node, its value.
    pub(super) values: Vec<Option<ValueId>>,
    /// By node without a value that runs: the values that have to run for it.
    pub(super) completions: HashMap<NodeId, Completion>,
    /// True if a random stream is drawn from.
    pub(crate) random: bool,
    /// The bytes that loops hold beyond themselves, as far as they are known: those of bodies, and
    /// of what is copied.
    pub(crate) held: Cell<usize>,
}

impl Draft<'_> {
    /// The value of a node; `None` if it has none.
    pub(crate) fn value(&self, node: NodeId) -> Option<ValueId> {
        self.values[node.index()]
    }

    /// The values that have to run for a node without a value that runs.
    pub(crate) fn completion(&self, node: NodeId) -> &[ValueId] {
        self.completions.get(&node).map_or(&[], |values| values)
    }

    pub(crate) fn instruction(&self, value: ValueId) -> &Instruction {
        &self.instructions[value.index()]
    }

    /// Adds a computation, and makes the source of an instruction that runs it.
    pub(crate) fn compute(&mut self, computation: Computation) -> Source {
        self.computations.push(computation);
        Source::Computed(ComputationId((self.computations.len() - 1) as u32))
    }

    /// An instruction's loops; `None` if its value is there before the run.
    pub(crate) fn computation(&self, instruction: &Instruction) -> Option<&Computation> {
        match instruction.source {
            Source::Computed(id) => Some(&self.computations[id.index()]),
            _ => None,
        }
    }

    /// An instruction's loops, for a change; `None` if its value is there before the run.
    pub(crate) fn computation_mut(
        &mut self,
        instruction: &Instruction,
    ) -> Option<&mut Computation> {
        match instruction.source {
            Source::Computed(id) => Some(&mut self.computations[id.index()]),
            _ => None,
        }
    }

    /// How an instruction's loops may be fused; `None` if it has none.
    pub(crate) fn fusibility(&self, instruction: &Instruction) -> Option<Fusibility> {
        self.computation(instruction).map(|computation| computation.fusibility)
    }

    /// The variable whose value after the run an instruction's result is.
    pub(crate) fn stores_to(&self, instruction: &Instruction) -> Option<VariableIndex> {
        self.computation(instruction).and_then(|computation| computation.stores_to)
    }

    /// All values, in the order in which they can be made.
    pub(crate) fn ids(&self) -> impl DoubleEndedIterator<Item = ValueId> + use<> {
        (0..self.instructions.len()).map(ValueId::new)
    }

    /// Element type, sizes and layout of a value that is no tuple.
    pub(crate) fn concrete(&self, value: ValueId) -> Concrete<'_> {
        let &Instruction { node, layout, .. } = self.instruction(value);
        Concrete { layout, ..self.shapes.concrete(node) }
    }

    /// True if a value is several arrays in one buffer.
    pub(crate) fn is_tuple(&self, value: ValueId) -> bool {
        matches!(self.session.graph.node(self.instruction(value).node).ty, Type::Tuple(_))
    }

    /// The bytes of a value that is known.
    pub(crate) fn constant(&self, value: ValueId) -> Option<&Arc<[u8]>> {
        match &self.instruction(value).source {
            Source::Constant(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// True if a node computes from its operands alone: the same ones always give the same value,
    /// and nobody sees whether it is computed once, twice or not at all.
    pub(crate) fn is_pure(&self, node: NodeId) -> bool {
        let data = self.session.graph.node(node);
        !data.is_random() && data.operator.signature().effect != Effect::Write && !data.observes()
    }

    /// True if a node has to run though nobody needs its value.
    pub(crate) fn has_effect(&self, node: NodeId) -> bool {
        let data = self.session.graph.node(node);
        data.operator.signature().effect == Effect::Write || data.observes()
    }

    /// By value, how often it is read or fetched.
    pub(crate) fn uses(&self) -> Vec<u32> {
        let mut uses = vec![0; self.instructions.len()];
        for fetched in self.fetches.iter().filter_map(|&fetch| self.value(fetch)) {
            uses[fetched.index()] += 1;
        }
        for operand in self.instructions.iter().flat_map(|instruction| &instruction.operands) {
            uses[operand.index()] += 1;
        }
        uses
    }

    /// Renames the values of nodes, once a pass has renamed those in instructions.
    pub(crate) fn rename(&mut self, renaming: &Renaming) {
        for value in &mut self.values {
            *value = value.and_then(|value| renaming.value(value));
        }
        for values in self.completions.values_mut() {
            *values = renaming.completion(values);
        }
    }
}

/// A pass's renaming of values: for each before the pass, the one that stands for it.
pub(crate) struct Renaming {
    values: Vec<Option<ValueId>>,
    /// By value before the pass that does not run any more, or whose successor does not wait for
    /// all that it waited for: what has run once it would have.
    completions: HashMap<ValueId, Completion>,
}

impl Renaming {
    /// Makes a renaming that keeps each of `count` values.
    pub(crate) fn identity(count: usize) -> Self {
        let values = (0..count).map(|index| Some(ValueId::new(index))).collect();
        Self { values, completions: HashMap::new() }
    }

    /// Makes a renaming of `count` values, none of which has a successor yet.
    pub(crate) fn empty(count: usize) -> Self {
        Self { values: vec![None; count], completions: HashMap::new() }
    }

    /// Sets the value that stands for one before; `None` if it is gone.
    pub(crate) fn set(&mut self, old: ValueId, new: Option<ValueId>) {
        self.values[old.index()] = new;
    }

    /// The value that stands for one before; `None` if it is gone.
    pub(crate) fn value(&self, old: ValueId) -> Option<ValueId> {
        self.values[old.index()]
    }

    /// Notes that instructions that ran after a value have to run after its successor, if that
    /// `runs`, and after the values that only it waited for. `operands` and `runs_after` are the
    /// value's before the pass.
    pub(crate) fn replace(
        &mut self,
        old: ValueId,
        operands: &[ValueId],
        runs_after: &[ValueId],
        runs: bool,
    ) {
        let mut completion = self.completion(runs_after);
        for operand in operands {
            // What an operand's own successor does not wait for would be lost with it.
            completion.extend(self.completions.get(operand).into_iter().flatten().copied());
        }
        if completion.is_empty() && runs {
            return;
        }
        if runs {
            completion.extend(self.value(old));
        }
        completion.sort_unstable();
        completion.dedup();
        self.completions.insert(old, completion);
    }

    /// The values that have to run where these had to before the pass.
    pub(crate) fn completion(&self, old: &[ValueId]) -> Completion {
        let mut completion = Completion::new();
        for value in old {
            match self.completions.get(value) {
                Some(values) => completion.extend_from_slice(values),
                None => completion.extend(self.value(*value)),
            }
        }
        completion.sort_unstable();
        completion.dedup();
        completion
    }

    /// Renames what an instruction refers to. `None` if an operand is gone.
    pub(crate) fn apply(&self, instruction: &mut Instruction) -> Option<()> {
        instruction.runs_after = self.completion(&instruction.runs_after).into_iter().collect();
        for operand in &mut instruction.operands {
            *operand = self.value(*operand)?;
        }
        Some(())
    }
}
