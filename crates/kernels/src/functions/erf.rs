//! The error function and its complement.
//!
//! For `f32` the polynomials of the Cephes library (Moshier, `ndtrf.c`), in plain arithmetic so
//! that loops over them vectorise. For `f64` the rational approximations of fdlibm's `s_erf.c`:
//!
//! Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy,
//! modify, and distribute this software is freely granted, provided that this notice is preserved.

use super::gaussian;

/// c₀ + c₁x + c₂x² + ...
#[inline(always)]
fn polynomial<const N: usize>(x: f64, c: [f64; N]) -> f64 {
    c.into_iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// erf(x) for |x| < 1.
#[inline(always)]
fn near(x: f32) -> f32 {
    let z = x * x;
    let p = 7.853_861_4e-5;
    let p = p * z - 8.010_194e-4;
    let p = p * z + 5.188_327_7e-3;
    let p = p * z - 2.685_381_2e-2;
    let p = p * z + 1.128_358_5e-1;
    let p = p * z - 3.761_262_6e-1;
    let p = p * z + 1.283_791_7e-1;
    p * x + x
}

/// erfc(x) for x ≥ 1.
#[inline(always)]
fn far(x: f32) -> f32 {
    let q = 1.0 / x;
    let y = q * q;
    let p = 2.326_82e-2;
    let p = p * y - 1.387_039_4e-1;
    let p = p * y + 3.687_424_7e-1;
    let p = p * y - 5.824_733e-1;
    let p = p * y + 6.210_004_6e-1;
    let p = p * y - 4.944_515_3e-1;
    let p = p * y + 3.404_879_9e-1;
    let p = p * y - 2.741_127e-1;
    let below_2 = p * y + 5.638_259_4e-1;
    let p = -1.047_766_4e1;
    let p = p * y + 1.297_72e1;
    let p = p * y - 7.495_518_7;
    let p = p * y + 2.921_019;
    let p = p * y - 1.015_265_3;
    let p = p * y + 4.218_463_4e-1;
    let p = p * y - 2.820_767_5e-1;
    let from_2 = p * y + 5.641_895e-1;
    let p = if x < 2.0 { below_2 } else { from_2 };
    gaussian(x) * (q * p)
}

/// The error function, 2/√π ∫₀ˣ e^-t² dt.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let size = x.abs();
    let beyond = (1.0 - far(size)).copysign(x);
    // NaN fails the comparison, and passes through.
    if size >= 1.0 { beyond } else { near(x) }
}

/// The complementary error function, 1 - erf(x), accurate where that is small.
#[inline(always)]
pub fn erfc(x: f32) -> f32 {
    let size = x.abs();
    let tail = far(size);
    let beyond = if x < 0.0 { 2.0 - tail } else { tail };
    if size >= 1.0 { beyond } else { 1.0 - near(x) }
}

/// erf(x)/x - 1 for |x| < 0.84375, given x².
fn near_f64(z: f64) -> f64 {
    let p = [
        1.28379167095512558561e-01,
        -3.25042107247001499370e-01,
        -2.84817495755985104766e-02,
        -5.77027029648944159157e-03,
        -2.37630166566501626084e-05,
    ];
    let q = [
        1.0,
        3.97917223959155352819e-01,
        6.50222499887672944485e-02,
        5.08130628187576562776e-03,
        1.32494738004321644526e-04,
        -3.96022827877536812320e-06,
    ];
    polynomial(z, p) / polynomial(z, q)
}

/// erfc(x) for x ≥ 0.84375.
fn far_f64(x: f64) -> f64 {
    if x < 1.25 {
        return below_1_25(x);
    }
    if x > 28.0 {
        return 0.0;
    }
    let s = 1.0 / (x * x);
    let quotient = if x < 1.0 / 0.35 { below_2_86(s) } else { from_2_86(s) };
    // x² in two parts, the first of them exact.
    let z = f64::from_bits(x.to_bits() & 0xffff_ffff_0000_0000);
    f64::exp(-z * z - 0.5625) * f64::exp((z - x) * (z + x) + quotient) / x
}

/// erfc(x) for 0.84375 ≤ x < 1.25.
#[inline(always)]
fn below_1_25(x: f64) -> f64 {
    let p = [
        -2.36211856075265944077e-03,
        4.14856118683748331666e-01,
        -3.72207876035701323847e-01,
        3.18346619901161753674e-01,
        -1.10894694282396677476e-01,
        3.54783043256182359371e-02,
        -2.16637559486879084300e-03,
    ];
    let q = [
        1.0,
        1.06420880400844228286e-01,
        5.40397917702171048937e-01,
        7.18286544141962662868e-02,
        1.26171219808761642112e-01,
        1.36370839120290507362e-02,
        1.19844998467991074170e-02,
    ];
    // erf(1), cut to the bits of an f32.
    let at_1 = 8.45062911510467529297e-01;
    1.0 - at_1 - polynomial(x - 1.0, p) / polynomial(x - 1.0, q)
}

/// ln(x erfc(x)) + x² + 0.5625 for 1.25 ≤ x < 1 / 0.35, given s = 1 / x².
#[inline(always)]
fn below_2_86(s: f64) -> f64 {
    let p = [
        -9.86494403484714822705e-03,
        -6.93858572707181764372e-01,
        -1.05586262253232909814e+01,
        -6.23753324503260060396e+01,
        -1.62396669462573470355e+02,
        -1.84605092906711035994e+02,
        -8.12874355063065934246e+01,
        -9.81432934416914548592e+00,
    ];
    let q = [
        1.0,
        1.96512716674392571292e+01,
        1.37657754143519042600e+02,
        4.34565877475229228821e+02,
        6.45387271733267880336e+02,
        4.29008140027567833386e+02,
        1.08635005541779435134e+02,
        6.57024977031928170135e+00,
        -6.04244152148580987438e-02,
    ];
    polynomial(s, p) / polynomial(s, q)
}

/// ln(x erfc(x)) + x² + 0.5625 for x ≥ 1 / 0.35, given s = 1 / x².
#[inline(always)]
fn from_2_86(s: f64) -> f64 {
    let p = [
        -9.86494292470009928597e-03,
        -7.99283237680523006574e-01,
        -1.77579549177547519889e+01,
        -1.60636384855821916062e+02,
        -6.37566443368389627722e+02,
        -1.02509513161107724954e+03,
        -4.83519191608651397019e+02,
    ];
    let q = [
        1.0,
        3.03380607434824582924e+01,
        3.25792512996573918826e+02,
        1.53672958608443695994e+03,
        3.19985821950859553908e+03,
        2.55305040643316442583e+03,
        4.74528541206955367215e+02,
        -2.24409524465858183362e+01,
    ];
    polynomial(s, p) / polynomial(s, q)
}

/// The error function, of `f64`.
pub fn erf_f64(x: f64) -> f64 {
    let size = x.abs();
    if size >= 0.84375 { (1.0 - far_f64(size)).copysign(x) } else { x + x * near_f64(x * x) }
}

/// The complementary error function, of `f64`.
pub fn erfc_f64(x: f64) -> f64 {
    if x <= -0.84375 {
        2.0 - far_f64(-x)
    } else if x >= 0.84375 {
        far_f64(x)
    } else if x < 0.25 {
        1.0 - (x + x * near_f64(x * x))
    } else {
        0.5 - ((x - 0.5) + x * near_f64(x * x))
    }
}
