//! Writes identifiers, literals and the wrapper of a SELECT in Trino's words.
//!
//! Nothing that comes from data or parameters reaches a statement but through here.

use crate::sql::Type;

/// Returns an identifier in double quotes; a double quote in it is doubled.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a string literal: a quote in it is doubled, a backslash is a plain character.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A column of a wrapped SELECT.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WrappedColumn {
    /// Its name in the table.
    pub name: String,
    /// Its type in the table, in Trino's words.
    pub data_type: String,
    /// Its name in the SELECT; none for a column that is filled with NULL.
    pub source: Option<String>,
}

impl WrappedColumn {
    /// Makes a column.
    pub fn new(name: &str, data_type: &Type, source: Option<&str>) -> Self {
        Self { name: name.to_owned(), data_type: data_type.to_string(), source: source.map(str::to_owned) }
    }
}

/// Returns a SELECT over `sql` that gives the columns of the table, in its order and of its types.
pub fn wrap(sql: &str, columns: &[WrappedColumn]) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|column| {
            let source = column.source.as_ref().map_or_else(|| "NULL".to_owned(), |source| identifier(source));
            format!("CAST({source} AS {}) AS {}", column.data_type, identifier(&column.name))
        })
        .collect();
    // The statement stands on lines of its own, so that a comment at its end does not swallow the bracket.
    format!("SELECT\n  {}\nFROM (\n{}\n) AS query", list.join(",\n  "), without_semicolon(sql))
}

/// Cuts the `;` at the end of a statement, with what is behind it. A `;` in a literal, a quoted name or a comment is none.
pub fn without_semicolon(sql: &str) -> &str {
    let bytes = sql.as_bytes();
    let mut at = 0;
    let mut semicolon = None;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = match byte {
            b'\'' | b'"' => quoted_length(rest, *byte),
            b'-' if rest.starts_with(b"--") => {
                rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1)
            }
            b'/' if rest.starts_with(b"/*") => {
                rest.windows(2).skip(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 4)
            }
            b';' => {
                semicolon.get_or_insert(at);
                1
            }
            byte if byte.is_ascii_whitespace() => 1,
            _ => {
                // More follows: what looked like the end was not; the parser will say so.
                semicolon = None;
                1
            }
        };
        if matches!(byte, b'\'' | b'"') {
            semicolon = None;
        }
        at += length;
    }
    semicolon.and_then(|end| sql.get(..end)).unwrap_or(sql)
}

/// Returns the length of a quoted text at the beginning, with its quotes; a doubled quote is part of it.
fn quoted_length(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == quote {
            if bytes.get(at) == Some(&quote) {
                at += 1;
            } else {
                return at;
            }
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sqlparser::ast::{Expr, Ident, Value};
    use sqlparser::dialect::AnsiDialect;
    use sqlparser::parser::Parser;

    #[test]
    fn a_statement_is_wrapped() {
        let columns =
            [WrappedColumn::new("n", &Type::Bigint, Some("N")), WrappedColumn::new("a\"b", &Type::Varchar(None), None)];
        insta::assert_snapshot!(wrap("SELECT ';' AS n -- end;\n;  \n", &columns), @r#"
        SELECT
          CAST("N" AS bigint) AS "n",
          CAST(NULL AS varchar) AS "a""b"
        FROM (
        SELECT ';' AS n -- end;

        ) AS query
        "#);
    }

    #[test]
    fn only_the_last_semicolon_goes() {
        for (sql, cut) in [
            ("select 1", "select 1"),
            ("select 1;", "select 1"),
            ("select 1 ; ; -- x", "select 1 "),
            ("select ';'", "select ';'"),
            ("select 1 /* ; */", "select 1 /* ; */"),
            ("select 1; select 2", "select 1; select 2"),
            ("select 1 as \"a;\"", "select 1 as \"a;\""),
            ("select 1; 'x'", "select 1; 'x'"),
            ("select 'it''s;' ;", "select 'it''s;' "),
        ] {
            assert_eq!(without_semicolon(sql), cut, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn quoting_reads_back(text in "\\PC*") {
            let expr = Parser::new(&AnsiDialect {}).try_with_sql(&literal(&text)).unwrap().parse_expr().unwrap();
            let Expr::Value(value) = expr else { panic!("{expr:?}") };
            prop_assert_eq!(value.value, Value::SingleQuotedString(text.clone()));
            if !text.is_empty() {
                let ident = Parser::new(&AnsiDialect {}).try_with_sql(&identifier(&text)).unwrap().parse_identifier().unwrap();
                prop_assert_eq!(ident, Ident::with_quote('"', text));
            }
        }

        #[test]
        fn cutting_keeps_a_prefix(sql in "[;'\"a \n*/-]{0,12}") {
            prop_assert!(sql.starts_with(without_semicolon(&sql)));
        }
    }
}
