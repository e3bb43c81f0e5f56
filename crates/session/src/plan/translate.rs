//! From nodes to instructions: the first draft.
//!
//! A node whose result are the bytes of an operand becomes no instruction but another name for the
//! operand's value, and one that its operator lowers to known bytes becomes a constant. A node that
//! orders others, or has no value, is remembered by what has to run for it.

use std::cell::Cell;
use std::collections::HashMap;

use abeyance_ir::{Effect, Fault, Fusibility, Layout, Lowered, NodeId};
use smallvec::SmallVec;

use super::compiler::Request;
use super::draft::{Completion, Computation, Draft, Instruction, Kind, Source, ValueId};
use super::needed::LiveNodes;
use super::shapes::Shapes;
use super::write_order::WriteOrder;
use crate::Error;

impl<'a> Draft<'a> {
    /// Translates the live nodes, feeds first.
    pub(crate) fn new(
        request: &Request<'a>,
        live: &LiveNodes,
        shapes: &'a Shapes<'a>,
        write_order: &WriteOrder,
    ) -> Result<Self, Error> {
        let graph = &request.session.graph;
        let mut draft = Self {
            session: request.session,
            shapes,
            fetches: request.fetches,
            instructions: Vec::with_capacity(live.nodes.count_ones(..)),
            computations: Vec::with_capacity(live.nodes.count_ones(..)),
            groups: Vec::new(),
            values: vec![None; graph.len()],
            completions: HashMap::new(),
            random: false,
            held: Cell::new(0),
        };
        for (index, feed) in request.feeds.iter().enumerate() {
            if live.nodes.contains(feed.node.index()) {
                draft.push(feed.node, Source::Feed(index), SmallVec::new(), SmallVec::new());
            }
        }
        for node in live.iter().filter(|&node| !live.is_fed(node)) {
            draft.translate(node, write_order)?;
        }
        Ok(draft)
    }

    fn translate(&mut self, node: NodeId, write_order: &WriteOrder) -> Result<(), Error> {
        let data = self.session.graph.node(node);
        match data.operator.signature().effect {
            Effect::Order => {
                self.inherit_completion(node);
                return Ok(());
            }
            Effect::Read => {
                let Some(&variable) = self.session.variables.get(&node) else {
                    return Err(Error::Internal(format!("`{}` has no value", data.name)));
                };
                self.push(node, Source::Variable(variable), SmallVec::new(), SmallVec::new());
                self.inherit_completion(node);
                return Ok(());
            }
            Effect::Random | Effect::None | Effect::Feed | Effect::Write => {}
        }
        self.random |= data.is_random();
        let operands = self.operands(node, write_order)?;
        if data.attributes.bodies().next().is_some() {
            let computation = Computation::new(Kind::Operator, Fusibility::Opaque);
            self.push_computation(node, computation, operands, write_order);
            return Ok(());
        }
        let survey = self.survey(node)?;
        let mut computation = Computation::new(Kind::Operator, survey.fusibility);
        computation.layouts = survey.layouts;
        let is_write = data.operator.signature().effect == Effect::Write;
        match survey.lowered {
            Some(Lowered::Alias(index)) if !is_write => {
                self.values[node.index()] = operands.get(index).copied();
                self.inherit_completion(node);
                return Ok(());
            }
            Some(Lowered::Constant(bytes)) if !is_write => {
                let source = Source::Constant(bytes.into());
                self.push(node, source, SmallVec::new(), SmallVec::new());
                self.inherit_completion(node);
                return Ok(());
            }
            Some(lowered) => {
                // A write runs also if its value is there already: a kernel fills the variable.
                if !matches!(lowered, Lowered::Kernel(_)) {
                    computation.fusibility = Fusibility::Opaque;
                }
                computation.kernel = self.kernel_of(node, lowered).into();
            }
            None => {}
        }
        self.push_computation(node, computation, operands, write_order);
        Ok(())
    }

    fn push_computation(
        &mut self,
        node: NodeId,
        mut computation: Computation,
        operands: SmallVec<[ValueId; 3]>,
        write_order: &WriteOrder,
    ) {
        let data = self.session.graph.node(node);
        let variable = data.operands.first().filter(|&&variable| {
            data.operator.signature().effect == Effect::Write && write_order.is_last(variable, node)
        });
        let variable = variable.and_then(|variable| self.session.variables.get(variable));
        computation.stores_to = variable.copied();
        let runs_after = self.controls(node).into_iter().collect();
        let source = self.compute(computation);
        self.push(node, source, operands, runs_after);
    }

    fn push(
        &mut self,
        node: NodeId,
        source: Source,
        operands: SmallVec<[ValueId; 3]>,
        runs_after: SmallVec<[ValueId; 1]>,
    ) {
        let value = ValueId::new(self.instructions.len());
        let layout = Layout::RowMajor;
        self.instructions.push(Instruction { node, source, operands, runs_after, layout });
        self.values[node.index()] = Some(value);
    }

    /// The values that a node's operands have. A write starts from the write before it, if any.
    fn operands(
        &self,
        node: NodeId,
        write_order: &WriteOrder,
    ) -> Result<SmallVec<[ValueId; 3]>, Error> {
        let graph = &self.session.graph;
        let operands = graph.node(node).operands.iter().enumerate().map(|(index, &operand)| {
            let earlier = (index == 0).then(|| write_order.before(node)).flatten();
            self.value(earlier.unwrap_or(operand)).ok_or_else(|| {
                let fault = Fault::new("the operator's kernel reads what has no value");
                Error::Request(graph.diagnose(node, fault).into())
            })
        });
        operands.collect()
    }

    /// The values that must have run before a node, because it was asked to run after others.
    fn controls(&self, node: NodeId) -> Completion {
        let mut completion = Completion::new();
        for control in self.session.graph.controls(node) {
            self.add_completion(control, &mut completion);
        }
        completion.sort_unstable();
        completion.dedup();
        completion
    }

    /// Sets the completion of a node without an instruction of its own that runs: it has run when
    /// all that it depends on has.
    fn inherit_completion(&mut self, node: NodeId) {
        let mut completion = self.controls(node);
        for &operand in &self.session.graph.node(node).operands {
            self.add_completion(operand, &mut completion);
        }
        if !completion.is_empty() {
            completion.sort_unstable();
            completion.dedup();
            self.completions.insert(node, completion);
        }
    }

    fn add_completion(&self, node: NodeId, completion: &mut Completion) {
        if let Some(values) = self.completions.get(&node) {
            completion.extend_from_slice(values);
        } else if let Some(value) = self.value(node)
            && self.instruction(value).runs()
        {
            completion.push(value);
        }
    }
}
