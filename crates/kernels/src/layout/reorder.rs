//! Reorders: from row-major order to [`Layout::Nhwc16n`] and back.

pub(crate) mod square;

use abeyance_launch::Layout;

use crate::launch::{Cost, Kernel};
use square::{BLOCK, Line, Squares, Turn, Word, dispatch};

/// An array `[N, R]` that is brought from one layout to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reorder {
    /// Images, N.
    pub images: usize,
    /// Numbers of each, R.
    pub row: usize,
}

impl Reorder {
    /// The reorder of an array with these sizes.
    pub fn new(dims: &[usize]) -> Self {
        let (&images, rest) = dims.split_first().unwrap_or((&1, &[]));
        Self { images, row: rest.iter().product() }
    }

    /// Elements in [`Layout::Nhwc16n`], those beyond a last block's end included.
    #[allow(clippy::len_without_is_empty)] // what it describes is not a collection
    pub fn len(&self) -> usize {
        Layout::Nhwc16n.memory_len(&[self.images, self.row])
    }

    /// A kernel from the other layout to this one, for elements of `size` bytes. What a last block
    /// lacks of images is filled with zeros.
    pub fn to(self, layout: Layout, size: usize) -> Kernel {
        match (layout, size) {
            (Layout::Nhwc16n, 4) => self.to_blocks::<u32>(),
            (Layout::Nhwc16n, 8) => self.to_blocks::<u64>(),
            (Layout::Nhwc16n, _) => self.to_blocks::<u8>(),
            (Layout::RowMajor, 4) => self.to_rows::<u32>(),
            (Layout::RowMajor, 8) => self.to_rows::<u64>(),
            (Layout::RowMajor, _) => self.to_rows::<u8>(),
        }
    }

    fn cost<W>(&self) -> Cost {
        let elements = (self.images * self.row + self.len()) as f64;
        Cost { flops: 0.0, bytes: elements * size_of::<W>() as f64 }
    }

    fn to_blocks<W: Word>(self) -> Kernel {
        /// Bytes that a part fills.
        const BYTES: usize = 128 * 1024;
        Kernel::single(1, BYTES, self.cost::<W>(), move |call| {
            let (x, start) = (call.input::<W>(0), call.start::<W>());
            dispatch(ToBlocks { plan: self, x, out: call.output(), start });
            Ok(())
        })
    }

    fn to_rows<W: Word>(self) -> Kernel {
        /// Bytes that a part fills, if as many are a few images.
        const BYTES: usize = 512 * 1024;
        let image = (self.row * size_of::<W>()).max(1);
        // Images of one block are read again for every part that has some of them.
        let images = match BYTES / image {
            0..8 => 4,
            8..BLOCK => 8,
            many => many / BLOCK * BLOCK,
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

/// Lines of a blocked array to fill, from element `start` on.
struct ToBlocks<'a, W> {
    plan: Reorder,
    x: &'a [W],
    out: &'a mut [W],
    start: usize,
}

impl<W: Word> Squares<W> for ToBlocks<'_, W> {
    #[inline(always)]
    fn run(self, by: impl Turn<W>) {
        let Reorder { images, row } = self.plan;
        let zeros = [W::zeroed(); BLOCK];
        let (mut at, mut out) = (self.start / BLOCK, self.out);
        while !out.is_empty() {
            let (block, first) = (at / row, at % row);
            let count = (row - first).min(out.len() / BLOCK);
            let (lines, rest) = std::mem::take(&mut out).split_at_mut(count * BLOCK);
            let x = &self.x[block * BLOCK * row + first..];
            let images = (images - block * BLOCK).min(BLOCK);
            if count < BLOCK {
                for (i, line) in lines.chunks_exact_mut(BLOCK).enumerate() {
                    for (image, to) in line.iter_mut().enumerate() {
                        *to = if image < images { x[image * row + i] } else { W::zeroed() };
                    }
                }
            } else {
                for i in (0..count).step_by(BLOCK) {
                    // The last square may overlap the one before it.
                    let i = i.min(count - BLOCK);
                    let mut rows = [&zeros; BLOCK];
                    for (image, to) in rows[..images].iter_mut().enumerate() {
                        *to = line(x, image * row + i);
                    }
                    let square = by.turn(rows);
                    lines[i * BLOCK..][..BLOCK * BLOCK].copy_from_slice(square.as_flattened());
                }
            }
            out = rest;
            at += count;
        }
    }
}

/// Elements of an array `[N, R]` to fill, from element `start` on.
struct ToRows<'a, W> {
    plan: Reorder,
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
            let (block, lane) = (image / BLOCK, image % BLOCK);
            let x = &self.x[(block * row + first) * BLOCK..];
            let images = if first > 0 { 0 } else { (out.len() / row).min(BLOCK - lane) };
            let len = if images == 0 { (row - first).min(out.len()) } else { images * row };
            let (rows, rest) = std::mem::take(&mut out).split_at_mut(len);
            if images == 0 || row < BLOCK {
                for (image, out) in rows.chunks_mut(row).enumerate() {
                    for (out, line) in out.iter_mut().zip(x.chunks_exact(BLOCK)) {
                        *out = line[lane + image];
                    }
                }
            } else {
                for i in (0..row).step_by(BLOCK) {
                    // The last square may overlap the one before it.
                    let i = i.min(row - BLOCK);
                    let mut lines = [line(x, i * BLOCK); BLOCK];
                    for (j, to) in lines.iter_mut().enumerate() {
                        *to = line(x, (i + j) * BLOCK);
                    }
                    let square = by.turn(lines);
                    for (image, from) in square[lane..lane + images].iter().enumerate() {
                        rows[image * row + i..][..BLOCK].copy_from_slice(from);
                    }
                }
            }
            out = rest;
            at += len;
        }
    }
}
