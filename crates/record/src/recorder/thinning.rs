//! The choice of steps that are recorded.

/// At most so many of what is large are kept of a run whose length is known, and more than half of
/// that where there are so many: as many as a curve of that width has pixels for. Twice as many
/// cost twice as much, 2 % of a training of five layers.
const MOST: u64 = 300;
/// The number of first steps that are kept of a run whose length is not known.
const FIRST: u64 = 128;

/// The choice of steps that are recorded: numbers every so many steps, and large things
/// (histograms, images, batches) at some of these.
///
/// Where it is known how many steps there will be, large things are spread evenly over all of them:
/// every k-th recorded step, for the smallest k that leaves at most 300. Where it is not, the first
/// 128 recorded steps have them, and of the following ones up to twice as many every second, up to
/// twice as many again every fourth, and so on: 64 each time that the run doubles in length. So
/// 100,000 steps recorded every 20 leave 295 or 467, and what is kept depends on the step alone: a
/// resumed run goes on as it would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thinning {
    every: u64,
    steps: Option<u64>,
}

impl Thinning {
    /// Numbers every `every` steps, of a run of `steps`, if that is known.
    pub fn new(every: u64, steps: Option<u64>) -> Self {
        Self { every: every.max(1), steps: steps.filter(|&steps| steps > 0) }
    }

    /// True if anything is recorded at this step.
    pub fn keeps(&self, step: u64) -> bool {
        step.is_multiple_of(self.every) || self.steps == Some(step)
    }

    /// True if large things are recorded at this step.
    pub fn keeps_large(&self, step: u64) -> bool {
        if !self.keeps(step) {
            return false;
        }
        let tick = step / self.every;
        match self.steps {
            // The end of a run is always worth a look.
            Some(steps) if step == steps => true,
            Some(steps) => tick.is_multiple_of((steps / self.every).div_ceil(MOST).max(1)),
            None => tick.is_multiple_of((tick / FIRST + 1).next_power_of_two()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(thinning: Thinning, steps: u64) -> Vec<u64> {
        (0..=steps).filter(|&step| thinning.keeps_large(step)).collect()
    }

    #[test]
    fn of_a_long_run_some_hundreds_are_kept_evenly() {
        for (every, steps) in [(1, 10_000), (20, 100_000), (20, 12_020), (7, 1_000_000)] {
            let all = kept(Thinning::new(every, Some(steps)), steps);
            assert!((150..=302).contains(&all.len()), "{every} {steps}: {}", all.len());
            let gaps = all.windows(2).map(|pair| pair[1] - pair[0]);
            let gap = all[1] - all[0];
            assert_eq!(gaps.clone().max(), Some(gap), "{every} {steps}");
            assert_eq!((all[0], all.last()), (0, Some(&steps)));
        }
    }

    #[test]
    fn of_a_run_without_known_end_the_gaps_grow_with_it() {
        let thinning = Thinning::new(20, None);
        let all = kept(thinning, 100_000);
        assert!((300..=600).contains(&all.len()), "{}", all.len());
        assert!(all.iter().take(128).eq((0..128).map(|tick| tick * 20).collect::<Vec<_>>().iter()));
        for pair in all.windows(2) {
            assert!((pair[1] - pair[0]) as f64 <= 20f64.max(pair[1] as f64 / 32.0), "{pair:?}");
        }
        // What is kept of the first steps does not depend on how many follow.
        assert_eq!(kept(thinning, 5_000), all[..all.partition_point(|&step| step <= 5_000)]);
    }

    #[test]
    fn a_short_run_is_kept_whole() {
        assert_eq!(kept(Thinning::new(20, Some(90)), 90), [0, 20, 40, 60, 80, 90]);
        assert_eq!(kept(Thinning::new(0, None), 3), [0, 1, 2, 3]);
    }
}
