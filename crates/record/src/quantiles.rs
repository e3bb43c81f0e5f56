//! Exact percentiles and a histogram of the numbers of one or several arrays together.
//!
//! `f32` takes no sort: its bits, turned so that they are ordered as the numbers are, are counted
//! by their upper half, and by their lower half where a percentile falls.

use abeyance_session::Value;

use crate::PERCENTILES;

/// Buckets of a histogram.
pub const BUCKETS: usize = 30;

/// The distribution of numbers: percentiles and a histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// The number of finite ones, of which the percentiles and the histogram are.
    pub finite: u64,
    /// The number of NaN.
    pub nan: u64,
    /// The number of infinite ones, negative ones included.
    pub infinite: u64,
    /// The percentiles [`PERCENTILES`] by nearest rank: of n finite numbers in order, counted from
    /// 0, the one at p / 100 · (n - 1), rounded, halves up. None where no number is finite.
    pub percentiles: Option<[f64; 9]>,
    /// Left edge, right edge, count of [`BUCKETS`] buckets of one width from the least number to
    /// the greatest. A number on an edge counts to the right of it, the greatest to the last
    /// bucket. Numbers that are all the same are one bucket around them. Empty where none is
    /// finite.
    pub buckets: Vec<[f64; 3]>,
}

/// Counts with memory that is kept from one call to the next.
#[derive(Debug, Default)]
pub struct Quantiles {
    upper: Vec<u32>,
    lower: Vec<u32>,
    /// For each upper half the number of its table of lower halves, counted from 1.
    tables: Vec<u8>,
}

/// The count of numbers from which on tables are faster than sorting.
const FEW: usize = 20_000;
/// The halves of a number's bits.
const HALF: usize = 1 << 16;

impl Quantiles {
    /// Makes empty tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Summarizes the elements of these arrays, all together. Truth values count as 0 and 1;
    /// integers beyond 2^53 are rounded.
    pub fn spread(&mut self, arrays: &[&Value]) -> Spread {
        let floats: Option<Vec<&[f32]>> = (arrays.iter())
            .map(|value| match value {
                Value::F32(array) => array.as_slice(),
                _ => None,
            })
            .collect();
        match floats {
            Some(floats) => self.of_f32(&floats),
            None => of_f64(arrays.iter().flat_map(|value| value.to_f64())),
        }
    }

    /// Summarizes slices of `f32`.
    pub fn of_f32(&mut self, arrays: &[&[f32]]) -> Spread {
        match arrays.iter().map(|array| array.len()).sum::<usize>() {
            // Clearing the tables would take longer.
            0..FEW => of_f64(arrays.iter().flat_map(|array| array.iter().map(|&x| x.into()))),
            _ => self.count(arrays),
        }
    }

    fn count(&mut self, arrays: &[&[f32]]) -> Spread {
        self.upper.clear();
        self.upper.resize(HALF, 0);
        let all = || arrays.iter().flat_map(|array| array.iter().copied());
        let mut spread = Spread::default();
        for array in arrays {
            for &number in *array {
                if let Some(count) = self.upper.get_mut((ordered(number) >> 16) as usize) {
                    *count += 1;
                }
            }
        }
        // NaN and infinities lie outside of the finite numbers' bits, which end within the halves
        // of the largest ones.
        let strangers = self.take(ordered(f32::INFINITY)) + self.take(ordered(f32::NEG_INFINITY));
        let beyond = self.beyond();
        if strangers + beyond > 0 {
            spread.nan = all().filter(|number| number.is_nan()).count() as u64;
            spread.infinite = all().filter(|number| number.is_infinite()).count() as u64;
        }
        spread.finite = self.upper.iter().map(|&count| u64::from(count)).sum();
        let Some(ranks) = ranks(spread.finite) else { return spread };
        let values = self.at(&ranks, arrays);
        spread.percentiles = Some(values.map(f64::from));
        spread.buckets = histogram(f64::from(values[0]), f64::from(values[8]), |count| {
            for array in arrays {
                for &number in array.iter().filter(|number| number.is_finite()) {
                    count(f64::from(number));
                }
            }
        });
        spread
    }

    /// How many have that upper half; they are not counted any more.
    fn take(&mut self, bits: u32) -> u64 {
        self.upper.get_mut((bits >> 16) as usize).map_or(0, |count| std::mem::take(count).into())
    }

    /// How many lie outside of both infinities, which are NaN; they are not counted any more.
    fn beyond(&mut self) -> u64 {
        let (least, most) = (ordered(f32::NEG_INFINITY) >> 16, ordered(f32::INFINITY) >> 16);
        let mut found = 0;
        for (half, count) in self.upper.iter_mut().enumerate() {
            if half < least as usize || half > most as usize {
                found += u64::from(std::mem::take(count));
            }
        }
        found
    }

    /// The numbers at these ranks, which increase.
    fn at(&mut self, ranks: &[u64; 9], arrays: &[&[f32]]) -> [f32; 9] {
        // The upper half of each, and its rank among those of that half.
        let mut places = [(0usize, 0u64); 9];
        let mut halves = self.upper.iter().enumerate();
        let (mut half, mut below, mut here) = (0, 0u64, 0u64);
        for (place, &rank) in places.iter_mut().zip(ranks) {
            while below + here <= rank {
                let Some((next, &count)) = halves.next() else { break };
                (half, below, here) = (next, below + here, count.into());
            }
            *place = (half, rank - below);
        }
        self.tables.clear();
        self.tables.resize(HALF, 0);
        let mut tables = 0u8;
        for &(half, _) in &places {
            if let Some(table) = self.tables.get_mut(half).filter(|table| **table == 0) {
                tables += 1;
                *table = tables;
            }
        }
        self.lower.clear();
        self.lower.resize(usize::from(tables) * HALF, 0);
        for array in arrays {
            for &number in *array {
                let bits = ordered(number);
                let table = self.tables.get((bits >> 16) as usize).copied().unwrap_or(0);
                if table > 0 {
                    let index = (usize::from(table) - 1) * HALF + (bits as usize & (HALF - 1));
                    if let Some(count) = self.lower.get_mut(index) {
                        *count += 1;
                    }
                }
            }
        }
        places.map(|(half, rank)| {
            let table = usize::from(self.tables.get(half).copied().unwrap_or(1)).saturating_sub(1);
            let counts = self.lower.get(table * HALF..(table + 1) * HALF).unwrap_or_default();
            let mut passed = 0u64;
            let found = counts.iter().position(|&count| {
                passed += u64::from(count);
                passed > rank
            });
            number((half as u32) << 16 | found.unwrap_or(0) as u32)
        })
    }
}

/// Bits that are ordered as the numbers are: -0 before 0, NaN at the ends.
fn ordered(number: f32) -> u32 {
    let bits = number.to_bits();
    bits ^ ((bits as i32 >> 31) as u32 | 0x8000_0000)
}

/// The number of such bits.
fn number(ordered: u32) -> f32 {
    f32::from_bits(match ordered >> 31 {
        1 => ordered ^ 0x8000_0000,
        _ => !ordered,
    })
}

/// The ranks of the percentiles among so many; none among none.
fn ranks(count: u64) -> Option<[u64; 9]> {
    let last = count.checked_sub(1)?;
    // p / 100 · last + 1 / 2 in whole numbers, which rounds the same for any count.
    Some(PERCENTILES.map(|p| ((u128::from(last) * 2 * u128::from(p) + 100) / 200) as u64))
}

/// Summarizes any numbers.
pub fn of_f64(numbers: impl IntoIterator<Item = f64>) -> Spread {
    let mut spread = Spread::default();
    let mut finite = Vec::new();
    for number in numbers {
        match number {
            _ if number.is_finite() => finite.push(number),
            _ if number.is_nan() => spread.nan += 1,
            _ => spread.infinite += 1,
        }
    }
    spread.finite = finite.len() as u64;
    let Some(ranks) = ranks(spread.finite) else { return spread };
    let mut values = [0.0; 9];
    let mut done = 0;
    for (value, rank) in values.iter_mut().zip(ranks) {
        // What is below the last rank is smaller: it needs no second look.
        let rest = finite.get_mut(done..).unwrap_or_default();
        let at = rank as usize - done;
        if at < rest.len() {
            *value = *rest.select_nth_unstable_by(at, f64::total_cmp).1;
        }
        done = rank as usize;
    }
    spread.percentiles = Some(values);
    spread.buckets = histogram(values[0], values[8], |count| finite.iter().for_each(|&x| count(x)));
    spread
}

/// The buckets from `least` to `most` of the numbers that `each` calls for.
fn histogram(least: f64, most: f64, each: impl FnOnce(&mut dyn FnMut(f64))) -> Vec<[f64; 3]> {
    // Halves, for the range of all numbers of f64 is no number of f64.
    let width = (most / 2.0 - least / 2.0) / BUCKETS as f64;
    if width == 0.0 || !width.is_normal() {
        let around = (least.abs() * 1e-6).max(0.5);
        let mut count = 0.0;
        each(&mut |_| count += 1.0);
        return vec![[least - around, most + around, count]];
    }
    let mut counts = [0u64; BUCKETS];
    let scale = 1.0 / width;
    each(&mut |number| {
        let bucket = ((number / 2.0 - least / 2.0) * scale) as usize;
        if let Some(count) = counts.get_mut(bucket.min(BUCKETS - 1)) {
            *count += 1;
        }
    });
    let edge = |index: usize| match index {
        0 => least,
        BUCKETS => most,
        _ => (least / 2.0 + index as f64 * width) * 2.0,
    };
    let buckets = counts.iter().enumerate();
    buckets.map(|(index, &count)| [edge(index), edge(index + 1), count as f64]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By sorting, from the definition.
    fn sorted(mut numbers: Vec<f64>) -> Option<[f64; 9]> {
        numbers.retain(|number| number.is_finite());
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1)?;
        Some(
            PERCENTILES.map(|p| {
                numbers[(f64::from(p) / 100.0 * last as f64 + 0.5 + 1e-9).floor() as usize]
            }),
        )
    }

    fn check(numbers: &[f32]) -> Result<(), TestCaseError> {
        let (left, right) = numbers.split_at(numbers.len() / 3);
        let spread = Quantiles::new().count(&[left, right]);
        let expected = sorted(numbers.iter().map(|&x| x.into()).collect());
        prop_assert_eq!(spread.percentiles, expected);
        let slow = of_f64(numbers.iter().map(|&x| f64::from(x)));
        prop_assert_eq!(&spread, &slow);
        let total = spread.finite + spread.nan + spread.infinite;
        prop_assert_eq!(total, numbers.len() as u64);
        let counted: f64 = spread.buckets.iter().map(|bucket| bucket[2]).sum();
        prop_assert_eq!(counted, spread.finite as f64);
        for pair in spread.buckets.windows(2) {
            prop_assert!(pair[0][0] < pair[0][1] && pair[0][1] == pair[1][0]);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn counting_is_sorting(numbers in proptest::collection::vec(-2.0f32..2.0, 0..500)) {
            check(&numbers)?;
        }

        #[test]
        fn counting_is_sorting_any_bits(bits in proptest::collection::vec(any::<u32>(), 0..300)) {
            check(&bits.into_iter().map(f32::from_bits).collect::<Vec<_>>())?;
        }
    }

    #[test]
    fn nan_and_infinities_count_apart() {
        let numbers = [f32::NAN, 1.0, f32::INFINITY, -f32::NAN, 3.0, f32::NEG_INFINITY, 2.0];
        let spread = Quantiles::new().count(&[&numbers]);
        assert_eq!((spread.finite, spread.nan, spread.infinite), (3, 2, 2));
        assert_eq!(spread.percentiles, Some([1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0]));
        assert_eq!(Quantiles::new().count(&[&[f32::NAN]]).percentiles, None);
        assert_eq!(Quantiles::new().count(&[]), Spread::default());
    }

    #[test]
    fn the_ends_of_the_range_have_buckets() {
        let spread = Quantiles::new().count(&[&[f32::MAX, f32::MIN, 0.0]]);
        assert_eq!(spread.percentiles.unwrap()[8], f64::from(f32::MAX));
        assert_eq!(spread.buckets.iter().map(|bucket| bucket[2]).sum::<f64>(), 3.0);
        let spread = of_f64([f64::MAX, f64::MIN]);
        assert!(spread.buckets.iter().flatten().all(|edge| edge.is_finite()));
        let spread = of_f64([1e300; 4]);
        assert_eq!(spread.buckets.len(), 1);
        assert!(spread.buckets[0][0] < 1e300 && 1e300 < spread.buckets[0][1]);
    }

    #[test]
    fn arrays_of_several_types_are_one() {
        let floats = Value::from(ndarray::array![0.0f32, 1.0]);
        let integers = Value::from(ndarray::array![7i64, -3]);
        let spread = Quantiles::new().spread(&[&floats, &integers]);
        assert_eq!(spread.percentiles.unwrap()[0], -3.0);
        assert_eq!(spread.percentiles.unwrap()[8], 7.0);
    }
}
