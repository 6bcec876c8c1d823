//! `suiro explain`: the page of an error code.

use engine::diagnostic::code;
use serde_json::json;

use crate::cli;
use crate::compose::Base;
use crate::failure::Failure;
use crate::output::{stdout_width, table, text};

/// Runs the command.
pub(crate) fn run(base: &Base, command: &cli::Explain) -> Result<(), Failure> {
    let Some(wanted) = &command.code else {
        let mut rows = table(&["code", "what it means"]);
        for entry in code::TABLE {
            if base.output.json {
                base.output.json_line(&json!({"code": entry.code.0, "title": entry.title}))?;
            }
            rows.add_row(vec![entry.code.0, entry.title]);
        }
        if !base.output.json {
            base.output.line(&text(&rows, stdout_width()))?;
        }
        return Ok(());
    };
    let Some(entry) = code::find(wanted) else {
        return Err(Failure::usage(format!("there is no code `{wanted}`")).help("`suiro explain` lists all codes"));
    };
    if base.output.json {
        return Ok(base.output.json_line(&json!({"code": entry.code.0, "title": entry.title, "page": entry.page}))?);
    }
    Ok(base.output.line(entry.page.trim_end())?)
}
