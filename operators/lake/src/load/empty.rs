//! A load that found no rows: what becomes of the table.
//!
//! | `on_empty` | `mode` | the table | the load |
//! |---|---|---|---|
//! | `publish` | any | becomes what the load says: with `replace` it is empty | ends well |
//! | `skip` | any | stays as it is | ends well, and says so |
//! | `error` | any | stays as it is | fails with `DataQuality` |
//! | not given | `replace`, and the table has data | stays as it is | fails with `DataQuality` |
//! | not given | `append`, and the load added rows before | stays as it is | fails with `DataQuality` |
//! | not given | else | as with `publish`: nothing is lost | ends well |

use super::config::{Mode, OnEmpty, OutputConfig, TableOutput};
use super::job::{Plan, WrittenLoad};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::TableName;
use crate::words::counted;

/// Tells whether what was written is to be published.
///
/// # Errors
/// `DataQuality` when there are no rows and that is an error; those of storage and catalog.
pub(super) async fn is_published(lake: &Lake, plan: &Plan, written: &WrittenLoad) -> Result<bool> {
    let OutputConfig::Table(table) = &plan.config.out else { return Ok(true) };
    if written.report.rows > 0 {
        return Ok(true);
    }
    let files = counted(written.report.files, "file");
    let name = format!("{}.{}", table.database, table.table).to_lowercase();
    let why = match table.on_empty {
        Some(OnEmpty::Skip) => return Ok(false),
        Some(OnEmpty::Error) => "`on_empty` is `error`".to_owned(),
        None if table.mode == Mode::Replace && has_data(lake, table).await? => {
            format!("`mode: replace` would take all rows of table `{name}` away")
        }
        None if written.replaced > 0 => {
            let rows = counted(written.replaced, "row");
            format!("`mode: append` would take {rows} away that this load appended to table `{name}` before")
        }
        Some(OnEmpty::Publish) | None => return Ok(true),
    };
    let error = Error::new(
        ErrorKind::DataQuality,
        "load",
        format!("the load found no rows in {files}, and {why}: nothing was published"),
    );
    Err(match table.on_empty {
        None => error.help(
            "say beside `mode` what an empty input means: `on_empty: publish` (what this load has in the table goes), `on_empty: skip` (it \
             stays as it is) or `on_empty: error`",
        ),
        Some(_) => error,
    })
}

/// Tells whether readers of the table find objects.
async fn has_data(lake: &Lake, output: &TableOutput) -> Result<bool> {
    let name = TableName::new(&output.database, &output.table)?;
    let Some(table) = lake.catalog.table(&name).await? else { return Ok(false) };
    if !table.partition_keys.is_empty() {
        return Ok(!lake.catalog.partitions(&name).await?.is_empty());
    }
    match &table.location {
        Some(location) => Ok(lake.storage.has_data(location).await?),
        None => Ok(false),
    }
}
