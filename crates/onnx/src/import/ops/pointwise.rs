//! Functions of each element.

use abeyance_graph::Expr;
use abeyance_ir::DType;

use super::super::call::{Call, Imported, ordered, unsupported};
use super::super::entry::OpEntry;
use super::super::value::converted;
use crate::element_type;
use crate::error::ProblemKind;

/// The first input under a function of each element, in whatever order its dimensions are.
pub(crate) fn each<'g>(
    call: &Call<'_, 'g>,
    function: impl FnOnce(Expr<'g>) -> Expr<'g>,
) -> Imported<'g> {
    let value = call.value(0)?;
    let images = value.is_images();
    ordered(function(value.any(call.graph)), images)
}

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("Abs", "`abs`", |call| each(call, |x| x.abs())),
    OpEntry::new("Ceil", "`ceil`", |call| each(call, |x| x.ceil())),
    OpEntry::new("Cos", "`cos`", |call| each(call, |x| x.cos())),
    OpEntry::new("Erf", "`erf`", |call| each(call, |x| x.erf())),
    OpEntry::new("Exp", "`exp`", |call| each(call, |x| x.exp())),
    OpEntry::new("Floor", "`floor`", |call| each(call, |x| x.floor())),
    OpEntry::new("IsNaN", "`is_nan`", |call| each(call, |x| x.is_nan())),
    OpEntry::new("Log", "`log`", |call| each(call, |x| x.log())),
    OpEntry::new("Neg", "`neg`", |call| each(call, |x| -x)),
    OpEntry::new("Reciprocal", "`reciprocal`", |call| each(call, |x| x.reciprocal())),
    OpEntry::new("Round", "`round`", |call| each(call, |x| x.round())),
    OpEntry::new("Sign", "`sign`", |call| each(call, |x| x.sign())),
    OpEntry::new("Sin", "`sin`", |call| each(call, |x| x.sin())),
    OpEntry::new("Sqrt", "`sqrt`", |call| each(call, |x| x.sqrt())),
    OpEntry::new("Tan", "`tan`", |call| each(call, |x| x.tan())),
    OpEntry::new("Tanh", "`tanh`", |call| each(call, |x| x.tanh())),
    OpEntry::new("Identity", "`identity`", |call| each(call, |x| x.identity())),
    OpEntry::new("Cast", "`cast`", |call| {
        let to = data_type(call.int_or("to", 0)?)?;
        each(call, |x| converted(x, to))
    })
    .unsupported(
        "types other than f32, f64, i32, i64, u8 and bool; what of `saturate` concerns these",
    ),
    OpEntry::new("CastLike", "`cast`", |call| {
        let to = call.dtype(call.tensor(1)?);
        each(call, |x| converted(x, to))
    }),
    OpEntry::new("IsInf", "`is_inf`, with a comparison for one sign alone", |call| {
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
    OpEntry::new("Sinh", "`sinh`", |call| each(call, |x| x.sinh())),
    OpEntry::new("Cosh", "`cosh`", |call| each(call, |x| x.cosh())),
    OpEntry::new("Asinh", "`asinh`", |call| each(call, |x| x.asinh())),
    OpEntry::new("Acosh", "`acosh`", |call| each(call, |x| x.acosh())),
    OpEntry::new("Atanh", "`atanh`", |call| each(call, |x| x.atanh())),
    OpEntry::new("Asin", "`asin`", |call| each(call, |x| x.asin())),
    OpEntry::new("Acos", "`acos`", |call| each(call, |x| x.acos())),
    OpEntry::new("Atan", "`atan`", |call| each(call, |x| x.atan())),
    OpEntry::new("Clip", "`maximum` and `minimum`", |call| {
        let (low, high) = if call.opset >= 11 {
            (call.optional_tensor(1), call.optional_tensor(2))
        } else {
            let x = call.value(0)?.any(call.graph);
            let bound = |name, default: f32| -> Result<_, ProblemKind> {
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
    OpEntry::new("Shrink", "`x - bias` above `lambd`, `x + bias` below `-lambd`, else 0", |call| {
        let (bias, bound) = (call.float_or("bias", 0.0)?, call.float_or("lambd", 0.5)?);
        each(call, |x| {
            let within = x.less(-bound).select(x + bias, 0.0);
            x.greater(bound).select(x + -bias, within)
        })
    }),
];

/// The element type of a number of ONNX's.
pub(crate) fn data_type(number: i64) -> Result<DType, ProblemKind> {
    match i32::try_from(number) {
        Ok(number) => element_type::read(number).map_err(ProblemKind::Unsupported),
        Err(_) => unsupported(format!("{number} is not the number of an element type")),
    }
}
