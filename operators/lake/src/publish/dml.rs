//! Writes identifiers, literals and the wrapper of a SELECT in Trino's words.
//!
//! Nothing that comes from data or parameters reaches a statement but through here.

use crate::sql::{Type, without_semicolon};

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
