//! Common subexpressions: an instruction that computes what an earlier one has computed is that one.
//!
//! Two are the same if they have one operator, the same operands and attributes that are equal bit for bit. What draws from
//! a random stream, writes a variable or watches is never shared.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use abeyance_ir::{Attributes, NodeId};
use smallvec::SmallVec;

use crate::plan::draft::{Draft, ValueId};

/// What has been computed so far.
#[derive(Default)]
pub(crate) struct Shared {
    /// Under the hash of what they compute: values, and what they are computed from.
    found: HashMap<u64, SmallVec<[Entry; 1]>>,
    hasher: std::hash::RandomState,
}

struct Entry {
    value: ValueId,
    operands: SmallVec<[ValueId; 3]>,
}

impl Shared {
    /// The value that is what `node` would compute.
    pub(crate) fn find(
        &self,
        draft: &Draft<'_>,
        node: NodeId,
        operands: &[ValueId],
        attributes: &Attributes,
    ) -> Option<ValueId> {
        let entries = self.found.get(&self.hash(draft, node, operands, attributes))?;
        let graph = &draft.frozen.graph;
        let found = entries.iter().find(|entry| {
            let other = draft.instruction(entry.value).node;
            entry.operands[..] == *operands
                && graph.node(node).operator.is(&graph.node(other).operator)
                && draft.sizes.items(node) == draft.sizes.items(other)
                && attributes.same(&draft.sizes.attributes(other))
        });
        found.map(|entry| entry.value)
    }

    /// Notes what a value is computed from.
    pub(crate) fn insert(
        &mut self,
        draft: &Draft<'_>,
        value: ValueId,
        operands: &[ValueId],
        attributes: &Attributes,
    ) {
        let node = draft.instruction(value).node;
        let hash = self.hash(draft, node, operands, attributes);
        let entry = Entry { value, operands: operands.into() };
        self.found.entry(hash).or_default().push(entry);
    }

    fn hash(
        &self,
        draft: &Draft<'_>,
        node: NodeId,
        operands: &[ValueId],
        attributes: &Attributes,
    ) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        draft.frozen.graph.node(node).operator.signature().name.hash(&mut hasher);
        operands.hash(&mut hasher);
        attributes.digest(&mut hasher);
        hasher.finish()
    }
}
