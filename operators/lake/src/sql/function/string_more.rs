//! Code points, Unicode forms, distances between texts, sounds, and figures with units.
//!
//! Left out: `word_stem`, whose stemmers are not the ones at hand.

use arrow::datatypes::{Decimal128Type, Int32Type};
use unicode_normalization::UnicodeNormalization;

use super::decimal_text::Digits;
use super::kernel::{Evaluated, Prepared, bigint, double, each, form, invalid, text, unsupported};
use super::math::{as_double, truncated};
use super::{Argument, Call, EvalError, Function};

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function { name: "chr", overloads: &[form("(bigint) -> varchar(1)", chr)] },
    Function { name: "codepoint", overloads: &[form("(varchar(1)) -> integer", codepoint)] },
    Function { name: "normalize", overloads: &[form("(varchar(x), varchar(y)) -> varchar", normalize)] },
    Function { name: "levenshtein_distance", overloads: &[form("(varchar(x), varchar(y)) -> bigint", levenshtein)] },
    Function { name: "hamming_distance", overloads: &[form("(varchar(x), varchar(y)) -> bigint", hamming)] },
    Function { name: "soundex", overloads: &[form("(varchar) -> varchar(4)", soundex)] },
    Function { name: "luhn_check", overloads: &[form("(varchar) -> boolean", luhn_check)] },
    Function {
        name: "format_number",
        overloads: &[form("(bigint) -> varchar", format_number), form("(double) -> varchar", format_double)],
    },
    Function { name: "parse_data_size", overloads: DATA_SIZE },
    Function { name: "parse_presto_data_size", overloads: DATA_SIZE },
];

static DATA_SIZE: &[super::Overload] = &[form("(varchar(x)) -> decimal(38,0)", parse_data_size)];

fn chr(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bigint(arguments, 0)?).text(|code, out| {
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        out.push(character.ok_or_else(|| invalid(format!("Not a valid Unicode code point: {code}")))?);
        Ok(())
    })
}

fn codepoint(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).primitive::<Int32Type>(|text| {
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Ok(u32::from(character).cast_signed()),
            _ => Err(invalid("Input string must be a single character string")),
        }
    })
}

fn normalize(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).text(|(text, form), out| {
        match form {
            "NFC" => out.extend(text.nfc()),
            "NFD" => out.extend(text.nfd()),
            "NFKC" => out.extend(text.nfkc()),
            "NFKD" => out.extend(text.nfkd()),
            _ => return Err(invalid("Normalization form must be one of [NFD, NFC, NFKD, NFKC]")),
        }
        Ok(())
    })
}

fn levenshtein(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    /// How many steps Trino takes at most.
    const MOST_STEPS: usize = 1_000_000;
    let mut costs: Vec<i64> = Vec::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).bigint(|(left, right)| {
        let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
        let (longer, shorter) = if left.len() >= right.len() { (left, right) } else { (right, left) };
        if !shorter.is_empty() && longer.len() * (shorter.len() - 1) > MOST_STEPS {
            return Err(invalid("The combined inputs for Levenshtein distance are too large"));
        }
        costs.clear();
        costs.extend((0..).take(shorter.len() + 1));
        for (row, character) in (1..).zip(&longer) {
            let mut diagonal = row - 1;
            costs[0] = row;
            for (at, other) in shorter.iter().enumerate() {
                let replaced = diagonal + i64::from(character != other);
                diagonal = costs[at + 1];
                costs[at + 1] = replaced.min(diagonal + 1).min(costs[at] + 1);
            }
        }
        Ok(costs[shorter.len()])
    })
}

fn hamming(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).bigint(|(left, right)| {
        let (mut left, mut right) = (left.chars(), right.chars());
        let mut distance = 0;
        loop {
            match (left.next(), right.next()) {
                (None, None) => return Ok(distance),
                (Some(left), Some(right)) => distance += i64::from(left != right),
                _ => return Err(invalid("The input strings to hamming_distance function must have the same length")),
            }
        }
    })
}

/// American Soundex: vowels part equal sounds, `H` and `W` do not.
fn soundex(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    /// The sounds of the letters from A to Z.
    const SOUNDS: &[u8; 26] = b"01230120022455012623010202";
    let sound = |letter: char| {
        let index = u32::from(letter).checked_sub(u32::from('A')).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| SOUNDS.get(index)).map(|sound| char::from(*sound)).ok_or_else(|| {
            invalid(format!(
                "The character is not mapped: {letter} (index={})",
                u32::from(letter).wrapping_sub(u32::from('A'))
            ))
        })
    };
    each(call, text(arguments, 0)?).text(|text, out| {
        let mut letters = text.chars().filter(|letter| letter.is_alphabetic()).flat_map(char::to_uppercase);
        let Some(first) = letters.next() else { return Ok(()) };
        let mut last = sound(first)?;
        out.push(first);
        for letter in letters {
            if out.len() == 4 {
                break;
            }
            if matches!(letter, 'H' | 'W') {
                continue;
            }
            let next = sound(letter)?;
            if next != '0' && next != last {
                out.push(next);
            }
            last = next;
        }
        out.extend(std::iter::repeat_n('0', 4_usize.saturating_sub(out.chars().count())));
        Ok(())
    })
}

fn luhn_check(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).boolean(|text| {
        let mut sum = 0;
        for (place, digit) in text.chars().rev().enumerate() {
            let digit = digit.to_digit(10).ok_or_else(|| invalid("Input contains non-digit character"))?;
            let doubled = if place % 2 == 1 { digit * 2 } else { digit };
            sum += doubled / 10 + doubled % 10;
        }
        Ok(Some(!text.is_empty() && sum % 10 == 0))
    })
}

/// Writes a number with three digits or so and a unit of thousands.
fn write_with_unit(value: i64, out: &mut String) {
    const UNITS: [&str; 6] = ["", "K", "M", "B", "T", "Q"];
    let mut figure = as_double(value);
    let mut unit = 0;
    while figure.abs() >= 1_000.0 && unit + 1 < UNITS.len() {
        figure /= 1_000.0;
        unit += 1;
    }
    let places = if figure < 10.0 { 2 } else { usize::from(figure < 100.0) };
    let digits = Digits::exact(figure).rounded(places).plain(false);
    if figure < 0.0 {
        out.push('-');
    }
    out.push_str(&digits);
    if places > 0 {
        out.truncate(out.trim_end_matches('0').trim_end_matches('.').len());
    }
    out.push_str(UNITS[unit]);
}

fn format_number(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bigint(arguments, 0)?).text(|value, out| {
        write_with_unit(value, out);
        Ok(())
    })
}

fn format_double(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, double(arguments, 0)?).text(|value, out| {
        write_with_unit(truncated(value), out);
        Ok(())
    })
}

/// The bytes of a size with its unit, cut to whole ones.
fn data_size(text: &str) -> Result<i128, EvalError> {
    const UNITS: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    let bad = || invalid(format!("Invalid data size: '{text}'"));
    let end = text.find(|next: char| next != '.' && !next.is_ascii_digit()).ok_or_else(bad)?;
    let (number, unit) = text.split_at(end);
    let power = UNITS.iter().position(|known| *known == unit).ok_or_else(bad)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(bad());
    }
    let large = || unsupported("such a large data size");
    let unscaled: i128 = format!("{whole}{fraction}").parse().map_err(|_| large())?;
    let factor = 1024_i128.checked_pow(u32::try_from(power).map_err(|_| large())?).ok_or_else(large)?;
    let scale = u32::try_from(fraction.len()).ok().and_then(|places| 10_i128.checked_pow(places)).ok_or_else(large)?;
    let size = unscaled.checked_mul(factor).ok_or_else(large)? / scale;
    if size < 10_i128.pow(38) { Ok(size) } else { Err(large()) }
}

fn parse_data_size(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut sizes = Prepared::new();
    let values = each(call, text(arguments, 0)?)
        .nullable::<Decimal128Type>(|text| sizes.get(text, data_size).map(|size| Some(*size)))?;
    Ok(std::sync::Arc::new(values.with_data_type(call.returns.to_arrow())))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bigint, error, text, value};
    use super::data_size;
    use crate::sql::types::Type;

    const VARCHAR: Type = Type::Varchar(None);

    #[test]
    fn distances_count_characters() {
        let levenshtein = |left, right| value("levenshtein_distance", 0, Type::Bigint, &[text(left), text(right)]);
        assert_eq!(levenshtein("invoice", "voices"), "3");
        assert_eq!(levenshtein("", "abc"), "3");
        assert_eq!(levenshtein("日本", "日木"), "1");
        assert_eq!(value("hamming_distance", 0, Type::Bigint, &[text("abc"), text("abd")]), "1");
        assert!(error("hamming_distance", 0, Type::Bigint, &[text("ab"), text("abc")]).contains("the same length"));
    }

    #[test]
    fn sounds_are_american() {
        for (name, expected) in [
            ("Meyer", "M600"),
            ("Tymczak", "T522"),
            ("Pfister", "P236"),
            ("Honeyman", "H555"),
            ("Ashcraft", "A261"),
            ("O'Hara", "O600"),
            ("123", ""),
        ] {
            assert_eq!(value("soundex", 0, VARCHAR, &[text(name)]), expected, "{name}");
        }
        assert_eq!(
            error("soundex", 0, VARCHAR, &[text("é")]),
            "INVALID_FUNCTION_ARGUMENT: The character is not mapped: É (index=136)"
        );
    }

    #[test]
    fn figures_have_units() {
        for (of, expected) in [
            (1_234_567, "1.23M"),
            (999, "999"),
            (0, "0"),
            (1_000, "1K"),
            (12_345, "12.3K"),
            (999_999, "1000K"),
            (1_005, "1K"),
            (1_015, "1.01K"),
            (9_995, "9.99K"),
            (99_950, "100K"),
            (-1_234_567, "-1.23M"),
            (-12_345, "-12.35K"),
            (998_500, "999K"),
            (12_250, "12.3K"),
            (12_350, "12.3K"),
            (i64::MAX, "9223Q"),
        ] {
            assert_eq!(value("format_number", 0, VARCHAR, &[bigint(of)]), expected, "{of}");
        }
        assert_eq!(data_size("2.5MB"), Ok(2_621_440));
        assert_eq!(data_size("1.0001kB"), Ok(1_024));
        assert_eq!(data_size("1YB"), Ok(1_208_925_819_614_629_174_706_176));
        for bad in ["1KB", "1 kB", "1", "-1kB", "5 parsecs", "."] {
            assert!(data_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn codes_are_those_of_characters() {
        assert_eq!(value("chr", 0, VARCHAR, &[bigint(128_512)]), "😀");
        assert_eq!(
            error("chr", 0, VARCHAR, &[bigint(55_296)]),
            "INVALID_FUNCTION_ARGUMENT: Not a valid Unicode code point: 55296"
        );
        assert_eq!(value("normalize", 0, VARCHAR, &[text("ﬁ"), text("NFKC")]), "fi");
        assert_eq!(value("luhn_check", 0, Type::Boolean, &[text("79927398713")]), "true");
        assert_eq!(value("luhn_check", 0, Type::Boolean, &[text("")]), "false");
    }
}
