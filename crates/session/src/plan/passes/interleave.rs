//! Layout: images stay interleaved between the operators that compute with sixteen at once.
//!
//! A convolution of many images interleaves them, computes, and puts its result back into order (see
//! [`abeyance_kernels::conv::interleaved`]). Where the next one would interleave it again, and what is between them is
//! elementwise, all of it is done on interleaved images instead: the same loops on the same numbers in another order in
//! memory. What needs the usual order gets it, once.

use abeyance_ir::{Concrete, Dims, Locality, NodeId};
use abeyance_kernels::conv::interleaved::{Interleaved, LANES};
use smallvec::SmallVec;

use crate::Error;
use crate::plan::draft::{Draft, Instruction, ValueId, Work};

/// Rewrites a draft whose fetches are these.
pub(crate) fn interleave(draft: &mut Draft<'_>, fetches: &[NodeId]) -> Result<(), Error> {
    let old = std::mem::take(&mut draft.instructions);
    let count = old.len();
    let mut pass = Pass { draft, plain: vec![None; count], lanes: vec![None; count] };
    for (index, instruction) in old.into_iter().enumerate() {
        pass.visit(ValueId::new(index), instruction)?;
    }
    let fetched = fetches.iter().filter_map(|&fetch| pass.draft.value(fetch));
    for value in fetched.collect::<Vec<_>>() {
        pass.plain(value)?;
    }
    let Pass { plain, lanes, draft } = pass;
    draft.renumber(|value| plain[value.index()].or(lanes[value.index()].map(|lanes| lanes.value)));
    Ok(())
}

struct Pass<'d, 'a> {
    draft: &'d mut Draft<'a>,
    /// By value before the pass, the one in the usual order, and the interleaved one.
    plain: Vec<Option<ValueId>>,
    lanes: Vec<Option<Lanes>>,
}

/// An interleaved value. The same bytes can stand for other shapes, with other numbers of images, whose interleaved forms are
/// others.
#[derive(Clone, Copy)]
struct Lanes {
    value: ValueId,
    images: usize,
}

impl Pass<'_, '_> {
    fn push(&mut self, instruction: Instruction) -> ValueId {
        self.draft.instructions.push(instruction);
        ValueId::new(self.draft.instructions.len() - 1)
    }

    /// The value in the usual order or interleaved, whichever there is.
    fn there(&self, value: ValueId) -> Option<ValueId> {
        self.plain[value.index()].or(self.lanes[value.index()].map(|lanes| lanes.value))
    }

    /// The value's type, interleaved or not.
    fn concrete(&self, value: ValueId) -> Concrete<'_> {
        let there = self.there(value);
        let node = self.draft.instruction(there.unwrap_or(value)).node;
        self.draft.sizes.concrete(node)
    }

    /// The value in the usual order.
    fn plain(&mut self, value: ValueId) -> Result<ValueId, Error> {
        if let Some(plain) = self.plain[value.index()] {
            return Ok(plain);
        }
        let lanes = self.lanes[value.index()].ok_or_else(missing)?.value;
        let node = self.draft.instruction(lanes).node;
        let kernel = self.convert(node, false);
        let work = Work::Run { kernel, locality: Locality::Whole, keeps: None };
        let operands = SmallVec::from_slice(&[lanes]);
        let plain =
            self.push(Instruction { node, work, operands, after: SmallVec::new(), lanes: None });
        self.plain[value.index()] = Some(plain);
        Ok(plain)
    }

    /// The value interleaved, as the images of `node`, in whose place it stands.
    fn lanes(&mut self, value: ValueId, node: NodeId) -> Result<ValueId, Error> {
        let images = self.images(node);
        if let Some(lanes) = self.lanes[value.index()].filter(|lanes| lanes.images == images) {
            return Ok(lanes.value);
        }
        let plain = self.plain(value)?;
        let kernel = self.convert(node, true);
        let work = Work::Run { kernel, locality: Locality::Whole, keeps: None };
        let operands = SmallVec::from_slice(&[plain]);
        let dims = Some(interleaved_dims(self.draft.sizes.dims(node)));
        let lanes =
            self.push(Instruction { node, work, operands, after: SmallVec::new(), lanes: dims });
        self.lanes[value.index()].get_or_insert(Lanes { value: lanes, images });
        Ok(lanes)
    }

    fn images(&self, node: NodeId) -> usize {
        self.draft.sizes.dims(node).first().copied().unwrap_or(1)
    }

    fn convert(&self, node: NodeId, interleave: bool) -> abeyance_kernels::launch::Kernel {
        let concrete = self.draft.sizes.concrete(node);
        let images = self.images(node);
        let plan = Interleaved { images, row: concrete.len() / images.max(1) };
        match (concrete.dtype.size(), interleave) {
            (1, true) => plan.interleave::<u8>(),
            (4, true) => plan.interleave::<i32>(),
            (_, true) => plan.interleave::<i64>(),
            (1, false) => plan.deinterleave::<u8>(),
            (4, false) => plan.deinterleave::<i32>(),
            (_, false) => plan.deinterleave::<i64>(),
        }
    }

    fn visit(&mut self, value: ValueId, mut instruction: Instruction) -> Result<(), Error> {
        for before in &mut instruction.after {
            *before = self.there(*before).ok_or_else(missing)?;
        }
        let form = match instruction.work {
            Work::Run { locality: Locality::Whole, keeps: None, .. } => {
                self.draft.interleaved(instruction.node)?
            }
            _ => None,
        };
        if let Some(form) = form {
            for place in 0..instruction.operands.len() {
                let operand = instruction.operands[place];
                instruction.operands[place] = match form.operands.get(place) {
                    Some(true) => {
                        // As what the operator was described with: the value may be that of another shape.
                        let data = self.draft.frozen.graph.node(instruction.node);
                        let node = *data.operands.get(place).ok_or_else(missing)?;
                        self.lanes(operand, node)?
                    }
                    _ => self.plain(operand)?,
                };
            }
            let work = Work::Run { kernel: form.kernel, locality: Locality::Whole, keeps: None };
            let lanes =
                form.result.then(|| interleaved_dims(self.draft.sizes.dims(instruction.node)));
            let (is_lanes, new) =
                (form.result, self.push(Instruction { work, lanes, ..instruction }));
            self.note(value, new, is_lanes);
            return Ok(());
        }
        let along = matches!(
            instruction.work,
            Work::Run { locality: Locality::Pointwise, keeps: None, .. }
        ) && self.stays(&instruction);
        for place in 0..instruction.operands.len() {
            let operand = instruction.operands[place];
            instruction.operands[place] = match along && self.is_full(&instruction, operand) {
                true => self.lanes(operand, instruction.node)?,
                false => self.plain(operand)?,
            };
        }
        if along {
            instruction.lanes = Some(interleaved_dims(self.draft.sizes.dims(instruction.node)));
        }
        let new = self.push(instruction);
        self.note(value, new, along);
        Ok(())
    }

    fn note(&mut self, value: ValueId, new: ValueId, lanes: bool) {
        if lanes {
            let images = self.images(self.draft.instruction(new).node);
            self.lanes[value.index()] = Some(Lanes { value: new, images });
        } else {
            self.plain[value.index()] = Some(new);
        }
    }

    /// Whether an operand has as many elements as an elementwise instruction's result.
    fn is_full(&self, instruction: &Instruction, operand: ValueId) -> bool {
        self.concrete(operand).len() == self.draft.sizes.concrete(instruction.node).len()
    }

    /// Whether an elementwise instruction is to be done on interleaved images: one of its operands is there so and not
    /// otherwise, and the others can be had so or are the same for all images.
    fn stays(&self, instruction: &Instruction) -> bool {
        let dims = self.draft.sizes.dims(instruction.node);
        let Some(&images) = dims.first().filter(|&&images| images > 1) else {
            return false;
        };
        let data = self.draft.frozen.graph.node(instruction.node);
        let mut found = false;
        let fits = instruction.operands.iter().enumerate().all(|(place, &operand)| {
            if self.is_full(instruction, operand) {
                found |= self.plain[operand.index()].is_none();
                return self.concrete(operand).dims.first() == Some(&images);
            }
            // Told by the sizes the node was described with.
            let own = data.operands.get(place).map_or(&[][..], |&node| self.draft.sizes.dims(node));
            own.len() < dims.len() || own.first() == Some(&1)
        });
        fits && found
    }
}

fn missing() -> Error {
    Error::Internal("a value of a plan is gone".to_owned())
}

/// The sizes of an interleaved array.
fn interleaved_dims(dims: &[usize]) -> Box<Dims> {
    let blocks = dims.first().copied().unwrap_or(1).div_ceil(LANES);
    let inner = dims.iter().skip(1).copied();
    Box::new(std::iter::once(blocks).chain(inner).chain([LANES]).collect())
}
