//! Functions without branches and calls, so that a loop over them vectorises.

/// `e^x` within 1.5 units in the last place; 0 below -104, infinite above 89, NaN of NaN.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`; `e^r` by Cephes' polynomial; `2^n` in two factors, so
/// that neither overflows.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding it rounds to an integer, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // Comparisons and not `clamp`, which would stop at a NaN in debug builds' bounds.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_6e-1);
    let p = p.mul_add(r, 0.5);
    let e = p.mul_add(r * r, r) + 1.0;
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    e * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// `2^n` for `n` from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32).wrapping_shl(23))
}

/// The natural logarithm within 2 units in the last place; that of 0 and of numbers below the normal
/// ones is minus infinity, that of a NaN and of a negative number NaN.
///
/// `x = 2^n m` with `m` from `sqrt(1/2)` to `sqrt(2)`; `log m` by Cephes' polynomial.
#[inline(always)]
pub(crate) fn log(x: f32) -> f32 {
    let bits = x.to_bits() as i32;
    // The bits of sqrt(1/2), so that the exponent steps there.
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let n = (shifted >> 23) as f32;
    let m = f32::from_bits(((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3)) as u32) - 1.0;
    let p = 7.037_683_6e-2f32;
    let p = p.mul_add(m, -1.151_461e-1);
    let p = p.mul_add(m, 1.167_699_9e-1);
    let p = p.mul_add(m, -1.242_014_1e-1);
    let p = p.mul_add(m, 1.424_932_3e-1);
    let p = p.mul_add(m, -1.666_805_8e-1);
    let p = p.mul_add(m, 2.000_071_5e-1);
    let p = p.mul_add(m, -2.499_999_4e-1);
    let p = p.mul_add(m, 0.333_333_3);
    let square = m * m;
    let tail = n.mul_add(-2.121_944_4e-4, p * m * square);
    let tail = square.mul_add(-0.5, tail);
    let whole = n.mul_add(0.693_359_4, m + tail);
    let whole = if x == f32::INFINITY { x } else { whole };
    let whole = if x < f32::MIN_POSITIVE { f32::NEG_INFINITY } else { whole };
    if x >= 0.0 { whole } else { f32::NAN }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_within_two_units_in_the_last_place() {
        let worst = (0..200_000).map(|i| -87.0 + i as f32 * 8.7e-4).map(|x| {
            let exact = f64::from(x).exp();
            ((f64::from(exp(x)) - exact) / exact).abs()
        });
        assert!(worst.fold(0.0, f64::max) < 1.2e-7);
        assert_eq!([exp(0.0), exp(-200.0), exp(f32::NEG_INFINITY)], [1.0, 0.0, 0.0]);
        assert_eq!([exp(100.0), exp(f32::INFINITY)], [f32::INFINITY; 2]);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn the_logarithm_is_within_two_units_in_the_last_place() {
        for i in 0..200_000 {
            let x = (-40.0 + f64::from(i) * 4e-4).exp() as f32;
            let exact = f64::from(x).ln();
            assert!((f64::from(log(x)) - exact).abs() <= 1.2e-7 * exact.abs().max(0.5), "{x}");
        }
        assert_eq!([log(1.0), log(f32::INFINITY)], [0.0, f32::INFINITY]);
        assert_eq!(log(0.0), f32::NEG_INFINITY);
        assert!(log(f32::NAN).is_nan() && log(-1.0).is_nan());
    }

    #[test]
    fn the_sigmoid_saturates() {
        assert_eq!([sigmoid(0.0), sigmoid(200.0), sigmoid(-200.0)], [0.5, 1.0, 0.0]);
    }
}
