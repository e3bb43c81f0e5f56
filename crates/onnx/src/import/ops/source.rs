//! Values that depend on no elements: constants, sizes, sequences; and dropout.

use abeyance_graph::ops::{comparison, random as draws, source};
use abeyance_ir::{Array, DType, Shape};

use super::super::call::{Call, one, unsupported, with_float, wrong};
use super::super::table::Row;
use super::super::value::Value;
use super::arrangement::diagonals;
use super::pointwise::data_type;
use super::shape::dims;
use crate::error::Reason;
use crate::tensor;

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("Constant", "`constant`", |call| {
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
        match call.node.attribute.iter().any(|attribute| attribute.name() == "value_float") {
            true => {
                let value = call.float_or("value_float", 0.0)?;
                Ok(vec![Value::array(Array::scalar(DType::F32, value))])
            }
            false => unsupported("texts and sparse arrays are no constants"),
        }
    })
    .limits("texts, sparse arrays"),
    Row::new("ConstantOfShape", "`fill`", |call| {
        let value = call.tensor_attribute("value")?.unwrap_or(Array::scalar(DType::F32, 0.0));
        if value.len() != 1 {
            return wrong("the value is not a single number");
        }
        let value = Array { dims: abeyance_ir::Dims::new(), ..value };
        let to: Shape = dims(call, &call.known_sizes(0)?)?.into_iter().collect();
        one(call.emit(|graph| source::fill(graph, value, to)))
    })
    .known(&[0]),
    Row::new("Shape", "`shape_of`, worked out when the model is imported as far as it is known", |_| {
        unsupported("a shape that is not known")
    }),
    Row::new("Size", "`size`, worked out when the model is imported if it is known", |call| {
        let of = call.shape(call.value(0)?.any(call.graph));
        one(call.emit(|graph| source::size(graph, DType::I64, of)))
    }),
    Row::new("Range", "`range`", |call| {
        let list = [call.known_array(0)?, call.known_array(1)?, call.known_array(2)?];
        let [Some(start), Some(limit), Some(delta)] = list else {
            return wrong("start, limit or delta is missing");
        };
        if [&start, &limit, &delta].iter().any(|array| array.len() != 1 || array.dtype != start.dtype) {
            return wrong("start, limit and delta are not single numbers of one type");
        }
        macro_rules! range {
            ($type:ty) => {{
                let number = |array: &Array| array.elements::<$type>().first().copied();
                match (number(&start), number(&limit), number(&delta)) {
                    (Some(start), Some(limit), Some(delta)) => {
                        one(call.graph.range::<$type>(start, limit, delta).erase())
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
    Row::new("EyeLike", "a comparison of places", |call| {
        let x = call.tensor(0)?;
        let dtype = match call.int("dtype")? {
            Some(number) => data_type(number)?,
            None => call.dtype(x),
        };
        if call.rank(x) != 2 {
            return wrong("a matrix has two dimensions");
        }
        let k = call.constant(Array::new(DType::I64, &[], &[call.int_or("k", 0)?]));
        one(call.cast(call.binary(comparison::equal, diagonals(call, x, 2), k), dtype))
    }),
    Row::new("If", "the nodes of the branch that is taken", |call| Err(call.needs(0)))
        .limits("a condition that is not known")
        .known(&[0]),
    Row::new("Dropout", "nothing, since nothing is dropped where a model is used; in training mode the nodes of `dropout`", |call| {
        let (ratio, training) = match call.opset >= 12 {
            true => (
                call.known_number(1)?.unwrap_or(0.5),
                call.known_array(2)?.is_some_and(|array| tensor::reals(&array).first() == Some(&1.0)),
            ),
            false => (0.5, false),
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
                let keep = call.number(1.0 - ratio, x).assume::<T>();
                x.assume::<T>().dropout_keeping(keep).erase()
            }));
        }
        let mut outputs = vec![(**value).clone()];
        if wants_mask {
            let shape = call.shape(value.as_plain(call.graph));
            let kept = Array::scalar(DType::Bool, 1.0);
            outputs.push(Value::plain(call.emit(|graph| source::fill(graph, kept, shape))));
        }

        Ok(outputs)
    })
    .limits("the mask of a random dropout")
    .known(&[1, 2]),
    Row::new("RandomUniformLike", "`random_uniform`", |call| {
        let (low, high) = (call.float_or("low", 0.0)?, call.float_or("high", 1.0)?);
        random(call, |call, dtype, shape| {
            call.emit(|graph| draws::random_uniform(graph, dtype, shape, low, high))
        })
    })
    .limits("the attribute `seed` counts nothing: a session has one"),
    Row::new("RandomNormalLike", "`random_normal`", |call| {
        let (mean, scale) = (call.float_or("mean", 0.0)?, call.float_or("scale", 1.0)?);
        random(call, |call, dtype, shape| {
            call.emit(|graph| draws::random_normal(graph, dtype, shape, mean, scale))
        })
    })
    .limits("the attribute `seed` counts nothing: a session has one"),
    Row::new("Bernoulli", "`random_uniform` and `less`", |call| {
        let x = call.tensor(0)?;
        let dtype = match call.int("dtype")? {
            Some(number) => data_type(number)?,
            None => call.dtype(x),
        };
        random(call, |call, own, shape| {
            let drawn = call.emit(|graph| {
                draws::random_uniform(graph, own, shape, 0.0, 1.0)
            });
            call.cast(call.binary(comparison::less, drawn, x), dtype)
        })
    })
    .limits("the attribute `seed` counts nothing: a session has one"),
];

/// Random numbers in the shape of the first input.
fn random<'g>(
    call: &Call<'_, 'g>,
    draw: impl FnOnce(&Call<'_, 'g>, DType, Shape) -> abeyance_graph::AnyTensor<'g>,
) -> Result<Vec<Value<'g>>, Reason> {
    let x = call.tensor(0)?;
    let dtype = call.float_type(x)?;
    let shape = call.shape(x);
    one(draw(call, dtype, shape))
}
