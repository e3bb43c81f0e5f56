//! Emission: from instructions to tasks and buffers.

use std::sync::atomic::AtomicU64;

use abeyance_ir::{Diagnostic, Dims, Fault, Layout, Location, NodeId, Packing, Type};
use abeyance_kernels::launch::{ALIGNMENT, Kernel, Source as Read, Step, Target};
use abeyance_scheduler::{AlignedBytes, BufferId, Program, ProgramBuilder, Task, TaskId, Write};
use smallvec::SmallVec;

use super::compiler::Request;
use super::draft::{Draft, Instruction, Source, ValueId};
use super::{FetchSlot, Plan, VariableIndex};
use crate::Error;

/// Appends the tasks of a draft's instructions to a program.
pub(super) struct Emitter<'a> {
    pub(super) draft: Draft<'a>,
    request: &'a Request<'a>,
    /// By value, the number of instructions that read it; a fetch counts, too.
    pub(super) uses: Vec<u32>,
    pub(super) program: ProgramBuilder,
    /// By value, its buffer.
    pub(super) buffers: Vec<Option<BufferId>>,
    /// By value, its last task.
    pub(super) tasks: Vec<Option<TaskId>>,
    /// By task, its node.
    pub(super) nodes: Vec<NodeId>,
    /// By task that computes several nodes, the others.
    pub(super) fused_nodes: Vec<(TaskId, Vec<NodeId>)>,
    reads: Vec<(VariableIndex, BufferId)>,
    writes: Vec<(VariableIndex, BufferId)>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(draft: Draft<'a>, request: &'a Request<'a>) -> Self {
        let count = draft.instructions.len();
        Self {
            request,
            uses: draft.uses(),
            draft,
            program: Program::builder(),
            buffers: vec![None; count],
            tasks: vec![None; count],
            nodes: Vec::new(),
            fused_nodes: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Emits the plan: a buffer for every value that is there before a run, then the tasks of each
    /// group and of each instruction that is in none.
    pub(super) fn emit(mut self) -> Result<Plan, Error> {
        let fed = self.emit_sources()?;
        let groups = std::mem::take(&mut self.draft.groups);
        let mut groups = groups.into_iter().peekable();
        let mut index = 0;
        while index < self.draft.instructions.len() {
            if let Some(group) = groups.next_if(|group| group.start == index) {
                index = group.end;
                self.emit_group(group)?;
            } else {
                self.emit_single(ValueId::new(index))?;
                index += 1;
            }
        }
        let fetches = self.request.fetches;
        let fetched = fetches.iter().map(|&node| self.fetch(node)).collect::<Result<_, Error>>()?;
        self.reads.sort_unstable();
        self.writes.sort_unstable();
        self.nodes.shrink_to_fit();
        let (values, layouts) = (self.values(), self.layouts());
        let mut plan = Plan {
            fetches: fetches.into(),
            feeds: self.request.feeds.to_vec(),
            program: self.program.build()?,
            fed,
            reads: self.reads,
            writes: self.writes,
            fetched,
            random: self.draft.random,
            nodes: self.nodes,
            fused_nodes: self.fused_nodes,
            values,
            layouts,
            bytes: 0,
            used: AtomicU64::new(0),
        };
        plan.bytes = plan.own_bytes() + self.draft.held.get();
        Ok(plan)
    }

    /// Emits buffers for the values that are there before a run. Returns, by feed, the one it is
    /// bound to.
    fn emit_sources(&mut self) -> Result<Vec<Option<BufferId>>, Error> {
        let mut fed = vec![None; self.request.feeds.len()];
        for value in self.draft.ids() {
            let concrete = self.draft.concrete(value);
            let buffer = match &self.draft.instruction(value).source {
                &Source::Feed(index) => {
                    let buffer = self.program.input(concrete.bytes(), concrete.dtype.size());
                    fed[index] = Some(buffer);
                    buffer
                }
                &Source::Variable(variable) => {
                    let buffer = self.program.input(concrete.bytes(), ALIGNMENT);
                    self.reads.push((variable, buffer));
                    buffer
                }
                Source::Constant(bytes) => self.program.constant(AlignedBytes::copy_of(bytes)?),
                Source::Computed(_) => continue,
            };
            self.buffers[value.index()] = Some(buffer);
        }
        Ok(fed)
    }

    /// The nodes of all buffers that hold a value.
    fn values(&self) -> Vec<(BufferId, NodeId)> {
        let values = self.buffered().map(|(buffer, instruction)| (buffer, instruction.node));
        let mut values: Vec<_> = values.collect();
        values.shrink_to_fit();
        values
    }

    /// The layouts of the buffers that are not row-major.
    fn layouts(&self) -> Vec<(BufferId, Layout)> {
        let blocked = self.buffered().filter(|(_, instruction)| !instruction.is_row_major());
        blocked.map(|(buffer, instruction)| (buffer, instruction.layout)).collect()
    }

    /// The instructions whose value is in a buffer, and of which the plan keeps the names.
    fn buffered(&self) -> impl Iterator<Item = (BufferId, &Instruction)> {
        let is_body = self.request.outside.is_some();
        let instructions = self.draft.instructions.iter().zip(&self.buffers);
        let buffered =
            instructions.filter_map(|(instruction, buffer)| Some(((*buffer)?, instruction)));
        buffered.filter(move |_| !is_body)
    }

    fn fetch(&mut self, node: NodeId) -> Result<FetchSlot, Error> {
        let graph = &self.draft.session.graph;
        if matches!(graph.node(node).ty, Type::Tuple(_)) {
            let message = format!("`{}` has several results", graph.node(node).name);
            let diagnostic = Diagnostic::new(message, Location::Unknown)
                .note(graph.describe(node), graph.node(node).location)
                .help("fetch the `item` nodes behind it");
            return Err(Error::Request(diagnostic.into()));
        }
        let buffer = self.draft.value(node).and_then(|value| self.buffers[value.index()]);
        Ok(match buffer {
            Some(buffer) => {
                self.program.keep(buffer);
                let value = self.draft.shapes.concrete(node);
                let dims = Dims::from_slice(value.dims);
                FetchSlot::Tensor { buffer, dtype: value.dtype, dims }
            }
            None => FetchSlot::Nothing,
        })
    }

    /// Allocates a buffer for a value.
    pub(super) fn allocate(&mut self, value: ValueId) -> Result<BufferId, Error> {
        let instruction = self.draft.instruction(value);
        let bytes = if instruction.is_row_major() {
            Packing::new(&self.draft.shapes.items(instruction.node)).map(|packing| packing.bytes())
        } else {
            Some(self.draft.concrete(value).bytes())
        };
        let Some(bytes) = bytes else {
            let fault = Fault::new("its results are larger than any memory");
            return Err(self.refuse(value, fault));
        };
        let buffer = match self.draft.stores_to(instruction) {
            Some(variable) => {
                let buffer = self.program.output(bytes, ALIGNMENT);
                self.writes.push((variable, buffer));
                buffer
            }
            None => self.program.temporary(bytes),
        };
        self.buffers[value.index()] = Some(buffer);
        Ok(buffer)
    }

    /// The tasks of values that have some.
    pub(super) fn tasks_of(&self, values: &[ValueId]) -> SmallVec<[TaskId; 2]> {
        values.iter().filter_map(|value| self.tasks[value.index()]).collect()
    }

    /// Emits the tasks of an instruction that is in no group.
    fn emit_single(&mut self, value: ValueId) -> Result<(), Error> {
        let instruction = self.draft.instruction(value);
        if !instruction.runs() {
            return Ok(());
        }
        let output = self.allocate(value)?;
        let kernel = self.draft.take_kernel(value)?;
        let instruction = self.draft.instruction(value);
        let after = self.tasks_of(&instruction.runs_after);
        let steps = kernel.steps.len();
        let last = emit_kernel(&mut self.program, kernel, output, &after, |index| {
            let operand = instruction.operands.get(index)?;
            self.buffers[operand.index()]
        });
        let last = last.map_err(|fault| self.refuse(value, fault))?;
        self.tasks[value.index()] = Some(last);
        self.nodes.extend(std::iter::repeat_n(instruction.node, steps));
        Ok(())
    }

    /// The error of an instruction that cannot be emitted.
    pub(super) fn refuse(&self, value: ValueId, fault: Fault) -> Error {
        let graph = &self.draft.session.graph;
        Error::Request(graph.diagnose(self.draft.instruction(value).node, fault).into())
    }
}

pub(super) const MISSING: &str = "the operator's kernel reads or writes what it does not have";

/// The buffer that a kernel's step reads.
pub(super) fn resolve(
    source: Read,
    scratch: &[BufferId],
    operand: impl Fn(usize) -> Option<BufferId>,
) -> Option<BufferId> {
    match source {
        Read::Operand(index) => operand(index),
        Read::Scratch(index) => scratch.get(index).copied(),
    }
}

/// Appends the tasks of a kernel that fills `output`, and gives the last.
///
/// # Errors
/// The kernel fills nothing, or reads or writes a buffer that it does not have.
pub(super) fn emit_kernel(
    program: &mut ProgramBuilder,
    kernel: Kernel,
    output: BufferId,
    after: &[TaskId],
    operand: impl Fn(usize) -> Option<BufferId>,
) -> Result<TaskId, Fault> {
    if !kernel.steps.iter().any(|step| step.writes == Target::Output) {
        return Err(Fault::new("the operator's kernel fills no result"));
    }
    let scratch: SmallVec<[BufferId; 1]> =
        kernel.scratch.iter().map(|&length| program.temporary(length)).collect();
    let last = emit_steps(program, kernel.steps, Some(output), &scratch, after, operand)?;
    last.ok_or_else(|| Fault::new(MISSING))
}

/// Appends the tasks of some steps, and gives the last.
pub(super) fn emit_steps(
    program: &mut ProgramBuilder,
    steps: impl IntoIterator<Item = Step>,
    output: Option<BufferId>,
    scratch: &[BufferId],
    after: &[TaskId],
    operand: impl Fn(usize) -> Option<BufferId>,
) -> Result<Option<TaskId>, Fault> {
    let mut last = None;
    for step in steps {
        let reads = step.reads.iter().map(|&source| resolve(source, scratch, &operand));
        let reads: SmallVec<[BufferId; 3]> =
            reads.collect::<Option<_>>().ok_or_else(|| Fault::new(MISSING))?;
        let buffer = match step.writes {
            Target::Output => output,
            Target::Scratch(index) => scratch.get(index).copied(),
        };
        let buffer = buffer.ok_or_else(|| Fault::new(MISSING))?;
        last = Some(program.task(Task {
            reads: &reads,
            writes: &[Write { buffer, chunk: step.chunk }],
            cost: step.cost,
            workspace: step.workspace,
            run: step.run,
            after,
        }));
    }
    Ok(last)
}
