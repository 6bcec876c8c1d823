//! Partitions by what their values mean: a key of whole numbers has `8` and `08` for one value, and a catalog for two texts.

use super::table::partition_meaning;
use crate::catalog::{Catalog, Partition, Table};
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

/// Finds the partition of a table with these values: the one that is written so, else one whose values mean the same, such as the
/// folder `month=08` of a key of whole numbers. A table of text keys is asked for the one alone; else the partitions are listed where it
/// is not there.
///
/// # Errors
/// Those of the catalog.
pub async fn partition_of(catalog: &dyn Catalog, table: &Table, values: &[String]) -> Result<Option<Partition>> {
    let found = catalog.partition(&table.name, values).await?;
    let is_text = |hive_type: &str| matches!(Type::from_hive(hive_type), Ok(Type::Varchar(_) | Type::Char(_)) | Err(_));
    if found.is_some() || table.partition_keys.iter().all(|key| is_text(&key.hive_type)) {
        return Ok(found);
    }
    let Ok(wanted) = meaning(table, values) else { return Ok(None) };
    let mut partitions = catalog.partitions(&table.name).await?.into_iter();
    Ok(partitions.find(|other| meaning(table, &other.values).is_ok_and(|meaning| meaning == wanted)))
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
        assert_eq!(meaning(&table, &values("08", "07")).unwrap(), meaning(&table, &values("8", "07")).unwrap());
        assert_eq!(
            meaning(&table, &values("8.0", "x")).unwrap_err().message,
            "HIVE_INVALID_PARTITION_VALUE: the value `8.0` of partition key `month` is no integer"
        );
    }
}
