//! The images that are asked about.

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Pixels of a side.
const SIDE: usize = 28;

/// Pixels of an image.
pub const PIXELS: usize = SIDE * SIDE;

/// An image, `[1, 28, 28, 1]` row by row, every pixel `k / 255`.
pub type Image = Vec<f32>;

/// Makes images that look like written digits to a server: strokes three pixels wide on black, so
/// that about a fifth of the pixels is not zero, as in MNIST. JSON is as long as a real digit's.
pub fn drawn(count: usize, seed: u64) -> Vec<Image> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| draw(&mut random)).collect()
}

fn draw(random: &mut ChaCha8Rng) -> Image {
    let mut image = vec![0.0; PIXELS];
    let mut below = |bound: usize| random.next_u32() as usize % bound;
    let (mut row, mut column) = (6 + below(16), 6 + below(16));
    for _ in 0..44 {
        for (r, c) in (0..3).flat_map(|r| (0..3).map(move |c| (r, c))) {
            let level = if (r, c) == (1, 1) { 255 } else { 40 + below(200) };
            let place = (row + r - 1) * SIDE + column + c - 1;
            if let Some(pixel) = image.get_mut(place) {
                *pixel = level as f32 / 255.0;
            }
        }
        row = (row + below(3)).saturating_sub(1).clamp(4, SIDE - 5);
        column = (column + below(3)).saturating_sub(1).clamp(4, SIDE - 5);
        if below(4) == 0 {
            (row, column) = (4 + below(SIDE - 8), 4 + below(SIDE - 8));
        }
    }
    image
}

/// Reads the first images of an IDX file of bytes, such as MNIST's `t10k-images-idx3-ubyte`.
pub fn read(path: &Path, count: usize) -> Result<Vec<Image>, String> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    let number = |at: usize| {
        let word: Option<[u8; 4]> = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
        word.map(u32::from_be_bytes)
    };
    if number(0) != Some(0x0803) {
        return Err(format!(
            "`{shown}` is no IDX file of images: it does not begin with 00 00 08 03 (unpack it if it is compressed)"
        ));
    }
    if (number(8), number(12)) != (Some(SIDE as u32), Some(SIDE as u32)) {
        return Err(format!("the images of `{shown}` are not 28 by 28"));
    }
    let pixels = bytes.get(16..).unwrap_or_default();
    if pixels.len() < count * PIXELS {
        let held = pixels.len() / PIXELS;
        return Err(format!(
            "`{shown}` holds {held} images, {count} are asked for: say fewer with --images"
        ));
    }
    let level = |pixel: &u8| f32::from(*pixel) / 255.0;
    Ok(pixels
        .chunks_exact(PIXELS)
        .take(count)
        .map(|image| image.iter().map(level).collect())
        .collect())
}
