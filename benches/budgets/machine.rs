//! The machine that the figures are of, as far as Linux tells.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::Result;
use crate::figure::{Figure, milliseconds, percentile};

/// Describes processor, memory, kernel and how busy the machine is.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = line_of("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".to_owned());
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores of {model}; memory {memory}; Linux {kernel}; load average {}", load_average())
}

/// Returns how many processes wanted to run, over the last minute, five and fifteen: with more than there are cores,
/// figures of time are worse than the machine's.
pub(crate) fn load_average() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Adds blocks to a file and waits for each until it is on the disk: what no durable commit can be quicker than.
pub(crate) fn flush(folder: &Path) -> Result<Figure> {
    let mut file = File::create(folder.join("flush"))?;
    let mut took = Vec::new();
    for _ in 0..200 {
        file.write_all(&[1; 4096])?;
        let started = Instant::now();
        file.sync_data()?;
        took.push(started.elapsed().as_secs_f64());
    }
    Ok(Figure::informative("the disk itself: one durable 4 KiB append, p50", milliseconds(percentile(&took, 50))))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn line_of(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
