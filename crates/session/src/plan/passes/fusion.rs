//! Fusion: elementwise instructions become one loop, which makes a tile of each value after the
//! other while it is in the first-level cache; and that loop runs where its operand is made, piece
//! by piece, by a kernel whose pieces it can follow (the *producer*: a matmul, a convolution, a
//! reduction). A value that nobody else needs is never written to memory.
//!
//! ## What belongs together
//! Every instruction has a *level*. Over an edge that can be fused (from an elementwise instruction
//! to another of as many elements) the level stays or grows, over every other edge it grows.
//! Elementwise instructions of one level that such edges connect are one group. A way out of a
//! group and back into it would have to leave by an edge over which the level grows, so there is
//! none: contracting each group to a point leaves a graph without cycles, which can be put into an
//! order. The producer is an instruction of the level before.
//!
//! An instruction that depends on nothing but what is in memory anyway (feeds, variables,
//! constants) is *unplaced* at first: its level is that of who needs it first, so that `w * decay`
//! of an optimizer is computed in the loop that updates `w`.
//!
//! The pass needs one walk to place the instructions and one to sort the groups topologically; of
//! those that are ready the one comes first whose last instruction did. What it leaves is the list
//! with every group in one piece, which is [`Draft::groups`](crate::plan::draft::Draft::groups).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use abeyance_ir::Fusibility;
use abeyance_kernels::launch::Target;
use fixedbitset::FixedBitSet;
use smallvec::SmallVec;

use super::{Pass, missing};
use crate::Error;
use crate::plan::draft::{Draft, Renaming, ValueId};

pub(crate) struct Fusion;

/// The most members of a group.
const MOST: usize = 64;
/// The most instructions that are placed together.
const MOST_UNPLACED: usize = 16;
/// A producer's pieces are at most so many bytes: each is to stay in the cache until its tiles are
/// done.
const PIECE: usize = 512 * 1024;
/// The index of no group.
const NONE: u32 = u32::MAX;

impl Pass for Fusion {
    fn name(&self) -> &'static str {
        "fusion"
    }

    fn run(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let mut grouping = Grouping::new(draft)?;
        for value in draft.ids() {
            grouping.visit(value);
        }
        for value in draft.ids() {
            grouping.place_pending(value);
        }
        let units = grouping.units();
        sort(draft, &units)
    }
}

/// Instructions that run as one: a producer, members in an order in which they can run, or both.
#[derive(Debug, Default)]
struct Unit {
    producer: Option<ValueId>,
    members: SmallVec<[ValueId; 2]>,
}

impl Unit {
    fn single(value: ValueId) -> Self {
        Self { producer: Some(value), members: SmallVec::new() }
    }
}

/// Puts the instructions in the order of the units, and notes which of these are groups.
fn sort(draft: &mut Draft<'_>, units: &[Unit]) -> Result<(), Error> {
    let mut old: Vec<Option<_>> =
        std::mem::take(&mut draft.instructions).into_iter().map(Some).collect();
    let mut renaming = Renaming::empty(old.len());
    draft.instructions.reserve(old.len());
    for unit in units {
        let start = draft.instructions.len();
        for &value in unit.producer.iter().chain(&unit.members) {
            let mut instruction = old[value.index()].take().ok_or_else(missing)?;
            renaming.apply(&mut instruction).ok_or_else(missing)?;
            renaming.set(value, Some(ValueId::new(draft.instructions.len())));
            draft.instructions.push(instruction);
        }
        if draft.instructions.len() - start > 1 {
            draft.groups.push(start..draft.instructions.len());
        }
    }
    draft.rename(&renaming);
    Ok(())
}

#[derive(Default)]
struct Group {
    members: Vec<ValueId>,
    producer: Option<ValueId>,
}

struct Grouping<'d, 'a> {
    draft: &'d Draft<'a>,
    levels: Vec<u32>,
    /// By value, its group.
    of: Vec<u32>,
    groups: Vec<Group>,
    /// By value that is unplaced, how many will be placed with it; 0 for others.
    unplaced: Vec<u8>,
    /// By producer, its group.
    producers: Vec<u32>,
    /// The values whose pieces a group may follow.
    can_produce: FixedBitSet,
}

/// The ways in which an operand reaches an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// An elementwise instruction of as many elements.
    Fused,
    /// A producer's value, of as many elements.
    Produced,
    /// A value that is computed before.
    Run,
    /// A value that is in memory: a feed, a variable or a constant.
    There,
}

impl<'d, 'a> Grouping<'d, 'a> {
    fn new(draft: &'d Draft<'a>) -> Result<Self, Error> {
        let count = draft.instructions.len();
        let mut can_produce = FixedBitSet::with_capacity(count);
        for value in draft.ids() {
            can_produce.set(value.index(), can_produce_pieces(draft, value)?);
        }
        Ok(Self {
            draft,
            levels: vec![0; count],
            of: vec![NONE; count],
            groups: Vec::new(),
            unplaced: vec![0; count],
            producers: vec![NONE; count],
            can_produce,
        })
    }

    /// True if it may be a member of a group.
    fn is_elementwise(&self, value: ValueId) -> bool {
        let fusibility = self.draft.fusibility(self.draft.instruction(value));
        matches!(fusibility, Some(Fusibility::Elementwise | Fusibility::AnyRange))
            && self.draft.concrete(value).memory_len() > 1
    }

    fn edge(&self, value: ValueId, operand: ValueId) -> Edge {
        if !self.draft.instruction(operand).runs() {
            return Edge::There;
        }
        let is_pointwise =
            self.draft.fusibility(self.draft.instruction(value)) == Some(Fusibility::Elementwise);
        let is_full = !self.draft.is_tuple(operand)
            && self.draft.concrete(operand).memory_len() == self.draft.concrete(value).memory_len();
        if !is_pointwise || !is_full {
            Edge::Run
        } else if self.is_elementwise(operand) {
            Edge::Fused
        } else if self.can_produce.contains(operand.index()) {
            Edge::Produced
        } else {
            Edge::Run
        }
    }

    /// Gives an instruction its level, or leaves it unplaced.
    fn visit(&mut self, value: ValueId) {
        let instruction = self.draft.instruction(value);
        if !instruction.runs() {
            return;
        }
        for &before in &instruction.runs_after {
            self.place_pending(before);
        }
        if !self.is_elementwise(value) {
            let mut level = 0;
            for &before in instruction.operands.iter().chain(&instruction.runs_after) {
                self.place_pending(before);
                if self.draft.instruction(before).runs() {
                    level = level.max(self.levels[before.index()] + 1);
                }
            }
            self.levels[value.index()] = level;
            return;
        }
        // What is run before has a level from now on, unless it can come along.
        let mut size = 1;
        let mut can_wait = instruction.runs_after.is_empty();
        for &operand in &instruction.operands {
            match self.edge(value, operand) {
                Edge::Fused if self.unplaced[operand.index()] > 0 => {
                    size += usize::from(self.unplaced[operand.index()]);
                }
                Edge::Fused | Edge::Produced => can_wait = false,
                Edge::Run => self.place_pending(operand),
                Edge::There => {}
            }
        }
        if can_wait && size <= MOST_UNPLACED {
            self.unplaced[value.index()] = size as u8;
        } else {
            self.place(value);
        }
    }

    /// Places an instruction that is unplaced.
    fn place_pending(&mut self, value: ValueId) {
        if self.unplaced[value.index()] > 0 {
            self.place(value);
        }
    }

    /// The instruction and those that are placed with it, each before those it needs, and the
    /// lowest level for all.
    fn tree(&self, value: ValueId) -> (SmallVec<[ValueId; 16]>, u32) {
        let mut tree: SmallVec<[ValueId; 16]> = SmallVec::from_slice(&[value]);
        let mut level = 0;
        let mut next = 0;
        while let Some(&value) = tree.get(next) {
            next += 1;
            let instruction = self.draft.instruction(value);
            for &operand in &instruction.operands {
                let below = self.levels[operand.index()];
                level = level.max(match self.edge(value, operand) {
                    Edge::Fused if self.unplaced[operand.index()] > 0 => {
                        if !tree.contains(&operand) {
                            tree.push(operand);
                        }
                        0
                    }
                    Edge::Fused => below,
                    Edge::Produced | Edge::Run => below + 1,
                    Edge::There => 0,
                });
            }
            for &before in &instruction.runs_after {
                level = level.max(self.levels[before.index()] + 1);
            }
        }
        (tree, level)
    }

    /// Puts an instruction, and those that are placed with it, into the groups they are connected
    /// to.
    fn place(&mut self, value: ValueId) {
        let (tree, mut level) = self.tree(value);
        let (mut joined, mut producers) = self.connected(&tree, level);
        let size = joined.iter().map(|&group| self.groups[group as usize].members.len());
        if size.sum::<usize>() + tree.len() > MOST {
            // A level above all of them, so that no group is left by an edge over which the level
            // stays.
            level += 1;
            joined.clear();
            producers.clear();
        }
        let group = joined.first().copied().unwrap_or_else(|| {
            self.groups.push(Group::default());
            self.groups.len() as u32 - 1
        });
        for &other in joined.iter().skip(1) {
            let other = std::mem::take(&mut self.groups[other as usize]);
            for &member in &other.members {
                self.of[member.index()] = group;
            }
            self.groups[group as usize].members.extend(other.members);
            producers.extend(other.producer);
        }
        for &member in &tree {
            self.unplaced[member.index()] = 0;
            self.levels[member.index()] = level;
            self.of[member.index()] = group;
            self.groups[group as usize].members.push(member);
        }
        for producer in producers {
            self.offer_producer(group, producer);
        }
    }

    /// The groups to which instructions of a level are connected, and the producers whose pieces
    /// they can follow.
    fn connected(
        &self,
        tree: &[ValueId],
        level: u32,
    ) -> (SmallVec<[u32; 4]>, SmallVec<[ValueId; 2]>) {
        let mut joined: SmallVec<[u32; 4]> = SmallVec::new();
        let mut producers: SmallVec<[ValueId; 2]> = SmallVec::new();
        for &member in tree {
            for &operand in &self.draft.instruction(member).operands {
                let index = operand.index();
                match self.edge(member, operand) {
                    Edge::Fused if self.unplaced[index] == 0 && self.levels[index] == level => {
                        joined.push(self.of[index]);
                    }
                    Edge::Produced if self.levels[index] + 1 == level => {
                        producers.push(operand);
                        joined.extend(Some(self.producers[index]).filter(|&group| group != NONE));
                    }
                    _ => {}
                }
            }
        }
        joined.sort_unstable();
        joined.dedup();
        (joined, producers)
    }

    /// Makes a value the producer of a group, unless the group has a larger one.
    fn offer_producer(&mut self, group: u32, producer: ValueId) {
        self.producers[producer.index()] = NONE;
        let old = self.groups[group as usize].producer;
        let is_better = old.is_none_or(|old| self.bytes(old) < self.bytes(producer));
        if is_better {
            if let Some(old) = old {
                self.producers[old.index()] = NONE;
            }
            self.groups[group as usize].producer = Some(producer);
        }
        if let Some(producer) = self.groups[group as usize].producer {
            self.producers[producer.index()] = group;
        }
    }

    fn bytes(&self, value: ValueId) -> usize {
        self.draft.concrete(value).bytes()
    }

    /// Groups and lone instructions, each after those it needs, and otherwise in the order of their
    /// last instructions.
    fn units(mut self) -> Vec<Unit> {
        // By value, its unit; a group's is named after the value that comes last.
        let mut unit_of: Vec<u32> = (0..self.of.len() as u32).collect();
        let mut units: Vec<Option<Unit>> = Vec::new();
        units.resize_with(self.of.len(), || None);
        for value in self.draft.ids() {
            let index = value.index();
            if self.of[index] == NONE && self.producers[index] == NONE {
                units[index] = Some(Unit::single(value));
            }
        }
        for mut group in std::mem::take(&mut self.groups) {
            // Who reads the producer as a whole cannot follow its pieces.
            let whole = |&member: &ValueId| {
                let operands = &self.draft.instruction(member).operands;
                operands.iter().any(|&operand| {
                    group.producer == Some(operand) && self.edge(member, operand) != Edge::Produced
                })
            };
            if group.members.iter().any(whole)
                && let Some(producer) = group.producer.take()
            {
                units[producer.index()] = Some(Unit::single(producer));
            }
            let mut members: SmallVec<[ValueId; 2]> = group.members.into();
            members.sort_unstable();
            let Some(&last) = members.last() else { continue };
            for value in members.iter().chain(&group.producer) {
                unit_of[value.index()] = last.index() as u32;
            }
            units[last.index()] = Some(Unit { producer: group.producer, members });
        }
        self.ordered(units, &unit_of)
    }

    /// Sorts units topologically. Of those that are ready the one with the lowest index comes
    /// first.
    fn ordered(&self, mut units: Vec<Option<Unit>>, unit_of: &[u32]) -> Vec<Unit> {
        let mut waits = vec![0u32; units.len()];
        let mut behind: Vec<SmallVec<[u32; 2]>> = vec![SmallVec::new(); units.len()];
        for value in self.draft.ids() {
            let instruction = self.draft.instruction(value);
            let unit = unit_of[value.index()];
            for before in instruction.operands.iter().chain(&instruction.runs_after) {
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

/// True if a group may follow the pieces of a value.
fn can_produce_pieces(draft: &Draft<'_>, value: ValueId) -> Result<bool, Error> {
    let instruction = draft.instruction(value);
    let Some(computation) = draft.computation(instruction) else { return Ok(false) };
    let data = draft.session.graph.node(instruction.node);
    if computation.fusibility != Fusibility::Opaque
        || computation.stores_to.is_some()
        || draft.is_tuple(value)
        || data.observes()
        || data.attributes.bodies().next().is_some()
    {
        return Ok(false);
    }
    let kernel = draft.kernel(value)?;
    let concrete = draft.concrete(value);
    let mut outputs = kernel.steps.iter().filter(|step| step.writes == Target::Output);
    let (Some(last), Some(only), None) = (kernel.steps.last(), outputs.next(), outputs.next())
    else {
        return Ok(false);
    };
    Ok(last.writes == Target::Output
        && only.chunk.is_multiple_of(concrete.dtype.size())
        && only.chunk.min(concrete.bytes()) <= PIECE)
}
