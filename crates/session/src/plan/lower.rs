//! From instructions to tasks and buffers.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use abeyance_ir::{Diagnostic, Dims, Effect, Fault, Locality, Location, NodeId, Packing, Type};
use abeyance_kernels::fused::{Fused, Operation, Read, Span};
use abeyance_kernels::launch::{ALIGNMENT, Cost, Kernel, Source, Step, Target};
use abeyance_kernels::{elementwise, elementwise_chunk};
use abeyance_scheduler::{AlignedBytes, BufferId, Program, ProgramBuilder, Task, TaskId, Write};
use fixedbitset::FixedBitSet;
use smallvec::SmallVec;

use super::draft::{Draft, ValueId, Work};
use super::passes::{Passes, fuse};
use super::{FeedShape, Fetched, Plan, VariableIndex};
use crate::Error;

pub(crate) struct Lower<'a> {
    draft: Draft<'a>,
    /// The values that are computed at all.
    live: FixedBitSet,
    /// By value, how many live instructions read it; fetching counts, too.
    uses: Vec<u32>,
    program: ProgramBuilder,
    /// By value, where it is.
    buffers: Vec<Option<BufferId>>,
    /// By value, its last task.
    tasks: Vec<Option<TaskId>>,
    /// By task, its node.
    nodes: Vec<NodeId>,
    /// By task, the nodes that are computed along.
    along: Vec<(TaskId, Vec<NodeId>)>,
    reads: Vec<(VariableIndex, BufferId)>,
    written: Vec<(VariableIndex, BufferId)>,
}

impl<'a> Lower<'a> {
    pub(crate) fn new(draft: Draft<'a>, fetches: &[NodeId]) -> Self {
        let count = draft.instructions.len();
        let (live, uses) = liveness(&draft, fetches);
        Self {
            draft,
            live,
            uses,
            program: Program::builder(),
            buffers: vec![None; count],
            tasks: vec![None; count],
            nodes: Vec::new(),
            along: Vec::new(),
            reads: Vec::new(),
            written: Vec::new(),
        }
    }

    /// The plan, given to `with` together with what it was made of and where every value lies.
    pub(crate) fn compile<R>(
        mut self,
        fetches: &[NodeId],
        feeds: Vec<FeedShape>,
        passes: Passes,
        with: impl FnOnce(Plan, &Draft<'_>, &[Option<BufferId>]) -> R,
    ) -> Result<R, Error> {
        let mut fed: Vec<Option<BufferId>> = vec![None; feeds.len()];
        for index in self.live.ones() {
            let value = ValueId::new(index);
            let concrete = self.draft.concrete(value);
            self.buffers[index] = match &self.draft.instruction(value).work {
                &Work::Feed(place) => {
                    let buffer = self.program.input(concrete.bytes(), concrete.dtype.size());
                    fed[place] = Some(buffer);
                    Some(buffer)
                }
                &Work::Read(variable) => {
                    let buffer = self.program.input(concrete.bytes(), ALIGNMENT);
                    self.reads.push((variable, buffer));
                    Some(buffer)
                }
                Work::Constant(bytes) => Some(self.program.constant(AlignedBytes::copy_of(bytes)?)),
                Work::Run { .. } => None,
            };
        }
        let units = match passes.optimize {
            true => fuse::units(&self.draft, &self.live),
            false => fuse::none(&self.live),
        };
        for unit in units {
            match (unit.host, &unit.members[..]) {
                (Some(host), []) => self.alone(host)?,
                (None, &[only]) => self.alone(only)?,
                (host, members) => self.fused(host, members)?,
            }
        }
        let fetched = fetches
            .iter()
            .map(|&node| self.fetch(node))
            .collect::<Result<Vec<Fetched>, Error>>()?;
        self.reads.sort_unstable();
        self.written.sort_unstable();
        self.nodes.shrink_to_fit();
        let mut plan = Plan {
            fetches: fetches.into(),
            feeds,
            program: self.program.build()?,
            fed,
            reads: self.reads,
            writes: self.written,
            fetched,
            random: self.draft.random,
            nodes: self.nodes,
            along: self.along,
            bytes: 0,
            used: AtomicU64::new(0),
        };
        plan.bytes = plan.own_bytes() + self.draft.held.get();
        Ok(with(plan, &self.draft, &self.buffers))
    }

    fn fetch(&mut self, node: NodeId) -> Result<Fetched, Error> {
        let graph = &self.draft.frozen.graph;
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
                let value = self.draft.sizes.concrete(node);
                Fetched::Tensor { buffer, dtype: value.dtype, dims: Dims::from_slice(value.dims) }
            }
            None => Fetched::Nothing,
        })
    }

    /// The buffer that a value is to be put in.
    fn place(&mut self, value: ValueId) -> Result<BufferId, Error> {
        let (graph, node) = (&self.draft.frozen.graph, self.draft.instruction(value).node);
        let interleaved = self.draft.instruction(value).lanes.as_ref();
        let items = match interleaved {
            Some(_) => SmallVec::from_slice(&[self.draft.concrete(value)]),
            None => self.draft.sizes.items(node),
        };
        let Some(packing) = Packing::new(&items) else {
            let fault = Fault::new("its results are larger than any memory");
            return Err(Error::Request(graph.diagnose(node, fault).into()));
        };
        let buffer = match self.draft.instruction(value).work {
            Work::Run { keeps: Some(variable), .. } => {
                let buffer = self.program.output(packing.bytes(), ALIGNMENT);
                self.written.push((variable, buffer));
                buffer
            }
            _ => self.program.temporary(packing.bytes()),
        };
        self.buffers[value.index()] = Some(buffer);
        Ok(buffer)
    }

    /// An instruction's own loops, taken out of it.
    fn take(&mut self, value: ValueId) -> Kernel {
        match &mut self.draft.instructions[value.index()].work {
            Work::Run { kernel, .. } => std::mem::take(kernel),
            _ => Kernel::default(),
        }
    }

    fn after(&self, values: &[ValueId]) -> SmallVec<[TaskId; 2]> {
        values.iter().filter_map(|value| self.tasks[value.index()]).collect()
    }

    /// An instruction as it was lowered.
    fn alone(&mut self, value: ValueId) -> Result<(), Error> {
        if !matches!(self.draft.instruction(value).work, Work::Run { .. }) {
            return Ok(());
        }
        let output = self.place(value)?;
        let kernel = self.take(value);
        let instruction = self.draft.instruction(value);
        let after = self.after(&instruction.after);
        let steps = kernel.steps.len();
        let last = emit(&mut self.program, kernel, output, &after, |place| {
            let operand = instruction.operands.get(place)?;
            self.buffers[operand.index()]
        });
        let last = last.map_err(|fault| self.refuse(value, fault))?;
        self.tasks[value.index()] = Some(last);
        self.nodes.extend(std::iter::repeat_n(instruction.node, steps));
        Ok(())
    }

    fn refuse(&self, value: ValueId, fault: Fault) -> Error {
        let graph = &self.draft.frozen.graph;
        Error::Request(graph.diagnose(self.draft.instruction(value).node, fault).into())
    }

    /// Members in one loop, behind the pieces of their host if there is one.
    fn fused(&mut self, host: Option<ValueId>, members: &[ValueId]) -> Result<(), Error> {
        let mut loops = Loops { reads: Vec::new(), operations: Vec::new(), cost: Cost::default() };
        let mut after: SmallVec<[TaskId; 2]> = SmallVec::new();
        let mut places: HashMap<ValueId, u32> = HashMap::new();
        let mut part = None;
        if let Some(host) = host {
            let mut kernel = self.take(host);
            let Some(last) = kernel.steps.pop() else {
                return Err(self.refuse(host, Fault::new(MISSING)));
            };
            let instruction = self.draft.instruction(host);
            after.extend(self.after(&instruction.after));
            let scratch: SmallVec<[BufferId; 1]> =
                kernel.scratch.iter().map(|&length| self.program.temporary(length)).collect();
            let operand = |place: usize| {
                let operand = instruction.operands.get(place)?;
                self.buffers[operand.index()]
            };
            let steps = kernel.steps.len();
            emit_steps(&mut self.program, kernel.steps, None, &scratch, &after, operand)
                .map_err(|fault| self.refuse(host, fault))?;
            self.nodes.extend(std::iter::repeat_n(instruction.node, steps));
            for source in &last.reads {
                let buffer = resolve(*source, &scratch, operand)
                    .ok_or_else(|| self.refuse(host, Fault::new(MISSING)))?;
                loops.reads.push(buffer);
            }
            let concrete = self.draft.concrete(host);
            loops.cost.flops += last.cost.flops;
            part = Some(last.chunk.min(concrete.bytes()) / concrete.dtype.size());
            loops.operations.push(Operation {
                run: last.run,
                reads: (0..last.reads.len() as u32).map(Read::Whole).collect(),
                size: concrete.dtype.size(),
                span: Span::Part { workspace: last.workspace },
                output: None,
            });
            places.insert(host, 0);
        }
        for &member in members {
            after.extend(self.after(&self.draft.instruction(member).after));
            let operation = self.operation(member, &mut loops, &places)?;
            places.insert(member, loops.operations.len() as u32);
            loops.operations.push(operation);
        }
        let all = || host.iter().chain(members).copied();
        let mut inside: HashMap<ValueId, u32> = HashMap::new();
        for value in all() {
            for &operand in &self.draft.instruction(value).operands {
                *inside.entry(operand).or_default() += 1;
            }
        }
        let len = self.draft.concrete(members[0]).len();
        let size = |value: ValueId| self.draft.concrete(value).dtype.size();
        let outputs: SmallVec<[ValueId; 4]> = all()
            .filter(|value| {
                let keeps =
                    matches!(self.draft.instruction(*value).work, Work::Run { keeps: Some(_), .. });
                keeps || self.uses[value.index()] > inside.get(value).copied().unwrap_or(0)
            })
            .collect();
        let touched = |buffer: &BufferId| self.program.length(*buffer).unwrap_or(0) as f64;
        let written: usize = outputs.iter().map(|&value| len * size(value)).sum();
        loops.cost.bytes = loops.reads.iter().map(touched).sum::<f64>() + written as f64;
        let part = part
            .unwrap_or_else(|| elementwise_chunk(len, (loops.cost.bytes as usize).div_ceil(len)));
        let mut writes: SmallVec<[Write; 4]> = SmallVec::new();
        for (place, &value) in outputs.iter().enumerate() {
            let chunk = part * self.draft.concrete(value).dtype.size();
            writes.push(Write { buffer: self.place(value)?, chunk });
            loops.operations[places[&value] as usize].output = Some(place as u32);
        }
        let first = host.unwrap_or(members[0]);
        let Some(fused) = Fused::new(loops.operations, loops.reads.len(), part) else {
            return Err(self.refuse(first, Fault::new(MISSING)));
        };
        let held = &self.draft.held;
        held.set(held.get() + fused.held_bytes());
        after.sort_unstable();
        after.dedup();
        let task = self.program.task(Task {
            reads: &loops.reads,
            writes: &writes,
            cost: loops.cost,
            workspace: fused.workspace(),
            run: Box::new(move |call| fused.run(call)),
            after: &after,
        });
        for value in all() {
            self.tasks[value.index()] = Some(task);
        }
        self.nodes.push(self.draft.instruction(first).node);
        let along = all().skip(1).map(|value| self.draft.instruction(value).node);
        self.along.push((task, along.collect()));
        Ok(())
    }

    /// The loop of a member, and before it those that stretch its operands.
    fn operation(
        &mut self,
        value: ValueId,
        loops: &mut Loops,
        places: &HashMap<ValueId, u32>,
    ) -> Result<Operation, Error> {
        let own = self.take(value);
        let concrete = self.draft.concrete(value);
        let (len, size) = (concrete.len(), concrete.dtype.size());
        let piecewise = self.draft.instruction(value).locality() == Some(Locality::Piecewise);
        let instruction = self.draft.instruction(value);
        let operands = &self.draft.frozen.graph.node(instruction.node).operands;
        let scalar =
            |place: usize| len != 1 && self.draft.concrete(instruction.operands[place]).len() == 1;
        let (mut kernel, row) = match piecewise {
            true => (own, len),
            false => {
                let row = len.min(ROW);
                (self.draft.lower_row(value, row, scalar)?, row)
            }
        };
        let (Some(step), None, true) =
            (kernel.steps.pop(), kernel.steps.pop(), kernel.scratch.is_empty())
        else {
            return Err(
                self.refuse(value, Fault::new("an elementwise operator lowers to one step"))
            );
        };
        loops.cost.flops += step.cost.flops * len as f64 / row as f64;
        let mut reads: SmallVec<[Read; 3]> = SmallVec::new();
        for source in &step.reads {
            let &Source::Operand(place) = source else {
                return Err(self.refuse(value, Fault::new(MISSING)));
            };
            let &operand = instruction
                .operands
                .get(place)
                .ok_or_else(|| self.refuse(value, Fault::new(MISSING)))?;
            if let Some(&made) = places.get(&operand) {
                reads.push(Read::Made(made));
                continue;
            }
            let buffer = self.buffers[operand.index()]
                .ok_or_else(|| self.refuse(value, Fault::new(MISSING)))?;
            let input = loops.input(buffer);
            let from = self.draft.concrete(operand);
            reads.push(match () {
                () if piecewise || scalar(place) => Read::Whole(input),
                () if from.len() == len => Read::Row(input, from.dtype.size() as u32),
                // The sizes are those the node was described with: the value may have been made with others.
                () => {
                    let mut own = Dims::from_slice(self.draft.sizes.dims(operands[place]));
                    if instruction.lanes.is_some() {
                        own.push(1);
                    }
                    loops.stretched(input, from.dtype.size(), &own, concrete.dims)
                }
            });
        }
        let span = match piecewise {
            true => Span::Piece { period: None },
            false => Span::Row,
        };
        Ok(Operation { run: step.run, reads, size, span, output: None })
    }
}

/// What a fused loop is made of.
struct Loops {
    reads: Vec<BufferId>,
    operations: Vec<Operation>,
    cost: Cost,
}

impl Loops {
    /// The input that reads a buffer.
    fn input(&mut self, buffer: BufferId) -> u32 {
        let found = self.reads.iter().position(|&read| read == buffer);
        found.unwrap_or_else(|| {
            self.reads.push(buffer);
            self.reads.len() - 1
        }) as u32
    }

    /// An input stretched to other sizes.
    fn stretched(&mut self, input: u32, size: usize, from: &[usize], to: &[usize]) -> Read {
        self.operations.push(Operation::broadcast(input, size, from, to));
        Read::Made(self.operations.len() as u32 - 1)
    }
}

/// The values that are computed at all, and how often each is read or fetched.
fn liveness(draft: &Draft<'_>, fetches: &[NodeId]) -> (FixedBitSet, Vec<u32>) {
    let graph = &draft.frozen.graph;
    let mut live = FixedBitSet::with_capacity(draft.instructions.len());
    let mut uses = vec![0; draft.instructions.len()];
    for &fetch in fetches {
        if let Some(value) = draft.value(fetch) {
            live.insert(value.index());
            uses[value.index()] += 1;
        }
        for &value in draft.done(fetch) {
            live.insert(value.index());
        }
    }
    for (index, instruction) in draft.instructions.iter().enumerate().rev() {
        let node = graph.node(instruction.node);
        let acts = node.operator.signature().effect == Effect::Write || node.watches();
        if acts && matches!(instruction.work, Work::Run { .. }) {
            live.insert(index);
        }
        if !live.contains(index) {
            continue;
        }
        for &operand in &instruction.operands {
            live.insert(operand.index());
            uses[operand.index()] += 1;
        }
        for &before in &instruction.after {
            live.insert(before.index());
        }
    }
    (live, uses)
}

/// The elements for which a loop of a row is lowered; any number up to what a part has would do.
const ROW: usize = 4096;

const MISSING: &str = "the operator's kernel reads or writes what it does not have";

fn resolve(
    source: Source,
    scratch: &[BufferId],
    operand: impl Fn(usize) -> Option<BufferId>,
) -> Option<BufferId> {
    match source {
        Source::Operand(place) => operand(place),
        Source::Scratch(index) => scratch.get(index).copied(),
    }
}

/// Appends the tasks of a kernel that fills `output`, and tells the last.
///
/// # Errors
/// What the kernel lacks.
pub(crate) fn emit(
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

fn emit_steps(
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

/// A kernel that copies an operand, or these bytes.
pub(crate) fn copy(from: Result<usize, Vec<u8>>, len: usize) -> Kernel {
    let cost = Cost { flops: 0.0, bytes: 2.0 * len as f64 };
    let chunk = elementwise_chunk(len, 2);
    match from {
        Ok(place) => {
            let mut kernel = Kernel::single(1, chunk, cost, |call| {
                let start = call.start::<u8>();
                elementwise::copy(call.input::<u8>(0), call.output(), start);
                Ok(())
            });
            for step in &mut kernel.steps {
                step.reads = [Source::Operand(place)].into_iter().collect();
            }
            kernel
        }
        Err(bytes) => Kernel::single(0, chunk, cost, move |call| {
            let start = call.start::<u8>();
            elementwise::copy(&bytes, call.output(), start);
            Ok(())
        }),
    }
}
