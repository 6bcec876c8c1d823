//! Operators, comparisons and calls of the table, natively where `DataFusion` means the same.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator as Native, lit};
use sqlparser::ast::{BinaryOperator, DateTimeField, Expr as Sql, UnaryOperator, Value, ValueWithSpan};

use super::analyze::null;
use super::coerce::common_super_type;
use super::error::{SqlError, SqlResult};
use super::expression::{Context, compares_natively, native_binary, negated};
use super::join_key::Sides;
use super::lazy;
use super::operator::{self, Operator};
use super::resolve;
use super::scope::{ScopeColumn, Typed};
use super::types::Type;
use super::values;

impl Context<'_> {
    pub(super) fn operator(&self, operator: Operator, operands: Vec<Typed>) -> SqlResult<Typed> {
        let types: Vec<Type> = operands.iter().map(|operand| operand.data_type.clone()).collect();
        let resolved = operator::resolve(operator, &types)?;
        self.analyzer.call(resolved, operands)
    }

    /// Calls a function of the table.
    pub(super) fn scalar(&self, name: &str, arguments: Vec<Typed>) -> SqlResult<Typed> {
        let types: Vec<Type> = arguments.iter().map(|argument| argument.data_type.clone()).collect();
        // Trino takes an untyped NULL here for an array.
        if name == "concat" && types.contains(&Type::Unknown) && !types.iter().any(|own| matches!(own, Type::Array(_)))
        {
            return Err(SqlError::unsupported("an untyped NULL in a concatenation (write `CAST(NULL AS varchar)`)"));
        }
        if name == "contains" && types.contains(&Type::IpAddress) {
            return Err(SqlError::unsupported("`contains` of networks and addresses"));
        }
        let resolved = resolve::scalar(name, &types)?;
        self.analyzer.call(resolved, arguments)
    }

    pub(super) fn unary(&self, op: UnaryOperator, operand: &Sql) -> SqlResult<Typed> {
        match op {
            UnaryOperator::Minus => match operand {
                Sql::Value(ValueWithSpan { value: value @ Value::Number(..), span }) => {
                    Self::literal(value, true).map_err(|error| error.at_span(*span))
                }
                Sql::Interval(interval) => Self::interval(interval, true),
                other => {
                    let value = self.operand(other)?;
                    self.operator(Operator::Negate, vec![value])
                }
            },
            UnaryOperator::Plus => {
                let value = self.operand(operand)?;
                if value.data_type.is_numeric() {
                    Ok(value)
                } else {
                    Err(SqlError::type_mismatch(format!(
                        "Unary '+' operator cannot by applied to {} type",
                        value.data_type
                    )))
                }
            }
            UnaryOperator::Not => {
                let value = self.condition(operand, "Value of logical NOT expression")?;
                Ok(negated(value))
            }
            other => Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input '{other}'"))),
        }
    }

    pub(super) fn binary(&self, left: &Sql, op: &BinaryOperator, right: &Sql) -> SqlResult<Typed> {
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                let what = format!("Logical expression term of {op}");
                let mut typed = Vec::new();
                for term in terms(left, op).into_iter().chain(terms(right, op)) {
                    typed.push(self.condition(term, &what)?.expr);
                }
                Ok(Typed::new(lazy::logical(typed, *op == BinaryOperator::And), Type::Boolean))
            }
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => {
                let left = self.operand(left)?;
                let right = self.operand(right)?;
                self.compare(op.clone(), left, right)
            }
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => {
                let left = self.operand(left)?;
                let right = self.operand(right)?;
                self.arithmetic(op, left, right)
            }
            BinaryOperator::StringConcat => {
                let left = self.operand(left)?;
                let right = self.operand(right)?;
                self.scalar("concat", vec![left, right])
            }
            BinaryOperator::Arrow => {
                Err(SqlError::type_mismatch("Lambda expression should always be used inside a function"))
            }
            other => Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input '{other}'"))),
        }
    }

    /// Types a condition that rows or pairs of rows must meet, where NULL is no better than false. `kept` are the columns of an outer
    /// join's sides whose rows stay without a pair.
    pub(super) fn filter(&self, sql: &Sql, what: &str, kept: &[ScopeColumn]) -> SqlResult<Option<Expr>> {
        let mut conditions = Vec::new();
        for term in terms(sql, &BinaryOperator::And) {
            let what = if std::ptr::eq(term, sql) { what } else { "Logical expression term of AND" };
            conditions.push(self.condition(term, what)?.expr);
        }
        Ok(lazy::filter(conditions, &Sides::of(self.scope.columns, kept)))
    }

    pub(super) fn arithmetic(&self, op: &BinaryOperator, left: Typed, right: Typed) -> SqlResult<Typed> {
        let (operator, native) = match op {
            BinaryOperator::Plus => (Operator::Add, Native::Plus),
            BinaryOperator::Minus => (Operator::Subtract, Native::Minus),
            BinaryOperator::Multiply => (Operator::Multiply, Native::Multiply),
            BinaryOperator::Divide => (Operator::Divide, Native::Divide),
            _ => (Operator::Modulus, Native::Modulo),
        };
        let types = [left.data_type.clone(), right.data_type.clone()];
        let resolved = operator::resolve(operator, &types)?;
        // IEEE arithmetic is the same in both; only its vectorised form is DataFusion's.
        if matches!(resolved.arguments.as_slice(), [Type::Double, Type::Double]) && resolved.returns == Type::Double {
            let left = self.analyzer.coerce(left, &Type::Double)?;
            let right = self.analyzer.coerce(right, &Type::Double)?;
            return Ok(native_binary(left.expr, native, right.expr, Type::Double));
        }
        self.analyzer.call(resolved, vec![left, right])
    }

    /// Compares two values: natively where `DataFusion` means the same, so that files and partitions can be skipped.
    pub(super) fn compare(&self, op: BinaryOperator, left: Typed, right: Typed) -> SqlResult<Typed> {
        let native = match op {
            BinaryOperator::Eq => Native::Eq,
            BinaryOperator::NotEq => Native::NotEq,
            BinaryOperator::Lt => Native::Lt,
            BinaryOperator::LtEq => Native::LtEq,
            BinaryOperator::Gt => Native::Gt,
            BinaryOperator::GtEq => Native::GtEq,
            other => return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input '{other}'"))),
        };
        let cannot =
            || SqlError::type_mismatch(format!("Cannot apply operator: {} {op} {}", left.data_type, right.data_type));
        let common = common_super_type(&left.data_type, &right.data_type).ok_or_else(cannot)?;
        let equality = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
        if !(if equality { common.is_comparable() } else { common.is_orderable() }) {
            return Err(cannot());
        }
        if common == Type::Unknown {
            return null(&Type::Boolean);
        }
        let left = self.analyzer.coerce(left, &common)?;
        let right = self.analyzer.coerce(right, &common)?;
        if compares_natively(&common) {
            return Ok(native_binary(left.expr, native, right.expr, Type::Boolean));
        }
        if matches!(common, Type::TimestampTz(_)) && equality {
            let session = &self.analyzer.session;
            return Ok(native_binary(
                values::instant(left, session).expr,
                native,
                values::instant(right, session).expr,
                Type::Boolean,
            ));
        }
        match op {
            BinaryOperator::Eq => self.operator(Operator::Equal, vec![left, right]),
            BinaryOperator::NotEq => Ok(negated(self.operator(Operator::Equal, vec![left, right])?)),
            BinaryOperator::Lt => self.operator(Operator::LessThan, vec![left, right]),
            BinaryOperator::LtEq => self.operator(Operator::LessThanOrEqual, vec![left, right]),
            BinaryOperator::Gt => self.operator(Operator::LessThan, vec![right, left]),
            _ => self.operator(Operator::LessThanOrEqual, vec![right, left]),
        }
    }

    pub(super) fn distinct(&self, left: &Sql, right: &Sql) -> SqlResult<Typed> {
        let left = self.operand(left)?;
        let right = self.operand(right)?;
        self.is_distinct(left, right)
    }

    pub(super) fn is_distinct(&self, left: Typed, right: Typed) -> SqlResult<Typed> {
        let common = common_super_type(&left.data_type, &right.data_type).ok_or_else(|| {
            SqlError::type_mismatch(format!("Cannot check if {} is distinct from {}", left.data_type, right.data_type))
        })?;
        if common == Type::Unknown {
            return Ok(Typed::new(lit(false), Type::Boolean));
        }
        let left = self.analyzer.coerce(left, &common)?;
        let right = self.analyzer.coerce(right, &common)?;
        // Never natively: what that makes of a join see `join_key`.
        self.operator(Operator::IsDistinctFrom, vec![left, right])
    }

    pub(super) fn like(&self, value: Typed, pattern: Typed, escape: Option<Typed>) -> SqlResult<Typed> {
        // Without an escape and a backslash (DataFusion's own escape) the two mean the same.
        let plain = match &pattern.expr {
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) => !text.contains('\\'),
            _ => false,
        };
        if plain && escape.is_none() && matches!(value.data_type, Type::Varchar(_)) {
            let like =
                datafusion::logical_expr::Like::new(false, Box::new(value.expr), Box::new(pattern.expr), None, false);
            return Ok(Typed::new(Expr::Like(like), Type::Boolean));
        }
        let mut operands = vec![value, pattern];
        operands.extend(escape);
        self.operator(Operator::Like, operands)
    }

    pub(super) fn extract(&self, field: &DateTimeField, value: &Sql) -> SqlResult<Typed> {
        let name = field.to_string().to_lowercase();
        let function = match name.as_str() {
            "year" | "quarter" | "month" | "week" | "day" | "day_of_month" | "day_of_week" | "dow" | "day_of_year"
            | "doy" | "year_of_week" | "yow" | "hour" | "minute" | "second" | "timezone_hour" | "timezone_minute" => {
                name.as_str()
            }
            _ => return Err(SqlError::trino("SYNTAX_ERROR", format!("Invalid EXTRACT field: {field}"))),
        };
        let value = self.expr(value)?;
        if !has_field(&value.data_type, function) {
            return Err(SqlError::type_mismatch(format!(
                "Cannot extract {} from {}",
                function.to_uppercase(),
                value.data_type
            )));
        }
        self.scalar(function, vec![value])
    }
}

/// Tells whether values of a type have a field of their own: EXTRACT takes no other, while the function of its name may.
fn has_field(data_type: &Type, field: &str) -> bool {
    match field {
        "hour" | "minute" | "second" => matches!(
            data_type,
            Type::Time(_) | Type::TimeTz(_) | Type::Timestamp(_) | Type::TimestampTz(_) | Type::IntervalDayToSecond
        ),
        "timezone_hour" | "timezone_minute" => matches!(data_type, Type::TimeTz(_) | Type::TimestampTz(_)),
        "year" | "month" if *data_type == Type::IntervalYearToMonth => true,
        "day" if *data_type == Type::IntervalDayToSecond => true,
        _ => matches!(data_type, Type::Date | Type::Timestamp(_) | Type::TimestampTz(_)),
    }
}

/// The terms of a chain of AND, or of OR.
pub(super) fn terms<'s>(sql: &'s Sql, op: &BinaryOperator) -> Vec<&'s Sql> {
    let mut terms = Vec::new();
    let mut stack = vec![sql];
    while let Some(next) = stack.pop() {
        match next {
            Sql::BinaryOp { left, op: own, right } if own == op => {
                stack.push(right);
                stack.push(left);
            }
            Sql::Nested(inner)
                if matches!(&**inner, Sql::Nested(_) | Sql::InSubquery { .. })
                    || matches!(&**inner, Sql::BinaryOp { op: own, .. } if own == op) =>
            {
                stack.push(inner);
            }
            other => terms.push(other),
        }
    }
    terms
}
