//! `suiro init`: a project from the ready-made workflows, which the binary carries.

use std::io::Write;
use std::path::Path;

use crate::cli;
use crate::compose::Base;
use crate::failure::Failure;
use crate::output::{stdout_width, table, text};
use crate::settings;
use engine::diagnostic::code;

/// A ready-made workflow.
#[derive(Debug)]
struct ReadyMade {
    /// What `--from` takes.
    name: &'static str,
    /// One line.
    summary: &'static str,
    /// The workflow to run first.
    main: &'static str,
    /// The files, by path in the new project.
    files: &'static [(&'static str, &'static [u8])],
}

/// The ready-made workflows, as they stand in `workflows/`.
const READY_MADE: &[ReadyMade] = &[ReadyMade {
    name: "daily_access",
    summary: "access logs → a table with a partition a day → a daily summary",
    main: "daily_access.dig",
    files: &[
        ("daily_access.dig", include_bytes!("../../workflows/daily_access/daily_access.dig")),
        ("access.yml", include_bytes!("../../workflows/daily_access/access.yml")),
        ("daily_summary.sql", include_bytes!("../../workflows/daily_access/daily_summary.sql")),
        ("no_negative_bytes.sql", include_bytes!("../../workflows/daily_access/no_negative_bytes.sql")),
        ("logs/access.log", include_bytes!("../../workflows/daily_access/logs/access.log")),
        (".gitignore", b".suiro/\n"),
    ],
}];

/// The settings of a new project, all of them comments. With the file the folder is a project of its own wherever it is made:
/// below another project it would share that one's tables and state.
const SETTINGS: &[u8] = include_bytes!("init/suiro.yml");

/// Runs the command.
pub(crate) fn run(base: &Base, command: &cli::Init) -> Result<(), Failure> {
    if command.list {
        let mut rows = table(&["name", "what it does"]);
        for ready_made in READY_MADE {
            if base.output.json {
                base.output.json_line(&serde_json::json!({"name": ready_made.name, "summary": ready_made.summary}))?;
            }
            rows.add_row(vec![ready_made.name, ready_made.summary]);
        }
        if !base.output.json {
            base.output.line(&text(&rows, stdout_width()))?;
        }
        return Ok(());
    }
    let Some(ready_made) = READY_MADE.iter().find(|ready_made| ready_made.name == command.from) else {
        return Err(Failure::usage(format!("there is no ready-made workflow `{}`", command.from))
            .help("`suiro init --list` shows them"));
    };
    let dir = command.dir.clone().unwrap_or_default();
    let taken: Vec<&str> = ready_made
        .files
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| dir.join(path).symlink_metadata().is_ok())
        .collect();
    if !taken.is_empty() {
        let folder = command.dir.as_ref().map_or("this folder".to_owned(), |dir| format!("`{}`", dir.display()));
        return Err(Failure::usage(format!("{folder} holds {} already; nothing was changed", taken.join(", ")))
            .help("name another folder: `suiro init DIR`"));
    }
    // Settings that are there mark the project already.
    let settings = (!dir.join(settings::FILE).is_file()).then_some(&(settings::FILE, SETTINGS));
    let mut made = Vec::new();
    for (path, content) in ready_made.files.iter().chain(settings) {
        let path = dir.join(path);
        write(&path, content)?;
        if !base.output.json {
            base.output.note(&format!("made {}", path.display()));
        }
        made.push(path);
    }
    if base.output.json {
        let main = dir.join(ready_made.main);
        base.output.json_line(&serde_json::json!({"event": "made", "files": made, "workflow": main}))?;
        return Ok(());
    }
    base.output.note(&format!("\nRun it: suiro run {}", dir.join(ready_made.main).display()));
    Ok(())
}

/// Writes a file that is not there yet.
fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::of_code(code::STORAGE, format!("cannot make `{}`: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(content).map_err(failed)
}
