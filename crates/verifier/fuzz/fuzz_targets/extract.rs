//! Every strategy answers every text without a panic, and its span lies in the text.
//!
//! ```sh
//! cargo fuzz run extract -- -max_total_time=600
//! ```

#![no_main]

use fireproof_verifier::math::{Extraction, Gold, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for gold in ["B", "1,2", "5"] {
        let gold = Gold::read(gold).ok();
        for mode in [
            "auto",
            "tags",
            "boxed",
            "gsm8k",
            "phrase",
            "choice",
            "dollars",
            "last_number",
            "whole",
        ] {
            let strategies = Extraction::mode(mode).unwrap_or_default();
            if let Some(found) = extract(text, &strategies, gold.as_ref()) {
                assert!(text.get(found.span).is_some() && !found.text.is_empty());
            }
        }
    }
});
