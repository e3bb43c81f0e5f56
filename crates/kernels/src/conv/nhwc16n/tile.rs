//! Sums of products in registers, each over lanes of images.

use pulp::Simd;

use super::BLOCK;
use crate::lanes::{Float, Lane, Work, within};

/// The start of a walk, and the number of rounds of its inner loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// The element of the first operand and that of the sums.
    pub x: usize,
    pub out: usize,
    /// The round of the inner loop in which the second operand would be there.
    pub y: usize,
    pub run: usize,
}

/// The kinds of the second operand of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Second {
    /// Numbers, the same for all images; sums start from zero.
    Numbers,
    /// Lines of images; sums are added to what there is.
    Lines,
}

/// Sums `out[i, o] (+)= Σ x[i] · y[o]`, a line each, for `i` below `count` and `o` below `width`.
///
/// The operands are walked in two nested loops. `rows` is how many rounds the outer one has, and
/// `x_walk` and `y_walk` are how far they move in a round of the outer and of the inner one; there
/// is a walk for each start, to sums of its own. Places and steps are in elements.
pub(super) struct Strip<'a, T> {
    pub x: &'a [T],
    pub y: &'a [T],
    pub out: &'a mut [T],
    pub count: usize,
    /// One of [`widths`].
    pub width: usize,
    /// The distance from one `i` to the next, in elements.
    pub x_step: usize,
    pub out_step: usize,
    pub rows: usize,
    pub x_walk: (usize, usize),
    pub y_walk: (usize, usize),
    pub starts: &'a [Start],
}

/// The widths of strips up to `most`, largest first.
pub(super) fn widths(most: usize) -> impl Iterator<Item = usize> {
    [12, 8, 6, 4, 3, 2, 1].into_iter().filter(move |&width| width <= most)
}

impl<T: Float> Strip<'_, T> {
    /// Computes the sums.
    #[inline(always)]
    pub fn run<S: Simd>(self, simd: S, second: Second)
    where
        T: Lane<S>,
    {
        // As many sums at once as there are registers for, beside what they are made from.
        macro_rules! widths {
            ($($width:literal $wide:literal $narrow:literal;)*) => {
                match (self.width, second) {
                    $(
                        ($width, Second::Numbers) => {
                            within(simd, Tiles::<T, false, $width, $wide, $narrow>(self));
                        }
                        ($width, Second::Lines) => {
                            within(simd, Tiles::<T, true, $width, $wide, $narrow>(self));
                        }
                    )*
                    _ => unreachable!("there is code for all widths"),
                }
            };
        }
        widths! {
            12 2 1;
            8 3 1;
            6 4 2;
            4 6 3;
            3 8 4;
            2 8 5;
            1 8 8;
        }
    }
}

/// A strip of width `O`, so many at a time where there are 32 registers and where there are fewer.
struct Tiles<'a, T, const LINES: bool, const O: usize, const WIDE: u32, const NARROW: u32>(
    Strip<'a, T>,
);

impl<T: Float, const LINES: bool, const O: usize, const WIDE: u32, const NARROW: u32> Work<T>
    for Tiles<'_, T, LINES, O, WIDE, NARROW>
{
    /// Computes the sums for as many `i` at a time as registers hold, about as many each time.
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S)
    where
        T: Lane<S>,
    {
        let most = const { tallest::<T, S>(WIDE, NARROW) };
        let all = self.0.count as u32;
        let tiles = all.div_ceil(most);
        let (each, more) = if tiles == 1 { (all, 0) } else { (all / tiles, all % tiles) };
        let mut done = 0;
        for tile in 0..tiles {
            let count = each + u32::from(tile < more);
            macro_rules! counts {
                ($($count:literal)*) => {
                    match count {
                        // A `const` condition, so that no code is made for higher tiles.
                        $($count => if const { $count <= tallest::<T, S>(WIDE, NARROW) } {
                            for start in self.0.starts {
                                self.tile::<S, $count>(simd, done, start);
                            }
                        },)*
                        _ => unreachable!("a tile is 1 to {most} high"),
                    }
                };
            }
            counts!(1 2 3 4 5 6 7 8);
            done += count as usize;
        }
    }
}

/// The height of a tile that leaves registers for the operands. Without vectors few tiles are
/// enough.
const fn tallest<T: Lane<S>, S: Simd>(wide: u32, narrow: u32) -> u32 {
    if size_of::<T::Vector>() == size_of::<T>() {
        1
    } else if S::REGISTER_COUNT >= 32 {
        wide
    } else {
        narrow
    }
}

impl<T: Float, const LINES: bool, const O: usize, const WIDE: u32, const NARROW: u32>
    Tiles<'_, T, LINES, O, WIDE, NARROW>
{
    /// The sums for `A` of the strip from `first` on.
    #[inline(always)]
    fn tile<S: Simd, const A: usize>(&mut self, simd: S, first: usize, start: &Start)
    where
        T: Lane<S>,
    {
        let Strip { x, y, out, x_step, out_step, rows, x_walk, y_walk, .. } = &mut self.0;
        let (x_step, out_step) = (*x_step, *out_step);
        let walk = Walk { rows: *rows, run: start.run, x: *x_walk, y: *y_walk };
        let x = &x[first * x_step + start.x..];
        let y = &y[start.y * walk.y.1..];
        let out = &mut out[first * out_step + start.out..];
        assert!(out.len() >= (A - 1) * out_step + O * BLOCK, "the sums are in bounds");
        if walk.rows * walk.run > 0 {
            let furthest = |(row, run)| (walk.rows - 1) * row + (walk.run - 1) * run;
            let furthest_x = (A - 1) * x_step + furthest(walk.x) + BLOCK;
            assert!(x.len() >= furthest_x, "the first operand is in bounds");
            let furthest_y = furthest(walk.y) + if LINES { O * BLOCK } else { O };
            assert!(y.len() >= furthest_y, "the second operand is in bounds");
        }
        let lanes = size_of::<T::Vector>() / size_of::<T>();
        for lane in (0..BLOCK).step_by(lanes) {
            let mut from = [x.as_ptr().wrapping_add(lane); A];
            let to = out.as_mut_ptr().wrapping_add(lane);
            let mut sums = [[T::splat(simd, T::ZERO); O]; A];
            for (a, (from, sums)) in from.iter_mut().zip(&mut sums).enumerate() {
                *from = from.wrapping_add(a * x_step);
                if LINES {
                    for (o, sum) in sums.iter_mut().enumerate() {
                        let to = to.wrapping_add(a * out_step + o * BLOCK).cast::<T::Vector>();
                        // SAFETY: the first assertion is about the furthest of these; it is read
                        // without regard to alignment.
                        *sum = unsafe { to.read_unaligned() };
                    }
                }
            }
            let y = y.as_ptr().wrapping_add(if LINES { lane } else { 0 });
            // SAFETY: the other assertions are about the furthest that is read here.
            unsafe { add_products::<S, T, LINES, A, O>(simd, from, y, walk, &mut sums) };
            for (a, sums) in sums.iter().enumerate() {
                for (o, &sum) in sums.iter().enumerate() {
                    let to = to.wrapping_add(a * out_step + o * BLOCK).cast::<T::Vector>();
                    // SAFETY: the first assertion is about the furthest of these; it is written
                    // without regard to alignment.
                    unsafe { to.write_unaligned(sum) };
                }
            }
        }
    }
}

/// A walk: two nested loops, and how far the operands move in a round of the outer and of the inner
/// one.
#[derive(Clone, Copy)]
struct Walk {
    rows: usize,
    run: usize,
    x: (usize, usize),
    y: (usize, usize),
}

/// Adds to `sums[a][o]` the products `x[a] · y[o]` of all rounds, one after the other. The `o`th
/// `y` is a number, or a register that begins a line.
///
/// # Safety
/// In every round each `x` must be readable for a register, and so must each `y`, or for a number.
#[inline(always)]
unsafe fn add_products<S: Simd, T: Lane<S>, const LINES: bool, const A: usize, const O: usize>(
    simd: S,
    x: [*const T; A],
    y: *const T,
    walk: Walk,
    sums: &mut [[T::Vector; O]; A],
) {
    // In a variable of its own, which stays in registers. No `map` here: it is not always inlined,
    // and then is not compiled for the instruction set.
    let mut tile = *sums;
    for row in 0..walk.rows {
        let mut x = x;
        for x in &mut x {
            *x = x.wrapping_add(row.wrapping_mul(walk.x.0));
        }
        let mut y = y.wrapping_add(row.wrapping_mul(walk.y.0));
        for _ in 0..walk.run {
            let mut seen = [T::splat(simd, T::ZERO); A];
            for (seen, x) in seen.iter_mut().zip(&mut x) {
                // SAFETY: readable in this round; read without regard to alignment.
                *seen = unsafe { x.cast::<T::Vector>().read_unaligned() };
                // Beyond the last round this may point outside, where nothing is read.
                *x = x.wrapping_add(walk.x.1);
            }
            for o in 0..O {
                // SAFETY: as above.
                let y = unsafe {
                    if LINES {
                        y.wrapping_add(o * BLOCK).cast::<T::Vector>().read_unaligned()
                    } else {
                        T::splat(simd, *y.wrapping_add(o))
                    }
                };
                for (sums, &x) in tile.iter_mut().zip(&seen) {
                    sums[o] = T::multiply_add(simd, x, y, sums[o]);
                }
            }
            y = y.wrapping_add(walk.y.1);
        }
    }
    *sums = tile;
}
