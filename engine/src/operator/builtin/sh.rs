//! `sh>`: runs a shell script.
//!
//! The script's shell leads a process group of its own, so that a kill reaches what it started. Its number is stored before
//! it does anything: the process starts behind a gate (a `read` from a pipe) that is opened after the checkpoint and that
//! ends the process when the engine dies first. So the next step finds, and stops, whatever a crash left running.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};

use super::value::{Text, wrong};
use crate::diagnostic::code;
use crate::operator::error::Retry;
use crate::operator::{TaskContext, TaskError, TaskErrorKind, TaskOutcome, TaskResult, TypedOperator};
use crate::params::Params;
use crate::run::groups::signal_group;
use crate::run::process::{group_members, has_variable, process_lives, process_mark};

/// How long a program that was asked to stop (SIGTERM) may take before it is made to (SIGKILL).
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How long a process may take to be gone once it was made to stop: milliseconds, unless the system itself waits in it for a device
/// or a file system (state `D` of `proc_pid_stat(5)`), which no signal ends.
const GONE_LIMIT: Duration = Duration::from_secs(10);

/// How long until a process group is looked at again that was told to stop.
const GONE_PAUSE: Duration = Duration::from_millis(20);

/// How long after its end a script's output is waited for when something it started still holds the pipe open.
const DRAIN_GRACE: Duration = Duration::from_millis(200);

/// Linux takes no longer environment variable: `MAX_ARG_STRLEN`, 32 pages of 4 KiB, with the name and the ending NUL.
const MAX_VARIABLE_BYTES: usize = 32 * 4096 - 1;

/// Waits for the gate, then becomes the script's shell: standard input empty, errors into the output.
const GATE: &str = r#"read -r suiro_gate && exec "$@" </dev/null 2>&1"#;

/// The environment variable by which what a script started is known when its shell is gone.
const SCRIPT_VARIABLE: &str = "suiro_script";

/// How the variables begin that hold secrets of workflows: `${secret:name}` is in `SUIRO_SECRET_NAME`.
const SECRET_PREFIX: &[u8] = b"SUIRO_SECRET_";

/// Runs a shell script.
#[derive(Debug)]
pub(super) struct Sh;

/// The parameters of `sh>`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ShParams {
    /// The script: one line or many.
    #[serde(rename = "_command")]
    script: Text,
    /// The shell with its options, as a list: `[bash, -e]`. The script's file is its last argument. Default: `[/bin/sh]`, or
    /// what `_export: {sh: {shell: […]}}` says.
    #[serde(default)]
    shell: Option<Vec<String>>,
    /// Environment variables; they win over parameters of the same name.
    #[serde(rename = "_env", default)]
    env: Option<Params>,
    /// Any other key becomes an environment variable.
    #[serde(flatten)]
    _others: Params,
}

/// What a step remembers: the process that a crash may leave behind.
#[derive(Debug, Serialize, Deserialize)]
struct Started {
    pid: u32,
    /// What tells the process from a later one with the same number.
    mark: String,
    /// The value of [`SCRIPT_VARIABLE`].
    #[serde(default)]
    script: String,
}

impl TypedOperator for Sh {
    const NAME: &'static str = "sh";
    const SUMMARY: &'static str = "Runs a shell script.";
    const COMMAND: Option<&'static str> = Some("the script");
    const DETAILS: &'static str = "\
The script runs in the directory of the workflow file. Every parameter whose name is a valid name of a shell variable is an
environment variable (texts as they are, everything else as JSON, nothing for null), besides those of suiro itself. Its output
goes to the standard output and into the task's log. Its standard input is empty.

Linux takes no environment variable of more than 128 KiB with its name (`MAX_ARG_STRLEN`): a parameter that is longer is left out,
which is said as a warning. Hand such a value over in a file.

The variables `SUIRO_SECRET_…`, which hold the secrets that workflows name as `${secret:name}`, are not in the script's environment:
what a script prints is kept in its log. Give a script its secret in a variable of another name.

The task fails when the script ends with a code other than 0. As in any shell script only the last command counts, unless the
shell is told otherwise: `shell: [bash, -e]`.

A script that is killed is sent SIGTERM, with everything it started, and SIGKILL five seconds later. After a crash of suiro,
what is left of the script is stopped in the same way before it is run again. A process that does not end even so, because the
system waits in it for a device, makes the task fail ten seconds later.";
    const EXAMPLE: &'static str = "\
+report:
  sh>: |
    echo \"report for $session_date\"
    wc -l data/*.csv
  shell: [bash, -e]
  _env:
    LANG: C
";

    type Params = ShParams;

    async fn run(&self, context: &TaskContext, params: ShParams) -> Result<TaskOutcome, TaskError> {
        stop_left_over(context).await?;
        let shell = shell(context, params.shell)?;
        let points = &context.crash_points;
        let written = write_script(context, &params.script.0);
        let file = points.around("sh: write the script", written).await?;
        let script = uuid::Uuid::new_v4().to_string();
        let mut child = points
            .around_now("sh: start the process", || spawn(context, &shell, &file, params.env.as_ref(), &script))?;
        let Some(pid) = child.id() else {
            return Err(external("the script's process ended before it began", None));
        };
        let _entered = context.process_groups.enter(pid);
        let started = Started { pid, mark: process_mark(pid).unwrap_or_default(), script };
        context.host.checkpoint(&json!(started)).await?;
        if let Some(mut gate) = child.stdin.take() {
            // A process that is gone already says so by its exit code.
            if let Err(error) = points.around("sh: open the gate", gate.write_all(b"\n")).await {
                context.host.log(&format!("cannot start the script: {error}"));
            }
        }
        let output = child.stdout.take();
        follow(context, child, pid, output).await
    }

    async fn cancel(&self, context: &TaskContext) -> Result<(), TaskError> {
        stop_left_over(context).await
    }
}

/// Stops what an earlier step of this task left running when the engine died.
async fn stop_left_over(context: &TaskContext) -> Result<(), TaskError> {
    let Ok(left) = serde_json::from_value::<Started>(context.state.clone()) else { return Ok(()) };
    if !left.is_there() {
        return Ok(());
    }
    context.host.log(&format!("stopping process {}, which an interrupted run of this task left behind", left.pid));
    let stopped = async {
        signal_group(left.pid, Signal::SIGTERM);
        // Too late or without its shell, whatever is left is made to.
        let _in_time = tokio::time::timeout(KILL_GRACE, left.shell_gone()).await;
        signal_group(left.pid, Signal::SIGKILL);
        gone(left.pid, || group_members(left.pid), GONE_LIMIT).await
    };
    context.crash_points.around("sh: stop what was left", stopped).await
}

impl Started {
    /// Says whether something of the script's process group is still there.
    fn is_there(&self) -> bool {
        if self.mark.is_empty() {
            return false;
        }
        // The shell may be gone and what it started not. Another group can have got the number by then: ours has the variable.
        process_lives(self.pid, &self.mark)
            || !self.script.is_empty()
                && group_members(self.pid).into_iter().any(|pid| has_variable(pid, SCRIPT_VARIABLE, &self.script))
    }

    /// Waits until the script's shell is gone.
    async fn shell_gone(&self) {
        while process_lives(self.pid, &self.mark) {
            tokio::time::sleep(GONE_PAUSE).await;
        }
    }
}

/// Waits until nothing of a process group is there that was killed.
async fn gone(group: u32, members: impl Fn() -> Vec<u32>, limit: Duration) -> Result<(), TaskError> {
    let all_gone = async {
        while !members().is_empty() {
            tokio::time::sleep(GONE_PAUSE).await;
        }
    };
    match tokio::time::timeout(limit, all_gone).await {
        Ok(()) => Ok(()),
        Err(_) => Err(undying(group, &members())),
    }
}

/// Says that processes of a group cannot be stopped.
fn undying(group: u32, members: &[u32]) -> TaskError {
    let pids: Vec<String> = members.iter().map(ToString::to_string).collect();
    let what = match pids.as_slice() {
        [one] => format!("process {one} does not end"),
        several => format!("processes {} do not end", several.join(", ")),
    };
    let message = format!("{what} although it was killed (SIGKILL): the script is not started beside it");
    TaskError::new(TaskErrorKind::External, Retry::AsTold, code::SH_NOT_STOPPED, message).help(format!(
        "see what it waits for, most likely a device or a file system: `ps -o pid,stat,wchan,args -g {group}`; mend that, or \
         restart the machine, then run the same command again"
    ))
}

fn shell(context: &TaskContext, own: Option<Vec<String>>) -> Result<Vec<String>, TaskError> {
    let exported = || context.scope().get("sh").and_then(|sh| sh.get("shell")).cloned();
    let shell = match own {
        Some(shell) => shell,
        None => match exported() {
            None | Some(Value::Null) => vec!["/bin/sh".to_owned()],
            Some(value) => serde_json::from_value(value)
                .map_err(|error| wrong(code::PARAM_VALUE, "sh.shell", format!("expected a list of texts: {error}")))?,
        },
    };
    if shell.is_empty() {
        return Err(wrong(code::PARAM_VALUE, "shell", "expected the name of a shell, found an empty list"));
    }
    Ok(shell)
}

async fn write_script(context: &TaskContext, script: &str) -> Result<PathBuf, TaskError> {
    let dir = std::path::absolute(&context.temp_dir)
        .map_err(|error| external("cannot make the script's file", Some(error)))?;
    tokio::fs::create_dir_all(&dir)
        .await
        .map_err(|error| external("cannot make the script's directory", Some(error)))?;
    let path = dir.join("script.sh");
    tokio::fs::write(&path, script).await.map_err(|error| external("cannot write the script's file", Some(error)))?;
    Ok(path)
}

fn spawn(
    context: &TaskContext,
    shell: &[String],
    file: &Path,
    env: Option<&Params>,
    script: &str,
) -> Result<Child, TaskError> {
    if !context.work_dir.is_dir() {
        let message = format!("expected the directory `{}`, found none", context.work_dir.display());
        return Err(TaskError::config(code::OUTSIDE_PROJECT, message));
    }
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(GATE)
        .arg("suiro")
        .args(shell)
        .arg(file)
        .current_dir(&context.work_dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    // What a script can read it can print, and what it prints is kept. Secrets are for operators that know how to be silent.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(SECRET_PREFIX)) {
        command.env_remove(name);
    }
    // As with Digdag, a script can tell by which operator it runs.
    command.env("_type", "sh");
    let own = env.into_iter().flatten();
    for (name, value) in context.scope().iter().chain(own) {
        let Some(text) = variable(name, value) else { continue };
        if name.len() + 1 + text.len() > MAX_VARIABLE_BYTES {
            context.host.warn(&format!(
                "the parameter `{name}` is not in the script's environment: it has {} bytes, and no variable of Linux may have more \
                 than {} (`MAX_ARG_STRLEN`, with the name); hand it over in a file",
                text.len(),
                MAX_VARIABLE_BYTES - name.len() - 1
            ));
            continue;
        }
        command.env(name, OsStr::new(&text));
    }
    command.env(SCRIPT_VARIABLE, script);
    command.spawn().map_err(|error| external("cannot start `/bin/sh`", Some(error)))
}

/// Returns the text of a parameter as an environment variable, when it can be one.
fn variable(name: &str, value: &Value) -> Option<String> {
    let mut characters = name.chars();
    let first = characters.next()?;
    let valid = (first.is_ascii_alphabetic() || first == '_')
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_');
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    // The system takes no NUL in a variable.
    (valid && !text.contains('\0')).then_some(text)
}

/// Passes the output on until the script ends or is told to stop.
async fn follow(
    context: &TaskContext,
    mut child: Child,
    pid: u32,
    mut output: Option<ChildStdout>,
) -> Result<TaskOutcome, TaskError> {
    let mut buffer = vec![0; 64 * 1024];
    let status = loop {
        tokio::select! {
            read = read_some(&mut output, &mut buffer), if output.is_some() => match read {
                Ok(0) | Err(_) => output = None,
                Ok(n_bytes) => context.host.output(buffer.get(..n_bytes).unwrap_or_default()),
            },
            status = child.wait() => break status,
            () = context.cancellation.cancelled() => {
                if !stop(&mut child, pid).await {
                    context.host.warn(&format!("process {pid} does not end although it was killed (SIGKILL); it is left behind"));
                }
                return Err(TaskError::new(TaskErrorKind::Canceled, Retry::AsTold, code::TASK_STOPPED, "the script was stopped"));
            }
        }
    };
    // The end of the process, not of its output, is the end of the task: something it left in the background may hold the
    // pipe open for ever.
    while output.is_some() {
        match tokio::time::timeout(DRAIN_GRACE, read_some(&mut output, &mut buffer)).await {
            Ok(Ok(n_bytes)) if n_bytes > 0 => context.host.output(buffer.get(..n_bytes).unwrap_or_default()),
            _ => output = None,
        }
    }
    let status = status.map_err(|error| external("cannot wait for the script", Some(error)))?;
    if status.success() {
        return Ok(TaskResult::default().done());
    }
    let message = match (status.code(), std::os::unix::process::ExitStatusExt::signal(&status)) {
        (Some(code), _) => format!("Command failed with code {code}"),
        (None, Some(signal)) => format!("Command was ended by signal {signal}"),
        (None, None) => "Command failed".to_owned(),
    };
    Err(TaskError::failed(code::SH_FAILED, message))
}

async fn read_some(output: &mut Option<ChildStdout>, buffer: &mut [u8]) -> std::io::Result<usize> {
    match output {
        Some(output) => output.read(buffer).await,
        None => Ok(0),
    }
}

/// Asks the process group to stop, and makes it; says whether the shell is gone.
async fn stop(child: &mut Child, pid: u32) -> bool {
    signal_group(pid, Signal::SIGTERM);
    let is_gone = tokio::time::timeout(KILL_GRACE, child.wait()).await.is_ok();
    // What the shell started and what ignored the request goes too.
    signal_group(pid, Signal::SIGKILL);
    if is_gone {
        return true;
    }
    match tokio::time::timeout(GONE_LIMIT, child.wait()).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, pid, "cannot wait for a killed script");
            true
        }
        Err(_) => false,
    }
}

fn external(message: &str, source: Option<std::io::Error>) -> TaskError {
    match source {
        Some(source) => {
            let error = TaskError::new(
                TaskErrorKind::External,
                Retry::AsTold,
                code::SH_NOT_STARTED,
                format!("{message}: {source}"),
            );
            error.source(source)
        }
        None => TaskError::new(TaskErrorKind::External, Retry::AsTold, code::SH_NOT_STARTED, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_cannot_be_killed_is_not_waited_for_without_end() {
        gone(7, Vec::new, Duration::ZERO).await.unwrap();
        let error = gone(7, || vec![7], Duration::ZERO).await.unwrap_err();
        assert_eq!(error.code, code::SH_NOT_STOPPED);
        assert_eq!(
            error.message,
            "process 7 does not end although it was killed (SIGKILL): the script is not started beside it"
        );
        assert_eq!(
            error.help,
            [
                "see what it waits for, most likely a device or a file system: `ps -o pid,stat,wchan,args -g 7`; mend that, or restart \
              the machine, then run the same command again"
            ]
        );
        let error = gone(7, || vec![8, 9], Duration::ZERO).await.unwrap_err();
        assert!(error.message.starts_with("processes 8, 9 do not end although"), "{}", error.message);
    }
}
