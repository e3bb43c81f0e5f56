//! Data propagation: the result of an operator whose inputs are known when the model is imported.
//!
//! It is the arithmetic of shapes, which exporters of other frameworks leave in their models. Only
//! integers in vectors and single numbers are worked out. Anything else becomes nodes like the rest
//! of the model.

use std::sync::Arc;

use abeyance_ir::{Array, DType, Dim};

use super::call::Call;
use super::size::{self, Size};
use super::value::StaticValue;
use crate::element_type;
use crate::error::ProblemKind;
use crate::layout::NHWC_TO_NCHW;

/// Longer vectors are no shapes, and are left to the graph.
const LONGEST: usize = 1 << 12;

/// The first result of an operator, as far as it is known; `None` where nothing is.
type Propagated = Result<Option<StaticValue>, ProblemKind>;

/// How the result of an operator is worked out.
enum Rule {
    /// From the node, whose inputs may have any form.
    Node(fn(&Call<'_, '_>) -> Propagated),
    /// From inputs that are vectors of sizes or single ones.
    Sizes(fn(&Operands<'_, '_, '_>) -> Propagated),
}

/// The rule of an operator, by its name in ONNX.
fn rule(operator: &str) -> Option<Rule> {
    Some(match operator {
        "Shape" => Rule::Node(shape),
        "Size" => Rule::Node(element_count),
        "Where" => Rule::Node(|call| Ok(choose(call))),
        "And" | "Or" | "Not" => Rule::Node(|call| Ok(logic(call))),
        "Range" => Rule::Node(|call| Ok(range(call))),
        "Identity" => Rule::Sizes(identity),
        "Cast" => Rule::Sizes(cast),
        "Neg" => Rule::Sizes(negate),
        "Add" => Rule::Sizes(|operands| elementwise(operands, size::add)),
        "Sub" => Rule::Sizes(|operands| elementwise(operands, size::subtract)),
        "Mul" => Rule::Sizes(|operands| elementwise(operands, size::multiply)),
        "Div" => Rule::Sizes(|operands| elementwise(operands, size::divide)),
        "Max" => Rule::Sizes(|operands| elementwise(operands, size::larger)),
        "Min" => Rule::Sizes(|operands| elementwise(operands, size::smaller)),
        "Mod" => Rule::Sizes(remainder),
        "Equal" => Rule::Sizes(|operands| Ok(equal(operands))),
        "Concat" => Rule::Sizes(concat),
        "Gather" => Rule::Sizes(|operands| Ok(gather(operands))),
        "Squeeze" => Rule::Sizes(squeeze),
        "Unsqueeze" => Rule::Sizes(unsqueeze),
        "Reshape" => Rule::Sizes(reshape),
        "ReduceProd" => Rule::Sizes(reduce_product),
        "Slice" => Rule::Sizes(slice),
        "ConstantOfShape" => Rule::Sizes(constant_of_shape),
        _ => return None,
    })
}

/// Works out the first result of a node, as far as it is known; `None` where nothing is.
///
/// # Errors
/// An attribute is wrong.
pub(crate) fn propagate(call: &Call<'_, '_>) -> Propagated {
    match rule(call.node.op_type()) {
        Some(Rule::Node(rule)) => rule(call),
        Some(Rule::Sizes(rule)) => Operands::of(call).map_or(Ok(None), |operands| rule(&operands)),
        None => Ok(None),
    }
}

/// The inputs of a node, all of which are known.
struct Operands<'c, 'm, 'g> {
    call: &'c Call<'m, 'g>,
    first: Vec<Size>,
    /// The inputs behind the first; an input that is left out is empty.
    others: Vec<Vec<Size>>,
}

impl<'c, 'm, 'g> Operands<'c, 'm, 'g> {
    fn of(call: &'c Call<'m, 'g>) -> Option<Self> {
        let mut inputs = call.inputs.iter().map(|input| match input {
            Some(value) => value.known.as_ref()?.sizes().filter(|sizes| sizes.len() <= LONGEST),
            None => Some(Vec::new()),
        });
        let first = inputs.next()??;
        let others = inputs.collect::<Option<_>>()?;
        Some(Self { call, first, others })
    }

    /// The known value of an input.
    fn known(&self, index: usize) -> Option<&StaticValue> {
        known(self.call, index)
    }

    fn is_scalar(&self, index: usize) -> bool {
        self.known(index).is_some_and(StaticValue::is_scalar)
    }

    /// True if the result of two inputs place by place is a single number.
    fn are_scalars(&self) -> bool {
        self.is_scalar(0) && self.is_scalar(1)
    }

    /// The element type of the first input.
    fn dtype(&self) -> DType {
        self.known(0).map_or(DType::I64, StaticValue::dtype)
    }

    /// The first of exactly one input.
    fn single(&self) -> Option<&[Size]> {
        self.others.is_empty().then_some(&self.first[..])
    }

    /// The second of exactly two inputs.
    fn second(&self) -> Option<&[Size]> {
        match &self.others[..] {
            [second] => Some(second),
            _ => None,
        }
    }

    /// Exactly two inputs place by place.
    fn pairs(&self) -> Option<Vec<(Size, Size)>> {
        pairs(&self.first, self.second()?)
    }

    /// A result of the type of the first input.
    fn result(&self, sizes: Vec<Size>, is_scalar: bool) -> Propagated {
        Ok(integers(sizes, is_scalar, self.dtype()))
    }
}

fn known<'c>(call: &'c Call<'_, '_>, index: usize) -> Option<&'c StaticValue> {
    call.optional(index).and_then(|value| value.known.as_ref())
}

/// A value of integers; `None` for other element types.
fn integers(sizes: Vec<Size>, is_scalar: bool, dtype: DType) -> Option<StaticValue> {
    let is_integer = matches!(dtype, DType::I32 | DType::I64);
    is_integer.then_some(StaticValue::Sizes { sizes, is_scalar, dtype })
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

/// The product of all sizes.
fn product(sizes: impl IntoIterator<Item = Size>) -> Size {
    sizes.into_iter().fold(Size::Number(1), size::multiply)
}

// ---- of shapes --------------------------------------------------------------------------------

/// The dimensions of the first input from `start` to before `end`.
fn shape(call: &Call<'_, '_>) -> Propagated {
    let value = call.value(0)?;
    let mut dims: Vec<Dim> = match &value.known {
        Some(StaticValue::Array(array)) => array.dims.iter().map(|&dim| Dim::Known(dim)).collect(),
        _ => value.any(call.graph).shape().to_vec(),
    };
    if value.is_images() && dims.len() == 4 {
        dims = NHWC_TO_NCHW.iter().filter_map(|&axis| dims.get(axis).copied()).collect();
    }
    let rank = dims.len() as i64;
    let (start, end) = (call.int_or("start", 0)?, call.int_or("end", rank)?);
    let sizes = dims.get(range_of(start, end, dims.len())).unwrap_or_default();
    Ok(Some(StaticValue::Sizes {
        sizes: sizes.iter().map(|&dim| dim.into()).collect(),
        is_scalar: false,
        dtype: DType::I64,
    }))
}

/// The number of elements of the first input.
fn element_count(call: &Call<'_, '_>) -> Propagated {
    let shape = call.value(0)?.any(call.graph).shape();
    let count = product(shape.iter().map(|&dim| dim.into()));
    Ok(integers(vec![count], true, DType::I64))
}

/// The places from `start` to before `end` of a vector, negative ones counted from its end.
fn range_of(start: i64, end: i64, length: usize) -> std::ops::Range<usize> {
    let length = length as i64;
    let place = |place: i64| {
        let place = if place < 0 { place.saturating_add(length) } else { place };
        place.clamp(0, length) as usize
    };
    let (start, end) = (place(start), place(end));
    start..end.max(start)
}

// ---- of elements ------------------------------------------------------------------------------

fn identity(operands: &Operands<'_, '_, '_>) -> Propagated {
    match operands.single() {
        Some(x) => operands.result(x.to_vec(), operands.is_scalar(0)),
        None => Ok(None),
    }
}

fn cast(operands: &Operands<'_, '_, '_>) -> Propagated {
    let Some(x) = operands.single() else {
        return Ok(None);
    };
    let to = i32::try_from(operands.call.int_or("to", 0)?).ok();
    let to = to.and_then(|to| element_type::read(to).ok());
    Ok(to.and_then(|to| integers(x.to_vec(), operands.is_scalar(0), to)))
}

fn negate(operands: &Operands<'_, '_, '_>) -> Propagated {
    let Some(x) = operands.single() else {
        return Ok(None);
    };
    let negative = x.iter().map(|&x| size::subtract(Size::Number(0), x)).collect();
    operands.result(negative, operands.is_scalar(0))
}

/// A function of two inputs, element by element.
fn elementwise(
    operands: &Operands<'_, '_, '_>,
    function: impl Fn(Size, Size) -> Size,
) -> Propagated {
    let Some(pairs) = operands.pairs() else {
        return Ok(None);
    };
    let sizes = pairs.into_iter().map(|(x, y)| function(x, y)).collect();
    operands.result(sizes, operands.are_scalars())
}

/// `Mod` with the sign of the divisor; not that of `fmod`.
fn remainder(operands: &Operands<'_, '_, '_>) -> Propagated {
    if operands.second().is_none() || operands.call.flag("fmod", false)? {
        return Ok(None);
    }
    elementwise(operands, size::remainder)
}

fn equal(operands: &Operands<'_, '_, '_>) -> Option<StaticValue> {
    let pairs = operands.pairs()?;
    let truths = pairs.iter().map(|&(x, y)| size::equal(x, y).map(u8::from));
    let bytes: Vec<u8> = truths.collect::<Option<_>>()?;
    let dims = [bytes.len()];
    let dims: &[usize] = if operands.are_scalars() { &[] } else { &dims };
    Some(StaticValue::Array(Array::new(DType::Bool, dims, &bytes).into()))
}

/// The elements of one of two inputs, by a condition that is known.
fn choose(call: &Call<'_, '_>) -> Option<StaticValue> {
    let condition = known(call, 0)?.array()?;
    let (x, y) = (known(call, 1)?, known(call, 2)?);
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
    (x.dtype() != DType::Bool).then(|| StaticValue::Sizes { sizes, is_scalar, dtype: x.dtype() })
}

/// `And`, `Or` and `Not` of truth values in vectors and single ones.
fn logic(call: &Call<'_, '_>) -> Option<StaticValue> {
    let operand = |index: usize| -> Option<Arc<Array>> {
        let array = known(call, index)?.array()?;
        let fits = array.dtype == DType::Bool && array.dims.len() <= 1 && array.len() <= LONGEST;
        fits.then_some(array)
    };
    let x = operand(0)?;
    if call.node.op_type() == "Not" {
        let bytes = x.bytes.iter().map(|&byte| 1 - byte).collect();
        let array = Array { dtype: DType::Bool, dims: x.dims.clone(), bytes };
        return Some(StaticValue::Array(array.into()));
    }
    let y = operand(1)?;
    let sizes = |of: &Array| -> Vec<Size> {
        of.bytes.iter().map(|&byte| Size::Number(byte.into())).collect()
    };
    let is_and = call.node.op_type() == "And";
    let truth = |(x, y): (Size, Size)| {
        let (x, y) = (x != Size::Number(0), y != Size::Number(0));
        u8::from(if is_and { x && y } else { x || y })
    };
    let bytes: Vec<u8> = pairs(&sizes(&x), &sizes(&y))?.into_iter().map(truth).collect();
    let dims = if x.dims.len() >= y.dims.len() { x.dims.clone() } else { y.dims.clone() };
    let dims = if dims.is_empty() { dims } else { [bytes.len()][..].into() };
    Some(StaticValue::Array(Array { dtype: DType::Bool, dims, bytes }.into()))
}

/// A sequence of few integers.
fn range(call: &Call<'_, '_>) -> Option<StaticValue> {
    let number = |index: usize| -> Option<i64> {
        let known = known(call, index)?;
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
    (delta != 0).then_some(StaticValue::Sizes { sizes, is_scalar: false, dtype: DType::I64 })
}

// ---- of the arrangement -----------------------------------------------------------------------

fn concat(operands: &Operands<'_, '_, '_>) -> Propagated {
    let mut all = operands.first.clone();
    all.extend(operands.others.iter().flatten());
    let count = 1 + operands.others.len();
    if (0..count).any(|index| operands.is_scalar(index)) || all.len() > LONGEST {
        return Ok(None);
    }
    operands.result(all, false)
}

fn gather(operands: &Operands<'_, '_, '_>) -> Option<StaticValue> {
    if operands.second().is_none() || operands.is_scalar(0) {
        return None;
    }
    let x = &operands.first;
    let pick = |&index: &i64| {
        let index = if index < 0 { index.checked_add(x.len() as i64)? } else { index };
        x.get(usize::try_from(index).ok()?).copied()
    };
    let indices = operands.known(1).and_then(StaticValue::integers)?;
    let sizes = indices.iter().map(pick).collect::<Option<_>>()?;
    integers(sizes, operands.is_scalar(1), operands.dtype())
}

fn squeeze(operands: &Operands<'_, '_, '_>) -> Propagated {
    if operands.first.len() != 1 {
        return Ok(None);
    }
    operands.result(operands.first.clone(), true)
}

fn unsqueeze(operands: &Operands<'_, '_, '_>) -> Propagated {
    if !operands.is_scalar(0) {
        return Ok(None);
    }
    match operands.call.axes("axes", 13, 1)?.as_deref() {
        Some([0 | -1]) => operands.result(operands.first.clone(), false),
        _ => Ok(None),
    }
}

/// A vector as itself, or as a single number.
fn reshape(operands: &Operands<'_, '_, '_>) -> Propagated {
    let x = &operands.first;
    match operands.second() {
        Some(&[Size::Number(length)]) if length == -1 || usize::try_from(length) == Ok(x.len()) => {
            operands.result(x.clone(), false)
        }
        Some([]) if x.len() == 1 => operands.result(x.clone(), true),
        _ => Ok(None),
    }
}

fn reduce_product(operands: &Operands<'_, '_, '_>) -> Propagated {
    if operands.is_scalar(0) {
        return Ok(None);
    }
    let is_scalar = !operands.call.flag("keepdims", true)?;
    operands.result(vec![product(operands.first.iter().copied())], is_scalar)
}

/// The elements from one place to before another, without steps.
fn slice(operands: &Operands<'_, '_, '_>) -> Propagated {
    let call = operands.call;
    if operands.is_scalar(0) {
        return Ok(None);
    }
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
    let x = &operands.first;
    let sizes = x.get(range_of(start, end, x.len())).unwrap_or_default();
    operands.result(sizes.to_vec(), false)
}

/// A vector of so many equal numbers, or a single one.
fn constant_of_shape(operands: &Operands<'_, '_, '_>) -> Propagated {
    let length = match operands.single() {
        Some([]) => 1,
        Some(&[Size::Number(length)]) if (0..=LONGEST as i64).contains(&length) => length as usize,
        _ => return Ok(None),
    };
    let Some(value) = operands.call.tensor_attribute("value")? else {
        return Ok(None);
    };
    let sizes = crate::tensor::integers(&value).filter(|_| value.dtype != DType::U8);
    Ok(sizes.and_then(|sizes| sizes.first().copied()).map(|size| StaticValue::Sizes {
        sizes: vec![Size::Number(size); length],
        is_scalar: operands.first.is_empty(),
        dtype: value.dtype,
    }))
}
