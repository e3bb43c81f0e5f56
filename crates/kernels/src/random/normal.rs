//! The normal distribution's inverse, by which one uniform number makes one normal one.

#![allow(clippy::excessive_precision)] // coefficients as they are published

/// The value below which a standard normal variable lies with probability `p`, for 0 < p < 1: ±∞ at
/// the ends, NaN outside.
///
/// Wichura's algorithm AS 241 (`PPND16`, *Applied Statistics* 37, 1988), accurate to about one part
/// in 10¹⁶.
pub fn inverse_normal(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return central(q);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail == 0.0 {
        return f64::INFINITY.copysign(q);
    }
    // Outside of [0, 1] the logarithm is NaN, and so is all that follows.
    let r = (-tail.ln()).sqrt();
    let value = if r <= 5.0 { near_tail(r) } else { far_tail(r) };
    value.copysign(q)
}

/// The inverse at 0.5 + q where |q| ≤ 0.425.
#[inline(always)]
fn central(q: f64) -> f64 {
    q * ratio(
        0.180_625 - q * q,
        [
            2.509_080_928_730_122_67e3,
            3.343_057_558_358_812_81e4,
            6.726_577_092_700_870_09e4,
            4.592_195_393_154_987_15e4,
            1.373_169_376_550_946_11e4,
            1.971_590_950_306_551_44e3,
            1.331_416_678_917_843_77e2,
            3.387_132_872_796_366_61,
        ],
        [
            5.226_495_278_852_854_56e3,
            2.872_908_573_572_194_27e4,
            3.930_789_580_009_271_06e4,
            2.121_379_430_158_659_59e4,
            5.394_196_021_424_751_11e3,
            6.871_870_074_920_579_08e2,
            4.231_333_070_160_091_13e1,
            1.0,
        ],
    )
}

/// The distance of the inverse from 0 at a tail of e^-r² where r ≤ 5.
#[inline(always)]
fn near_tail(r: f64) -> f64 {
    ratio(
        r - 1.6,
        [
            7.745_450_142_783_414_1e-4,
            2.272_384_498_926_918_46e-2,
            2.417_807_251_774_506_12e-1,
            1.270_458_252_452_368_38,
            3.647_848_324_763_204_6,
            5.769_497_221_460_691_4,
            4.630_337_846_156_545_3,
            1.423_437_110_749_683_58,
        ],
        [
            1.050_750_071_644_416_84e-9,
            5.475_938_084_995_345e-4,
            1.519_866_656_361_645_72e-2,
            1.481_039_764_274_800_75e-1,
            6.897_673_349_851e-1,
            1.676_384_830_183_803_85,
            2.053_191_626_637_758_82,
            1.0,
        ],
    )
}

/// The distance of the inverse from 0 at a tail of e^-r² where r > 5.
#[inline(always)]
fn far_tail(r: f64) -> f64 {
    ratio(
        r - 5.0,
        [
            2.010_334_399_292_288_13e-7,
            2.711_555_568_743_487_58e-5,
            1.242_660_947_388_078_44e-3,
            2.653_218_952_657_612_31e-2,
            2.965_605_718_285_048_91e-1,
            1.784_826_539_917_291_34,
            5.463_784_911_164_114_37,
            6.657_904_643_501_103_78,
        ],
        [
            2.044_263_103_389_939_79e-15,
            1.421_511_758_316_445_89e-7,
            1.846_318_317_510_054_68e-5,
            7.868_691_311_456_132_59e-4,
            1.487_536_129_085_061_49e-2,
            1.369_298_809_227_358_05e-1,
            5.998_322_065_558_879_38e-1,
            1.0,
        ],
    )
}

/// The quotient of two polynomials, coefficients of the highest power first.
#[inline(always)]
fn ratio(x: f64, above: [f64; 8], below: [f64; 8]) -> f64 {
    let polynomial = |c: [f64; 8]| c.into_iter().fold(0.0, |sum, c| sum * x + c);
    polynomial(above) / polynomial(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054_2),
            (0.8, 0.841_621_233_572_914_2),
            (0.001, -3.090_232_306_167_813_5),
            (1e-10, -6.361_340_902_404_056),
            (1e-20, -9.262_340_089_798_408),
            (0.022_750_131_948_179_207, -2.0),
        ] {
            let got = inverse_normal(p);
            assert!((got - z).abs() <= 1e-14 * z.abs().max(1.0), "{p}: {got} is not {z}");
        }
        assert_eq!(inverse_normal(0.0), f64::NEG_INFINITY);
        assert_eq!(inverse_normal(1.0), f64::INFINITY);
        assert!(inverse_normal(-0.1).is_nan() && inverse_normal(f64::NAN).is_nan());
    }
}
