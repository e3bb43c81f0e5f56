//! Rising steps, which nearly always rise evenly: stretches of them are kept, not each.

/// Steps, each greater than the one before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    stretches: Vec<Stretch>,
    len: usize,
}

/// Steps at even distances.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// The place of its first.
    begin: usize,
    first: i64,
    /// From one to the next; means nothing where there is one.
    distance: i64,
}

impl Steps {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, index: usize) -> Option<i64> {
        if index >= self.len {
            return None;
        }
        let after = self.stretches.partition_point(|stretch| stretch.begin <= index);
        let stretch = self.stretches.get(after.checked_sub(1)?)?;
        // No greater than the last, which was a step once.
        Some(
            stretch
                .first
                .wrapping_add(stretch.distance.wrapping_mul((index - stretch.begin) as i64)),
        )
    }

    pub(crate) fn last(&self) -> Option<i64> {
        self.get(self.len.checked_sub(1)?)
    }

    /// Adds a step, which is greater than the last.
    pub(crate) fn push(&mut self, step: i64) {
        let (len, last) = (self.len, self.last());
        self.len += 1;
        if let (Some(stretch), Some(last)) = (self.stretches.last_mut(), last) {
            let is_alone = len - stretch.begin == 1;
            match step.checked_sub(last) {
                Some(distance) if is_alone => {
                    stretch.distance = distance;
                    return;
                }
                Some(distance) if distance == stretch.distance => return,
                _ => {}
            }
        }
        self.stretches.push(Stretch { begin: len, first: step, distance: 0 });
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        let kept = self.stretches.partition_point(|stretch| stretch.begin < len);
        self.stretches.truncate(kept);
        self.len = self.len.min(len);
    }

    /// The number of steps that are smaller than this one.
    pub(crate) fn below(&self, step: i64) -> usize {
        let after = self.stretches.partition_point(|stretch| stretch.first < step);
        let Some(stretch) = after.checked_sub(1).and_then(|last| self.stretches.get(last)) else {
            return 0;
        };
        let end = self.stretches.get(after).map_or(self.len, |next| next.begin);
        let count = end - stretch.begin;
        if count <= 1 || stretch.distance <= 0 {
            return end;
        }
        let beyond =
            (i128::from(step) - i128::from(stretch.first) - 1) / i128::from(stretch.distance);
        stretch.begin + usize::try_from(beyond + 1).unwrap_or(usize::MAX).min(count)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        (0..self.len).filter_map(|index| self.get(index))
    }
}
