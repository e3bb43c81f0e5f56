//! Attribute values and types as text: how they are read.

use std::sync::Arc;

use smallvec::SmallVec;

use super::cursor::{Cursor, Read, advise, mistake};
use super::literal::{read_array, read_real};
use super::names::is_symbol;
use crate::graph::MAX_RANK;
use crate::{Attribute, AttributeKind, DType, Dim, Graph, Initializer, Shape, TensorType, Type};

/// Reads an attribute of that kind. `result` is the declared type of the node that has it, `budget`
/// the bytes that `fill(..)` may still claim.
pub(super) fn read_attribute(
    cursor: &mut Cursor<'_>,
    kind: AttributeKind,
    graph: &mut Graph,
    result: Option<&TensorType>,
    budget: &mut usize,
) -> Read<Attribute> {
    Ok(match kind {
        AttributeKind::Flag => {
            Attribute::Flag(word(cursor, "`true` or `false`", |word| word.parse().ok())?)
        }
        AttributeKind::Integer => Attribute::Integer(integer(cursor)?),
        AttributeKind::Real => Attribute::Real(real(cursor)?),
        AttributeKind::Text => Attribute::Text(cursor.text()?.into()),
        AttributeKind::DType => {
            Attribute::DType(word(cursor, "an element type", DType::from_name)?)
        }
        AttributeKind::Shape => Attribute::Shape(read_shape(cursor, graph, "`=`")?),
        AttributeKind::Integers => {
            let mut values = SmallVec::new();
            cursor.list([b'[', b']'], "`=`", |cursor| {
                values.push(integer(cursor)?);
                Ok(())
            })?;
            Attribute::Integers(values)
        }
        AttributeKind::Array => {
            Attribute::Array(Arc::new(read_array(cursor, graph, result, budget)?))
        }
        AttributeKind::Body => {
            return Err(advise(
                "a body does not stand in the line",
                "write it as a block before this line: `NAME OF_THE_BODY {`",
            ));
        }
        AttributeKind::Initializer => {
            Attribute::Initializer(read_initializer(cursor, graph, result, budget)?)
        }
    })
}

/// Reads `f32[N, 10]`, `(f32[N, 10], i64[])` or `operation`.
pub(super) fn read_type(cursor: &mut Cursor<'_>, graph: &mut Graph) -> Read<Type> {
    let mut ahead = *cursor;
    match ahead.word() {
        Some("operation") => {
            *cursor = ahead;
            Ok(Type::Operation)
        }
        Some("invalid") => Err(advise(
            "the node was wrong already when the graph was printed",
            "mend the program that made the graph, and print it again",
        )),
        None if cursor.peek() == Some(b'(') => {
            let mut items = Vec::new();
            cursor.list([b'(', b')'], "`:`", |cursor| {
                items.push(read_tensor(cursor, graph)?);
                Ok(())
            })?;
            Ok(Type::Tuple(items))
        }
        _ => read_tensor(cursor, graph).map(Type::Tensor),
    }
}

fn read_tensor(cursor: &mut Cursor<'_>, graph: &mut Graph) -> Read<TensorType> {
    let dtype = word(cursor, "a type", DType::from_name)?;
    let shape = read_shape(cursor, graph, "the element type")?;
    Ok(TensorType { dtype, shape })
}

/// Reads `[N, 784]`.
fn read_shape(cursor: &mut Cursor<'_>, graph: &mut Graph, after: &str) -> Read<Shape> {
    let mut shape = Shape::new();
    cursor.list([b'[', b']'], after, |cursor| {
        if shape.len() == MAX_RANK {
            return Err(mistake(format!("a tensor has at most {MAX_RANK} dimensions")));
        }
        let is_quoted = cursor.peek() == Some(b'"');
        let name = cursor.name("the size of a dimension or a name for it")?;
        let dim = match name.parse() {
            Ok(size) if !is_quoted => Dim::Known(size),
            _ if is_quoted || is_symbol(&name) => Dim::Symbol(graph.symbols_mut().named(&name)),
            _ => {
                return Err(advise(
                    format!("`{}` is not the size of a dimension", crate::shorten::word(&name)),
                    "a size is a number, or a name that begins with a letter where it is not known",
                ));
            }
        };
        shape.push(dim);
        Ok(())
    })?;
    Ok(shape)
}

fn read_initializer(
    cursor: &mut Cursor<'_>,
    graph: &Graph,
    result: Option<&TensorType>,
    budget: &mut usize,
) -> Read<Initializer> {
    const FORMS: &str = "an initializer: `zeros`, `ones`, `constant(..)`, `normal(mean, stddev)`, \
                         `truncated_normal(mean, stddev)` or `uniform(low, high)`";
    let mut ahead = *cursor;
    let name = ahead.word().unwrap_or_default();
    let (mut array, mut reals) = (None, SmallVec::<[f64; 2]>::new());
    if matches!(name, "constant" | "normal" | "truncated_normal" | "uniform") {
        ahead.expect(b'(', &format!("`{name}`"))?;
        if name == "constant" {
            array = Some(read_array(&mut ahead, graph, result, budget)?);
        } else {
            reals.push(real(&mut ahead)?);
            ahead.expect(b',', "the first number")?;
            reals.push(real(&mut ahead)?);
        }
        ahead.expect(b')', &format!("what `{name}` takes"))?;
    }
    let initializer = match (name, array, reals.as_slice()) {
        ("zeros", ..) => Initializer::Zeros,
        ("ones", ..) => Initializer::Ones,
        ("constant", Some(array), _) => Initializer::Constant(Arc::new(array)),
        ("normal", _, &[mean, stddev]) => Initializer::Normal { mean, stddev },
        ("truncated_normal", _, &[mean, stddev]) => Initializer::TruncatedNormal { mean, stddev },
        ("uniform", _, &[low, high]) => Initializer::Uniform { low, high },
        _ => return Err(cursor.expected(FORMS)),
    };
    *cursor = ahead;
    Ok(initializer)
}

fn integer(cursor: &mut Cursor<'_>) -> Read<i64> {
    word(cursor, "an integer", |word| word.parse().ok())
}

fn real(cursor: &mut Cursor<'_>) -> Read<f64> {
    word(cursor, "a number", read_real)
}

/// A word that means something; else the mistake that it was expected.
fn word<T>(
    cursor: &mut Cursor<'_>,
    what: &str,
    meaning: impl FnOnce(&str) -> Option<T>,
) -> Read<T> {
    let mut ahead = *cursor;
    match ahead.word().and_then(meaning) {
        Some(value) => {
            *cursor = ahead;
            Ok(value)
        }
        None => Err(cursor.expected(what)),
    }
}
