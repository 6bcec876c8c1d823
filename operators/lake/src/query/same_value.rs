//! Partitions by what their values mean: a key of whole numbers has `8` and `08` for one value, and a catalog for two texts.

use std::collections::HashMap;

use super::table::{partition_meaning, partition_text};
use crate::catalog::{Catalog, Partition, PartitionValues, Table};
use crate::error::{Error, Result};
use crate::sql::Type;

/// Returns the values of a partition in one form for each value that queries tell apart.
///
/// # Errors
/// `InvalidData` for a text that is no value of its key's type, which no query could read then.
pub fn meaning(table: &Table, values: &[String]) -> Result<Vec<String>> {
    let pairs = table.partition_keys.iter().zip(values);
    let one = pairs.map(|(key, value)| partition_meaning(&key.name, &Type::from_hive(&key.hive_type)?, value));
    one.collect::<Result<_>>().map_err(|error: Error| error.with("table", table.name.to_string()))
}

/// Returns the values of a partition that is new as queries write them, so that whoever makes it gives it the same text.
///
/// # Errors
/// As [`meaning`].
pub fn canonical(table: &Table, values: &[String]) -> Result<PartitionValues> {
    let pairs = table.partition_keys.iter().zip(values);
    let one = pairs.map(|(key, value)| partition_text(&key.name, &Type::from_hive(&key.hive_type)?, value));
    one.collect::<Result<_>>().map_err(|error: Error| error.with("table", table.name.to_string()))
}

/// Finds the partition of a table with these values: the one that is written so, else one whose values mean the same, such as the
/// folder `month=08` of a key of whole numbers. A table of text keys is asked for the one alone; else the partitions are listed where it
/// is not there.
///
/// # Errors
/// Those of the catalog.
pub async fn partition_of(catalog: &dyn Catalog, table: &Table, values: &[String]) -> Result<Option<Partition>> {
    match catalog.partition(&table.name, values).await? {
        None => written_otherwise(catalog, table, values).await,
        found => Ok(found),
    }
}

/// Finds a partition of a table whose values mean the same as these and are written otherwise; nothing is asked where all keys are text.
///
/// # Errors
/// Those of the catalog.
pub async fn written_otherwise(catalog: &dyn Catalog, table: &Table, values: &[String]) -> Result<Option<Partition>> {
    if has_text_keys(table) {
        return Ok(None);
    }
    let Ok(wanted) = meaning(table, values) else { return Ok(None) };
    let is_other = |other: &Partition| {
        other.values != values && meaning(table, &other.values).is_ok_and(|meaning| meaning == wanted)
    };
    Ok(catalog.partitions(&table.name).await?.into_iter().find(is_other))
}

/// Tells whether each text is a value of its own for all keys of a table.
fn has_text_keys(table: &Table) -> bool {
    let is_text = |hive_type: &str| matches!(Type::from_hive(hive_type), Ok(Type::Varchar(_)) | Err(_));
    table.partition_keys.iter().all(|key| is_text(&key.hive_type))
}

/// The partitions of a table whose keys are not all text, by what their values mean: for looking many up.
#[derive(Debug, Clone)]
pub struct TypedPartitions {
    table: Table,
    by_meaning: HashMap<Vec<String>, Vec<PartitionValues>>,
}

impl TypedPartitions {
    /// Lists the partitions of a table, which may not be in the catalog yet; none, and nothing is asked, where all keys are text.
    ///
    /// # Errors
    /// Those of the catalog.
    pub async fn list(catalog: &dyn Catalog, table: &Table) -> Result<Option<Self>> {
        if has_text_keys(table) {
            return Ok(None);
        }
        let mut by_meaning: HashMap<Vec<String>, Vec<PartitionValues>> = HashMap::new();
        for partition in catalog.partitions(&table.name).await? {
            // What nobody can read is found by its text alone.
            let meaning = meaning(table, &partition.values).unwrap_or_else(|_| partition.values.clone());
            by_meaning.entry(meaning).or_default().push(partition.values);
        }
        Ok(Some(Self { table: table.clone(), by_meaning }))
    }

    /// Returns what stands for these values, however they are written: the text that the catalog has of them, or, where it has
    /// no such partition, the one that queries write. Which of both is told first.
    ///
    /// # Errors
    /// `InvalidData` for a text that is no value of its key's type.
    pub fn find(&self, values: &[String]) -> Result<(bool, PartitionValues)> {
        let meaning = match meaning(&self.table, values) {
            Ok(meaning) => meaning,
            Err(error) => {
                let is_there =
                    self.by_meaning.get(values).is_some_and(|known| known.iter().any(|known| known == values));
                return if is_there { Ok((true, values.to_vec())) } else { Err(error) };
            }
        };
        let known = self.by_meaning.get(&meaning).map(Vec::as_slice).unwrap_or_default();
        let exactly = known.iter().find(|known| *known == values);
        match exactly.or(known.first()) {
            Some(known) => Ok((true, known.clone())),
            None => Ok((false, canonical(&self.table, values)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Column, Database, Expect, SqliteCatalog, TableFormat};
    use crate::clock::ManualClock;
    use crate::name::{Location, TableName};
    use std::sync::Arc;

    #[tokio::test]
    async fn numbers_are_the_same_however_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let pool = crate::sqlite::open(&folder.path().join("catalog.sqlite")).await.unwrap();
        let catalog = SqliteCatalog::open(pool, Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH))).await.unwrap();
        catalog.create_database(&Database::new("web")).await.unwrap();
        let location = Location::parse("s3://b/t/").unwrap();
        let keys = vec![Column::new("month", "int"), Column::new("city", "string")];
        let name = TableName::new("web", "t").unwrap();
        let table = Table::new(name, vec![Column::new("n", "bigint")], keys, location, TableFormat::Parquet);
        let table = catalog.put_table(&table, Expect::Absent).await.unwrap();
        let values = |month: &str, city: &str| vec![month.to_owned(), city.to_owned()];
        for (month, city) in [("08", "07"), ("9", "x"), ("09", "x"), ("broken", "x")] {
            let values = values(month, city);
            let partition = table.new_partition(values.clone(), table.hive_location(&values).unwrap());
            catalog.put_partition(&table.name, &partition, Expect::Absent).await.unwrap();
        }
        for (month, city, found) in [
            ("8", "07", Some("08")),
            ("008", "07", Some("08")),
            ("+8", "07", Some("08")),
            ("08", "07", Some("08")),
            ("8", "7", None),
            ("9", "x", Some("9")),
            ("09", "x", Some("09")),
            ("10", "x", None),
            ("x", "07", None),
        ] {
            let partition = partition_of(&catalog, &table, &values(month, city)).await.unwrap();
            assert_eq!(partition.map(|partition| partition.values[0].clone()).as_deref(), found, "{month}/{city}");
        }
        let typed = TypedPartitions::list(&catalog, &table).await.unwrap().unwrap();
        for (month, city, found) in [
            ("8", "07", Some((true, "08"))),
            ("08", "07", Some((true, "08"))),
            ("9", "x", Some((true, "9"))),
            ("09", "x", Some((true, "09"))),
            ("010", "x", Some((false, "10"))),
            ("broken", "x", Some((true, "broken"))),
            ("x", "07", None),
        ] {
            let values = typed.find(&values(month, city)).ok().map(|(is_known, values)| (is_known, values[0].clone()));
            assert_eq!(values, found.map(|(is_known, month)| (is_known, month.to_owned())), "{month}/{city}");
        }
        assert_eq!(meaning(&table, &values("08", "07")).unwrap(), meaning(&table, &values("8", "07")).unwrap());
        assert_eq!(
            meaning(&table, &values("8.0", "x")).unwrap_err().message,
            "HIVE_INVALID_PARTITION_VALUE: the value `8.0` of partition key `month` is no integer"
        );
    }
}
