//! Operators: which types they take, what they give, and the code that computes them.
//!
//! Trino treats operators as functions of fixed signatures; so does this table. `||` is the function `concat`.
//! Signatures: <https://trino.io/docs/476/functions/math.html>, `decimal.html`, `datetime.html`, `comparison.html`.

pub mod arguments;
pub mod compare;
mod decimal;
mod floating;
mod integer;
mod interval;
pub mod like;
mod subscript;
mod zone;

use super::coerce::common_super_type;
use super::error::SqlError;
use super::function::{Kernel, Nulls};
use super::resolve::Resolved;
use super::types::Type;

/// An operator that the analyzer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`
    Divide,
    /// `a % b`
    Modulus,
    /// `-a`
    Negate,
    /// `a = b`
    Equal,
    /// `a < b`
    LessThan,
    /// `a <= b`
    LessThanOrEqual,
    /// `a IS DISTINCT FROM b`
    IsDistinctFrom,
    /// `a[b]` of an array or map
    Subscript,
    /// `a LIKE b [ESCAPE c]`
    Like,
    /// `a AT TIME ZONE b`
    AtTimeZone,
}

impl Operator {
    /// Returns how it is written, and the name of its plan node.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract | Self::Negate => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulus => "%",
            Self::Equal => "=",
            Self::LessThan => "<",
            Self::LessThanOrEqual => "<=",
            Self::IsDistinctFrom => "IS DISTINCT FROM",
            Self::Subscript => "[]",
            Self::Like => "LIKE",
            Self::AtTimeZone => "AT TIME ZONE",
        }
    }
}

/// An operator's form, before its operands are coerced.
struct Form {
    arguments: Vec<Type>,
    returns: Type,
    kernel: Kernel,
}

fn form(arguments: impl Into<Vec<Type>>, returns: Type, kernel: Kernel) -> Form {
    Form { arguments: arguments.into(), returns, kernel }
}

/// Chooses the operator's form for operands of these types.
///
/// # Errors
/// `TYPE_MISMATCH` when Trino has none, `AMBIGUOUS_FUNCTION_CALL` where NULL fits several.
pub fn resolve(operator: Operator, operands: &[Type]) -> Result<Resolved, SqlError> {
    let form = match (operator, operands) {
        (Operator::Negate, [operand]) => negate(operand)?,
        (
            Operator::Equal | Operator::LessThan | Operator::LessThanOrEqual | Operator::IsDistinctFrom,
            [left, right],
        ) => comparison(operator, left, right)?,
        (Operator::Subscript, [base, index]) => subscript::form(base, index)?,
        (Operator::Like, [value, pattern, escape @ ..]) if escape.len() <= 1 => {
            like::form(value, pattern, escape.first())?
        }
        (Operator::AtTimeZone, [value, zone]) => zone::form(value, zone)?,
        (
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulus,
            [left, right],
        ) => arithmetic(operator, left, right)?,
        _ => return Err(SqlError::type_mismatch(format!("Operator {} takes two operands", operator.symbol()))),
    };
    let nulls = if operator == Operator::IsDistinctFrom { Nulls::Called } else { Nulls::ReturnNull };
    Ok(Resolved {
        name: operator.symbol(),
        kernel: form.kernel,
        nulls,
        arguments: form.arguments,
        returns: form.returns,
    })
}

fn cannot_apply(operator: Operator, left: &Type, right: &Type) -> SqlError {
    SqlError::type_mismatch(format!("Cannot apply operator: {left} {} {right}", operator.symbol()))
}

fn ambiguous(operator: Operator, left: &Type, right: &Type) -> SqlError {
    SqlError::trino(
        "AMBIGUOUS_FUNCTION_CALL",
        format!("Could not choose a best candidate operator: {left} {} {right}", operator.symbol()),
    )
}

fn negate(operand: &Type) -> Result<Form, SqlError> {
    let kernel: Kernel = match operand {
        Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint => integer::negate,
        Type::Real | Type::Double => floating::negate,
        Type::Decimal(..) => decimal::negate,
        Type::IntervalDayToSecond | Type::IntervalYearToMonth => interval::negate,
        Type::Unknown => {
            return Err(SqlError::trino(
                "AMBIGUOUS_FUNCTION_CALL",
                "Could not choose a best candidate operator: -unknown",
            ));
        }
        _ => return Err(SqlError::type_mismatch(format!("Cannot negate {operand}"))),
    };
    Ok(form([operand.clone()], operand.clone(), kernel))
}

fn comparison(operator: Operator, left: &Type, right: &Type) -> Result<Form, SqlError> {
    let common = common_super_type(left, right).ok_or_else(|| cannot_apply(operator, left, right))?;
    let ordering = matches!(operator, Operator::LessThan | Operator::LessThanOrEqual);
    if !common.is_comparable() || (ordering && !common.is_orderable()) {
        return Err(cannot_apply(operator, left, right));
    }
    let kernel: Kernel = match operator {
        Operator::LessThan => compare::less_than,
        Operator::LessThanOrEqual => compare::less_than_or_equal,
        Operator::IsDistinctFrom => compare::is_distinct_from,
        _ => compare::equal,
    };
    Ok(form([common.clone(), common], Type::Boolean, kernel))
}

fn arithmetic(operator: Operator, left: &Type, right: &Type) -> Result<Form, SqlError> {
    if let Some(found) = interval::form(operator, left, right)? {
        return Ok(found);
    }
    let refused = || cannot_apply(operator, left, right);
    let numeric = |operand: &Type| operand.is_numeric() || *operand == Type::Unknown;
    if !numeric(left) || !numeric(right) {
        return Err(refused());
    }
    if *left == Type::Unknown || *right == Type::Unknown {
        // Intervals take NULL too, so Trino cannot tell in the places where both forms are equally near.
        let other = if *left == Type::Unknown { right } else { left };
        let torn = match operator {
            Operator::Multiply => matches!(other, Type::Unknown | Type::Bigint | Type::Double),
            Operator::Divide => *other == Type::Unknown || *right == Type::Double,
            Operator::Modulus => false,
            _ => *other == Type::Unknown,
        };
        if torn {
            return Err(ambiguous(operator, left, right));
        }
        // A lone NULL is as wide as nothing: decimal(1,0).
        if let Type::Decimal(..) = other {
            let as_decimal =
                |operand: &Type| if *operand == Type::Unknown { Type::Decimal(1, 0) } else { operand.clone() };
            return decimal::form(operator, &as_decimal(left), &as_decimal(right)).ok_or_else(refused);
        }
    }
    let common = match common_super_type(left, right).ok_or_else(refused)? {
        // Two NULLs are the narrowest numbers.
        Type::Unknown => Type::Tinyint,
        common => common,
    };
    match common {
        Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint => {
            let kernel: Kernel = match operator {
                Operator::Add => integer::add,
                Operator::Subtract => integer::subtract,
                Operator::Multiply => integer::multiply,
                Operator::Divide => integer::divide,
                _ => integer::modulus,
            };
            Ok(form([common.clone(), common.clone()], common, kernel))
        }
        Type::Real | Type::Double => {
            let kernel: Kernel = match operator {
                Operator::Add => floating::add,
                Operator::Subtract => floating::subtract,
                Operator::Multiply => floating::multiply,
                Operator::Divide => floating::divide,
                _ => floating::modulus,
            };
            Ok(form([common.clone(), common.clone()], common, kernel))
        }
        _ => {
            let (left, right) = (decimal::of(left).ok_or_else(refused)?, decimal::of(right).ok_or_else(refused)?);
            decimal::form(operator, &left, &right).ok_or_else(|| {
                SqlError::trino("INVALID_FUNCTION_ARGUMENT", "DECIMAL scale must be in range [0, precision (38)]")
            })
        }
    }
}

#[cfg(test)]
mod tests;
