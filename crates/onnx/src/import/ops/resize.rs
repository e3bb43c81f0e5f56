//! Images of another size: for each axis the elements that a place is made of and their weights, as
//! ONNX's reference has them.

use abeyance_graph::Expr;
use abeyance_ir::{Array, DType};

use super::super::call::{Call, Imported, ordered, unsupported, wrong};
use super::super::entry::OpEntry;
use super::super::value::Value;
use super::shape::{move_axis, resolved};
use crate::error::ProblemKind;
use crate::layout::NHWC_TO_NCHW;
use crate::tensor;

const LIMITS: &str = "axes of unknown size; `tf_crop_and_resize`; more than 2^22 weights along an axis; \
    scales below 1 / 4096";

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new(
        "Resize",
        "`gather` of the nearest, else `matmul` with the weights of an axis",
        resize,
    )
    .unsupported(LIMITS)
    .known(&[1, 2, 3]),
    OpEntry::new("Upsample", "as Resize", resize).unsupported(LIMITS).known(&[1]),
];

/// The mode of the nearest before opset 11, which had no attribute: the element above where images
/// become smaller, else the one below. (onnxruntime; the outputs of ONNX's own test
/// `resize_downsample_scales_nearest` of opset 10)
const EARLY: &str = "as before opset 11";

/// More weights than these along one axis are not made.
const MOST: usize = 1 << 22;

/// Smaller scales would make each element of too many.
const SMALLEST: f64 = 1.0 / 4096.0;

/// The resizing of an axis.
struct Axis {
    /// The axis, in the model's order of dimensions.
    axis: usize,
    /// The number of elements before.
    from: usize,
    /// The number of elements after.
    to: usize,
    /// Elements after for each before, as it was given.
    scale: f64,
}

/// The interpolation between elements.
struct Mode {
    kind: Kind,
    coordinates: String,
    nearest: String,
    /// The weight of cubics that is free.
    cubic: f64,
    exclude_outside: bool,
    antialias: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Nearest,
    Linear,
    Cubic,
}

fn resize<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let value = call.value(0)?;
    let mode = mode(call)?;
    let axes = axes(call, value)?;
    let images = value.is_images();
    let mut x = value.any(call.graph);
    let own = call.dtype(x);
    if mode.kind != Kind::Nearest {
        call.float_type(x)?;
    }
    for axis in axes {
        // An axis that keeps its size and its elements' places.
        if axis.from == axis.to && axis.scale == 1.0 {
            continue;
        }
        let place = if images {
            NHWC_TO_NCHW.get(axis.axis).copied().unwrap_or(axis.axis)
        } else {
            axis.axis
        };
        x = match mode.kind {
            Kind::Nearest => {
                let mut indices = Vec::new();
                for at in 0..axis.to {
                    indices.push(mode.nearest(&axis, at)?);
                }
                let indices = call.constant(Array::new(DType::I64, &[axis.to], &indices));
                x.gather_along(indices, place as i64)
            }
            Kind::Linear | Kind::Cubic => {
                weighted(call, x, place, &mode.weights(&axis)?, &axis, own)
            }
        };
    }
    ordered(x, images)
}

/// The product with a matrix of weights `[to, from]` along an axis.
fn weighted<'g>(
    call: &Call<'_, 'g>,
    x: Expr<'g>,
    place: usize,
    weights: &[f64],
    axis: &Axis,
    dtype: DType,
) -> Expr<'g> {
    let bytes = weights.iter().flat_map(|&weight| Array::scalar(dtype, weight).bytes).collect();
    let dims = [axis.to, axis.from];
    let matrix = call.constant(Array { dtype, dims: dims[..].into(), bytes });
    let rank = x.rank();
    if place + 2 == rank {
        return matrix.matmul(x);
    }
    let last = rank.saturating_sub(1);
    let product = move_axis(x, place, last).matmul_transposed(matrix, false, true);
    move_axis(product, last, place)
}

fn mode(call: &Call<'_, '_>) -> Result<Mode, ProblemKind> {
    let early = call.opset < 11;
    let kind = match call.string_or("mode", "nearest")?.as_str() {
        "nearest" => Kind::Nearest,
        "linear" | "bilinear" => Kind::Linear,
        "cubic" => Kind::Cubic,
        other => return unsupported(format!("a mode called {other:?}")),
    };
    let (coordinates, nearest) = if early {
        ("asymmetric".to_owned(), EARLY.to_owned())
    } else {
        (
            call.string_or("coordinate_transformation_mode", "half_pixel")?,
            call.string_or("nearest_mode", "round_prefer_floor")?,
        )
    };
    Ok(Mode {
        kind,
        coordinates,
        nearest,
        cubic: call.float_or("cubic_coeff_a", -0.75)?,
        exclude_outside: call.flag("exclude_outside", false)?,
        antialias: call.flag("antialias", false)?,
    })
}

/// The axes that are named, with their sizes before and after.
fn axes<'g>(call: &Call<'_, 'g>, value: &Value<'g>) -> Result<Vec<Axis>, ProblemKind> {
    let rank = value.rank(call.graph);
    let x = value.any(call.graph);
    let named: Vec<usize> = match call.ints("axes")? {
        Some(axes) => resolved(call, axes, rank)?,
        None => (0..rank).collect(),
    };
    let (scales, sizes) = scales_and_sizes(call)?;
    let own = |axis: usize| {
        let place = if value.is_images() { NHWC_TO_NCHW.get(axis).copied() } else { Some(axis) };
        call.size(x, place.unwrap_or(axis))
    };
    let count = scales.as_ref().map(Vec::len).or(sizes.as_ref().map(Vec::len));
    if count != Some(named.len()) {
        return wrong("there is not a scale or a size for each axis");
    }
    let mut axes = Vec::new();
    for (place, &axis) in named.iter().enumerate() {
        let given = scales.as_ref().and_then(|scales| scales.get(place).copied());
        // The number of images need not be known where it stays.
        if given == Some(1.0) && own(axis).is_err() {
            continue;
        }
        let from = own(axis)?;
        let (to, scale) = match (given, sizes.as_ref().and_then(|sizes| sizes.get(place).copied()))
        {
            (Some(scale), _) if scale > 0.0 => ((from as f64 * scale).floor(), scale),
            (None, Some(size)) if size >= 0 => (size as f64, size as f64 / from as f64),
            _ => return wrong("a scale is not above 0, or a size below it"),
        };
        if from == 0 || to * from as f64 > MOST as f64 {
            return unsupported(format!("an axis of {from} elements made {to}"));
        }
        if scale < SMALLEST {
            return unsupported(format!("a scale of {scale}"));
        }
        axes.push(Axis { axis, from, to: to as usize, scale });
    }
    let policy = call.string_or("keep_aspect_ratio_policy", "stretch")?;
    if sizes.is_some() && policy != "stretch" {
        keep_aspect_ratio(&mut axes, &policy)?;
    }
    Ok(axes)
}

/// The scales and the sizes of a node, of which it has one or the other. They moved among the
/// inputs from opset to opset.
#[allow(clippy::type_complexity)]
fn scales_and_sizes(
    call: &Call<'_, '_>,
) -> Result<(Option<Vec<f64>>, Option<Vec<i64>>), ProblemKind> {
    let is_upsample = call.node.op_type() == "Upsample";
    let scales: Option<Vec<f64>> = match (is_upsample, call.opset) {
        (true, ..9) => {
            call.floats("scales")?.map(|scales| scales.iter().map(|&s| s.into()).collect())
        }
        (true, _) | (false, ..11) => call.known_array(1)?.map(|array| tensor::reals(&array)),
        (false, _) => call.known_array(2)?.map(|array| tensor::reals(&array)),
    };
    let sizes = if is_upsample || call.opset < 11 { None } else { call.known_integers(3)? };
    // An empty list stands for none.
    Ok((scales.filter(|scales| !scales.is_empty()), sizes.filter(|sizes| !sizes.is_empty())))
}

/// Gives all axes the smallest or the largest of their scales.
fn keep_aspect_ratio(axes: &mut [Axis], policy: &str) -> Result<(), ProblemKind> {
    let scales = axes.iter().map(|axis| axis.scale);
    let common = match policy {
        "not_larger" => scales.fold(f64::INFINITY, f64::min),
        "not_smaller" => scales.fold(0.0, f64::max),
        other => return unsupported(format!("a policy called {other:?}")),
    };
    for axis in axes {
        let to = (common * axis.from as f64 + 0.5).floor();
        if common < SMALLEST || to * axis.from as f64 > MOST as f64 {
            return unsupported(format!("an axis of {} elements made {to}", axis.from));
        }
        (axis.to, axis.scale) = (to as usize, common);
    }
    Ok(())
}

impl Mode {
    /// The position among the elements before of a place after.
    fn origin(&self, axis: &Axis, at: usize) -> Result<f64, ProblemKind> {
        let (place, from, scale) = (at as f64, axis.from as f64, axis.scale);
        let whole = scale * from;
        Ok(match self.coordinates.as_str() {
            "align_corners" if whole == 1.0 => 0.0,
            "align_corners" => place * (from - 1.0) / (whole - 1.0),
            "asymmetric" => place / scale,
            "pytorch_half_pixel" if whole == 1.0 => -0.5,
            "pytorch_half_pixel" | "half_pixel" => (place + 0.5) / scale - 0.5,
            "half_pixel_symmetric" => {
                let offset = from / 2.0 * (1.0 - axis.to as f64 / whole);
                offset + (place + 0.5) / scale - 0.5
            }
            other => return unsupported(format!("coordinates called {other:?}")),
        })
    }

    /// The element that is nearest to a place.
    fn nearest(&self, axis: &Axis, at: usize) -> Result<i64, ProblemKind> {
        let origin = self.origin(axis, at)?;
        let (floor, part) = (origin.floor(), origin - origin.floor());
        let up = match self.nearest.as_str() {
            "round_prefer_floor" => part > 0.5,
            "round_prefer_ceil" => part >= 0.5,
            "floor" => false,
            EARLY => {
                // As runtimes compute it, whose quotients of a scale that is no binary fraction are
                // whole numbers where they should be.
                let origin = at as f32 / axis.scale as f32;
                let nearest = if axis.scale < 1.0 { origin.ceil() } else { origin.floor() };
                return Ok((nearest as i64).clamp(0, axis.from as i64 - 1));
            }
            "ceil" => part > 0.0,
            other => return unsupported(format!("a nearest called {other:?}")),
        };
        let nearest = if up { floor + 1.0 } else { floor };
        Ok((nearest as i64).clamp(0, axis.from as i64 - 1))
    }

    /// The weights of all elements before for each place after: a matrix `[to, from]`.
    fn weights(&self, axis: &Axis) -> Result<Vec<f64>, ProblemKind> {
        let mut weights = vec![0.0; axis.to * axis.from];
        for (at, row) in weights.chunks_exact_mut(axis.from).enumerate() {
            let origin = self.origin(axis, at)?;
            // In (0, 1]: at an element itself it is the one to the right.
            let part = if origin == origin.floor() { 1.0 } else { origin - origin.floor() };
            let mut taps = self.taps(part, axis.scale);
            let first = origin.ceil() as i64 - (taps.len() / 2) as i64;
            if self.exclude_outside {
                for (tap, weight) in taps.iter_mut().enumerate() {
                    if !(0..axis.from as i64).contains(&(first + tap as i64)) {
                        *weight = 0.0;
                    }
                }
                let sum: f64 = taps.iter().sum();
                taps.iter_mut().for_each(|weight| *weight /= sum);
            }
            // What lies beyond the borders is what lies at them.
            for (tap, weight) in taps.into_iter().enumerate() {
                let element = (first + tap as i64).clamp(0, axis.from as i64 - 1);
                if let Some(sum) = row.get_mut(element as usize) {
                    *sum += weight;
                }
            }
        }
        Ok(weights)
    }

    /// The weights of the elements around a place that lies `part` behind the one left of it; an
    /// even number.
    fn taps(&self, part: f64, scale: f64) -> Vec<f64> {
        // Wider where many elements become one.
        let scale = if self.antialias { scale.min(1.0) } else { 1.0 };
        let reach = if self.kind == Kind::Cubic { 2.0 } else { 1.0 };
        let first = ((-reach / scale).floor() + 1.0) as i64;
        let weight = |distance: f64| {
            let x = distance.abs();
            let a = self.cubic;
            match self.kind {
                Kind::Cubic if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
                Kind::Cubic if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
                Kind::Cubic => 0.0,
                _ => (1.0 - x).max(0.0),
            }
        };
        let taps: Vec<f64> =
            (first..2 - first).map(|tap| weight((tap as f64 - part) * scale)).collect();
        if !self.antialias {
            return taps;
        }
        let sum: f64 = taps.iter().sum();
        taps.into_iter().map(|weight| weight / sum).collect()
    }
}
