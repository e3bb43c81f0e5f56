//! Bodies of branches and loops: plans that a kernel runs.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use abeyance_ir::{Body, BodyCompiler, Concrete, Fault, LoopMemoryPool, RunBody};
use abeyance_kernels::launch::{Cost, Failure};
use abeyance_scheduler::{BufferId, RunError, State, TaskId, ThreadPool};

use super::memory::BodyMemory;
use super::shapes::Shapes;
use super::{FeedShape, FetchSlot, FrozenGraph, Plan, Request, SessionGraph, compile};
use crate::Error;
use crate::differentiate::at;

/// Compiles the bodies of a graph's nodes.
pub(crate) struct Bodies<'a> {
    pub(crate) session: &'a SessionGraph,
    /// The shapes of the graph around them.
    pub(crate) shapes: &'a Shapes<'a>,
    /// The bytes that loops of the plan around them hold beyond themselves, to which theirs are
    /// added.
    pub(crate) held: &'a Cell<usize>,
}

impl BodyCompiler for Bodies<'_> {
    fn compile(
        &self,
        body: &Arc<Body>,
        inputs: &[Concrete<'_>],
    ) -> Result<Box<dyn RunBody>, Fault> {
        let session = SessionGraph {
            graph: FrozenGraph::Body(body.clone()),
            seed: self.session.seed,
            variables: Default::default(),
            passes: self.session.passes,
            memory: self.session.memory.clone(),
        };
        let feeds: Vec<FeedShape> = body
            .inputs()
            .iter()
            .zip(inputs)
            .map(|(&node, input)| FeedShape { node, dtype: input.dtype, dims: input.dims.into() })
            .collect();
        let request = Request::new(&session, body.outputs(), &feeds);
        let plan =
            compile(&Request { outside: Some(self.shapes), ..request }).map_err(|error| {
                let name = body.graph().name();
                let first = match &error {
                    Error::Request(mistakes) | Error::Program(mistakes) => mistakes.iter().next(),
                    _ => None,
                };
                Fault {
                    message: match first {
                        Some(first) => format!("in the body `{name}`, {}", at(first)),
                        None => format!("in the body `{name}`, {error}"),
                    },
                    help: first.and_then(|first| first.help.clone()),
                }
            })?;
        let outputs = plan.fetched.iter().map(|fetched| match fetched {
            FetchSlot::Tensor { buffer, .. } => Ok(*buffer),
            FetchSlot::Nothing => Err(Fault::new("a body gives a value that is none")),
        });
        let tasks = (0..plan.program.tasks()).filter_map(|task| {
            let task = plan.program.task(TaskId(task as u32))?;
            Some(task.cost)
        });
        let cost = tasks.fold(Cost::default(), |sum, cost| Cost {
            flops: sum.flops + cost.flops,
            bytes: sum.bytes + cost.bytes,
        });
        self.held.set(self.held.get() + size_of::<CompiledBody>() + plan.bytes);
        Ok(Box::new(CompiledBody {
            outputs: outputs.collect::<Result<_, _>>()?,
            cost,
            memory: self.session.memory.of_body(body),
            body: body.clone(),
            plan,
        }))
    }
}

/// A compiled body.
struct CompiledBody {
    body: Arc<Body>,
    plan: Plan,
    outputs: Vec<BufferId>,
    cost: Cost,
    memory: Arc<BodyMemory>,
}

impl CompiledBody {
    fn run_in<'a>(
        &self,
        state: &mut State,
        input: &dyn Fn(usize) -> &'a [u8],
        give: &mut dyn FnMut(usize, &[u8]),
        draw: u64,
    ) -> Result<(), Failure> {
        let internal = |error: &dyn std::fmt::Display| Failure(format!("internal: {error}"));
        let mut run = state.begin(&self.plan.program, draw).map_err(|error| internal(&error))?;
        for (place, buffer) in self.plan.fed.iter().enumerate() {
            if let Some(buffer) = buffer {
                run.bind(*buffer, input(place)).map_err(|error| internal(&error))?;
            }
        }
        let alone = alone().map_err(|error| internal(&error))?;
        run.execute(alone).map_err(|error| self.explain(error))?;
        for (place, &buffer) in self.outputs.iter().enumerate() {
            give(place, run.read(buffer).map_err(|error| internal(&error))?);
        }
        Ok(())
    }

    fn explain(&self, error: RunError) -> Failure {
        let graph = self.body.graph();
        Failure(match self.plan.attribute_error(graph, error) {
            Error::Node(diagnostic) | Error::Panic(diagnostic) => {
                format!("in the body `{}`, {}", graph.name(), at(&diagnostic))
            }
            other => other.to_string(),
        })
    }
}

impl RunBody for CompiledBody {
    fn run<'a>(
        &self,
        input: &dyn Fn(usize) -> &'a [u8],
        give: &mut dyn FnMut(usize, &[u8]),
        draw: u64,
    ) -> Result<(), Failure> {
        let memory = &self.memory.runs;
        let ran = memory.with(&self.plan.program, |state| self.run_in(state, input, give, draw));
        ran.map_err(|error| Failure(error.to_string()))?
    }

    fn cost(&self) -> Cost {
        self.cost
    }

    fn memory(&self) -> &LoopMemoryPool {
        &self.memory.loops
    }
}

/// The pool of the calling thread alone, for bodies run on the thread of their node.
pub(crate) fn alone() -> Result<&'static ThreadPool, Error> {
    static ALONE: OnceLock<Option<ThreadPool>> = OnceLock::new();
    ALONE
        .get_or_init(|| ThreadPool::new(1).ok())
        .as_ref()
        .ok_or_else(|| Error::Internal("no thread".to_owned()))
}
