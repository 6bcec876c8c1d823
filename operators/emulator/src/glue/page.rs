//! Pages of long lists: a token names the last item that was given, so that changes in between lose nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{ApiError, ApiResult};

/// A page and how to get the next one.
#[derive(Debug)]
pub(super) struct Page<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// What to ask the next page with; none after the last one.
    pub(super) next_token: Option<String>,
}

/// Which page is wanted.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Paging {
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl Paging {
    /// Takes the page out of items that are in the order of their keys.
    pub(super) fn of<T>(&self, items: Vec<T>, most: usize, key: impl Fn(&T) -> String) -> ApiResult<Page<T>> {
        let size = match self.max_results {
            None => most,
            Some(size) => usize::try_from(size).ok().filter(|size| (1..=most).contains(size)).ok_or_else(|| {
                ApiError::client("ValidationException", format!("expected `MaxResults` from 1 to {most}, found {size}"))
            })?,
        };
        // An empty token is that of clients which send every member.
        let start = match self.next_token.as_deref().filter(|token| !token.is_empty()) {
            None => 0,
            Some(token) => {
                let last = decode(token)
                    .ok_or_else(|| ApiError::invalid_input(format!("`{token}` is no token of this endpoint")))?;
                let place = items.iter().position(|item| key(item) == last);
                // An item that was dropped meanwhile left its place to the next one in order.
                place.map_or_else(|| items.iter().position(|item| key(item) > last).unwrap_or(items.len()), |at| at + 1)
            }
        };
        let more = items.len() > start + size;
        let items: Vec<T> = items.into_iter().skip(start).take(size).collect();
        let next_token = items.last().filter(|_| more).map(|item| URL_SAFE_NO_PAD.encode(key(item)));
        Ok(Page { items, next_token })
    }
}

fn decode(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_give_every_item_once() {
        let all: Vec<String> = (0..25).map(|number| format!("{number:02}")).collect();
        let mut paging = Paging { next_token: None, max_results: Some(10) };
        let mut found = Vec::new();
        for expected in [10, 10, 5] {
            let page = paging.of(all.clone(), 100, Clone::clone).unwrap();
            assert_eq!(page.items.len(), expected);
            found.extend(page.items);
            paging.next_token = page.next_token;
        }
        assert_eq!((found, paging.next_token), (all, None));
    }

    #[test]
    fn an_item_that_is_dropped_between_two_pages_loses_no_other() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut paging = Paging { next_token: None, max_results: Some(2) };
        paging.next_token = paging.of(list(&["a", "b", "c"]), 100, Clone::clone).unwrap().next_token;
        assert_eq!(paging.of(list(&["a", "c"]), 100, Clone::clone).unwrap().items, ["c"]);
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for (token, size) in [(Some("?"), None), (None, Some(0)), (None, Some(101))] {
            let paging = Paging { next_token: token.map(str::to_owned), max_results: size };
            assert!(paging.of(vec!["a".to_owned()], 100, Clone::clone).is_err());
        }
    }
}
