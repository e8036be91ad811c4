//! Every operation three times: fused, in plain tensor operations of burn, and in PyTorch.
//!
//! ```sh
//! PYTHON=python3 cargo bench --package fireproof-benches --bench kernels -- surrogate
//! ```
//!
//! Each measurement runs in a process of its own, so that its peak of memory is its own, and the
//! ratios of a row come from one run. Without `PYTHON` (a Python with torch) the rival's columns stay
//! empty. Words after `--` choose the cases whose name contains one of them. Where nothing is said,
//! a case is forward and backward.

#![allow(clippy::print_stdout, reason = "a benchmark shows its figures")]

mod losses;
mod step;

use std::process::Command;
use std::time::{Duration, Instant};

use fireproof_benches::Clock;

/// Programs of this workspace keep freed memory; so does what measures them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs before those that count.
const WARM_UP: usize = 3;

/// Quick work is repeated for about so long before the clock is read again.
const SAMPLE: Duration = Duration::from_millis(50);

/// How long a case is measured.
const SPAN: Duration = Duration::from_secs(3);

/// A piece of work, made ready.
type Work = Box<dyn FnMut()>;

/// A case: its name and both ways to do it.
struct Case {
    name: &'static str,
    fused: fn() -> Work,
    /// `None` where the fused operation stands in the middle of a whole step.
    plain: Option<fn() -> Work>,
}

fn cases() -> Vec<Case> {
    losses::CASES.into_iter().chain(step::CASES).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, name, way] = arguments.as_slice()
        && flag == "--one"
    {
        return measure_one(name, way);
    }
    println!("{:<26}{:>22}{:>22}{:>22}{:>22}", "ms (MB)", "fused", "plain", "eager", "compile");
    for case in cases() {
        if !arguments.is_empty() && !arguments.iter().any(|a| case.name.contains(a.as_str())) {
            continue;
        }
        let fused = own(case.name, "fused");
        let rivals = [
            case.plain.and_then(|_| own(case.name, "plain")),
            rival(case.name, "eager"),
            rival(case.name, "compile"),
        ];
        let shown = |figure: &Option<Figure>| match (figure, &fused) {
            (Some(figure), Some(fused)) => {
                format!("{} x{:.2}", figure.text(), figure.milliseconds / fused.milliseconds)
            }
            _ => "-".to_owned(),
        };
        let own = fused.as_ref().map_or_else(|| "-".to_owned(), Figure::text);
        let [plain, eager, compile] = rivals.each_ref().map(shown);
        println!("{:<26}{own:>22}{plain:>22}{eager:>22}{compile:>22}", case.name);
    }
}

/// Median time and peak of memory.
struct Figure {
    milliseconds: f64,
    megabytes: f64,
}

impl Figure {
    fn text(&self) -> String {
        format!("{:.2} ({:.0})", self.milliseconds, self.megabytes)
    }

    /// The last line of a process, if it ended well.
    fn of(command: &mut Command) -> Option<Self> {
        let output = command.output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (milliseconds, megabytes) = text.trim().lines().last()?.split_once(' ')?;
        Some(Self { milliseconds: milliseconds.parse().ok()?, megabytes: megabytes.parse().ok()? })
    }
}

fn own(name: &str, way: &str) -> Option<Figure> {
    let program = std::env::current_exe().expect("this program has a path");
    Figure::of(Command::new(program).args(["--one", name, way]))
}

fn rival(name: &str, mode: &str) -> Option<Figure> {
    let python = std::env::var_os("PYTHON")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/pytorch.py");
    Figure::of(Command::new(python).args([script, name, mode]))
}

fn measure_one(name: &str, way: &str) {
    let case = cases().into_iter().find(|case| case.name == name).expect("a case's name");
    let prepare = if way == "fused" { case.fused } else { case.plain.expect("there is one") };
    fireproof_benches::keep_freed_memory();
    let mut work = prepare();
    (0..WARM_UP).for_each(|_| work());
    let begun = Instant::now();
    work();
    // The clock of processors steps by some milliseconds.
    let repeats = (SAMPLE.as_secs_f64() / begun.elapsed().as_secs_f64()).clamp(1.0, 1000.0) as u32;
    let mut times = Vec::new();
    let begun = Instant::now();
    let clock = Clock::chosen();
    while times.len() < 5 || (begun.elapsed() < SPAN && times.len() < 200) {
        let start = clock.now();
        (0..repeats).for_each(|_| work());
        times.push((clock.now() - start).as_secs_f64() / f64::from(repeats));
    }
    times.sort_by(f64::total_cmp);
    println!("{:.3} {:.0}", times[times.len() / 2] * 1e3, peak_megabytes());
}

/// The most memory this process has had, where the system tells; else 0.
fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
