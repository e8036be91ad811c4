//! Typed values against each other: each pair of kinds compares by its own rule, through a bridge
//! listed here, or not at all. The gold answer stands on the left of every rule.

use super::answer::{Joint, Quantity, Value};
use super::budget::Budget;
use super::expression::Expression;
use super::outcome::{Comparison, Reason, Tier};
use super::policy::Policy;
use super::scalar::{self, Judgement};
use super::token::{Bracket, Sign};
use super::{collection, magnitude, notation, region, relate};

/// What a comparison carries along.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) budget: Budget,
}

impl Context<'_> {
    /// Equality of two expressions as a comparison.
    pub(crate) fn expressions(&mut self, gold: &Expression, prediction: &Expression) -> Comparison {
        match scalar::compare(gold, prediction, &mut self.budget) {
            Judgement::Equal(tier) => Comparison::same(tier),
            Judgement::Different(tier) => Comparison::not(Reason::Different, tier),
            Judgement::Undefined => Comparison::not(Reason::Undefined, Tier::Exact),
            Judgement::Undecided => Comparison::not(Reason::Undecided, Tier::Numeric),
            Judgement::Exhausted => Comparison::not(Reason::Budget, Tier::Numeric),
        }
    }
}

/// Two kinds that never compare.
pub(crate) fn strangers() -> Comparison {
    Comparison::not(Reason::Kind, Tier::Exact)
}

/// Both, or the first that is not equal.
pub(crate) fn both(first: Comparison, second: impl FnOnce() -> Comparison) -> Comparison {
    if !first.equal {
        return first;
    }
    let second = second();
    Comparison { tier: first.tier.max(second.tier), ..second }
}

/// Is the prediction the gold answer?
pub(crate) fn values(gold: &Value, prediction: &Value, context: &mut Context<'_>) -> Comparison {
    if context.budget.charge(16).is_err() {
        return Comparison::not(Reason::Budget, Tier::Exact);
    }
    match (gold, prediction) {
        (Value::Scalar(a), Value::Scalar(b)) => scalars(a, b, context),
        (Value::Relation { sides, signs }, Value::Relation { sides: others, signs: marks }) => {
            relate::relations((sides, signs), (others, marks), context)
        }
        (_, Value::Relation { sides, signs }) => unwrapped_prediction(gold, sides, signs, context),
        (Value::Relation { sides, signs }, _) => unwrapped_gold(sides, signs, prediction, context),
        (Value::Choice(a, content), Value::Choice(b, other)) => {
            let contents = content.as_deref().zip(other.as_deref());
            match contents {
                _ if a != b => Comparison::not(Reason::Different, Tier::Exact),
                Some((content, other)) => values(content, other, context),
                None => Comparison::same(Tier::Exact),
            }
        }
        (Value::Choice(_, Some(content)), other) => values(content, other, context),
        (_, Value::Choice(_, Some(content))) => values(gold, content, context),
        (Value::Text(_) | Value::Ratio { .. } | Value::Based { .. }, _)
        | (_, Value::Text(_) | Value::Ratio { .. } | Value::Based { .. }) => {
            notation::compare(gold, prediction, context)
        }
        (Value::Matrix(a), Value::Matrix(b)) => matrices(a, b, context),
        (Value::Matrix(rows), Value::Tuple { open, close, items }) => {
            vectors(rows, (*open, *close), items, context, false)
        }
        (Value::Tuple { open, close, items }, Value::Matrix(rows)) => {
            vectors(rows, (*open, *close), items, context, true)
        }
        (
            Value::Tuple { open, close, items },
            Value::Tuple { open: left, close: right, items: others },
        ) => tuples((*open, *close, items), (*left, *right, others), context),
        _ => collections(gold, prediction, context),
    }
}

/// Numbers and expressions; a plus-minus stands for a list.
fn scalars(gold: &Quantity, prediction: &Quantity, context: &mut Context<'_>) -> Comparison {
    if gold.expression.choices().0 == 0 && prediction.expression.choices().0 == 0 {
        return magnitude::quantities(gold, prediction, context);
    }
    let (gold, prediction) = (collection::branches(gold), collection::branches(prediction));
    collection::unordered(&gold, &prediction, context)
}

/// A prediction `x = v` or `x in S` where the gold answer is no relation.
fn unwrapped_prediction(
    gold: &Value,
    sides: &[Value],
    signs: &[Sign],
    context: &mut Context<'_>,
) -> Comparison {
    if let ([_, set], [Sign::In]) = (sides, signs) {
        // An interval is no list and no vector.
        let interval = matches!(set, Value::Tuple { .. });
        let listed = matches!(gold, Value::List { .. } | Value::Matrix(_));
        return if interval && listed { strangers() } else { values(gold, set, context) };
    }
    if signs.iter().all(|sign| matches!(sign, Sign::Equal | Sign::Approx)) {
        return relate::unwrapped(gold, sides, signs, context);
    }
    let wanted = context.policy.inequality_for_interval && region::is_region(gold);
    if wanted || region::is_conditions(gold) {
        let relation = Value::Relation { sides: sides.to_vec(), signs: signs.to_vec() };
        return region::compare(gold, &relation, context);
    }
    strangers()
}

/// A gold `x = v`, `x in S` or inequality where the prediction is no relation.
fn unwrapped_gold(
    sides: &[Value],
    signs: &[Sign],
    prediction: &Value,
    context: &mut Context<'_>,
) -> Comparison {
    match (sides, signs) {
        ([_, set], [Sign::In]) => values(set, prediction, context),
        ([name, .., value], _)
            if relate::names_quantity(name)
                && signs.iter().all(|sign| matches!(sign, Sign::Equal | Sign::Approx)) =>
        {
            values(value, prediction, context)
        }
        _ if region::is_region(prediction) || region::is_conditions(prediction) => {
            let relation = Value::Relation { sides: sides.to_vec(), signs: signs.to_vec() };
            region::compare(&relation, prediction, context)
        }
        _ => strangers(),
    }
}

fn matrices(
    gold: &[Vec<Expression>],
    prediction: &[Vec<Expression>],
    context: &mut Context<'_>,
) -> Comparison {
    let shape = |rows: &[Vec<Expression>]| (rows.len(), rows.first().map_or(0, Vec::len));
    if shape(gold) != shape(prediction) {
        return strangers();
    }
    let pairs = gold.iter().flatten().zip(prediction.iter().flatten());
    let mut result = Comparison::same(Tier::Exact);
    for (a, b) in pairs {
        result = both(result, || context.expressions(a, b));
    }
    result
}

/// A vector written as a matrix of one column or row, and as a tuple; or a matrix as a list of rows.
fn vectors(
    rows: &[Vec<Expression>],
    brackets: (Bracket, Bracket),
    items: &[Value],
    context: &mut Context<'_>,
    gold_is_tuple: bool,
) -> Comparison {
    let mut line = |entries: &[Expression], items: &[Value]| {
        let scalar = |entry: &Expression| Value::Scalar(Quantity::bare(entry.clone()));
        let entries: Vec<Value> = entries.iter().map(scalar).collect();
        if gold_is_tuple {
            collection::ordered(items, &entries, context)
        } else {
            collection::ordered(&entries, items, context)
        }
    };
    let nested = items.iter().all(|item| matches!(item, Value::Tuple { .. }));
    if nested && rows.len() == items.len() {
        let mut result = Comparison::same(Tier::Exact);
        for (row, item) in rows.iter().zip(items) {
            let Value::Tuple { items, .. } = item else { return strangers() };
            result = both(result, || line(row, items));
        }
        return result;
    }
    // Square brackets around two numbers are an interval.
    let square = brackets == (Bracket::Square, Bracket::Square) && items.len() > 2;
    let single = rows.len() == 1 || rows.first().is_some_and(|row| row.len() == 1);
    if !single || !(is_point(brackets.0, brackets.1) || square) {
        return strangers();
    }
    let entries: Vec<Expression> = rows.iter().flatten().cloned().collect();
    line(&entries, items)
}

/// Points, vectors and intervals: the same brackets, the same items in the same order. Two items in
/// other brackets are another interval; three or more have only one reading.
fn tuples(
    gold: (Bracket, Bracket, &[Value]),
    prediction: (Bracket, Bracket, &[Value]),
    context: &mut Context<'_>,
) -> Comparison {
    let vector = |bracket| if bracket == Bracket::Angle { Bracket::Round } else { bracket };
    let kinds = |tuple: (Bracket, Bracket, &[Value])| (vector(tuple.0), vector(tuple.1));
    if gold.2.len() <= 2 && kinds(gold) != kinds(prediction) {
        return Comparison::not(Reason::Kind, Tier::Exact);
    }
    collection::ordered(gold.2, prediction.2, context)
}

/// Brackets of a point or vector, and of no other interval than an open one.
fn is_point(open: Bracket, close: Bracket) -> bool {
    open == close && matches!(open, Bracket::Round | Bracket::Angle)
}

/// Sets, lists and what is compared with them.
fn collections(gold: &Value, prediction: &Value, context: &mut Context<'_>) -> Comparison {
    match (gold, prediction) {
        (Value::List { joint, .. }, Value::Tuple { open, close, items })
            if *joint != Joint::Or && is_point(*open, *close) =>
        {
            collection::list_for_tuple(gold, items, context, true)
        }
        (Value::Tuple { open, close, items }, Value::List { joint, .. })
            if *joint != Joint::Or && is_point(*open, *close) =>
        {
            collection::list_for_tuple(prediction, items, context, false)
        }
        (Value::List { .. }, Value::List { .. }) => collection::lists(gold, prediction, context),
        (Value::Scalar(quantity), Value::Set(items)) if quantity.expression.choices().0 == 0 => {
            match items.as_slice() {
                [item] => values(gold, item, context),
                _ => strangers(),
            }
        }
        (Value::Set(items), Value::Scalar(quantity)) if quantity.expression.choices().0 == 0 => {
            match items.as_slice() {
                [item] => values(item, prediction, context),
                _ => strangers(),
            }
        }
        (
            Value::List { .. } | Value::Set(_) | Value::Scalar(_),
            Value::List { .. } | Value::Set(_) | Value::Scalar(_),
        ) => collection::unordered_values(gold, prediction, context),
        _ if region::is_conditions(gold) && region::is_region(prediction) => {
            region::compare(gold, prediction, context)
        }
        _ if region::is_region(gold) && region::is_conditions(prediction) => {
            match context.policy.inequality_for_interval {
                true => region::compare(gold, prediction, context),
                false => strangers(),
            }
        }
        _ if region::is_region(gold) && region::is_region(prediction) => {
            region::compare(gold, prediction, context)
        }
        _ => strangers(),
    }
}
