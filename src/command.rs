//! The commands, one file each, and how their failures are said.

pub(crate) mod check;
pub(crate) mod emulate;
pub(crate) mod explain;
pub(crate) mod init;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod partition;
pub(crate) mod plan;
pub(crate) mod query;
pub(crate) mod run;
pub(crate) mod table;
mod workflow;

use engine::diagnostic::render::{self, Style};
use serde_json::json;

use crate::failure::{Failure, What};
use crate::output::Output;

/// Says why a command failed: on stderr, or as JSON on stdout.
pub(crate) fn say(output: Output, failure: &Failure) {
    match &failure.what {
        What::Said => {}
        What::Message { code, text, help } if output.json => {
            // Nobody reads stdout any more when this fails.
            let _lost = output.json_line(&json!({"error": {"code": code.0, "message": text, "help": help}}));
        }
        What::Message { code, text, help } => {
            output.note(&format!("{}: {text}", bold_red(output, &format!("error[{code}]"))));
            for line in help {
                output.note(&format!("  = help: {line}"));
            }
            output.note(&format!("  = more: suiro explain {code}"));
        }
        What::Diagnostics { sources, diagnostics } if output.json => {
            for diagnostic in diagnostics {
                let _lost = output.json_line(&render::json(diagnostic, sources));
            }
        }
        What::Diagnostics { sources, diagnostics } => {
            output.note(render::report(diagnostics, sources, style(output)).trim_end());
        }
    }
}

/// How diagnostics are drawn.
pub(crate) fn style(output: Output) -> Style {
    if output.color { Style::Colored } else { Style::Plain }
}

/// Makes a text stand out as an error.
pub(crate) fn bold_red(output: Output, text: &str) -> String {
    if output.color { format!("\x1b[1;31m{text}\x1b[0m") } else { text.to_owned() }
}
