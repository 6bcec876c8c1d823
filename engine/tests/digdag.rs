//! Runs the recorded cases of `tests/digdag` through the engine and compares results with those of a real Digdag.
//!
//! See `tests/digdag/README.md`. One test: it prints how many commands are equal, different on purpose, and not there yet.

#![expect(clippy::unwrap_used, reason = "a test: what goes wrong shall stop it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use engine::document::FileHashes;
use engine::operator::builtin::register_builtin;
use engine::operator::{Registry, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use engine::params::{ParamPath, Params, command_line};
use engine::run::{
    AttemptRequest, Deadline, Engine, EngineSettings, ExitClass, Rerun, RunEvent, RunObserver, Submitted,
};
use engine::schedule::{Schedule, session_flag, time_zone};
use engine::store::AttemptSpec;
use engine::time::SystemClock;
use engine::workflow;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When the cases were recorded: what `--session daily` meant then.
const RECORDED_AT: &str = "2026-11-20T09:30:00Z";

/// The environment of the recording, and the mark of the process that has it.
const RECORDED_ENV: [(&str, &str); 3] = [("OUTER", "outer_value"), ("LANG", "C.UTF-8"), ("TZ", "UTC")];

#[derive(Debug, Deserialize)]
struct Case {
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    command: String,
    exit: Value,
    stdout: String,
    #[serde(default)]
    files_after: BTreeMap<String, String>,
}

/// What suiro does with a command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Ending {
    success: bool,
    printed: Vec<String>,
    files: BTreeMap<String, String>,
}

/// An entry of `suiro.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Listed {
    NotYet {
        not_yet: String,
    },
    Different {
        because: String,
        #[serde(flatten, default)]
        ending: Option<Ending>,
    },
}

/// Keeps what tasks print.
#[derive(Debug, Default)]
struct Printed(Mutex<Vec<u8>>);

impl RunObserver for Printed {
    fn event(&self, event: &RunEvent<'_>) {
        if let RunEvent::Output { bytes, .. } = event {
            self.0.lock().unwrap().extend_from_slice(bytes);
        }
    }
}

/// Stands in for the `py>` operator, so that cases about stored parameters run.
#[derive(Debug)]
struct Py {
    runner: PathBuf,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct PyParams {
    #[serde(rename = "_command")]
    command: String,
    #[serde(flatten)]
    _others: Params,
}

impl TypedOperator for Py {
    const NAME: &'static str = "py";
    const SUMMARY: &'static str = "Calls a Python function.";
    const COMMAND: Option<&'static str> = Some("the function");
    const DETAILS: &'static str = "For tests.";
    const EXAMPLE: &'static str = "+a:\n  py>: module.function\n";

    type Params = PyParams;

    async fn run(&self, context: &TaskContext, params: PyParams) -> Result<TaskOutcome, TaskError> {
        let failed = |message: String| TaskError::failed(engine::diagnostic::code::SH_FAILED, message);
        std::fs::create_dir_all(&context.temp_dir).map_err(|error| failed(error.to_string()))?;
        let (source, target) = (context.temp_dir.join("in.json"), context.temp_dir.join("out.json"));
        std::fs::write(&source, serde_json::to_vec(context.scope()).unwrap_or_default())
            .map_err(|error| failed(error.to_string()))?;
        let output = Command::new("python3")
            .arg(&self.runner)
            .arg(&params.command)
            .args([&source, &target])
            .current_dir(&context.work_dir)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        context.host.output(&output.stdout);
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let text = std::fs::read_to_string(&target).map_err(|error| failed(error.to_string()))?;
        let mut left: BTreeMap<String, Value> =
            serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        let mut take = |key: &str| match left.remove(key) {
            Some(Value::Object(params)) => params,
            _ => Params::new(),
        };
        let (store, export) = (take("store"), take("export"));
        let mut tasks = Params::new();
        if let Some(Value::Array(subtasks)) = left.remove("subtasks") {
            for (index, subtask) in subtasks.into_iter().enumerate() {
                tasks.insert(format!("+subtask{index}"), subtask);
            }
        }
        let subtasks = if tasks.is_empty() {
            Vec::new()
        } else {
            vec![context.host.compile_body(&Value::Object(tasks), &ParamPath::from("_do"))?]
        };
        Ok(TaskResult { subtasks, export, store, ..TaskResult::default() }.done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// A command of a recording, as far as it is one for the engine.
#[derive(Debug, Default)]
struct Invocation {
    dir: String,
    before: Vec<String>,
    check: bool,
    file: String,
    only: Option<String>,
    session: Option<String>,
    params: Vec<String>,
    params_file: Option<String>,
    settings_file: Option<String>,
    rerun: bool,
    no_save: bool,
    max_running: Option<usize>,
}

/// Splits a command at blanks, quotes respected.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for character in command.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

impl Invocation {
    /// Reads a recorded command; `Err` names what suiro's engine has no part in.
    fn parse(command: &str) -> Result<Self, String> {
        let mut invocation = Self::default();
        let mut rest = command;
        if let Some((dir, command)) = rest.strip_prefix("cd ").and_then(|rest| rest.split_once(" && ")) {
            dir.clone_into(&mut invocation.dir);
            rest = command;
        }
        if let Some((file, command)) = rest.strip_prefix("touch ").and_then(|rest| rest.split_once("; ")) {
            invocation.before.push(file.to_owned());
            rest = command;
        }
        let words = words(rest);
        let mut words = words.iter().map(String::as_str);
        match (words.next(), words.next()) {
            (Some("digdag"), Some("run")) => {}
            (Some("digdag"), Some("check")) => invocation.check = true,
            _ => return Err("the command line itself".to_owned()),
        }
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_default().to_owned();
            match word {
                "-c" => invocation.settings_file = Some(value()).filter(|file| file != "/dev/null"),
                "-P" => invocation.params_file = Some(value()),
                "-p" => invocation.params.push(value()),
                "--session" => invocation.session = Some(value()),
                "--rerun" => invocation.rerun = true,
                "--no-save" => invocation.no_save = true,
                "--max-task-threads" => invocation.max_running = value().parse().ok(),
                "-X" => {
                    let limit = value();
                    invocation.max_running = limit.strip_prefix("agent.max-task-threads=").and_then(|n| n.parse().ok());
                }
                word if word.starts_with('-') => return Err(format!("the option `{word}`")),
                word if word.starts_with('+') => invocation.only = Some(word.to_owned()),
                word if invocation.file.is_empty() => word.clone_into(&mut invocation.file),
                _ => return Err("the command line itself".to_owned()),
            }
        }
        if invocation.file.is_empty() {
            return Err("the command line itself".to_owned());
        }
        Ok(invocation)
    }

    /// Runs the command; returns whether it succeeded, what tasks printed, and what was wrong.
    async fn run(&self, root: &Path, registry: &Arc<Registry>) -> (bool, String, Vec<String>) {
        let refused = |why: &str| (false, String::new(), vec![why.to_owned()]);
        let project = root.join(&self.dir);
        for file in &self.before {
            std::fs::write(project.join(file), "").unwrap();
        }
        let mut file = self.file.clone();
        if !project.join(&file).is_file() {
            file.push_str(".dig");
        }
        let loaded = workflow::load(&project, &file, registry);
        let Some(workflow) = loaded.workflow else {
            let why = loaded.diagnostics.iter().map(|diagnostic| diagnostic.message.clone());
            return (false, String::new(), why.collect());
        };
        let zone = time_zone(&workflow.time_zone).unwrap();
        let (schedule, problems) =
            workflow.schedule.as_ref().map_or((None, Vec::new()), |value| Schedule::parse(value, &zone));
        if !problems.is_empty() {
            return refused(&problems[0].message);
        }
        if self.check {
            return (true, String::new(), Vec::new());
        }
        let now: Timestamp = RECORDED_AT.parse().unwrap();
        let Ok(session_time) = session_flag::resolve(self.session.as_deref(), &zone, schedule.as_ref(), now, None)
        else {
            return refused("--session");
        };
        let Ok(command_line_params) = command_line::parse(&self.params) else { return refused("-p") };
        let spec = AttemptSpec {
            workflow,
            settings_params: self
                .settings_file
                .as_ref()
                .map(|file| settings_params(&project.join(file)))
                .unwrap_or_default(),
            file_params: self.params_file.as_ref().map(|file| yaml_params(&project.join(file))).unwrap_or_default(),
            command_line_params,
            only: self.only.clone(),
            files: FileHashes::new(),
        };
        let scratch = tempfile::tempdir().unwrap();
        let mut settings = EngineSettings::new(&project);
        if self.no_save {
            settings.state_dir = scratch.path().to_owned();
        }
        settings.max_running = self.max_running.unwrap_or(settings.max_running);
        let printed = Arc::new(Printed::default());
        let observer = Arc::clone(&printed) as Arc<dyn RunObserver>;
        let engine = Engine::open(Arc::clone(registry), Arc::new(SystemClock), observer, settings).await.unwrap();
        let rerun = if self.rerun { Rerun::All } else { Rerun::Unfinished };
        let request =
            AttemptRequest { project: "digdag".to_owned(), session_time: session_time.timestamp(), spec, rerun };
        let submitted = match engine.submit(request).await {
            Ok(submitted) => submitted,
            Err(error) => return refused(&error.to_string()),
        };
        if matches!(submitted, Submitted::AlreadyDone { .. }) {
            return (true, String::new(), Vec::new());
        }
        engine.advance(Deadline::End).await.unwrap();
        let summary = engine.summary(submitted.attempt()).await.unwrap();
        let why = summary
            .failed()
            .map(|task| format!("{}: {}", task.name, task.failure.as_ref().map_or("", |failure| &failure.message)));
        let bytes = std::mem::take(&mut *printed.0.lock().unwrap());
        (summary.exit_class() == ExitClass::Success, String::from_utf8_lossy(&bytes).into_owned(), why.collect())
    }
}

/// Reads `params.KEY = VALUE` lines of a Digdag settings file.
fn settings_params(file: &Path) -> Params {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let pairs: Vec<String> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("params."))
        .map(|pair| pair.replace(" = ", "="))
        .collect();
    command_line::parse(&pairs).unwrap_or_default()
}

/// Reads a file of plain `key: value` lines with JSON-like values.
fn yaml_params(file: &Path) -> Params {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    pairs.map(|(key, text)| (key.trim().to_owned(), value(text.trim()))).collect()
}

/// Replaces what differs from run to run: times, unique names, the folder.
fn steady(text: &str, project: &Path) -> String {
    let text = text.replace(&*project.to_string_lossy(), "PROJECT");
    let text = without_script_names(&text);
    let mut steady = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(|character: char| character.is_ascii_hexdigit()) {
        let (before, tail) = rest.split_at(start);
        steady.push_str(before);
        let length = tail
            .find(|character: char| !(character.is_ascii_hexdigit() || ".-".contains(character)))
            .unwrap_or(tail.len());
        let (token, after) = tail.split_at(length);
        let is_time = token.len() >= 12
            && token.contains('.')
            && token.chars().all(|character| character.is_ascii_digit() || character == '.');
        let is_uuid = token.len() == 36 && token.matches('-').count() == 4;
        steady.push_str(if is_time {
            "TIME"
        } else if is_uuid {
            "UUID"
        } else {
            token
        });
        rest = after;
    }
    steady.push_str(rest);
    // One case prints the number of its process.
    match steady.rsplit_once("pid $ and ") {
        Some((before, after)) => {
            format!("{before}pid $ and PID{}", after.trim_start_matches(|digit: char| digit.is_ascii_digit()))
        }
        None => steady,
    }
}

/// Replaces the name of a script's file, as shells put it into messages, by what the recording has.
fn without_script_names(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find("/script.sh") {
        let (before, after) = rest.split_at(end);
        let start = before.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        replaced.push_str(&before[..start]);
        replaced.push_str(".digdagTMP");
        rest = &after["/script.sh".len()..];
    }
    replaced.push_str(rest);
    replaced
}

/// A line of a recording that has no log header.
#[derive(Debug)]
struct Recorded {
    line: String,
    /// Whether it may be a piece of a log message instead of something that a task printed.
    may_be_log: bool,
}

/// Takes the lines without a log header out of a recording.
///
/// Digdag's log messages may have several lines: those of a script as written, those of an `echo>` before they are printed,
/// the message of a `fail>`, a stack trace.
fn recorded_lines(stdout: &str, sources: &str) -> Vec<Recorded> {
    let header = |line: &str| {
        let level = ["[INFO] ", "[WARN] ", "[ERROR] ", "[DEBUG] "].iter().find_map(|level| line.strip_prefix(level))?;
        level.split_once(": ").map(|(_, message)| message.to_owned())
    };
    let mut found: Vec<Recorded> = Vec::new();
    let mut lines = stdout.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(message) = header(line) else {
            found.push(Recorded { line: line.to_owned(), may_be_log: false });
            continue;
        };
        let mut block = Vec::new();
        while let Some(next) = lines.next_if(|next| header(next).is_none()) {
            block.push(next);
        }
        let n_pieces = if message.starts_with("sh>: ") {
            let is_source = |line: &&&str| sources.lines().any(|source| source.trim() == line.trim());
            block.iter().take_while(is_source).count()
        } else if let Some(first) = message.strip_prefix("echo>: ") {
            block.iter().position(|line| *line == first).unwrap_or_default()
        } else {
            usize::from(message.ends_with("failed."))
        };
        for (index, line) in block.into_iter().enumerate() {
            let trimmed = line.trim();
            let is_trace = ["java.", "org.", "io.digdag", "at ", "> ", "Caused by", "..."]
                .iter()
                .any(|start| trimmed.starts_with(start));
            found.push(Recorded {
                line: line.to_owned(),
                may_be_log: index < n_pieces || is_trace || trimmed.is_empty(),
            });
        }
    }
    found
}

fn files(root: &Path, input: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(root).unwrap().to_owned();
            if path.is_dir() {
                if !path.ends_with(".suiro") && !path.ends_with("__pycache__") {
                    open.push(path);
                }
            } else if !input.join(&relative).is_file() {
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                found.insert(relative.to_string_lossy().into_owned(), text);
            }
        }
    }
    found
}

fn sources(dir: &Path) -> String {
    files(dir, Path::new("/nowhere"))
        .into_iter()
        .filter(|(name, _)| Path::new(name).extension().is_some_and(|extension| extension == "dig"))
        .map(|(_, text)| text + "\n")
        .collect()
}

fn sorted(lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    lines.sort();
    lines
}

/// Compares what suiro did with the recording; says what is not alike. Lines of parallel tasks may come in any order.
fn compare(step: &Step, ours: &Ending, sources: &str) -> Result<(), String> {
    let success = step.exit == 0;
    if success != ours.success {
        return Err(format!("Digdag {}, suiro {}", ending(success), ending(ours.success)));
    }
    let nowhere = Path::new("/nowhere");
    let mut missing = recorded_lines(&steady(&step.stdout, nowhere), sources);
    for line in &ours.printed {
        // What a task certainly printed first: a piece of a log message may say the same.
        let sure = missing.iter().position(|recorded| recorded.line == *line && !recorded.may_be_log);
        match sure.or_else(|| missing.iter().position(|recorded| recorded.line == *line)) {
            Some(position) => drop(missing.remove(position)),
            None => return Err(format!("only suiro printed `{line}`")),
        }
    }
    if let Some(recorded) = missing.iter().find(|recorded| !recorded.may_be_log) {
        return Err(format!("only Digdag printed `{}`", recorded.line));
    }
    let expected = &step.files_after;
    for name in expected.keys().chain(ours.files.keys()) {
        let lines = |files: &BTreeMap<String, String>| {
            let text = files.get(name).map(|text| steady(text, nowhere));
            text.map(|text| sorted(&text.lines().map(str::to_owned).collect::<Vec<_>>()))
        };
        if lines(expected) != lines(&ours.files) {
            return Err(format!("file `{name}`: Digdag {:?}, suiro {:?}", expected.get(name), ours.files.get(name)));
        }
    }
    Ok(())
}

fn ending(success: bool) -> &'static str {
    if success { "succeeds" } else { "fails" }
}

#[derive(Debug, Default)]
struct Counts {
    equal: usize,
    different: usize,
    not_yet: usize,
    wrong: Vec<String>,
}

async fn run_case(dir: &Path, registry: &Arc<Registry>, counts: &mut Counts) {
    let name = dir.file_name().unwrap().to_string_lossy().into_owned();
    let case: Case = serde_json::from_str(&std::fs::read_to_string(dir.join("case.json")).unwrap()).unwrap();
    let list_file = dir.join("suiro.json");
    let list = std::fs::read_to_string(&list_file).unwrap_or_else(|_| "{}".to_owned());
    let mut listed: BTreeMap<usize, Listed> = serde_json::from_str(&list).unwrap();
    let input = dir.join("input");
    let project = tempfile::tempdir().unwrap();
    let status = Command::new("cp").arg("-R").arg(input.join(".")).arg(project.path()).status().unwrap();
    assert!(status.success());
    let sources = sources(&input);
    for (index, step) in case.steps.iter().enumerate() {
        let entry = listed.get_mut(&index);
        if let Some(Listed::NotYet { .. }) = entry {
            counts.not_yet += 1;
            continue;
        }
        let invocation = match Invocation::parse(&step.command) {
            Ok(invocation) => invocation,
            Err(part) => {
                counts.wrong.push(format!("{name} {index}: not run, and not listed as `not_yet`: {part}"));
                continue;
            }
        };
        let before = files(project.path(), &input);
        let (success, printed, why) = invocation.run(project.path(), registry).await;
        let printed = steady(&printed, project.path());
        // One case prints its environment.
        let ours_alone = |line: &&str| line.starts_with("UPDATE=") || line.starts_with("CASE=");
        let printed = printed.lines().filter(|line| !ours_alone(line)).map(str::to_owned).collect();
        // The recording lists the files that the command made or changed.
        let mut files = files(project.path(), &input);
        files.retain(|name, text| before.get(name) != Some(text));
        let ours = Ending { success, printed, files };
        let result = compare(step, &ours, &sources);
        match (result, entry) {
            (Ok(()), None) => counts.equal += 1,
            (Ok(()), Some(_)) => counts.wrong.push(format!("{name} {index}: listed as different, but it is not")),
            (Err(what), None) => {
                counts.wrong.push(format!("{name} {index}: {what}\n    {}\n    {}", step.command, why.join("; ")));
            }
            (Err(_), Some(Listed::Different { ending, .. })) => {
                let steady_ours = Ending {
                    printed: sorted(&ours.printed),
                    files: ours.files.iter().map(|(name, text)| (name.clone(), steady(text, project.path()))).collect(),
                    ..ours
                };
                if std::env::var_os("UPDATE").is_some() {
                    *ending = Some(steady_ours);
                } else if ending.as_ref() != Some(&steady_ours) {
                    counts.wrong.push(format!("{name} {index}: expected {ending:?}, found {steady_ours:?}"));
                }
                counts.different += 1;
            }
            (Err(_), Some(Listed::NotYet { .. })) => {}
        }
    }
    if std::env::var_os("UPDATE").is_some() && !listed.is_empty() {
        std::fs::write(list_file, serde_json::to_string_pretty(&listed).unwrap() + "\n").unwrap();
    }
}

#[test]
fn recorded_cases() {
    // `sh>` passes its environment on, and one case prints it: the cases run in a process with the recording's.
    if std::env::var_os("OUTER").is_none() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "recorded_cases", "--nocapture"]).env_clear().envs(RECORDED_ENV);
        for kept in ["PATH", "HOME", "UPDATE", "CASE"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        assert!(command.status().unwrap().success(), "see above");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/digdag").canonicalize().unwrap();
    let mut registry = Registry::default();
    register_builtin(&mut registry);
    registry.register(Py { runner: root.join("support/py_runner.py") });
    let registry = Arc::new(registry);
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.join("case.json").is_file());
    cases.sort();
    let wanted = std::env::var_os("CASE").unwrap_or_default().to_string_lossy().into_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut counts = Counts::default();
    runtime.block_on(async {
        // Many cases do nothing but sleep: they run at the same time.
        let mut running = tokio::task::JoinSet::new();
        for dir in cases.into_iter().filter(|dir| dir.to_string_lossy().contains(&wanted)) {
            let registry = Arc::clone(&registry);
            running.spawn(async move {
                let mut counts = Counts::default();
                run_case(&dir, &registry, &mut counts).await;
                counts
            });
        }
        while let Some(case) = running.join_next().await {
            let case = case.unwrap();
            counts.equal += case.equal;
            counts.different += case.different;
            counts.not_yet += case.not_yet;
            counts.wrong.extend(case.wrong);
        }
    });
    counts.wrong.sort();
    println!(
        "recorded Digdag commands: {} equal, {} different on purpose, {} not there yet, {} wrong",
        counts.equal,
        counts.different,
        counts.not_yet,
        counts.wrong.len()
    );
    assert!(counts.wrong.is_empty(), "\n{}", counts.wrong.join("\n"));
    assert!(!wanted.is_empty() || counts.equal > 0);
}
