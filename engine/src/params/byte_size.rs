//! Numbers of bytes as users write them: `1073741824`, `512MiB`, `2 GB`.

/// A text that is no number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of bytes such as `512MiB`, found `{0}`")]
pub struct ByteSizeError(pub String);

/// Reads a whole number with a unit: `k`, `kib`, `m`, `mib`, `g`, `gib`, `t`, `tib` are powers of 1024, `kb`, `mb`, `gb`, `tb`
/// of 1000; letter case and blanks free, none for bytes.
///
/// # Errors
/// When the text has another form, or is more than a `u64` holds.
pub fn parse(text: &str) -> Result<u64, ByteSizeError> {
    let problem = || ByteSizeError(text.to_owned());
    let text = text.trim();
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit: u128 = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "kb" => 1_000,
        "m" | "mib" => 1 << 20,
        "mb" => 1_000_000,
        "g" | "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        "t" | "tib" => 1 << 40,
        "tb" => 1_000_000_000_000,
        _ => return Err(problem()),
    };
    let number = digits.parse::<u128>().map_err(|_| problem())?;
    number.checked_mul(unit).and_then(|bytes| u64::try_from(bytes).ok()).ok_or_else(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in
            [("1024", 1024), ("512MiB", 512 << 20), ("2 GB", 2_000_000_000), (" 3t ", 3 << 40), ("0", 0)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["2 parsecs", "GiB", "", "-1", "1.5GB", "99999999999999999999"] {
            assert_eq!(
                parse(text).unwrap_err().to_string(),
                format!("expected a number of bytes such as `512MiB`, found `{text}`")
            );
        }
    }
}
