//! A series that nothing is known of: an error, and not an answer without rows.

use engine::diagnostic::{code, suggest};
use engine::operator::TaskError;
use metrics::{Metrics, ReadAnswer, SeriesName};

/// How many series are looked through for one with a name that is near.
const MOST_NAMES: usize = 100_000;

/// How many series are named where none is near.
const NAMED: usize = 5;

/// Refuses an answer without a row when no tier has ever had a point of its series.
///
/// # Errors
/// That there is no such series, with what was meant most probably.
pub async fn refuse_unknown_series(metrics: &Metrics, answer: &ReadAnswer) -> Result<(), TaskError> {
    // What was not read may hold it.
    if !answer.gaps.is_empty() {
        return Ok(());
    }
    for series in answer.series.iter().filter(|series| series.rows.is_empty()) {
        // What cannot be looked at may hold it as well.
        if metrics.knows(&series.name).await.unwrap_or(true) {
            continue;
        }
        let message = format!("there is no series `{}`: no tier has a point of it", series.name);
        let names = metrics.names_at_hand(MOST_NAMES).await.unwrap_or_default();
        let names: Vec<&str> = names.iter().map(SeriesName::as_str).collect();
        let error = TaskError::config(code::NOT_FOUND, message);
        return Err(match help(series.name.as_str(), &names) {
            Some(help) => error.help(help),
            None => error,
        });
    }
    Ok(())
}

/// Names the series that was meant, or some that there are.
fn help(name: &str, names: &[&str]) -> Option<String> {
    if let Some(help) = suggest::did_you_mean(name, names.iter().copied()) {
        return Some(help);
    }
    let some: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(NAMED);
    match (some.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("there are {}", some.join(", "))),
        (false, _) => Some(format!("there are {} and others", some.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_meant_and_else_some_are_named() {
        let names = ["a", "b", "c", "d", "e", "web-1.cpu"];
        assert_eq!(help("web-1.cpo", &names).unwrap(), "did you mean `web-1.cpu`?");
        assert_eq!(help("memory", &names).unwrap(), "there are `a`, `b`, `c`, `d`, `e` and others");
        assert_eq!(help("memory", &names[..2]).unwrap(), "there are `a`, `b`");
        assert_eq!(help("memory", &[]), None);
    }
}
