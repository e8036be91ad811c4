//! Points at which expressions in variables are compared: real numbers of both signs and mixed
//! magnitudes, never integers, the same for the same names.

use dashu_int::IBig;
use dashu_ratio::RBig;

use super::token::Name;

/// A finaliser with good diffusion (that of `SplitMix64`).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Values for the variables at the point with this index. Early points have all variables positive
/// and of moderate size, so that roots and logarithms exist; later ones mix signs and magnitudes.
pub(crate) fn point(variables: &[&Name], index: u64) -> Vec<(Name, RBig)> {
    let value = |name: &&Name| {
        let seed = name.bytes().fold(index + 1, |seed, byte| mix(seed ^ u64::from(byte)));
        // An odd numerator over a power of two is never an integer.
        let odd = (mix(seed) >> 34) | 1;
        let magnitude = match index % 4 {
            0 => 28,
            1 => 31,
            2 => 26 - (seed % 3) as usize,
            // Now and then beyond the constants that expressions hold.
            _ if index % 8 == 7 => 18,
            _ => 25 + (seed % 9) as usize,
        };
        let negative = !index.is_multiple_of(4) && mix(seed ^ 0x5eed).is_multiple_of(2);
        let above = IBig::from(odd);
        let above = if negative { -above } else { above };
        let value = RBig::from_parts(above, dashu_int::UBig::ONE << magnitude);
        ((*name).clone(), value)
    };
    variables.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_never_integers_and_take_both_signs() {
        let name: Name = "x".into();
        let values: Vec<RBig> = (0..40).map(|k| point(&[&name], k)[0].1.clone()).collect();
        assert!(values.iter().all(|value| !value.is_int()));
        let negative = values.iter().filter(|value| **value < RBig::ZERO).count();
        assert!((8..30).contains(&negative), "{negative}");
        assert_eq!(point(&[&name], 3), point(&[&name], 3));
    }
}
