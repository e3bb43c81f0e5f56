//! Pools of images and of sequences.

use abeyance_graph::ops::strided::Parts;
use abeyance_graph::{Expr, PoolOptions, keep_dims};
use abeyance_ir::{Array, DType, Dim, Shape};

use super::super::call::{Call, Imported, one, ordered, unsupported, wrong};
use super::super::entry::OpEntry;
use super::super::value::converted;
use super::shape::reshaped;
use super::spatial::{Padding, Windows, around_images, padded, sizes};
use crate::error::ProblemKind;
use crate::layout::NCHW_TO_NHWC;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new(
        "MaxPool",
        "`max_pool` between transposes; other than two dimensions, and dilations, by slices",
        |call| {
            if call.node.output.get(1).is_some_and(|name| !name.is_empty()) {
                return unsupported("the places of the largest elements are not given");
            }
            pool(call, Kind::Max)
        },
    )
    .unsupported("the output `Indices`; f32 and f64 only"),
    OpEntry::new(
        "AveragePool",
        "`avg_pool` between transposes; padding that counts, or does not, by a mask",
        |call| {
            let counted = call.flag("count_include_pad", false)?;
            pool(call, Kind::Average { counted })
        },
    ),
    OpEntry::new("LpPool", "`pow`, `avg_pool`, `mul` and `pow` in f64", |call| {
        let p = call.int_or("p", 2)?;
        pool(call, Kind::Norm { p: p as f64 })
    }),
    OpEntry::new("GlobalAveragePool", "`reduce_mean`", |call| {
        global(call, |x, axes| x.reduce_mean(keep_dims(axes)))
    }),
    OpEntry::new("GlobalMaxPool", "`reduce_max`", |call| {
        global(call, |x, axes| x.reduce_max(keep_dims(axes)))
    }),
    OpEntry::new("GlobalLpPool", "`pow`, `reduce_sum` and `pow` in f64", |call| {
        let p = call.int_or("p", 2)? as f64;
        global(call, |x, axes| {
            in_f64(call, x, |x| power(power(x.abs(), p).reduce_sum(keep_dims(axes)), 1.0 / p))
        })
    }),
];

/// `x` to the power of a number.
pub(crate) fn power(x: Expr<'_>, p: f64) -> Expr<'_> {
    match p {
        1.0 => x,
        2.0 => x.square(),
        0.5 => x.sqrt(),
        _ => x.pow(p),
    }
}

/// A function computed in f64, which holds the powers of all that f32 does.
fn in_f64<'g>(
    call: &Call<'_, 'g>,
    x: Expr<'g>,
    compute: impl FnOnce(Expr<'g>) -> Expr<'g>,
) -> Expr<'g> {
    converted(compute(converted(x, DType::F64)), call.dtype(x))
}

fn global<'g>(
    call: &Call<'_, 'g>,
    reduction: impl FnOnce(Expr<'g>, &[i64]) -> Expr<'g>,
) -> Imported<'g> {
    let value = call.value(0)?;
    if value.is_images() {
        return ordered(reduction(value.as_images(call.graph), &[1, 2]), true);
    }
    let x = value.as_plain(call.graph);
    let axes: Vec<i64> = (2..x.rank() as i64).collect();
    one(reduction(x, &axes))
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Max,
    Average { counted: bool },
    Norm { p: f64 },
}

fn pool<'g>(call: &Call<'_, 'g>, kind: Kind) -> Imported<'g> {
    let value = call.value(0)?;
    let rank = value.rank(call.graph);
    if rank < 3 {
        return wrong(format!("{rank} dimensions are not those of images"));
    }
    if call.ints("kernel_shape")?.is_none() {
        return wrong("kernel_shape is missing");
    }
    let windows = Windows::of(call, sizes(call, "kernel_shape", rank - 2, 1, 1)?)?;
    call.float_type(value.any(call.graph))?;
    let dilated = windows.dilations.iter().any(|&dilation| dilation != 1);
    if rank == 4 && !dilated {
        return ordered(images(call, value.as_images(call.graph), &windows, kind)?, true);
    }
    let x = value.as_plain(call.graph);
    if rank == 3 && !dilated {
        let wide = reshaped(x, x.shape().into_iter().chain([Dim::Known(1)]));
        let mut windows = windows;
        windows.kernel.push(1);
        windows.strides.push(1);
        windows.dilations.push(1);
        if let Padding::Explicit(pads) = &mut windows.padding {
            pads.push((0, 0));
        }
        let pooled = images(call, wide.transpose_to(&NCHW_TO_NHWC), &windows, kind)?;
        let &[n, length, _, channels] = &pooled.shape()[..] else {
            return one(pooled);
        };
        return one(reshaped(pooled, [n, length, channels]).transpose_to(&[0, 2, 1]));
    }
    one(by_slices(call, x, &windows, kind)?)
}

/// A pool of images in the order used here.
fn images<'g>(
    call: &Call<'_, 'g>,
    x: Expr<'g>,
    windows: &Windows,
    kind: Kind,
) -> Result<Expr<'g>, ProblemKind> {
    let shape = x.shape();
    let inner = &shape[1..3];
    let (kernel, strides) =
        ([windows.kernel[0], windows.kernel[1]], [windows.strides[0], windows.strides[1]]);
    let valid = PoolOptions::valid(kernel).stride(strides);
    let same = windows.is_same(inner) && !windows.ceil;
    if same && matches!(kind, Kind::Max | Kind::Average { counted: false }) {
        let pool = PoolOptions::same(kernel).stride(strides);
        return Ok(if kind == Kind::Max { x.max_pool(pool) } else { x.avg_pool(pool) });
    }
    let pads = windows.pads(inner)?;
    let all: Vec<_> = pads.iter().map(|&(before, after, over)| (before, after + over)).collect();
    let all = around_images(&all);
    Ok(match kind {
        Kind::Max => padded(x, &all, f64::NEG_INFINITY).max_pool(valid),
        Kind::Norm { p } => in_f64(call, x, |x| {
            let mean = padded(power(x.abs(), p), &all, 0.0).avg_pool(valid);
            power(mean * (kernel[0] * kernel[1]) as f64, 1.0 / p)
        }),
        Kind::Average { counted } => {
            let mean = padded(x, &all, 0.0).avg_pool(valid);
            match mask(call, x, &[1, 2], &pads, counted)? {
                None => mean,
                Some((mask, around)) => {
                    mean / padded(mask, &around_images(&around), 0.0).avg_pool(valid)
                }
            }
        }
    })
}

/// Ones where elements count, and how many zeros lie around them: `None` where all count.
type Mask<'g> = Option<(Expr<'g>, Vec<(usize, usize)>)>;

fn mask<'g>(
    call: &Call<'_, 'g>,
    x: Expr<'g>,
    axes: &[usize],
    pads: &[(usize, usize, usize)],
    counted: bool,
) -> Result<Mask<'g>, ProblemKind> {
    let not_counted = |&(before, after, over): &(usize, usize, usize)| {
        if counted { (0, over) } else { (before, after + over) }
    };
    let around: Vec<_> = pads.iter().map(not_counted).collect();
    if around.iter().all(|&pair| pair == (0, 0)) {
        return Ok(None);
    }
    let mut ones = Shape::from_elem(Dim::Known(1), x.rank());
    for (&axis, &(before, after, _)) in axes.iter().zip(pads) {
        let size = call.size(x, axis)?;
        let counted = if counted { before + after } else { 0 };
        ones[axis] = Dim::Known(size.saturating_add(counted));
    }
    let one = Array::scalar(call.dtype(x), 1.0);
    Ok(Some((x.fill(one, ones), around)))
}

/// More elements in a window than this are not taken one by one.
const MOST_TAPS: usize = 512;

/// The number of windows along each dimension behind `[N, C]`.
fn places<'g>(
    call: &Call<'_, 'g>,
    x: Expr<'g>,
    windows: &Windows,
    pads: &[(usize, usize, usize)],
) -> Result<Vec<usize>, ProblemKind> {
    let mut places = Vec::new();
    for (axis, &(before, after, over)) in pads.iter().enumerate() {
        let whole = call.size(x, axis + 2)?.saturating_add(before + after + over);
        let Some(room) = whole.checked_sub(windows.extent(axis)) else {
            return wrong("a window is larger than the images");
        };
        places.push(room / windows.strides[axis] + 1);
    }
    Ok(places)
}

/// A pool of any number of dimensions: for each element of the window a slice of the input.
fn by_slices<'g>(
    call: &Call<'_, 'g>,
    x: Expr<'g>,
    windows: &Windows,
    kind: Kind,
) -> Result<Expr<'g>, ProblemKind> {
    let rank = windows.kernel.len();
    let taps = windows.kernel.iter().try_fold(1usize, |all, &size| all.checked_mul(size));
    let Some(taps) = taps.filter(|&taps| taps <= MOST_TAPS) else {
        return unsupported(format!(
            "windows of more than {MOST_TAPS} elements in other than two dimensions"
        ));
    };
    let shape = x.shape();
    let pads = windows.pads(&shape[2..])?;
    let places = places(call, x, windows, &pads)?;
    let around: Vec<_> = [(0, 0), (0, 0)]
        .into_iter()
        .chain(pads.iter().map(|&(before, after, over)| (before, after + over)))
        .collect();
    let combine = |x: Expr<'g>, join: fn(Expr<'g>, Expr<'g>) -> Expr<'g>| {
        let part = |tap: usize| {
            let mut parts = Parts::all(2);
            let mut rest = tap;
            for (axis, &places) in places.iter().enumerate() {
                let begin = (rest % windows.kernel[axis] * windows.dilations[axis]) as i64;
                rest /= windows.kernel[axis];
                let stride = windows.strides[axis] as i64;
                let end = begin + (places as i64 - 1) * stride + 1;
                parts.push(Some(begin), Some(end), stride);
            }
            x.strided_slice(&parts)
        };
        (0..taps).map(part).reduce(join).unwrap_or(x)
    };
    let sum = |x: Expr<'g>| combine(x, |x, y| x + y);
    Ok(match kind {
        Kind::Max => combine(padded(x, &around, f64::NEG_INFINITY), |x, y| x.maximum(y)),
        Kind::Norm { p } => {
            in_f64(call, x, |x| power(sum(padded(power(x.abs(), p), &around, 0.0)), 1.0 / p))
        }
        Kind::Average { counted } => {
            let total = sum(padded(x, &around, 0.0));
            let axes: Vec<usize> = (2..rank + 2).collect();
            match mask(call, x, &axes, &pads, counted)? {
                None => total / taps as f64,
                Some((mask, around)) => {
                    let around: Vec<_> = [(0, 0), (0, 0)].into_iter().chain(around).collect();
                    total / sum(padded(mask, &around, 0.0))
                }
            }
        }
    })
}
