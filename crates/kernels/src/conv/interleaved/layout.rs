//! From arrays `[N, R]` to interleaved ones and back.

use super::square::{Line, Squares, Turn, Word, dispatch};
use super::{Interleaved, LANES};
use crate::element::Element;
use crate::launch::{Cost, Kernel};

impl Interleaved {
    /// A kernel from an array `[N, R]` to the interleaved one, with zeros for the images that the
    /// last block lacks.
    pub fn interleave<T: Element>(self) -> Kernel {
        self.of_words(size_of::<T>(), true)
    }

    /// A kernel from an interleaved array to `[N, R]`.
    pub fn deinterleave<T: Element>(self) -> Kernel {
        self.of_words(size_of::<T>(), false)
    }

    /// Not generic, so that the loops are compiled here, once, and not where they are asked for.
    fn of_words(self, size: usize, interleave: bool) -> Kernel {
        match (size, interleave) {
            (4, true) => self.kernel_to_lines::<u32>(),
            (8, true) => self.kernel_to_lines::<u64>(),
            (_, true) => self.kernel_to_lines::<u8>(),
            (4, false) => self.kernel_to_rows::<u32>(),
            (8, false) => self.kernel_to_rows::<u64>(),
            (_, false) => self.kernel_to_rows::<u8>(),
        }
    }

    fn cost<W>(&self) -> Cost {
        let elements = (self.images * self.row + self.len()) as f64;
        Cost { flops: 0.0, bytes: elements * size_of::<W>() as f64 }
    }

    fn kernel_to_lines<W: Word>(self) -> Kernel {
        /// Bytes that a part fills.
        const BYTES: usize = 128 * 1024;
        Kernel::single(1, BYTES, self.cost::<W>(), move |call| {
            let (x, start) = (call.input::<W>(0), call.start::<W>());
            dispatch(ToLines { plan: self, x, out: call.output(), start });
            Ok(())
        })
    }

    fn kernel_to_rows<W: Word>(self) -> Kernel {
        /// Bytes that a part fills, if as many are a few images.
        const BYTES: usize = 512 * 1024;
        let image = (self.row * size_of::<W>()).max(1);
        // Images of one block are read again for every part that has some of them.
        let images = match BYTES / image {
            0..8 => 4,
            8..LANES => 8,
            many => many / LANES * LANES,
        };
        Kernel::single(1, images * image, self.cost::<W>(), move |call| {
            let (x, start) = (call.input::<W>(0), call.start::<W>());
            dispatch(ToRows { plan: self, x, out: call.output(), start });
            Ok(())
        })
    }
}

/// The elements of a slice from `at` on, as many as a line has.
#[inline(always)]
fn line<W>(x: &[W], at: usize) -> &Line<W> {
    x[at..].first_chunk().expect("a line is in bounds")
}

/// Lines of an interleaved array to fill, from element `start` on.
struct ToLines<'a, W> {
    plan: Interleaved,
    x: &'a [W],
    out: &'a mut [W],
    start: usize,
}

impl<W: Word> Squares<W> for ToLines<'_, W> {
    #[inline(always)]
    fn run(self, by: impl Turn<W>) {
        let Interleaved { images, row } = self.plan;
        let zeros = [W::zeroed(); LANES];
        let (mut at, mut out) = (self.start / LANES, self.out);
        while !out.is_empty() {
            let (block, first) = (at / row, at % row);
            let count = (row - first).min(out.len() / LANES);
            let (lines, rest) = std::mem::take(&mut out).split_at_mut(count * LANES);
            let x = &self.x[block * LANES * row + first..];
            let images = (images - block * LANES).min(LANES);
            if count < LANES {
                for (i, line) in lines.chunks_exact_mut(LANES).enumerate() {
                    for (image, to) in line.iter_mut().enumerate() {
                        *to = if image < images { x[image * row + i] } else { W::zeroed() };
                    }
                }
            } else {
                for i in (0..count).step_by(LANES) {
                    // The last square may overlap the one before it.
                    let i = i.min(count - LANES);
                    let mut rows = [&zeros; LANES];
                    for (image, to) in rows[..images].iter_mut().enumerate() {
                        *to = line(x, image * row + i);
                    }
                    let square = by.turn(rows);
                    lines[i * LANES..][..LANES * LANES].copy_from_slice(square.as_flattened());
                }
            }
            out = rest;
            at += count;
        }
    }
}

/// Elements of an array `[N, R]` to fill, from element `start` on.
struct ToRows<'a, W> {
    plan: Interleaved,
    x: &'a [W],
    out: &'a mut [W],
    start: usize,
}

impl<W: Word> Squares<W> for ToRows<'_, W> {
    #[inline(always)]
    fn run(self, by: impl Turn<W>) {
        let row = self.plan.row;
        let (mut at, mut out) = (self.start, self.out);
        while !out.is_empty() {
            let (image, first) = (at / row, at % row);
            let (block, lane) = (image / LANES, image % LANES);
            let x = &self.x[(block * row + first) * LANES..];
            let images = if first > 0 { 0 } else { (out.len() / row).min(LANES - lane) };
            let len = if images == 0 { (row - first).min(out.len()) } else { images * row };
            let (rows, rest) = std::mem::take(&mut out).split_at_mut(len);
            if images == 0 || row < LANES {
                for (image, out) in rows.chunks_mut(row).enumerate() {
                    for (out, line) in out.iter_mut().zip(x.chunks_exact(LANES)) {
                        *out = line[lane + image];
                    }
                }
            } else {
                for i in (0..row).step_by(LANES) {
                    // The last square may overlap the one before it.
                    let i = i.min(row - LANES);
                    let mut lines = [line(x, i * LANES); LANES];
                    for (j, to) in lines.iter_mut().enumerate() {
                        *to = line(x, (i + j) * LANES);
                    }
                    let square = by.turn(lines);
                    for (image, from) in square[lane..lane + images].iter().enumerate() {
                        rows[image * row + i..][..LANES].copy_from_slice(from);
                    }
                }
            }
            out = rest;
            at += len;
        }
    }
}
