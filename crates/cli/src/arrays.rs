//! Arrays in files: NumPy's `.npy`, PNG images, IDX.

use std::io::Cursor;
use std::path::Path;

use abeyance::datasets::idx;
use abeyance::ir::{DType, Dim, Dims, element_count};
use abeyance::session::Value;
use ndarray::{ArrayD, IxDyn};

use crate::failure::Failure;

/// No larger file is read.
const MOST_BYTES: u64 = 1 << 32;
/// No image has more pixels.
const MOST_PIXELS: usize = 1 << 26;
const NPY_MARK: &[u8] = b"\x93NUMPY";
const PNG_MARK: &[u8] = b"\x89PNG";

/// The array in a file, whichever of the three it is by its first bytes. Of an image it is the
/// brightness `[height, width]`, 0 black and 255 white.
pub fn read(path: &Path) -> Result<Value, Failure> {
    let refuse =
        |what: &dyn std::fmt::Display| Failure::Failed(format!("`{}`: {what}", path.display()));
    let bytes = abeyance_storage::read(path, MOST_BYTES).map_err(|error| refuse(&error))?;
    if bytes.starts_with(NPY_MARK) {
        return npy(&bytes).map_err(|what| refuse(&what));
    }
    if bytes.starts_with(PNG_MARK) {
        return png(bytes).map_err(|what| refuse(&what));
    }
    // Zeros, or the mark of gzip.
    if bytes.starts_with(&[0, 0]) || bytes.starts_with(&[0x1f, 0x8b]) {
        let name = path.display().to_string();
        let array = idx::from_reader::<u8>(Cursor::new(bytes), name).map_err(Failure::failed)?;
        return Ok(Value::U8(array.into_array().map_err(|error| refuse(&error))?));
    }
    Err(refuse(&"it is no NumPy array (.npy), PNG image or IDX file"))
}

/// Two bytes to begin with, or four.
fn length(bytes: &[u8], width: usize) -> Option<usize> {
    let field = bytes.get(8..8 + width)?;
    Some(field.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte)))
}

/// NumPy's format, versions 1 to 3 (NEP 1): a mark, a version, the length of a header, a header in
/// Python's notation, elements.
fn npy(bytes: &[u8]) -> Result<Value, String> {
    let damaged = || "it is cut off or no NumPy array".to_owned();
    let width = match bytes.get(6) {
        Some(1) => 2,
        Some(2 | 3) => 4,
        Some(version) => return Err(format!("NumPy's format of version {version} is not known")),
        None => return Err(damaged()),
    };
    let end = length(bytes, width).and_then(|length| (8 + width).checked_add(length));
    let header = end.and_then(|end| bytes.get(8 + width..end)).ok_or_else(damaged)?;
    let header = std::str::from_utf8(header).map_err(|_| damaged())?;
    let elements = end.and_then(|end| bytes.get(end..)).unwrap_or_default();

    let field = |name: &str| {
        let (_, rest) = header.split_once(&format!("'{name}':"))?;
        Some(rest.trim_start())
    };
    let descr = field("descr").and_then(|rest| rest.strip_prefix('\'')?.split('\'').next());
    let descr = descr.ok_or("its elements are records, which no input takes")?;
    let is_reversed = match field("fortran_order") {
        Some(rest) if rest.starts_with("True") => true,
        Some(rest) if rest.starts_with("False") => false,
        _ => return Err(damaged()),
    };
    let dims = field("shape").and_then(|rest| rest.strip_prefix('(')?.split(')').next());
    let dims = dims.ok_or_else(damaged)?.split(',').map(str::trim).filter(|dim| !dim.is_empty());
    let mut dims: Vec<usize> =
        dims.map(|dim| dim.parse().map_err(|_| damaged())).collect::<Result<_, _>>()?;
    if is_reversed {
        dims.reverse();
    }

    let (order, kind) = descr.split_at_checked(1).ok_or_else(damaged)?;
    if !["<", ">", "|", "="].contains(&order) {
        return Err(damaged());
    }
    let is_big = order == ">";
    let value = match kind {
        "f4" => Value::F32(array(elements, &dims, is_big, f32::from_le_bytes)?),
        "f8" => Value::F64(array(elements, &dims, is_big, f64::from_le_bytes)?),
        "i4" => Value::I32(array(elements, &dims, is_big, i32::from_le_bytes)?),
        "i8" => Value::I64(array(elements, &dims, is_big, i64::from_le_bytes)?),
        "u1" => Value::U8(array(elements, &dims, is_big, u8::from_le_bytes)?),
        "b1" => Value::Bool(array(elements, &dims, is_big, |[byte]: [u8; 1]| byte != 0)?),
        other => {
            return Err(format!(
                "its elements are `{other}`, and inputs take float32, float64, int32, int64, uint8 or bool\n   = help: convert it with `.astype('float32')`"
            ));
        }
    };
    // In Fortran's order the first index runs fastest.
    Ok(match value {
        Value::F32(array) if is_reversed => Value::F32(reversed(array)),
        Value::F64(array) if is_reversed => Value::F64(reversed(array)),
        Value::I32(array) if is_reversed => Value::I32(reversed(array)),
        Value::I64(array) if is_reversed => Value::I64(reversed(array)),
        Value::U8(array) if is_reversed => Value::U8(reversed(array)),
        Value::Bool(array) if is_reversed => Value::Bool(reversed(array)),
        value => value,
    })
}

fn array<T, const N: usize>(
    bytes: &[u8],
    dims: &[usize],
    is_big: bool,
    element: impl Fn([u8; N]) -> T,
) -> Result<ArrayD<T>, String> {
    if element_count(dims).and_then(|count| count.checked_mul(N)) != Some(bytes.len()) {
        return Err(format!("it claims the shape {dims:?} and has {} bytes", bytes.len()));
    }
    let (chunks, _) = bytes.as_chunks::<N>();
    let elements = chunks.iter().map(|chunk| {
        let mut chunk = *chunk;
        if is_big {
            chunk.reverse();
        }
        element(chunk)
    });
    ArrayD::from_shape_vec(IxDyn(dims), elements.collect()).map_err(|error| error.to_string())
}

fn reversed<T: Clone>(array: ArrayD<T>) -> ArrayD<T> {
    array.reversed_axes().as_standard_layout().into_owned()
}

/// The brightness of an image (Rec. 601); what is transparent lies on white.
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

/// An array as an input takes it: bytes become numbers from 0 to 1 where numbers are wanted, and
/// dimensions of size 1 and the batch's are added where the input has them.
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

/// The sizes that an array of sizes `found` gets where `wanted` is taken. One that differs in
/// nothing but ones, or that stands for a single one of a batch, fits.
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

/// Whether arrays of these sizes hold the same, laid out otherwise: they differ in dimensions of
/// size 1, or one of them is flat.
pub fn is_like(one: &[usize], other: &[usize]) -> bool {
    let long = |dims: &[usize]| -> Dims { dims.iter().copied().filter(|&dim| dim != 1).collect() };
    let (long_one, long_other) = (long(one), long(other));
    let is_flat = long_one.len() <= 1 || long_other.len() <= 1;
    long_one == long_other || is_flat && element_count(one) == element_count(other)
}

/// Writes an array in NumPy's format, version 1.
pub fn write_npy(path: &Path, value: &Value) -> Result<(), Failure> {
    let array = value.to_array();
    let descr = match array.dtype {
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        DType::Bool => "|b1",
    };
    let dims: Vec<String> = array.dims.iter().map(|dim| format!("{dim},")).collect();
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", dims.join(" "));
    // Elements begin at a multiple of 64.
    let padding = (64 - (10 + header.len() + 1) % 64) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let write = |file: &mut dyn std::io::Write| {
        file.write_all(NPY_MARK)?;
        file.write_all(&[1, 0])?;
        file.write_all(&(header.len() as u16).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        file.write_all(&array.bytes)
    };
    abeyance_storage::replace(&abeyance_storage::Disk, path, write)
        .map_err(|error| Failure::Failed(format!("cannot write `{}`: {error}", path.display())))
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
