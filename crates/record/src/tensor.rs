//! The elements of a [`TensorProto`], whichever way they are written.

use crate::proto::{TensorProto, data_type};

impl TensorProto {
    /// The sizes of its dimensions; `None` if one is unknown.
    pub fn dims(&self) -> Option<Vec<usize>> {
        let Some(shape) = &self.tensor_shape else { return Some(Vec::new()) };
        if shape.unknown_rank {
            return None;
        }
        shape.dim.iter().map(|dim| usize::try_from(dim.size).ok()).collect()
    }

    /// The number of elements that its shape has.
    fn count(&self) -> Option<usize> {
        self.dims()?.iter().try_fold(1usize, |count, &size| count.checked_mul(size))
    }

    /// The tensor's numbers, row-major, as f64. `None` for texts, for types that are not known
    /// here, and where elements are missing.
    ///
    /// A list that is shorter than the shape stands for itself with its last element repeated, as
    /// TensorFlow writes tensors of one value; that is read up to a million elements.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        const MOST_REPEATED: usize = 1 << 20;
        let count = self.count()?;
        if !self.tensor_content.is_empty() {
            let values = self.content_numbers()?;
            return (values.len() == count).then_some(values);
        }
        let mut values: Vec<f64> = match self.dtype {
            data_type::FLOAT => self.float_val.iter().map(|&value| value.into()).collect(),
            data_type::DOUBLE => self.double_val.clone(),
            data_type::INT32 | data_type::UINT8 | data_type::UINT16 | 5 | 6 => {
                self.int_val.iter().map(|&value| value.into()).collect()
            }
            data_type::INT64 => self.int64_val.iter().map(|&value| value as f64).collect(),
            data_type::BOOL => {
                self.bool_val.iter().map(|&value| f64::from(u8::from(value))).collect()
            }
            _ => return None,
        };
        if values.len() < count && count <= MOST_REPEATED {
            let last = *values.last()?;
            values.resize(count, last);
        }
        (values.len() == count).then_some(values)
    }

    fn content_numbers(&self) -> Option<Vec<f64>> {
        fn each<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> f64) -> Option<Vec<f64>> {
            let (chunks, rest) = bytes.as_chunks::<N>();
            rest.is_empty().then(|| chunks.iter().map(|&chunk| of(chunk)).collect())
        }
        let bytes = &self.tensor_content;
        match self.dtype {
            data_type::FLOAT => each(bytes, |chunk| f32::from_le_bytes(chunk).into()),
            data_type::DOUBLE => each(bytes, f64::from_le_bytes),
            data_type::INT32 => each(bytes, |chunk| i32::from_le_bytes(chunk).into()),
            data_type::INT64 => each(bytes, |chunk| i64::from_le_bytes(chunk) as f64),
            data_type::UINT16 => each(bytes, |chunk| u16::from_le_bytes(chunk).into()),
            5 => each(bytes, |chunk| i16::from_le_bytes(chunk).into()),
            6 => each(bytes, |[byte]| i8::from_le_bytes([byte]).into()),
            data_type::UINT8 | data_type::BOOL => each(bytes, |[byte]| byte.into()),
            _ => None,
        }
    }

    /// The only number of a tensor with one element.
    pub fn number(&self) -> Option<f64> {
        match self.numbers()?.as_slice() {
            [number] => Some(*number),
            _ => None,
        }
    }

    /// Small numbers such as classes; `None` if one is negative or above 65,535.
    pub fn classes(&self) -> Option<Vec<u16>> {
        let class = |value: f64| {
            let class = value as u16;
            (f64::from(class) == value).then_some(class)
        };
        self.numbers()?.into_iter().map(class).collect()
    }

    /// Its texts or pieces of bytes, if it is of these.
    pub fn strings(&self) -> Option<&[Vec<u8>]> {
        (self.dtype == data_type::STRING).then_some(&self.string_val)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Dim, TensorShapeProto};

    fn shape(sizes: &[i64]) -> Option<TensorShapeProto> {
        let dim = sizes.iter().map(|&size| Dim { size, name: String::new() }).collect();
        Some(TensorShapeProto { dim, unknown_rank: false })
    }

    #[test]
    fn elements_are_read_from_bytes_and_from_lists() {
        let mut tensor = TensorProto {
            dtype: data_type::FLOAT,
            tensor_shape: shape(&[2]),
            tensor_content: [1.5f32, 2.5].iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..TensorProto::default()
        };
        assert_eq!(tensor.numbers(), Some(vec![1.5, 2.5]));
        tensor.tensor_content.pop();
        assert_eq!(tensor.numbers(), None);
        tensor.tensor_content.clear();
        tensor.float_val = vec![3.0];
        assert_eq!(tensor.numbers(), Some(vec![3.0, 3.0]));
        tensor.tensor_shape = shape(&[i64::MAX, i64::MAX]);
        assert_eq!(tensor.numbers(), None);
        tensor.tensor_shape = shape(&[1 << 40]);
        assert_eq!(tensor.numbers(), None);
    }

    #[test]
    fn a_class_is_a_small_whole_number() {
        let mut tensor = TensorProto {
            dtype: data_type::UINT8,
            tensor_shape: shape(&[3]),
            tensor_content: vec![7, 0, 255],
            ..TensorProto::default()
        };
        assert_eq!(tensor.classes(), Some(vec![7, 0, 255]));
        tensor.dtype = data_type::DOUBLE;
        tensor.tensor_shape = shape(&[1]);
        tensor.tensor_content = (-1.0f64).to_le_bytes().to_vec();
        assert_eq!(tensor.classes(), None);
    }
}
