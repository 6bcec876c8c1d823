//! Patterns of Trino's regular expressions (Joni with Java's syntax), translated for the engines at hand.
//!
//! What the engines would read in another way is refused, not approximated: set operations in classes, stacked
//! quantifiers, repeated groups that may match nothing, `(?x)`, and escapes that are not listed here. `\d`, `\w` and `\s`
//! are ASCII, `\b`, properties and bracket classes Unicode, `$` also stands before a last line end.

use std::cell::OnceCell;
use std::iter::Peekable;
use std::str::Chars;

use super::EvalError;
use super::kernel::{invalid, unsupported};

/// Where a match or a group of it is, in bytes.
pub(super) type Span = (usize, usize);

/// A pattern ready to match.
pub(super) struct Pattern {
    /// The translation, divided at each `$`.
    segments: Vec<String>,
    needs_backtracking: bool,
    /// For texts that do not end in a line end, where `$` is the end.
    engine: Engine,
    /// For the others; made when one comes.
    before_line_end: OnceCell<Engine>,
    /// How many groups it captures.
    pub(super) groups: usize,
    names: Vec<(String, usize)>,
    ignores_case: bool,
    has_line_start: bool,
    has_boundary: bool,
}

/// What runs a translated pattern.
enum Engine {
    /// In linear time.
    Linear(regex::Regex),
    /// By backtracking: look-around, back references, possessive quantifiers.
    Backtracking(Box<fancy_regex::Regex>),
}

/// The end of a text where it has no line end.
const END: &str = r"\z";
/// The end of a text, or the place before its last line end.
const END_OR_BEFORE_LINE_END: &str = r"(?=\n?\z)";

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// `INVALID_FUNCTION_ARGUMENT` for what Trino refuses, `NOT_SUPPORTED` for what is not translated.
    pub(super) fn new(pattern: &str) -> Result<Self, EvalError> {
        let mut translator = Translator::new(pattern);
        translator.alternatives(0)?;
        if translator.rest.next().is_some() {
            return Err(invalid("unmatched close parenthesis"));
        }
        let engine = Engine::new(&translator.segments.join(END), translator.needs_backtracking)?;
        Ok(Self {
            engine,
            before_line_end: OnceCell::new(),
            groups: translator.groups,
            names: translator.names,
            ignores_case: translator.ignores_case,
            has_line_start: translator.has_line_start,
            has_boundary: translator.has_boundary,
            needs_backtracking: translator.needs_backtracking,
            segments: translator.segments,
        })
    }

    /// The number of a named group.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, group)| *group)
    }

    /// What matches a text.
    pub(super) fn matcher<'a>(&'a self, text: &'a str) -> Result<Matcher<'a>, EvalError> {
        if !text.is_ascii() {
            if self.ignores_case && text.chars().any(folds_to_several) {
                return Err(unsupported("matching without case a text with characters that fold to several"));
            }
            if self.has_boundary && text.contains(['\u{200c}', '\u{200d}']) {
                return Err(unsupported("word boundaries in a text with joiners"));
            }
        }
        let mut engine = &self.engine;
        if text.ends_with('\n') {
            if self.has_line_start {
                return Err(unsupported("(?m)^ on a text that ends in a line end"));
            }
            if self.segments.len() > 1 {
                engine = if let Some(engine) = self.before_line_end.get() {
                    engine
                } else {
                    let made = Engine::new(&self.segments.join(END_OR_BEFORE_LINE_END), true)?;
                    self.before_line_end.get_or_init(|| made)
                };
            }
        }
        Ok(Matcher { engine, text, groups: self.groups })
    }

    /// Whether it needs more than linear time.
    #[cfg(test)]
    pub(super) fn needs_backtracking(&self) -> bool {
        self.needs_backtracking
    }
}

/// Tells whether the case folding of a character is several characters, which matters only to an engine that folds so.
fn folds_to_several(character: char) -> bool {
    matches!(character,
        '\u{df}' | '\u{130}' | '\u{149}' | '\u{1f0}' | '\u{390}' | '\u{3b0}' | '\u{587}' | '\u{1e96}'..='\u{1e9e}'
        | '\u{1f50}'..='\u{1ffc}' | '\u{fb00}'..='\u{fb17}')
}

impl Engine {
    fn new(pattern: &str, backtracking: bool) -> Result<Self, EvalError> {
        let refused =
            |error: &dyn std::fmt::Display| unsupported(format!("this regular expression is not supported: {error}"));
        if backtracking {
            let engine = fancy_regex::Regex::new(pattern).map_err(|error| refused(&error))?;
            Ok(Self::Backtracking(Box::new(engine)))
        } else {
            Ok(Self::Linear(regex::Regex::new(pattern).map_err(|error| refused(&error))?))
        }
    }
}

/// The engine took too many steps.
fn too_many_steps(error: &fancy_regex::Error) -> EvalError {
    unsupported(format!("this regular expression takes too many steps: {error}"))
}

/// A pattern on a text.
pub(super) struct Matcher<'a> {
    engine: &'a Engine,
    text: &'a str,
    groups: usize,
}

impl Matcher<'_> {
    /// Whether the pattern is found anywhere.
    pub(super) fn is_match(&self) -> Result<bool, EvalError> {
        match self.engine {
            Engine::Linear(engine) => Ok(engine.is_match(self.text)),
            Engine::Backtracking(engine) => engine.is_match(self.text).map_err(|error| too_many_steps(&error)),
        }
    }

    /// The first match at or after a place.
    fn find(&self, at: usize) -> Result<Option<Span>, EvalError> {
        Ok(match self.engine {
            Engine::Linear(engine) => engine.find_at(self.text, at).map(|found| (found.start(), found.end())),
            Engine::Backtracking(engine) => engine
                .find_from_pos(self.text, at)
                .map_err(|error| too_many_steps(&error))?
                .map(|found| (found.start(), found.end())),
        })
    }

    /// The first match at or after a place, with its groups: the whole match first.
    pub(super) fn captures(&self, at: usize) -> Result<Option<Vec<Option<Span>>>, EvalError> {
        Ok(match self.engine {
            Engine::Linear(engine) => engine.captures_at(self.text, at).map(|found| {
                (0..=self.groups).map(|group| found.get(group).map(|part| (part.start(), part.end()))).collect()
            }),
            Engine::Backtracking(engine) => {
                engine.captures_from_pos(self.text, at).map_err(|error| too_many_steps(&error))?.map(|found| {
                    (0..=self.groups).map(|group| found.get(group).map(|part| (part.start(), part.end()))).collect()
                })
            }
        })
    }

    /// Where to search on after a match: behind it, and behind the next character too when it was empty.
    fn next(&self, (start, end): Span) -> usize {
        if start < end { end } else { end + self.text[end..].chars().next().map_or(1, char::len_utf8) }
    }

    /// Calls something with every match from a place on, until it says no.
    pub(super) fn each_match(
        &self,
        from: usize,
        mut visit: impl FnMut(Span) -> Result<bool, EvalError>,
    ) -> Result<(), EvalError> {
        let mut at = from;
        while at <= self.text.len() {
            let Some(found) = self.find(at)? else { break };
            if !visit(found)? {
                break;
            }
            at = self.next(found);
        }
        Ok(())
    }

    /// Calls something with the groups of every match.
    pub(super) fn each_captures(
        &self,
        mut visit: impl FnMut(&[Option<Span>]) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let mut at = 0;
        while at <= self.text.len() {
            let Some(groups) = self.captures(at)? else { break };
            visit(&groups)?;
            let Some(Some(whole)) = groups.first() else { break };
            at = self.next(*whole);
        }
        Ok(())
    }
}

/// Options that hold from a place to the end of its group.
#[derive(Clone, Copy, Default)]
struct Options {
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
}

/// How deep groups may be nested.
const DEEPEST: usize = 100;

/// What was just translated, as a quantifier sees it.
struct Atom {
    /// Whether it may match nothing.
    nullable: bool,
    /// Whether it may be repeated.
    repeatable: bool,
}

const CHARACTER: Atom = Atom { nullable: false, repeatable: true };
const PLACE: Atom = Atom { nullable: true, repeatable: false };

/// Reads a pattern and writes its translation.
struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    segments: Vec<String>,
    options: Options,
    groups: usize,
    names: Vec<(String, usize)>,
    look_behind: bool,
    needs_backtracking: bool,
    ignores_case: bool,
    has_line_start: bool,
    has_boundary: bool,
}

impl<'a> Translator<'a> {
    fn new(pattern: &'a str) -> Self {
        Self {
            rest: pattern.chars().peekable(),
            segments: vec![String::new()],
            options: Options::default(),
            groups: 0,
            names: Vec::new(),
            look_behind: false,
            needs_backtracking: false,
            ignores_case: false,
            has_line_start: false,
            has_boundary: false,
        }
    }

    fn write(&mut self, text: &str) {
        if let Some(segment) = self.segments.last_mut() {
            segment.push_str(text);
        }
    }

    /// Writes a character that stands for itself.
    fn write_literal(&mut self, character: char) -> Result<(), EvalError> {
        if self.ignores_case && folds_to_several(character) {
            return Err(unsupported("matching without case characters that fold to several"));
        }
        self.write(&literal(character));
        Ok(())
    }

    /// Takes a character when it comes next.
    fn take(&mut self, character: char) -> bool {
        self.rest.next_if_eq(&character).is_some()
    }

    /// Takes a text when it comes next.
    fn take_all(&mut self, text: &str) -> bool {
        let mut ahead = self.rest.clone();
        if text.chars().all(|character| ahead.next() == Some(character)) {
            self.rest = ahead;
            return true;
        }
        false
    }

    /// Translates to the end of a group, and tells whether it may match nothing.
    fn alternatives(&mut self, depth: usize) -> Result<bool, EvalError> {
        if depth > DEEPEST {
            return Err(unsupported("a regular expression with groups so deep"));
        }
        let options = self.options;
        let mut nullable = false;
        let mut options_within = false;
        loop {
            let (empty, within) = self.sequence(depth)?;
            nullable |= empty;
            options_within |= within;
            if !self.take('|') {
                break;
            }
            if options_within {
                return Err(unsupported("options in the middle of a regular expression with alternatives"));
            }
            self.write("|");
        }
        self.options = options;
        Ok(nullable)
    }

    /// Translates one alternative; tells whether it may match nothing, and whether options are set within it.
    fn sequence(&mut self, depth: usize) -> Result<(bool, bool), EvalError> {
        let mut nullable = true;
        let mut options_within = false;
        let mut is_first = true;
        while let Some(next) = self.rest.next_if(|next| *next != '|' && *next != ')') {
            let groups = self.groups;
            let atom = match next {
                '(' => {
                    if let Some(atom) = self.group(depth)? {
                        atom
                    } else {
                        options_within |= !is_first;
                        continue;
                    }
                }
                '[' => self.class()?,
                '\\' => self.escape()?,
                '.' => {
                    self.write(if self.options.dot_all { "(?s:.)" } else { "." });
                    CHARACTER
                }
                '^' if self.options.multi_line => {
                    self.has_line_start = true;
                    self.write("(?m:^)");
                    PLACE
                }
                '^' => {
                    self.write(r"\A");
                    PLACE
                }
                '$' if self.options.multi_line => {
                    self.write("(?m:$)");
                    PLACE
                }
                '$' => {
                    self.segments.push(String::new());
                    PLACE
                }
                '*' | '+' | '?' => return Err(invalid("target of repeat operator is not specified")),
                _ => {
                    self.write_literal(next)?;
                    CHARACTER
                }
            };
            is_first = false;
            nullable &= self.quantifier(&atom, self.groups > groups)?;
        }
        Ok((nullable, options_within))
    }

    /// Translates what repeats an atom, if anything does; tells whether all may match nothing.
    fn quantifier(&mut self, atom: &Atom, captures: bool) -> Result<bool, EvalError> {
        let Some((least, most)) = self.repetition()? else { return Ok(atom.nullable) };
        let many = most.is_none_or(|most| most > 1);
        if !atom.repeatable || (many && captures && atom.nullable) {
            return Err(unsupported("repeating what may match nothing in a regular expression"));
        }
        if self.look_behind && most != Some(least) {
            return Err(invalid("invalid pattern in look-behind"));
        }
        match (least, most) {
            (0, None) => self.write("*"),
            (1, None) => self.write("+"),
            (0, Some(1)) => self.write("?"),
            (least, None) => self.write(&format!("{{{least},}}")),
            (least, Some(most)) if least == most => self.write(&format!("{{{least}}}")),
            (least, Some(most)) => self.write(&format!("{{{least},{most}}}")),
        }
        if self.take('?') {
            if most == Some(least) {
                return Err(unsupported("{n}? in a regular expression"));
            }
            self.write("?");
        } else if self.take('+') {
            self.needs_backtracking = true;
            self.write("+");
        }
        if self.rest.peek().is_some_and(|next| matches!(next, '*' | '+' | '?')) || self.repetition()?.is_some() {
            return Err(unsupported("a quantifier after a quantifier in a regular expression"));
        }
        Ok(atom.nullable || least == 0)
    }

    /// Reads `*`, `+`, `?` or `{n,m}`; braces around something else stand for themselves.
    fn repetition(&mut self) -> Result<Option<(u32, Option<u32>)>, EvalError> {
        const MOST: u32 = 100_000;
        match self.rest.peek() {
            Some('*') => {
                self.rest.next();
                return Ok(Some((0, None)));
            }
            Some('+') => {
                self.rest.next();
                return Ok(Some((1, None)));
            }
            Some('?') => {
                self.rest.next();
                return Ok(Some((0, Some(1))));
            }
            Some('{') => {}
            _ => return Ok(None),
        }
        let mut ahead = self.rest.clone();
        ahead.next();
        let mut number = |end: &[char]| {
            let mut digits = String::new();
            loop {
                let next = ahead.next()?;
                if end.contains(&next) {
                    return Some((digits, next));
                }
                digits.push(next.is_ascii_digit().then_some(next)?);
            }
        };
        let Some((least, end)) = number(&[',', '}']).filter(|(digits, _)| !digits.is_empty()) else { return Ok(None) };
        let most = if end == '}' {
            least.clone()
        } else {
            let Some((most, _)) = number(&['}']) else { return Ok(None) };
            most
        };
        self.rest = ahead;
        let read = |digits: &str| {
            digits.parse().ok().filter(|count| *count <= MOST).ok_or_else(|| invalid("too big number for repeat range"))
        };
        let least = read(&least)?;
        let most = if most.is_empty() { None } else { Some(read(&most)?) };
        if most.is_some_and(|most| most < least) {
            return Err(invalid("upper is smaller than lower in repeat range"));
        }
        Ok(Some((least, most)))
    }

    /// Translates a group after its `(`; nothing when it only sets options or is a comment.
    fn group(&mut self, depth: usize) -> Result<Option<Atom>, EvalError> {
        if !self.take('?') {
            self.groups += 1;
            return self.captured("(", depth).map(Some);
        }
        for (start, behind) in [("=", false), ("!", false), ("<=", true), ("<!", true), (">", false)] {
            if self.take_all(start) {
                self.needs_backtracking = true;
                let outer = self.look_behind;
                self.look_behind |= behind;
                let groups = self.groups;
                let nullable = self.enclosed(&format!("(?{start}"), depth)?;
                self.look_behind = outer;
                if behind && self.groups > groups {
                    return Err(unsupported("groups in look-behind in a regular expression"));
                }
                return Ok(Some(if start == ">" { Atom { nullable, repeatable: true } } else { PLACE }));
            }
        }
        if self.take(':') {
            let nullable = self.enclosed("(?:", depth)?;
            return Ok(Some(Atom { nullable, repeatable: true }));
        }
        if self.take('<') {
            let mut name = String::new();
            loop {
                match self.rest.next() {
                    Some('>') => break,
                    Some(next) if next.is_ascii_alphanumeric() || next == '_' => name.push(next),
                    _ => return Err(invalid("invalid group name <>")),
                }
            }
            if !name.starts_with(|first: char| first.is_ascii_alphabetic())
                || self.names.iter().any(|(known, _)| *known == name)
            {
                return Err(unsupported("such a name of a group in a regular expression"));
            }
            self.groups += 1;
            self.names.push((name, self.groups));
            return self.captured("(", depth).map(Some);
        }
        if self.take('#') {
            while self.rest.next().ok_or_else(|| invalid("end pattern in group"))? != ')' {}
            return Ok(None);
        }
        self.options_group(depth)
    }

    /// Translates a group that captures.
    fn captured(&mut self, start: &str, depth: usize) -> Result<Atom, EvalError> {
        let nullable = self.enclosed(start, depth)?;
        Ok(Atom { nullable, repeatable: true })
    }

    /// Translates what stands between parentheses.
    fn enclosed(&mut self, start: &str, depth: usize) -> Result<bool, EvalError> {
        self.write(start);
        let nullable = self.alternatives(depth + 1)?;
        if !self.take(')') {
            return Err(invalid("end pattern with unmatched parenthesis"));
        }
        self.write(")");
        Ok(nullable)
    }

    /// Translates `(?i)` and `(?i:…)`.
    fn options_group(&mut self, depth: usize) -> Result<Option<Atom>, EvalError> {
        let outer = self.options;
        let mut value = true;
        loop {
            match self.rest.next() {
                Some('-') if value => value = false,
                Some('i') => self.options.ignore_case = value,
                Some('m') => self.options.multi_line = value,
                Some('s') => self.options.dot_all = value,
                Some('x') => return Err(unsupported("(?x) in a regular expression")),
                Some(end @ (')' | ':')) => {
                    self.ignores_case |= self.options.ignore_case;
                    let case = if self.options.ignore_case { "i" } else { "-i" };
                    if end == ')' {
                        self.write(&format!("(?{case})"));
                        return Ok(None);
                    }
                    let nullable = self.enclosed(&format!("(?{case}:"), depth)?;
                    self.options = outer;
                    return Ok(Some(Atom { nullable, repeatable: true }));
                }
                Some(_) => return Err(invalid("undefined group option")),
                None => return Err(invalid("end pattern in group")),
            }
        }
    }

    /// Translates an escape after its `\`.
    fn escape(&mut self) -> Result<Atom, EvalError> {
        let Some(next) = self.rest.next() else { return Err(invalid("end pattern at escape")) };
        match next {
            'b' | 'B' => {
                self.has_boundary = true;
                self.write(if next == 'b' { r"\b" } else { r"\B" });
                return Ok(PLACE);
            }
            'A' | 'z' => {
                self.write(if next == 'A' { r"\A" } else { r"\z" });
                return Ok(PLACE);
            }
            'Z' => {
                self.segments.push(String::new());
                return Ok(PLACE);
            }
            'Q' => {
                let mut written = false;
                while !self.take_all(r"\E") {
                    let Some(character) = self.rest.next() else { break };
                    self.write_literal(character)?;
                    written = true;
                }
                return Ok(Atom { nullable: !written, repeatable: false });
            }
            '1'..='9' => {
                let group = next.to_digit(10).and_then(|group| usize::try_from(group).ok()).unwrap_or(usize::MAX);
                if group > self.groups {
                    return Err(invalid("invalid backref number/name"));
                }
                if self.options.ignore_case || self.rest.peek().is_some_and(char::is_ascii_digit) {
                    return Err(unsupported("such a back reference in a regular expression"));
                }
                self.needs_backtracking = true;
                self.write(&format!("(?:\\{group})"));
                return Ok(Atom { nullable: true, repeatable: true });
            }
            _ => {}
        }
        match self.escaped(next)? {
            Escaped::Set(set) => self.write(&set),
            Escaped::Character(character) => self.write_literal(character)?,
        }
        Ok(CHARACTER)
    }

    /// Reads an escape that is a character or a set of them, in a class or outside.
    fn escaped(&mut self, next: char) -> Result<Escaped, EvalError> {
        let set = match next {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            's' => r"[\x09-\x0d\x20]",
            'S' => r"[^\x09-\x0d\x20]",
            'p' | 'P' => return self.property(next == 'P').map(Escaped::Set),
            _ => "",
        };
        if !set.is_empty() {
            return Ok(Escaped::Set(set.to_owned()));
        }
        let character = match next {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            'e' => '\u{1b}',
            'x' if self.take('{') => {
                let mut digits = String::new();
                while let Some(digit) = self.rest.next_if(char::is_ascii_hexdigit) {
                    digits.push(digit);
                }
                if !self.take('}') {
                    return Err(unsupported(r"such a \x{…} in a regular expression"));
                }
                code_point(&digits)?
            }
            'x' => {
                code_point(&self.digits(2)?).ok().filter(char::is_ascii).ok_or_else(|| unsupported(r"bytes by \x"))?
            }
            'u' => code_point(&self.digits(4)?)?,
            _ if next.is_ascii_alphanumeric() => {
                return Err(unsupported(format!("\\{next} in a regular expression is not supported")));
            }
            _ => next,
        };
        Ok(Escaped::Character(character))
    }

    /// Reads so many hexadecimal digits.
    fn digits(&mut self, count: usize) -> Result<String, EvalError> {
        let digits: String = (0..count).map_while(|_| self.rest.next_if(char::is_ascii_hexdigit)).collect();
        if digits.len() == count {
            Ok(digits)
        } else {
            Err(unsupported("too few digits of a code in a regular expression"))
        }
    }

    /// Translates a property after `\p`.
    fn property(&mut self, negated: bool) -> Result<String, EvalError> {
        let mut name = String::new();
        if !self.take('{') {
            return Err(unsupported(r"\p without braces in a regular expression"));
        }
        loop {
            match self.rest.next() {
                Some('}') => break,
                Some(next) => name.push(next),
                None => return Err(invalid(format!("invalid character property name <{name}>"))),
            }
        }
        let property = match name.as_str() {
            "L" | "Lu" | "Ll" | "Lt" | "Lm" | "Lo" | "M" | "Mn" | "Mc" | "Me" | "N" | "Nd" | "Nl" | "No" | "P"
            | "Pc" | "Pd" | "Ps" | "Pe" | "Pi" | "Pf" | "Po" | "S" | "Sm" | "Sc" | "Sk" | "So" | "Z" | "Zs" | "Zl"
            | "Zp" | "Han" | "Hiragana" | "Katakana" | "Latin" | "Cyrillic" | "Greek" | "Arabic" | "Hebrew"
            | "Hangul" | "Thai" => format!(r"\p{{{name}}}"),
            _ => bracket_class(&name.to_ascii_lowercase())
                .filter(|_| name.starts_with(|first: char| first.is_ascii_uppercase()))
                .ok_or_else(|| unsupported(format!("the character property {name} is not supported")))?
                .to_owned(),
        };
        Ok(format!("[{}{property}]", if negated { "^" } else { "" }))
    }

    /// Translates a class after its `[`.
    fn class(&mut self) -> Result<Atom, EvalError> {
        let mut class = String::from(if self.take('^') { "[^" } else { "[" });
        let mut before = Item::Start;
        let mut first = true;
        loop {
            let Some(next) = self.rest.next() else { return Err(invalid("premature end of char-class")) };
            let item = match next {
                ']' if !first => break,
                '[' if self.take(':') => Escaped::Set(self.bracket()?),
                '[' => return Err(unsupported("a class in a class in a regular expression")),
                '&' if self.rest.peek() == Some(&'&') => {
                    return Err(unsupported("&& in a class in a regular expression"));
                }
                '-' if before == Item::Range && self.rest.peek() != Some(&']') => {
                    return Err(unsupported("- after a range in a class in a regular expression"));
                }
                '\\' => {
                    let escaped = self.rest.next().ok_or_else(|| invalid("end pattern at escape"))?;
                    self.escaped(escaped)?
                }
                _ => Escaped::Character(next),
            };
            first = false;
            before = match item {
                Escaped::Set(set) => {
                    class.push_str(&set);
                    Item::Set
                }
                Escaped::Character(start) => self.range(start, &mut class)?,
            };
        }
        class.push(']');
        self.write(&class);
        Ok(CHARACTER)
    }

    /// Translates a character in a class, or a range that it starts.
    fn range(&mut self, start: char, class: &mut String) -> Result<Item, EvalError> {
        if self.ignores_case && folds_to_several(start) {
            return Err(unsupported("matching without case characters that fold to several"));
        }
        class.push_str(&literal(start));
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') || ahead.peek().is_none_or(|next| *next == ']') {
            return Ok(Item::Character);
        }
        self.rest = ahead;
        let end = match self.rest.next() {
            Some('[') => return Err(unsupported("a range that ends in a class in a regular expression")),
            Some('\\') => {
                let escaped = self.rest.next().ok_or_else(|| invalid("end pattern at escape"))?;
                match self.escaped(escaped)? {
                    Escaped::Character(end) => end,
                    Escaped::Set(_) => return Err(unsupported("a range that ends in a set in a regular expression")),
                }
            }
            Some(end) => end,
            None => return Err(invalid("premature end of char-class")),
        };
        if end < start {
            return Err(invalid("empty range in char class"));
        }
        class.push('-');
        class.push_str(&literal(end));
        Ok(Item::Range)
    }

    /// Translates `[:name:]` after its start.
    fn bracket(&mut self) -> Result<String, EvalError> {
        let negated = self.take('^');
        let mut name = String::new();
        while let Some(letter) = self.rest.next_if(char::is_ascii_lowercase) {
            name.push(letter);
        }
        if !self.take_all(":]") {
            return Err(unsupported("a class in a class in a regular expression"));
        }
        let set = bracket_class(&name)
            .ok_or_else(|| unsupported(format!("[:{name}:] in a regular expression is not supported")))?;
        Ok(format!("[{}{set}]", if negated { "^" } else { "" }))
    }
}

/// What stood last in a class.
#[derive(PartialEq, Eq)]
enum Item {
    Start,
    Character,
    Range,
    Set,
}

/// What an escape stands for.
enum Escaped {
    Character(char),
    Set(String),
}

/// The character of a code in hexadecimal digits.
fn code_point(digits: &str) -> Result<char, EvalError> {
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).ok_or_else(|| invalid("invalid code point value"))
}

/// A character that stands for itself, in a class or outside.
fn literal(character: char) -> String {
    if character.is_ascii() && !character.is_ascii_alphanumeric() {
        format!(r"\x{{{:x}}}", u32::from(character))
    } else {
        character.to_string()
    }
}

/// What a bracket class or its property has, to stand in a class.
fn bracket_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "alpha" => r"\p{Alphabetic}",
        "digit" => r"\p{Nd}",
        "alnum" => r"\p{Alphabetic}\p{Nd}",
        "upper" => r"\p{Uppercase}",
        "lower" => r"\p{Lowercase}",
        "space" => r"\p{White_Space}",
        "punct" => r"\p{P}",
        "xdigit" => "0-9A-Fa-f",
        "word" => r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}",
        _ => return None,
    })
}
