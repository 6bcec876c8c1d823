//! What a process used: wall time, processor time, memory. From `/proc`: see `man 5 proc`.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Result, SUIRO};

/// Ticks a second in `/proc/PID/stat`: `USER_HZ`, 100 on every architecture that Rust's Linux targets name.
const TICKS_A_SECOND: f64 = 100.0;

/// Returns a figure of `/proc/PID/status` in KiB: `VmHWM` (the peak) or `VmRSS`.
pub(crate) fn memory_kib(process: &str, key: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Returns the processor time that this process used so far, in its own code and in the kernel's, in seconds.
pub(crate) fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in parentheses, may hold blanks; user and system time are the fields 14 and 15.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_A_SECOND
}

/// Runs `suiro` to its end and returns the seconds it took.
pub(crate) fn wall_of_suiro(folder: &Path, arguments: &[&str]) -> Result<f64> {
    let started = Instant::now();
    let output = suiro(folder, arguments).stderr(Stdio::piped()).output()?;
    let took = started.elapsed().as_secs_f64();
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("`suiro {}` failed: {text}", arguments.join(" ")).into());
    }
    Ok(took)
}

/// Runs `suiro` to its end and returns the most memory it was seen to have, in KiB.
///
/// The peak only ever grows, so the last look before the end is off by no more than what the process took in the
/// microseconds after it.
pub(crate) fn peak_of_suiro(folder: &Path, arguments: &[&str]) -> Result<f64> {
    watched(folder, arguments, std::thread::yield_now)
}

/// Does the same for a run of many seconds: looks a hundred times a second, so that the looking takes nothing from it.
pub(crate) fn peak_of_long_suiro(folder: &Path, arguments: &[&str]) -> Result<f64> {
    #[expect(clippy::disallowed_methods, reason = "samples another process, which tells of no event")]
    watched(folder, arguments, || std::thread::sleep(Duration::from_millis(10)))
}

fn watched(folder: &Path, arguments: &[&str], pause: impl Fn()) -> Result<f64> {
    let mut child = suiro(folder, arguments).stderr(Stdio::null()).spawn()?;
    let process = child.id().to_string();
    let mut peak: f64 = 0.0;
    loop {
        peak = memory_kib(&process, "VmHWM").map_or(peak, |seen| peak.max(seen));
        if let Some(status) = child.try_wait()? {
            return if status.success() {
                Ok(peak)
            } else {
                Err(format!("`suiro {}` failed", arguments.join(" ")).into())
            };
        }
        pause();
    }
}

fn suiro(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(SUIRO);
    command.current_dir(folder).args(arguments.iter().map(OsStr::new)).stdin(Stdio::null()).stdout(Stdio::null());
    command
}
