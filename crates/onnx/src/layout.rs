//! Arrays with their dimensions in another order.

use abeyance_ir::Array;

/// The array with its four dimensions in another order.
pub(crate) fn transposed(array: &Array, order: [usize; 4]) -> Array {
    let Ok(dims) = <[usize; 4]>::try_from(&array.dims[..]) else {
        return array.clone();
    };
    let size = array.dtype.size();
    let strides = [dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3], 1];
    let [to, by] = [order.map(|axis| dims[axis]), order.map(|axis| strides[axis])];
    let mut bytes = Vec::with_capacity(array.bytes.len());
    for a in 0..to[0] {
        for b in 0..to[1] {
            for c in 0..to[2] {
                for d in 0..to[3] {
                    let at = (a * by[0] + b * by[1] + c * by[2] + d * by[3]) * size;
                    bytes.extend_from_slice(array.bytes.get(at..at + size).unwrap_or_default());
                }
            }
        }
    }
    Array { dtype: array.dtype, dims: to[..].into(), bytes }
}
