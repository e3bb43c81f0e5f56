//! Convolutions of images and of sequences.

use std::rc::Rc;

use abeyance_graph::{ConvOptions, Expr};
use abeyance_ir::{Dim, Shape};

use super::super::call::{Call, Imported, one, ordered, unsupported, wrong};
use super::super::entry::OpEntry;
use super::super::value::Value;
use super::shape::reshaped;
use super::spatial::{Padding, Windows, around_images, padded, sizes};
use crate::error::ProblemKind;
use crate::layout::{NCHW_TO_NHWC, OIHW_TO_HWIO};

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new(
        "Conv",
        "`conv2d` between transposes; of sequences as images one element wide",
        convolution,
    )
    .unsupported("three and more spatial dimensions")
    .filter(1),
    OpEntry::new("ConvTranspose", "`conv2d_backprop_input` between transposes", transposed)
        .unsupported("three and more spatial dimensions; images of unknown size")
        .filter(1),
];

/// Images and a filter in the orders used here, and whether they are sequences `[N, C, L]` that
/// were made images `[N, C, L, 1]`.
struct Operands<'g> {
    images: Expr<'g>,
    filter: Expr<'g>,
    is_sequence: bool,
}

fn operands<'g>(call: &Call<'_, 'g>) -> Result<Operands<'g>, ProblemKind> {
    let (x, w) = (call.value(0)?, call.value(1)?);
    let graph = call.graph;
    let ranks = (x.rank(graph), w.rank(graph));
    match ranks {
        (4, 4) => {
            let images = x.as_images(graph);
            call.float_type(images)?;
            Ok(Operands { images, filter: w.as_filter(graph), is_sequence: false })
        }
        (3, 3) => {
            let image = |value: &Rc<Value<'g>>, order: &[usize]| {
                let plain = value.as_plain(graph);
                let wide = reshaped(plain, plain.shape().into_iter().chain([Dim::Known(1)]));
                wide.transpose_to(order)
            };
            let (images, filter) = (image(x, &NCHW_TO_NHWC), image(w, &OIHW_TO_HWIO));
            call.float_type(images)?;
            Ok(Operands { images, filter, is_sequence: true })
        }
        (rank, _) if rank > 4 => {
            unsupported(format!("{} spatial dimensions: there are two", rank - 2))
        }
        (x, w) => wrong(format!("{x} and {w} dimensions are not those of images and a filter")),
    }
}

/// The windows of a filter `[h, w, C, F]`; of a sequence with nothing along the dimension that it
/// does not have.
fn windows<'g>(call: &Call<'_, 'g>, operands: &Operands<'g>) -> Result<Windows, ProblemKind> {
    let shape = operands.filter.shape();
    let (Some(&Dim::Known(h)), Some(&Dim::Known(w))) = (shape.first(), shape.get(1)) else {
        return unsupported("the size of the filter has to be known");
    };
    if h == 0 || w == 0 {
        return wrong("the filter sees nothing");
    }
    let kernel = if operands.is_sequence { vec![h] } else { vec![h, w] };
    if call.ints("kernel_shape")?.is_some_and(|given| {
        !given.iter().eq(kernel.iter().map(|&k| k as i64).collect::<Vec<_>>().iter())
    }) {
        return wrong("kernel_shape is not the filter's");
    }
    let mut windows = Windows::of(call, kernel)?;
    if operands.is_sequence {
        windows.kernel.push(1);
        windows.strides.push(1);
        windows.dilations.push(1);
        if let Padding::Explicit(pads) = &mut windows.padding {
            pads.push((0, 0));
        }
    }
    Ok(windows)
}

fn options(call: &Call<'_, '_>, windows: &Windows, same: bool) -> Result<ConvOptions, ProblemKind> {
    let groups = call.int_or("group", 1)?;
    let Some(groups) = usize::try_from(groups).ok().filter(|&groups| groups > 0) else {
        return wrong(format!("group is {groups}"));
    };
    let pair = |sizes: &[usize]| [sizes[0], sizes[1]];
    let padding = if same { ConvOptions::same() } else { ConvOptions::valid() };
    Ok(padding.stride(pair(&windows.strides)).dilation(pair(&windows.dilations)).groups(groups))
}

/// The result with the bias added: images, or a sequence again.
fn finished<'g>(call: &Call<'_, 'g>, images: Expr<'g>, is_sequence: bool) -> Imported<'g> {
    let images = call.optional_tensor(2).map_or(images, |bias| images + bias);
    if !is_sequence {
        return ordered(images, true);
    }
    let &[n, length, _, channels] = &images.shape()[..] else {
        return one(images);
    };
    one(reshaped(images, [n, length, channels]).transpose_to(&[0, 2, 1]))
}

fn convolution<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let operands = operands(call)?;
    let windows = windows(call, &operands)?;
    let shape = operands.images.shape();
    let inner = &shape[1..3];
    let same = windows.is_same(inner);
    let mut images = operands.images;
    if !same {
        let pads: Vec<_> =
            windows.pads(inner)?.into_iter().map(|(before, after, _)| (before, after)).collect();
        images = padded(images, &around_images(&pads), 0.0);
    }
    let options = options(call, &windows, same)?;
    finished(call, images.conv2d(operands.filter, options), operands.is_sequence)
}

/// The length of a transposed convolution along an axis before anything is cut away, and the
/// numbers of elements to cut from its beginning and its end; negative ones are added.
///
/// `more` is ONNX's `output_padding`, `wanted` the length in its `output_shape`.
fn uncut(
    windows: &Windows,
    axis: usize,
    input: usize,
    more: usize,
    wanted: Option<usize>,
) -> (usize, (i64, i64)) {
    let (extent, stride) = (windows.extent(axis), windows.strides[axis]);
    let whole = input.saturating_sub(1).saturating_mul(stride).saturating_add(extent);
    // The operator here allows less than a stride beyond the last window.
    let inside = more.min(stride - 1);
    let target = whole.saturating_add(more) as i64;
    let (before, after) = match (&windows.padding, wanted) {
        (Padding::Explicit(pads), None) => (pads[axis].0 as i64, pads[axis].1 as i64),
        (padding, wanted) => {
            let wanted = wanted.unwrap_or(input.saturating_mul(stride));
            let total = target.saturating_sub(wanted as i64);
            let half = total.div_euclid(2);
            match padding {
                Padding::SameUpper => (half, total - half),
                _ => (total - half, half),
            }
        }
    };
    (whole.saturating_add(inside), (before, after - (more - inside) as i64))
}

/// The convolution of which the node is the gradient with respect to images, without padding; what
/// is around the result is cut away or added afterwards.
fn transposed<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let operands = operands(call)?;
    let windows = windows(call, &operands)?;
    let options = options(call, &windows, false)?;
    let rank = if operands.is_sequence { 1 } else { 2 };
    let mut more = sizes(call, "output_padding", rank, 0, 0)?;
    let mut wanted: Vec<Option<usize>> = match call.ints("output_shape")? {
        None => vec![None; rank],
        Some(given) => {
            let known: Vec<_> = given.iter().map(|&size| usize::try_from(size).ok()).collect();
            // Some models give the sizes of all dimensions.
            known[known.len().saturating_sub(rank)..].to_vec()
        }
    };
    more.resize(2, 0);
    wanted.resize(2, None);
    let shape = operands.images.shape();
    let mut full = Vec::new();
    let mut cuts: Vec<(i64, i64)> = Vec::new();
    for axis in 0..2 {
        let input = call.size(operands.images, axis + 1)?;
        let (length, cut) = uncut(&windows, axis, input, more[axis], wanted[axis]);
        full.push(Dim::Known(length));
        cuts.push(cut);
    }
    let depth = operands.filter.shape().get(2).copied().unwrap_or(Dim::Known(1));
    let channels = match depth {
        Dim::Known(depth) => Dim::Known(depth.saturating_mul(options.group_count())),
        symbol => symbol,
    };
    let to: Shape = [shape[0], full[0], full[1], channels].into_iter().collect();
    let spread = operands.images.conv2d_transpose_to(operands.filter, to, options);
    let cut: Vec<i64> = [0, cuts[0].0.max(0), cuts[1].0.max(0), 0].to_vec();
    let size = |axis: usize| -> i64 {
        let whole = full[axis].known().unwrap_or(0) as i64;
        whole.saturating_sub(cuts[axis].0.max(0)).saturating_sub(cuts[axis].1.max(0))
    };
    if size(0) < 0 || size(1) < 0 {
        return wrong("more is cut away than there is");
    }
    let kept = if cuts.iter().all(|&(before, after)| before <= 0 && after <= 0) {
        spread
    } else {
        spread.slice(&cut, &[-1, size(0), size(1), -1])
    };
    let around: Vec<(usize, usize)> = cuts
        .iter()
        .map(|&(before, after)| ((-before).max(0) as usize, (-after).max(0) as usize))
        .collect();
    finished(call, padded(kept, &around_images(&around), 0.0), operands.is_sequence)
}
