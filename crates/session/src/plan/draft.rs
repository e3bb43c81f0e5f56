//! A plan while passes change it: instructions in an order in which they can run, each of which makes one value.
//!
//! [`Draft::new`] translates the needed nodes. A node whose result are the bytes of another's becomes no instruction, and
//! one whose result is known becomes a constant; [`fold`](super::passes::fold) and [`share`](super::passes::share) are asked
//! on the way, since what they find decides what the nodes behind become.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use abeyance_ir::{
    Attributes, Concrete, Dims, Effect, Fault, Interleaving, Locality, Lowered, Lowering, NodeId,
    Type,
};
use abeyance_kernels::launch::Kernel;
use smallvec::SmallVec;

use super::body::Bodies;
use super::passes::{Passes, fold, share};
use super::prune::Needed;
use super::sizes::Sizes;
use super::writes::Writes;
use super::{FeedShape, Frozen, VariableIndex};
use crate::Error;

/// A value of a draft: the place of the instruction that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ValueId(u32);

impl ValueId {
    pub(crate) fn new(index: usize) -> Self {
        Self(index as u32)
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a value comes from.
pub(crate) enum Work {
    /// The feed of this place.
    Feed(usize),
    /// The variable, as it was before the run.
    Read(VariableIndex),
    /// Known bytes, little-endian.
    Constant(Arc<[u8]>),
    /// The loops of the node's operator.
    Run {
        kernel: Kernel,
        /// Into whose loops they may be fused.
        locality: Locality,
        /// The variable that keeps the result.
        keeps: Option<VariableIndex>,
    },
}

/// How a value is made.
pub(crate) struct Instruction {
    /// The node whose value it is: it gives the type, and the name in messages.
    pub(crate) node: NodeId,
    pub(crate) work: Work,
    pub(crate) operands: SmallVec<[ValueId; 3]>,
    /// What has to be over before this starts, besides its operands.
    pub(crate) after: SmallVec<[ValueId; 1]>,
    /// Where the value is interleaved: its sizes then, `[⌈N / 16⌉, .., 16]`.
    pub(crate) lanes: Option<Box<Dims>>,
}

impl Instruction {
    /// How its loops may be fused; `None` if it has none.
    pub(crate) fn locality(&self) -> Option<Locality> {
        match self.work {
            Work::Run { locality, .. } => Some(locality),
            _ => None,
        }
    }
}

pub(crate) struct Draft<'a> {
    pub(crate) frozen: &'a Frozen,
    pub(crate) sizes: &'a Sizes<'a>,
    pub(crate) instructions: Vec<Instruction>,
    /// By node, its value.
    values: Vec<Option<ValueId>>,
    /// By node that is no instruction of its own and waits for something: what it waits for.
    done: HashMap<NodeId, SmallVec<[ValueId; 2]>>,
    /// Whether a random stream is drawn from.
    pub(crate) random: bool,
    /// The bytes that loops hold beyond themselves, as far as they are known: those of bodies, and of what is copied.
    pub(crate) held: Cell<usize>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        frozen: &'a Frozen,
        needed: &Needed,
        sizes: &'a Sizes<'a>,
        writes: &Writes,
        feeds: &[FeedShape],
        passes: Passes,
    ) -> Result<Self, Error> {
        let mut draft = Self {
            frozen,
            sizes,
            instructions: Vec::new(),
            values: vec![None; frozen.graph.len()],
            done: HashMap::new(),
            random: false,
            held: Cell::new(0),
        };
        for (place, feed) in feeds.iter().enumerate() {
            if needed.nodes.contains(feed.node.index()) {
                draft.push(feed.node, Work::Feed(place), SmallVec::new(), SmallVec::new());
            }
        }
        let mut shared = share::Shared::default();
        for node in needed.iter() {
            if !needed.is_fed(node) {
                draft.node(node, writes, passes, &mut shared)?;
            }
        }
        Ok(draft)
    }

    /// The value of a node; `None` if it has none.
    pub(crate) fn value(&self, node: NodeId) -> Option<ValueId> {
        self.values[node.index()]
    }

    /// What a node without an instruction of its own waits for.
    pub(crate) fn done(&self, node: NodeId) -> &[ValueId] {
        self.done.get(&node).map_or(&[], |values| values)
    }

    pub(crate) fn instruction(&self, value: ValueId) -> &Instruction {
        &self.instructions[value.index()]
    }

    /// Element type and sizes of a value that is no tuple.
    pub(crate) fn concrete(&self, value: ValueId) -> Concrete<'_> {
        let instruction = self.instruction(value);
        let concrete = self.sizes.concrete(instruction.node);
        match &instruction.lanes {
            Some(dims) => Concrete { dims, ..concrete },
            None => concrete,
        }
    }

    /// Puts other instructions' values in the place of those before.
    pub(crate) fn renumber(&mut self, new: impl Fn(ValueId) -> Option<ValueId>) {
        for value in &mut self.values {
            *value = value.and_then(&new);
        }
        for values in self.done.values_mut() {
            *values = values.iter().filter_map(|&value| new(value)).collect();
        }
    }

    /// Whether a value is several arrays in one buffer.
    pub(crate) fn is_tuple(&self, value: ValueId) -> bool {
        matches!(self.frozen.graph.node(self.instruction(value).node).ty, Type::Tuple(_))
    }

    fn push(
        &mut self,
        node: NodeId,
        work: Work,
        operands: SmallVec<[ValueId; 3]>,
        after: SmallVec<[ValueId; 1]>,
    ) -> ValueId {
        let value = ValueId::new(self.instructions.len());
        self.instructions.push(Instruction { node, work, operands, after, lanes: None });
        self.values[node.index()] = Some(value);
        value
    }

    fn node(
        &mut self,
        node: NodeId,
        writes: &Writes,
        passes: Passes,
        shared: &mut share::Shared,
    ) -> Result<(), Error> {
        let graph = &self.frozen.graph;
        let data = graph.node(node);
        let effect = data.operator.signature().effect;
        match effect {
            Effect::Order => {
                self.pass_on(node);
                return Ok(());
            }
            Effect::Read => {
                let Some(&variable) = self.frozen.variables.get(&node) else {
                    return Err(Error::Internal(format!("`{}` has no value", data.name)));
                };
                self.push(node, Work::Read(variable), SmallVec::new(), SmallVec::new());
                self.pass_on(node);
                return Ok(());
            }
            Effect::Random | Effect::None | Effect::Feed | Effect::Write => {}
        }
        let random = data.is_random();
        self.random |= random;
        let pure = !random && effect != Effect::Write && !data.watches();
        let operands = self.operands(node, writes)?;
        let attributes = self.sizes.attributes(node);
        if pure && passes.optimize {
            let found = shared.find(self, node, &operands, &attributes);
            if let Some(value) = found {
                self.values[node.index()] = Some(value);
                self.pass_on(node);
                return Ok(());
            }
        }
        let lowered = self.lower(node, &attributes)?;
        match lowered {
            // A write is run also if its value is there already: the variable's place is filled by a kernel.
            (Lowered::Alias(place), _) if effect == Effect::Write => {
                let bytes = self.sizes.concrete(node).bytes();
                self.run(
                    node,
                    super::lower::copy(Ok(place), bytes),
                    Locality::Whole,
                    operands,
                    writes,
                );
            }
            (Lowered::Constant(bytes), _) if effect == Effect::Write => {
                let len = bytes.len();
                self.held.set(self.held.get() + len);
                self.run(
                    node,
                    super::lower::copy(Err(bytes), len),
                    Locality::Whole,
                    operands,
                    writes,
                );
            }
            (Lowered::Alias(place), _) => {
                self.values[node.index()] = operands.get(place).copied();
                self.pass_on(node);
            }
            (Lowered::Constant(bytes), _) => {
                let value = self.constant(node, bytes.into());
                if pure && passes.optimize {
                    shared.insert(self, value, &operands, &attributes);
                }
            }
            (Lowered::Kernel(kernel), _)
                if pure && passes.optimize && fold::applies(self, node, &operands) =>
            {
                let value = match fold::evaluate(self, node, kernel, &operands)? {
                    Some(bytes) => self.constant(node, bytes),
                    // What fails is to fail at a run, with all that is known about it then.
                    None => match self.lower(node, &attributes)? {
                        (Lowered::Kernel(kernel), locality) => {
                            self.run(node, kernel, locality, operands.clone(), writes)
                        }
                        _ => {
                            return Err(Error::Internal(format!(
                                "`{}` changes its mind",
                                data.name
                            )));
                        }
                    },
                };
                shared.insert(self, value, &operands, &attributes);
            }
            (Lowered::Kernel(kernel), locality) => {
                let value = self.run(node, kernel, locality, operands.clone(), writes);
                if pure && passes.optimize {
                    shared.insert(self, value, &operands, &attributes);
                }
            }
        }
        Ok(())
    }

    fn constant(&mut self, node: NodeId, bytes: Arc<[u8]>) -> ValueId {
        let value = self.push(node, Work::Constant(bytes), SmallVec::new(), SmallVec::new());
        self.pass_on(node);
        value
    }

    fn run(
        &mut self,
        node: NodeId,
        kernel: Kernel,
        locality: Locality,
        operands: SmallVec<[ValueId; 3]>,
        writes: &Writes,
    ) -> ValueId {
        let data = self.frozen.graph.node(node);
        let variable = data.operands.first().filter(|&&variable| {
            data.operator.signature().effect == Effect::Write && writes.is_last(variable, node)
        });
        let keeps = variable.and_then(|variable| self.frozen.variables.get(variable)).copied();
        let after = self.controls(node).into_iter().collect();
        self.push(node, Work::Run { kernel, locality, keeps }, operands, after)
    }

    /// The values that a node's operands have. A write starts from the write before it, if there is one.
    fn operands(&self, node: NodeId, writes: &Writes) -> Result<SmallVec<[ValueId; 3]>, Error> {
        let graph = &self.frozen.graph;
        let operands = graph.node(node).operands.iter().enumerate().map(|(place, &operand)| {
            let earlier = (place == 0).then(|| writes.before(node)).flatten();
            self.values[earlier.unwrap_or(operand).index()].ok_or_else(|| {
                let fault = Fault::new("the operator's kernel reads what has no value");
                Error::Request(graph.diagnose(node, fault).into())
            })
        });
        operands.collect()
    }

    /// What a node's operator is asked, with the sizes that all have.
    fn ask<R>(
        &self,
        node: NodeId,
        attributes: &Attributes,
        question: impl FnOnce(&Lowering<'_>) -> R,
    ) -> R {
        let graph = &self.frozen.graph;
        let mut operands: SmallVec<[Concrete<'_>; 3]> = SmallVec::new();
        for &operand in &graph.node(node).operands {
            operands.extend(self.sizes.items(operand));
        }
        question(&Lowering {
            operands: &operands,
            result: self.sizes.concrete(node),
            results: &self.sizes.items(node),
            attributes,
            name: &graph.stream(node),
            seed: self.frozen.seed,
            bodies: &self.bodies(),
        })
    }

    fn bodies(&self) -> Bodies<'_> {
        Bodies { frozen: self.frozen, sizes: self.sizes, held: &self.held }
    }

    /// A node's loops on interleaved images, if it has any.
    pub(crate) fn interleaved(&self, node: NodeId) -> Result<Option<Interleaving>, Error> {
        let graph = &self.frozen.graph;
        let operator = &graph.node(node).operator;
        self.ask(node, &self.sizes.attributes(node), |lowering| operator.interleaved(lowering))
            .map_err(|fault| Error::Request(graph.diagnose(node, fault).into()))
    }

    fn lower(&self, node: NodeId, attributes: &Attributes) -> Result<(Lowered, Locality), Error> {
        self.ask(node, attributes, |lowering| self.lower_as(node, lowering))
    }

    fn lower_as(
        &self,
        node: NodeId,
        lowering: &Lowering<'_>,
    ) -> Result<(Lowered, Locality), Error> {
        let graph = &self.frozen.graph;
        let data = graph.node(node);
        let refuse = |fault| Error::Request(graph.diagnose(node, fault).into());
        let lowered = data.operator.lower(lowering).map_err(refuse)?;
        let wanted = lowering.result.bytes();
        let found = match &lowered {
            Lowered::Alias(place) => lowering.operands.get(*place).map(Concrete::bytes),
            Lowered::Constant(bytes) => Some(bytes.len()),
            Lowered::Kernel(_) => Some(wanted),
        };
        if found != Some(wanted) {
            return Err(refuse(Fault::new(format!(
                "the operator was lowered to {} bytes where its result has {wanted}",
                found.unwrap_or(0)
            ))));
        }
        let locality = match &lowered {
            Lowered::Kernel(_) => data.operator.locality(lowering),
            _ => Locality::Whole,
        };
        Ok((lowered, locality))
    }

    /// The loop of a pointwise instruction over a row of `len` elements of operands that are such rows, or scalars.
    pub(crate) fn lower_row(
        &self,
        value: ValueId,
        len: usize,
        scalar: impl Fn(usize) -> bool,
    ) -> Result<Kernel, Error> {
        let node = self.instruction(value).node;
        let graph = &self.frozen.graph;
        let data = graph.node(node);
        let row = [len];
        let operands: SmallVec<[Concrete<'_>; 3]> = data
            .operands
            .iter()
            .enumerate()
            .map(|(place, &operand)| Concrete {
                dtype: self.sizes.concrete(operand).dtype,
                dims: if scalar(place) { &[][..] } else { &row[..] },
            })
            .collect();
        let result = Concrete { dtype: self.sizes.concrete(node).dtype, dims: &row };
        let attributes = self.sizes.attributes(node);
        let lowering = Lowering {
            operands: &operands,
            result,
            results: &[result],
            attributes: &attributes,
            name: &graph.stream(node),
            seed: self.frozen.seed,
            bodies: &self.bodies(),
        };
        match data.operator.lower(&lowering) {
            Ok(Lowered::Kernel(kernel)) => Ok(kernel),
            Ok(_) => Err(Error::Internal(format!("`{}` has no loop for a row", data.name))),
            Err(fault) => Err(Error::Request(graph.diagnose(node, fault).into())),
        }
    }

    /// What must have run before a node because it was asked to run after others.
    fn controls(&self, node: NodeId) -> SmallVec<[ValueId; 2]> {
        let mut after = SmallVec::new();
        for control in self.frozen.graph.controls(node) {
            self.add_done(control, &mut after);
        }
        after.sort_unstable();
        after.dedup();
        after
    }

    /// A node without an instruction of its own that runs has run when what it depends on has.
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

    fn add_done(&self, node: NodeId, after: &mut SmallVec<[ValueId; 2]>) {
        if let Some(values) = self.done.get(&node) {
            after.extend_from_slice(values);
        } else if let Some(value) = self.value(node)
            && matches!(self.instruction(value).work, Work::Run { .. })
        {
            after.push(value);
        }
    }

    /// The bytes of a value that is known.
    pub(crate) fn known(&self, value: ValueId) -> Option<&Arc<[u8]>> {
        match &self.instruction(value).work {
            Work::Constant(bytes) => Some(bytes),
            _ => None,
        }
    }
}
