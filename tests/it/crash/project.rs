//! Projects that are copied with their state.

use std::path::Path;

use crate::support::{Project, copy};

/// Makes a copy of a project, with what its runs left.
pub(super) fn copy_with_state(project: &Project) -> Project {
    let made = Project::in_memory();
    copy(project.path(), made.path());
    let state = project.path().join(".suiro");
    if state.is_dir() {
        copy(&state, &made.path().join(".suiro"));
    }
    made
}

/// Waits until a file is there that another process makes.
pub(super) fn await_file(file: &Path) {
    while !file.exists() {
        std::thread::yield_now();
    }
}
