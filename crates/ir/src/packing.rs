//! Where the items of a tuple lie in its buffer.

use abeyance_launch::ALIGNMENT;
use smallvec::SmallVec;

use crate::Concrete;

crate::attributes! {
    /// Which of several results an operator takes that is declared as
    /// [of a tuple](crate::Signature::of_tuple).
    pub struct ItemAttributes {
        /// Index of the result among those of the node.
        index: i64,
    }
}

/// The places of a tuple's items in one buffer: one after the other, each aligned as a buffer of
/// its own would be. One item alone takes all of the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    places: SmallVec<[(usize, usize); 4]>,
    bytes: usize,
}

impl Packing {
    /// The places of these items. `None` if together they are larger than any memory.
    pub fn new(items: &[Concrete<'_>]) -> Option<Self> {
        let mut packing = Self { places: SmallVec::new(), bytes: 0 };
        for item in items {
            let start = packing.bytes.checked_next_multiple_of(ALIGNMENT)?;
            let end = start.checked_add(item.bytes())?;
            packing.places.push((start, end));
            packing.bytes = end;
        }
        isize::try_from(packing.bytes).ok()?;
        Some(packing)
    }

    /// The length of the buffer in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes of an item.
    pub fn range(&self, item: usize) -> std::ops::Range<usize> {
        let (start, end) = self.places.get(item).copied().unwrap_or_default();
        start..end
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}
