//! Walks the folder of a bucket in the order of its keys, and no further than a page needs.
//!
//! Keys are in the order of their bytes, which is not that of a tree: `a-b` stands between `a` and `a/b`. A folder `a` is
//! therefore sorted among its neighbours as `a/`, and whole folders are passed over that no key of a page can be in.

use std::fs::Metadata;
use std::io;
use std::path::Path;

/// What a page should hold.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// What keys start with.
    pub(super) prefix: String,
    /// What ends a group of keys, behind the prefix; empty for no groups.
    pub(super) delimiter: String,
    /// Where the page starts.
    pub(super) start: Start,
    /// How many entries the page holds.
    pub(super) max_keys: usize,
}

/// Where a page starts.
#[derive(Debug, Clone)]
pub(super) enum Start {
    /// After this key.
    After(String),
    /// After all keys that start with this.
    AfterGroup(String),
}

/// An entry of a page.
#[derive(Debug)]
pub(super) enum Found {
    /// An object.
    Object { key: String, metadata: Metadata },
    /// Keys that start alike.
    Group(String),
}

impl Found {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Object { key, .. } => key,
            Self::Group(prefix) => prefix,
        }
    }
}

/// A page.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) found: Vec<Found>,
    /// Whether there is more behind it.
    pub(super) truncated: bool,
}

/// Lists a page of the keys below a folder.
pub(super) fn list(root: &Path, wanted: &Wanted) -> io::Result<Listing> {
    let mut listing = Listing::default();
    if wanted.max_keys == 0 {
        return Ok(listing);
    }
    // Only the folder that the prefix leads to can hold keys that start with it.
    let base = wanted.prefix.rfind('/').map_or("", |end| &wanted.prefix[..=end]);
    if base.split_terminator('/').any(|part| part.is_empty() || part == "." || part == "..") || base.contains('\0') {
        return Ok(listing);
    }
    Walk { wanted, listing: &mut listing }.folder(&root.join(base), base)?;
    Ok(listing)
}

/// Whether a walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Enough,
}

struct Walk<'w> {
    wanted: &'w Wanted,
    listing: &'w mut Listing,
}

impl Walk<'_> {
    /// Walks a folder whose keys all start with `base`.
    fn folder(&mut self, folder: &Path, base: &str) -> io::Result<Flow> {
        for entry in sorted(folder)? {
            let key = format!("{base}{}", entry.sort_name);
            if !self.may_hold(&key, entry.is_folder) {
                continue;
            }
            let flow = match (entry.is_folder, self.group_of(&key)) {
                (_, Some(group)) if self.is_given(&group) => Flow::On,
                // A group needs one key only.
                (true, Some(group)) => {
                    if self.holds_key(&folder.join(entry.name()), &key)? {
                        self.give(Found::Group(group))
                    } else {
                        Flow::On
                    }
                }
                (true, None) => self.folder(&folder.join(entry.name()), &key)?,
                (false, Some(group)) => self.give(Found::Group(group)),
                (false, None) => match folder.join(entry.name()).metadata() {
                    Ok(metadata) => self.give(Found::Object { key, metadata }),
                    // It was deleted meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Flow::On,
                    Err(error) => return Err(error),
                },
            };
            if flow == Flow::Enough {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    /// Tells whether a key, or one that starts with that of a folder, may be on the page.
    fn may_hold(&self, key: &str, is_folder: bool) -> bool {
        let prefix = self.wanted.prefix.as_str();
        let fits = key.starts_with(prefix) || (is_folder && prefix.starts_with(key));
        let is_behind = match &self.wanted.start {
            Start::After(after) => key > after.as_str() || (is_folder && after.starts_with(key)),
            Start::AfterGroup(group) => {
                !key.starts_with(group.as_str()) && (key > group.as_str() || (is_folder && group.starts_with(key)))
            }
        };
        fits && is_behind
    }

    /// Returns the group that a key is in, if it is in one: all keys of a folder are, when its own is.
    fn group_of(&self, key: &str) -> Option<String> {
        if self.wanted.delimiter.is_empty() {
            return None;
        }
        let rest = key.strip_prefix(self.wanted.prefix.as_str())?;
        let end = rest.find(&self.wanted.delimiter)? + self.wanted.delimiter.len();
        Some(key[..self.wanted.prefix.len() + end].to_owned())
    }

    /// Tells whether a group is the last entry already.
    fn is_given(&self, group: &str) -> bool {
        matches!(self.listing.found.last(), Some(Found::Group(last)) if last == group)
    }

    /// Tells whether a folder holds a key that the page may begin behind.
    fn holds_key(&self, folder: &Path, base: &str) -> io::Result<bool> {
        for entry in sorted(folder)? {
            let key = format!("{base}{}", entry.sort_name);
            if !self.may_hold(&key, entry.is_folder) {
                continue;
            }
            if !entry.is_folder || self.holds_key(&folder.join(entry.name()), &key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn give(&mut self, found: Found) -> Flow {
        if self.listing.found.len() == self.wanted.max_keys {
            self.listing.truncated = true;
            return Flow::Enough;
        }
        self.listing.found.push(found);
        Flow::On
    }
}

/// An entry of a folder.
struct Entry {
    /// Its name; that of a folder with a `/` behind it.
    sort_name: String,
    is_folder: bool,
}

impl Entry {
    fn name(&self) -> &str {
        self.sort_name.strip_suffix('/').unwrap_or(&self.sort_name)
    }
}

/// Returns the entries of a folder in the order of keys; none of a folder that is not there.
fn sorted(folder: &Path) -> io::Result<Vec<Entry>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
            ) =>
        {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Names that are no text are no keys, and links lead who knows where.
        let Ok(mut sort_name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sort_name.push('/');
        } else if !kind.is_file() || is_in_the_making(&sort_name) {
            continue;
        }
        found.push(Entry { sort_name, is_folder: kind.is_dir() });
    }
    found.sort_by(|left, right| left.sort_name.cmp(&right.sort_name));
    Ok(found)
}

/// Tells whether a file is one that the storage is still writing: it has `#` and a number behind its name.
fn is_in_the_making(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What S3 says of a list, computed from all keys in the simplest way.
    fn expected(keys: &BTreeSet<String>, prefix: &str, delimiter: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for key in keys.iter().filter(|key| key.starts_with(prefix)) {
            let rest = &key[prefix.len()..];
            let name = match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
                Some(at) => format!("{prefix}{}", &rest[..at + delimiter.len()]),
                None => key.clone(),
            };
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        names
    }

    fn folder(keys: &BTreeSet<String>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for key in keys {
            let path = folder.path().join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, key).unwrap();
        }
        folder
    }

    /// Lists page by page.
    fn pages(folder: &Path, prefix: &str, delimiter: &str, max_keys: usize) -> Vec<String> {
        let mut names = Vec::new();
        let mut start = Start::After(String::new());
        loop {
            let wanted = Wanted { prefix: prefix.to_owned(), delimiter: delimiter.to_owned(), start, max_keys };
            let listing = list(folder, &wanted).unwrap();
            assert!(listing.found.len() <= max_keys);
            names.extend(listing.found.iter().map(|found| found.name().to_owned()));
            start = match listing.found.last() {
                Some(Found::Group(group)) if listing.truncated => Start::AfterGroup(group.clone()),
                Some(Found::Object { key, .. }) if listing.truncated => Start::After(key.clone()),
                _ => return names,
            };
        }
    }

    fn keys() -> impl Strategy<Value = BTreeSet<String>> {
        // Files end in `f`, folders do not, so that none is both.
        let key = prop::collection::vec("[a.-]{1,2}[ab]", 0..3).prop_map(|folders| folders.join("/"));
        let file = (key, "[a.!-]{0,2}f")
            .prop_map(|(folder, file)| if folder.is_empty() { file } else { format!("{folder}/{file}") });
        prop::collection::btree_set(file, 0..14)
    }

    proptest! {
        #[test]
        fn pages_are_those_of_s3(
            keys in keys(),
            prefix in "[ab.]{0,2}/?[ab.]{0,1}",
            delimiter in prop::sample::select(vec!["", "/", "-", "b/"]),
            max_keys in 1_usize..5,
        ) {
            let folder = folder(&keys);
            prop_assert_eq!(pages(folder.path(), &prefix, delimiter, max_keys), expected(&keys, &prefix, delimiter));
        }

        #[test]
        fn a_page_starts_after_any_key(keys in keys(), after in "[ab./-]{0,5}f?") {
            let folder = folder(&keys);
            let wanted = Wanted { prefix: String::new(), delimiter: String::new(), start: Start::After(after.clone()), max_keys: 1000 };
            let listing = list(folder.path(), &wanted).unwrap();
            let found: Vec<&str> = listing.found.iter().map(Found::name).collect();
            let expected: Vec<&str> = keys.iter().map(String::as_str).filter(|key| *key > after.as_str()).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_is_no_object_is_not_listed() {
        let keys = BTreeSet::from(["a/x".to_owned(), "a/x#1".to_owned(), "a/x#y".to_owned()]);
        let folder = folder(&keys);
        std::fs::create_dir_all(folder.path().join("empty/deep")).unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("link")).unwrap();
        assert_eq!(pages(folder.path(), "", "", 10), ["a/x", "a/x#y"]);
        assert_eq!(pages(folder.path(), "", "/", 10), ["a/"]);
        assert!(pages(folder.path(), "../", "", 10).is_empty());
        assert!(pages(folder.path(), "a/../a/", "", 10).is_empty());
    }
}
