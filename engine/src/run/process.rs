//! Who holds an attempt: this process, and whether another one still lives.

use std::path::Path;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::store::Holder;

/// What tells one process from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// The machine.
    pub host: String,
    /// Its number.
    pub pid: u32,
    /// What tells it from a later process with the same number.
    pub mark: String,
}

impl ProcessIdentity {
    /// Returns that of this process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self { host: host_name(), pid, mark: process_mark(pid).unwrap_or_default() }
    }

    /// Makes a holder of it.
    pub fn holder(&self, since: Timestamp, lease_until: Timestamp) -> Holder {
        Holder { host: self.host.clone(), pid: self.pid, process_mark: self.mark.clone(), since, lease_until }
    }

    /// Says whether a holder can still be at work: its lease has not expired, and its process, if it is on this machine, is
    /// there.
    pub fn is_alive(&self, holder: &Holder, now: Timestamp) -> bool {
        if holder.lease_until <= now {
            return false;
        }
        if holder.host != self.host {
            return true;
        }
        process_lives(holder.pid, &holder.process_mark)
    }
}

/// Says whether a process of this machine is the one with that mark.
pub(crate) fn process_lives(pid: u32, mark: &str) -> bool {
    let Ok(number) = i32::try_from(pid) else { return false };
    match kill(Pid::from_raw(number), None) {
        Err(Errno::ESRCH) => false,
        // One that ended and that nobody has waited for does nothing any more.
        _ if Stat::read(pid).is_some_and(|stat| stat.has_ended) => false,
        // Where the system does not say when a process started, its number must do.
        _ => process_mark(pid).is_none_or(|found| mark.is_empty() || found == mark),
    }
}

/// Returns the machine's boot and the process's start in ticks since then, where Linux tells them; `None` elsewhere.
pub(crate) fn process_mark(pid: u32) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}/{}", boot.trim(), Stat::read(pid)?.start))
}

/// Lists the processes of a group that have not ended, where Linux tells them; none elsewhere.
pub(crate) fn group_members(group: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| Stat::read(*pid).is_some_and(|stat| stat.group == group && !stat.has_ended)).collect()
}

/// Says whether a process was started with a variable in its environment, as far as Linux tells.
pub(crate) fn has_variable(pid: u32, name: &str, value: &str) -> bool {
    let wanted = format!("{name}={value}");
    std::fs::read(Path::new("/proc").join(pid.to_string()).join("environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()))
}

/// What Linux tells of a process (`proc_pid_stat(5)`).
struct Stat {
    has_ended: bool,
    group: u32,
    /// In ticks since the boot.
    start: String,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
        // Counted from the last parenthesis: the name before it may hold anything.
        let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
        let (state, group, start) = (fields.first()?, fields.get(2)?, fields.get(19)?);
        Some(Self { has_ended: matches!(*state, "Z" | "X"), group: group.parse().ok()?, start: (*start).to_owned() })
    }
}

fn host_name() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let name = files.iter().find_map(|file| std::fs::read_to_string(file).ok());
    name.map_or_else(|| "localhost".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_holder_is_dead_when_its_process_is_gone_or_its_lease_is_over() {
        let me = ProcessIdentity::current();
        let now = Timestamp::UNIX_EPOCH;
        let until = now + Duration::from_mins(1);
        let mine = me.holder(now, until);
        assert!(me.is_alive(&mine, now));
        assert!(!me.is_alive(&mine, until));
        assert!(!me.is_alive(&Holder { process_mark: "boot/1".to_owned(), ..mine.clone() }, now));
        assert!(!me.is_alive(&Holder { pid: u32::MAX, ..mine.clone() }, now));
        assert!(me.is_alive(&Holder { host: "elsewhere".to_owned(), pid: u32::MAX, ..mine }, now));
    }
}
