//! How long one small program takes in the sandbox, from source to verdict.
//!
//! `cargo bench --package fireproof-verifier --bench sandbox`

use std::time::Instant;

use fireproof_verifier::{Limits, Sandbox, SandboxConfig};

const PROGRAM: &str = "n = int(input())\nprint(sum(i * i for i in range(n)))\n";

fn main() {
    let sandbox = Sandbox::new(&SandboxConfig::default()).expect("a sandbox");
    print!("{}", sandbox.layers());
    let mut millis: Vec<f64> = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        let run = sandbox.run(PROGRAM, b"1000\n", &Limits::default()).expect("a run");
        assert_eq!(run.output, b"332833500\n");
        millis.push(start.elapsed().as_secs_f64() * 1e3);
    }
    millis.sort_by(f64::total_cmp);
    println!("one program, one test: median {:.1} ms, 90% {:.1} ms", millis[100], millis[180]);
}
