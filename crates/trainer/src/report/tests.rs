//! The page of made-up runs.

use std::collections::BTreeMap;

use fireproof_trajectory::{Outcome, PromptId};

use super::*;
use crate::evaluate::PromptResult;
use crate::metrics::SuccessBin;
use crate::transcript::TranscriptCompletion;

fn metrics(step: u64) -> StepMetrics {
    let bin = |successes, right, wrong| SuccessBin {
        successes,
        samples: 4,
        groups: 2,
        trained: 2,
        right,
        wrong,
    };
    StepMetrics {
        step,
        pass_at_1: 0.25 + step as f32 / 100.0,
        levels: BTreeMap::from([(1, 0.5), (2, 0.25)]),
        by_successes: vec![bin(0, 0.0, 0.0), bin(1, 1.5, -0.5), bin(4, 0.0, 0.0)],
        ..StepMetrics::default()
    }
}

fn evaluation(correct: u64) -> Evaluation {
    let result =
        |level| PromptResult { level: Some(level), ..PromptResult::new(PromptId(1), 8, correct) };
    Evaluation { prompts: vec![result(1), result(2)] }
}

fn transcript(text: &str) -> Transcript {
    let completion = TranscriptCompletion {
        tokens: vec![text.to_owned(), "<eos>".to_owned()],
        logprobs: vec![-0.1, -2.0],
        entropies: vec![0.5, 0.25],
        outcome: Outcome::NoAnswer,
        answer: None,
        reward: 0.0,
        advantage: None,
    };
    Transcript {
        step: 9,
        prompt: PromptId(1),
        text: text.to_owned(),
        level: Some(1),
        completions: vec![completion],
    }
}

fn report() -> Report {
    Report {
        title: "sort & <b>more</b>".to_owned(),
        config: "recipe = \"grpo\"\n".to_owned(),
        metrics: (0..30).map(metrics).collect(),
        transcripts: vec![transcript("3141>"), transcript("</script><script>alert(1)</script>")],
        before: Some(evaluation(2)),
        after: Some(evaluation(4)),
    }
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let page = report().html();
    for forbidden in ["http://", "https://", "src=", "@import", "url(", "<link"] {
        // The name of the SVG vocabulary is no address that anybody opens.
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn texts_of_a_model_and_of_a_folder_cannot_break_out_of_the_page() {
    let page = report().html();
    assert!(page.contains("sort &amp; &lt;b&gt;more&lt;"), "the title is escaped");
    assert_eq!(page.matches("<script").count(), 2, "the data and the one program");
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(page.contains("\\u003c/script>\\u003cscript>alert(1)"));
}

#[test]
fn the_numbers_are_on_the_page() {
    let page = report().html();
    // 2 and 4 of 8 right: pass@1 1/4 and 1/2; pass@8 1 and 1.
    for part in
        [">0.500<", "from 0.250: +0.250", "pass@1, level 2", "pass@8", "recipe = &quot;grpo"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    for heading in ["pass@1 in training", "pass@1 by level", "groups", "advantage by success rate"]
    {
        assert!(page.contains(&format!("<h3>{heading}</h3>")), "{heading} is missing");
    }
    assert!(!page.contains("<h3>reward</h3>") || page.contains("shaping included"));
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert!(report().learning_curve_svg().starts_with("<svg"));
}

#[test]
fn an_empty_run_and_a_half_done_one_have_a_page_too() {
    let empty = Report::default().html();
    assert!(empty.contains("<h1>") && !empty.contains("<svg") && !empty.contains("<script"));
    let half = Report { after: None, metrics: vec![metrics(0)], ..report() }.html();
    assert!(half.contains("not yet") && half.contains("before training") && half.contains("<svg"));
}
