//! Functions of each element.

use abeyance_graph::Expr;
use abeyance_ir::DType;

use super::super::call::{Call, Imported, ordered, unsupported};
use super::super::table::Row;
use crate::element_type;
use crate::error::Reason;

/// The first input under a function of each element, in whatever order its dimensions are.
pub(crate) fn each<'g>(
    call: &Call<'_, 'g>,
    function: impl FnOnce(Expr<'g>) -> Expr<'g>,
) -> Imported<'g> {
    let value = call.value(0)?;
    let images = value.is_images();
    ordered(function(value.any(call.graph)), images)
}

/// The elements as another type: the node itself if they are of that type.
pub(crate) fn converted(x: Expr<'_>, to: DType) -> Expr<'_> {
    if x.dtype() == Some(to) { x } else { x.cast(to) }
}

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("Abs", "`abs`", |call| each(call, |x| x.abs())),
    Row::new("Ceil", "`ceil`", |call| each(call, |x| x.ceil())),
    Row::new("Cos", "`cos`", |call| each(call, |x| x.cos())),
    Row::new("Erf", "`erf`", |call| each(call, |x| x.erf())),
    Row::new("Exp", "`exp`", |call| each(call, |x| x.exp())),
    Row::new("Floor", "`floor`", |call| each(call, |x| x.floor())),
    Row::new("IsNaN", "`is_nan`", |call| each(call, |x| x.is_nan())),
    Row::new("Log", "`log`", |call| each(call, |x| x.log())),
    Row::new("Neg", "`neg`", |call| each(call, |x| -x)),
    Row::new("Reciprocal", "`reciprocal`", |call| each(call, |x| x.reciprocal())),
    Row::new("Round", "`round`", |call| each(call, |x| x.round())),
    Row::new("Sign", "`sign`", |call| each(call, |x| x.sign())),
    Row::new("Sin", "`sin`", |call| each(call, |x| x.sin())),
    Row::new("Sqrt", "`sqrt`", |call| each(call, |x| x.sqrt())),
    Row::new("Tan", "`tan`", |call| each(call, |x| x.tan())),
    Row::new("Tanh", "`tanh`", |call| each(call, |x| x.tanh())),
    Row::new("Identity", "`identity`", |call| each(call, |x| x.identity())),
    Row::new("Cast", "`cast`", |call| {
        let to = data_type(call.int_or("to", 0)?)?;
        each(call, |x| converted(x, to))
    })
    .limits("types other than f32, f64, i32, i64, u8 and bool; what of `saturate` concerns these"),
    Row::new("CastLike", "`cast`", |call| {
        let to = call.dtype(call.tensor(1)?);
        each(call, |x| converted(x, to))
    }),
    Row::new("IsInf", "`is_inf`, with a comparison for one sign alone", |call| {
        let (negative, positive) =
            (call.flag("detect_negative", true)?, call.flag("detect_positive", true)?);
        each(call, |x| match (negative, positive) {
            (true, true) => x.is_inf(),
            (true, false) => x.is_inf().logical_and(x.less(0.0)),
            (false, true) => x.is_inf().logical_and(x.greater(0.0)),
            // Nothing is less than itself, NaN neither.
            (false, false) => x.less(x),
        })
    }),
    Row::new("Sinh", "`sinh`", |call| each(call, |x| x.sinh())),
    Row::new("Cosh", "`cosh`", |call| each(call, |x| x.cosh())),
    Row::new("Asinh", "`asinh`", |call| each(call, |x| x.asinh())),
    Row::new("Acosh", "`acosh`", |call| each(call, |x| x.acosh())),
    Row::new("Atanh", "`atanh`", |call| each(call, |x| x.atanh())),
    Row::new("Asin", "`asin`", |call| each(call, |x| x.asin())),
    Row::new("Acos", "`acos`", |call| each(call, |x| x.acos())),
    Row::new("Atan", "`atan`", |call| each(call, |x| x.atan())),
    Row::new("Clip", "`maximum` and `minimum`", |call| {
        let (low, high) = if call.opset >= 11 {
            (call.optional_tensor(1), call.optional_tensor(2))
        } else {
            let x = call.value(0)?.any(call.graph);
            let bound = |name, default: f32| -> Result<_, Reason> {
                let bound = call.float_or(name, default)?;
                Ok((bound != f64::from(default)).then(|| x.number(bound)))
            };
            (bound("min", f32::MIN)?, bound("max", f32::MAX)?)
        };
        each(call, |x| {
            let x = low.map_or(x, |low| x.maximum(low));
            high.map_or(x, |high| x.minimum(high))
        })
    })
    .known(&[1, 2]),
    Row::new("Shrink", "`x - bias` above `lambd`, `x + bias` below `-lambd`, else 0", |call| {
        let (bias, bound) = (call.float_or("bias", 0.0)?, call.float_or("lambd", 0.5)?);
        each(call, |x| {
            let within = x.less(-bound).select(x + bias, 0.0);
            x.greater(bound).select(x + -bias, within)
        })
    }),
];

/// The element type of a number of ONNX's.
pub(crate) fn data_type(number: i64) -> Result<DType, Reason> {
    match i32::try_from(number) {
        Ok(number) => element_type::read(number).map_err(Reason::Unsupported),
        Err(_) => unsupported(format!("{number} is not the number of an element type")),
    }
}
