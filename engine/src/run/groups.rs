//! The process groups of running scripts: what must end with the process when it leaves without waiting for its tasks.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The process groups that tasks run in. Cheap to clone: all clones are of the same groups.
#[derive(Debug, Clone, Default)]
pub struct ProcessGroups {
    groups: Arc<Mutex<Groups>>,
}

#[derive(Debug, Default)]
struct Groups {
    running: BTreeSet<u32>,
    /// Whether they were killed: nothing may run any more.
    is_closed: bool,
}

impl ProcessGroups {
    /// Kills all that run (SIGKILL), and from now on whatever begins to. Does not wait for their ends.
    pub fn kill_all(&self) {
        let mut groups = self.lock();
        groups.is_closed = true;
        for group in &groups.running {
            signal_group(*group, Signal::SIGKILL);
        }
    }

    /// Notes a group for as long as the answer is kept.
    pub(crate) fn enter(&self, group: u32) -> EnteredGroup {
        let mut groups = self.lock();
        groups.running.insert(group);
        if groups.is_closed {
            signal_group(group, Signal::SIGKILL);
        }
        drop(groups);
        EnteredGroup { groups: self.clone(), group }
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A group that is noted; dropped when what runs in it has ended.
#[derive(Debug)]
pub(crate) struct EnteredGroup {
    groups: ProcessGroups,
    group: u32,
}

impl Drop for EnteredGroup {
    fn drop(&mut self) {
        self.groups.lock().running.remove(&self.group);
    }
}

/// Sends a signal to all processes of a group.
pub(crate) fn signal_group(group: u32, signal: Signal) {
    let Ok(number) = i32::try_from(group) else { return };
    if let Err(error) = killpg(Pid::from_raw(number), signal) {
        // No such group: it is gone, which is what was wanted.
        tracing::debug!(%error, group, "cannot signal a process group");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::{Child, Command};

    use super::*;

    fn endless() -> Child {
        Command::new("tail").args(["-f", "/dev/null"]).process_group(0).spawn().unwrap()
    }

    #[test]
    fn what_runs_is_killed_and_what_begins_afterwards_too() {
        let groups = ProcessGroups::default();
        let (mut running, mut ended, mut late) = (endless(), endless(), endless());
        let _running = groups.enter(running.id());
        drop(groups.enter(ended.id()));
        groups.clone().kill_all();
        assert_eq!(running.wait().unwrap().signal(), Some(9));
        assert_eq!(ended.try_wait().unwrap(), None, "it is no longer ours");
        let _late = groups.enter(late.id());
        assert_eq!(late.wait().unwrap().signal(), Some(9));
        ended.kill().unwrap();
        ended.wait().unwrap();
    }
}
