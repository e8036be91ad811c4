//! `explain` as a person meets it.

use std::fs;
use std::path::Path;

use crate::common::{refused, run, text_of};

/// A batch of the repository.
fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("batches").join(name);
    path.to_str().expect("a plain path").to_owned()
}

/// The line that begins with some text, its words.
#[track_caller]
fn line<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.trim_start().starts_with(start));
    line.unwrap_or_else(|| panic!("no line {start:?}: {text}")).split_whitespace().collect()
}

#[test]
fn the_built_in_batch_has_the_losses_of_trl_and_verl() {
    let text = text_of(&run("explain", &["--dialect", "trl", "--dialect", "verl"]));
    // Measured with trl 1.16.0; verl's is liger's with the plain k3, whose clamps do not act.
    assert_eq!(line(&text, "trl "), ["trl", "0.120168", "0.003107", "0.123275"]);
    assert_eq!(line(&text, "verl "), ["verl", "0.120168", "0.012936", "0.133104"]);
    // The advantages are the batch's own; of the rules that differ only the KL's ratio acts.
    assert_eq!(
        line(&text, "KL times ratio")[3..],
        ["Token", "no", "0.133104", "+0.009829", "0.018735"]
    );
    assert_eq!(line(&text, "dual clip")[2..5], ["none", "3", "0.123275"]);
    assert_eq!(line(&text, "all of them")[3..5], ["0.133104", "+0.009829"]);
}

#[test]
fn tokens_are_shown_where_asked_for() {
    let text = text_of(&run("explain", &["--dialect", "openrlhf", "--tokens"]));
    assert!(text.contains("openrlhf, completion 1, advantage -1.500000"), "{text}");
    // Half as likely as before; under a positive advantage nothing clips from below.
    assert_eq!(line(&text, "0  0.4999")[1..3], ["0.499999", "-0.499999"]);
    assert!(!text.contains("From "), "{text}");
}

#[test]
fn rewards_become_each_dialects_advantages() {
    let arguments = ["--dialect", "trl", "--dialect", "verl", "--dialect", "nemo-rl"];
    let file = sample("rewards.json");
    let text = text_of(&run("explain", &[&arguments[..], &[&file]].concat()));
    let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
    let row = rows.iter().find(|row| row.len() == 8 && row[1] == "3").expect("a completion");
    assert_eq!([row[2], row[4], row[6]], ["1.499700", "1.499997", "1.000000"]);
    // Three times 0.9 in f32: what torch 2 gives for (r - r.mean()) / (r.std() + epsilon).
    let equal = rows.iter().find(|row| row.len() == 8 && row[0] == "1").expect("a completion");
    assert_eq!([equal[2], equal[4]], ["0.000596", "0.055550"]);
    // One completion alone: nothing, or its reward.
    let alone = rows.iter().find(|row| row.len() == 8 && row[0] == "2").expect("the last");
    assert_eq!([alone[2], alone[4], alone[6]], ["0", "0.999999", "0"]);
}

#[test]
fn what_cannot_be_explained_is_named() {
    refused(
        &run("explain", &["--dialect", "ferl"]),
        &["`ferl` is no dialect; there are: fireproof"],
    );
    refused(&run("explain", &["/nowhere.json"]), &["/nowhere.json: No such file"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batch.json");
    let given = path.to_str().unwrap();
    for (text, parts) in [
        (
            "{\"groups\": [[\n{\"reward\": 1, \"logprobs\": [0.5], \"behaviour\": [-1]}]]}",
            &["batch.json: `logprobs` has 0.5 at token 0", "line 2 column"][..],
        ),
        ("{\"groups\": [[\n{\"reward\": \"one\"}]]}", &["invalid type: string \"one\"", "line 2"]),
        ("{\"groups\": ", &["EOF while parsing", "line 1 column"]),
    ] {
        fs::write(&path, text).unwrap();
        refused(&run("explain", &[given]), parts);
    }
}
