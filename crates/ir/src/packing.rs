//! The position of each item of a tuple in the tuple's buffer.

use abeyance_launch::ALIGNMENT;
use smallvec::SmallVec;

use crate::Concrete;

crate::attributes! {
    /// The item that an operator takes which is declared as
    /// [of a tuple](crate::Signature::of_tuple).
    pub struct ItemAttributes {
        /// Index of the result among those of the node.
        index: i64,
    }
}

/// The layout of a tuple's items in one buffer: one after the other, each aligned as a buffer of
/// its own would be. One item alone takes all of the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The first byte of each item, and the first behind it.
    ranges: SmallVec<[(usize, usize); 4]>,
    bytes: usize,
}

impl Packing {
    /// The layout of these items. None if together they are larger than any memory.
    pub fn new(items: &[Concrete<'_>]) -> Option<Self> {
        let mut packing = Self { ranges: SmallVec::new(), bytes: 0 };
        for item in items {
            let start = packing.bytes.checked_next_multiple_of(ALIGNMENT)?;
            let end = start.checked_add(item.bytes())?;
            packing.ranges.push((start, end));
            packing.bytes = end;
        }
        isize::try_from(packing.bytes).ok()?;
        Some(packing)
    }

    /// The length of the buffer in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The range of an item in the buffer, in bytes.
    pub fn range(&self, item: usize) -> std::ops::Range<usize> {
        let (start, end) = self.ranges.get(item).copied().unwrap_or_default();
        start..end
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}
