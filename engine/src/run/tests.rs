//! The engine end to end, over a store in a file: what a workflow prints, what survives, what is stopped.

mod elsewhere;
mod secrets;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::crash::CrashPoints;
use super::*;
use crate::operator::builtin::register_builtin;
use crate::operator::{TaskContext, TaskError, TaskOutcome, TypedOperator};
use crate::params::Params;
use crate::session::TaskState;
use crate::store::AttemptSpec;
use crate::time::SystemClock;
use crate::workflow;

/// Keeps what tasks print and how they end.
#[derive(Debug, Default)]
struct Recorder {
    output: Mutex<String>,
    ends: Mutex<Vec<String>>,
    warnings: Mutex<Vec<String>>,
}

impl RunObserver for Recorder {
    fn event(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Output { bytes, .. } => self.output.lock().unwrap().push_str(&String::from_utf8_lossy(bytes)),
            RunEvent::TaskFinished { task, state, skipped, .. } => {
                let how = if *skipped { "skipped".to_owned() } else { state.to_string() };
                self.ends.lock().unwrap().push(format!("{} {how}", task.name));
            }
            RunEvent::TaskFound { task, state, .. } => {
                self.ends.lock().unwrap().push(format!("{} found {state}", task.name));
            }
            RunEvent::Warning { task, line } => self.warnings.lock().unwrap().push(format!("{}: {line}", task.name)),
            _ => {}
        }
    }
}

/// The parameters of an operator that takes none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoParams {}

/// An operator that never ends and does not listen.
#[derive(Debug)]
struct Deaf {
    is_running: Arc<AtomicBool>,
}

impl TypedOperator for Deaf {
    const NAME: &'static str = "deaf";
    const SUMMARY: &'static str = "Goes on.";
    const COMMAND: Option<&'static str> = None;
    const DETAILS: &'static str = "";
    const EXAMPLE: &'static str = "+on: {deaf>: }";
    type Params = NoParams;

    async fn run(&self, _context: &TaskContext, _params: NoParams) -> Result<TaskOutcome, TaskError> {
        self.is_running.store(true, Ordering::SeqCst);
        std::future::pending().await
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

struct Project {
    dir: PathBuf,
    _kept: Option<tempfile::TempDir>,
    recorder: Arc<Recorder>,
    registry: Arc<Registry>,
}

impl Project {
    fn new(workflow: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t.dig"), workflow).unwrap();
        let project = Self::open(dir.path());
        Self { _kept: Some(dir), ..project }
    }

    fn open(dir: &Path) -> Self {
        let mut registry = Registry::default();
        register_builtin(&mut registry);
        Self { dir: dir.to_owned(), _kept: None, recorder: Arc::default(), registry: Arc::new(registry) }
    }

    fn path(&self) -> &Path {
        &self.dir
    }

    fn spec(&self) -> AttemptSpec {
        let loaded = workflow::load(self.path(), "t.dig", &self.registry);
        let problems: Vec<_> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect();
        AttemptSpec {
            workflow: loaded.workflow.unwrap_or_else(|| panic!("{problems:?}")),
            settings_params: Params::new(),
            file_params: Params::new(),
            command_line_params: Params::new(),
            only: None,
            files: loaded.files,
        }
    }

    fn request(&self) -> AttemptRequest {
        AttemptRequest {
            project: "test".to_owned(),
            session_time: "2024-02-29T01:02:03Z".parse().unwrap(),
            spec: self.spec(),
            rerun: Rerun::Unfinished,
        }
    }

    async fn engine_with(&self, change: impl FnOnce(&mut EngineSettings)) -> Engine {
        let mut settings = EngineSettings::new(self.path());
        change(&mut settings);
        let observer = Arc::clone(&self.recorder) as Arc<dyn RunObserver>;
        Engine::open(Arc::clone(&self.registry), Arc::new(SystemClock), observer, settings).await.unwrap()
    }

    async fn engine(&self) -> Engine {
        self.engine_with(|_| {}).await
    }

    async fn run_request(&self, request: AttemptRequest) -> (Submitted, RunSummary) {
        let engine = self.engine().await;
        let submitted = engine.submit(request).await.unwrap();
        assert_eq!(engine.advance(Deadline::End).await.unwrap(), Progress::Ended);
        let summary = engine.summary(submitted.attempt()).await.unwrap();
        (submitted, summary)
    }

    async fn run(&self) -> (Submitted, RunSummary) {
        self.run_request(self.request()).await
    }

    fn output(&self) -> String {
        std::mem::take(&mut *self.recorder.output.lock().unwrap())
    }

    fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.recorder.warnings.lock().unwrap())
    }

    fn ends(&self) -> Vec<String> {
        std::mem::take(&mut *self.recorder.ends.lock().unwrap())
    }
}

fn states(summary: &RunSummary) -> Vec<(&str, TaskState)> {
    summary.tasks.iter().map(|task| (task.name.as_str(), task.state)).collect()
}

#[tokio::test]
async fn an_echo_prints_its_line_and_the_session_is_done_then() {
    let project = Project::new("_export: {who: world}\n+a:\n  echo>: hello ${who} ${session_date}\n");
    let (submitted, summary) = project.run().await;
    assert!(matches!(submitted, Submitted::Started { number: 1, .. }), "{submitted:?}");
    assert_eq!(summary.exit_class(), ExitClass::Success);
    assert_eq!(project.output(), "hello world 2024-02-29\n");
    assert_eq!(project.ends(), ["+t+a success", "+t success"]);
    let engine = project.engine().await;
    let again = engine.submit(project.request()).await.unwrap();
    assert!(matches!(&again, Submitted::AlreadyDone { changes, .. } if changes.is_empty()), "{again:?}");
}

#[tokio::test]
async fn what_changed_since_a_session_was_done_is_told() {
    let project = Project::new("+a:\n  call>: sub.dig\n");
    let write = |file: &str, text: &str| std::fs::write(project.path().join(file), text).unwrap();
    write("sub.dig", "+b: {echo>: b}\n");
    project.run().await;
    let engine = project.engine().await;
    let changes = async |request| match engine.submit(request).await.unwrap() {
        Submitted::AlreadyDone { changes, .. } => changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(changes(project.request()).await, Vec::<String>::new());
    write("sub.dig", "+b: {echo>: c}\n");
    assert_eq!(changes(project.request()).await, ["`sub.dig`"]);
    write("t.dig", "# A remark.\n+a:\n  call>: sub.dig\n");
    let mut request = project.request();
    request.spec.command_line_params.insert("x".to_owned(), "y".into());
    assert_eq!(changes(request).await, ["`sub.dig`", "`t.dig`", "the parameters"]);
    assert_eq!(project.output(), "b\n", "nothing was run");
}

#[tokio::test]
async fn loops_calls_conditions_and_scripts_run_in_order() {
    let project = Project::new(
        "+l:\n  loop>: 2\n  _do:\n    +x:\n      for_each>: {v: [a, b]}\n      _do:\n        echo>: ${i} ${v}\n+c:\n  call>: sub/child\n+i:\n  if>: ${1 > 2}\n  _do: {echo>: no}\n  _else_do: {echo>: yes}\n+s:\n  sh>: echo out; echo $v >&2; exit 3\n  _env: {v: err}\n  _error:\n    echo>: \"${error.message} in ${error.task_name}\"\n",
    );
    std::fs::create_dir(project.path().join("sub")).unwrap();
    std::fs::write(project.path().join("sub/child.dig"), "+p:\n  sh>: basename $(pwd)\n").unwrap();
    let (_, summary) = project.run().await;
    assert_eq!(project.output(), "0 a\n0 b\n1 a\n1 b\nsub\nyes\nout\nerr\nCommand failed with code 3 in +t+s\n");
    assert_eq!(summary.exit_class(), ExitClass::TaskFailed);
    let failed: Vec<_> =
        summary.failed().map(|task| (task.name.as_str(), task.failure.as_ref().unwrap().message.as_str())).collect();
    assert_eq!(failed, [("+t+s", "Command failed with code 3")]);
    let log = summary.tasks.iter().find(|task| task.name == "+t+s").unwrap().log.clone().unwrap();
    assert!(std::fs::read_to_string(log).unwrap().starts_with("out\nerr\n"));
}

#[tokio::test]
async fn a_failed_session_goes_on_where_it_failed() {
    let project =
        Project::new("+a: {sh>: echo a >> log}\n+b: {sh>: echo b >> log; test -f ok}\n+c: {sh>: echo c >> log}\n");
    let log = || std::fs::read_to_string(project.path().join("log")).unwrap();
    let (_, summary) = project.run().await;
    assert_eq!(states(&summary)[3], ("+t+c", TaskState::Unreached));
    assert_eq!(log(), "a\nb\n");
    project.ends();
    std::fs::write(project.path().join("ok"), "").unwrap();
    let (submitted, summary) = project.run().await;
    assert!(matches!(submitted, Submitted::Started { number: 2, skips_those_of: Some(_), .. }), "{submitted:?}");
    assert_eq!(project.ends(), ["+t+a skipped", "+t+b success", "+t+c success", "+t success"]);
    assert_eq!(log(), "a\nb\nb\nc\n");
    assert_eq!(summary.exit_class(), ExitClass::Success);
    let request = AttemptRequest { rerun: Rerun::All, ..project.request() };
    let (submitted, _) = project.run_request(request).await;
    assert!(matches!(submitted, Submitted::Started { number: 3, skips_those_of: None, .. }), "{submitted:?}");
    assert_eq!(log(), "a\nb\nb\nc\na\nb\nc\n");
}

#[tokio::test]
async fn a_loop_that_succeeded_is_skipped_with_all_its_turns() {
    let project = Project::new(
        "+l:\n  for_each>: {v: [a, b]}\n  _do:\n    sh>: echo ${v} >> log\n+g:\n  loop>: 1\n  _do:\n    +x: {echo>: \"x${i}\"}\n+f: {sh>: test -f ok}\n",
    );
    let (_, first) = project.run().await;
    assert_eq!(first.exit_class(), ExitClass::TaskFailed);
    project.ends();
    std::fs::write(project.path().join("ok"), "").unwrap();
    let (_, second) = project.run().await;
    let expected = [
        "+t+l^sub+for-0=v=0=a skipped",
        "+t+l^sub+for-0=v=1=b skipped",
        "+t+l^sub success",
        "+t+l skipped",
        "+t+g^sub+loop-0+x skipped",
        "+t+g^sub+loop-0 success",
        "+t+g^sub success",
        "+t+g skipped",
        "+t+f success",
        "+t success",
    ];
    assert_eq!(project.ends(), expected);
    assert_eq!(std::fs::read_to_string(project.path().join("log")).unwrap(), "a\nb\n");
    let names = |summary: &RunSummary| summary.tasks.iter().map(|task| task.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), names(&second));
}

#[tokio::test]
async fn temporary_files_of_attempts_that_nobody_holds_go_when_the_state_is_opened() {
    let project = Project::new("+w: {wait>: 1h}\n");
    let engine = project.engine().await;
    let attempt = engine.submit(project.request()).await.unwrap().attempt();
    assert!(matches!(engine.advance(Deadline::Idle).await.unwrap(), Progress::Waits { .. }));
    let temporary = engine.parts.settings.state_dir.join("tmp");
    let held = temporary.join(format!("{attempt}-1"));
    let unheld = temporary.join("999-1");
    let foreign = temporary.join("0b5c7f8e9d1a4c0f8e7d6c5b4a392817");
    for dir in [&held, &unheld, &foreign] {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("script"), "").unwrap();
    }
    project.engine().await;
    assert_eq!([&held, &unheld, &foreign].map(|dir| dir.is_dir()), [true, false, true]);
    engine.interrupt();
    assert_eq!(engine.advance(Deadline::End).await.unwrap(), Progress::Interrupted);
    project.engine().await;
    assert!(!held.is_dir());
}

#[tokio::test]
async fn an_interrupted_session_is_continued_and_a_held_one_is_refused() {
    let project = Project::new("+a: {sh>: echo a >> log}\n+w: {wait>: 1h}\n+c: {sh>: echo c >> log}\n");
    let engine = project.engine().await;
    engine.submit(project.request()).await.unwrap();
    let progress = engine.advance(Deadline::Idle).await.unwrap();
    assert!(matches!(progress, Progress::Waits { until: Some(_) }), "{progress:?}");
    let other = project.engine().await;
    let refused = other.submit(project.request()).await.unwrap_err();
    assert_eq!(refused.code(), crate::diagnostic::code::SESSION_HELD);
    let expected = format!("the session is being run by process {} on host `", std::process::id());
    assert!(refused.to_string().starts_with(&expected), "{refused}");
    engine.interrupt();
    assert_eq!(engine.advance(Deadline::End).await.unwrap(), Progress::Interrupted);
    let continued = other.submit(project.request()).await.unwrap();
    assert!(matches!(continued, Submitted::Continued { number: 1, .. }), "{continued:?}");
    project.ends();
    assert!(matches!(other.advance(Deadline::Idle).await.unwrap(), Progress::Waits { until: Some(_) }));
    assert_eq!(project.ends(), ["+t found planned", "+t+a found success"], "what was done before is told");
    assert!(matches!(other.advance(Deadline::Idle).await.unwrap(), Progress::Waits { until: Some(_) }));
    assert_eq!(project.ends(), Vec::<String>::new(), "and told once");
    assert!(other.cancel(continued.attempt()).await.unwrap());
    assert_eq!(other.advance(Deadline::End).await.unwrap(), Progress::Ended);
    let summary = other.summary(continued.attempt()).await.unwrap();
    assert_eq!(
        states(&summary),
        [
            ("+t", TaskState::Canceled),
            ("+t+a", TaskState::Success),
            ("+t+w", TaskState::Canceled),
            ("+t+c", TaskState::Canceled)
        ]
    );
    assert_eq!(std::fs::read_to_string(project.path().join("log")).unwrap(), "a\n");
}

#[tokio::test]
async fn a_kill_stops_the_script_and_everything_it_started() {
    let project = Project::new(
        "+a:\n  sh>: |\n    echo begin\n    sleep 100 & echo $! > child\n    wait\n  _error: {echo>: handled}\n",
    );
    let engine = Arc::new(project.engine().await);
    let submitted = engine.submit(project.request()).await.unwrap();
    let running = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.advance(Deadline::End).await }
    });
    let child = project.path().join("child");
    while std::fs::read_to_string(&child).map_or(0, |text| text.len()) == 0 {
        tokio::task::yield_now().await;
    }
    engine.cancel(submitted.attempt()).await.unwrap();
    running.await.unwrap().unwrap();
    let pid: u32 = std::fs::read_to_string(&child).unwrap().trim().parse().unwrap();
    // The group was sent SIGKILL; when it is gone is the system's business, that it goes is ours.
    let stat = format!("/proc/{pid}/stat");
    let gone = async {
        while std::fs::read_to_string(&stat).is_ok_and(|state| !state.contains(") Z")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), gone).await.unwrap();
    assert_eq!(project.output(), "begin\n");
    assert_eq!(project.ends(), ["+t+a canceled", "+t canceled"]);
}

/// The directory of the project and the plan of the process that is to crash.
const CRASH_DIR: &str = "SUIRO_TEST_CRASH_DIR";
const CRASH_PLAN: &str = "SUIRO_TEST_CRASH_PLAN";

/// What a crashing process does; started by the test below, with its plan in the environment.
#[tokio::test]
#[ignore = "only as a process of its own"]
async fn a_process_that_crashes() {
    let variable = |name| std::env::var_os(name).unwrap().into_string().unwrap();
    let project = Project::open(Path::new(&variable(CRASH_DIR)));
    let crash_points = CrashPoints::parse(&variable(CRASH_PLAN)).unwrap();
    let engine = project.engine_with(|settings| settings.crash_points = crash_points).await;
    engine.submit(project.request()).await.unwrap();
    engine.advance(Deadline::End).await.unwrap();
}

#[tokio::test]
async fn a_crash_at_any_point_changes_nothing() {
    let workflow = "+a:\n  loop>: 2\n  _do:\n    sh>: echo ${i} >> log\n+b:\n  _retry: 1\n  +x: {sh>: echo x >> log; test $(grep -c x log) -ge 2}\n+c: {echo>: end}\n";
    let points = ["run: create attempt", "run: tick", "run: checkpoint"];
    let mut n_crashes = 0;
    for (point, moment) in points.iter().flat_map(|point| ["before", "after"].map(|moment| (point, moment))) {
        for n in 1.. {
            let project = Project::new(workflow);
            let plan = format!("{point}:{moment}:{n}");
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "run::tests::a_process_that_crashes", "--ignored"])
                .env(CRASH_DIR, project.path())
                .env(CRASH_PLAN, &plan)
                .output()
                .unwrap();
            if output.status.success() {
                break;
            }
            n_crashes += 1;
            let (submitted, summary) = project.run().await;
            assert_eq!(summary.exit_class(), ExitClass::Success, "{plan}: {submitted:?} {:?}", states(&summary));
            assert_eq!(summary.number, 1, "{plan}: the attempt goes on");
            let names: Vec<_> = summary.tasks.iter().map(|task| task.name.as_str()).collect();
            let expected = ["+t", "+t+a", "+t+a^sub", "+t+a^sub+loop-0", "+t+a^sub+loop-1", "+t+b", "+t+b+x", "+t+c"];
            assert_eq!(names, expected, "{plan}");
            let left = std::fs::read_dir(project.path().join(".suiro/tmp")).unwrap().count();
            assert_eq!(left, 0, "{plan}: temporary files are left");
        }
    }
    assert!(n_crashes > 20, "{n_crashes} crashes are too few");
}

#[tokio::test]
async fn an_interrupted_script_is_stopped_and_run_again() {
    let project = Project::new(
        "+a:\n  sh>: |\n    echo begin >> log\n    test -f go && exit 0\n    sleep 100\n+b: {echo>: end}\n",
    );
    let log = project.path().join("log");
    let engine = Arc::new(project.engine().await);
    let submitted = engine.submit(project.request()).await.unwrap();
    let running = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.advance(Deadline::End).await }
    });
    while !log.is_file() {
        tokio::task::yield_now().await;
    }
    engine.interrupt();
    assert_eq!(running.await.unwrap().unwrap(), Progress::Interrupted);
    let summary = engine.summary(submitted.attempt()).await.unwrap();
    assert_eq!(summary.exit_class(), ExitClass::Interrupted);
    assert_eq!(states(&summary)[1], ("+t+a", TaskState::Ready));
    drop(engine);
    std::fs::write(project.path().join("go"), "").unwrap();
    let (again, summary) = project.run().await;
    assert_eq!(again, Submitted::Continued { attempt: submitted.attempt(), number: 1 });
    assert_eq!(summary.exit_class(), ExitClass::Success);
    assert_eq!(std::fs::read_to_string(log).unwrap(), "begin\nbegin\n");
    assert_eq!(project.output(), "end\n");
}

#[tokio::test]
async fn a_changed_file_ends_an_unfinished_attempt_and_starts_the_next() {
    let project = Project::new("+a: {sh>: echo a >> log}\n+w: {wait>: 1h}\n");
    let engine = project.engine().await;
    engine.submit(project.request()).await.unwrap();
    engine.advance(Deadline::Idle).await.unwrap();
    engine.interrupt();
    engine.advance(Deadline::End).await.unwrap();
    drop(engine);
    std::fs::write(project.path().join("t.dig"), "+a: {sh>: echo a >> log}\n+w: {echo>: no wait}\n").unwrap();
    project.ends();
    let (submitted, summary) = project.run().await;
    assert!(
        matches!(submitted, Submitted::Started { number: 2, skips_those_of: Some(_), replaces: Some(1), .. }),
        "{submitted:?}"
    );
    assert_eq!(summary.exit_class(), ExitClass::Success);
    assert_eq!(
        project.ends(),
        ["+t+a skipped", "+t+w success", "+t success"],
        "only the attempt that goes on is told of"
    );
    assert_eq!(project.output(), "no wait\n");
    assert_eq!(std::fs::read_to_string(project.path().join("log")).unwrap(), "a\n");
}

#[tokio::test]
async fn a_task_limit_is_an_error_of_the_workflow() {
    let project = Project::new("+a:\n  loop>: 100\n  _do: {echo>: x}\n");
    let engine = project.engine_with(|settings| settings.task_limit = 50).await;
    let submitted = engine.submit(project.request()).await.unwrap();
    engine.advance(Deadline::End).await.unwrap();
    let summary = engine.summary(submitted.attempt()).await.unwrap();
    assert_eq!(summary.exit_class(), ExitClass::Config);
    let failure = summary.failed().next().unwrap().failure.clone().unwrap();
    assert_eq!(failure.message, "too many tasks: the attempt has 2, 101 more would pass the limit of 50");
    assert_eq!(project.output(), "");
}

#[tokio::test]
async fn a_wrong_parameter_has_its_place() {
    let project = Project::new("+a:\n  loop>: ${'x'}\n  _do: {echo>: x}\n");
    let (_, summary) = project.run().await;
    assert_eq!(summary.exit_class(), ExitClass::Config);
    let failure = summary.failed().next().unwrap().failure.clone().unwrap();
    assert_eq!(failure.code, "E0301");
    let place = failure.params[0].place.clone().unwrap();
    assert_eq!((place.file.as_str(), place.line), ("t.dig", 2));
}

#[tokio::test]
async fn only_one_task_runs_when_it_is_named() {
    let project = Project::new("+a: {echo>: a}\n+g:\n  _export: {v: g}\n  +b: {echo>: \"b ${v}\"}\n  +c: {echo>: c}\n");
    let mut request = project.request();
    request.spec.only = Some("+g+b".to_owned());
    let (_, summary) = project.run_request(request).await;
    assert_eq!(project.output(), "b g\n");
    assert_eq!(states(&summary).len(), 3);
    let mut request = project.request();
    request.spec.only = Some("+nosuch".to_owned());
    let error = project.engine().await.submit(request).await.unwrap_err();
    assert_eq!(error.to_string(), "the workflow `t` has no task `+nosuch`");
}

#[tokio::test]
async fn a_plan_evaluates_everything_and_writes_nothing() {
    let project = Project::new(
        "_export: {who: world}\n+l:\n  loop>: 2\n  _do: {echo>: \"hello ${who} ${i}\"}\n+s: {sh>: \"touch ran; echo ${later} ${who}\"}\n+e:\n  for_each>: {day: \"${later}\"}\n  _do: {echo>: \"${who} ${day} ${later}\"}\n+f: {fail>: never}\n",
    );
    let store = Arc::new(crate::store::MemoryStore::default());
    let settings = EngineSettings::new(project.path());
    let engine =
        Engine::new(store, Arc::clone(&project.registry), Arc::new(SystemClock), Arc::new(Unobserved), settings);
    let planned = engine.plan(&project.request()).await.unwrap();
    let shown: Vec<String> = planned
        .iter()
        .map(|task| {
            let command = task.params.get("_command").map(ToString::to_string).unwrap_or_default();
            let unknown: Vec<&str> = task.unknown.iter().map(|unknown| unknown.reason.as_str()).collect();
            let example = if task.is_example { "e.g. " } else { "" };
            format!("{}{example}{} {command} {}", " ".repeat(task.depth), task.own_name, unknown.join(", "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "+t  ",
            " +l 2 ",
            "  ^sub  ",
            "   +loop-0 \"hello world 0\" ",
            "   +loop-1 \"hello world 1\" ",
            " +s \"touch ran; echo ${later} world\" `later` is not defined",
            " +e {\"day\":\"${later}\"} `later` is not defined",
            "  e.g. ^do \"world ${day} ${later}\" each turn of the loop has a `day` of its own, `later` is not defined",
            " +f \"never\" ",
        ]
    );
    let left: Vec<_> = std::fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["t.dig"]);
}

#[test]
fn a_lease_that_ran_out_is_nobodys() {
    let identity = ProcessIdentity::current();
    let holder = identity.holder(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    assert!(!identity.is_alive(&holder, Timestamp::UNIX_EPOCH));
}

#[tokio::test]
async fn a_task_that_goes_on_when_the_engine_stops_is_named() {
    let mut project = Project::new("+a: {deaf>: }\n+b: {echo>: b}\n");
    let is_running = Arc::new(AtomicBool::new(false));
    Arc::get_mut(&mut project.registry).unwrap().register(Deaf { is_running: Arc::clone(&is_running) });
    let engine = project.engine_with(|settings| {
        settings.lease = Duration::from_millis(30);
        settings.stop_grace = Duration::ZERO;
    });
    let engine = Arc::new(engine.await);
    let submitted = engine.submit(project.request()).await.unwrap();
    let running = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.advance(Deadline::End).await }
    });
    while !is_running.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    let attempt = engine.store().attempt(submitted.attempt()).await.unwrap().unwrap();
    let other = ProcessIdentity::current().holder(Timestamp::MAX, Timestamp::MAX);
    engine.store().claim(attempt.id, attempt.epoch, &other).await.unwrap();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.code(), crate::diagnostic::code::LEASE_LOST);
    assert_eq!(project.warnings(), ["+t+a: it was told to stop, and goes on after 0 s"]);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_a_warning_and_the_task_goes_on() {
    let project = Project::new("+a: {sh>: echo one; echo two}\n");
    std::fs::create_dir_all(project.path().join(".suiro")).unwrap();
    std::fs::write(project.path().join(".suiro/logs"), "").unwrap();
    let (_, summary) = project.run().await;
    assert_eq!(summary.exit_class(), ExitClass::Success);
    assert_eq!(project.output(), "one\ntwo\n");
    let log = project.path().join(".suiro/logs/1/000001+t+a.log");
    assert_eq!(
        project.warnings(),
        [format!("+t+a: its log `{}` cannot be written: Not a directory (os error 20)", log.display())]
    );
}

#[tokio::test]
async fn looking_at_what_never_ran_finds_nothing_and_makes_nothing() {
    let project = Project::new("+a: {echo>: a}\n");
    let look = || {
        let settings = EngineSettings::new(project.path());
        Engine::open_to_look(Arc::clone(&project.registry), Arc::new(SystemClock), settings)
    };
    assert!(look().await.unwrap().is_none());
    assert!(!project.path().join(".suiro").try_exists().unwrap());
    let (submitted, _) = project.run().await;
    let looking = look().await.unwrap().unwrap();
    assert_eq!(looking.summary(submitted.attempt()).await.unwrap().exit_class(), ExitClass::Success);
    drop(looking);
    std::fs::remove_dir_all(project.path().join(".suiro")).unwrap();
    std::os::unix::fs::symlink("gone", project.path().join(".suiro")).unwrap();
    let error = look().await.unwrap_err();
    let state = project.path().join(".suiro");
    assert_eq!(
        error.to_string(),
        format!(
            "`{0}` cannot be the directory of the state: `{0}` is a link to `gone`, which is not there",
            state.display()
        )
    );
}
