//! Windows of convolutions and pools, as ONNX describes them.

use abeyance_graph::Expr;
use abeyance_ir::Dim;

use super::super::call::{Call, unsupported, wrong};
use crate::error::ProblemKind;

/// A window along each of the dimensions behind `[N, C]`.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    /// The number of elements in a window.
    pub kernel: Vec<usize>,
    /// The distance from one window to the next.
    pub strides: Vec<usize>,
    /// The distance between elements of a window.
    pub dilations: Vec<usize>,
    /// The padding around the input.
    pub padding: Padding,
    /// True if a window that reaches over the end counts.
    pub ceil: bool,
}

/// Padding around an input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Padding {
    /// The numbers of elements before and after, by dimension.
    Explicit(Vec<(usize, usize)>),
    /// As many as make the result `⌈n / stride⌉` long, an odd one at the end.
    SameUpper,
    /// As many as make the result `⌈n / stride⌉` long, an odd one at the beginning.
    SameLower,
}

/// Sizes that must be at least `least` each, as many as there are dimensions; `default` where none
/// are given.
pub(crate) fn sizes(
    call: &Call<'_, '_>,
    name: &str,
    rank: usize,
    least: i64,
    default: usize,
) -> Result<Vec<usize>, ProblemKind> {
    let Some(given) = call.ints(name)? else {
        return Ok(vec![default; rank]);
    };
    let sizes: Option<Vec<usize>> = given
        .iter()
        .map(|&size| usize::try_from(size).ok().filter(|_| size >= least && size <= 1 << 31))
        .collect();
    match sizes {
        Some(sizes) if sizes.len() == rank => Ok(sizes),
        _ => wrong(format!("{name} is not {rank} sizes of {least} or more")),
    }
}

impl Windows {
    /// The windows of a node, for a kernel of these sizes.
    pub fn of(call: &Call<'_, '_>, kernel: Vec<usize>) -> Result<Self, ProblemKind> {
        let rank = kernel.len();
        let pads = sizes(call, "pads", 2 * rank, 0, 0)?;
        let padding = match call.string_or("auto_pad", "NOTSET")?.as_str() {
            "NOTSET" | "" => {
                Padding::Explicit((0..rank).map(|axis| (pads[axis], pads[axis + rank])).collect())
            }
            "VALID" => Padding::Explicit(vec![(0, 0); rank]),
            "SAME_UPPER" => Padding::SameUpper,
            "SAME_LOWER" => Padding::SameLower,
            other => return wrong(format!("auto_pad is {other:?}")),
        };
        Ok(Self {
            strides: sizes(call, "strides", rank, 1, 1)?,
            dilations: sizes(call, "dilations", rank, 1, 1)?,
            ceil: call.flag("ceil_mode", false)?,
            padding,
            kernel,
        })
    }

    /// The length of a window from its first element to its last, both included.
    pub fn extent(&self, axis: usize) -> usize {
        (self.kernel[axis].saturating_sub(1)).saturating_mul(self.dilations[axis]).saturating_add(1)
    }

    /// True if the padding is that of SAME windows here, whatever the sizes that are not known will
    /// be.
    pub fn is_same(&self, input: &[Dim]) -> bool {
        match &self.padding {
            Padding::SameUpper => true,
            Padding::SameLower => false,
            Padding::Explicit(_) if self.ceil => false,
            Padding::Explicit(pads) => {
                pads.iter().zip(input).enumerate().all(|(axis, (&(before, after), &dim))| {
                    let (extent, stride) = (self.extent(axis), self.strides[axis]);
                    match dim {
                        Dim::Known(size) => same_pads(size, extent, stride) == (before, after),
                        Dim::Symbol(_) => {
                            stride == 1 && (before, after) == ((extent - 1) / 2, extent / 2)
                        }
                    }
                })
            }
        }
    }

    /// The numbers of elements before and after the input along each dimension, and of those that
    /// are needed at the end for windows that reach over it.
    pub fn pads(&self, input: &[Dim]) -> Result<Vec<(usize, usize, usize)>, ProblemKind> {
        let mut pads = Vec::new();
        for (axis, &dim) in input.iter().enumerate() {
            let (extent, stride) = (self.extent(axis), self.strides[axis]);
            let known = || match dim {
                Dim::Known(size) => Ok(size),
                Dim::Symbol(_) => {
                    unsupported("the size of the images has to be known with this padding")
                }
            };
            let (before, after) = match &self.padding {
                Padding::Explicit(pads) => pads[axis],
                Padding::SameUpper => same_pads(known()?, extent, stride),
                Padding::SameLower => {
                    let (less, more) = same_pads(known()?, extent, stride);
                    (more, less)
                }
            };
            if !self.ceil {
                pads.push((before, after, 0));
                continue;
            }
            let whole = known()?.saturating_add(before).saturating_add(after);
            let room = whole.saturating_sub(extent);
            let mut steps = room.div_ceil(stride);
            // A window that begins behind the input and what lies before it does not count.
            if steps.saturating_mul(stride) >= known()?.saturating_add(before) {
                steps = steps.saturating_sub(1);
            }
            pads.push((before, after, steps.saturating_mul(stride).saturating_sub(room)));
        }
        Ok(pads)
    }
}

/// SAME padding of a known size: an odd element at the end.
fn same_pads(size: usize, extent: usize, stride: usize) -> (usize, usize) {
    let last = size.div_ceil(stride).saturating_sub(1).saturating_mul(stride);
    let total = last.saturating_add(extent).saturating_sub(size);
    (total / 2, total - total / 2)
}

/// The tensor with elements of one value around it; `around` says how many before and after along
/// each dimension.
pub(crate) fn padded<'g>(x: Expr<'g>, around: &[(usize, usize)], value: f64) -> Expr<'g> {
    if around.iter().all(|&pair| pair == (0, 0)) {
        return x;
    }
    let [before, after]: [Vec<i64>; 2] = [
        around.iter().map(|&(before, _)| before as i64).collect(),
        around.iter().map(|&(_, after)| after as i64).collect(),
    ];
    if value == 0.0 { x.pad(&before, &after) } else { x.pad_constant(value, &before, &after) }
}

/// Around images `[N, H, W, C]`, what lies around their two dimensions in the middle.
pub(crate) fn around_images(pads: &[(usize, usize)]) -> Vec<(usize, usize)> {
    std::iter::once((0, 0)).chain(pads.iter().copied()).chain([(0, 0)]).collect()
}
