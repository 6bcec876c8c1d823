//! Special forms: CASE, IF, COALESCE, NULLIF, TRY and their like, which do not compute all their arguments or not their values.

use datafusion::logical_expr::{Case, Expr, lit};
use sqlparser::ast::{BinaryOperator, CaseWhen, Expr as Sql, Spanned};

use super::analyze::null;
use super::coerce::common_super_type;
use super::error::{SqlError, SqlResult};
use super::expression::Context;
use super::lazy;
use super::scope::Typed;
use super::types::Type;
use super::udf::TryMarker;
use super::values;

/// Tells whether a call of this name, in lower case, has rules of its own and stands in no list of functions.
pub(super) fn is_special_form(name: &str) -> bool {
    matches!(
        name,
        "coalesce"
            | "current_date"
            | "current_time"
            | "current_timestamp"
            | "if"
            | "localtime"
            | "localtimestamp"
            | "normalize"
            | "nullif"
            | "row"
            | "try"
            | "typeof"
    )
}

impl Context<'_> {
    pub(super) fn case(
        &self,
        operand: Option<&Sql>,
        conditions: &[CaseWhen],
        default: Option<&Sql>,
    ) -> SqlResult<Typed> {
        let operand = operand.map(|operand| self.expr(operand)).transpose()?;
        let mut branches = Vec::with_capacity(conditions.len());
        for CaseWhen { condition, result } in conditions {
            let condition = match &operand {
                Some(operand) => {
                    let value = self.expr(condition)?;
                    self.compare(BinaryOperator::Eq, operand.clone(), value).map_err(|_| {
                        SqlError::type_mismatch("CASE operand type does not match WHEN clause operand type")
                            .at_span(condition.span())
                    })?
                }
                None => self.condition(condition, "CASE WHEN clause")?,
            };
            branches.push((condition, self.expr(result)?));
        }
        let default = default.map(|default| self.expr(default)).transpose()?;
        self.conditional(branches, default, "All CASE results must be the same type or coercible to a common type")
    }

    /// Chooses the first branch whose condition is true; only that one is computed.
    pub(super) fn conditional(
        &self,
        branches: Vec<(Typed, Typed)>,
        default: Option<Typed>,
        rule: &str,
    ) -> SqlResult<Typed> {
        let mut common = Type::Unknown;
        for result in branches.iter().map(|(_, result)| result).chain(&default) {
            common = common_super_type(&common, &result.data_type).ok_or_else(|| {
                SqlError::type_mismatch(format!(
                    "{rule}. Cannot find common type between {common} and {}",
                    result.data_type
                ))
            })?;
        }
        let branches = branches
            .into_iter()
            .map(|(condition, result)| Ok((condition.expr, self.analyzer.coerce(result, &common)?.expr)))
            .collect::<SqlResult<Vec<_>>>()?;
        let default = match default {
            Some(default) => self.analyzer.coerce(default, &common)?,
            None => null(&common)?,
        };
        let risky = branches.iter().any(|(when, then)| lazy::may_fail(when) || lazy::may_fail(then));
        if common == Type::Boolean && (risky || lazy::may_fail(&default.expr)) {
            return Ok(Typed::new(lazy::opaque(branches, default.expr), common));
        }
        let branches = branches.into_iter().map(|(when, then)| (Box::new(when), Box::new(then))).collect();
        Ok(Typed::new(Expr::Case(Case::new(None, branches, Some(Box::new(default.expr)))), common))
    }

    /// The forms that are no functions: they do not compute all their arguments, or not their values.
    pub(super) fn special_form(&self, name: &str, arguments: &[&Sql]) -> Option<SqlResult<Typed>> {
        let result = match (name, arguments) {
            ("if", [condition, then]) => self.if_form(condition, then, None),
            ("if", [condition, then, otherwise]) => self.if_form(condition, then, Some(otherwise)),
            ("if", _) => Err(SqlError::trino("SYNTAX_ERROR", "Invalid number of arguments for 'if' function")),
            ("coalesce", [] | [_]) => {
                Err(SqlError::trino("SYNTAX_ERROR", "The 'coalesce' function must have at least two arguments"))
            }
            ("coalesce", arguments) => self.coalesce(arguments),
            ("nullif", [left, right]) => self.nullif(left, right),
            ("nullif", _) => Err(SqlError::trino("SYNTAX_ERROR", "Invalid number of arguments for 'nullif' function")),
            ("try", [argument]) => self.expr(argument).map(TryMarker::call),
            ("try", _) => Err(SqlError::trino("SYNTAX_ERROR", "The 'try' function must have exactly one argument")),
            ("typeof", [argument]) => {
                self.expr(argument).map(|value| Typed::new(lit(value.data_type.to_string()), Type::Varchar(None)))
            }
            ("row", arguments) if !arguments.is_empty() => arguments
                .iter()
                .map(|argument| self.expr(argument))
                .collect::<SqlResult<Vec<_>>>()
                .map(|items| values::row(items, &self.analyzer.session)),
            ("normalize", [value]) => self.normalize(value, "NFC"),
            // In small letters Trino reads it, and then refuses it as a value.
            ("normalize", [value, Sql::Identifier(form)])
                if ["NFC", "NFD", "NFKC", "NFKD"].iter().any(|known| known.eq_ignore_ascii_case(&form.value)) =>
            {
                self.normalize(value, &form.value)
            }
            ("normalize", _) => {
                Err(SqlError::trino("SYNTAX_ERROR", "mismatched input. Expecting: 'NFC', 'NFD', 'NFKC', 'NFKD'"))
            }
            _ => return None,
        };
        Some(result)
    }

    /// `normalize(text, NFD)`: the form is a word.
    fn normalize(&self, value: &Sql, form: &str) -> SqlResult<Typed> {
        let value = self.expr(value)?;
        let form = Typed::new(lit(form), Type::Varchar(u32::try_from(form.len()).ok()));
        self.scalar("normalize", vec![value, form])
    }

    pub(super) fn if_form(&self, condition: &Sql, then: &Sql, otherwise: Option<&Sql>) -> SqlResult<Typed> {
        let condition = self.condition(condition, "IF condition")?;
        let then = self.expr(then)?;
        let otherwise = otherwise.map(|otherwise| self.expr(otherwise)).transpose()?;
        self.conditional(
            vec![(condition, then)],
            otherwise,
            "Result types for IF must be the same or coercible to a common type",
        )
    }

    pub(super) fn coalesce(&self, arguments: &[&Sql]) -> SqlResult<Typed> {
        let mut arguments = arguments.iter().map(|argument| self.expr(argument)).collect::<SqlResult<Vec<_>>>()?;
        let last = arguments.pop();
        let branches = arguments
            .into_iter()
            .map(|argument| (Typed::new(argument.expr.clone().is_not_null(), Type::Boolean), argument))
            .collect();
        self.conditional(branches, last, "All COALESCE operands must be the same type or coercible to a common type")
    }

    pub(super) fn nullif(&self, left: &Sql, right: &Sql) -> SqlResult<Typed> {
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        if left.data_type == Type::Unknown {
            return Ok(left);
        }
        let equal = self
            .compare(BinaryOperator::Eq, left.clone(), right)
            .map_err(|_| SqlError::type_mismatch("Types are not comparable with NULLIF"))?;
        let nothing = null(&left.data_type)?;
        self.conditional(vec![(equal, nothing)], Some(left), "Types are not comparable with NULLIF")
    }
}
