//! Arrays as pixels and classes.

use abeyance_session::Value;

use crate::Error;
use crate::sprite::{Channels, Sprite, encode};

/// Grey images of one size, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grey {
    pub pixels: Vec<u8>,
    pub width: usize,
    pub height: usize,
}

impl Grey {
    /// The first `most` images of `[N, H, W]`, `[N, H, W, 1]` or, where they are square,
    /// `[N, H · W]`: numbers from 0 (black) to 1 (white), or bytes.
    pub fn of(images: &Value, most: usize) -> Result<Self, Error> {
        let shape = images.shape();
        let (count, height, width) = match *shape {
            [count, height, width] | [count, height, width, 1] => (count, height, width),
            [count, size] if size.isqrt() * size.isqrt() == size => {
                (count, size.isqrt(), size.isqrt())
            }
            _ => {
                return Err(Error::Picture(format!(
                    "an array of {shape:?} is no list of grey images: those are [N, H, W], [N, H, W, 1] or [N, H · W] of square ones"
                )));
            }
        };
        if height == 0 || width == 0 {
            return Err(Error::Picture(format!("images of {width} × {height} have no pixels")));
        }
        let size = height.saturating_mul(width);
        let wanted = count.min(most).saturating_mul(size);
        let pixels = match images {
            Value::U8(array) => array.iter().take(wanted).copied().collect(),
            Value::F32(array) => array.iter().take(wanted).map(|&x| byte(x)).collect(),
            Value::F64(array) => array.iter().take(wanted).map(|&x| byte(x as f32)).collect(),
            other => {
                return Err(Error::Picture(format!(
                    "images are of u8, f32 or f64, and not of {}",
                    other.dtype()
                )));
            }
        };
        Ok(Self { pixels, width, height })
    }

    /// The number of images.
    pub fn count(&self) -> usize {
        self.pixels.len() / (self.width * self.height).max(1)
    }

    /// Draws them as a sprite that is about as wide as it is high, counted in tiles.
    pub fn sprite(&self) -> Result<Sprite, Error> {
        let count = self.count();
        let columns = count.isqrt() + usize::from(count.isqrt() * count.isqrt() < count);
        Sprite::new(&self.pixels, self.width, self.height, columns.max(1))
    }
}

/// 0 to 1 as 0 to 255; NaN is 0.
fn byte(number: f32) -> u8 {
    (number * 255.0).round() as u8
}

/// Classes: whole numbers `[N]`, or scores `[N, classes]`, of which the greatest counts, the first
/// of equal ones. At most `most`.
pub fn classes(values: &Value, most: usize) -> Result<Vec<u16>, Error> {
    let shape = values.shape();
    let class = |number: f64| {
        let class = number as u16;
        if f64::from(class) == number {
            Ok(class)
        } else {
            Err(Error::Picture(format!("{number} is no class: those are 0 to 65535")))
        }
    };
    match *shape {
        [_] | [_, 1] => values.to_f64().into_iter().take(most).map(class).collect(),
        [_, count] if (1..=usize::from(u16::MAX)).contains(&count) => {
            let scores = values.to_f64();
            let rows = scores.chunks_exact(count).take(most);
            Ok(rows.map(greatest).collect())
        }
        _ => Err(Error::Picture(format!(
            "an array of {shape:?} says no classes: those are whole numbers [N], or scores [N, classes]"
        ))),
    }
}

fn greatest(scores: &[f64]) -> u16 {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, &score) in scores.iter().enumerate() {
        if score > best.1 {
            best = (index, score);
        }
    }
    best.0 as u16
}

/// The width, the height and the first `most` of `[N, H, W, C]` as PNG files.
///
/// Numbers from 0 to 1 are shown as they are. Where an image has others, it is shown as TensorFlow
/// 1's `tf.summary.image` does: with its largest number white, or, where it has negative ones, 0 in
/// the middle and the number farthest from it black or white.
pub fn pngs(images: &Value, most: usize) -> Result<(usize, usize, Vec<Vec<u8>>), Error> {
    let shape = images.shape();
    let (height, width, channels) = match *shape {
        [_, height, width, channels] => (height, width, Channels::of(channels)),
        [_, height, width] => (height, width, Some(Channels::Grey)),
        _ => (0, 0, None),
    };
    let Some(channels) = channels.filter(|_| height * width > 0) else {
        return Err(Error::Picture(format!(
            "an array of {shape:?} is no list of images: those are [N, H, W, C], C being 1, 3 or 4"
        )));
    };
    let size = height * width * channels.count();
    let bytes: Vec<Vec<u8>> = match images {
        Value::U8(array) => {
            let first: Vec<u8> = array.iter().take(size * most).copied().collect();
            first.chunks_exact(size).map(<[u8]>::to_vec).collect()
        }
        Value::F32(array) => {
            let first: Vec<f32> = array.iter().take(size * most).copied().collect();
            first.chunks_exact(size).map(shown).collect()
        }
        other => {
            let first: Vec<f32> =
                other.to_f64().into_iter().take(size * most).map(|x| x as f32).collect();
            first.chunks_exact(size).map(shown).collect()
        }
    };
    let pngs = bytes.iter().map(|pixels| encode(pixels, width, height, channels));
    Ok((width, height, pngs.collect::<Result<_, _>>()?))
}

/// An image's numbers as bytes.
fn shown(image: &[f32]) -> Vec<u8> {
    let finite = || image.iter().copied().filter(|number| number.is_finite());
    let (least, most) = (finite().fold(0.0, f32::min), finite().fold(0.0, f32::max));
    let scale = |number: f32| match () {
        () if least < 0.0 => 0.5 + number / most.max(-least) / 2.0,
        () if most > 1.0 => number / most,
        () => number,
    };
    image.iter().map(|&number| byte(scale(number))).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, array};

    use super::*;

    #[test]
    fn images_are_bytes_in_three_shapes() {
        let expected = Grey { pixels: vec![0, 255, 128, 0], width: 2, height: 2 };
        let flat = Value::from(array![[0.0f32, 1.0, 0.5, f32::NAN], [1.0, 1.0, 1.0, 1.0]]);
        assert_eq!(Grey::of(&flat, 1).unwrap(), expected);
        let bytes = Array::from_shape_vec((1, 2, 2, 1), vec![0u8, 255, 128, 0]).unwrap();
        assert_eq!(Grey::of(&bytes.into(), 9).unwrap(), expected);
        let message = Grey::of(&Value::from(array![[0.0f32, 1.0]]), 9).unwrap_err().to_string();
        assert!(message.starts_with("an array of [1, 2] is no list of grey images"), "{message}");
    }

    #[test]
    fn classes_are_numbers_or_the_greatest_of_scores() {
        assert_eq!(classes(&array![3i64, 0].into(), 9).unwrap(), [3, 0]);
        assert_eq!(classes(&array![[0.1f32, 0.9], [0.5, 0.5]].into(), 9).unwrap(), [1, 0]);
        assert!(classes(&array![-1i64].into(), 9).is_err());
        assert!(classes(&Value::from(1.0f32), 9).is_err());
    }

    #[test]
    fn negative_numbers_have_their_zero_in_the_middle() {
        assert_eq!(shown(&[0.0, 0.5, 1.0]), [0, 128, 255]);
        assert_eq!(shown(&[0.0, 1.0, 2.0]), [0, 128, 255]);
        assert_eq!(shown(&[-1.0, 0.0, 0.5]), [0, 128, 191]);
        assert_eq!(shown(&[0.0, f32::NAN]), [0, 0]);
    }
}
