//! Shapes, and dimensions that are not known yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use smallvec::SmallVec;

use crate::NodeId;

/// The size of one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// A number.
    Known(usize),
    /// A size that a feed settles when the graph runs.
    Symbol(SymbolId),
}

impl Dim {
    /// The number, where it is one.
    pub fn known(self) -> Option<usize> {
        match self {
            Dim::Known(size) => Some(size),
            Dim::Symbol(_) => None,
        }
    }
}

impl From<usize> for Dim {
    fn from(size: usize) -> Self {
        Dim::Known(size)
    }
}

/// The sizes of all dimensions, outermost first.
pub type Shape = SmallVec<[Dim; 4]>;

/// Sizes that are all known, outermost first.
pub type Dims = SmallVec<[usize; 4]>;

/// The sizes as numbers, if all of them are known.
pub fn known_dims(shape: &[Dim]) -> Option<Dims> {
    shape.iter().map(|dim| dim.known()).collect()
}

/// The number of elements, if it fits an `isize` (so that any offset in bytes of one-byte elements
/// does). So has the product of the sizes that are not 0, as `ndarray` demands: then the sizes
/// multiply in any order.
pub fn element_count(dims: &[usize]) -> Option<usize> {
    let count = dims
        .iter()
        .filter(|&&dim| dim != 0)
        .try_fold(1usize, |count, &dim| count.checked_mul(dim))
        .filter(|&count| isize::try_from(count).is_ok())?;
    if dims.contains(&0) { Some(0) } else { Some(count) }
}

/// Names a dimension that is not known yet, of one graph and its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId {
    index: u32,
    /// Tells the symbols of different graphs apart: a shape is easily carried from one to another.
    owner: u32,
}

impl SymbolId {
    /// Stands for a size that could not be computed although everything else is known.
    pub const UNDETERMINED: SymbolId = SymbolId { index: u32::MAX, owner: u32::MAX };

    /// Its place among the graph's symbols.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// Where a symbol first stood: dimension `axis` of the value of `node`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The node whose shape brought it in.
    pub node: NodeId,
    /// Which of its dimensions.
    pub axis: usize,
}

#[derive(Clone, Debug)]
struct Symbol {
    /// Shared with the tables of bodies, of which there may be many.
    name: Arc<str>,
    /// How it was named, unless its name was given to it.
    naming: Option<Naming>,
    /// Itself, or another symbol known to be equal.
    parent: u32,
    /// Kept at the representative of a class of equal symbols.
    value: Option<usize>,
    origin: Option<Origin>,
    /// The node that made it a number, or equal to its parent.
    settled_by: Option<NodeId>,
}

/// The unknown dimensions of a graph and what is known of them: which are equal (union-find), and
/// which were found to be a number.
#[derive(Clone, Debug)]
pub struct Symbols {
    owner: u32,
    entries: Vec<Symbol>,
    named: std::collections::HashMap<Arc<str>, SymbolId>,
    counters: [u32; 2],
    /// What was found out since [`Symbols::try_out`], oldest first.
    trail: Vec<Finding>,
    /// The node whose shape rule finds things out.
    settler: Option<NodeId>,
    /// Counts changes.
    revision: u64,
}

impl Default for Symbols {
    fn default() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self {
            owner: NEXT.fetch_add(1, Ordering::Relaxed),
            entries: Vec::new(),
            named: std::collections::HashMap::new(),
            counters: [0; 2],
            trail: Vec::new(),
            settler: None,
            revision: 0,
        }
    }
}

/// A thing found out about symbols, with what is needed to forget it.
#[derive(Clone, Copy, Debug)]
enum Finding {
    /// The symbol is a number.
    Value(u32),
    /// `new` is equal to `old`, whose origin was this before.
    Equal { new: u32, old: u32, origin: Option<Origin> },
}

/// A moment in the growth of [`Symbols`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    len: usize,
}

impl Mark {
    /// True if a symbol was made since.
    pub(crate) fn is_before(self, id: SymbolId) -> bool {
        id.index() >= self.len
    }
}

/// How a symbol of which the user said no name is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `N`, `N2`, ...: a size that a feed brings.
    Fed,
    /// `D`, `D2`, ...: a size that an operator computes from others.
    Derived,
}

impl Symbols {
    /// The number of symbols ever made; their indices are below it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if every dimension is a number.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn id(&self, index: u32) -> SymbolId {
        SymbolId { index, owner: self.owner }
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
        if id.owner == self.owner { self.entries.get(id.index()) } else { None }
    }

    fn push(&mut self, name: Arc<str>, naming: Option<Naming>) -> SymbolId {
        let id = self.id(self.entries.len() as u32);
        self.entries.push(Symbol {
            name: name.clone(),
            naming,
            parent: id.index,
            value: None,
            origin: None,
            settled_by: None,
        });
        self.named.insert(name, id);
        self.revision += 1;
        id
    }

    /// Grows with every change. Of the tables of a graph and its bodies, those of equal revision
    /// are equal.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// True if these are known to `outer` too, with the same ids.
    pub(crate) fn is_part_of(&self, outer: &Symbols) -> bool {
        self.is_empty() || self.owner == outer.owner && self.len() <= outer.len()
    }

    /// The same symbols with the same ids, for a body: none has stood anywhere in it yet.
    pub fn for_body(&self) -> Symbols {
        let mut symbols = self.clone();
        for symbol in &mut symbols.entries {
            symbol.origin = None;
            // A node of another graph.
            symbol.settled_by = None;
        }
        symbols
    }

    /// Takes over what a body, or the graph around it, has added to the common symbols and found
    /// out about them. Where symbols first stood is each graph's own.
    pub fn adopt(&mut self, other: &Symbols) {
        if other.revision <= self.revision || other.owner != self.owner {
            return;
        }
        for (index, theirs) in other.entries.iter().enumerate() {
            match self.entries.get_mut(index) {
                Some(mine) => {
                    if mine.parent != theirs.parent || mine.value != theirs.value {
                        // Found out in another graph.
                        mine.settled_by = None;
                    }
                    mine.parent = theirs.parent;
                    mine.value = theirs.value;
                    mine.name.clone_from(&theirs.name);
                }
                None => {
                    let symbol = Symbol { origin: None, settled_by: None, ..theirs.clone() };
                    self.entries.push(symbol);
                }
            }
        }
        self.named.clone_from(&other.named);
        for index in 0..self.entries.len() {
            if let Some(origin) = self.entries[index].origin {
                self.set_origin(self.id(index as u32), origin);
            }
        }
        self.counters = other.counters;
        self.revision = other.revision;
    }

    /// The symbols as they are, to be gone [back](Symbols::rewind) to.
    pub(crate) fn mark(&self) -> Mark {
        Mark { len: self.entries.len() }
    }

    /// Forgets the symbols made since, of which nothing may be left in use; what was found out
    /// about older ones stays.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        // No older symbol refers to a newer one: the oldest stands for its class.
        for symbol in self.entries.drain(mark.len..) {
            self.named.remove(&symbol.name);
            // Numbers below the first that is free again are taken, by names that were given: the
            // next search need not begin before them.
            if let Some(naming) = symbol.naming {
                let number = symbol.name.get(1..).and_then(|digits| digits.parse().ok());
                let counter = &mut self.counters[naming as usize];
                *counter = number.unwrap_or(1u32).saturating_sub(1).min(*counter);
            }
        }
    }

    /// The symbols as they are, to be gone [back](Symbols::forget) to if what follows does not
    /// hold.
    pub(crate) fn try_out(&mut self, settler: NodeId) -> Mark {
        self.trail.clear();
        self.set_settler(Some(settler));
        self.mark()
    }

    /// The node that what is found out from now on is due to.
    pub(crate) fn set_settler(&mut self, settler: Option<NodeId>) {
        self.settler = settler;
    }

    /// Forgets everything since, about older symbols too.
    pub(crate) fn forget(&mut self, mark: Mark) {
        while let Some(finding) = self.trail.pop() {
            match finding {
                Finding::Value(id) => {
                    self.entries[id as usize].value = None;
                    self.entries[id as usize].settled_by = None;
                }
                Finding::Equal { new, old, origin } => {
                    self.entries[new as usize].parent = new;
                    self.entries[new as usize].settled_by = None;
                    self.entries[old as usize].origin = origin;
                }
            }
        }
        self.rewind(mark);
    }

    /// A new symbol with a name of its own.
    pub fn fresh(&mut self, naming: Naming) -> SymbolId {
        let name = self.free_name(naming);
        self.push(name, Some(naming))
    }

    fn free_name(&mut self, naming: Naming) -> Arc<str> {
        let (letter, counter) = match naming {
            Naming::Fed => ('N', &mut self.counters[0]),
            Naming::Derived => ('D', &mut self.counters[1]),
        };
        loop {
            *counter += 1;
            let name = match *counter {
                1 => letter.to_string(),
                count => format!("{letter}{count}"),
            };
            if !self.named.contains_key(name.as_str()) {
                return name.into();
            }
        }
    }

    /// The symbol of that name, made if it is new.
    pub fn named(&mut self, name: &str) -> SymbolId {
        match self.named.get(name) {
            Some(&id) => id,
            None => self.push(name.into(), None),
        }
    }

    /// The symbol to which a user gave that name. One that took it by itself is called otherwise
    /// from now on: that two sizes are equal is said by the user, not by chance.
    pub fn declared(&mut self, name: &str) -> SymbolId {
        if let Some(&id) = self.named.get(name)
            && let Some(naming) = self.entries[id.index()].naming
        {
            let other = self.free_name(naming);
            self.entries[id.index()].name = other.clone();
            self.named.insert(other, id);
            self.named.remove(name);
            self.revision += 1;
        }
        self.named(name)
    }

    /// The symbol that stands for all those known to be equal to `id`: the oldest.
    pub fn root(&self, id: SymbolId) -> SymbolId {
        let mut at = id;
        while let Some(entry) = self.entry(at) {
            if entry.parent == at.index {
                break;
            }
            at.index = entry.parent;
        }
        at
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

    /// The name under which a dimension is printed.
    pub fn name(&self, id: SymbolId) -> &str {
        self.entry(self.root(id)).map_or("?", |entry| &entry.name)
    }

    /// The nodes whose shape rules made the symbol what it is taken for: equal to an older one,
    /// that to another, the oldest a number. Of what was found out in another graph there are none.
    pub fn settlers(&self, id: SymbolId) -> Vec<NodeId> {
        let mut settlers = Vec::new();
        let mut at = id;
        while let Some(entry) = self.entry(at) {
            settlers.extend(entry.settled_by);
            if entry.parent == at.index {
                break;
            }
            at.index = entry.parent;
        }
        settlers
    }

    /// Where the symbol, or an equal one made earlier, first stood.
    pub fn origin(&self, id: SymbolId) -> Option<Origin> {
        self.entry(self.root(id))?.origin
    }

    /// Remembers where a symbol stood first; later calls for equal symbols change nothing.
    pub fn set_origin(&mut self, id: SymbolId, origin: Origin) {
        let root = self.root(id);
        if self.owns(Dim::Symbol(root)) {
            self.entries[root.index()].origin.get_or_insert(origin);
        }
    }

    /// Makes two dimensions equal from now on; `None` if they are two different numbers, or one of
    /// another graph.
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
                self.revision += 1;
                self.trail.push(Finding::Value(id.index));
                self.entries[id.index()].value = Some(value);
                self.entries[id.index()].settled_by = self.settler;
                Some(Dim::Known(value))
            }
            (Dim::Symbol(x), Dim::Symbol(y)) => {
                self.revision += 1;
                // The older stands for both: its name is the one the user saw first.
                let (old, new) = if x <= y { (x, y) } else { (y, x) };
                let origin = self.entries[new.index()].origin;
                self.entries[new.index()].parent = old.index;
                self.entries[new.index()].settled_by = self.settler;
                let entry = &mut self.entries[old.index()];
                self.trail.push(Finding::Equal {
                    new: new.index,
                    old: old.index,
                    origin: entry.origin,
                });
                entry.origin = entry.origin.or(origin);
                Some(Dim::Symbol(old))
            }
        }
    }

    /// The shape as it prints: `[N, 28, 28, 1]`.
    pub fn display<'a>(&'a self, shape: &'a [Dim]) -> impl std::fmt::Display + 'a {
        DisplayShape { symbols: self, shape }
    }
}

struct DisplayShape<'a> {
    symbols: &'a Symbols,
    shape: &'a [Dim],
}

impl std::fmt::Display for DisplayShape<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
