//! Statistics of columns, of tables and of partitions: kept as clients put them.

use lake::catalog::ColumnStatistics;
use lake::name::TableName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Glue, nothing};
use crate::error::{ApiError, ApiResult};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfColumns {
    database_name: String,
    table_name: String,
    /// The partition; none for the table itself.
    #[serde(default)]
    partition_values: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetColumnStatistics {
    #[serde(flatten)]
    place: OfColumns,
    column_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateColumnStatistics {
    #[serde(flatten)]
    place: OfColumns,
    column_statistics_list: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteColumnStatistics {
    #[serde(flatten)]
    place: OfColumns,
    column_name: String,
}

/// The figures of each kind of column that every answer has
/// (<https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog-tables.html>, "Required"; statistics are described under
/// "Column statistics API").
const REQUIRED: &[(&str, &[&str])] = &[
    ("BinaryColumnStatisticsData", &["AverageLength", "MaximumLength", "NumberOfNulls"]),
    ("BooleanColumnStatisticsData", &["NumberOfFalses", "NumberOfNulls", "NumberOfTrues"]),
    ("DateColumnStatisticsData", &["NumberOfDistinctValues", "NumberOfNulls"]),
    ("DecimalColumnStatisticsData", &["NumberOfDistinctValues", "NumberOfNulls"]),
    ("DoubleColumnStatisticsData", &["NumberOfDistinctValues", "NumberOfNulls"]),
    ("LongColumnStatisticsData", &["NumberOfDistinctValues", "NumberOfNulls"]),
    ("StringColumnStatisticsData", &["AverageLength", "MaximumLength", "NumberOfDistinctValues", "NumberOfNulls"]),
];

/// Puts zeros where a client left out what an answer must have: Trino does so for columns that hold NULL alone, and trips over
/// its own figures without them.
fn completed(mut figures: Value) -> Value {
    for (kind, names) in REQUIRED {
        let data = figures.pointer_mut(&format!("/StatisticsData/{kind}")).and_then(Value::as_object_mut);
        if let Some(data) = data {
            for name in *names {
                data.entry(*name).or_insert_with(|| json!(0));
            }
        }
    }
    figures
}

impl Glue {
    async fn place(&self, place: &OfColumns) -> ApiResult<TableName> {
        let name = TableName::new(&place.database_name, &place.table_name)?;
        self.table(&name).await?;
        Ok(name)
    }

    /// Gets statistics of columns; columns without any are left out.
    pub(super) async fn get_column_statistics(&self, call: GetColumnStatistics) -> ApiResult<Value> {
        let name = self.place(&call.place).await?;
        let mut found = self.catalog.column_statistics(&name, call.place.partition_values.as_deref()).await?;
        found.retain(|statistics| {
            call.column_names.iter().any(|wanted| wanted.eq_ignore_ascii_case(&statistics.column))
        });
        let list: Vec<Value> = found.into_iter().map(|statistics| statistics.figures).collect();
        Ok(json!({"ColumnStatisticsList": list, "Errors": []}))
    }

    pub(super) async fn update_column_statistics(&self, call: UpdateColumnStatistics) -> ApiResult<Value> {
        let name = self.place(&call.place).await?;
        let statistics = call
            .column_statistics_list
            .into_iter()
            .map(|figures| match figures.get("ColumnName").and_then(Value::as_str) {
                Some(column) => Ok(ColumnStatistics { column: column.to_lowercase(), figures: completed(figures) }),
                None => Err(ApiError::invalid_input("expected a `ColumnName` in each of `ColumnStatisticsList`")),
            })
            .collect::<ApiResult<Vec<_>>>()?;
        self.catalog.put_column_statistics(&name, call.place.partition_values.as_deref(), &statistics).await?;
        Ok(json!({"Errors": []}))
    }

    pub(super) async fn delete_column_statistics(&self, call: DeleteColumnStatistics) -> ApiResult<Value> {
        let name = self.place(&call.place).await?;
        let partition = call.place.partition_values.as_deref();
        // Those of a column that has none are gone already: Trino drops them so before it writes a table's first ones.
        self.catalog.drop_column_statistics(&name, partition, &call.column_name).await?;
        Ok(nothing())
    }
}
