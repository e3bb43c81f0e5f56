//! Functions of each element.

use abeyance_graph::AnyTensor;
use abeyance_graph::ops::{
    binary, classify, comparison, error_function, hyperbolic, inverse_trigonometric, rounding,
    select, trigonometric, unary,
};
use abeyance_ir::{Graph as Ir, NodeId};

use super::super::call::{Call, Imported, unsupported};
use super::super::table::Row;
use super::super::value::Value;
use crate::element_type;
use crate::error::Reason;

type Append = fn(&mut Ir, NodeId) -> NodeId;

/// The first input under a function of each element, in whatever order its dimensions are.
pub(crate) fn each<'g>(
    call: &Call<'_, 'g>,
    function: impl FnOnce(AnyTensor<'g>) -> Result<AnyTensor<'g>, Reason>,
) -> Imported<'g> {
    let value = call.value(0)?;
    let result = function(value.any(call.graph))?;
    Ok(vec![match value.is_images() {
        true => Value::images(result),
        false => Value::plain(result),
    }])
}

macro_rules! direct {
    ($name:literal, $how:literal, $append:path) => {
        Row::new($name, $how, |call| each(call, |x| Ok(call.unary($append as Append, x))))
    };
}

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    direct!("Abs", "`abs`", unary::abs),
    direct!("Ceil", "`ceil`", rounding::ceil),
    direct!("Cos", "`cos`", trigonometric::cos),
    direct!("Erf", "`erf`", error_function::erf),
    direct!("Exp", "`exp`", unary::exp),
    direct!("Floor", "`floor`", rounding::floor),
    direct!("IsNaN", "`is_nan`", classify::is_nan),
    direct!("Log", "`log`", unary::log),
    direct!("Neg", "`neg`", unary::neg),
    direct!("Reciprocal", "`reciprocal`", unary::reciprocal),
    direct!("Round", "`round`", rounding::round),
    direct!("Sign", "`sign`", unary::sign),
    direct!("Sin", "`sin`", trigonometric::sin),
    direct!("Sqrt", "`sqrt`", unary::sqrt),
    direct!("Tan", "`tan`", trigonometric::tan),
    direct!("Tanh", "`tanh`", unary::tanh),
    Row::new("Identity", "`identity`", |call| each(call, |x| Ok(call.unary(unary::identity, x)))),
    Row::new("Cast", "`cast`", |call| {
        let to = data_type(call.int_or("to", 0)?)?;
        each(call, |x| Ok(call.cast(x, to)))
    })
    .limits("types other than f32, f64, i32, i64, u8 and bool; what of `saturate` concerns these"),
    Row::new("CastLike", "`cast`", |call| {
        let like = call.tensor(1)?;
        each(call, |x| Ok(call.cast(x, call.dtype(like))))
    }),
    Row::new("IsInf", "`is_inf`, with a comparison for one sign alone", |call| {
        let (negative, positive) =
            (call.flag("detect_negative", true)?, call.flag("detect_positive", true)?);
        each(call, |x| {
            let sided = |compare| {
                let infinite = call.unary(classify::is_inf, x);
                let side = call.with_number(compare, x, 0.0);
                call.binary(abeyance_graph::ops::logical::logical_and, infinite, side)
            };
            Ok(match (negative, positive) {
                (true, true) => call.unary(classify::is_inf, x),
                (true, false) => sided(comparison::less),
                (false, true) => sided(comparison::greater),
                // Nothing is less than itself, NaN neither.
                (false, false) => call.binary(comparison::less, x, x),
            })
        })
    }),
    direct!("Sinh", "`sinh`", hyperbolic::sinh),
    direct!("Cosh", "`cosh`", hyperbolic::cosh),
    direct!("Asinh", "`asinh`", hyperbolic::asinh),
    direct!("Acosh", "`acosh`", hyperbolic::acosh),
    direct!("Atanh", "`atanh`", hyperbolic::atanh),
    direct!("Asin", "`asin`", inverse_trigonometric::asin),
    direct!("Acos", "`acos`", inverse_trigonometric::acos),
    direct!("Atan", "`atan`", inverse_trigonometric::atan),
    Row::new("Clip", "`maximum` and `minimum`", |call| {
        let (low, high) = match call.opset >= 11 {
            true => (call.optional_tensor(1), call.optional_tensor(2)),
            false => {
                let x = call.value(0)?.any(call.graph);
                let bound = |name, default: f32| -> Result<_, Reason> {
                    let bound = call.float_or(name, default)?;
                    Ok((bound != f64::from(default)).then(|| call.number(bound, x)))
                };
                (bound("min", f32::MIN)?, bound("max", f32::MAX)?)
            }
        };
        each(call, |x| {
            let x = low.map_or(x, |low| call.binary(binary::maximum, x, low));
            let clipped = high.map_or(x, |high| call.binary(binary::minimum, x, high));
            Ok(clipped)
        })
    })
    .known(&[1, 2]),
    Row::new("Shrink", "`x - bias` above `lambd`, `x + bias` below `-lambd`, else 0", |call| {
        let (bias, bound) = (call.float_or("bias", 0.0)?, call.float_or("lambd", 0.5)?);
        each(call, |x| {
            let zero = call.number(0.0, x);
            let (above, below) = (
                call.with_number(comparison::greater, x, bound),
                call.with_number(comparison::less, x, -bound),
            );
            let inner = call.emit(|graph| {
                let more = abeyance_graph::ops::scalar_like(graph, x.id(), bias);
                let more = binary::add(graph, x.id(), more);
                select::select(graph, below.id(), more, zero.id())
            });
            let less = call.plus(x, -bias);
            Ok(call.emit(|graph| select::select(graph, above.id(), less.id(), inner.id())))
        })
    }),
];

/// The element type of a number of ONNX's.
pub(crate) fn data_type(number: i64) -> Result<abeyance_ir::DType, Reason> {
    match i32::try_from(number) {
        Ok(number) => element_type::read(number).map_err(Reason::Unsupported),
        Err(_) => unsupported(format!("{number} is not the number of an element type")),
    }
}
