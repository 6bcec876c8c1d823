//! Reads a condition by descending from `OR` to single comparisons.

use lake::catalog::Column;

use super::lexer::{self, Token};
use super::{Comparison, Condition, Key, Kind, Value};

/// How deep parentheses and `NOT` may be nested.
const MAX_DEPTH: usize = 64;

/// Reads a condition.
pub(super) fn parse(text: &str, keys: &[Column]) -> Result<Condition, String> {
    let mut parser = Parser { tokens: lexer::split(text)?, at: 0, keys, depth: 0 };
    let condition = parser.any()?;
    match parser.peek() {
        None => Ok(condition),
        Some(token) => Err(format!("expected `AND`, `OR` or the end, found {token}")),
    }
}

struct Parser<'k> {
    tokens: Vec<Token>,
    at: usize,
    keys: &'k [Column],
    depth: usize,
}

/// A side of a comparison.
enum Operand {
    Key(Key),
    Literal(Token),
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self, expected: &str) -> Result<Token, String> {
        let token = self.peek().cloned().ok_or_else(|| format!("expected {expected}, found the end"))?;
        self.at += 1;
        Ok(token)
    }

    /// Takes a word of the language when it is next.
    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(text)) if text.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    /// Takes a sign when it is next.
    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(text)) if *text == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&self, found: bool, what: &str) -> Result<(), String> {
        match (found, self.peek()) {
            (true, _) => Ok(()),
            (false, Some(token)) => Err(format!("expected {what}, found {token}")),
            (false, None) => Err(format!("expected {what}, found the end")),
        }
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut conditions = vec![self.all()?];
        while self.word("OR") {
            conditions.push(self.all()?);
        }
        Ok(if conditions.len() == 1 { conditions.remove(0) } else { Condition::Any(conditions) })
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut conditions = vec![self.one()?];
        while self.word("AND") {
            conditions.push(self.one()?);
        }
        Ok(if conditions.len() == 1 { conditions.remove(0) } else { Condition::All(conditions) })
    }

    fn one(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
        let condition = if self.word("NOT") {
            Condition::Not(Box::new(self.one()?))
        } else if self.sign("(") {
            let inner = self.any()?;
            let closed = self.sign(")");
            self.expect(closed, "`)`")?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Condition, String> {
        let key = match self.operand()? {
            Operand::Key(key) => key,
            Operand::Literal(literal) => {
                let comparison = self.operator()?;
                return match self.operand()? {
                    Operand::Key(key) => Ok(Condition::Compare {
                        key,
                        comparison: comparison.turned(),
                        value: self.value(key, literal)?,
                    }),
                    Operand::Literal(_) => Err("expected a partition key on one side of a comparison".to_owned()),
                };
            }
        };
        if self.word("IS") {
            let negated = self.word("NOT");
            let null = self.word("NULL");
            self.expect(null, "`NULL`")?;
            return Ok(negate(Condition::IsNull { key }, negated));
        }
        let negated = self.word("NOT");
        if self.word("IN") {
            let open = self.sign("(");
            self.expect(open, "`(`")?;
            let mut values = Vec::new();
            loop {
                values.push(self.literal(key)?);
                if !self.sign(",") {
                    break;
                }
            }
            let closed = self.sign(")");
            self.expect(closed, "`,` or `)`")?;
            return Ok(negate(Condition::In { key, values }, negated));
        }
        if self.word("BETWEEN") {
            let from = self.literal(key)?;
            let and = self.word("AND");
            self.expect(and, "`AND`")?;
            let to = self.literal(key)?;
            return Ok(negate(Condition::Between { key, from, to }, negated));
        }
        if self.word("LIKE") {
            let Token::Text(pattern) = self.next("a pattern in quotes")? else {
                return Err("expected a pattern in quotes after `LIKE`".to_owned());
            };
            return Ok(negate(Condition::Like { key, pattern: pattern.chars().collect() }, negated));
        }
        if negated {
            self.expect(false, "`IN`, `BETWEEN` or `LIKE` after `NOT`")?;
        }
        let comparison = self.operator()?;
        Ok(Condition::Compare { key, comparison, value: self.literal(key)? })
    }

    fn operator(&mut self) -> Result<Comparison, String> {
        match self.next("a comparison")? {
            Token::Sign("=") => Ok(Comparison::Equal),
            Token::Sign("<>" | "!=") => Ok(Comparison::NotEqual),
            Token::Sign("<") => Ok(Comparison::Less),
            Token::Sign("<=") => Ok(Comparison::LessOrEqual),
            Token::Sign(">") => Ok(Comparison::Greater),
            Token::Sign(">=") => Ok(Comparison::GreaterOrEqual),
            token => Err(format!("expected a comparison, found {token}")),
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.next("a partition key")? {
            // `DATE '2026-01-02'`, as SQL writes it.
            Token::Word(word)
                if matches!(word.to_ascii_lowercase().as_str(), "date" | "timestamp")
                    && matches!(self.peek(), Some(Token::Text(_))) =>
            {
                Ok(Operand::Literal(self.next("a text")?))
            }
            Token::Word(name) | Token::Name(name) => self.key(&name).map(Operand::Key),
            literal @ (Token::Text(_) | Token::Number(_)) => Ok(Operand::Literal(literal)),
            token @ Token::Sign(_) => Err(format!("expected a partition key, found {token}")),
        }
    }

    fn key(&self, name: &str) -> Result<Key, String> {
        let index = self.keys.iter().position(|key| key.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let known: Vec<String> = self.keys.iter().map(|key| format!("`{}`", key.name)).collect();
            format!("`{name}` is not a partition key; there are: {}", known.join(", "))
        })?;
        Ok(Key { index, kind: self.keys.get(index).map_or(Kind::Text, |key| Kind::of(&key.hive_type)) })
    }

    fn literal(&mut self, key: Key) -> Result<Value, String> {
        match self.operand()? {
            Operand::Literal(literal) => self.value(key, literal),
            Operand::Key(_) => Err("expected a value, found a partition key".to_owned()),
        }
    }

    fn value(&self, key: Key, literal: Token) -> Result<Value, String> {
        let (Token::Text(text) | Token::Number(text)) = literal else { return Err("expected a value".to_owned()) };
        key.kind.read(&text).ok_or_else(|| {
            let name = self.keys.get(key.index).map_or("", |key| key.name.as_str());
            format!("expected {} for the key `{name}`, found `{text}`", key.kind.name())
        })
    }
}

fn negate(condition: Condition, negated: bool) -> Condition {
    if negated { Condition::Not(Box::new(condition)) } else { condition }
}
