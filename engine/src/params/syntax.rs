//! Whether an expression is JavaScript, before there are parameters to evaluate it with.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::javascript::{self, Outcome};
use super::template::{TemplateErrorKind, TemplateSettings, plain_path};

/// Says what is wrong with the source of an expression, if it can never be evaluated.
pub(crate) fn problem(source: &str) -> Option<String> {
    if source.is_empty() || plain_path(source).is_some() {
        return None;
    }
    // Inside a function that nobody calls, the expression is compiled and not run.
    let uncalled = format!("(function () {{ return (\n{source}\n) }}, '')");
    let settings = TemplateSettings { zone: TimeZone::UTC, now: Timestamp::UNIX_EPOCH, seed: 0 };
    match javascript::evaluate(&uncalled, &[], &settings, 0) {
        Outcome::Failed(TemplateErrorKind::Syntax, message) => Some(message),
        Outcome::Failed(..) | Outcome::Text(_) | Outcome::Needs(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_javascript_is_a_problem() {
        for source in ["", "a", "a.b", "a ? {b: 1}.b : [2]", "moment(x).add(1, 'days')", "unknown(1)", "1 +\n2", "'}'"]
        {
            assert_eq!(problem(source), None, "{source}");
        }
        for source in [" ", "if (a) 'b'", "a b", "1 +", "'", "x = > 1", "while (true) {}"] {
            let message = problem(source);
            assert!(message.is_some(), "{source}");
        }
    }
}
