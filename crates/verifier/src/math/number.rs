//! Exact numbers: bounded powers, factorials and roots of rationals, decimals as they are written.

use dashu_base::{BitTest, Signed, UnsignedAbs};
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::budget::{Budget, Failure, MAX_BITS};

/// Bits of numerator and denominator together.
pub(crate) fn bits(value: &RBig) -> usize {
    value.numerator().bit_len() + value.denominator().bit_len()
}

/// The value, if it is an integer of one machine word.
pub(crate) fn small(value: &RBig) -> Option<i64> {
    value.is_int().then(|| i64::try_from(value.numerator()).ok()).flatten()
}

/// `10^exponent`.
pub(crate) fn power_of_ten(exponent: i64) -> Result<RBig, Failure> {
    let size = usize::try_from(exponent.unsigned_abs()).map_err(|_| Failure::Budget)?;
    if size > MAX_BITS / 4 {
        return Err(Failure::Budget);
    }
    let power = UBig::from(10u8).pow(size);
    Ok(if exponent < 0 {
        RBig::from_parts(IBig::ONE, power)
    } else {
        RBig::from(IBig::from(power))
    })
}

/// `base^exponent` for an integer exponent, refused before it is computed if it would be too large.
pub(crate) fn power(base: &RBig, exponent: i64, budget: &mut Budget) -> Result<RBig, Failure> {
    if base.is_zero() {
        return match exponent {
            1.. => Ok(RBig::ZERO),
            _ => Err(Failure::Undefined),
        };
    }
    if base.is_one() {
        return Ok(RBig::ONE);
    }
    if *base == -RBig::ONE {
        return Ok(if exponent % 2 == 0 { RBig::ONE } else { -RBig::ONE });
    }
    let times = usize::try_from(exponent.unsigned_abs()).map_err(|_| Failure::Budget)?;
    let size = bits(base).saturating_mul(times);
    if size > MAX_BITS {
        return Err(Failure::Budget);
    }
    budget.charge(size / 16 + 1)?;
    let (numerator, denominator) = base.clone().into_parts();
    let (numerator, denominator) = (numerator.pow(times), denominator.pow(times));
    Ok(if exponent < 0 {
        RBig::from_parts_signed(IBig::from(denominator), numerator)
    } else {
        RBig::from_parts(numerator, denominator)
    })
}

/// `n (n - step) (n - 2 step) ...` down to a positive factor: the factorial for a step of 1, the
/// double factorial for 2.
pub(crate) fn factorial(n: &RBig, step: u64, budget: &mut Budget) -> Result<RBig, Failure> {
    let n = small(n).ok_or(if n.is_int() { Failure::Budget } else { Failure::Unknown })?;
    let n = u64::try_from(n).map_err(|_| Failure::Undefined)?;
    if n > 5_000 {
        return Err(Failure::Budget);
    }
    let mut product = UBig::ONE;
    let mut factor = n;
    while factor > 1 {
        budget.charge(4 + product.bit_len() / 256)?;
        product *= factor;
        factor = factor.saturating_sub(step);
    }
    Ok(RBig::from(IBig::from(product)))
}

/// `n (n - 1) ... (n - k + 1) / k!` for a rational `n` and a small `k`.
pub(crate) fn binomial(n: &RBig, k: i64, budget: &mut Budget) -> Result<RBig, Failure> {
    let k = match small(n) {
        // The symmetric half is the shorter product.
        Some(n) if n >= 0 && k > n => return Ok(RBig::ZERO),
        Some(n) if n >= 0 && k > n - k => n - k,
        _ => k,
    };
    if k < 0 {
        return Ok(RBig::ZERO);
    }
    if k > 2_000 {
        return Err(Failure::Budget);
    }
    let mut product = RBig::ONE;
    for step in 0..k {
        budget.charge(4 + bits(&product) / 16)?;
        if bits(&product) > MAX_BITS {
            return Err(Failure::Budget);
        }
        product = product * (n.clone() - RBig::from(step)) / RBig::from(step + 1);
    }
    Ok(product)
}

/// The integer `r` with `r^index = value`, if there is one.
pub(crate) fn exact_root(value: &UBig, index: usize) -> Option<UBig> {
    let root = value.nth_root(index);
    (root.pow(index) == *value).then_some(root)
}

/// The prime factors below a bound with their exponents, and what is left, which is 1 or a number
/// without small factors. A remainder that is a perfect power is taken apart, too.
pub(crate) fn factors(value: &UBig, budget: &mut Budget) -> Result<Vec<(UBig, u32)>, Failure> {
    let mut found = Vec::new();
    let mut rest = value.clone();
    let mut prime = 2u64;
    while prime < 2_000 && !rest.is_one() {
        if let Ok(word) = u64::try_from(&rest)
            && prime * prime > word
        {
            break;
        }
        budget.charge(1 + rest.bit_len() / 128)?;
        let divisor = UBig::from(prime);
        let count = rest.remove(&divisor).unwrap_or(0);
        if count > 0 {
            found.push((divisor, count as u32));
        }
        prime += if prime == 2 { 1 } else { 2 };
    }
    if !rest.is_one() {
        found.push(perfect_power(rest, budget)?);
    }
    Ok(found)
}

/// `(r, k)` with `r^k = value` and `k` as large as a few trials find.
fn perfect_power(value: UBig, budget: &mut Budget) -> Result<(UBig, u32), Failure> {
    let (mut root, mut exponent) = (value, 1);
    for index in [2u32, 3, 5, 7] {
        while root.bit_len() > 10 * index as usize {
            budget.charge(1 + root.bit_len() / 8)?;
            let Some(smaller) = exact_root(&root, index as usize) else { break };
            root = smaller;
            exponent *= index;
        }
    }
    Ok((root, exponent))
}

/// The value of digits as they are written: `whole.fixed(repeating)` times `10^exponent`, in base 10.
pub(crate) fn decimal(
    whole: &str,
    fixed: &str,
    repeating: &str,
    exponent: i64,
) -> Result<RBig, Failure> {
    let length = whole.len() + fixed.len() + repeating.len();
    if length > MAX_BITS / 4 {
        return Err(Failure::Budget);
    }
    let digits = |text: &str| -> Result<IBig, Failure> {
        if text.is_empty() {
            return Ok(IBig::ZERO);
        }
        UBig::from_str_radix(text, 10).map(IBig::from).map_err(|_| Failure::Unknown)
    };
    let scale = |places: usize| power_of_ten(-(places as i64));
    let mut value = RBig::from(digits(&[whole, fixed].concat())?) * scale(fixed.len())?;
    if !repeating.is_empty() {
        let nines = power_of_ten(repeating.len() as i64)? - RBig::ONE;
        value += RBig::from(digits(repeating)?) / nines * scale(fixed.len())?;
    }
    Ok(if exponent == 0 { value } else { value * power_of_ten(exponent)? })
}

/// The value of digits in another base, with a point or without.
pub(crate) fn in_base(text: &str, base: u32) -> Option<RBig> {
    if !(2..=36).contains(&base) || text.len() > 4_000 {
        return None;
    }
    let (whole, fixed) = text.split_once('.').unwrap_or((text, ""));
    let digits = [whole, fixed].concat();
    if digits.is_empty() || !digits.bytes().all(|b| char::from(b).is_digit(base)) {
        return None;
    }
    let value = UBig::from_str_radix(&digits, base).ok()?;
    Some(RBig::from_parts(IBig::from(value), UBig::from(base).pow(fixed.len())))
}

/// The magnitude and whether the sign is negative.
pub(crate) fn split_sign(value: &RBig) -> (bool, UBig, UBig) {
    let magnitude = value.numerator().unsigned_abs();
    (value.numerator().is_negative(), magnitude, value.denominator().clone())
}
