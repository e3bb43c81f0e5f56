//! A value over the steps of a run, in memory.

mod stamps;
mod steps;

use std::ops::{Range, RangeInclusive};

use self::stamps::Stamps;
use self::steps::Steps;

/// A value over steps, which rise.
#[derive(Clone, Debug)]
pub(crate) struct Series<T> {
    steps: Steps,
    walls: Vec<f64>,
    values: Vec<T>,
    /// The clock at which each was added: see [`crate::clock`].
    added: Stamps,
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self {
            steps: Steps::default(),
            walls: Vec::new(),
            values: Vec::new(),
            added: Stamps::default(),
        }
    }
}

/// A point of a [`Series`].
pub(crate) struct Point<'a, T> {
    pub(crate) step: i64,
    pub(crate) wall: f64,
    pub(crate) value: &'a T,
}

impl<T> Series<T> {
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn last_step(&self) -> Option<i64> {
        self.steps.last()
    }

    /// Adds a point. What stood at its step or later goes: a step that is logged twice has the last
    /// value, and a run that goes back was resumed from there. Gives whether anything went that is
    /// after the step.
    pub(crate) fn push(&mut self, step: i64, wall: f64, value: T, added: u32) -> bool {
        let kept = self.steps.below(step);
        let went_back = self.last_step().is_some_and(|last| last > step);
        if kept < self.len() {
            self.truncate(kept);
        }
        // A quarter more at a time, not twice as much: most of the memory of a server are these
        // lists.
        if self.walls.len() == self.walls.capacity() {
            let more = self.walls.len() / 4 + 16;
            self.walls.reserve_exact(more);
            self.values.reserve_exact(more);
        }
        self.added.push(self.walls.len(), added);
        self.steps.push(step);
        self.walls.push(wall);
        self.values.push(value);
        went_back
    }

    fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
        self.walls.truncate(len);
        self.values.truncate(len);
        self.added.truncate(len);
    }

    /// Keeps every other point of all but the newest, for what is large.
    pub(crate) fn thin(&mut self) {
        let newest = self.len().saturating_sub(1);
        let whole = std::mem::take(self);
        let values = whole.walls.into_iter().zip(whole.values).enumerate();
        for (index, (wall, value)) in values {
            if (index.is_multiple_of(2) || index == newest)
                && let (Some(step), Some(added)) = (whole.steps.get(index), whole.added.get(index))
            {
                self.push(step, wall, value, added);
            }
        }
    }

    /// The places of the points in a range of steps.
    pub(crate) fn within(&self, steps: &RangeInclusive<i64>) -> Range<usize> {
        let begin = self.steps.below(*steps.start());
        begin..self.upto(*steps.end()).max(begin)
    }

    /// The places of the points that were added after one time of the clock and up to another.
    pub(crate) fn added(&self, after: u32, upto: u32) -> Range<usize> {
        self.added.within(after, upto)
    }

    /// The newest point at a step or before, or the first there is.
    pub(crate) fn at(&self, step: i64) -> Option<Point<'_, T>> {
        self.get(self.upto(step).saturating_sub(1))
    }

    pub(crate) fn get(&self, index: usize) -> Option<Point<'_, T>> {
        let value = self.values.get(index)?;
        Some(Point { step: self.steps.get(index)?, wall: *self.walls.get(index)?, value })
    }

    /// The number of points up to a step.
    fn upto(&self, step: i64) -> usize {
        step.checked_add(1).map_or(self.len(), |next| self.steps.below(next))
    }

    pub(crate) fn steps(&self) -> Vec<i64> {
        self.steps.iter().collect()
    }

    pub(crate) fn last(&self) -> Option<Point<'_, T>> {
        self.get(self.len().checked_sub(1)?)
    }
}

impl Series<f32> {
    /// At most some `points` places of a range, in order: of each of as many parts as make half of
    /// that the least and the greatest value, so that no peak is lost, and both ends. What is no
    /// number is kept where all of a part is none.
    pub(crate) fn decimate(&self, range: Range<usize>, points: usize) -> Vec<usize> {
        if range.len() <= points.max(2) {
            return range.collect();
        }
        let parts = points.saturating_sub(2) / 2;
        let mut kept = vec![range.start];
        for part in 0..parts {
            let begin = range.start + range.len() * part / parts;
            let end = range.start + range.len() * (part + 1) / parts;
            let value = |index: &usize| self.values.get(*index).copied().unwrap_or(f32::NAN);
            let finite = || (begin..end).filter(|index| value(index).is_finite());
            let least = finite().min_by(|a, b| value(a).total_cmp(&value(b)));
            let greatest = finite().max_by(|a, b| value(a).total_cmp(&value(b)));
            match (least, greatest) {
                (Some(a), Some(b)) => kept.extend([a.min(b), a.max(b)]),
                _ => kept.push(begin),
            }
        }
        kept.push(range.end - 1);
        kept.dedup();
        kept
    }
}

impl<T> Series<T> {
    /// At most so many places of a range, evenly spread, with both ends.
    pub(crate) fn sample(range: Range<usize>, points: usize) -> Vec<usize> {
        let points = points.max(2);
        if range.len() <= points {
            return range.collect();
        }
        let last = range.len() - 1;
        (0..points).map(|index| range.start + last * index / (points - 1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: impl IntoIterator<Item = f32>) -> Series<f32> {
        let mut series = Series::default();
        for (step, value) in values.into_iter().enumerate() {
            series.push(step as i64, 0.0, value, step as u32);
        }
        series
    }

    #[test]
    fn decimation_keeps_peaks_and_ends() {
        let mut values = vec![1.0f32; 10_000];
        values[4321] = 9.0;
        values[777] = -9.0;
        let series = series(values);
        let kept = series.decimate(0..10_000, 100);
        assert!(kept.len() <= 101, "{}", kept.len());
        for index in [0, 777, 4321, 9_999] {
            assert!(kept.contains(&index), "{index}");
        }
        assert!(kept.is_sorted());
    }

    #[test]
    fn values_that_are_no_numbers_hide_no_others() {
        let mut values = vec![f32::NAN; 1_000];
        values[500] = 1.0;
        let kept = series(values).decimate(0..1_000, 20);
        assert!(kept.contains(&500));
    }

    #[test]
    fn going_back_voids_what_came_after() {
        let mut series = series([0.0, 1.0, 2.0, 3.0]);
        assert!(series.push(1, 0.0, 10.0, 9));
        assert_eq!(series.steps(), [0, 1]);
        assert_eq!(series.last().map(|point| *point.value), Some(10.0));
        assert!(!series.push(1, 0.0, 11.0, 10));
        assert_eq!(series.len(), 2);
        assert_eq!(series.added(9, 10), 1..2);
    }

    #[test]
    fn the_newest_at_a_step_or_before() {
        let series = series([0.0, 1.0, 2.0]);
        assert_eq!(series.at(1).map(|point| point.step), Some(1));
        assert_eq!(series.at(100).map(|point| point.step), Some(2));
        assert_eq!(series.at(-5).map(|point| point.step), Some(0));
        assert_eq!(Series::<f32>::sample(0..10, 4), [0, 3, 6, 9]);
    }

    proptest::proptest! {
        /// Whatever is pushed, the lists are those of a plain vector.
        #[test]
        fn points_are_where_a_plain_list_has_them(
            pushes in proptest::collection::vec((-20i64..60, 0u32..2), 0..120),
            looks in proptest::collection::vec((-30i64..70, 0u32..90), 8),
            thins in proptest::bool::ANY,
        ) {
            let (mut series, mut plain, mut time) = (Series::default(), Vec::new(), 0);
            for (number, (step, pause)) in pushes.into_iter().enumerate() {
                time += pause;
                let kept = plain.partition_point(|&(known, ..): &(i64, usize, u32)| known < step);
                let went_back = plain.last().is_some_and(|&(last, ..)| last > step);
                plain.truncate(kept);
                plain.push((step, number, time));
                proptest::prop_assert_eq!(series.push(step, number as f64, number, time), went_back);
            }
            if thins {
                let newest = plain.len().saturating_sub(1);
                let mut index = 0;
                plain.retain(|_| { index += 1; (index - 1) % 2 == 0 || index - 1 == newest });
                series.thin();
            }
            let steps: Vec<i64> = plain.iter().map(|point| point.0).collect();
            proptest::prop_assert_eq!(series.steps(), steps.clone());
            for (index, &(step, number, _)) in plain.iter().enumerate() {
                let point = series.get(index).unwrap();
                proptest::prop_assert_eq!((point.step, *point.value, point.wall), (step, number, number as f64));
            }
            proptest::prop_assert!(series.get(plain.len()).is_none());
            for pair in looks.windows(2) {
                let ((a, from), (b, to)) = (pair[0], pair[1]);
                let begin = steps.partition_point(|&step| step < a);
                let end = steps.partition_point(|&step| step <= b).max(begin);
                proptest::prop_assert_eq!(series.within(&(a..=b)), begin..end);
                let begin = plain.partition_point(|point| point.2 <= from);
                let end = plain.partition_point(|point| point.2 <= to).max(begin);
                proptest::prop_assert_eq!(series.added(from, to), begin..end);
                let at = steps.partition_point(|&step| step <= a).saturating_sub(1);
                proptest::prop_assert_eq!(series.at(a).map(|point| point.step), steps.get(at).copied());
            }
        }
    }

    #[test]
    fn steps_at_the_ends_of_their_range_do_no_harm() {
        let mut series = Series::default();
        for step in [i64::MIN, -1, 0, 1, i64::MAX] {
            series.push(step, 0.0, step, 0);
        }
        assert_eq!(series.steps(), [i64::MIN, -1, 0, 1, i64::MAX]);
        assert_eq!(series.within(&(i64::MIN..=i64::MAX)), 0..5);
        assert_eq!(series.within(&(0..=i64::MAX - 1)), 2..4);
        assert_eq!(series.at(i64::MAX).map(|point| point.step), Some(i64::MAX));
    }
}
