//! Splits rows by the values of the partition keys.
//!
//! A row whose key is NULL, empty, Hive's word for NULL, cannot be computed, or must not come near a path (`..`, `/`, control
//! characters) is rejected with its line.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, StringArray, UInt32Array};
use arrow::compute::{CastOptions, cast_with_options, take_record_batch};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use indexmap::IndexMap;

use super::column::ReadColumn;
use super::config::{ColumnType, InputConfig, LoadConfig, OutputConfig};
use super::layout::InputLayout;
use super::parse::{Chunk, Parsed};
use super::reject::{Reason, Rejected};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{HIVE_DEFAULT_PARTITION, check_partition_value};
use crate::query::partition_meaning;
use crate::sql::temporal::round_to;
use crate::sql::{RowExpression, Session, Type, examine_functions};

/// Under which name the context of an error has the key of `partition_by` whose expression is wrong.
pub const PARTITION_KEY: &str = "partition key";

/// The keys of a table's partitions, and how each row's values come about.
#[derive(Debug, Clone)]
pub(crate) struct PartitionKeys {
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    name: String,
    source: Source,
    /// The type that the table reads the key's texts as, where it is there already and that is not text.
    table_type: Option<Type>,
}

#[derive(Debug, Clone)]
enum Source {
    Column(usize),
    Expression(Arc<RowExpression>),
}

/// The values of a key for the rows of a batch, and why rows have none.
struct Texts {
    values: StringArray,
    failed: HashMap<usize, String>,
}

/// The rows of one partition: its values in the order of the keys, and a batch.
pub(crate) type Part = (Vec<String>, RecordBatch);

impl PartitionKeys {
    /// Understands `partition_by`; `now()` in it is the time of the plan, in milliseconds since 1970.
    ///
    /// # Errors
    /// `InvalidSql` or `UnsupportedSql` for an expression that is wrong or not known; `InvalidInput` for one whose value is
    /// of a type that is no good name of a partition.
    pub(crate) fn compile(
        partition_by: &IndexMap<String, String>,
        columns: &[ReadColumn],
        planned_ms: i64,
    ) -> Result<Self> {
        let session =
            Session { time_zone: "UTC".to_owned(), start_us: planned_ms.saturating_mul(1000), database: None };
        let keys = partition_by
            .iter()
            .map(|(name, expression)| {
                let source = Source::compile(name, expression.trim(), columns, &session)?;
                Ok(Key { name: name.to_lowercase(), source, table_type: None })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { keys })
    }

    /// Takes over the types of the keys of the table that is there, in Hive's words: a row with a value that is none of its key's
    /// type is rejected, as no query could read it.
    ///
    /// # Errors
    /// `InvalidInput` for a type that is not known.
    pub(crate) fn of_types(mut self, hive_types: &[String]) -> Result<Self> {
        for (key, hive_type) in self.keys.iter_mut().zip(hive_types) {
            let table_type = Type::from_hive(hive_type)?;
            key.table_type = (!matches!(table_type, Type::Varchar(None))).then_some(table_type);
        }
        Ok(self)
    }

    /// Splits the rows of a chunk; rows without a proper value go to the rejected ones.
    ///
    /// # Errors
    /// `QueryFailed` when an expression stops on a value.
    pub(crate) fn split(&self, parsed: &mut Parsed, chunk: &Chunk) -> Result<Vec<Part>> {
        let batch = &parsed.batch;
        if batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        if self.keys.is_empty() {
            return Ok(vec![(Vec::new(), batch.clone())]);
        }
        let texts = self.keys.iter().map(|key| key.texts(batch)).collect::<Result<Vec<_>>>()?;
        let columns: Vec<&StringArray> = texts.iter().map(|texts| &texts.values).collect();
        let mut groups: Vec<(Vec<String>, Vec<u32>)> = Vec::new();
        let mut by_values: HashMap<Vec<String>, std::result::Result<usize, Reason>> = HashMap::new();
        let mut last: Option<(usize, usize)> = None;
        let mut is_rejected = false;
        for row in 0..batch.num_rows() {
            let number = u32::try_from(row).unwrap_or(u32::MAX);
            // Rows of a log come in runs of one partition.
            if let Some((last_row, group)) = last
                && columns.iter().all(|column| column.is_valid(row) && column.value(row) == column.value(last_row))
            {
                groups[group].1.push(number);
                continue;
            }
            let absent = self.keys.iter().zip(&texts).find(|(_, texts)| texts.values.is_null(row));
            let group = if let Some((key, texts)) = absent {
                Err(match texts.failed.get(&row) {
                    Some(why) => Reason::PartitionValue { why: format!("partition key `{}`: {why}", key.name) },
                    None => Reason::NoPartitionValue { key: key.name.clone() },
                })
            } else {
                let values: Vec<String> = columns.iter().map(|column| column.value(row).to_owned()).collect();
                let group = by_values.entry(values).or_insert_with_key(|values| {
                    self.check(values)?;
                    groups.push((values.clone(), Vec::new()));
                    Ok(groups.len() - 1)
                });
                group.clone()
            };
            match group {
                Ok(group) => {
                    groups[group].1.push(number);
                    last = Some((row, group));
                }
                Err(reason) => {
                    is_rejected = true;
                    let place = parsed.places[row];
                    let bytes = usize::try_from(place.start).unwrap_or(0)..usize::try_from(place.end).unwrap_or(0);
                    parsed.rejected.push(Rejected::new(
                        chunk.file,
                        chunk.first_line + u64::from(place.line),
                        &reason,
                        chunk.bytes.get(bytes).unwrap_or_default(),
                    ));
                }
            }
        }
        if is_rejected {
            parsed.rejected.sort_by_key(|rejected| rejected.line_number);
        }
        if groups.len() == 1 && !is_rejected {
            return Ok(groups.into_iter().map(|(values, _)| (values, batch.clone())).collect());
        }
        groups
            .into_iter()
            .map(|(values, rows)| {
                let rows = take_record_batch(batch, &UInt32Array::from(rows));
                Ok((values, rows.map_err(|error| failed("the rows cannot be split", error))?))
            })
            .collect()
    }

    fn check(&self, values: &[String]) -> std::result::Result<(), Reason> {
        for (key, value) in self.keys.iter().zip(values) {
            if value.is_empty() {
                return Err(Reason::NoPartitionValue { key: key.name.clone() });
            }
            if value == HIVE_DEFAULT_PARTITION {
                let why = format!(
                    "the value `{value}` of partition key `{}` cannot be used: it is Hive's word for NULL, and readers would \
                     find NULL in its place",
                    key.name
                );
                return Err(Reason::PartitionValue { why });
            }
            let checked = check_partition_value(&key.name, value);
            let read = |data_type: &Type| partition_meaning(&key.name, data_type, value).map(drop);
            if let Err(error) = checked.and_then(|()| key.table_type.as_ref().map_or(Ok(()), read)) {
                return Err(Reason::PartitionValue { why: error.message });
            }
        }
        Ok(())
    }
}

impl Key {
    /// Returns the values of the rows as text.
    fn texts(&self, batch: &RecordBatch) -> Result<Texts> {
        let expression = match &self.source {
            Source::Column(index) => {
                return Ok(Texts { values: text_of(batch.column(*index))?, failed: HashMap::new() });
            }
            Source::Expression(expression) => expression,
        };
        let batch = &as_the_table_reads(batch, expression.columns())?;
        if let Ok(values) = expression.evaluate(batch) {
            return Ok(Texts { values: text_of(&values)?, failed: HashMap::new() });
        }
        // A row stopped it: find out which.
        let mut failed = HashMap::new();
        let mut values = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            match expression.evaluate(&batch.slice(row, 1)) {
                Ok(value) => {
                    let text = text_of(&value)?;
                    values.push(text.is_valid(0).then(|| text.value(0).to_owned()));
                }
                Err(error) if error.kind == ErrorKind::QueryFailed => {
                    failed.insert(row, error.message);
                    values.push(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Texts { values: StringArray::from(values), failed })
    }
}

/// Looks at `partition_by` before there is any input: over the columns that the config declares, or, where they are to be guessed, at
/// the names of functions alone. Returns what is wrong, by key.
pub fn examine_partition_keys(config: &LoadConfig) -> Vec<(String, Error)> {
    let InputConfig::File(file) = &config.input;
    let OutputConfig::Table(table) = &config.out else { return Vec::new() };
    let columns = InputLayout::declared(&file.parser).and_then(|layout| layout.read_columns(&file.parser).ok());
    let session = Session { time_zone: "UTC".to_owned(), start_us: 0, database: None };
    let wrong = |(key, expression): (&String, &String)| {
        let expression = expression.trim();
        let found = match &columns {
            _ if expression.is_empty() => return None,
            Some(columns) => Source::compile(key, expression, columns, &session).err(),
            None => examine_functions(expression).err().map(Error::from),
        };
        found.map(|error| (key.clone(), error))
    };
    table.partition_by.iter().filter_map(wrong).collect()
}

/// Rounds times to milliseconds, as queries read them: a row must not lie in the partition of a day that it does not show.
fn as_the_table_reads(batch: &RecordBatch, used: &[usize]) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    for index in used {
        let Some(times) = batch.column(*index).as_primitive_opt::<TimestampMicrosecondType>() else { continue };
        if times.values().iter().any(|micros| micros % 1000 != 0) {
            let rounded = times.unary::<_, TimestampMicrosecondType>(|micros| round_to(micros, 1000).unwrap_or(micros));
            columns[*index] = Arc::new(rounded);
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options)
        .map_err(|error| failed("times cannot be rounded", error))
}

/// Returns values as SQL writes them.
fn text_of(array: &ArrayRef) -> Result<StringArray> {
    match array.data_type() {
        DataType::Utf8 => Ok(array.as_string::<i32>().clone()),
        DataType::Boolean => {
            let values: &BooleanArray = array.as_boolean();
            Ok(values.iter().map(|value| value.map(|value| if value { "true" } else { "false" })).collect())
        }
        _ => {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let texts = cast_with_options(array, &DataType::Utf8, &options)
                .map_err(|error| failed("a partition's value has no text", error))?;
            Ok(texts.as_string::<i32>().clone())
        }
    }
}

impl Source {
    fn compile(key: &str, expression: &str, columns: &[ReadColumn], session: &Session) -> Result<Self> {
        if let Some(index) = columns.iter().position(|column| column.name.eq_ignore_ascii_case(expression)) {
            nameable(key, &sql_type(columns[index].column_type))?;
            return Ok(Self::Column(index));
        }
        let typed: Vec<_> = columns.iter().map(|column| (column.name.clone(), sql_type(column.column_type))).collect();
        let compiled = RowExpression::new(expression, &typed, session).map_err(|mut error| {
            error.message = format!("partition key `{key}`: {}", error.message);
            error.with("expression", expression).with(PARTITION_KEY, key)
        })?;
        nameable(key, compiled.data_type())?;
        Ok(Self::Expression(Arc::new(compiled)))
    }
}

/// Returns the type of a column in SQL. JSON is text, as it will be in the table.
fn sql_type(column_type: ColumnType) -> Type {
    match column_type {
        ColumnType::Boolean => Type::Boolean,
        ColumnType::Tinyint => Type::Tinyint,
        ColumnType::Smallint => Type::Smallint,
        ColumnType::Integer => Type::Integer,
        ColumnType::Bigint => Type::Bigint,
        ColumnType::Real => Type::Real,
        ColumnType::Double => Type::Double,
        ColumnType::Decimal(precision, scale) => Type::Decimal(precision, scale),
        ColumnType::Varchar(length) => Type::Varchar(length),
        ColumnType::Json => Type::Varchar(None),
        ColumnType::Date => Type::Date,
        // What Hive's `timestamp` reads.
        ColumnType::Timestamp => Type::Timestamp(3),
    }
}

/// Accepts types whose values have one short text that everybody writes alike.
fn nameable(key: &str, data_type: &Type) -> Result<()> {
    let is_nameable = matches!(
        data_type,
        Type::Varchar(_) | Type::Boolean | Type::Date | Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint
    );
    if is_nameable {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "read `partition_by`",
        format!("partition key `{key}`: expected a varchar, date, boolean or whole number, found {data_type}: cast it"),
    )
    .with(PARTITION_KEY, key))
}

fn failed(what: &str, error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::QueryFailed, "split rows by partition", format!("{what}: {error}")).source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::config::CsvConfig;
    use crate::load::parse::Parser;
    use crate::load::parse::csv::CsvParser;
    use crate::load::parse::tests::column;

    fn split(keys: &[(&str, &str)], text: &str) -> (Vec<(Vec<String>, usize)>, Vec<String>) {
        let columns = [column("k", "varchar"), column("d", "date"), column("n", "bigint")];
        let by = keys.iter().map(|(key, expression)| ((*key).to_owned(), (*expression).to_owned())).collect();
        let keys = PartitionKeys::compile(&by, &columns, 0).unwrap();
        let chunk = Chunk { file: 0, first_line: 10, bytes: text.as_bytes().to_vec() };
        let parser = Parser::Csv(CsvParser::new(&CsvConfig::default(), ","));
        let mut parsed = parser.parse(&columns, &chunk).unwrap();
        let parts = keys.split(&mut parsed, &chunk).unwrap();
        let rejected = parsed
            .rejected
            .iter()
            .map(|rejected| format!("{}: {}: {}", rejected.line_number, rejected.reason, rejected.line));
        (parts.into_iter().map(|(values, batch)| (values, batch.num_rows())).collect(), rejected.collect())
    }

    #[test]
    fn rows_go_to_their_partitions_and_bad_values_are_rejected() {
        let text = "a,2024-02-29,1\na,2024-02-29,2\nb,2024-02-29,3\na,2024-03-01,4\n..,2024-03-01,5\n,2024-03-01,6\nx/y,2024-03-01,7\nb,,8\nbad,x,9\na,2024-02-29,10\n__HIVE_DEFAULT_PARTITION__,2024-02-29,11\n";
        let (parts, rejected) = split(&[("p", "k"), ("dt", "d")], text);
        assert_eq!(
            parts,
            [
                (vec!["a".to_owned(), "2024-02-29".to_owned()], 3),
                (vec!["b".to_owned(), "2024-02-29".to_owned()], 1),
                (vec!["a".to_owned(), "2024-03-01".to_owned()], 1),
            ]
        );
        assert_eq!(
            rejected,
            [
                "14: the value `..` of partition key `p` cannot be used: it is a step in a path: ..,2024-03-01,5",
                "15: partition key `p`: expected a value, found none: ,2024-03-01,6",
                "16: the value `x/y` of partition key `p` cannot be used: it holds `/` or `\\`: x/y,2024-03-01,7",
                "17: partition key `dt`: expected a value, found none: b,,8",
                "18: column `d`: expected date, found `x`: bad,x,9",
                "20: the value `__HIVE_DEFAULT_PARTITION__` of partition key `p` cannot be used: it is Hive's word for NULL, and \
                 readers would find NULL in its place: __HIVE_DEFAULT_PARTITION__,2024-02-29,11",
            ]
        );
        let (parts, rejected) = split(&[], "a,2024-02-29,1\n");
        assert_eq!((parts, rejected.len()), (vec![(vec![], 1)], 0));
        let (parts, _) = split(&[("n", "n")], "a,2024-02-29,-1\n");
        assert_eq!(parts, [(vec!["-1".to_owned()], 1)]);
    }
    #[test]
    fn expressions_are_sql() {
        let text = "a,2024-02-29,1\nb,2024-03-01,0\nc,2024-03-02,4\n";
        let (parts, rejected) =
            split(&[("month", "date_format(d, '%Y-%m')"), ("q", "CASE WHEN n > 0 THEN 4 / n ELSE 8 / n END")], text);
        let values: Vec<_> = parts.into_iter().map(|(values, _)| values.join(" ")).collect();
        assert_eq!(values, ["2024-02 4", "2024-03 1"]);
        assert_eq!(rejected, ["11: partition key `q`: Division by zero: b,2024-03-01,0"]);
    }

    #[test]
    fn wrong_expressions_are_refused_with_their_place() {
        let columns = [column("k", "varchar"), column("x", "double")];
        let refused = |expression: &str| {
            let by = [("dt".to_owned(), expression.to_owned())].into_iter().collect();
            PartitionKeys::compile(&by, &columns, 0).unwrap_err()
        };
        assert_eq!(
            refused("x + 1").message,
            "partition key `dt`: expected a varchar, date, boolean or whole number, found double: cast it"
        );
        assert!(
            refused("upper(kk)")
                .to_string()
                .starts_with("line 1:7: partition key `dt`: Column 'kk' cannot be resolved")
        );
    }
}
