//! Rows of several values put together, and cut apart again.

use abeyance_session::Value;
use ndarray::{ArrayD, IxDyn};

/// Evaluates one expression for an array of any element type, and gives a value of that type.
macro_rules! map {
    ($value:expr, $array:ident => $result:expr) => {
        match $value {
            Value::F32($array) => Value::F32($result),
            Value::F64($array) => Value::F64($result),
            Value::I32($array) => Value::I32($result),
            Value::I64($array) => Value::I64($result),
            Value::U8($array) => Value::U8($result),
            Value::Bool($array) => Value::Bool($result),
        }
    };
}

/// The rows of all `parts`, which have one element type and the same sizes but for the first, one
/// after another, and behind them the last row again until there are `rows`: what is computed of it
/// is thrown away, and cannot fail where the row itself does not.
pub(crate) fn joined(parts: &[&Value], rows: usize) -> Option<Value> {
    fn of<T: Copy>(arrays: &[&ArrayD<T>], rows: usize) -> Option<ArrayD<T>> {
        let first = arrays.first()?;
        let mut dims = first.shape().to_vec();
        let width: usize = dims.get(1..)?.iter().product();
        let mut elements = Vec::with_capacity(rows.checked_mul(width)?);
        for array in arrays {
            elements.extend_from_slice(array.as_slice()?);
        }
        let last = elements.len().checked_sub(width)?;
        while elements.len() < rows * width {
            elements.extend_from_within(last..last + width);
        }
        *dims.first_mut()? = rows;
        ArrayD::from_shape_vec(IxDyn(&dims), elements).ok()
    }
    macro_rules! join {
        ($variant:ident) => {{
            let arrays: Option<Vec<_>> = parts
                .iter()
                .map(|part| match part {
                    Value::$variant(array) => Some(array),
                    _ => None,
                })
                .collect();
            Value::$variant(of(&arrays?, rows)?)
        }};
    }
    Some(match parts.first()? {
        Value::F32(_) => join!(F32),
        Value::F64(_) => join!(F64),
        Value::I32(_) => join!(I32),
        Value::I64(_) => join!(I64),
        Value::U8(_) => join!(U8),
        Value::Bool(_) => join!(Bool),
    })
}

/// Rows of a value, from one on so many.
pub(crate) fn cut(value: &Value, start: usize, rows: usize) -> Option<Value> {
    fn of<T: Copy>(array: &ArrayD<T>, start: usize, rows: usize) -> Option<ArrayD<T>> {
        let mut dims = array.shape().to_vec();
        let width: usize = dims.get(1..)?.iter().product();
        let part = array.as_slice()?.get(start * width..(start + rows) * width)?;
        *dims.first_mut()? = rows;
        ArrayD::from_shape_vec(IxDyn(&dims), part.to_vec()).ok()
    }
    Some(map!(value, array => of(array, start, rows)?))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn rows_go_together_and_come_apart() {
        let (one, two) = (Value::from(array![[1.0f32, 2.0]]), Value::from(array![[3.0f32, 4.0]]));
        let both = joined(&[&one, &two], 4).unwrap();
        let padded = array![[1.0f32, 2.0], [3.0, 4.0], [3.0, 4.0], [3.0, 4.0]];
        assert_eq!(both, padded.into());
        assert_eq!(cut(&both, 0, 1), Some(one.clone()));
        assert_eq!(cut(&both, 1, 1), Some(two));
        assert_eq!(cut(&both, 3, 2), None);
        assert_eq!(joined(&[&one, &Value::from(array![[1i32]])], 2), None);
        assert_eq!(joined(&[&Value::from(1.0f32)], 1), None);
    }
}
