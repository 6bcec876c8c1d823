//! More partitions than one query may write: their rows are written aside once, without partitions; there the partitions are
//! listed with their rows, and from there they are written batch by batch.
//!
//! The SELECT itself runs once. What it gives may be another each time (`random()`, `now()`, a `LIMIT`, a source that grows), and
//! batches of several runs would be of several versions.
//!
//! Each batch goes below a prefix of its own, `<version>/batch-00001/key=value/…`, because a query writes to an empty prefix
//! only. What is in which batch depends on the list alone, so that a step which is repeated sends the same text.

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use futures::TryStreamExt as _;

use super::Format;
use super::dml::{WrappedColumn, identifier, literal};
use super::request::{Batching, Plan, Probed, PublishRequest};
use super::schema::SchemaPlan;
use crate::catalog::{Table, TableFormat};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};
use crate::query::{LONGEST_STATEMENT, QueryTable};

/// What the names of batches begin with.
const PREFIX: &str = "batch-";

/// The folder of a version in which all rows are aside.
const ASIDE: &str = "rows-aside/";

/// The table that the queries of batches see them as.
const ASIDE_TABLE: &str = "rows_aside";

/// Bytes of a statement that are neither the query nor the condition: the UNLOAD around them with its prefix, the record
/// behind it.
const AROUND: usize = 16 << 10;

const OPERATION: &str = "write partitions in batches";

/// A partition that a query gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedPartition {
    /// Its values as text, in the order of the keys.
    pub(super) values: Vec<Option<String>>,
    /// Its rows.
    pub(super) rows: u64,
}

/// Partitions that one query writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// Which rows they are of.
    condition: String,
    /// How many they have.
    pub(super) rows: u64,
    /// How many they are.
    pub(super) partitions: usize,
}

/// Returns the prefix of the rows that are written aside, below that of their version.
pub(super) fn aside(version: &Location) -> Result<Location> {
    version.as_prefix().join(ASIDE)
}

/// Returns the rows that are written aside as a table; the keys are columns like the others.
pub(super) fn aside_table(request: &PublishRequest, probed: &Probed, version: &Location) -> Result<QueryTable> {
    let columns = probed.schema.added.iter().chain(&probed.schema.keys).cloned().collect();
    let table = Table::new(aside_name(request)?, columns, Vec::new(), aside(version)?, TableFormat::Parquet);
    Ok(QueryTable { table, partitions: Vec::new() })
}

/// Returns the format of the rows that are aside: Parquet, whatever they become.
pub(super) fn aside_format(plan: &Plan) -> Format {
    plan.format.filter(|format| matches!(format, Format::Parquet(_))).unwrap_or_default()
}

fn aside_name(request: &PublishRequest) -> Result<TableName> {
    TableName::new(&request.target.table().database, ASIDE_TABLE)
}

/// Returns what stands behind FROM for the rows that are written aside.
fn from_aside(request: &PublishRequest) -> String {
    format!("{}.{} AS version", identifier(&request.target.table().database), identifier(ASIDE_TABLE))
}

/// Returns the query that lists the partitions of the rows that are aside, with how many rows they have.
pub(super) fn listing(request: &PublishRequest, probed: &Probed) -> String {
    let keys = keys_of(&probed.schema);
    let names: Vec<String> = keys.iter().map(|key| identifier(&key.name)).collect();
    let texts: Vec<String> =
        names.iter().zip(1..).map(|(name, at)| format!("CAST({name} AS varchar) AS key_{at}")).collect();
    let order: Vec<String> = (1..=names.len()).map(|at| format!("key_{at}")).collect();
    // Grouped by the values themselves: two of them may have one text.
    format!(
        "SELECT {}, count(*) AS number_of_rows\nFROM {}\nGROUP BY {}\nORDER BY {}",
        texts.join(", "),
        from_aside(request),
        names.join(", "),
        order.join(", ")
    )
}

/// Returns the query that writes a batch.
pub(super) fn part(request: &PublishRequest, probed: &Probed, batch: &Batch) -> String {
    let names: Vec<String> = probed.schema.columns.iter().map(|column| identifier(&column.name)).collect();
    format!("SELECT {}\nFROM {}\nWHERE {}", names.join(", "), from_aside(request), batch.condition)
}

/// The columns that become partition keys: the last ones.
fn keys_of(schema: &SchemaPlan) -> &[WrappedColumn] {
    schema.columns.get(schema.columns.len().saturating_sub(schema.keys.len())..).unwrap_or_default()
}

/// Deals partitions out to batches, in their order: at most so many to each, and no more than its statement has room for.
fn batches(request: &PublishRequest, probed: &Probed, listed: &[ListedPartition], most: usize) -> Vec<Batch> {
    let keys = keys_of(&probed.schema);
    let fixed = part(request, probed, &Batch { condition: String::new(), rows: 0, partitions: 0 }).len() + AROUND;
    deal(keys, listed, most, LONGEST_STATEMENT.saturating_sub(fixed))
}

/// How many partitions are in a condition at most: each may be an `OR` of it, and a statement with a chain of 1,000 operators
/// is refused as too deep ([`crate::sql`]).
const MOST_IN_A_CONDITION: usize = 500;

fn deal(keys: &[WrappedColumn], listed: &[ListedPartition], most: usize, room: usize) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut rest = listed;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take(most.min(MOST_IN_A_CONDITION)).take_while(|partition| {
            bytes += longest(keys, partition);
            bytes <= room
        });
        // One that has no room even alone is refused with its statement.
        let (here, behind) = rest.split_at(fitting.count().max(1));
        let values: Vec<&[Option<String>]> = here.iter().map(|partition| partition.values.as_slice()).collect();
        batches.push(Batch {
            condition: condition(keys, &values),
            rows: here.iter().map(|partition| partition.rows).sum(),
            partitions: here.len(),
        });
        rest = behind;
    }
    batches
}

/// Returns how many bytes a partition adds to a condition at most.
fn longest(keys: &[WrappedColumn], partition: &ListedPartition) -> usize {
    const WORDS: usize = "( AND ( IN () OR  IS NULL)) OR ".len();
    let column = |(key, value): (&WrappedColumn, &Option<String>)| {
        let value = value.as_ref().map_or(0, |value| value_of(key, value).len());
        2 * identifier(&key.name).len() + value + WORDS
    };
    keys.iter().zip(&partition.values).map(column).sum()
}

/// Returns the condition that holds for the rows of these partitions alone: the values of the first keys once, those of the
/// last in a list. The columns stand alone on one side, so that engines read no other partitions of what is read.
fn condition(keys: &[WrappedColumn], partitions: &[&[Option<String>]]) -> String {
    let Some((key, behind)) = keys.split_first() else { return "true".to_owned() };
    let name = identifier(&key.name);
    if behind.is_empty() {
        let mut values: Vec<String> = Vec::new();
        let mut has_null = false;
        for partition in partitions {
            match partition.first() {
                Some(Some(value)) => values.push(value_of(key, value)),
                _ => has_null = true,
            }
        }
        let list = || format!("{name} IN ({})", values.join(", "));
        return match (values.is_empty(), has_null) {
            (false, false) => list(),
            (false, true) => format!("({} OR {name} IS NULL)", list()),
            (true, _) => format!("{name} IS NULL"),
        };
    }
    let mut parts = Vec::new();
    for group in partitions.chunk_by(|left, right| left.first() == right.first()) {
        let first = match group.first().and_then(|partition| partition.first()) {
            Some(Some(value)) => format!("{name} = {}", value_of(key, value)),
            _ => format!("{name} IS NULL"),
        };
        let rest: Vec<&[Option<String>]> =
            group.iter().map(|partition| partition.get(1..).unwrap_or_default()).collect();
        parts.push(format!("({first} AND {})", condition(behind, &rest)));
    }
    if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(" OR ")) }
}

/// Returns a value of a key.
fn value_of(key: &WrappedColumn, value: &str) -> String {
    if key.data_type == "varchar" {
        return literal(value);
    }
    format!("CAST({} AS {})", literal(value), key.data_type)
}

/// Returns the prefix of a batch, counted from 0, below that of its version. Each try has one of its own.
pub(super) fn prefix(version: &Location, number: usize, try_number: u32) -> Result<Location> {
    let again = if try_number == 1 { String::new() } else { format!("-{try_number}") };
    version.as_prefix().join(&format!("{PREFIX}{:05}{again}/", number + 1))
}

/// Takes the name of a batch away from what is below a version: `batch-00001/key=value/…`.
pub(super) fn without_batch(below: &str) -> &str {
    match below.split_once('/') {
        Some((first, rest)) if is_batch_name(first) => rest,
        _ => below,
    }
}

fn is_batch_name(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|digits| digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

impl Lake {
    /// Reads the list of partitions, and makes the batches of it.
    ///
    /// # Errors
    /// Those of the engine: `NotFound` when the result is gone.
    pub(super) async fn batches_of(&self, request: &PublishRequest, batching: &Batching) -> Result<Vec<Batch>> {
        let (columns, mut rows) = self.engine.fetch(&batching.listing).await?;
        let broken = |error: &dyn std::error::Error| {
            Error::new(ErrorKind::External, OPERATION, format!("cannot read the list of partitions: {error}"))
        };
        let mut listed = Vec::new();
        while let Some(batch) = rows.try_next().await.map_err(|error| broken(&error))? {
            let typed = |index: usize, data_type: &DataType| {
                cast(batch.column(index), data_type).map_err(|error| broken(&error))
            };
            let last = columns.len().saturating_sub(1);
            let keys = (0..last).map(|index| typed(index, &DataType::Utf8)).collect::<Result<Vec<ArrayRef>>>()?;
            let counts = typed(last, &DataType::Int64)?;
            for row in 0..batch.num_rows() {
                let value = |key: &ArrayRef| key.is_valid(row).then(|| key.as_string::<i32>().value(row).to_owned());
                let rows = u64::try_from(counts.as_primitive::<Int64Type>().value(row)).unwrap_or(0);
                listed.push(ListedPartition { values: keys.iter().map(value).collect(), rows });
            }
        }
        // An engine writes to so many objects at a time, whether they are of partitions or of buckets.
        let buckets = batching.probed.plan.buckets.as_ref().map_or(1, |buckets| buckets.count as usize);
        Ok(batches(request, &batching.probed, &listed, (self.settings.max_partitions / buckets.max(1)).max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Type;

    fn key(name: &str, data_type: &Type) -> WrappedColumn {
        WrappedColumn::new(name, data_type, Some(name))
    }

    fn listed(values: &[Option<&str>]) -> ListedPartition {
        ListedPartition { values: values.iter().map(|value| value.map(str::to_owned)).collect(), rows: 2 }
    }

    #[test]
    fn a_condition_names_values_once_and_quotes_them() {
        let keys = [key("dt", &Type::Date), key("it\"s", &Type::Varchar(None))];
        let partitions = [
            listed(&[Some("2026-01-02"), Some("o'clock")]),
            listed(&[Some("2026-01-02"), Some("")]),
            listed(&[Some("2026-01-02"), None]),
            listed(&[None, None]),
            listed(&[None, Some("x")]),
        ];
        let dealt = deal(&keys, &partitions, 100, usize::MAX);
        assert_eq!(dealt.len(), 1);
        assert_eq!(
            dealt[0].condition,
            "((\"dt\" = CAST('2026-01-02' AS date) AND (\"it\"\"s\" IN ('o''clock', '') OR \"it\"\"s\" IS NULL)) OR \
             (\"dt\" IS NULL AND (\"it\"\"s\" IN ('x') OR \"it\"\"s\" IS NULL)))"
        );
        assert_eq!((dealt[0].rows, dealt[0].partitions), (10, 5));
        let nothing = deal(&keys[..1], &[listed(&[None])], 100, usize::MAX);
        assert_eq!(nothing[0].condition, "\"dt\" IS NULL");
    }

    #[test]
    fn a_batch_has_a_hundred_partitions_and_room_for_its_text() {
        let keys = [key("n", &Type::Bigint), key("city", &Type::Varchar(None))];
        let partitions: Vec<ListedPartition> =
            (0..12_345).map(|number| listed(&[Some(&number.to_string()), Some(&"x'".repeat(number % 1500))])).collect();
        let room = 100_000;
        let dealt = deal(&keys, &partitions, 100, room);
        assert!(dealt.len() > 124, "{} batches", dealt.len());
        assert_eq!(dealt.iter().map(|batch| batch.partitions).sum::<usize>(), partitions.len());
        assert!(dealt.iter().all(|batch| batch.partitions <= 100 && batch.condition.len() <= room));
        assert_eq!(deal(&keys, &partitions[..250], 100, usize::MAX).len(), 3);
        assert_eq!(deal(&keys, &partitions[..250], 300, usize::MAX).len(), 1);
        // However many there may be to a query, its text is not too deep: more than 500 are taken for 500.
        let short: Vec<ListedPartition> =
            (0..1_200).map(|number: u32| listed(&[Some(&number.to_string()), Some("x")])).collect();
        let dealt = deal(&keys, &short, 1_200, usize::MAX);
        assert_eq!(dealt.iter().map(|batch| batch.partitions).collect::<Vec<_>>(), [500, 500, 200]);
        let text = format!("SELECT 1 AS a FROM (VALUES (1, '')) AS t (n, city) WHERE {}", dealt[0].condition);
        assert!(crate::sql::parse_one(&text).is_ok());
        // One that has no room at all goes alone: its statement is refused with its length.
        let alone = deal(&keys, &partitions[..3], 100, 10);
        assert_eq!(alone.iter().map(|batch| batch.partitions).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn batches_have_names_that_are_no_partitions() {
        let version = Location::parse("s3://b/v/20260102T030405Z-0123456789ab-g2/").unwrap();
        let name = |number, again| prefix(&version, number, again).unwrap().to_string();
        assert_eq!(name(0, 1), format!("{version}batch-00001/"));
        assert_eq!(name(123_455, 3), format!("{version}batch-123456-3/"));
        assert_eq!(without_batch("batch-123456-3/dt=1/x"), "dt=1/x");
        for other in ["dt=1/x", "batch-1=2/x", "batch-x/y", "batch-00001"] {
            assert_eq!(without_batch(other), other);
        }
    }
}
