//! Runs programs and tells what they took.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// Of a program that has ended.
pub(crate) struct Usage {
    /// User and system time, to 10 ms.
    pub(crate) cpu: Duration,
    /// Most memory resident at a time, in MB of 1,000,000 bytes.
    pub(crate) peak_mb: f64,
}

/// The program under test.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(arguments);
    command
}

/// Runs `command` to its end and tells what it consumed.
pub(crate) fn measure(mut command: Command) -> Result<Usage, Failure> {
    let before = cpu_of_children()?;
    let mut child = spawn(&mut command)?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak_mb = 0.0;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        // It never falls, so that the last look is all that counts; a process that has just ended shows none.
        peak_mb = high_water_mb(&std::fs::read_to_string(&status)?).unwrap_or(peak_mb);
        std::thread::sleep(Duration::from_millis(2));
    };
    succeeded(&command, ended)?;
    Ok(Usage { cpu: cpu_of_children()?.saturating_sub(before), peak_mb })
}

/// How long `command` takes from start to end.
pub(crate) fn wall_time(mut command: Command) -> Result<Duration, Failure> {
    let started = Instant::now();
    let ended = spawn(&mut command)?.wait()?;
    let taken = started.elapsed();
    succeeded(&command, ended).map(|()| taken)
}

fn spawn(command: &mut Command) -> std::io::Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()
}

fn succeeded(command: &Command, ended: ExitStatus) -> Result<(), Failure> {
    if ended.success() { Ok(()) } else { Err(format!("{command:?} ended with {ended}").into()) }
}

/// `VmHWM` of proc(5).
fn high_water_mb(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024.0 / 1e6)
}

/// User and system time of all children waited for so far: `cutime` and `cstime` of proc(5), in ticks of 10 ms.
fn cpu_of_children() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let ticks: Result<Vec<u64>, _> = after_name.split_whitespace().skip(13).take(2).map(str::parse).collect();
    Ok(Duration::from_millis(10 * ticks?.iter().sum::<u64>()))
}
