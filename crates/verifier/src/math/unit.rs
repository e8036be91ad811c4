//! Units: what a word is a multiple of, so that 50 mm is 5 cm and never 5 m.

use dashu_ratio::RBig;

/// Exponents of metre, gram, second, degree Celsius, degree Fahrenheit and the currencies.
type Dimension = [i8; 11];

/// A unit as it is written after a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Unit {
    /// A product of known units.
    Known { dimension: Dimension, factor: RBig },
    /// Words that say what is counted.
    Words(String),
}

const CURRENCIES: [&str; 5] = ["$", "€", "£", "¥", "₹"];

/// Index of dimension, numerator and denominator of the factor, names. Factors are exact by
/// definition (an inch is 2.54 cm).
const UNITS: &[(usize, u64, u64, &[&str])] = &[
    (0, 1, 1, &["m", "meter", "metre"]),
    (0, 1, 100, &["cm", "centimeter", "centimetre"]),
    (0, 1, 1000, &["mm", "millimeter", "millimetre"]),
    (0, 1000, 1, &["km", "kilometer", "kilometre"]),
    (0, 254, 10_000, &["in", "inch", "inche"]),
    (0, 3048, 10_000, &["ft", "foot", "feet"]),
    (0, 9144, 10_000, &["yd", "yard"]),
    (0, 1_609_344, 1000, &["mi", "mile"]),
    (1, 1, 1, &["g", "gram"]),
    (1, 1, 1000, &["mg", "milligram"]),
    (1, 1000, 1, &["kg", "kilogram"]),
    (1, 45_359_237, 100_000, &["lb", "pound"]),
    (1, 45_359_237, 1_600_000, &["oz", "ounce"]),
    (2, 1, 1, &["s", "sec", "second"]),
    (2, 60, 1, &["min", "minute"]),
    (2, 3600, 1, &["h", "hr", "hour"]),
    (2, 86_400, 1, &["day"]),
    (2, 604_800, 1, &["week"]),
    (3, 1, 1, &["°c", "celsiu", "degrees celsiu"]),
    (4, 1, 1, &["°f", "fahrenheit", "degrees fahrenheit"]),
    (5, 1, 1, &["$", "dollar", "usd", "buck"]),
    (5, 1, 100, &["cent", "¢"]),
    (6, 1, 1, &["€", "euro", "eur"]),
    (7, 1, 1, &["£", "gbp"]),
    (8, 1, 1, &["¥", "yen"]),
    (9, 1, 1, &["₹", "rupee"]),
    (10, 1, 1, &["month"]),
];

/// Volumes and speeds with names of their own: length and time exponents, factor, names.
const DERIVED: &[(i8, i8, u64, u64, &[&str])] = &[
    (3, 0, 1, 1000, &["l", "liter", "litre"]),
    (3, 0, 1, 1_000_000, &["ml", "milliliter", "millilitre", "cc"]),
    (1, -1, 1_609_344, 3_600_000, &["mph"]),
    (1, -1, 1000, 3600, &["kph", "kmph"]),
    (2, 0, 10_000, 1, &["hectare", "ha"]),
];

/// Words after a number that change its value or its meaning, so that they are no unit.
const CHANGING: &[&str] = &[
    "or",
    "and",
    "to",
    "half",
    "halve",
    "third",
    "quarter",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "twentieth",
    "hundredth",
    "thousandth",
    "millionth",
    "billionth",
    "squared",
    "cubed",
    "factorial",
    "doubled",
    "tripled",
    "halved",
    "reciprocal",
    "inverse",
    "opposite",
    "over",
    "under",
    "plu",
    "minu",
    "divided",
    "by",
    "not",
    "than",
    "least",
    "most",
    "base",
    "mod",
    "modulo",
    "remainder",
    "if",
    "when",
    "where",
    "unles",
    "except",
    "only",
    "but",
    "point",
    "root",
    "negative",
    "dozen",
    "score",
    "gross",
    "mil",
    "mill",
    "bil",
    "lakh",
    "crore",
    "percent",
    "percentage",
    "about",
    "between",
    "i",
    "is",
    "isn't",
    "are",
    "aren't",
    "wa",
    "wrong",
    "incorrect",
    "false",
    "never",
    "no",
    "none",
    "maybe",
    "perhap",
    "instead",
    "rather",
    "actually",
];

/// Words that multiply.
const SCALES: [(&str, u64); 5] = [
    ("hundred", 100),
    ("thousand", 1000),
    ("million", 1_000_000),
    ("billion", 1_000_000_000),
    ("trillion", 1_000_000_000_000),
];

/// A word without its plural ending.
fn stem(word: &str) -> String {
    let word = word.trim_matches('.').to_lowercase();
    match word.strip_suffix('s') {
        Some(stem) if word.len() > 2 => stem.to_owned(),
        _ => word,
    }
}

fn known(word: &str) -> Option<(Dimension, RBig)> {
    let word = if word == "L" { "l" } else { word };
    let ratio = |above: u64, below: u64| RBig::from_parts(above.into(), below.into());
    let mut dimension = Dimension::default();
    if let Some((index, above, below, _)) = UNITS.iter().find(|(.., names)| names.contains(&word)) {
        dimension[*index] = 1;
        return Some((dimension, ratio(*above, *below)));
    }
    let (length, time, above, below, _) =
        DERIVED.iter().find(|(.., names)| names.contains(&word))?;
    (dimension[0], dimension[2]) = (*length, *time);
    Some((dimension, ratio(*above, *below)))
}

/// True for a name of a unit that stands in plain text without `\text`. Single letters do not: they
/// are variables.
pub(crate) fn is_unit_name(word: &str) -> bool {
    let power = ["sq", "cu", "square", "cubic"].contains(&word);
    word.len() > 1 && (power || known(&stem(word)).is_some())
}

/// True if a word may follow a number as what is counted.
pub(crate) fn may_be_counted(word: &str) -> bool {
    let stem = stem(word);
    !CHANGING.contains(&stem.as_str()) && super::words::number(&stem).is_none()
}

/// The factor of a leading scale word (`million`), and the rest.
pub(crate) fn scale(text: &str) -> Option<(RBig, &str)> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let word = stem(&text[..end]);
    let (_, factor) = SCALES.iter().find(|(name, _)| *name == word)?;
    Some((RBig::from(*factor), &text[end..]))
}

pub(crate) fn currency(sign: &str) -> Option<Unit> {
    let (dimension, factor) = known(sign).filter(|_| CURRENCIES.contains(&sign))?;
    Some(Unit::Known { dimension, factor })
}

impl Unit {
    /// Reads a unit: `cm^2`, `square feet`, `km/h`, `miles per hour`, `apples`. `None` if a word
    /// would change the number.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let spaced = text.replace(['{', '}', '(', ')', '\\', '.', ','], " ");
        let spaced = spaced.replace('/', " / ").replace('*', " ");
        let words: Vec<String> = spaced.split_whitespace().map(stem).collect();
        if words.is_empty() || !words.iter().all(|word| may_be_counted(word)) {
            return None;
        }
        let product = Self::product(&words);
        let plain = words.iter().all(|word| !word.chars().any(|c| c.is_ascii_digit()));
        match product {
            Some((dimension, factor)) => Some(Self::Known { dimension, factor }),
            None if plain => Some(Self::Words(words.join(" "))),
            None => None,
        }
    }

    fn product(words: &[String]) -> Option<(Dimension, RBig)> {
        let (mut dimension, mut factor) = (Dimension::default(), RBig::ONE);
        let (mut sign, mut next, mut any) = (1i8, 1i8, false);
        for word in words {
            match word.as_str() {
                "/" | "per" | "an" | "a" => {
                    sign = -1;
                    continue;
                }
                "square" | "sq" => {
                    next = 2;
                    continue;
                }
                "cubic" | "cu" => {
                    next = 3;
                    continue;
                }
                _ => {}
            }
            let (name, power) = word.split_once('^').unwrap_or((word, "1"));
            let power = power.parse::<i8>().ok().filter(|power| power.abs() <= 4)?;
            let (part, size) = known(&stem(name))?;
            let times = power.checked_mul(next)?.checked_mul(sign)?;
            for (sum, exponent) in dimension.iter_mut().zip(part) {
                *sum = sum.checked_add(exponent.checked_mul(times)?)?;
            }
            for _ in 0..times.unsigned_abs() {
                factor = if times > 0 { factor * &size } else { factor / &size };
            }
            (next, any) = (1, true);
        }
        any.then_some((dimension, factor))
    }

    /// Degrees Celsius or Fahrenheit.
    pub(crate) fn is_temperature(&self) -> bool {
        matches!(self, Self::Known { dimension, .. } if dimension[3] != 0 || dimension[4] != 0)
    }

    /// The factor from `other` to this unit, 1 where the words only say what is counted, or `None`
    /// if a number with one is never a number with the other.
    pub(crate) fn factor_from(&self, other: &Self) -> Option<RBig> {
        match (self, other) {
            (
                Self::Known { dimension: a, factor: to },
                Self::Known { dimension: b, factor: from },
            ) => (a == b).then(|| from / to),
            (Self::Words(_), Self::Words(_)) => Some(RBig::ONE),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_convert_within_a_dimension_only() {
        let read = |text| Unit::read(text).unwrap();
        let factor = |to, from| read(to).factor_from(&read(from));
        assert_eq!(factor("cm", "mm"), Some(RBig::from_parts(1.into(), 10u8.into())));
        assert_eq!(factor("square meters", "m^2"), Some(RBig::ONE));
        assert_eq!(factor("km/h", "kilometers per hour"), Some(RBig::ONE));
        assert_eq!(factor("cm", "cm^2"), None);
        assert_eq!(factor("cm", "kg"), None);
        assert_eq!(factor("ways", "arrangements"), Some(RBig::ONE));
    }

    #[test]
    fn words_that_change_a_number_are_no_units() {
        for text in ["or 6", "and a half", "squared", "more than x", "thirds", "dozen"] {
            assert_eq!(Unit::read(text), None, "{text}");
        }
    }
}
