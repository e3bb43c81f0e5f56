//! A value over the steps of a run, in memory.

use std::ops::{Range, RangeInclusive};

/// A value over steps, which rise.
#[derive(Clone, Debug)]
pub(crate) struct Series<T> {
    steps: Vec<i64>,
    walls: Vec<f64>,
    values: Vec<T>,
    /// The clock at which each was added: see [`crate::clock`].
    added: Vec<u32>,
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self { steps: Vec::new(), walls: Vec::new(), values: Vec::new(), added: Vec::new() }
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
        self.steps.last().copied()
    }

    /// Adds a point. What stood at its step or later goes: a step that is logged twice has the last value, and a run that goes back
    /// was resumed from there. Gives whether anything went that is after the step.
    pub(crate) fn push(&mut self, step: i64, wall: f64, value: T, added: u32) -> bool {
        let kept = self.steps.partition_point(|&known| known < step);
        let went_back = self.last_step().is_some_and(|last| last > step);
        if kept < self.len() {
            self.truncate(kept);
        }
        // A quarter more at a time, not twice as much: most of the memory of a server are these lists.
        if self.steps.len() == self.steps.capacity() {
            let more = self.steps.len() / 4 + 16;
            self.steps.reserve_exact(more);
            self.walls.reserve_exact(more);
            self.values.reserve_exact(more);
            self.added.reserve_exact(more);
        }
        self.steps.push(step);
        self.walls.push(wall);
        self.values.push(value);
        self.added.push(added);
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
        let is_kept = |index: usize| index.is_multiple_of(2) || index == newest;
        keep(&mut self.steps, is_kept);
        keep(&mut self.walls, is_kept);
        keep(&mut self.values, is_kept);
        keep(&mut self.added, is_kept);
    }

    /// The places of the points in a range of steps.
    pub(crate) fn within(&self, steps: &RangeInclusive<i64>) -> Range<usize> {
        let begin = self.steps.partition_point(|step| step < steps.start());
        let end = self.steps.partition_point(|step| step <= steps.end());
        begin..end.max(begin)
    }

    /// The places of the points that were added after one time of the clock and up to another.
    pub(crate) fn added(&self, after: u32, upto: u32) -> Range<usize> {
        let begin = self.added.partition_point(|&added| added <= after);
        let end = self.added.partition_point(|&added| added <= upto);
        begin..end.max(begin)
    }

    /// The newest point at a step or before, or the first there is.
    pub(crate) fn at(&self, step: i64) -> Option<Point<'_, T>> {
        let after = self.steps.partition_point(|&known| known <= step);
        self.get(after.saturating_sub(1))
    }

    pub(crate) fn get(&self, index: usize) -> Option<Point<'_, T>> {
        let value = self.values.get(index)?;
        Some(Point { step: *self.steps.get(index)?, wall: *self.walls.get(index)?, value })
    }

    pub(crate) fn steps(&self) -> &[i64] {
        &self.steps
    }

    pub(crate) fn last(&self) -> Option<Point<'_, T>> {
        self.get(self.len().checked_sub(1)?)
    }
}

fn keep<T>(list: &mut Vec<T>, is_kept: impl Fn(usize) -> bool) {
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        is_kept(index - 1)
    });
}

impl Series<f32> {
    /// At most some `points` places of a range, in order: of each of as many parts as make half of that the least and the greatest value, so
    /// that no peak is lost, and both ends. What is no number is kept where all of a part is none.
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
}
