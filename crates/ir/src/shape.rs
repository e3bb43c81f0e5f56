//! Shapes, and dimensions that are not known yet.

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

/// The number of elements, if it fits an `isize` (so that any offset in bytes of one-byte elements does).
pub fn element_count(dims: &[usize]) -> Option<usize> {
    if dims.contains(&0) {
        return Some(0);
    }
    dims.iter()
        .try_fold(1usize, |count, &dim| count.checked_mul(dim))
        .filter(|&count| isize::try_from(count).is_ok())
}

/// Names a dimension that is not known yet, within one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId(pub(crate) u32);

impl SymbolId {
    /// Stands for a size that could not be computed although everything else is known.
    pub const UNDETERMINED: SymbolId = SymbolId(u32::MAX);

    /// Its place among the graph's symbols.
    pub fn index(self) -> usize {
        self.0 as usize
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
    name: Box<str>,
    /// Itself, or another symbol known to be equal.
    parent: u32,
    /// Kept at the representative of a class of equal symbols.
    value: Option<usize>,
    origin: Option<Origin>,
}

/// The unknown dimensions of a graph and what is known of them: which are equal (union-find), and which were
/// found to be a number.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    entries: Vec<Symbol>,
    named: std::collections::HashMap<Box<str>, SymbolId>,
    counters: [u32; 2],
    /// Counts changes.
    revision: u64,
}

/// A moment in the growth of [`Symbols`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    len: usize,
    counters: [u32; 2],
}

impl Mark {
    /// Whether a symbol was made since.
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

    /// Whether every dimension is a number.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn push(&mut self, name: Box<str>) -> SymbolId {
        let id = SymbolId(self.entries.len() as u32);
        self.entries.push(Symbol {
            name: name.clone(),
            parent: id.0,
            value: None,
            origin: None,
        });
        self.named.insert(name, id);
        self.revision += 1;
        id
    }

    /// Grows with every change. Of the tables of a graph and its bodies, those of equal revision are equal.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The same symbols with the same ids, for a body: none has stood anywhere in it yet.
    pub fn for_body(&self) -> Symbols {
        let mut symbols = self.clone();
        for symbol in &mut symbols.entries {
            symbol.origin = None;
        }
        symbols
    }

    /// Takes over what a body, or the graph around it, has added to the common symbols and found out about them. Where
    /// symbols first stood is each graph's own.
    pub fn adopt(&mut self, other: &Symbols) {
        if other.revision <= self.revision {
            return;
        }
        for (index, theirs) in other.entries.iter().enumerate() {
            match self.entries.get_mut(index) {
                Some(mine) => {
                    mine.parent = theirs.parent;
                    mine.value = theirs.value;
                }
                None => {
                    self.entries.push(Symbol {
                        origin: None,
                        ..theirs.clone()
                    });
                    self.named
                        .insert(theirs.name.clone(), SymbolId(index as u32));
                }
            }
        }
        for index in 0..self.entries.len() {
            if let Some(origin) = self.entries[index].origin {
                self.set_origin(SymbolId(index as u32), origin);
            }
        }
        self.counters = other.counters;
        self.revision = other.revision;
    }

    /// The symbols as they are, to be gone [back](Symbols::rewind) to.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            len: self.entries.len(),
            counters: self.counters,
        }
    }

    /// Forgets the symbols made since, of which nothing may be left in use; what was found out about older ones stays.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        // No older symbol refers to a newer one: the oldest stands for its class.
        for symbol in self.entries.drain(mark.len..) {
            self.named.remove(&symbol.name);
        }
        self.counters = mark.counters;
    }

    /// A new symbol with a name of its own.
    pub fn fresh(&mut self, naming: Naming) -> SymbolId {
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
                return self.push(name.into());
            }
        }
    }

    /// The symbol of that name, made if it is new.
    pub fn named(&mut self, name: &str) -> SymbolId {
        match self.named.get(name) {
            Some(&id) => id,
            None => self.push(name.into()),
        }
    }

    /// The symbol that stands for all those known to be equal to `id`: the oldest.
    pub fn root(&self, id: SymbolId) -> SymbolId {
        let mut at = id.0;
        while let Some(entry) = self.entries.get(at as usize) {
            if entry.parent == at {
                break;
            }
            at = entry.parent;
        }
        SymbolId(at)
    }

    /// The simplest equal dimension: a number if one is known, else the oldest of the equal symbols.
    pub fn resolve(&self, dim: Dim) -> Dim {
        match dim {
            Dim::Known(_) => dim,
            Dim::Symbol(id) => {
                let root = self.root(id);
                match self.entries.get(root.index()).and_then(|entry| entry.value) {
                    Some(value) => Dim::Known(value),
                    None => Dim::Symbol(root),
                }
            }
        }
    }

    /// The name under which a dimension is printed.
    pub fn name(&self, id: SymbolId) -> &str {
        self.entries
            .get(self.root(id).index())
            .map_or("?", |entry| &entry.name)
    }

    /// Where the symbol, or an equal one made earlier, first stood.
    pub fn origin(&self, id: SymbolId) -> Option<Origin> {
        self.entries.get(self.root(id).index())?.origin
    }

    /// Remembers where a symbol stood first; later calls for equal symbols change nothing.
    pub fn set_origin(&mut self, id: SymbolId, origin: Origin) {
        let root = self.root(id);
        if let Some(entry) = self.entries.get_mut(root.index()) {
            entry.origin.get_or_insert(origin);
        }
    }

    /// Makes two dimensions equal from now on; `None` if they are two different numbers.
    pub fn unify(&mut self, a: Dim, b: Dim) -> Option<Dim> {
        let (a, b) = (self.resolve(a), self.resolve(b));
        match (a, b) {
            (Dim::Known(x), Dim::Known(y)) => (x == y).then_some(a),
            (Dim::Known(value), Dim::Symbol(id)) | (Dim::Symbol(id), Dim::Known(value)) => {
                self.revision += 1;
                self.entries[id.index()].value = Some(value);
                Some(Dim::Known(value))
            }
            (Dim::Symbol(x), Dim::Symbol(y)) if x == y => Some(a),
            (Dim::Symbol(x), Dim::Symbol(y)) => {
                self.revision += 1;
                // The older stands for both: its name is the one the user saw first.
                let (old, new) = if x <= y { (x, y) } else { (y, x) };
                let origin = self.entries[new.index()].origin;
                self.entries[new.index()].parent = old.0;
                let entry = &mut self.entries[old.index()];
                entry.origin = entry.origin.or(origin);
                Some(Dim::Symbol(old))
            }
        }
    }

    /// The shape as it prints: `[N, 28, 28, 1]`.
    pub fn display<'a>(&'a self, shape: &'a [Dim]) -> impl std::fmt::Display + 'a {
        DisplayShape {
            symbols: self,
            shape,
        }
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
