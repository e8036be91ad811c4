//! Linear equations in one unknown.

use std::ops::RangeInclusive;

use rand::{Rng, RngExt};

use super::number::gcd;
use crate::family::{Instance, TaskFamily};

/// Solve for x: `3x+5=20>` → `5`.
///
/// | level | equation | x |
/// |---|---|---|
/// | 1 | `x+b=c` | 0 to 9 |
/// | 2 | `ax+b=c` | 0 to 9 |
/// | 3 | `ax+b=c`, b of either sign | -9 to 9 |
/// | 4 | `ax+b=c`, a of either sign | -20 to 20 |
/// | 5 | `ax+b=dx+c` | -20 to 20 |
/// | 6 | `ax+b=c` | a fraction in lowest terms, `-7/3` |
///
/// The answer is demanded as it stands here: a judge that took every equal number would also pay for
/// `(20-5)/3`, which restates the equation instead of solving it.
#[derive(Clone, Copy, Debug)]
pub struct Equation;

impl TaskFamily for Equation {
    fn name(&self) -> &'static str {
        "equation"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=6
    }

    fn alphabet(&self) -> &'static str {
        "0123456789+-=/x>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        match level {
            1 | 2 => 1,
            3 => 2,
            4 | 5 => 3,
            _ => 5,
        }
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        if level == 6 {
            return fraction(self, rng);
        }
        let (slopes, x, b) = match level {
            1 => (1..=1, 0..=9, 0..=9),
            2 => (2..=9, 0..=9, 0..=9),
            3 => (2..=9, -9..=9, -20..=20),
            _ => (-12..=12, -20..=20, -99..=99),
        };
        let (x, b) = (rng.random_range(x), rng.random_range(b));
        let right = if level == 5 { nonzero(slopes.clone(), rng) } else { 0 };
        let left = loop {
            // Equal slopes on both sides would leave no single answer.
            let slope = nonzero(slopes.clone(), rng);
            if slope != right {
                break slope;
            }
        };
        let prompt = format!("{}={}>", side(left, b), side(right, (left - right) * x + b));
        Instance::exact(self, level, prompt, x.to_string())
    }
}

fn fraction(family: &Equation, rng: &mut dyn Rng) -> Instance {
    let (numerator, denominator) = loop {
        let numerator: i32 = nonzero(-20..=20, rng);
        let denominator = rng.random_range(2..=9);
        if gcd(numerator.unsigned_abs(), denominator) == 1 {
            break (numerator, denominator as i32);
        }
    };
    let (times, b) = (nonzero(-3..=3, rng), rng.random_range(-20..=20));
    let prompt = format!("{}={}>", side(times * denominator, b), times * numerator + b);
    // The sign and both numbers: `-20/9` is the longest there is.
    Instance::exact(family, 6, prompt, format!("{numerator}/{denominator}"))
}

fn nonzero(range: RangeInclusive<i32>, rng: &mut dyn Rng) -> i32 {
    loop {
        let value = rng.random_range(range.clone());
        if value != 0 {
            return value;
        }
    }
}

/// `3x-5`, without what is zero: `x`, `-x+2`, `7`.
fn side(slope: i32, constant: i32) -> String {
    match (slope, constant) {
        (0, constant) => constant.to_string(),
        (1, 0) => "x".to_owned(),
        (-1, 0) => "-x".to_owned(),
        (slope, 0) => format!("{slope}x"),
        (slope, constant) => format!("{}{constant:+}", side(slope, 0)),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_side_shows_only_what_is_there() {
        assert_eq!(side(3, -5), "3x-5");
        assert_eq!(side(1, 4), "x+4");
        assert_eq!(side(-1, 0), "-x");
        assert_eq!(side(0, 0), "0");
    }

    /// Slope and constant of one side, read back from its text.
    fn read(side: &str) -> (i64, i64) {
        let Some((slope, constant)) = side.split_once('x') else {
            return (0, side.parse().unwrap());
        };
        let slope = match slope {
            "" => 1,
            "-" => -1,
            number => number.parse().unwrap(),
        };
        (slope, if constant.is_empty() { 0 } else { constant.parse().unwrap() })
    }

    #[test]
    fn answers_solve_the_equation_that_the_prompt_shows() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for level in Equation.levels() {
            for _ in 0..300 {
                let instance = Equation.generate(level, &mut rng);
                let equation = instance.task.prompt.strip_suffix('>').unwrap();
                let (left, right) = equation.split_once('=').unwrap();
                let ((a, b), (d, c)) = (read(left), read(right));
                let answer = instance.demonstration.as_str();
                let (numerator, denominator) = answer.split_once('/').unwrap_or((answer, "1"));
                let (n, m): (i64, i64) = (numerator.parse().unwrap(), denominator.parse().unwrap());
                assert_ne!(a, d, "{equation} has one answer");
                assert_eq!(a * n + b * m, d * n + c * m, "{equation} at x = {answer}");
            }
        }
    }
}
