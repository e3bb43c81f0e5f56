//! Sums, means, products, minima and maxima over any set of axes, and the place of the largest
//! along one.
//!
//! The order in which elements are combined depends on shapes only. Long runs go into many
//! accumulators side by side and in blocks, which is both fast and close to pairwise summation in
//! accuracy.

mod arg;
mod integer_mean;
pub mod squares;
mod two_stage;

pub use arg::ArgReduction;
pub use two_stage::TwoStage;

use std::marker::PhantomData;

use num_integer::Integer;
use smallvec::SmallVec;

use crate::dispatch::vectorized_for;
use crate::element::Number;
use crate::launch::Failure;

/// The value that is computed of the reduced elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The sum, wrapping for integers; 0 of nothing.
    Sum,
    /// The sum over the count; of nothing NaN for floats and a failure for integers, which
    /// truncate.
    Mean,
    /// The product, wrapping for integers; 1 of nothing.
    Prod,
    /// The largest; NaN if there is one; a failure of nothing.
    Max,
    /// The smallest; NaN if there is one; a failure of nothing.
    Min,
    /// True if any of these booleans (0 or 1) is true; of nothing none is.
    Any,
    /// True if all of these booleans (0 or 1) are true; of nothing all are.
    All,
    /// The largest where that is finite, else 0, also of nothing: what to subtract from floats
    /// before their exponentials are added.
    FiniteMax,
}

/// A way in which elements combine. Each is a type of its own so that loops are compiled for each.
trait Combine<T>: Copy {
    fn identity() -> T;
    fn combine(a: T, b: T) -> T;
}

macro_rules! combine {
    ($($name:ident: $identity:expr, $combine:path;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;
        impl<T: Number> Combine<T> for $name {
            #[inline(always)]
            fn identity() -> T { $identity }
            #[inline(always)]
            fn combine(a: T, b: T) -> T { $combine(a, b) }
        }
    )*};
}

combine! {
    Sum: T::ZERO, T::wrapping_add;
    Prod: T::ONE, T::wrapping_mul;
    Max: T::LOWEST, T::greatest;
    Min: T::HIGHEST, T::least;
}

/// Accumulators side by side in a run of some length.
const LANES: usize = 64;
/// Accumulators side by side in a long run: enough that each has been stored before it is needed
/// again.
const MANY: usize = 256;
/// Elements of a run that go into one set of accumulators before they are combined.
const BLOCK: usize = 32 * MANY;
/// Rows that are added into one accumulator before it is added to the total.
const ROWS: usize = 64;
/// Elements of a run that are combined one after the other, side by side with those of other runs.
const FEW: usize = 16;
/// Columns that are reduced side by side.
const COLUMNS: usize = 128;
/// Below so many columns, rows that follow each other are taken as one long row.
const NARROW: usize = 64;
/// A common multiple of `NARROW` - 1 columns or fewer and of a vector's lanes is below this.
const LONG: usize = 1024;

/// A dimension after merging: its size and the input's stride along it.
type Dim = (usize, usize);

/// A reduction of an array of fixed shape over fixed axes.
#[derive(Clone, Debug)]
pub struct Reduction {
    /// Kept dimensions, outermost first, without the innermost one if that is kept and contiguous.
    kept: SmallVec<[Dim; 3]>,
    /// Reduced dimensions, outermost first, without the innermost one if that is reduced and
    /// contiguous.
    reduced: SmallVec<[Dim; 3]>,
    /// The length of the contiguous innermost dimension.
    inner: usize,
    /// True if that one is reduced or kept.
    inner_is_reduced: bool,
    /// The number of elements that make up one of the result.
    count: usize,
    /// The number of elements of the result.
    outputs: usize,
}

impl Reduction {
    /// The reduction of an array of shape `dims` over `axes`, each of them below `dims.len()`. The
    /// result's elements are those of the kept dimensions in their order.
    pub fn new(dims: &[usize], axes: &[usize]) -> Self {
        let mut nest: SmallVec<[(usize, usize, bool); 8]> = SmallVec::new(); // innermost first
        let (mut count, mut outputs, mut stride) = (1, 1, 1);
        for (axis, &size) in dims.iter().enumerate().rev() {
            let reduced = axes.contains(&axis);
            if reduced {
                count *= size;
            } else {
                outputs *= size;
            }
            if size == 1 {
                continue;
            }
            match nest.last_mut() {
                Some((inner, _, same)) if *same == reduced => *inner *= size,
                _ => nest.push((size, stride, reduced)),
            }
            stride *= size;
        }
        let (inner, _, inner_is_reduced) =
            if nest.is_empty() { (1, 1, true) } else { nest.remove(0) };
        nest.reverse();
        let pick = |which: bool| {
            let dims = nest.iter().filter(|dim| dim.2 == which);
            dims.map(|&(size, stride, _)| (size, stride)).collect()
        };
        Self { kept: pick(false), reduced: pick(true), inner, inner_is_reduced, count, outputs }
    }

    /// The number of elements that make up one of the result.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of elements of the result.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// A fitting number of elements of the result for one part: those that read about 256 KiB.
    pub fn chunk(&self, bytes_per_element: usize) -> usize {
        let each = (256 * 1024 / bytes_per_element.max(1)) / self.count.max(1);
        // Columns side by side share the lines they read, so a part takes many of them.
        let least = if self.inner_is_reduced { 1 } else { COLUMNS.min(self.inner) };
        each.max(least).clamp(1, self.outputs.max(1))
    }

    /// Reduces `x` into `out`, the piece of the result from element `start` on.
    ///
    /// # Errors
    /// For a maximum, a minimum or a mean of integers of no elements.
    pub fn run<T: Number>(
        &self,
        operation: Operation,
        x: &[T],
        out: &mut [T],
        start: usize,
    ) -> Result<(), Failure> {
        if operation == Operation::Mean && !T::IS_FLOAT {
            return self.integer_mean(x, out, start);
        }
        self.accumulate(operation, x, out, start)?;
        finish(operation, out, self.count);
        Ok(())
    }

    /// Combines elements as [`Reduction::run`], without the last step of a mean and of a finite
    /// maximum.
    fn accumulate<T: Number>(
        &self,
        operation: Operation,
        x: &[T],
        out: &mut [T],
        start: usize,
    ) -> Result<(), Failure> {
        let nothing = self.count == 0 && !out.is_empty();
        match operation {
            Operation::Sum | Operation::Mean => self.reduce::<T, Sum>(x, out, start),
            Operation::Prod => self.reduce::<T, Prod>(x, out, start),
            Operation::Max if nothing => return Err(Failure("the maximum of no elements".into())),
            Operation::Min if nothing => return Err(Failure("the minimum of no elements".into())),
            // The lowest byte is 0, and a product of 0 and 1 is 1 where all are.
            Operation::Max | Operation::Any | Operation::FiniteMax => {
                self.reduce::<T, Max>(x, out, start);
            }
            Operation::All => self.reduce::<T, Prod>(x, out, start),
            Operation::Min => self.reduce::<T, Min>(x, out, start),
        }
        Ok(())
    }

    fn reduce<T: Number, C: Combine<T>>(&self, x: &[T], out: &mut [T], start: usize) {
        if self.count == 0 || out.is_empty() {
            out.fill(C::identity());
            return;
        }
        vectorized_for::<T, _>(
            #[inline(always)]
            || {
                if self.inner_is_reduced {
                    self.reduce_rows::<T, C>(x, out, start);
                } else if let Some(rows) = self.narrow_rows() {
                    self.reduce_narrow::<T, C>(x, out, start, rows);
                } else {
                    self.reduce_columns::<T, C>(x, out, start);
                }
            },
        );
    }

    /// Each element of the result is made of contiguous runs.
    #[inline(always)]
    fn reduce_rows<T: Number, C: Combine<T>>(&self, x: &[T], out: &mut [T], start: usize) {
        let outer = self.count / self.inner;
        if self.inner <= FEW && outer == 1 {
            return self.reduce_few::<T, C>(x, out, start);
        }
        for (i, o) in out.iter_mut().enumerate() {
            let base = offset(&self.kept, start + i);
            let mut groups = Cascade::<T, C>::new();
            for first in (0..outer).step_by(ROWS) {
                let run = |r| {
                    let at = base + offset(&self.reduced, r);
                    reduce_run::<T, C>(&x[at..at + self.inner])
                };
                let mut total = run(first);
                for r in first + 1..outer.min(first + ROWS) {
                    total = C::combine(total, run(r));
                }
                groups.push(total);
            }
            *o = groups.total();
        }
    }

    /// Each element of the result is made of one run of a few elements, in their order: several
    /// results at a time, since each waits for itself.
    #[inline(always)]
    fn reduce_few<T: Number, C: Combine<T>>(&self, x: &[T], out: &mut [T], start: usize) {
        /// Results at a time.
        const SIDE: usize = 8;
        let len = self.inner;
        let mut i = 0;
        while i < out.len() {
            // One kept dimension at most is left, and what it is made of may be apart.
            let count = SIDE.min(out.len() - i);
            let at: [usize; SIDE] =
                std::array::from_fn(|r| offset(&self.kept, start + i + r.min(count - 1)));
            let mut sums = [C::identity(); SIDE];
            let runs: [&[T]; SIDE] = at.map(|at| &x[at..at + len]);
            for p in 0..len {
                for (sum, run) in sums.iter_mut().zip(&runs) {
                    *sum = C::combine(*sum, run[p]);
                }
            }
            out[i..i + count].copy_from_slice(&sums[..count]);
            i += count;
        }
    }

    /// Elements of the result stand side by side, and so do the elements that make them up.
    #[inline(always)]
    fn reduce_columns<T: Number, C: Combine<T>>(&self, x: &[T], out: &mut [T], start: usize) {
        let mut done = 0;
        while done < out.len() {
            let (row, column) = ((start + done) / self.inner, (start + done) % self.inner);
            let base = offset(&self.kept, row) + column;
            let width = (self.inner - column).min(out.len() - done).min(COLUMNS);
            let out = &mut out[done..done + width];
            if self.count <= ROWS {
                self.add_rows::<T, C>(x, base, 0..self.count, out);
            } else {
                // Rows in groups of `ROWS`, and these in groups of as many again, so that errors do
                // not grow with the number of rows.
                out.fill(C::identity());
                let (mut partial, mut group) = ([C::identity(); COLUMNS], [C::identity(); COLUMNS]);
                let (partial, group) = (&mut partial[..width], &mut group[..width]);
                for first in (0..self.count).step_by(ROWS) {
                    let last = (first + ROWS).min(self.count);
                    self.add_rows::<T, C>(x, base, first..last, partial);
                    combine_into::<T, C>(group, partial);
                    if last.is_multiple_of(ROWS * ROWS) || last == self.count {
                        combine_into::<T, C>(out, group);
                        group.fill(C::identity());
                    }
                }
            }
            done += width;
        }
    }

    /// The number of rows of elements to be reduced that follow each other without a gap, if they
    /// are narrow and enough of them do.
    fn narrow_rows(&self) -> Option<usize> {
        let &(rows, stride) = self.reduced.last()?;
        let enough = self.count * self.inner >= LONG / 2;
        (self.inner < NARROW && stride == self.inner && enough).then_some(rows)
    }

    /// Reduces columns of narrow rows, runs of `rows` of which follow each other: a run is walked
    /// in steps of several rows that are whole vectors, and the rows of a step are combined in the
    /// end.
    #[inline(always)]
    fn reduce_narrow<T: Number, C: Combine<T>>(
        &self,
        x: &[T],
        out: &mut [T],
        start: usize,
        rows: usize,
    ) {
        /// Elements of a vector, or of several.
        const LANES: usize = 16;
        /// A step is at least half of these elements, so that a sum has been stored before it is
        /// needed again.
        const STEP: usize = 256;
        let width = self.inner;
        // The smallest number of rows that is whole vectors, several times over.
        let whole = LANES / width.gcd(&LANES);
        let step_rows = whole * (STEP / (whole * width)).max(1);
        let step = step_rows * width;
        let runs = self.count / rows;
        let outer = &self.reduced[..self.reduced.len() - 1];
        let (mut totals, mut sums) = ([C::identity(); LONG], [C::identity(); LONG]);
        let (totals, sums) = (&mut totals[..step], &mut sums[..step]);
        let mut done = 0;
        while done < out.len() {
            let (row, column) = ((start + done) / width, (start + done) % width);
            let base = offset(&self.kept, row);
            totals.fill(C::identity());
            sums.fill(C::identity());
            let mut steps = 0;
            for run in 0..runs {
                let from = base + offset(outer, run);
                for x in x[from..from + rows * width].chunks(step) {
                    combine_into::<T, C>(&mut sums[..x.len()], x);
                    steps += 1;
                    if steps == ROWS {
                        combine_into::<T, C>(totals, sums);
                        sums.fill(C::identity());
                        steps = 0;
                    }
                }
            }
            combine_into::<T, C>(totals, sums);
            let mut left = step_rows;
            while left.is_multiple_of(2) {
                left /= 2;
                let (low, high) = totals.split_at_mut(left * width);
                combine_into::<T, C>(low, &high[..left * width]);
            }
            let (total, rest) = totals[..left * width].split_at_mut(width);
            for row in rest.chunks_exact(width) {
                combine_into::<T, C>(total, row);
            }
            let count = (width - column).min(out.len() - done);
            out[done..done + count].copy_from_slice(&total[column..column + count]);
            done += count;
        }
    }

    /// `sums` = the rows `range` of the reduced elements whose first column is at `base`, combined
    /// in order.
    #[inline(always)]
    fn add_rows<T: Number, C: Combine<T>>(
        &self,
        x: &[T],
        base: usize,
        range: std::ops::Range<usize>,
        sums: &mut [T],
    ) {
        let width = sums.len();
        // One reduced dimension is by far the commonest, and needs no division.
        let single = if let [(_, stride)] = self.reduced[..] { Some(stride) } else { None };
        let at = |r: usize| base + single.map_or_else(|| offset(&self.reduced, r), |s| r * s);
        let mut rows = range;
        let Some(first) = rows.next() else { return };
        let from = at(first);
        sums.copy_from_slice(&x[from..from + width]);
        for r in rows {
            let from = at(r);
            for (s, &v) in sums.iter_mut().zip(&x[from..from + width]) {
                *s = C::combine(*s, v);
            }
        }
    }
}

/// The number of dimensions in front that are kept or of size 1, and the other axes counted from
/// behind them. What those tell apart, the rows of a batch, is reduced by itself: nothing that
/// decides the order of a sum may depend on how many there are.
fn kept_in_front(dims: &[usize], axes: &[usize]) -> (usize, SmallVec<[usize; 4]>) {
    let is_kept = |&(axis, &size): &(usize, &usize)| size == 1 || !axes.contains(&axis);
    let front = dims.iter().enumerate().take_while(is_kept).count();
    (front, axes.iter().filter_map(|&axis| axis.checked_sub(front)).collect())
}

/// `sums[i]` combined with `x[i]`.
#[inline(always)]
fn combine_into<T: Number, C: Combine<T>>(sums: &mut [T], x: &[T]) {
    for (sum, &v) in sums.iter_mut().zip(x) {
        *sum = C::combine(*sum, v);
    }
}

/// The place in the input of element `index` of the dimensions `dims`.
#[inline(always)]
fn offset(dims: &[Dim], mut index: usize) -> usize {
    if let [(_, stride)] = dims {
        return index * stride;
    }
    let mut at = 0;
    for &(size, stride) in dims.iter().rev() {
        at += index % size * stride;
        index /= size;
    }
    at
}

/// All of `x` combined: in blocks, each by accumulators side by side, which are combined as a tree.
#[inline(always)]
fn reduce_run<T: Number, C: Combine<T>>(x: &[T]) -> T {
    if x.len() < LANES {
        return short_run::<T, C>(x);
    }
    if x.len() < BLOCK {
        return long_run::<T, C, LANES>(x);
    }
    let mut blocks = Cascade::<T, C>::new();
    for block in x.chunks(BLOCK) {
        blocks.push(long_run::<T, C, MANY>(block));
    }
    blocks.total()
}

/// Any number of partial results, combined as a balanced tree as they come: level i holds the
/// combination of 2ⁱ of them, or nothing (pairwise summation).
struct Cascade<T, C> {
    levels: [T; usize::BITS as usize],
    count: usize,
    combine: PhantomData<C>,
}

impl<T: Number, C: Combine<T>> Cascade<T, C> {
    #[inline(always)]
    fn new() -> Self {
        Self { levels: [C::identity(); usize::BITS as usize], count: 0, combine: PhantomData }
    }

    #[inline(always)]
    fn push(&mut self, mut value: T) {
        // Two of a level make one of the next.
        let full = self.count.trailing_ones() as usize;
        for &level in &self.levels[..full] {
            value = C::combine(level, value);
        }
        self.levels[full] = value;
        self.count += 1;
    }

    #[inline(always)]
    fn total(&self) -> T {
        let mut total = C::identity();
        let mut left = self.count;
        while left > 0 {
            total = C::combine(self.levels[left.trailing_zeros() as usize], total);
            left &= left - 1;
        }
        total
    }
}

#[inline(always)]
fn short_run<T: Number, C: Combine<T>>(x: &[T]) -> T {
    let (fours, rest) = x.as_chunks::<4>();
    let mut lanes = [C::identity(); 4];
    for four in fours {
        for (lane, &v) in lanes.iter_mut().zip(four) {
            *lane = C::combine(*lane, v);
        }
    }
    let mut sum = C::combine(C::combine(lanes[0], lanes[2]), C::combine(lanes[1], lanes[3]));
    for &v in rest {
        sum = C::combine(sum, v);
    }
    sum
}

#[inline(always)]
fn long_run<T: Number, C: Combine<T>, const LANES: usize>(x: &[T]) -> T {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [C::identity(); LANES];
    for chunk in chunks {
        combine_into::<T, C>(&mut lanes, chunk);
    }
    combine_into::<T, C>(&mut lanes, rest);
    tree::<T, C>(&mut lanes)
}

/// All combined, of a power of two. A function of its own: inlined, its pairs would have the
/// compiler take the loop before it apart into pairs.
#[inline(never)]
fn tree<T: Number, C: Combine<T>>(lanes: &mut [T]) -> T {
    let mut width = lanes.len();
    while width > 1 {
        width /= 2;
        let (low, high) = lanes.split_at_mut(width);
        combine_into::<T, C>(low, &high[..width]);
    }
    lanes[0]
}

/// The last step, after all elements are combined. (The mean of integers has loops of its own.)
fn finish<T: Number>(operation: Operation, out: &mut [T], count: usize) {
    match operation {
        Operation::Mean => {
            let divisor = T::from_i64(count as i64);
            for o in out {
                *o = o.quotient(divisor).unwrap_or(T::ZERO);
            }
        }
        Operation::FiniteMax => {
            for o in out {
                // What is infinite or NaN does not cancel itself.
                let finite = o.wrapping_sub(*o) == T::ZERO;
                *o = if finite { *o } else { T::ZERO };
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
