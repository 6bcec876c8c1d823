//! The command line as a whole: start-up, and `check` of many files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::figure::{Figure, kibibytes, median, megabytes, milliseconds};
use crate::process::{peak_of_suiro, wall_of_suiro};
use crate::{Result, Scale};

/// `suiro run` of one `echo>` in a project that has no state yet, from the start of the process to its end.
pub(crate) fn start(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let (mut walls, mut peaks) = (Vec::new(), Vec::new());
    for run in 0..scale.runs * 5 {
        let project = folder.join(run.to_string());
        fs::create_dir(&project)?;
        fs::write(project.join("hello.dig"), "+hello:\n  echo>: hello\n")?;
        walls.push(wall_of_suiro(&project, &["run", "hello.dig"])?);
        peaks.push(peak_of_suiro(&project, &["run", "hello.dig", "--rerun"])?);
    }
    Ok(vec![
        Figure::at_most("start: `suiro run` of one `echo>`, wall", median(&walls), 0.040, milliseconds),
        Figure::at_most("start: the same, peak memory", median(&peaks), kibibytes(40.0), megabytes),
    ])
}

/// `suiro check` of a folder of 1,000 files with 10 tasks each.
pub(crate) fn check(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    for file in 0..1_000 {
        fs::write(folder.join(format!("workflow_{file:04}.dig")), workflow(file)?)?;
    }
    let mut walls = Vec::new();
    for _ in 0..scale.runs {
        walls.push(wall_of_suiro(folder, &["check", "."])?);
    }
    Ok(vec![Figure::at_most("`check` of 1,000 files × 10 tasks", median(&walls), 0.5, milliseconds)])
}

/// A workflow of ten tasks as people write them: groups, templates, a loop, a shell script.
fn workflow(number: usize) -> Result<String> {
    let mut text = format!(
        "timezone: UTC\n\n_export:\n  source: shop_{number}\n  athena:\n    database: shop\n\n+begin:\n  echo>: \
         \"${{source}} of ${{session_date}}\"\n\n+each_region:\n  for_each>:\n    region: [eu, us, jp]\n  _parallel: \
         true\n  _do:\n    echo>: \"${{source}}/${{region}}\"\n\n+steps:\n  _retry: 2\n"
    );
    for step in 0..6 {
        write!(text, "\n  +step_{step}:\n    sh>: process --day ${{session_date_compact}} --step {step}\n")?;
    }
    text.push_str("\n+table:\n  athena.table_exists?>:\n  table: orders\n");
    text.push_str("\n+end:\n  echo>: \"done: ${moment(session_time).format('YYYY-MM-DD')}\"\n");
    Ok(text)
}
