//! The emission of a fusion group: one task whose loop makes a tile of each value after the other.

use std::collections::HashMap;
use std::ops::Range;

use abeyance_ir::{Fault, Fusibility};
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::fused::{self, Fused, Operation, Read};
use abeyance_kernels::launch::{Cost, Kernel, Source};
use abeyance_scheduler::{BufferId, Task, TaskId, Write};
use smallvec::SmallVec;

use super::draft::ValueId;
use super::emit::{Emitter, MISSING, emit_steps, resolve};
use super::lowering::ROW;
use crate::Error;

/// The loop of a group while it is put together.
struct Loop {
    reads: Vec<BufferId>,
    operations: Vec<Operation>,
    /// By value, the operation that makes it.
    operation_of: HashMap<ValueId, u32>,
    cost: Cost,
    after: SmallVec<[TaskId; 2]>,
    /// The elements of a part, where a producer says it.
    part: Option<usize>,
}

impl Loop {
    /// The input that reads a buffer.
    fn input(&mut self, buffer: BufferId) -> u32 {
        let found = self.reads.iter().position(|&read| read == buffer);
        found.unwrap_or_else(|| {
            self.reads.push(buffer);
            self.reads.len() - 1
        }) as u32
    }

    /// Adds the operation that makes a value.
    fn push(&mut self, value: ValueId, operation: Operation) {
        self.operation_of.insert(value, self.operations.len() as u32);
        self.operations.push(operation);
    }
}

impl Emitter<'_> {
    /// Emits the task of a group: its members in one loop, behind the pieces of its producer if the
    /// first is one.
    pub(super) fn emit_group(&mut self, group: Range<usize>) -> Result<(), Error> {
        let first = ValueId::new(group.start);
        let mut group_loop = Loop {
            reads: Vec::new(),
            operations: Vec::new(),
            operation_of: HashMap::with_capacity(group.len()),
            cost: Cost::default(),
            after: SmallVec::new(),
            part: None,
        };
        for value in group.clone().map(ValueId::new) {
            let instruction = self.draft.instruction(value);
            group_loop.after.extend(self.tasks_of(&instruction.runs_after));
            if value == first && self.draft.fusibility(instruction) == Some(Fusibility::Opaque) {
                self.produce(value, &mut group_loop)?;
            } else {
                let operation = self.operation(value, &mut group_loop)?;
                group_loop.push(value, operation);
            }
        }
        let outputs = self.outputs(group.clone());
        let len = self.draft.concrete(ValueId::new(group.end - 1)).memory_len();
        let touched = |buffer: &BufferId| self.program.length(*buffer).unwrap_or(0) as f64;
        let written: usize = outputs.iter().map(|&value| self.draft.concrete(value).bytes()).sum();
        group_loop.cost.bytes = group_loop.reads.iter().map(touched).sum::<f64>() + written as f64;
        let per_element = (group_loop.cost.bytes as usize).div_ceil(len.max(1));
        let part = group_loop.part.unwrap_or_else(|| elementwise_chunk(len, per_element));
        let mut writes: SmallVec<[Write; 4]> = SmallVec::new();
        for (index, &value) in outputs.iter().enumerate() {
            let chunk = part * self.draft.concrete(value).dtype.size();
            writes.push(Write { buffer: self.allocate(value)?, chunk });
            group_loop.operations[group_loop.operation_of[&value] as usize].output =
                Some(index as u32);
        }
        let Some(fused) = Fused::new(group_loop.operations, group_loop.reads.len(), part) else {
            return Err(self.refuse(first, Fault::new(MISSING)));
        };
        let held = &self.draft.held;
        held.set(held.get() + fused.held_bytes());
        group_loop.after.sort_unstable();
        group_loop.after.dedup();
        let task = self.program.task(Task {
            reads: &group_loop.reads,
            writes: &writes,
            cost: group_loop.cost,
            workspace: fused.workspace(),
            run: Box::new(move |call| fused.run(call)),
            after: &group_loop.after,
        });
        self.tasks[group.clone()].fill(Some(task));
        self.nodes.push(self.draft.instruction(first).node);
        let others = &self.draft.instructions[group.start + 1..group.end];
        if !others.is_empty() {
            let others = others.iter().map(|instruction| instruction.node).collect();
            self.fused_nodes.push((task, others));
        }
        Ok(())
    }

    /// The values of a group that are written to memory: those that are needed outside of it.
    fn outputs(&self, group: Range<usize>) -> SmallVec<[ValueId; 4]> {
        let instructions = &self.draft.instructions[group.clone()];
        let mut inside = vec![0; group.len()];
        for operand in instructions.iter().flat_map(|instruction| &instruction.operands) {
            if group.contains(&operand.index()) {
                inside[operand.index() - group.start] += 1;
            }
        }
        let needed = |index: &usize| {
            self.draft.stores_to(&self.draft.instructions[*index]).is_some()
                || self.uses[*index] > inside[index - group.start]
        };
        let mut outputs: SmallVec<[ValueId; 4]> =
            group.clone().filter(needed).map(ValueId::new).collect();
        // A group that runs only because somebody waits for it has to fill something, too.
        if outputs.is_empty() {
            outputs.push(ValueId::new(group.end - 1));
        }
        outputs
    }

    /// Emits the tasks of a producer but for its last step, which becomes the first operation of a
    /// loop.
    fn produce(&mut self, value: ValueId, group_loop: &mut Loop) -> Result<(), Error> {
        let mut kernel = self.draft.take_kernel(value)?;
        let Some(last) = kernel.steps.pop() else {
            return Err(self.refuse(value, Fault::new(MISSING)));
        };
        let instruction = self.draft.instruction(value);
        let scratch: SmallVec<[BufferId; 1]> =
            kernel.scratch.iter().map(|&length| self.program.temporary(length)).collect();
        let operand = |index: usize| {
            let operand = instruction.operands.get(index)?;
            self.buffers[operand.index()]
        };
        let steps = kernel.steps.len();
        emit_steps(&mut self.program, kernel.steps, None, &scratch, &group_loop.after, operand)
            .map_err(|fault| self.refuse(value, fault))?;
        self.nodes.extend(std::iter::repeat_n(instruction.node, steps));
        for source in &last.reads {
            let buffer = resolve(*source, &scratch, operand)
                .ok_or_else(|| self.refuse(value, Fault::new(MISSING)))?;
            group_loop.reads.push(buffer);
        }
        let concrete = self.draft.concrete(value);
        group_loop.cost.flops += last.cost.flops;
        group_loop.part = Some(last.chunk.min(concrete.bytes()) / concrete.dtype.size());
        let reads = (0..last.reads.len() as u32).map(Read::Whole).collect();
        let range = fused::Range::Part { workspace: last.workspace };
        let size = concrete.dtype.size();
        group_loop.push(value, Operation { run: last.run, reads, size, range, output: None });
        Ok(())
    }

    /// The loop of a member, and before it those that stretch its operands.
    fn operation(&mut self, value: ValueId, group_loop: &mut Loop) -> Result<Operation, Error> {
        let (mut kernel, elements) = self.member_kernel(value)?;
        let (Some(step), None, true) =
            (kernel.steps.pop(), kernel.steps.pop(), kernel.scratch.is_empty())
        else {
            let fault = Fault::new("an elementwise operator lowers to one step");
            return Err(self.refuse(value, fault));
        };
        let instruction = self.draft.instruction(value);
        let is_piecewise = self.draft.fusibility(instruction) == Some(Fusibility::AnyRange);
        let concrete = self.draft.concrete(value);
        let (len, size) = (concrete.memory_len(), concrete.dtype.size());
        group_loop.cost.flops += step.cost.flops * len as f64 / elements as f64;
        let missing = || self.refuse(value, Fault::new(MISSING));
        let mut reads: SmallVec<[Read; 3]> = SmallVec::new();
        for source in &step.reads {
            let &Source::Operand(index) = source else { return Err(missing()) };
            let &operand = instruction.operands.get(index).ok_or_else(missing)?;
            if let Some(&made) = group_loop.operation_of.get(&operand) {
                reads.push(Read::Value(made));
                continue;
            }
            let buffer = self.buffers[operand.index()].ok_or_else(missing)?;
            let input = group_loop.input(buffer);
            let from = self.draft.concrete(operand);
            reads.push(if is_piecewise || (len != 1 && from.memory_len() == 1) {
                Read::Whole(input)
            } else if from.memory_len() == len {
                Read::Row(input, from.dtype.size() as u32)
            } else {
                group_loop.operations.push(self.draft.stretch(instruction, index, input));
                Read::Value(group_loop.operations.len() as u32 - 1)
            });
        }
        let range =
            if is_piecewise { fused::Range::Tile { period: None } } else { fused::Range::Row };
        Ok(Operation { run: step.run, reads, size, range, output: None })
    }

    /// A member's kernel for any row, or any piece, of elements, and the number of elements that it
    /// was lowered for.
    fn member_kernel(&mut self, value: ValueId) -> Result<(Kernel, usize), Error> {
        let instruction = self.draft.instruction(value);
        let node = instruction.node;
        let is_piecewise = self.draft.fusibility(instruction) == Some(Fusibility::AnyRange);
        if is_piecewise || self.draft.is_flat(node) {
            let elements = self.draft.shapes.concrete(node).len();
            return Ok((self.draft.take_kernel(value)?, elements));
        }
        let len = self.draft.concrete(value).memory_len();
        let row = len.min(ROW);
        let operands = instruction.operands.clone();
        let scalar =
            |index: usize| self.draft.concrete(operands[index]).memory_len() == 1 && len != 1;
        let lowered = self.draft.lower_row(node, row, scalar)?;
        let kernel = self.draft.kernel_of(node, lowered);
        Ok((kernel, row))
    }
}
