//! Derivatives that keep their digits where the function itself has none left: of the sigmoid, the
//! hyperbolic tangent and the error function. As `y (1 - y)` and `1 - y²` they would cancel to 0 as
//! soon as `y` rounds to 1.

use super::exp;

/// The derivative of the sigmoid, e / (1 + e)² with e = e⁻|ˣ|.
#[inline(always)]
pub fn sigmoid_slope(x: f32) -> f32 {
    let e = exp(-x.abs());
    let total = 1.0 + e;
    e / (total * total)
}

/// The derivative of the hyperbolic tangent, 4e / (1 + e)² with e = e⁻²|ˣ|.
#[inline(always)]
pub fn tanh_slope(x: f32) -> f32 {
    let size = x.abs();
    let e = exp(-(size + size));
    let total = 1.0 + e;
    4.0 * e / (total * total)
}

/// e^-x², with the rounding of x² made up for: without that, the relative error grows with x².
#[inline(always)]
pub fn gaussian(x: f32) -> f32 {
    // x = h + l with so few bits in h that its square is exact. (Dekker)
    let h = f32::from_bits(x.to_bits() & 0xffff_f000);
    let l = x - h;
    let square = x * x;
    let lost = ((h * h - square) + (h + h) * l) + l * l;
    let e = exp(-square);
    // Where x² is infinite, what was lost of it is NaN.
    if e > 0.0 { e - e * lost } else { e }
}

/// [`sigmoid_slope`] of `f64`.
#[inline(always)]
pub fn sigmoid_slope_f64(x: f64) -> f64 {
    let e = f64::exp(-x.abs());
    let total = 1.0 + e;
    e / (total * total)
}

/// [`tanh_slope`] of `f64`.
#[inline(always)]
pub fn tanh_slope_f64(x: f64) -> f64 {
    let size = x.abs();
    let e = f64::exp(-(size + size));
    let total = 1.0 + e;
    4.0 * e / (total * total)
}

/// [`gaussian`] of `f64`.
#[inline(always)]
pub fn gaussian_f64(x: f64) -> f64 {
    let h = f64::from_bits(x.to_bits() & 0xffff_ffff_f800_0000);
    let l = x - h;
    let square = x * x;
    let lost = ((h * h - square) + (h + h) * l) + l * l;
    let e = f64::exp(-square);
    if e > 0.0 { e - e * lost } else { e }
}
