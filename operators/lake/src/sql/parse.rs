//! Text to syntax tree: exactly one statement, and only one that reads.
//!
//! Between `sqlparser`'s tokenizer and its parser the tokens are brought to Trino's rules: tokens that Trino does not have
//! are errors, words that are no keywords of its SELECT become identifiers, `0xFF` is a number, and the rows of VALUES get
//! the parentheses that `sqlparser` wants.

use sqlparser::ast::{Expr, Query, SelectItem, SetExpr, Statement, Value};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word};

use super::dialect::{KEYWORDS, TrinoDialect};
use super::error::{SqlError, SqlResult};
use super::nesting::refuse_too_deep;
use super::semicolon::without_semicolon;

/// How deep expressions and queries may be nested.
const NESTING_LIMIT: usize = 200;

/// The words that start a statement which tells something and is no query: Athena answers it, we do not yet.
const TELLING: [&str; 3] = ["describe", "explain", "show"];

/// The words that start a statement which Trino has and which is no query.
const OTHER_STATEMENTS: &[(&str, &str)] = &[
    ("alter", "it changes a table"),
    ("analyze", "it collects statistics"),
    ("call", "it runs a procedure"),
    ("comment", "it changes a table"),
    ("commit", "it ends a transaction"),
    ("create", "it makes a table"),
    ("deallocate", "it drops a prepared statement"),
    ("delete", "it writes"),
    ("deny", "it changes permissions"),
    ("describe", "it is not a query"),
    ("drop", "it drops a table"),
    ("execute", "it runs a prepared statement"),
    ("explain", "it is not a query"),
    ("grant", "it changes permissions"),
    ("insert", "it writes"),
    ("merge", "it writes"),
    ("msck", "it changes the catalog"),
    ("prepare", "it makes a prepared statement"),
    ("refresh", "it writes"),
    ("reset", "it changes the session"),
    ("revoke", "it changes permissions"),
    ("rollback", "it ends a transaction"),
    ("set", "it changes the session"),
    ("show", "it is not a query"),
    ("start", "it starts a transaction"),
    ("truncate", "it writes"),
    ("unload", "it writes"),
    ("update", "it writes"),
    ("use", "it changes the session"),
    ("vacuum", "it writes"),
];

/// Reads exactly one statement that reads: SELECT, WITH, VALUES, TABLE, or any of them in parentheses.
///
/// # Errors
/// `SYNTAX_ERROR`, also when a second statement follows; [`super::error::Refusal::NotAQuery`], naming it, when the statement
/// does something else than read.
pub fn parse_one(text: &str) -> SqlResult<Box<Query>> {
    let tokens = tokenize(text)?;
    if let Some(error) = tokens.iter().find(|token| is_said(token)).and_then(other_statement) {
        return Err(error);
    }
    let tokens = adapt(text, tokens)?;
    refuse_too_deep(&tokens)?;
    let mut parser = Parser::new(&TrinoDialect).with_recursion_limit(NESTING_LIMIT).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().map_err(|error| syntax_error(text, &error))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input '{}'. Expecting: <EOF>", rest.token))
            .at_span(rest.span));
    }
    match statement {
        Statement::Query(query) => Ok(query),
        other => Err(SqlError::unsupported(format!("the statement `{other}` (expected one SELECT)"))),
    }
}

fn is_said(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_))
}

/// Returns the error of a statement that begins with a word and is no query; none for a query.
fn other_statement(first: &TokenWithSpan) -> Option<SqlError> {
    let Token::Word(word) = &first.token else { return None };
    let is_it = |(statement, _): &&(&str, &str)| word.value.eq_ignore_ascii_case(statement);
    let (statement, why) = OTHER_STATEMENTS.iter().find(is_it).filter(|_| word.quote_style.is_none())?;
    let message = format!("`{}`: {why}; expected one SELECT", statement.to_ascii_uppercase());
    let error =
        if TELLING.contains(statement) { SqlError::unsupported(message) } else { SqlError::not_a_query(message) };
    Some(error.at_span(first.span))
}

/// Refuses a statement that does something else than read or tell, for engines that would do it: a try that is repeated would do it
/// twice. What cannot be read is left to the engine.
///
/// # Errors
/// [`super::error::Refusal::NotAQuery`], naming it.
pub fn refuse_what_writes(text: &str) -> SqlResult<()> {
    let Ok(tokens) = tokenize(text) else { return Ok(()) };
    let said: Vec<&TokenWithSpan> = tokens.iter().filter(|token| is_said(token)).collect();
    let is_word = |token: &&TokenWithSpan, wanted: &str| matches!(&token.token, Token::Word(word) if word.value.eq_ignore_ascii_case(wanted));
    let mut rest = said.as_slice();
    // EXPLAIN ANALYZE runs the statement.
    if let [first, second, others @ ..] = rest
        && is_word(first, "explain")
        && is_word(second, "analyze")
    {
        rest = others.split_first().filter(|(third, _)| is_word(third, "verbose")).map_or(others, |(_, others)| others);
    }
    match rest.first().and_then(|first| other_statement(first)) {
        Some(error) if !TELLING.iter().any(|telling| is_word(&rest[0], telling)) => Err(error),
        _ => Ok(()),
    }
}

/// Returns the columns of a SELECT that are constants: their names in lower case, and the text of the value. None for a statement
/// that cannot be read, or that puts several SELECTs together.
#[must_use]
pub fn constants(text: &str) -> Vec<(String, String)> {
    let query = parse_one(without_semicolon(text));
    let Ok(SetExpr::Select(select)) = query.as_ref().map(|query| query.body.as_ref()) else { return Vec::new() };
    let constant = |item: &SelectItem| {
        let SelectItem::ExprWithAlias { expr, alias } = item else { return None };
        let value = match expr {
            Expr::Value(value) => value,
            Expr::TypedString(typed) => &typed.value,
            _ => return None,
        };
        let text = match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, false) => text.clone(),
            _ => return None,
        };
        Some((alias.value.to_lowercase(), text))
    };
    select.projection.iter().filter_map(constant).collect()
}

/// Reads exactly one expression.
///
/// # Errors
/// `SYNTAX_ERROR`.
pub fn parse_expression(text: &str) -> SqlResult<Expr> {
    let tokens = adapt(text, tokenize(text)?)?;
    refuse_too_deep(&tokens)?;
    let mut parser = Parser::new(&TrinoDialect).with_recursion_limit(NESTING_LIMIT).with_tokens_with_locations(tokens);
    let expression = parser.parse_expr().map_err(|error| syntax_error(text, &error))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let message = format!("mismatched input '{}'. Expecting: <EOF>", rest.token);
        return Err(SqlError::trino("SYNTAX_ERROR", message).at_span(rest.span));
    }
    Ok(expression)
}

fn tokenize(text: &str) -> SqlResult<Vec<TokenWithSpan>> {
    Tokenizer::new(&TrinoDialect, text).tokenize_with_location().map_err(|error| {
        SqlError::trino("SYNTAX_ERROR", error.message).at_span(Span::new(error.location, error.location))
    })
}

/// Turns the parser's error into ours; it writes the place only into its text.
fn syntax_error(text: &str, error: &ParserError) -> SqlError {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.clone(),
        ParserError::RecursionLimitExceeded => {
            return SqlError::trino(
                "STACK_OVERFLOW",
                format!("the statement is nested deeper than {NESTING_LIMIT} levels"),
            );
        }
    };
    let Some((sentence, place)) = message.split_once(" at Line: ") else {
        let is_early_end = message.ends_with("found: EOF");
        let error = SqlError::trino("SYNTAX_ERROR", message);
        // The parser gives no place to what is missing at the end.
        return if is_early_end { error.at_end_of(text) } else { error };
    };
    let mut numbers = place.split(", Column: ").map(|number| number.trim().parse::<u32>().unwrap_or(0));
    let (line, column) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    SqlError::trino("SYNTAX_ERROR", sentence).at(line, column)
}

/// Brings the tokens to Trino's rules; see the file's header.
fn adapt(text: &str, tokens: Vec<TokenWithSpan>) -> SqlResult<Vec<TokenWithSpan>> {
    // Before anything else is said of what stands in their parentheses.
    refuse_special_constructs(&tokens)?;
    let lines: Vec<&str> = text.split('\n').collect();
    let mut adapted: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for TokenWithSpan { token, span } in tokens {
        let previous_touches = adapted.last().is_some_and(|previous| previous.span.end == span.start);
        let token = match token {
            Token::Whitespace(_) => continue,
            Token::Word(word) => {
                if previous_touches
                    && word.quote_style.is_none()
                    && let Some(TokenWithSpan { token: Token::Number(number, _), span: number_span }) =
                        adapted.last_mut()
                {
                    let radix = word.value.as_bytes().first().map(u8::to_ascii_lowercase);
                    if number == "0" && matches!(radix, Some(b'b' | b'o' | b'x')) {
                        number.push_str(&word.value);
                        number_span.end = span.end;
                        continue;
                    }
                    let message = format!(
                        "identifiers must not start with a digit; surround the identifier with double quotes: `{number}{word}`"
                    );
                    return Err(SqlError::trino("SYNTAX_ERROR", message).at_span(*number_span));
                }
                Token::Word(adapt_word(word, span)?)
            }
            Token::HexStringLiteral(digits) if character_at(&lines, span.start) == Some('0') => {
                Token::Number(format!("0x{digits}"), false)
            }
            Token::HexStringLiteral(digits) => {
                let digits: String = digits.chars().filter(|character| !character.is_whitespace()).collect();
                if !digits.len().is_multiple_of(2) {
                    let message = "Binary literal must contain an even number of digits";
                    return Err(SqlError::trino("SYNTAX_ERROR", message).at_span(span));
                }
                Token::HexStringLiteral(digits)
            }
            Token::Number(number, false) => Token::Number(number, false),
            token @ (Token::SingleQuotedString(_)
            | Token::UnicodeStringLiteral(_)
            | Token::Comma
            | Token::Eq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq
            | Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod
            | Token::StringConcat
            | Token::LParen
            | Token::RParen
            | Token::LBracket
            | Token::RBracket
            | Token::Period
            | Token::Arrow
            | Token::EOF) => token,
            // `array<array<bigint>>` in a cast.
            Token::ShiftRight => {
                adapted.push(TokenWithSpan { token: Token::Gt, span });
                Token::Gt
            }
            token @ Token::Question => {
                return Err(SqlError::unsupported(format!("the parameter `{token}`")).at_span(span));
            }
            Token::SemiColon => {
                let message = "mismatched input ';'. Expecting: <EOF> (one statement, with no more than one semicolon at its end)";
                return Err(SqlError::trino("SYNTAX_ERROR", message).at_span(span));
            }
            other => {
                return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input '{other}'")).at_span(span));
            }
        };
        adapted.push(TokenWithSpan { token, span });
    }
    refuse_offset_after_limit(&adapted)?;
    Ok(parenthesise_values(group_by(select_from_table(adapted))))
}

fn character_at(lines: &[&str], place: Location) -> Option<char> {
    let line = lines.get(usize::try_from(place.line).ok()?.checked_sub(1)?)?;
    line.chars().nth(usize::try_from(place.column).ok()?.checked_sub(1)?)
}

fn adapt_word(word: Word, span: Span) -> SqlResult<Word> {
    if word.quote_style.is_some() {
        if word.value.is_empty() {
            return Err(SqlError::trino("SYNTAX_ERROR", "Zero-length delimited identifier not allowed").at_span(span));
        }
        return Ok(word);
    }
    let keyword = if KEYWORDS.contains(&word.keyword) { word.keyword } else { Keyword::NoKeyword };
    Ok(Word { keyword, ..word })
}

/// Refuses constructs with a grammar of their own, by name, before the parser stumbles over them.
fn refuse_special_constructs(tokens: &[TokenWithSpan]) -> SqlResult<()> {
    const SPECIAL: &[&str] =
        &["json_array", "json_exists", "json_object", "json_query", "json_table", "json_value", "match_recognize"];
    let significant = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_));
    let mut following = tokens.iter().filter(significant);
    following.next();
    let mut before = &Token::EOF;
    for (first, second) in tokens.iter().filter(significant).zip(following) {
        let previous = std::mem::replace(&mut before, &first.token);
        let Token::Word(word) = &first.token else { continue };
        if word.quote_style.is_some() {
            continue;
        }
        let is = |text: &str| word.value.eq_ignore_ascii_case(text);
        let is_next = |text: &str| matches!(&second.token, Token::Word(next) if next.quote_style.is_none() && next.value.eq_ignore_ascii_case(text));
        let construct = if is("table") && second.token == Token::LParen {
            Some("a table function (`TABLE(…)`)")
        } else if is("with") && is_next("function") {
            Some("`WITH FUNCTION`")
        } else if is("by") && is_next("distinct") {
            Some("`GROUP BY DISTINCT`")
        } else if is("as") && second.token == Token::LParen && *previous == Token::Mul {
            Some("names for the fields of a row (`.* AS (…)`)")
        } else if is("corresponding") && ["select", "table", "values"].iter().any(|next| is_next(next)) {
            Some("`CORRESPONDING`")
        } else if is("uescape") && matches!(second.token, Token::SingleQuotedString(_)) {
            Some("`UESCAPE`")
        } else {
            None
        };
        if let Some(construct) = construct {
            return Err(SqlError::unsupported(construct).at_span(first.span));
        }
        if second.token != Token::LParen {
            continue;
        }
        if let Some(name) = SPECIAL.iter().find(|name| word.value.eq_ignore_ascii_case(name)) {
            return Err(SqlError::unsupported(format!("`{}`", name.to_ascii_uppercase())).at_span(first.span));
        }
    }
    Ok(())
}

/// In Trino OFFSET stands before LIMIT; the parser takes both orders and forgets which it was.
fn refuse_offset_after_limit(tokens: &[TokenWithSpan]) -> SqlResult<()> {
    for group in tokens.windows(3) {
        if let [
            TokenWithSpan { token: Token::Word(Word { keyword: Keyword::LIMIT, .. }), .. },
            _,
            TokenWithSpan { token: Token::Word(Word { keyword: Keyword::OFFSET, .. }), span },
        ] = group
        {
            let message = "mismatched input 'OFFSET'. Expecting: <EOF> (OFFSET stands before LIMIT)";
            return Err(SqlError::trino("SYNTAX_ERROR", message).at_span(*span));
        }
    }
    Ok(())
}

/// Writes `TABLE a.b` as `SELECT * FROM a.b`, which means the same; `sqlparser` knows it in some places only. Elsewhere TABLE has
/// an opening parenthesis after it.
fn select_from_table(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut result: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 4);
    let mut tokens = tokens.into_iter().peekable();
    while let Some(TokenWithSpan { token, span }) = tokens.next() {
        let is_table = matches!(&token, Token::Word(Word { keyword: Keyword::TABLE, .. }));
        if is_table && tokens.peek().is_some_and(|next| matches!(next.token, Token::Word(_))) {
            let word = |value: &str, keyword| Token::Word(Word { value: value.to_owned(), quote_style: None, keyword });
            for token in [word("SELECT", Keyword::SELECT), Token::Mul, word("FROM", Keyword::FROM)] {
                result.push(TokenWithSpan { token, span });
            }
        } else {
            result.push(TokenWithSpan { token, span });
        }
    }
    result
}

/// Writes `GROUP BY ALL a` as `GROUP BY a`, which means the same; `sqlparser` takes ALL for the whole list.
fn group_by(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let keyword = |token: &TokenWithSpan| match &token.token {
        Token::Word(Word { keyword, .. }) => *keyword,
        _ => Keyword::NoKeyword,
    };
    let mut result: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let is_after_group_by = matches!(result.as_slice(), [.., group, by]
            if keyword(group) == Keyword::GROUP && keyword(by) == Keyword::BY);
        if !(is_after_group_by && keyword(&token) == Keyword::ALL) {
            result.push(token);
        }
    }
    result
}

/// Writes `VALUES 1, (2)` as `VALUES (1), (2)`: in Trino a row of VALUES is any expression.
///
/// An item that is one pair of parentheses stays; `ROW(…)` and everything else gets a pair around it.
fn parenthesise_values(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut result: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 16);
    // For each VALUES that is open: the depth of parentheses it stands at, and where its current item starts in `result`.
    let mut open: Vec<(usize, usize)> = Vec::new();
    // The depths at which `> ALL (VALUES …)` ends: `sqlparser` wants a SELECT there.
    let mut quantified: Vec<usize> = Vec::new();
    let mut depth = 0_usize;
    for TokenWithSpan { token, span } in tokens {
        if let Some(&(values_depth, start)) = open.last() {
            let ends_item = depth == values_depth
                && (token == Token::Comma || token == Token::RParen || token == Token::EOF || ends_values(&token));
            if ends_item {
                close_item(&mut result, start);
                open.pop();
                if token == Token::Comma {
                    open.push((values_depth, result.len() + 1));
                }
            }
        }
        match &token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        let starts_values = matches!(&token, Token::Word(Word { keyword: Keyword::VALUES, .. }));
        if token == Token::RParen && quantified.last() == Some(&depth) {
            quantified.pop();
            result.push(TokenWithSpan { token: Token::RParen, span });
        }
        if starts_values && is_quantified(&result) {
            quantified.push(depth.saturating_sub(1));
            let word = |value: &str, keyword| Token::Word(Word { value: value.to_owned(), quote_style: None, keyword });
            for token in [word("SELECT", Keyword::SELECT), Token::Mul, word("FROM", Keyword::FROM), Token::LParen] {
                result.push(TokenWithSpan { token, span });
            }
        }
        result.push(TokenWithSpan { token, span });
        if starts_values {
            open.push((depth, result.len()));
        }
    }
    // Without an EOF token the last items are still open.
    while let Some((_, start)) = open.pop() {
        close_item(&mut result, start);
    }
    result
}

/// Tells whether the tokens end in `ALL (`, `ANY (` or `SOME (`.
fn is_quantified(tokens: &[TokenWithSpan]) -> bool {
    matches!(
        tokens,
        [
            ..,
            TokenWithSpan { token: Token::Word(Word { keyword: Keyword::ALL | Keyword::ANY | Keyword::SOME, .. }), .. },
            TokenWithSpan { token: Token::LParen, .. }
        ]
    )
}

fn ends_values(token: &Token) -> bool {
    matches!(
        token,
        Token::Word(Word {
            keyword: Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::ORDER
                | Keyword::LIMIT
                | Keyword::OFFSET
                | Keyword::FETCH,
            ..
        })
    )
}

/// Puts parentheses around the item that starts at `start`, unless it is one pair of them.
fn close_item(tokens: &mut Vec<TokenWithSpan>, start: usize) {
    let Some(item) = tokens.get(start..) else { return };
    let (Some(first), Some(last)) = (item.first(), item.last()) else { return };
    let mut depth = 0_usize;
    let whole = first.token == Token::LParen
        && item.iter().enumerate().all(|(index, token)| {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth > 0 || index + 1 == item.len()
        });
    // `VALUES (SELECT 1)`: a subquery in parentheses is an expression.
    let subquery = whole
        && item.get(1).is_some_and(|token| {
            matches!(
                &token.token,
                Token::Word(Word { keyword: Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE, .. })
            )
        });
    if whole && !subquery {
        return;
    }
    let (opening, closing) = (first.span, last.span);
    tokens.insert(start, TokenWithSpan { token: Token::LParen, span: opening });
    tokens.push(TokenWithSpan { token: Token::RParen, span: closing });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    fn lake_error(parsed: SqlResult<Box<Query>>) -> Error {
        parsed.err().map(Error::from).unwrap()
    }

    fn shown(text: &str) -> String {
        parse_one(text).map_or_else(|error| error.to_string(), |query| query.to_string())
    }

    #[test]
    fn rows_of_values_get_parentheses() {
        assert_eq!(shown("VALUES 1, (2), ROW(3)"), "VALUES (1), (2), (ROW(3))");
        assert_eq!(
            shown("SELECT * FROM (VALUES -1, f(2, 3) + (4)) t(x)"),
            "SELECT * FROM (VALUES (-1), (f(2, 3) + (4))) t (x)"
        );
        assert_eq!(shown("SELECT 2 > ALL (VALUES 1, 2)"), "SELECT 2 > ALL(SELECT * FROM (VALUES (1), (2)))");
    }

    #[test]
    fn constants_of_a_select_are_told() {
        let found = constants("SELECT a, '1' AS Dt, 5 h, DATE '2024-03-01' AS day, a AS b, upper('x') AS u FROM t;");
        let expected = [("dt", "1"), ("h", "5"), ("day", "2024-03-01")];
        assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
        assert!(constants("SELECT '1' AS dt UNION SELECT '2'").is_empty() && constants("SELECT").is_empty());
    }

    #[test]
    fn a_table_is_all_of_its_rows() {
        assert_eq!(shown("TABLE w.u"), "SELECT * FROM w.u");
        assert_eq!(
            shown("(TABLE a.\"B c\" UNION TABLE d) ORDER BY 1 LIMIT 3"),
            "(SELECT * FROM a.\"B c\" UNION SELECT * FROM d) ORDER BY 1 LIMIT 3"
        );
    }

    #[test]
    fn constructs_with_a_grammar_of_their_own_are_refused_by_name() {
        for (text, expected) in [
            ("SELECT json_object('a': 1)", "line 1:8: not supported yet: `JSON_OBJECT`"),
            ("SELECT json_array ( 1 NULL ON NULL )", "line 1:8: not supported yet: `JSON_ARRAY`"),
            ("SELECT json_query(x, 'lax $.a' WITH WRAPPER)", "line 1:8: not supported yet: `JSON_QUERY`"),
            ("SELECT json_value(x, 'lax $.a' RETURNING bigint)", "line 1:8: not supported yet: `JSON_VALUE`"),
            ("SELECT json_exists(x, 'lax $.a?(@ > 1)')", "line 1:8: not supported yet: `JSON_EXISTS`"),
            (
                "SELECT * FROM TABLE(sequence(start => 1, stop => 3))",
                "line 1:15: not supported yet: a table function (`TABLE(…)`)",
            ),
            (
                "WITH FUNCTION f(x integer) RETURNS integer RETURN x + 1 SELECT f(1)",
                "line 1:1: not supported yet: `WITH FUNCTION`",
            ),
            ("SELECT 1 GROUP BY DISTINCT ROLLUP (a)", "line 1:16: not supported yet: `GROUP BY DISTINCT`"),
            ("SELECT U&'!0041' UESCAPE '!'", "line 1:18: not supported yet: `UESCAPE`"),
            ("SELECT 1 UNION ALL CORRESPONDING SELECT 2", "line 1:20: not supported yet: `CORRESPONDING`"),
            (
                "SELECT r.* AS (a, b) FROM t",
                "line 1:12: not supported yet: names for the fields of a row (`.* AS (…)`)",
            ),
        ] {
            assert_eq!(shown(text), expected);
            assert_eq!(lake_error(parse_one(text)).kind, ErrorKind::UnsupportedSql, "{text}");
        }
    }

    #[test]
    fn numbers_in_other_bases_are_numbers() {
        assert_eq!(shown("SELECT 0xFF, 0b101, 0o17, X'FF'"), "SELECT 0xFF, 0b101, 0o17, X'FF'");
    }

    #[test]
    fn what_writes_is_refused_with_its_place() {
        assert_eq!(shown("  INSERT INTO t VALUES 1"), "line 1:3: `INSERT`: it writes; expected one SELECT");
        let kind = |text| lake_error(parse_one(text)).kind;
        for text in ["DELETE FROM t", "insert into t values 1", "CREATE TABLE t AS SELECT 1", "SELECT 1; DROP TABLE t"]
        {
            assert_eq!(kind(text), ErrorKind::InvalidSql, "{text}");
        }
        for text in ["SHOW TABLES", "EXPLAIN SELECT 1", "DESCRIBE t"] {
            assert_eq!(kind(text), ErrorKind::UnsupportedSql, "{text}");
        }
        assert_eq!(
            shown("SELECT 1; DROP TABLE t"),
            "line 1:9: mismatched input ';'. Expecting: <EOF> (one statement, with no more than one semicolon at its end)"
        );
    }

    #[test]
    fn what_another_engine_would_do_is_refused() {
        let refused = |text: &str| refuse_what_writes(text).err().map(|error| error.to_string());
        for text in [
            "SELECT 1",
            "-- INSERT\n(SELECT 1)",
            "WITH \"insert\" AS (SELECT 1) TABLE \"insert\"",
            "SHOW TABLES",
            "DESCRIBE t",
            "EXPLAIN INSERT INTO t SELECT 1",
            "EXPLAIN ANALYZE SELECT 1",
            "what is `this",
            "",
        ] {
            assert_eq!(refused(text), None, "{text}");
        }
        for (text, expected) in [
            ("/* x */ insert into t SELECT 1", "line 1:9: `INSERT`: it writes; expected one SELECT"),
            ("EXPLAIN ANALYZE INSERT INTO t SELECT 1", "line 1:17: `INSERT`: it writes; expected one SELECT"),
            ("explain analyze verbose unload (SELECT 1)", "line 1:25: `UNLOAD`: it writes; expected one SELECT"),
            ("DROP TABLE t", "line 1:1: `DROP`: it drops a table; expected one SELECT"),
        ] {
            assert_eq!(refused(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn foreign_syntax_is_a_syntax_error() {
        for text in
            ["SELECT `x`", "SELECT 1 == 1", "SELECT 1 // 2", "SELECT '1'::integer", "SELECT 1 AS a$b", "SELECT 12abc"]
        {
            assert_eq!(parse_one(text).map_err(|error| error.name()), Err("SYNTAX_ERROR"), "{text}");
        }
    }

    #[test]
    fn a_cast_keeps_the_text_of_its_type() {
        assert_eq!(
            shown("SELECT CAST(x AS ROW(a bigint, \"B c\" array(decimal(4,2))))"),
            "SELECT CAST(x AS cast(ROW(a bigint, \"B c\" array(decimal(4, 2)))))"
        );
    }
}
