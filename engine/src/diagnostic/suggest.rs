//! The nearest name, for "did you mean".

/// Returns the candidate that a misspelt name most probably means, if one is near enough.
///
/// A third of the letters may be wrong, one in names of up to four; case, `_`, `-` and `.` hardly count.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(name);
    let allowed = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| {
            let folded = fold(candidate);
            (strsim::damerau_levenshtein(&wanted, &folded), candidate)
        })
        // A name of which every letter is wrong is another one.
        .filter(|(distance, _)| *distance <= allowed && *distance < wanted.chars().count())
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// Returns the line of help for a misspelt name.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | '.')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let keys = ["_parallel", "_export", "timezone", "database", "partition_kv"];
        assert_eq!(nearest("_parallell", keys), Some("_parallel"));
        assert_eq!(nearest("timeZone", keys), Some("timezone"));
        assert_eq!(nearest("partitionkv", keys), Some("partition_kv"));
        assert_eq!(nearest("databsae", keys), Some("database"));
        assert_eq!(nearest("table", keys), None);
        assert_eq!(nearest("database", keys), None);
        assert_eq!(nearest("B", ["*", "a"]), None);
        assert_eq!(nearest("B", ["*", "b"]), Some("b"));
    }
}
