//! Values that depend on no elements: constants, sizes, sequences; and dropout.

use std::sync::Arc;

use abeyance_graph::Expr;
use abeyance_graph::ops::source::{Fill, FillAttributes};
use abeyance_graph::raw::GraphExt;
use abeyance_ir::{Array, DType, Shape};

use super::super::call::{Call, Imported, one, unsupported, with_float, wrong};
use super::super::entry::OpEntry;
use super::super::value::{Value, converted};
use super::arrangement::diagonals;
use super::pointwise::data_type;
use super::shape::dims;
use crate::tensor;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("Constant", "`constant`", |call| {
        if let Some(array) = call.tensor_attribute("value")? {
            return Ok(vec![Value::array(array)]);
        }
        if let Some(value) = call.int("value_int")? {
            return Ok(vec![Value::array(Array::new(DType::I64, &[], &[value]))]);
        }
        if let Some(values) = call.ints("value_ints")? {
            return Ok(vec![Value::array(Array::new(DType::I64, &[values.len()], values))]);
        }
        if let Some(values) = call.floats("value_floats")? {
            return Ok(vec![Value::array(Array::new(DType::F32, &[values.len()], values))]);
        }
        if !call.node.attribute.iter().any(|attribute| attribute.name() == "value_float") {
            return unsupported("texts and sparse arrays are no constants");
        }
        let value = call.float_or("value_float", 0.0)?;
        Ok(vec![Value::array(Array::scalar(DType::F32, value))])
    })
    .unsupported("texts, sparse arrays"),
    OpEntry::new("ConstantOfShape", "`fill`", |call| {
        let value = call.tensor_attribute("value")?.unwrap_or(Array::scalar(DType::F32, 0.0));
        if value.len() != 1 {
            return wrong("the value is not a single number");
        }
        let value = Array { dims: abeyance_ir::Dims::new(), ..value };
        let shape: Shape = dims(call, &call.known_sizes(0)?)?.into_iter().collect();
        let attributes = FillAttributes { value: Arc::new(value), shape };
        one(call.graph.apply(&Fill, &[], attributes).expr())
    })
    .known(&[0]),
    OpEntry::new(
        "Shape",
        "`shape_of`, worked out when the model is imported as far as it is known",
        |_| unsupported("a shape that is not known"),
    ),
    OpEntry::new("Size", "`size`, worked out when the model is imported if it is known", |call| {
        let x = call.value(0)?.any(call.graph);
        one(x.size(DType::I64, x.shape()))
    }),
    OpEntry::new("Range", "`range`", |call| {
        let list = [call.known_array(0)?, call.known_array(1)?, call.known_array(2)?];
        let [Some(start), Some(limit), Some(delta)] = list else {
            return wrong("start, limit or delta is missing");
        };
        if [&start, &limit, &delta]
            .iter()
            .any(|array| array.len() != 1 || array.dtype != start.dtype)
        {
            return wrong("start, limit and delta are not single numbers of one type");
        }
        macro_rules! range {
            ($type:ty) => {{
                let number = |array: &Array| array.elements::<$type>().first().copied();
                match (number(&start), number(&limit), number(&delta)) {
                    (Some(start), Some(limit), Some(delta)) => {
                        one(call.graph.range::<$type>(start, limit, delta).erase().expr())
                    }
                    _ => wrong("a number is missing"),
                }
            }};
        }
        match start.dtype {
            DType::F32 => range!(f32),
            DType::F64 => range!(f64),
            DType::I32 => range!(i32),
            DType::I64 => range!(i64),
            other => unsupported(format!("a sequence of {other}")),
        }
    })
    .known(&[0, 1, 2]),
    OpEntry::new("EyeLike", "a comparison of places", |call| {
        let x = call.tensor(0)?;
        let dtype = match call.int("dtype")? {
            Some(number) => data_type(number)?,
            None => call.dtype(x),
        };
        if x.rank() != 2 {
            return wrong("a matrix has two dimensions");
        }
        let k = call.constant(Array::new(DType::I64, &[], &[call.int_or("k", 0)?]));
        one(converted(diagonals(x, 2).equal(k), dtype))
    }),
    OpEntry::new("If", "the nodes of the branch that is taken", |call| Err(call.needs(0)))
        .unsupported("a condition that is not known")
        .known(&[0]),
    OpEntry::new(
        "Dropout",
        "nothing, since nothing is dropped where a model is used; \
            in training mode the nodes of `dropout`",
        |call| {
            let (ratio, training) = if call.opset >= 12 {
                let (ratio, given) = (call.known_number(1)?, call.known_array(2)?);
                let training =
                    given.is_some_and(|array| tensor::reals(&array).first() == Some(&1.0));
                (ratio.unwrap_or(0.5), training)
            } else {
                (0.5, false)
            };
            let value = call.value(0)?;
            let wants_mask = call.node.output.get(1).is_some_and(|name| !name.is_empty());
            if training && ratio != 0.0 {
                if wants_mask {
                    return unsupported("the mask of a random dropout is not given");
                }
                let x = value.as_plain(call.graph);
                let dtype = call.float_type(x)?;
                return one(with_float!(dtype, T => {
                    let keep = call.typed::<T>(x.number(1.0 - ratio));
                    call.typed::<T>(x).dropout_keeping(keep).erase().expr()
                }));
            }
            let mut outputs = vec![(**value).clone()];
            if wants_mask {
                let x = value.as_plain(call.graph);
                outputs.push(Value::plain(x.fill(Array::scalar(DType::Bool, 1.0), x.shape())));
            }
            Ok(outputs)
        },
    )
    .unsupported("the mask of a random dropout")
    .known(&[1, 2]),
    OpEntry::new("RandomUniformLike", "`random_uniform`", |call| {
        let (low, high) = (call.float_or("low", 0.0)?, call.float_or("high", 1.0)?);
        random(call, |x, dtype| x.random_uniform(dtype, x.shape(), low, high))
    })
    .unsupported("the attribute `seed` counts nothing: a session has one"),
    OpEntry::new("RandomNormalLike", "`random_normal`", |call| {
        let (mean, scale) = (call.float_or("mean", 0.0)?, call.float_or("scale", 1.0)?);
        random(call, |x, dtype| x.random_normal(dtype, x.shape(), mean, scale))
    })
    .unsupported("the attribute `seed` counts nothing: a session has one"),
    OpEntry::new("Bernoulli", "`random_uniform` and `less`", |call| {
        let to = match call.int("dtype")? {
            Some(number) => data_type(number)?,
            None => call.dtype(call.tensor(0)?),
        };
        random(call, |x, dtype| converted(x.random_uniform(dtype, x.shape(), 0.0, 1.0).less(x), to))
    })
    .unsupported("the attribute `seed` counts nothing: a session has one"),
];

/// Random numbers in the shape of the first input and of its type, which is a float.
fn random<'g>(call: &Call<'_, 'g>, draw: impl FnOnce(Expr<'g>, DType) -> Expr<'g>) -> Imported<'g> {
    let x = call.tensor(0)?;
    let dtype = call.float_type(x)?;
    one(draw(x, dtype))
}
