//! The sandbox in its weaker forms: as an ordinary user, without namespaces, without Landlock.

use fireproof_verifier::{End, Layer, Limits, Sandbox, SandboxConfig, SandboxError, Wish};

#[test]
fn print_plans() {
    let base = SandboxConfig::default();
    for config in [
        base.clone(),
        SandboxConfig { namespaces: Wish::Never, ..base.clone() },
        SandboxConfig {
            namespaces: Wish::Never,
            interpreter: "/usr/bin/python3".into(),
            ..base.clone()
        },
        SandboxConfig { landlock: Wish::Never, ..base.clone() },
        SandboxConfig { landlock: Wish::Never, namespaces: Wish::Never, ..base.clone() },
        SandboxConfig { seccomp: Wish::Never, ..base.clone() },
        SandboxConfig { seccomp: Wish::Never, allow_uncontained: true, ..base.clone() },
        SandboxConfig {
            seccomp: Wish::Never,
            landlock: Wish::Never,
            namespaces: Wish::Never,
            allow_uncontained: true,
            ..base.clone()
        },
    ] {
        match Sandbox::new(&config) {
            Ok(s) => println!("--- {config:?}\n{}", s.layers()),
            Err(e) => println!("--- {config:?}\nERR {e}"),
        }
    }
}
