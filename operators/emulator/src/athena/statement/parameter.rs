//! `?` in statements: values are put in as the expressions that they are, or as texts.
//!
//! As Athena does: a value that is an expression without columns stands as it is, any other is a text.

use sqlparser::ast::{Expr, Visit, Visitor};

use super::SyntaxError;
use super::token::{Kind, Texts, tokenize};

/// Puts values in the places of `?`.
///
/// # Errors
/// A text for the user when there are more or fewer places than values.
pub(in crate::athena) fn bind(sql: &str, values: &[String]) -> Result<String, String> {
    // In Hive's DDL a `?` stands in a text only, such as the pattern of a SerDe, and its texts may hold what Trino's cannot.
    let texts =
        if super::parse(sql).is_ok_and(|statement| statement.is_of_hive()) { Texts::Hive } else { Texts::Trino };
    let tokens = tokenize(sql, texts).map_err(|error: SyntaxError| error.to_string())?;
    let places: Vec<usize> =
        tokens.iter().filter(|token| token.kind == Kind::Sign('?')).map(|token| token.start).collect();
    if places.len() != values.len() {
        return Err(format!(
            "INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected {} but found {}",
            places.len(),
            values.len()
        ));
    }
    let mut bound = String::with_capacity(sql.len());
    let mut from = 0;
    for (place, value) in places.into_iter().zip(values) {
        bound.push_str(sql.get(from..place).unwrap_or_default());
        bound.push_str(&expression(value));
        from = place + 1;
    }
    bound.push_str(sql.get(from..).unwrap_or_default());
    Ok(bound)
}

/// Returns a value as it stands in a statement.
fn expression(value: &str) -> String {
    let value = value.trim();
    match lake::sql::parse::parse_expression(value) {
        Ok(parsed) if !names_columns(&parsed) => {
            let plain = matches!(parsed, Expr::Value(_));
            // Parentheses keep what is around it from taking the expression apart; a plain value may stand where only a
            // number may, as in LIMIT. A line end closes a comment in the value.
            if plain { format!("{value}\n") } else { format!("({value}\n)") }
        }
        _ => lake::publish::dml::literal(value),
    }
}

/// Tells whether an expression reads a column.
fn names_columns(expression: &Expr) -> bool {
    struct Columns;
    impl Visitor for Columns {
        type Break = ();
        fn pre_visit_expr(&mut self, expression: &Expr) -> std::ops::ControlFlow<()> {
            match expression {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) => std::ops::ControlFlow::Break(()),
                _ => std::ops::ControlFlow::Continue(()),
            }
        }
    }
    expression.visit(&mut Columns).is_break()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(sql: &str, values: &[&str]) -> Result<String, String> {
        bind(sql, &values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn values_are_expressions_or_texts() {
        assert_eq!(bound("SELECT ?, '?' -- ?\n", &["1"]).unwrap(), "SELECT 1\n, '?' -- ?\n");
        assert_eq!(bound("a = ? AND b = ?", &["'x'", "it's"]).unwrap(), "a = 'x'\n AND b = 'it''s'");
        assert_eq!(bound("x - ? LIMIT ?", &["-1", "10"]).unwrap(), "x - (-1\n) LIMIT 10\n");
        assert_eq!(bound("?", &["abc"]).unwrap(), "'abc'", "a column is a text");
        assert_eq!(bound("?", &["1) OR (1=1"]).unwrap(), "'1) OR (1=1'");
        assert_eq!(bound("?", &["1 -- x"]).unwrap(), "1 -- x\n");
        assert_eq!(bound("SELECT 1", &[]).unwrap(), "SELECT 1");
        let hive = r#"CREATE EXTERNAL TABLE t (a int) COMMENT "a\"? b" LOCATION 's3://b/\'?'"#;
        assert_eq!(bound(hive, &[]).unwrap(), hive);
        assert!(bound(hive, &["1"]).unwrap_err().ends_with("expected 0 but found 1"));
        assert_eq!(
            bound("SELECT 1", &["1"]).unwrap_err(),
            "INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected 0 but found 1"
        );
        assert_eq!(
            bound("SELECT ?, ?", &["1"]).unwrap_err(),
            "INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected 2 but found 1"
        );
    }
}
