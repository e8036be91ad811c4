//! Any two texts compare without a panic, within the budget; a text that can be read equals itself,
//! and what is perturbed does not equal it.
//!
//! ```sh
//! cargo fuzz run math -- -max_total_time=600
//! ```

#![no_main]

use fireproof_verifier::math::{Gold, Policy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (gold, prediction) = input.split_once('\n').unwrap_or((input, input));
    let Ok(read) = Gold::read(gold) else { return };
    let policy = Policy::default();
    let _ = read.compare(prediction, &policy);
    assert!(read.compare(gold, &policy).equal, "{gold:?} is not itself");
    // The label of a choice, a box and a phrase each name the answer, whatever follows.
    let named = [")", "box", "nswer"].iter().any(|name| gold.contains(name));
    let hedged = format!("{gold} or 5");
    assert!(named || !read.compare(&hedged, &policy).equal, "{gold:?} is hedged");
});
