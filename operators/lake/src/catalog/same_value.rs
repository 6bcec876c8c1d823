//! Partitions by what their values mean: a key of whole numbers has `8` and `08` for one value, and a catalog for two texts.

use super::{Catalog, Partition, Table};
use crate::error::Result;
use crate::sql::Type;

/// Finds the partition of a table with these values: the one that is written so, else one whose keys of whole numbers are written
/// otherwise, such as the folder `month=08`. A table without such keys is asked for the one alone; else the partitions are listed where it
/// is not there.
///
/// # Errors
/// Those of the catalog.
pub async fn partition_of(catalog: &dyn Catalog, table: &Table, values: &[String]) -> Result<Option<Partition>> {
    let found = catalog.partition(&table.name, values).await?;
    let is_number: Vec<bool> = table
        .partition_keys
        .iter()
        .map(|key| {
            let data_type = Type::from_hive(&key.hive_type);
            matches!(data_type, Ok(Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint))
        })
        .collect();
    if found.is_some() || !is_number.contains(&true) {
        return Ok(found);
    }
    let same = |(is_number, (left, right)): (&bool, (&String, &String))| {
        left == right || (*is_number && number(left).is_some() && number(left) == number(right))
    };
    let mut partitions = catalog.partitions(&table.name).await?.into_iter();
    Ok(partitions.find(|other| is_number.iter().zip(other.values.iter().zip(values)).all(same)))
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
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
        for (month, city) in [("08", "07"), ("9", "x"), ("09", "x")] {
            let values = values(month, city);
            let partition = table.new_partition(values.clone(), table.hive_location(&values).unwrap());
            catalog.put_partition(&table.name, &partition, Expect::Absent).await.unwrap();
        }
        for (month, city, found) in [
            ("8", "07", Some("08")),
            ("008", "07", Some("08")),
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
    }
}
