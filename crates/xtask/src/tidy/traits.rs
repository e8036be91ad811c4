//! The rule of two: a public trait has at least two implementations in the tree.

use std::collections::{BTreeMap, HashMap};

use syn::visit::{self, Visit};

use super::{Problem, SourceFile};

#[derive(Default)]
struct Traits {
    /// Name and place of every public trait.
    declared: BTreeMap<String, String>,
    /// Implementations by the trait's last name.
    implemented: HashMap<String, usize>,
    place: String,
}

pub(super) fn check(sources: &[SourceFile]) -> Vec<Problem> {
    let mut traits = Traits::default();
    for file in sources.iter().filter(|file| !file.place.contains("/tests/")) {
        traits.place.clone_from(&file.place);
        // A file that is not Rust is a problem of its own.
        if let Ok(syntax) = syn::parse_file(&file.text) {
            traits.visit_file(&syntax);
        }
    }
    let count = |name: &String| traits.implemented.get(name).copied().unwrap_or(0);
    let lonely = traits.declared.iter().filter(|(name, _)| count(name) < 2);
    let problem = |(name, place): (&String, &String)| {
        let text = format!("trait `{name}` has {} implementations, not two", count(name));
        Problem::new(place, None, text)
    };
    lonely.map(problem).collect()
}

impl<'ast> Visit<'ast> for Traits {
    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        if matches!(item.vis, syn::Visibility::Public(_)) {
            self.declared.insert(item.ident.to_string(), self.place.clone());
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let path = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
        if let Some(segment) = path {
            *self.implemented.entry(segment.ident.to_string()).or_default() += 1;
        }
        visit::visit_item_impl(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trait_with_one_implementation_is_found() {
        let file = |place: &str, text: &str| SourceFile { place: place.into(), text: text.into() };
        let found = check(&[
            file("crates/a/src/lib.rs", "pub trait One {} pub trait Two {} trait Own {}"),
            file(
                "crates/b/src/lib.rs",
                "impl One for u8 {} impl<T> a::Two for T {} impl a::Two for u8 {}",
            ),
            file("crates/b/tests/t.rs", "impl One for u16 {}"),
        ]);
        let found: Vec<String> = found.iter().map(Problem::to_string).collect();
        assert_eq!(found, ["crates/a/src/lib.rs: trait `One` has 1 implementations, not two"]);
    }
}
