//! The line that shows how to look at what a run published: it runs as it is printed.

use std::collections::{HashMap, HashSet};

use engine::operator::Published;
use engine::run::RunSummary;
use futures::StreamExt as _;
use lake::Lake;
use lake::catalog::Table;
use lake::name::TableName;
use lake::sql::{Type, identifier};
use operators::LakeDoor;

use crate::settings::{Settings, find_project};

/// How many of the last tables, and of the last partitions, that were published are looked for, should they be gone again.
const LOOKED_FOR: usize = 100;

/// How many partitions are looked for at a time.
const LOOKS_AT_ONCE: usize = 16;

/// What a run published, and which of it is there still.
#[derive(Debug)]
pub(super) struct Remaining<'s> {
    /// What was published, in the order of the file, without what is gone.
    pub(super) published: Vec<&'s Published>,
    /// How many tables of it were dropped again.
    pub(super) dropped_tables: usize,
    /// How many partitions of it were dropped again, of tables that are there.
    pub(super) dropped_partitions: usize,
    /// The tables, as far as they were looked up.
    tables: HashMap<&'s str, Table>,
}

/// Lists what the tasks of a run published, in the order of the file.
fn published(summary: &RunSummary) -> impl DoubleEndedIterator<Item = &Published> {
    summary.tasks.iter().filter_map(|task| task.report.as_ref()).flat_map(|report| &report.published)
}

/// Finds what is left of what a run published. A lake that this run did not open (its tasks ran before) or that does not answer
/// says nothing of what is gone.
pub(super) async fn remaining<'s>(door: &LakeDoor, summary: &'s RunSummary) -> Remaining<'s> {
    let (mut tables, mut gone, mut seen) = (HashMap::new(), HashSet::new(), HashSet::new());
    if let Some(lake) = door.opened() {
        let names = published(summary).rev().map(|entry| entry.table.as_str());
        for name in names.filter(|name| !name.is_empty() && seen.insert(*name)).take(LOOKED_FOR) {
            let Some(table_name) = TableName::of_text(name) else { continue };
            match lake.catalog.table(&table_name).await {
                Ok(Some(table)) => {
                    tables.insert(name, table);
                }
                Ok(None) => {
                    gone.insert(name);
                }
                Err(_) => {}
            }
        }
    }
    let dropped = match door.opened() {
        Some(lake) => dropped_partitions(lake, summary, &tables).await,
        None => HashSet::new(),
    };
    let is_there = |entry: &&Published| !gone.contains(entry.table.as_str()) && !dropped.contains(&name_of(entry));
    let published = published(summary).filter(is_there).collect();
    Remaining { published, dropped_tables: gone.len(), dropped_partitions: dropped.len(), tables }
}

/// The table and the partition.
fn name_of(entry: &Published) -> (&str, &str) {
    (entry.table.as_str(), entry.partition.as_str())
}

/// Finds which of the partitions that a run published are gone again, though their tables are not.
async fn dropped_partitions<'s>(
    lake: &Lake,
    summary: &'s RunSummary,
    tables: &HashMap<&'s str, Table>,
) -> HashSet<(&'s str, &'s str)> {
    let mut seen = HashSet::new();
    let entries = published(summary).rev().filter(|entry| !entry.partition.is_empty() && seen.insert(name_of(entry)));
    let lookups: Vec<_> = entries
        .filter_map(|entry| {
            let table = tables.get(entry.table.as_str())?;
            let pairs = entry.partition.split('/').filter_map(|pair| pair.split_once('='));
            let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            let values = table.partition_values(&pairs).ok()?;
            Some(async move {
                let found = lake.catalog.partition(&table.name, &values).await;
                matches!(found, Ok(None)).then(|| name_of(entry))
            })
        })
        .take(LOOKED_FOR)
        .collect();
    futures::stream::iter(lookups).buffer_unordered(LOOKS_AT_ONCE).filter_map(std::future::ready).collect().await
}

impl Remaining<'_> {
    /// Returns the command that shows what was published last; rejected lines when there is nothing else.
    pub(super) fn command(&self, settings: &Settings) -> Option<String> {
        let is_rejected = |entry: &&&Published| entry.table.ends_with("__rejected");
        let candidates = || self.published.iter().rev().filter(|entry| !entry.table.is_empty());
        let last = candidates().find(|entry| !is_rejected(entry)).or_else(|| candidates().next())?;
        let sql = select(last, self.tables.get(last.table.as_str()));
        Some(format!("suiro query{}{} {}", project(settings), profile(settings), shell_word(&sql, true)))
    }
}

/// The SELECT for a partition or table.
fn select(entry: &Published, table: Option<&Table>) -> String {
    let name = match TableName::of_text(&entry.table) {
        Some(name) => format!("{}.{}", identifier(&name.database), identifier(&name.table)),
        None => identifier(&entry.table),
    };
    let keys = table.map_or(&[][..], |table| table.partition_keys.as_slice());
    let terms: Vec<String> = entry
        .partition
        .split('/')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| {
            let key_type = keys.iter().find(|own| own.name.eq_ignore_ascii_case(key));
            let key_type = key_type.and_then(|own| Type::from_hive(&own.hive_type).ok());
            format!("{} = {}", identifier(key), literal(value, key_type.as_ref()))
        })
        .collect();
    let filter = if terms.is_empty() { String::new() } else { format!(" WHERE {}", terms.join(" AND ")) };
    format!("SELECT * FROM {name}{filter} LIMIT 10")
}

/// A partition's value as SQL, of the key's type: text is compared with text only.
fn literal(value: &str, key_type: Option<&Type>) -> String {
    let text = format!("'{}'", value.replace('\'', "''"));
    match key_type {
        None | Some(Type::Varchar(_) | Type::Char(_)) => text,
        Some(Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint) => value.to_owned(),
        Some(Type::Date) => format!("DATE {text}"),
        Some(other) => format!("CAST({text} AS {other})"),
    }
}

/// How to name the project on the command line, when the current folder does not lead to it.
fn project(settings: &Settings) -> String {
    if find_project(None).is_ok_and(|found| found == settings.project) {
        return String::new();
    }
    let here = std::path::absolute(".").ok();
    let project =
        here.as_deref().and_then(|here| settings.project.strip_prefix(here).ok()).unwrap_or(&settings.project);
    format!(" --project {}", shell_word(&project.to_string_lossy(), false))
}

/// How to name the profile on the command line.
fn profile(settings: &Settings) -> String {
    settings.profile.as_ref().map_or_else(String::new, |profile| format!(" --profile {}", shell_word(profile, false)))
}

/// Quotes a word for a shell, where `quoted` says or it needs it: between `"` when nothing in it means something there, else
/// between `'`.
fn shell_word(text: &str, quoted: bool) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+:@%=,".contains(character);
    if !quoted && !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if text.contains(['"', '$', '`', '\\', '!']) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_quoted() {
        let entry = |table: &str, partition: &str| Published {
            table: table.to_owned(),
            partition: partition.to_owned(),
            rows: 1,
            bytes: 1,
            location: String::new(),
        };
        for (table, partition, expected) in [
            ("web.t", "", "SELECT * FROM web.t LIMIT 10"),
            ("web.order", "dt=a", "SELECT * FROM web.\"order\" WHERE dt = 'a' LIMIT 10"),
            ("web.t-up per", "1x=it's", "SELECT * FROM web.\"t-up per\" WHERE \"1x\" = 'it''s' LIMIT 10"),
            ("\"v.db\".n3", "", "SELECT * FROM \"v.db\".n3 LIMIT 10"),
            ("web.a.b", "group=1/h=2", "SELECT * FROM web.\"a.b\" WHERE \"group\" = '1' AND h = '2' LIMIT 10"),
        ] {
            assert_eq!(select(&entry(table, partition), None), expected);
        }
        for (value, key_type, expected) in [
            ("a'b", Type::Varchar(None), "'a''b'"),
            ("5", Type::Bigint, "5"),
            ("2024-03-01", Type::Date, "DATE '2024-03-01'"),
            ("true", Type::Boolean, "CAST('true' AS boolean)"),
        ] {
            assert_eq!(literal(value, Some(&key_type)), expected);
        }
    }

    #[test]
    fn a_shell_reads_what_was_written() {
        for (text, expected) in [
            ("SELECT 'a'", "\"SELECT 'a'\""),
            ("a = 'it''s $HOME \"q\"'", r#"'a = '\''it'\'''\''s $HOME "q"'\'''"#),
            ("a`b\\c!d", r"'a`b\c!d'"),
        ] {
            assert_eq!(shell_word(text, true), expected);
        }
        assert_eq!(shell_word("examples/01_daily", false), "examples/01_daily");
        assert_eq!(shell_word("my files", false), "\"my files\"");
    }
}
