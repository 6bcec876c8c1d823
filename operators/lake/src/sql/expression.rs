//! Expressions: names, literals, operators, special forms and calls.

use std::cell::RefCell;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator as Native, lit};
use sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, DateTimeField, Expr as Sql, ExtractSyntax, Ident, Interval,
    Spanned, Subscript, TrimWhereField, UnaryOperator, Value, ValueWithSpan,
};

use super::aggregate::AggregateCall;
use super::analyze::{Analyzer, null};
use super::coerce::common_super_type;
use super::dialect::is_reserved;
use super::error::{SqlError, SqlResult};
use super::function::Nulls;
use super::literal;
use super::operator::Operator;
use super::scope::{Ctes, Scope, Typed, same};
use super::subquery::Attachment;
use super::types::Type;
use super::udf::KernelUdf;
use super::values;
use super::window::{NamedWindows, WindowCall};

/// Where an expression stands: what it may hold depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    Select,
    Where,
    GroupBy,
    Having,
    OrderBy,
    Join,
    Values,
    Unnest,
    /// `partition_by` of a load: one row, no query around it.
    Row,
    AggregateArgument,
    WindowArgument,
}

impl Clause {
    fn name(self) -> &'static str {
        match self {
            Self::Select => "SELECT clause",
            Self::Where => "WHERE clause",
            Self::GroupBy => "GROUP BY clause",
            Self::Having => "HAVING clause",
            Self::OrderBy => "ORDER BY clause",
            Self::Join => "JOIN clause",
            Self::Values => "VALUES",
            Self::Unnest => "UNNEST",
            Self::Row => "partition_by",
            Self::AggregateArgument => "aggregation",
            Self::WindowArgument => "window function",
        }
    }
}

/// The words that stand for something of the session, without parentheses.
///
/// Source: `primaryExpression` of the grammar of Trino 476.
const SESSION_VALUES: &[&str] = &["current_catalog", "current_path", "current_schema", "current_user"];

/// What the expressions of one SELECT need besides themselves.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Aggregations, each standing in expressions as a column.
    pub(super) aggregates: Vec<AggregateCall>,
    /// Window functions, likewise.
    pub(super) windows: Vec<WindowCall>,
    /// Subqueries that are joined before grouping.
    pub(super) before: Vec<Attachment>,
    /// Subqueries that are joined after grouping.
    pub(super) after: Vec<Attachment>,
    /// Calls of `grouping`: the column and the arguments.
    pub(super) groupings: Vec<(String, Vec<Expr>)>,
}

/// The surroundings of an expression.
#[derive(Clone, Copy)]
pub(super) struct Context<'c> {
    pub(super) analyzer: &'c Analyzer<'c>,
    pub(super) scope: &'c Scope<'c>,
    pub(super) ctes: &'c Ctes<'c>,
    pub(super) clause: Clause,
    pub(super) collected: &'c RefCell<Collected>,
    pub(super) windows: &'c NamedWindows<'c>,
}

impl Context<'_> {
    pub(super) fn in_clause(self, clause: Clause) -> Self {
        Self { clause, ..self }
    }

    /// Types an expression.
    pub(super) fn expr(&self, sql: &Sql) -> SqlResult<Typed> {
        self.analyzer.nested(|| self.expr_here(sql).map_err(|error| error.at_place_of(sql)))
    }

    /// Types a condition.
    pub(super) fn condition(&self, sql: &Sql, what: &str) -> SqlResult<Typed> {
        let typed = self.expr(sql)?;
        match typed.data_type {
            Type::Boolean => Ok(typed),
            Type::Unknown => null(&Type::Boolean),
            other => Err(SqlError::type_mismatch(format!("{what} must evaluate to a boolean: actual type {other}"))
                .at_span(sql.span())),
        }
    }

    fn expr_here(&self, sql: &Sql) -> SqlResult<Typed> {
        match sql {
            Sql::Identifier(name) => self.name(std::slice::from_ref(name)),
            Sql::CompoundIdentifier(parts) => self.name(parts),
            Sql::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Sql::Nested(inner) => self.expr(inner),
            Sql::Value(ValueWithSpan { value, span }) => {
                Self::literal(value, false).map_err(|error| error.at_span(*span))
            }
            Sql::TypedString(sqlparser::ast::TypedString { data_type, value, uses_odbc_syntax: false }) => {
                self.typed_literal(data_type, value)
            }
            Sql::Interval(interval) => Self::interval(interval, false),
            Sql::IsNull(operand) => {
                let operand = self.operand(operand)?;
                Ok(Typed::new(operand.expr.is_null(), Type::Boolean))
            }
            Sql::IsNotNull(operand) => {
                let operand = self.operand(operand)?;
                Ok(Typed::new(operand.expr.is_not_null(), Type::Boolean))
            }
            Sql::IsDistinctFrom(left, right) => self.distinct(left, right),
            Sql::IsNotDistinctFrom(left, right) => Ok(negated(self.distinct(left, right)?)),
            Sql::Between { expr, negated: not, low, high } => {
                let value = self.operand(expr)?;
                let low = self.operand(low)?;
                let high = self.operand(high)?;
                let above = self.compare(BinaryOperator::GtEq, value.clone(), low)?;
                let below = self.compare(BinaryOperator::LtEq, value, high)?;
                let both = Typed::new(above.expr.and(below.expr), Type::Boolean);
                Ok(if *not { negated(both) } else { both })
            }
            Sql::InList { expr, list, negated: not } => self.in_list(expr, list, *not),
            Sql::InSubquery { expr, subquery, negated: not } => {
                let value = self.operand(expr)?;
                self.in_subquery(value, subquery, *not)
            }
            Sql::AnyOp { left, compare_op, right, is_some: _ } => {
                let value = self.operand(left)?;
                self.quantified(value, compare_op, right, false)
            }
            Sql::AllOp { left, compare_op, right } => {
                let value = self.operand(left)?;
                self.quantified(value, compare_op, right, true)
            }
            Sql::Exists { subquery, negated: not } => self.exists(subquery, *not),
            Sql::Subquery(query) => self.scalar_subquery(query),
            Sql::BinaryOp { left, op, right } => self.binary(left, op, right),
            Sql::Like { negated: not, any: false, expr, pattern, escape_char } => {
                let value = self.operand(expr)?;
                let pattern = self.operand(pattern)?;
                let escape = match escape_char {
                    Some(ValueWithSpan { value, span }) => {
                        Some(Self::literal(value, false).map_err(|error| error.at_span(*span))?)
                    }
                    None => None,
                };
                let like = self.like(value, pattern, escape)?;
                Ok(if *not { negated(like) } else { like })
            }
            Sql::UnaryOp { op, expr } => self.unary(*op, expr),
            Sql::Cast { kind, expr, data_type, array: false, format: None } => {
                let safe = match kind {
                    CastKind::Cast => false,
                    CastKind::TryCast => true,
                    CastKind::SafeCast | CastKind::DoubleColon => return Err(foreign(sql)),
                };
                let to = cast_type(data_type)?;
                let value = self.expr(expr)?;
                self.analyzer.cast(value, &to, safe)
            }
            Sql::AtTimeZone { timestamp, time_zone } => {
                let value = self.expr(timestamp)?;
                let zone = self.expr(time_zone)?;
                self.operator(Operator::AtTimeZone, vec![value, zone])
            }
            Sql::Extract { field, syntax: ExtractSyntax::From, expr } => self.extract(field, expr),
            Sql::Position { expr, r#in } => {
                let part = self.operand(expr)?;
                let whole = self.operand(r#in)?;
                self.scalar("strpos", vec![whole, part])
            }
            Sql::Substring { expr, substring_from, substring_for, special: _, shorthand: _ } => {
                let mut arguments = vec![self.expr(expr)?];
                match (substring_from, substring_for) {
                    (Some(from), None) => arguments.push(self.expr(from)?),
                    (Some(from), Some(length)) => {
                        arguments.push(self.expr(from)?);
                        arguments.push(self.expr(length)?);
                    }
                    (None, _) => return Err(foreign(sql)),
                }
                self.scalar("substring", arguments)
            }
            Sql::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "trim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                let mut arguments = vec![self.expr(expr)?];
                if let Some(characters) = trim_what {
                    arguments.push(self.expr(characters)?);
                }
                self.scalar(name, arguments)
            }
            Sql::Function(function) => self.function(function),
            Sql::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Sql::Tuple(items) => {
                let items = items.iter().map(|item| self.expr(item)).collect::<SqlResult<Vec<_>>>()?;
                Ok(values::row(items, &self.analyzer.session))
            }
            Sql::Array(sqlparser::ast::Array { elem, named: true }) => self.array(elem),
            Sql::Lambda(_) => Err(SqlError::type_mismatch("Lambda expression should always be used inside a function")),
            // Syntax of other databases that the parser knows.
            Sql::TypedString(_)
            | Sql::Like { .. }
            | Sql::Cast { .. }
            | Sql::Extract { .. }
            | Sql::Trim { .. }
            | Sql::Array(_)
            | Sql::JsonAccess { .. }
            | Sql::IsFalse(_)
            | Sql::IsNotFalse(_)
            | Sql::IsTrue(_)
            | Sql::IsNotTrue(_)
            | Sql::IsUnknown(_)
            | Sql::IsNotUnknown(_)
            | Sql::IsNormalized { .. }
            | Sql::InUnnest { .. }
            | Sql::ILike { .. }
            | Sql::SimilarTo { .. }
            | Sql::RLike { .. }
            | Sql::Convert { .. }
            | Sql::Ceil { .. }
            | Sql::Floor { .. }
            | Sql::Overlay { .. }
            | Sql::Collate { .. }
            | Sql::Prefixed { .. }
            | Sql::GroupingSets(_)
            | Sql::Cube(_)
            | Sql::Rollup(_)
            | Sql::Struct { .. }
            | Sql::Named { .. }
            | Sql::Dictionary(_)
            | Sql::Map(_)
            | Sql::MatchAgainst { .. }
            | Sql::Wildcard(_)
            | Sql::QualifiedWildcard(..)
            | Sql::OuterJoin(_)
            | Sql::Prior(_)
            | Sql::MemberOf(_) => Err(foreign(sql)),
        }
    }

    /// Types an operand of a predicate. In Trino a predicate is no operand of another unless it stands in parentheses.
    pub(super) fn operand(&self, sql: &Sql) -> SqlResult<Typed> {
        if is_predicate(sql) {
            return Err(SqlError::trino(
                "SYNTAX_ERROR",
                format!("mismatched input: `{sql}` must stand in parentheses here"),
            )
            .at_span(sql.span()));
        }
        self.expr(sql)
    }

    // --- names ---------------------------------------------------------------------------------------------------------

    fn name(&self, parts: &[Ident]) -> SqlResult<Typed> {
        if let [name] = parts
            && name.quote_style.is_none()
            && SESSION_VALUES.iter().any(|value| name.value.eq_ignore_ascii_case(value))
        {
            return Err(SqlError::unsupported(format!("`{}`", name.value.to_lowercase())).at_span(name.span));
        }
        for part in parts {
            check_identifier(part)?;
        }
        let (mut value, fields) = self.scope.resolve(parts)?;
        for field in fields {
            value = self.field(value, field)?;
        }
        Ok(value)
    }

    fn field(&self, value: Typed, name: &Ident) -> SqlResult<Typed> {
        let Type::Row(fields) = &value.data_type else {
            return Err(SqlError::type_mismatch(format!("Expression is not of type ROW: {}", value.data_type))
                .at_span(name.span));
        };
        let mut found = fields
            .iter()
            .enumerate()
            .filter(|(_, (field, _))| field.as_deref().is_some_and(|field| same(field, &name.value)));
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(values::field(value, index, &self.analyzer.session)),
            (Some(_), Some(_)) => {
                Err(SqlError::trino("AMBIGUOUS_NAME", format!("Field '{}' is ambiguous", name.value))
                    .at_span(name.span))
            }
            (None, _) => Err(SqlError::trino(
                "COLUMN_NOT_FOUND",
                format!("Column '{}' cannot be resolved", name.value.to_lowercase()),
            )
            .at_span(name.span)),
        }
    }

    fn access(&self, root: &Sql, chain: &[AccessExpr]) -> SqlResult<Typed> {
        // `t.a.b[1]` arrives as the root `t` and a chain: the dots before the first subscript belong to the name.
        let mut chain = chain;
        let mut value = match root {
            Sql::Identifier(first) => {
                let mut parts = vec![first.clone()];
                while let [AccessExpr::Dot(Sql::Identifier(part)), rest @ ..] = chain {
                    parts.push(part.clone());
                    chain = rest;
                }
                self.name(&parts)?
            }
            other => self.expr(other)?,
        };
        for access in chain {
            value = match access {
                AccessExpr::Dot(Sql::Identifier(name)) => self.field(value, name)?,
                AccessExpr::Dot(other) => return Err(foreign(other)),
                AccessExpr::Subscript(Subscript::Index { index }) => self.subscript(value, index)?,
                AccessExpr::Subscript(Subscript::Slice { .. }) => {
                    return Err(SqlError::trino("SYNTAX_ERROR", "mismatched input ':'"));
                }
            };
        }
        Ok(value)
    }

    fn subscript(&self, value: Typed, index: &Sql) -> SqlResult<Typed> {
        if let Type::Row(fields) = &value.data_type {
            let index = self.expr(index)?;
            let position = match &index.expr {
                Expr::Literal(ScalarValue::Int32(Some(position)), _) => i64::from(*position),
                Expr::Literal(ScalarValue::Int64(Some(position)), _) => *position,
                _ => {
                    return Err(SqlError::trino(
                        "EXPRESSION_NOT_CONSTANT",
                        "Subscript expression on ROW requires a constant",
                    ));
                }
            };
            let count = fields.len();
            let Some(position) = usize::try_from(position).ok().filter(|position| (1..=count).contains(position))
            else {
                let message = if position <= 0 {
                    format!("Invalid subscript index: {position}. ROW indices start at 1")
                } else {
                    format!("Subscript index out of bounds: {position}, max value is {count}")
                };
                return Err(SqlError::trino("INVALID_FUNCTION_ARGUMENT", message));
            };
            return Ok(values::field(value, position - 1, &self.analyzer.session));
        }
        let index = self.expr(index)?;
        self.operator(Operator::Subscript, vec![value, index])
    }

    // --- literals ------------------------------------------------------------------------------------------------------

    pub(super) fn literal(value: &Value, negative: bool) -> SqlResult<Typed> {
        let literal = match value {
            Value::Number(text, false) if negative => literal::number(&format!("-{text}"))?,
            Value::Number(text, false) => literal::number(text)?,
            Value::SingleQuotedString(text) | Value::UnicodeStringLiteral(text) => {
                let length = u32::try_from(text.chars().count()).ok();
                return Ok(Typed::new(lit(text.as_str()), Type::Varchar(length)));
            }
            Value::HexStringLiteral(digits) => {
                let bytes = decode_hex(digits).ok_or_else(|| {
                    SqlError::trino("SYNTAX_ERROR", "Binary literal can only contain hexadecimal digits")
                })?;
                return Ok(Typed::new(lit(ScalarValue::Binary(Some(bytes))), Type::Varbinary));
            }
            Value::Boolean(value) => return Ok(Typed::new(lit(*value), Type::Boolean)),
            Value::Null => return Ok(Typed::new(lit(ScalarValue::Null), Type::Unknown)),
            Value::Number(_, true)
            | Value::DollarQuotedString(_)
            | Value::TripleSingleQuotedString(_)
            | Value::TripleDoubleQuotedString(_)
            | Value::EscapedStringLiteral(_)
            | Value::SingleQuotedByteStringLiteral(_)
            | Value::DoubleQuotedByteStringLiteral(_)
            | Value::TripleSingleQuotedByteStringLiteral(_)
            | Value::TripleDoubleQuotedByteStringLiteral(_)
            | Value::SingleQuotedRawStringLiteral(_)
            | Value::DoubleQuotedRawStringLiteral(_)
            | Value::TripleSingleQuotedRawStringLiteral(_)
            | Value::TripleDoubleQuotedRawStringLiteral(_)
            | Value::NationalStringLiteral(_)
            | Value::QuoteDelimitedStringLiteral(_)
            | Value::NationalQuoteDelimitedStringLiteral(_)
            | Value::DoubleQuotedString(_)
            | Value::Placeholder(_) => {
                return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input '{value}'")));
            }
        };
        Ok(Typed::new(lit(literal.value), literal.data_type))
    }

    fn typed_literal(&self, data_type: &DataType, value: &ValueWithSpan) -> SqlResult<Typed> {
        let DataType::Custom(name, modifiers) = data_type else { return Err(foreign_type(data_type)) };
        let (true, Value::SingleQuotedString(text) | Value::UnicodeStringLiteral(text)) =
            (modifiers.is_empty(), &value.value)
        else {
            return Err(foreign_type(data_type));
        };
        let literal = literal::typed(&name.to_string().to_lowercase(), text, &self.analyzer.session)?;
        Ok(Typed::new(lit(literal.value), literal.data_type))
    }

    pub(super) fn interval(interval: &Interval, negative: bool) -> SqlResult<Typed> {
        let Interval { value, leading_field, leading_precision: None, last_field, fractional_seconds_precision: None } =
            interval
        else {
            return Err(SqlError::unsupported(format!("the interval `{interval}`")));
        };
        let (sign, value) = match &**value {
            Sql::UnaryOp { op: UnaryOperator::Minus, expr } => (true, &**expr),
            Sql::UnaryOp { op: UnaryOperator::Plus, expr } => (false, &**expr),
            other => (false, other),
        };
        let Sql::Value(ValueWithSpan { value: Value::SingleQuotedString(text), span: _ }) = value else {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input '{value}'. Expecting: <string>")));
        };
        let unit = |field: &DateTimeField| field.to_string().to_lowercase();
        let Some(start) = leading_field else {
            return Err(SqlError::trino("SYNTAX_ERROR", "an interval needs a unit: `INTERVAL '1' DAY`"));
        };
        let end = last_field.as_ref().map(unit);
        let literal = literal::interval(text, negative != sign, &unit(start), end.as_deref())?;
        Ok(Typed::new(lit(literal.value), literal.data_type))
    }

    fn array(&self, elements: &[Sql]) -> SqlResult<Typed> {
        let elements = elements.iter().map(|element| self.expr(element)).collect::<SqlResult<Vec<_>>>()?;
        let mut common = Type::Unknown;
        for element in &elements {
            common = common_super_type(&common, &element.data_type).ok_or_else(|| {
                SqlError::type_mismatch(format!(
                    "All ARRAY elements must be the same type or coercible to a common type. Cannot find common type between {common} and {}",
                    element.data_type
                ))
            })?;
        }
        let elements = elements
            .into_iter()
            .map(|element| self.analyzer.coerce(element, &common))
            .collect::<SqlResult<Vec<_>>>()?;
        Ok(values::array(elements, common, &self.analyzer.session))
    }

    /// Refuses an aggregation or window function where its clause has none.
    pub(super) fn not_here(&self, window: bool) -> SqlError {
        let clause = self.clause.name();
        match (self.clause, window) {
            (Clause::AggregateArgument, false) => {
                SqlError::trino("NESTED_AGGREGATION", "Cannot nest aggregations inside aggregation")
            }
            (Clause::AggregateArgument, true) => {
                SqlError::trino("NESTED_WINDOW", "Cannot nest window functions inside aggregation")
            }
            (Clause::WindowArgument, _) => SqlError::trino(
                "NESTED_WINDOW",
                "Cannot nest window functions or row pattern measures inside window function",
            ),
            (Clause::Having, true) => SqlError::trino(
                "NESTED_WINDOW",
                format!("{clause} cannot contain window functions or row pattern measures"),
            ),
            _ => SqlError::trino(
                "EXPRESSION_NOT_SCALAR",
                format!("{clause} cannot contain aggregations, window functions or grouping operations"),
            ),
        }
    }
}

/// Refuses a reserved word as an unquoted name, and a string, which the parser takes for one.
pub(super) fn check_identifier(name: &Ident) -> SqlResult<()> {
    if name.quote_style == Some('\'') {
        let message = format!("mismatched input '{name}'. Expecting: <identifier>");
        return Err(SqlError::trino("SYNTAX_ERROR", message).at_span(name.span));
    }
    if name.quote_style.is_none() && is_reserved(&name.value) {
        return Err(SqlError::trino(
            "SYNTAX_ERROR",
            format!("mismatched input '{}'. Expecting: <identifier>", name.value),
        )
        .at_span(name.span));
    }
    Ok(())
}

pub(super) fn cast_type(data_type: &DataType) -> SqlResult<Type> {
    match data_type {
        DataType::Custom(_, text) => match text.as_slice() {
            [text] => Type::from_trino(text),
            _ => Err(foreign_type(data_type)),
        },
        other => Err(foreign_type(other)),
    }
}

fn foreign_type(data_type: &DataType) -> SqlError {
    SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{data_type}` is not written so in this dialect"))
}

pub(super) fn foreign(sql: &Sql) -> SqlError {
    SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{sql}` is not syntax of this dialect"))
        .at_span(sql.span())
}

/// Tells whether an expression is a predicate or a logical expression, which Trino's grammar wants in parentheses.
fn is_predicate(sql: &Sql) -> bool {
    match sql {
        Sql::BinaryOp { op, .. } => matches!(
            op,
            BinaryOperator::And
                | BinaryOperator::Or
                | BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
        ),
        Sql::IsNull(_)
        | Sql::IsNotNull(_)
        | Sql::IsDistinctFrom(..)
        | Sql::IsNotDistinctFrom(..)
        | Sql::Between { .. }
        | Sql::InList { .. }
        | Sql::InSubquery { .. }
        | Sql::AnyOp { .. }
        | Sql::AllOp { .. }
        | Sql::Like { .. }
        | Sql::UnaryOp { op: UnaryOperator::Not, .. } => true,
        _ => false,
    }
}

/// Tells whether `DataFusion` compares values of this type as Trino does.
///
/// Not floating point: NaN is neither equal to itself nor greater, and `-0` equals `0`.
pub(super) fn compares_natively(data_type: &Type) -> bool {
    matches!(
        data_type,
        Type::Boolean
            | Type::Tinyint
            | Type::Smallint
            | Type::Integer
            | Type::Bigint
            | Type::Decimal(..)
            | Type::Varchar(_)
            | Type::Varbinary
            | Type::Date
            | Type::Time(_)
            | Type::Timestamp(_)
            | Type::IntervalDayToSecond
    )
}

pub(super) fn native_binary(left: Expr, operator: Native, right: Expr, data_type: Type) -> Typed {
    Typed::new(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right))), data_type)
}

pub(super) fn negated(value: Typed) -> Typed {
    Typed::new(Expr::Not(Box::new(value.expr)), Type::Boolean)
}

fn decode_hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    Some(digits.chunks(2).filter_map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect())
}

/// Calls a kernel of the analyzer's own.
pub(super) fn own_call(
    name: &str,
    kernel: super::function::Kernel,
    arguments: Vec<Typed>,
    returns: Type,
    analyzer: &Analyzer<'_>,
) -> Typed {
    KernelUdf::call(name, kernel, Nulls::Called, arguments, returns, &analyzer.session)
}
