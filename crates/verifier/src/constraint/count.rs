//! Counting what constraints speak of.

/// Words: runs of letters, digits and underscores.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How often a word or phrase occurs with no part of a word on either side, without regard to case.
pub(super) fn phrase(text: &str, phrase: &str) -> usize {
    let (text, phrase) = (text.to_lowercase(), phrase.trim().to_lowercase());
    if phrase.is_empty() {
        return 0;
    }
    let starts = phrase.starts_with(is_word);
    let ends = phrase.ends_with(is_word);
    let whole = |start: &usize| {
        let before = text[..*start].chars().next_back();
        let after = text[*start + phrase.len()..].chars().next();
        !(starts && before.is_some_and(is_word) || ends && after.is_some_and(is_word))
    };
    text.match_indices(&phrase).map(|(start, _)| start).filter(whole).count()
}

pub(super) fn letter(text: &str, letter: char) -> usize {
    let small: String = letter.to_lowercase().collect();
    text.chars().filter(|c| c.to_lowercase().eq(small.chars())).count()
}

/// Paragraphs that are not empty.
pub(super) fn paragraphs(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        let is_rule = trimmed.len() >= 3
            && (trimmed.chars().all(|c| c == '*') || trimmed.chars().all(|c| c == '-'));
        if trimmed.is_empty() || is_rule {
            found.extend(start.take().map(|start: usize| text[start..place].trim()));
        } else {
            start.get_or_insert(place);
        }
        place += line.len();
    }
    found.extend(start.map(|start| text[start..].trim()));
    found
}

/// Abbreviations whose point ends no sentence.
const ABBREVIATIONS: [&str; 13] =
    ["mr", "mrs", "ms", "dr", "prof", "st", "vs", "e.g", "i.e", "cf", "fig", "jr", "sr"];

/// Sentences: stretches with a word that end in a mark or at the end.
pub(super) fn sentences(text: &str) -> usize {
    let mut count = 0;
    let mut start = 0;
    for (place, c) in text.char_indices() {
        let after = place + c.len_utf8();
        let ends = match c {
            '。' | '！' | '？' => true,
            '!' | '?' | '…' => is_boundary(&text[after..]),
            '.' => is_boundary(&text[after..]) && !is_abbreviation(&text[start..place]),
            _ => false,
        };
        if ends {
            count += usize::from(words(&text[start..place]).next().is_some());
            start = after;
        }
    }
    count + usize::from(words(&text[start..]).next().is_some())
}

/// True if white space or the end follows, closing marks left out.
fn is_boundary(rest: &str) -> bool {
    let rest = rest.trim_start_matches(['"', '\'', '”', '’', '»', ')', ']', '*', '_']);
    rest.is_empty() || rest.starts_with(char::is_whitespace)
}

fn is_abbreviation(before: &str) -> bool {
    let last = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let last = last.trim_start_matches(|c: char| !is_word(c)).to_lowercase();
    ABBREVIATIONS.contains(&last.as_str())
}

pub(super) fn bullets(text: &str) -> usize {
    let is_bullet = |line: &&str| {
        let line = line.trim_start();
        let rest = line.strip_prefix(['*', '-', '•']);
        rest.is_some_and(|rest| rest.starts_with([' ', '\t']) && !rest.trim().is_empty())
    };
    text.lines().filter(is_bullet).count()
}

/// Lines that begin with `marker` and a number; without a marker, with a number and `.` or `)`.
pub(super) fn numbered(text: &str, marker: &str) -> usize {
    let marker = marker.trim();
    let is_numbered = |line: &&str| {
        let line = line.trim_start_matches([' ', '\t', '#', '*']);
        let Some(rest) = line.strip_prefix(marker) else { return false };
        let rest = rest.trim_start();
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let has_number = after.len() < rest.len();
        has_number && (!marker.is_empty() || after.starts_with(['.', ')']))
    };
    text.lines().filter(is_numbered).count()
}

/// Pieces between single or double asterisks on one line.
pub(super) fn highlights(text: &str) -> usize {
    let in_line = |line: &str| {
        let line = line.trim_start();
        // A bullet's asterisk opens nothing.
        let line = line.strip_prefix("* ").unwrap_or(line).replace("**", "*");
        let parts: Vec<&str> = line.split('*').collect();
        // Of `a*b*c*d` only `b` stands between a pair.
        let inner = parts.iter().skip(1).step_by(2).take((parts.len() - 1) / 2);
        inner.filter(|part| !part.trim().is_empty()).count()
    };
    text.lines().map(in_line).sum()
}

pub(super) fn placeholders(text: &str) -> usize {
    let mut count = 0;
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('[') {
        let Some(end) = after.find(['[', ']']) else { break };
        count += usize::from(after[end..].starts_with(']') && !after[..end].trim().is_empty());
        rest = &after[end..];
        rest = rest.strip_prefix(']').unwrap_or(rest);
    }
    count
}

pub(super) fn capital_words(text: &str) -> usize {
    let is_capital =
        |word: &&str| word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase);
    words(text).filter(is_capital).count()
}
