//! Windows of convolutions and pools, that slide over the two dimensions of images, and the sizes
//! that follow.

use abeyance_ir::{Dim, Fault, Integers};
use abeyance_kernels::sliding::{Padding, Sliding};

/// A number for rows and one for columns: `2` for both, or `[2, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Pair([both; 2])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(pair: [usize; 2]) -> Self {
        Pair(pair)
    }
}

impl Pair {
    pub(super) fn integers(self) -> Integers {
        self.0.map(integer).into_iter().collect()
    }
}

/// A number beyond `i64` is as much too large as `i64::MAX` is.
pub(super) fn integer(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// An attribute that is a number for rows and one for columns, each at least 1.
///
/// # Errors
/// More or fewer numbers, or one below 1.
pub(super) fn pair(what: &str, values: &[i64]) -> Result<[usize; 2], Fault> {
    let &[rows, columns] = values else {
        return Err(Fault::new(format!(
            "{what} = {values:?}: two numbers are needed, for rows and for columns"
        )));
    };
    let size = |value: i64| usize::try_from(value).ok().filter(|&size| size > 0);
    match (size(rows), size(columns)) {
        (Some(rows), Some(columns)) => Ok([rows, columns]),
        _ => Err(Fault::new(format!("{what} = {values:?}: each must be at least 1"))),
    }
}

/// SAME if the flag is set, else VALID.
pub(super) fn padding(same: bool) -> Padding {
    if same { Padding::Same } else { Padding::Valid }
}

/// How windows slide over rows (axis 0) and columns (axis 1).
#[derive(Clone, Copy)]
pub(super) struct Windows {
    pub strides: [usize; 2],
    pub dilations: [usize; 2],
    pub padding: Padding,
}

impl Windows {
    /// A window along one axis, with known sizes.
    ///
    /// # Errors
    /// A window of nothing, or one that does not fit.
    pub fn sliding(&self, axis: usize, input: usize, window: usize) -> Result<Sliding, Fault> {
        let (stride, dilation) = (self.strides[axis], self.dilations[axis]);
        let extent = self.extent(axis, window)?;
        Sliding::new(input, window, stride, dilation, self.padding).ok_or_else(|| {
            let noun = NOUNS[axis];
            let of = match dilation {
                1 => String::new(),
                _ => format!(" ({window} of them, {dilation} apart)"),
            };
            Fault::new(format!(
                "a window of {extent} {noun}{of} does not fit into the {input} {noun} of the images"
            ))
            .help("with SAME padding images of any size will do")
        })
    }

    /// The elements from a window's first tap to its last, both included.
    ///
    /// # Errors
    /// A window of nothing, or beyond any size.
    pub fn extent(&self, axis: usize, window: usize) -> Result<usize, Fault> {
        let noun = NOUNS[axis];
        Sliding::extent(window, self.dilations[axis]).ok_or_else(|| match window {
            0 => Fault::new(format!("a window of 0 {noun} sees nothing")),
            _ => Fault::new(format!(
                "a window of {window} {noun}, {} apart, is larger than any image",
                self.dilations[axis]
            )),
        })
    }

    /// How many places a window has along one axis; `None` where that is known only when the graph
    /// runs.
    ///
    /// # Errors
    /// As [`Windows::sliding`], as far as sizes are known.
    pub fn places(&self, axis: usize, input: Dim, window: Dim) -> Result<Option<Dim>, Fault> {
        let stride = self.strides[axis];
        let extent = match window {
            Dim::Known(window) => Some(self.extent(axis, window)?),
            Dim::Symbol(_) => None,
        };
        Ok(match (input, window, self.padding) {
            (Dim::Known(input), Dim::Known(window), _) => {
                Some(Dim::Known(self.sliding(axis, input, window)?.output))
            }
            (Dim::Known(input), _, Padding::Same) => Some(Dim::Known(input.div_ceil(stride))),
            (Dim::Symbol(_), _, Padding::Same) if stride == 1 => Some(input),
            (Dim::Symbol(_), _, Padding::Valid) if stride == 1 && extent == Some(1) => Some(input),
            _ => None,
        })
    }
}

const NOUNS: [&str; 2] = ["rows", "columns"];
