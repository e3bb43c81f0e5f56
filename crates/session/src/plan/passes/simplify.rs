//! Algebraic simplification: an operator that undoes what its operand did is the operand's operand.
//!
//! It is a peephole over pairs: the list is walked once, and where an instruction and the one that
//! makes its operand are inverses of each other, the value before both stands for the second. So a
//! longer chain of them goes pair by pair. The first of a pair is left to
//! [`dead_code`](super::dead_code) if nobody else needs it.
//!
//! | rule | why it keeps every bit |
//! | --- | --- |
//! | `transpose(transpose(x))` is `x`, if the orders are inverses | elements only move |
//! | `neg(neg(x))` is `x` | the sign bit flips, of a NaN, too; integers wrap |
//! | `logical_not(logical_not(x))` is `x` | a truth value is 0 or 1 |
//!
//! No rule is needed for a reshape, an identity, a cast to its own type, a slice of everything and
//! the like: they are no instructions, since their operators [alias](abeyance_ir::Lowered::Alias)
//! their operand; equal instructions are [`cse`](super::cse)'s.
//!
//! Considered and refused, since a bit could change:
//!
//! - `x * 1`, `x / 1` and `x - 0` are `x`, but make a signalling NaN a quiet one;
//! - `x + 0` is 0 for -0;
//! - `x - x` and `x * 0` are not 0 for NaN and infinities, and `x * 0` is -0 for negative `x`;
//! - `exp(log(x))`, `(x * y) / y` and sums in another order round otherwise;
//! - `a + neg(b)` is `a - b` but for the sign of a NaN in `b`;
//! - `matmul(transpose(a), b)` with a flag in place of the transpose: of 10,264 pairs of products
//!   over sizes from 1 to 257 eight differed, all of `f64` with inner dimension 257, which the two
//!   cut into panels in different places.
//!
//! It knows three operators, which no other pass does.

use abeyance_graph::ops::logical::LOGICAL_NOT;
use abeyance_graph::ops::shape::{Transpose, TransposeAttributes};
use abeyance_graph::ops::unary::NEG;
use abeyance_ir::Node;

use super::{Pass, missing};
use crate::Error;
use crate::plan::draft::{Draft, Instruction, Kind, Renaming, ValueId};

pub(crate) struct Simplify;

impl Pass for Simplify {
    fn name(&self) -> &'static str {
        "simplify"
    }

    fn run(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let count = draft.instructions.len();
        let mut renaming: Option<Renaming> = None;
        for value in draft.ids() {
            let mut before = None;
            if let Some(renaming) = &renaming {
                let instruction = &mut draft.instructions[value.index()];
                before = Some(instruction.operands.clone());
                renaming.apply(instruction).ok_or_else(missing)?;
            }
            let Some(original) = undone(draft, value) else { continue };
            let runs = draft.instruction(original).runs();
            let renaming = renaming.get_or_insert_with(|| Renaming::identity(count));
            renaming.set(value, Some(original));
            let instruction = draft.instruction(value);
            // As before the pass, whose operands the renaming goes by.
            let operands = before.unwrap_or_else(|| instruction.operands.clone());
            renaming.replace(value, &operands, &instruction.runs_after, runs);
        }
        if let Some(renaming) = renaming {
            draft.rename(&renaming);
        }
        Ok(())
    }
}

/// The value that an instruction gives back by undoing what the one before it did.
fn undone(draft: &Draft<'_>, value: ValueId) -> Option<ValueId> {
    let outer = draft.instruction(value);
    let outer_node = node(draft, outer)?;
    let is_transpose = outer_node.is(&Transpose);
    if !is_transpose && !outer_node.is(&NEG) && !outer_node.is(&LOGICAL_NOT) {
        return None;
    }
    let [middle] = outer.operands[..] else { return None };
    let inner = draft.instruction(middle);
    let [original] = inner.operands[..] else { return None };
    let inner_node = node(draft, inner)?;
    // Who waits for the pair would have to wait for what it waits for.
    let waits = !outer.runs_after.is_empty() || !inner.runs_after.is_empty();
    let fits = !waits
        && outer_node.operator.is(&inner_node.operator)
        // Between them the bytes may have got other sizes.
        && draft.shapes.dims(*outer_node.operands.first()?) == draft.shapes.dims(inner.node);
    let undoes = || {
        let [outer, inner] =
            [outer_node, inner_node].map(|node| node.attributes.read::<TransposeAttributes>());
        are_inverse(&outer.order, &inner.order)
    };
    (fits && (!is_transpose || undoes())).then_some(original)
}

/// The node of an instruction, if that is one that computes, on row-major values.
fn node<'d>(draft: &'d Draft<'_>, instruction: &Instruction) -> Option<&'d Node> {
    let computation = draft.computation(instruction)?;
    let is_plain = computation.kind == Kind::Operator && instruction.is_row_major();
    is_plain.then(|| draft.session.graph.node(instruction.node))
}

/// True if a transposition undoes another. Axes may count from the end.
fn are_inverse(outer: &[i64], inner: &[i64]) -> bool {
    let rank = outer.len() as i64;
    let axis = |axis: i64| if axis < 0 { axis + rank } else { axis };
    outer.len() == inner.len()
        && outer.iter().enumerate().all(|(index, &outer)| {
            usize::try_from(axis(outer))
                .ok()
                .and_then(|outer| inner.get(outer))
                .is_some_and(|&inner| axis(inner) == index as i64)
        })
}
