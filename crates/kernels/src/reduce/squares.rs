//! Sums of squares, and roots of them, that neither overflow nor vanish where the result does not.
//!
//! Squares are added up in `f64`, which holds those of all of `f32`. A sum of squares of `f64` that
//! leaves the safe range is taken again of the elements divided by a power of two, which is exact,
//! and goes with it from there on.

use super::{COLUMNS, NARROW, Reduction, kept_in_front, offset};
use crate::dispatch::vectorized;
use crate::element::Real;

/// A measure that is computed from the sum of squares of `n` elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// √Σx², the Euclidean length.
    Length,
    /// √(Σx² / n + this).
    Root(f64),
    /// Σx² / n.
    Mean,
}

/// A sum of squares: the first number times the square of the second, a power of two. As an element
/// of a scratch buffer it is two plain numbers.
pub type Sum = [f64; 2];

/// Below this, squares that are lost to the smallest numbers may count.
const SMALL: f64 = f64::from_bits((1023 - 900) << 52); // 2^-900
/// Elements of a run whose squares go into one set of accumulators.
const BLOCK: usize = 8192;
/// Accumulators side by side in a run.
const LANES: usize = 32;
/// About so many elements of narrow rows are added up side by side.
const STEP: usize = 256;
/// Results at a time.
const TILE: usize = 128;

/// Sums of squares of an array of fixed shape over fixed axes, cut into blocks of the outermost
/// reduced dimension where many elements become few: the first stage fills a buffer
/// `[entries, blocks, outputs]` of sums, the second adds these up. Entries are what kept dimensions
/// in front tell apart, and how one is cut does not depend on how many there are.
#[derive(Clone, Debug)]
pub struct Squares {
    entries: usize,
    /// Input elements from one entry to the next.
    entry: usize,
    blocks: usize,
    /// Input elements from one block to the next.
    stride: usize,
    block: Reduction,
    last: Reduction,
    outputs: usize,
    count: usize,
}

impl Squares {
    /// The sums for an array of shape `dims` over `axes`, each of them below `dims.len()`.
    pub fn new(dims: &[usize], axes: &[usize]) -> Self {
        /// Input elements that a block reads, at least.
        const LEAST: usize = 64 * 1024;
        let all = Reduction::new(dims, axes);
        let (front, rest_axes) = kept_in_front(dims, axes);
        let (front, dims) = dims.split_at(front);
        let (entries, axes) = (front.iter().product(), &rest_axes[..]);
        let whole = Reduction::new(dims, axes);
        let (outputs, count) = (whole.outputs, whole.count);
        // All leading dimensions that are reduced count as one.
        let kept = (0..dims.len()).find(|axis| dims[*axis] != 1 && !axes.contains(axis));
        let lead = kept.unwrap_or(dims.len());
        let rows: usize = dims[..lead].iter().product();
        let width: usize = dims[lead..].iter().product();
        let each = LEAST.div_ceil(width.max(1)).clamp(1, rows.max(1));
        let large = entries > 0
            && rows > 1
            && width > 0
            && rows * width >= 4 * LEAST
            && outputs <= LEAST / 8;
        let blocks = if large { rows.div_ceil(each) } else { 1 };
        if blocks < 2 {
            // In one step entries are results like others.
            let (outputs, count) = (all.outputs, all.count);
            let (block, last) = (all.clone(), all);
            return Self {
                entries: 1,
                entry: 0,
                blocks: 1,
                stride: 0,
                block,
                last,
                outputs,
                count,
            };
        }
        let rest_axes = axes.iter().filter(|&&axis| axis >= lead).map(|axis| axis - lead + 1);
        let rest_axes: Vec<usize> = std::iter::once(0).chain(rest_axes).collect();
        let part = |rows| {
            let dims: Vec<usize> =
                std::iter::once(rows).chain(dims[lead..].iter().copied()).collect();
            Reduction::new(&dims, &rest_axes)
        };
        let last = part(rows - (blocks - 1) * each);
        let (entry, stride) = (rows * width, each * width);
        Self { entries, entry, blocks, stride, block: part(each), last, outputs, count }
    }

    /// The number of blocks of an entry: of one the result is made in one step, by
    /// [`run`](Squares::run).
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The number of elements of each block's row of the buffer between the stages.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The number of elements of the buffer between the stages.
    pub fn scratch(&self) -> usize {
        self.entries * self.blocks * self.outputs
    }

    /// A fitting number of elements of the result for one part of a single step.
    pub fn chunk(&self, bytes_per_element: usize) -> usize {
        self.block.chunk(bytes_per_element)
    }

    /// The only step of a reduction of one block: fills `out`, the piece of the result from element
    /// `start` on.
    pub fn run<T: Real, U: Real>(&self, measure: Measure, x: &[T], out: &mut [U], start: usize) {
        for (tile, out) in out.chunks_mut(TILE).enumerate() {
            let mut sums = [[0.0, 1.0]; TILE];
            let sums = &mut sums[..out.len()];
            totals(&self.block, x, sums, start + tile * TILE);
            for (o, &sum) in out.iter_mut().zip(&*sums) {
                *o = U::from_f64(finish(measure, sum, self.count));
            }
        }
    }

    /// The first of two stages: fills `out`, the piece of the buffer from element `start` on.
    pub fn partials<T: Real>(&self, x: &[T], out: &mut [Sum], start: usize) {
        let mut done = 0;
        while done < out.len() {
            let (row, column) = ((start + done) / self.outputs, (start + done) % self.outputs);
            let (entry, block) = (row / self.blocks, row % self.blocks);
            let count = (self.outputs - column).min(out.len() - done);
            let plan = if block + 1 == self.blocks { &self.last } else { &self.block };
            let from = entry * self.entry + block * self.stride;
            totals(plan, &x[from..], &mut out[done..done + count], column);
            done += count;
        }
    }

    /// The second of two stages: fills `out`, the piece of the result from element `start` on.
    pub fn combine<U: Real>(&self, measure: Measure, sums: &[Sum], out: &mut [U], start: usize) {
        for (i, o) in out.iter_mut().enumerate() {
            let (entry, column) = ((start + i) / self.outputs, (start + i) % self.outputs);
            let rows = &sums[entry * self.blocks * self.outputs..];
            let column = rows[column..].iter().step_by(self.outputs).take(self.blocks);
            let total = column.copied().reduce(join).unwrap_or([0.0, 1.0]);
            *o = U::from_f64(finish(measure, total, self.count));
        }
    }
}

/// Two sums as one, by the larger of their scales.
fn join(a: Sum, b: Sum) -> Sum {
    let scale = a[1].max(b[1]);
    // A ratio of 0 where one is too small to count.
    let part = |[sum, own]: Sum| sum * (own / scale) * (own / scale);
    // A sum of nothing has a scale of 1, which must not hide what is small.
    match (a[0] == 0.0, b[0] == 0.0) {
        (true, _) => b,
        (_, true) => a,
        _ => [part(a) + part(b), scale],
    }
}

fn finish(measure: Measure, [sum, scale]: Sum, count: usize) -> f64 {
    let mean = sum / count as f64;
    match measure {
        Measure::Length => scale * sum.sqrt(),
        Measure::Mean => mean * scale * scale,
        Measure::Root(epsilon) => {
            let scaled = epsilon / scale / scale;
            if scaled.is_finite() {
                scale * (mean + scaled).sqrt()
            } else {
                // All is far below epsilon.
                epsilon.sqrt()
            }
        }
    }
}

/// Fills `out` with the sums of squares that belong to the elements of the result from `start` on.
fn totals<T: Real>(plan: &Reduction, x: &[T], out: &mut [Sum], start: usize) {
    if plan.count == 0 {
        out.fill([0.0, 1.0]);
        return;
    }
    vectorized(
        #[inline(always)]
        || {
            if plan.inner_is_reduced {
                rows(plan, x, out, start);
            } else if is_narrow(plan) {
                narrow(plan, x, out, start);
            } else {
                columns(plan, x, out, start);
            }
        },
    );
    // Squares of f32 are all safe.
    if size_of::<T>() == size_of::<f64>() {
        for (i, o) in out.iter_mut().enumerate() {
            if !(SMALL..=f64::MAX).contains(&o[0]) {
                *o = scaled(plan, x, start + i, o[0]);
            }
        }
    }
}

/// True if the elements of narrow rows, some of which follow each other, are reduced to one row.
fn is_narrow(plan: &Reduction) -> bool {
    let follow = plan.reduced.last().is_some_and(|&(_, stride)| stride == plan.inner);
    follow && plan.inner < NARROW && plan.count * plan.inner >= 2 * STEP
}

/// Each sum is made of contiguous runs.
#[inline(always)]
fn rows<T: Real>(plan: &Reduction, x: &[T], out: &mut [Sum], start: usize) {
    let outer = plan.count / plan.inner;
    for (i, o) in out.iter_mut().enumerate() {
        let base = offset(&plan.kept, start + i);
        let mut total = 0.0;
        for r in 0..outer {
            let at = base + offset(&plan.reduced, r);
            for block in x[at..at + plan.inner].chunks(BLOCK) {
                total += run(block);
            }
        }
        *o = [total, 1.0];
    }
}

/// The sum of squares of a run, by accumulators side by side, which are combined as a tree.
#[inline(always)]
fn run<T: Real>(x: &[T]) -> f64 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        add_squares(&mut lanes, chunk);
    }
    add_squares(&mut lanes, rest);
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

#[inline(always)]
fn add_squares<T: Real>(sums: &mut [f64], x: &[T]) {
    for (sum, &v) in sums.iter_mut().zip(x) {
        let v = v.to_f64();
        *sum += v * v;
    }
}

/// Sums stand side by side, and so do the elements that make them up.
#[inline(always)]
fn columns<T: Real>(plan: &Reduction, x: &[T], out: &mut [Sum], start: usize) {
    let mut done = 0;
    while done < out.len() {
        let (row, column) = ((start + done) / plan.inner, (start + done) % plan.inner);
        let base = offset(&plan.kept, row) + column;
        let width = (plan.inner - column).min(out.len() - done).min(COLUMNS);
        let mut sums = [0.0; COLUMNS];
        let sums = &mut sums[..width];
        for r in 0..plan.count {
            let at = base + offset(&plan.reduced, r);
            add_squares(sums, &x[at..at + width]);
        }
        for (o, &sum) in out[done..done + width].iter_mut().zip(&*sums) {
            *o = [sum, 1.0];
        }
        done += width;
    }
}

/// Sums of squares of columns of narrow rows that follow each other: several rows are taken as one,
/// and combined in the end.
#[inline(always)]
fn narrow<T: Real>(plan: &Reduction, x: &[T], out: &mut [Sum], start: usize) {
    let width = plan.inner;
    let step = (STEP / width).max(1) * width;
    let rows = plan.reduced.last().map_or(1, |&(rows, _)| rows);
    let outer = &plan.reduced[..plan.reduced.len() - 1];
    let mut done = 0;
    while done < out.len() {
        let (row, column) = ((start + done) / width, (start + done) % width);
        let base = offset(&plan.kept, row);
        let mut sums = [0.0; STEP];
        let sums = &mut sums[..step];
        for r in 0..plan.count / rows {
            let at = base + offset(outer, r);
            for x in x[at..at + rows * width].chunks(step) {
                add_squares(sums, x);
            }
        }
        let (total, rest) = sums.split_at_mut(width);
        for row in rest.chunks_exact(width) {
            for (t, &v) in total.iter_mut().zip(row) {
                *t += v;
            }
        }
        let count = (width - column).min(out.len() - done);
        for (o, &sum) in out[done..done + count].iter_mut().zip(&total[column..]) {
            *o = [sum, 1.0];
        }
        done += count;
    }
}

/// The sum for element `index` of the result, of elements divided by a power of two near the
/// largest. `plain` is their sum of squares as it is, which stays where it is infinite or NaN for
/// good reason, or 0.
fn scaled<T: Real>(plan: &Reduction, x: &[T], index: usize, plain: f64) -> Sum {
    let (base, run) = if plan.inner_is_reduced {
        (offset(&plan.kept, index), plan.inner)
    } else {
        (offset(&plan.kept, index / plan.inner) + index % plan.inner, 1)
    };
    let elements = || {
        let runs = (0..plan.count / run).map(|r| base + offset(&plan.reduced, r));
        runs.flat_map(|at| &x[at..at + run]).map(|v| v.to_f64())
    };
    let largest = elements().fold(0.0, |largest, v| match v.abs() {
        v if v > largest || v.is_nan() => v,
        _ => largest,
    });
    if !largest.is_finite() || largest == 0.0 {
        return [plain, 1.0];
    }
    // Both the power and its inverse are normal numbers.
    let exponent = ((largest.to_bits() >> 52) as i64 - 1023).clamp(-1000, 1000);
    let power = |exponent: i64| f64::from_bits(((exponent + 1023) as u64) << 52);
    let inverse = power(-exponent);
    // In short blocks, which is accurate for any number of them.
    let (mut total, mut block, mut left) = (0.0, 0.0, 256);
    for v in elements() {
        let v = v * inverse;
        block += v * v;
        left -= 1;
        if left == 0 {
            total += block;
            (block, left) = (0.0, 256);
        }
    }
    [total + block, power(exponent)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The measure in one or two stages, in pieces of `piece`.
    fn measured<T: Real>(
        dims: &[usize],
        axes: &[usize],
        measure: Measure,
        x: &[T],
        piece: usize,
    ) -> Vec<T> {
        let plan = Squares::new(dims, axes);
        let mut out = vec![T::NAN; plan.outputs()];
        if plan.blocks() == 1 {
            for (p, out) in out.chunks_mut(piece).enumerate() {
                plan.run(measure, x, out, p * piece);
            }
            return out;
        }
        let mut sums = vec![[f64::NAN; 2]; plan.blocks() * plan.outputs()];
        for (p, sums) in sums.chunks_mut(piece).enumerate() {
            plan.partials(x, sums, p * piece);
        }
        plan.combine(measure, &sums, &mut out, 0);
        out
    }

    #[test]
    fn every_set_of_axes_and_every_cut() {
        for dims in [
            &[4, 3, 5, 2][..],
            &[2, 1, 70, 3],
            &[130, 1, 3],
            &[3, 140],
            &[20_000],
            &[700, 13],
            &[5, 3, 40, 12],
            &[90_000, 4],
            &[1, 700, 3, 200],
            &[600_000],
            &[],
        ] {
            let len: usize = dims.iter().product();
            let x: Vec<f64> = (0..len).map(|i| ((i * 7919) % 100) as f64 - 50.0).collect();
            let squares: Vec<f64> = x.iter().map(|v| v * v).collect();
            for set in 0..1 << dims.len() {
                let axes: Vec<usize> = (0..dims.len()).filter(|a| set >> a & 1 == 1).collect();
                let sum = Reduction::new(dims, &axes);
                let mut expected = vec![0.0; sum.outputs()];
                sum.run(super::super::Operation::Sum, &squares, &mut expected, 0).unwrap();
                // Small integers: exact.
                for e in &mut expected {
                    *e = e.sqrt();
                }
                for piece in [1, 3, 1 << 20] {
                    if len > 1 << 17 && piece == 1 && sum.outputs() > 1 << 10 {
                        continue;
                    }
                    let found = measured(dims, &axes, Measure::Length, &x, piece);
                    assert_eq!(found, expected, "{dims:?} over {axes:?}");
                }
            }
        }
    }

    #[test]
    fn lengths_at_both_ends_of_the_range() {
        let length = |x: &[f64]| measured(&[x.len()], &[0], Measure::Length, x, 1)[0];
        for scale in [1e300, 1e-300, 1e154, 1e-154, 1.0] {
            let found = length(&[3.0 * scale, -4.0 * scale]);
            assert!((found / scale - 5.0).abs() < 1e-14, "{found} at {scale}");
        }
        assert_eq!(length(&[3.0 * f64::from_bits(1), 4.0 * f64::from_bits(1)]), f64::from_bits(5));
        assert_eq!(length(&[1e300, 1e-300]), 1e300);
        assert_eq!(length(&[0.0; 3]), 0.0);
        assert_eq!(length(&[1.0, f64::NEG_INFINITY]), f64::INFINITY);
        assert!(length(&[1e300, f64::NAN, f64::INFINITY]).is_nan());
        let length = |x: &[f32]| measured(&[x.len()], &[0], Measure::Length, x, 1)[0];
        assert_eq!(length(&[3e20, 4e20]), 5e20);
        assert_eq!(length(&[3e-30, 4e-30]), 5e-30);
        assert_eq!(length(&[f32::MAX, 0.0]), f32::MAX);
    }

    #[test]
    fn blocks_of_very_different_sizes_are_added_up() {
        let (rows, width) = (300_000, 2);
        let mut x = vec![1e-300f64; rows * width];
        let mean = measured(&[rows, width], &[0], Measure::Root(0.0), &x, 1 << 20);
        assert!(mean.iter().all(|v| (v / 1e-300 - 1.0).abs() < 1e-12), "{mean:?}");
        x[0] = 3e200;
        x[(rows - 1) * width] = 4e200;
        let found = measured(&[rows, width], &[0], Measure::Length, &x, 1 << 20);
        assert!((found[0] / 5e200 - 1.0).abs() < 1e-14, "{found:?}");
        assert!((found[1] / (1e-300 * (rows as f64).sqrt()) - 1.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn columns_are_scaled_each_by_itself() {
        for (rows, width) in [(2, 3), (400, 3), (2, 300)] {
            let x: Vec<f64> = (0..rows * width)
                .map(|i| match i % width {
                    0 => 1e200,
                    1 => 1e-200,
                    _ => 2.0,
                })
                .collect();
            let found = measured(&[rows, width], &[0], Measure::Root(0.0), &x, 1 << 20);
            for (found, expected) in found.iter().zip([1e200, 1e-200, 2.0]) {
                assert!((found / expected - 1.0).abs() < 1e-14, "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn epsilon_counts_beside_any_mean() {
        let root = |x: f64, epsilon| measured(&[1], &[0], Measure::Root(epsilon), &[x], 1)[0];
        assert_eq!(root(3.0, 16.0), 5.0);
        assert_eq!(root(1e-300, 1e-4), 1e-2);
        assert_eq!(root(0.0, 1e-4), 1e-2);
        assert_eq!(root(1e300, 1e-4), 1e300);
        assert!((root(3e-200, 1e-320) / 1e-160 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn of_nothing_the_length_is_0_and_the_mean_nan() {
        let of = |measure| measured::<f32>(&[2, 0], &[1], measure, &[], 2);
        assert_eq!(of(Measure::Length), [0.0; 2]);
        assert!(of(Measure::Mean).iter().chain(&of(Measure::Root(1.0))).all(|v| v.is_nan()));
    }
}
