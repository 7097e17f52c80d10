//! What replaying a gold set costs beside the models and the graders: `cargo bench --bench eval [-- --full]`.
//!
//! Drives the real program in a temporary project whose provider answers at once and which retrieves nothing. CPU time
//! does not see other work on the machine, wall time does; every figure stands beside a floor measured in the same run.
//! `--full` also replays 1,000,000 cases (about two minutes, 2 GB of disk).
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

#[path = "eval/child.rs"]
mod child;
#[path = "eval/floors.rs"]
mod floors;
#[path = "eval/project.rs"]
mod project;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use child::{measure, program, wall_time};
use project::Project;

type Failure = Box<dyn std::error::Error>;

/// Cases of the set that CPU and memory are measured on.
const CASES: usize = 10_000;
/// Cases under way at a time with an instant provider: what `eval.concurrency` is by default.
const CONCURRENCY: usize = 8;

fn main() -> Result<(), Failure> {
    let full = std::env::args().any(|argument| argument == "--full");
    println!("{:<38} {:>12} {:>12} {:>7}   {:<16} floor", "", "measured", "floor", "ratio", "target");
    let project = Project::create(Duration::ZERO)?;
    cpu_and_memory(&project)?;
    if full {
        memory_of_a_million(&project)?;
    }
    waiting()?;
    version()?;
    manual()
}

/// One line of the table; `most` is the largest value that meets the target.
fn line(name: &str, measured: f64, floor: f64, most: f64, unit: &str, floor_is: &str) {
    let show = |value: f64| if value < 10.0 { format!("{value:.3} {unit}") } else { format!("{value:.1} {unit}") };
    let verdict = if measured <= most { "met" } else { "MISSED" };
    let target = format!("{} {verdict}", show(most));
    println!(
        "{name:<38} {:>12} {:>12} {:>7.2}   {target:<16} {floor_is}",
        show(measured),
        show(floor),
        measured / floor
    );
}

fn cpu_and_memory(project: &Project) -> Result<(), Failure> {
    let set = project.gold_set(CASES)?;
    let (mut cpu, mut graders, mut floor, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..5 {
        graders.push(floors::graders(&set)?);
        floor.push(floors::parse_and_insert(&set, CONCURRENCY)?);
        let usage = measure(project.eval(&set, CONCURRENCY))?;
        cpu.push(usage.cpu);
        peak = peak.max(usage.peak_mb);
    }
    let (graders, floor) = (median(graders), median(floor));
    let cpu = median(cpu).saturating_sub(graders);
    let one = measure(project.eval(&project.gold_set(1)?, CONCURRENCY))?;
    let per_case = |cpu: Duration| cpu.as_secs_f64() * 1e6 / CASES as f64;
    let name = format!("CPU a case, graders ({:.1} µs) left out", per_case(graders));
    line(&name, per_case(cpu), per_case(floor), 100.0, "µs", "parse, insert one row, groups of 8");
    line("  of it start-up and report", per_case(one.cpu), per_case(floor), 100.0, "µs", "as above");
    line("peak memory, 10,000 cases", peak, one.peak_mb, 60.0, "MB", "one case");
    Ok(())
}

fn memory_of_a_million(project: &Project) -> Result<(), Failure> {
    let one = measure(project.eval(&project.gold_set(1)?, CONCURRENCY))?;
    let million = measure(project.eval(&project.gold_set(1_000_000)?, 32))?;
    line("peak memory, 1,000,000 cases", million.peak_mb, one.peak_mb, 100.0, "MB", "one case");
    Ok(())
}

fn waiting() -> Result<(), Failure> {
    let (latency, cases, concurrency) = (Duration::from_millis(50), 1_000, 32);
    let project = Project::create(latency)?;
    let set = project.gold_set(cases)?;
    let floor = floors::sleep(latency, cases, concurrency)?;
    let taken = (0..3).map(|_| wall_time(project.eval(&set, concurrency))).collect::<Result<_, _>>()?;
    let ideal = latency.as_secs_f64() * cases as f64 / concurrency as f64;
    let name = "wall, 1,000 cases of 50 ms, 32 at a time";
    line(name, median(taken).as_secs_f64(), floor.as_secs_f64(), 1.1 * ideal, "s", "sleeping alone");
    Ok(())
}

fn version() -> Result<(), Failure> {
    let (mut own, mut empty) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        own.push(wall_time(program(&["--version"]))?);
        empty.push(wall_time(Command::new("true"))?);
    }
    let ms = |times| median(times).as_secs_f64() * 1e3;
    line("wall of --version", ms(own), ms(empty), 20.0, "ms", "`true`");
    Ok(())
}

/// The repository's own gold set over its own manual, into an empty store.
fn manual() -> Result<(), Failure> {
    let root = env!("CARGO_MANIFEST_DIR");
    let store = tempfile::tempdir()?;
    let mut eval = program(&["--quiet", "-C", root, "eval"]);
    eval.env("TOLLGATE_STORE__PATH", store.path().join("tollgate.db"));
    let floor = floors::read_words(&Path::new(root).join("docs"))?;
    let taken = wall_time(eval)?;
    let name = "wall of the manual's eval, empty store";
    line(name, taken.as_secs_f64(), floor.as_secs_f64(), 5.0, "s", "hash each word of docs/ once");
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
