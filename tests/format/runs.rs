//! The outputs of a graph's signatures, as lines with the bits of every element.

use std::fmt::Write;

use abeyance::ir::DType;
use abeyance::prelude::*;
use abeyance::session::Value;
use ndarray::{ArrayD, IxDyn};

/// A graph's unknown sizes are fed as so many.
const UNKNOWN: usize = 3;

/// Two runs of every signature, with inputs that are the same each time.
pub fn run(session: &Session, g: &Graph) -> String {
    let mut lines = String::new();
    let names: Vec<Box<str>> =
        g.ir().signatures().iter().map(|signature| signature.name.clone()).collect();
    for name in names {
        let signature = session.signature(&name).unwrap();
        let inputs: Vec<(&str, Value)> = signature
            .signature()
            .inputs
            .iter()
            .map(|(input, node)| {
                let shape = g.ir().shape(*node).unwrap();
                let dims: Vec<usize> =
                    shape.iter().map(|dim| dim.known().unwrap_or(UNKNOWN)).collect();
                (&**input, value(signature.input_dtype(input).unwrap(), &dims))
            })
            .collect();
        for _ in 0..2 {
            let feeds: Vec<Feed<'_>> = inputs
                .iter()
                .map(|(input, value)| signature.feed_value(input, value).unwrap())
                .collect();
            let values = signature.run(feeds).unwrap_or_else(|error| panic!("{name}: {error}"));
            for ((output, _), value) in signature.signature().outputs.iter().zip(&values) {
                writeln!(lines, "{name} {output} {}", bits(value)).unwrap();
            }
        }
    }
    lines
}

/// Numbers without rounding: 3, 0, 2, 4, 1; floats from -1 to 1 in halves.
fn value(dtype: DType, dims: &[usize]) -> Value {
    fn array<T>(dims: &[usize], element: impl Fn(u8) -> T) -> ArrayD<T> {
        let elements = (0..dims.iter().product()).map(|i: usize| element(((i * 7 + 3) % 5) as u8));
        ArrayD::from_shape_vec(IxDyn(dims), elements.collect()).unwrap()
    }
    match dtype {
        DType::F32 => Value::F32(array(dims, |n| (f32::from(n) - 2.0) / 2.0)),
        DType::F64 => Value::F64(array(dims, |n| (f64::from(n) - 2.0) / 2.0)),
        DType::I32 => Value::I32(array(dims, i32::from)),
        DType::I64 => Value::I64(array(dims, i64::from)),
        DType::U8 => Value::U8(array(dims, |n| n)),
        DType::Bool => Value::Bool(array(dims, |n| n % 2 == 1)),
    }
}

/// `f32[2] 3f800000 80000000`
fn bits(value: &Value) -> String {
    fn line<T>(name: &str, array: &ArrayD<T>, hex: impl Fn(&T) -> String) -> String {
        let elements: Vec<String> = array.iter().map(hex).collect();
        format!("{name}{:?} {}", array.shape(), elements.join(" "))
    }
    match value {
        Value::F32(array) => line("f32", array, |x| format!("{:08x}", x.to_bits())),
        Value::F64(array) => line("f64", array, |x| format!("{:016x}", x.to_bits())),
        Value::I32(array) => line("i32", array, |x| format!("{x:08x}")),
        Value::I64(array) => line("i64", array, |x| format!("{x:016x}")),
        Value::U8(array) => line("u8", array, |x| format!("{x:02x}")),
        Value::Bool(array) => line("bool", array, |x| u8::from(*x).to_string()),
    }
}
