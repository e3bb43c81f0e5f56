//! Arrays from files, NumPy's `.npy`, PNG images or IDX, and how they fit an input.

use std::io::Cursor;
use std::path::Path;

use abeyance::datasets::idx;
use abeyance::ir::{DType, Dim, Dims, element_count};
use abeyance::session::Value;
use ndarray::{ArrayD, IxDyn};

use crate::error::Error;
use crate::npy;

/// No larger file is read.
const MOST_BYTES: u64 = 1 << 32;
/// No image has more pixels.
const MOST_PIXELS: usize = 1 << 26;
const PNG_MAGIC: &[u8] = b"\x89PNG";

/// Reads an array from a file, which is NumPy's, PNG or IDX by its first bytes. An image is read as
/// its brightness `[height, width]`, 0 black and 255 white.
pub fn read(path: &Path) -> Result<Value, Error> {
    let refuse =
        |what: &dyn std::fmt::Display| Error::Failed(format!("`{}`: {what}", path.display()));
    let bytes = abeyance_storage::read(path, MOST_BYTES).map_err(|error| refuse(&error))?;
    if bytes.starts_with(npy::MAGIC) {
        return npy::decode(&bytes).map_err(|what| refuse(&what));
    }
    if bytes.starts_with(PNG_MAGIC) {
        return png(bytes).map_err(|what| refuse(&what));
    }
    // The zeros of IDX, or the first bytes of gzip.
    if bytes.starts_with(&[0, 0]) || bytes.starts_with(&[0x1f, 0x8b]) {
        let name = path.display().to_string();
        let array = idx::from_reader::<u8>(Cursor::new(bytes), name).map_err(Error::failed)?;
        return Ok(Value::U8(array.into_array().map_err(|error| refuse(&error))?));
    }
    Err(refuse(&"it is no NumPy array (.npy), PNG image or IDX file"))
}

/// Decodes a PNG image to its brightness (Rec. 601); transparent pixels lie on white.
fn png(bytes: Vec<u8>) -> Result<Value, String> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width.checked_mul(height).is_none_or(|pixels| pixels > MOST_PIXELS) {
        return Err(format!("{width} by {height} pixels are more than are read"));
    }
    let size = reader.output_buffer_size().ok_or("it is too large")?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(|error| error.to_string())?;
    let pixels = pixels.get(..frame.buffer_size()).unwrap_or_default();
    let grey = |red: u8, green: u8, blue: u8| {
        let sum = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
        ((sum + 500) / 1000) as u8
    };
    let on_white = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let brightness: Vec<u8> = match frame.color_type {
        png::ColorType::Grayscale => pixels.to_vec(),
        png::ColorType::GrayscaleAlpha => {
            pixels.as_chunks().0.iter().map(|&[value, alpha]| on_white(value, alpha)).collect()
        }
        png::ColorType::Rgb => {
            pixels.as_chunks().0.iter().map(|&[red, green, blue]| grey(red, green, blue)).collect()
        }
        png::ColorType::Rgba => {
            let pixels = pixels.as_chunks().0.iter();
            pixels
                .map(|&[red, green, blue, alpha]| on_white(grey(red, green, blue), alpha))
                .collect()
        }
        png::ColorType::Indexed => return Err("its colours could not be looked up".to_owned()),
    };
    let array = ArrayD::from_shape_vec(IxDyn(&[height, width]), brightness);
    Ok(Value::U8(array.map_err(|error| error.to_string())?))
}

/// Fits an array to an input: bytes become numbers from 0 to 1 where the input takes floats, and
/// dimensions of size 1 and that of the batch are added where the input has them.
///
/// # Errors
/// The shape or the element type does not fit.
pub fn fit(value: Value, dtype: DType, wanted: &[Dim], shown: &str) -> Result<Value, String> {
    let found = format!("{}{:?}", value.dtype(), value.shape());
    let dims = fitting_dims(value.shape(), wanted).ok_or_else(|| {
        // Two dimensions of bytes are an image.
        let help = match (&value, wanted) {
            (Value::U8(image), [_, Dim::Known(height), Dim::Known(width), ..])
                if image.ndim() == 2 =>
            {
                format!("\n   = help: scale the image to {width} by {height} pixels")
            }
            _ => String::new(),
        };
        format!("it is {found}, and the input is {shown}{help}")
    })?;
    let shaped = match (value, dtype) {
        (Value::F32(array), DType::F32) => Value::F32(shape(array, &dims)?),
        (Value::F64(array), DType::F32) => Value::F32(shape(array.mapv(|x| x as f32), &dims)?),
        (Value::U8(array), DType::F32) => {
            Value::F32(shape(array.mapv(|x| f32::from(x) / 255.0), &dims)?)
        }
        (Value::F64(array), DType::F64) => Value::F64(shape(array, &dims)?),
        (Value::F32(array), DType::F64) => Value::F64(shape(array.mapv(f64::from), &dims)?),
        (Value::U8(array), DType::F64) => {
            Value::F64(shape(array.mapv(|x| f64::from(x) / 255.0), &dims)?)
        }
        (Value::I32(array), DType::I32) => Value::I32(shape(array, &dims)?),
        (Value::U8(array), DType::I32) => Value::I32(shape(array.mapv(i32::from), &dims)?),
        (Value::I64(array), DType::I64) => Value::I64(shape(array, &dims)?),
        (Value::I32(array), DType::I64) => Value::I64(shape(array.mapv(i64::from), &dims)?),
        (Value::U8(array), DType::I64) => Value::I64(shape(array.mapv(i64::from), &dims)?),
        (Value::U8(array), DType::U8) => Value::U8(shape(array, &dims)?),
        (Value::Bool(array), DType::Bool) => Value::Bool(shape(array, &dims)?),
        (_, dtype) => {
            return Err(format!(
                "it is {found}, and the input is {shown}\n   = help: convert its elements to {dtype}"
            ));
        }
    };
    Ok(shaped)
}

fn shape<T>(array: ArrayD<T>, dims: &[usize]) -> Result<ArrayD<T>, String> {
    let found = format!("{:?}", array.shape());
    array.into_shape_with_order(IxDyn(dims)).map_err(|_| format!("{found} cannot become {dims:?}"))
}

/// The shape that an array of shape `found` gets for an input of shape `wanted`; `None` if it does
/// not fit. Dimensions of size 1 may differ, and a single example is a batch of one.
fn fitting_dims(found: &[usize], wanted: &[Dim]) -> Option<Dims> {
    let fits = |(wanted, found): (&Dim, &usize)| wanted.known().is_none_or(|known| known == *found);
    if found.len() == wanted.len() && wanted.iter().zip(found).all(fits) {
        return Some(found.into());
    }
    let (batch, rest) = wanted.split_first()?;
    if let Some(rest) = rest.iter().map(|dim| dim.known()).collect::<Option<Dims>>() {
        let batches = match found.split_first() {
            Some((&first, others)) if is_like(others, &rest) => first,
            _ if is_like(found, &rest) => 1,
            _ => return None,
        };
        let is_wanted = batch.known().is_none_or(|known| known == batches);
        return is_wanted.then(|| std::iter::once(batches).chain(rest).collect());
    }
    let is_one = found.len() == rest.len()
        && rest.iter().zip(found).all(fits)
        && batch.known().is_none_or(|known| known == 1);
    is_one.then(|| std::iter::once(1).chain(found.iter().copied()).collect())
}

/// Returns true if arrays of these shapes have the same elements: they differ in dimensions of size
/// 1, or one of them is flat.
pub fn is_like(one: &[usize], other: &[usize]) -> bool {
    let long = |dims: &[usize]| -> Dims { dims.iter().copied().filter(|&dim| dim != 1).collect() };
    let (long_one, long_other) = (long(one), long(other));
    let is_flat = long_one.len() <= 1 || long_other.len() <= 1;
    long_one == long_other || is_flat && element_count(one) == element_count(other)
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn images_are_flattened_and_never_bent() {
        assert!(is_like(&[28, 28], &[28, 28, 1]));
        assert!(is_like(&[28, 28, 1], &[784]));
        assert!(is_like(&[784], &[1, 28, 28]));
        assert!(is_like(&[], &[1, 1]));
        assert!(!is_like(&[14, 56], &[28, 28]));
        assert!(!is_like(&[783], &[28, 28]));
        assert!(!is_like(&[usize::MAX, 2], &[784]));
    }
}
