//! Orders of the dimensions of images and filters. ONNX has images as NCHW, `[N, C, H, W]`, and
//! filters as OIHW, `[F, C, h, w]`; here they are NHWC, `[N, H, W, C]`, and HWIO, `[h, w, C, F]`.
//!
//! An order names for each dimension of the result the dimension of the operand, as `perm` of
//! ONNX's `Transpose` does.

use abeyance_ir::Array;

/// The order that turns ONNX's images into those used here.
pub(crate) const NCHW_TO_NHWC: [usize; 4] = [0, 2, 3, 1];
/// The order that turns images used here into ONNX's.
pub(crate) const NHWC_TO_NCHW: [usize; 4] = [0, 3, 1, 2];
/// The order that turns ONNX's filters into those used here.
pub(crate) const OIHW_TO_HWIO: [usize; 4] = [2, 3, 1, 0];
/// The order that turns filters used here into ONNX's.
pub(crate) const HWIO_TO_OIHW: [usize; 4] = [3, 2, 0, 1];

/// Transposes an array of four dimensions.
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
