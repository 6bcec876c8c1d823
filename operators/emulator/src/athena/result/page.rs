//! Pages of a result: rows as clients read them, from the object that holds them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lake::name::Location;
use lake::storage::Storage;
use object_store::ObjectStoreExt as _;
use serde_json::{Value, json};

use super::csv::record;
use crate::athena::model::{Execution, ResultForm};
use crate::athena::refusal::{ErrorCode, invalid};
use crate::error::{ApiError, ApiResult};

/// Bytes that are read at a time.
const PIECE_BYTES: u64 = 1 << 18;

/// Rows of a page, and where the next one begins.
pub(in crate::athena) struct Page {
    pub(in crate::athena) rows: Vec<Value>,
    pub(in crate::athena) next: Option<String>,
}

/// Reads a page of at most `limit` rows, the header among them.
pub(in crate::athena) async fn read(
    storage: &Storage,
    execution: &Execution,
    limit: usize,
    token: Option<&str>,
) -> ApiResult<Page> {
    let start = match token {
        None => 0,
        Some(token) => position(&execution.id, token)
            .ok_or_else(|| invalid(ErrorCode::InvalidInput, "NextToken is not valid for this query"))?,
    };
    let gone = || {
        invalid(
            ErrorCode::ResultNotFound,
            format!("Could not find results: the object {} is gone", execution.output_location),
        )
    };
    match execution.result.form {
        ResultForm::Nothing => Ok(Page { rows: Vec::new(), next: None }),
        ResultForm::Text => {
            let location = Location::parse(&execution.output_location)?;
            let bytes = storage.read(&location).await.map_err(|_| gone())?;
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split('\n').collect() };
            let from = usize::try_from(start).unwrap_or(usize::MAX);
            let rows: Vec<Value> =
                lines.iter().skip(from).take(limit).map(|line| row(&[Some((*line).to_owned())])).collect();
            let end = from.saturating_add(rows.len());
            let next = (end < lines.len()).then(|| token_of(&execution.id, u64::try_from(end).unwrap_or(u64::MAX)));
            Ok(Page { rows, next })
        }
        ResultForm::Csv => {
            let location = Location::parse(&execution.output_location)?;
            let size = storage.head(&location).await.map_err(ApiError::from)?.ok_or_else(gone)?.bytes;
            csv(storage, &location, &execution.id, size, start, limit).await
        }
    }
}

async fn csv(storage: &Storage, location: &Location, id: &str, size: u64, start: u64, limit: usize) -> ApiResult<Page> {
    let store = storage.object_store();
    let path = Storage::store_path(location)?;
    let mut rows = Vec::new();
    let mut buffer: Vec<u8> = Vec::new();
    // Where the buffer begins, where the next record begins in it, and where reading goes on.
    let (mut at, mut read_to) = (start, start);
    let mut used = 0;
    loop {
        while rows.len() < limit
            && let Some((values, length)) = buffer.get(used..).and_then(record)
        {
            rows.push(row(&values));
            used += length;
        }
        at += u64::try_from(used).unwrap_or(0);
        buffer.drain(..used);
        used = 0;
        if rows.len() == limit || read_to >= size {
            break;
        }
        let end = read_to.saturating_add(PIECE_BYTES).min(size);
        let piece = store
            .get_range(&path, read_to..end)
            .await
            .map_err(|error| ApiError::internal(format!("cannot read the result {location}: {error}")))?;
        buffer.extend_from_slice(&piece);
        read_to = end;
    }
    Ok(Page { rows, next: (at < size).then(|| token_of(id, at)) })
}

fn row(values: &[Option<String>]) -> Value {
    let data: Vec<Value> = values
        .iter()
        .map(|value| match value {
            Some(text) => json!({ "VarCharValue": text }),
            None => json!({}),
        })
        .collect();
    json!({ "Data": data })
}

/// Writes where a page of a query begins.
fn token_of(id: &str, position: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{id} {position}"))
}

fn position(id: &str, token: &str) -> Option<u64> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (of, position) = text.split_once(' ')?;
    if of == id { position.parse().ok() } else { None }
}
