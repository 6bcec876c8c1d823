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
        // Where the system does not say when a process started, its number must do.
        _ => process_mark(pid).is_none_or(|found| mark.is_empty() || found == mark),
    }
}

/// Returns the machine's boot and the process's start in ticks since then, where Linux tells them; `None` elsewhere.
pub(crate) fn process_mark(pid: u32) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // Field 22, counted from the last parenthesis: the name before it may hold anything (proc_pid_stat(5)).
    let start = stat.rsplit(')').next()?.split_whitespace().nth(19)?;
    Some(format!("{}/{start}", boot.trim()))
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
