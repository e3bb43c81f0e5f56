//! The symbols of a graph: its unknown dimensions, under what names they print, which are equal and
//! which are a number.
//!
//! This file has the table, and how a body shares it with the graph around it. [`naming`] gives
//! symbols their names; [`unify`] makes them equal, by union-find, and takes that back where a
//! shape rule fails.

mod naming;
mod unify;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::NodeId;
use crate::shape::{Dim, SymbolId};

pub use naming::Naming;
use unify::Change;

/// The dimension at which a symbol first stood: `axis` of the value of `node`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The node whose shape brought it in.
    pub node: NodeId,
    /// Index of the dimension in that shape.
    pub axis: usize,
}

/// A row of the table.
#[derive(Clone, Debug)]
struct Symbol {
    /// Shared with the tables of bodies, of which there may be many.
    name: Arc<str>,
    /// The kind of its name, unless a user or a file gave the name.
    naming: Option<Naming>,
    /// Itself, or an older symbol that is known to be equal.
    parent: u32,
    /// The number that it is, kept at the oldest of a class of equal symbols.
    value: Option<usize>,
    origin: Option<Origin>,
    /// The node whose shape rule made it a number, or equal to its parent.
    cause: Option<NodeId>,
}

/// The unknown dimensions of a graph and what is known of them: which are equal, and which were
/// found to be a number.
#[derive(Clone, Debug)]
pub struct Symbols {
    /// The number of the table, shared by the tables of the graph's copies and bodies.
    owner: u32,
    entries: Vec<Symbol>,
    by_name: HashMap<Arc<str>, SymbolId>,
    /// The number in the name that was given last, by [`Naming`].
    counters: [u32; 2],
    /// Changes since [`Symbols::begin_trial`], oldest first.
    undo_log: Vec<Change>,
    /// The node whose shape rule runs.
    cause: Option<NodeId>,
    /// The number of changes.
    revision: u64,
}

impl Default for Symbols {
    fn default() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self {
            owner: NEXT.fetch_add(1, Ordering::Relaxed),
            entries: Vec::new(),
            by_name: HashMap::new(),
            counters: [0; 2],
            undo_log: Vec::new(),
            cause: None,
            revision: 0,
        }
    }
}

/// The number of symbols at a moment, to tell newer ones from older ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    len: usize,
}

impl Mark {
    /// True if the symbol was made since.
    pub(crate) fn is_before(self, id: SymbolId) -> bool {
        id.index() >= self.len
    }
}

impl Symbols {
    /// The number of symbols; their indices are below it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there are no symbols.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The id of the symbol at an index below [`Symbols::len`].
    pub(crate) fn id(&self, index: u32) -> SymbolId {
        SymbolId::new(index, self.owner)
    }

    /// True if a dimension can stand in shapes of this graph: it is a number, or one of these
    /// symbols.
    pub fn owns(&self, dim: Dim) -> bool {
        match dim {
            Dim::Known(_) => true,
            Dim::Symbol(id) => self.entry(id).is_some(),
        }
    }

    fn entry(&self, id: SymbolId) -> Option<&Symbol> {
        if id.owner() == self.owner { self.entries.get(id.index()) } else { None }
    }

    fn push(&mut self, name: Arc<str>, naming: Option<Naming>) -> SymbolId {
        let index = self.entries.len() as u32;
        let id = self.id(index);
        self.entries.push(Symbol {
            name: name.clone(),
            naming,
            parent: index,
            value: None,
            origin: None,
            cause: None,
        });
        self.by_name.insert(name, id);
        self.revision += 1;
        id
    }

    /// The number of changes so far. Of the tables of a graph and its bodies, those of equal
    /// revision are equal.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// True if these symbols are known to `outer` too, with the same ids.
    pub(crate) fn is_part_of(&self, outer: &Symbols) -> bool {
        self.is_empty() || self.owner == outer.owner && self.len() <= outer.len()
    }

    /// A copy of the table for a body, with the same ids. No symbol has an origin in the body yet.
    pub fn for_body(&self) -> Symbols {
        let mut symbols = self.clone();
        for symbol in &mut symbols.entries {
            symbol.origin = None;
            // A node of another graph.
            symbol.cause = None;
        }
        symbols
    }

    /// Takes over the symbols that a body, or the graph around it, has added to the common ones,
    /// and what it has found out about them. Origins are each graph's own.
    pub fn adopt(&mut self, other: &Symbols) {
        if other.revision <= self.revision || other.owner != self.owner {
            return;
        }
        for (index, theirs) in other.entries.iter().enumerate() {
            match self.entries.get_mut(index) {
                Some(mine) => {
                    if mine.parent != theirs.parent || mine.value != theirs.value {
                        // Found out in another graph.
                        mine.cause = None;
                    }
                    mine.parent = theirs.parent;
                    mine.value = theirs.value;
                    mine.name.clone_from(&theirs.name);
                }
                None => {
                    let symbol = Symbol { origin: None, cause: None, ..theirs.clone() };
                    self.entries.push(symbol);
                }
            }
        }
        self.by_name.clone_from(&other.by_name);
        for index in 0..self.entries.len() {
            if let Some(origin) = self.entries[index].origin {
                self.set_origin(self.id(index as u32), origin);
            }
        }
        self.counters = other.counters;
        self.revision = other.revision;
    }

    /// The number of symbols, for [`Symbols::truncate`] and [`Symbols::roll_back`].
    pub(crate) fn mark(&self) -> Mark {
        Mark { len: self.entries.len() }
    }

    /// The dimension at which the symbol, or an equal one made earlier, first stood.
    pub fn origin(&self, id: SymbolId) -> Option<Origin> {
        self.entry(self.root(id))?.origin
    }

    /// Sets the dimension at which a symbol first stood, unless it, or an equal one, has one.
    pub fn set_origin(&mut self, id: SymbolId, origin: Origin) {
        let root = self.root(id);
        if self.owns(Dim::Symbol(root)) {
            self.entries[root.index()].origin.get_or_insert(origin);
        }
    }

    /// The shape as it prints: `[N, 28, 28, 1]`.
    pub fn display<'a>(&'a self, shape: &'a [Dim]) -> impl fmt::Display + 'a {
        DisplayShape { symbols: self, shape }
    }
}

struct DisplayShape<'a> {
    symbols: &'a Symbols,
    shape: &'a [Dim],
}

impl fmt::Display for DisplayShape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, &dim) in self.shape.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            match self.symbols.resolve(dim) {
                Dim::Known(size) => write!(f, "{size}")?,
                Dim::Symbol(id) => f.write_str(self.symbols.name(id))?,
            }
        }
        f.write_str("]")
    }
}
