//! Shapes, and dimensions that are not known yet. [`Symbols`](crate::Symbols) has what is known of
//! those.

use smallvec::SmallVec;

/// The size of one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// A number.
    Known(usize),
    /// A size that is known when the graph runs, from the shape of a fed value.
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

/// The id of a dimension that is not known yet, of one graph and its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId {
    index: u32,
    /// Tells the symbols of different graphs apart: a shape is easily carried from one to another.
    owner: u32,
}

impl SymbolId {
    /// The id of a size that could not be computed although everything else is known.
    pub const UNDETERMINED: SymbolId = SymbolId { index: u32::MAX, owner: u32::MAX };

    /// The id of the symbol at `index` of the table `owner`.
    pub(crate) fn new(index: u32, owner: u32) -> Self {
        Self { index, owner }
    }

    /// The number of the table that made it, which a graph shares with its copies and bodies.
    pub(crate) fn owner(self) -> u32 {
        self.owner
    }

    /// Its index among the graph's symbols, which are in the order in which they were made.
    pub fn index(self) -> usize {
        self.index as usize
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
/// does), and the product of the sizes that are not 0 fits too. `ndarray` demands the latter: then
/// the sizes multiply in any order.
pub fn element_count(dims: &[usize]) -> Option<usize> {
    let count = dims
        .iter()
        .filter(|&&dim| dim != 0)
        .try_fold(1usize, |count, &dim| count.checked_mul(dim))
        .filter(|&count| isize::try_from(count).is_ok())?;
    if dims.contains(&0) { Some(0) } else { Some(count) }
}
