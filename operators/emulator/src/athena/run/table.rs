//! `ALTER TABLE`: columns, places and properties. A change is made to the version that was read, and to no other.

use lake::catalog::{Column, Expect, Table};
use lake::name::{Location, TableName};
use lake::{ErrorKind, Result};

use super::ddl::semantic;
use super::outcome::Outcome;
use crate::athena::Athena;
use crate::athena::statement::{Alter, ColumnPlace};

impl Athena {
    pub(super) async fn alter(&self, name: TableName, change: &Alter) -> Result<Outcome> {
        let mut table = self.table(&name).await?;
        if table.is_view() {
            return Err(semantic(
                ErrorKind::InvalidInput,
                format_args!("[Error 10131]: To alter a view you need to create it again: {name}"),
            ));
        }
        match change {
            Alter::AddPartitions { if_not_exists, partitions } => {
                return self.add_partitions(&table, *if_not_exists, partitions).await;
            }
            Alter::DropPartitions { if_exists, partitions } => {
                return self.drop_partitions(&table, *if_exists, partitions).await;
            }
            Alter::RenamePartition { from, to } => return self.rename_partition(&table, from, to).await,
            Alter::SetLocation { partition: Some(partition), location } => {
                return self.set_partition_location(&table, partition, location).await;
            }
            Alter::SetLocation { partition: None, location } => {
                table.location = Some(Location::parse(location)?.into_prefix());
            }
            Alter::AddColumns(added) => {
                for column in added {
                    let column = column.column()?;
                    if has_column(&table, &column) {
                        return Err(semantic(
                            ErrorKind::InvalidInput,
                            format_args!("[Error 10036]: Duplicate column name: {}", column.name),
                        ));
                    }
                    table.columns.push(column);
                }
            }
            Alter::ReplaceColumns(columns) => {
                table.columns =
                    columns.iter().map(super::super::statement::WrittenColumn::column).collect::<Result<Vec<_>>>()?;
            }
            Alter::ChangeColumn { old, new, place } => change_column(&mut table, old, new.column()?, place.as_ref())?,
            Alter::SetProperties(properties) => table.parameters.extend(properties.clone()),
        }
        let version = table.version;
        self.inner.lake.catalog.put_table(&table, Expect::Version(version)).await?;
        Ok(Outcome::nothing())
    }
}

/// Gives a column another name, type, remark or place; without a remark it keeps its own.
fn change_column(table: &mut Table, old: &str, new: Column, place: Option<&ColumnPlace>) -> Result<()> {
    let find = |table: &Table, name: &str| {
        table.columns.iter().position(|column| column.name == name.to_lowercase()).ok_or_else(|| {
            semantic(ErrorKind::InvalidInput, format_args!("[Error 10002]: Invalid column reference {name}"))
        })
    };
    let at = find(table, old)?;
    let before = table.columns.remove(at);
    if has_column(table, &new) {
        return Err(semantic(
            ErrorKind::InvalidInput,
            format_args!("[Error 10036]: Duplicate column name: {}", new.name),
        ));
    }
    let to = match place {
        None => at,
        Some(ColumnPlace::First) => 0,
        Some(ColumnPlace::After(name)) => find(table, name)? + 1,
    };
    let comment = new.comment.clone().or(before.comment);
    table.columns.insert(to, Column { comment, parameters: before.parameters, ..new });
    Ok(())
}

fn has_column(table: &Table, column: &Column) -> bool {
    table.columns.iter().chain(&table.partition_keys).any(|known| known.name == column.name)
}
