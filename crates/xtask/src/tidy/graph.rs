//! Floors: a crate sees only lower ones, the host crates never see burn, and only `kernels` names a
//! backend.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use super::{Problem, TidyError};

/// Every crate of `crates/` with its floor; `xtask` stands beside the house.
const FLOORS: [(&str, u8); 12] = [
    ("fireproof", 4),
    ("fireproof-trainer", 3),
    ("fireproof-rollout", 2),
    ("fireproof-lab", 2),
    ("fireproof-model", 1),
    ("fireproof-losses", 1),
    ("fireproof-verifier", 1),
    ("fireproof-advantage", 1),
    ("fireproof-selection", 1),
    ("fireproof-tasks", 1),
    ("fireproof-kernels", 0),
    ("fireproof-trajectory", 0),
];

/// They build and test without burn, in seconds.
const HOST_CRATES: [&str; 6] = [
    "fireproof-trajectory",
    "fireproof-tasks",
    "fireproof-verifier",
    "fireproof-advantage",
    "fireproof-selection",
    "fireproof-lab",
];

/// Features of burn that bring a backend in.
const BACKEND_FEATURES: [&str; 9] =
    ["flex", "ndarray", "wgpu", "vulkan", "metal", "webgpu", "cuda", "rocm", "cpu"];

pub(super) fn check(root: &Path) -> Result<Vec<Problem>, TidyError> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec()?;
    let members = metadata.workspace_packages();
    let mut problems: Vec<Problem> = members.iter().flat_map(|package| names(package)).collect();
    problems.extend(members.iter().flat_map(|package| floors(package)));
    problems.extend(members.iter().flat_map(|package| backends(package)));
    problems.extend(members.iter().flat_map(|package| burn_under(package, &metadata)));
    Ok(problems)
}

fn floor(package: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == package).map(|(_, floor)| *floor)
}

fn is_burn(package: &str) -> bool {
    package == "burn" || package.starts_with("burn-")
}

/// A folder of `crates/` is named as its package without the prefix, and has a floor.
fn names(package: &Package) -> Option<Problem> {
    let folder = package.manifest_path.parent()?;
    if folder.parent()?.file_name()? != "crates" {
        return None;
    }
    let (folder, name) = (folder.file_name()?, package.name.as_str());
    let expected = if ["fireproof", "xtask"].contains(&folder) {
        folder.into()
    } else {
        format!("fireproof-{folder}")
    };
    let place = format!("crates/{folder}");
    if name != expected {
        return Some(Problem::new(
            place,
            None,
            format!("its package should be `{expected}`, not `{name}`"),
        ));
    }
    let placed = name == "xtask" || floor(name).is_some();
    (!placed).then(|| Problem::new(place, None, "has no floor: add it to the table in xtask"))
}

/// Dependencies on the workspace's own crates go down.
fn floors(package: &Package) -> Vec<Problem> {
    let Some(own) = floor(&package.name) else { return Vec::new() };
    let normal = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
    let up = normal.filter(|d| floor(&d.name).is_some_and(|floor| floor >= own));
    let text = |name: &str| format!("floor {own} must not depend on {name}, which is not below it");
    up.map(|d| Problem::new(package.name.as_str(), None, text(&d.name))).collect()
}

/// Only `kernels` turns on a backend or depends on one.
fn backends(package: &Package) -> Vec<Problem> {
    if package.name.as_str() == "fireproof-kernels" {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for dependency in &package.dependencies {
        let features = dependency.features.iter().map(String::as_str);
        let named: Vec<&str> = features.filter(|f| BACKEND_FEATURES.contains(f)).collect();
        let is_table = dependency.name == "burn" || dependency.name == "fireproof-kernels";
        let is_test = dependency.kind == DependencyKind::Development;
        if is_table && !named.is_empty() && !(is_test && dependency.name == "fireproof-kernels") {
            let text = format!("turns on a backend: {}", named.join(", "));
            problems.push(Problem::new(package.name.as_str(), None, text));
        }
        let is_allowed = ["burn-store", "burn-train"].contains(&dependency.name.as_str());
        if dependency.name.starts_with("burn-") && !is_allowed {
            let text = format!("depends on {}: only kernels may name a backend", dependency.name);
            problems.push(Problem::new(package.name.as_str(), None, text));
        }
    }
    problems
}

/// No host crate reaches burn, tests included.
fn burn_under(package: &Package, metadata: &Metadata) -> Option<Problem> {
    if !HOST_CRATES.contains(&package.name.as_str()) {
        return None;
    }
    let resolve = metadata.resolve.as_ref()?;
    let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![&package.id];
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            waiting.extend(nodes.get(id).into_iter().flat_map(|node| &node.dependencies));
        }
    }
    let names = seen.into_iter().map(|id| metadata[id].name.as_str());
    let burn: Vec<&str> = names.filter(|name| is_burn(name)).collect();
    let text = || format!("a host crate must not reach burn, but it reaches {}", burn.join(", "));
    (!burn.is_empty()).then(|| Problem::new(package.name.as_str(), None, text()))
}
