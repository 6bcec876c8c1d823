//! Reads tokens one after another: what parsers of statements share.

use indexmap::IndexMap;

use super::token::{Kind, Texts, Token, hive_text, tokenize, unquoted};
use super::{Name, SyntaxError};

/// The tokens of a statement and how far they are read.
#[derive(Debug, Clone)]
pub(super) struct Reader<'s> {
    sql: &'s str,
    tokens: Vec<Token>,
    at: usize,
    texts: Texts,
}

impl<'s> Reader<'s> {
    /// Reads a statement; a `;` at its end is passed over.
    pub(super) fn new(sql: &'s str, texts: Texts) -> Result<Self, SyntaxError> {
        let mut tokens = tokenize(sql, texts)?;
        while tokens.last().is_some_and(|token| token.kind == Kind::Sign(';')) {
            tokens.pop();
        }
        Ok(Self { sql, tokens, at: 0, texts })
    }

    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn text_of(&self, token: &Token) -> &'s str {
        self.sql.get(token.start..token.end).unwrap_or_default()
    }

    /// Tells whether all is read.
    pub(super) fn is_at_end(&self) -> bool {
        self.token(0).is_none()
    }

    /// Tells whether a token ahead is this word.
    pub(super) fn is_word(&self, ahead: usize, word: &str) -> bool {
        self.token(ahead)
            .is_some_and(|token| token.kind == Kind::Word && self.text_of(token).eq_ignore_ascii_case(word))
    }

    /// Tells whether a token ahead is this sign.
    pub(super) fn is_sign(&self, ahead: usize, sign: char) -> bool {
        self.token(ahead).is_some_and(|token| token.kind == Kind::Sign(sign))
    }

    /// Returns the next token's text, if it is a word.
    pub(super) fn next_word(&self) -> Option<&'s str> {
        self.token(0).filter(|token| token.kind == Kind::Word).map(|token| self.text_of(token))
    }

    /// Takes these words if all of them come next.
    pub(super) fn take_words(&mut self, words: &[&str]) -> bool {
        let all = words.iter().enumerate().all(|(ahead, word)| self.is_word(ahead, word));
        if all {
            self.at += words.len();
        }
        all
    }

    /// Takes a word if it comes next.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        self.take_words(&[word])
    }

    /// Takes the first of these words that comes next.
    pub(super) fn take_one_of(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.take_word(word))
    }

    /// Takes a sign if it comes next.
    pub(super) fn take_sign(&mut self, sign: char) -> bool {
        let next = self.is_sign(0, sign);
        if next {
            self.at += 1;
        }
        next
    }

    /// Takes words that must come next.
    pub(super) fn expect_words(&mut self, words: &[&str]) -> Result<(), SyntaxError> {
        if self.take_words(words) { Ok(()) } else { Err(self.expected(&format!("`{}`", words.join(" ")))) }
    }

    /// Takes a sign that must come next.
    pub(super) fn expect_sign(&mut self, sign: char) -> Result<(), SyntaxError> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    /// Says that all must be read.
    pub(super) fn expect_end(&self) -> Result<(), SyntaxError> {
        if self.is_at_end() { Ok(()) } else { Err(self.expected("the end of the statement")) }
    }

    /// Makes the error of the next token.
    pub(super) fn expected(&self, what: &str) -> SyntaxError {
        match self.token(0) {
            Some(token) => SyntaxError::at(
                self.sql,
                token.start,
                &format!("mismatched input '{}'. Expecting: {what}", self.text_of(token)),
            ),
            None => SyntaxError::at(self.sql, self.sql.len(), &format!("mismatched input '<EOF>'. Expecting: {what}")),
        }
    }

    /// Takes a name, in quotes or without them; names are lower case.
    pub(super) fn identifier(&mut self, what: &str) -> Result<String, SyntaxError> {
        let Some(token) = self.token(0).copied() else { return Err(self.expected(what)) };
        let text = self.text_of(&token);
        let name = match token.kind {
            Kind::Word => text.to_owned(),
            Kind::Backticks | Kind::DoubleQuotes => unquoted(text),
            Kind::Text | Kind::Sign(_) => return Err(self.expected(what)),
        };
        self.at += 1;
        Ok(name.to_lowercase())
    }

    /// Takes `table`, `database.table` or `catalog.database.table`.
    pub(super) fn name(&mut self, what: &str) -> Result<Name, SyntaxError> {
        let mut parts = vec![self.identifier(what)?];
        while self.take_sign('.') {
            parts.push(self.identifier(what)?);
        }
        // Hive also takes `database.table` in one pair of backticks.
        if let [whole] = parts.as_slice()
            && self.texts == Texts::Hive
            && let Some((database, table)) = whole.split_once('.')
        {
            parts = vec![database.to_owned(), table.to_owned()];
        }
        let mut parts = parts.into_iter().rev();
        let table = parts.next().unwrap_or_default();
        let (database, catalog) = (parts.next(), parts.next());
        if parts.next().is_some() || catalog.as_deref().is_some_and(|catalog| catalog != "awsdatacatalog") {
            return Err(self.expected("a name of the catalog `awsdatacatalog`"));
        }
        Ok(Name { database, table })
    }

    /// Takes a text in quotes.
    pub(super) fn text(&mut self, what: &str) -> Result<String, SyntaxError> {
        let Some(token) = self.token(0).copied() else { return Err(self.expected(what)) };
        let text = match (token.kind, self.texts) {
            (Kind::Text | Kind::DoubleQuotes, Texts::Hive) => hive_text(self.text_of(&token)),
            (Kind::Text, Texts::Trino) => unquoted(self.text_of(&token)),
            _ => return Err(self.expected(what)),
        };
        self.at += 1;
        Ok(text)
    }

    /// Takes a text in quotes, or a number or word as it stands.
    pub(super) fn scalar(&mut self, what: &str) -> Result<String, SyntaxError> {
        let negative = self.take_sign('-');
        let Some(token) = self.token(0).copied() else { return Err(self.expected(what)) };
        if token.kind != Kind::Word {
            return self.text(what);
        }
        let start = token.start;
        let mut end = token.end;
        self.at += 1;
        // `1.5` is three tokens.
        while let (Some(point), Some(digits)) = (self.token(0), self.token(1))
            && point.kind == Kind::Sign('.')
            && point.start == end
            && digits.start == point.end
        {
            end = digits.end;
            self.at += 2;
        }
        let text = self.sql.get(start..end).unwrap_or_default();
        Ok(if negative { format!("-{text}") } else { text.to_owned() })
    }

    /// Takes `('key'='value', …)`.
    pub(super) fn properties(&mut self) -> Result<IndexMap<String, String>, SyntaxError> {
        let mut pairs = IndexMap::new();
        self.expect_sign('(')?;
        while !self.take_sign(')') {
            let key = self.text("the name of a property in quotes")?;
            self.expect_sign('=')?;
            let value = self.scalar("the value of a property in quotes")?;
            pairs.insert(key, value);
            if !self.take_sign(',') && !self.is_sign(0, ')') {
                return Err(self.expected("`,` or `)`"));
            }
        }
        Ok(pairs)
    }

    /// Takes what stands in parentheses, as it is.
    pub(super) fn parenthesised(&mut self) -> Result<&'s str, SyntaxError> {
        let start = self.token(0).map_or(self.sql.len(), |token| token.end);
        self.expect_sign('(')?;
        let mut depth = 1_usize;
        while let Some(token) = self.token(0).copied() {
            self.at += 1;
            match token.kind {
                Kind::Sign('(') => depth += 1,
                Kind::Sign(')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(self.sql.get(start..token.start).unwrap_or_default().trim());
            }
        }
        Err(self.expected("`)`"))
    }

    /// Returns a part of the statement at its place in it: what stands before is blank. So what is wrong with the part is told
    /// at its line and column of the statement, as the service does.
    pub(super) fn in_place(&self, part: &'s str) -> String {
        let start = part.as_ptr().addr().saturating_sub(self.sql.as_ptr().addr());
        let before = self.sql.get(..start).unwrap_or_default();
        let blank = before.chars().map(|character| if character == '\n' { '\n' } else { ' ' });
        blank.chain(part.chars()).collect()
    }

    /// Takes all that is left, as it stands, without a `;` at the end.
    pub(super) fn rest(&mut self) -> &'s str {
        let start = self.token(0).map_or(self.sql.len(), |token| token.start);
        let end = self.tokens.last().map_or(start, |token| token.end);
        self.at = self.tokens.len();
        self.sql.get(start..end).unwrap_or_default()
    }

    /// Takes tokens up to a `,` or `)` that no bracket holds, or up to one of these words; returns them without blanks between
    /// them but for those that part two words.
    pub(super) fn until(&mut self, words: &[&str]) -> String {
        let mut taken = String::new();
        let mut depth = 0_usize;
        let mut after_word = false;
        while let Some(token) = self.token(0).copied() {
            match token.kind {
                Kind::Sign('(' | '<') => depth += 1,
                Kind::Sign(',' | ')') if depth == 0 => break,
                Kind::Sign(')' | '>') => depth = depth.saturating_sub(1),
                Kind::Word if depth == 0 && words.iter().any(|word| self.is_word(0, word)) => break,
                _ => {}
            }
            let word = matches!(token.kind, Kind::Word | Kind::Backticks);
            if word && after_word {
                taken.push(' ');
            }
            after_word = word;
            if token.kind == Kind::Backticks {
                taken.push_str(&unquoted(self.text_of(&token)));
            } else {
                taken.push_str(self.text_of(&token));
            }
            self.at += 1;
        }
        taken
    }

    /// Tells whether the parentheses that come next hold nothing but names: `(a, b)`.
    pub(super) fn holds_names_only(&self) -> bool {
        let mut ahead = 1;
        loop {
            let name = self.token(ahead).is_some_and(|token| !matches!(token.kind, Kind::Text | Kind::Sign(_)));
            if !name {
                return false;
            }
            if self.is_sign(ahead + 1, ')') {
                return true;
            }
            if !self.is_sign(ahead + 1, ',') {
                return false;
            }
            ahead += 2;
        }
    }
}
