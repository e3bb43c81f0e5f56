//! Parts of tensors as a user writes them.

use std::ops::{Range, RangeFrom, RangeFull, RangeTo};

/// The part that is taken along one dimension, as written in [`slices!`](crate::slices).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlicePart {
    /// `1..5`, `..;-1`: elements at even steps, Python's `1:5` and `::-1`.
    Range {
        /// The first, counted from the end if negative; open: the first in the direction of the
        /// steps.
        begin: Option<i64>,
        /// The first that is left out, counted from the end if negative; open: none.
        end: Option<i64>,
        /// From one to the next.
        step: i64,
    },
    /// `3`, `-1`: one element, whose dimension is gone.
    Index(i64),
    /// [`NewAxis`]: a new dimension of size 1.
    NewAxis,
    /// `...`: as many dimensions in whole as are left.
    Rest,
}

/// A new dimension of size 1 in [`slices!`](crate::slices).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAxis;

impl SlicePart {
    /// A range in steps. What is no range stays as it is.
    pub fn by(self, step: i64) -> Self {
        match self {
            SlicePart::Range { begin, end, .. } => SlicePart::Range { begin, end, step },
            other => other,
        }
    }

    fn range(begin: Option<i64>, end: Option<i64>) -> Self {
        SlicePart::Range { begin, end, step: 1 }
    }
}

impl From<NewAxis> for SlicePart {
    fn from(_: NewAxis) -> Self {
        SlicePart::NewAxis
    }
}

impl From<RangeFull> for SlicePart {
    fn from(_: RangeFull) -> Self {
        SlicePart::range(None, None)
    }
}

macro_rules! part {
    ($($type:ty),*) => {$(
        // A place beyond i64 is beyond any dimension, as i64::MAX is.
        impl From<$type> for SlicePart {
            fn from(index: $type) -> Self {
                SlicePart::Index(i64::try_from(index).unwrap_or(i64::MAX))
            }
        }
        impl From<Range<$type>> for SlicePart {
            fn from(range: Range<$type>) -> Self {
                let [begin, end] = [range.start, range.end].map(|at| i64::try_from(at).unwrap_or(i64::MAX));
                SlicePart::range(Some(begin), Some(end))
            }
        }
        impl From<RangeFrom<$type>> for SlicePart {
            fn from(range: RangeFrom<$type>) -> Self {
                SlicePart::range(Some(i64::try_from(range.start).unwrap_or(i64::MAX)), None)
            }
        }
        impl From<RangeTo<$type>> for SlicePart {
            fn from(range: RangeTo<$type>) -> Self {
                SlicePart::range(None, Some(i64::try_from(range.end).unwrap_or(i64::MAX)))
            }
        }
    )*};
}
part!(i32, i64, usize);

/// A part of a tensor for [`Tensor::strided_slice`](crate::Tensor::strided_slice), with Python's
/// meaning: `2..5`, `..-1`, `..;2` in steps, `..;-1` backwards, `3` or `-1` for one element,
/// [`NewAxis`], and `...` for all dimensions not mentioned.
///
/// ```
/// use abeyance_graph::{dims, slices, Graph, NewAxis};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 28, 28, 3]);
/// let y = x.strided_slice(slices![.., 2..-2, ..;2, 0]);
/// assert_eq!(y.to_string(), "strided_slice : f32[N, 24, 14]");
/// let y = x.strided_slice(slices![..., ..;-1]);
/// assert_eq!(y.to_string(), "strided_slice_1 : f32[N, 28, 28, 3]");
/// let y = x.strided_slice(slices![NewAxis, .., -1]);
/// assert_eq!(y.to_string(), "expand_dims : f32[1, N, 28, 3]");
/// ```
#[macro_export]
macro_rules! slices {
    (@part $part:expr) => {{
        // Negative places count from the end: `1..-1` is no mistake here.
        #[allow(clippy::reversed_empty_ranges)]
        let part = $crate::SlicePart::from($part);
        part
    }};
    (@ [$($done:expr,)*]) => { [$($done),*] as [$crate::SlicePart; _] };
    (@ [$($done:expr,)*] ... $(, $($rest:tt)*)?) => {
        $crate::slices!(@ [$($done,)* $crate::SlicePart::Rest,] $($($rest)*)?)
    };
    (@ [$($done:expr,)*] $range:expr ; $step:expr $(, $($rest:tt)*)?) => {
        $crate::slices!(@ [$($done,)* $crate::slices!(@part $range).by($step),] $($($rest)*)?)
    };
    (@ [$($done:expr,)*] $part:expr $(, $($rest:tt)*)?) => {
        $crate::slices!(@ [$($done,)* $crate::slices!(@part $part),] $($($rest)*)?)
    };
    ($($rest:tt)*) => { $crate::slices!(@ [] $($rest)*) };
}
