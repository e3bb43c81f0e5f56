//! When points were added, by a clock that stands still while nobody looks.

use std::ops::Range;

/// Times that never fall: how many points there were when each was over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamps(Vec<(u32, usize)>);

impl Stamps {
    /// The point at that place was added at that time.
    pub(crate) fn push(&mut self, place: usize, time: u32) {
        match self.0.last_mut() {
            Some((last, end)) if *last == time => *end = place + 1,
            _ => self.0.push((time, place + 1)),
        }
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        let kept = self.0.partition_point(|(_, end)| *end < len);
        self.0.truncate(kept + 1);
        if let Some((_, end)) = self.0.last_mut() {
            *end = len.min(*end);
        }
    }

    /// The time of a place.
    pub(crate) fn get(&self, place: usize) -> Option<u32> {
        self.0.get(self.0.partition_point(|(_, end)| *end <= place)).map(|(time, _)| *time)
    }

    /// The places after one time and up to another.
    pub(crate) fn within(&self, after: u32, upto: u32) -> Range<usize> {
        let end = |time: u32| {
            let count = self.0.partition_point(|(known, _)| *known <= time);
            count.checked_sub(1).and_then(|last| self.0.get(last)).map_or(0, |(_, end)| *end)
        };
        end(after)..end(upto).max(end(after))
    }
}
