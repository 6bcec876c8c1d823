//! Signatures of the function table, `(array(E), bigint) -> E`, and fitting them to arguments.
//!
//! A word of one capital letter (with digits) stands for any type; a small word in the place of a number, `varchar(x)`,
//! for the argument's; `any` for every type; `T...` for any count, from none.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sql::coerce::{can_coerce, common_super_type};
use crate::sql::types::Type;

/// A parsed signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    parameters: Vec<Parameter>,
    /// The last parameter may come any number of times.
    repeats: bool,
    returns: Parameter,
}

/// A type with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Parameter {
    /// No holes.
    Type(Type),
    /// `T`
    Variable(String),
    /// `varchar(x)`, `char(x)`, `timestamp(p)`, …: the kind, and the hole's name.
    Sized(Kind, String),
    /// `decimal(p,s)`; both holes together are one name.
    Decimal(String),
    /// `array(E)`
    Array(Box<Self>),
    /// `map(K,V)`
    Map(Box<Self>, Box<Self>),
    /// `row(K,V)`
    Row(Vec<Self>),
    /// `any`: whatever is given, each of its own type.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Varchar,
    Char,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
}

/// What the holes are filled with.
#[derive(Debug, Default)]
struct Bindings {
    types: HashMap<String, Type>,
    sizes: HashMap<String, Type>,
}

impl Signature {
    /// Reads a signature.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (parameters, returns) = text.split_once("->").ok_or("no `->`")?;
        let inner = parameters
            .trim()
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or("no parentheses around the parameters")?;
        let mut parts: Vec<&str> = split_top(inner);
        let repeats = parts.last().is_some_and(|last| last.ends_with("..."));
        if let Some(last) = parts.last_mut() {
            *last = last.trim_end_matches("...").trim();
        }
        Ok(Self {
            parameters: parts.into_iter().map(Parameter::parse).collect::<Result<_, _>>()?,
            repeats,
            returns: Parameter::parse(returns.trim())?,
        })
    }

    /// Tells whether it has type variables.
    pub(super) fn is_generic(&self) -> bool {
        self.parameters.iter().any(Parameter::has_variable)
    }

    /// Fits it to arguments: the types they are to be converted to, and the result's type where the signature tells it.
    pub(super) fn bind(&self, arguments: &[Type]) -> Option<(Vec<Type>, Option<Type>)> {
        let fixed = self.parameters.len() - usize::from(self.repeats);
        if arguments.len() < fixed || (!self.repeats && arguments.len() > fixed) {
            return None;
        }
        let parameter = |place: usize| self.parameters.get(place).or(self.parameters.last());
        let mut bindings = Bindings::default();
        for (place, argument) in arguments.iter().enumerate() {
            parameter(place)?.unify(argument, &mut bindings)?;
        }
        let mut bound = Vec::with_capacity(arguments.len());
        for (place, argument) in arguments.iter().enumerate() {
            let wanted = parameter(place)?.fill(&bindings, argument)?;
            if !can_coerce(argument, &wanted) {
                return None;
            }
            bound.push(wanted);
        }
        Some((bound, self.returns.fill(&bindings, &Type::Unknown)))
    }
}

impl Parameter {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "any" {
            return Ok(Self::Any);
        }
        if is_variable(text) {
            return Ok(Self::Variable(text.to_owned()));
        }
        if let Some(inner) = argument_of(text, "array") {
            return Ok(match Self::parse(inner)? {
                Self::Type(element) => Self::Type(Type::Array(Arc::new(element))),
                element => Self::Array(Box::new(element)),
            });
        }
        if let Some(inner) = argument_of(text, "map") {
            return match split_top(inner).as_slice() {
                [key, value] => Ok(match (Self::parse(key)?, Self::parse(value)?) {
                    (Self::Type(key), Self::Type(value)) => Self::Type(Type::Map(Arc::new(key), Arc::new(value))),
                    (key, value) => Self::Map(Box::new(key), Box::new(value)),
                }),
                _ => Err(format!("`{text}` wants two types")),
            };
        }
        if let Some(inner) = argument_of(text, "row") {
            if let Ok(parsed) = Type::from_trino(text)
                && !split_top(inner).iter().any(|field| is_variable(field.trim()))
            {
                return Ok(Self::Type(parsed));
            }
            return Ok(Self::Row(split_top(inner).into_iter().map(Self::parse).collect::<Result<_, _>>()?));
        }
        let (base, zoned) = match text.strip_suffix("with time zone") {
            Some(base) => (base.trim(), true),
            None => (text, false),
        };
        for (name, kind) in [
            ("varchar", Kind::Varchar),
            ("char", Kind::Char),
            ("timestamp", if zoned { Kind::TimestampTz } else { Kind::Timestamp }),
            ("time", if zoned { Kind::TimeTz } else { Kind::Time }),
        ] {
            if let Some(hole) = argument_of(base, name).filter(|hole| is_hole(hole)) {
                return Ok(Self::Sized(kind, hole.to_owned()));
            }
        }
        if let Some(holes) =
            argument_of(text, "decimal").filter(|holes| holes.split(',').all(|hole| is_hole(hole.trim())))
        {
            return Ok(Self::Decimal(holes.chars().filter(|sign| !sign.is_whitespace()).collect()));
        }
        Type::from_trino(text).map(Self::Type).map_err(|error| error.message)
    }

    fn has_variable(&self) -> bool {
        match self {
            Self::Variable(_) => true,
            Self::Array(element) => element.has_variable(),
            Self::Map(key, value) => key.has_variable() || value.has_variable(),
            Self::Row(fields) => fields.iter().any(Self::has_variable),
            Self::Type(_) | Self::Sized(..) | Self::Decimal(_) | Self::Any => false,
        }
    }

    /// Names without a type have that of NULL, until another argument says more.
    fn leave_unknown(&self, bindings: &mut Bindings) {
        match self {
            Self::Variable(name) => {
                bindings.types.entry(name.clone()).or_insert(Type::Unknown);
            }
            Self::Array(element) => element.leave_unknown(bindings),
            Self::Map(key, value) => {
                key.leave_unknown(bindings);
                value.leave_unknown(bindings);
            }
            Self::Row(fields) => fields.iter().for_each(|field| field.leave_unknown(bindings)),
            Self::Type(_) | Self::Sized(..) | Self::Decimal(_) | Self::Any => {}
        }
    }

    /// Fills holes from an argument's type; none when it cannot fit.
    fn unify(&self, argument: &Type, bindings: &mut Bindings) -> Option<()> {
        fn join(known: &mut HashMap<String, Type>, name: &str, found: Type) -> Option<()> {
            let joined = match known.get(name) {
                Some(before) => common_super_type(before, &found)?,
                None => found,
            };
            known.insert(name.to_owned(), joined);
            Some(())
        }
        match (self, argument) {
            (Self::Variable(name), _) => join(&mut bindings.types, name, argument.clone()),
            (Self::Type(_) | Self::Any, _) => Some(()),
            (_, Type::Unknown) => {
                self.leave_unknown(bindings);
                Some(())
            }
            (Self::Array(element), Type::Array(found)) => element.unify(found, bindings),
            (Self::Map(key, value), Type::Map(found_key, found_value)) => {
                key.unify(found_key, bindings)?;
                value.unify(found_value, bindings)
            }
            (Self::Row(fields), Type::Row(found)) if fields.len() == found.len() => {
                fields.iter().zip(found.iter()).try_for_each(|(field, (_, found))| field.unify(found, bindings))
            }
            (Self::Decimal(name), _) => {
                let decimal = match argument {
                    Type::Decimal(..) => argument.clone(),
                    Type::Tinyint => Type::Decimal(3, 0),
                    Type::Smallint => Type::Decimal(5, 0),
                    Type::Integer => Type::Decimal(10, 0),
                    Type::Bigint => Type::Decimal(19, 0),
                    _ => return None,
                };
                join(&mut bindings.sizes, name, decimal)
            }
            (Self::Sized(kind, name), _) => {
                let sized = match (kind, argument) {
                    (Kind::Varchar, Type::Varchar(_))
                    | (Kind::Char, Type::Char(_))
                    | (Kind::Time, Type::Time(_))
                    | (Kind::TimeTz, Type::TimeTz(_))
                    | (Kind::Timestamp, Type::Timestamp(_))
                    | (Kind::TimestampTz, Type::TimestampTz(_)) => argument.clone(),
                    (Kind::Char, Type::Varchar(_)) => common_super_type(&Type::Char(0), argument)?,
                    (Kind::TimeTz, Type::Time(precision)) => Type::TimeTz(*precision),
                    (Kind::Timestamp, Type::Date) => Type::Timestamp(0),
                    (Kind::TimestampTz, Type::Date) => Type::TimestampTz(0),
                    (Kind::TimestampTz, Type::Timestamp(precision)) => Type::TimestampTz(*precision),
                    _ => return None,
                };
                // The same hole may stand in types of two kinds; each kind has its own.
                join(&mut bindings.sizes, &format!("{kind:?} {name}"), sized)
            }
            _ => None,
        }
    }

    /// Returns the type with the holes filled.
    fn fill(&self, bindings: &Bindings, argument: &Type) -> Option<Type> {
        Some(match self {
            Self::Type(concrete) => concrete.clone(),
            Self::Any => argument.clone(),
            Self::Variable(name) => bindings.types.get(name)?.clone(),
            Self::Array(element) => {
                Type::Array(Arc::new(element.fill(bindings, &Type::Unknown).or_else(|| unknown(argument))?))
            }
            Self::Map(key, value) => Type::Map(
                Arc::new(key.fill(bindings, &Type::Unknown).or_else(|| unknown(argument))?),
                Arc::new(value.fill(bindings, &Type::Unknown).or_else(|| unknown(argument))?),
            ),
            Self::Row(fields) => Type::Row(
                fields
                    .iter()
                    .map(|field| Some((None, field.fill(bindings, &Type::Unknown)?)))
                    .collect::<Option<_>>()?,
            ),
            // A lone NULL is as narrow as its type can be.
            Self::Decimal(name) => bindings.sizes.get(name).cloned().unwrap_or(Type::Decimal(1, 0)),
            Self::Sized(kind, name) => match bindings.sizes.get(&format!("{kind:?} {name}")) {
                Some(sized) => sized.clone(),
                None => bindings
                    .sizes
                    .iter()
                    .find(|(key, _)| key.split(' ').nth(1) == Some(name))
                    .and_then(|(_, other)| resized(*kind, other))
                    .unwrap_or(match kind {
                        Kind::Varchar => Type::Varchar(Some(0)),
                        Kind::Char => Type::Char(0),
                        Kind::Time => Type::Time(3),
                        Kind::TimeTz => Type::TimeTz(3),
                        Kind::Timestamp => Type::Timestamp(3),
                        Kind::TimestampTz => Type::TimestampTz(3),
                    }),
            },
        })
    }
}

/// The element of an array that is NULL itself.
fn unknown(argument: &Type) -> Option<Type> {
    (*argument == Type::Unknown).then_some(Type::Unknown)
}

/// Carries a size from one kind to another: `(char(x)) -> varchar(x)`.
fn resized(kind: Kind, from: &Type) -> Option<Type> {
    let length = match from {
        Type::Varchar(length) => *length,
        Type::Char(length) => Some(*length),
        Type::Time(precision) | Type::TimeTz(precision) | Type::Timestamp(precision) | Type::TimestampTz(precision) => {
            Some(u32::from(*precision))
        }
        _ => return None,
    };
    let precision = || u8::try_from(length?).ok();
    Some(match kind {
        Kind::Varchar => Type::Varchar(length),
        Kind::Char => Type::Char(length?),
        Kind::Time => Type::Time(precision()?),
        Kind::TimeTz => Type::TimeTz(precision()?),
        Kind::Timestamp => Type::Timestamp(precision()?),
        Kind::TimestampTz => Type::TimestampTz(precision()?),
    })
}

/// `T`, `E`, `K1`
fn is_variable(text: &str) -> bool {
    let mut signs = text.chars();
    signs.next().is_some_and(|first| first.is_ascii_uppercase()) && signs.all(|sign| sign.is_ascii_digit())
}

/// `x`, `p`
fn is_hole(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|sign| sign.is_ascii_lowercase())
}

/// Returns what stands in `name(…)`.
fn argument_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')').map(str::trim)
}

/// Splits at the commas outside of parentheses.
fn split_top(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (place, sign) in text.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..place].trim());
                start = place + 1;
            }
            _ => {}
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}
