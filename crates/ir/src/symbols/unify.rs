//! Equal symbols: union-find, in which the oldest symbol of a class is its root, with an undo log.
//!
//! Written here although the crate `ena` has such a table, for four reasons:
//!
//! - its `find` recurses along parents, and where the oldest symbol has to be the root, a file of
//!   10,000 dimensions made equal from the youngest on overflows a stack of 2 MiB;
//! - its `find` compresses paths and so needs `&mut`; threads look up the symbols of one graph at a
//!   time;
//! - [`Symbols::causes`] follows the parents as they were set, which compression loses;
//! - [`Symbols::truncate`] removes symbols and keeps what was found out about older ones; a
//!   snapshot gives up either both or neither.

use crate::NodeId;
use crate::shape::{Dim, SymbolId};

use super::{Mark, Origin, Symbols};

/// A change of the table, with what it takes to undo it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// The symbol became a number.
    Value(u32),
    /// `new` became equal to `old`, whose origin was this before.
    Equal { new: u32, old: u32, origin: Option<Origin> },
}

impl Symbols {
    /// Begins to log changes, which are due to the shape rule of `cause`. [`Symbols::roll_back`]
    /// undoes them if the rule fails.
    pub(crate) fn begin_trial(&mut self, cause: NodeId) -> Mark {
        self.undo_log.clear();
        self.set_cause(Some(cause));
        self.mark()
    }

    /// Sets the node whose shape rule runs from now on.
    pub(crate) fn set_cause(&mut self, cause: Option<NodeId>) {
        self.cause = cause;
    }

    /// Undoes all changes since [`Symbols::begin_trial`], of older symbols too.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        while let Some(change) = self.undo_log.pop() {
            match change {
                Change::Value(id) => {
                    self.entries[id as usize].value = None;
                    self.entries[id as usize].cause = None;
                }
                Change::Equal { new, old, origin } => {
                    self.entries[new as usize].parent = new;
                    self.entries[new as usize].cause = None;
                    self.entries[old as usize].origin = origin;
                }
            }
        }
        self.truncate(mark);
    }

    /// The oldest of the symbols known to be equal to `id`.
    pub fn root(&self, id: SymbolId) -> SymbolId {
        self.ancestry(id).last().unwrap_or(id)
    }

    /// The symbol, the one that it was made equal to, and so on to the root. None of them if it is
    /// another graph's.
    fn ancestry(&self, id: SymbolId) -> impl Iterator<Item = SymbolId> {
        let parent = move |at: &SymbolId| {
            let parent = self.id(self.entry(*at)?.parent);
            (parent != *at).then_some(parent)
        };
        std::iter::successors(self.entry(id).map(|_| id), parent)
    }

    /// The simplest equal dimension: a number if one is known, else the oldest of the equal
    /// symbols.
    pub fn resolve(&self, dim: Dim) -> Dim {
        match dim {
            Dim::Known(_) => dim,
            Dim::Symbol(id) => {
                let root = self.root(id);
                match self.entry(root).and_then(|entry| entry.value) {
                    Some(value) => Dim::Known(value),
                    None => Dim::Symbol(root),
                }
            }
        }
    }

    /// The nodes whose shape rules made the symbol what it is: equal to an older one, that to
    /// another, the oldest a number. For what was found out in another graph there are none.
    pub fn causes(&self, id: SymbolId) -> Vec<NodeId> {
        self.ancestry(id).filter_map(|symbol| self.entry(symbol)?.cause).collect()
    }

    /// Makes two dimensions equal from now on, and gives the simplest of them. None if they are two
    /// different numbers, or one is another graph's.
    pub fn unify(&mut self, a: Dim, b: Dim) -> Option<Dim> {
        let (a, b) = (self.resolve(a), self.resolve(b));
        if a == b {
            return Some(a);
        }
        if !self.owns(a) || !self.owns(b) {
            return None;
        }
        match (a, b) {
            (Dim::Known(_), Dim::Known(_)) => None,
            (Dim::Known(value), Dim::Symbol(id)) | (Dim::Symbol(id), Dim::Known(value)) => {
                self.set_value(id, value);
                Some(Dim::Known(value))
            }
            (Dim::Symbol(x), Dim::Symbol(y)) => {
                // The name of the older is the one that the user saw first.
                let (old, new) = if x <= y { (x, y) } else { (y, x) };
                self.redirect(new, old);
                Some(Dim::Symbol(old))
            }
        }
    }

    /// Makes a root a number.
    fn set_value(&mut self, root: SymbolId, value: usize) {
        self.revision += 1;
        self.undo_log.push(Change::Value(root.index() as u32));
        let entry = &mut self.entries[root.index()];
        entry.value = Some(value);
        entry.cause = self.cause;
    }

    /// Makes the root `old` the parent of the root `new`.
    fn redirect(&mut self, new: SymbolId, old: SymbolId) {
        self.revision += 1;
        let (new_index, old_index) = (new.index() as u32, old.index() as u32);
        let origin = self.entries[new.index()].origin;
        self.entries[new.index()].parent = old_index;
        self.entries[new.index()].cause = self.cause;
        let entry = &mut self.entries[old.index()];
        self.undo_log.push(Change::Equal { new: new_index, old: old_index, origin: entry.origin });
        entry.origin = entry.origin.or(origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Naming;

    #[test]
    fn a_failed_trial_leaves_older_symbols_as_they_were() {
        let mut symbols = Symbols::default();
        let [a, b, c] = [(); 3].map(|()| symbols.fresh(Naming::Fed));
        symbols.unify(Dim::Symbol(a), Dim::Symbol(b)).unwrap();
        let mark = symbols.begin_trial(NodeId::new(7));
        let made = symbols.fresh(Naming::Derived);
        symbols.unify(Dim::Symbol(made), Dim::Symbol(c)).unwrap();
        symbols.unify(Dim::Symbol(c), Dim::Symbol(b)).unwrap();
        symbols.unify(Dim::Symbol(c), Dim::Known(5)).unwrap();
        assert_eq!(symbols.resolve(Dim::Symbol(a)), Dim::Known(5));
        assert_eq!(symbols.causes(c), [NodeId::new(7); 2]);
        symbols.roll_back(mark);
        assert_eq!(symbols.len(), 3);
        assert_eq!(symbols.resolve(Dim::Symbol(b)), Dim::Symbol(a));
        assert_eq!(symbols.resolve(Dim::Symbol(c)), Dim::Symbol(c));
        assert_eq!(symbols.causes(c), []);
        let again = symbols.fresh(Naming::Derived);
        assert_eq!(symbols.name(again), "D");
    }

    #[test]
    fn a_long_chain_of_equal_symbols_takes_no_stack() {
        let mut symbols = Symbols::default();
        let all: Vec<Dim> =
            (0..10_000).map(|_| symbols.fresh(Naming::Fed)).map(Dim::Symbol).collect();
        for pair in all.windows(2).rev() {
            symbols.unify(pair[0], pair[1]).unwrap();
        }
        assert_eq!(symbols.resolve(all[9_999]), all[0]);
    }
}
