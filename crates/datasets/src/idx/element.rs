//! The six element types of IDX.

use std::collections::TryReserveError;

/// An element type that an IDX file can hold: `u8`, `i8`, `i16`, `i32`, `f32` and `f64`. Sealed.
pub trait Element: Copy + Send + Sync + sealed::Sealed + 'static {
    /// The byte that stands for the type in a file's magic number.
    const CODE: u8;
    /// The type's name in error messages.
    const NAME: &'static str;
    /// Bytes an element takes in a file.
    const SIZE: usize;

    /// The elements stored big-endian in `bytes`, a whole number of them.
    ///
    /// # Errors
    /// There is not enough memory.
    #[doc(hidden)]
    fn from_big_endian(bytes: Vec<u8>) -> Result<Vec<Self>, TryReserveError>;
}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for u8 {}

impl Element for u8 {
    const CODE: u8 = 0x08;
    const NAME: &'static str = "u8";
    const SIZE: usize = 1;

    fn from_big_endian(bytes: Vec<u8>) -> Result<Vec<Self>, TryReserveError> {
        Ok(bytes)
    }
}

macro_rules! elements {
    ($($element:ident = $code:literal),* $(,)?) => {
        $(
            impl sealed::Sealed for $element {}

            impl Element for $element {
                const CODE: u8 = $code;
                const NAME: &'static str = stringify!($element);
                const SIZE: usize = size_of::<$element>();

                fn from_big_endian(bytes: Vec<u8>) -> Result<Vec<Self>, TryReserveError> {
                    let (encoded, _) = bytes.as_chunks::<{ size_of::<$element>() }>();
                    let mut elements = Vec::new();
                    elements.try_reserve_exact(encoded.len())?;
                    elements.extend(encoded.iter().map(|&bytes| $element::from_be_bytes(bytes)));
                    Ok(elements)
                }
            }
        )*

        /// The name of the element type that `code` stands for in a magic number.
        pub(super) fn element_name(code: u8) -> Option<&'static str> {
            match code {
                u8::CODE => Some(u8::NAME),
                $($element::CODE => Some($element::NAME),)*
                _ => None,
            }
        }
    };
}

elements! {
    i8 = 0x09,
    i16 = 0x0b,
    i32 = 0x0c,
    f32 = 0x0d,
    f64 = 0x0e,
}
