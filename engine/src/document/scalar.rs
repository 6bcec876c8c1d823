//! What a plain scalar means: Digdag's rules, which are those of YAML 1.1 with a few taken out.
//!
//! | meaning | written as |
//! |---|---|
//! | null | nothing, `~`, `null`, `Null`, `NULL` |
//! | boolean | `true`, `True`, `false`, `False`; **not** `TRUE`, `yes`, `on` |
//! | integer | `1_000`, `+5`, octal `010`, hexadecimal `0x1F`, binary `0b11`; **not** `0o10`, `08`, `07:30` |
//! | number | `1.5`, `1.`, `.5`, `1e3`, `1:30.5` (base 60); **not** `0.5`, which is text |
//! | text | everything else: dates, times, versions; `.inf` and `.nan` become `Infinity` and `NaN` |

use super::node::NodeKind;

/// Why a scalar has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

/// Resolves a plain scalar without a tag.
///
/// # Errors
/// When it is a number that neither a 64-bit integer nor a 64-bit float can hold.
pub fn resolve(text: &str) -> Result<NodeKind, OutOfRange> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(NodeKind::Null),
        "true" | "True" => return Ok(NodeKind::Bool(true)),
        "false" | "False" => return Ok(NodeKind::Bool(false)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Ok(NodeKind::String("Infinity".to_owned())),
        "-.inf" | "-.Inf" | "-.INF" => return Ok(NodeKind::String("-Infinity".to_owned())),
        ".nan" | ".NaN" | ".NAN" => return Ok(NodeKind::String("NaN".to_owned())),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return Ok(NodeKind::String(text.to_owned()));
    }
    if let Some(number) = integer(text) {
        return number.map(NodeKind::Int);
    }
    if let Some(number) = float(text) {
        return if number.is_finite() { Ok(NodeKind::Float(number)) } else { Err(OutOfRange) };
    }
    Ok(NodeKind::String(text.to_owned()))
}

/// Reads an integer; `None` when the text is none.
fn integer(text: &str) -> Option<Result<i64, OutOfRange>> {
    let (negative, digits) = split_sign(text);
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', rest @ ..] if !rest.is_empty() => (16, digits.get(2..)?),
        [b'0', b'b', rest @ ..] if !rest.is_empty() => (2, digits.get(2..)?),
        [b'0', rest @ ..] if !rest.is_empty() => (8, digits.get(1..)?),
        [b'0'..=b'9', ..] => (10, digits),
        _ => return None,
    };
    if !digits.chars().all(|digit| digit == '_' || digit.is_digit(radix)) {
        return None;
    }
    let plain: String = digits.chars().filter(|digit| *digit != '_').collect();
    if plain.is_empty() {
        // `0_` is an octal zero; `0x_` and `0b_` are no numbers.
        return (radix == 8).then_some(Ok(0));
    }
    let signed = if negative { format!("-{plain}") } else { plain };
    Some(i64::from_str_radix(&signed, radix).map_err(|_| OutOfRange))
}

/// Reads a number with a fraction or an exponent; `None` when the text is none.
fn float(text: &str) -> Option<f64> {
    if text.contains(':') {
        return base_60(text);
    }
    if !text.starts_with('.') {
        let (_, unsigned) = split_sign(text);
        if !unsigned.starts_with(|first: char| ('1'..='9').contains(&first)) {
            return None;
        }
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, Some(text.get(at + 1..)?)),
        None => (text, None),
    };
    let (_, digits) = split_sign(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| part.chars().all(|digit| digit == '_' || digit.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    if whole.is_empty() && !fraction.contains(|digit: char| digit.is_ascii_digit()) {
        return None;
    }
    if let Some(exponent) = exponent {
        let (_, digits) = split_sign(exponent);
        if digits.is_empty() || !digits.chars().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
    }
    text.replace('_', "").parse().ok()
}

/// Reads a base-60 number such as `1:30.5`.
fn base_60(text: &str) -> Option<f64> {
    let (negative, digits) = split_sign(text);
    let (whole, fraction) = digits.split_once('.')?;
    let mut parts = whole.split(':');
    let first = parts.next()?;
    if !first.starts_with(|first: char| ('1'..='9').contains(&first)) {
        return None;
    }
    let mut total: f64 = first.replace('_', "").parse::<u32>().ok()?.into();
    for part in parts {
        let value = part.parse::<u32>().ok().filter(|value| *value < 60 && (1..=2).contains(&part.len()))?;
        total = total * 60.0 + f64::from(value);
    }
    if !fraction.chars().all(|digit| digit == '_' || digit.is_ascii_digit()) {
        return None;
    }
    total += format!("0.{}0", fraction.replace('_', "")).parse::<f64>().ok()?;
    Some(if negative { -total } else { total })
}

fn split_sign(text: &str) -> (bool, &str) {
    if let Some(rest) = text.strip_prefix('-') { (true, rest) } else { (false, text.strip_prefix('+').unwrap_or(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> NodeKind {
        NodeKind::String(value.to_owned())
    }

    /// The values that a real Digdag 0.10.5 printed for these scalars.
    #[test]
    fn scalars_mean_what_digdag_says() {
        for (written, meant) in [
            ("yes", text("yes")),
            ("off", text("off")),
            ("y", text("y")),
            ("True", NodeKind::Bool(true)),
            ("TRUE", text("TRUE")),
            ("010", NodeKind::Int(8)),
            ("08", text("08")),
            ("0o10", text("0o10")),
            ("0x1F", NodeKind::Int(31)),
            ("0b11", NodeKind::Int(3)),
            ("1_000", NodeKind::Int(1000)),
            ("1e3", NodeKind::Float(1000.0)),
            ("1.0e+3", NodeKind::Float(1000.0)),
            ("2024-01-02", text("2024-01-02")),
            ("2024-01-02T03:04:05Z", text("2024-01-02T03:04:05Z")),
            ("07:00:00", text("07:00:00")),
            ("12:30", text("12:30")),
            ("~", NodeKind::Null),
            ("NULL", NodeKind::Null),
            ("", NodeKind::Null),
            (".inf", text("Infinity")),
            ("-.inf", text("-Infinity")),
            (".nan", text("NaN")),
            ("+5", NodeKind::Int(5)),
            ("1.10", NodeKind::Float(1.1)),
            ("1.", NodeKind::Float(1.0)),
            ("1.2.3", text("1.2.3")),
        ] {
            assert_eq!(resolve(written), Ok(meant), "{written}");
        }
    }

    #[test]
    fn corners_of_the_rules() {
        for (written, meant) in [
            ("0", NodeKind::Int(0)),
            ("-0", NodeKind::Int(0)),
            ("00", NodeKind::Int(0)),
            ("0_", NodeKind::Int(0)),
            ("-010", NodeKind::Int(-8)),
            ("-0x1F", NodeKind::Int(-31)),
            ("0x", text("0x")),
            ("0x_", text("0x_")),
            ("0b2", text("0b2")),
            ("0.5", text("0.5")),
            ("-0.5", text("-0.5")),
            ("0.0", text("0.0")),
            (".5", NodeKind::Float(0.5)),
            ("-.5", text("-.5")),
            ("._", text("._")),
            (".", text(".")),
            ("1e", text("1e")),
            ("1e+", text("1e+")),
            ("-", text("-")),
            ("+", text("+")),
            ("1:30.5", NodeKind::Float(90.5)),
            ("1:60.5", text("1:60.5")),
            ("-1:00:00.", NodeKind::Float(-3600.0)),
            ("9223372036854775807", NodeKind::Int(i64::MAX)),
            ("-9223372036854775808", NodeKind::Int(i64::MIN)),
            ("1é", text("1é")),
            ("+é", text("+é")),
            ("1eé", text("1eé")),
        ] {
            assert_eq!(resolve(written), Ok(meant), "{written}");
        }
        assert_eq!(resolve("9223372036854775808"), Err(OutOfRange));
        assert_eq!(resolve("1e400"), Err(OutOfRange));
    }
}
