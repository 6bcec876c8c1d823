//! Temporary files of tasks whose process is gone: removed as soon as somebody opens the state, or takes the attempt over.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::shared::EngineParts;
use crate::session::{AttemptId, TaskId};

/// Returns the directory for a task's temporary files.
pub(super) fn temp_dir(parts: &EngineParts, attempt: AttemptId, task: TaskId) -> PathBuf {
    temp_dirs(parts).join(format!("{attempt}-{task}"))
}

fn temp_dirs(parts: &EngineParts) -> PathBuf {
    parts.settings.state_dir.join("tmp")
}

/// Removes the temporary files of attempts that nobody holds.
pub(super) async fn remove_unheld(parts: &EngineParts) {
    let mut held: HashMap<AttemptId, bool> = HashMap::new();
    for (attempt, dir) in list(parts) {
        let is_held = if let Some(is_held) = held.get(&attempt) {
            *is_held
        } else {
            let is_held = is_held(parts, attempt).await;
            held.insert(attempt, is_held);
            is_held
        };
        if !is_held {
            remove(parts, &dir).await;
        }
    }
}

/// Removes the temporary files that the last holder of an attempt left when it died.
pub(super) async fn remove_of(parts: &EngineParts, attempt: AttemptId) {
    for (_, dir) in list(parts).into_iter().filter(|(other, _)| *other == attempt) {
        remove(parts, &dir).await;
    }
}

/// Lists the directories of tasks with their attempts. Others stand beside them that are none of the engine's.
fn list(parts: &EngineParts) -> Vec<(AttemptId, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(temp_dirs(parts)) else { return Vec::new() };
    let entries = entries.filter_map(Result::ok);
    entries.filter_map(|entry| Some((attempt_of(entry.file_name().to_str()?)?, entry.path()))).collect()
}

/// Reads `ATTEMPT-TASK`.
fn attempt_of(name: &str) -> Option<AttemptId> {
    let (attempt, task) = name.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(attempt) && is_number(task) { attempt.parse().ok().map(AttemptId) } else { None }
}

/// Says whether somebody is at work on an attempt. When that cannot be known, somebody may be.
async fn is_held(parts: &EngineParts, attempt: AttemptId) -> bool {
    match parts.store.attempt(attempt).await {
        Ok(Some(record)) => {
            let now = parts.clock.now();
            record.finished_at.is_none()
                && record.holder.as_ref().is_some_and(|holder| parts.identity.is_alive(holder, now))
        }
        Ok(None) => false,
        Err(_) => true,
    }
}

/// Removes temporary files. What cannot be removed is left for the next who opens the state.
pub(super) async fn remove(parts: &EngineParts, dir: &Path) {
    // Most tasks have none; looking takes a microsecond, removing takes a thread.
    if dir.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return;
    }
    let effect = tokio::fs::remove_dir_all(dir);
    match parts.settings.crash_points.around("run: remove temporary files", effect).await {
        // Where nothing can be written, the attempt that is about to be made says so.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ReadOnlyFilesystem) => {}
        Err(error) => tracing::warn!(path = %dir.display(), %error, "cannot remove temporary files"),
        Ok(()) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_tasks_are_meant() {
        assert_eq!(attempt_of("7-12"), Some(AttemptId(7)));
        for name in ["7", "7-", "-7", "7-1-2", "a-1", "0b5c7f8e9d1a4c0f8e7d6c5b4a392817", "7-1.lock"] {
            assert_eq!(attempt_of(name), None, "{name}");
        }
    }
}
