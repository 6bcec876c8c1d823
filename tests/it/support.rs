//! A project in a folder of its own, and the real binary run in it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, LazyLock};

use engine::operator::Registry;
use lake::LakeSettings;
use operators::LakeDoor;
use regex::Regex;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const SUIRO: &str = env!("CARGO_BIN_EXE_suiro");

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether expected and generated files are written instead of compared.
pub(crate) fn update() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}

/// All operators, over a lake that is never opened.
pub(crate) fn registry() -> Registry {
    let door = Arc::new(LakeDoor::new(LakeSettings::new("never-opened", "never-opened")));
    let mut registry = Registry::default();
    engine::operator::builtin::register_builtin(&mut registry);
    operators::register_all(&mut registry, &door);
    registry
}

/// A project of a test.
#[derive(Debug)]
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// Makes an empty project.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("suiro-test-").tempdir().unwrap() }
    }

    /// Makes an empty project in memory, where the system can: for tests that stop processes, which it survives, very often.
    pub(crate) fn in_memory() -> Self {
        let mut folder = tempfile::Builder::new();
        folder.prefix("suiro-test-");
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { folder.tempdir_in(memory) } else { folder.tempdir() };
        Self { folder: folder.unwrap() }
    }

    /// Makes a project of the files of a folder.
    pub(crate) fn copy_of(folder: &Path) -> Self {
        let project = Self::new();
        copy(folder, project.path());
        project
    }

    /// Makes a copy of it in memory, with what its runs left.
    ///
    /// Another process copies: one that opens and closes a file of `SQLite` loses the locks that its own readers of that file
    /// hold, and whoever opens the file next believes that nobody is there, and cuts the index that the readers have mapped
    /// (<https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>).
    pub(crate) fn copy_with_state(&self) -> Self {
        loop {
            let made = Self::in_memory();
            let copied = Command::new("cp").arg("-R").arg(self.path().join(".")).arg(made.path()).output().unwrap();
            if copied.status.success() {
                return made;
            }
            // A reader that is being closed takes the log and the index of its file with it.
            let why = String::from_utf8_lossy(&copied.stderr).into_owned();
            let is_gone = |line: &str| line.contains("No such file or directory");
            assert!(why.lines().all(is_gone) && !why.is_empty(), "{why}");
        }
    }

    /// Returns its folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Prepares a program that runs in the project.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SUIRO_") {
                command.env_remove(name);
            }
        }
        command.env("NO_COLOR", "1").env_remove("UPDATE");
        command
    }

    /// Prepares the binary.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(SUIRO);
        command.args(arguments);
        command
    }

    /// Prepares the binary for a test that sends it SIGHUP: below `nohup` it would ignore that as these tests do, and never end.
    pub(crate) fn command_that_hears_hang_up(&self, arguments: &[&str]) -> Command {
        if !cfg!(target_os = "linux") {
            return self.command(arguments);
        }
        let mut command = self.program("env");
        command.args(["--default-signal=HUP", SUIRO]).args(arguments);
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn suiro(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self, &self.command(arguments).output().unwrap())
    }

    /// Runs the binary, which must succeed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.suiro(arguments);
        assert_eq!(outcome.exit, Some(0), "`suiro {}`\n{outcome}", arguments.join(" "));
        outcome
    }

    /// Runs a line of shell, which must succeed.
    pub(crate) fn shell(&self, line: &str) -> Outcome {
        let outcome = Outcome::of(self, &self.program("sh").args(["-c", line]).output().unwrap());
        assert_eq!(outcome.exit, Some(0), "`{line}`\n{outcome}");
        outcome
    }
}

impl Project {
    /// Returns the result of a query as CSV.
    pub(crate) fn query(&self, sql: &str) -> String {
        self.succeed(&["query", "--format", "csv", sql]).stdout
    }
}

/// How a program ended, with what differs from run to run taken out of its texts.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its exit code; none when a signal ended it.
    pub(crate) exit: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it said.
    pub(crate) stderr: String,
}

impl Outcome {
    /// Reads the end of a program that ran in a project.
    pub(crate) fn of(project: &Project, output: &Output) -> Self {
        let text = |bytes: &[u8]| steady(&String::from_utf8_lossy(bytes), project.path());
        Self { exit: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}--- stderr\n{}", self.exit, self.stdout, self.stderr)
    }
}

/// What differs from run to run, with what stands in its place.
static CHANGING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        // `1 h 02 m`, `2 m 05 s`, `1.25 s`, `8 ms`, with the blanks that line it up.
        (r" *\b(\d+ h \d\d m|\d+ m \d\d s|\d+\.\d\d s|\d+ ms)\b", " [TIME]"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)", "[MOMENT]"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[ID]"),
        (r"\bpid \d+", "pid [PID]"),
        (r"\d{8}T\d{6}(\d{3})?Z-[0-9a-f]+-g\d+", "[VERSION]"),
        (r"--versions/[0-9a-f]{8,}", "--versions/[HASH]"),
    ];
    rules.into_iter().map(|(pattern, with)| (Regex::new(pattern).unwrap(), with)).collect()
});

/// Takes out of a text what differs from run to run.
pub(crate) fn steady(text: &str, project: &Path) -> String {
    let mut text = text.replace(&project.canonicalize().unwrap().display().to_string(), "[PROJECT]");
    text = text.replace(&project.display().to_string(), "[PROJECT]");
    for (pattern, with) in CHANGING.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    text
}

/// Copies a folder, without the state of runs.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        std::fs::create_dir_all(to).unwrap();
        if entry.file_name() == ".suiro" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Lists the files below a folder in the order of their paths; hidden folders and build results are left out.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Compares a text with a file of the repository, or writes the file when asked to. Returns what is wrong.
pub(crate) fn golden(path: &Path, text: &str) -> Option<String> {
    if update() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if std::fs::read_to_string(path).ok().as_deref() != Some(text) {
            std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
        }
        return None;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    let shown = path.strip_prefix(root()).unwrap_or(path).display();
    (expected != text).then(|| {
        format!("{shown} is not as expected (UPDATE=1 writes it)\n--- expected\n{expected}\n--- found\n{text}")
    })
}
