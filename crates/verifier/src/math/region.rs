//! Sets of real numbers: intervals, unions, differences, solved inequalities.
//!
//! All end points of both sets are sorted; the sets are equal if they hold the same of these points
//! and of the gaps between them.

use super::answer::{Joint, Value};
use super::budget::Budget;
use super::collection;
use super::compare::{Context, strangers};
use super::expression::Expression;
use super::numeric;
use super::outcome::{Comparison, Reason, Tier};
use super::relate::bare;
use super::scalar::{self, Judgement};
use super::token::{Bracket, Sign};

/// Most distinct end points.
const MAX_POINTS: usize = 40;

/// True for what can only be, or may be, a set of real numbers.
pub(crate) fn is_region(value: &Value) -> bool {
    match value {
        Value::Tuple { open, items, .. } => {
            let interval = matches!(open, Bracket::Round | Bracket::Square);
            interval && items.len() == 2 && items.iter().all(|item| bare(item).is_some())
        }
        Value::Set(_)
        | Value::Union(_)
        | Value::Intersection(_)
        | Value::Without(..)
        | Value::Reals
        | Value::Empty => true,
        _ => false,
    }
}

/// True for inequalities joined by `and` or `or`.
pub(crate) fn is_conditions(value: &Value) -> bool {
    match value {
        Value::Relation { signs, .. } => {
            signs.iter().all(|sign| !matches!(sign, Sign::Approx | Sign::Equal))
        }
        Value::List { items, .. } => items.iter().all(is_conditions),
        _ => false,
    }
}

/// Two lists of conditions on one variable.
pub(crate) fn conditions(
    gold: &Value,
    prediction: &Value,
    context: &mut Context<'_>,
) -> Comparison {
    if is_conditions(gold) && is_conditions(prediction) {
        compare(gold, prediction, context)
    } else {
        Comparison::not(Reason::Different, Tier::Exact)
    }
}

/// Compares two sets of real numbers; one of them may be given by conditions on a variable.
pub(crate) fn compare(gold: &Value, prediction: &Value, context: &mut Context<'_>) -> Comparison {
    if !one_variable(gold) || !one_variable(prediction) {
        return strangers();
    }
    let (mine, theirs) = (variable(gold), variable(prediction));
    if let (Some(a), Some(b)) = (mine, theirs)
        && a != b
    {
        return Comparison::not(Reason::Different, Tier::Exact);
    }
    let mut line = Line { points: Vec::new(), places: Vec::new(), tier: Tier::Exact };
    let collected = line.collect(gold, &mut context.budget).is_some()
        && line.collect(prediction, &mut context.budget).is_some();
    if !collected {
        // End points that cannot be sorted may still be the same ones.
        return match (gold, prediction) {
            (Value::Union(a), Value::Union(b)) => collection::unordered(a, b, context),
            _ => strangers(),
        };
    }
    let places = 2 * line.points.len() + 1;
    for place in 0..places {
        match (line.holds(gold, place), line.holds(prediction, place)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(_), Some(_)) => return Comparison::not(Reason::Different, line.tier),
            _ => return strangers(),
        }
    }
    Comparison::same(line.tier)
}

/// All conditions are on the same variable.
fn one_variable(value: &Value) -> bool {
    match value {
        Value::List { items, .. } => {
            items.iter().all(|item| one_variable(item) && variable(item) == variable(value))
        }
        _ => true,
    }
}

/// The name of a variable, or of a function whose value is bounded.
fn unknown(expression: &Expression) -> Option<&str> {
    match expression {
        Expression::Symbol(name) | Expression::Call(name, _) => Some(name),
        _ => None,
    }
}

/// The variable that conditions are on.
fn variable(value: &Value) -> Option<&str> {
    match value {
        Value::Relation { sides, .. } => {
            let mut names = sides.iter().filter_map(|side| unknown(bare(side)?));
            // `f(2) < f(1)` bounds nothing.
            names.next().filter(|_| names.next().is_none())
        }
        Value::List { items, .. } => items.iter().find_map(variable),
        _ => None,
    }
}

/// The real line cut at the end points.
struct Line {
    /// Distinct, ascending.
    points: Vec<Expression>,
    /// Every end point as it is written, and its index.
    places: Vec<(Expression, usize)>,
    tier: Tier,
}

impl Line {
    /// Adds the end points of a set, or fails if they cannot be sorted or it is no such set.
    fn collect(&mut self, value: &Value, budget: &mut Budget) -> Option<()> {
        match value {
            Value::Reals | Value::Empty => Some(()),
            Value::Tuple { items, open, close } if is_region(value) => {
                for item in items {
                    self.add(bare(item)?, budget)?;
                }
                // An interval begins below its end, or is a closed point.
                let (low, high) = (self.end(bare(&items[0])?)?, self.end(bare(&items[1])?)?);
                let point = *open == Bracket::Square && *close == Bracket::Square;
                (low < high || low == high && point).then_some(())
            }
            Value::Set(items) => items.iter().try_for_each(|item| self.add(bare(item)?, budget)),
            Value::Union(parts) | Value::Intersection(parts) => {
                parts.iter().try_for_each(|part| self.collect(part, budget))
            }
            Value::Without(from, taken) => {
                self.collect(from, budget)?;
                self.collect(taken, budget)
            }
            Value::List { items, .. } => {
                items.iter().try_for_each(|part| self.collect(part, budget))
            }
            Value::Relation { sides, signs } => {
                if let ([_, set], [Sign::In]) = (&sides[..], &signs[..]) {
                    return self.collect(set, budget);
                }
                let name = variable(value)?;
                sides.iter().try_for_each(|side| match bare(side)? {
                    other if unknown(other) == Some(name) => Some(()),
                    end => self.add(end, budget),
                })
            }
            _ => None,
        }
    }

    fn add(&mut self, end: &Expression, budget: &mut Budget) -> Option<()> {
        let known = self.places.iter().any(|(known, _)| known == end);
        if end.infinity().is_some() || known {
            return Some(());
        }
        if !end.variables().is_empty() || self.points.len() >= MAX_POINTS {
            return None;
        }
        let mut at = self.points.len();
        for (index, point) in self.points.iter().enumerate() {
            match scalar::compare(end, point, budget) {
                Judgement::Equal(tier) => {
                    self.tier = self.tier.max(tier);
                    self.places.push((end.clone(), index));
                    return Some(());
                }
                Judgement::Different(_) => {}
                _ => return None,
            }
            let gap = Expression::Sum(vec![end.clone(), point.clone().negated()]);
            if at == self.points.len() && !numeric::sign(&gap, budget).ok()?? {
                at = index;
            }
        }
        self.points.insert(at, end.clone());
        for (_, index) in &mut self.places {
            *index += usize::from(*index >= at);
        }
        self.places.push((end.clone(), at));
        Some(())
    }

    /// Place of an end on the line: infinities lie outside of all points.
    fn end(&self, end: &Expression) -> Option<i64> {
        match end.infinity() {
            Some(true) => Some(-1),
            Some(false) => Some(2 * self.points.len() as i64 + 1),
            None => {
                let (_, index) = self.places.iter().find(|(known, _)| known == end)?;
                // Gaps have even places, points odd ones.
                Some(2 * *index as i64 + 1)
            }
        }
    }

    /// Is this place of the line in the set?
    fn holds(&self, value: &Value, place: usize) -> Option<bool> {
        let here = place as i64;
        match value {
            Value::Reals => Some(true),
            Value::Empty => Some(false),
            Value::Tuple { open, close, items } => {
                let (low, high) = (self.end(bare(&items[0])?)?, self.end(bare(&items[1])?)?);
                let above = here > low || here == low && *open == Bracket::Square;
                let below = here < high || here == high && *close == Bracket::Square;
                Some(above && below)
            }
            Value::Set(items) => {
                let ends: Option<Vec<i64>> =
                    items.iter().map(|item| self.end(bare(item)?)).collect();
                ends.map(|ends| ends.contains(&here))
            }
            Value::Union(parts) => self.all(parts, place).map(|all| all.contains(&true)),
            Value::Intersection(parts) => self.all(parts, place).map(|all| !all.contains(&false)),
            Value::List { items, joint } => {
                let all = self.all(items, place)?;
                Some(if *joint == Joint::Or { all.contains(&true) } else { !all.contains(&false) })
            }
            Value::Without(from, taken) => {
                Some(self.holds(from, place)? && !self.holds(taken, place)?)
            }
            Value::Relation { sides, signs } => {
                if let ([_, set], [Sign::In]) = (&sides[..], &signs[..]) {
                    return self.holds(set, place);
                }
                self.satisfies(value, sides, signs, here)
            }
            _ => None,
        }
    }

    fn all(&self, parts: &[Value], place: usize) -> Option<Vec<bool>> {
        parts.iter().map(|part| self.holds(part, place)).collect()
    }

    /// Does the variable at this place fulfil every link of a chain?
    fn satisfies(&self, chain: &Value, sides: &[Value], signs: &[Sign], here: i64) -> Option<bool> {
        let name = variable(chain)?;
        let position = |side: &Value| match bare(side)? {
            other if unknown(other) == Some(name) => Some(here),
            end => self.end(end),
        };
        let mut fulfilled = true;
        for (pair, sign) in sides.windows(2).zip(signs) {
            let (a, b) = (position(&pair[0])?, position(&pair[1])?);
            fulfilled &= match sign {
                Sign::Less => a < b,
                Sign::LessEqual => a <= b,
                Sign::Greater => a > b,
                Sign::GreaterEqual => a >= b,
                Sign::Equal => a == b,
                Sign::NotEqual => a != b,
                Sign::Approx | Sign::In => return None,
            };
        }
        Some(fulfilled)
    }
}
