//! Implicit conversions: which type stands in for which, and the common type of several.
//!
//! Trino's lattice: integers widen and go to `decimal`, `real`, `double`; `decimal` and `varchar(n)` widen; `varchar` goes
//! to `char`; `date` to `timestamp` to `timestamp with time zone`; `unknown` to anything; arrays, maps and rows element by
//! element. Nothing else is implicit; in particular text is never a number or a date.

use std::sync::Arc;

use super::types::Type;

/// The longest `char`.
const CHAR_LIMIT: u32 = 65_536;

/// Tells whether a value of the first type may stand where the second is wanted.
#[must_use]
pub fn can_coerce(from: &Type, to: &Type) -> bool {
    compatibility(from, to).is_some_and(|both| both.first_is_coercible)
}

/// Returns the narrowest type both go to; none when there is none.
#[must_use]
pub fn common_super_type(first: &Type, second: &Type) -> Option<Type> {
    compatibility(first, second).map(|both| both.common)
}

/// Returns the narrowest type all go to; `unknown` for no types.
#[must_use]
pub fn common_super_type_of<'a>(types: impl IntoIterator<Item = &'a Type>) -> Option<Type> {
    types.into_iter().try_fold(Type::Unknown, |common, next| common_super_type(&common, next))
}

/// How two types go together.
struct Compatibility {
    common: Type,
    /// Whether the first type goes to the second as it stands.
    first_is_coercible: bool,
}

fn compatibility(from: &Type, to: &Type) -> Option<Compatibility> {
    if from == to {
        return Some(Compatibility { common: to.clone(), first_is_coercible: true });
    }
    let widened = |common: Type| {
        let first_is_coercible = common == *to;
        Some(Compatibility { common, first_is_coercible })
    };
    match (from, to) {
        (Type::Unknown, _) => Some(Compatibility { common: to.clone(), first_is_coercible: true }),
        (_, Type::Unknown) => Some(Compatibility { common: from.clone(), first_is_coercible: false }),
        (Type::Decimal(p1, s1), Type::Decimal(p2, s2)) => {
            let scale = *s1.max(s2);
            let whole = (p1 - s1).max(p2 - s2);
            widened(Type::Decimal((whole + scale).min(38), scale))
        }
        (Type::Varchar(a), Type::Varchar(b)) => widened(Type::Varchar(a.zip(*b).map(|(a, b)| a.max(b)))),
        (Type::Char(a), Type::Char(b)) => widened(Type::Char(*a.max(b))),
        (Type::Time(a), Type::Time(b)) => widened(Type::Time(*a.max(b))),
        (Type::TimeTz(a), Type::TimeTz(b)) => widened(Type::TimeTz(*a.max(b))),
        (Type::Timestamp(a), Type::Timestamp(b)) => widened(Type::Timestamp(*a.max(b))),
        (Type::TimestampTz(a), Type::TimestampTz(b)) => widened(Type::TimestampTz(*a.max(b))),
        (Type::Array(a), Type::Array(b)) => {
            let element = compatibility(a, b)?;
            Some(Compatibility {
                common: Type::Array(Arc::new(element.common)),
                first_is_coercible: element.first_is_coercible,
            })
        }
        (Type::Map(k1, v1), Type::Map(k2, v2)) => {
            let (key, value) = (compatibility(k1, k2)?, compatibility(v1, v2)?);
            Some(Compatibility {
                common: Type::Map(Arc::new(key.common), Arc::new(value.common)),
                first_is_coercible: key.first_is_coercible && value.first_is_coercible,
            })
        }
        (Type::Row(a), Type::Row(b)) => rows(a, b),
        _ => {
            if let Some(changed) = to_base(from, to) {
                return compatibility(&changed, to);
            }
            let changed = to_base(to, from)?;
            let both = compatibility(from, &changed)?;
            Some(Compatibility { common: both.common, first_is_coercible: false })
        }
    }
}

/// Fields go together by position; a name stays where both agree on it.
fn rows(first: &[(Option<String>, Type)], second: &[(Option<String>, Type)]) -> Option<Compatibility> {
    if first.len() != second.len() {
        return None;
    }
    let mut first_is_coercible = true;
    let mut fields = Vec::with_capacity(first.len());
    for ((name, from), (other_name, to)) in first.iter().zip(second) {
        let field = compatibility(from, to)?;
        first_is_coercible &= field.first_is_coercible;
        fields.push((name.clone().filter(|_| name == other_name), field.common));
    }
    Some(Compatibility { common: Type::Row(fields.into()), first_is_coercible })
}

/// Changes a type to the other's kind with the least parameters that hold all its values.
fn to_base(from: &Type, kind: &Type) -> Option<Type> {
    use Type::{
        Bigint, Char, Date, Decimal, Double, Integer, Real, Smallint, Time, TimeTz, Timestamp, TimestampTz, Tinyint,
        Varchar,
    };
    Some(match (from, kind) {
        (Tinyint, Smallint) => Smallint,
        (Tinyint | Smallint, Integer) => Integer,
        (Tinyint | Smallint | Integer, Bigint) => Bigint,
        (Tinyint | Smallint | Integer | Bigint | Decimal(..), Real) => Real,
        (Tinyint | Smallint | Integer | Bigint | Decimal(..) | Real, Double) => Double,
        (Tinyint, Decimal(..)) => Decimal(3, 0),
        (Smallint, Decimal(..)) => Decimal(5, 0),
        (Integer, Decimal(..)) => Decimal(10, 0),
        (Bigint, Decimal(..)) => Decimal(19, 0),
        (Date, Timestamp(_)) => Timestamp(0),
        (Date, TimestampTz(_)) => TimestampTz(0),
        (Time(precision), TimeTz(_)) => TimeTz(*precision),
        (Timestamp(precision), TimestampTz(_)) => TimestampTz(*precision),
        // Not the other way: a char column against a literal must ignore the padding.
        (Varchar(length), Char(_)) => Char(length.map_or(CHAR_LIMIT, |length| length.min(CHAR_LIMIT))),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Type {
        Type::from_trino(text).unwrap()
    }

    #[test]
    fn common_types() {
        for (first, second, common) in [
            ("integer", "decimal(2,1)", "decimal(11,1)"),
            ("bigint", "decimal(2,1)", "decimal(20,1)"),
            ("integer", "double", "double"),
            ("bigint", "real", "real"),
            ("decimal(5,2)", "real", "real"),
            ("tinyint", "smallint", "smallint"),
            ("decimal(38,10)", "decimal(38,0)", "decimal(38,10)"),
            ("varchar(1)", "varchar(3)", "varchar(3)"),
            ("varchar(1)", "varchar", "varchar"),
            ("char(3)", "varchar(5)", "char(5)"),
            ("char(3)", "varchar", "char(65536)"),
            ("date", "timestamp(3)", "timestamp(3)"),
            ("date", "timestamp(3) with time zone", "timestamp(3) with time zone"),
            ("timestamp(6)", "timestamp(3) with time zone", "timestamp(6) with time zone"),
            ("unknown", "map(varchar, integer)", "map(varchar, integer)"),
            ("array(integer)", "array(decimal(2,1))", "array(decimal(11,1))"),
            ("row(a integer, b varchar(1))", "row(a bigint, c varchar(2))", "row(a bigint, varchar(2))"),
        ] {
            for (first, second) in [(first, second), (second, first)] {
                let found = common_super_type(&read(first), &read(second)).map(|common| common.to_string());
                assert_eq!(found.as_deref(), Some(common), "{first} and {second}");
            }
        }
    }

    #[test]
    fn nothing_else_is_implicit() {
        for (first, second) in [
            ("varchar(1)", "integer"),
            ("date", "varchar(10)"),
            ("boolean", "integer"),
            ("json", "varchar"),
            ("time(3)", "timestamp(3)"),
            ("interval day to second", "interval year to month"),
            ("row(integer)", "row(integer, integer)"),
            ("array(integer)", "array(varchar)"),
            ("varbinary", "varchar"),
            ("uuid", "varchar"),
        ] {
            assert_eq!(common_super_type(&read(first), &read(second)), None, "{first} and {second}");
            assert_eq!(common_super_type(&read(second), &read(first)), None, "{second} and {first}");
        }
    }

    #[test]
    fn coercions_go_one_way() {
        for (from, to, expected) in [
            ("integer", "bigint", true),
            ("bigint", "integer", false),
            ("integer", "decimal(10,0)", true),
            ("integer", "decimal(9,0)", false),
            ("decimal(4,2)", "double", true),
            ("double", "decimal(4,2)", false),
            ("real", "double", true),
            ("varchar(3)", "varchar(2)", false),
            ("varchar(3)", "char(3)", true),
            ("varchar(3)", "char(2)", false),
            ("char(3)", "varchar", false),
            ("timestamp(3)", "timestamp(0)", false),
            ("unknown", "integer", true),
            ("integer", "unknown", false),
            ("array(unknown)", "array(bigint)", true),
            ("map(varchar(1), integer)", "map(varchar, bigint)", true),
        ] {
            assert_eq!(can_coerce(&read(from), &read(to)), expected, "{from} to {to}");
        }
    }
}
