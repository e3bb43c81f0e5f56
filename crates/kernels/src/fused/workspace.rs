//! The workspace of a fused loop: the places of values that are no outputs, and the length of a
//! tile.

use num_integer::Integer;
use smallvec::SmallVec;

use super::operation::{Operation, Range};
use crate::launch::ALIGNMENT;

/// Bytes of the values that are alive in a tile together: most of a first-level cache.
const TILES: usize = 32 * 1024;
/// The longest tile, in elements.
const LONGEST: usize = 2048;
/// The shortest tile, in elements: below, calling the loops takes longer than running them.
const SHORTEST: usize = 128;

/// The place in which the result of an operation is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// In the workspace from this byte on, the elements of the tile.
    Tile(usize),
    /// In the workspace from this byte on, the elements of the part.
    Part(usize),
    /// In this output.
    Output(usize),
}

/// Slots for the tiles of values that are no outputs; a slot that is free again is taken again.
pub(super) struct TileSlots {
    /// By slot, the bytes of an element.
    sizes: Vec<usize>,
    /// By operation, its slot, if it has one.
    of: Vec<Option<usize>>,
}

impl TileSlots {
    /// Gives each operation a slot from its place on to its last use.
    pub(super) fn new(operations: &[Operation]) -> Self {
        let last_use = last_uses(operations);
        let mut free: Vec<usize> = Vec::new();
        let (mut sizes, mut of) = (Vec::new(), vec![None; operations.len()]);
        for (index, operation) in operations.iter().enumerate() {
            if operation.output.is_none() && !matches!(operation.range, Range::Part { .. }) {
                // A result that repeats itself is made once for many tiles, in a slot of its own.
                let fits = |&slot: &usize| sizes[slot] == operation.size && !operation.repeats();
                let found = free.iter().position(fits);
                of[index] = Some(if let Some(found) = found {
                    free.swap_remove(found)
                } else {
                    sizes.push(operation.size);
                    sizes.len() - 1
                });
            }
            let mut operands: SmallVec<[usize; 4]> = operation.values().collect();
            operands.sort_unstable();
            operands.dedup();
            for earlier in operands {
                if last_use[earlier] == index && !operations[earlier].repeats() {
                    free.extend(of[earlier]);
                }
            }
        }
        Self { sizes, of }
    }

    /// The bytes of one element of every slot.
    pub(super) fn bytes(&self) -> usize {
        self.sizes.iter().sum()
    }
}

/// By operation, the last one that reads its result; itself if none does.
fn last_uses(operations: &[Operation]) -> Vec<usize> {
    let mut last_use: Vec<usize> = (0..operations.len()).collect();
    for (index, operation) in operations.iter().enumerate() {
        for earlier in operation.values() {
            last_use[earlier] = index;
        }
    }
    last_use
}

/// The bytes that `bytes` bytes of the workspace take.
pub(super) fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

/// Lays the slots out, for tiles of `tile` elements and parts of `part`. Returns the slot of each
/// operation, and the bytes of all together.
pub(super) fn allocate(
    operations: &[Operation],
    tile_slots: &TileSlots,
    tile: usize,
    part: usize,
) -> (Vec<Slot>, usize) {
    let mut bytes = 0;
    let mut take = |length: usize| {
        let offset = bytes;
        bytes += aligned(length);
        offset
    };
    let offsets: Vec<usize> = tile_slots.sizes.iter().map(|size| take(tile * size)).collect();
    let slots = operations.iter().zip(&tile_slots.of).map(|(operation, tile_slot)| {
        match (operation.output, *tile_slot) {
            (Some(output), _) => Slot::Output(output as usize),
            (None, Some(slot)) => Slot::Tile(offsets[slot]),
            (None, None) => Slot::Part(take(part * operation.size)),
        }
    });
    (slots.collect(), bytes)
}

/// The elements of a tile: as many as the cache holds where an element of every value together
/// takes `bytes`, and a multiple of every period, if that is not too long, so that a result that
/// repeats itself is made once.
pub(super) fn tile(bytes: usize, part: usize, operations: &[Operation]) -> usize {
    let most = (TILES / bytes.max(1)).clamp(SHORTEST, LONGEST).min(part.max(1));
    let mut step: usize = 16;
    for operation in operations {
        if let Range::Tile { period: Some(period) } = operation.range {
            let common = step.lcm(&period);
            if common <= most {
                step = common;
            }
        }
    }
    if most < step { most } else { most / step * step }
}
