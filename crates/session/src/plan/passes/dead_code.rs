//! Dead code elimination: instructions whose values nobody needs are removed.
//!
//! Liveness is propagated backwards over the list, which needs one walk since operands stand before
//! their users. The roots are the fetches and whatever acts (writes a variable, or observes); what
//! a live instruction reads or has to run after is live.
//!
//! It is in every plan, also where a session leaves out all passes: a run never computes what
//! nobody asked for, such as the operand of a node that its operator lowered to known bytes.

use fixedbitset::FixedBitSet;

use super::Pass;
use crate::Error;
use crate::plan::draft::{Draft, Renaming, ValueId};

pub(crate) struct DeadCode;

impl Pass for DeadCode {
    fn name(&self) -> &'static str {
        "dead_code"
    }

    fn is_required(&self) -> bool {
        true
    }

    fn run(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let live = live(draft);
        let (count, left) = (draft.instructions.len(), live.count_ones(..));
        if left == count {
            return Ok(());
        }
        let mut renaming = Renaming::empty(count);
        let old = std::mem::replace(&mut draft.instructions, Vec::with_capacity(left));
        for (index, mut instruction) in old.into_iter().enumerate() {
            if !live.contains(index) {
                continue;
            }
            renaming.apply(&mut instruction).ok_or_else(super::missing)?;
            renaming.set(ValueId::new(index), Some(ValueId::new(draft.instructions.len())));
            draft.instructions.push(instruction);
        }
        draft.rename(&renaming);
        Ok(())
    }
}

/// The values that somebody needs.
fn live(draft: &Draft<'_>) -> FixedBitSet {
    let mut live = FixedBitSet::with_capacity(draft.instructions.len());
    for &fetch in draft.fetches {
        for value in draft.value(fetch).iter().chain(draft.completion(fetch)) {
            live.insert(value.index());
        }
    }
    for value in draft.ids().rev() {
        let instruction = draft.instruction(value);
        if instruction.runs() && draft.has_effect(instruction.node) {
            live.insert(value.index());
        }
        if live.contains(value.index()) {
            for needed in instruction.operands.iter().chain(&instruction.runs_after) {
                live.insert(needed.index());
            }
        }
    }
    live
}
