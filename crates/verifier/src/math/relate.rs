//! Equations and inequalities, and what `x = v` says where a value is wanted.

use super::answer::{Quantity, Value};
use super::compare::{Context, both, strangers, values};
use super::expression::Expression;
use super::form::{Algebra, Form};
use super::normal::normal;
use super::outcome::{Comparison, Reason, Tier};
use super::polynomial::{Exponent, Monomial, Polynomial};
use super::scalar::{self, Judgement};
use super::token::Sign;
use super::{collection, region};

/// A relation as the parser leaves it.
type Chain<'a> = (&'a [Value], &'a [Sign]);

/// The expression of a value without unit or mark.
pub(crate) fn bare(value: &Value) -> Option<&Expression> {
    match value {
        Value::Scalar(Quantity { expression, mark: None, unit: None }) => Some(expression),
        _ => None,
    }
}

/// The name, if a value is nothing but one.
pub(crate) fn symbol(value: &Value) -> Option<&str> {
    match value {
        Value::Text(name) => Some(name),
        other => match bare(other)? {
            Expression::Symbol(name) => Some(name),
            _ => None,
        },
    }
}

/// The name of a variable, or the letters of a length such as `AB`.
pub(crate) fn name(value: &Value) -> Option<String> {
    if let Some(name) = symbol(value) {
        return Some(name.to_owned());
    }
    let expression = bare(value).filter(|expression| is_geometric(expression))?;
    match expression {
        Expression::Product(_) => {
            Some(expression.variables().into_iter().map(|name| &**name).collect())
        }
        _ => None,
    }
}

/// A variable, a function of something, words, or a tuple of variables: the left of `x = v` that
/// only says what `v` is.
pub(crate) fn names_quantity(value: &Value) -> bool {
    // `m\angle A` is the measure of the angle.
    let angle = |factor: &Expression| matches!(factor, Expression::Symbol(name) if name.starts_with("\\angle"));
    let call = |value| match bare(value) {
        Some(Expression::Call(..)) => true,
        Some(Expression::Product(factors)) if factors.len() == 2 && angle(&factors[1]) => true,
        Some(expression) => is_geometric(expression),
        None => false,
    };
    match value {
        Value::Tuple { items, .. } => items.iter().all(|item| symbol(item).is_some()),
        // `V_1 : V_2 = 11 : 21`
        Value::Ratio { parts, .. } => parts.iter().all(|part| !part.variables().is_empty()),
        Value::Text(words) if words.split_whitespace().any(|word| word == "not") => false,
        other => symbol(other).is_some() || call(other),
    }
}

/// Lengths and their quotients, such as `AB`, `|AB|` and `NO/BO`: capital letters and no number. In
/// small letters such an equation may be a curve.
fn is_geometric(expression: &Expression) -> bool {
    let capital = |name: &str| name.starts_with(|c: char| c.is_ascii_uppercase());
    let names = expression.variables();
    let sum = |part: &Expression| matches!(part, Expression::Number(_) | Expression::Sum(_));
    names.len() > 1 && names.iter().all(|name| capital(name)) && !expression.any(&mut { sum })
}

/// A prediction `... = v` for a gold answer that is no relation.
pub(crate) fn unwrapped(
    gold: &Value,
    sides: &[Value],
    signs: &[Sign],
    context: &mut Context<'_>,
) -> Comparison {
    let (Some(first), Some(last)) = (sides.first(), sides.last()) else { return strangers() };
    // `22/7 ~ 3.14` is 22/7.
    if signs.first() == Some(&Sign::Approx) && !names_quantity(first) {
        let exact = values(gold, first, context);
        return if exact.equal { exact } else { values(gold, last, context) };
    }
    if let Value::Tuple { items, .. } = first
        && !ascending(items)
    {
        return strangers();
    }
    if !says_value(first, last, context) || !consistent(sides, signs, context) {
        return strangers();
    }
    let result = values(gold, last, context);
    // `x = 22/7 ~ 3.14`: the exact value stands before the sign of approximation.
    let approximate = signs.last() == Some(&Sign::Approx);
    match sides {
        [.., exact, _]
            if approximate && !result.equal && (sides.len() > 2 || symbol(exact).is_none()) =>
        {
            values(gold, exact, context)
        }
        _ => result,
    }
}

/// The names of a point stand in their usual order: `(y, x) = (1, 2)` is not the point (1, 2).
fn ascending(names: &[Value]) -> bool {
    let plain = |name: &Value| symbol(name).map(|name| name.trim_start_matches('\\').to_owned());
    names.windows(2).all(|pair| plain(&pair[0]) < plain(&pair[1]))
}

/// The numbers in the middle of a chain `x = 2 + 3 = 5` are equal to the one at its end.
fn consistent(sides: &[Value], signs: &[Sign], context: &mut Context<'_>) -> bool {
    let constant = |side: &Value| bare(side).filter(|side| side.variables().is_empty()).cloned();
    let exact = signs.iter().take_while(|sign| **sign == Sign::Equal).count();
    let mut numbers = sides[..=exact].iter().filter_map(constant);
    let Some(first) = numbers.next() else { return true };
    numbers.all(|number| {
        let judgement = scalar::compare(&first, &number, &mut context.budget);
        !matches!(judgement, Judgement::Different(_) | Judgement::Undefined)
    })
}

/// Does `left = right` say what the value of `left` is? An equation that has to be solved first does
/// not: `x^2 = 4` for 4, `2x = 6` for 6, `x^2 - 1 = 0` for 0.
fn says_value(left: &Value, right: &Value, context: &mut Context<'_>) -> bool {
    // `x = 2x - 5` and `xy = x` say nothing.
    if let (Some(left), Some(right)) = (bare(left), bare(right)) {
        let names = right.variables();
        if left.variables().iter().any(|name| names.contains(name)) {
            return false;
        }
    }
    if names_quantity(left) {
        return true;
    }
    let Some(expression) = bare(left) else { return false };
    match expression.variables().len() {
        // `2 + 2 = 4`, and not `5 = 4`.
        0 => match bare(right) {
            Some(right) => {
                let judgement = scalar::compare(expression, right, &mut context.budget);
                !matches!(judgement, Judgement::Different(_) | Judgement::Undefined)
            }
            None => true,
        },
        1 => matches!(expression, Expression::Apply(..)),
        _ => match bare(right) {
            Some(Expression::Number(value)) => !value.is_zero(),
            _ => true,
        },
    }
}

/// Two relations.
pub(crate) fn relations(
    gold: Chain<'_>,
    prediction: Chain<'_>,
    context: &mut Context<'_>,
) -> Comparison {
    if has_choices(gold.0) || has_choices(prediction.0) {
        let own =
            |chain: Chain<'_>| Value::Relation { sides: chain.0.to_vec(), signs: chain.1.to_vec() };
        // Spreading the choices leaves relations without any, or nothing is gained.
        let linear =
            |chain: Chain<'_>| matches!(chain.1, [Sign::Equal]) && !has_choices(&chain.0[..1]);
        if !linear(gold) && has_choices(gold.0) || !linear(prediction) && has_choices(prediction.0)
        {
            return strangers();
        }
        return collection::unordered_values(&own(gold), &own(prediction), context);
    }
    if let Some(result) = same_subject(gold, prediction, context)
        && result.equal
    {
        return result;
    }
    if let (Some(a), Some(b)) = (conditions(gold), conditions(prediction)) {
        let result = unordered_conditions(&a, &b, context);
        if result.equal {
            return result;
        }
        let inequality = |chain: Chain<'_>| {
            chain.1.iter().all(|sign| !matches!(sign, Sign::Equal | Sign::Approx))
        };
        if !inequality(gold) || !inequality(prediction) {
            return result;
        }
    }
    // An inequality for `x in S` is the question repeated, as it is for `S` itself.
    let is_set = |chain: Chain<'_>| *chain.1 == [Sign::In];
    if is_set(gold) && !is_set(prediction) && !context.policy.inequality_for_interval {
        return strangers();
    }
    let own =
        |chain: Chain<'_>| Value::Relation { sides: chain.0.to_vec(), signs: chain.1.to_vec() };
    region::compare(&own(gold), &own(prediction), context)
}

fn has_choices(sides: &[Value]) -> bool {
    sides.iter().any(|side| match side {
        Value::Scalar(quantity) => quantity.expression.choices().0 > 0,
        _ => false,
    })
}

/// `x = ... = v` against `x = ... = w`, or `x in S` against `x in T`.
fn same_subject(
    gold: Chain<'_>,
    prediction: Chain<'_>,
    context: &mut Context<'_>,
) -> Option<Comparison> {
    let (first, last) = (gold.0.first()?, gold.0.last()?);
    let (other_first, other_last) = (prediction.0.first()?, prediction.0.last()?);
    let equations =
        |signs: &[Sign]| signs.iter().all(|sign| matches!(sign, Sign::Equal | Sign::Approx));
    let memberships = |signs: &[Sign]| *signs == [Sign::In];
    let same_kind = equations(gold.1) && equations(prediction.1)
        || memberships(gold.1) && memberships(prediction.1);
    if !same_kind || !names_quantity(first) || !names_quantity(other_first) {
        return None;
    }
    let subjects = values(first, other_first, context);
    Some(both(subjects, || values(last, other_last, context)))
}

/// A condition as `sign difference`: the difference is zero, not zero, positive or not negative.
type Condition = (Sign, Expression);

/// The neighbouring pairs of a chain.
fn conditions(chain: Chain<'_>) -> Option<Vec<Condition>> {
    let (sides, signs) = chain;
    let mut found = Vec::with_capacity(signs.len());
    for (pair, sign) in sides.windows(2).zip(signs) {
        let (left, right) = (bare(&pair[0])?, bare(&pair[1])?);
        let minus =
            |a: &Expression, b: &Expression| Expression::Sum(vec![a.clone(), b.clone().negated()]);
        found.push(match sign {
            Sign::Less => (Sign::Greater, minus(right, left)),
            Sign::LessEqual => (Sign::GreaterEqual, minus(right, left)),
            Sign::Approx | Sign::In => return None,
            sign => (*sign, minus(left, right)),
        });
    }
    Some(found)
}

fn unordered_conditions(
    gold: &[Condition],
    prediction: &[Condition],
    context: &mut Context<'_>,
) -> Comparison {
    let different = Comparison::not(Reason::Different, Tier::Exact);
    if gold.len() != prediction.len() || gold.len() > 16 {
        return different;
    }
    let mut left: Vec<&Condition> = prediction.iter().collect();
    for condition in gold {
        match left.iter().position(|other| same_condition(condition, other, context)) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => return different,
        }
    }
    Comparison::same(Tier::Exact)
}

/// Equal signs, and differences that are equal up to a constant factor, which is positive for
/// inequalities.
fn same_condition(a: &Condition, b: &Condition, context: &mut Context<'_>) -> bool {
    if a.0 != b.0 {
        return false;
    }
    let mut algebra = Algebra::with(context.budget.half());
    let forms = (normal(&a.1, &mut algebra), normal(&b.1, &mut algebra));
    let same = match forms {
        (Ok(left), Ok(right)) => proportional(&left, &right, a.0, &mut algebra),
        _ => false,
    };
    context.budget.give_back(algebra.budget);
    same
}

fn proportional(left: &Form, right: &Form, sign: Sign, algebra: &mut Algebra) -> bool {
    // A condition without variables is not worth a comparison.
    if left.as_constant().is_some() || right.as_constant().is_some() {
        return false;
    }
    let symmetric = matches!(sign, Sign::Equal | Sign::NotEqual);
    let ratio = if symmetric {
        let cleared = |form: &Form, algebra: &mut Algebra| cleared(&form.above, algebra);
        match (cleared(left, algebra), cleared(right, algebra)) {
            (Some(a), Some(b)) if left.below == right.below => a.ratio(&b),
            _ => None,
        }
    } else if left.below == right.below {
        left.above.ratio(&right.above)
    } else {
        None
    };
    ratio.is_some_and(|ratio| symmetric || ratio > dashu_ratio::RBig::ZERO)
}

/// A polynomial with its negative exponents multiplied away, which adds no solution: some term then
/// lacks the variable.
fn cleared(polynomial: &Polynomial, algebra: &mut Algebra) -> Option<Polynomial> {
    let mut lowest: Monomial = Vec::new();
    for (monomial, _) in &polynomial.terms {
        for (id, exponent) in monomial {
            match lowest.iter_mut().find(|(known, _)| known == id) {
                Some((_, low)) if exponent.above * low.below < low.above * exponent.below => {
                    *low = *exponent;
                }
                Some(_) => {}
                None => lowest.push((*id, *exponent)),
            }
        }
    }
    lowest.retain(|(_, exponent)| exponent.above < 0);
    if lowest.is_empty() {
        return Some(polynomial.clone());
    }
    lowest.sort_unstable();
    let up = |(id, low): (u32, Exponent)| (id, Exponent { above: -low.above, below: low.below });
    let factor: Monomial = lowest.into_iter().map(up).collect();
    let factor = Polynomial::term(factor, dashu_ratio::RBig::ONE);
    super::form::product(polynomial, &factor, algebra).ok()
}
