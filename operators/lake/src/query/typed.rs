//! The columns of results that come from engines elsewhere, and how what such an engine writes becomes Arrow.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::ResultColumn;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Type;
use crate::sql::cast::{cast, kernel};
use crate::sql::function::Session;

const OPERATION: &str = "read a result";

/// The columns of a result.
#[derive(Debug, Clone)]
pub(super) struct TypedColumns {
    pub(super) columns: Vec<ResultColumn>,
    pub(super) schema: SchemaRef,
    session: Session,
}

impl TypedColumns {
    /// Makes them of names and the types that values are read as.
    pub(super) fn new(columns: Vec<ResultColumn>) -> Self {
        let fields: Vec<Field> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| Field::new(format!("c{index}"), column.data_type.to_arrow(), true))
            .collect();
        let session = Session { time_zone: "UTC".to_owned(), start_us: 0, database: None };
        Self { columns, schema: Arc::new(Schema::new(fields)), session }
    }

    /// Makes a batch of so many rows; `read` gives the array of a column, or says what cannot be read.
    ///
    /// # Errors
    /// `InvalidData` for a value that is none of its type.
    pub(super) fn batch_of(
        &self,
        n_rows: usize,
        read: impl Fn(usize, &Type) -> Result<ArrayRef, String>,
    ) -> Result<RecordBatch> {
        let array = |(index, column): (usize, &ResultColumn)| {
            let array = read(index, &column.data_type).map_err(|why| {
                let ResultColumn { name, data_type, is_named: _ } = column;
                let message = format!("column `{name}` of the result cannot be read as {data_type}: {why}");
                Error::new(ErrorKind::InvalidData, OPERATION, message)
            })?;
            debug_assert_eq!(array.data_type(), &column.data_type.to_arrow());
            Ok(array)
        };
        let arrays = self.columns.iter().enumerate().map(array).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| Error::new(ErrorKind::External, OPERATION, error.to_string()))
    }

    /// Reads texts that an engine wrote of values that have a type.
    pub(super) fn of_texts(&self, data_type: &Type, texts: StringArray) -> Result<ArrayRef, String> {
        match data_type {
            Type::Varchar(_) | Type::Json => Ok(Arc::new(texts)),
            // In Arrow a char has no padding.
            Type::Char(_) => {
                let trimmed = texts.iter().map(|text| text.map(|text| text.trim_end_matches(' ')));
                Ok(Arc::new(trimmed.collect::<StringArray>()))
            }
            other => {
                let texts: ArrayRef = Arc::new(texts);
                cast(&self.session, &Type::Varchar(None), other, &texts).map_err(|error| error.message)
            }
        }
    }
}

/// Tells whether a type can be read of texts.
pub(super) fn is_of_texts(data_type: &Type) -> bool {
    matches!(data_type, Type::Varchar(_) | Type::Char(_) | Type::Json)
        || matches!(kernel(&Type::Varchar(None), data_type), Ok(Some(_)))
}
