//! Task logs: one plain file a task under `logs/<attempt>/`, kept after the attempt, readable with any pager.
//!
//! Every write goes to the file at once, so that what a task wrote before a crash is there. A log stops growing at a limit
//! and says so.

use std::collections::BTreeSet;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::session::{AttemptId, TaskId};

/// How much of a name goes into a file's name: file systems take 255 bytes, and the id and suffix need some.
const NAME_BYTES: usize = 150;

/// The logs of all attempts.
#[derive(Debug, Clone)]
pub struct TaskLogs {
    dir: PathBuf,
    limit_bytes: u64,
}

/// One log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Whose.
    pub task: TaskId,
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub size_bytes: u64,
}

impl TaskLogs {
    /// Keeps logs in a directory, each up to `limit_bytes`.
    pub fn new(dir: impl Into<PathBuf>, limit_bytes: u64) -> Self {
        Self { dir: dir.into(), limit_bytes }
    }

    /// Returns where the log of a task is, whether it exists or not.
    pub fn path(&self, attempt: AttemptId, task: TaskId, name: &str) -> PathBuf {
        self.dir.join(attempt.to_string()).join(format!("{:06}{}.log", task.0, sanitised(name)))
    }

    /// Lists the tasks of an attempt that have a log, without looking at the logs.
    ///
    /// # Errors
    /// When the directory cannot be read; an attempt without any log has an empty list.
    pub fn tasks(&self, attempt: AttemptId) -> io::Result<BTreeSet<TaskId>> {
        let mut tasks = BTreeSet::new();
        self.each(attempt, |task, _| {
            tasks.insert(task);
            Ok(())
        })?;
        Ok(tasks)
    }

    /// Lists the logs of an attempt in the order of the tasks' ids.
    ///
    /// # Errors
    /// When the directory cannot be read; an attempt without any log has an empty list.
    pub fn list(&self, attempt: AttemptId) -> io::Result<Vec<LogFile>> {
        let mut files = Vec::new();
        self.each(attempt, |task, entry| {
            files.push(LogFile { task, path: entry.path(), size_bytes: entry.metadata()?.len() });
            Ok(())
        })?;
        files.sort_by_key(|file| file.task);
        Ok(files)
    }

    fn each(&self, attempt: AttemptId, mut found: impl FnMut(TaskId, &DirEntry) -> io::Result<()>) -> io::Result<()> {
        let entries = match std::fs::read_dir(self.dir.join(attempt.to_string())) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(".log"));
            let digits = digits.map(|name| name.chars().take_while(char::is_ascii_digit).collect::<String>());
            if let Some(Ok(task)) = digits.map(|digits| digits.parse().map(TaskId)) {
                found(task, &entry)?;
            }
        }
        Ok(())
    }

    /// Reads the log of a task from an offset, at most `limit` bytes.
    ///
    /// # Errors
    /// When the file cannot be read; a task that wrote nothing has no file and gives nothing.
    pub fn read(&self, attempt: AttemptId, task: TaskId, name: &str, offset: u64, limit: u64) -> io::Result<Vec<u8>> {
        let mut file = match File::open(self.path(attempt, task, name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Opens the log of a task for writing; the file is made by the first write.
    pub fn open(&self, attempt: AttemptId, task: TaskId, name: &str) -> TaskLog {
        TaskLog {
            path: self.path(attempt, task, name),
            limit_bytes: self.limit_bytes,
            file: Mutex::new(LogState::Unopened),
        }
    }
}

/// The log of one running task.
#[derive(Debug)]
pub struct TaskLog {
    path: PathBuf,
    limit_bytes: u64,
    file: Mutex<LogState>,
}

#[derive(Debug)]
enum LogState {
    Unopened,
    Open {
        file: File,
        size_bytes: u64,
    },
    /// At the limit, or not writable: a log that cannot be kept must not fail the task.
    Closed {
        failure: Option<io::Error>,
    },
}

impl TaskLog {
    /// Adds a line with the time.
    pub fn line(&self, now: Timestamp, line: &str) {
        self.write(format!("{now:.3} {line}\n").as_bytes());
    }

    /// Adds bytes as they are.
    pub fn write(&self, bytes: &[u8]) {
        let mut state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, LogState::Unopened) {
            *state = match open(&self.path) {
                Ok((file, size_bytes)) => LogState::Open { file, size_bytes },
                Err(error) => LogState::Closed { failure: Some(error) },
            };
        }
        let LogState::Open { file, size_bytes } = &mut *state else { return };
        let room = usize::try_from(self.limit_bytes.saturating_sub(*size_bytes)).unwrap_or(usize::MAX);
        let kept = bytes.get(..room).unwrap_or(bytes);
        let mut result = file.write_all(kept);
        *size_bytes = size_bytes.saturating_add(u64::try_from(kept.len()).unwrap_or(u64::MAX));
        if kept.len() < bytes.len() {
            result =
                result.and_then(|()| writeln!(file, "\n[the log is cut here: it reached {} bytes]", self.limit_bytes));
        }
        if result.is_err() || kept.len() < bytes.len() {
            *state = LogState::Closed { failure: result.err() };
        }
    }

    /// Returns, once, where the log is and why what was written last is not in it; none when it is.
    pub fn take_failure(&self) -> Option<(PathBuf, io::Error)> {
        let mut state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let LogState::Closed { failure } = &mut *state else { return None };
        failure.take().map(|error| (self.path.clone(), error))
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = || OpenOptions::new().create(true).append(true).open(path);
    let file = match (file(), path.parent()) {
        // Only the first log of an attempt finds no directory.
        (Err(error), Some(dir)) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(dir)?;
            file()?
        }
        (opened, _) => opened?,
    };
    let size_bytes = file.metadata()?.len();
    Ok((file, size_bytes))
}

/// Keeps what every file system takes; the task's id before it keeps names apart.
fn sanitised(name: &str) -> String {
    let keep = |character: char| {
        if character.is_ascii_alphanumeric() || "+^=.,-_@".contains(character) { character } else { '_' }
    };
    name.chars().map(keep).take(NAME_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_kept_listed_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let logs = TaskLogs::new(dir.path(), 1_000);
        let attempt = AttemptId(7);
        let log = logs.open(attempt, TaskId(3), "+wf+../a b");
        log.line(Timestamp::UNIX_EPOCH, "hello");
        log.write(b"raw\xff");
        let files = logs.list(attempt).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(logs.tasks(attempt).unwrap(), BTreeSet::from([TaskId(3)]));
        assert_eq!(files[0].path, dir.path().join("7/000003+wf+.._a_b.log"));
        assert_eq!(
            logs.read(attempt, TaskId(3), "+wf+../a b", 0, 100).unwrap(),
            b"1970-01-01T00:00:00.000Z hello\nraw\xff"
        );
        assert_eq!(logs.read(attempt, TaskId(3), "+wf+../a b", 25, 5).unwrap(), b"hello");
        assert_eq!(logs.read(attempt, TaskId(4), "+wf", 0, 100).unwrap(), b"");
    }

    #[test]
    fn a_log_that_cannot_be_written_says_why_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("logs"), "").unwrap();
        let log = TaskLogs::new(dir.path().join("logs"), 1_000).open(AttemptId(7), TaskId(3), "+a");
        assert!(log.take_failure().is_none());
        log.write(b"one");
        log.write(b"two");
        let (path, error) = log.take_failure().unwrap();
        assert_eq!(path, dir.path().join("logs/7/000003+a.log"));
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        assert!(log.take_failure().is_none());
    }

    #[test]
    fn a_log_stops_at_its_limit_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let logs = TaskLogs::new(dir.path(), 4);
        let log = logs.open(AttemptId(1), TaskId(0), "+a");
        log.write(b"abc");
        log.write(b"def");
        log.write(b"ghi");
        let text = logs.read(AttemptId(1), TaskId(0), "+a", 0, 100).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "abcd\n[the log is cut here: it reached 4 bytes]\n");
    }
}
