//! Many small grey images as one PNG file, and pictures as PNG files.

use std::io::Cursor;

use crate::Error;

/// The most pixels of a picture that is read.
const MOST_PIXELS: u64 = 1 << 28;

/// Grey images of one size as tiles of one picture: `columns` in a row, rows from the top. Tiles
/// behind the last are black.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sprite {
    /// Columns of a tile's pixels.
    pub width: usize,
    /// Rows of a tile's pixels.
    pub height: usize,
    /// Tiles in a row.
    pub columns: usize,
    /// Tiles.
    pub count: usize,
    /// The picture.
    pub png: Vec<u8>,
}

impl Sprite {
    /// The sprite of images that lie one after the other in `pixels`, row-major, 0 black and 255
    /// white. Sprites of many tiles are made fast rather than small.
    ///
    /// # Errors
    /// The pixels are no whole number of images, or the picture would be too large.
    pub fn new(pixels: &[u8], width: usize, height: usize, columns: usize) -> Result<Self, Error> {
        let size = width.saturating_mul(height);
        if size == 0 || columns == 0 || !pixels.len().is_multiple_of(size) {
            return Err(Error::Picture(format!(
                "{} pixels are not images of {width} × {height}, {columns} in a row",
                pixels.len()
            )));
        }
        let count = pixels.len() / size;
        let columns = columns.min(count.max(1));
        let rows = count.div_ceil(columns).max(1);
        let (across, down) = (columns.saturating_mul(width), rows.saturating_mul(height));
        check(across as u64, down as u64)?;
        let mut picture = vec![0; across * down];
        for (index, line) in pixels.chunks_exact(width).enumerate() {
            let (tile, row) = (index / height, index % height);
            let start = (tile / columns * height + row) * across + tile % columns * width;
            if let Some(target) = picture.get_mut(start..start + width) {
                target.copy_from_slice(line);
            }
        }
        let png = encode(&picture, across, down, Channels::Grey)?;
        Ok(Self { width, height, columns, count, png })
    }

    /// The images, one after the other.
    ///
    /// # Errors
    /// The picture cannot be read, or has fewer tiles.
    pub fn pixels(&self) -> Result<Vec<u8>, Error> {
        let Self { width, height, columns, count, .. } = *self;
        let (picture, across, down, channels) = decode(&self.png)?;
        let rows = count.div_ceil(columns.max(1));
        let fits = columns.checked_mul(width) == Some(across)
            && rows.checked_mul(height).is_some_and(|needed| needed <= down)
            && channels == Channels::Grey;
        if !fits || width == 0 || height == 0 {
            return Err(Error::Picture(format!(
                "a picture of {across} × {down} is not {count} grey tiles of {width} × {height}, {columns} in a row"
            )));
        }
        let mut pixels = Vec::with_capacity(count * width * height);
        for line in 0..count * height {
            let (tile, row) = (line / height, line % height);
            let start = (tile / columns * height + row) * across + tile % columns * width;
            pixels.extend_from_slice(picture.get(start..start + width).unwrap_or_default());
        }
        Ok(pixels)
    }
}

/// The channels of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// One number.
    Grey,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and how opaque.
    Rgba,
}

impl Channels {
    /// Bytes of a pixel.
    pub fn count(self) -> usize {
        match self {
            Channels::Grey => 1,
            Channels::Rgb => 3,
            Channels::Rgba => 4,
        }
    }

    /// Those of so many bytes.
    pub fn of(count: usize) -> Option<Self> {
        [Channels::Grey, Channels::Rgb, Channels::Rgba].into_iter().find(|c| c.count() == count)
    }
}

/// A picture as a PNG file.
///
/// # Errors
/// It has no pixels, others than the sizes say, or too many.
pub fn encode(
    pixels: &[u8],
    width: usize,
    height: usize,
    channels: Channels,
) -> Result<Vec<u8>, Error> {
    check(width as u64, height as u64)?;
    let wrong = |error: png::EncodingError| Error::Picture(error.to_string());
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_color(match channels {
        Channels::Grey => png::ColorType::Grayscale,
        Channels::Rgb => png::ColorType::Rgb,
        Channels::Rgba => png::ColorType::Rgba,
    });
    let mut writer = encoder.write_header().map_err(wrong)?;
    writer.write_image_data(pixels).map_err(wrong)?;
    writer.finish().map_err(wrong)?;
    Ok(file)
}

/// The pixels, width, height and channels of a PNG file, of 8 bits a channel whatever it holds.
///
/// # Errors
/// It is none, is damaged, or has too many pixels.
pub fn decode(file: &[u8]) -> Result<(Vec<u8>, usize, usize, Channels), Error> {
    let wrong = |error: png::DecodingError| Error::Picture(format!("no PNG picture: {error}"));
    let limits = png::Limits { bytes: 4 * MOST_PIXELS as usize };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(wrong)?;
    let (width, height) = (reader.info().width, reader.info().height);
    check(width.into(), height.into())?;
    // What a file of so few bytes cannot hold even at deflate's best, 1032 to 1, is not there.
    let most = (file.len() as u64).saturating_mul(1032 * 8);
    if u64::from(width) * u64::from(height) > most {
        return Err(Error::Picture("no PNG picture: it is cut short".to_owned()));
    }
    let size = reader.output_buffer_size().filter(|&size| size as u64 <= 4 * MOST_PIXELS);
    let Some(size) = size else {
        return Err(Error::Picture("a picture with too many pixels".to_owned()));
    };
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels).map_err(wrong)?;
    pixels.truncate(info.buffer_size());
    let channels = match info.color_type {
        png::ColorType::Grayscale => Channels::Grey,
        png::ColorType::Rgb => Channels::Rgb,
        png::ColorType::Rgba => Channels::Rgba,
        other => return Err(Error::Picture(format!("a picture of {other:?}, which is not read"))),
    };
    Ok((pixels, width as usize, height as usize, channels))
}

fn check(width: u64, height: u64) -> Result<(), Error> {
    let pixels = width.saturating_mul(height);
    if width == 0 || height == 0 || pixels > MOST_PIXELS || width.max(height) > 1 << 24 {
        return Err(Error::Picture(format!(
            "a picture of {width} × {height} pixels; there must be some, and at most {MOST_PIXELS}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tiles_come_back(count in 0usize..30, columns in 1usize..12, width in 1usize..6, height in 1usize..6, seed in any::<u8>()) {
            let pixels: Vec<u8> = (0..count * width * height).map(|i| (i as u8).wrapping_mul(37) ^ seed).collect();
            let sprite = Sprite::new(&pixels, width, height, columns).unwrap();
            prop_assert_eq!(sprite.count, count);
            prop_assert_eq!(sprite.pixels().unwrap(), pixels);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let _ = decode(&bytes);
            let mut file = Sprite::new(&[7; 64], 4, 4, 2).unwrap().png;
            let at = at.index(file.len());
            file[at] = to;
            let _ = decode(&file);
        }
    }

    #[test]
    fn the_second_tile_stands_right_of_the_first() {
        let sprite = Sprite::new(&[1, 2, 3, 4, 5, 6], 1, 2, 2).unwrap();
        let (picture, width, height, _) = decode(&sprite.png).unwrap();
        assert_eq!((width, height), (2, 4));
        assert_eq!(picture, [1, 3, 2, 4, 5, 0, 6, 0]);
    }

    #[test]
    fn what_makes_no_picture_is_told() {
        let message = Sprite::new(&[0; 5], 2, 2, 1).unwrap_err().to_string();
        assert_eq!(message, "5 pixels are not images of 2 × 2, 1 in a row");
        assert!(encode(&[0; 3], 2, 2, Channels::Grey).is_err());
        let mut sprite = Sprite::new(&[0; 8], 2, 2, 2).unwrap();
        sprite.count = 9;
        assert!(sprite.pixels().unwrap_err().to_string().contains("is not 9 grey tiles"));
    }
}
