//! Trino's lexical rules and its own prefixes on `sqlparser`: what a word, a number, a CAST and a typed literal are.
//!
//! `sqlparser` knows the words of many databases. Only those of Trino's SELECT stay keywords ([`KEYWORDS`]); any other word
//! is an identifier, so that foreign syntax fails to parse.

use sqlparser::ast::{CastKind, DataType, Expr, Ident, ObjectName, TrimWhereField, TypedString};
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// The dialect.
#[derive(Debug)]
pub(super) struct TrinoDialect;

impl Dialect for TrinoDialect {
    fn is_delimited_identifier_start(&self, character: char) -> bool {
        character == '"'
    }

    fn is_identifier_start(&self, character: char) -> bool {
        character.is_ascii_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_ascii_alphanumeric() || character == '_'
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_boolean_literals(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        false
    }

    fn supports_select_item_multi_column_alias(&self) -> bool {
        true
    }

    fn supports_select_expr_star(&self) -> bool {
        true
    }

    fn require_interval_qualifier(&self) -> bool {
        true
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        if is_values(parser) {
            return Some(parse_values(parser));
        }
        let Token::Word(word) = &parser.peek_token_ref().token else { return None };
        if word.quote_style.is_some() {
            return None;
        }
        let is_string = |token: &Token| matches!(token, Token::SingleQuotedString(_) | Token::UnicodeStringLiteral(_));
        match word.keyword {
            Keyword::CAST if parser.peek_nth_token_ref(1).token == Token::LParen => {
                Some(parse_cast(parser, CastKind::Cast))
            }
            Keyword::TRY_CAST if parser.peek_nth_token_ref(1).token == Token::LParen => {
                Some(parse_cast(parser, CastKind::TryCast))
            }
            Keyword::INTERVAL if is_string(&parser.peek_nth_token_ref(1).token) => None,
            _ if is_string(&parser.peek_nth_token_ref(1).token) && !is_reserved(&word.value) => {
                Some(parse_typed_string(parser))
            }
            _ if word.value.eq_ignore_ascii_case("double")
                && matches!(&parser.peek_nth_token_ref(1).token, Token::Word(next) if next.value.eq_ignore_ascii_case("precision"))
                && is_string(&parser.peek_nth_token_ref(2).token) =>
            {
                Some(parse_double_precision(parser))
            }
            Keyword::TRIM if parser.peek_nth_token_ref(1).token == Token::LParen => Some(parse_trim(parser)),
            _ => None,
        }
    }

    fn parse_infix(&self, parser: &mut Parser<'_>, left: &Expr, _precedence: u8) -> Option<Result<Expr, ParserError>> {
        // `sqlparser` takes all that follows for the right side, AND and OR included.
        let not = if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            false
        } else if parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) {
            true
        } else {
            return None;
        };
        let right = match parser.parse_subexpr(self.prec_value(Precedence::Is)) {
            Ok(right) => Box::new(right),
            Err(error) => return Some(Err(error)),
        };
        let left = Box::new(left.clone());
        Some(Ok(if not { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }))
    }
}

/// Reads `DATE '…'`: a type's name before a string.
fn parse_typed_string(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let name = parser.next_token();
    let name = match name.token {
        Token::Word(word) => Ident { value: word.value, quote_style: None, span: name.span },
        other => return Err(ParserError::ParserError(format!("expected the name of a type, found {other}"))),
    };
    let value = parser.parse_value()?;
    Ok(Expr::TypedString(TypedString {
        data_type: DataType::Custom(ObjectName::from(vec![name]), Vec::new()),
        value,
        uses_odbc_syntax: false,
    }))
}

/// Reads `DOUBLE PRECISION '…'`: the one type's name of two words that may stand before a string.
fn parse_double_precision(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let span = parser.next_token().span;
    parser.next_token();
    let value = parser.parse_value()?;
    let name = Ident { value: "double".to_owned(), quote_style: None, span };
    Ok(Expr::TypedString(TypedString {
        data_type: DataType::Custom(ObjectName::from(vec![name]), Vec::new()),
        value,
        uses_odbc_syntax: false,
    }))
}

/// Reads `TRIM([LEADING | TRAILING | BOTH] [characters] FROM text)`, `TRIM(text, characters)` and `TRIM(text)`.
fn parse_trim(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    parser.next_token();
    parser.expect_token(&Token::LParen)?;
    // They are names, too: `trim(leading)`.
    let is_name = matches!(parser.peek_nth_token_ref(1).token, Token::RParen | Token::Comma);
    let sides: &[Keyword] = if is_name { &[] } else { &[Keyword::LEADING, Keyword::TRAILING, Keyword::BOTH] };
    let side = parser.parse_one_of_keywords(sides);
    let trim_where = side.map(|side| match side {
        Keyword::LEADING => TrimWhereField::Leading,
        Keyword::TRAILING => TrimWhereField::Trailing,
        _ => TrimWhereField::Both,
    });
    let (expr, trim_what) = if trim_where.is_some() && parser.parse_keyword(Keyword::FROM) {
        (parser.parse_expr()?, None)
    } else {
        let first = parser.parse_expr()?;
        if parser.parse_keyword(Keyword::FROM) {
            (parser.parse_expr()?, Some(first))
        } else if trim_where.is_some() {
            parser.expect_keyword_is(Keyword::FROM)?;
            (first, None)
        } else if parser.consume_token(&Token::Comma) {
            (first, Some(parser.parse_expr()?))
        } else {
            (first, None)
        }
    };
    parser.expect_token(&Token::RParen)?;
    let (expr, trim_what) = (Box::new(expr), trim_what.map(Box::new));
    Ok(Expr::Trim { expr, trim_where, trim_what, trim_characters: None })
}

/// Tells whether `(VALUES` is next, which `sqlparser` takes for a call of a function.
fn is_values(parser: &Parser<'_>) -> bool {
    let [first, second] = [0, 1].map(|place| &parser.peek_nth_token_ref(place).token);
    let is_word = |token: &Token| matches!(token, Token::Word(word) if word.keyword == Keyword::VALUES && word.quote_style.is_none());
    *first == Token::LParen && is_word(second)
}

/// Parses `(VALUES …)` as a subquery.
fn parse_values(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let query = parser.parse_query()?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Subquery(query))
}

/// Reads `CAST(value AS type)`, the type as text: `sqlparser` does not know all of Trino's.
fn parse_cast(parser: &mut Parser<'_>, kind: CastKind) -> Result<Expr, ParserError> {
    let span = parser.next_token().span;
    parser.expect_token(&Token::LParen)?;
    let expr = parser.parse_expr()?;
    parser.expect_keyword_is(Keyword::AS)?;
    let mut text = String::new();
    let mut depth = 0_u32;
    loop {
        let token = parser.next_token();
        match &token.token {
            Token::LParen | Token::Lt => depth += 1,
            Token::RParen if depth == 0 => break,
            Token::RParen | Token::Gt => depth = depth.saturating_sub(1),
            Token::ShiftRight => depth = depth.saturating_sub(2),
            Token::Word(_) | Token::Number(..) | Token::Comma => {}
            other => {
                return Err(ParserError::ParserError(format!(
                    "expected a type, found {other} at Line: {}, Column: {}",
                    token.span.start.line, token.span.start.column
                )));
            }
        }
        if matches!(token.token, Token::Word(_) | Token::Number(..)) && !text.is_empty() && !text.ends_with(['(', '<'])
        {
            text.push(' ');
        }
        text.push_str(&token.token.to_string());
    }
    let name = Ident { value: "cast".to_owned(), quote_style: None, span };
    Ok(Expr::Cast {
        kind,
        expr: Box::new(expr),
        data_type: DataType::Custom(ObjectName::from(vec![name]), vec![text]),
        array: false,
        format: None,
    })
}

/// Writes a name as an identifier: in quotes where it needs them.
#[must_use]
pub fn identifier(name: &str) -> String {
    let mut characters = name.chars();
    let is_plain = characters.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && characters.all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_');
    let is_keyword = matches!(Token::make_keyword(name), Token::Word(word) if KEYWORDS.contains(&word.keyword));
    if is_plain && !is_keyword && !is_reserved(name) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Tells whether a word cannot be an identifier unless quoted.
pub(super) fn is_reserved(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    RESERVED.binary_search(&upper.as_str()).is_ok()
}

/// Trino's reserved words, in order.
///
/// Source: the list of reserved keywords in Trino's documentation, <https://trino.io/docs/current/language/reserved.html>.
const RESERVED: &[&str] = &[
    "ALTER",
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CONSTRAINT",
    "CREATE",
    "CROSS",
    "CUBE",
    "CURRENT_CATALOG",
    "CURRENT_DATE",
    "CURRENT_PATH",
    "CURRENT_ROLE",
    "CURRENT_SCHEMA",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "DEALLOCATE",
    "DELETE",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXECUTE",
    "EXISTS",
    "EXTRACT",
    "FALSE",
    "FOR",
    "FROM",
    "FULL",
    "GROUP",
    "GROUPING",
    "HAVING",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "JSON_ARRAY",
    "JSON_EXISTS",
    "JSON_OBJECT",
    "JSON_QUERY",
    "JSON_TABLE",
    "JSON_VALUE",
    "LEFT",
    "LIKE",
    "LISTAGG",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "NATURAL",
    "NORMALIZE",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "PREPARE",
    "RECURSIVE",
    "RIGHT",
    "ROLLUP",
    "SELECT",
    "SKIP",
    "TABLE",
    "THEN",
    "TRIM",
    "TRUE",
    "UESCAPE",
    "UNION",
    "UNNEST",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

/// The words that `sqlparser` may read as keywords. Every other word is an identifier.
pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::ALL,
    Keyword::AND,
    Keyword::ANY,
    Keyword::ARRAY,
    Keyword::AS,
    Keyword::ASC,
    Keyword::AT,
    Keyword::BERNOULLI,
    Keyword::BETWEEN,
    Keyword::BOTH,
    Keyword::BY,
    Keyword::CASE,
    Keyword::CAST,
    Keyword::COUNT,
    Keyword::CROSS,
    Keyword::CUBE,
    Keyword::CURRENT,
    Keyword::CURRENT_DATE,
    Keyword::CURRENT_TIME,
    Keyword::CURRENT_TIMESTAMP,
    Keyword::DAY,
    Keyword::DESC,
    Keyword::DISTINCT,
    Keyword::ELSE,
    Keyword::END,
    Keyword::ERROR,
    Keyword::ESCAPE,
    Keyword::EXCEPT,
    Keyword::EXISTS,
    Keyword::EXTRACT,
    Keyword::FALSE,
    Keyword::FETCH,
    Keyword::FILTER,
    Keyword::FIRST,
    Keyword::FOLLOWING,
    Keyword::FOR,
    Keyword::FROM,
    Keyword::FULL,
    Keyword::GROUP,
    Keyword::GROUPING,
    Keyword::GROUPS,
    Keyword::HAVING,
    Keyword::HOUR,
    Keyword::IGNORE,
    Keyword::IN,
    Keyword::INNER,
    Keyword::INTERSECT,
    Keyword::INTERVAL,
    Keyword::IS,
    Keyword::JOIN,
    Keyword::LAST,
    Keyword::LATERAL,
    Keyword::LEADING,
    Keyword::LEFT,
    Keyword::LIKE,
    Keyword::LIMIT,
    Keyword::LOCALTIME,
    Keyword::LOCALTIMESTAMP,
    Keyword::MINUTE,
    Keyword::MONTH,
    Keyword::NATURAL,
    Keyword::NEXT,
    Keyword::NOT,
    Keyword::NULL,
    Keyword::NULLS,
    Keyword::OFFSET,
    Keyword::ON,
    Keyword::ONLY,
    Keyword::OR,
    Keyword::ORDER,
    Keyword::ORDINALITY,
    Keyword::OUTER,
    Keyword::OVER,
    Keyword::OVERFLOW,
    Keyword::PARTITION,
    Keyword::POSITION,
    Keyword::PRECEDING,
    Keyword::QUARTER,
    Keyword::RANGE,
    Keyword::RECURSIVE,
    Keyword::RESPECT,
    Keyword::RIGHT,
    Keyword::ROLLUP,
    Keyword::ROW,
    Keyword::ROWS,
    Keyword::SECOND,
    Keyword::SELECT,
    Keyword::SETS,
    Keyword::SOME,
    Keyword::SUBSTRING,
    Keyword::SYSTEM,
    Keyword::TABLE,
    Keyword::TABLESAMPLE,
    Keyword::THEN,
    Keyword::TIES,
    Keyword::TIME,
    Keyword::TO,
    Keyword::TRAILING,
    Keyword::TRIM,
    Keyword::TRUE,
    Keyword::TRUNCATE,
    Keyword::TRY_CAST,
    Keyword::UNBOUNDED,
    Keyword::UNION,
    Keyword::USING,
    Keyword::VALUES,
    Keyword::WEEK,
    Keyword::WHEN,
    Keyword::WHERE,
    Keyword::WINDOW,
    Keyword::WITH,
    Keyword::WITHIN,
    Keyword::WITHOUT,
    Keyword::YEAR,
    Keyword::ZONE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserved_words_are_in_order() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("select"));
        assert!(!is_reserved("date"));
    }
}
