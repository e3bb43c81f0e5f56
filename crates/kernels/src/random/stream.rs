//! Named streams and the distributions drawn from them.

use super::normal::inverse_normal;
use super::philox::{BLOCKS, Philox, blocks};
use crate::dispatch::vectorized;
use crate::element::Real;

/// A stream of random numbers, keyed by a seed and a name.
///
/// The `fill_*` functions take the draw, the element at which the piece starts, and the piece.
/// Floats of 32 bits and numbers derived from 32 bits take one word an element, all others two, in
/// the order of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    /// The key of the generator.
    pub key: u64,
}

/// Φ(-2): how likely a standard normal variable is below -2.
const BELOW_MINUS_2: f64 = 0.022_750_131_948_179_21;

impl Stream {
    /// The stream of `name` under `seed`.
    ///
    /// The key is FNV-1a (64 bits) over the seed's eight bytes, lowest first, and the name's UTF-8
    /// bytes, then mixed by the finaliser of SplitMix64. This can never change: saved graphs draw
    /// by it.
    pub fn new(seed: u64, name: &str) -> Self {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in seed.to_le_bytes().into_iter().chain(name.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self { key: hash ^ (hash >> 31) }
    }

    /// The words of one draw in their order, for `rand`.
    pub fn generator(self, draw: u64) -> Philox {
        Philox::new(self.key, draw)
    }

    /// Uniform in [low, high); `low` if that is empty. `f32` has 24 random bits, `f64` 53.
    pub fn fill_uniform<T: UniformReal>(
        self,
        draw: u64,
        start: usize,
        out: &mut [T],
        low: T,
        high: T,
    ) {
        T::fill(self, draw, start, out, low, high);
    }

    /// Uniform integers in [low, high); `low` if that is empty. By multiplication of 64 random bits
    /// with the range (Lemire), without rejection: the bias is below range / 2⁶⁴.
    pub fn fill_integers<T: UniformInteger>(
        self,
        draw: u64,
        start: usize,
        out: &mut [T],
        low: T,
        high: T,
    ) {
        let (low, high): (i64, i64) = (low.into_i64(), high.into_i64());
        let range = if high > low { high.wrapping_sub(low) as u64 } else { 0 };
        self.fill_wide(draw, start, out, |bits| {
            let offset = (u128::from(bits) * u128::from(range)) >> 64;
            T::from_i64(low.wrapping_add(offset as i64))
        });
    }

    /// Normal with this mean and standard deviation, through the inverse of its distribution
    /// function.
    pub fn fill_normal<T: UniformReal>(
        self,
        draw: u64,
        start: usize,
        out: &mut [T],
        mean: T,
        deviation: T,
    ) {
        let (mean, deviation) = (mean.to_f64(), deviation.to_f64());
        T::fill_open(self, draw, start, out, |u| T::from_f64(mean + deviation * inverse_normal(u)));
    }

    /// Normal with this mean and standard deviation, within two of these of the mean: TensorFlow's
    /// `truncated_normal`, here without rejection.
    pub fn fill_truncated_normal<T: UniformReal>(
        self,
        draw: u64,
        start: usize,
        out: &mut [T],
        mean: T,
        deviation: T,
    ) {
        let (mean, deviation) = (mean.to_f64(), deviation.to_f64());
        T::fill_open(self, draw, start, out, |u| {
            let p = BELOW_MINUS_2 + u * (1.0 - 2.0 * BELOW_MINUS_2);
            T::from_f64(mean + deviation * inverse_normal(p).clamp(-2.0, 2.0))
        });
    }

    /// One word an element.
    #[inline(always)]
    fn fill_words<T>(self, draw: u64, start: usize, out: &mut [T], f: impl Fn(u32) -> T) {
        vectorized(
            #[inline(always)]
            || {
                let mut done = 0;
                while done < out.len() {
                    let at = start + done;
                    let (first, skip) = (at / 4, at % 4);
                    let words = blocks(self.key, draw, first as u64);
                    let mut flat = [0; 4 * BLOCKS];
                    for b in 0..BLOCKS {
                        for w in 0..4 {
                            flat[4 * b + w] = words[w][b];
                        }
                    }
                    let count = (4 * BLOCKS - skip).min(out.len() - done);
                    for (o, &word) in out[done..done + count].iter_mut().zip(&flat[skip..]) {
                        *o = f(word);
                    }
                    done += count;
                }
            },
        );
    }

    /// Two words an element, the first of them the lower.
    #[inline(always)]
    fn fill_wide<T>(self, draw: u64, start: usize, out: &mut [T], f: impl Fn(u64) -> T) {
        vectorized(
            #[inline(always)]
            || {
                let mut done = 0;
                while done < out.len() {
                    let at = start + done;
                    let (first, skip) = (at / 2, at % 2);
                    let words = blocks(self.key, draw, first as u64);
                    let mut flat = [0; 2 * BLOCKS];
                    for b in 0..BLOCKS {
                        flat[2 * b] = u64::from(words[1][b]) << 32 | u64::from(words[0][b]);
                        flat[2 * b + 1] = u64::from(words[3][b]) << 32 | u64::from(words[2][b]);
                    }
                    let count = (2 * BLOCKS - skip).min(out.len() - done);
                    for (o, &word) in out[done..done + count].iter_mut().zip(&flat[skip..]) {
                        *o = f(word);
                    }
                    done += count;
                }
            },
        );
    }
}

/// Floats that a stream can draw.
pub trait UniformReal: Real {
    /// Uniform in [low, high).
    #[doc(hidden)]
    fn fill(stream: Stream, draw: u64, start: usize, out: &mut [Self], low: Self, high: Self);
    /// `f` of numbers uniform in (0, 1), neither end included.
    #[doc(hidden)]
    fn fill_open(
        stream: Stream,
        draw: u64,
        start: usize,
        out: &mut [Self],
        f: impl Fn(f64) -> Self,
    );
}

impl UniformReal for f32 {
    fn fill(stream: Stream, draw: u64, start: usize, out: &mut [f32], low: f32, high: f32) {
        let (range, last) = (high - low, high.next_down().max(low));
        stream.fill_words(
            draw,
            start,
            out,
            #[inline(always)]
            |word| {
                // The sum may round up to `high`.
                let value = low + range * ((word >> 8) as f32 * (1.0 / 16_777_216.0));
                if value < high { value } else { last }
            },
        );
    }

    fn fill_open(stream: Stream, draw: u64, start: usize, out: &mut [f32], f: impl Fn(f64) -> f32) {
        stream.fill_words(
            draw,
            start,
            out,
            #[inline(always)]
            |word| f((f64::from(word) + 0.5) * (1.0 / 4_294_967_296.0)),
        );
    }
}

impl UniformReal for f64 {
    fn fill(stream: Stream, draw: u64, start: usize, out: &mut [f64], low: f64, high: f64) {
        let (range, last) = (high - low, high.next_down().max(low));
        stream.fill_wide(
            draw,
            start,
            out,
            #[inline(always)]
            |word| {
                let value = low + range * ((word >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0));
                if value < high { value } else { last }
            },
        );
    }

    fn fill_open(stream: Stream, draw: u64, start: usize, out: &mut [f64], f: impl Fn(f64) -> f64) {
        stream.fill_wide(
            draw,
            start,
            out,
            #[inline(always)]
            // 52 bits, so that the half that is added is never rounded away.
            |word| f(((word >> 12) as f64 + 0.5) * (1.0 / 4_503_599_627_370_496.0)),
        );
    }
}

/// Integers that a stream can draw.
pub trait UniformInteger: crate::element::Number {
    #[doc(hidden)]
    fn into_i64(self) -> i64;
}

macro_rules! uniform_integer {
    ($($t:ty)*) => {$(
        impl UniformInteger for $t {
            fn into_i64(self) -> i64 { i64::from(self) }
        }
    )*};
}

uniform_integer!(i32 i64 u8);

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 200_000;

    /// Mean, variance, smallest and largest.
    fn moments<T: Real>(x: &[T]) -> (f64, f64, f64, f64) {
        let n = x.len() as f64;
        let mean = x.iter().map(|v| v.to_f64()).sum::<f64>() / n;
        let variance = x.iter().map(|v| (v.to_f64() - mean).powi(2)).sum::<f64>() / n;
        let min = x.iter().map(|v| v.to_f64()).fold(f64::INFINITY, f64::min);
        let max = x.iter().map(|v| v.to_f64()).fold(f64::NEG_INFINITY, f64::max);
        (mean, variance, min, max)
    }

    #[test]
    fn an_element_is_the_same_in_any_piece() {
        let stream = Stream::new(7, "dropout");
        fn check<T: PartialEq + Copy + Default + std::fmt::Debug>(fill: impl Fn(usize, &mut [T])) {
            let mut whole = vec![T::default(); 500];
            fill(0, &mut whole);
            for (start, len) in [(1, 3), (63, 70), (64, 64), (130, 1), (2, 498)] {
                let mut piece = vec![T::default(); len];
                fill(start, &mut piece);
                assert_eq!(piece, whole[start..start + len]);
            }
        }
        check(|start, out: &mut [f32]| stream.fill_uniform(3, start, out, 0.0, 1.0));
        check(|start, out: &mut [f64]| stream.fill_uniform(3, start, out, 0.0, 1.0));
        check(|start, out: &mut [f32]| stream.fill_normal(3, start, out, 0.0, 1.0));
        check(|start, out: &mut [f64]| stream.fill_truncated_normal(3, start, out, 0.0, 1.0));
        check(|start, out: &mut [i32]| stream.fill_integers(3, start, out, 0, 1000));
    }

    #[test]
    fn streams_and_draws_differ_and_keys_never_change() {
        assert_eq!(Stream::new(0, "").key, 9_313_164_154_874_788_883);
        assert_ne!(Stream::new(0, "a"), Stream::new(0, "b"));
        assert_ne!(Stream::new(0, "a"), Stream::new(1, "a"));
        let mut out = [[0.0f32; 8]; 2];
        Stream::new(0, "a").fill_uniform(0, 0, &mut out[0], 0.0, 1.0);
        Stream::new(0, "a").fill_uniform(1, 0, &mut out[1], 0.0, 1.0);
        assert_ne!(out[0], out[1]);
    }

    #[test]
    fn uniform_has_its_moments_and_bounds() {
        let stream = Stream::new(1, "uniform");
        let mut x = vec![0.0f32; N];
        stream.fill_uniform(0, 0, &mut x, -1.0, 3.0);
        let (mean, variance, min, max) = moments(&x);
        assert!((mean - 1.0).abs() < 0.01 && (variance - 16.0 / 12.0).abs() < 0.02);
        assert!((-1.0..-0.99).contains(&min) && (2.99..3.0).contains(&max));
        let mut y = vec![0.0f64; N];
        stream.fill_uniform(0, 0, &mut y, 5.0, 5.0f64.next_up());
        assert!(y.iter().all(|&v| v == 5.0));
        stream.fill_uniform(0, 0, &mut y, 0.0, 1.0);
        let (mean, variance, ..) = moments(&y);
        assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.001);
    }

    #[test]
    fn normal_has_its_moments() {
        let stream = Stream::new(2, "normal");
        let mut x = vec![0.0f32; N];
        stream.fill_normal(0, 0, &mut x, 2.0, 0.5);
        let (mean, variance, min, max) = moments(&x);
        assert!((mean - 2.0).abs() < 0.01 && (variance - 0.25).abs() < 0.005);
        assert!(min < 0.2 && max > 3.8 && min > -1.5 && max < 5.5);
        let within = x.iter().filter(|v| (**v - 2.0).abs() < 0.5).count() as f64 / N as f64;
        assert!((within - 0.6827).abs() < 0.005);
    }

    #[test]
    fn truncated_normal_stays_within_two_deviations() {
        let stream = Stream::new(3, "truncated");
        let mut x = vec![0.0f64; N];
        stream.fill_truncated_normal(0, 0, &mut x, 1.0, 3.0);
        let (mean, variance, min, max) = moments(&x);
        // 1 - 4·φ(2) / (2·Φ(2) - 1) of the variance is left.
        assert!((mean - 1.0).abs() < 0.02 && (variance / 9.0 - 0.7737).abs() < 0.01);
        assert!(min >= -5.0 && max <= 7.0 && min < -4.9 && max > 6.9);
    }

    #[test]
    fn integers_cover_their_range_evenly() {
        let stream = Stream::new(4, "integers");
        let mut x = vec![0i32; N];
        stream.fill_integers(0, 0, &mut x, -3, 4);
        for value in -3..4 {
            let share = x.iter().filter(|&&v| v == value).count() as f64 / N as f64;
            assert!((share - 1.0 / 7.0).abs() < 0.005, "{value}: {share}");
        }
        assert!(x.iter().all(|v| (-3..4).contains(v)));
        let mut all = [0i64; 64];
        stream.fill_integers(0, 0, &mut all, i64::MIN, i64::MAX);
        assert!(all.iter().any(|&v| v < 0) && all.iter().any(|&v| v > 0));
        stream.fill_integers(0, 0, &mut all, 5, 5);
        assert_eq!(all, [5; 64]);
    }
}
