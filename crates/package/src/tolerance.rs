//! The tolerance of an output on another kind of processor than the one that recorded it.

use abeyance_ir::{Array, DType};
use serde::{Deserialize, Serialize};

/// A float `x` stands for a recorded `y` if `|x - y| <= absolute + relative * |y|`. NaN stands for
/// NaN, an infinity for itself, and integers and truth values must be equal.
///
/// The default is 1e-4 and 1e-5. Another order of sums and products rounded once or twice change a
/// sum of `k` products of `f32` by some `sqrt(k)` units of 6e-8, 2e-6 for the 1176 of the longest
/// sum of the digit readers, and each layer adds its own; a factor of 50 is left for deep networks.
/// Wrong weights, layouts or kernels are seldom wrong by less than a hundredth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// The part of the recorded number by which an output may differ.
    pub relative: f64,
    /// The distance by which an output may differ in any case.
    pub absolute: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { relative: 1e-4, absolute: 1e-5 }
    }
}

impl Tolerance {
    /// The reason why it is no tolerance.
    pub(crate) fn error(self) -> Option<String> {
        let is_right = |limit: f64, most: f64| limit.is_finite() && (0.0..=most).contains(&limit);
        if !is_right(self.relative, 1.0) {
            return Some(format!(
                "the relative tolerance is {}, and one from 0 to 1 is wanted",
                self.relative
            ));
        }
        (!is_right(self.absolute, f64::MAX)).then(|| {
            format!(
                "the absolute tolerance is {}, and a finite one from 0 on is wanted",
                self.absolute
            )
        })
    }

    fn accepts(self, was: f64, is: f64) -> bool {
        let is_near = (is - was).abs() <= self.absolute + self.relative * was.abs();
        // Infinities are not near each other: their difference is NaN.
        was == is || was.is_nan() && is.is_nan() || is_near && was.is_finite()
    }
}

/// The differing elements of two arrays of one type and shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Differing {
    /// The first element that does.
    pub(crate) first: usize,
    /// The number of them.
    pub(crate) count: usize,
    /// The largest difference of finite floats, 0 if it is none.
    pub(crate) largest: f64,
}

/// Compares the elements of arrays of one element type and as many elements: bits, or floats within
/// a tolerance.
pub(crate) fn compare(was: &Array, is: &Array, within: Option<Tolerance>) -> Option<Differing> {
    fn floats<const N: usize>(array: &Array, read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        array.bytes.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect()
    }
    let numbers = |array: &Array| match array.dtype {
        DType::F32 => Some(floats(array, |bytes| f32::from_le_bytes(bytes).into())),
        DType::F64 => Some(floats(array, f64::from_le_bytes)),
        DType::I32 | DType::I64 | DType::U8 | DType::Bool => None,
    };
    if was.bytes == is.bytes {
        return None;
    }
    let (floats_was, floats_is) = (numbers(was), numbers(is));
    let size = was.dtype.size();
    let mut differing: Option<Differing> = None;
    for (index, (a, b)) in was.bytes.chunks(size).zip(is.bytes.chunks(size)).enumerate() {
        if a == b {
            continue;
        }
        let pair = floats_was
            .iter()
            .zip(&floats_is)
            .next()
            .and_then(|(was, is)| Some((*was.get(index)?, *is.get(index)?)));
        if let (Some((was, is)), Some(tolerance)) = (pair, within)
            && tolerance.accepts(was, is)
        {
            continue;
        }
        let distance = pair.map_or(0.0, |(was, is)| (was - is).abs());
        let found = differing.get_or_insert(Differing { first: index, count: 0, largest: 0.0 });
        found.count += 1;
        if distance.is_finite() && distance > found.largest {
            found.largest = distance;
        }
    }
    differing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(elements: &[f32]) -> Array {
        Array::new(DType::F32, &[elements.len()], elements)
    }

    fn differ(was: &[f32], is: &[f32], within: Option<Tolerance>) -> Option<usize> {
        compare(&array(was), &array(is), within).map(|differing| differing.count)
    }

    #[test]
    fn bits_are_compared_where_no_tolerance_is_given() {
        let next = f32::from_bits(1.0f32.to_bits() + 1);
        assert_eq!(differ(&[1.0, f32::NAN], &[1.0, f32::NAN], None), None);
        assert_eq!(differ(&[1.0, 0.0, 1.0], &[next, -0.0, 1.0], None), Some(2));
    }

    #[test]
    fn floats_are_near_each_other_within_the_tolerance() {
        let within = Some(Tolerance { relative: 1e-3, absolute: 1e-6 });
        assert_eq!(differ(&[1000.0, 0.0, -1.0], &[1000.9, 1e-7, -1.0005], within), None);
        assert_eq!(differ(&[1000.0, 0.0, -1.0], &[1001.1, 1e-5, 1.0], within), Some(3));
    }

    #[test]
    fn nan_and_infinities_are_only_like_themselves() {
        let within = Some(Tolerance::default());
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(differ(&odd, &[-f32::NAN, f32::INFINITY, f32::NEG_INFINITY], within), None);
        assert_eq!(differ(&odd, &[1.0, f32::MAX, f32::INFINITY], within), Some(3));
        assert_eq!(
            differ(&[1.0, 1.0, f32::MAX], &[f32::NAN, f32::INFINITY, f32::INFINITY], within),
            Some(3)
        );
    }

    #[test]
    fn integers_must_be_equal_whatever_the_tolerance() {
        let (one, other) =
            (Array::new(DType::I64, &[2], &[1i64, 2]), Array::new(DType::I64, &[2], &[1i64, 3]));
        let within = Some(Tolerance { relative: 1.0, absolute: 100.0 });
        assert_eq!(
            compare(&one, &other, within),
            Some(Differing { first: 1, count: 1, largest: 0.0 })
        );
    }

    #[test]
    fn a_tolerance_that_accepts_everything_is_none() {
        assert_eq!(Tolerance::default().error(), None);
        for (relative, absolute) in
            [(-1.0, 0.0), (f64::NAN, 0.0), (2.0, 0.0), (0.0, f64::INFINITY), (0.0, -1.0)]
        {
            assert!(Tolerance { relative, absolute }.error().is_some(), "{relative} {absolute}");
        }
    }
}
