//! Functions of each element.

use abeyance_graph::AnyTensor;
use abeyance_graph::ops::{
    binary, classify, comparison, error_function, rounding, select, trigonometric, unary,
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
                (false, false) => call.binary(comparison::not_equal, x, x),
            })
        })
    })
    .limits("`detect_negative=0, detect_positive=0` of NaN"),
    Row::new("Sinh", "`(exp(x) - exp(-x)) / 2`", |call| {
        each(call, |x| {
            let difference = call.binary(binary::sub, call.unary(unary::exp, x), exp_neg(call, x));
            Ok(call.times(difference, 0.5))
        })
    }),
    Row::new("Cosh", "`(exp(x) + exp(-x)) / 2`", |call| {
        each(call, |x| {
            let sum = call.binary(binary::add, call.unary(unary::exp, x), exp_neg(call, x));
            Ok(call.times(sum, 0.5))
        })
    }),
    Row::new("Asinh", "`sign(x) log(|x| + sqrt(x² + 1))`", |call| {
        each(call, |x| {
            let root = call.unary(unary::sqrt, call.plus(call.unary(unary::square, x), 1.0));
            let size = call.unary(unary::abs, x);
            let log = call.unary(unary::log, call.binary(binary::add, size, root));
            Ok(call.binary(binary::mul, call.unary(unary::sign, x), log))
        })
    }),
    Row::new("Acosh", "`log(x + sqrt(x² - 1))`", |call| {
        each(call, |x| {
            let root = call.unary(unary::sqrt, call.plus(call.unary(unary::square, x), -1.0));
            Ok(call.unary(unary::log, call.binary(binary::add, x, root)))
        })
    }),
    Row::new("Atanh", "`(log1p(x) - log1p(-x)) / 2`", |call| {
        each(call, |x| {
            let less = call.unary(unary::log1p, call.unary(unary::neg, x));
            let difference = call.binary(binary::sub, call.unary(unary::log1p, x), less);
            Ok(call.times(difference, 0.5))
        })
    }),
    Row::new("Asin", "`atan2(x, sqrt(1 - x²))`", |call| {
        each(call, |x| Ok(call.binary(trigonometric::atan2, x, other_leg(call, x))))
    }),
    Row::new("Acos", "`atan2(sqrt(1 - x²), x)`", |call| {
        each(call, |x| Ok(call.binary(trigonometric::atan2, other_leg(call, x), x)))
    }),
    Row::new("Atan", "`atan2(x, 1)`", |call| {
        each(call, |x| Ok(call.with_number(trigonometric::atan2, x, 1.0)))
    }),
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

fn exp_neg<'g>(call: &Call<'_, 'g>, x: AnyTensor<'g>) -> AnyTensor<'g> {
    call.unary(unary::exp, call.unary(unary::neg, x))
}

/// The other leg of a right triangle with hypotenuse 1.
fn other_leg<'g>(call: &Call<'_, 'g>, x: AnyTensor<'g>) -> AnyTensor<'g> {
    let squares = call.unary(unary::square, x);
    let rest = call.emit(|graph| {
        let one = abeyance_graph::ops::scalar_like(graph, x.id(), 1.0);
        binary::sub(graph, one, squares.id())
    });
    call.unary(unary::sqrt, rest)
}
