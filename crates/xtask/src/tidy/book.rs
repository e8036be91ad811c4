//! The book: what it includes and links to exists. mdBook itself leaves a hole without a word.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{Problem, TidyError};

pub(super) fn check(root: &Path) -> Result<Vec<Problem>, TidyError> {
    let source = root.join("book/src");
    let mut problems = Vec::new();
    let summary = read(&source.join("SUMMARY.md"))?;
    for path in pages(&source)? {
        let place = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let name = path.strip_prefix(&source).unwrap_or(&path).to_string_lossy().into_owned();
        if name != "SUMMARY.md" && !summary.contains(&format!("({name})")) {
            problems.push(Problem::new(&*place, None, "is not in SUMMARY.md"));
        }
        let folder = path.parent().unwrap_or(root);
        for (number, line) in (1..).zip(read(&path)?.lines()) {
            let missing = includes(line).filter_map(|include| missing_include(folder, include));
            let broken = links(line).filter_map(|link| broken_link(folder, link));
            let texts = missing.chain(broken);
            problems.extend(texts.map(|text| Problem::new(&*place, Some(number), text)));
        }
    }
    Ok(problems)
}

fn read(path: &Path) -> Result<String, TidyError> {
    std::fs::read_to_string(path)
        .map_err(|error| TidyError::Read { path: path.to_owned(), reason: error.to_string() })
}

fn pages(source: &Path) -> Result<Vec<PathBuf>, TidyError> {
    let mut found = Vec::new();
    for entry in WalkDir::new(source).sort_by_file_name() {
        let entry = entry.map_err(|error| TidyError::Read {
            path: source.to_owned(),
            reason: error.to_string(),
        })?;
        if entry.path().extension().is_some_and(|extension| extension == "md") {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// What stands in `{{#include ...}}`.
fn includes(line: &str) -> impl Iterator<Item = &str> {
    let parts = line.split("{{#include ").skip(1);
    parts.filter_map(|part| part.split_once("}}").map(|(include, _)| include.trim()))
}

/// A file, or `file:anchor` with both ends of the anchor in the file.
fn missing_include(folder: &Path, include: &str) -> Option<String> {
    let (file, anchor) = match include.split_once(':') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (include, None),
    };
    let Ok(text) = std::fs::read_to_string(folder.join(file)) else {
        return Some(format!("includes {file}, which is not there"));
    };
    let anchor = anchor?;
    let has = |mark: &str| {
        text.lines().any(|line| line.trim_end().ends_with(&format!("{mark}: {anchor}")))
    };
    let whole = has("ANCHOR") && has("ANCHOR_END");
    (!whole).then(|| format!("includes the anchor `{anchor}`, which {file} does not have"))
}

/// What stands in `](...)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|part| part.split_once(')').map(|(link, _)| link))
}

/// Links within the book lead somewhere; others are not looked at.
fn broken_link(folder: &Path, link: &str) -> Option<String> {
    let file = link.split('#').next().unwrap_or(link);
    let is_outside = file.contains("://") || file.is_empty();
    (!is_outside && !folder.join(file).exists())
        .then(|| format!("links to {file}, which is not there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_anchor_link_and_page_are_found() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("book/src");
        std::fs::create_dir_all(&source).unwrap();
        let write = |name: &str, text: &str| std::fs::write(source.join(name), text).unwrap();
        write("code.rs", "// ANCHOR: whole\n// ANCHOR_END: whole\n// ANCHOR: half\n");
        write("SUMMARY.md", "- [One](one.md)\n");
        write("two.md", "alone\n");
        write(
            "one.md",
            "{{#include code.rs}} {{#include code.rs:whole}} [fine](two.md#x) [out](https://a.b)\n\
             {{#include code.rs:half}}\n{{#include gone.rs:x}}\n[lost](three.md)\n",
        );
        let found: Vec<String> =
            check(root.path()).unwrap().iter().map(Problem::to_string).collect();
        assert_eq!(
            found,
            [
                "book/src/one.md:2: includes the anchor `half`, which code.rs does not have",
                "book/src/one.md:3: includes gone.rs, which is not there",
                "book/src/one.md:4: links to three.md, which is not there",
                "book/src/two.md: is not in SUMMARY.md",
            ]
        );
    }
}
