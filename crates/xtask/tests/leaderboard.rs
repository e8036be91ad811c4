//! The README shows the figures that were kept.

use std::path::Path;

#[test]
fn the_readme_has_the_figures_of_the_leaderboard() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let wanted = xtask::readme_with_leaderboard(&root).unwrap();
    let found = std::fs::read_to_string(root.join("README.md")).unwrap();
    assert!(found == wanted, "run `cargo xtask leaderboard`: README.md shows other figures");
}
