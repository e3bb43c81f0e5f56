//! Layout assignment: images stay interleaved between the operators that compute with sixteen at
//! once.
//!
//! A convolution of many images interleaves them, computes, and puts its result back into row-major
//! order ([`abeyance_kernels::conv::interleaved`]). Where the next one would interleave it again,
//! and what is between them is elementwise, the interleaved layout is propagated forwards over all
//! of it: the same loops on the same numbers in another order in memory. It is one walk over the
//! list. An operator with loops on images takes those, an elementwise instruction takes the layout
//! of its operands where each can be had so, and a conversion is put in, once for each value, where
//! another layout is needed.

use abeyance_ir::{Concrete, Fusibility, NodeId};
use smallvec::SmallVec;

use super::{Pass, missing};
use crate::Error;
use crate::plan::draft::{
    Computation, Draft, Instruction, Kind, Layout, Renaming, Source, ValueId,
};
use crate::plan::lowering::interleaved_dims;

/// The pass; a layout itself is a [`Layout`].
pub(crate) struct Layouts;

impl Pass for Layouts {
    fn name(&self) -> &'static str {
        "layout"
    }

    fn run(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let offers = |instruction: &Instruction| {
            instruction.computation().is_some_and(|computation| computation.interleaving.is_some())
        };
        if !draft.instructions.iter().any(offers) {
            return Ok(());
        }
        let old = std::mem::take(&mut draft.instructions);
        let count = old.len();
        draft.instructions.reserve(count + count / 8);
        let (row_major, interleaved) = (Renaming::empty(count), vec![None; count]);
        let mut rewrite = Rewrite { draft, row_major, interleaved };
        for (index, instruction) in old.into_iter().enumerate() {
            rewrite.visit(ValueId::new(index), instruction)?;
        }
        let fetches = rewrite.draft.fetches;
        for &fetch in fetches {
            if let Some(value) = rewrite.draft.value(fetch) {
                rewrite.row_major(value)?;
            }
        }
        let Rewrite { row_major: mut renaming, interleaved, draft } = rewrite;
        for (index, interleaved) in interleaved.into_iter().enumerate() {
            let value = ValueId::new(index);
            if let (None, Some(interleaved)) = (renaming.value(value), interleaved) {
                renaming.set(value, Some(interleaved.value));
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
    /// By value before the pass, the interleaved one.
    interleaved: Vec<Option<Interleaved>>,
}

/// An interleaved value. The same bytes can stand for other shapes, with other numbers of images,
/// whose interleaved forms are others.
#[derive(Clone, Copy)]
struct Interleaved {
    value: ValueId,
    images: usize,
}

impl Rewrite<'_, '_> {
    fn push(&mut self, instruction: Instruction) -> ValueId {
        self.draft.instructions.push(instruction);
        ValueId::new(self.draft.instructions.len() - 1)
    }

    /// The value in either layout, row-major if it is there.
    fn either(&self, value: ValueId) -> Option<ValueId> {
        let interleaved = self.interleaved[value.index()];
        self.row_major.value(value).or(interleaved.map(|interleaved| interleaved.value))
    }

    /// The value's type in row-major order.
    fn concrete(&self, value: ValueId) -> Concrete<'_> {
        let node = self.draft.instruction(self.either(value).unwrap_or(value)).node;
        self.draft.shapes.concrete(node)
    }

    /// The value in row-major order, converted if need be.
    fn row_major(&mut self, value: ValueId) -> Result<ValueId, Error> {
        if let Some(row_major) = self.row_major.value(value) {
            return Ok(row_major);
        }
        let interleaved = self.interleaved[value.index()].ok_or_else(missing)?.value;
        let node = self.draft.instruction(interleaved).node;
        let row_major = self.convert(interleaved, node, Layout::RowMajor);
        self.row_major.set(value, Some(row_major));
        Ok(row_major)
    }

    /// The value interleaved, as the images of `node`, in whose place it stands.
    fn interleaved(&mut self, value: ValueId, node: NodeId) -> Result<ValueId, Error> {
        let images = self.images(node);
        let there = self.interleaved[value.index()].filter(|there| there.images == images);
        if let Some(interleaved) = there {
            return Ok(interleaved.value);
        }
        let row_major = self.row_major(value)?;
        let interleaved = self.convert(row_major, node, self.layout(node));
        self.interleaved[value.index()].get_or_insert(Interleaved { value: interleaved, images });
        Ok(interleaved)
    }

    fn convert(&mut self, operand: ValueId, node: NodeId, layout: Layout) -> ValueId {
        self.push(Instruction {
            node,
            source: Source::Computed(Box::new(Computation::new(Kind::Convert, Fusibility::Opaque))),
            operands: SmallVec::from_slice(&[operand]),
            runs_after: SmallVec::new(),
            layout,
        })
    }

    fn images(&self, node: NodeId) -> usize {
        self.draft.shapes.dims(node).first().copied().unwrap_or(1)
    }

    /// The layout of a node's images interleaved.
    fn layout(&self, node: NodeId) -> Layout {
        Layout::Interleaved(interleaved_dims(self.draft.shapes.dims(node)))
    }

    fn visit(&mut self, value: ValueId, mut instruction: Instruction) -> Result<(), Error> {
        for before in &mut instruction.runs_after {
            *before = self.either(*before).ok_or_else(missing)?;
        }
        if let Source::Computed(computation) = &mut instruction.source
            && let Some(interleaving) = computation.interleaving.take()
            && computation.stores_to.is_none()
        {
            computation.kind = Kind::Interleaved(interleaving.operands);
            computation.kernel = interleaving.kernel.into();
            return self.visit_images(value, instruction, interleaving.result);
        }
        let interleaves = self.interleaves(&instruction);
        for index in 0..instruction.operands.len() {
            let operand = instruction.operands[index];
            instruction.operands[index] = if interleaves && self.is_full(&instruction, operand) {
                self.interleaved(operand, instruction.node)?
            } else {
                self.row_major(operand)?
            };
        }
        if interleaves {
            instruction.layout = self.layout(instruction.node);
        }
        self.finish(value, instruction);
        Ok(())
    }

    /// An operator that computes on images.
    fn visit_images(
        &mut self,
        value: ValueId,
        mut instruction: Instruction,
        result: bool,
    ) -> Result<(), Error> {
        let graph = &self.draft.session.graph;
        let described: SmallVec<[NodeId; 3]> =
            graph.node(instruction.node).operands.clone().into_iter().collect();
        for (index, &node) in described.iter().enumerate() {
            let operand = *instruction.operands.get(index).ok_or_else(missing)?;
            let takes = match instruction.computation().map(|computation| &computation.kind) {
                Some(Kind::Interleaved(operands)) => operands.get(index) == Some(&true),
                _ => false,
            };
            instruction.operands[index] = if takes {
                // As what the operator was described with: the value may be that of another shape.
                self.interleaved(operand, node)?
            } else {
                self.row_major(operand)?
            };
        }
        if result {
            instruction.layout = self.layout(instruction.node);
        }
        self.finish(value, instruction);
        Ok(())
    }

    fn finish(&mut self, value: ValueId, instruction: Instruction) {
        let (is_interleaved, node) = (instruction.is_interleaved(), instruction.node);
        let new = self.push(instruction);
        if is_interleaved {
            let images = self.images(node);
            self.interleaved[value.index()] = Some(Interleaved { value: new, images });
        } else {
            self.row_major.set(value, Some(new));
        }
    }

    /// True if an operand has as many elements as an elementwise instruction's result.
    fn is_full(&self, instruction: &Instruction, operand: ValueId) -> bool {
        self.concrete(operand).len() == self.draft.shapes.concrete(instruction.node).len()
    }

    /// True if an elementwise instruction is to be done on interleaved images: one of its operands
    /// is there so and not otherwise, and the others can be had so or are the same for all images.
    fn interleaves(&self, instruction: &Instruction) -> bool {
        let is_elementwise = instruction.fusibility() == Some(Fusibility::Elementwise);
        if !is_elementwise || instruction.stores_to().is_some() {
            return false;
        }
        let shapes = self.draft.shapes;
        let dims = shapes.dims(instruction.node);
        let Some(&images) = dims.first().filter(|&&images| images > 1) else {
            return false;
        };
        let data = self.draft.session.graph.node(instruction.node);
        let mut found = false;
        let fits = instruction.operands.iter().enumerate().all(|(index, &operand)| {
            if self.is_full(instruction, operand) {
                found |= self.row_major.value(operand).is_none();
                return self.concrete(operand).dims.first() == Some(&images);
            }
            // Told by the sizes the node was described with.
            let own = data.operands.get(index).map_or(&[][..], |&node| shapes.dims(node));
            own.len() < dims.len() || own.first() == Some(&1)
        });
        fits && found
    }
}
