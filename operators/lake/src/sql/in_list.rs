//! `value [NOT] IN (a, b, …)`: one call, however long the list is.
//!
//! Written as `value = a OR value = b …` a long list stops the process: negated, it becomes a conjunction, which `DataFusion`
//! takes apart and puts together again one term behind the other, as deep as it is long.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::or_kleene;
use sqlparser::ast::{BinaryOperator, Expr as Sql, Spanned};

use super::analyze::null;
use super::coerce::common_super_type;
use super::error::{SqlError, SqlResult};
use super::expression::{Context, compares_natively, negated, own_call};
use super::function::{Argument, Call, EvalError};
use super::operator::{self, Operator};
use super::scope::Typed;
use super::types::Type;
use super::values;

impl Context<'_> {
    pub(super) fn in_list(&self, value: &Sql, list: &[Sql], not: bool) -> SqlResult<Typed> {
        let value = self.operand(value)?;
        let items = list.iter().map(|item| self.expr(item)).collect::<SqlResult<Vec<_>>>()?;
        let mut common = value.data_type.clone();
        for (item, sql) in items.iter().zip(list) {
            common = common_super_type(&common, &item.data_type).ok_or_else(|| {
                SqlError::type_mismatch(format!(
                    "IN value and list items must be the same type or coercible to a common type. Cannot find common type between {common} and {}",
                    item.data_type
                ))
                .at_span(sql.span())
            })?;
        }
        if common == Type::Unknown {
            return null(&Type::Boolean);
        }
        let value = self.analyzer.coerce(value, &common)?;
        let items = items.into_iter().map(|item| self.analyzer.coerce(item, &common)).collect::<SqlResult<Vec<_>>>()?;
        let Some(first) = items.first() else { return Err(SqlError::trino("SYNTAX_ERROR", "mismatched input ')'")) };
        // What cannot be compared is refused here.
        let equals_first = self.compare(BinaryOperator::Eq, value.clone(), first.clone())?;
        let session = &self.analyzer.session;
        let natively = |value: Typed| match &value.data_type {
            Type::TimestampTz(_) => values::instant(value, session).expr,
            _ => value.expr,
        };
        if compares_natively(&common) || matches!(common, Type::TimestampTz(_)) {
            let items = items.into_iter().map(natively).collect();
            return Ok(Typed::new(natively(value).in_list(items, not), Type::Boolean));
        }
        let found = if items.len() == 1 {
            equals_first
        } else {
            let arguments = std::iter::once(value).chain(items).collect();
            own_call("IN", is_one_of, arguments, Type::Boolean, self.analyzer)
        };
        Ok(if not { negated(found) } else { found })
    }
}

/// Whether the first argument equals one of the others, all of one type: NULL where none is equal and a comparison gives NULL.
fn is_one_of(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let ([value, items @ ..], [common, ..]) = (arguments, call.arguments) else {
        return Err(EvalError::layout("a value and a list"));
    };
    let types = [common.clone(), common.clone()];
    let equal = operator::resolve(Operator::Equal, &types).map_err(EvalError::unsupported)?;
    let pair = Call { arguments: &types, returns: &Type::Boolean, rows: call.rows, session: call.session };
    let is_null = |argument: &Argument| argument.constant && argument.array.is_null(0);
    let mut found = BooleanArray::from(vec![false; call.rows]);
    for item in items {
        // A kernel that gives NULL for NULL is not asked about a constant one.
        let equal = if is_null(value) || is_null(item) {
            BooleanArray::new_null(call.rows)
        } else {
            let equal = (equal.kernel)(&pair, &[value.clone(), item.clone()])?;
            equal.as_boolean_opt().ok_or_else(|| EvalError::layout("a condition"))?.clone()
        };
        found = or_kleene(&found, &equal)?;
        if found.true_count() == call.rows {
            break;
        }
    }
    Ok(Arc::new(found))
}
