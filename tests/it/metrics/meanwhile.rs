//! Something that somebody does while a process sleeps at a crash point.

use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::support::Project;

/// Where a process falls asleep, and what is done then.
#[derive(Clone, Copy)]
pub(super) struct Meanwhile {
    /// `POINT:MOMENT`.
    pub(super) asleep_at: &'static str,
    pub(super) done: fn(&Project),
}

/// Wakes a process, also when what was done meanwhile has failed.
struct Waking(Pid);

impl Drop for Waking {
    fn drop(&mut self) {
        // It is a child that nobody has waited for yet: there is such a process.
        let _sent = kill(self.0, Signal::SIGCONT);
    }
}

impl Meanwhile {
    /// The plan of a process that falls asleep, and goes on by another plan.
    pub(super) fn plan(self, then: &str) -> String {
        format!("pause {} then {then}", self.asleep_at)
    }

    /// Runs a command that has such a plan to its end.
    pub(super) fn run(self, command: &mut Command, project: &Project) -> Output {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        std::thread::scope(|scope| {
            let ended = scope.spawn(|| child.wait_with_output().unwrap());
            // One that has ended is left to be waited for.
            let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            let status = waitid(Id::Pid(pid), flags);
            assert!(matches!(status, Ok(WaitStatus::Stopped(..))), "it did not fall asleep: {status:?}");
            let waking = Waking(pid);
            (self.done)(project);
            drop(waking);
            ended.join().unwrap()
        })
    }
}
