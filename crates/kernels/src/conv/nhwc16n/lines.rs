//! Sums over lines.

use bytemuck::cast_slice;

use super::BLOCK;
use crate::element::Real;
use crate::layout::reorder::square::{Line, Squares, Turn, Word, dispatch};

/// The sum of each line: of halves, of halves of these, and so on.
pub(super) fn add_lines<T: Real>(lines: &[T], out: &mut [T]) {
    match size_of::<T>() {
        4 => dispatch::<u32>(Lines { lines, out }),
        _ => dispatch::<u64>(Lines { lines, out }),
    }
}

struct Lines<'a, T> {
    lines: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, W: Word> Squares<W> for Lines<'_, T> {
    #[inline(always)]
    fn run(self, by: impl Turn<W>) {
        let (lines, _) = cast_slice::<T, W>(self.lines).as_chunks::<BLOCK>();
        let (squares, rest) = lines.as_chunks::<BLOCK>();
        for (out, square) in self.out.chunks_mut(BLOCK).zip(squares) {
            out.copy_from_slice(&sums::<T, W>(by, square));
        }
        if !rest.is_empty() {
            let mut square = [[W::zeroed(); BLOCK]; BLOCK];
            square[..rest.len()].copy_from_slice(rest);
            let sums = sums::<T, W>(by, &square);
            self.out[squares.len() * BLOCK..].copy_from_slice(&sums[..rest.len()]);
        }
    }
}

/// The sums of sixteen lines, which turned are those of registers.
#[inline(always)]
fn sums<T: Real, W: Word>(by: impl Turn<W>, square: &[Line<W>; BLOCK]) -> Line<T> {
    let mut lines = [&square[0]; BLOCK];
    for (to, line) in lines.iter_mut().zip(square) {
        *to = line;
    }
    let turned = by.turn(lines);
    let mut sums = [[T::ZERO; BLOCK]; BLOCK];
    let sums = sums.as_flattened_mut();
    sums.copy_from_slice(cast_slice::<W, T>(turned.as_flattened()));
    for half in [8, 4, 2, 1] {
        // One loop over neighbours, which is one over registers.
        let (first, second) = sums.split_at_mut(half * BLOCK);
        for (sum, &x) in first.iter_mut().zip(&*second) {
            *sum = *sum + x;
        }
    }
    let mut out = [T::ZERO; BLOCK];
    out.copy_from_slice(&sums[..BLOCK]);
    out
}
