//! Products of floats: blocks for the cache, panels of B, tiles of C.
//!
//! A tile is two registers wide and as high as leaves registers for B and A. The lines of B under
//! one column of tiles are a panel. The first tile of a column reads B where it stands and packs it
//! on its way into whole aligned lines for the other tiles, which costs next to nothing; only a
//! transposed B is packed beforehand. A is read where it stands unless its lines fall on few sets
//! of the cache. Tiles of one column are of even height, so that 100 rows are not 7 · 14 + 2.

use pulp::Simd;

use super::Matmul;
use super::pack::{self, pack_panel, pack_transposed};
use super::prefetch::Prefetch;
use super::tile::{
    COLUMN_MAJOR, Kernel, Kernels, Lane, NoVectors, ROW_MAJOR, Registers16, Registers32, STEPS,
    Tile, lanes,
};
use crate::lanes::{Float, Work, dispatch};

/// Computes rows of C from `first_row` on, into `out`. Lengths were checked against the plan.
pub(super) fn multiply<T: Float>(
    plan: &Matmul,
    a: &[T],
    b: &[T],
    out: &mut [T],
    first_row: usize,
    workspace: &mut [u8],
) {
    let blocks = Blocks::new::<T>(plan);
    let (size_a, size_b) = blocks.sizes(out.len() / plan.n);
    let (packed_a, packed_b) = pack::blocks::<T>(workspace, size_a, size_b);
    dispatch(Product { plan, blocks, a, b, out, first_row, packed_a, packed_b });
}

/// The bytes of the workspace in which up to `rows` rows of C are computed.
pub(super) fn workspace<T>(plan: &Matmul, rows: usize) -> usize {
    let (size_a, size_b) = Blocks::new::<T>(plan).sizes(rows);
    pack::workspace::<T>(size_a, size_b)
}

/// The cut of a product into blocks.
#[derive(Clone, Copy)]
struct Blocks {
    /// Steps of one block. Depends on the plan only, not on the number of rows either, and with it
    /// the order of every sum.
    depth: usize,
    /// Columns of one block: of the one panel that all rows go through, or of several, through
    /// which a tile's rows go one after the other.
    columns: usize,
    /// True if A is packed.
    pack_a: bool,
}

impl Blocks {
    fn new<T>(plan: &Matmul) -> Self {
        /// Steps of a block at most. Its panel is then in a second-level cache, which is fast
        /// enough, and C is written once or twice.
        const DEPTH: usize = 1024;
        /// Steps of a block at most where lines of B are so long that each is on a page of its own,
        /// and far enough apart to fall on few sets of a cache.
        const DEPTH_OF_WIDE: usize = Matmul::SHALLOW;
        /// Bytes that make a line of B or C long.
        const WIDE: usize = 2048;
        /// Bytes of B in a block.
        const BLOCK: usize = 256 * 1024;
        let Matmul { m, k, n, transpose_a, transpose_b } = *plan;
        let size = size_of::<T>();
        // The widest panel there is, of two registers of 64 bytes.
        let panel = 128 / size;
        let wide = n * size >= WIDE;
        // What is larger, A or C or B, is gone through only once, so that it may come from memory.
        let by_rows = m >= n || k.saturating_mul(m + n) < m.saturating_mul(n);
        let by_blocks = wide && !transpose_b && !by_rows;
        // Whatever `m` is: a row of C is the same alone and with any others.
        let most = if wide && !transpose_b { DEPTH_OF_WIDE } else { DEPTH };
        // As even as can be.
        let depth = k.div_ceil(k.div_ceil(most));
        let columns = if by_rows || by_blocks {
            (BLOCK / size / depth / panel).max(1) * panel
        } else {
            panel
        };
        // Rows at a distance of a power of two fall on the same sets of the first-level cache.
        let pack_a =
            if transpose_a { wide } else { (k * size).is_multiple_of(2048) && n > 2 * panel };
        Self { depth, columns: columns.min(n.next_multiple_of(panel)), pack_a }
    }

    /// Elements of the packed blocks of A and B for so many rows.
    fn sizes(&self, rows: usize) -> (usize, usize) {
        (if self.pack_a { rows * self.depth } else { 0 }, self.depth * self.columns)
    }
}

/// A product to compute.
pub(super) struct Product<'a, T> {
    plan: &'a Matmul,
    blocks: Blocks,
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
    first_row: usize,
    packed_a: &'a mut [T],
    packed_b: &'a mut [T],
}

/// `rows` rows as tiles: one of `first` rows, if that is not 0, then as even as can be, none higher
/// than `height`. The first row and the number of rows of each.
#[inline(always)]
fn tiles(
    rows: usize,
    first: usize,
    height: usize,
) -> impl ExactSizeIterator<Item = (usize, usize)> {
    let rest = rows - first;
    let count = rest.div_ceil(height);
    let (each, more) = (rest / count.max(1), rest % count.max(1));
    let lead = usize::from(first > 0);
    (0..count + lead).map(move |t| {
        if t < lead {
            return (0, first);
        }
        let t = t - lead;
        (first + t * each + t.min(more), each + usize::from(t < more))
    })
}

/// The operands of a tile, to be checked against its size.
struct Operands<'a, T> {
    a: &'a [T],
    stride_a: (usize, usize),
    b: &'a [T],
    stride_b: usize,
    /// Elements of B that are read in each step.
    read: usize,
    c: &'a mut [T],
    stride_c: usize,
    /// The place to which B is packed, if the kernel packs it.
    packed: &'a mut [T],
}

impl<T: Float> Operands<'_, T> {
    /// Computes `rows` rows and `count` columns of C, `depth` steps deep.
    #[inline(always)]
    fn compute<S: Simd>(
        self,
        simd: S,
        kernel: Kernel<T, S>,
        (rows, count, depth): (usize, usize, usize),
        accumulate: bool,
        prefetch: &mut [Prefetch; 2],
    ) {
        let Self { a, stride_a, b, stride_b, read, c, stride_c, packed } = self;
        let furthest = (rows - 1) * stride_a.0 + (depth - 1) * stride_a.1;
        assert!(a.len() > furthest, "A is in bounds");
        assert!(b.len() >= (depth - 1) * stride_b + read, "B is in bounds");
        assert!(c.len() >= (rows - 1) * stride_c + count, "C is in bounds");
        let tile = Tile {
            depth,
            a: a.as_ptr(),
            stride_a,
            b: b.as_ptr(),
            stride_b,
            c: c.as_mut_ptr(),
            stride_c,
            count,
            accumulate,
            packed: packed.as_mut_ptr(),
        };
        // SAFETY: `kernel` is for `rows` rows and as many vectors as `count` columns need and reads
        // `read` elements of B in a step: the assertions above say that they are there. `packed` is
        // as long as what the kernel packs.
        unsafe { kernel(simd, &tile, prefetch) };
    }
}

/// The first of some rows, columns or steps, and their number.
type Range = (usize, usize);

/// The kernel of a tile that packs B or not, is two vectors wide or one, reads A in column-major
/// order or in row-major order, and has `height` rows.
#[inline(always)]
fn choose<T: Float, S: Simd, K: Kernels<T, S>>(
    packs: bool,
    is_wide: bool,
    is_column_major: bool,
    height: usize,
) -> Kernel<T, S> {
    match (packs, is_wide, is_column_major) {
        (true, true, true) => K::packing::<2, COLUMN_MAJOR>(),
        (true, true, false) => K::packing::<2, ROW_MAJOR>(),
        (true, false, true) => K::packing::<1, COLUMN_MAJOR>(),
        (true, false, false) => K::packing::<1, ROW_MAJOR>(),
        (false, true, true) => K::whole::<2, COLUMN_MAJOR>(height),
        (false, true, false) => K::whole::<2, ROW_MAJOR>(height),
        (false, false, true) => K::whole::<1, COLUMN_MAJOR>(height),
        (false, false, false) => K::whole::<1, ROW_MAJOR>(height),
    }
}

impl<T: Float> Work<T> for Product<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>,
    {
        if const { lanes::<T, S>() == 1 } {
            self.blocks::<S, NoVectors>(simd);
        } else if const { S::REGISTER_COUNT >= 32 } {
            self.blocks::<S, Registers32>(simd);
        } else {
            self.blocks::<S, Registers16>(simd);
        }
    }
}

impl<T: Float> Product<'_, T> {
    #[inline(always)]
    fn blocks<S: Simd, K: Kernels<T, S>>(mut self, simd: S)
    where
        T: Lane<S>,
    {
        let (k, n) = (self.plan.k, self.plan.n);
        let rows = self.out.len() / n;
        let Blocks { depth: most, columns: step, .. } = self.blocks;
        let mut prefetch = [Prefetch::NONE; 2];
        for first in (0..k).step_by(most) {
            let depth = most.min(k - first);
            if rows <= K::FEW && !self.plan.transpose_b {
                self.few::<S, K>(simd, (first, depth), &mut prefetch);
                continue;
            }
            // A first tile that packs B pays only if others follow.
            let lead = if rows > K::FIRST { K::FIRST } else { 0 };
            if self.blocks.pack_a {
                let strides = self.plan.strides_a();
                let a = &self.a[self.first_row * strides.0 + first * strides.1..];
                for (i, height) in tiles(rows, lead, K::HEIGHT) {
                    let to = &mut self.packed_a[i * depth..];
                    pack_panel(&a[i * strides.0..], strides, (height, depth), height, to);
                }
            }
            for block in (0..n).step_by(step) {
                let columns = step.min(n - block);
                let next =
                    if block + columns < n { (first, block + columns) } else { (first + most, 0) };
                let panels = columns.div_ceil(2 * lanes::<T, S>());
                let calls = tiles(rows, lead, K::HEIGHT).len() * panels * depth.div_ceil(STEPS);
                prefetch[1] = self.prefetch_block(next, calls);
                self.block::<S, K>(simd, (first, depth), (block, columns), lead, &mut prefetch);
            }
        }
    }

    /// Multiplies all rows of A with one block of B.
    #[inline(always)]
    fn block<S: Simd, K: Kernels<T, S>>(
        &mut self,
        simd: S,
        (first, depth): (usize, usize),
        (block, columns): (usize, usize),
        lead: usize,
        prefetch: &mut [Prefetch; 2],
    ) where
        T: Lane<S>,
    {
        let n = self.plan.n;
        let rows = self.out.len() / n;
        let width = 2 * lanes::<T, S>();
        let panels = columns.div_ceil(width);
        for (i, height) in tiles(rows, lead, K::HEIGHT) {
            // Where rows come back for another panel of the same block, or never.
            if panels > 1 || columns == n {
                let next = K::HEIGHT.min(rows - (i + height));
                prefetch[0] = self.prefetch_rows(i + height, next, (first, depth), panels);
            }
            for j in (0..columns).step_by(width) {
                let (column, count) = (block + j, width.min(columns - j));
                let tile = ((i, height), (column, count), (first, depth));
                self.tile::<S, K>(simd, tile, j, lead, prefetch);
            }
        }
    }

    /// Computes one tile: `height` rows from row `i` of `out` on, and `count` columns from `column`
    /// on, which is column `j` of its block of B. The first tile of a column of tiles packs the
    /// panel of B for the others.
    #[inline(always)]
    fn tile<S: Simd, K: Kernels<T, S>>(
        &mut self,
        simd: S,
        ((i, height), (column, count), (first, depth)): (Range, Range, Range),
        j: usize,
        lead: usize,
        prefetch: &mut [Prefetch; 2],
    ) where
        T: Lane<S>,
    {
        let (k, n) = (self.plan.k, self.plan.n);
        let lanes = lanes::<T, S>();
        let group = if count > lanes { 2 * lanes } else { lanes };
        let stored = if self.plan.transpose_b {
            &self.b[column * k + first..]
        } else {
            &self.b[first * n + column..]
        };
        let panel_b = &mut self.packed_b[j * depth..];
        let packs = i == 0 && lead > 0 && !self.plan.transpose_b;
        // Where B is whole and gone through only once, as it stands will do.
        let is_in_place = lead == 0 && !self.plan.transpose_b && count == group;
        if i == 0 && self.plan.transpose_b {
            pack_transposed(simd, stored, k, (count, depth), group, panel_b);
        } else if i == 0 && !packs && !is_in_place {
            pack_panel(stored, (1, n), (count, depth), group, panel_b);
        }
        let is_column_major = self.plan.transpose_a || self.blocks.pack_a;
        let kernel = choose::<T, S, K>(packs, count > lanes, is_column_major, height);
        let strides = self.plan.strides_a();
        let (a, stride_a) = if self.blocks.pack_a {
            (&self.packed_a[i * depth..], (1, height))
        } else {
            let at = (self.first_row + i) * strides.0 + first * strides.1;
            (&self.a[at..], strides)
        };
        let (b, stride_b, read, packed) = if packs {
            (stored, n, count, &mut panel_b[..depth * group])
        } else if is_in_place {
            (stored, n, group, &mut [][..])
        } else {
            (&panel_b[..], group, group, &mut [][..])
        };
        let c = &mut self.out[i * n + column..];
        let operands = Operands { a, stride_a, b, stride_b, read, c, stride_c: n, packed };
        operands.compute(simd, kernel, (height, count, depth), first > 0, prefetch);
    }

    /// Computes all rows, which are few, with the steps from `first` on: B is read once, as it
    /// stands.
    #[inline(always)]
    fn few<S: Simd, K: Kernels<T, S>>(
        &mut self,
        simd: S,
        (first, depth): (usize, usize),
        prefetch: &mut [Prefetch; 2],
    ) where
        T: Lane<S>,
    {
        let n = self.plan.n;
        let rows = self.out.len() / n;
        let lanes = lanes::<T, S>();
        let stride_a = self.plan.strides_a();
        let a = &self.a[self.first_row * stride_a.0 + first * stride_a.1..];
        let mut column = 0;
        while column < n {
            let wide = n - column > (K::WIDTH - 1) * lanes;
            let count = (n - column).min(if wide { K::WIDTH * lanes } else { lanes });
            let kernel = if self.plan.transpose_a {
                K::few::<COLUMN_MAJOR>(rows, wide)
            } else {
                K::few::<ROW_MAJOR>(rows, wide)
            };
            let b = &self.b[first * n + column..];
            let c = &mut self.out[column..];
            let operands = Operands {
                a,
                stride_a,
                b,
                stride_b: n,
                read: count,
                c,
                stride_c: n,
                packed: &mut [],
            };
            operands.compute(simd, kernel, (rows, count, depth), first > 0, prefetch);
            column += count;
        }
    }

    /// The `rows` rows of A from `row` on, to be prefetched while a tile goes through `panels`
    /// panels.
    #[inline(always)]
    fn prefetch_rows(
        &self,
        row: usize,
        rows: usize,
        (first, depth): (usize, usize),
        panels: usize,
    ) -> Prefetch {
        // A packed A was just written.
        if rows == 0 || self.blocks.pack_a {
            return Prefetch::NONE;
        }
        let (calls, row) = (panels * depth.div_ceil(STEPS), self.first_row + row);
        if self.plan.transpose_a {
            let m = self.plan.m;
            Prefetch::new(&self.a[first * m + row..], (depth, rows), m, calls)
        } else {
            let k = self.plan.k;
            Prefetch::new(&self.a[row * k + first..], (rows, depth), k, calls)
        }
    }

    /// The block of B at step `first` and column `column`, if there is one, to be prefetched
    /// in `calls` calls.
    #[inline(always)]
    fn prefetch_block(&self, (first, column): (usize, usize), calls: usize) -> Prefetch {
        let (k, n) = (self.plan.k, self.plan.n);
        if first >= k {
            return Prefetch::NONE;
        }
        let depth = self.blocks.depth.min(k - first);
        let columns = self.blocks.columns.min(n - column);
        if self.plan.transpose_b {
            Prefetch::new(&self.b[column * k + first..], (columns, depth), k, calls)
        } else {
            Prefetch::new(&self.b[first * n + column..], (depth, columns), n, calls)
        }
    }
}
