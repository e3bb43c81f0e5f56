//! One dimension of an image that is made from windows of another.

use std::ops::Range;

use crate::sliding::Sliding;

/// Which image is made from which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The result from the images.
    Forward,
    /// The images' gradient from the result's.
    Backward,
}

/// How targets see sources along one dimension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub sliding: Sliding,
    pub direction: Direction,
}

impl Axis {
    pub fn source(&self) -> usize {
        match self.direction {
            Direction::Forward => self.sliding.input,
            Direction::Backward => self.sliding.output,
        }
    }

    pub fn target(&self) -> usize {
        match self.direction {
            Direction::Forward => self.sliding.output,
            Direction::Backward => self.sliding.input,
        }
    }

    /// Targets so many apart see sources through the same taps.
    pub fn period(&self) -> usize {
        match self.direction {
            Direction::Forward => 1,
            Direction::Backward => self.sliding.stride,
        }
    }

    /// Sources from what a target sees to what the target one period on sees.
    pub fn step(&self) -> usize {
        match self.direction {
            Direction::Forward => self.sliding.stride,
            Direction::Backward => 1,
        }
    }

    /// Zeros before the first source.
    pub fn before(&self) -> usize {
        let Sliding { window, stride, before, .. } = self.sliding;
        match self.direction {
            Direction::Forward => before,
            Direction::Backward => (window - 1) / stride - before / stride,
        }
    }

    /// The taps through which a target sees sources, in the order of these.
    pub fn taps(&self, target: usize) -> impl ExactSizeIterator<Item = usize> + use<> {
        let Sliding { window, stride, before, .. } = self.sliding;
        let (first, step) = match self.direction {
            Direction::Forward => (0, 1),
            Direction::Backward => ((target + before) % stride, stride),
        };
        let count = window.saturating_sub(first).div_ceil(step);
        let backward = self.direction == Direction::Backward;
        (0..count).map(move |i| first + step * if backward { count - 1 - i } else { i })
    }

    /// The first source that a target sees, counted with the zeros before.
    pub fn first(&self, target: usize) -> usize {
        let Sliding { stride, before, .. } = self.sliding;
        match self.direction {
            Direction::Forward => target * stride,
            Direction::Backward => {
                let last = (target + before) / stride + self.before();
                last + 1 - self.taps(target).len().max(1)
            }
        }
    }

    /// The sources that a target sees, counted with the zeros before.
    pub fn seen(&self, target: usize) -> Range<usize> {
        let first = self.first(target);
        first..first + self.taps(target).len()
    }
}
