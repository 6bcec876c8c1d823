//! Partition projection: the partitions of a table follow from its parameters, and those of the catalog are not asked for.
//!
//! <https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html>; the parameters:
//! <https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html>.

mod dates;

use datafusion::catalog::Session;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use self::dates::Dates;
use super::partition::{keep, partition_value};
use crate::catalog::{Partition, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::sql::Type;

/// How many partitions are looked at one by one; more are refused, because a query would seem to stand still.
const MOST: usize = 1_000_000;

/// How a table's partitions follow from its parameters.
#[derive(Debug)]
pub(super) struct Projection {
    /// In the order of the partition keys.
    keys: Vec<Values>,
    /// `storage.location.template`; without it the places are those of Hive.
    template: Option<String>,
}

/// The values that a partition key has.
#[derive(Debug)]
enum Values {
    Enum(Vec<String>),
    Integer {
        first: i64,
        last: i64,
        step: i64,
        digits: usize,
    },
    Dates(Dates),
    /// Those that the query names.
    Injected,
}

/// The parameters of one partition key.
struct Parameters<'a> {
    table: &'a Table,
    key: &'a str,
}

impl<'a> Parameters<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let name = format!("projection.{}.{name}", self.key);
        self.table.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name)).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<&'a str> {
        self.get(name).ok_or_else(|| self.wrong(name, "it is missing"))
    }

    /// Makes the error of a parameter, under the name that Athena gives all of these.
    fn wrong(&self, name: &str, why: &str) -> Error {
        wrong(self.table, &format!("projection.{}.{name}", self.key), why)
    }

    /// Reads a parameter that is a positive number.
    fn count(&self, name: &str) -> Result<Option<i64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let count = text.trim().parse().ok().filter(|count| *count > 0);
        count.map(Some).ok_or_else(|| self.wrong(name, &format!("expected a number from 1, found `{text}`")))
    }

    /// Reads `first,last`.
    fn range(&self) -> Result<(&'a str, &'a str)> {
        let text = self.required("range")?;
        text.split_once(',')
            .map(|(first, last)| (first.trim(), last.trim()))
            .ok_or_else(|| self.wrong("range", &format!("expected two values with a comma between, found `{text}`")))
    }

    fn values(&self, now_us: i64) -> Result<Values> {
        match self.required("type")?.trim().to_ascii_lowercase().as_str() {
            "enum" => Ok(Values::Enum(self.required("values")?.split(',').map(str::to_owned).collect())),
            "integer" => {
                let (first, last) = self.range()?;
                let number = |text: &str| {
                    text.parse::<i64>()
                        .map_err(|_| self.wrong("range", &format!("expected a whole number, found `{text}`")))
                };
                let digits = self.count("digits")?.and_then(|digits| usize::try_from(digits).ok());
                Ok(Values::Integer {
                    first: number(first)?,
                    last: number(last)?,
                    step: self.count("interval")?.unwrap_or(1),
                    digits: digits.unwrap_or(0),
                })
            }
            "date" => Ok(Values::Dates(Dates::read(self, now_us)?)),
            "injected" => Ok(Values::Injected),
            other => {
                Err(self.wrong("type", &format!("expected `date`, `enum`, `injected` or `integer`, found `{other}`")))
            }
        }
    }
}

fn wrong(table: &Table, parameter: &str, why: &str) -> Error {
    let name = &table.name;
    Error::new(
        ErrorKind::InvalidData,
        "read a table",
        format!(
            "HIVE_METASTORE_ERROR: table `{name}` has partition projection, and its parameter `{parameter}` is wrong: {why}"
        ),
    )
}

impl Projection {
    /// Reads the projection of a table at a time, in microseconds since 1970; none when it has none.
    ///
    /// # Errors
    /// `InvalidData` for a parameter that is missing or wrong.
    pub(super) fn of(table: &Table, now_us: i64) -> Result<Option<Self>> {
        let parameter = |name: &str| {
            table.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let enabled = parameter("projection.enabled").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if !enabled || table.partition_keys.is_empty() {
            return Ok(None);
        }
        let keys = table.partition_keys.iter().map(|key| Parameters { table, key: &key.name }.values(now_us));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let template = parameter("storage.location.template").map(str::to_owned);
        if let Some(template) = &template {
            let missing = table.partition_keys.iter().find(|key| !template.contains(&format!("${{{}}}", key.name)));
            if let Some(key) = missing {
                let why = format!("expected `${{{}}}` in it, found `{template}`", key.name);
                return Err(wrong(table, "storage.location.template", &why));
            }
        }
        Ok(Some(Self { keys, template }))
    }

    /// Returns the partitions that the filters may let through, with the values of their keys.
    ///
    /// # Errors
    /// `InvalidSql` for an injected key that the filters do not fix; `UnsupportedSql` for more partitions than can be looked at.
    pub(super) fn partitions(
        &self,
        state: &dyn Session,
        table: &Table,
        types: &[(String, Type)],
        filters: &[Expr],
    ) -> Result<Vec<(Partition, Vec<ScalarValue>)>> {
        let mut kept: Vec<(Vec<String>, Vec<ScalarValue>)> = vec![(Vec::new(), Vec::new())];
        for (index, (values, (key, data_type))) in self.keys.iter().zip(types).enumerate() {
            let texts = values.texts(table, key, filters)?;
            if texts.len().saturating_mul(kept.len()) > MOST {
                return Err(too_many(table, key));
            }
            let scalars = texts.iter().map(|text| partition_value(key, data_type, text)).collect::<Result<Vec<_>>>()?;
            let product = kept.iter().flat_map(|(before, before_scalars)| {
                texts.iter().zip(&scalars).map(move |(text, scalar)| {
                    let texts = before.iter().chain([text]).cloned().collect();
                    (texts, before_scalars.iter().chain([scalar]).cloned().collect())
                })
            });
            // Key by key: what a filter over the first ones excludes is not multiplied.
            let so_far = types.get(..=index).unwrap_or(types);
            kept = keep(state, so_far, product.collect(), filters);
        }
        kept.into_iter()
            .map(|(texts, scalars)| {
                let location = self.location(table, &texts)?;
                Ok((table.new_partition(texts, location), scalars))
            })
            .collect()
    }

    fn location(&self, table: &Table, values: &[String]) -> Result<Location> {
        let Some(template) = &self.template else { return table.hive_location(values) };
        let mut text = template.clone();
        for (key, value) in table.pairs(values) {
            text = text.replace(&format!("${{{key}}}"), value);
        }
        Location::parse(&text).map(Location::into_prefix)
    }
}

impl Values {
    fn texts(&self, table: &Table, key: &str, filters: &[Expr]) -> Result<Vec<String>> {
        match self {
            Self::Enum(values) => Ok(values.clone()),
            Self::Integer { first, last, step, digits } => {
                let digits = *digits;
                let count = last.checked_sub(*first).map_or(usize::MAX, |width| {
                    usize::try_from(width.div_euclid(*step)).map_or(0, |steps| steps.saturating_add(1))
                });
                if count > MOST {
                    return Err(too_many(table, key));
                }
                let numbers = std::iter::successors(Some(*first), |number| number.checked_add(*step));
                Ok(numbers.take_while(|number| number <= last).map(|number| format!("{number:0digits$}")).collect())
            }
            Self::Dates(dates) => dates.texts(MOST).ok_or_else(|| too_many(table, key)),
            Self::Injected => filters.iter().find_map(|filter| equal_to(filter, key)).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidSql,
                    "read a table",
                    format!(
                        "CONSTRAINT_VIOLATION: For the injected projected partition column {key}, the WHERE clause must contain \
                         only static equality conditions, and at least one such condition must be present."
                    ),
                )
            }),
        }
    }
}

fn too_many(table: &Table, key: &str) -> Error {
    Error::new(
        ErrorKind::UnsupportedSql,
        "read a table",
        format!(
            "NOT_SUPPORTED: the partition projection of table `{}` gives more than {MOST} partitions at key `{key}`: they cannot be \
             looked at one by one",
            table.name
        ),
    )
    .help("give the keys before it in WHERE, or make the range of the projection smaller")
}

/// Returns the texts that a filter fixes a column to; none when it may be another.
fn equal_to(filter: &Expr, key: &str) -> Option<Vec<String>> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let (column, literal) = if is_column(left, key) { (left, right) } else { (right, left) };
            is_column(column, key).then(|| text(literal)).flatten().map(|text| vec![text])
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut texts = equal_to(left, key)?;
            texts.extend(equal_to(right, key)?);
            texts.sort();
            texts.dedup();
            Some(texts)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            equal_to(left, key).or_else(|| equal_to(right, key))
        }
        Expr::InList(list) if !list.negated && is_column(&list.expr, key) => {
            let mut texts = list.list.iter().map(text).collect::<Option<Vec<_>>>()?;
            texts.sort();
            texts.dedup();
            Some(texts)
        }
        _ => None,
    }
}

fn is_column(expr: &Expr, key: &str) -> bool {
    match expr {
        Expr::Column(column) => column.name == key,
        Expr::Cast(cast) => is_column(&cast.expr, key),
        Expr::Alias(alias) => is_column(&alias.expr, key),
        _ => false,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        Expr::Cast(cast) => text(&cast.expr),
        Expr::Alias(alias) => text(&alias.expr),
        _ => None,
    }
}
