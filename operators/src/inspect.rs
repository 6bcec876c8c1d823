//! What `check` says of the SQL, the partition values and the files that a task names, before anything runs.
//!
//! What a `${…}` decides is not known yet, and nothing is said of it.

use engine::diagnostic::{Code, code};
use engine::operator::surroundings::{NamedFile, constant, wrong_expressions};
use engine::operator::{ParamProblem, Piece, Surroundings};
use engine::params::{ParamPath, Params};
use lake::name::Location;
use lake::sql::SqlError;
use serde_json::Value;

use crate::athena::options;
use crate::door::LakeDoor;
use crate::error::classify;
use crate::partition::{Use, key_problem, qualified, repeated_keys, value_problem};
use crate::sql_text::{MAX_SQL_BYTES, is_path, without_mark};

/// Looks at a task that runs a SELECT: its text, its checks, and the partition it is for.
pub(crate) fn select(params: &Params, surroundings: &Surroundings<'_>, door: &LakeDoor) -> Vec<ParamProblem> {
    let mut problems = Vec::new();
    if let Some(Value::String(command)) = params.get("_command") {
        sql(&ParamPath::from("_command"), command, surroundings, door, &mut problems);
    }
    if let Some(Value::Array(checks)) = params.get("checks") {
        for (index, check) in checks.iter().enumerate() {
            if let Value::String(check) = check {
                sql(&ParamPath::from("checks").index(index), check, surroundings, door, &mut problems);
            }
        }
    }
    problems.extend(table(params));
    problems.extend(options::inspect(params));
    problems.extend(partition(params, Use::Write));
    problems
}

/// Looks at the name of the table that a task writes.
fn table(params: &Params) -> Option<ParamProblem> {
    qualified(&constant(params.get("table")?.as_str()?)?)
}

/// Looks at the keys and values of `partition_kv`.
pub(crate) fn partition(params: &Params, purpose: Use) -> Vec<ParamProblem> {
    let Some(Value::Object(partition_kv)) = params.get("partition_kv") else { return Vec::new() };
    let path = ParamPath::from("partition_kv");
    let values = partition_kv.iter().filter_map(|(key, value)| {
        let value = constant(value.as_str()?)?;
        value_problem(&path.key(key), key, &value, purpose)
    });
    let keys = partition_kv.keys().filter_map(|key| key_problem(&path.key(key), key));
    values.chain(keys).chain(repeated_keys(&path, partition_kv.keys().map(String::as_str))).collect()
}

/// Looks at a query: SQL, or the file that holds it. An object is looked at when the task runs.
pub(crate) fn sql(
    path: &ParamPath,
    command: &str,
    surroundings: &Surroundings<'_>,
    door: &LakeDoor,
    problems: &mut Vec<ParamProblem>,
) {
    let Some(command) = constant(command) else { return };
    let name = command.trim();
    if name.starts_with("s3://") {
        let wrong = Location::parse(name).err();
        problems.extend(wrong.map(|error| ParamProblem::new(path.clone(), error.message).code(code::BAD_NAME)));
        return;
    }
    if !is_path(name) {
        problems.extend(statement(path, &command, None, door));
        return;
    }
    let file = match surroundings.read(name) {
        Ok(Some(file)) => file,
        Ok(None) => return,
        Err(error) => {
            let message = format!("cannot read the SQL file `{name}`: {error}");
            let help = format!(
                "the path starts at {}; SQL may also stand in the workflow itself",
                surroundings.directory_name()
            );
            problems.push(ParamProblem::new(path.clone(), message).code(code::SQL_FILE).help(help));
            return;
        }
    };
    expressions(path, &file, problems);
    let Some(text) = constant(without_mark(&file.text)) else { return };
    let mark = file.text.len() - without_mark(&file.text).len();
    problems.extend(statement(path, &text, Some(file), door).map(|mut problem| {
        if let Some(piece) = &mut problem.inside {
            piece.start += mark;
            piece.end += mark;
        }
        problem
    }));
}

/// Looks at the expressions in a file.
pub(crate) fn expressions(path: &ParamPath, file: &NamedFile, problems: &mut Vec<ParamProblem>) {
    for wrong in wrong_expressions(&file.text) {
        let piece = Piece { file: Some(file.clone()), start: wrong.start, end: wrong.end };
        problems.push(ParamProblem::new(path.clone(), wrong.message).code(code::TEMPLATE_SYNTAX).inside(piece));
    }
}

/// Looks at a statement whose text is known. What our analyzer does not know is wrong only where nobody else runs it.
fn statement(path: &ParamPath, text: &str, file: Option<NamedFile>, door: &LakeDoor) -> Option<ParamProblem> {
    let whole = |message: String| Some(ParamProblem::new(path.clone(), message).code(code::SQL_FILE));
    let place = file.as_ref().map_or_else(String::new, |file| format!(" in `{}`", file.path));
    if text.trim().is_empty() {
        return whole(format!("expected SQL text{place}, found nothing"));
    }
    if text.len() > MAX_SQL_BYTES {
        return whole(format!("expected SQL text of at most {MAX_SQL_BYTES} bytes{place}, found {} bytes", text.len()));
    }
    let error = lake::sql::examine(text).err()?;
    if error.name() == lake::sql::error::UNSUPPORTED && !door.queries_here() {
        return None;
    }
    Some(sql_problem(path.clone(), text, file, error))
}

/// Puts an error of a statement over its place in the text.
pub(crate) fn sql_problem(path: ParamPath, text: &str, file: Option<NamedFile>, error: SqlError) -> ParamProblem {
    let (code, help) = explain(&error);
    let place = error.position.filter(|(line, _)| *line > 0).map(|(line, column)| word_at(text, line, column));
    let problem = ParamProblem::new(path, error.message).code(code);
    let problem = match (place, file) {
        (None, None) => problem,
        (place, file) => {
            let (start, end) = place.unwrap_or_default();
            problem.inside(Piece { file, start, end })
        }
    };
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn explain(error: &SqlError) -> (Code, Option<&'static str>) {
    let (_, code) = classify(lake::Error::from(error.clone()).kind);
    let help = match error.name() {
        lake::sql::error::NOT_A_QUERY => Some(
            "`athena.apas>` and `athena.ctas>` write what a SELECT returns; `athena.drop_partition>` and the like change the catalog",
        ),
        lake::sql::error::UNSUPPORTED => Some("`docs/sql.md` lists what is known"),
        _ => None,
    };
    (code, help)
}

/// Returns the bytes of the word (or sign) at a 1-based line and column, counted in characters.
fn word_at(text: &str, line: u32, column: u32) -> (usize, usize) {
    let mut start = 0;
    for _ in 1..line {
        start += text[start..].find('\n').map_or(text.len() - start, |at| at + 1);
    }
    let skipped = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let rest = &text[start..];
    let line_end = rest.find('\n').unwrap_or(rest.len());
    start += rest[..line_end].char_indices().nth(skipped).map_or(line_end, |(at, _)| at);
    let rest = &text[start..];
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let length = match rest.chars().next() {
        Some(first) if is_word(first) => rest.find(|character| !is_word(character)).unwrap_or(rest.len()),
        Some('\n') | None => 0,
        Some(first) => first.len_utf8(),
    };
    (start, start + length)
}

#[cfg(test)]
mod tests {
    use lake::LakeSettings;
    use lake::aws::{AwsSettings, EngineKind};
    use lake::query::TrinoSettings;

    use super::*;

    #[test]
    fn a_place_in_sql_is_a_word() {
        let text = "SELECT é,\n  naïve FROM t;\n";
        let word = |line, column| {
            let (start, end) = word_at(text, line, column);
            &text[start..end]
        };
        assert_eq!(word(1, 1), "SELECT");
        assert_eq!(word(1, 8), "é");
        assert_eq!(word(1, 9), ",");
        assert_eq!(word(2, 3), "naïve");
        assert_eq!(word(2, 15), ";");
        for (line, column) in [(1, 10), (1, 99), (3, 1), (99, 99)] {
            assert_eq!(word(line, column), "", "{line}:{column}");
        }
    }

    #[test]
    fn one_semicolon_may_end_a_statement() {
        let door = LakeDoor::new(LakeSettings::new("state", "warehouse"));
        let examined = |text: &str| statement(&ParamPath::from("_command"), text, None, &door);
        for text in ["SELECT 1;", "SELECT 1 ;\n", "SELECT ';' AS a;\n-- done;\n/* all; */"] {
            assert!(examined(text).is_none(), "{text}");
        }
        for (text, line_end) in [
            ("SELECT 1;;", "SELECT 1"),
            ("SELECT 1; SELECT 2;", "SELECT 1"),
            ("SELECT 1 +;", "SELECT 1 +"),
            ("SELECT 1 +; -- and\n", "SELECT 1 +"),
        ] {
            let problem = examined(text).unwrap();
            assert_eq!(problem.code, code::SQL_WRONG, "{text}");
            assert_eq!(&text[..problem.inside.unwrap().start], line_end, "{text}");
        }
    }

    #[test]
    fn what_only_the_engine_knows_is_wrong_where_queries_run_here() {
        let on_aws = |engine| LakeSettings::aws("state", AwsSettings { engine, ..AwsSettings::default() });
        let found = |text: &str, settings: LakeSettings| {
            statement(&ParamPath::from("_command"), text, None, &LakeDoor::new(settings)).map(|problem| problem.code)
        };
        let trino =
            EngineKind::Trino(Box::new(TrinoSettings::new("https://trino.example.com", "etl", "awsdatacatalog")));
        for text in ["SELECT random() AS r", "SELECT reduce(ARRAY[1], 0, (s, x) -> s + x, s -> s) AS r"] {
            assert_eq!(found(text, LakeSettings::new("state", "warehouse")), Some(code::SQL_UNSUPPORTED), "{text}");
            assert_eq!(found(text, on_aws(EngineKind::Embedded)), Some(code::SQL_UNSUPPORTED), "{text}");
            assert_eq!(found(text, on_aws(EngineKind::Athena)), None, "{text}");
            assert_eq!(found(text, on_aws(trino.clone())), None, "{text}");
        }
        assert_eq!(found("SELECT 1 +", on_aws(EngineKind::Athena)), Some(code::SQL_WRONG));
    }
}
