//! Integer expressions judged by value, operators and numbers.

use fireproof_trajectory::{CheckSpec, ExpressionCheck, Operands, Outcome, Task, Verdict};

use crate::evaluate::{EvaluateError, Evaluation, evaluate};
use crate::verifier::{Verifier, VerifyError};

/// The whole text is an integer expression with the right value, the allowed operators and the
/// required numbers ([`ExpressionCheck`]). See [`evaluate`] for the grammar.
///
/// A text that is not an expression is [`Outcome::NoAnswer`]; one without a value in the integers
/// (overflow, inexact division) is [`Outcome::Wrong`].
#[derive(Clone, Copy, Debug)]
pub struct IntegerExpression;

impl Verifier for IntegerExpression {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let CheckSpec::Expression(check) = &task.check else {
            return Err(VerifyError::unsupported("IntegerExpression", task));
        };
        let response = response.trim();
        Ok(match evaluate(response) {
            Ok(evaluation) => Verdict::over(response, satisfies(check, &evaluation)),
            Err(EvaluateError::Overflow { .. } | EvaluateError::NotExact { .. }) => {
                Verdict::over(response, false)
            }
            Err(_) => Verdict::new(Outcome::NoAnswer),
        })
    }
}

fn satisfies(check: &ExpressionCheck, evaluation: &Evaluation) -> bool {
    evaluation.value == check.target
        && evaluation.operators.iter().all(|operator| check.operators.contains(*operator))
        && operands_allowed(&check.operands, &evaluation.numbers)
        && digits_allowed(&check.forbidden_digits, &evaluation.numbers)
}

fn digits_allowed(forbidden: &str, numbers: &[i64]) -> bool {
    numbers.iter().all(|number| !number.to_string().contains(|digit| forbidden.contains(digit)))
}

fn operands_allowed(rule: &Operands, numbers: &[i64]) -> bool {
    match rule {
        Operands::Exactly { numbers: required } => {
            numbers.len() == required.len() && is_part_of(numbers, required)
        }
        Operands::Subset { numbers: offered } => is_part_of(numbers, offered),
        Operands::Repeated { numbers: offered, most } => {
            numbers.len() <= *most && numbers.iter().all(|number| offered.contains(number))
        }
        Operands::Free { count, minimum, maximum } => {
            numbers.len() == *count && numbers.iter().all(|n| (minimum..=maximum).contains(&n))
        }
    }
}

/// True if no number is used more often than it is offered.
fn is_part_of(used: &[i64], offered: &[i64]) -> bool {
    let mut left = offered.to_vec();
    used.iter().all(|number| {
        let found = left.iter().position(|other| other == number);
        found.map(|place| left.swap_remove(place)).is_some()
    })
}

#[cfg(test)]
mod tests {
    use fireproof_trajectory::{PromptId, TaskMetadata};

    use super::*;

    fn outcome(check: ExpressionCheck, response: &str) -> Outcome {
        let task = Task {
            id: PromptId(1),
            prompt: "?".into(),
            check: CheckSpec::Expression(check),
            metadata: TaskMetadata::default(),
        };
        IntegerExpression.verify(&task, response).unwrap().outcome
    }

    fn split_20() -> ExpressionCheck {
        ExpressionCheck {
            target: 20,
            operators: "+".into(),
            forbidden_digits: String::new(),
            operands: Operands::Free { count: 2, minimum: 1, maximum: 20 },
        }
    }

    fn countdown(operators: &str) -> ExpressionCheck {
        ExpressionCheck {
            target: 16,
            operators: operators.into(),
            forbidden_digits: String::new(),
            operands: Operands::Exactly { numbers: vec![3, 5, 8] },
        }
    }

    #[test]
    fn a_split_needs_the_value_the_operator_and_the_number_of_terms() {
        assert_eq!(outcome(split_20(), "13+7"), Outcome::Correct);
        assert_eq!(outcome(split_20(), "7+13"), Outcome::Correct);
        assert_eq!(outcome(split_20(), "13+8"), Outcome::Wrong);
        assert_eq!(outcome(split_20(), "20"), Outcome::Wrong);
        assert_eq!(outcome(split_20(), "20+0"), Outcome::Wrong);
        assert_eq!(outcome(split_20(), "1+2+17"), Outcome::Wrong);
        assert_eq!(outcome(split_20(), "4*5"), Outcome::Wrong);
        assert_eq!(outcome(split_20(), "13+"), Outcome::NoAnswer);
        assert_eq!(outcome(split_20(), "13+7=20"), Outcome::NoAnswer);
    }

    #[test]
    fn countdown_uses_every_number_exactly_once() {
        assert_eq!(outcome(countdown("+-*"), "8+5+3"), Outcome::Correct);
        assert_eq!(outcome(countdown("+-*"), "(8+5)+3"), Outcome::Correct);
        assert_eq!(outcome(countdown("+-*"), "8+8"), Outcome::Wrong);
        assert_eq!(outcome(countdown("+-*"), "16"), Outcome::Wrong);
        assert_eq!(outcome(countdown("+-*"), "3+5+8+0"), Outcome::Wrong);
        assert_eq!(outcome(countdown("+-*"), "35-8-11"), Outcome::Wrong);
    }

    fn sum(target: i64, operands: Operands) -> ExpressionCheck {
        let (operators, forbidden_digits) = ("+".into(), String::new());
        ExpressionCheck { target, operators, forbidden_digits, operands }
    }

    #[test]
    fn a_subset_uses_each_number_at_most_as_often_as_it_is_listed() {
        let check = || sum(10, Operands::Subset { numbers: vec![2, 3, 5, 5, 10] });
        for answer in ["10", "5+5", "2+3+5", "5+3+2"] {
            assert_eq!(outcome(check(), answer), Outcome::Correct, "{answer}");
        }
        for answer in ["2+3+2+3", "5+3", "4+6", "10+0", "2*5"] {
            assert_eq!(outcome(check(), answer), Outcome::Wrong, "{answer}");
        }
        assert_eq!(outcome(sum(0, Operands::Subset { numbers: vec![1] }), ""), Outcome::NoAnswer);
    }

    #[test]
    fn coins_may_be_used_again_up_to_their_number() {
        let check = || sum(12, Operands::Repeated { numbers: vec![2, 5], most: 4 });
        assert_eq!(outcome(check(), "5+5+2"), Outcome::Correct);
        for answer in ["2+2+2+2+2+2", "12", "5+7", "5+5+2+0"] {
            assert_eq!(outcome(check(), answer), Outcome::Wrong, "{answer}");
        }
    }

    #[test]
    fn operators_that_the_task_does_not_allow_are_wrong() {
        assert_eq!(outcome(countdown("*"), "8+5+3"), Outcome::Wrong);
    }

    #[test]
    fn forbidden_digits_may_stand_nowhere() {
        let check = || ExpressionCheck { forbidden_digits: "37".into(), ..split_20() };
        assert_eq!(outcome(check(), "13+7"), Outcome::Wrong);
        assert_eq!(outcome(check(), "12+8"), Outcome::Correct);
    }

    #[test]
    fn an_expression_without_a_value_is_wrong() {
        assert_eq!(outcome(countdown("+-*/"), "3/(8-8)+5"), Outcome::Wrong);
    }
}
