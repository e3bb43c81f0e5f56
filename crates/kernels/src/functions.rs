//! Transcendental functions of `f32` in plain arithmetic, so that loops over them vectorise.
//!
//! No tables, branches or calls: every path is computed and the right one selected, which a
//! compiler turns into blends. The polynomials are those of the Cephes library (Moshier, `expf.c`,
//! `logf.c`, `tanhf.c`). Each is within 2 units in the last place of the exact value (sigmoid and
//! softplus within 4), which the tests check against `f64`. Since they call no library of the
//! platform, their bits are the same everywhere.

#![allow(clippy::excessive_precision)] // coefficients as they are published

mod erf;
mod slope;

pub use erf::{erf, erf_f64, erfc, erfc_f64};
pub use slope::{
    gaussian, gaussian_f64, sigmoid_slope, sigmoid_slope_f64, tanh_slope, tanh_slope_f64,
};

/// Adding and subtracting 1.5·2²³ rounds a small `f32` to the nearest integer, which then also
/// stands in the low bits.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 in two parts, the first with so few bits that its product with a small integer is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// 2ⁿ for -126 ≤ n ≤ 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

/// eˣ = (1 + m)·2ᵃ·2ᵇ, as m, a and b.
#[inline(always)]
fn split_exp(x: f32) -> (f32, i32, i32) {
    // Outside of these the result is 0 or ∞ anyway. Written so that NaN is kept: it fails both
    // comparisons.
    let clamped = if x < -105.0 { -105.0 } else { x };
    let clamped = if clamped > 89.0 { 89.0 } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let integer = (shifted.to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32);
    let r = clamped - n * LN_2_HIGH - n * LN_2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    // Two factors, since 2ⁿ itself may be too small or too large for an `f32`. Of NaN, the bits in
    // `integer` are arbitrary, so they are cut to a range in which the arithmetic is defined.
    let integer = integer.clamp(-160, 160);
    let half = integer >> 1;
    (p * (r * r) + r, half, integer - half)
}

/// eˣ; subnormal results are right, above 88.73 it is ∞.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (m, a, b) = split_exp(x);
    (m + 1.0) * power_of_two(a) * power_of_two(b)
}

/// eˣ - 1, accurate near 0.
#[inline(always)]
pub fn exp_m1(x: f32) -> f32 {
    let (m, a, b) = split_exp(x);
    let scale = power_of_two(a);
    // Of 2ᵃ·2ᵇ·(1 + m) - 1 the two powers of two less 1 come first: they are exact where m counts.
    let y = (m * scale + (scale - power_of_two(-b))) * power_of_two(b);
    // Keeps the sign of zero.
    if x == 0.0 { x } else { y }
}

/// The natural logarithm; -∞ at 0, NaN below.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 33_554_432.0 } else { x };
    let offset = if subnormal { -25.0 } else { 0.0 };
    // x = m·2ᵉ with √½ ≤ m < √2.
    let bits = (scaled.to_bits() as i32).wrapping_sub(0x3f35_04f3);
    let e = (bits >> 23) as f32 + offset;
    let m = f32::from_bits(((bits & 0x007f_ffff) + 0x3f35_04f3) as u32) - 1.0;
    let z = m * m;
    let p = 7.037_683_6e-2;
    let p = p * m - 1.151_461e-1;
    let p = p * m + 1.167_699_9e-1;
    let p = p * m - 1.242_014_1e-1;
    let p = p * m + 1.424_932_3e-1;
    let p = p * m - 1.666_805_7e-1;
    let p = p * m + 2.000_071_4e-1;
    let p = p * m - 2.499_999_4e-1;
    let p = p * m + 3.333_333e-1;
    let y = p * m * z + e * LN_2_LOW - 0.5 * z;
    let result = m + y + e * LN_2_HIGH;
    let result = if x < f32::INFINITY { result } else { x };
    let result = if x == 0.0 { f32::NEG_INFINITY } else { result };
    if x < 0.0 { f32::NAN } else { result }
}

/// ln(1 + x), accurate near 0.
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    // The rounding of 1 + x loses `x - (u - 1)`, whose part in the logarithm is that divided by u.
    // (Kahan)
    let u = 1.0 + x;
    let lost = if x.abs() < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let result = ln(u) + lost / u;
    let plain = !(u > 0.0 && u < f32::INFINITY);
    if plain { ln(u) } else { result }
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let far = 1.0 - 2.0 / (exp(size + size) + 1.0);
    let far = far.copysign(x);
    let z = x * x;
    let p = -5.704_988_7e-3;
    let p = p * z + 2.063_908_9e-2;
    let p = p * z - 5.373_971_6e-2;
    let p = p * z + 1.333_144_2e-1;
    let p = p * z - 3.333_328_2e-1;
    let near = p * z * x + x;
    if size < 0.625 { near } else { far }
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let top = if x >= 0.0 { 1.0 } else { e };
    top / (1.0 + e)
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e⁻|ˣ|).
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let rest = ln_1p(exp(-x.abs()));
    if x > 0.0 { x + rest } else { rest }
}

/// 1 / (1 + e⁻ˣ), of `f64`.
#[inline(always)]
pub fn sigmoid_f64(x: f64) -> f64 {
    let e = f64::exp(-x.abs());
    let top = if x >= 0.0 { 1.0 } else { e };
    top / (1.0 + e)
}

/// ln(1 + eˣ), of `f64`.
#[inline(always)]
pub fn softplus_f64(x: f64) -> f64 {
    let rest = f64::ln_1p(f64::exp(-x.abs()));
    if x > 0.0 { x + rest } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every sign and exponent with a few thousand mantissas, and the special values.
    fn samples() -> impl Iterator<Item = f32> {
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MIN_POSITIVE,
            f32::MAX,
            1e-45,
        ];
        let spread = (0..=u32::MAX / 1009).map(|i| f32::from_bits(i * 1009));
        special.into_iter().chain(spread).filter(|x| !x.is_nan())
    }

    fn check(name: &str, f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, ulps: f64) {
        let mut worst = (0.0, 0.0);
        for x in samples() {
            let (got, want) = (f(x), exact(f64::from(x)));
            if want.is_nan() {
                assert!(got.is_nan(), "{name}({x}) = {got}");
                continue;
            }
            let rounded = want as f32;
            if rounded.is_infinite() {
                assert_eq!(got, rounded, "{name}({x})");
                continue;
            }
            let size = rounded.abs().max(f32::MIN_POSITIVE);
            let ulp = f64::from(size) - f64::from(f32::from_bits(size.to_bits() - 1));
            // At a power of two the gap below is half of the gap above.
            let error = (f64::from(got) - want).abs() / ulp;
            assert!(error.is_finite(), "{name}({x}) = {got}, not {want}");
            if error > worst.0 {
                worst = (error, x);
            }
        }
        println!("{name}: {:.2} ulp at {}", worst.0, worst.1);
        assert!(worst.0 <= ulps, "{name} is {} ulp off at {}", worst.0, worst.1);
        assert!(f(f32::NAN).is_nan(), "{name} of NaN");
    }

    #[test]
    fn exp_is_accurate() {
        check("exp", exp, f64::exp, 2.0);
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn exp_m1_is_accurate() {
        check("exp_m1", exp_m1, f64::exp_m1, 2.0);
        assert_eq!(exp_m1(f32::NEG_INFINITY), -1.0);
        assert_eq!(exp_m1(-0.0).to_bits(), (-0.0f32).to_bits());
    }

    #[test]
    fn erf_is_accurate() {
        check("erf", erf, erf_f64, 2.0);
        check("erfc", erfc, erfc_f64, 6.0);
        assert_eq!(erf(f32::NEG_INFINITY), -1.0);
        assert_eq!(erfc(f32::NEG_INFINITY), 2.0);
        assert_eq!(erf(-0.0).to_bits(), (-0.0f32).to_bits());
    }

    #[test]
    fn erf_of_f64_is_accurate() {
        // Worked out to 40 digits from the series and the continued fraction.
        #[rustfmt::skip]
        let table = [
            (0.0009765625, 0.0011019324300718147, 0.9988980675699282),
            (0.1, 0.1124629160182849, 0.887537083981715),
            (0.25, 0.27632639016823696, 0.7236736098317631),
            (0.5, 0.5204998778130465, 0.4795001221869535),
            (0.84, 0.7651427114549945, 0.23485728854500548),
            (0.85, 0.7706680576083526, 0.22933194239164748),
            (1.0, 0.8427007929497149, 0.15729920705028513),
            (1.2, 0.9103139782296353, 0.08968602177036464),
            (1.3, 0.9340079449406524, 0.06599205505934755),
            (2.0, 0.9953222650189527, 0.004677734981047266),
            (2.8, 0.9999249868053346, 7.501319466545911e-05),
            (2.9, 0.9999589021219005, 4.109787809945886e-05),
            (4.0, 0.9999999845827421, 1.541725790028002e-08),
            (5.9, 0.9999999999999999, 7.190409783550478e-17),
            (7.0, 1.0, 4.183825607779414e-23),
        ];
        for (x, erf, erfc) in table {
            assert!((erf_f64(x) - erf).abs() <= 2e-16 * erf.abs(), "erf({x})");
            assert!((erf_f64(-x) + erf).abs() <= 2e-16 * erf.abs(), "erf(-{x})");
            assert!((erfc_f64(x) - erfc).abs() <= 5e-16 * erfc, "erfc({x})");
            assert!((erfc_f64(-x) - (1.0 + erf)).abs() <= 5e-16, "erfc(-{x})");
        }
        for (x, y) in [(0.0, 0.0), (f64::INFINITY, 1.0), (f64::MAX, 1.0)] {
            assert_eq!(erf_f64(x), y);
            assert_eq!(erfc_f64(x), 1.0 - y);
            assert_eq!(erfc_f64(-x), 1.0 + y);
        }
        assert_eq!(erf_f64(1e-300), 1e-300 * std::f64::consts::FRAC_2_SQRT_PI);
        assert!(erf_f64(f64::NAN).is_nan() && erfc_f64(f64::NAN).is_nan());
    }

    #[test]
    fn ln_is_accurate() {
        check("ln", ln, f64::ln, 2.0);
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(0.0), f32::NEG_INFINITY);
    }

    #[test]
    fn ln_1p_is_accurate() {
        check("ln_1p", ln_1p, f64::ln_1p, 3.0);
    }

    #[test]
    fn tanh_is_accurate() {
        check("tanh", tanh, f64::tanh, 2.0);
        assert_eq!(tanh(f32::NEG_INFINITY), -1.0);
    }

    #[test]
    fn sigmoid_is_accurate_on_both_sides() {
        check("sigmoid", sigmoid, sigmoid_f64, 4.0);
        assert_eq!(sigmoid(1e4), 1.0);
        assert_eq!(sigmoid(-1e4), 0.0);
    }

    #[test]
    fn slopes_are_accurate_over_the_whole_range() {
        check("sigmoid_slope", sigmoid_slope, sigmoid_slope_f64, 4.0);
        check("tanh_slope", tanh_slope, tanh_slope_f64, 4.0);
        check("gaussian", gaussian, gaussian_f64, 4.0);
        // Worked out to 40 digits.
        let table = [
            (sigmoid_slope_f64(20.0), 2.061_153_613_941_849e-9),
            (sigmoid_slope_f64(-40.0), 4.248_354_255_291_589e-18),
            (tanh_slope_f64(10.0), 8.244_614_455_767_397e-9),
            (tanh_slope_f64(0.5), 0.786_447_732_965_927_4),
            (gaussian_f64(10.1), 4.984_480_496_942_965e-45),
        ];
        for (got, want) in table {
            assert!((got / want - 1.0).abs() < 5e-16, "{got} is not {want}");
        }
        for x in [f32::INFINITY, f32::MAX, 1e20] {
            assert_eq!([sigmoid_slope(x), tanh_slope(-x), gaussian(x)], [0.0; 3]);
        }
        assert_eq!([sigmoid_slope(0.0), tanh_slope(0.0), gaussian(0.0)], [0.25, 1.0, 1.0]);
    }

    #[test]
    fn softplus_is_accurate() {
        check("softplus", softplus, softplus_f64, 4.0);
        assert_eq!(softplus(1e4), 1e4);
    }
}
