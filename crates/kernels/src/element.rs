//! The element types and the arithmetic that generic loops need of them.
//!
//! Integers wrap on overflow in debug and release builds alike; floats follow IEEE 754 and a NaN
//! passes through [`Number::least`] and [`Number::greatest`]. Booleans are `u8` 0 or 1 in this
//! crate.
//!
//! Long because the three traits and their implementations for five types are read side by side.

use std::fmt::{Debug, Display};
use std::ops::{Add, Div, Mul, Neg, Sub};

use bytemuck::Pod;

use crate::functions;

mod sealed {
    pub trait Sealed {}
}

/// The types of an array's elements: `f32 f64 i32 i64 u8`.
pub trait Element:
    Pod + sealed::Sealed + PartialEq + PartialOrd + Default + Debug + Display + Send + Sync
{
    /// True if this is a type of floats.
    const IS_FLOAT: bool;
    /// From `f32`: to an integer it truncates and saturates, NaN gives 0.
    fn from_f32(value: f32) -> Self;
    /// From `f64`: to an integer it truncates and saturates, NaN gives 0; to `f32` it rounds to
    /// nearest.
    fn from_f64(value: f64) -> Self;
    /// From `i32`: integers wrap, floats round to nearest.
    fn from_i32(value: i32) -> Self;
    /// From `i64`: integers wrap, floats round to nearest.
    fn from_i64(value: i64) -> Self;
    /// From `u8`, always exact.
    fn from_u8(value: u8) -> Self;
    /// To any element type, by the rules above.
    fn cast<U: Element>(self) -> U;
    /// 1 unless the value is zero; NaN gives 1.
    fn to_bool(self) -> u8;
}

/// Elements that can be counted with. All of them.
pub trait Number: Element {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The smallest value: minus infinity for floats.
    const LOWEST: Self;
    /// The largest value: infinity for floats.
    const HIGHEST: Self;

    /// `self + other`, wrapping.
    fn wrapping_add(self, other: Self) -> Self;
    /// `self - other`, wrapping.
    fn wrapping_sub(self, other: Self) -> Self;
    /// `self * other`, wrapping.
    fn wrapping_mul(self, other: Self) -> Self;
    /// `-self`, wrapping.
    fn wrapping_neg(self) -> Self;
    /// The absolute value, wrapping: of `i32::MIN` it is `i32::MIN`.
    fn absolute(self) -> Self;
    /// -1, 0 or 1; NaN and both zeros stay as they are.
    fn sign(self) -> Self;
    /// The smaller one; NaN if either is.
    fn least(self, other: Self) -> Self;
    /// The larger one; NaN if either is.
    fn greatest(self, other: Self) -> Self;
    /// `max(self, 0)`; NaN stays.
    fn relu(self) -> Self;
    /// `self / other`; `None` for a division of integers by zero. Integers truncate and wrap
    /// (`MIN / -1 = MIN`).
    fn quotient(self, other: Self) -> Option<Self>;
    /// The largest integer not above `self / other`; `None` for a division of integers by zero,
    /// which wrap.
    fn floor_quotient(self, other: Self) -> Option<Self>;
    /// The remainder of the division that rounds down, so with the sign of `other` (as Python's and
    /// TensorFlow's `%`); `None` for integers by zero.
    fn modulo(self, other: Self) -> Option<Self>;
    /// `self` to the power of `other`, wrapping for integers, where a negative exponent gives
    /// `None` unless `self` is 1 or -1. Floats follow IEEE 754.
    fn power(self, other: Self) -> Option<Self>;
}

/// Floating-point elements: `f32` and `f64`.
pub trait Real:
    Number
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// Not a number.
    const NAN: Self;
    /// Infinity.
    const INFINITY: Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// eˣ - 1, accurate near 0.
    fn exp_m1(self) -> Self;
    /// The natural logarithm; -∞ at 0, NaN below.
    fn ln(self) -> Self;
    /// ln(1 + x), accurate near 0.
    fn ln_1p(self) -> Self;
    /// √x.
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// 1 / (1 + e⁻ˣ), without overflow on either side.
    fn sigmoid(self) -> Self;
    /// ln(1 + eˣ), without overflow.
    fn softplus(self) -> Self;
    /// The derivative of the sigmoid, accurate where that is small.
    fn sigmoid_slope(self) -> Self;
    /// The derivative of the hyperbolic tangent, accurate where that is small.
    fn tanh_slope(self) -> Self;
    /// e^-x².
    fn gaussian(self) -> Self;
    /// The sine, of radians.
    fn sin(self) -> Self;
    /// The cosine, of radians.
    fn cos(self) -> Self;
    /// The tangent, of radians.
    fn tan(self) -> Self;
    /// The angle of the point (`x`, `self`), in radians from -π to π.
    fn atan2(self, x: Self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// 1 less the error function, accurate where that is small.
    fn erfc(self) -> Self;
    /// `self` to the power of `other`.
    fn powf(self, other: Self) -> Self;
    /// The largest integer not above.
    fn floor(self) -> Self;
    /// The smallest integer not below.
    fn ceil(self) -> Self;
    /// The nearest integer, halves to the even one.
    fn round_ties_even(self) -> Self;
    /// True if this is NaN.
    fn is_nan(self) -> bool;
    /// True if this is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// To `f64`, exact.
    fn to_f64(self) -> f64;
}

macro_rules! element {
    ($($t:ty, $from:ident, $float:literal;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const IS_FLOAT: bool = $float;
            #[inline(always)]
            fn from_f32(value: f32) -> Self { value as $t }
            #[inline(always)]
            fn from_f64(value: f64) -> Self { value as $t }
            #[inline(always)]
            fn from_i32(value: i32) -> Self { value as $t }
            #[inline(always)]
            fn from_i64(value: i64) -> Self { value as $t }
            #[inline(always)]
            fn from_u8(value: u8) -> Self { value as $t }
            #[inline(always)]
            fn cast<U: Element>(self) -> U { U::$from(self) }
            #[inline(always)]
            fn to_bool(self) -> u8 { u8::from(self != (0 as $t)) }
        }
    )*};
}

element! {
    f32, from_f32, true;
    f64, from_f64, true;
    i32, from_i32, false;
    i64, from_i64, false;
    u8, from_u8, false;
}

macro_rules! integer {
    ($t:ty, $absolute:expr, $sign:expr, $floor_quotient:expr, $modulo:expr, $power:expr) => {
        impl Number for $t {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LOWEST: Self = <$t>::MIN;
            const HIGHEST: Self = <$t>::MAX;
            #[inline(always)]
            fn wrapping_add(self, other: Self) -> Self {
                <$t>::wrapping_add(self, other)
            }
            #[inline(always)]
            fn wrapping_sub(self, other: Self) -> Self {
                <$t>::wrapping_sub(self, other)
            }
            #[inline(always)]
            fn wrapping_mul(self, other: Self) -> Self {
                <$t>::wrapping_mul(self, other)
            }
            #[inline(always)]
            fn wrapping_neg(self) -> Self {
                <$t>::wrapping_neg(self)
            }
            #[inline(always)]
            fn absolute(self) -> Self {
                $absolute(self)
            }
            #[inline(always)]
            fn sign(self) -> Self {
                $sign(self)
            }
            #[inline(always)]
            fn least(self, other: Self) -> Self {
                Ord::min(self, other)
            }
            #[inline(always)]
            fn greatest(self, other: Self) -> Self {
                Ord::max(self, other)
            }
            #[inline(always)]
            fn relu(self) -> Self {
                Ord::max(self, 0)
            }
            #[inline(always)]
            fn quotient(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.wrapping_div(other))
            }
            #[inline(always)]
            fn floor_quotient(self, other: Self) -> Option<Self> {
                (other != 0).then(|| $floor_quotient(self, other))
            }
            #[inline(always)]
            fn modulo(self, other: Self) -> Option<Self> {
                (other != 0).then(|| $modulo(self, other))
            }
            #[inline(always)]
            fn power(self, other: Self) -> Option<Self> {
                $power(self, other)
            }
        }
    };
}

/// `base` to the power `exponent` by squaring, wrapping.
fn integer_power<T: Number>(mut base: T, mut exponent: u64) -> T {
    let mut result = T::ONE;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}

macro_rules! signed {
    ($t:ty) => {
        integer!(
            $t,
            <$t>::wrapping_abs,
            <$t>::signum,
            |a: $t, b: $t| {
                let rest = a.wrapping_rem(b);
                let below = rest != 0 && (rest < 0) != (b < 0);
                a.wrapping_div(b) - <$t>::from(below)
            },
            |a: $t, b: $t| {
                let rest = a.wrapping_rem(b);
                if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
            },
            |base: $t, exponent: $t| match (base, exponent) {
                (1, _) => Some(1),
                (-1, e) => Some(if e & 1 == 0 { 1 } else { -1 }),
                (_, e) if e < 0 => None,
                (b, e) => Some(integer_power(b, e as u64)),
            }
        );
    };
}

signed!(i32);
signed!(i64);
integer!(
    u8,
    |a: u8| a,
    |a: u8| a.min(1),
    |a: u8, b: u8| a / b,
    |a: u8, b: u8| a % b,
    |a: u8, b: u8| Some(integer_power(a, u64::from(b)))
);

macro_rules! float {
    ($t:ident) => {
        impl Number for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = $t::NEG_INFINITY;
            const HIGHEST: Self = $t::INFINITY;
            #[inline(always)]
            fn wrapping_add(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn wrapping_sub(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn wrapping_mul(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn wrapping_neg(self) -> Self {
                -self
            }
            #[inline(always)]
            fn absolute(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn sign(self) -> Self {
                // Zeros and NaN compare to nothing and fall through.
                if self > 0.0 {
                    1.0
                } else if self < 0.0 {
                    -1.0
                } else {
                    self
                }
            }
            #[inline(always)]
            fn least(self, other: Self) -> Self {
                let smaller = if self < other { self } else { other };
                if $t::is_nan(self) { self } else { smaller }
            }
            #[inline(always)]
            fn greatest(self, other: Self) -> Self {
                let larger = if self > other { self } else { other };
                if $t::is_nan(self) { self } else { larger }
            }
            #[inline(always)]
            fn relu(self) -> Self {
                if self < 0.0 { 0.0 } else { self }
            }
            #[inline(always)]
            fn quotient(self, other: Self) -> Option<Self> {
                Some(self / other)
            }
            #[inline(always)]
            fn floor_quotient(self, other: Self) -> Option<Self> {
                // Python's rule: from what `modulo` leaves, so that quotient · other + rest is
                // self. Rounding self / other down would give 550 for 55 and 0.1, which is a little
                // more than a tenth.
                let rest = self % other;
                let below = rest != 0.0 && (rest < 0.0) != (other < 0.0);
                // Whole but for rounding.
                let quotient = (self - rest) / other - if below { 1.0 } else { 0.0 };
                let down = $t::floor(quotient);
                let whole = if quotient - down > 0.5 { down + 1.0 } else { down };
                let whole = if whole == 0.0 { $t::copysign(0.0, self / other) } else { whole };
                Some(if other == 0.0 { self / other } else { whole })
            }
            #[inline(always)]
            fn modulo(self, other: Self) -> Option<Self> {
                let rest = self % other;
                Some(if rest != 0.0 && (rest < 0.0) != (other < 0.0) { rest + other } else { rest })
            }
            #[inline(always)]
            fn power(self, other: Self) -> Option<Self> {
                Some($t::powf(self, other))
            }
        }
    };
}

float!(f32);
float!(f64);

macro_rules! real {
    ($t:ident, $exp:path, $exp_m1:path, $ln:path, $ln_1p:path, $tanh:path, $sigmoid:path, $softplus:path, $sigmoid_slope:path, $tanh_slope:path, $gaussian:path, $erf:path, $erfc:path) => {
        impl Real for $t {
            const NAN: Self = $t::NAN;
            const INFINITY: Self = $t::INFINITY;
            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn exp_m1(self) -> Self {
                $exp_m1(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                $ln(self)
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                $ln_1p(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }
            #[inline(always)]
            fn sigmoid(self) -> Self {
                $sigmoid(self)
            }
            #[inline(always)]
            fn softplus(self) -> Self {
                $softplus(self)
            }
            #[inline(always)]
            fn sigmoid_slope(self) -> Self {
                $sigmoid_slope(self)
            }
            #[inline(always)]
            fn tanh_slope(self) -> Self {
                $tanh_slope(self)
            }
            #[inline(always)]
            fn gaussian(self) -> Self {
                $gaussian(self)
            }
            #[inline(always)]
            fn sin(self) -> Self {
                $t::sin(self)
            }
            #[inline(always)]
            fn cos(self) -> Self {
                $t::cos(self)
            }
            #[inline(always)]
            fn tan(self) -> Self {
                $t::tan(self)
            }
            #[inline(always)]
            fn atan2(self, x: Self) -> Self {
                $t::atan2(self, x)
            }
            #[inline(always)]
            fn erf(self) -> Self {
                $erf(self)
            }
            #[inline(always)]
            fn erfc(self) -> Self {
                $erfc(self)
            }
            #[inline(always)]
            fn powf(self, other: Self) -> Self {
                $t::powf(self, other)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $t::floor(self)
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                $t::ceil(self)
            }
            #[inline(always)]
            fn round_ties_even(self) -> Self {
                $t::round_ties_even(self)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    };
}

real!(
    f32,
    functions::exp,
    functions::exp_m1,
    functions::ln,
    functions::ln_1p,
    functions::tanh,
    functions::sigmoid,
    functions::softplus,
    functions::sigmoid_slope,
    functions::tanh_slope,
    functions::gaussian,
    functions::erf,
    functions::erfc
);
real!(
    f64,
    f64::exp,
    f64::exp_m1,
    f64::ln,
    f64::ln_1p,
    f64::tanh,
    functions::sigmoid_f64,
    functions::softplus_f64,
    functions::sigmoid_slope_f64,
    functions::tanh_slope_f64,
    functions::gaussian_f64,
    functions::erf_f64,
    functions::erfc_f64
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_truncate_saturate_and_wrap() {
        assert_eq!(1e20f32.cast::<i32>(), i32::MAX);
        assert_eq!((-1.9f64).cast::<i64>(), -1);
        assert_eq!(f32::NAN.cast::<i64>(), 0);
        assert_eq!(300.0f32.cast::<u8>(), 255);
        assert_eq!((-1i64).cast::<u8>(), 255);
        assert_eq!((1i64 << 40).cast::<i32>(), 0);
        assert_eq!(f64::MAX.cast::<f32>(), f32::INFINITY);
        assert_eq!(f32::NAN.to_bool(), 1);
        assert_eq!((-0.0f64).to_bool(), 0);
        assert_eq!(256i32.to_bool(), 1);
    }

    #[test]
    fn integers_wrap() {
        assert_eq!(Number::wrapping_add(i32::MAX, 1), i32::MIN);
        assert_eq!(i32::MIN.absolute(), i32::MIN);
        assert_eq!(i32::MIN.quotient(-1), Some(i32::MIN));
        assert_eq!(i64::MIN.modulo(-1), Some(0));
        assert_eq!(1i32.quotient(0), None);
        assert_eq!(1u8.modulo(0), None);
        assert_eq!(Number::wrapping_neg(1u8), 255);
    }

    #[test]
    fn modulo_takes_the_divisors_sign() {
        assert_eq!((-7i32).modulo(3), Some(2));
        assert_eq!(7i32.modulo(-3), Some(-2));
        assert_eq!((-7.5f32).modulo(2.0), Some(0.5));
        assert_eq!(6i64.modulo(-3), Some(0));
    }

    #[test]
    fn floor_quotients_round_down() {
        assert_eq!((-7i32).floor_quotient(3), Some(-3));
        assert_eq!(7i32.floor_quotient(-3), Some(-3));
        assert_eq!((-7i64).floor_quotient(-3), Some(2));
        assert_eq!(6i64.floor_quotient(-3), Some(-2));
        assert_eq!(i32::MIN.floor_quotient(-1), Some(i32::MIN));
        assert_eq!(i32::MIN.floor_quotient(i32::MAX), Some(-2));
        assert_eq!(7u8.floor_quotient(2), Some(3));
        assert_eq!(7u8.floor_quotient(0), None);
        assert_eq!((-7.5f32).floor_quotient(2.0), Some(-4.0));
        assert_eq!(1.0f64.floor_quotient(0.0), Some(f64::INFINITY));
        assert_eq!(55.0f64.floor_quotient(0.1), Some(549.0));
        assert_eq!(6.0f64.floor_quotient(0.1), Some(59.0));
        assert_eq!((-55.0f64).floor_quotient(0.1), Some(-550.0));
        assert_eq!(5.0f64.floor_quotient(f64::INFINITY), Some(0.0));
        assert_eq!((-5.0f64).floor_quotient(f64::INFINITY), Some(-1.0));
        assert!((-0.0f32).floor_quotient(2.0).unwrap().is_sign_negative());
    }

    #[test]
    fn quotient_and_rest_make_up_the_dividend() {
        let numbers = [55.0, 0.1, -0.3, 7.25, -19.0, 1e-3, 3e5, 0.7, -1.0 / 3.0];
        for (a, b) in numbers.into_iter().flat_map(|a| numbers.map(|b| (a, b))) {
            let (quotient, rest) = (a.floor_quotient(b).unwrap(), a.modulo(b).unwrap());
            assert_eq!(quotient, quotient.floor());
            let (whole, error): (f64, f64) = (quotient * b + rest, 1e-15 * f64::abs(a));
            assert!((whole - a).abs() <= error + 1e-15 * b.abs(), "{a} {b}: {quotient} {rest}");
        }
    }

    #[test]
    fn powers_of_integers() {
        assert_eq!(3i32.power(4), Some(81));
        assert_eq!(2i32.power(32), Some(0));
        assert_eq!(2i64.power(-1), None);
        assert_eq!(0i64.power(-1), None);
        assert_eq!(1i32.power(-5), Some(1));
        assert_eq!((-1i32).power(-5), Some(-1));
        assert_eq!((-1i32).power(i32::MIN), Some(1));
        assert_eq!(0i32.power(0), Some(1));
        assert_eq!(3u8.power(5), Some(243));
    }

    #[test]
    fn nan_passes_through_minimum_and_maximum() {
        for (a, b) in [(f32::NAN, 1.0), (1.0, f32::NAN), (f32::NAN, f32::NAN)] {
            assert!(a.least(b).is_nan() && a.greatest(b).is_nan());
        }
        assert_eq!(1.0f64.greatest(2.0), 2.0);
        assert_eq!(1.0f64.least(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(f64::NAN.relu().is_nan() && f64::NAN.sign().is_nan());
        assert_eq!((-3.0f32).relu(), 0.0);
        assert_eq!((-3.0f32).sign(), -1.0);
    }
}
