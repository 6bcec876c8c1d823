//! The structure of a pattern: alternatives, groups, quantifiers, options, places and back references.

use std::iter::Peekable;
use std::str::Chars;

use super::class::{Escaped, folds_to_several, literal};
use crate::sql::function::EvalError;
use crate::sql::function::kernel::{invalid, unsupported};

/// Options that hold from a place to the end of its group.
#[derive(Clone, Copy, Default)]
pub(super) struct Options {
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
}

/// How deep groups may be nested.
const DEEPEST: usize = 100;

/// What was just translated, as a quantifier sees it.
pub(super) struct Atom {
    /// Whether it may match nothing.
    nullable: bool,
    /// Whether it may be repeated.
    repeatable: bool,
}

pub(super) const CHARACTER: Atom = Atom { nullable: false, repeatable: true };
const PLACE: Atom = Atom { nullable: true, repeatable: false };

/// Reads a pattern and writes its translation.
pub(super) struct Translator<'a> {
    pub(super) rest: Peekable<Chars<'a>>,
    pub(super) segments: Vec<String>,
    options: Options,
    pub(super) groups: usize,
    pub(super) names: Vec<(String, usize)>,
    look_behind: bool,
    pub(super) needs_backtracking: bool,
    pub(super) ignores_case: bool,
    pub(super) has_line_start: bool,
    pub(super) has_boundary: bool,
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

    /// Translates a whole pattern.
    pub(super) fn translate(pattern: &'a str) -> Result<Self, EvalError> {
        let mut translator = Self::new(pattern);
        translator.alternatives(0)?;
        if translator.rest.next().is_some() {
            return Err(invalid("unmatched close parenthesis"));
        }
        Ok(translator)
    }

    /// Writes a part of the translation.
    pub(super) fn write(&mut self, text: &str) {
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
    pub(super) fn take(&mut self, character: char) -> bool {
        self.rest.next_if_eq(&character).is_some()
    }

    /// Takes a text when it comes next.
    pub(super) fn take_all(&mut self, text: &str) -> bool {
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
}
