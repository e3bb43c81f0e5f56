//! Sums of products in registers, each over lanes of images.

use pulp::Simd;

use super::LANES;
use crate::lanes::{Float, Lane, Work, within};

/// Two nested loops, and how far the operands move in a round of the outer and of the inner one, in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Rounds of the outer loop.
    pub rows: usize,
    /// Rounds of the inner loop.
    pub run: usize,
    pub x: (usize, usize),
    pub y: (usize, usize),
}

impl Walk {
    /// How far an operand is moved at most.
    #[inline(always)]
    fn reach(&self, (row, run): (usize, usize)) -> usize {
        self.rows.saturating_sub(1) * row + self.run.saturating_sub(1) * run
    }
}

/// What the second operand of products is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Second {
    /// Numbers, the same for all images; sums start from zero.
    Numbers,
    /// Lines of images; sums are added to what there is.
    Lines,
}

/// Sums `out[i, o] (+)= Σ x[i] · y[o]` over the rounds of a walk, a line each, for `i` below `count` and `o` below `width`.
/// Places are in elements.
pub(super) struct Strip<'a, T> {
    pub x: &'a [T],
    pub y: &'a [T],
    pub out: &'a mut [T],
    pub count: usize,
    /// One of [`WIDTHS`].
    pub width: usize,
    /// How far it is from one `i` to the next.
    pub x_step: usize,
    pub out_step: usize,
    pub walk: Walk,
}

/// Widths that there is code for, largest first.
pub(super) const WIDTHS: [usize; 7] = [12, 8, 6, 4, 3, 2, 1];

impl<T: Float> Strip<'_, T> {
    /// Compute the sums.
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
struct Tiles<'a, T, const LINES: bool, const O: usize, const WIDE: usize, const NARROW: usize>(
    Strip<'a, T>,
);

impl<T: Float, const LINES: bool, const O: usize, const WIDE: usize, const NARROW: usize> Work<T>
    for Tiles<'_, T, LINES, O, WIDE, NARROW>
{
    /// As many at a time as can be, and about as many each time.
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S)
    where
        T: Lane<S>,
    {
        let most = if S::REGISTER_COUNT >= 32 { WIDE } else { NARROW };
        let tiles = self.0.count.div_ceil(most);
        let mut done = 0;
        for left in (1..=tiles).rev() {
            let count = (self.0.count - done).div_ceil(left);
            macro_rules! counts {
                ($($count:literal)*) => {
                    match count {
                        $($count if $count <= most => {
                            self.tile::<S, $count>(simd, done);
                        })*
                        _ => unreachable!("a tile is 1 to {most} high"),
                    }
                };
            }
            counts!(1 2 3 4 5 6 7 8);
            done += count;
        }
    }
}

impl<T: Float, const LINES: bool, const O: usize, const WIDE: usize, const NARROW: usize>
    Tiles<'_, T, LINES, O, WIDE, NARROW>
{
    /// The sums for `A` of the strip from `first` on.
    #[inline(always)]
    fn tile<S: Simd, const A: usize>(&mut self, simd: S, first: usize)
    where
        T: Lane<S>,
    {
        let Strip { x, y, out, x_step, out_step, walk, .. } = &mut self.0;
        let (x_step, out_step, walk) = (*x_step, *out_step, *walk);
        let (x, out) = (&x[first * x_step..], &mut out[first * out_step..]);
        let furthest = (A - 1) * out_step + O * LANES;
        assert!(out.len() >= furthest, "the sums are in bounds");
        if walk.rows * walk.run > 0 {
            let furthest = (A - 1) * x_step + walk.reach(walk.x) + LANES;
            assert!(x.len() >= furthest, "the first operand is in bounds");
            let furthest = walk.reach(walk.y) + if LINES { O * LANES } else { O };
            assert!(y.len() >= furthest, "the second operand is in bounds");
        }
        let lanes = size_of::<T::Vector>() / size_of::<T>();
        for lane in (0..LANES).step_by(lanes) {
            let mut from = [x.as_ptr().wrapping_add(lane); A];
            let to = out.as_mut_ptr().wrapping_add(lane);
            let mut sums = [[T::splat(simd, T::ZERO); O]; A];
            for a in 0..A {
                from[a] = from[a].wrapping_add(a * x_step);
                if LINES {
                    for o in 0..O {
                        let to = to.wrapping_add(a * out_step + o * LANES).cast::<T::Vector>();
                        // SAFETY: the first assertion is about the furthest of these; it is read without regard to alignment.
                        sums[a][o] = unsafe { to.read_unaligned() };
                    }
                }
            }
            let y = y.as_ptr().wrapping_add(if LINES { lane } else { 0 });
            // SAFETY: the other assertions are about the furthest that is read here.
            unsafe { add_products::<S, T, LINES, A, O>(simd, from, y, walk, &mut sums) };
            for a in 0..A {
                for o in 0..O {
                    let to = to.wrapping_add(a * out_step + o * LANES).cast::<T::Vector>();
                    // SAFETY: the first assertion is about the furthest of these; it is written without regard to alignment.
                    unsafe { to.write_unaligned(sums[a][o]) };
                }
            }
        }
    }
}

/// Add to `sums[a][o]` the products `x[a] · y[o]` of all rounds, one after the other. The `o`th `y` is a number, or a register that begins a line.
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
    // In a variable of its own, which stays in registers. Loops by index, since `map` is not always inlined, and then is not compiled
    // for the instruction set.
    let mut tile = *sums;
    for row in 0..walk.rows {
        let mut x = x;
        for x in &mut x {
            *x = x.wrapping_add(row.wrapping_mul(walk.x.0));
        }
        let mut y = y.wrapping_add(row.wrapping_mul(walk.y.0));
        for _ in 0..walk.run {
            let mut seen = [T::splat(simd, T::ZERO); A];
            for a in 0..A {
                // SAFETY: readable in this round; read without regard to alignment.
                seen[a] = unsafe { x[a].cast::<T::Vector>().read_unaligned() };
                // Beyond the last round this may point outside, where nothing is read.
                x[a] = x[a].wrapping_add(walk.x.1);
            }
            for o in 0..O {
                // SAFETY: as above.
                let y = unsafe {
                    match LINES {
                        true => y.wrapping_add(o * LANES).cast::<T::Vector>().read_unaligned(),
                        false => T::splat(simd, *y.wrapping_add(o)),
                    }
                };
                for a in 0..A {
                    tile[a][o] = T::multiply_add(simd, seen[a], y, tile[a][o]);
                }
            }
            y = y.wrapping_add(walk.y.1);
        }
    }
    *sums = tile;
}
