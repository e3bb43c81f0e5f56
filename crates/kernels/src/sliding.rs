//! Windows that slide along a dimension: the number of their places, and the elements they see.

use std::ops::Range;

/// The padding beyond the borders of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Zeros, so many that with a stride of 1 the result is as large as the input; the odd one is
    /// put at the end.
    Same,
    /// Nothing: a window must lie within the input.
    Valid,
}

/// A window along one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    /// Elements it slides over.
    pub input: usize,
    /// Places it has.
    pub output: usize,
    /// Elements it sees at once: its taps.
    pub window: usize,
    /// Elements from one place to the next.
    pub stride: usize,
    /// Elements from one tap to the next.
    pub dilation: usize,
    /// Elements of padding before the first of the input.
    pub before: usize,
}

impl Sliding {
    /// The elements from the first tap to the last, both included: `(window - 1) · dilation + 1`.
    /// `None` if that is not a size, or the window has no taps.
    pub fn extent(window: usize, dilation: usize) -> Option<usize> {
        let extent = window.checked_sub(1)?.checked_mul(dilation)?.checked_add(1);
        extent.filter(|&extent| isize::try_from(extent).is_ok())
    }

    /// The window and its places, `⌈input / stride⌉` of them for SAME and
    /// `⌊(input - extent) / stride⌋ + 1` for VALID. `None` if it does not fit into a VALID input, a
    /// stride or dilation is 0, or a size is beyond `isize`.
    pub fn new(
        input: usize,
        window: usize,
        stride: usize,
        dilation: usize,
        padding: Padding,
    ) -> Option<Self> {
        let extent = Self::extent(window, dilation)?;
        if stride == 0 || dilation == 0 || isize::try_from(input).is_err() {
            return None;
        }
        let (output, before) = match padding {
            Padding::Same => {
                let output = input.div_ceil(stride);
                // From the first element of the last window to the end of the input.
                let rest = input - output.saturating_sub(1) * stride;
                (output, extent.saturating_sub(rest) / 2)
            }
            Padding::Valid => (input.checked_sub(extent)? / stride + 1, 0),
        };
        Some(Self { input, output, window, stride, dilation, before })
    }

    /// The element that a tap sees at a place; it must be within the input.
    #[inline(always)]
    pub fn element(&self, place: usize, tap: usize) -> usize {
        place * self.stride + tap * self.dilation - self.before
    }

    /// The taps that are within the input at a place.
    #[inline]
    pub fn taps(&self, place: usize) -> Range<usize> {
        let start = place * self.stride;
        let first = self.before.saturating_sub(start).div_ceil(self.dilation);
        let end = (self.input + self.before).saturating_sub(start).div_ceil(self.dilation);
        first.min(self.window)..end.min(self.window)
    }

    /// The places at which a tap is within the input.
    #[inline]
    pub fn places(&self, tap: usize) -> Range<usize> {
        let offset = tap * self.dilation;
        let first = self.before.saturating_sub(offset).div_ceil(self.stride);
        let end = (self.input + self.before).saturating_sub(offset).div_ceil(self.stride);
        first.min(self.output)..end.min(self.output)
    }

    /// The place at which a tap sees an element, if there is one.
    #[inline]
    pub fn place(&self, element: usize, tap: usize) -> Option<usize> {
        let start = (element + self.before).checked_sub(tap * self.dilation)?;
        let place = start / self.stride;
        (start % self.stride == 0 && place < self.output).then_some(place)
    }

    /// The places whose windows reach over an element.
    #[inline]
    pub fn reaching(&self, element: usize) -> Range<usize> {
        let extent = (self.window - 1) * self.dilation + 1;
        let at = element + self.before;
        let first = (at + 1).saturating_sub(extent).div_ceil(self.stride);
        let end = at / self.stride + 1;
        first.min(self.output)..end.min(self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_odd_padding_is_at_the_end() {
        let same = |input, window, stride| {
            Sliding::new(input, window, stride, 1, Padding::Same).map(|s| (s.output, s.before))
        };
        assert_eq!(same(5, 2, 1), Some((5, 0)));
        assert_eq!(same(28, 5, 1), Some((28, 2)));
        assert_eq!(same(28, 4, 2), Some((14, 1)));
        assert_eq!(same(28, 5, 2), Some((14, 1)));
        assert_eq!(same(7, 3, 9), Some((1, 0)));
        assert_eq!(same(0, 3, 1), Some((0, 1)));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        let valid = |input, window, stride, dilation| {
            Sliding::new(input, window, stride, dilation, Padding::Valid)
        };
        assert!(valid(5, 5, 1, 1).is_some());
        assert!(valid(4, 5, 1, 1).is_none());
        assert!(valid(8, 3, 1, 4).is_none());
        assert!(valid(5, 0, 1, 1).is_none());
        assert!(valid(5, 2, 0, 1).is_none());
        assert!(valid(5, 2, 1, 0).is_none());
        assert!(valid(usize::MAX, 2, 1, 1).is_none());
        assert!(Sliding::extent(3, usize::MAX / 2).is_none());
        assert!(Sliding::new(3, 2, 1, isize::MAX as usize - 1, Padding::Same).is_some());
    }

    proptest! {
        #[test]
        fn ranges_are_what_a_search_finds(
            input in 0usize..20, window in 1usize..6, stride in 1usize..5, dilation in 1usize..4, same: bool
        ) {
            let padding = if same { Padding::Same } else { Padding::Valid };
            let Some(s) = Sliding::new(input, window, stride, dilation, padding) else {
                return Ok(());
            };
            let sees = |place: usize, tap: usize| {
                let at = (place * stride + tap * dilation).checked_sub(s.before)?;
                (at < input).then_some(at)
            };
            for place in 0..s.output {
                let taps: Vec<_> = (0..window).filter(|&tap| sees(place, tap).is_some()).collect();
                prop_assert_eq!(taps, s.taps(place).collect::<Vec<_>>());
            }
            for tap in 0..window {
                let places: Vec<_> = (0..s.output).filter(|&place| sees(place, tap).is_some()).collect();
                prop_assert_eq!(places, s.places(tap).collect::<Vec<_>>());
                for element in 0..input {
                    let place = (0..s.output).find(|&place| sees(place, tap) == Some(element));
                    prop_assert_eq!(place, s.place(element, tap));
                    if let Some(place) = place {
                        prop_assert!(s.reaching(element).contains(&place));
                    }
                }
            }
        }
    }
}
