//! Lists in pages: items by name, and a token that says after which name the next page begins; batches, and what is missing
//! in them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::workgroup::PRIMARY;
use crate::athena::refusal::{ErrorCode, constraint, invalid};
use crate::error::ApiResult;

/// What a list of a workgroup's things is asked for with.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfWorkGroup {
    work_group: Option<String>,
    pub(super) max_results: Option<usize>,
    pub(super) next_token: Option<String>,
}

impl OfWorkGroup {
    /// Returns the name of the workgroup.
    pub(super) fn workgroup(&self) -> &str {
        self.work_group.as_deref().unwrap_or(PRIMARY)
    }
}

/// Says what a batch asked for and did not find.
pub(super) fn missing(member: &str, name: &str, code: &str, message: &str) -> Value {
    json!({ member: name, "ErrorCode": code, "ErrorMessage": message })
}

/// Cuts a page out of items that are ordered by name, and writes it as `{member: […], NextToken: …}`.
pub(super) fn page(
    items: Vec<(String, Value)>,
    member: &str,
    max_results: Option<usize>,
    most: usize,
    token: Option<&str>,
) -> ApiResult<Value> {
    let limit = limit(max_results, most)?;
    let after = token.map(name_of).transpose()?;
    let mut rest = items.into_iter().filter(|(name, _)| after.as_ref().is_none_or(|after| name > after)).peekable();
    let mut values = Vec::new();
    let mut last = String::new();
    while values.len() < limit
        && let Some((name, value)) = rest.next()
    {
        last = name;
        values.push(value);
    }
    let mut output = Map::new();
    output.insert(member.to_owned(), Value::Array(values));
    if rest.peek().is_some() {
        output.insert("NextToken".to_owned(), json!(URL_SAFE_NO_PAD.encode(last)));
    }
    Ok(Value::Object(output))
}

/// Checks `MaxResults`.
pub(super) fn limit(max_results: Option<usize>, most: usize) -> ApiResult<usize> {
    match max_results {
        None => Ok(most),
        Some(0) => Err(constraint("maxResults", "have value greater than or equal to 1")),
        Some(limit) if limit > most => {
            Err(constraint("maxResults", &format!("have value less than or equal to {most}")))
        }
        Some(limit) => Ok(limit),
    }
}

fn name_of(token: &str) -> ApiResult<String> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| invalid(ErrorCode::InvalidInput, "NextToken is not valid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        let items = || ["a", "b", "c"].map(|name| (name.to_owned(), json!(name))).to_vec();
        let mut token: Option<String> = None;
        let mut seen = Vec::new();
        loop {
            let page = page(items(), "Items", Some(2), 50, token.as_deref()).unwrap();
            seen.extend(page["Items"].as_array().unwrap().clone());
            match page.get("NextToken") {
                Some(next) => token = next.as_str().map(str::to_owned),
                None => break,
            }
        }
        assert_eq!(seen, [json!("a"), json!("b"), json!("c")]);
        assert!(page(items(), "Items", Some(51), 50, None).is_err());
        assert!(page(items(), "Items", None, 50, Some("?")).is_err());
    }
}
