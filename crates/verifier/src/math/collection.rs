//! Lists, sets and tuples: what is matched in order and what in any order.

use super::answer::{Joint, Quantity, Value};
use super::compare::{Context, both, strangers, values};
use super::outcome::{Comparison, Reason, Tier};
use super::token::Sign;
use super::{region, relate};

/// Most items that are matched in any order.
const MAX_UNORDERED: usize = 100;

/// The values that the signs of plus-minus choose between: all combinations if they are
/// independent, two if a minus-plus links them.
pub(crate) fn branches(quantity: &Quantity) -> Vec<Value> {
    let (count, linked) = quantity.expression.choices();
    if count == 0 {
        return vec![Value::Scalar(quantity.clone())];
    }
    let all =
        |sign: u32| Quantity { expression: quantity.expression.chosen(sign), ..quantity.clone() };
    let signs: Vec<u32> = if linked { vec![0, u32::MAX] } else { (0..1 << count).collect() };
    signs.into_iter().map(|sign| Value::Scalar(all(sign))).collect()
}

/// The items of a list or set with every plus-minus spread out.
fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::List { items, .. } | Value::Set(items) => items.iter().flat_map(spread).collect(),
        other => spread(other),
    }
}

fn spread(value: &Value) -> Vec<Value> {
    match value {
        Value::Scalar(quantity) => branches(quantity),
        // `x = \pm 2`
        Value::Relation { sides, signs } if matches!(signs[..], [Sign::Equal]) => match &sides[1] {
            Value::Scalar(quantity) if quantity.expression.choices().0 > 0 => {
                let side = |value| Value::Relation {
                    sides: vec![sides[0].clone(), value],
                    signs: signs.clone(),
                };
                branches(quantity).into_iter().map(side).collect()
            }
            _ => vec![value.clone()],
        },
        other => vec![other.clone()],
    }
}

/// The name and value of `x = v`.
fn assignment(value: &Value) -> Option<(String, &Value)> {
    match value {
        Value::Relation { sides, signs } if matches!(signs[..], [Sign::Equal]) => {
            Some((relate::name(&sides[0])?, &sides[1]))
        }
        _ => None,
    }
}

/// A name without its subscript.
fn stem(name: &str) -> &str {
    name.split('_').next().unwrap_or(name)
}

/// `x = 1, 2` and `x_1 = 1, x_2 = 2` as `1, 2`: the values of one unknown.
fn one_unknown(items: &[Value]) -> Option<Vec<Value>> {
    let (first, value) = assignment(items.first()?)?;
    let mut found = vec![value.clone()];
    let bare = items[1..].iter().all(|item| !matches!(item, Value::Relation { .. }));
    for item in &items[1..] {
        match assignment(item) {
            Some((name, value)) if stem(&name) == stem(&first) => found.push(value.clone()),
            None if bare => found.push(item.clone()),
            _ => return None,
        }
    }
    Some(found)
}

/// `x = 1, y = 2` in the order of the names, if that is the order in which they are written.
fn unknowns_in_order(items: &[Value]) -> Option<Vec<Value>> {
    let pairs: Vec<(String, &Value)> = items.iter().map(assignment).collect::<Option<_>>()?;
    let ascending = pairs.windows(2).all(|pair| pair[0].0 < pair[1].0);
    ascending.then(|| pairs.into_iter().map(|(_, value)| value.clone()).collect())
}

/// Items one by one.
pub(crate) fn ordered(
    gold: &[Value],
    prediction: &[Value],
    context: &mut Context<'_>,
) -> Comparison {
    if gold.len() != prediction.len() {
        return Comparison::not(Reason::Different, Tier::Exact);
    }
    let mut result = Comparison::same(Tier::Exact);
    for (a, b) in gold.iter().zip(prediction) {
        if !result.equal {
            break;
        }
        result = both(result, || values(a, b, context));
    }
    result
}

/// Items in any order, each matched once. Equality of items is transitive, so the first match will
/// do.
pub(crate) fn unordered(
    gold: &[Value],
    prediction: &[Value],
    context: &mut Context<'_>,
) -> Comparison {
    if gold.len() != prediction.len() {
        return Comparison::not(Reason::Different, Tier::Exact);
    }
    let straight = gold.len() > MAX_UNORDERED;
    if straight {
        return ordered(gold, prediction, context);
    }
    let mut left: Vec<&Value> = prediction.iter().collect();
    let mut tier = Tier::Exact;
    for item in gold {
        let mut miss = Comparison::not(Reason::Different, Tier::Exact);
        let found = left.iter().position(|other| {
            let comparison = values(item, other, context);
            if comparison.equal {
                tier = tier.max(comparison.tier);
            } else {
                miss = comparison;
            }
            comparison.equal
        });
        match found {
            Some(at) => {
                left.swap_remove(at);
            }
            None => return miss,
        }
    }
    Comparison::same(tier)
}

/// Lists, sets and single values as what they list.
pub(crate) fn unordered_values(
    gold: &Value,
    prediction: &Value,
    context: &mut Context<'_>,
) -> Comparison {
    let (gold, prediction) = (items(gold), items(prediction));
    if gold.len() == 1 && prediction.len() == 1 && gold[0] == prediction[0] {
        return Comparison::same(Tier::Exact);
    }
    let (gold, prediction) =
        (one_unknown(&gold).unwrap_or(gold), one_unknown(&prediction).unwrap_or(prediction));
    let relations =
        |items: &[Value]| items.iter().any(|item| matches!(item, Value::Relation { .. }));
    // Values of different unknowns are no set.
    if gold.len() == 1 && prediction.len() == 1 || relations(&gold) != relations(&prediction) {
        return Comparison::not(Reason::Different, Tier::Exact);
    }
    unordered(&gold, &prediction, context)
}

/// Two lists: of answers, of equations, or of conditions.
pub(crate) fn lists(gold: &Value, prediction: &Value, context: &mut Context<'_>) -> Comparison {
    let (a, b) = (items(gold), items(prediction));
    let relations =
        |items: &[Value]| items.iter().all(|item| matches!(item, Value::Relation { .. }));
    let inequalities = |items: &[Value]| relations(items) && !items.iter().all(is_equation);
    // `and` and `or` are the same between answers, and not between inequalities.
    if inequalities(&a) && inequalities(&b) && is_or(gold) != is_or(prediction) {
        return region::conditions(gold, prediction, context);
    }
    let (a, b) = match (one_unknown(&a), one_unknown(&b)) {
        (None, None) => (a, b),
        // The values of one unknown are not those of several.
        (Some(_), None) if relations(&b) => return strangers(),
        (None, Some(_)) if relations(&a) => return strangers(),
        (left, right) => (left.unwrap_or(a), right.unwrap_or(b)),
    };
    match (relations(&a), relations(&b)) {
        // `x = 1, y = 2` for `1, 2`: only in this order.
        (true, false) if is_or(prediction) => strangers(),
        (true, false) => {
            unknowns_in_order(&a).map_or_else(strangers, |values| ordered(&values, &b, context))
        }
        (false, true) => {
            unknowns_in_order(&b).map_or_else(strangers, |values| ordered(&a, &values, context))
        }
        (true, true) if inequalities(&a) && inequalities(&b) => {
            let result = unordered(&a, &b, context);
            if result.equal { result } else { region::conditions(gold, prediction, context) }
        }
        _ => unordered(&a, &b, context),
    }
}

fn is_equation(value: &Value) -> bool {
    matches!(value, Value::Relation { signs, .. } if signs.iter().all(|sign| *sign == Sign::Equal))
}

fn is_or(value: &Value) -> bool {
    matches!(value, Value::List { joint: Joint::Or, .. })
}

/// `1, 2` or `x = 1, y = 2` against `(1, 2)`: in order, and never an interval of another kind.
pub(crate) fn list_for_tuple(
    list: &Value,
    tuple: &[Value],
    context: &mut Context<'_>,
    gold_is_list: bool,
) -> Comparison {
    let listed = items(list);
    let assigned = listed.iter().any(|item| matches!(item, Value::Relation { .. }));
    let listed = match unknowns_in_order(&listed) {
        Some(values) => values,
        None if assigned => return strangers(),
        None => listed,
    };
    if gold_is_list { ordered(&listed, tuple, context) } else { ordered(tuple, &listed, context) }
}
