//! What is known of an operator's result when all that it takes is known: the arithmetic of shapes,
//! which exporters of other frameworks leave in their models.
//!
//! Only integers in vectors and single numbers are worked out; anything else becomes nodes like the
//! rest of the model.

use abeyance_ir::{Array, DType, Dim};

use super::call::Call;
use super::value::{Known, Size};
use crate::element_type;
use crate::error::Reason;

/// Longer vectors are no shapes, and are left to the graph.
const LONGEST: usize = 1 << 12;

/// The first result, as far as it is known; `None` where nothing is.
///
/// # Errors
/// An attribute is wrong.
pub(crate) fn known(call: &Call<'_, '_>) -> Result<Option<Known>, Reason> {
    let operands = || -> Option<Vec<Vec<Size>>> {
        call.inputs
            .iter()
            .map(|input| match input {
                Some(value) => value.known.as_ref()?.sizes().filter(|s| s.len() <= LONGEST),
                None => Some(Vec::new()),
            })
            .collect()
    };
    let first = |index: usize| call.optional(index).and_then(|value| value.known.as_ref());
    let scalar = |index: usize| first(index).is_some_and(Known::is_scalar);
    let dtype = first(0).map_or(DType::I64, Known::dtype);
    let whole = |sizes: Vec<Size>, is_scalar: bool, dtype: DType| {
        matches!(dtype, DType::I32 | DType::I64).then_some(Known::Sizes { sizes, is_scalar, dtype })
    };
    match call.node.op_type() {
        "Shape" => shape(call).map(Some),
        "Size" => {
            let shape = call.value(0)?.any(call.graph).shape();
            let size =
                shape.iter().fold(Size::Number(1), |product, &dim| multiply(product, dim.into()));
            Ok(whole(vec![size], true, DType::I64))
        }
        _ if call.inputs.is_empty() => Ok(None),
        "Where" => Ok(choose(call)),
        "And" | "Or" | "Not" => Ok(logic(call)),
        "Range" => Ok(sequence(call)),
        name => {
            let Some(operands) = operands() else {
                return Ok(None);
            };
            let (x, rest) = match &operands[..] {
                [x, rest @ ..] => (x, rest),
                [] => return Ok(None),
            };
            Ok(match (name, rest) {
                ("Identity", []) => whole(x.clone(), scalar(0), dtype),
                ("Cast", []) => {
                    let to = call.int_or("to", 0)?;
                    let to = i32::try_from(to).ok().and_then(|to| element_type::read(to).ok());
                    to.and_then(|to| whole(x.clone(), scalar(0), to))
                }
                ("Neg", []) => whole(
                    x.iter().map(|&x| subtract(Size::Number(0), x)).collect(),
                    scalar(0),
                    dtype,
                ),
                ("Mod", [y]) if !call.flag("fmod", false)? => pairs(x, y).and_then(|pairs| {
                    let sizes = pairs.into_iter().map(|(x, y)| remainder(x, y)).collect();
                    whole(sizes, scalar(0) && scalar(1), dtype)
                }),
                ("Add" | "Sub" | "Mul" | "Div" | "Max" | "Min", [y]) => {
                    let apply = match name {
                        "Add" => add,
                        "Sub" => subtract,
                        "Mul" => multiply,
                        "Div" => divide,
                        "Max" => larger,
                        _ => smaller,
                    };
                    pairs(x, y).and_then(|pairs| {
                        let sizes = pairs.into_iter().map(|(x, y)| apply(x, y)).collect();
                        whole(sizes, scalar(0) && scalar(1), dtype)
                    })
                }
                ("Equal", [y]) => pairs(x, y).and_then(|pairs| {
                    let bytes: Option<Vec<u8>> =
                        pairs.iter().map(|&(x, y)| same(x, y).map(u8::from)).collect();
                    let bytes = bytes?;
                    let dims = [bytes.len()];
                    let dims: &[usize] = if scalar(0) && scalar(1) { &[] } else { &dims };
                    Some(Known::Array(Array::new(DType::Bool, dims, &bytes).into()))
                }),
                ("Concat", _) => {
                    let all: Vec<Size> = operands.concat();
                    if (0..operands.len()).any(scalar) || all.len() > LONGEST {
                        None
                    } else {
                        whole(all, false, dtype)
                    }
                }
                ("Gather", [_]) if !scalar(0) => {
                    let picked: Option<Vec<Size>> = first(1)
                        .and_then(Known::integers)
                        .and_then(|indices| indices.iter().map(|&index| pick(x, index)).collect());
                    picked.and_then(|sizes| whole(sizes, scalar(1), dtype))
                }
                ("Squeeze", _) if x.len() == 1 => whole(x.clone(), true, dtype),
                ("Unsqueeze", _) if scalar(0) => match call.axes("axes", 13, 1)?.as_deref() {
                    Some([0 | -1]) => whole(x.clone(), false, dtype),
                    _ => None,
                },
                ("Reshape", [to]) => match &to[..] {
                    [Size::Number(length)]
                        if *length == -1 || usize::try_from(*length) == Ok(x.len()) =>
                    {
                        whole(x.clone(), false, dtype)
                    }
                    [] if x.len() == 1 => whole(x.clone(), true, dtype),
                    _ => None,
                },
                ("ReduceProd", _) if !scalar(0) => {
                    let product =
                        x.iter().fold(Size::Number(1), |product, &x| multiply(product, x));
                    whole(vec![product], !call.flag("keepdims", true)?, dtype)
                }
                ("Slice", _) if !scalar(0) => {
                    slice(call, x)?.and_then(|sizes| whole(sizes, false, dtype))
                }
                ("ConstantOfShape", []) => filled(call, x)?,
                _ => None,
            })
        }
    }
}

/// The dimensions of the first input from `start` to before `end`.
fn shape(call: &Call<'_, '_>) -> Result<Known, Reason> {
    let value = call.value(0)?;
    let mut dims: Vec<Dim> = match &value.known {
        Some(Known::Array(array)) => array.dims.iter().map(|&dim| Dim::Known(dim)).collect(),
        _ => value.any(call.graph).shape().to_vec(),
    };
    if value.is_images() && dims.len() == 4 {
        dims =
            super::value::FROM_IMAGES.iter().filter_map(|&axis| dims.get(axis).copied()).collect();
    }
    let rank = dims.len() as i64;
    let place = |place: i64| {
        let place = if place < 0 { place.saturating_add(rank) } else { place };
        place.clamp(0, rank) as usize
    };
    let (start, end) = (place(call.int_or("start", 0)?), place(call.int_or("end", rank)?));
    let sizes = dims.get(start..end.max(start)).unwrap_or_default();
    Ok(Known::Sizes {
        sizes: sizes.iter().map(|&dim| dim.into()).collect(),
        is_scalar: false,
        dtype: DType::I64,
    })
}

/// Two vectors place by place, one of a single element as long as the other.
fn pairs(x: &[Size], y: &[Size]) -> Option<Vec<(Size, Size)>> {
    let length = match (x.len(), y.len()) {
        (a, b) if a == b => a,
        (1, length) | (length, 1) => length,
        _ => return None,
    };
    let at = |of: &[Size], place: usize| match of {
        [only] => Some(*only),
        _ => of.get(place).copied(),
    };
    (0..length).map(|place| Some((at(x, place)?, at(y, place)?))).collect()
}

fn add(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.wrapping_add(y)),
        (Size::Number(0), other) | (other, Size::Number(0)) => other,
        _ => Size::Open,
    }
}

fn subtract(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.wrapping_sub(y)),
        (other, Size::Number(0)) => other,
        (Size::Dim(x), Size::Dim(y)) if x == y => Size::Number(0),
        _ => Size::Open,
    }
}

fn multiply(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.wrapping_mul(y)),
        (Size::Number(1), other) | (other, Size::Number(1)) => other,
        _ => Size::Open,
    }
}

/// Rounded towards 0, as division is.
fn divide(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => x.checked_div(y).map_or(Size::Open, Size::Number),
        (other, Size::Number(1)) => other,
        _ => Size::Open,
    }
}

/// With the sign of the divisor.
fn remainder(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => match x.checked_rem(y) {
            Some(rest) if rest != 0 && (rest < 0) != (y < 0) => Size::Number(rest + y),
            Some(rest) => Size::Number(rest),
            None => Size::Open,
        },
        (Size::Dim(x), Size::Dim(y)) if x == y => Size::Number(0),
        _ => Size::Open,
    }
}

fn larger(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.max(y)),
        _ => Size::Open,
    }
}

fn smaller(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.min(y)),
        _ => Size::Open,
    }
}

/// True if two are equal, if that is known. A dimension is not negative.
fn same(x: Size, y: Size) -> Option<bool> {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Some(x == y),
        (Size::Dim(x), Size::Dim(y)) if x == y => Some(true),
        (Size::Dim(_), Size::Number(number)) | (Size::Number(number), Size::Dim(_))
            if number < 0 =>
        {
            Some(false)
        }
        _ => None,
    }
}

fn pick(x: &[Size], index: i64) -> Option<Size> {
    let index = if index < 0 { index.checked_add(x.len() as i64)? } else { index };
    x.get(usize::try_from(index).ok()?).copied()
}

/// `Where` of a condition that is known.
fn choose(call: &Call<'_, '_>) -> Option<Known> {
    let condition = call.optional(0)?.known.as_ref()?.array()?;
    let [x, y] = [1, 2].map(|index| call.optional(index).and_then(|value| value.known.as_ref()));
    let (x, y) = (x?, y?);
    if condition.dtype != DType::Bool || condition.dims.len() > 1 {
        return None;
    }
    let condition: Vec<Size> =
        condition.bytes.iter().map(|&byte| Size::Number(byte.into())).collect();
    let (xs, ys) = (x.sizes()?, y.sizes()?);
    let values = pairs(&xs, &ys)?;
    let length = values.len().max(condition.len());
    let places: Vec<Size> = (0..values.len()).map(|place| Size::Number(place as i64)).collect();
    let chosen = pairs(&condition, &places)?.into_iter().map(|(condition, place)| {
        let Size::Number(place) = place else { return Size::Open };
        match (condition, values.get(place as usize)) {
            (Size::Number(0), Some(&(_, y))) => y,
            (_, Some(&(x, _))) => x,
            (_, None) => Size::Open,
        }
    });
    let sizes: Vec<Size> = chosen.collect();
    let is_scalar = x.is_scalar() && y.is_scalar() && length == 1;
    (x.dtype() != DType::Bool).then(|| Known::Sizes { sizes, is_scalar, dtype: x.dtype() })
}

/// Truth values of vectors and single ones.
fn logic(call: &Call<'_, '_>) -> Option<Known> {
    let operand = |index: usize| -> Option<std::sync::Arc<Array>> {
        let array = call.optional(index)?.known.as_ref()?.array()?;
        let fits = array.dtype == DType::Bool && array.dims.len() <= 1 && array.len() <= LONGEST;
        fits.then_some(array)
    };
    let x = operand(0)?;
    let (bytes, dims) = match call.node.op_type() {
        "Not" => (x.bytes.iter().map(|&byte| 1 - byte).collect::<Vec<u8>>(), x.dims.clone()),
        name => {
            let y = operand(1)?;
            let sizes = |of: &Array| -> Vec<Size> {
                of.bytes.iter().map(|&byte| Size::Number(byte.into())).collect()
            };
            let both = |pair: (Size, Size)| match pair {
                (Size::Number(0), Size::Number(0)) => (false, false),
                (Size::Number(0), _) | (_, Size::Number(0)) => (true, false),
                _ => (true, true),
            };
            let bytes: Vec<u8> = pairs(&sizes(&x), &sizes(&y))?
                .into_iter()
                .map(both)
                .map(|(any, all)| u8::from(if name == "And" { all } else { any }))
                .collect();
            let dims = if x.dims.len() >= y.dims.len() { x.dims.clone() } else { y.dims.clone() };
            let dims = if dims.is_empty() { dims } else { [bytes.len()][..].into() };
            (bytes, dims)
        }
    };
    Some(Known::Array(Array { dtype: DType::Bool, dims, bytes }.into()))
}

/// A sequence of few integers.
fn sequence(call: &Call<'_, '_>) -> Option<Known> {
    let number = |index: usize| -> Option<i64> {
        let known = call.optional(index)?.known.as_ref()?;
        match known.integers()?[..] {
            [only] if known.dtype() == DType::I64 => Some(only),
            _ => None,
        }
    };
    let (start, limit, delta) = (number(0)?, number(1)?, number(2)?);
    let mut sizes = Vec::new();
    let mut at = i128::from(start);
    let (limit, delta) = (i128::from(limit), i128::from(delta));
    while delta != 0 && (if delta > 0 { at < limit } else { at > limit }) {
        if sizes.len() >= LONGEST {
            return None;
        }
        sizes.push(Size::Number(i64::try_from(at).ok()?));
        at += delta;
    }
    (delta != 0).then_some(Known::Sizes { sizes, is_scalar: false, dtype: DType::I64 })
}

fn slice(call: &Call<'_, '_>, x: &[Size]) -> Result<Option<Vec<Size>>, Reason> {
    let (starts, ends) = if call.opset >= 10 {
        (call.known_integers(1)?, call.known_integers(2)?)
    } else {
        (call.ints("starts")?.map(<[i64]>::to_vec), call.ints("ends")?.map(<[i64]>::to_vec))
    };
    let steps = if call.opset >= 10 { call.known_integers(4)? } else { None };
    let (Some(&[start]), Some(&[end])) = (starts.as_deref(), ends.as_deref()) else {
        return Ok(None);
    };
    if steps.is_some_and(|steps| steps != [1]) {
        return Ok(None);
    }
    let length = x.len() as i64;
    let place = |place: i64| {
        let place = if place < 0 { place.saturating_add(length) } else { place };
        place.clamp(0, length) as usize
    };
    let (start, end) = (place(start), place(end));
    Ok(Some(x.get(start..end).unwrap_or_default().to_vec()))
}

fn filled(call: &Call<'_, '_>, x: &[Size]) -> Result<Option<Known>, Reason> {
    let length = match x {
        [] => 1,
        &[Size::Number(length)] if (0..=LONGEST as i64).contains(&length) => length as usize,
        _ => return Ok(None),
    };
    let Some(value) = call.tensor_attribute("value")? else {
        return Ok(None);
    };
    let sizes = crate::tensor::integers(&value).filter(|_| value.dtype != DType::U8);
    Ok(sizes.and_then(|sizes| sizes.first().copied()).map(|size| Known::Sizes {
        sizes: vec![Size::Number(size); length],
        is_scalar: x.is_empty(),
        dtype: value.dtype,
    }))
}
