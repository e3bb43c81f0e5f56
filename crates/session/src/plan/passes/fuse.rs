//! Fusion: elementwise instructions become one loop, which makes a tile of each value after the other while it is in the
//! first-level cache; and that loop is run where its operand is made, piece by piece, by a kernel whose pieces it can follow
//! (the *host*: a matmul, a convolution, a reduction). What nobody else needs is never written to memory.
//!
//! ## What belongs together
//! Every instruction has a *stage*. Over an edge that can be fused (from an elementwise instruction to another of as many
//! elements) the stage stays or grows, over every other edge it grows. Elementwise instructions of one stage that such
//! edges connect are one group. A way out of a group and back into it would have to leave by an edge over which the stage
//! grows, so there is none: groups can be put into an order. The host is an instruction of the stage before.
//!
//! An instruction that depends on nothing but what is in memory anyway (feeds, variables, constants) *floats*: its stage is
//! settled by who needs it first, so that `w * decay` of an optimizer is computed in the loop that updates `w`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use abeyance_ir::Locality;
use abeyance_kernels::launch::Target;
use fixedbitset::FixedBitSet;
use smallvec::SmallVec;

use crate::plan::draft::{Draft, ValueId, Work};

/// The most members of a group.
const MOST: usize = 64;
/// The most instructions that float together.
const FLOATING: usize = 16;
/// A host's pieces are at most so many bytes: each is to stay in the cache until its tiles are done.
const PIECE: usize = 512 * 1024;
/// No group.
const NONE: u32 = u32::MAX;

/// What runs as one: a host, members in an order in which they can run, or both.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) host: Option<ValueId>,
    pub(crate) members: SmallVec<[ValueId; 2]>,
}

/// Each live instruction alone.
pub(crate) fn none(live: &FixedBitSet) -> Vec<Unit> {
    live.ones()
        .map(|index| Unit { host: Some(ValueId::new(index)), members: SmallVec::new() })
        .collect()
}

/// The units of the instructions that are live, in an order in which they can run.
pub(crate) fn units(draft: &Draft<'_>, live: &FixedBitSet) -> Vec<Unit> {
    let mut grouping = Grouping::new(draft, live);
    for index in live.ones() {
        grouping.visit(ValueId::new(index));
    }
    for index in live.ones() {
        grouping.settle(ValueId::new(index));
    }
    grouping.units()
}

#[derive(Default)]
struct Group {
    members: Vec<ValueId>,
    host: Option<ValueId>,
}

struct Grouping<'a> {
    draft: &'a Draft<'a>,
    live: &'a FixedBitSet,
    stages: Vec<u32>,
    /// By value, its group.
    of: Vec<u32>,
    groups: Vec<Group>,
    /// By value that floats, how many float with it; 0 for others.
    floating: Vec<u8>,
    /// By host, its group.
    hosts: Vec<u32>,
}

/// How an operand reaches an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// An elementwise instruction of as many elements.
    Fused,
    /// A host's value, of as many elements.
    Hosted,
    /// Something that is run before.
    Run,
    /// Something that is there.
    There,
}

impl<'a> Grouping<'a> {
    fn new(draft: &'a Draft<'a>, live: &'a FixedBitSet) -> Self {
        let count = draft.instructions.len();
        Self {
            draft,
            live,
            stages: vec![0; count],
            of: vec![NONE; count],
            groups: Vec::new(),
            floating: vec![0; count],
            hosts: vec![NONE; count],
        }
    }

    /// Whether it may be a member of a group.
    fn is_elementwise(&self, value: ValueId) -> bool {
        let locality = self.draft.instruction(value).locality();
        matches!(locality, Some(Locality::Pointwise | Locality::Piecewise))
            && self.draft.concrete(value).len() > 1
    }

    /// Whether a group may follow its pieces.
    fn is_host(&self, value: ValueId) -> bool {
        let Work::Run { kernel, locality: Locality::Whole, keeps: None } =
            &self.draft.instruction(value).work
        else {
            return false;
        };
        let data = self.draft.frozen.graph.node(self.draft.instruction(value).node);
        let size = self.draft.concrete(value).dtype.size();
        let mut outputs = kernel.steps.iter().filter(|step| step.writes == Target::Output);
        let (Some(last), Some(only), None) = (kernel.steps.last(), outputs.next(), outputs.next())
        else {
            return false;
        };
        !self.draft.is_tuple(value)
            && !data.watches()
            && data.attributes.bodies().next().is_none()
            && last.writes == Target::Output
            && only.chunk.is_multiple_of(size)
            && only.chunk.min(self.draft.concrete(value).bytes()) <= PIECE
    }

    fn edge(&self, value: ValueId, operand: ValueId) -> Edge {
        let pointwise = self.draft.instruction(value).locality() == Some(Locality::Pointwise);
        let full = || {
            !self.draft.is_tuple(operand)
                && self.draft.concrete(operand).len() == self.draft.concrete(value).len()
        };
        match self.draft.instruction(operand).work {
            Work::Run { .. } if pointwise && self.is_elementwise(operand) && full() => Edge::Fused,
            Work::Run { .. } if pointwise && self.is_host(operand) && full() => Edge::Hosted,
            Work::Run { .. } => Edge::Run,
            _ => Edge::There,
        }
    }

    /// Gives an instruction its stage, or lets it float.
    fn visit(&mut self, value: ValueId) {
        let instruction = self.draft.instruction(value);
        if !matches!(instruction.work, Work::Run { .. }) {
            return;
        }
        for &after in &instruction.after {
            self.settle(after);
        }
        if !self.is_elementwise(value) {
            let mut stage = 0;
            for &before in instruction.operands.iter().chain(&instruction.after) {
                self.settle(before);
                if matches!(self.draft.instruction(before).work, Work::Run { .. }) {
                    stage = stage.max(self.stages[before.index()] + 1);
                }
            }
            self.stages[value.index()] = stage;
            return;
        }
        // What is run before has a stage from now on, unless it can come along.
        let mut size = 1;
        let mut floats = instruction.after.is_empty();
        for &operand in &instruction.operands {
            match self.edge(value, operand) {
                Edge::Fused if self.floating[operand.index()] > 0 => {
                    size += usize::from(self.floating[operand.index()]);
                }
                Edge::Fused | Edge::Hosted => floats = false,
                Edge::Run => self.settle(operand),
                Edge::There => {}
            }
        }
        match floats && size <= FLOATING {
            true => self.floating[value.index()] = size as u8,
            false => self.place(value),
        }
    }

    /// Places an instruction that floats.
    fn settle(&mut self, value: ValueId) {
        if self.floating[value.index()] > 0 {
            self.place(value);
        }
    }

    /// The instruction and those that float with it, each before those it needs, and the lowest stage for all.
    fn tree(&self, value: ValueId) -> (SmallVec<[ValueId; 16]>, u32) {
        let mut tree: SmallVec<[ValueId; 16]> = SmallVec::from_slice(&[value]);
        let mut stage = 0;
        let mut next = 0;
        while let Some(&value) = tree.get(next) {
            next += 1;
            let instruction = self.draft.instruction(value);
            for &operand in &instruction.operands {
                let below = self.stages[operand.index()];
                stage = stage.max(match self.edge(value, operand) {
                    Edge::Fused if self.floating[operand.index()] > 0 => {
                        if !tree.contains(&operand) {
                            tree.push(operand);
                        }
                        0
                    }
                    Edge::Fused => below,
                    Edge::Hosted | Edge::Run => below + 1,
                    Edge::There => 0,
                });
            }
            for &after in &instruction.after {
                stage = stage.max(self.stages[after.index()] + 1);
            }
        }
        (tree, stage)
    }

    /// Puts an instruction, and those that float with it, into the groups they are connected to.
    fn place(&mut self, value: ValueId) {
        let (tree, mut stage) = self.tree(value);
        let mut joined: SmallVec<[u32; 4]> = SmallVec::new();
        let mut hosts: SmallVec<[ValueId; 2]> = SmallVec::new();
        for &member in &tree {
            for &operand in &self.draft.instruction(member).operands {
                let place = operand.index();
                match self.edge(member, operand) {
                    Edge::Fused if self.floating[place] == 0 && self.stages[place] == stage => {
                        joined.push(self.of[place]);
                    }
                    Edge::Hosted if self.stages[place] + 1 == stage => {
                        hosts.push(operand);
                        joined.extend(Some(self.hosts[place]).filter(|&group| group != NONE));
                    }
                    _ => {}
                }
            }
        }
        joined.sort_unstable();
        joined.dedup();
        let size = joined.iter().map(|&group| self.groups[group as usize].members.len());
        if size.sum::<usize>() + tree.len() > MOST {
            // A stage above all of them, so that no group is left by an edge over which the stage stays.
            stage += 1;
            joined.clear();
            hosts.clear();
        }
        let group = match joined.first() {
            Some(&group) => group,
            None => {
                self.groups.push(Group::default());
                self.groups.len() as u32 - 1
            }
        };
        for &other in joined.iter().skip(1) {
            let other = std::mem::take(&mut self.groups[other as usize]);
            for &member in &other.members {
                self.of[member.index()] = group;
            }
            self.groups[group as usize].members.extend(other.members);
            hosts.extend(other.host);
        }
        for &member in &tree {
            self.floating[member.index()] = 0;
            self.stages[member.index()] = stage;
            self.of[member.index()] = group;
            self.groups[group as usize].members.push(member);
        }
        for host in hosts {
            self.hosts[host.index()] = NONE;
            let old = self.groups[group as usize].host;
            let better = old.is_none_or(|old| self.bytes(old) < self.bytes(host));
            if better {
                if let Some(old) = old {
                    self.hosts[old.index()] = NONE;
                }
                self.groups[group as usize].host = Some(host);
            }
            if let Some(host) = self.groups[group as usize].host {
                self.hosts[host.index()] = group;
            }
        }
    }

    fn bytes(&self, value: ValueId) -> usize {
        self.draft.concrete(value).bytes()
    }

    /// Groups and lone instructions, ordered so that each comes after those it needs, and otherwise as their last
    /// instructions were.
    fn units(mut self) -> Vec<Unit> {
        // By value, its unit; a group's is named after the value that comes last.
        let mut unit_of: Vec<u32> = (0..self.of.len() as u32).collect();
        let mut units: Vec<Option<Unit>> = Vec::new();
        units.resize_with(self.of.len(), || None);
        for index in self.live.ones() {
            let value = ValueId::new(index);
            if self.of[index] == NONE && self.hosts[index] == NONE {
                units[index] = Some(Unit { host: Some(value), members: SmallVec::new() });
            }
        }
        for mut group in std::mem::take(&mut self.groups) {
            // Who reads the host as a whole cannot follow its pieces.
            let whole = |&member: &ValueId| {
                let operands = &self.draft.instruction(member).operands;
                operands.iter().any(|&operand| {
                    group.host == Some(operand) && self.edge(member, operand) != Edge::Hosted
                })
            };
            if group.members.iter().any(whole)
                && let Some(host) = group.host.take()
            {
                units[host.index()] = Some(Unit { host: Some(host), members: SmallVec::new() });
            }
            let mut members: SmallVec<[ValueId; 2]> = group.members.into();
            members.sort_unstable();
            let Some(&last) = members.last() else { continue };
            for value in members.iter().chain(&group.host) {
                unit_of[value.index()] = last.index() as u32;
            }
            units[last.index()] = Some(Unit { host: group.host, members });
        }
        let mut waits = vec![0u32; units.len()];
        let mut behind: Vec<SmallVec<[u32; 2]>> = vec![SmallVec::new(); units.len()];
        for index in self.live.ones() {
            let instruction = self.draft.instruction(ValueId::new(index));
            let unit = unit_of[index];
            for before in instruction.operands.iter().chain(&instruction.after) {
                let before = unit_of[before.index()];
                if before != unit {
                    waits[unit as usize] += 1;
                    behind[before as usize].push(unit);
                }
            }
        }
        let ready = (0..units.len() as u32).filter(|&unit| waits[unit as usize] == 0);
        let mut ready: BinaryHeap<Reverse<u32>> = ready.map(Reverse).collect();
        let mut ordered = Vec::with_capacity(units.len());
        while let Some(Reverse(unit)) = ready.pop() {
            ordered.extend(units[unit as usize].take());
            for &next in &behind[unit as usize] {
                waits[next as usize] -= 1;
                if waits[next as usize] == 0 {
                    ready.push(Reverse(next));
                }
            }
        }
        ordered
    }
}
