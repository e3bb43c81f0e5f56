//! Lowering: from operators to kernels, at known shapes and layouts.
//!
//! An operator is lowered once. A whole or piecewise one is when the draft is made, to know whether
//! it aliases an operand or is a constant; so is an elementwise one whose operands are of as many
//! elements or scalars, as the loop over all of them in a row, which serves alone and in a fused
//! loop alike. What is certain to have a kernel waits until its form is known: an elementwise
//! operator that stretches operands (alone, or for a row), one that also has loops in other
//! layouts, one with bodies (whose plans are not made for an instruction that goes).

use std::sync::Arc;

use abeyance_ir::{
    Concrete, Dims, Fault, Fusibility, Layout, LayoutRule, Lowered, Lowering, NodeId,
};
use abeyance_kernels::fused::{self, Fused, Operation};
use abeyance_kernels::launch::{Cost, Kernel, Source as Read};
use abeyance_kernels::layout::Reorder;
use abeyance_kernels::{elementwise, elementwise_chunk};
use smallvec::SmallVec;

use super::body::Bodies;
use super::draft::{Draft, Instruction, Kind, Source, ValueId};
use crate::Error;

/// The answers of a node's operator, for which it is asked when its instruction is made.
pub(super) struct Survey {
    pub(super) fusibility: Fusibility,
    /// The layouts besides row-major order in which it has loops.
    pub(super) layouts: Vec<LayoutRule>,
    /// The lowered operator; `None` where lowering can wait until the kernel is asked for.
    pub(super) lowered: Option<Lowered>,
}

impl Draft<'_> {
    /// An instruction's kernel, which is lowered the first time that it is asked for.
    pub(crate) fn kernel(&self, value: ValueId) -> Result<&Kernel, Error> {
        let instruction = self.instruction(value);
        let Some(computation) = self.computation(instruction) else {
            return Err(Error::Internal("what does not run has no kernel".to_owned()));
        };
        if let Some(kernel) = computation.kernel.get() {
            return Ok(kernel);
        }
        let kernel = match computation.kind {
            Kind::Operator => {
                if computation.fusibility == Fusibility::Elementwise
                    && self.stretches(instruction.node)
                {
                    self.lower_stretching(instruction)?
                } else {
                    let lowered = self.lower(instruction, computation.fusibility)?;
                    self.kernel_of(instruction.node, lowered)
                }
            }
            Kind::Reorder => {
                let concrete = self.shapes.concrete(instruction.node);
                Reorder::new(concrete.dims).to(instruction.layout, concrete.dtype.size())
            }
        };
        Ok(computation.kernel.get_or_init(|| kernel))
    }

    /// Takes an instruction's kernel out of it, lowered if it was not before.
    pub(crate) fn take_kernel(&mut self, value: ValueId) -> Result<Kernel, Error> {
        self.kernel(value)?;
        let Source::Computed(id) = self.instruction(value).source else {
            return Ok(Kernel::default());
        };
        Ok(self.computations[id.index()].kernel.take().unwrap_or_default())
    }

    /// True if a node computes, elementwise, from whole arrays and scalars: then its loop over all
    /// elements in a row is its loop over any row of them.
    pub(crate) fn is_flat(&self, node: NodeId) -> bool {
        let operands = &self.session.graph.node(node).operands;
        self.shapes.concrete(node).len() > 1 && !operands.is_empty() && !self.stretches(node)
    }

    /// True if a node that computes elementwise repeats elements of an operand.
    fn stretches(&self, node: NodeId) -> bool {
        let len = self.shapes.concrete(node).len();
        let operands = &self.session.graph.node(node).operands;
        let fits = |&operand: &NodeId| [len, 1].contains(&self.shapes.concrete(operand).len());
        len > 1 && !operands.iter().all(fits)
    }

    /// Asks a node's operator for all that its instruction depends on.
    pub(super) fn survey(&self, node: NodeId) -> Result<Survey, Error> {
        let graph = &self.session.graph;
        let operator = &graph.node(node).operator;
        self.ask(node, &[], Layout::RowMajor, |lowering| {
            let fusibility = operator.fusibility(lowering);
            let mut survey = Survey { fusibility, layouts: Vec::new(), lowered: None };
            match fusibility {
                Fusibility::Elementwise if self.is_flat(node) => {
                    survey.lowered = Some(self.lower_flat(node)?);
                }
                Fusibility::Elementwise if self.stretches(node) => {}
                Fusibility::Elementwise | Fusibility::AnyRange => {
                    survey.lowered = Some(self.checked(node, lowering)?);
                }
                Fusibility::Opaque => {
                    survey.layouts = operator.layouts(lowering);
                    if survey.layouts.is_empty() {
                        survey.lowered = Some(self.checked(node, lowering)?);
                    }
                }
            }
            Ok(survey)
        })
    }

    /// An instruction's operator lowered at the node's shapes and the instruction's layouts.
    fn lower(&self, instruction: &Instruction, fusibility: Fusibility) -> Result<Lowered, Error> {
        let node = instruction.node;
        if fusibility == Fusibility::Elementwise && self.is_flat(node) {
            return self.lower_flat(node);
        }
        let layouts = instruction.operands.iter().map(|&operand| self.instruction(operand).layout);
        let layouts: SmallVec<[Layout; 3]> = layouts.collect();
        self.ask(node, &layouts, instruction.layout, |lowering| self.checked(node, lowering))
    }

    /// The loop of an elementwise node that [is flat](Self::is_flat), over all elements as a row.
    fn lower_flat(&self, node: NodeId) -> Result<Lowered, Error> {
        let len = self.shapes.concrete(node).len();
        let operands = &self.session.graph.node(node).operands;
        self.lower_row(node, len, |index| self.shapes.concrete(operands[index]).len() != len)
    }

    /// The loop of an elementwise instruction that [stretches](Self::stretches) operands: a tile of
    /// each of these, stretched, and then the loop over a row.
    fn lower_stretching(&self, instruction: &Instruction) -> Result<Kernel, Error> {
        let refuse = || {
            let fault = Fault::new("an elementwise operator lowers to one step");
            Error::Request(self.session.graph.diagnose(instruction.node, fault).into())
        };
        let concrete =
            Concrete { layout: instruction.layout, ..self.shapes.concrete(instruction.node) };
        let (len, size) = (concrete.memory_len(), concrete.dtype.size());
        let row = len.min(ROW);
        let operands = &instruction.operands;
        let is_scalar = |index: usize| self.concrete(operands[index]).memory_len() == 1;
        let lowered = self.lower_row(instruction.node, row, is_scalar)?;
        let mut kernel = self.kernel_of(instruction.node, lowered);
        let (Some(step), None, true) =
            (kernel.steps.pop(), kernel.steps.pop(), kernel.scratch.is_empty())
        else {
            return Err(refuse());
        };
        let mut operations = Vec::new();
        let mut reads = SmallVec::new();
        for source in &step.reads {
            let &Read::Operand(index) = source else { return Err(refuse()) };
            let from = self.concrete(*operands.get(index).ok_or_else(refuse)?);
            reads.push(if from.memory_len() == 1 {
                fused::Read::Whole(index as u32)
            } else if from.memory_len() == len {
                fused::Read::Row(index as u32, from.dtype.size() as u32)
            } else {
                operations.push(self.stretch(instruction, index, index as u32));
                fused::Read::Value(operations.len() as u32 - 1)
            });
        }
        let read: usize = operands.iter().map(|&operand| self.concrete(operand).bytes()).sum();
        let bytes = read + concrete.bytes();
        let part = elementwise_chunk(len, bytes.div_ceil(len));
        let range = fused::Range::Row;
        operations.push(Operation { run: step.run, reads, size, range, output: Some(0) });
        let fused = Fused::new(operations, operands.len(), part).ok_or_else(refuse)?;
        let cost = Cost { flops: step.cost.flops * len as f64 / row as f64, bytes: bytes as f64 };
        let workspace = fused.workspace();
        self.held.set(self.held.get() + fused.held_bytes());
        let kernel = Kernel::single(operands.len(), part * size, cost, move |call| fused.run(call));
        Ok(kernel.with_workspace(workspace))
    }

    /// The operation that stretches an operand of an elementwise instruction, which is `input` of
    /// the loop.
    pub(super) fn stretch(&self, instruction: &Instruction, index: usize, input: u32) -> Operation {
        // The sizes are those the node was described with: the value may have been made with
        // others.
        let described = &self.session.graph.node(instruction.node).operands;
        let described = described.get(index).copied().unwrap_or(instruction.node);
        let mut own = Dims::from_slice(self.shapes.dims(described));
        if instruction.layout == Layout::Nhwc16n {
            // The operand is one and the same for all images of a block.
            own.push(1);
        }
        let to = instruction.layout.memory_dims(self.shapes.dims(instruction.node));
        Operation::broadcast(input, self.shapes.concrete(described).dtype.size(), &own, &to)
    }

    /// The loop of an elementwise instruction over a row of `len` elements of operands that are
    /// such rows, or scalars.
    pub(crate) fn lower_row(
        &self,
        node: NodeId,
        len: usize,
        scalar: impl Fn(usize) -> bool,
    ) -> Result<Lowered, Error> {
        let graph = &self.session.graph;
        let row = [len];
        let operands = graph.node(node).operands.iter().enumerate().map(|(index, &operand)| {
            let dims = if scalar(index) { &[][..] } else { &row[..] };
            Concrete::new(self.shapes.concrete(operand).dtype, dims)
        });
        let operands: SmallVec<[Concrete<'_>; 3]> = operands.collect();
        let result = Concrete::new(self.shapes.concrete(node).dtype, &row);
        let attributes = self.shapes.attributes(node);
        self.checked(
            node,
            &Lowering {
                operands: &operands,
                result,
                results: &[result],
                attributes: &attributes,
                name: &graph.random_key(node),
                seed: self.session.seed,
                bodies: &self.bodies(),
            },
        )
    }

    /// Asks a node's operator a question at the node's shapes, for operands in these layouts,
    /// row-major beyond the list, and a result in that one.
    fn ask<R>(
        &self,
        node: NodeId,
        layouts: &[Layout],
        result: Layout,
        question: impl FnOnce(&Lowering<'_>) -> R,
    ) -> R {
        let graph = &self.session.graph;
        let mut operands: SmallVec<[Concrete<'_>; 3]> = SmallVec::new();
        for (index, &operand) in graph.node(node).operands.iter().enumerate() {
            let layout = layouts.get(index).copied().unwrap_or_default();
            let items = self.shapes.items(operand).into_iter();
            operands.extend(items.map(|item| Concrete { layout, ..item }));
        }
        question(&Lowering {
            operands: &operands,
            result: Concrete { layout: result, ..self.shapes.concrete(node) },
            results: &self.shapes.items(node),
            attributes: &self.shapes.attributes(node),
            name: &graph.random_key(node),
            seed: self.session.seed,
            bodies: &self.bodies(),
        })
    }

    /// The kernel of a lowered operator: a copy where the result is known, or an operand's.
    pub(super) fn kernel_of(&self, node: NodeId, lowered: Lowered) -> Kernel {
        match lowered {
            Lowered::Kernel(kernel) => kernel,
            Lowered::Alias(index) => copy_operand(index, self.shapes.concrete(node).bytes()),
            Lowered::Constant(bytes) => {
                self.held.set(self.held.get() + bytes.len());
                copy_bytes(Arc::from(bytes))
            }
        }
    }

    fn bodies(&self) -> Bodies<'_> {
        Bodies { session: self.session, shapes: self.shapes, held: &self.held }
    }

    /// Lowers an operator, and checks that it gives as many bytes as its result has.
    fn checked(&self, node: NodeId, lowering: &Lowering<'_>) -> Result<Lowered, Error> {
        let graph = &self.session.graph;
        let refuse = |fault| Error::Request(graph.diagnose(node, fault).into());
        let lowered = graph.node(node).operator.lower(lowering).map_err(refuse)?;
        let wanted = lowering.result.bytes();
        let found = match &lowered {
            Lowered::Alias(index) => lowering.operands.get(*index).map(Concrete::bytes),
            Lowered::Constant(bytes) => Some(bytes.len()),
            Lowered::Kernel(_) => Some(wanted),
        };
        if found != Some(wanted) {
            return Err(refuse(Fault::new(format!(
                "the operator was lowered to {} bytes where its result has {wanted}",
                found.unwrap_or(0)
            ))));
        }
        Ok(lowered)
    }
}

/// The elements for which the loop of a row is lowered where operands have to be stretched; any
/// number up to what a part has would do.
pub(super) const ROW: usize = 4096;

/// A kernel that copies an operand of `len` bytes.
fn copy_operand(index: usize, len: usize) -> Kernel {
    let mut kernel = Kernel::single(1, elementwise_chunk(len, 2), copy_cost(len), |call| {
        let start = call.start::<u8>();
        elementwise::copy(call.input::<u8>(0), call.output(), start);
        Ok(())
    });
    for step in &mut kernel.steps {
        step.reads = [Read::Operand(index)].into_iter().collect();
    }
    kernel
}

/// A kernel that copies these bytes.
fn copy_bytes(bytes: Arc<[u8]>) -> Kernel {
    let len = bytes.len();
    Kernel::single(0, elementwise_chunk(len, 2), copy_cost(len), move |call| {
        let start = call.start::<u8>();
        elementwise::copy(&bytes, call.output(), start);
        Ok(())
    })
}

fn copy_cost(len: usize) -> Cost {
    Cost { flops: 0.0, bytes: 2.0 * len as f64 }
}
