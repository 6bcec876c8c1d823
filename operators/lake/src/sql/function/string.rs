//! Text by characters: length, case, trimming, padding, parts, searching, replacing.
//!
//! Positions are counted in code points from 1. Case is mapped character by character, without the mappings that change
//! a text's length; blanks are those of Java's `Character.isWhitespace`.

use std::sync::Arc;

use arrow::array::{AsArray, BinaryBuilder, StringBuilder};

use super::array_set::{append, concat_arrays, prepend, reverse_array};
use super::kernel::{
    Evaluated, Prepared, bigint, broken, bytes, called, character_count, each, form, invalid, list, prefix_bytes, text,
    typed,
};
use super::{Argument, Call, EvalError, Function};
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function {
        name: "length",
        overloads: &[
            form("(varchar(x)) -> bigint", length),
            form("(char(x)) -> bigint", length_of_char),
            form("(varbinary) -> bigint", length_of_bytes),
        ],
    },
    Function {
        name: "lower",
        overloads: &[form("(varchar(x)) -> varchar(x)", lower), form("(char(x)) -> char(x)", lower)],
    },
    Function {
        name: "upper",
        overloads: &[form("(varchar(x)) -> varchar(x)", upper), form("(char(x)) -> char(x)", upper)],
    },
    Function {
        name: "trim",
        overloads: &[
            form("(varchar(x)) -> varchar(x)", trim),
            form("(char(x)) -> varchar(x)", trim),
            form("(varchar(x), varchar) -> varchar(x)", trim_characters),
            form("(char(x), varchar) -> varchar(x)", trim_characters),
        ],
    },
    Function {
        name: "ltrim",
        overloads: &[
            form("(varchar(x)) -> varchar(x)", trim_start),
            form("(char(x)) -> varchar(x)", trim_start),
            form("(varchar(x), varchar) -> varchar(x)", trim_start_characters),
            form("(char(x), varchar) -> varchar(x)", trim_start_characters),
        ],
    },
    Function {
        name: "rtrim",
        overloads: &[
            form("(varchar(x)) -> varchar(x)", trim_end),
            form("(char(x)) -> varchar(x)", trim_end),
            form("(varchar(x), varchar) -> varchar(x)", trim_end_characters),
            form("(char(x), varchar) -> varchar(x)", trim_end_characters),
        ],
    },
    Function {
        name: "lpad",
        overloads: &[
            form("(varchar(x), bigint, varchar(y)) -> varchar", pad_start),
            form("(char(x), bigint, varchar(y)) -> varchar", pad_start),
            form("(varbinary, bigint, varbinary) -> varbinary", pad_bytes_start),
        ],
    },
    Function {
        name: "rpad",
        overloads: &[
            form("(varchar(x), bigint, varchar(y)) -> varchar", pad_end),
            form("(varbinary, bigint, varbinary) -> varbinary", pad_bytes_end),
        ],
    },
    Function { name: "substr", overloads: SUBSTR },
    // Only the other name takes bytes.
    Function { name: "substring", overloads: SUBSTRING },
    Function {
        name: "replace",
        overloads: &[
            form("(varchar(x), varchar(y)) -> varchar(x)", remove),
            typed("(varchar(x), varchar(y), varchar(z)) -> varchar", replaced_type, replace),
        ],
    },
    Function {
        name: "reverse",
        overloads: &[
            form("(varchar(x)) -> varchar(x)", reverse),
            form("(char(x)) -> char(x)", reverse),
            form("(varbinary) -> varbinary", reverse_bytes),
            form("(array(E)) -> array(E)", reverse_array),
        ],
    },
    Function {
        name: "strpos",
        overloads: &[
            form("(varchar(x), varchar(y)) -> bigint", position),
            form("(varchar(x), varchar(y), bigint) -> bigint", position_of_instance),
        ],
    },
    Function { name: "index", overloads: &[form("(varchar, varchar) -> bigint", position)] },
    Function { name: "starts_with", overloads: &[form("(varchar(x), varchar(y)) -> boolean", starts_with)] },
    Function {
        name: "concat",
        overloads: &[
            form("(varchar...) -> varchar", concat),
            form("(varbinary...) -> varbinary", concat_bytes),
            typed("(char(x), char(y)) -> char(x)", concat_char_type, concat_char),
            form("(array(E)...) -> array(E)", concat_arrays),
            form("(array(E), E) -> array(E)", append),
            form("(E, array(E)) -> array(E)", prepend),
        ],
    },
    Function {
        name: "concat_ws",
        overloads: &[
            called("(varchar, varchar...) -> varchar", concat_with_separator),
            form("(varchar, array(varchar)) -> varchar", concat_list_with_separator),
        ],
    },
    Function { name: "translate", overloads: &[form("(varchar(x), varchar(y), varchar(z)) -> varchar", translate)] },
];

const SUBSTR: &[super::Overload] = &[
    form("(varchar(x), bigint) -> varchar(x)", substring_from),
    form("(varchar(x), bigint, bigint) -> varchar(x)", substring),
    form("(char(x), bigint) -> varchar(x)", substring_from),
    form("(char(x), bigint, bigint) -> varchar(x)", substring),
    form("(varbinary, bigint) -> varbinary", substring_of_bytes_from),
    form("(varbinary, bigint, bigint) -> varbinary", substring_of_bytes),
];

static SUBSTRING: &[super::Overload] = SUBSTR.split_at(4).0;

fn length(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).bigint(|text| Ok(character_count(text)))
}

/// The declared length of the argument's `char(n)`, or nothing for other types.
fn char_width(call: &Call<'_>, position: usize) -> Option<usize> {
    match call.arguments.get(position) {
        Some(Type::Char(width)) => usize::try_from(*width).ok(),
        _ => None,
    }
}

/// Writes a text and the blanks that its `char(n)` has behind it.
fn write_padded(text: &str, width: Option<usize>, out: &mut String) {
    out.push_str(text);
    let length = text.chars().count();
    out.extend(std::iter::repeat_n(' ', width.unwrap_or(0).saturating_sub(length)));
}

fn length_of_char(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let width = char_width(call, 0).and_then(|width| i64::try_from(width).ok()).unwrap_or(0);
    each(call, text(arguments, 0)?).bigint(|_| Ok(width))
}

fn length_of_bytes(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).bigint(|bytes| i64::try_from(bytes.len()).map_err(|_| broken("too many bytes")))
}

/// The lower case of a character where it is one character.
fn lower_character(character: char) -> char {
    let mut mapped = character.to_lowercase();
    mapped.next().unwrap_or(character)
}

/// The upper case of a character where it is one character; ligatures and the like stay.
fn upper_character(character: char) -> char {
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(upper), None) => upper,
        _ => match character {
            // Greek letters with iota subscript have a titled form of one character, which is their simple upper case.
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                char::from_u32(u32::from(character) + 8).unwrap_or(character)
            }
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => char::from_u32(u32::from(character) + 9).unwrap_or(character),
            _ => character,
        },
    }
}

fn lower(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).text(|text, out| {
        if text.is_ascii() {
            out.push_str(text);
            out.make_ascii_lowercase();
        } else {
            out.extend(text.chars().map(lower_character));
        }
        Ok(())
    })
}

fn upper(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).text(|text, out| {
        if text.is_ascii() {
            out.push_str(text);
            out.make_ascii_uppercase();
        } else {
            out.extend(text.chars().map(upper_character));
        }
        Ok(())
    })
}

/// Tells whether Java's `Character.isWhitespace` holds: separators without the non-breaking ones, and some controls.
pub(super) fn is_whitespace(character: char) -> bool {
    matches!(character,
        '\u{9}'..='\u{d}' | '\u{1c}'..='\u{20}' | '\u{1680}' | '\u{2000}'..='\u{2006}' | '\u{2008}'..='\u{200a}'
        | '\u{2028}' | '\u{2029}' | '\u{205f}' | '\u{3000}')
}

fn trim(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).slices(|text| Ok(Some(text.trim_matches(is_whitespace))))
}

fn trim_start(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let width = char_width(call, 0);
    if width.is_some() {
        return each(call, text(arguments, 0)?).text(|text, out| {
            // All blanks are the padding: nothing is left of a blank text.
            if !text.chars().all(is_whitespace) {
                out.push_str(text.trim_start_matches(is_whitespace));
            }
            Ok(())
        });
    }
    each(call, text(arguments, 0)?).slices(|text| Ok(Some(text.trim_start_matches(is_whitespace))))
}

fn trim_end(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).slices(|text| Ok(Some(text.trim_end_matches(is_whitespace))))
}

fn trim_characters(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?))
        .slices(|(text, set)| Ok(Some(text.trim_matches(|character| set.contains(character)))))
}

fn trim_start_characters(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?))
        .slices(|(text, set)| Ok(Some(text.trim_start_matches(|character| set.contains(character)))))
}

fn trim_end_characters(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?))
        .slices(|(text, set)| Ok(Some(text.trim_end_matches(|character| set.contains(character)))))
}

/// The length to pad to.
fn target_length(length: i64, padding_is_empty: bool) -> Result<usize, EvalError> {
    let target = i32::try_from(length)
        .ok()
        .and_then(|length| usize::try_from(length).ok())
        .ok_or_else(|| invalid("Target length must be in the range [0..2147483647]"))?;
    if padding_is_empty {
        return Err(invalid("Padding string must not be empty"));
    }
    Ok(target)
}

fn pad(call: &Call<'_>, arguments: &[Argument], at_start: bool) -> Evaluated {
    let width = char_width(call, 0);
    let mut padded = String::new();
    each(call, (text(arguments, 0)?, bigint(arguments, 1)?, text(arguments, 2)?)).text(
        |(text, length, padding), out| {
            let target = target_length(length, padding.is_empty())?;
            padded.clear();
            write_padded(text, width, &mut padded);
            let count = padded.chars().count();
            if target <= count {
                out.push_str(&padded[..prefix_bytes(&padded, target)]);
                return Ok(());
            }
            let fill = padding.chars().cycle().take(target - count);
            if at_start {
                out.extend(fill);
                out.push_str(&padded);
            } else {
                out.push_str(&padded);
                out.extend(fill);
            }
            Ok(())
        },
    )
}

fn pad_start(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    pad(call, arguments, true)
}

fn pad_end(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    pad(call, arguments, false)
}

fn pad_bytes(call: &Call<'_>, arguments: &[Argument], at_start: bool) -> Evaluated {
    each(call, (bytes(arguments, 0)?, bigint(arguments, 1)?, bytes(arguments, 2)?)).bytes(
        |(value, length, padding), out| {
            let target = target_length(length, padding.is_empty())?;
            let kept = &value[..value.len().min(target)];
            let fill = padding.iter().cycle().take(target - kept.len());
            if at_start {
                out.extend(fill);
                out.extend_from_slice(kept);
            } else {
                out.extend_from_slice(kept);
                out.extend(fill);
            }
            Ok(())
        },
    )
}

fn pad_bytes_start(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    pad_bytes(call, arguments, true)
}

fn pad_bytes_end(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    pad_bytes(call, arguments, false)
}

/// Where a part starts and ends, in characters or bytes, given how many there are; nothing when the part is empty.
fn part(count: i64, start: i64, length: i64) -> Option<(usize, usize)> {
    if start == 0 || length <= 0 || start > count || start < -count {
        return None;
    }
    let first = if start > 0 { start - 1 } else { count + start };
    let end = first.saturating_add(length).min(count);
    Some((usize::try_from(first).ok()?, usize::try_from(end).ok()?))
}

/// The part of a text from a position, of at most a length.
fn text_part(text: &str, start: i64, length: i64) -> &str {
    if text.is_ascii() {
        return part(character_count(text), start, length).map_or("", |(first, end)| &text[first..end]);
    }
    let Some((first, end)) = part(character_count(text), start, length) else { return "" };
    let from = prefix_bytes(text, first);
    let rest = &text[from..];
    &rest[..prefix_bytes(rest, end - first)]
}

fn substring_from(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (text(arguments, 0)?, bigint(arguments, 1)?);
    if let Some(width) = char_width(call, 0) {
        let mut padded = String::new();
        return each(call, columns).text(|(text, start), out| {
            padded.clear();
            write_padded(text, Some(width), &mut padded);
            out.push_str(text_part(&padded, start, i64::MAX));
            Ok(())
        });
    }
    each(call, columns).slices(|(text, start)| Ok(Some(text_part(text, start, i64::MAX))))
}

fn substring(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (text(arguments, 0)?, bigint(arguments, 1)?, bigint(arguments, 2)?);
    if let Some(width) = char_width(call, 0) {
        let mut padded = String::new();
        return each(call, columns).text(|(text, start, length), out| {
            padded.clear();
            write_padded(text, Some(width), &mut padded);
            out.push_str(text_part(&padded, start, length));
            Ok(())
        });
    }
    each(call, columns).slices(|(text, start, length)| Ok(Some(text_part(text, start, length))))
}

/// The part of bytes from a position, of at most a length.
fn bytes_part(value: &[u8], start: i64, length: i64) -> &[u8] {
    let count = i64::try_from(value.len()).unwrap_or(i64::MAX);
    part(count, start, length).map_or(&[], |(first, end)| &value[first..end])
}

fn substring_of_bytes_from(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bytes(arguments, 0)?, bigint(arguments, 1)?)).bytes(|(value, start), out| {
        out.extend_from_slice(bytes_part(value, start, i64::MAX));
        Ok(())
    })
}

fn substring_of_bytes(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bytes(arguments, 0)?, bigint(arguments, 1)?, bigint(arguments, 2)?)).bytes(
        |(value, start, length), out| {
            out.extend_from_slice(bytes_part(value, start, length));
            Ok(())
        },
    )
}

/// Writes a text with every occurrence of another replaced; an empty one occurs around every character.
fn write_replaced(text: &str, search: &str, replacement: &str, out: &mut String) {
    if search.is_empty() {
        for character in text.chars() {
            out.push_str(replacement);
            out.push(character);
        }
        out.push_str(replacement);
        return;
    }
    let mut rest = text;
    while let Some(at) = rest.find(search) {
        out.push_str(&rest[..at]);
        out.push_str(replacement);
        rest = &rest[at + search.len()..];
    }
    out.push_str(rest);
}

fn remove(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).text(|(text, search), out| {
        write_replaced(text, search, "", out);
        Ok(())
    })
}

fn replace(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?)).text(
        |(text, search, replacement), out| {
            write_replaced(text, search, replacement, out);
            Ok(())
        },
    )
}

/// The longest text that `replace` can give: the replacement around every character.
fn replaced_type(arguments: &[Type]) -> Option<Type> {
    let [Type::Varchar(text), _, Type::Varchar(replacement)] = arguments else { return None };
    let (Some(text), Some(replacement)) = (text, replacement) else { return Some(Type::Varchar(None)) };
    Some(bounded(u64::from(*text) + u64::from(*replacement) * (u64::from(*text) + 1)))
}

/// `varchar(n)`, or `varchar` when the bound is that of any text.
pub(super) fn bounded(length: u64) -> Type {
    match u32::try_from(length) {
        Ok(length) if length < 2_147_483_647 => Type::Varchar(Some(length)),
        _ => Type::Varchar(None),
    }
}

fn reverse(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let width = char_width(call, 0);
    let mut padded = String::new();
    each(call, text(arguments, 0)?).text(|text, out| {
        padded.clear();
        write_padded(text, width, &mut padded);
        out.extend(padded.chars().rev());
        if width.is_some() {
            out.truncate(out.trim_end_matches(' ').len());
        }
        Ok(())
    })
}

fn reverse_bytes(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).bytes(|value, out| {
        out.extend(value.iter().rev());
        Ok(())
    })
}

/// The position in characters of a place in bytes.
fn position_of(text: &str, at: Option<usize>) -> i64 {
    at.map_or(0, |at| character_count(&text[..at]) + 1)
}

fn position(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?))
        .bigint(|(text, search)| Ok(position_of(text, text.find(search))))
}

/// Finds the so-manyth occurrence, which may overlap the one before it.
fn find_instance(text: &str, search: &str, instance: i64) -> Option<usize> {
    let bytes = text.as_bytes();
    let starts = bytes.windows(search.len()).enumerate().filter(|(_, window)| *window == search.as_bytes());
    let skipped = usize::try_from(instance.unsigned_abs() - 1).ok()?;
    if instance > 0 { starts.map(|(at, _)| at).nth(skipped) } else { starts.rev().map(|(at, _)| at).nth(skipped) }
}

fn position_of_instance(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?, bigint(arguments, 2)?)).bigint(|(text, search, instance)| {
        if instance == 0 {
            return Err(invalid("'instance' must be a positive or negative number."));
        }
        if search.is_empty() {
            return Ok(1);
        }
        Ok(position_of(text, find_instance(text, search, instance)))
    })
}

fn starts_with(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).boolean(|(text, prefix)| Ok(Some(text.starts_with(prefix))))
}

/// There is nothing to join in one argument.
fn at_least_two(arguments: &[Argument], sentence: &str) -> Result<(), EvalError> {
    if arguments.len() < 2 { Err(invalid(sentence)) } else { Ok(()) }
}

fn concat(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    at_least_two(arguments, "There must be two or more concatenation arguments")?;
    let columns = (0..arguments.len()).map(|position| text(arguments, position)).collect::<Result<Vec<_>, _>>()?;
    let mut builder = StringBuilder::with_capacity(call.rows, call.rows * 8);
    let mut out = String::new();
    for row in 0..call.rows {
        out.clear();
        let complete = columns.iter().try_for_each(|column| {
            out.push_str(column.get(row)?);
            Some(())
        });
        builder.append_option(complete.map(|()| out.as_str()));
    }
    Ok(Arc::new(builder.finish()))
}

fn concat_bytes(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    at_least_two(arguments, "There must be two or more concatenation arguments")?;
    let columns = (0..arguments.len()).map(|position| bytes(arguments, position)).collect::<Result<Vec<_>, _>>()?;
    let mut builder = BinaryBuilder::with_capacity(call.rows, call.rows * 8);
    let mut out = Vec::new();
    for row in 0..call.rows {
        out.clear();
        let complete = columns.iter().try_for_each(|column| {
            out.extend_from_slice(column.get(row)?);
            Some(())
        });
        builder.append_option(complete.map(|()| out.as_slice()));
    }
    Ok(Arc::new(builder.finish()))
}

/// `char(x + y)`.
fn concat_char_type(arguments: &[Type]) -> Option<Type> {
    let [Type::Char(left), Type::Char(right)] = arguments else { return None };
    // The longest `char` there is.
    left.checked_add(*right).filter(|width| *width <= 65_536).map(Type::Char)
}

fn concat_char(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let width = char_width(call, 0);
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).text(|(left, right), out| {
        if right.is_empty() {
            out.push_str(left);
        } else {
            write_padded(left, width, out);
            out.push_str(right);
        }
        Ok(())
    })
}

fn concat_with_separator(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    at_least_two(arguments, "There must be two or more arguments")?;
    let columns = (0..arguments.len()).map(|position| text(arguments, position)).collect::<Result<Vec<_>, _>>()?;
    let (separator, parts) = columns.split_first().ok_or_else(|| broken("too few arguments"))?;
    let mut builder = StringBuilder::with_capacity(call.rows, call.rows * 8);
    let mut out = String::new();
    for row in 0..call.rows {
        let Some(separator) = separator.get(row) else {
            builder.append_null();
            continue;
        };
        out.clear();
        for (written, part) in parts.iter().filter_map(|part| part.get(row)).enumerate() {
            if written > 0 {
                out.push_str(separator);
            }
            out.push_str(part);
        }
        builder.append_value(&out);
    }
    Ok(Arc::new(builder.finish()))
}

fn concat_list_with_separator(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, list(arguments, 1)?)).text(|(separator, parts), out| {
        let parts = parts.as_string_opt::<i32>().ok_or_else(|| broken("another element type"))?;
        for (written, part) in parts.iter().flatten().enumerate() {
            if written > 0 {
                out.push_str(separator);
            }
            out.push_str(part);
        }
        Ok(())
    })
}

fn translate(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut pairs = Prepared::new();
    let mut key = String::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?)).text(|(text, from, to), out| {
        key.clear();
        key.extend([from, "\0", to]);
        let pairs = pairs.get(&key, |_| {
            let mut targets = to.chars();
            let mut pairs: Vec<(char, Option<char>)> = Vec::new();
            for source in from.chars() {
                let target = targets.next();
                // The first mention of a character counts.
                if pairs.iter().all(|(known, _)| *known != source) {
                    pairs.push((source, target));
                }
            }
            Ok(pairs)
        })?;
        out.extend(text.chars().filter_map(|character| {
            pairs.iter().find(|(source, _)| *source == character).map_or(Some(character), |(_, target)| *target)
        }));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bigint, bytes, character, error, no_text, text, value};
    use crate::sql::types::Type;

    const VARCHAR: Type = Type::Varchar(None);

    fn of(name: &str, form: usize, values: &[super::super::testing::Value]) -> String {
        value(name, form, VARCHAR, values)
    }

    #[test]
    fn case_is_mapped_character_by_character() {
        assert_eq!(of("upper", 0, &[text("straße")]), "STRAßE");
        assert_eq!(of("upper", 0, &[text("ŉﬁᾳ")]), "ŉﬁᾼ");
        assert_eq!(of("lower", 0, &[text("İΣΑΣ")]), "iσασ");
    }

    #[test]
    fn parts_are_counted_in_characters_from_one_or_from_the_end() {
        assert_eq!(of("substr", 1, &[text("日本語テキスト"), bigint(3), bigint(2)]), "語テ");
        assert_eq!(of("substr", 0, &[text("abcdef"), bigint(-3)]), "def");
        assert_eq!(of("substr", 1, &[text("abcdef"), bigint(-10), bigint(3)]), "");
        assert_eq!(of("substr", 0, &[text("abc"), bigint(0)]), "");
        assert_eq!(of("substr", 2, &[character("ab", 4), bigint(2)]), "b  ");
    }

    #[test]
    fn padding_fills_and_cuts() {
        assert_eq!(of("lpad", 0, &[text("5"), bigint(3), text("0")]), "005");
        assert_eq!(of("rpad", 0, &[text("ab"), bigint(5), text("xy")]), "abxyx");
        assert_eq!(of("lpad", 0, &[text("abcdef"), bigint(3), text("0")]), "abc");
        assert_eq!(of("lpad", 1, &[character("ab", 4), bigint(6), text("x")]), "xxab  ");
        assert_eq!(
            error("lpad", 0, VARCHAR, &[text("a"), bigint(2), text("")]),
            "INVALID_FUNCTION_ARGUMENT: Padding string must not be empty"
        );
    }

    #[test]
    fn blanks_are_those_of_java() {
        assert_eq!(of("trim", 0, &[text("\t a\u{2028}")]), "a");
        assert_eq!(of("trim", 0, &[text("\u{a0}a\u{2007}")]), "\u{a0}a\u{2007}");
        assert_eq!(of("trim", 2, &[text("/a/b/"), text("/")]), "a/b");
    }

    #[test]
    fn an_empty_text_is_found_and_replaced_everywhere() {
        assert_eq!(of("replace", 1, &[text("abc"), text(""), text("-")]), "-a-b-c-");
        assert_eq!(of("replace", 1, &[text("日本"), text(""), text("-")]), "-日-本-");
        assert_eq!(value("strpos", 0, Type::Bigint, &[text("abc"), text("")]), "1");
    }

    #[test]
    fn occurrences_overlap_and_count_from_both_ends() {
        let position =
            |text_, search, instance| value("strpos", 1, Type::Bigint, &[text(text_), text(search), bigint(instance)]);
        assert_eq!(position("a-b-c-d", "-", 2), "4");
        assert_eq!(position("a-b-c-d", "-", -1), "6");
        assert_eq!(position("aaaa", "aa", -2), "2");
        assert_eq!(position("a-b", "-", 5), "0");
        assert_eq!(
            error("strpos", 1, Type::Bigint, &[text("a"), text("a"), bigint(0)]),
            "INVALID_FUNCTION_ARGUMENT: 'instance' must be a positive or negative number."
        );
    }

    #[test]
    fn null_parts_are_skipped_only_with_a_separator() {
        assert_eq!(of("concat_ws", 0, &[text(","), text("a"), no_text(), text("b")]), "a,b");
        assert_eq!(of("concat_ws", 0, &[no_text(), text("a")]), "null");
        assert_eq!(of("concat", 0, &[text("a"), no_text()]), "null");
        assert_eq!(
            error("concat", 0, VARCHAR, &[text("a")]),
            "INVALID_FUNCTION_ARGUMENT: There must be two or more concatenation arguments"
        );
    }

    #[test]
    fn the_first_mention_of_a_character_is_translated() {
        assert_eq!(of("translate", 0, &[text("sardine"), text("sd"), text("S")]), "Sarine");
        assert_eq!(of("translate", 0, &[text("abc"), text("aa"), text("xy")]), "xbc");
    }

    #[test]
    fn bytes_have_parts_and_padding_too() {
        assert_eq!(value("reverse", 2, Type::Varbinary, &[bytes(&[1, 2])]), "0201");
        assert_eq!(value("lpad", 2, Type::Varbinary, &[bytes(&[1]), bigint(3), bytes(&[10, 11])]), "0a0b01");
        assert_eq!(value("substr", 5, Type::Varbinary, &[bytes(&[1, 2, 3]), bigint(-2), bigint(1)]), "02");
    }
}
