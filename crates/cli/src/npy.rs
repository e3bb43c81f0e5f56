//! NumPy's format `.npy` (NEP 1): a magic string, a version, the length of a header, the header as
//! a Python dictionary of `descr`, `fortran_order` and `shape`, then the elements.
//!
//! Reads versions 1 to 3, both byte orders and both orders of dimensions, and writes version 1. The
//! size of the elements is compared with that of the file before memory is taken.
//!
//! The header is read here, not by `npyz` or `ndarray-npy`: both parse it with `py_literal`, whose
//! time doubles with each bracket within another, so that a file of 200 bytes keeps it busy for
//! ever.

use std::path::Path;

use abeyance::ir::{DType, element_count};
use abeyance::session::Value;
use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use crate::error::Error;

/// The first bytes of every file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

const HELP: &str = "convert it with `.astype('float32')`";

fn damaged() -> String {
    "it is cut off or no NumPy array".to_owned()
}

/// The fields of a header.
#[derive(Debug, PartialEq)]
struct Header<'a> {
    /// The type of the elements without their byte order: `f4`.
    element: &'a str,
    is_big_endian: bool,
    /// True if the first index runs fastest.
    is_fortran: bool,
    dims: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Reads the text of a header.
    ///
    /// # Errors
    /// It is damaged, or elements are records.
    fn parse(text: &'a str) -> Result<Self, String> {
        let field = |name: &str| {
            let (_, rest) = text.split_once(&format!("'{name}':"))?;
            Some(rest.trim_start())
        };
        let descr = field("descr").and_then(|rest| rest.strip_prefix('\'')?.split('\'').next());
        let descr = descr.ok_or("its elements are records, which no input takes")?;
        let is_fortran = match field("fortran_order") {
            Some(rest) if rest.starts_with("True") => true,
            Some(rest) if rest.starts_with("False") => false,
            _ => return Err(damaged()),
        };
        let dims = field("shape").and_then(|rest| rest.strip_prefix('(')?.split(')').next());
        let dims = dims.ok_or_else(damaged)?.split(',').map(str::trim);
        let dims = dims.filter(|dim| !dim.is_empty()).map(|dim| dim.parse().map_err(|_| damaged()));
        let dims: Vec<usize> = dims.collect::<Result<_, _>>()?;
        let (order, element) = descr.split_at_checked(1).ok_or_else(damaged)?;
        if !["<", ">", "|", "="].contains(&order) {
            return Err(damaged());
        }
        Ok(Self { element, is_big_endian: order == ">", is_fortran, dims })
    }

    /// The bytes before the elements of an array in row-major order, so many that the elements
    /// begin at a multiple of 64.
    fn encode(dtype: DType, dims: &[usize]) -> Vec<u8> {
        let descr = match dtype {
            DType::F32 => "<f4",
            DType::F64 => "<f8",
            DType::I32 => "<i4",
            DType::I64 => "<i8",
            DType::U8 => "|u1",
            DType::Bool => "|b1",
        };
        let dims: Vec<String> = dims.iter().map(|dim| format!("{dim},")).collect();
        let dims = dims.join(" ");
        let mut text =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
        // Magic, version and length are 10 bytes, and a line feed ends the header.
        let padding = (64 - (10 + text.len() + 1) % 64) % 64;
        text.push_str(&" ".repeat(padding));
        text.push('\n');
        let length = (text.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, text.as_bytes()].concat()
    }
}

/// Decodes the bytes of a file.
///
/// # Errors
/// They are damaged, of an unknown version, have not as many bytes as the shape says, or elements
/// that no input takes.
pub fn decode(bytes: &[u8]) -> Result<Value, String> {
    // The length of the header has two bytes in version 1, and four since.
    let begin = match bytes.get(6) {
        Some(1) => 10,
        Some(2 | 3) => 12,
        Some(version) => return Err(format!("NumPy's format of version {version} is not known")),
        None => return Err(damaged()),
    };
    let length = bytes.get(8..begin).ok_or_else(damaged)?;
    let length = length.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
    let (text, elements) =
        bytes.get(begin..).and_then(|rest| rest.split_at_checked(length)).ok_or_else(damaged)?;
    let header = Header::parse(std::str::from_utf8(text).map_err(|_| damaged())?)?;
    Ok(match header.element {
        "f4" => Value::F32(array(elements, &header, f32::from_le_bytes)?),
        "f8" => Value::F64(array(elements, &header, f64::from_le_bytes)?),
        "i4" => Value::I32(array(elements, &header, i32::from_le_bytes)?),
        "i8" => Value::I64(array(elements, &header, i64::from_le_bytes)?),
        "u1" => Value::U8(array(elements, &header, u8::from_le_bytes)?),
        "b1" => Value::Bool(array(elements, &header, |[byte]: [u8; 1]| byte != 0)?),
        other => {
            return Err(format!(
                "its elements are `{other}`, and inputs take float32, float64, int32, int64, uint8 or bool\n   = help: {HELP}"
            ));
        }
    })
}

/// Decodes elements of `N` bytes each, in row-major order whatever that of the file is.
fn array<T: Clone, const N: usize>(
    bytes: &[u8],
    header: &Header<'_>,
    from_little_endian: impl Fn([u8; N]) -> T,
) -> Result<ArrayD<T>, String> {
    let Header { dims, is_big_endian, is_fortran, .. } = header;
    if element_count(dims).and_then(|count| count.checked_mul(N)) != Some(bytes.len()) {
        return Err(format!("it claims the shape {dims:?} and has {} bytes", bytes.len()));
    }
    let (chunks, _) = bytes.as_chunks::<N>();
    let elements = chunks.iter().map(|chunk| {
        let mut chunk = *chunk;
        if *is_big_endian {
            chunk.reverse();
        }
        from_little_endian(chunk)
    });
    let shape = IxDyn(dims).set_f(*is_fortran);
    let array =
        ArrayD::from_shape_vec(shape, elements.collect()).map_err(|error| error.to_string())?;
    Ok(if *is_fortran { array.as_standard_layout().into_owned() } else { array })
}

/// Writes an array to a file, in version 1.
///
/// # Errors
/// The file cannot be written. One that was there is then as it was.
pub fn write(path: &Path, value: &Value) -> Result<(), Error> {
    let array = value.to_array();
    let write = |file: &mut dyn std::io::Write| {
        file.write_all(&Header::encode(array.dtype, &array.dims))?;
        file.write_all(&array.bytes)
    };
    abeyance_storage::replace(&abeyance_storage::Disk, path, write)
        .map_err(|error| Error::Failed(format!("cannot write `{}`: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u8, text: &str, elements: &[u8]) -> Vec<u8> {
        let length = (text.len() as u32).to_le_bytes();
        let length = if version == 1 { &length[..2] } else { &length[..] };
        [MAGIC, &[version, 0], length, text.as_bytes(), elements].concat()
    }

    fn text(descr: &str, is_fortran: &str, shape: &str) -> String {
        format!("{{'descr': '{descr}', 'fortran_order': {is_fortran}, 'shape': {shape}, }}\n")
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.to_f64()
    }

    #[test]
    fn every_version_byte_order_and_order_of_dimensions_gives_the_same() {
        let counted: Vec<u8> = (0..6i32).flat_map(i32::to_le_bytes).collect();
        let swapped: Vec<u8> = (0..6i32).flat_map(i32::to_be_bytes).collect();
        let columns: Vec<u8> =
            [0, 3, 1, 4, 2, 5i32].into_iter().flat_map(i32::to_le_bytes).collect();
        for version in [1, 2, 3] {
            for (descr, is_fortran, elements) in
                [("<i4", "False", &counted), (">i4", "False", &swapped), ("<i4", "True", &columns)]
            {
                let bytes = file(version, &text(descr, is_fortran, "(2, 3)"), elements);
                let value = decode(&bytes).unwrap();
                assert_eq!(value.shape(), [2, 3]);
                assert_eq!(numbers(&value), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{version} {descr}");
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for dims in [vec![], vec![3], vec![2, 3], vec![0, 5]] {
            let count: usize = dims.iter().product();
            let bytes = [Header::encode(DType::U8, &dims), vec![7; count]].concat();
            assert_eq!((bytes.len() - count) % 64, 0);
            let value = decode(&bytes).unwrap();
            assert_eq!(value.shape(), dims);
            assert_eq!(numbers(&value), vec![7.0; count]);
        }
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_an_error() {
        let whole = file(1, &text("<f4", "False", "(2, 2)"), &[0; 16]);
        decode(&whole).unwrap();
        for end in 0..whole.len() {
            decode(&whole[..end]).unwrap_err();
        }
        decode(&[whole, vec![0]].concat()).unwrap_err();
    }

    #[test]
    fn a_header_of_brackets_or_of_huge_sizes_is_an_error_at_once() {
        let brackets = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        let huge = "(18446744073709551615, 0, 18446744073709551615)";
        for header in [
            brackets.clone(),
            format!("{{'descr': {brackets}, 'fortran_order': False, 'shape': (1,), }}"),
            text("<f4", "False", &brackets),
            text("<f4", "False", "(-1,)"),
            text("<f4", "False", "(99999999999999999999,)"),
            text("<f4", "False", "(4294967296, 4294967296)"),
            text("<f4", "Perhaps", "(1,)"),
            text("f", "False", "(1,)"),
            text("", "False", "(1,)"),
            text("<f4", "False", huge),
        ] {
            for version in [2, 3] {
                decode(&file(version, &header, &[0; 4])).unwrap_err();
            }
        }
        decode(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{").unwrap_err();
        assert_eq!(
            decode(b"\x93NUMPY\x04\x00").unwrap_err(),
            "NumPy's format of version 4 is not known"
        );
    }
}
