//! From nodes to tasks and buffers.

use std::collections::HashMap;
use std::sync::Mutex;

use abeyance_ir::{
    Concrete, DType, Diagnostic, Dims, Effect, Fault, Location, Lowered, Lowering, NodeId, Packing,
    Type,
};
use abeyance_kernels::launch::{ALIGNMENT, Cost, Kernel, Source, Target};
use abeyance_kernels::{elementwise, elementwise_chunk};
use abeyance_scheduler::{AlignedBytes, BufferId, Program, ProgramBuilder, Task, TaskId, Write};
use smallvec::SmallVec;

use super::body::Bodies;
use super::prune::Needed;
use super::sizes::Sizes;
use super::writes::Writes;
use super::{FeedShape, Fetched, Frozen, Plan, VariableIndex};
use crate::Error;

pub(crate) struct Lower<'a> {
    frozen: &'a Frozen,
    needed: &'a Needed,
    sizes: &'a Sizes<'a>,
    writes: &'a Writes,
    program: ProgramBuilder,
    /// By node, where its value is.
    buffers: Vec<Option<BufferId>>,
    /// By node that is no task of its own: the tasks after which it counts as run.
    done: HashMap<NodeId, SmallVec<[TaskId; 2]>>,
    /// By node, its last task.
    tasks: Vec<Option<TaskId>>,
    /// By task, its node.
    nodes: Vec<NodeId>,
    reads: Vec<(VariableIndex, BufferId)>,
    written: Vec<(VariableIndex, BufferId)>,
    random: bool,
}

impl<'a> Lower<'a> {
    pub(crate) fn new(
        frozen: &'a Frozen,
        needed: &'a Needed,
        sizes: &'a Sizes<'a>,
        writes: &'a Writes,
    ) -> Self {
        let len = frozen.graph.len();
        Self {
            frozen,
            needed,
            sizes,
            writes,
            program: Program::builder(),
            buffers: vec![None; len],
            done: HashMap::new(),
            tasks: vec![None; len],
            nodes: Vec::new(),
            reads: Vec::new(),
            written: Vec::new(),
            random: false,
        }
    }

    pub(crate) fn compile(
        mut self,
        fetches: &[NodeId],
        feeds: Vec<FeedShape>,
    ) -> Result<Plan, Error> {
        let needed = self.needed;
        let fed: Vec<Option<BufferId>> = feeds.iter().map(|feed| self.feed(feed)).collect();
        for node in needed.iter() {
            if !needed.is_fed(node) {
                self.node(node)?;
            }
        }
        let fetched = fetches
            .iter()
            .map(|&node| self.fetch(node))
            .collect::<Result<Vec<Fetched>, Error>>()?;
        self.reads.sort_unstable();
        self.written.sort_unstable();
        Ok(Plan {
            fetches: fetches.into(),
            feeds,
            program: self.program.build()?,
            fed,
            reads: self.reads,
            writes: self.written,
            fetched,
            random: self.random,
            nodes: self.nodes,
            states: Mutex::new(Vec::with_capacity(8)),
        })
    }

    fn concrete(&self, node: NodeId) -> Concrete<'a> {
        let tensor = self.frozen.graph.node(node).ty.tensor();
        Concrete {
            dtype: tensor.map_or(DType::F32, |tensor| tensor.dtype),
            dims: self.sizes.dims(node),
        }
    }

    fn feed(&mut self, feed: &FeedShape) -> Option<BufferId> {
        if !self.needed.nodes.contains(feed.node.index()) {
            return None;
        }
        let value = self.concrete(feed.node);
        let buffer = self.program.input(value.bytes(), value.dtype.size());
        self.buffers[feed.node.index()] = Some(buffer);
        Some(buffer)
    }

    fn fetch(&mut self, node: NodeId) -> Result<Fetched, Error> {
        let graph = &self.frozen.graph;
        if matches!(graph.node(node).ty, Type::Tuple(_)) {
            let message = format!("`{}` has several results", graph.node(node).name);
            let diagnostic = Diagnostic::new(message, Location::Unknown)
                .note(graph.describe(node), graph.node(node).location)
                .help("fetch the `item` nodes behind it");
            return Err(Error::Request(diagnostic.into()));
        }
        Ok(match self.buffers[node.index()] {
            Some(buffer) => {
                self.program.keep(buffer);
                let value = self.concrete(node);
                Fetched::Tensor { buffer, dtype: value.dtype, dims: Dims::from_slice(value.dims) }
            }
            None => Fetched::Nothing,
        })
    }

    fn node(&mut self, node: NodeId) -> Result<(), Error> {
        let graph = &self.frozen.graph;
        let data = graph.node(node);
        match data.operator.signature().effect {
            Effect::Order => {
                self.pass_on(node);
                return Ok(());
            }
            Effect::Read => {
                let Some(&variable) = self.frozen.variables.get(&node) else {
                    return Err(Error::Internal(format!("`{}` has no value", data.name)));
                };
                let buffer = self.program.input(self.concrete(node).bytes(), ALIGNMENT);
                self.buffers[node.index()] = Some(buffer);
                self.reads.push((variable, buffer));
                self.pass_on(node);
                return Ok(());
            }
            Effect::Random | Effect::None | Effect::Feed | Effect::Write => {}
        }
        self.random |= data.is_random();
        let mut operands: SmallVec<[Concrete<'_>; 3]> = SmallVec::new();
        for &operand in &data.operands {
            operands.extend(self.sizes.items(operand));
        }
        let results = self.sizes.items(node);
        let attributes = self.sizes.attributes(node);
        let lowering = Lowering {
            operands: &operands,
            result: self.concrete(node),
            results: &results,
            attributes: &attributes,
            name: &graph.stream(node),
            seed: self.frozen.seed,
            bodies: &Bodies { frozen: self.frozen, sizes: self.sizes },
        };
        let lowered = data
            .operator
            .lower(&lowering)
            .map_err(|fault| Error::Request(graph.diagnose(node, fault).into()))?;
        let wanted = lowering.result.bytes();
        let found = match &lowered {
            Lowered::Alias(place) => operands.get(*place).map(Concrete::bytes),
            Lowered::Constant(bytes) => Some(bytes.len()),
            Lowered::Kernel(_) => Some(wanted),
        };
        if found != Some(wanted) {
            let fault = Fault::new(format!(
                "the operator was lowered to {} bytes where its result has {wanted}",
                found.unwrap_or(0)
            ));
            return Err(Error::Request(graph.diagnose(node, fault).into()));
        }
        let is_write = data.operator.signature().effect == Effect::Write;
        match lowered {
            // A write is run also if its value is there already: the variable's place is filled by a kernel.
            Lowered::Alias(place) if is_write => self.kernel(node, copy(Ok(place), wanted))?,
            Lowered::Constant(bytes) if is_write => self.kernel(node, copy(Err(bytes), wanted))?,
            Lowered::Alias(place) => {
                self.buffers[node.index()] = self.operand_buffer(node, place);
                self.pass_on(node);
            }
            Lowered::Constant(bytes) => {
                let buffer = self.program.constant(AlignedBytes::copy_of(&bytes)?);
                self.buffers[node.index()] = Some(buffer);
                self.pass_on(node);
            }
            Lowered::Kernel(kernel) => self.kernel(node, kernel)?,
        }
        Ok(())
    }

    /// The buffer that a kernel reads for an operand. A write starts from the write before it, if there is one.
    fn operand_buffer(&self, node: NodeId, place: usize) -> Option<BufferId> {
        let earlier = (place == 0).then(|| self.writes.before(node)).flatten();
        let operand = match earlier {
            Some(earlier) => earlier,
            None => *self.frozen.graph.node(node).operands.get(place)?,
        };
        self.buffers[operand.index()]
    }

    fn kernel(&mut self, node: NodeId, kernel: Kernel) -> Result<(), Error> {
        let graph = &self.frozen.graph;
        let data = graph.node(node);
        let bytes = match Packing::new(&self.sizes.items(node)) {
            Some(packing) => packing.bytes(),
            None => {
                let fault = Fault::new("its results are larger than any memory");
                return Err(Error::Request(graph.diagnose(node, fault).into()));
            }
        };
        let variable = data.operands.first().filter(|&&variable| {
            data.operator.signature().effect == Effect::Write && self.writes.is_last(variable, node)
        });
        let output = match variable.and_then(|variable| self.frozen.variables.get(variable)) {
            Some(&variable) => {
                let buffer = self.program.output(bytes, ALIGNMENT);
                self.written.push((variable, buffer));
                buffer
            }
            None => self.program.temporary(bytes),
        };
        self.buffers[node.index()] = Some(output);
        let scratch: SmallVec<[BufferId; 1]> =
            kernel.scratch.iter().map(|&length| self.program.temporary(length)).collect();
        let after = self.controls(node);
        let missing = || {
            let fault = Fault::new("the operator's kernel reads or writes what it does not have");
            Error::Request(graph.diagnose(node, fault).into())
        };
        if !kernel.steps.iter().any(|step| step.writes == Target::Output) {
            let fault = Fault::new("the operator's kernel fills no result");
            return Err(Error::Request(graph.diagnose(node, fault).into()));
        }
        for step in kernel.steps {
            let reads: SmallVec<[BufferId; 3]> = step
                .reads
                .iter()
                .map(|source| match *source {
                    Source::Operand(place) => self.operand_buffer(node, place),
                    Source::Scratch(index) => scratch.get(index).copied(),
                })
                .collect::<Option<_>>()
                .ok_or_else(missing)?;
            let buffer = match step.writes {
                Target::Output => output,
                Target::Scratch(index) => *scratch.get(index).ok_or_else(missing)?,
            };
            let task = self.program.task(Task {
                reads: &reads,
                writes: &[Write { buffer, chunk: step.chunk }],
                cost: step.cost,
                workspace: step.workspace,
                run: step.run,
                after: &after,
            });
            self.tasks[node.index()] = Some(task);
            self.nodes.push(node);
        }
        Ok(())
    }

    /// The tasks that must have run before a node because it was asked to run after others.
    fn controls(&self, node: NodeId) -> SmallVec<[TaskId; 2]> {
        let mut after = SmallVec::new();
        for control in self.frozen.graph.controls(node) {
            self.add_done(control, &mut after);
        }
        after
    }

    /// A node without a task of its own has run when what it depends on has.
    fn pass_on(&mut self, node: NodeId) {
        let mut after = self.controls(node);
        for &operand in &self.frozen.graph.node(node).operands {
            self.add_done(operand, &mut after);
        }
        if !after.is_empty() {
            after.sort_unstable();
            after.dedup();
            self.done.insert(node, after);
        }
    }

    fn add_done(&self, node: NodeId, after: &mut SmallVec<[TaskId; 2]>) {
        match (self.tasks[node.index()], self.done.get(&node)) {
            (Some(task), _) => after.push(task),
            (None, Some(tasks)) => after.extend_from_slice(tasks),
            (None, None) => {}
        }
    }
}

/// A kernel that copies an operand, or these bytes.
fn copy(from: Result<usize, Vec<u8>>, len: usize) -> Kernel {
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
