//! Which groups train.

use fireproof_selection::{GroupFilter, KeepAll, MixedOutcomes, NotAllTruncated, SuccessBand};
use fireproof_trajectory::{GroupView, PromptId};

fn view<'a>(correct: &'a [bool], truncated: &'a [bool]) -> GroupView<'a> {
    GroupView {
        prompt: PromptId(0),
        // Shaped rewards must not matter.
        rewards: &[0.3, -1.0, 2.0, 0.0][..correct.len()],
        correct,
        lengths: &[1; 4][..correct.len()],
        truncated,
    }
}

#[test]
fn groups_are_kept_by_their_outcomes() {
    let band = SuccessBand::new(0.25, 0.5).unwrap();
    for (correct, mixed, in_band) in [
        (&[true, false, false, false][..], true, true),
        (&[true, true, false, false], true, true),
        (&[true, true, true, false], true, false),
        (&[true, true], false, false),
        (&[false, false], false, false),
        (&[true], false, false),
        (&[], false, false),
    ] {
        let truncated = vec![false; correct.len()];
        let group = view(correct, &truncated);
        assert_eq!(MixedOutcomes.keep(group), mixed, "{correct:?}");
        assert_eq!(band.keep(group), in_band, "{correct:?}");
        assert!(KeepAll.keep(group));
    }
}

#[test]
fn groups_that_were_cut_off_altogether_are_dropped() {
    for (truncated, kept) in
        [(&[true, true][..], false), (&[true, false], true), (&[false], true), (&[], false)]
    {
        let correct = vec![false; truncated.len()];
        assert_eq!(NotAllTruncated.keep(view(&correct, truncated)), kept, "{truncated:?}");
    }
}
