//! How deep a statement is, told from its tokens.
//!
//! Whatever works on a syntax tree or a plan goes down it by calling itself, and so does dropping it. So a statement that is
//! too deep is refused before there is a tree, whatever makes it deep: brackets, or a chain of operators, each of which has
//! everything before it as its left side.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::error::{SqlError, SqlResult};

/// How deep brackets and CASE may be nested.
///
/// The parser calls itself some times a level; an unoptimised build has room for this on the stack of any thread of ours.
pub(super) const BRACKETS: usize = 200;

/// How deep a statement may be altogether: the operators on the way to its innermost value.
///
/// Measured: an unoptimised build plans and runs that many on its threads of 8 MiB, with half of the stack to spare.
pub(super) const LEVELS: usize = 1_000;

/// How many INTERSECT and EXCEPT a statement may have that has both.
///
/// Measured: of 138 in turn `DataFusion` never comes to an end, of 58 in under a second; of one kind alone, of 100 as well.
const MIXED_SETS: usize = 60;

/// How tightly operators bind, from the loosest on; each binds tighter than the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    /// What puts queries together.
    Query,
    /// What puts the relations of a FROM together.
    Relation,
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    /// `||`, `AT TIME ZONE`: where it stands among the others differs by parser, so it is not ended by any of them.
    Other,
}

/// The number of [`Binding`]s.
const BINDINGS: usize = 9;

/// What stands between two brackets.
#[derive(Debug, Default)]
struct Level {
    /// For each binding, the operators of the chain that is read.
    open: [usize; BINDINGS],
    /// For each binding, the longest chain of the expression that is read.
    longest: [usize; BINDINGS],
    /// The deepest bracket of that expression.
    inside: usize,
    /// The deepest expression before it.
    before: usize,
    /// Whether it stands in FROM, where a comma joins.
    in_from: bool,
}

impl Level {
    /// Counts an operator.
    fn operator(&mut self, binding: Binding) {
        let at = binding as usize;
        // An operator that binds less tightly ends chains of those that bind tighter: they become one of its sides.
        for tighter in self.open.iter_mut().take(Binding::Other as usize).skip(at + 1) {
            *tighter = 0;
        }
        if let (Some(open), Some(longest)) = (self.open.get_mut(at), self.longest.get_mut(at)) {
            *open += 1;
            *longest = (*longest).max(*open);
        }
    }

    /// Ends an expression; what puts relations and queries together goes on.
    fn expression_ends(&mut self) {
        self.before = self.before.max(self.of_expression());
        self.inside = 0;
        for (open, longest) in self.open.iter_mut().zip(&mut self.longest).skip(Binding::Or as usize) {
            (*open, *longest) = (0, 0);
        }
    }

    /// Returns how deep the expression is that is read.
    fn of_expression(&self) -> usize {
        self.longest.iter().skip(Binding::Or as usize).sum::<usize>() + self.inside
    }

    /// Returns how deep it is up to here.
    fn depth(&self) -> usize {
        let relations: usize = self.longest.iter().take(Binding::Or as usize).sum();
        relations + self.before.max(self.of_expression())
    }
}

/// Refuses a statement that is deeper than [`LEVELS`] or whose brackets are deeper than [`BRACKETS`].
///
/// It counts rather too much than too little: chains of different operators count together.
///
/// # Errors
/// `STACK_OVERFLOW`, as Trino calls it, at the place where it is too deep.
pub(super) fn refuse_too_deep(tokens: &[TokenWithSpan]) -> SqlResult<()> {
    let mut levels = vec![Level::default()];
    // The operators around the innermost bracket; they do not change while it is open.
    let mut around = vec![0_usize];
    let mut before = &Token::EOF;
    let (mut intersections, mut differences) = (0_usize, 0_usize);
    for TokenWithSpan { token, span } in tokens {
        if let Token::Word(word) = token {
            intersections += usize::from(word.keyword == Keyword::INTERSECT);
            differences += usize::from(word.keyword == Keyword::EXCEPT);
            if intersections.min(differences) > 0 && intersections + differences > MIXED_SETS {
                let what = format!("more than {MIXED_SETS} INTERSECT and EXCEPT in a statement that has both");
                return Err(SqlError::unsupported(what).at_span(*span));
            }
        }
        let is_after_distinct = matches!(before, Token::Word(word) if word.keyword == Keyword::DISTINCT);
        before = token;
        match step(token) {
            // `IS DISTINCT FROM` begins no clause.
            Step::Clause(true) if is_after_distinct => continue,
            Step::Opens => {
                let outer = around.last().copied().unwrap_or_default();
                let own = levels.last().map_or(0, |level| level.longest.iter().sum::<usize>());
                levels.push(Level::default());
                around.push(outer + own + 1);
                if levels.len() > BRACKETS {
                    return Err(too_deep(format!("brackets are nested deeper than {BRACKETS} levels"), *span));
                }
            }
            Step::Closes if levels.len() > 1 => {
                let depth = levels.pop().map_or(0, |level| level.depth());
                around.pop();
                if let Some(level) = levels.last_mut() {
                    level.inside = level.inside.max(depth + 1);
                }
            }
            Step::Operator(binding) => {
                if let Some(level) = levels.last_mut() {
                    level.operator(binding);
                }
            }
            Step::Comma => {
                if let Some(level) = levels.last_mut() {
                    level.expression_ends();
                    if level.in_from {
                        level.operator(Binding::Relation);
                    }
                }
            }
            Step::Clause(in_from) => {
                if let Some(level) = levels.last_mut() {
                    level.expression_ends();
                    level.in_from = in_from;
                    if in_from {
                        level.open[Binding::Relation as usize] = 0;
                    }
                }
            }
            Step::Part => {
                if let Some(level) = levels.last_mut() {
                    level.expression_ends();
                }
            }
            Step::Closes | Step::Other => continue,
        }
        let depth = around.last().copied().unwrap_or_default() + levels.last().map_or(0, Level::depth);
        if depth > LEVELS {
            let message = format!(
                "the statement is deeper than {LEVELS} levels: each operator of a chain such as `a + b + c` is one, with all before it \
                 as its left side"
            );
            return Err(too_deep(message, *span));
        }
    }
    Ok(())
}

fn too_deep(message: String, span: Span) -> SqlError {
    SqlError::trino("STACK_OVERFLOW", message).at_span(span)
}

/// What a token does to the depth.
enum Step {
    Opens,
    Closes,
    Operator(Binding),
    Comma,
    /// A clause begins, FROM or another.
    Clause(bool),
    /// An expression ends and another one of the same bracket begins.
    Part,
    Other,
}

fn step(token: &Token) -> Step {
    match token {
        Token::LParen | Token::LBracket => Step::Opens,
        Token::RParen | Token::RBracket => Step::Closes,
        Token::Comma => Step::Comma,
        Token::Plus | Token::Minus => Step::Operator(Binding::Sum),
        Token::Mul | Token::Div | Token::Mod => Step::Operator(Binding::Product),
        Token::StringConcat => Step::Operator(Binding::Other),
        Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq => {
            Step::Operator(Binding::Comparison)
        }
        Token::Word(word) => match word.keyword {
            Keyword::CASE => Step::Opens,
            Keyword::END => Step::Closes,
            Keyword::OR => Step::Operator(Binding::Or),
            Keyword::AND => Step::Operator(Binding::And),
            Keyword::NOT => Step::Operator(Binding::Not),
            Keyword::IS | Keyword::IN | Keyword::LIKE | Keyword::BETWEEN => Step::Operator(Binding::Comparison),
            Keyword::AT => Step::Operator(Binding::Other),
            Keyword::JOIN => Step::Operator(Binding::Relation),
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => Step::Operator(Binding::Query),
            Keyword::FROM => Step::Clause(true),
            Keyword::SELECT | Keyword::WHERE | Keyword::GROUP | Keyword::HAVING | Keyword::ORDER | Keyword::LIMIT => {
                Step::Clause(false)
            }
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE | Keyword::ON => Step::Part,
            _ => Step::Other,
        },
        _ => Step::Other,
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::parse::{parse_expression, parse_one};

    fn refused(text: &str) -> Option<String> {
        parse_one(text).err().map(|error| format!("{} {error}", error.name()))
    }

    fn chain(term: &str, operator: &str, terms: usize) -> String {
        format!("SELECT {} FROM t", vec![term; terms].join(operator))
    }

    #[test]
    fn chains_are_refused_above_the_limit_whatever_their_length() {
        let expected = "the statement is deeper than 1000 levels: each operator of a chain such as `a + b + c` is one, with all before \
                        it as its left side";
        for operator in ["+", "-", " || ", " and ", " or ", " * ", " = 1 and ", " at time zone "] {
            for terms in [1_100, 2_100, 100_000] {
                let found = refused(&chain("a", operator, terms)).unwrap_or_default();
                assert!(found.starts_with("STACK_OVERFLOW line 1:") && found.ends_with(expected), "{operator} {found}");
            }
            if !operator.contains("at") && operator != " = 1 and " {
                assert_eq!(refused(&chain("a", operator, 1_000)), None, "{operator}");
            }
        }
        assert_eq!(refused(&chain("a = 1", " or ", 900)), None, "each side is one level deeper, no more");
        assert_eq!(refused(&chain("a * b", " + ", 900)), None);
        assert!(refused(&chain("(a + b)", " + ", 1_001)).is_some());
        assert!(parse_expression(&vec!["a"; 3_000].join("+")).is_err());
        for (what, separator) in
            [("relations", ", t "), ("joins", " cross join t "), ("queries", " union select 1 from t ")]
        {
            let text = format!("select 1 from t {}", separator.repeat(1_100));
            assert!(refused(&text).is_some_and(|found| found.starts_with("STACK_OVERFLOW")), "{what}");
        }
    }

    #[test]
    fn many_sets_are_refused_only_when_they_are_mixed() {
        let sets = |operator: &str, terms: usize| vec!["SELECT 1"; terms].join(operator);
        assert_eq!(refused(&sets(" INTERSECT ", 200)), None);
        assert_eq!(refused(&sets(" EXCEPT ", 200)), None);
        assert_eq!(refused(&sets(" EXCEPT SELECT 2 INTERSECT ", 31)), None);
        let found = refused(&sets(" EXCEPT SELECT 2 INTERSECT ", 32)).unwrap_or_default();
        assert!(found.starts_with("UNSUPPORTED_BY_EMBEDDED_ENGINE line 1:"), "{found}");
        assert!(
            found.ends_with("not supported yet: more than 60 INTERSECT and EXCEPT in a statement that has both"),
            "{found}"
        );
    }

    #[test]
    fn brackets_are_refused_before_they_are_parsed() {
        for (open, close) in [("array[", "]"), ("(", ")"), ("abs(", ")"), ("case when true then ", " end")] {
            for depth in [300, 3_000] {
                let found = refused(&format!("SELECT {}1{}", open.repeat(depth), close.repeat(depth)));
                assert!(
                    found
                        .as_ref()
                        .is_some_and(|found| found.starts_with("STACK_OVERFLOW")
                            && found.ends_with("nested deeper than 200 levels")),
                    "{open} {found:?}"
                );
            }
            assert_eq!(refused(&format!("SELECT {}1{}", open.repeat(40), close.repeat(40))), None, "{open}");
        }
        // Chains in brackets add up.
        let inner = vec!["1"; 90].join("+");
        let text = (0..12).fold(String::from("1"), |text, _| format!("{inner}+({text})"));
        assert!(refused(&format!("SELECT {text}")).is_some_and(|found| found.starts_with("STACK_OVERFLOW")));
    }

    #[test]
    fn what_is_long_and_not_deep_is_read() {
        let many = |part: &str| vec![part; 3_000].join(",");
        for text in [
            format!("SELECT {} FROM t", many("a + 1")),
            format!("SELECT {} FROM t", many("a IS DISTINCT FROM b")),
            format!("VALUES {}", many("(1 + 2, -3)")),
            format!("SELECT a IN ({}) FROM t", many("1")),
            format!("SELECT case {} else a + 1 end FROM t", "when a = 1 and b < 2 then c - 1 ".repeat(1_500)),
        ] {
            assert_eq!(refused(&text), None);
        }
    }
}
