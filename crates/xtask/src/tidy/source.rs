//! Rules on a single source file.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::{Problem, SourceFile};

/// Lines of code in a file, without blank lines and comments.
const FILE_LINES: usize = 400;
/// Lines of a function, from its signature to its closing brace.
const FUNCTION_LINES: usize = 60;

/// Words that must not occur in the sources of some crates, and why.
struct Absence {
    words: &'static [&'static str],
    /// Prefixes of the places in which they may occur.
    allowed: &'static [&'static str],
    reason: &'static str,
}

const ABSENCES: [Absence; 3] = [
    Absence {
        words: &["std::time", "SystemTime", "Instant", "std::fs", "File", "OpenOptions"],
        allowed: &[
            "benches/",
            // Checkpoints of Hugging Face.
            "crates/model/src/folder",
            "crates/model/src/json_file.rs",
            "crates/model/src/lora/peft.rs",
            // Results of arms and seeds, kept for a run that goes on.
            "crates/lab/",
            // Task sets stand in files.
            "crates/tasks/src/readers/",
            "crates/trainer/",
            "crates/verifier/benches/",
            // Bounds on programs that never end, and the files they get.
            "crates/verifier/src/code/sandbox",
            // The watchdog says how long it has waited.
            "crates/verifier/src/parallel",
            // Time-outs of a service.
            "crates/verifier/src/remote.rs",
            "crates/xtask/",
            "examples/",
        ],
        reason: "only the trainer, the lab, the readers, the model folder, the sandbox, the watchdog and the \
                 programs read the clock or touch files",
    },
    Absence {
        words: &[
            "Device::flex",
            "Device::ndarray",
            "Device::wgpu",
            "Device::vulkan",
            "Device::metal",
            "Device::cuda",
            "Device::rocm",
            "Device::default",
            "burn::backend",
            "burn_flex",
            "burn_ndarray",
            "burn_wgpu",
            "burn_cuda",
            "burn_cubecl",
        ],
        allowed: &["crates/kernels/", "crates/xtask/"],
        reason: "only kernels names a backend; take a `&Device` or read it off a tensor",
    },
    Absence {
        words: &["rand::rng", "thread_rng", "rand::random", "from_os_rng", "SysRng"],
        allowed: &["crates/xtask/"],
        reason: "nothing reads a global random generator; seeds come in as arguments",
    },
];

pub(super) fn check(file: &SourceFile) -> Vec<Problem> {
    let place = &file.place;
    let mut problems = absences(file);
    let code = code_lines(&file.text);
    if code > FILE_LINES {
        let text = format!("{code} lines of code; a file has at most {FILE_LINES}");
        problems.push(Problem::new(place, None, text));
    }
    if ["/mod.rs", "/utils.rs", "/base.rs"].iter().any(|name| place.ends_with(name)) {
        problems.push(Problem::new(place, None, "a file is named after what is in it"));
    }
    match syn::parse_file(&file.text) {
        Ok(syntax) => {
            if !file.text.starts_with("//!") {
                problems.push(Problem::new(place, Some(1), "a file begins with its `//!` docs"));
            }
            let mut functions = Functions { place, problems: &mut problems };
            functions.visit_file(&syntax);
        }
        Err(error) => {
            let line = Some(error.span().start().line);
            problems.push(Problem::new(place, line, format!("is not Rust: {error}")));
        }
    }
    problems
}

/// Lines that are neither blank nor only a `//` comment.
fn code_lines(text: &str) -> usize {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

fn absences(file: &SourceFile) -> Vec<Problem> {
    let tests = ["/tests/", "/benches/"].iter().any(|folder| file.place.contains(folder));
    let mut problems = Vec::new();
    for absence in &ABSENCES {
        if tests || absence.allowed.iter().any(|prefix| file.place.starts_with(prefix)) {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let word = absence.words.iter().find(|word| has_word(code, word));
            problems.extend(word.map(|word| {
                let text = format!("`{word}`: {}", absence.reason);
                Problem::new(&file.place, Some(index + 1), text)
            }));
        }
    }
    problems
}

/// True if `word` stands in `code` and is not part of a longer name.
fn has_word(code: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let after = code[start + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

struct Functions<'a> {
    place: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        self.measure_from(first, signature, block);
    }

    fn measure_from(&mut self, first: usize, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - first + 1;
        if lines > FUNCTION_LINES {
            let name = &signature.ident;
            let text =
                format!("`{name}` has {lines} lines; a function has at most {FUNCTION_LINES}");
            self.problems.push(Problem::new(self.place, Some(first), text));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        // A kernel's signature names every buffer and number that it binds; its body is measured.
        if function.attrs.iter().any(|attribute| attribute.path().is_ident("cube")) {
            let first = function.block.span().start().line;
            self.measure_from(first, &function.sig, &function.block);
        } else {
            self.measure(&function.sig, &function.block);
        }
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(place: &str, text: &str) -> Vec<String> {
        let file = SourceFile { place: place.to_owned(), text: text.to_owned() };
        check(&file).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_good_file_has_no_problems() {
        let text = "//! Docs.\n\nfn f() {} // std::fs is only mentioned\n";
        assert_eq!(problems("crates/model/src/a.rs", text), [""; 0]);
    }

    #[test]
    fn missing_docs_and_odd_names_are_found() {
        assert_eq!(
            problems("crates/model/src/mod.rs", "fn f() {}\n"),
            [
                "crates/model/src/mod.rs: a file is named after what is in it",
                "crates/model/src/mod.rs:1: a file begins with its `//!` docs",
            ]
        );
    }

    #[test]
    fn only_lines_of_code_count() {
        let text =
            format!("//! Docs.\n{}{}", "// why\n\n".repeat(900), "const A: u8 = 1;\n".repeat(400));
        assert_eq!(problems("benches/a.rs", &text), [""; 0]);
        let long = text + "const B: u8 = 1;\n";
        assert_eq!(
            problems("benches/a.rs", &long),
            ["benches/a.rs: 401 lines of code; a file has at most 400"]
        );
    }

    #[test]
    fn long_functions_are_found_wherever_they_are() {
        let body = "    let _ = 1;\n".repeat(59);
        let text = format!("//! Docs.\ntrait T {{\nfn f() {{\n{body}}}\n}}\nfn g() {{\n{body}}}\n");
        let found = problems("examples/a.rs", &text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("examples/a.rs:3: `f` has 61 lines"), "{found:?}");
    }

    #[test]
    fn absences_hold_outside_their_places() {
        let text = "//! Docs.\nuse std::fs;\nuse burn::backend::Flex;\nlet r = rand::rng();\n";
        let found =
            problems("crates/losses/src/a.rs", &text.replace("let r = ", "static R: u8 = "));
        assert_eq!(found.len(), 3, "{found:?}");
        let found = problems("crates/trainer/src/a.rs", "//! Docs.\nuse std::fs;\n");
        assert_eq!(found, [""; 0]);
        assert!(!has_word("let rand::rngs", "rand::rng") && has_word("rand::rng()", "rand::rng"));
    }
}
