//! Pools of images and of sequences.

use abeyance_graph::ops::reduce::ReduceAttributes;
use abeyance_graph::ops::{binary, pool as pools, reduce, source, strided, unary};
use abeyance_graph::{AnyTensor, Pool};
use abeyance_ir::{Array, DType, Dim, Graph as Ir, NodeId, Shape};

use super::super::call::{Call, Imported, unsupported, wrong};
use super::super::table::Row;
use super::super::value::{TO_IMAGES, Value};
use super::spatial::{Padding, Windows, around_images, padded, sizes};
use crate::error::Reason;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "MaxPool",
        "`max_pool` between transposes; other than two dimensions, and dilations, by slices",
        |call| {
            if call.node.output.get(1).is_some_and(|name| !name.is_empty()) {
                return unsupported("the places of the largest elements are not given");
            }
            pool(call, Kind::Max)
        },
    )
    .limits("the output `Indices`; f32 and f64 only"),
    Row::new(
        "AveragePool",
        "`avg_pool` between transposes; padding that counts, or does not, by a mask",
        |call| {
            let counted = call.flag("count_include_pad", false)?;
            pool(call, Kind::Average { counted })
        },
    ),
    Row::new("LpPool", "`pow`, `avg_pool`, `mul` and `pow` in f64", |call| {
        let p = call.int_or("p", 2)?;
        pool(call, Kind::Norm { p: p as f64 })
    }),
    Row::new("GlobalAveragePool", "`reduce_mean`", |call| {
        global(call, |call, x, axes| reduced(call, &reduce::MEAN, x, axes))
    }),
    Row::new("GlobalMaxPool", "`reduce_max`", |call| {
        global(call, |call, x, axes| reduced(call, &reduce::MAX, x, axes))
    }),
    Row::new("GlobalLpPool", "`pow`, `reduce_sum` and `pow` in f64", |call| {
        let p = call.int_or("p", 2)? as f64;
        global(call, |call, x, axes| {
            in_f64(call, x, |x| {
                let powers = power(call, call.unary(unary::abs, x), p);
                power(call, reduced(call, &reduce::SUM, powers, axes), 1.0 / p)
            })
        })
    }),
];

/// `x` to the power of a number.
pub(crate) fn power<'g>(call: &Call<'_, 'g>, x: AnyTensor<'g>, p: f64) -> AnyTensor<'g> {
    match p {
        1.0 => x,
        2.0 => call.unary(unary::square, x),
        0.5 => call.unary(unary::sqrt, x),
        _ => call.with_number(binary::pow, x, p),
    }
}

/// Something computed in f64, which holds the powers of all that f32 does.
fn in_f64<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    compute: impl FnOnce(AnyTensor<'g>) -> AnyTensor<'g>,
) -> AnyTensor<'g> {
    call.cast(compute(call.cast(x, DType::F64)), call.dtype(x))
}

/// A reduction that keeps its dimensions.
fn reduced<'g>(
    call: &Call<'_, 'g>,
    operator: &'static reduce::Reduce,
    x: AnyTensor<'g>,
    axes: &[i64],
) -> AnyTensor<'g> {
    let attributes = ReduceAttributes { axes: axes.into(), keep_dims: true };
    call.emit(|graph| graph.add(operator, &[x.id()], attributes))
}

fn global<'g>(
    call: &Call<'_, 'g>,
    reduction: impl FnOnce(&Call<'_, 'g>, AnyTensor<'g>, &[i64]) -> AnyTensor<'g>,
) -> Imported<'g> {
    let value = call.value(0)?;
    if value.is_images() {
        return Ok(vec![Value::images(reduction(call, value.as_images(call.graph), &[1, 2]))]);
    }
    let x = value.as_plain(call.graph);
    let axes: Vec<i64> = (2..call.rank(x) as i64).collect();
    Ok(vec![Value::plain(reduction(call, x, &axes))])
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
    let plain_type = call.float_type(value.any(call.graph))?;
    debug_assert!(plain_type.is_float());
    let dilated = windows.dilations.iter().any(|&dilation| dilation != 1);
    if rank == 4 && !dilated {
        return images(call, value.as_images(call.graph), &windows, kind)
            .map(|x| vec![Value::images(x)]);
    }
    let x = value.as_plain(call.graph);
    if rank == 3 && !dilated {
        let shape = call.shape(x);
        let wide = call.reshape(x, shape.into_iter().chain([Dim::Known(1)]));
        let mut windows = windows;
        windows.kernel.push(1);
        windows.strides.push(1);
        windows.dilations.push(1);
        if let Padding::Explicit(pads) = &mut windows.padding {
            pads.push((0, 0));
        }
        let pooled = images(call, call.transpose(wide, &TO_IMAGES), &windows, kind)?;
        let &[n, length, _, channels] = &call.shape(pooled)[..] else {
            return Ok(vec![Value::plain(pooled)]);
        };
        let narrow = call.reshape(pooled, [n, length, channels]);
        return Ok(vec![Value::plain(call.transpose(narrow, &[0, 2, 1]))]);
    }
    by_slices(call, x, &windows, kind).map(|x| vec![Value::plain(x)])
}

/// A pool of images in the order used here.
fn images<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    windows: &Windows,
    kind: Kind,
) -> Result<AnyTensor<'g>, Reason> {
    let shape = call.shape(x);
    let inner = &shape[1..3];
    let (kernel, strides) =
        ([windows.kernel[0], windows.kernel[1]], [windows.strides[0], windows.strides[1]]);
    let valid = Pool::valid(kernel).stride(strides);
    let same = windows.is_same(inner) && !windows.ceil;
    if same && matches!(kind, Kind::Max | Kind::Average { counted: false }) {
        let pool = Pool::same(kernel).stride(strides);
        return Ok(match kind {
            Kind::Max => call.emit(|graph| pools::max_pool(graph, x.id(), pool)),
            _ => call.emit(|graph| pools::avg_pool(graph, x.id(), pool)),
        });
    }
    let pads = windows.pads(inner)?;
    let all: Vec<_> = pads.iter().map(|&(before, after, over)| (before, after + over)).collect();
    let all = around_images(&all);
    let average = |x: AnyTensor<'g>| call.emit(|graph| pools::avg_pool(graph, x.id(), valid));
    Ok(match kind {
        Kind::Max => {
            let x = padded(call, x, &all, f64::NEG_INFINITY);
            call.emit(|graph| pools::max_pool(graph, x.id(), valid))
        }
        Kind::Norm { p } => in_f64(call, x, |x| {
            let powers = power(call, call.unary(unary::abs, x), p);
            let mean = average(padded(call, powers, &all, 0.0));
            power(call, call.times(mean, (kernel[0] * kernel[1]) as f64), 1.0 / p)
        }),
        Kind::Average { counted } => {
            let mean = average(padded(call, x, &all, 0.0));
            match mask(call, x, &[1, 2], &pads, counted)? {
                None => mean,
                Some((mask, around)) => {
                    let share = average(padded(call, mask, &around_images(&around), 0.0));
                    call.binary(binary::div, mean, share)
                }
            }
        }
    })
}

/// Ones where elements count, and how many zeros lie around them: `None` where all count.
type Mask<'g> = Option<(AnyTensor<'g>, Vec<(usize, usize)>)>;

fn mask<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    axes: &[usize],
    pads: &[(usize, usize, usize)],
    counted: bool,
) -> Result<Mask<'g>, Reason> {
    let not_counted = |&(before, after, over): &(usize, usize, usize)| match counted {
        true => (0, over),
        false => (before, after + over),
    };
    let around: Vec<_> = pads.iter().map(not_counted).collect();
    if around.iter().all(|&pair| pair == (0, 0)) {
        return Ok(None);
    }
    let mut ones = Shape::from_elem(Dim::Known(1), call.rank(x));
    for (&axis, &(before, after, _)) in axes.iter().zip(pads) {
        let size = call.size(x, axis)?;
        let counted = if counted { before + after } else { 0 };
        ones[axis] = Dim::Known(size.saturating_add(counted));
    }
    let one = Array::scalar(call.dtype(x), 1.0);
    Ok(Some((call.emit(|graph| source::fill(graph, one, ones)), around)))
}

/// More elements in a window than this are not taken one by one.
const MOST_TAPS: usize = 512;

/// A pool of any number of dimensions: for each element of the window a slice of the input.
fn by_slices<'g>(
    call: &Call<'_, 'g>,
    x: AnyTensor<'g>,
    windows: &Windows,
    kind: Kind,
) -> Result<AnyTensor<'g>, Reason> {
    let rank = windows.kernel.len();
    let taps = windows.kernel.iter().try_fold(1usize, |all, &size| all.checked_mul(size));
    let Some(taps) = taps.filter(|&taps| taps <= MOST_TAPS) else {
        return unsupported(format!(
            "windows of more than {MOST_TAPS} elements in other than two dimensions"
        ));
    };
    let shape = call.shape(x);
    let pads = windows.pads(&shape[2..])?;
    let mut places = Vec::new();
    for (axis, &(before, after, over)) in pads.iter().enumerate() {
        let whole = call.size(x, axis + 2)?.saturating_add(before + after + over);
        let Some(room) = whole.checked_sub(windows.extent(axis)) else {
            return wrong("a window is larger than the images");
        };
        places.push(room / windows.strides[axis] + 1);
    }
    let around: Vec<_> = [(0, 0), (0, 0)]
        .into_iter()
        .chain(pads.iter().map(|&(before, after, over)| (before, after + over)))
        .collect();
    let combine = |x: AnyTensor<'g>, append: fn(&mut Ir, NodeId, NodeId) -> NodeId| {
        let mut joined: Option<AnyTensor<'g>> = None;
        for tap in 0..taps {
            let mut parts = strided::Parts::all(2);
            let mut rest = tap;
            for (axis, &places) in places.iter().enumerate() {
                let begin = (rest % windows.kernel[axis] * windows.dilations[axis]) as i64;
                rest /= windows.kernel[axis];
                let stride = windows.strides[axis] as i64;
                let end = begin + (places as i64 - 1) * stride + 1;
                parts.push(Some(begin), Some(end), stride);
            }
            let part = call.emit(|graph| strided::strided_slice(graph, x.id(), &parts));
            joined = Some(joined.map_or(part, |joined| call.binary(append, joined, part)));
        }
        joined.unwrap_or(x)
    };
    Ok(match kind {
        Kind::Max => combine(padded(call, x, &around, f64::NEG_INFINITY), binary::maximum),
        Kind::Norm { p } => in_f64(call, x, |x| {
            let powers = power(call, call.unary(unary::abs, x), p);
            power(call, combine(padded(call, powers, &around, 0.0), binary::add), 1.0 / p)
        }),
        Kind::Average { counted } => {
            let sum = combine(padded(call, x, &around, 0.0), binary::add);
            let axes: Vec<usize> = (2..rank + 2).collect();
            match mask(call, x, &axes, &pads, counted)? {
                None => call.with_number(binary::div, sum, taps as f64),
                Some((mask, around)) => {
                    let around: Vec<_> = [(0, 0), (0, 0)].into_iter().chain(around).collect();
                    let count = combine(padded(call, mask, &around, 0.0), binary::add);
                    call.binary(binary::div, sum, count)
                }
            }
        }
    })
}
