//! Layout assignment: values stay in blocked layouts between the operators that compute in them.
//!
//! A convolution of many images reorders them to blocks of sixteen (`Nhwc16n`), computes, and
//! reorders its result back to row-major order. Where the next one would reorder it again, and what
//! is between them is elementwise, the blocked layout is propagated forwards over all of it: the
//! same loops on the same numbers in another order in memory. It is one walk over the list. An
//! operator with [rules](abeyance_ir::Operator::layouts) takes its first, an elementwise
//! instruction takes the layout of its operands where each can be had so, and a reorder is put in,
//! once for each value, where another layout is needed.

use abeyance_ir::{Concrete, Fusibility, Layout, LayoutRule, NodeId};
use smallvec::SmallVec;

use super::{Pass, missing};
use crate::Error;
use crate::plan::draft::{Computation, Draft, Instruction, Kind, Renaming, ValueId};

/// The pass that assigns layouts. A layout itself is a [`Layout`].
pub(crate) struct Layouts;

impl Pass for Layouts {
    fn name(&self) -> &'static str {
        "layout"
    }

    fn run(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let offers = |instruction: &Instruction| {
            draft
                .computation(instruction)
                .is_some_and(|computation| !computation.layouts.is_empty())
        };
        if !draft.instructions.iter().any(offers) {
            return Ok(());
        }
        let old = std::mem::take(&mut draft.instructions);
        let count = old.len();
        draft.instructions.reserve(count + count / 8);
        let (row_major, blocked) = (Renaming::empty(count), vec![None; count]);
        let mut rewrite = Rewrite { draft, row_major, blocked };
        for (index, instruction) in old.into_iter().enumerate() {
            rewrite.visit(ValueId::new(index), instruction)?;
        }
        let fetches = rewrite.draft.fetches;
        for &fetch in fetches {
            if let Some(value) = rewrite.draft.value(fetch) {
                rewrite.row_major(value)?;
            }
        }
        let Rewrite { row_major: mut renaming, blocked, draft } = rewrite;
        for (index, blocked) in blocked.into_iter().enumerate() {
            let value = ValueId::new(index);
            if let (None, Some(blocked)) = (renaming.value(value), blocked) {
                renaming.set(value, Some(blocked.value));
            }
        }
        draft.rename(&renaming);
        Ok(())
    }
}

/// The list as it is written anew.
struct Rewrite<'d, 'a> {
    draft: &'d mut Draft<'a>,
    /// By value before the pass, the one in row-major order.
    row_major: Renaming,
    /// By value before the pass, the one in a blocked layout.
    blocked: Vec<Option<Blocked>>,
}

/// A value in a blocked layout. The same bytes can stand for other shapes, with other numbers of
/// images, whose blocks are others.
#[derive(Clone, Copy)]
struct Blocked {
    value: ValueId,
    layout: Layout,
    images: usize,
}

impl Rewrite<'_, '_> {
    fn push(&mut self, instruction: Instruction) -> ValueId {
        self.draft.instructions.push(instruction);
        ValueId::new(self.draft.instructions.len() - 1)
    }

    /// The value in either layout, row-major if it is there.
    fn either(&self, value: ValueId) -> Option<ValueId> {
        let blocked = self.blocked[value.index()];
        self.row_major.value(value).or(blocked.map(|blocked| blocked.value))
    }

    /// The value's type in row-major order.
    fn concrete(&self, value: ValueId) -> Concrete<'_> {
        let node = self.draft.instruction(self.either(value).unwrap_or(value)).node;
        self.draft.shapes.concrete(node)
    }

    /// The value in a layout, as an array of the sizes of `node`, in whose place it stands;
    /// reordered if need be.
    fn in_layout(
        &mut self,
        value: ValueId,
        layout: Layout,
        node: NodeId,
    ) -> Result<ValueId, Error> {
        match layout {
            Layout::RowMajor => self.row_major(value),
            blocked => self.blocked(value, blocked, node),
        }
    }

    /// The value in row-major order, reordered if need be.
    fn row_major(&mut self, value: ValueId) -> Result<ValueId, Error> {
        if let Some(row_major) = self.row_major.value(value) {
            return Ok(row_major);
        }
        let blocked = self.blocked[value.index()].ok_or_else(missing)?.value;
        let node = self.draft.instruction(blocked).node;
        let row_major = self.reorder(blocked, node, Layout::RowMajor);
        self.row_major.set(value, Some(row_major));
        Ok(row_major)
    }

    fn blocked(&mut self, value: ValueId, layout: Layout, node: NodeId) -> Result<ValueId, Error> {
        let images = self.images(node);
        let fits = |there: &Blocked| (there.layout, there.images) == (layout, images);
        if let Some(there) = self.blocked[value.index()].filter(fits) {
            return Ok(there.value);
        }
        let row_major = self.row_major(value)?;
        let blocked = self.reorder(row_major, node, layout);
        self.blocked[value.index()].get_or_insert(Blocked { value: blocked, layout, images });
        Ok(blocked)
    }

    fn reorder(&mut self, operand: ValueId, node: NodeId, layout: Layout) -> ValueId {
        let source = self.draft.compute(Computation::new(Kind::Reorder, Fusibility::Opaque));
        self.push(Instruction {
            node,
            source,
            operands: SmallVec::from_slice(&[operand]),
            runs_after: SmallVec::new(),
            layout,
        })
    }

    fn images(&self, node: NodeId) -> usize {
        self.draft.shapes.dims(node).first().copied().unwrap_or(1)
    }

    fn visit(&mut self, value: ValueId, mut instruction: Instruction) -> Result<(), Error> {
        for before in &mut instruction.runs_after {
            *before = self.either(*before).ok_or_else(missing)?;
        }
        if let Some(computation) = self.draft.computation_mut(&instruction)
            && let Some(rule) = computation.layouts.first().cloned()
            && computation.stores_to.is_none()
        {
            // One that was lowered before is row-major.
            computation.kernel.take();
            return self.visit_by_rule(value, instruction, &rule);
        }
        instruction.layout = self.elementwise_layout(&instruction).unwrap_or_default();
        for index in 0..instruction.operands.len() {
            let operand = instruction.operands[index];
            let is_full = self.is_full(&instruction, operand);
            let layout = if is_full { instruction.layout } else { Layout::RowMajor };
            instruction.operands[index] = self.in_layout(operand, layout, instruction.node)?;
        }
        self.finish(value, instruction);
        Ok(())
    }

    /// An operator that has loops in the layouts of a rule.
    fn visit_by_rule(
        &mut self,
        value: ValueId,
        mut instruction: Instruction,
        rule: &LayoutRule,
    ) -> Result<(), Error> {
        let graph = &self.draft.session.graph;
        let described: SmallVec<[NodeId; 3]> =
            graph.node(instruction.node).operands.clone().into_iter().collect();
        for (index, &node) in described.iter().enumerate() {
            let operand = *instruction.operands.get(index).ok_or_else(missing)?;
            // As what the operator was described with: the value may be that of another shape.
            instruction.operands[index] = self.in_layout(operand, rule.operand(index), node)?;
        }
        instruction.layout = rule.result;
        self.finish(value, instruction);
        Ok(())
    }

    fn finish(&mut self, value: ValueId, instruction: Instruction) {
        let (layout, images) = (instruction.layout, self.images(instruction.node));
        let new = self.push(instruction);
        match layout {
            Layout::RowMajor => self.row_major.set(value, Some(new)),
            layout => self.blocked[value.index()] = Some(Blocked { value: new, layout, images }),
        }
    }

    /// True if an operand has as many elements as an elementwise instruction's result.
    fn is_full(&self, instruction: &Instruction, operand: ValueId) -> bool {
        self.concrete(operand).len() == self.draft.shapes.concrete(instruction.node).len()
    }

    /// The layout in which an elementwise instruction is to be done, if it is a blocked one: one of
    /// its operands is there so and not otherwise, and the others can be had so or are the same for
    /// all images.
    fn elementwise_layout(&self, instruction: &Instruction) -> Option<Layout> {
        let computation = self.draft.computation(instruction)?;
        let is_elementwise = computation.fusibility == Fusibility::Elementwise;
        if !is_elementwise || computation.stores_to.is_some() {
            return None;
        }
        let shapes = self.draft.shapes;
        let dims = shapes.dims(instruction.node);
        let &images = dims.first().filter(|&&images| images > 1)?;
        let data = self.draft.session.graph.node(instruction.node);
        let mut layout = None;
        let fits = instruction.operands.iter().enumerate().all(|(index, &operand)| {
            if self.is_full(instruction, operand) {
                if self.row_major.value(operand).is_none() {
                    layout = self.blocked[operand.index()].map(|blocked| blocked.layout);
                }
                return self.concrete(operand).dims.first() == Some(&images);
            }
            // Told by the sizes the node was described with.
            let own = data.operands.get(index).map_or(&[][..], |&node| shapes.dims(node));
            own.len() < dims.len() || own.first() == Some(&1)
        });
        layout.filter(|_| fits)
    }
}
