//! `SearchTables`: tables of all databases by what is said of them.

use lake::catalog;
use serde::Deserialize;
use serde_json::Value;

use super::model::Table;
use super::page::Paging;
use super::{Glue, list};
use crate::error::{ApiError, ApiResult};

/// How many tables a page holds.
const MAX_PAGE: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SearchTables {
    #[serde(default)]
    search_text: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    #[serde(flatten)]
    paging: Paging,
}

/// A property that tables must have.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    value: String,
    #[serde(default)]
    comparator: Option<String>,
}

impl Glue {
    pub(super) async fn search_tables(&self, call: SearchTables) -> ApiResult<Value> {
        for filter in &call.filters {
            if filter.comparator.as_deref().is_some_and(|comparator| comparator != "EQUALS") {
                return Err(ApiError::invalid_input(format!(
                    "the filter on `{}` can compare by EQUALS only",
                    filter.key
                )));
            }
        }
        let words = words(call.search_text.as_deref().unwrap_or_default());
        let mut found = Vec::new();
        for database in self.catalog.databases().await? {
            for table in self.catalog.tables(&database.name).await? {
                let texts = texts(&table);
                let fits = words.iter().all(|word| texts.iter().any(|text| word.is_in(text)))
                    && call.filters.iter().all(|filter| filter.fits(&table));
                if fits {
                    found.push(table);
                }
            }
        }
        let page = call.paging.of(found, MAX_PAGE, |table| format!("{}\0{}", table.name.database, table.name.table))?;
        let items: Vec<Table> = page.items.into_iter().map(Table::of).collect();
        list("TableList", &items, page.next_token)
    }
}

impl Filter {
    fn fits(&self, table: &catalog::Table) -> bool {
        let value = match self.key.to_ascii_lowercase().as_str() {
            "databasename" | "database" => Some(table.name.database.as_str()),
            "name" | "tablename" => Some(table.name.table.as_str()),
            "description" => table.detail.description.as_deref(),
            "owner" => table.detail.owner.as_deref(),
            "tabletype" => Some(table.table_type.as_str()),
            _ => table.parameters.get(&self.key).map(String::as_str),
        };
        value.is_some_and(|value| value.eq_ignore_ascii_case(&self.value))
    }
}

/// A word that is looked for.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// It stands somewhere in a text.
    Part(String),
    /// It is the whole text, as it was in quotes.
    Whole(String),
}

impl Word {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Part(word) => text.contains(word),
            Self::Whole(word) => text == word,
        }
    }
}

fn words(text: &str) -> Vec<Word> {
    let text = text.to_lowercase();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(whole) => vec![Word::Whole(whole.to_owned())],
        None => text.split_whitespace().map(|word| Word::Part(word.to_owned())).collect(),
    }
}

/// Returns what is said of a table, in lower case.
fn texts(table: &catalog::Table) -> Vec<String> {
    let columns = table.columns.iter().chain(&table.partition_keys);
    let mut texts = vec![table.name.table.clone(), table.name.database.clone()];
    texts.extend(table.detail.description.clone());
    texts.extend(columns.flat_map(|column| [Some(column.name.clone()), column.comment.clone()]).flatten());
    texts.extend(table.parameters.values().cloned());
    texts.into_iter().map(|text| text.to_lowercase()).collect()
}
