//! Common subexpression elimination: an instruction that computes what an earlier one computes is
//! replaced by it.
//!
//! It is value numbering: the list is walked once, and since operands stand before their users and
//! have been replaced already, equal expressions have equal operands. Two instructions are equal if
//! they have one operator, the same operands, results of the same shapes, and attributes that are
//! the same bit for bit. Two constants are equal if they have one type and the same bytes: `0.0`
//! and `-0.0` differ, and a NaN equals itself.
//!
//! Not shared: what draws from a random stream, writes a variable, or observes.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use abeyance_ir::Layout;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::Pass;
use crate::Error;
use crate::plan::draft::{Draft, Instruction, Kind, Renaming, Source, ValueId};

pub(crate) struct Cse;

impl Pass for Cse {
    fn name(&self) -> &'static str {
        "cse"
    }

    fn run(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let count = draft.instructions.len();
        let mut renaming = Renaming::empty(count);
        let mut known =
            Known { values: HashTable::with_capacity(count), hasher: RandomState::new() };
        let old = std::mem::take(&mut draft.instructions);
        draft.instructions.reserve(old.len());
        for (index, mut instruction) in old.into_iter().enumerate() {
            let value = ValueId::new(index);
            let controls = std::mem::take(&mut instruction.runs_after);
            let before = instruction.operands.clone();
            renaming.apply(&mut instruction).ok_or_else(super::missing)?;
            let new = ValueId::new(draft.instructions.len());
            let found = known.find_or_insert(draft, &instruction, new);
            if let Some(found) = found {
                renaming.set(value, Some(found));
                renaming.replace(value, &before, &controls, draft.instruction(found).runs());
                continue;
            }
            instruction.runs_after = renaming.completion(&controls).into_iter().collect();
            renaming.set(value, Some(new));
            draft.instructions.push(instruction);
        }
        draft.rename(&renaming);
        Ok(())
    }
}

/// The values so far that others may be equal to, under the hashes of their expressions.
struct Known {
    values: HashTable<ValueId>,
    hasher: RandomState,
}

impl Known {
    /// Finds an earlier value that is equal to the instruction's. Where there is none, the
    /// instruction's is noted as `new`.
    fn find_or_insert(
        &mut self,
        draft: &Draft<'_>,
        instruction: &Instruction,
        new: ValueId,
    ) -> Option<ValueId> {
        if !is_shareable(draft, instruction) {
            return None;
        }
        let entry = self.values.entry(
            hash(&self.hasher, draft, instruction),
            |&other| are_equal(draft, instruction, draft.instruction(other)),
            |&other| hash(&self.hasher, draft, draft.instruction(other)),
        );
        match entry {
            Entry::Occupied(found) => Some(*found.get()),
            Entry::Vacant(vacant) => {
                vacant.insert(new);
                None
            }
        }
    }
}

/// True if another instruction may stand for this one.
fn is_shareable(draft: &Draft<'_>, instruction: &Instruction) -> bool {
    match &instruction.source {
        Source::Feed(_) | Source::Variable(_) => false,
        Source::Constant(_) => true,
        Source::Computed(_) => {
            let kind = draft.computation(instruction).map(|computation| computation.kind);
            kind == Some(Kind::Operator)
                && instruction.layout == Layout::RowMajor
                && draft.is_pure(instruction.node)
        }
    }
}

fn are_equal(draft: &Draft<'_>, one: &Instruction, other: &Instruction) -> bool {
    if draft.shapes.items(one.node) != draft.shapes.items(other.node) {
        return false;
    }
    match (&one.source, &other.source) {
        (Source::Constant(one), Source::Constant(other)) => one == other,
        (Source::Computed(_), Source::Computed(_)) => {
            let graph = &draft.session.graph;
            one.operands == other.operands
                && graph.node(one.node).operator.is(&graph.node(other.node).operator)
                && draft
                    .shapes
                    .attributes(one.node)
                    .is_identical(&draft.shapes.attributes(other.node))
        }
        _ => false,
    }
}

fn hash(hasher: &RandomState, draft: &Draft<'_>, instruction: &Instruction) -> u64 {
    /// The bytes of a constant that are hashed: those behind seldom tell two apart.
    const HASHED: usize = 64;
    let mut hasher = hasher.build_hasher();
    match &instruction.source {
        Source::Constant(bytes) => {
            bytes.len().hash(&mut hasher);
            bytes.get(..HASHED).unwrap_or(bytes).hash(&mut hasher);
        }
        _ => {
            let node = draft.session.graph.node(instruction.node);
            node.operator.signature().name.hash(&mut hasher);
            instruction.operands.hash(&mut hasher);
            draft.shapes.attributes(instruction.node).hash_bits(&mut hasher);
        }
    }
    hasher.finish()
}
